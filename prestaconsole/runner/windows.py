"""The time of day within which a feed's runs may be at work, by what the clock of a zone shows. Imports errors."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from prestaconsole.errors import UsageError
from prestaconsole.runner.zones import leap, wall_of

_DAY = 24 * 60
_TIME = r"(\d{1,2})(?::(\d{2}))?"
_BETWEEN = re.compile(rf"(?P<every>.*?)\s*\bbetween\s+{_TIME}\s*(?:and|-|–|to)\s*{_TIME}", re.IGNORECASE | re.DOTALL)
_STORED = re.compile(rf"{_TIME}-{_TIME}")
_EXAMPLE = "A window is written at the end: daily 03:00 between 01:00 and 05:00."
_STRIDE = timedelta(hours=6)
_FAR = timedelta(days=5)


@dataclass(frozen=True)
class Window:
    """Minutes of the day, ``end`` excluded. An end before the begin lies on the next day: 22:00 to 05:00.

    It is open whenever the clock on the wall shows a time inside. So an hour that an autumn night shows twice is twice
    as long, and a window that lies wholly in the hour a spring night skips stays shut until the next day.
    """

    begin: int
    end: int

    @property
    def text(self) -> str:
        """As it is stored: ``01:00-05:00``."""
        return f"{_clock(self.begin)}-{_clock(self.end)}"

    @property
    def words(self) -> str:
        """As people type it at the end of a schedule: ``between 01:00 and 05:00``."""
        return f"between {_clock(self.begin)} and {_clock(self.end)}"

    @property
    def minutes(self) -> int:
        """How long it is open on a day without a clock change."""
        return (self.end - self.begin) % _DAY

    def is_open(self, zone: ZoneInfo, moment: datetime) -> bool:
        """Whether runs may be at work at this moment (aware)."""
        wall = moment.astimezone(zone)
        minute = wall.hour * 60 + wall.minute
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def opens(self, zone: ZoneInfo, moment: datetime) -> datetime:
        """The moment itself while it is open, else the next one at which it opens (UTC)."""
        return moment if self.is_open(zone, moment) else self.turns(zone, moment)

    def turns(self, zone: ZoneInfo, moment: datetime) -> datetime:
        """The next moment at which it opens, where it is shut, or shuts, where it is open."""
        now = self.is_open(zone, moment)
        for edge in self._edges(zone, moment):
            if self.is_open(zone, edge) != now:
                return edge
        raise AssertionError(f"The window {self.text} does not turn in {zone.key} after {moment}.")

    def whole_after(self, zone: ZoneInfo, moment: datetime) -> datetime:
        """The end of the first opening that lies wholly after the moment."""
        opening = self.turns(zone, moment)
        if not self.is_open(zone, opening):
            opening = self.turns(zone, opening)
        return self.turns(zone, opening)

    def _edges(self, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
        """Moments after this one, rising: where the wall shows the begin or the end, or leaps. At most five days."""
        # Sums of moments are right in UTC alone: in a zone they move the clock on the wall.
        start = moment.astimezone(UTC).replace(microsecond=0)
        last = start + _FAR
        while start < last:
            stop = leap(zone, start, start + _STRIDE)
            wall = wall_of(zone, start)
            midnight = wall.replace(hour=0, minute=0, second=0)
            for day in (0, 1):
                for minute in sorted({self.begin, self.end % _DAY}):
                    edge = start + (midnight + timedelta(days=day, minutes=minute) - wall)
                    if moment < edge and start <= edge < stop:
                        yield edge
            yield stop
            start = stop


def split_window(text: str) -> tuple[str, Window | None]:
    """What a person typed as the timing and the window at its end, if there is one. Raises ``UsageError``."""
    found = _BETWEEN.fullmatch(text.strip())
    if found is None:
        if re.search(r"\bbetween\b", text, re.IGNORECASE):
            raise UsageError(f"“{text.strip()}” does not end with a window.", _EXAMPLE)
        return text, None
    _, *times = found.groups()
    return found["every"].strip(), _window(times, text)


def stored_window(text: str) -> Window | None:
    """The window as a schedule's row holds it; empty is none. Raises ``UsageError`` for words nobody can read."""
    if not text:
        return None
    found = _STORED.fullmatch(text)
    if found is None:
        raise UsageError(f"“{text}” is no window.", "It is stored as 01:00-05:00.")
    return _window(list(found.groups()), text)


def with_window(every: str, window: str) -> str:
    """A schedule's row as a person reads and may type it: ``daily 03:00 between 01:00 and 05:00``."""
    kept = stored_window(window)
    return f"{every} {kept.words}" if kept else every


def with_default(text: str, default: str) -> str:
    """What was typed, with ``default`` replaced by those words; empty where it was asked for and there are none."""
    every, window = split_window(text)
    if every.strip().lower() != "default":
        return text
    return f"{default} {window.words}" if default and window else default


def _window(times: list[str | None], text: str) -> Window:
    hours = [int(times[0] or 0), int(times[2] or 0)]
    minutes = [int(times[1] or 0), int(times[3] or 0)]
    begin, end = (hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(minutes) > 59 or begin >= _DAY or end > _DAY:
        raise UsageError(f"“{text.strip()}” cannot be read as a window: a time of day is wrong.", _EXAMPLE)
    if (end - begin) % _DAY == 0:
        raise UsageError(f"“{text.strip()}” is no window: it is open all day, or never.", _EXAMPLE)
    return Window(begin, end)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
