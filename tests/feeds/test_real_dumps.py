"""Real shops, whole: every product, stock row, order, line and amount of the four dumps arrives as it stood there."""

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prestaconsole.database import Database
from prestaconsole.model import (
    HoldState,
    Listing,
    Order,
    OrderAddress,
    OrderLine,
    ShopCarrier,
    ShopMode,
    ShopOrderState,
    StockHold,
    StockLevel,
)
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench, make_bench
from tests.support.shared import PLAIN_DUMPS, RICH_DUMPS, dump_folder


async def _imported(bench: Bench, name: str) -> tuple[SimulatedShop, Any]:
    simulated = SimulatedShop.load(dump_folder(name))
    bench.add_warehouse("W1")
    shop = bench.add_shop(
        simulated, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1", mode=ShopMode.SETUP
    )
    await bench.run_all(shop, "analyse", "import_products", "import_orders", "import_stock")
    return simulated, bench.shop(shop)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAIN_DUMPS)
async def test_a_real_shop_arrives_whole(name: str, database: Database, tmp_path: Path) -> None:
    bench = make_bench(database, tmp_path)
    simulated, shop = await _imported(bench, name)
    assert (shop.version, str(shop.zone)) == (name, simulated.configuration("PS_TIMEZONE"))
    _compare_words(bench, simulated)
    _compare_listings(bench, simulated)
    _compare_orders(bench, simulated)
    _compare_stock(bench, simulated)
    assert all(exchange.method in {"GET", "HEAD"} for exchange in simulated.journal)


@pytest.mark.parametrize("name", PLAIN_DUMPS)
async def test_nothing_drifts_before_and_after_orders_move_on(
    name: str, sqlite_database: Database, tmp_path: Path
) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    simulated, shop = await _imported(bench, name)
    checked = await bench.run(shop, "stock_check")
    sellable = bench.rows(Listing, Listing.has_combinations.is_(False))
    assert (checked.counts["drift"], checked.counts["compared"]) == (0, len(sellable))
    before = _physical(bench)

    chooser = random.Random(7)
    shipping = int(simulated.configuration("PS_OS_SHIPPING"))
    canceled = int(simulated.configuration("PS_OS_CANCELED"))
    holding = sorted({hold["order_id"] for hold in bench.rows(StockHold, StockHold.state == HoldState.OPEN)})
    by_id = {order["id"]: order["id_order"] for order in bench.rows(Order)}
    chosen = [by_id[order_id] for order_id in chooser.sample(holding, 20)]
    for id_order in chosen[:10]:
        simulated.set_order_state(id_order, shipping)
    for id_order in chosen[10:]:
        simulated.set_order_state(id_order, canceled)
    await bench.run_all(shop, "import_orders")

    checked = await bench.run(shop, "stock_check")
    assert checked.counts["drift"] == 0
    shipped = {by_id[hold["order_id"]]: 0 for hold in bench.rows(StockHold, StockHold.state == HoldState.SHIPPED)}
    assert set(shipped) == set(chosen[:10])
    sold = _sold(simulated, chosen[:10])
    after = _physical(bench)
    fallen = {product: before[product] - after[product] for product in before if before[product] != after[product]}
    listings = {(row["id_product"], row["id_product_attribute"]): row["product_id"] for row in sellable}
    assert fallen == {listings[pair]: units for pair, units in sold.items()}


@pytest.mark.parametrize("name", PLAIN_DUMPS[-2:])
async def test_importing_twice_changes_nothing(name: str, sqlite_database: Database, tmp_path: Path) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    _, shop = await _imported(bench, name)
    ignored = {"read_at", "verdict_at", "seen_at", "quantity_read_at", "looks", "next_look_at", "expected_at"}

    def picture() -> list[Any]:
        tables = (Listing, Order, OrderLine, OrderAddress, StockHold, StockLevel)
        return [[{k: v for k, v in row.items() if k not in ignored} for row in bench.rows(table)] for table in tables]

    before = picture()
    await bench.run_all(shop, "analyse", "import_products", "import_orders", "retry_orders")
    assert picture() == before


@pytest.mark.parametrize("name", RICH_DUMPS)
async def test_hard_orders_arrive_with_their_amounts(name: str, sqlite_database: Database, tmp_path: Path) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.load(dump_folder(name))
    shop = bench.add_shop(simulated, orders_start="id:1")
    await bench.run_all(shop, "analyse", "import_products", "import_orders")
    _compare_orders(bench, simulated)


def _table(simulated: SimulatedShop, resource: str) -> dict[int, dict[str, Any]]:
    return {number: simulated.row(resource, number) for number in simulated.table(resource).ids()}


def _compare_words(bench: Bench, simulated: SimulatedShop) -> None:
    states = _table(simulated, "order_states")
    stored = {row["id_order_state"]: row for row in bench.rows(ShopOrderState)}
    assert set(stored) == set(states)
    for number, state in states.items():
        for flag in ("paid", "shipped", "delivery", "invoice", "logable", "send_email", "hidden", "deleted"):
            assert stored[number][flag] == (state[flag] == "1"), (number, flag)
        assert stored[number]["name"] == _text(state["name"])
    giving = {int(simulated.configuration(name)) for name in ("PS_OS_CANCELED", "PS_OS_ERROR")}
    assert {number for number, row in stored.items() if row["gives_back"]} == giving
    carriers = _table(simulated, "carriers")
    stored_carriers = {row["id_carrier"]: row for row in bench.rows(ShopCarrier)}
    assert set(stored_carriers) == set(carriers)
    for number, carrier in carriers.items():
        row = stored_carriers[number]
        assert (row["id_reference"], row["name"]) == (int(carrier["id_reference"]), carrier["name"])


def _text(value: Any) -> str:
    """A field's text in the shop's first language."""
    return next(iter(value.values())) if isinstance(value, dict) else str(value)


def _compare_listings(bench: Bench, simulated: SimulatedShop) -> None:
    products, combinations = _table(simulated, "products"), _table(simulated, "combinations")
    stored = {(row["id_product"], row["id_product_attribute"]): row for row in bench.rows(Listing)}
    known = {number: row for number, row in combinations.items() if int(row["id_product"]) in products}
    pairs = {(number, 0) for number in products} | {(int(row["id_product"]), n) for n, row in known.items()}
    assert set(stored) == pairs
    for number, product in products.items():
        row = stored[number, 0]
        assert row["sku"] == product["reference"].strip()
        assert row["name"] == _text(product["name"])
        assert row["active"] == (product["active"] == "1")
        assert row["price"] == Decimal(product["price"])
    for number, combination in known.items():
        row = stored[int(combination["id_product"]), number]
        impact = Decimal(combination["price"] or 0)
        assert row["sku"] == combination["reference"].strip()
        assert row["price"] == Decimal(products[int(combination["id_product"])]["price"]) + impact
        assert stored[int(combination["id_product"]), 0]["has_combinations"]
    for number, stock in _table(simulated, "stock_availables").items():
        pair = (int(stock["id_product"]), int(stock["id_product_attribute"]))
        if pair in stored:
            assert (stored[pair]["id_stock_available"], stored[pair]["quantity"]) == (number, int(stock["quantity"]))
    assert all(row["product_id"] for row in stored.values() if not row["has_combinations"])


_AMOUNTS = (
    *("total_paid", "total_paid_tax_incl", "total_paid_tax_excl", "total_paid_real", "total_products"),
    *("total_products_wt", "total_shipping_tax_incl", "total_shipping_tax_excl", "total_discounts_tax_incl"),
    *("total_discounts_tax_excl", "total_wrapping_tax_incl", "total_wrapping_tax_excl", "conversion_rate"),
)


def _compare_orders(bench: Bench, simulated: SimulatedShop) -> None:
    orders, details = _table(simulated, "orders"), _table(simulated, "order_details")
    currencies = _table(simulated, "currencies")
    customers, addresses = _table(simulated, "customers"), _table(simulated, "addresses")
    stored = {row["id_order"]: row for row in bench.rows(Order)}
    assert set(stored) == set(orders)
    for number, order in orders.items():
        row = stored[number]
        assert row["verdict"] in {"import", "hold", "done", "cancelled", "skip"}, row["reason"]
        assert row["id_order_state"] == int(order["current_state"])
        assert (row["reference"], row["module"], row["payment"]) == (
            order["reference"],
            order["module"],
            order["payment"],
        )
        assert row["currency"] == currencies[int(order["id_currency"])]["iso_code"]
        assert (row["local_date_add"], row["local_date_upd"]) == (order["date_add"], order["date_upd"])
        for name in _AMOUNTS:
            assert row[name] == Decimal(order[name]), (number, name)
        parts = row["total_products_wt"] + row["total_shipping_tax_incl"] + row["total_wrapping_tax_incl"]
        assert parts - row["total_discounts_tax_incl"] + row["rounding"] == row["total_paid_tax_incl"]
        customer = customers.get(int(order["id_customer"]))
        if customer:
            assert row["customer_name"] == f"{customer['firstname']} {customer['lastname']}".strip()
            assert row["customer_email"] == customer["email"]
    _compare_lines(bench, stored, orders, details)
    _compare_addresses(bench, stored, orders, addresses)


def _compare_lines(bench: Bench, stored: Any, orders: Any, details: Any) -> None:
    lines = {row["id_order_detail"]: row for row in bench.rows(OrderLine)}
    assert set(lines) == {number for number, detail in details.items() if int(detail["id_order"]) in orders}
    for number, row in lines.items():
        detail = details[number]
        assert row["order_id"] == stored[int(detail["id_order"])]["id"]
        assert (row["id_product"], row["id_product_attribute"], row["quantity"]) == (
            int(detail["product_id"]),
            int(detail["product_attribute_id"]),
            int(detail["product_quantity"]),
        )
        assert (row["sku"], row["name"]) == (detail["product_reference"], detail["product_name"])
        for name in ("unit_price_tax_incl", "unit_price_tax_excl", "total_price_tax_incl", "total_price_tax_excl"):
            assert row[name] == Decimal(detail[name]), (number, name)


def _compare_addresses(bench: Bench, stored: Any, orders: Any, addresses: Any) -> None:
    kept = {(row["order_id"], row["kind"]): row for row in bench.rows(OrderAddress)}
    for number, order in orders.items():
        for kind in ("delivery", "invoice"):
            address = addresses.get(int(order[f"id_address_{kind}"]))
            if address is None:
                continue
            row = kept[stored[number]["id"], kind]
            for name in ("lastname", "firstname", "address1", "address2", "postcode", "city", "company", "phone"):
                assert row[name] == address[name], (number, kind, name)


def _physical(bench: Bench) -> dict[int, int]:
    return {row["product_id"]: row["physical"] for row in bench.rows(StockLevel)}


def _sold(simulated: SimulatedShop, orders: list[int]) -> dict[tuple[int, int], int]:
    sold: dict[tuple[int, int], int] = {}
    for detail in _table(simulated, "order_details").values():
        if int(detail["id_order"]) in orders:
            pair = (int(detail["product_id"]), int(detail["product_attribute_id"]))
            units = int(detail["product_quantity"]) - int(detail["product_quantity_reinjected"])
            sold[pair] = sold.get(pair, 0) + units
    return sold


def _compare_stock(bench: Bench, simulated: SimulatedShop) -> None:
    """Physical is the shop's quantity plus the units of orders neither shipped nor given back (DESIGN §5a)."""
    states = _table(simulated, "order_states")
    giving = {int(simulated.configuration(name)) for name in ("PS_OS_CANCELED", "PS_OS_ERROR")}
    deducting = [
        number
        for number, order in _table(simulated, "orders").items()
        if int(order["current_state"]) not in giving and states[int(order["current_state"])]["shipped"] != "1"
    ]
    held = _sold(simulated, deducting)
    levels = _physical(bench)
    for row in bench.rows(Listing, Listing.has_combinations.is_(False)):
        pair = (row["id_product"], row["id_product_attribute"])
        assert levels[row["product_id"]] == simulated.quantity(*pair) + held.get(pair, 0), pair
