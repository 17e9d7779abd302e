"""The shop's stock comes in once and belongs together with its orders; the check reports what differs."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from prestaconsole.database import Database
from prestaconsole.errors import LockedError
from prestaconsole.model import FeedRunLog, Listing, ShopFinding, ShopMode, ShopOrderState, StockLevel, StockMovement
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.sandbox import SimulatedShop
from prestaconsole.services.explain import explain_stock
from tests.support.bench import Bench, make_bench

PAID, SHIPPED, CANCELED = 2, 4, 6
FEEDS = ("analyse", "import_products", "import_orders", "import_stock")


async def _shop(bench: Bench, simulated: SimulatedShop, code: str = "demo") -> ShopRecord:
    shop = bench.add_shop(simulated, code, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
    await bench.run_all(shop, *FEEDS)
    return shop


def _simple(bench: Bench, shop: ShopRecord) -> Any:
    wanted = (Listing.shop_id == shop.id, Listing.has_combinations.is_(False), Listing.quantity > 5)
    return bench.rows(Listing, *wanted)[0]


def _level(bench: Bench, product_id: int) -> int:
    return int(bench.rows(StockLevel, StockLevel.product_id == product_id)[0]["physical"])


async def test_stock_is_imported_once_and_again_only_with_a_reason(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _shop(bench, simulated)
    with pytest.raises(LockedError, match="import_stock ran on"):
        await bench.run(shop, "import_stock")
    ended = await bench.run(shop, "import_stock", reason="counted anew")
    assert ended.state == "done"
    bench.set_mode(shop, ShopMode.LIVE)
    with pytest.raises(LockedError, match="overwrite"):
        await bench.run(shop, "import_stock", reason="counted anew")


async def test_without_a_warehouse_or_orders_it_stays_locked(bench: Bench, simulated: SimulatedShop) -> None:
    shop = bench.add_shop(simulated, orders_start="id:1")
    await bench.run_all(shop, "analyse", "import_products")
    with pytest.raises(LockedError, match="import_orders first"):
        await bench.run(shop, "import_stock")
    await bench.run_all(shop, "import_orders")
    with pytest.raises(LockedError, match="warehouse first"):
        await bench.run(shop, "import_stock")


async def test_states_that_give_stock_back_are_never_guessed(bench: Bench, simulated: SimulatedShop) -> None:
    simulated.keys[next(iter(simulated.keys))].permissions = _all_but(simulated, "configurations")
    shop = bench.add_shop(simulated, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
    await bench.run_all(shop, "analyse", "import_products", "import_orders")
    ended = await bench.run(shop, "import_stock")
    assert ended.state == "failed"
    assert "only suggested" in ended.error
    assert not bench.rows(StockLevel)
    suggested = {row["id_order_state"] for row in bench.rows(ShopOrderState, ShopOrderState.gives_back)}
    assert suggested == {int(simulated.configuration(name)) for name in ("PS_OS_CANCELED", "PS_OS_ERROR")}
    confirm = update(ShopOrderState).values(gives_back_source="person")
    bench.core.database.write_now(lambda c: c.execute(confirm))
    ended = await bench.run(shop, "import_stock")
    assert ended.state == "done", ended.error


def _all_but(simulated: SimulatedShop, *refused: str) -> dict[str, list[str]]:
    from prestaconsole.sandbox.schema import RESOURCES

    return {name: ["GET"] for name in RESOURCES if name not in refused}


async def test_a_sale_while_the_rows_are_read_is_counted_once(bench: Bench, simulated: SimulatedShop) -> None:
    shop = bench.add_shop(simulated, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
    await bench.run_all(shop, "analyse", "import_products", "import_orders")
    row = _simple(bench, shop)
    pair = (row["id_product"], row["id_product_attribute"])
    sold: list[int] = []
    real = simulated.app

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        """Sells a piece right before, and another right after, the stock list is answered."""
        reading = scope["type"] == "http" and scope["path"].endswith("stock_availables") and len(sold) < 4
        if reading:
            sold.append(simulated.sell(*pair))
        await real(scope, receive, send)
        if reading:
            sold.append(simulated.sell(*pair))

    _serve(bench, shop, busy)
    ended = await bench.run(shop, "import_stock")
    assert ended.state == "done", ended.error
    assert len(sold) >= 2
    checked = await bench.run(shop, "stock_check")
    assert checked.counts["drift"] == 0
    assert _level(bench, row["product_id"]) == row["quantity"] + _held_before(bench, row)


def _serve(bench: Bench, shop: ShopRecord, app: Any) -> None:
    class Busy:
        def __init__(self, app: Any) -> None:
            self.app = app

    bench.simulated[shop.base_url] = Busy(app)  # type: ignore[assignment]  # only its app is asked for


def _held_before(bench: Bench, row: Any) -> int:
    from prestaconsole.model import StockHold

    holds = bench.rows(StockHold, StockHold.product_id == row["product_id"], StockHold.state == "open")
    sold_since = 4
    return sum(hold["quantity"] for hold in holds) - sold_since


async def test_a_sku_that_another_shop_counted_is_kept_overwritten_or_summed(bench: Bench) -> None:
    def simulated() -> SimulatedShop:
        return SimulatedShop.generate(version="8.2.1", products=6, orders=0, seed=4)

    first = await _shop(bench, simulated(), "one")
    before = {row["product_id"]: row["physical"] for row in bench.rows(StockLevel)}
    results = {}
    for known in ("keep", "overwrite", "sum"):
        shop = bench.add_shop(simulated(), known, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
        bench.simulated[shop.base_url].set_quantity(*_pair(bench, first), 1000)
        await bench.run_all(shop, "analyse", "import_products", "import_orders")
        ended = await bench.run(shop, "import_stock", known=known)
        assert ended.state == "done", ended.error
        results[known] = {row["product_id"]: row["physical"] for row in bench.rows(StockLevel)}
        reset = [update(StockLevel).where(StockLevel.product_id == p).values(physical=q) for p, q in before.items()]
        bench.core.database.write_now(lambda c, reset=reset: [c.execute(one) for one in reset])
    product = _simple(bench, first)["product_id"]
    assert results["keep"] == before
    assert results["overwrite"][product] == 1000
    assert results["sum"][product] == 1000 + before[product]


def _pair(bench: Bench, shop: ShopRecord) -> tuple[int, int]:
    row = _simple(bench, shop)
    return row["id_product"], row["id_product_attribute"]


async def test_shipping_books_the_sale_once_and_cancelling_ends_the_hold(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = await _shop(bench, simulated)
    row = _simple(bench, shop)
    pair = (row["id_product"], row["id_product_attribute"])
    before = _level(bench, row["product_id"])
    shipped, canceled = (simulated.place_order([(*pair, 2)], state=PAID) for _ in range(2))
    straight = simulated.place_order([(*pair, 1)], state=SHIPPED)
    await bench.run_all(shop, "import_orders")
    assert _level(bench, row["product_id"]) == before - 1, "seen first when it was shipped already"
    simulated.set_order_state(shipped, SHIPPED)
    simulated.set_order_state(canceled, CANCELED)
    for _ in range(2):
        await bench.run_all(shop, "import_orders", "retry_orders")
    assert _level(bench, row["product_id"]) == before - 3
    sales = bench.rows(StockMovement, StockMovement.kind == "sale")
    assert sorted(movement["quantity"] for movement in sales) == [-2, -1]
    assert straight
    simulated.set_order_state(canceled, PAID)
    await bench.run_all(shop, "import_orders")
    checked = await bench.run(shop, "stock_check")
    assert checked.counts["drift"] == 0


async def test_a_foreign_edit_is_reported_as_drift_with_its_sku(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _shop(bench, simulated)
    row = _simple(bench, shop)
    simulated.set_quantity(row["id_product"], row["id_product_attribute"], 3)
    simulated.journal.clear()
    checked = await bench.run(shop, "stock_check")
    assert checked.counts["drift"] == 1
    lines = [line["text"] for line in bench.rows(FeedRunLog, FeedRunLog.run_id == checked.id)]
    assert any(row["sku"] in line and "shop's 3" in line for line in lines)
    assert all(exchange.method == "GET" for exchange in simulated.journal)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["truncate", "html", "http500"])
async def test_an_unreadable_stock_list_sets_no_level(bench: Bench, simulated: SimulatedShop, fault: str) -> None:
    shop = bench.add_shop(simulated, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
    await bench.run_all(shop, "analyse", "import_products", "import_orders")
    simulated.faults.set(fault)
    bench.patience = 2
    ended = await bench.run(shop, "import_stock")
    assert ended.state in {"failed", "queued"}
    assert not bench.rows(StockLevel)


async def test_a_zero_row_answer_never_means_none(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _shop(bench, simulated)
    before = {row["product_id"]: row["physical"] for row in bench.rows(StockLevel)}
    rows = simulated.table("stock_availables")
    for number in list(rows.ids()):
        rows.remove(number)
    await bench.run(shop, "import_stock", reason="after an empty answer")
    await bench.run(shop, "stock_check")
    assert {row["product_id"]: row["physical"] for row in bench.rows(StockLevel)} == before


async def test_what_advanced_stock_management_counts_is_named_left_alone_and_explained(
    sqlite_database: Database, tmp_path: Path
) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    bench.add_warehouse("W1")
    simulated = SimulatedShop.generate(version="1.6.1.24", products=2, orders=0, seed=3)
    held = simulated.add_product(name="Held", reference="HELD-1", price="1.000000", quantity=9)
    rows = simulated.table("stock_availables")
    rows.update(rows.find("id_product", held)[0], {"depends_on_stock": "1"})
    shop = await _shop(bench, simulated)
    finding = bench.rows(ShopFinding, ShopFinding.name == "advanced-stock-products")[0]
    assert "counts 1 listings: HELD-1." in finding["text"]
    (listing,) = bench.rows(Listing, Listing.sku == "HELD-1")
    assert bench.rows(StockLevel, StockLevel.product_id == listing["product_id"]) == []
    (why,) = explain_stock(bench.core, "HELD-1", shop.code)
    assert (why.should_show, "advanced stock management" in why.why_none) == (None, True)
