"""The read models over a real database: what each list holds, in which order, read by primary key."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from prestaconsole.database import Database
from prestaconsole.model import Change, Changeset, FeedRun, FeedRunLog, Shop
from prestaconsole.services.progress import Pace
from prestaconsole.services.views.feeds import FeedsQuery, key, split
from prestaconsole.services.views.header import HeaderCounts, header_counts
from prestaconsole.services.views.log import LogQuery, LogView
from prestaconsole.services.views.mappings import SHIFT, StatesQuery
from prestaconsole.services.views.rows import Ask, RowView
from prestaconsole.services.views.schedules import read_schedule
from prestaconsole.services.views.shops import ShopsQuery, shop_line
from prestaconsole.services.views.stock import StockQuery, last_check, newest_plan, parse_facet
from tests.console.world import NOW, make


@pytest.fixture
def world(database: Database) -> Database:
    """The console's world, on SQLite and on PostgreSQL."""
    make(database)
    return database


def ids(world: Database, query: Any, **ask: Any) -> list[int]:
    """The ids a query gives."""
    return list(world.read_now(lambda connection: list(query.ids(connection, Ask(**ask)))))


def rows(world: Database, query: Any, wanted: list[int]) -> dict[int, Any]:
    """The rows of ids."""
    return dict(world.read_now(lambda connection: query.rows(connection, wanted)))


def test_shops_come_by_name_or_by_need_and_are_found_without_accents(world: Database) -> None:
    query = ShopsQuery(lambda: NOW)
    found = rows(world, query, ids(world, query))
    assert [found[i].name for i in ids(world, query)][:3] == ["Fleurs Moreau", "Jouets Lefèvre", "Palarnia Żubr"]
    assert found[ids(world, query, order="need")[0]].state == "DOWN"
    assert [found[i].name for i in ids(world, query, words="BOHM")] == ["Sattlerei Böhm"]
    assert [found[i].name for i in ids(world, query, words="swiece lodz")] == ["Świece Łódź"]
    assert ids(world, query, words="nobody") == []


def test_a_shop_line_counts_its_listings_orders_and_what_waits(world: Database) -> None:
    line = rows(world, ShopsQuery(lambda: NOW), [1])[1]
    assert (line.listings, line.orders, line.waiting, line.state, line.doctor) == (12, 20, 11, "ok", "not run")
    old = rows(world, ShopsQuery(lambda: NOW + timedelta(days=25)), [1])[1]
    assert old.orders == 6, "30 days, not all"
    short = world.read_now(lambda connection: shop_line(connection, 1))
    assert short is not None and (short.name, short.mode, short.listings) == ("Sattlerei Böhm", "live", 0)
    assert world.read_now(lambda connection: shop_line(connection, 99)) is None


def test_the_header_counts_brakes_and_incidents_of_the_scope(world: Database) -> None:
    world.write_now(lambda c: c.execute(update(Changeset).values(state="held")))
    everywhere = world.read_now(header_counts)
    assert (everywhere.brakes, everywhere.incidents) == (1, 1)
    other = world.read_now(lambda connection: header_counts(connection, 2))
    assert (other.brakes, other.incidents) == (0, 0)
    assert everywhere.daemon_alive(NOW + timedelta(seconds=10), timedelta(seconds=15))
    assert not everywhere.daemon_alive(NOW + timedelta(seconds=16), timedelta(seconds=15))
    assert everywhere.stale_minutes(NOW + timedelta(minutes=55, seconds=30)) == 55
    assert not HeaderCounts().daemon_alive(NOW, timedelta(days=1))


def test_a_feed_says_its_state_its_run_and_its_lock(world: Database) -> None:
    query = FeedsQuery()
    found = {row.feed: row for row in rows(world, query, ids(world, query, shop=1)).values()}
    assert found["import_products"].state == "RUN" and found["import_products"].active.done == 3870
    assert found["import_products"].last.id == 8801
    assert found["stock_check"].state == "FAIL" and "500" in found["stock_check"].last.error
    assert found["retry_orders"].state == "queued"
    assert found["import_stock"].state == "locked" and found["import_stock"].unlock
    assert found["analyse"].state == "off"
    assert found["import_orders"].next_due == NOW + timedelta(minutes=3)


def test_feeds_of_one_shop_keep_their_order_with_locked_ones_last_and_of_all_the_worst_first(world: Database) -> None:
    query = FeedsQuery()
    one = [split(identity)[1] for identity in ids(world, query, shop=1)]
    assert one[0] == "analyse" and one[-1] == "import_stock"
    everywhere = ids(world, query)
    assert everywhere[0] == key(1, "stock_check")
    assert not any(split(identity)[0] == 5 for identity in everywhere), "a draft has no feeds yet"
    assert [split(i) for i in ids(world, query, words="bohm import_orders")] == [(1, "import_orders")]


def test_order_states_without_a_rule_come_first_with_a_suggestion_from_their_flags(world: Database) -> None:
    query = StatesQuery()
    order = ids(world, query, shop=1)
    found = rows(world, query, order)
    first = found[order[0]]
    assert (first.name, first.mapped, first.orders) == ("Abholung", False, 7)
    assert first.suggestion in ("hold", "skip", "import")
    paid = found[SHIFT + 2]
    assert (paid.flags, paid.action, paid.suggestion) == (("paid", "valid"), "import", "import")
    assert found[SHIFT + 6].gives_back and found[SHIFT + 6].gives_back_sure
    assert ids(world, query) == [] and ids(world, query, shop=2) == []
    assert [found[i].name for i in ids(world, query, shop=1, words="expedie")] == ["Expédié"]


def test_stock_rows_hold_ours_the_shops_and_the_plans_number(world: Database) -> None:
    query = StockQuery()
    order = ids(world, query, shop=1, facet="plan:611")
    found = rows(world, query, order)
    line = found[order[0]]
    assert (line.ours, line.shown_shops, line.after, line.difference, line.state) == (1, 4, 1, -3, "")
    everything = ids(world, query, shop=1, facet="all")
    assert len(everything) == 12 and all(identity < 0 for identity in everything)
    free = rows(world, query, everything)[-12]
    assert (free.change_id, free.ours, free.shops, free.difference) == (None, 12, 15, -3)
    assert len(ids(world, query, shop=1, facet="plan:611", words="kolumbia")) == 2
    assert parse_facet("zero:7") == ("zero", 7) and parse_facet("") == ("all", 0)


def test_failed_rows_and_those_to_zero_stand_on_top_of_a_plan(world: Database) -> None:
    query = StockQuery()

    def spoil(connection: Any) -> None:
        connection.execute(update(Change).where(Change.record == 9).values(state=11))
        connection.execute(update(Change).where(Change.record == 7).values(after="0"))
        connection.execute(update(Change).where(Change.record == 5).values(after="90"))

    world.write_now(spoil)
    order = ids(world, query, shop=1, facet="plan:611")
    found = rows(world, query, order)
    assert [found[i].sku for i in order[:3]] == ["KAW-000009", "KAW-000007", "KAW-000005"]
    assert found[order[0]].state == "FAIL"
    assert [found[i].sku for i in ids(world, query, shop=1, facet="zero:611")] == ["KAW-000007"]
    assert next(found[i].sku for i in ids(world, query, shop=1, facet="plan:611", order="sku")) == "KAW-000001"


def test_the_plan_that_waits_stands_before_a_newer_one_that_ended(world: Database) -> None:
    values = {"shop_id": 1, "kind": 1, "actor": "x", "mode": "live", "created_at": NOW}
    world.write_now(lambda c: c.execute(insert(Changeset), [{"id": 700, "state": "done", **values}]))
    head = world.read_now(lambda connection: newest_plan(connection, 1))
    assert head is not None
    assert (head.id, head.rows, head.up, head.down, head.zero, head.waits, head.braked) == (
        611,
        11,
        0,
        11,
        0,
        True,
        False,
    )
    world.write_now(lambda c: c.execute(update(Changeset).where(Changeset.id == 611).values(state="done")))
    head = world.read_now(lambda connection: newest_plan(connection, 1))
    assert head is not None and head.id == 700
    assert world.read_now(lambda connection: newest_plan(connection, 2)) is None
    assert world.read_now(lambda connection: last_check(connection, 1)) == (12, NOW - timedelta(minutes=27))


def test_the_log_is_asked_by_level_run_shop_and_words(world: Database) -> None:
    query = LogQuery()
    assert len(ids(world, query)) == 40
    assert len(ids(world, query, facet="warn")) == 20 and len(ids(world, query, facet="FAIL")) == 10
    assert len(ids(world, query, facet="all:8802")) == 20
    assert ids(world, query, shop=2) == [] and len(ids(world, query, shop=1)) == 40
    assert len(ids(world, query, words="page 39:")) == 1 and len(ids(world, query, words="stock_check")) == 20
    assert len(ids(world, query, words="100%")) == 0


async def test_following_the_log_takes_late_commits_in_their_place_and_none_twice(world: Database) -> None:
    view = LogView(world, LogQuery(), Ask())
    await view.load()
    newest = view.ids[-1]

    def line(identity: int) -> dict[str, Any]:
        return {"id": identity, "run_id": 8802, "seq": identity, "at": NOW, "level": "info", "text": "late"}

    world.write_now(lambda c: c.execute(insert(FeedRunLog), [line(newest + 2)]))
    assert await view.follow() == 1
    world.write_now(lambda c: c.execute(insert(FeedRunLog), [line(newest + 1), line(newest + 3)]))
    assert await view.follow() == 2
    assert list(view.ids[-3:]) == [newest + 1, newest + 2, newest + 3]
    assert await view.follow() == 0


async def test_an_answer_that_a_newer_question_overtook_is_dropped(world: Database) -> None:
    class Slow:
        """Lets the first read wait until another question was asked."""

        def __init__(self) -> None:
            self.view: RowView[Any] | None = None
            self.first = True

        async def read(self, fn: Any) -> Any:
            answer = world.read_now(fn)
            if self.first and self.view is not None:
                self.first = False
                self.view.change(words="bohm")
                await self.view.load()
            return answer

        def version(self) -> int:
            return 1

    reader = Slow()
    view = RowView[Any](reader, ShopsQuery(lambda: NOW))
    reader.view = view
    assert not await view.load()
    assert list(view.ids) == [1], "the newer question's answer stands"


async def test_a_list_read_anew_meanwhile_counts_no_row_as_new(world: Database) -> None:
    view = RowView[Any](world, ShopsQuery(lambda: NOW), Ask(words="bohm"))
    await view.load()
    view.change(words="")
    loading, looking = view.load(), view.look_for_new()
    await asyncio.gather(loading, looking)
    assert len(view) == 6 and view.new == 0


async def test_marks_belong_to_rows_that_are_in_the_list(world: Database) -> None:
    view = RowView[Any](world, StockQuery(), Ask(shop=1, facet="plan:611"))
    await view.load()
    assert view.mark_all() == 11 and view.mark_all() == 0
    view.mark(view.ids[0])
    view.mark(view.ids[5])
    view.change(words=rows(world, StockQuery(), [view.ids[5]])[view.ids[5]].sku)
    await view.load()
    assert view.marks == {view.ids[0]}


async def test_rows_that_changed_are_told_apart_from_those_that_did_not(world: Database) -> None:
    view = RowView[Any](world, ShopsQuery(lambda: NOW))
    await view.load()
    await view.fetch(0, 10)
    world.write_now(lambda c: c.execute(update(Shop).where(Shop.id == 2).values(health="slow")))
    assert await view.refresh(list(view.ids)) == {2}
    assert view.row(2).state == "SLOW"


def test_an_end_is_told_only_when_the_last_30_seconds_agree() -> None:
    steady, jumpy = Pace(), Pace()
    for second in range(0, 40, 5):
        at = NOW + timedelta(seconds=second)
        steady.note(at, second * 10)
        jumpy.note(at, second * 10 if second < 20 else second * 90)
    now = NOW + timedelta(seconds=35)
    assert steady.ends(350, 650, now) == now + timedelta(seconds=30)
    assert jumpy.ends(3150, 6500, now) is None
    assert Pace().ends(10, 20, now) is None and steady.ends(350, None, now) is None


def test_a_schedule_is_read_back_in_words_with_its_next_five_times() -> None:
    daily = read_schedule("daily 03:00", "import_orders", "Europe/Warsaw", NOW)
    assert daily.good and len(daily.next_times) == 5
    assert daily.next_times[0] == datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
    assert read_schedule("default", "import_orders", "UTC", NOW).good
    assert not read_schedule("default", "export_stock", "UTC", NOW).good
    assert read_schedule("off", "import_orders", "UTC", NOW).good
    assert not read_schedule("now and then", "import_orders", "UTC", NOW).good
    assert "nothing was given" in read_schedule(" ", "import_orders", "UTC", NOW).words


def test_a_schedule_is_read_back_with_its_window_and_the_place_of_its_shop() -> None:
    night = read_schedule("default between 1 and 5", "stock_check", "Europe/Warsaw", NOW, 7)
    assert night.good and "between 01:00 and 05:00" in night.words
    assert night.next_times[0].second or night.next_times[0].minute % 30
    assert any("shops do not start together" in note for note in night.notes)
    assert not read_schedule("hourly between 1", "stock_check", "UTC", NOW, 7).good


def test_a_run_that_waits_for_its_next_try_is_queued_not_failed(world: Database) -> None:
    again = {"state": "queued", "active_key": "1:stock_check", "ended_at": None, "error": "500"}
    world.write_now(lambda c: c.execute(update(FeedRun).where(FeedRun.id == 8803).values(**again)))
    line = rows(world, FeedsQuery(), [key(1, "stock_check")])[key(1, "stock_check")]
    assert line.state == "queued" and line.last is None and line.active.error == "500"
