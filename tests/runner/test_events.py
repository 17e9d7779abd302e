"""A change of stock wakes the push of every live shop that lists the product, once for many changes."""

import asyncio
from pathlib import Path

from sqlalchemy import select

from prestaconsole.database import Database
from prestaconsole.model import FeedRun, Listing, MovementKind, ShopMode, Warehouse
from prestaconsole.operations.shops import load_shop
from prestaconsole.operations.stock_ledger import set_level
from prestaconsole.runner.events import waiting, wake_pushes
from prestaconsole.runner.worker import Worker
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench, make_bench

FEEDS = ("analyse", "import_products", "import_orders", "import_stock")


async def _live(bench: Bench, code: str) -> tuple[SimulatedShop, int]:
    simulated = SimulatedShop.generate(version="8.2.1", products=6, orders=0, seed=1)
    shop = bench.add_shop(simulated, code, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
    await bench.run_all(shop, *FEEDS)
    bench.set_mode(shop, ShopMode.LIVE)
    await bench.run_all(bench.shop(shop), "export_stock")
    return simulated, shop.id


def _count(bench: Bench, quantity: int) -> tuple[int, int]:
    """Count the first product; gives its pair in the shops."""

    def store(connection: object) -> tuple[int, int]:
        row = connection.execute(  # type: ignore[attr-defined]  # a Connection
            select(Listing.product_id, Listing.id_product, Listing.id_product_attribute)
            .where(Listing.has_combinations.is_(False))
            .order_by(Listing.id)
        ).first()
        warehouse = connection.execute(select(Warehouse.id)).scalar_one()  # type: ignore[attr-defined]  # as above
        set_level(
            connection,  # type: ignore[arg-type]  # as above
            [(row.product_id, warehouse, quantity)],
            kind=MovementKind.CORRECTION,
            actor="tester",
            at=bench.core.clock.now(),
            reason="counted",
        )
        return row.id_product, row.id_product_attribute

    return bench.core.database.write_now(store)


async def test_a_count_reaches_every_live_shop_without_anybody_asking(
    sqlite_database: Database, tmp_path: Path
) -> None:
    bench = make_bench(sqlite_database, tmp_path, heartbeat_seconds=0.2, stale_seconds=2)
    bench.add_warehouse("W1")
    first, _ = await _live(bench, "one")
    second, _ = await _live(bench, "two")
    worker, stop = Worker(bench.core, "daemon"), asyncio.Event()
    working = asyncio.get_running_loop().create_task(worker.run(stop))
    pair = _count(bench, 71)
    async with asyncio.timeout(60):
        while (first.quantity(*pair), second.quantity(*pair)) != (71, 71):
            await asyncio.sleep(0.02)
    stop.set()
    await working
    pushes = bench.rows(FeedRun, FeedRun.feed == "export_stock", FeedRun.trigger == "event")
    assert {run["actor"] for run in pushes} == {"PrestaConsole"}


async def test_a_hundred_changes_are_one_write_with_the_last_value(sqlite_database: Database, tmp_path: Path) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    bench.add_warehouse("W1")
    simulated, shop_id = await _live(bench, "one")
    simulated.journal.clear()
    for quantity in range(1, 101):
        pair = _count(bench, quantity)
        woken = bench.core.database.write_now(lambda c: wake_pushes(c, bench.core.clock.now()))
        assert woken == ([shop_id] if quantity == 1 else [])
    queued = bench.rows(FeedRun, FeedRun.state == "queued")
    assert len(queued) == 1
    await Worker(bench.core, "command").run_until_ended(queued[0]["id"])
    assert simulated.quantity(*pair) == 100
    assert len([entry for entry in simulated.journal if entry.method != "GET"]) == 1


async def test_a_shop_that_is_not_live_is_not_woken(sqlite_database: Database, tmp_path: Path) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    bench.add_warehouse("W1")
    _, shop_id = await _live(bench, "one")
    _count(bench, 12)
    now = bench.core.clock.now()
    assert bench.core.database.read_now(lambda c: waiting(c, now)) == [shop_id]
    shop = bench.core.database.read_now(lambda c: load_shop(c, shop_id))
    for mode in (ShopMode.SETUP, ShopMode.REHEARSAL, ShopMode.FROZEN):
        bench.set_mode(shop, mode)
        assert bench.core.database.read_now(lambda c: waiting(c, now)) == []
