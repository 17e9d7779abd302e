"""Made-up shops: the same each time, consistent, and of every version."""

from collections import Counter

import pytest

from prestaconsole.sandbox import SimulatedShop
from tests.sandbox.conftest import NOON, Client


def everything(shop: SimulatedShop) -> dict[str, list[dict[str, str]]]:
    return {name: [shop.row(name, row) for row in table.ids()] for name, table in shop.tables.items()}


def test_one_seed_makes_one_shop() -> None:
    first = SimulatedShop.generate(seed=3, clock=lambda: NOON)
    assert everything(first) == everything(SimulatedShop.generate(seed=3, clock=lambda: NOON))
    assert everything(first) != everything(SimulatedShop.generate(seed=4, clock=lambda: NOON))


def test_the_counts_are_those_asked(shop: SimulatedShop) -> None:
    assert (len(shop.table("products")), len(shop.table("orders"))) == (40, 30)
    with_lines = {row["id_order"] for row in shop.table("order_details")}
    assert len(with_lines) == 30
    assert {row["id_order"] for row in shop.table("order_histories")} == with_lines


def test_orders_are_of_the_last_sixty_days_and_rise_in_time(shop: SimulatedShop) -> None:
    dates = [row["date_add"] for row in shop.table("orders")]
    assert dates == sorted(dates)
    assert dates[0] >= shop.stamp(NOON - 60 * 86400)
    assert max(row["date_upd"] for row in shop.table("orders")) <= shop.now()


def test_every_parent_row_is_the_sum_of_its_combinations(shop: SimulatedShop) -> None:
    sums: Counter[int] = Counter()
    for row in shop.table("combinations"):
        sums[int(row["id_product"])] += shop.quantity(int(row["id_product"]), int(row["id"]))
    assert len(sums) == 8
    for id_product, total in sums.items():
        assert shop.quantity(id_product) == total


def test_the_stock_already_counts_every_order_neither_cancelled_nor_failed() -> None:
    """Undoing all orders must bring the shop back to what it had before the first."""
    empty = SimulatedShop.generate(orders=0, seed=9, clock=lambda: NOON)
    shop = SimulatedShop.generate(orders=60, seed=9, clock=lambda: NOON)
    taken: Counter[tuple[int, int]] = Counter()
    for row in shop.table("order_details"):
        line = shop.row("order_details", int(row["id"]))
        if shop.row("orders", int(line["id_order"]))["current_state"] not in ("6", "8"):
            goods = int(line["product_id"]), int(line["product_attribute_id"])
            taken[goods] += int(line["product_quantity"])
    assert sum(taken.values()) > 50
    for (id_product, id_attribute), count in taken.items():
        assert shop.quantity(id_product, id_attribute) == empty.quantity(id_product, id_attribute) - count


def test_names_hold_accents_and_signs_of_xml(shop: SimulatedShop) -> None:
    names = " ".join(row["name"][1] + row["name"][2] for row in shop.table("products"))
    assert "&" in names
    assert any(ord(char) > 127 for char in names)


def test_missing_and_repeated_skus_only_when_asked() -> None:
    plain = SimulatedShop.generate(products=20, orders=0)
    skus = Counter(plain.row("products", row)["reference"] for row in plain.table("products").ids())
    assert max(skus.values()) == 1
    assert "" not in skus
    odd = SimulatedShop.generate(products=20, orders=0, without_sku=3, duplicate_skus=2)
    skus = Counter(odd.row("products", row)["reference"] for row in odd.table("products").ids())
    assert skus[""] == 3
    assert skus["SKU-0004"] == 3


def test_references_of_orders_do_not_repeat() -> None:
    shop = SimulatedShop.generate(products=5, orders=300)
    assert len({row["reference"] for row in shop.table("orders")}) == 300


@pytest.mark.parametrize(
    ("version", "number", "states", "remote"),
    [
        ("1.5", "1.5.6.3", 14, "12"),
        ("1.6", "1.6.1.24", 14, "12"),
        ("1.7", "1.7.8.11", 13, "11"),
        ("8", "8.2.1", 13, "11"),
        ("9", "9.0.0", 13, "11"),
        ("8.1.0", "8.1.0", 13, "11"),
    ],
)
async def test_each_version(version: str, number: str, states: int, remote: str) -> None:
    shop = SimulatedShop.generate(version=version)
    assert len(shop.table("order_states")) == states
    assert shop.configuration("PS_OS_WS_PAYMENT") == remote
    assert shop.configuration("PS_VERSION_DB") == number
    answer = await Client(shop).get("products?display=full")
    assert answer.status == 200
    assert answer.headers["psws-version"] == number
    assert len(answer.ids) == 40


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.5, 1\.6, 1\.7, 8"):
        SimulatedShop.generate(version="7.3")


def test_the_field_lists_of_the_versions_differ() -> None:
    old, new = SimulatedShop.generate(version="1.6", products=1), SimulatedShop.generate(version="9", products=1)
    assert "location" in new.table("stock_availables").blanks
    assert "location" not in old.table("stock_availables").blanks
    assert "messages" not in old.resources
    assert "supply_orders" in old.resources
    assert "supply_orders" not in new.resources


async def test_1_5_names_its_nodes_as_its_source_does() -> None:
    shop = SimulatedShop.generate(version="1.5", products=5, orders=2, clock=lambda: NOON)
    client = Client(shop)
    assert "order_slip" not in shop.resources
    product = (await client.get("products/5")).text
    assert '<combinations nodeType="combination" api="combinations">\n\t<combinations ' in product
    assert "\t<product_options_values " in product
    order = (await client.get("orders/1")).text
    assert "<round_type>" not in order
    assert "<product_name>" in order
    assert "<product_reference>" not in order
    assert (await client.get("orders/1?output_format=JSON")).headers["content-type"].startswith("text/xml")
    assert (await client.ask("GET", "orders", auth=False)).text == ""


@pytest.mark.parametrize("version", ["1.5", "1.6", "1.7", "8", "9"])
async def test_hard_orders_are_what_they_are_called(version: str) -> None:
    plain = SimulatedShop.generate(version=version, products=10, orders=5, clock=lambda: NOON)
    shop = SimulatedShop.generate(version=version, products=10, orders=5, hard=True, clock=lambda: NOON)
    assert shop.row("orders", 5) == plain.row("orders", 5)
    orders = [shop.row("orders", number) for number in shop.table("orders").ids() if number > 5]
    guests = [shop.row("customers", int(order["id_customer"])) for order in orders[:2]]
    assert guests[0]["id"] != guests[1]["id"]
    assert {(guest["email"], guest["is_guest"]) for guest in guests} == {("guest@example.test", "1")}
    assert any(order["conversion_rate"] == "0.850000" for order in orders)
    assert any(order["total_discounts"] == "5.000000" for order in orders)
    assert any((order["gift"], order["total_wrapping"]) == ("1", "3.000000") for order in orders)
    [reference] = [name for name, count in Counter(order["reference"] for order in orders).items() if count == 2]
    split = [order for order in orders if order["reference"] == reference]
    [payment] = shop.table("order_payments").find("order_reference", reference)
    paid = sum(float(order["total_paid"]) for order in split)
    assert float(shop.row("order_payments", payment)["amount"]) == pytest.approx(paid)
    assert split[0]["total_paid_real"] == "0.000000"
    [virtual] = [order for order in orders if order["id_carrier"] == "0"]
    assert shop.table("order_carriers").find("id_order", virtual["id"]) == []
    lines = [shop.row("order_details", row) for row in shop.table("order_details").ids()]
    assert any(int(line["product_id"]) not in shop.table("products") for line in lines)
    carriers = [shop.row("carriers", row) for row in shop.table("carriers").ids()]
    edited = [carrier for carrier in carriers if carrier["deleted"] == "1"]
    assert [carrier["id_reference"] for carrier in carriers].count(edited[0]["id_reference"]) == 2
    for order in orders:
        total = float(order["total_products_wt"]) + float(order["total_shipping"]) + float(order["total_wrapping"])
        assert total - float(order["total_discounts"]) == pytest.approx(float(order["total_paid"]))


async def test_generated_storefronts_share_their_stock() -> None:
    shop = SimulatedShop.generate(products=10, orders=3, storefronts=3, clock=lambda: NOON)
    client = Client(shop)
    assert (await client.get("products?sort=[id_ASC]")).ids == list(range(1, 11))
    assert (await client.get("products?sort=[id_ASC]&id_shop=3")).ids == [1, 3, 5, 7, 9]
    ours, theirs = (await client.get("products/1")), (await client.ask("GET", "../shop2/api/products/1"))
    assert float(theirs.node("price")) == pytest.approx(float(ours.node("price")) * 1.2)
    rows = await client.get("stock_availables?display=full&filter[id_product]=[1]&id_shop=2")
    assert (rows.node("id_shop"), rows.node("id_shop_group")) == ("0", "2")
    assert len((await client.get("orders?id_shop=all")).ids) == 5
    assert len((await client.get("orders?id_shop=3")).ids) == 1
    before = rows.node("quantity")
    [order] = (await client.get("orders?id_shop=3")).ids
    shop.set_order_state(order, 6)
    after = await client.get("stock_availables?display=full&filter[id_product]=[1]&id_shop=2")
    assert int(after.node("quantity")) == int(before) + 1
