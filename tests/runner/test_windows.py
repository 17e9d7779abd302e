"""The window of a schedule: how it is typed, and when it is open, across midnight and on the nights of clock change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prestaconsole.errors import UsageError
from prestaconsole.runner.windows import Window, split_window, stored_window, with_default, with_window

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    ZoneInfo(name)
    for name in ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC")
]
CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 5, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 4, 30, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
]


@pytest.mark.parametrize(
    ("typed", "every", "window"),
    [
        ("daily 03:00 between 01:00 and 05:00", "daily 03:00", "01:00-05:00"),
        ("Every 10 min  BETWEEN 1 and 5", "Every 10 min", "01:00-05:00"),
        ("0 3 * * * between 22:30 and 5:15", "0 3 * * *", "22:30-05:15"),
        ("hourly between 20:00 - 24:00", "hourly", "20:00-24:00"),
        ("default between 1 to 5", "default", "01:00-05:00"),
        ("daily 03:00", "daily 03:00", ""),
    ],
)
def test_a_window_is_typed_at_the_end_and_kept_as_two_times(typed: str, every: str, window: str) -> None:
    found = split_window(typed)
    assert found == (every, stored_window(window))
    again = with_window(every, window)
    assert split_window(again) == found


@pytest.mark.parametrize(
    "typed",
    [
        "daily 03:00 between 01:00",
        "daily 03:00 between 5 and 25",
        "daily 03:00 between 24:00 and 5",
        "daily 03:00 between 01:75 and 05:00",
        "daily 03:00 between 05:00 and 05:00",
        "daily 03:00 between 00:00 and 24:00",
        "between 01:00 and 05:00 daily",
    ],
)
def test_what_is_no_window_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(UsageError) as refused:
        split_window(typed)
    assert "between 01:00 and 05:00" in refused.value.remedy


def test_default_takes_a_window_too() -> None:
    assert with_default("default between 1 and 5", "daily 04:30") == "daily 04:30 between 01:00 and 05:00"
    assert with_default("Default", "every 5 min") == "every 5 min"
    assert with_default("default", "") == ""
    assert with_default("every 5 min", "daily 04:30") == "every 5 min"


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def test_it_opens_and_shuts_by_the_clock_on_the_wall() -> None:
    night = Window(60, 300)
    assert not night.is_open(BERLIN, at("2026-03-02T00:59:59"))
    assert night.is_open(BERLIN, at("2026-03-02T01:00"))
    assert night.is_open(BERLIN, at("2026-03-02T04:59:59"))
    assert not night.is_open(BERLIN, at("2026-03-02T05:00"))
    assert night.opens(BERLIN, at("2026-03-02T12:00")) == at("2026-03-03T01:00")
    assert night.opens(BERLIN, at("2026-03-02T02:00")) == at("2026-03-02T02:00")
    assert night.turns(BERLIN, at("2026-03-02T02:00")) == at("2026-03-02T05:00")
    assert night.whole_after(BERLIN, at("2026-03-02T02:00")) == at("2026-03-03T05:00")
    assert night.whole_after(BERLIN, at("2026-03-02T00:30")) == at("2026-03-02T05:00")


def test_it_goes_across_midnight() -> None:
    late = Window(22 * 60, 5 * 60)
    assert late.is_open(BERLIN, at("2026-03-02T23:30")) and late.is_open(BERLIN, at("2026-03-03T00:00"))
    assert not late.is_open(BERLIN, at("2026-03-03T05:00"))
    assert late.turns(BERLIN, at("2026-03-02T23:30")) == at("2026-03-03T05:00")
    assert late.opens(BERLIN, at("2026-03-03T12:00")) == at("2026-03-03T22:00")
    to_midnight = Window(20 * 60, 24 * 60)
    assert to_midnight.turns(BERLIN, at("2026-03-02T21:00")) == at("2026-03-03T00:00")


def test_the_spring_night_shortens_it_and_one_in_the_gap_stays_shut() -> None:
    assert Window(60, 300).turns(BERLIN, at("2026-03-29T01:00")) - at("2026-03-29T01:00") == timedelta(hours=3)
    gap = Window(2 * 60, 3 * 60)
    assert gap.opens(BERLIN, at("2026-03-28T12:00")) == at("2026-03-30T02:00")
    begins_in_gap = Window(2 * 60 + 30, 5 * 60)
    assert begins_in_gap.opens(BERLIN, at("2026-03-28T12:00")) == at("2026-03-29T03:00")


def test_the_autumn_night_shows_an_hour_twice_and_it_is_open_twice() -> None:
    assert Window(60, 300).turns(BERLIN, at("2026-10-25T01:00")) - at("2026-10-25T01:00") == timedelta(hours=5)
    half = Window(60, 2 * 60 + 30)
    first_end = half.turns(BERLIN, at("2026-10-25T01:00"))
    assert first_end == at("2026-10-25T02:30")
    assert half.opens(BERLIN, first_end) == at("2026-10-25T02:00", fold=1)


@settings(deadline=None)
@given(
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES),
    st.integers(-100_000, 100_000),
)
def test_between_now_and_the_turn_it_stays_as_it_is(
    begin: int, minutes: int, zone: ZoneInfo, change: datetime, seconds: int
) -> None:
    """Looked at again and again, the answer changes at the turn and not before."""
    window, moment = Window(begin, (begin + minutes) % 1440 or 1440), change + timedelta(seconds=seconds)
    turn = window.turns(zone, moment)
    state = window.is_open(zone, moment)
    assert window.is_open(zone, turn) != state
    while moment < turn:
        assert window.is_open(zone, moment) == state
        moment += timedelta(minutes=5)
    assert window.is_open(zone, turn - timedelta(seconds=1)) == state
