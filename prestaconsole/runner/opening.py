"""The window of a feed's schedule as its runs meet it: whether it is shut now, and waiting for it. Imports model."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update

from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.model import FeedRun, FeedSchedule, FeedState, RunState, RunWindow
from prestaconsole.operations.shops import zone_of
from prestaconsole.runner.windows import Window, stored_window


@dataclass(frozen=True)
class Opening:
    """When a shut window opens again (UTC), and the zone whose clock it goes by."""

    at: datetime
    zone: ZoneInfo
    window: Window

    @property
    def words(self) -> str:
        """For the run's phase: ``waits for its window, Tue 01:00 (Europe/Paris)``."""
        return f"waits for its window, {self.words_of_time}"

    @property
    def words_of_time(self) -> str:
        """``Tue 01:00 (Europe/Paris)``."""
        return f"{self.at.astimezone(self.zone):%a %H:%M} ({self.zone.key})"


def opens_later(connection: Connection, shop_id: int, feed: str, now: datetime) -> Opening | None:
    """When the window of this schedule opens, if it has one that is shut now. A schedule that is off has none."""
    row = connection.execute(
        select(FeedSchedule.window, FeedSchedule.zone).where(
            FeedSchedule.shop_id == shop_id, FeedSchedule.feed == feed, FeedSchedule.enabled, FeedSchedule.window != ""
        )
    ).one_or_none()
    if row is None:
        return None
    return opening_of(row.window, zone_of(row.zone), now)


def opening_of(stored: str, zone: ZoneInfo, now: datetime) -> Opening | None:
    """When a window as it stands in a schedule's row opens; None while it is open, or is none at all."""
    try:
        window = stored_window(stored)
    except UsageError:
        # Only a row written by hand can hold such words; the tick switches it off and says so.
        return None
    if window is None or window.is_open(zone, now):
        return None
    return Opening(window.opens(zone, now), zone, window)


def waiting_for(opening: Opening) -> dict[str, Any]:
    """What a run's row holds while it waits in the queue for its window."""
    return {"window": RunWindow.WAITS, "due": opening.at, "phase": opening.words[:80]}


def note_window_end(connection: Connection, shop_id: int, feed: str, now: datetime) -> None:
    """Remember that a run stopped in good order here: until the next window is over the feed is not late."""
    mine = (FeedState.shop_id == shop_id, FeedState.feed == feed)
    if connection.execute(update(FeedState).where(*mine).values(window_ended_at=now)).rowcount == 0:
        connection.execute(insert(FeedState).values(shop_id=shop_id, feed=feed, detail={}, window_ended_at=now))


def follow_window(connection: Connection, shop_id: int, feed: str, now: datetime) -> None:
    """The schedule was changed: runs that wait for its window wait for the new one, or go on at once."""
    opening = opens_later(connection, shop_id, feed, now)
    waits = (
        FeedRun.shop_id == shop_id,
        FeedRun.feed == feed,
        FeedRun.state == RunState.QUEUED,
        FeedRun.window == RunWindow.WAITS,
    )
    values = waiting_for(opening) if opening else {"window": RunWindow.KEEPS, "due": now, "phase": ""}
    connection.execute(update(FeedRun).where(*waits).values(**values))
