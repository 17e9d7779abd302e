"""An installation with three storefronts, two of which share their stock: every listing comes in with its own row."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from prestaconsole.database import Database
from prestaconsole.model import Listing, ShopFinding, ShopMode
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.operations.storefronts import SINGLE, Front, Fronts
from prestaconsole.sandbox import SimulatedShop
from prestaconsole.services.stock import set_stock, show_stock
from tests.support.bench import Bench, make_bench
from tests.support.shared import dump_folder

FEEDS = ("analyse", "import_products", "import_orders", "import_stock")
PRIVATE, SHARED = ("1", "0"), ("0", "2")


def _row(simulated: SimulatedShop, number: int) -> dict[str, Any]:
    return simulated.row("stock_availables", number)


def test_storefronts_that_share_a_stock_are_read_once_for_it() -> None:
    own, second, third = Front(1, "A", (1, 0)), Front(2, "B", (0, 2)), Front(3, "C", (0, 2))
    fronts = Fronts((own, second, third))
    assert (fronts.single, SINGLE.single, SINGLE.stocks) == (False, True, (Front(),))
    assert fronts.stocks == (own, second)
    assert (fronts.members(third), fronts.members(own), fronts.before(third)) == ([2, 3], [1], [1, 2])


@pytest.mark.slow
async def test_every_storefronts_products_come_in_with_the_row_they_are_sold_from(
    sqlite_database: Database, tmp_path: Path
) -> None:
    bench, simulated = make_bench(sqlite_database, tmp_path), SimulatedShop.load(dump_folder("8.2.1-multistore"))
    bench.add_warehouse("W1")
    shop = bench.add_shop(simulated, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
    await bench.run_all(shop, *FEEDS)
    products = bench.rows(Listing, Listing.id_product_attribute == 0)
    assert {row["id_product"] for row in products} == set(simulated.table("products").ids())
    homes = Counter(row["id_shop"] for row in products)
    assert (homes[1], homes[2] > 0, homes[3] > 0) == (396, True, True)
    for row in bench.rows(Listing, Listing.id_stock_available.is_not(None)):
        stock = _row(simulated, row["id_stock_available"])
        assert (stock["id_shop"], stock["id_shop_group"]) == (PRIVATE if row["id_shop"] == 1 else SHARED)
        assert int(stock["quantity"]) == row["quantity"]
    checked = await bench.run(shop, "stock_check")
    assert checked.counts["drift"] == 0, checked.counts
    finding = bench.rows(ShopFinding, ShopFinding.name == "several-stocks")[0]
    assert "Shop B (2)" in finding["text"]

    # An order of the sharing group lowers its own rows alone; the goods are held for every storefront.
    await _orders_of_a_neighbour(bench, simulated, shop)
    await _written_with_its_columns(bench, simulated, shop)
    await _a_product_leaves_the_default_storefront(bench, simulated, shop)


async def _orders_of_a_neighbour(bench: Bench, simulated: SimulatedShop, shop: ShopRecord) -> None:
    """One product is sold everywhere, from the default storefront's row for us; another in the group alone."""
    table = simulated.table("stock_availables")
    everywhere = next(
        row
        for row in bench.rows(Listing, Listing.id_shop == 1, Listing.has_combinations.is_(False), Listing.quantity > 5)
        if simulated.storefronts is not None and simulated.storefronts.sells("products", row["id_product"], 2)
    )
    own = bench.rows(Listing, Listing.id_shop == 2, Listing.has_combinations.is_(False), Listing.quantity > 5)[0]
    for row in (everywhere, own):
        number = simulated.place_order([(row["id_product"], row["id_product_attribute"], 2)], deduct=False)
        simulated.table("orders").update(number, {"id_shop": "2", "id_shop_group": "2"})
        shared = next(
            number
            for number in table.find("id_product", row["id_product"])
            if (_row(simulated, number)["id_shop"], _row(simulated, number)["id_shop_group"]) == SHARED
            and _row(simulated, number)["id_product_attribute"] == str(row["id_product_attribute"])
        )
        table.update(shared, {"quantity": str(int(_row(simulated, shared)["quantity"]) - 2)})
    await bench.run_all(shop, "import_orders")
    expected = {row["id"]: row["expected_high"] for row in bench.rows(Listing)}
    assert expected[everywhere["id"]] == everywhere["quantity"]
    assert expected[own["id"]] == own["quantity"] - 2
    checked = await bench.run(shop, "stock_check")
    # The goods are promised all the same, so the default storefront is offered less than it shows.
    assert checked.counts["drift"] == 1, checked.counts


async def _written_with_its_columns(bench: Bench, simulated: SimulatedShop, shop: ShopRecord) -> None:
    row = bench.rows(Listing, Listing.id_shop == 2, Listing.has_combinations.is_(False), Listing.quantity > 1)[0]
    before = dict(_row(simulated, row["id_stock_available"]))
    name = row["sku"] or f"#{row['product_id']}"
    set_stock(bench.core, name, 4321, warehouse="W1", reason="counted", actor="zofia")
    bench.set_mode(shop, ShopMode.LIVE)
    ended = await bench.run(shop, "export_stock")
    assert ended.state == "done", ended.error
    after = dict(_row(simulated, row["id_stock_available"]))
    assert (before["id_shop"], before["id_shop_group"]) == SHARED
    assert after == {**before, "quantity": after["quantity"]}
    assert int(after["quantity"]) == show_stock(bench.core, name)[0].available > 4000


async def _a_product_leaves_the_default_storefront(bench: Bench, simulated: SimulatedShop, shop: ShopRecord) -> None:
    """It is the next one's from then on, with the row of that stock, and not gone."""
    fronts = simulated.storefronts
    assert fronts is not None
    row = next(
        row
        for row in bench.rows(Listing, Listing.id_shop == 1, Listing.has_combinations.is_(False))
        if fronts.sells("products", row["id_product"], 2) and not row["id_product_attribute"]
    )
    sold = fronts.sells
    leaves = row["id_product"]
    fronts.sells = lambda resource, number, id_shop: (  # type: ignore[method-assign]
        (resource, number, id_shop) != ("products", leaves, 1) and sold(resource, number, id_shop)
    )
    await bench.run_all(shop, "import_products")
    moved = bench.rows(Listing, Listing.id == row["id"])[0]
    stock = _row(simulated, moved["id_stock_available"])
    assert (moved["id_shop"], moved["gone_at"], moved["expected_low"]) == (2, None, None)
    assert (stock["id_shop"], stock["id_shop_group"]) == SHARED
    assert moved["quantity"] == int(stock["quantity"])
