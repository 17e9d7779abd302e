"""`db check`: a sound database has nothing to say, and each thing that must not be is found, on both databases."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from prestaconsole.database import Database
from prestaconsole.model import (
    Change,
    Changeset,
    FeedRun,
    Listing,
    MovementKind,
    Order,
    OrderLine,
    Product,
    ShopOrderState,
    StockHold,
    StockMovement,
    Warehouse,
)
from prestaconsole.operations.core import Core
from prestaconsole.operations.stock_ledger import Movement, move
from prestaconsole.services.databases import check_database
from tests.support.runs import START, FakeClock, add_shop, make_core


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    """One of everything, sound."""
    add_shop(database)

    def fill(c: Any) -> None:
        run = {"shop_id": 1, "feed": "analyse", "serial_key": "s", "actor": "x", "due": START, "created_at": START}
        held = {"active_key": "a", "slot_key": "1:0", "owner": 1, "lease_until": START + timedelta(seconds=15)}
        c.execute(insert(FeedRun).values(**run, state="running", **held))
        c.execute(insert(FeedRun).values(**run, state="done", ended_at=START))
        c.execute(insert(Product).values(sku="A", created_at=START))
        c.execute(insert(Warehouse).values(code="W1", created_at=START))
        c.execute(insert(Listing).values(shop_id=1, id_product=1, sku="A", product_id=1, seen_at=START))
        move(c, [Movement(1, 1, 7, MovementKind.RECEIPT), Movement(1, 1, -2, MovementKind.SALE)], actor="x", at=START)
        plan = {"shop_id": 1, "kind": 1, "actor": "x", "mode": "live", "created_at": START}
        c.execute(insert(Changeset).values(**plan, state="planned"))
        c.execute(insert(Change).values(changeset_id=1, kind=1, record=1, before="1", after="2"))
        for number, (shipped, gives_back) in enumerate(((False, False), (True, False), (False, True)), start=1):
            state = {"shop_id": 1, "id_order_state": number, "shipped": shipped, "gives_back": gives_back}
            c.execute(insert(ShopOrderState).values(**state))
        seen = {"shop_id": 1, "verdict": "import", "verdict_at": START, "first_seen_at": START, "read_at": START}
        c.execute(insert(Order).values(**seen, id_order=501, id_order_state=1))
        c.execute(insert(OrderLine).values(order_id=1, id_order_detail=1, id_product=1, quantity=2))
        hold = {"shop_id": 1, "order_id": 1, "order_line_id": 1, "id_product": 1, "id_product_attribute": 0}
        c.execute(insert(StockHold).values(**hold, product_id=1, quantity=2, opened_at=START))

    database.write_now(fill)
    return make_core(database, tmp_path, clock=FakeClock())


def test_a_sound_database_has_nothing_to_say(core: Core) -> None:
    report = check_database(core.settings, clock=core.clock)
    assert (report.problems, report.notes) == ((), ())
    assert report.rows > 10 and report.size > 0


BREAKS: dict[str, tuple[Callable[[], Any], str]] = {
    "an ended run that still holds its key": (
        lambda: update(FeedRun).where(FeedRun.id == 2).values(active_key="b"),
        "holds its key exactly while it is active (1: run 2 is done)",
    ),
    "an active run without a key": (
        lambda: update(FeedRun).where(FeedRun.id == 1).values(active_key=None),
        "holds its key exactly while it is active (1: run 1 is running)",
    ),
    "an orphaned slot": (
        lambda: update(FeedRun).where(FeedRun.id == 2).values(slot_key="1:1"),
        "slot, lease and owner exactly while it is at work (1: run 2 is done)",
    ),
    "a movement that was lost": (
        lambda: StockMovement.__table__.delete().where(StockMovement.kind == "sale"),
        "add up to its level (1: product 1 in warehouse 1: level 5, movements 7)",
    ),
    "a level that was lost": (
        lambda: text("DELETE FROM stock_level"),
        "movements without a level",
    ),
    "a hold of an order that left": (
        lambda: update(Order).values(shipped_at=START),
        "belongs to an order that has not left (1: hold 1 of order 501 of wolle)",
    ),
    "an open change in a plan that is over": (
        lambda: update(Changeset).values(state="done"),
        "a plan that is over has no open change (1: plan 1 has 1)",
    ),
    "a change on its way without a request": (
        lambda: update(Change).values(state=3),
        "a change on its way has its request (1: change 1)",
    ),
    "a change of a listing that is gone": (
        lambda: update(Change).values(record=99),
        "of a listing that is there (1: change 1)",
    ),
    "a listing planned further than marked": (
        lambda: update(Listing).values(planned_mark=9),
        "not planned further than it was marked (1: listing 1)",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_must_not_be_is_found_and_named(core: Core, name: str) -> None:
    breaking, words = BREAKS[name]
    core.database.write_now(lambda c: c.execute(breaking()))
    assert any(words in problem for problem in check_database(core.settings, clock=core.clock).problems)


def test_two_open_changes_of_a_record_are_found_where_the_index_is_gone(core: Core) -> None:
    def double(c: Any) -> None:
        c.execute(text("DROP INDEX ix_change_open"))
        c.execute(insert(Change).values(changeset_id=1, kind=1, record=1, before="1", after="3"))

    core.database.write_now(double)
    (problem,) = check_database(core.settings, clock=core.clock).problems
    assert "record 1 has 2 open changes" in problem


def test_what_ends_by_itself_is_a_note_and_no_fault(core: Core) -> None:
    core.clock.forward(600)  # type: ignore[attr-defined]  # the test's own clock
    core.database.write_now(lambda c: c.execute(update(Order).values(id_order_state=3)))
    report = check_database(core.settings, clock=core.clock)
    assert report.problems == ()
    assert "run 1 of analyse" in report.notes[0]
    assert "order 501 of wolle holds units and its state gives them back" in report.notes[1]
    core.database.write_now(lambda c: c.execute(StockHold.__table__.delete()))
    core.database.write_now(lambda c: c.execute(update(Order).values(id_order_state=1)))
    report = check_database(core.settings, clock=core.clock)
    assert "order 501 of wolle is open and holds nothing" in report.notes[1]
