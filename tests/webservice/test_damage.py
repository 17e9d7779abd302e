"""Damaged pages: the record at fault is named, the others come through, and nothing is ever taken for 'none'."""

import httpx
import pytest

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.query import Query, equals
from tests.webservice.shops import FakeClock, ListShop, client, document, errors, headers, stock_shop

PHP = "[PHP Notice #8] Trying to access array offset on value of type bool (/var/www/classes/Product.php, line 7178)"


def address_shop(count: int, **broken: str) -> ListShop:
    rows = [{"id": str(n), "company": broken.get(f"row{n}", f"Company {n}")} for n in range(1, count + 1)]
    return ListShop("addresses", "address", rows)


def is_json(request: httpx.Request) -> bool:
    return bool(request.url.params.get("output_format") == "JSON")


async def test_control_characters_are_taken_out_and_the_page_is_whole() -> None:
    shop = address_shop(3, row2="Bell\x0b& Co <x>\x00")
    async with client(shop) as reader:
        page = await reader.page(Query("addresses", ("company",), limit=10))
    assert [entity.text("company") for entity in page.entities] == ["Company 1", "Bell& Co <x>", "Company 3"]
    assert (page.damaged, page.complete) == ([], True)


async def test_a_cdata_end_in_a_text_is_repaired_through_the_json_list() -> None:
    shop = address_shop(5, row3="a ]]> b & c")
    async with client(shop) as reader:
        page = await reader.page(Query("addresses", ("company",), limit=10))
    assert [entity.text("company") for entity in page.entities][2] == "a ]]> b & c"
    assert len(page.entities) == 5
    assert (page.damaged, page.complete) == ([], True)
    assert reader.requests == 2


@pytest.mark.parametrize("count", [1, 2, 7, 50])
async def test_without_json_the_page_is_halved_down_to_the_record_at_fault(count: int) -> None:
    bad = (count + 1) // 2
    shop = address_shop(count, **{f"row{bad}": "a ]]> b"})
    shop.answer = lambda request, ids: httpx.Response(500) if is_json(request) else None
    async with client(shop) as reader:
        page = await reader.page(Query("addresses", ("company",), limit=100))
    assert [entity.id for entity in page.entities] == [id for id in range(1, count + 1) if id != bad]
    assert [damage.id for damage in page.damaged] == [bad]
    assert page.complete
    damaged = page.damaged[0]
    assert damaged.reason
    assert damaged.entity is not None
    assert damaged.entity.damaged


async def test_a_record_that_brings_php_messages_is_named_and_the_others_come_through() -> None:
    shop = stock_shop(40)

    def answer(request: httpx.Request, ids: list[int]) -> httpx.Response | None:
        named = request.url.params["display"] != "[id]"
        return errors(500, (5, PHP)) if named and {7, 33} & set(ids) else None

    shop.answer = answer
    async with client(shop) as reader:
        page = await reader.page(Query("stock_availables", ("quantity",), limit=100))
        listed = await reader.by_ids("stock_availables", ("quantity",), [6, 7, 8])
    assert [damage.id for damage in page.damaged] == [7, 33]
    assert len(page.entities) == 38
    assert "classes/Product.php" in page.damaged[0].reason
    assert [(row.id, row.damaged) for row in sorted(listed, key=lambda row: row.id)] == [
        (6, False),
        (7, True),
        (8, False),
    ]


async def test_a_shop_in_trouble_is_not_taken_for_many_damaged_records() -> None:
    shop = stock_shop(100)
    shop.answer = lambda request, ids: None if request.url.params["display"] == "[id]" else errors(500, (5, PHP))
    async with client(shop) as reader:
        with pytest.raises(e.WebserviceError):
            await reader.page(Query("stock_availables", ("quantity",), limit=100))
    assert reader.requests < 120


async def test_a_record_that_vanishes_during_the_repair_makes_the_page_incomplete() -> None:
    shop = address_shop(4, row2="a ]]> b")

    def answer(request: httpx.Request, ids: list[int]) -> httpx.Response | None:
        if is_json(request):
            return httpx.Response(500)
        if request.url.params.get("filter[id]") and 4 in ids:
            ids.remove(4)
        return None

    shop.answer = answer
    async with client(shop) as reader:
        page = await reader.page(Query("addresses", ("company",), limit=10))
    assert not page.complete
    assert [entity.id for entity in page.entities] == [1, 3]


async def test_a_cut_answer_is_asked_for_again() -> None:
    shop = stock_shop(30)
    cuts = iter([200, 1200])
    shop.mangle = lambda request, body: body[: next(cuts, len(body))]
    async with client(shop) as reader:
        page = await reader.page(Query("stock_availables", ("quantity",), limit=100))
    assert len(page.entities) == 30
    assert reader.requests == 3


async def test_an_answer_changed_on_its_way_is_refused() -> None:
    shop = stock_shop(30)
    shop.mangle = lambda request, body: body.replace(b"<quantity><![CDATA[5", b"<quantity><![CDATA[0")
    async with client(shop) as reader:
        await reader.root()
        with pytest.raises(e.AlteredAnswer):
            await reader.page(Query("stock_availables", ("quantity",), limit=100))


async def test_the_first_answer_changed_on_its_way_is_refused_too() -> None:
    shop = stock_shop(30)
    shop.mangle = lambda request, body: body.replace(b"<quantity><![CDATA[5", b"<quantity><![CDATA[0")
    async with client(shop) as reader:
        with pytest.raises(e.AlteredAnswer):
            await reader.page(Query("stock_availables", ("quantity",), limit=100))


async def test_one_altered_root_does_not_switch_the_check_sums_off() -> None:
    shop = stock_shop(30)
    roots: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        response = shop(request)
        if request.url.path != "/api/" or roots:
            return response
        roots.append(1)
        return httpx.Response(200, headers=dict(response.headers), content=response.content.replace(b"put", b"xut"))

    async with client(handler) as reader:
        assert (await reader.root()).may("PUT", "stock_availables")
        shop.mangle = lambda request, body: body.replace(b"<quantity><![CDATA[5", b"<quantity><![CDATA[0")
        with pytest.raises(e.AlteredAnswer):
            await reader.page(Query("stock_availables", ("quantity",), limit=100))


async def test_a_page_that_times_out_is_halved_at_once() -> None:
    shop = stock_shop(100)

    def handler(request: httpx.Request) -> httpx.Response:
        if int(request.url.params["limit"]) > 50:
            raise httpx.ReadTimeout("x")
        return shop(request)

    clock = FakeClock()
    async with client(handler, clock) as reader:
        pages = [page async for page in reader.pages("stock_availables", ("quantity",), page_size=200)]
    assert sum(page.length for page in pages) == 100
    assert clock.slept == []


async def test_a_proxy_that_rewrites_every_answer_does_not_lock_the_shop_out() -> None:
    shop = stock_shop(3)

    def proxied(request: httpx.Request) -> httpx.Response:
        response = shop(request)
        return httpx.Response(
            200, headers=dict(response.headers), content=response.content.replace(b"w3.org", b"cdn.example")
        )

    async with client(proxied) as reader:
        page = await reader.page(Query("stock_availables", ("quantity",), limit=100))
        root = await reader.root()
    assert len(page.entities) == 3
    assert root.intact is False


@pytest.mark.parametrize(
    "inner",
    [
        "<stock_available><id>1</id><quantity>1</quantity><id>2</id></stock_available>",
        "<stock_available><quantity>1</quantity></stock_available>",
        "<stock_available><id>1</id></stock_available>",
        "<stock_available><id>x</id><quantity>1</quantity></stock_available>",
        "<stock_available><id>1</id><quantity>1</quantity></stock_available>" * 2,
        "<stock_available><id>1</id><quantity>1</quantity></stock_available>stray",
        "<stock_available><id>1</id><quantity>1<b>2</b></quantity></stock_available>",
        "<stock_available><id>1</id><quantity><language>1</language></quantity></stock_available>",
    ],
)
async def test_a_well_formed_answer_that_does_not_hold_together_is_not_used(inner: str) -> None:
    body = document(f"<stock_availables>{inner}</stock_availables>")
    plain = {"Content-Type": "text/xml", "PSWS-Version": "8.2.1"}

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=plain, content=body)

    async with client(handler) as reader:
        with pytest.raises(e.WebserviceError):
            page = await reader.page(Query("stock_availables", ("quantity",), limit=10))
            assert page.damaged
            raise e.MalformedXml()


async def test_entities_and_document_types_are_not_expanded() -> None:
    bomb = (
        b'<?xml version="1.0"?><!DOCTYPE prestashop [<!ENTITY a "1"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
        b"<prestashop><products><product><id>&a;</id><name>&f;</name></product></products></prestashop>"
    )

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers(bomb), content=bomb)

    async with client(handler) as reader:
        with pytest.raises(e.MalformedXml):
            await reader.page(Query("products", ("name",), limit=10))


# -- paging --------------------------------------------------------------------------------------------------


async def test_pages_follow_the_id_and_end_with_a_short_page() -> None:
    shop = stock_shop(25)
    async with client(shop) as reader:
        lengths = [page.length async for page in reader.pages("stock_availables", ("quantity",), page_size=10)]
    assert lengths == [10, 10, 5]
    assert reader.requests == 3
    assert "filter%5Bid%5D=%3E%5B20%5D" in str(shop.requests[-1].url)
    assert "sort=%5Bid_ASC%5D" in str(shop.requests[-1].url)


async def test_a_last_full_page_costs_one_more_request_and_no_empty_page() -> None:
    async with client(stock_shop(20)) as reader:
        lengths = [page.length async for page in reader.pages("stock_availables", ("quantity",), page_size=10)]
    assert lengths == [10, 10]
    assert reader.requests == 3


async def test_an_empty_resource_is_one_empty_page() -> None:
    async with client(stock_shop(0)) as reader:
        pages = [page async for page in reader.pages("stock_availables", ("quantity",))]
    assert [page.length for page in pages] == [0]


async def test_pages_shrink_when_the_shop_breaks_down_and_grow_back() -> None:
    shop = stock_shop(2000)
    asked: list[int] = []

    def answer(request: httpx.Request, ids: list[int]) -> httpx.Response | None:
        asked.append(int(request.url.params["limit"]))
        return httpx.Response(500) if len(asked) < 5 else None

    shop.answer = answer
    async with client(shop) as reader:
        pages = [page async for page in reader.pages("stock_availables", ("quantity",), page_size=400)]
    assert [entity.id for page in pages for entity in page.entities] == list(range(1, 2001))
    assert asked[:5] == [400, 400, 400, 200, 200]
    assert max(asked[5:]) == 400


async def test_the_smallest_page_that_breaks_down_is_bisected() -> None:
    shop = stock_shop(60)

    def answer(request: httpx.Request, ids: list[int]) -> httpx.Response | None:
        return httpx.Response(500) if 17 in ids and request.url.params["display"] != "[id]" else None

    shop.answer = answer
    async with client(shop) as reader:
        pages = [page async for page in reader.pages("stock_availables", ("quantity",), page_size=40)]
    assert [damage.id for page in pages for damage in page.damaged] == [17]
    assert sum(len(page.entities) for page in pages) == 59


async def test_a_damaged_last_record_does_not_hide_the_rest() -> None:
    shop = address_shop(20, row10="a ]]> b")
    shop.answer = lambda request, ids: httpx.Response(500) if is_json(request) else None
    async with client(shop) as reader:
        pages = [page async for page in reader.pages("addresses", ("company",), page_size=10)]
    assert sum(page.length for page in pages) == 20


@pytest.mark.parametrize("ignored", ["filter[id]", "limit", "sort"])
async def test_a_shop_that_ignores_a_condition_is_caught(ignored: str) -> None:
    shop = stock_shop(25)

    def handler(request: httpx.Request) -> httpx.Response:
        if ignored == "sort":
            rows = "".join(f"<stock_available><id>{n}</id><quantity>1</quantity></stock_available>" for n in (1, 20, 3))
            body = document(f"<stock_availables>{rows}</stock_availables>")
            return httpx.Response(200, headers=headers(body), content=body)
        return shop(httpx.Request("GET", request.url.copy_remove_param(ignored)))

    async with client(handler) as reader:
        with pytest.raises(e.UnexpectedAnswer):
            async for _ in reader.pages("stock_availables", ("quantity",), page_size=10):
                pass


# -- batches -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", ["basic", "ws_key"])
async def test_batches_bring_every_id_with_addresses_below_4_kb(auth: str) -> None:
    shop = ListShop(
        "stock_availables", "stock_available", [{"id": str(n), "quantity": "1"} for n in range(10**9, 10**9 + 950)]
    )
    async with client(shop, auth=auth) as reader:
        found = await reader.by_ids("stock_availables", ("quantity",), [*shop.rows, *list(shop.rows)[:5], 7])
    assert sorted(entity.id for entity in found) == sorted(shop.rows)
    assert all(len(str(request.url)) < 4000 for request in shop.requests)
    assert len(shop.requests) <= 6


async def test_no_ids_ask_nothing() -> None:
    shop = stock_shop(3)
    async with client(shop) as reader:
        assert await reader.by_ids("stock_availables", ("quantity",), []) == []
    assert reader.requests == 0


async def test_a_batch_whose_filter_is_ignored_is_caught() -> None:
    shop = stock_shop(30)

    def handler(request: httpx.Request) -> httpx.Response:
        return shop(httpx.Request("GET", request.url.copy_remove_param("filter[id]")))

    async with client(handler) as reader:
        with pytest.raises(e.UnexpectedAnswer):
            await reader.by_ids("stock_availables", ("quantity",), [1, 2])


async def test_one_record_with_a_broken_text_comes_through_json_or_marked_damaged() -> None:
    rows = [{"id": "7", "company": "a ]]> b"}]
    shop = ListShop("addresses", "address", rows)
    without_json = False

    def handler(request: httpx.Request) -> httpx.Response:
        if without_json and is_json(request):
            return httpx.Response(500)
        if request.url.path == "/api/addresses/7":
            body = document("<address>\n\t<id><![CDATA[7]]></id>\n\t<company><![CDATA[a ]]> b]]></company>\n</address>")
            return httpx.Response(200, headers=headers(body), content=body)
        return shop(request)

    async with client(handler) as reader:
        repaired = await reader.one("addresses", 7)
        without_json = True
        damaged = await reader.one("addresses", 7)
        assert (await reader.page(Query("addresses", ("company",), {"company": equals("x")}, limit=5))).damaged
    assert repaired is not None and repaired.text("company") == "a ]]> b" and not repaired.damaged
    assert damaged is not None and damaged.damaged
