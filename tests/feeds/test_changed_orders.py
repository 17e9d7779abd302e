"""Orders that were changed without an event, lost on the way or deleted are found: update_orders, reconcile_orders."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from prestaconsole.database import Database
from prestaconsole.errors import LockedError
from prestaconsole.feeds import reconcile_orders, update_orders
from prestaconsole.model import Incident, Order, ShopMode
from prestaconsole.operations import order_scan
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner.records import RunRecord, log_lines
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench, make_bench

PAID = 2


def place(simulated: SimulatedShop, count: int = 1) -> list[int]:
    number = next(iter(simulated.table("products").ids()))
    return [simulated.place_order([(number, 0, 1)], state=PAID) for _ in range(count)]


async def ready(bench: Bench, simulated: SimulatedShop, **settings: str) -> ShopRecord:
    shop = bench.add_shop(simulated, mode=ShopMode.REHEARSAL, **{"orders_start": "id:1", **settings})
    await bench.run_all(shop, "analyse", "import_products", "import_orders")
    return shop


def order(bench: Bench, id_order: int) -> Any:
    return bench.rows(Order, Order.id_order == id_order)[0]


def said(bench: Bench, ended: RunRecord) -> str:
    """The last line of a run's log."""
    return bench.core.database.read_now(lambda c: log_lines(c, ended.id))[-1].text.removeprefix("Done: ")


def opened(bench: Bench) -> list[str]:
    return [row["cause_key"] for row in bench.rows(Incident) if not row["closed_at"]]


def edit(simulated: SimulatedShop, id_order: int, **fields: str) -> None:
    """Somebody edits an order in the back office: no event tells of it, only its date."""
    simulated.table("orders").update(id_order, {"date_upd": simulated.now(), **fields})


async def test_an_edit_without_an_event_is_found_by_its_date_and_read_once(
    bench: Bench, simulated: SimulatedShop
) -> None:
    old = place(simulated)[0]
    place(simulated, 60)
    shop = await ready(bench, simulated)
    edit(simulated, old, total_paid="77.700000")
    await bench.run_all(shop, "import_orders")
    assert order(bench, old)["total_paid"] != Decimal("77.7"), "it is out of the ids that every poll reads again"
    ended = await bench.run(shop, "update_orders")
    assert order(bench, old)["total_paid"] == Decimal("77.7") and ended.state == "done"
    simulated.journal.clear()
    await bench.run_all(shop, "update_orders")
    assert len([one for one in simulated.journal if "order_details" in one.path]) == 0, "nothing is read twice"
    assert len(simulated.journal) == 1


async def test_a_date_far_ahead_hides_no_later_change(bench: Bench, simulated: SimulatedShop) -> None:
    first, second = place(simulated, 2)
    place(simulated, 60)
    shop = await ready(bench, simulated)
    simulated.table("orders").update(first, {"date_upd": "2099-01-01 00:00:00"})
    await bench.run_all(shop, "update_orders")
    edit(simulated, second, total_paid="5.500000")
    await bench.run_all(shop, "update_orders")
    assert order(bench, second)["total_paid"] == Decimal("5.5")


async def test_a_date_far_ahead_in_the_ledger_hides_no_first_change(bench: Bench, simulated: SimulatedShop) -> None:
    first, second = place(simulated, 2)
    simulated.table("orders").update(first, {"date_upd": "2099-01-01 00:00:00"})
    place(simulated, 60)
    shop = await ready(bench, simulated)
    edit(simulated, second, total_paid="5.500000")
    await bench.run_all(shop, "update_orders")
    assert order(bench, second)["total_paid"] == Decimal("5.5")


async def test_in_setup_it_is_locked_with_its_own_words(bench: Bench, simulated: SimulatedShop) -> None:
    shop = bench.add_shop(simulated, orders_start="id:1")
    await bench.run_all(shop, "analyse", "import_products", "import_orders")
    with pytest.raises(LockedError, match="Locked in setup: orders are updated only"):
        await bench.run(shop, "update_orders")


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Europe/Berlin", "2026-10-25T02:50:00+02:00", "2026-10-25T02:05:00+01:00"),  # 02:50, then 02:05 again
        ("Europe/Berlin", "2026-03-29T01:50:00+01:00", "2026-03-29T03:05:00+02:00"),  # 01:50, then 03:05
        ("Pacific/Niue", "2026-05-01T23:55:00-11:00", "2026-05-02T00:05:00-11:00"),
        ("Pacific/Kiritimati", "2026-05-01T23:55:00+14:00", "2026-05-02T00:05:00+14:00"),
        ("Australia/Lord_Howe", "2026-04-05T01:45:00+11:00", "2026-04-05T01:40:00+10:30"),  # half an hour back
    ],
)
async def test_in_clock_change_nights_and_far_zones_each_change_is_found(
    sqlite_database: Database, tmp_path: Path, zone: str, before: str, after: str
) -> None:
    now = datetime.fromisoformat(before).timestamp()
    simulated = SimulatedShop.generate(version="8.2.1", products=3, orders=2, seed=3, zone=zone, clock=lambda: now)
    bench = make_bench(sqlite_database, tmp_path)
    first, second = place(simulated, 2)
    place(simulated, 60)
    shop = await ready(bench, simulated)
    sqlite_database.write_now(lambda c: c.execute(update(Order).values(local_date_upd="2026-01-01 00:00:00")))
    edit(simulated, first, total_paid="1.100000")
    await bench.run_all(shop, "update_orders")
    now = datetime.fromisoformat(after).timestamp()
    edit(simulated, second, total_paid="2.200000")
    await bench.run_all(shop, "update_orders")
    assert (order(bench, first)["total_paid"], order(bench, second)["total_paid"]) == (Decimal("1.1"), Decimal("2.2"))


async def test_reconciliation_imports_what_is_missing_and_corrects_what_stands_otherwise(
    bench: Bench, simulated: SimulatedShop
) -> None:
    lost, changed = place(simulated, 2)
    place(simulated, 60)
    shop = await ready(bench, simulated)
    bench.core.database.write_now(lambda c: c.execute(delete(Order).where(Order.id_order == lost)))
    simulated.table("orders").update(changed, {"total_paid": "9.990000"})
    await bench.run_all(shop, "import_orders")
    ended = await bench.run(shop, "reconcile_orders")
    assert order(bench, lost)["verdict"] == "import" and order(bench, changed)["total_paid"] == Decimal("9.99")
    compared = len(simulated.table("orders").ids())
    words = "1 were missing here and are read, 1 stood otherwise and are read again, totals agree"
    assert said(bench, ended).startswith(f"{compared} compared, {words}")
    again = await bench.run(shop, "reconcile_orders")
    assert said(bench, again).startswith(f"{compared} compared, totals agree") and opened(bench) == []


async def test_an_order_deleted_in_the_shop_is_named_until_it_is_back(bench: Bench, simulated: SimulatedShop) -> None:
    gone = place(simulated)[0]
    place(simulated, 60)
    shop = await ready(bench, simulated)
    row = simulated.row("orders", gone)
    simulated.table("orders").remove(gone)
    ended = await bench.run(shop, "reconcile_orders")
    assert "1 no longer in the shop" in said(bench, ended) and opened(bench) == [reconcile_orders.GONE]
    assert order(bench, gone)["verdict"] == "import", "what was taken in stays"
    simulated.table("orders").insert(dict(row), gone)
    await bench.run_all(shop, "reconcile_orders")
    assert opened(bench) == []


async def test_orders_before_the_start_are_compared_where_we_hold_them_and_left_alone_otherwise(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shipped, held, start = place(simulated, 3)
    simulated.set_order_state(shipped, 4)
    shop = await ready(bench, simulated, orders_start=f"id:{start}")
    simulated.table("orders").update(held, {"total_paid": "3.330000"})
    ended = await bench.run(shop, "reconcile_orders")
    assert order(bench, held)["total_paid"] == Decimal("3.33") and "totals agree" in said(bench, ended)
    assert bench.rows(Order, Order.id_order == shipped) == []


async def test_a_cut_reconciliation_goes_on_at_its_page(
    bench: Bench, simulated: SimulatedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_scan, "_PER_PAGE", 10)
    place(simulated, 45)
    shop = await ready(bench, simulated)
    simulated.faults.next("reset", 1, after=3)
    simulated.journal.clear()
    ended = await bench.run(shop, "reconcile_orders")
    asked = [one.path for one in simulated.journal if "orders?" in one.path and one.status == 200]
    assert said(bench, ended).startswith(f"{len(simulated.table('orders').ids())} compared, totals agree")
    assert len(asked) == len(set(asked))


def test_the_overlap_is_longer_than_any_clock_change() -> None:
    assert update_orders.OVERLAP.total_seconds() > 3600
    assert update_orders._before("0000-00-00 00:00:00") == update_orders._before("nonsense") == "1970-01-01 00:00:00"
