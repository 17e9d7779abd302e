"""A schedule as a person types it: how it reads, and the next five times. Imports the runner's timing and the feeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prestaconsole.errors import PrestaConsoleError
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.operations.shops import zone_of
from prestaconsole.runner.firing import describe, share
from prestaconsole.runner.windows import with_default


@dataclass(frozen=True)
class SchedulePreview:
    """``words`` say how it is understood, or why it is not; ``good`` whether it may be kept. Times are UTC."""

    words: str
    cron: str = ""
    next_times: Sequence[datetime] = ()
    notes: Sequence[str] = ()
    good: bool = False


def read_schedule(text: str, feed: str, zone: str, now: datetime, shop_id: int = 0) -> SchedulePreview:
    """Read what was typed for a feed, in the shop's zone; ``off`` and ``default`` are words too.

    With a shop, its own share of the delay that keeps shops apart is in the times.
    """
    if text.strip().lower() == "off":
        return SchedulePreview("It does not run by itself; r runs it.", good=True)
    try:
        words = with_default(text, FEEDS[feed].default_every if feed in FEEDS else "")
        if text.strip() and not words:
            return SchedulePreview(f"{feed} has no default schedule.")
        reading = describe(words, zone_of(zone), now, share=share(shop_id, feed))
    except PrestaConsoleError as error:
        return SchedulePreview(str(error))
    return SchedulePreview(reading.words, reading.cron, reading.next, reading.notes, True)
