"""Every dump of a real shop: no listing drifts after import_orders and import_stock, nor after orders moved on."""

import random
from pathlib import Path
from typing import Any

import pytest

from prestaconsole.database import Database
from prestaconsole.model import HoldState, Listing, Order, OrderLine, ShopMode, StockHold, StockLevel
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.operations.storefronts import load_fronts
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench, make_bench
from tests.support.shared import DUMPS, dump_folder

pytestmark = pytest.mark.slow

NAMES = sorted(path.name for path in DUMPS.iterdir() if path.is_dir()) if DUMPS.is_dir() else ["8.2.1"]
PATIENCE = 120.0
MOVED = 20
ANSWERS = tuple(f"8.2.1-multistore-{context}" for context in ("all", "group2", "shop2", "shop3"))
"""What one installation of several storefronts answered in one context. As a shop of its own, which gives this answer
in each of its three contexts, it does not exist: it is read, and nothing of it moves.
"""


def of_one_stock(bench: Bench, shop: ShopRecord, order: Any) -> bool:
    """Whether an order's storefront draws on the very rows of its listings: else it moves a row we do not show."""
    fronts = bench.core.database.read_now(lambda c: load_fronts(c, shop.id))
    lines = {
        (line["id_product"], line["id_product_attribute"])
        for line in bench.rows(OrderLine, OrderLine.order_id == order["id"])
    }
    homes = {
        fronts.columns_of(row["id_shop"])
        for row in bench.rows(Listing)
        if (row["id_product"], row["id_product_attribute"]) in lines
    }
    return fronts.single or homes <= {fronts.columns_of(order["id_shop"])}


@pytest.mark.parametrize("name", NAMES)
async def test_no_listing_of_a_real_shop_drifts_before_or_after_its_orders_move_on(
    name: str, sqlite_database: Database, tmp_path: Path
) -> None:
    simulated = SimulatedShop.load(dump_folder(name))
    bench = make_bench(sqlite_database, tmp_path)
    bench.patience = PATIENCE
    bench.add_warehouse("W1")
    settings = {"orders_start": "id:1", "stock_warehouses": "W1", "stock_import_to": "W1"}
    shop = bench.add_shop(simulated, mode=ShopMode.SETUP, **settings)
    await bench.run_all(shop, "analyse", "import_products", "import_orders", "import_stock")
    counted = [
        row
        for row in bench.rows(Listing, Listing.has_combinations.is_(False), Listing.gone_at.is_(None))
        if row["id_stock_available"] is not None and not row["depends_on_stock"]
    ]
    checked = await bench.run(shop, "stock_check")
    assert (checked.state, checked.counts["drift"], checked.counts["compared"]) == ("done", 0, len(counted))
    assert checked.counts.get("missing", 0) == 0
    if name in ANSWERS:
        return

    assert len(bench.rows(StockLevel)) > 0
    by_id = {order["id"]: order["id_order"] for order in bench.rows(Order) if of_one_stock(bench, shop, order)}
    holds = bench.rows(StockHold, StockHold.state == HoldState.OPEN)
    holding = sorted({by_id[hold["order_id"]] for hold in holds if hold["order_id"] in by_id})
    chosen = random.Random(7).sample(holding, min(MOVED, len(holding)))
    states = [int(simulated.configuration(word)) for word in ("PS_OS_SHIPPING", "PS_OS_CANCELED")]
    for place, id_order in enumerate(chosen):
        simulated.set_order_state(id_order, states[place % 2])
    await bench.run_all(shop, "import_orders")
    checked = await bench.run(shop, "stock_check")
    assert (checked.counts["drift"], checked.counts["compared"]) == (0, len(counted))
    assert all(one.method in {"GET", "HEAD"} for one in simulated.journal)
    print(f"{name}: {len(counted)} listings, {len(by_id)} orders, {len(chosen)} of {len(holding)} open ones moved on")
