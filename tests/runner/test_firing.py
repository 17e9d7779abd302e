"""The spread of schedules over shops: bounded, even, stable, never before the time; and windows in what is read out."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from prestaconsole.database import Database
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import ShopMode
from prestaconsole.runner.firing import LONGEST_DELAY, Rule, describe, read_rule, share
from prestaconsole.runner.schedules import install_defaults, set_schedule, shop_schedules, tick
from tests.support.runs import START, add_shop, feed, run_rows

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
TWELVE = [f"feed_{number}" for number in range(12)]


def rule(text: str, shop: int, name: str = "import_orders") -> Rule:
    return read_rule(text, BERLIN, share(shop, name))


@pytest.mark.parametrize(
    ("every", "longest"),
    [("every 5 min", 30), ("every 60 min", 300), ("daily 03:00", 300), ("*/10 * * * *", 60), ("0 3 1 1 *", 300),
     ("daily 03:00 between 03:00 and 03:20", 120), ("0,1 3 * * *", 6)],
)  # fmt: skip
def test_the_delay_is_bounded_and_200_shops_with_12_feeds_spread_evenly_over_it(every: str, longest: int) -> None:
    made = read_rule(every, BERLIN)
    places = {(shop, name): replace(made, share=share(shop, name)).delay for shop in range(1, 201) for name in TWELVE}
    delays = [delay.total_seconds() for delay in places.values()]
    assert min(delays) >= 0 and max(delays) < longest <= LONGEST_DELAY.total_seconds()
    parts = min(10, longest)
    filled = Counter(int(delay * parts // longest) for delay in delays)
    assert len(filled) == parts
    assert max(filled.values()) <= len(delays) / parts * 1.5
    for name in TWELVE:
        ones = Counter(places[shop, name] for shop in range(2, 201))
        assert max(ones.values()) <= max(2.0, 2 * 200 / longest)


def test_a_shop_keeps_its_place_and_the_first_one_starts_on_the_dot() -> None:
    assert {share(1, name) for name in TWELVE} == {0.0}
    assert share(7, "import_orders") == share(7, "import_orders") == pytest.approx(0.4134, abs=1e-4)
    assert share(7, "stock_check") != share(7, "import_orders")


def test_it_starts_after_its_time_never_before() -> None:
    for shop in range(1, 50):
        times = rule("daily 03:00", shop).upcoming(NOON, 3)
        walls = [time.astimezone(BERLIN) for time in times]
        assert [(wall.hour, wall.minute < 5) for wall in walls] == [(3, True)] * 3
        begins = rule("every 60 min", shop).next(NOON)
        assert NOON + timedelta(minutes=60) <= begins < NOON + timedelta(minutes=65)


def test_an_interval_keeps_its_beat_after_the_first_start() -> None:
    one = rule("every 60 min", 7)
    first = one.next(NOON)
    assert one.next(first, first) - first == timedelta(minutes=60)
    assert one.next(first + timedelta(hours=5, minutes=1), first) - first == timedelta(hours=6)


def test_200_shops_that_are_connected_in_one_minute_do_not_start_together(sqlite_database: Database) -> None:
    def work(connection: Connection) -> list[datetime]:
        found = []
        for shop in shops:
            install_defaults(connection, shop, "Zofia", START)
            due = shop_schedules(connection, shop.id)["import_products"].next_due
            assert due is not None
            found.append(due)
        return found

    shops = [add_shop(sqlite_database, f"shop{number}", mode=ShopMode.SETUP) for number in range(30)]
    due = sqlite_database.write_now(work)
    seconds = Counter(int((time - START - timedelta(minutes=60)).total_seconds() // 30) for time in due)
    assert set(seconds) == set(range(10))
    assert max(seconds.values()) <= 5


def test_edits_and_late_ticks_keep_a_shop_in_its_place(database: Database) -> None:
    with feed("paged"):
        shops = [add_shop(database, f"shop{number}") for number in range(4)]
        for shop in shops:
            for every in ("daily 03:00", "every 5 min", "daily 03:00"):
                database.write_now(
                    lambda c, shop=shop, every=every: set_schedule(  # type: ignore[misc]
                        c, shop=shop, feed="paged", every=every, actor="x", now=START
                    )
                )
        night = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
        places = [night + read_rule("daily 03:00", BERLIN, share(shop.id, "paged")).delay for shop in shops]
        assert len(set(places)) == 4
        found = [database.read_now(lambda c, shop=shop: shop_schedules(c, shop.id))["paged"] for shop in shops]  # type: ignore[misc]
        assert [one.next_due for one in found] == places
        assert database.write_now(lambda c: tick(c, night + timedelta(hours=3))) == 4
        found = [database.read_now(lambda c, shop=shop: shop_schedules(c, shop.id))["paged"] for shop in shops]  # type: ignore[misc]
        assert [one.next_due for one in found] == [place + timedelta(days=1) for place in places]
        assert len(run_rows(database)) == 4


def test_the_delay_and_the_window_are_read_out() -> None:
    reading = describe("daily 03:00 between 01:00 and 05:00", BERLIN, NOON, share=share(7, "import_orders"))
    assert reading.words == "At 03:00 every day, between 01:00 and 05:00, in Europe/Berlin."
    assert reading.notes[-1] == "Starts 2 min 04 s after the time, so that shops do not start together."
    assert "goes on in the next one" in reading.notes[-2]
    assert f"{reading.next[0].astimezone(BERLIN):%a %H:%M:%S}" == "Tue 03:02:04"
    alone = describe("every 5 min between 1 and 5", BERLIN, NOON, share=share(1, "import_orders"))
    assert alone.words == "Every 5 minutes, between 01:00 and 05:00 in Europe/Berlin."
    assert [f"{time.astimezone(BERLIN):%H:%M}" for time in alone.next] == ["01:00", "01:05", "01:10", "01:15", "01:20"]


def test_times_outside_the_window_are_named_and_start_when_it_opens() -> None:
    reading = describe("daily 12:00 between 01:00 and 05:00", BERLIN, NOON - timedelta(hours=1))
    assert "Its times lie outside the window, so it starts when that opens: 01:00." in reading.notes
    assert [f"{time.astimezone(BERLIN):%a %H:%M}" for time in reading.next[:2]] == ["Tue 01:00", "Wed 01:00"]


def test_every_default_of_every_feed_has_a_delay_within_its_bounds() -> None:
    for spec in FEEDS.values():
        if spec.default_every:
            assert rule(spec.default_every, 99).delay <= LONGEST_DELAY
