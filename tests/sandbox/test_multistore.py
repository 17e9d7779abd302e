"""One installation with three storefronts, two of which share their stock: each context sees and changes its own."""

from pathlib import Path

import pytest

from prestaconsole.sandbox import SimulatedShop
from tests.sandbox.conftest import Client
from tests.support.shared import dump_folder

PRICES = "products?display=[id,price,active]&filter[id]=[20|21]&sort=[id_ASC]"


@pytest.fixture
def shops() -> SimulatedShop:
    return SimulatedShop.load(dump_folder("8.2.1-multistore"))


@pytest.fixture
def client(shops: SimulatedShop) -> Client:
    return Client(shops)


async def test_each_context_lists_its_own_orders_customers_and_products(client: Client) -> None:
    async def count(resource: str, context: str) -> int:
        return len((await client.get(f"{resource}?sort=[id_ASC]{context}")).ids)

    assert [await count("orders", one) for one in ("", "&id_shop=2", "&id_group_shop=2", "&id_shop=all")] == [
        *(211, 4, 8, 219)
    ]
    assert await count("customers", "&id_shop=3") == 8  # the group shares its customers
    assert [await count("products", f"&id_shop={number}") for number in (1, 2, 3)] == [396, 208, 207]
    assert await count("products", "&id_shop=all") == 396  # only the default shop's (R52)
    assert (await client.get("orders?filter[id_shop]=[2]")).ids == []


async def test_a_storefronts_own_folder_is_the_same_as_its_number(client: Client) -> None:
    by_number = await client.get("products/20?id_shop=2")
    by_folder = await client.ask("GET", "../shopb/api/products/20")
    assert by_number.text == by_folder.text
    assert "/shopb/api/categories/" in by_folder.text
    explicit = await client.ask("GET", "../shopb/api/products/20?id_shop=1")
    assert explicit.node("price") != by_folder.node("price")


async def test_a_product_of_another_shop_is_not_there_and_is_empty_seen_from_all(client: Client) -> None:
    assert (await client.get("products/241")).codes == [131]
    assert (await client.get("products/241?id_group_shop=1")).codes == [131]
    assert (await client.get("products/241?id_shop=2")).node("price") == "40.322645"
    everywhere = await client.get("products/241?id_shop=all")
    assert (everywhere.status, everywhere.node("price"), everywhere.node("active")) == (200, "", "")


async def test_a_price_written_for_a_group_copies_the_default_shops_product_over_the_others(client: Client) -> None:
    before = await client.get(f"{PRICES}&id_shop=3")
    assert before.node("active") == "0"
    await client.patch("products/20?id_group_shop=2", "<product><id>20</id><price>222.22</price></product>")
    after = await client.get(f"{PRICES}&id_shop=3")
    assert (after.node("price"), after.node("active")) == ("222.220000", "1")
    assert (await client.get(PRICES)).node("price") == "5.516072"
    await client.patch("products/20?id_shop=2", "<product><id>20</id><price>7</price></product>")
    assert (await client.get(f"{PRICES}&id_shop=2")).node("price") == "7.000000"
    assert (await client.get(f"{PRICES}&id_shop=3")).node("price") == "222.220000"


async def test_a_price_written_where_the_product_is_not_sold_breaks_it_there(client: Client) -> None:
    assert (await client.get(f"{PRICES}&id_shop=3")).ids == [20]
    answer = await client.patch("products/21?id_shop=3", "<product><id>21</id><price>9</price></product>")
    assert answer.status == 200
    assert (await client.get("products/21?id_shop=3")).node("active") == "0"
    assert (await client.get("products/21?id_shop=3")).node("id_category_default") == "0"


async def test_a_new_product_is_in_the_shop_it_was_made_in_and_no_other(client: Client) -> None:
    name = "<name><language id='1'>New</language></name>"
    made = await client.post("products?id_shop=2", f"<product>{name}<price>1</price><state>1</state></product>")
    number = made.node("id")
    for context, there in (("", []), ("&id_shop=2", [int(number)]), ("&id_shop=3", []), ("&id_shop=all", [])):
        assert (await client.get(f"products?filter[id]=[{number}]{context}")).ids == there
    stock = await client.get(f"stock_availables?display=full&filter[id_product]=[{number}]&id_shop=3")
    assert (stock.node("id_shop"), stock.node("id_shop_group")) == ("0", "2")


async def test_the_parents_sum_follows_only_from_a_context_that_owns_the_row(
    shops: SimulatedShop, client: Client
) -> None:
    async def parent(context: str, quantity: str) -> str:
        await client.put(f"stock_availables/17214{context}", await client.stock_row(17214, quantity=quantity))
        return str(shops.row("stock_availables", 17215)["quantity"])

    start = shops.row("stock_availables", 17215)["quantity"]
    rest = int(start) - int(shops.row("stock_availables", 17214)["quantity"])
    assert await parent("", "112") == start
    assert await parent("?id_shop=all", "212") == start
    assert await parent("?id_shop=2", "312") == str(rest + 312)
    assert await parent("?id_group_shop=2", "412") == str(rest + 412)


async def test_goods_of_a_cancelled_order_go_back_to_the_row_of_its_shop(shops: SimulatedShop, client: Client) -> None:
    [detail] = shops.table("order_details").find("id_order", 213)[:1]
    line = shops.row("order_details", detail)
    rows = {
        row["id_shop_group"]: int(row["id"])
        for row in shops.table("stock_availables")
        if row["id_product"] == line["product_id"] and row["id_product_attribute"] == line["product_attribute_id"]
    }
    before = {group: int(shops.row("stock_availables", row)["quantity"]) for group, row in rows.items()}
    body = "<order_history><id_order>213</id_order><id_order_state>6</id_order_state></order_history>"
    assert (await client.post("order_histories", body)).status == 201
    after = {group: int(shops.row("stock_availables", row)["quantity"]) for group, row in rows.items()}
    assert after == before | {"2": before["2"] + int(line["product_quantity"])}


async def test_several_shops_survive_being_written_and_read_again(shops: SimulatedShop, tmp_path: Path) -> None:
    shops.dump(tmp_path / "many")
    again = SimulatedShop.load(tmp_path / "many")
    assert again.storefronts is not None
    for path in (f"{PRICES}&id_shop=3", "orders?id_shop=all", "stock_availables?id_shop=2&display=full"):
        assert (await Client(again).get(path)).text == (await Client(shops).get(path)).text
