"""Schedules as rows: who may stand in one, edits at once, and each firing exactly once whoever ticks."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from prestaconsole.database import Database
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.model import FeedSchedule, Shop, ShopMode
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner.schedules import (
    ScheduleRecord,
    follow_zone,
    install_defaults,
    set_schedule,
    shop_schedules,
    tick,
)
from tests.support.runs import START, add_shop, feed, run_rows


@pytest.fixture(autouse=True)
def paged() -> Iterator[None]:
    with feed("paged"):
        yield


def plan(
    database: Database, shop: ShopRecord, every: str, *, name: str = "paged", now: datetime = START, **more: Any
) -> ScheduleRecord:
    return database.write_now(
        lambda c: set_schedule(c, shop=shop, feed=name, every=every, actor="Zofia", now=now, **more)
    )


def ticked(database: Database, now: datetime) -> int:
    return database.write_now(lambda c: tick(c, now))


def test_a_schedule_counts_from_the_moment_it_is_set(database: Database) -> None:
    shop = add_shop(database)
    made = plan(database, shop, "every 5 min")
    assert (made.every, made.zone, made.enabled, made.version) == ("every 5 min", "Europe/Berlin", True, 1)
    assert made.next_due == START + timedelta(minutes=5)
    later = START + timedelta(minutes=4)
    assert plan(database, shop, "daily 03:00", now=later).next_due == datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
    assert ticked(database, START + timedelta(minutes=6)) == 0


def test_switched_off_it_keeps_its_words_and_fires_no_more(database: Database) -> None:
    shop = add_shop(database)
    plan(database, shop, "every 5 min")
    off = plan(database, shop, "off")
    assert (off.enabled, off.next_due, off.every, off.updated_by) == (False, None, "every 5 min", "Zofia")
    assert ticked(database, START + timedelta(hours=9)) == 0


def test_it_is_read_in_the_zone_that_was_named(database: Database) -> None:
    shop = add_shop(database)
    assert plan(database, shop, "daily 03:00", zone="America/New_York").next_due == datetime(2026, 3, 3, 8, tzinfo=UTC)
    with pytest.raises(UsageError, match="no time zone"):
        plan(database, shop, "daily 03:00", zone="Europe/Atlantis")


def test_import_of_stock_is_never_scheduled_in_any_mode(database: Database) -> None:
    for number, mode in enumerate(ShopMode):
        shop = add_shop(database, f"shop{number}", mode=mode)
        with pytest.raises(LockedError, match="import_stock is never scheduled") as refused:
            plan(database, shop, "daily 03:00", name="import_stock")
        assert refused.value.exit_status == 3
        assert plan(database, shop, "off", name="import_stock").enabled is False


def test_a_feed_the_mode_locks_is_refused_and_one_that_only_waits_for_another_is_not(database: Database) -> None:
    draft = add_shop(database, "draft", mode=ShopMode.DRAFT)
    with pytest.raises(LockedError, match="No shop is connected"):
        plan(database, draft, "every 5 min", name="import_orders")
    setup = add_shop(database, "setup", mode=ShopMode.SETUP)
    assert plan(database, setup, "every 5 min", name="import_orders").enabled


def test_a_shop_gets_the_defaults_it_does_not_have_and_keeps_its_own(database: Database) -> None:
    shop = add_shop(database, mode=ShopMode.SETUP)
    plan(database, shop, "every 2 min", name="import_orders")
    made = database.write_now(lambda c: install_defaults(c, shop, "Zofia", START))
    assert "import_orders" not in made
    found = database.read_now(lambda c: shop_schedules(c, shop.id))
    assert found["import_orders"].every == "every 2 min"
    assert found["stock_check"].every == "daily 04:30"
    assert {"import_stock", "export_stock"}.isdisjoint(found)
    assert database.write_now(lambda c: install_defaults(c, shop, "Zofia", START)) == []


def test_a_firing_queues_one_run_and_missed_ones_are_one(database: Database) -> None:
    shop = add_shop(database)
    plan(database, shop, "every 5 min")
    late = START + timedelta(hours=3, minutes=2)
    assert ticked(database, late) == 1
    assert ticked(database, late) == 0
    rows = run_rows(database)
    assert [(row.feed, row.trigger, row.actor) for row in rows] == [("paged", "schedule", "schedule")]
    found = database.read_now(lambda c: shop_schedules(c, shop.id))["paged"]
    assert found.next_due == START + timedelta(hours=3, minutes=5)


def test_a_locked_feed_is_passed_over_and_its_schedule_goes_on(database: Database) -> None:
    shop = add_shop(database, mode=ShopMode.SETUP)
    plan(database, shop, "every 5 min", name="import_orders")
    assert ticked(database, START + timedelta(minutes=5)) == 0
    assert run_rows(database) == []
    found = database.read_now(lambda c: shop_schedules(c, shop.id))["import_orders"]
    assert found.next_due == START + timedelta(minutes=10)


def test_a_paused_shop_fires_once_when_it_is_resumed(database: Database) -> None:
    shop = add_shop(database)
    plan(database, shop, "every 5 min")
    database.write_now(lambda c: c.execute(update(Shop).values(paused_at=START)))
    assert ticked(database, START + timedelta(minutes=30)) == 0
    database.write_now(lambda c: c.execute(update(Shop).values(paused_at=None)))
    assert ticked(database, START + timedelta(minutes=31)) == 1


def test_words_nobody_can_read_in_one_row_do_not_stop_the_others(database: Database) -> None:
    one, two = add_shop(database, "one"), add_shop(database, "two")
    plan(database, one, "every 5 min")
    plan(database, two, "every 5 min")
    database.write_now(
        lambda c: c.execute(update(FeedSchedule).where(FeedSchedule.shop_id == one.id).values(every="whenever"))
    )
    assert ticked(database, START + timedelta(minutes=6)) == 1
    assert ticked(database, START + timedelta(minutes=11)) == 1
    assert database.read_now(lambda c: shop_schedules(c, one.id))["paged"].enabled is False


def test_a_schedule_follows_its_shop_into_the_zone_that_analyse_reads(database: Database) -> None:
    shop = add_shop(database, zone="")
    assert plan(database, shop, "daily 03:00").next_due == datetime(2026, 3, 3, 3, tzinfo=UTC)
    database.write_now(lambda c: c.execute(update(Shop).values(timezone="Europe/Berlin")))
    database.write_now(lambda c: follow_zone(c, shop, START))
    found = database.read_now(lambda c: shop_schedules(c, shop.id))["paged"]
    assert (found.zone, found.next_due) == ("Europe/Berlin", datetime(2026, 3, 3, 2, tzinfo=UTC))


def test_a_schedule_in_a_zone_of_its_own_stays_there(database: Database) -> None:
    shop = add_shop(database, zone="")
    made = plan(database, shop, "daily 03:00", zone="Asia/Tokyo")
    database.write_now(lambda c: c.execute(update(Shop).values(timezone="Europe/Berlin")))
    database.write_now(lambda c: follow_zone(c, shop, START))
    assert database.read_now(lambda c: shop_schedules(c, shop.id))["paged"] == replace(made)
