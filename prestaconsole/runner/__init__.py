"""Schedules, the queue of runs, claims with leases and fencing tokens, and the worker that runs feeds (DESIGN §4)."""
