"""When a schedule really starts its feed: its timing, kept inside its window, and spread so that shops do not start
together. Pure but for the time-zone data; imports timing and windows.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim

from prestaconsole.runner.timing import Timing, next_after, parse
from prestaconsole.runner.windows import Window, split_window

LONGEST_DELAY = timedelta(minutes=5)
_SHARE_OF_GAP = 0.1
_GOLDEN = 0.6180339887498949
"""Multiples of it, cut to their fraction, lie as evenly as numbers that come one by one can."""
_ANY_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


def share(shop_id: int, feed: str) -> float:
    """A shop's own place for a feed, 0 ≤ share < 1, the same for ever. The first shop starts on the dot."""
    if shop_id <= 1:
        return 0.0
    place = int.from_bytes(hashlib.sha256(feed.encode()).digest()[:4]) / 2**32
    return ((shop_id - 1) * _GOLDEN + place) % 1.0


@dataclass(frozen=True)
class Rule:
    """One schedule: a timing read in a zone, its window if it has one, and the shop's share of the delay."""

    timing: Timing
    zone: ZoneInfo
    window: Window | None = None
    share: float = 0.0

    @property
    def delay(self) -> timedelta:
        """How much after its times it starts, in whole seconds: at most five minutes, a tenth of what lies between
        two times, and a tenth of the window.
        """
        limits = [LONGEST_DELAY, _shortest_gap(self.timing) * _SHARE_OF_GAP]
        if self.window is not None:
            limits.append(timedelta(minutes=self.window.minutes) * _SHARE_OF_GAP)
        return timedelta(seconds=int(min(limits).total_seconds() * self.share))

    def next(self, after: datetime, due: datetime | None = None) -> datetime:
        """The first start after ``after`` (aware), in UTC. An interval keeps the beat of ``due``.

        A time outside the window is not lost: the feed starts when the window opens. Missed times are one.
        """
        after = after.astimezone(UTC)
        if self.timing.seconds:
            coming = next_after(self.timing, self.zone, after, due)
            return self.inside(coming if due is not None else coming + self.delay)
        return next(start for start in self._starts(after - self.delay) if start > after)

    def upcoming(self, after: datetime, count: int, due: datetime | None = None) -> list[datetime]:
        """The next starts in UTC. ``due`` is the one that stands in the schedule already, if any."""
        times = [due.astimezone(UTC)] if due is not None and due > after else []
        while len(times) < count:
            times.append(self.next(times[-1] if times else after, times[-1] if times else due))
        return times

    def _starts(self, since: datetime) -> Iterator[datetime]:
        """The starts that follow from the cron line's times after ``since``, never falling."""
        while True:
            time = next_after(self.timing, self.zone, since)
            if self.window is None:
                yield time + self.delay
            elif self.window.is_open(self.zone, time):
                late = time + self.delay
                yield late if self.window.is_open(self.zone, late) else time
            else:
                time = self.window.opens(self.zone, time)
                yield self.inside(time)
            since = time

    def inside(self, time: datetime) -> datetime:
        """The time itself, or where it lies outside the window, the opening that follows, with the delay."""
        if self.window is None or self.window.is_open(self.zone, time):
            return time
        opening = self.window.opens(self.zone, time)
        late = opening + self.delay
        return late if self.window.is_open(self.zone, late) else opening


@dataclass(frozen=True)
class Reading:
    """A schedule in words with its next starts (UTC), and what clock changes, window and delay do to it."""

    words: str
    cron: str
    next: tuple[datetime, ...]
    notes: tuple[str, ...] = field(default=())


def read_rule(text: str, zone: ZoneInfo, share: float = 0.0) -> Rule:
    """What a person typed, a window at its end included. Raises ``UsageError`` as ``parse`` does."""
    every, window = split_window(text)
    return Rule(parse(every), zone, window, share)


def describe(text: str, zone: ZoneInfo, now: datetime, due: datetime | None = None, share: float = 0.0) -> Reading:
    """What a schedule means: a sentence, the cron line, the next five starts, and what is worth knowing of them.

    Raises ``UsageError`` as ``parse`` does.
    """
    rule = read_rule(text, zone, share)
    return describe_rule(rule, now, due)


def describe_rule(rule: Rule, now: datetime, due: datetime | None = None) -> Reading:
    """As ``describe``, for a schedule that was read already."""
    timing, zone, window = rule.timing, rule.zone, rule.window
    if timing.seconds:
        words = _each(timing.seconds) + (f", {window.words} in {zone.key}" if window else "") + "."
    else:
        within = f", {window.words}" if window else ""
        words = f"{CronSim(timing.cron, now).explain()}{within}, in {zone.key}."
    return Reading(
        words=words,
        cron=timing.cron,
        next=tuple(rule.upcoming(now, 5, due)),
        notes=(*_clock_changes(timing, zone, now), *_window_notes(rule, now), *_delay_notes(rule)),
    )


@lru_cache(maxsize=1024)
def _shortest_gap(timing: Timing) -> timedelta:
    """What lies between two times at least, clock changes aside."""
    if timing.seconds:
        return timedelta(seconds=timing.seconds)
    times = list(islice(CronSim(timing.cron, _ANY_YEAR), 62))
    return min((later - earlier for earlier, later in pairwise(times)), default=LONGEST_DELAY * 10)


def _each(seconds: int) -> str:
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % unit == 0:
            number = seconds // unit
            return f"Every {name}" if number == 1 else f"Every {number} {name}s"
    return f"Every {seconds} seconds"


def _delay_notes(rule: Rule) -> list[str]:
    seconds = int(rule.delay.total_seconds())
    if not seconds:
        return []
    length = f"{seconds // 60} min {seconds % 60:02d} s" if seconds >= 60 else f"{seconds} s"
    what = "Its beat begins" if rule.timing.seconds else "Starts"
    return [f"{what} {length} after the time, so that shops do not start together."]


def _window_notes(rule: Rule, now: datetime) -> list[str]:
    window = rule.window
    if window is None:
        return []
    notes = ["What is not done at the window's end goes on in the next one."]
    if rule.timing.cron:
        times = islice(CronSim(rule.timing.cron, now.astimezone(rule.zone)), 200)
        soon = (time for time in times if time - now < timedelta(days=8))
        first = next(soon, None)
        if first is not None and not any(window.is_open(rule.zone, time) for time in (first, *soon)):
            notes.insert(0, f"Its times lie outside the window, so it starts when that opens: {window.text[:5]}.")
    return notes


def _clock_changes(timing: Timing, zone: ZoneInfo, now: datetime) -> list[str]:
    """What the next clock changes, within seven months, do to a cron line with a fixed hour and minute."""
    fields = timing.cron.split()
    if not fields or fields[0].startswith("*") or fields[1].startswith("*"):
        return []
    notes: dict[str, str] = {}
    start = now.astimezone(zone).replace(tzinfo=None)
    for wall in CronSim(timing.cron, start):
        if wall > start + timedelta(days=215) or len(notes) == 2:
            break
        early, late = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
        if early.utcoffset() == late.utcoffset():
            continue
        shown = f"{wall:%a} {wall.day} {wall:%b %H:%M}"
        real = early.astimezone(UTC).astimezone(zone)
        if real.replace(tzinfo=None) != wall:
            runs = next_after(timing, zone, late.astimezone(UTC) - timedelta(seconds=1)).astimezone(zone)
            notes.setdefault("gap", f"{shown} does not exist; runs {runs:%H:%M}.")
        else:
            notes.setdefault("twice", f"{shown} comes twice; runs once.")
    return list(notes.values())
