"""A sold pack holds what its shop lowers for it, its own row, its parts or both, and no unit twice."""

from pathlib import Path
from typing import Any

import pytest

from prestaconsole.database import Database
from prestaconsole.model import Listing, PackPart, StockHold, StockLevel
from prestaconsole.operations.availability import availability
from prestaconsole.operations.invariants import broken
from prestaconsole.sandbox import SimulatedShop
from prestaconsole.sandbox.storage import ASSOCIATIONS
from prestaconsole.services.stock import show_stock
from prestaconsole.services.stock_rules import set_kit
from tests.support.bench import Bench, make_bench
from tests.support.shared import RICH_DUMPS, dump_folder

FEEDS = ("analyse", "import_products", "import_orders", "import_stock")
PAID, SHIPPED, CANCELED = 2, 4, 6
LISTED = "product_bundle"


def _pack(simulated: SimulatedShop, kind: str, parts: dict[int, int]) -> int:
    number = simulated.add_product(name=f"Pack {kind}", reference=f"PACK-{kind}", price="9.000000", quantity=40)
    bundle = [{"id": str(id), "id_product_attribute": "0", "quantity": str(units)} for id, units in parts.items()]
    row = {"cache_is_pack": "1", "pack_stock_type": kind, ASSOCIATIONS: {LISTED: bundle}}
    simulated.table("products").update(number, row)
    return number


async def _stocked(bench: Bench, simulated: SimulatedShop) -> Any:
    bench.add_warehouse("W1")
    shop = bench.add_shop(simulated, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
    await bench.run_all(shop, *FEEDS)
    return shop


def _levels(bench: Bench, simulated: SimulatedShop) -> dict[str, int]:
    skus = {row["product_id"]: row["sku"] for row in bench.rows(Listing)}
    return {skus[row["product_id"]]: row["physical"] for row in bench.rows(StockLevel)}


async def test_packs_hold_their_row_or_their_parts_and_a_kit_of_ours_counts_once(
    sqlite_database: Database, tmp_path: Path
) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.generate(version="8.2.1", products=1, orders=0, seed=3)
    cup = simulated.add_product(name="Cup", reference="CUP", price="4.000000", quantity=100)
    packs = {kind: _pack(simulated, kind, {cup: 2}) for kind in ("0", "1", "2", "3")}
    shop = await _stocked(bench, simulated)
    assert {(row["id_product"], row["id_part"], row["units"]) for row in bench.rows(PackPart)} == {
        (number, cup, 2) for number in packs.values()
    }
    before = _levels(bench, simulated)
    set_kit(bench.core, "PACK-2", {"CUP": 2}, actor="zofia")
    orders = {kind: simulated.sell(number, quantity=3) for kind, number in packs.items()}
    await bench.run_all(shop, "import_orders")
    held = {(row["id_product"], row["id_product"] == cup): row["quantity"] for row in bench.rows(StockHold)}
    assert (held[packs["0"], False], held[packs["2"], False], held[packs["3"], False]) == (3, 3, 3)
    # The parts of types 1 and 2, six cups each; the kit of ours adds nothing to the latter.
    assert (packs["1"], False) not in held
    assert [(row.held, row.available) for row in show_stock(bench.core, "CUP")] == [(12, 88)]
    skus = {row["id"]: row["sku"] for row in bench.rows(Listing)}
    numbers = bench.core.database.read_now(lambda c: availability(c, bench.shop(shop)))
    shown = {skus[number]: found.shown for number, found in numbers.items()}
    assert (shown["CUP"], shown["PACK-0"], shown["PACK-1"], shown["PACK-2"]) == (88, 37, 40, 44)
    expected = {row["sku"]: row["expected_low"] for row in bench.rows(Listing, Listing.product_id.is_not(None))}
    for sku, number in (("CUP", cup), *((f"PACK-{kind}", packs[kind]) for kind in packs)):
        assert expected[sku] == simulated.quantity(number), sku
    for kind in ("0", "1", "2"):
        simulated.set_order_state(orders[kind], SHIPPED)
    simulated.set_order_state(orders["3"], CANCELED)
    await bench.run_all(shop, "import_orders")
    after = _levels(bench, simulated)
    moved = {sku: after[sku] - before[sku] for sku in after if after[sku] != before[sku]}
    assert moved == {"CUP": -12, "PACK-0": -3}
    assert show_stock(bench.core, "CUP")[0].available == simulated.quantity(cup) == 88
    assert bench.core.database.read_now(lambda c: broken(c, bench.core.clock.now())) == []


async def test_a_pack_that_changes_meanwhile_gives_back_what_it_took(sqlite_database: Database, tmp_path: Path) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.generate(version="8.2.1", products=1, orders=0, seed=3)
    cup = simulated.add_product(name="Cup", reference="CUP", price="4.000000", quantity=100)
    pack = _pack(simulated, "1", {cup: 2})
    shop = await _stocked(bench, simulated)
    order = simulated.sell(pack, quantity=3)
    await bench.run_all(shop, "import_orders")
    simulated.table("products").update(pack, {"cache_is_pack": "0", ASSOCIATIONS: {}})
    await bench.run_all(shop, "import_products")
    assert bench.rows(PackPart) == []
    simulated.set_order_state(order, CANCELED)
    await bench.run_all(shop, "import_orders")
    assert show_stock(bench.core, "CUP")[0].held == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", RICH_DUMPS)
async def test_packs_of_real_shops_do_not_drift(name: str, sqlite_database: Database, tmp_path: Path) -> None:
    bench, simulated = make_bench(sqlite_database, tmp_path), SimulatedShop.load(dump_folder(name))
    shop = await _stocked(bench, simulated)
    checked = await bench.run(shop, "stock_check")
    assert checked.counts["drift"] == 0
    packs = sorted({row["id_product"] for row in bench.rows(PackPart)})
    assert len(packs) >= 3
    placed = [simulated.sell(number, quantity=2) for number in packs for _ in range(2)]
    await bench.run_all(shop, "import_orders")
    assert (await bench.run(shop, "stock_check")).counts["drift"] == 0
    states = [int(simulated.configuration(key)) for key in ("PS_OS_SHIPPING", "PS_OS_CANCELED")]
    for at, order in enumerate(placed):
        simulated.set_order_state(order, states[at % 2])
    await bench.run_all(shop, "import_orders")
    assert (await bench.run(shop, "stock_check")).counts["drift"] == 0
