"""How the daemon stands, by what it last wrote: one judgement for status, header and banner. Imports the model."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from prestaconsole.database import Connection
from prestaconsole.model import Runner

HUNG_AFTER = timedelta(seconds=60)


@dataclass(frozen=True)
class DaemonSeen:
    """The daemon that reported last and has not signed off. ``last_good_at``: when it last looked at its work.

    ``stuck``: it still reports, but it has not looked at schedules and queue for a minute before its last report.
    """

    host: str
    pid: int
    heartbeat: datetime
    last_good_at: datetime
    stuck: bool

    def alive(self, now: datetime, stale_after: timedelta) -> bool:
        """Whether it reported within the stale time, and works."""
        return not self.stuck and now - self.heartbeat <= stale_after


def last_daemon(connection: Connection) -> DaemonSeen | None:
    """The daemon seen last; None where none ever was, or the last one ended in good order."""
    later = aliased(Runner)
    # One that was killed is forgotten once another came after it and signed off.
    signed_off = exists().where(
        later.kind == "daemon", later.stopped_at.is_not(None), later.started_at > Runner.heartbeat
    )
    row = connection.execute(
        select(Runner.host, Runner.pid, Runner.heartbeat, Runner.progress_at)
        .where(Runner.kind == "daemon", Runner.stopped_at.is_(None), ~signed_off)
        .order_by(Runner.heartbeat.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    stuck = row.progress_at is not None and row.heartbeat - row.progress_at > HUNG_AFTER
    good = row.progress_at if stuck else row.heartbeat
    return DaemonSeen(row.host, row.pid, row.heartbeat, good, stuck)
