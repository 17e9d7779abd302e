"""Which clock decides over leases and heartbeats: the database's, so that many machines agree. Imports database."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import text

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.database import Connection

Moment = Callable[[Connection], datetime]
"""Gives the moment inside a transaction, as an aware datetime in UTC."""


def moment_of(clock: Clock) -> Moment:
    """The clock that all workers of one database share.

    On SQLite all processes live on one machine and its clock is the database's. On PostgreSQL the server is asked,
    unless a clock of its own was handed in: then that one is meant.
    """

    def moment(connection: Connection) -> datetime:
        if connection.dialect.name == "sqlite" or not isinstance(clock, SystemClock):
            return clock.now()
        found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return found.astimezone(UTC)

    return moment
