"""Lists and single entities, as a shop gives them to any client."""

import json

import pytest

from prestaconsole.sandbox import SimulatedShop
from tests.sandbox.conftest import NOON, Client
from tests.support.shared import dump_folder


async def test_a_list_without_display_holds_ids_and_addresses(client: Client) -> None:
    answer = await client.get("orders?limit=2&sort=[id_ASC]")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/xml;charset=utf-8"
    assert '<order id="1" xlink:href="http://shop.example/api/orders/1"/>' in answer.text
    assert answer.ids == [1, 2]


async def test_an_id_cursor_walks_over_every_row_once(shop: SimulatedShop, client: Client) -> None:
    seen: list[int] = []
    while True:
        last = seen[-1] if seen else 0
        page = await client.get(f"stock_availables?display=[id]&filter[id]=>[{last}]&sort=[id_ASC]&limit=7")
        if not page.ids:
            break
        seen += page.ids
    assert seen == list(shop.table("stock_availables").ids())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[5]", [5]),
        ("5", [5]),
        ("[3|5|999]", [3, 5]),
        ("[3,5]", [3, 4, 5]),
        ("[5,3]", [3, 4, 5]),
        (">[38]", [39, 40]),
        ("<[3]", [1, 2]),
        ("![1]", list(range(2, 41))),
        ("![1|2]", list(range(3, 41))),
        ("[abc]", []),
        (">=[38]", list(range(1, 41))),
        ("x[5]", list(range(1, 41))),
    ],
)
async def test_each_form_of_an_id_filter(client: Client, value: str, expected: list[int]) -> None:
    answer = await client.get(f"products?filter[id]={value}&sort=[id_ASC]")
    assert answer.ids == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[SKU-0007]", [7]),
        ("[sku-0007]", [7]),
        ("SKU-0007", [7]),
        ("%[0007]", [7]),
        ("[SKU-000]%", list(range(1, 10))),
        ("%[-001]%", list(range(10, 20))),
        ("[SKU-0007|SKU-0009]", [7, 9]),
        ("[SKU-____]%", list(range(1, 41))),
        ("[NO-SUCH]", []),
    ],
)
async def test_each_form_of_a_text_filter(client: Client, value: str, expected: list[int]) -> None:
    answer = await client.ask("GET", f"products?filter[reference]={value.replace('%', '%25')}&sort=[id_ASC]")
    assert answer.ids == expected


async def test_two_filters_are_both_applied(client: Client) -> None:
    answer = await client.get("products?filter[id]=[1,20]&filter[reference]=[SKU-0007|SKU-0030]")
    assert answer.ids == [7]


async def test_names_are_found_without_their_accents(shop: SimulatedShop, client: Client) -> None:
    answer = await client.get("manufacturers?display=[id,name]&filter[name]=[akerlund]")
    assert answer.node("name") == "Åkerlund"


async def test_filter_by_foreign_key_sees_rows_made_later(shop: SimulatedShop, client: Client) -> None:
    before = await client.get("order_details?filter[id_order]=[31]")
    assert before.ids == []
    shop.sell(1)
    after = await client.get("order_details?filter[id_order]=[31]")
    assert len(after.ids) == 1


async def test_dates_need_the_date_parameter(client: Client) -> None:
    refused = await client.get("orders?filter[date_upd]=>[2026-11-01 00:00:00]")
    assert (refused.status, refused.codes[0]) == (500, 32)
    answer = await client.get(
        "orders?date=1&filter[date_add]=[2026-11-10 00:00:00,2026-11-21 23:59:59]"
        "&display=[id,date_add]&sort=[date_add_ASC]"
    )
    dates = [node.text or "" for node in answer.tree.iter("date_add")]
    assert dates
    assert dates == sorted(dates)
    assert min(dates) >= "2026-11-10"


async def test_a_date_filter_on_a_table_without_the_column_finds_nothing(client: Client) -> None:
    answer = await client.get("stock_availables?date=1&filter[date_upd]=>[2026-01-01]")
    assert (answer.status, answer.ids) == (200, [])


async def test_an_sql_error_is_an_empty_500_on_version_9() -> None:
    client = Client(SimulatedShop.generate(version="9", clock=lambda: NOON))
    answer = await client.get("stock_availables?display=[id]&limit=-1")
    assert (answer.status, answer.text) == (500, "")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("filter[nope]=[1]", 32),
        ("filter[reference]=", 33),
        ("filter[quantity]=[1]", 34),
        ("filter[a][b]=[1]", 31),
        ("display=[nope]", 35),
        ("display=[id,images[nope]]", 35),
        ("display=id,reference", 36),
        ("sort=[id_UP]", 37),
        ("sort=[nope_ASC]", 38),
        ("limit=1,2,3", 39),
        ("schema=nope", 28),
    ],
)
@pytest.mark.parametrize(("version", "status"), [("1.6", 400), ("1.7", 400), ("8", 500), ("9", 500)])
async def test_a_bad_query_is_refused_with_its_code(query: str, code: int, version: str, status: int) -> None:
    client = Client(SimulatedShop.generate(version=version, products=2, orders=0, clock=lambda: NOON))
    answer = await client.get(f"products?{query}")
    assert (answer.status, answer.codes[0]) == (status, code)


@pytest.mark.parametrize(
    ("language", "code"),
    [("99", 81), ("x", 79), ("[1,2,3]", 78), ("[1|x]", 80)],
)
async def test_a_bad_language_is_refused_with_its_code(client: Client, language: str, code: int) -> None:
    answer = await client.get(f"products?language={language}")
    assert (answer.status, answer.codes) == (400, [code])


async def test_one_language_still_comes_as_language_nodes(client: Client) -> None:
    answer = await client.get("products/1?language=2")
    name = answer.tree.find("product/name")
    assert name is not None
    assert [node.get("id") for node in name] == ["2"]


async def test_display_names_fields_and_association_fields(client: Client) -> None:
    answer = await client.get("products?display=[id,reference,stock_availables[id]]&filter[id]=[5]")
    product = answer.tree[0][0]
    assert [str(node.tag) for node in product] == ["id", "reference", "associations"]
    assert {str(node.tag) for row in product.iter("stock_available") for node in row} == {"id"}


async def test_sorting_by_two_fields(client: Client) -> None:
    answer = await client.get("products?display=[id,active,price]&sort=[active_ASC,price_DESC]")
    rows = [(row.findtext("active"), -float(row.findtext("price") or 0)) for row in answer.tree[0]]
    assert rows == sorted(rows)


async def test_an_unsorted_list_is_not_in_the_order_of_ids(client: Client) -> None:
    for resource in ("stock_availables", "products", "order_payments", "order_states"):
        answer = await client.get(resource)
        assert answer.ids != sorted(answer.ids), resource
        assert sorted(answer.ids) == list(client.shop.table(resource).ids())


async def test_offset_and_limit(client: Client) -> None:
    assert (await client.get("products?sort=[id_ASC]&limit=3,2")).ids == [4, 5]
    assert (await client.get("products?limit=abc")).ids == []
    assert (await client.get("products?limit=1000,5")).ids == []


@pytest.mark.parametrize("path", ["products/9999", "products/abc", "orders/9999"])
async def test_a_missing_entity_is_an_empty_404(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.text) == (404, "")
    assert "content-type" not in answer.headers
    assert answer.headers["psws-version"] == "8.2.1"


async def test_an_unknown_resource_lists_the_known_ones(client: Client) -> None:
    answer = await client.get("no_such_things")
    assert (answer.status, answer.codes) == (400, [27])
    assert 'Did you mean: "countries"? The full list is: "addresses", ' in answer.message


async def test_head_answers_as_get_does_without_the_body(client: Client) -> None:
    answer = await client.ask("HEAD", "products/1")
    assert (answer.status, answer.text) == (200, "")
    assert len(answer.headers["content-sha1"]) == 40


async def test_the_headers_of_an_answer(client: Client) -> None:
    headers = (await client.get("products/1")).headers
    assert headers["psws-version"] == "8.2.1"
    assert headers["access-time"] == str(int(NOON))
    assert float(headers["execution-time"]) >= 0
    assert headers["x-powered-by"] == "PrestaShop Webservice"
    assert headers["set-cookie"].startswith("PrestaShop-")


async def test_an_unchanged_answer_is_304_from_version_8(client: Client) -> None:
    first = await client.get("languages/1")
    sha1 = first.headers["content-sha1"]
    again = await client.get("languages/1", headers={"Local-Content-Sha1": sha1})
    assert (again.status, again.text) == (304, "")


async def test_the_root_lists_what_the_key_may_do(shop: SimulatedShop) -> None:
    key = "ORDERS00ORDERS00ORDERS00ORDERS00"
    shop.add_key(key, {"orders": ["GET"], "stock_availables": ["GET", "PUT"]})
    answer = await Client(shop, key).get("")
    api = answer.tree[0]
    assert api.get("shopName") == "Sandbox"
    assert [str(node.tag) for node in api] == ["orders", "stock_availables"]
    assert (api[1].get("put"), api[1].get("patch"), api[1].get("head")) == ("true", "false", "false")


@pytest.mark.parametrize(("version", "named"), [("1.7", False), ("8", True)])
async def test_patch_is_named_in_the_root_from_version_8(version: str, named: bool) -> None:
    client = Client(SimulatedShop.generate(version=version, products=1, orders=0))
    assert ("patch=" in (await client.get("")).text) is named


async def test_json_of_one_entity_loses_its_zeros_from_version_8(client: Client) -> None:
    client.shop.set_quantity(1, 0, 0)
    single = json.loads((await client.get("stock_availables/1?output_format=JSON")).text)
    listed = json.loads((await client.get("stock_availables?display=full&filter[id]=[1]&output_format=JSON")).text)
    assert "quantity" not in single["stock_available"]
    assert listed["stock_availables"][0]["quantity"] == "0"
    assert listed["stock_availables"][0]["id"] == 1


async def test_json_keeps_zeros_before_version_8() -> None:
    client = Client(SimulatedShop.generate(version="1.7", products=1, orders=0))
    client.shop.set_quantity(1, 0, 0)
    single = json.loads((await client.get("stock_availables/1?output_format=JSON")).text)
    assert single["stock_available"]["quantity"] == "0"


async def test_version_9_shows_numbers_in_json() -> None:
    client = Client(SimulatedShop.generate(version="9", products=1, orders=0))
    client.shop.set_quantity(1, 0, 5)
    single = json.loads((await client.get("stock_availables/1?output_format=JSON")).text)
    assert single["stock_available"]["quantity"] == 5


async def test_json_must_be_asked_in_capitals_and_an_empty_list_is_a_bare_array(client: Client) -> None:
    assert (await client.get("products?output_format=json")).headers["content-type"].startswith("text/xml")
    by_header = await client.get("products", headers={"Io-Format": "JSON"})
    assert by_header.headers["content-type"] == "application/json"
    assert (await client.get("products?filter[id]=[999]&output_format=JSON")).text == "[]"


async def test_names_in_json_are_texts_for_one_language_and_lists_for_two(client: Client) -> None:
    one = json.loads((await client.get("products?display=[name]&limit=1&language=1&output_format=JSON")).text)
    two = json.loads((await client.get("products?display=[name]&limit=1&output_format=JSON")).text)
    assert isinstance(one["products"][0]["name"], str)
    assert [part["id"] for part in two["products"][0]["name"]] == ["1", "2"]


async def test_the_root_as_json_is_a_php_error_on_8_and_nothing_on_9() -> None:
    eight = await Client(SimulatedShop.generate(products=1, orders=0)).get("?output_format=JSON")
    nine = await Client(SimulatedShop.generate(version="9", products=1, orders=0)).get("?output_format=JSON")
    assert (eight.status, "array_filter" in eight.text) == (500, True)
    assert (nine.status, nine.text) == (500, "")


async def test_a_synopsis_marks_required_and_read_only_fields(client: Client) -> None:
    product = (await client.get("products?schema=synopsis")).tree[0]
    price, maker = product.find("price"), product.find("manufacturer_name")
    assert price is not None and price.get("required") == "true" and price.get("format") == "isPrice"
    assert maker is not None and maker.get("read_only") == "true"
    assert product.find("id") is None


async def test_a_blank_schema_leaves_out_what_cannot_be_written(client: Client) -> None:
    product = (await client.get("products?schema=blank")).tree[0]
    assert product.find("manufacturer_name") is None
    assert product.find("id") is not None


async def test_a_control_character_makes_the_answer_malformed(shop: SimulatedShop, client: Client) -> None:
    shop.table("addresses").update(1, {"other": "a\x0bb"})
    answer = await client.get("addresses/1")
    assert "a\x0bb" in answer.text


async def test_a_cdata_end_in_a_text_is_not_escaped(shop: SimulatedShop, client: Client) -> None:
    shop.table("addresses").update(1, {"other": "a]]>b"})
    assert "<![CDATA[a]]>b]]>" in (await client.get("addresses/1")).text


async def test_one_entity_with_display_is_an_empty_node_on_1_6() -> None:
    client = Client(SimulatedShop.generate(version="1.6", products=1, orders=0))
    node = (await client.get("products/1?display=[id,reference]")).tree[0]
    assert (node.get("id"), len(node)) == ("1", 0)


async def test_the_address_without_rewriting_works(shop: SimulatedShop) -> None:
    import httpx

    transport = httpx.ASGITransport(app=shop.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x", auth=(Client(shop).key, "")) as web:
        answer = await web.get("/webservice/dispatcher.php?url=languages/1")
        assert answer.status_code == 200
        assert "<iso_code><![CDATA[en]]></iso_code>" in answer.text
        assert (await web.get("/api")).status_code == 200
        assert (await web.get("/nowhere")).status_code == 404
        assert (await web.get("/")).headers["content-type"].startswith("text/html")


async def test_a_foreign_host_is_sent_to_the_front_page(shop: SimulatedShop, client: Client) -> None:
    shop.strict_host = "real.example"
    answer = await client.put("stock_availables/1", "<stock_available/>")
    assert answer.status == 302
    assert answer.headers["location"] == "http://real.example/?url=stock_availables%2F1"


async def test_shop_parameters(client: Client) -> None:
    assert (await client.get("products?id_shop=1")).status == 200
    assert (await client.get("products?id_shop=all")).status == 200
    assert (await client.get("products?id_shop=99")).status == 302
    assert (await client.get("products?id_shop=x")).status == 302
    assert (await client.get("products?id_shop=1,2")).codes == [999]
    assert (await client.get("products?id_group_shop=99")).codes == [999]


async def test_too_long_an_address_is_an_apache_414(client: Client) -> None:
    ids = "|".join(str(number) for number in range(3000))
    answer = await client.get(f"stock_availables?filter[id]=[{ids}]")
    assert answer.status == 414
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_price_alias_adds_a_field(client: Client) -> None:
    answer = await client.get("products?display=[id,price,mine]&price[mine][use_tax]=1&limit=1")
    assert answer.node("mine")


async def test_a_computed_price_counts_the_reduction_and_the_tax() -> None:
    client = Client(SimulatedShop.load(dump_folder("8.2.1")))
    path = "products?display=[id,price,mine]&filter[id]=[1|16]&sort=[id_ASC]&price[mine][use_tax]="
    with_tax = [row.findtext("mine") for row in (await client.get(f"{path}1")).tree[0]]
    assert with_tax == ["22.940000", "15.480000"]  # as recorded of the real shop
    without = [row.findtext("mine") for row in (await client.get(f"{path}0")).tree[0]]
    assert without == ["19.120000", "12.900000"]
    whole = await client.get(f"{path}0&price[mine][use_reduction]=0&price[mine][decimals]=0")
    assert whole.node("mine") == "24.000000"
