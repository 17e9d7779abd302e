"""What a person may type for a schedule, what it means, and when it fires on the nights of clock change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestaconsole.errors import UsageError
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.runner.firing import Rule, describe
from prestaconsole.runner.timing import Timing, next_after, parse

BERLIN = ZoneInfo("Europe/Berlin")
WEDNESDAY = datetime(2026, 3, 4, 12, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "text", "cron", "seconds"),
    [
        ("30m", "every 30 min", "", 1800),
        ("5m", "every 5 min", "", 300),
        ("24h", "every 24 h", "", 86400),
        ("2d", "every 2 d", "", 172800),
        ("every 5 min", "every 5 min", "", 300),
        ("Every 5 Minutes", "every 5 min", "", 300),
        ("  every   60 min ", "every 60 min", "", 3600),
        ("every hour", "every 1 h", "", 3600),
        ("hourly", "every 1 h", "", 3600),
        ("4 hours", "every 4 h", "", 14400),
        ("daily 03:00", "daily 03:00", "0 3 * * *", 0),
        ("daily at 3", "daily 03:00", "0 3 * * *", 0),
        ("every day at 03:05", "daily 03:05", "5 3 * * *", 0),
        ("weekdays 06:30", "weekdays 06:30", "30 6 * * 1-5", 0),
        ("weekends 10:00", "weekends 10:00", "0 10 * * 0,6", 0),
        ("weekly Sun 02:00", "weekly Sun 02:00", "0 2 * * 0", 0),
        ("every sunday at 02:00", "Sun 02:00", "0 2 * * 0", 0),
        ("Mon,Thu 14:30", "Mon,Thu 14:30", "30 14 * * 1,4", 0),
        ("fri-mon 10:00", "Fri,Sat,Sun,Mon 10:00", "0 10 * * 0,1,5,6", 0),
        ("monthly 1 04:00", "monthly 1 04:00", "0 4 1 * *", 0),
        ("weekdays 6-20 every 10 min", "weekdays 6-20 every 10 min", "*/10 6-19 * * 1-5", 0),
        ("every 10 min weekdays 6-20", "weekdays 6-20 every 10 min", "*/10 6-19 * * 1-5", 0),
        ("6:00-20:00 every 15 min", "daily 6-20 every 15 min", "*/15 6-19 * * *", 0),
        ("daily from 8 to 18 every 2 h", "daily 8-18 every 2 h", "0 8,10,12,14,16 * * *", 0),
        ("Sat 9-10 every 60 min", "Sat 9-10 every 60 min", "0 9 * * 6", 0),
        ("0 3 * * *", "0 3 * * *", "0 3 * * *", 0),
        ("*/7 8-18 * * MON-FRI", "*/7 8-18 * * MON-FRI", "*/7 8-18 * * MON-FRI", 0),
        ("@daily", "@daily", "0 0 * * *", 0),
    ],
)
def test_words_intervals_and_cron_are_read(typed: str, text: str, cron: str, seconds: int) -> None:
    assert parse(typed) == Timing(text, cron, seconds)
    assert parse(text) == Timing(text, cron, seconds)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "nothing was given"),
        ("banana", "neither words"),
        ("daily", "neither words"),
        ("30s", "neither words"),
        ("every 0 min", "between one minute and a year"),
        ("every 9999999 h", "between one minute and a year"),
        ("daily 24:00", "24:00 is no time of day"),
        ("daily 10:75", "no time of day"),
        ("monthly 32 04:00", "no month has a day 32"),
        ("funday 10:00", "no day of the week"),
        ("weekdays 20-6 every 10 min", "the earlier one first"),
        ("weekdays 6-20 every 7 min", "must divide an hour"),
        ("weekdays 6-20 every 90 min", "must divide an hour"),
        ("60 * * * *", "bad minute"),
        ("* * * * * *", "neither words"),
        ("0 0 31 2 *", "bad day-of-month"),
        ("1 2 3", "neither words"),
        ("0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28 * * * *", "longer than 80"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason_and_examples(typed: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        parse(typed)
    assert "weekdays 6-20 every 10 min" in refused.value.remedy


@pytest.mark.parametrize("every", sorted({spec.default_every for spec in FEEDS.values() if spec.default_every}))
def test_the_defaults_of_all_feeds_can_be_read_and_fit_the_table(every: str) -> None:
    assert len(parse(every).text) <= 80


_week_days = st.sampled_from(["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"])
_numbers = st.integers(1, 59)
_typed = st.one_of(
    st.builds("every {} min".format, _numbers),
    st.builds("{}h".format, st.integers(1, 200)),
    st.builds("daily {:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59)),
    st.builds(
        "{} {}:{:02d}".format,
        st.lists(_week_days, min_size=1, max_size=7, unique=True).map(",".join),
        st.integers(0, 23),
        st.integers(0, 59),
    ),
    st.builds(
        "weekdays {}-{} every {} min".format,
        st.integers(0, 11),
        st.integers(12, 24),
        st.sampled_from([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]),
    ),
    st.builds("monthly {} {}:00".format, st.integers(1, 31), st.integers(0, 23)),
    st.builds("{} {} * * {}".format, _numbers, st.integers(0, 23), st.integers(0, 6)),
)
_clock_changes = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 5, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 4, 30, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
]
_near = st.builds(
    lambda change, seconds: change + timedelta(seconds=seconds),
    st.sampled_from(_clock_changes),
    st.integers(-90_000, 90_000),
)
_any_time = st.datetimes(
    min_value=datetime(2024, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2030, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
_moments = st.one_of(_near, _any_time)
_zones = st.sampled_from(
    ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "Asia/Kathmandu", "UTC"]
).map(ZoneInfo)


@given(_typed)
def test_what_is_shown_can_be_typed_again_and_means_the_same(typed: str) -> None:
    timing = parse(typed)
    assert parse(timing.text) == timing
    assert parse(timing.text.upper() if timing.cron != timing.text else timing.text) == timing


@given(_typed, _moments, _zones)
def test_the_next_time_is_always_later_and_the_times_rise(typed: str, moment: datetime, zone: ZoneInfo) -> None:
    times = Rule(parse(typed), zone).upcoming(moment, 4)
    assert times[0] > moment
    assert times == sorted(set(times))
    assert all(time.tzinfo is UTC for time in times)


@given(_typed, _moments, _zones)
def test_no_time_between_now_and_the_next_is_passed_over(typed: str, moment: datetime, zone: ZoneInfo) -> None:
    """Wherever one looks from before the next time, the same time comes next."""
    timing = parse(typed)
    due = next_after(timing, zone, moment)
    if timing.cron:
        middle = moment + (due - moment) / 2
        assert next_after(timing, zone, middle) == due
        assert next_after(timing, zone, due - timedelta(seconds=1)) == due


def test_an_interval_keeps_its_beat_and_missed_times_are_one() -> None:
    timing = parse("every 30 min")
    due = WEDNESDAY
    assert next_after(timing, BERLIN, due, due) == due + timedelta(minutes=30)
    late = due + timedelta(hours=5, minutes=12)
    assert next_after(timing, BERLIN, late, due) == due + timedelta(hours=5, minutes=30)
    assert next_after(timing, BERLIN, due) == due + timedelta(minutes=30)


def local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%a %d %b %H:%M %z}"


def fired(every: str, zone: ZoneInfo, begin: datetime, end: datetime) -> list[str]:
    timing, found, at = parse(every), [], begin
    while (at := next_after(timing, zone, at)) < end:
        found.append(local(at, zone))
    return found


SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC)


def test_the_spring_night_runs_what_it_skips_right_after_the_gap_and_once() -> None:
    assert fired("daily 02:30", BERLIN, *SPRING) == ["Sun 29 Mar 03:00 +0200", "Mon 30 Mar 02:30 +0200"]
    assert fired("0,30 2 * * *", BERLIN, *SPRING)[0] == "Sun 29 Mar 03:00 +0200"
    assert len(fired("0,30 2 * * *", BERLIN, *SPRING)) == 3
    assert fired("daily 03:00", BERLIN, *SPRING) == ["Sun 29 Mar 03:00 +0200", "Mon 30 Mar 03:00 +0200"]


def test_the_autumn_night_runs_what_comes_twice_once() -> None:
    assert fired("daily 02:30", BERLIN, *AUTUMN) == ["Sun 25 Oct 02:30 +0200", "Mon 26 Oct 02:30 +0100"]
    between = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert local(between, BERLIN) == "Sun 25 Oct 02:10 +0100"
    assert local(next_after(parse("daily 02:30"), BERLIN, between), BERLIN) == "Mon 26 Oct 02:30 +0100"


def test_what_runs_all_the_time_goes_on_through_both_nights() -> None:
    for begin, end in (SPRING, AUTUMN):
        assert len(fired("*/10 * * * *", BERLIN, begin, end)) == 48 * 6 - 1
        assert len(fired("every 10 min", BERLIN, begin, end)) == 48 * 6 - 1
    hours = fired("0 * * * *", BERLIN, *AUTUMN)
    assert "Sun 25 Oct 02:00 +0200" in hours
    assert "Sun 25 Oct 02:00 +0100" in hours


def test_a_zone_that_shifts_by_half_an_hour_loses_and_doubles_nothing() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    # 4 October 2026 02:00 → 02:30; 5 April 2026 02:00 → 01:30.
    spring = fired("daily 02:15", zone, datetime(2026, 10, 2, 12, tzinfo=UTC), datetime(2026, 10, 5, 12, tzinfo=UTC))
    assert [time[:-6] for time in spring] == ["Sat 03 Oct 02:15", "Sun 04 Oct 02:30", "Mon 05 Oct 02:15"]
    autumn = fired("daily 01:45", zone, datetime(2026, 4, 3, 12, tzinfo=UTC), datetime(2026, 4, 6, 12, tzinfo=UTC))
    assert [time[:-6] for time in autumn] == ["Sat 04 Apr 01:45", "Sun 05 Apr 01:45", "Mon 06 Apr 01:45"]


def test_a_schedule_is_read_out_with_its_next_five_times() -> None:
    reading = describe("weekdays 6-20 every 10 min", BERLIN, WEDNESDAY)
    assert reading.words.endswith("Monday through Friday, in Europe/Berlin.")
    assert reading.cron == "*/10 6-19 * * 1-5"
    assert [local(time, BERLIN)[:-6] for time in reading.next] == [
        f"Wed 04 Mar 13:{minute}" for minute in (10, 20, 30, 40, 50)
    ]
    assert reading.notes == ()


def test_an_interval_is_read_out_from_the_time_that_stands() -> None:
    due = WEDNESDAY + timedelta(minutes=3)
    reading = describe("5m", BERLIN, WEDNESDAY, due)
    assert reading.words == "Every 5 minutes."
    assert reading.next[:2] == (due, due + timedelta(minutes=5))


def test_the_nights_of_clock_change_are_named() -> None:
    assert describe("daily 02:30", BERLIN, WEDNESDAY).notes == ("Sun 29 Mar 02:30 does not exist; runs 03:00.",)
    summer = datetime(2026, 8, 1, tzinfo=UTC)
    assert describe("daily 02:30", BERLIN, summer).notes == ("Sun 25 Oct 02:30 comes twice; runs once.",)
    assert describe("daily 02:30", ZoneInfo("Asia/Kolkata"), WEDNESDAY).notes == ()
