"""Telling people outside: the ping that somebody else watches; webhook and mail come beside it. May import settings."""
