"""What PUT, POST, PATCH and DELETE do to an entity (WEBSERVICE §3)."""

import pytest

from prestaconsole.sandbox import SimulatedShop
from tests.sandbox.conftest import BODY, Client

MAKER = "<manufacturer><active>1</active><name>{}</name></manufacturer>"

NAME = '<name><language id="1">New</language></name>'


async def test_a_post_answers_201_with_the_new_id(shop: SimulatedShop, client: Client) -> None:
    answer = await client.post("manufacturers", MAKER.format("Łódź &amp; Fils"))
    assert answer.status == 201
    row = shop.row("manufacturers", int(answer.node("id")))
    assert (row["name"], row["active"], row["date_add"]) == ("Łódź & Fils", "1", shop.now())


async def test_two_entities_in_one_body(client: Client) -> None:
    answer = await client.post("manufacturers", MAKER.format("A") + MAKER.format("B"))
    assert [node.findtext("name") for node in answer.tree] == ["A", "B"]


@pytest.mark.parametrize(
    ("method", "nodes", "status", "code"),
    [
        ("POST", "<manufacturer><id>1</id><name>A</name></manufacturer>", 400, 91),
        ("PUT", "<manufacturer><name>A</name></manufacturer>", 400, 90),
        ("PUT", "<manufacturer><id>1</id></manufacturer>" * 2, 400, 89),
        ("PUT", "<manufacturer><id>999</id><name>A</name><active>1</active></manufacturer>", 404, 92),
        ("POST", "<manufacturer><active>1</active></manufacturer>", 400, 41),
        ("POST", f"<manufacturer><active>1</active><name>{'x' * 65}</name></manufacturer>", 400, 85),
    ],
)
async def test_refusals(client: Client, method: str, nodes: str, status: int, code: int) -> None:
    answer = await client.ask(method, "manufacturers", BODY.format(nodes))
    assert (answer.status, answer.codes) == (status, [code])


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("price", "abc", 85),
        ("price", "-5", 85),
        ("price", "", 85),
        ("ean13", "12AB", 85),
        ("reference", "x" * 65, 85),
        ("reference", "a=b", 85),
        ("quantity", "5", 93),
        ("manufacturer_name", "x", 93),
        ("active", "2", 85),
        ("visibility", "nowhere", 85),
    ],
)
async def test_product_fields_are_checked(client: Client, field: str, value: str, code: int) -> None:
    price = "" if field == "price" else "<price>1</price>"
    answer = await client.post("products", f"<product>{NAME}{price}<{field}>{value}</{field}></product>")
    assert (answer.status, answer.codes) == (400, [code])
    assert field in answer.message


async def test_a_bad_name_is_code_84(client: Client) -> None:
    nodes = '<product><price>1</price><name><language id="1">a&lt;b&gt;</language></name></product>'
    answer = await client.post("products", nodes)
    assert (answer.status, answer.codes) == (400, [84])
    assert "Product-&gt;name is not valid" in answer.message


async def test_a_partial_put_blanks_a_product_and_a_patch_does_not(shop: SimulatedShop, client: Client) -> None:
    before = shop.row("products", 1)
    await client.patch("products/1", "<product><id>1</id><price>3.5</price></product>")
    assert shop.row("products", 1) == before | {"price": "3.500000", "date_upd": shop.now()}
    await client.put("products/1", "<product><id>1</id><price>4</price></product>")
    after = shop.row("products", 1)
    assert (after["reference"], after["active"], after["state"], after["name"]) == (
        "",
        "0",
        "0",
        {1: "", 2: ""},
    )
    assert (await client.get("products/1")).node("price") == "4.000000"


async def test_a_language_not_sent_is_blanked(shop: SimulatedShop, client: Client) -> None:
    nodes = '<product><id>1</id><name><language id="1">One</language></name></product>'
    await client.patch("products/1", nodes)
    name = (await client.get("products/1")).tree.find("product/name")
    assert name is not None
    assert [node.text or "" for node in name] == ["One", ""]


async def test_unknown_nodes_are_ignored_and_unknown_associations_are_not(client: Client) -> None:
    good = await client.post("products", f"<product>{NAME}<price>1</price><nope>1</nope></product>")
    assert good.status == 201
    count = len(client.shop.table("products"))
    links = "<associations><nope/></associations>"
    bad = await client.post("products", f"<product>{NAME}<price>1</price>{links}</product>")
    assert (bad.status, bad.codes) == (400, [86])
    assert len(client.shop.table("products")) == count + 1


async def test_a_shorter_list_of_combinations_deletes_the_others(shop: SimulatedShop, client: Client) -> None:
    kept, gone = shop.table("combinations").find("id_product", 5)[:2]
    links = f"<associations><combinations><combination><id>{kept}</id></combination></combinations></associations>"
    await client.patch("products/5", f"<product><id>5</id>{links}</product>")
    assert shop.table("combinations").find("id_product", 5) == [kept]
    assert (await client.get(f"combinations/{gone}")).status == 404
    assert shop.quantity(5, 0) == shop.quantity(5, kept)


async def test_categories_are_replaced(client: Client) -> None:
    links = "<associations><categories><category><id>4</id></category></categories></associations>"
    await client.patch("products/1", f"<product><id>1</id>{links}</product>")
    answer = await client.get("products/1")
    assert [node.findtext("id") for node in answer.tree.iter("category")] == ["4"]


async def test_the_id_in_the_body_decides(shop: SimulatedShop, client: Client) -> None:
    await client.patch("products/999", "<product><id>1</id><price>7</price></product>")
    assert shop.row("products", 1)["price"] == "7.000000"


async def test_the_echo_shows_what_was_sent_not_what_was_stored(shop: SimulatedShop, client: Client) -> None:
    answer = await client.post("products", f"<product>{NAME}<price>12.5</price></product>")
    assert answer.node("price") == "12.5"
    assert answer.node("weight") == ""
    stored = shop.row("products", int(answer.node("id")))
    assert (stored["price"], stored["weight"]) == ("12.500000", "0.000000")


async def test_deleting(shop: SimulatedShop, client: Client) -> None:
    assert (await client.ask("DELETE", "manufacturers/1")).status == 200
    again = await client.ask("DELETE", "manufacturers/1")
    assert (again.status, again.codes) == (404, [87])
    partly = await client.ask("DELETE", "manufacturers/?id=[2,999]")
    assert (partly.status, partly.codes) == (404, [87])
    assert 2 in shop.table("manufacturers")
    assert (await client.ask("DELETE", "manufacturers/?id=[2,3]")).status == 200
    assert 2 not in shop.table("manufacturers")


async def test_a_deleted_product_takes_its_stock_and_leaves_its_order_lines(
    shop: SimulatedShop, client: Client
) -> None:
    id_order = shop.sell(1)
    await client.ask("DELETE", "products/1")
    assert (await client.get("products/1")).status == 404
    assert shop.table("stock_availables").find("id_product", 1) == []
    lines = await client.get(f"order_details?display=full&filter[id_order]=[{id_order}]")
    assert lines.node("product_id") == "1"
    shop.set_order_state(id_order, 6)


async def test_an_address_of_an_order_is_only_marked_deleted(shop: SimulatedShop, client: Client) -> None:
    used = int(shop.row("orders", 1)["id_address_delivery"])
    assert (await client.ask("DELETE", f"addresses/{used}")).status == 200
    assert (await client.get(f"addresses/{used}")).node("deleted") == "1"


async def test_the_same_customer_mail_twice(client: Client) -> None:
    person = "<customer><passwd>Sekret-pass-1</passwd><lastname>Żółć</lastname>"
    person += "<firstname>Zoë</firstname><email>{}</email></customer>"
    assert (await client.post("customers", person.format("a@b.example"))).status == 201
    again = await client.post("customers", person.format("a@b.example"))
    assert (again.status, again.codes) == (500, [140, 46])
    assert (await client.post("customers", person.format("nope"))).codes == [85]


@pytest.mark.parametrize("body", ["", "<prestashop><a>", '{"stock": 1}', "<prestashop>&nbsp;</prestashop>"])
async def test_a_body_that_is_not_xml(client: Client, body: str) -> None:
    answer = await client.ask("PUT", "stock_availables/1", body)
    assert answer.status == 500
    assert answer.codes[-1] == 127


async def test_a_body_may_begin_with_xml_equals(shop: SimulatedShop, client: Client) -> None:
    nodes = "<stock_available><id>1</id><quantity>9</quantity></stock_available>"
    answer = await client.ask("PATCH", "stock_availables/1", "xml=" + BODY.format(nodes))
    assert (answer.status, shop.quantity(1)) == (200, 9)


async def test_ps_method_turns_a_post_into_a_put(shop: SimulatedShop, client: Client) -> None:
    row = await client.stock_row(1, quantity="31")
    answer = await client.post("stock_availables/1?ps_method=PUT", row)
    assert (answer.status, shop.quantity(1)) == (200, 31)


async def test_a_key_in_a_body_s_node_name_does_not_matter(shop: SimulatedShop, client: Client) -> None:
    answer = await client.patch("products/1", "<specific_price><id>1</id><price>2</price></specific_price>")
    assert answer.status == 200
    assert shop.row("products", 1)["price"] == "2.000000"


async def test_an_image_is_uploaded_listed_served_and_deleted(shop: SimulatedShop, client: Client) -> None:
    from prestaconsole.sandbox.pictures import png as picture

    assert (await client.get("images/products/1")).status == 404
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await client.ask("POST", "images/products/1", head + picture(1) + b"\r\n--b--\r\n", headers=kind)
    assert answer.status == 200
    image = answer.node("id")
    assert f'<declination id="{image}"' in (await client.get("images/products/1")).text
    assert '<image id="1"' in (await client.get("images/products")).text
    binary = await client.get(f"images/products/1/{image}")
    assert binary.headers["content-type"] == "image/png"
    refused = await client.ask("POST", "images/products/1", head + b"text\r\n--b--\r\n", headers=kind)
    assert (refused.status, refused.codes) == (400, [5, 76])
    assert (await client.ask("DELETE", f"images/products/1/{image}")).status == 200
    assert (await client.get("images/products/1")).status == 404


@pytest.mark.parametrize("version", ["1.6", "1.7", "8", "9"])
async def test_a_new_product_without_a_name_is_refused_by_php_itself(version: str) -> None:
    shop = SimulatedShop.generate(version=version, products=2, orders=0, seed=4)
    client = Client(shop)
    before = len(shop.table("products"))
    answer = await client.post("products", "<product><price>1</price></product>")
    assert (answer.status, answer.codes) == ((400, [84]) if version == "1.6" else (500, [3]))
    assert version == "1.6" or "foreach()" in answer.message
    assert len(shop.table("products")) == before
    missing = await client.post("products", "<product><active>1</active></product>")
    assert (missing.status, missing.codes) == (400, [41]), "what is required is looked for first"


@pytest.mark.parametrize(
    ("version", "place", "code"),
    [("1.6", "0", 0), ("1.6", "-1", 134), ("1.6", "99", 135), ("8", "0", 134), ("8", "", 134), ("8", "99", 135)],
)
async def test_a_place_in_the_category_is_checked(version: str, place: str, code: int) -> None:
    shop = SimulatedShop.generate(version=version, products=4, orders=0, seed=4)
    client = Client(shop)
    nodes = f"<product><id>1</id><price>1</price>{NAME}<id_category_default>3</id_category_default>"
    nodes += '<link_rewrite><language id="1">new</language></link_rewrite>'
    answer = await client.put("products/1", f"{nodes}<position_in_category>{place}</position_in_category></product>")
    assert (answer.status, answer.codes) == ((500, [code]) if code else (200, []))


async def test_a_product_moved_in_its_category_makes_the_others_move(shop: SimulatedShop, client: Client) -> None:
    table = shop.table("products")
    for place, row_id in enumerate((1, 2, 3, 4), 1):
        links = {"categories": [{"id": "3"}]}
        table.update(row_id, {"id_category_default": "3", "position_in_category": str(place), "associations": links})

    async def places() -> list[int]:
        found = [await client.get(f"products/{row_id}?display=[id,position_in_category]") for row_id in (1, 2, 3, 4)]
        return [int(answer.node("position_in_category")) for answer in found]

    moved = "<product><id>{}</id><position_in_category>{}</position_in_category></product>"
    assert (await client.patch("products/4", moved.format(4, 2))).status == 200
    assert await places() == [1, 3, 4, 2]
    assert (await client.patch("products/1", moved.format(1, 4))).status == 200
    assert await places() == [4, 2, 3, 1]


async def test_an_id_named_twice_is_deleted_once(shop: SimulatedShop, client: Client) -> None:
    assert (await client.ask("DELETE", "manufacturers/?id=[2,2]")).status == 200
    assert 2 not in shop.table("manufacturers")


async def test_an_order_of_a_carrier_that_is_gone_gets_another(shop: SimulatedShop, client: Client) -> None:
    carriers = shop.table("carriers")
    gone = carriers.ids()[-1]
    carriers.update(gone, {"deleted": "1", "active": "0"})
    customer, address = shop.table("customers").ids()[0], shop.table("addresses").ids()[0]
    ids = f"<id_customer>{customer}</id_customer><id_address_delivery>{address}</id_address_delivery>"
    ids += f"<id_address_invoice>{address}</id_address_invoice><id_carrier>{gone}</id_carrier>"
    ids += "<id_currency>1</id_currency><id_lang>1</id_lang>"
    row = "<cart_row><id_product>1</id_product><quantity>1</quantity></cart_row>"
    links = f"<associations><cart_rows>{row}</cart_rows></associations>"
    cart = (await client.post("carts", f"<cart>{ids}{links}</cart>")).node("id")
    paid = "".join(
        f"<{name}>1</{name}>"
        for name in ("total_paid", "total_paid_real", "total_products", "total_products_wt", "conversion_rate")
    )
    method = "<module>ps_checkpayment</module><payment>Cheque</payment>"
    answer = await client.post("orders", f"<order>{ids}<id_cart>{cart}</id_cart>{method}{paid}</order>")
    assert answer.status == 201
    assert shop.row("orders", int(answer.node("id")))["id_carrier"] not in ("0", str(gone))


async def test_hooks_are_counted_as_the_webservice_runs_them(shop: SimulatedShop, client: Client) -> None:
    def counted() -> dict[str, int]:
        found = {name: count for name, count in shop.hooks.items() if count}
        shop.hooks.clear()
        return found

    shop.hooks.clear()
    await client.patch("stock_availables/1", "<stock_available><id>1</id><quantity>3</quantity></stock_available>")
    assert counted() == {}, "a simple product's stock moves without a word (WEBSERVICE 7.4)"
    product = next(row for row in shop.table("combinations"))["id_product"]
    for row_id in shop.table("stock_availables").find("id_product", product):
        if shop.row("stock_availables", row_id)["id_product_attribute"] != "0":
            nodes = f"<stock_available><id>{row_id}</id><quantity>3</quantity></stock_available>"
            await client.patch(f"stock_availables/{row_id}", nodes)
            break
    assert counted() == {"actionUpdateQuantity": 1}
    await client.patch("products/1", "<product><id>1</id><price>2</price></product>")
    assert counted() == {"actionProductUpdate": 1}
    order = shop.sell(1)
    assert counted()["actionValidateOrder"] == 1
    nodes = f"<order_history><id_order>{order}</id_order><id_order_state>3</id_order_state></order_history>"
    await client.post("order_histories", nodes)
    assert counted() == {"actionOrderStatusUpdate": 1, "actionOrderStatusPostUpdate": 1}
