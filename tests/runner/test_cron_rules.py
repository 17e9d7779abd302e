"""Firings on the nights of clock change, against a model that walks through every minute as Debian's cron does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prestaconsole.runner.firing import Rule
from prestaconsole.runner.timing import Timing, next_after
from prestaconsole.runner.windows import Window

MINUTE = timedelta(minutes=1)
NIGHTS = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("America/St_Johns", datetime(2026, 3, 8, 5, 30, tzinfo=UTC)),
    ("America/St_Johns", datetime(2026, 11, 1, 4, 30, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 4, 5, 3, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 9, 6, 4, tzinfo=UTC)),
]


def values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin, end = (low, high) if span == "*" else (int(first), int(last or first))
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


class Line:
    """Minute, hour and weekday of a cron line; the other fields are stars."""

    def __init__(self, cron: str) -> None:
        minute, hour, _, _, weekday = cron.split()
        self.stars = minute.startswith("*") or hour.startswith("*")
        self.minutes, self.hours = values(minute, 0, 59), values(hour, 0, 23)
        self.weekdays = {number % 7 for number in values(weekday, 0, 7)}

    def matches(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours and wall.isoweekday() % 7 in self.weekdays


def model(cron: str, zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """A line with a star in minute or hour goes by the wall; another one by a wall that neither leaps nor turns back:
    what a leap skips comes right after it, once, and what the wall shows again does not come again.
    """
    line, moment = Line(cron), begin
    shown = begin.astimezone(zone).replace(tzinfo=None) - MINUTE
    while moment < end:
        wall = moment.astimezone(zone).replace(tzinfo=None)
        if line.stars:
            due = line.matches(wall)
        else:
            skipped = (shown + MINUTE * step for step in range(1, int((wall - shown) / MINUTE) + 1))
            due = any(line.matches(minute) for minute in skipped)
        shown = max(shown, wall)
        if due:
            yield moment
        moment += MINUTE


def fired(cron: str, zone: ZoneInfo, begin: datetime, end: datetime) -> list[datetime]:
    found, at = [], begin - timedelta(seconds=1)
    while (at := next_after(Timing(cron, cron), zone, at)) < end:
        found.append(at)
    return found


_minutes = st.one_of(
    st.sampled_from(["*", "*/5", "*/7", "*/15", "*/30", "0", "30", "0,30", "15,45", "59", "10-20", "0-59/20"]),
    st.integers(0, 59).map(str),
)
_hours = st.one_of(
    st.sampled_from(["*", "*/2", "*/3", "0", "1", "2", "3", "1,2", "2,3", "1-3", "0-5", "23", "23,0,1", "0-23/2"]),
    st.integers(0, 23).map(str),
)
_weekdays = st.sampled_from(["*", "*", "*", "0", "6", "1-5", "0,6"])
_lines = st.builds("{} {} * * {}".format, _minutes, _hours, _weekdays)
_nights = st.sampled_from(NIGHTS)


def near(change: datetime) -> tuple[datetime, datetime]:
    return change - timedelta(hours=5), change + timedelta(hours=5)


@settings(max_examples=80, deadline=None)
@given(_lines, _nights)
def test_no_firing_is_lost_or_doubled_against_what_cron_does(cron: str, night: tuple[str, datetime]) -> None:
    zone, (begin, end) = ZoneInfo(night[0]), near(night[1])
    assert fired(cron, zone, begin, end) == list(model(cron, zone, begin, end))


@pytest.mark.parametrize("cron", ["* */2 * * *", "*/30 2 * * *", "15 2 * * *", "45 1 * * *", "0,30 1-2 * * *"])
@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: f"{night[0]} {night[1]:%b}")
def test_lines_that_have_been_read_wrongly_before(cron: str, night: tuple[str, datetime]) -> None:
    zone, (begin, end) = ZoneInfo(night[0]), near(night[1])
    assert fired(cron, zone, begin, end) == list(model(cron, zone, begin, end))


@pytest.mark.slow
@settings(max_examples=2500, deadline=None)
@given(_lines, _nights)
def test_no_firing_is_lost_or_doubled_in_thousands_of_lines(cron: str, night: tuple[str, datetime]) -> None:
    zone, (begin, end) = ZoneInfo(night[0]), near(night[1])
    assert fired(cron, zone, begin, end) == list(model(cron, zone, begin, end))


@settings(max_examples=30, deadline=None)
@given(_lines, _nights, st.floats(0, 0.999), st.integers(-30_000, 30_000))
def test_wherever_one_looks_from_the_delay_moves_every_firing_by_the_same(
    cron: str, night: tuple[str, datetime], share: float, seconds: int
) -> None:
    """Restarts and edits look from other moments; the starts they find are the same."""
    zone, moment = ZoneInfo(night[0]), night[1] + timedelta(seconds=seconds)
    rule = Rule(Timing(cron, cron), zone, share=share)
    times = rule.upcoming(moment, 3)
    nominal = [time - rule.delay for time in times]
    assert nominal == fired(cron, zone, nominal[0], nominal[-1] + MINUTE)
    assert rule.next(times[0] - timedelta(seconds=1)) == times[0]
    assert rule.next(times[0]) == times[1]


@settings(max_examples=30, deadline=None)
@given(_lines, _nights, st.floats(0, 0.999), st.integers(0, 1439), st.integers(10, 1400))
def test_within_a_window_every_start_lies_inside_and_each_time_of_the_line_has_one(
    cron: str, night: tuple[str, datetime], share: float, begin: int, minutes: int
) -> None:
    zone = ZoneInfo(night[0])
    window = Window(begin, (begin + minutes) % 1440 or 1440)
    rule = Rule(Timing(cron, cron), zone, window, share)
    start, stop = near(night[1])
    starts, at = [], start - timedelta(seconds=1)
    while (at := rule.next(at)) < stop:
        starts.append(at)
    assert all(window.is_open(zone, time) for time in starts)
    assert starts == sorted(set(starts))
    # A time inside starts within the delay; one outside when the window opens.
    for time in fired(cron, zone, start, stop - timedelta(minutes=6)):
        opening = window.opens(zone, time)
        if opening < stop - timedelta(minutes=6):
            assert any(timedelta(0) <= found - opening <= rule.delay for found in starts)
