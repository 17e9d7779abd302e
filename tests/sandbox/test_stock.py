"""Stock rows behave as those of a real shop (F37–F46, R1)."""

import pytest

from prestaconsole.sandbox import SimulatedShop
from tests.sandbox.conftest import NOON, Client

COMBINED = 5  # the fifth product has combinations


def rows_of(shop: SimulatedShop, id_product: int) -> dict[int, int]:
    """Stock row ids of a product by combination id."""
    table = shop.table("stock_availables")
    return {
        int(shop.row("stock_availables", row_id)["id_product_attribute"]): row_id
        for row_id in table.find("id_product", id_product)
    }


async def test_a_whole_row_put_back_changes_the_quantity_alone(shop: SimulatedShop, client: Client) -> None:
    before = shop.row("stock_availables", 1)
    answer = await client.put("stock_availables/1", await client.stock_row(1, quantity="77"))
    assert answer.status == 200
    assert answer.node("quantity") == "77"
    assert shop.row("stock_availables", 1) == before | {"quantity": "77"}
    assert shop.writes == 1


async def test_patch_needs_only_id_and_quantity(shop: SimulatedShop, client: Client) -> None:
    before = shop.row("stock_availables", 1)
    answer = await client.patch(
        "stock_availables/1", "<stock_available><id>1</id><quantity>12</quantity></stock_available>"
    )
    assert answer.status == 200
    assert shop.row("stock_availables", 1) == before | {"quantity": "12"}


async def test_patch_does_not_exist_before_version_8() -> None:
    client = Client(SimulatedShop.generate(version="1.7", products=2, orders=0))
    answer = await client.patch("stock_availables/1", "<stock_available><id>1</id></stock_available>")
    assert (answer.status, answer.codes) == (405, [23])


async def test_a_put_without_shop_columns_loses_the_row(shop: SimulatedShop, client: Client) -> None:
    row = shop.row("stock_availables", 1)
    nodes = "".join(f"<{name}>{text}</{name}>" for name, text in row.items() if not name.startswith("id_shop"))
    answer = await client.put("stock_availables/1", f"<stock_available>{nodes}</stock_available>")
    assert answer.status == 200
    single = await client.get("stock_availables/1")
    assert (single.status, single.codes) == (404, [131])
    assert (await client.get("stock_availables?filter[id]=[1]")).ids == []
    product = await client.get("products/1")
    assert list(product.tree.iter("stock_available")) == []
    restored = await client.put("stock_availables/1", await client.stock_row(1, id_shop="1"))
    assert restored.status == 200
    assert (await client.get("stock_availables?filter[id]=[1]")).ids == [1]


async def test_a_put_without_location_wipes_it(shop: SimulatedShop, client: Client) -> None:
    shop.table("stock_availables").update(1, {"location": "A1"})
    nodes = (await client.stock_row(1)).replace("<location>A1</location>", "")
    assert (await client.put("stock_availables/1", nodes)).status == 200
    assert shop.row("stock_availables", 1)["location"] == ""


async def test_writing_a_combination_makes_the_parent_the_sum(shop: SimulatedShop, client: Client) -> None:
    rows = rows_of(shop, COMBINED)
    others = sum(shop.quantity(COMBINED, one) for one in rows if one not in (0, 1))
    await client.put(f"stock_availables/{rows[1]}", await client.stock_row(rows[1], quantity="500"))
    assert shop.quantity(COMBINED, 0) == 500 + others


async def test_writing_the_parent_is_accepted_and_leaves_it_wrong(shop: SimulatedShop, client: Client) -> None:
    rows = rows_of(shop, COMBINED)
    answer = await client.put(f"stock_availables/{rows[0]}", await client.stock_row(rows[0], quantity="7"))
    assert answer.status == 200
    assert shop.quantity(COMBINED, 0) == 7
    await client.put(f"stock_availables/{rows[1]}", await client.stock_row(rows[1]))
    assert shop.quantity(COMBINED, 0) == sum(shop.quantity(COMBINED, one) for one in rows if one)


async def test_a_bulk_put_writes_up_to_the_bad_row(shop: SimulatedShop, client: Client) -> None:
    nodes = [await client.stock_row(row, quantity="901") for row in (1, 2, 4)]
    nodes[1] = nodes[1].replace("901", "abc")
    kept = shop.row("stock_availables", 4)["quantity"]
    answer = await client.put("stock_availables", "".join(nodes))
    assert (answer.status, answer.codes) == (400, [85])
    assert shop.row("stock_availables", 1)["quantity"] == "901"
    assert shop.row("stock_availables", 4)["quantity"] == kept


async def test_a_bulk_put_answers_with_all_rows(client: Client) -> None:
    nodes = "".join([await client.stock_row(row, quantity="3") for row in (1, 2, 4)])
    answer = await client.put("stock_availables", nodes)
    assert [entity.findtext("id") for entity in answer.tree] == ["1", "2", "4"]


async def test_a_large_body_is_taken() -> None:
    shop = SimulatedShop.generate(products=400, orders=0)
    client = Client(shop)
    nodes = "".join([await client.stock_row(row, quantity="3") for row in shop.table("stock_availables").ids()])
    assert len(nodes) > 65536
    assert (await client.put("stock_availables", nodes)).status == 200
    assert {row["quantity"] for row in shop.table("stock_availables") if row["id_product"] == "1"} == {"3"}


@pytest.mark.parametrize(
    ("quantity", "stored"),
    [("-3", "-3"), ("0", "0"), ("2147483647", "2147483647")],
)
async def test_quantities_a_shop_takes(shop: SimulatedShop, client: Client, quantity: str, stored: str) -> None:
    answer = await client.put("stock_availables/1", await client.stock_row(1, quantity=quantity))
    assert answer.status == 200
    assert shop.row("stock_availables", 1)["quantity"] == stored


@pytest.mark.parametrize("quantity", [" 12 ", "+5", "2.5", "abc", "", "99999999999"])
async def test_quantities_a_shop_refuses(shop: SimulatedShop, client: Client, quantity: str) -> None:
    before = shop.row("stock_availables", 1)["quantity"]
    answer = await client.put("stock_availables/1", await client.stock_row(1, quantity=quantity))
    assert (answer.status, answer.codes) == (400, [85])
    assert shop.row("stock_availables", 1)["quantity"] == before


async def test_1_6_takes_a_huge_quantity_echoes_it_and_stores_the_largest_integer() -> None:
    shop = SimulatedShop.generate(version="1.6", products=2, orders=0)
    client = Client(shop)
    answer = await client.put("stock_availables/1", await client.stock_row(1, quantity="99999999999"))
    assert answer.node("quantity") == "99999999999"
    assert shop.quantity(1) == 2147483647


@pytest.mark.parametrize(("version", "status"), [("1.6", 500), ("8", 500), ("9", 200)])
async def test_depends_on_stock(version: str, status: int) -> None:
    client = Client(SimulatedShop.generate(version=version, products=2, orders=0))
    answer = await client.put("stock_availables/1", await client.stock_row(1, depends_on_stock="1"))
    assert answer.status == status
    assert answer.codes == ([133, 46] if status == 500 else [])


async def test_another_product_s_row_is_not_taken(client: Client) -> None:
    answer = await client.put("stock_availables/1", await client.stock_row(1, id_product="2"))
    assert (answer.status, answer.codes) == (500, [46])


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_stock_rows_are_neither_made_nor_deleted(client: Client, method: str) -> None:
    answer = await client.ask(method, "stock_availables/1", "<prestashop/>")
    assert (answer.status, answer.codes) == (405, [101])


@pytest.mark.parametrize("missing", ["quantity", "id_product", "depends_on_stock", "out_of_stock"])
async def test_a_put_must_name_the_required_fields(client: Client, missing: str) -> None:
    nodes = await client.stock_row(1)
    start = nodes.index(f"<{missing}>")
    end = nodes.index(f"</{missing}>") + len(missing) + 3
    answer = await client.put("stock_availables/1", nodes[:start] + nodes[end:])
    assert (answer.status, answer.codes) == (400, [41])
    assert missing in answer.message


async def test_a_stock_write_does_not_move_the_product_s_date(shop: SimulatedShop, client: Client) -> None:
    before = shop.row("products", 1)["date_upd"]
    await client.put("stock_availables/1", await client.stock_row(1, quantity="4"))
    assert shop.row("products", 1)["date_upd"] == before


async def test_1_6_rows_have_no_location() -> None:
    shop = SimulatedShop.generate(version="1.6", products=2, orders=0, clock=lambda: NOON)
    assert "<location>" not in (await Client(shop).get("stock_availables/1")).text


async def test_new_products_and_combinations_bring_their_rows(shop: SimulatedShop, client: Client) -> None:
    name = '<name><language id="1">New</language></name>'
    made = await client.post("products", f"<product>{name}<price>5</price><state>1</state></product>")
    id_product = int(made.node("id"))
    assert shop.quantity(id_product) == 0
    combination = await client.post(
        "combinations",
        f"<combination><id_product>{id_product}</id_product><minimal_quantity>1</minimal_quantity></combination>",
    )
    id_attribute = int(combination.node("id"))
    assert shop.quantity(id_product, id_attribute) == 0
    product = await client.get(f"products/{id_product}")
    assert len(list(product.tree.iter("stock_available"))) == 2
    await client.ask("DELETE", f"combinations/{id_attribute}")
    with pytest.raises(KeyError):
        shop.quantity(id_product, id_attribute)


@pytest.mark.parametrize(("kind", "pack", "part"), [("0", 1, 0), ("1", 0, 3), ("2", 1, 3), ("3", 1, 0)])
def test_a_pack_sold_takes_from_its_own_row_or_its_parts_as_its_type_says(
    shop: SimulatedShop, kind: str, pack: int, part: int
) -> None:
    component = shop.add_product(name="Part", quantity=50)
    parts = {"product_bundle": [{"id": str(component), "id_product_attribute": "0", "quantity": "3"}]}
    sold = shop.add_product(name="Pack", quantity=40, pack_stock_type=kind)
    shop.table("products").update(sold, {"associations": parts})
    order = shop.sell(sold)
    assert (shop.quantity(sold), shop.quantity(component)) == (40 - pack, 50 - part)
    shop.set_order_state(order, int(shop.configuration("PS_OS_CANCELED")))
    assert (shop.quantity(sold), shop.quantity(component)) == (40, 50)
