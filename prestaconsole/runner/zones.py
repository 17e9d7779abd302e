"""The clock on the wall of a time zone, and where it leaps. Pure but for the time-zone data."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def wall_of(zone: ZoneInfo, moment: datetime) -> datetime:
    """What the clock shows at a moment, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def leap(zone: ZoneInfo, start: datetime, stop: datetime) -> datetime:
    """The first moment after ``start`` (UTC, whole seconds) at which the zone's offset changes; ``stop`` without one.

    The two may lie at most a day or so apart: of two changes that undo each other in between nothing is seen.
    """
    before = start.astimezone(zone).utcoffset()
    if stop.astimezone(zone).utcoffset() == before:
        return stop
    low, high = start, stop
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def first_showing(zone: ZoneInfo, wall: datetime) -> datetime:
    """When the clock first shows this time (UTC), or where it leaps over it, the moment of the leap."""
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if wall_of(zone, early) == wall:
        return early
    late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return leap(zone, min(early, late), max(early, late))
