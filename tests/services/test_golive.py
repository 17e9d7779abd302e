"""The check-list point by point: what turns each one green, and what nobody can waive."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from prestaconsole.database import Database
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.feeds.enabled import by_resource
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import (
    Changeset,
    FeedRun,
    FeedState,
    Listing,
    OrderStateRule,
    Shop,
    ShopMode,
    ShopOrderState,
)
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import open_incident
from prestaconsole.services import golive, modes, shops, warehouses
from tests.support.runs import START, FakeClock, add_shop, make_core

NEVER = {"connection", "rights", "identity", "warehouse", "stock-read"}


@pytest.fixture
def core(sqlite_database: Database, tmp_path: Path) -> Core:
    add_shop(sqlite_database, mode=ShopMode.SETUP)
    return make_core(sqlite_database, tmp_path, clock=FakeClock())


def state(core: Core, name: str) -> str:
    points = {point.name: point for point in golive.check_list(core, "wolle", ShopMode.LIVE).points}
    return points[name].state


def do(core: Core, statement: Any) -> None:
    core.database.write_now(lambda connection: connection.execute(statement))


def complete(core: Core, *feeds: str) -> None:
    for feed in feeds:
        do(core, insert(FeedState).values(shop_id=1, feed=feed, completed_at=START, last_ok_at=START, detail={}))


def _test_passes(core: Core) -> None:
    do(core, update(Shop).values(health="ok", last_good_at=START))


def _all_rights(core: Core) -> None:
    wanted = by_resource({spec.name: spec.rights for spec in FEEDS.values()})
    granted = {name: sorted(methods) for name, methods in wanted.items()}
    do(core, update(Shop).values(capabilities={"permissions": granted}))


def _fingerprint(core: Core) -> None:
    do(core, update(Shop).values(fingerprint={"first_orders": [], "shop_names": [], "key_print": ""}))


def _states(core: Core) -> None:
    do(core, insert(ShopOrderState).values(shop_id=1, id_order_state=2, name="Paid", gives_back_source="person"))
    rule = {"action": "import", "updated_at": START, "updated_by": "x"}
    do(core, insert(OrderStateRule).values(shop_id=1, id_order_state=2, **rule))


def _warehouse(core: Core) -> None:
    warehouses.add_warehouse(core, "W1", actor="zofia")
    shops.set_values(core, "wolle", {"stock.warehouses": "W1", "stock.import_to": "W1"}, actor="zofia")


def _plan(core: Core) -> None:
    plan = {"shop_id": 1, "kind": 1, "state": "planned", "actor": "x", "mode": "rehearsal", "created_at": START}
    do(core, insert(Changeset).values(**plan))


def _check_run(core: Core, drift: int = 0) -> None:
    run = {"shop_id": 1, "feed": "stock_check", "serial_key": "1:stock_check", "actor": "x", "due": START}
    counts = {"compared": 9, "drift": drift}
    values = {**run, "state": "done", "counts": counts, "created_at": START, "ended_at": START + timedelta(minutes=1)}
    do(core, insert(FeedRun).values(**values))


def _checked(core: Core) -> None:
    complete(core, "import_stock")
    _check_run(core)


GREEN: dict[str, Callable[[Core], None]] = {
    "connection": _test_passes,
    "rights": _all_rights,
    "identity": _fingerprint,
    "analysis": lambda core: complete(core, "analyse"),
    "products-read": lambda core: complete(core, "import_products"),
    "skus": lambda core: complete(core, "import_products"),
    "state-rules": _states,
    "gives-back": _states,
    "orders-read": lambda core: complete(core, "import_orders"),
    "warehouse": _warehouse,
    "stock-read": lambda core: complete(core, "import_stock"),
    "email": lambda core: shops.set_values(core, "wolle", {"email": "a@b.example"}, actor="x") and None,
    "rehearsal-plan": _plan,
    "stock-check": _checked,
    "foreign-writes": lambda core: do(
        core, insert(FeedState).values(shop_id=1, feed="import_stock", completed_at=START - timedelta(days=2))
    ),
}


@pytest.mark.parametrize("name", GREEN)
def test_each_point_is_open_until_its_own_cause_is_gone(core: Core, name: str) -> None:
    assert state(core, name) in {"FIX", "wait"}
    GREEN[name](core)
    assert state(core, name) == "ok"


def test_every_point_has_such_a_test_and_an_open_one_says_what_to_do(core: Core) -> None:
    points = golive.check_list(core, "wolle", ShopMode.LIVE).points
    assert [point.name for point in points] == list(GREEN)
    assert all(point.text and point.remedy for point in points)
    assert {point.name for point in points if not point.waivable} == NEVER


def test_skus_that_repeat_or_are_missing_are_counted(core: Core) -> None:
    complete(core, "import_products")
    for number, sku in enumerate(("A", "A", "")):
        do(core, insert(Listing).values(shop_id=1, id_product=number, sku=sku, seen_at=START))
    (point,) = [one for one in golive.check_list(core, "wolle").points if one.name == "skus"]
    assert point.state == "FIX"
    assert "1 SKUs repeat (A); 1 listings have none" in point.text


def test_drift_and_foreign_writes_and_a_changed_identity_open_points_again(core: Core) -> None:
    complete(core, "import_stock")
    _check_run(core, drift=3)
    assert state(core, "stock-check") == "FIX"
    _fingerprint(core)
    for cause, name in (("foreign write", "foreign-writes"), ("identity changed", "identity")):
        core.database.write_now(
            lambda c, cause=cause: open_incident(c, shop_id=1, cause_key=cause, title="t", remedy="r", at=START)
        )
        assert state(core, name) == "FIX"


def test_a_waiver_is_shown_until_it_is_taken_back_and_never_hides_a_green_point(core: Core) -> None:
    golive.waive(core, "wolle", "email", "he has none", actor="zofia")
    (point,) = [one for one in golive.check_list(core, "wolle", ShopMode.LIVE).points if one.name == "email"]
    assert (point.state, point.waiver, point.waived_by) == ("waived", "he has none", "zofia")
    GREEN["email"](core)
    assert state(core, "email") == "ok"
    golive.unwaive(core, "wolle", "email", actor="zofia")
    with pytest.raises(UsageError, match="was not waived"):
        golive.unwaive(core, "wolle", "email", actor="zofia")


@pytest.mark.parametrize("name", sorted(NEVER))
def test_nobody_waives_connection_rights_identity_warehouse_and_stock(core: Core, name: str) -> None:
    with pytest.raises(LockedError, match="nobody can waive"):
        golive.waive(core, "wolle", name, "in a hurry", actor="zofia")
    assert state(core, name) != "waived"


def test_with_every_point_green_the_name_alone_opens_the_gate(core: Core) -> None:
    done: set[Callable[[Core], None]] = set()
    for name, mend in GREEN.items():
        if name not in {"skus", "gives-back", "foreign-writes", "stock-check"} and mend not in done:
            mend(core)
            done.add(mend)
    _check_run(core)
    core.clock.forward(2 * 86_400)  # type: ignore[attr-defined]  # the test's own clock
    assert golive.check_list(core, "wolle", ShopMode.LIVE).open == ()
    with pytest.raises(modes.ModeRefused) as refused:
        modes.change_mode(core, "wolle", "live", actor="zofia")
    assert refused.value.open == ()
    change = modes.change_mode(core, "wolle", "live", confirm="wolle", actor="zofia")
    assert (change.before, change.after) == ("setup", "live")
    assert "import_orders" in change.scheduled


def test_typed_names_are_asked_for_where_the_gate_opens_or_a_shop_thaws() -> None:
    needed = {(a, b) for a in ShopMode for b in ShopMode if modes.typed_name_needed(a, b)}
    assert needed == {(a, ShopMode.LIVE) for a in ShopMode if a is not ShopMode.LIVE} | {
        (ShopMode.FROZEN, b) for b in ShopMode if b is not ShopMode.FROZEN
    }
