"""After a clock that went back: moments that lie too far ahead come back to now (N7). Imports model and schedules."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from prestaconsole.clock import Clock
from prestaconsole.database import Connection, Database
from prestaconsole.errors import UsageError
from prestaconsole.model import FeedRun, FeedSchedule, FeedState, Runner, RunState, Shop
from prestaconsole.runner.endings import LONGEST_WAIT
from prestaconsole.runner.moments import Moment
from prestaconsole.runner.schedules import shop_schedules

log = logging.getLogger(__name__)

JUMP_SECONDS = 30.0
"""A step that time services do not make while they steer a clock, and that stands out from a process that was held."""


class ClockWatch:
    """Compares the clock that decides over schedules and leases with one that cannot jump.

    A jump ahead needs nothing: what is due comes at once, and once. After one back, schedules, leases and signs of
    life would lie in the future, and an hour would pass in silence.
    """

    def __init__(self, database: Database, clock: Clock, moment: Moment, lease_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._moment = moment
        self._lease_seconds = lease_seconds
        self._offset: float | None = None
        self.jumps = 0

    async def look(self) -> float:
        """Compare once and mend; gives the jump in seconds since the look before, 0 for none."""
        before = self._clock.monotonic()
        now = await self._database.read(self._moment)
        if self._clock.monotonic() - before > JUMP_SECONDS / 2:
            return 0.0
        offset = now.timestamp() - before
        known, self._offset = self._offset, offset
        jump = offset - known if known is not None else 0.0
        if abs(jump) < JUMP_SECONDS:
            return 0.0
        self.jumps += 1
        log.warning("The clock jumped by %+.0f s; schedules and leases follow it.", jump)
        if jump < 0:
            await self._database.write(lambda c: come_back(c, self._moment(c), self._lease_seconds))
        return jump


def come_back(connection: Connection, now: datetime, lease_seconds: float) -> None:
    """Bring what lies further ahead than it can by right back to ``now``, in this transaction."""
    for shop_id in connection.execute(select(Shop.id)).scalars().all():
        for schedule in shop_schedules(connection, shop_id).values():
            try:
                coming = schedule.rule.next(now) if schedule.enabled and schedule.next_due else None
            except UsageError:
                # The tick switches such a row off and says so.
                continue
            if coming is not None and schedule.next_due is not None and coming < schedule.next_due:
                connection.execute(
                    update(FeedSchedule)
                    .where(FeedSchedule.id == schedule.id, FeedSchedule.version == schedule.version)
                    .values(next_due=coming)
                )
    latest = now + timedelta(seconds=LONGEST_WAIT)
    ahead = or_(FeedRun.created_at > now, (FeedRun.progress_at > now) & (FeedRun.due > latest))
    queued = (FeedRun.state == RunState.QUEUED, FeedRun.due > now, ahead)
    connection.execute(update(FeedRun).where(*queued).values(due=now))
    lease = now + timedelta(seconds=lease_seconds)
    at_work = (FeedRun.state == RunState.RUNNING, FeedRun.lease_until > lease, FeedRun.progress_at > now)
    connection.execute(update(FeedRun).where(*at_work).values(lease_until=lease))
    connection.execute(update(Runner).where(Runner.heartbeat > now).values(heartbeat=now))
    connection.execute(update(FeedState).where(FeedState.last_ok_at > now).values(last_ok_at=now))
