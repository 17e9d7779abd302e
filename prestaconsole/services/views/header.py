"""What the first row says of the whole: who does the work, brakes, incidents. Imports the runner and the model."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.engine import Connection

from prestaconsole.model.audit import Incident
from prestaconsole.model.changes import Changeset, ChangesetState
from prestaconsole.operations.lives import restored_as_of
from prestaconsole.operations.pauses import pause_of_everything
from prestaconsole.runner.standing import last_daemon


@dataclass(frozen=True)
class HeaderCounts:
    """``daemon_seen``: when the last daemon that did not sign off was last at work; None where none ever was.

    ``daemon_stuck``: it reports still, but does nothing. ``restored_as_of``: from when this database is, while shops
    are frozen because it was restored. ``all_paused``: the feeds of all shops are, ``paused_until`` (UTC) where that
    is known.
    """

    brakes: int = 0
    incidents: int = 0
    daemon_seen: datetime | None = None
    daemon_stuck: bool = False
    restored_as_of: datetime | None = None
    all_paused: bool = False
    paused_until: datetime | None = None

    def daemon_alive(self, now: datetime, stale_after: timedelta) -> bool:
        """Whether a daemon reported within the stale time, and works."""
        return self.daemon_seen is not None and not self.daemon_stuck and now - self.daemon_seen <= stale_after

    def stale_minutes(self, now: datetime) -> int:
        """Whole minutes since a daemon was last at work."""
        return 0 if self.daemon_seen is None else max(0, int((now - self.daemon_seen).total_seconds() // 60))


def header_counts(connection: Connection, shop_id: int | None = None, now: datetime | None = None) -> HeaderCounts:
    """Counters of one shop, or of all (None). Incidents that sleep at ``now`` are not counted."""
    brakes = select(func.count()).select_from(Changeset).where(Changeset.state == ChangesetState.HELD)
    incidents = select(func.count()).select_from(Incident).where(Incident.closed_at.is_(None))
    if now is not None:
        incidents = incidents.where(or_(Incident.snoozed_until.is_(None), Incident.snoozed_until <= now))
    if shop_id is not None:
        brakes = brakes.where(Changeset.shop_id == shop_id)
        incidents = incidents.where(Incident.shop_id == shop_id)
    seen = last_daemon(connection)
    everything = pause_of_everything(connection)
    return HeaderCounts(
        brakes=connection.execute(brakes).scalar_one(),
        incidents=connection.execute(incidents).scalar_one(),
        daemon_seen=seen.last_good_at if seen is not None else None,
        daemon_stuck=seen is not None and seen.stuck,
        restored_as_of=restored_as_of(connection),
        all_paused=everything is not None,
        paused_until=everything.until if everything is not None else None,
    )
