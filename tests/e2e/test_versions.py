"""The feeds that read, against every PrestaShop the sandbox plays, every dump, and under every fault.

Multistore: the feeds read all storefronts' orders, and products and stock as the shop's address shows them; what only
another storefront sells has no listing. That is compared here as it is, for the whole installation and for each
context's own dump.
"""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prestaconsole.database import Database
from prestaconsole.errors import LockedError
from prestaconsole.model import Listing, Order, OrderLine, RunState, ShopMode
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner.records import RunRecord
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench, make_bench
from tests.support.shared import PLAIN_DUMPS, RICH_DUMPS, dump_folder

FEEDS = ("analyse", "import_products", "import_orders", "import_stock", "stock_check")
VERSIONS = ("1.5", "1.6", "1.7", "8", "9")
MULTISTORE = tuple(f"8.2.1-multistore{context}" for context in ("", "-shop1", "-shop2", "-shop3", "-group2", "-all"))
SETTINGS: dict[str, Any] = {"orders_start": "id:1", "stock_warehouses": "W1", "stock_import_to": "W1"}

# A share of the requests, or how the whole shop is: moderate, as a host on a bad day.
SHARES = {
    "http500": 0.15,
    "php-warning": 0.15,
    "html": 0.15,
    "truncate": 0.15,
    "reset": 0.15,
    "timeout-before": 0.15,
    "timeout-after": 0.15,
    "429": 0.1,
    "latency": 5.0,
    "clock": 7200.0,
    "redirect": 301.0,
    "no-auth-header": 1.0,
    "block-put": 1.0,
    "mail-refused": 1.0,
    "php-messages": 1.0,
}


def _bench(database: Database, folder: Path) -> Bench:
    bench = make_bench(database, folder)
    bench.add_warehouse("W1")
    return bench


async def _all_pass(bench: Bench, simulated: SimulatedShop, code: str) -> dict[str, RunRecord]:
    shop = bench.add_shop(simulated, code, mode=ShopMode.SETUP, **SETTINGS)
    ended = await bench.run_all(shop, *FEEDS)
    _nothing_wrong(bench, simulated)
    return ended


def _pairs(simulated: SimulatedShop, products: Iterable[int]) -> set[tuple[int, int]]:
    """Every product and every combination of one, as (id_product, id_product_attribute)."""
    known = set(products)
    variants = ((int(row["id_product"]), int(row["id"])) for row in simulated.table("combinations"))
    return {(number, 0) for number in known} | {pair for pair in variants if pair[0] in known}


def _nothing_wrong(bench: Bench, simulated: SimulatedShop) -> None:
    """Whatever is stored is as the shop has it: no wrong quantity, name, amount or line; nothing that is not there."""
    products, orders = simulated.table("products"), simulated.table("orders")
    combinations, details = simulated.table("combinations"), simulated.table("order_details")
    for row in bench.rows(Listing):
        source = combinations.get(row["id_product_attribute"]) or products.get(row["id_product"])
        assert source is not None, row
        assert row["sku"] == source["reference"].strip()
        if row["id_stock_available"] and row["quantity"] is not None:
            stock = simulated.row("stock_availables", row["id_stock_available"])
            assert (row["id_product"], row["id_product_attribute"], row["quantity"]) == (
                int(stock["id_product"]),
                int(stock["id_product_attribute"]),
                int(stock["quantity"]),
            )
    for row in bench.rows(Order):
        order = orders.row(row["id_order"])
        assert (row["reference"], row["id_order_state"]) == (order["reference"], int(order["current_state"]))
        if row["total_paid"] is not None:
            assert row["total_paid"] == Decimal(order["total_paid"])
    for row in bench.rows(OrderLine):
        line = details.row(row["id_order_detail"])
        assert (row["id_product"], row["quantity"]) == (int(line["product_id"]), int(line["product_quantity"]))


def _complete(bench: Bench, simulated: SimulatedShop) -> None:
    """Everything the shop has is stored."""
    stored = {(row["id_product"], row["id_product_attribute"]) for row in bench.rows(Listing)}
    assert stored == _pairs(simulated, simulated.table("products").ids())
    assert {row["id_order"] for row in bench.rows(Order)} == set(simulated.table("orders").ids())
    lines = {row["id_order_detail"] for row in bench.rows(OrderLine)}
    details = simulated.table("order_details")
    assert lines == {int(row["id"]) for row in details if int(row["id_order"]) in simulated.table("orders")}


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_feeds_pass_against_each_version(version: str, sqlite_database: Database, tmp_path: Path) -> None:
    bench = _bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.generate(version=version, products=20, orders=15, seed=4, hard=True)
    ended = await _all_pass(bench, simulated, f"v{version.replace('.', '')}")
    _complete(bench, simulated)
    assert ended["stock_check"].counts["drift"] == 0
    assert ended["stock_check"].counts["compared"] == sum(
        1 for row in bench.rows(Listing) if not row["has_combinations"]
    )
    assert all(exchange.method in ("GET", "HEAD") for exchange in simulated.journal)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PLAIN_DUMPS, *RICH_DUMPS, "1.6.1.24-advanced-stock"])
async def test_the_feeds_pass_against_each_dump(name: str, sqlite_database: Database, tmp_path: Path) -> None:
    bench = _bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.load(dump_folder(name))
    ended = await _all_pass(bench, simulated, "dump")
    _complete(bench, simulated)
    assert ended["stock_check"].counts["drift"] == 0


@pytest.mark.parametrize("name", MULTISTORE)
async def test_the_feeds_pass_against_each_context_of_a_multistore(
    name: str, sqlite_database: Database, tmp_path: Path
) -> None:
    bench = _bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.load(dump_folder(name))
    ended = await _all_pass(bench, simulated, "many")
    assert ended["stock_check"].counts["drift"] == 0
    assert {row["id_order"] for row in bench.rows(Order)} == set(simulated.table("orders").ids())
    shown = simulated.table("products").ids()
    if simulated.storefronts is not None:
        stores = simulated.table("shops").ids()
        shown = [
            number for number in shown if any(simulated.storefronts.sells("products", number, one) for one in stores)
        ]
    listed = {row["id_product"] for row in bench.rows(Listing)}
    assert listed == set(shown)


@pytest.mark.slow
@pytest.mark.parametrize("fault", SHARES)
@pytest.mark.parametrize("version", ["1.6", "8"])
async def test_under_each_fault_nothing_wrong_is_stored_and_once_it_is_over_all_arrives(
    fault: str, version: str, sqlite_database: Database, tmp_path: Path
) -> None:
    bench = _bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.generate(version=version, products=20, orders=15, seed=9)
    shop = bench.add_shop(simulated, f"f{fault}{version}".replace("-", ""), **SETTINGS)
    simulated.faults.set(fault, SHARES[fault])
    done = set()
    for feed in FEEDS:
        ended = await _try(bench, shop, feed)
        done |= {feed} if ended is not None and ended.state is RunState.DONE else set()
        if ended is not None and ended.state is not RunState.DONE:
            assert ended.state is RunState.FAILED or ended.attempt > 1, (feed, ended.state)
            assert ended.error_kind, (feed, ended.error)
            assert ended.error.endswith("."), ended.error
        _nothing_wrong(bench, simulated)
    simulated.faults.clear()
    # Our stock is taken from the shop once; another import of it would overwrite ours and needs a reason.
    again = await bench.run_all(shop, *(feed for feed in FEEDS if (feed, feed in done) != ("import_stock", True)))
    _nothing_wrong(bench, simulated)
    _complete(bench, simulated)
    assert again["stock_check"].counts["drift"] == 0


async def _try(bench: Bench, shop: ShopRecord, feed: str) -> RunRecord | None:
    """Run a feed; None where an earlier one that failed keeps it locked."""
    try:
        return await bench.run(shop, feed)
    except LockedError:
        return None


async def test_another_shop_that_answers_stops_the_feeds(sqlite_database: Database, tmp_path: Path) -> None:
    bench = _bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.generate(version="8", products=20, orders=15, seed=9)
    shop = bench.add_shop(simulated, "other", **SETTINGS)
    await bench.run_all(shop, *FEEDS)
    simulated.faults.set("other-shop")
    for feed in ("import_orders", "analyse", "import_products", "stock_check"):
        await _try(bench, shop, feed)
        _nothing_wrong(bench, simulated)
    with pytest.raises(LockedError, match="identity changed"):
        await bench.run(shop, "import_products")


async def test_order_ids_given_again_after_an_old_backup_stop_the_feeds(
    sqlite_database: Database, tmp_path: Path
) -> None:
    bench = _bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.generate(version="8", products=20, orders=15, seed=9)
    shop = bench.add_shop(simulated, "backup", **SETTINGS)
    await bench.run_all(shop, *FEEDS)
    old = {row["id_order"]: (row["reference"], row["total_paid"]) for row in bench.rows(Order)}
    simulated.lose_orders(3)
    simulated.seed = 77
    for _ in range(4):
        simulated.sell(2)
    assert simulated.row("orders", 15)["reference"] != old[15][0]
    await _try(bench, shop, "import_orders")
    stored = {row["id_order"]: (row["reference"], row["total_paid"]) for row in bench.rows(Order)}
    assert {number: stored[number] for number in old} == old
    with pytest.raises(LockedError, match="identity changed"):
        await bench.run(shop, "import_orders")
