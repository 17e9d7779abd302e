"""What is late, what is not, and the one LATE incident of a shop that opens and closes by itself."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from prestaconsole.database import Connection, Database
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import FeedSchedule, FeedState, Incident, Shop, ShopMode, ShopSetting
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.operations.shop_settings import SHOP_SETTINGS, WATCHED_FEEDS
from prestaconsole.operations.shops import all_shops
from prestaconsole.runner.freshness import judge, keep_watch, late_feeds, report
from tests.support.runs import START, FakeClock, add_shop, make_core


class Watched:
    """A shop with schedules and the moments at which its feeds last ended well."""

    def __init__(self, database: Database, code: str = "wolle", mode: ShopMode = ShopMode.LIVE) -> None:
        self.database = database
        self.id = add_shop(database, code, mode=mode, zone="UTC").id
        for name in FEEDS:
            self.state(name, completed_at=START)

    def state(self, name: str, **values: Any) -> None:
        def work(connection: Connection) -> None:
            mine = (FeedState.shop_id == self.id, FeedState.feed == name)
            if connection.execute(update(FeedState).where(*mine).values(**values)).rowcount == 0:
                connection.execute(insert(FeedState).values(shop_id=self.id, feed=name, detail={}, **values))

        self.database.write_now(work)

    def plan(self, name: str, every: str, *, window: str = "", good_at: datetime | None = START) -> None:
        row = {"shop_id": self.id, "feed": name, "every": every, "zone": "UTC", "window": window, "enabled": True}
        self.database.write_now(
            lambda c: c.execute(insert(FeedSchedule).values(**row, updated_at=START, updated_by="x"))
        )
        self.state(name, last_ok_at=good_at)

    def set(self, name: str, text: str) -> None:
        values = {"shop_id": self.id, "name": name, "value": text, "updated_at": START, "updated_by": "x"}
        self.database.write_now(lambda c: c.execute(insert(ShopSetting).values(**values)))

    def late(self, minutes: float) -> list[str]:
        now = START + timedelta(minutes=minutes)
        return [one.feed for one in self.database.read_now(lambda c: late_feeds(c, all_shops(c), now))]

    def look(self, minutes: float, *, opening: bool = True) -> list[Any]:
        """One look of the watch; gives all incidents."""
        now = START + timedelta(minutes=minutes)

        def work(connection: Connection) -> None:
            report(connection, judge(connection, now, opening=opening), now)

        self.database.write_now(work)
        statement = select(*Incident.__table__.columns).order_by(Incident.id)
        return list(self.database.read_now(lambda c: c.execute(statement).all()))


@pytest.fixture
def shop(database: Database) -> Watched:
    return Watched(database)


def test_a_feed_is_late_after_its_limit_and_a_shop_may_have_its_own(shop: Watched) -> None:
    shop.plan("import_orders", "every 5 min")
    assert shop.late(15) == [] and shop.late(15.1) == ["import_orders"]
    shop.set("freshness.import_orders", "60")
    assert shop.late(59) == [] and shop.late(61) == ["import_orders"]


def test_nought_is_never_late(shop: Watched) -> None:
    shop.plan("import_orders", "every 5 min")
    shop.set("freshness.import_orders", "0")
    assert shop.late(10_000) == []


def test_a_feed_that_never_ended_well_is_late_from_its_schedule_on(shop: Watched) -> None:
    shop.plan("import_orders", "every 5 min", good_at=None)
    assert shop.late(10) == [] and shop.late(16) == ["import_orders"]


def test_a_daily_feed_is_late_only_once_its_next_start_was_missed(shop: Watched) -> None:
    """START is 09:00 on a Monday; the limit of import_products is three hours."""
    shop.plan("import_products", "daily 03:00")
    assert shop.late(17 * 60) == [], "nothing was asked for yet"
    assert shop.late(20 * 60) == [] and shop.late(22 * 60) == ["import_products"]


def test_a_run_that_stopped_at_the_end_of_its_window_is_no_failure(shop: Watched) -> None:
    shop.plan("import_products", "every 60 min", window="01:00-05:00", good_at=START - timedelta(days=1))
    shop.state("import_products", window_ended_at=START - timedelta(hours=4))
    assert shop.late(60) == [] and shop.late(15 * 60) == []
    assert shop.late(21 * 60) == ["import_products"]


def test_paused_drafts_locked_and_switched_off_feeds_are_never_late(database: Database) -> None:
    shop = Watched(database)
    shop.plan("import_orders", "every 5 min")
    database.write_now(lambda c: c.execute(update(Shop).values(paused_at=START)))
    assert shop.late(1000) == []
    database.write_now(lambda c: c.execute(update(Shop).values(paused_at=None, mode=ShopMode.DRAFT)))
    assert shop.late(1000) == []
    database.write_now(lambda c: c.execute(update(Shop).values(mode=ShopMode.SETUP)))
    shop.state("import_products", completed_at=None)
    assert shop.late(1000) == [], "it waits for import_products, which is what is late"
    shop.state("import_products", completed_at=START)
    assert shop.late(1000) == ["import_orders"]
    database.write_now(lambda c: c.execute(update(FeedSchedule).values(enabled=False)))
    assert shop.late(1000) == []


def test_the_settings_name_every_feed_that_has_a_limit() -> None:
    assert {name for name, spec in FEEDS.items() if spec.freshness_minutes} == set(WATCHED_FEEDS)
    assert all(f"freshness.{name}" in SHOP_SETTINGS for name in WATCHED_FEEDS)


def test_late_feeds_of_a_shop_are_one_incident_that_closes_by_itself(shop: Watched) -> None:
    shop.plan("import_orders", "every 5 min")
    shop.plan("retry_orders", "every 60 min")
    assert shop.look(10) == []
    (found,) = shop.look(20)
    assert (found.cause_key, found.severity) == ("late", "LATE")
    assert found.title == "import_orders is late: last ended well 2026-03-02 09:00 UTC, limit 15 min."
    (found,) = shop.look(200)
    assert found.title.endswith("1 more feed is late.") and "retry_orders" in found.evidence and found.count == 1
    shop.state("import_orders", last_ok_at=START + timedelta(minutes=200))
    (found,) = shop.look(201)
    assert found.title.startswith("retry_orders is late") and found.closed_at is None
    shop.state("retry_orders", last_ok_at=START + timedelta(minutes=201))
    (found,) = shop.look(202)
    assert found.closed_by == "fresh again"


def test_a_look_that_finds_nothing_new_writes_nothing(shop: Watched) -> None:
    shop.plan("import_orders", "every 5 min")
    shop.look(20)
    later = START + timedelta(minutes=30)
    assert not shop.database.read_now(lambda c: judge(c, later))


def test_a_shop_that_is_down_is_not_late_besides(shop: Watched) -> None:
    shop.plan("import_orders", "every 5 min")
    shop.plan("retry_orders", "every 60 min")
    opened = {"shop_id": shop.id, "title": "t", "remedy": "r", "at": START}
    shop.database.write_now(lambda c: open_incident(c, cause_key="contact", **opened))
    assert [row.cause_key for row in shop.look(500)] == ["contact"]
    shop.database.write_now(lambda c: close_incident(c, shop_id=shop.id, cause_key="contact", by="run 1", at=START))
    shop.database.write_now(lambda c: open_incident(c, cause_key="run:import_orders:fault", **opened))
    late = shop.look(500)[-1]
    assert list(late.detail["feeds"]) == ["retry_orders"], "the failing feed has an incident already"


def test_a_process_that_has_just_begun_closes_but_does_not_open(shop: Watched) -> None:
    shop.plan("import_orders", "every 5 min")
    assert shop.look(2000, opening=False) == []
    shop.look(2000)
    shop.state("import_orders", last_ok_at=START + timedelta(minutes=2000))
    assert shop.look(2001, opening=False)[0].closed_at is not None


async def test_the_watch_looks_only_while_its_process_does_the_work(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Watched(database)
    shop.plan("import_orders", "every 5 min")
    clock = FakeClock(START + timedelta(hours=1))
    core = make_core(database, tmp_path, clock=clock)
    working, looks = False, 0

    def at_work() -> bool:
        nonlocal looks
        looks += 1
        return working

    def opened() -> int:
        return len(database.read_now(lambda c: c.execute(select(Incident.id)).all()))

    watch = keep_watch(core, lambda connection: clock.now(), at_work, every=0.01, grace=5.0)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(watch)
        for grown_old, at_last in ((False, 0), (True, 0), (True, 1)):
            working = grown_old and (at_last == 1)
            if grown_old:
                clock.forward(5)
            before = looks
            while looks < before + 3 or opened() != at_last:
                await asyncio.sleep(0.01)
        task.cancel()
