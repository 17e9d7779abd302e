"""Writes: done, refused or unknown, and never sent twice."""

from collections.abc import Mapping

import httpx
import pytest
import xmltodict

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.query import QueryError
from prestaconsole.webservice.writer import ShopWriter
from tests.webservice.shops import Handler, client, document, errors, headers, rows_xml, xml

ROW = {
    "id": "89",
    "id_product": "50",
    "id_product_attribute": "0",
    "id_shop": "1",
    "id_shop_group": "0",
    "quantity": "55",
    "depends_on_stock": "0",
    "out_of_stock": "2",
    "location": 'Étage <3> & "B" ]]> 10',
}
OTHER = {**ROW, "id": "90", "quantity": "-2", "location": ""}


class Shop:
    """Echoes what is written, or answers as told."""

    def __init__(self, answer: httpx.Response | Exception | None = None) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        sent = xmltodict.parse(request.content, force_list=("stock_available",))["prestashop"]["stock_available"]
        rows: list[Mapping[str, str]] = [{"id": row.get("id") or "7", "quantity": "x"} for row in sent]
        made = request.method == "POST" and b"ps_method" not in request.url.query
        return xml(rows_xml("stock_available", rows), 201 if made else 200)


async def put(shop: Handler, *, ps_method: bool = False) -> tuple[list[int], ShopClient]:
    async with client(shop, ps_method=ps_method) as reader:
        answer = await ShopWriter(reader).put_many("stock_availables", "stock_available", [ROW, OTHER], id_shop=2)
    return answer.ids, reader


async def test_a_bulk_put_sends_every_column_as_given_in_one_request() -> None:
    shop = Shop()
    ids, reader = await put(shop)
    assert ids == [89, 90]
    assert reader.requests == 1
    request = shop.requests[0]
    assert (request.method, request.url.path, request.url.params["id_shop"]) == ("PUT", "/api/stock_availables", "2")
    assert request.headers["content-type"].startswith("text/xml")
    sent = xmltodict.parse(request.content)["prestashop"]["stock_available"]
    assert [{name: value or "" for name, value in row.items()} for row in sent] == [ROW, OTHER]


async def test_a_blocked_put_travels_as_post_with_its_method_named() -> None:
    shop = Shop()
    ids, _ = await put(shop, ps_method=True)
    assert ids == [89, 90]
    assert shop.requests[0].method == "POST"
    assert shop.requests[0].url.params["ps_method"] == "PUT"


class Blocking(Shop):
    """A host that lets only some methods through to the shop behind it."""

    def __init__(self, page: httpx.Response, answer: httpx.Response | Exception | None = None) -> None:
        super().__init__(answer)
        self.page = page

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method in ("PUT", "PATCH"):
            self.requests.append(request)
            return self.page
        return super().__call__(request)


PAGES = [httpx.Response(status, html="<h1>Not here</h1>") for status in (403, 405, 406, 501)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.status_code))
async def test_a_method_that_the_host_blocks_goes_as_post_and_is_remembered(page: httpx.Response) -> None:
    shop = Blocking(page)
    async with client(shop) as reader:
        writer = ShopWriter(reader)
        first = await writer.put_many("stock_availables", "stock_available", [ROW, OTHER], id_shop=2)
        second = await writer.patch("stock_availables", "stock_available", {"id": 89, "quantity": 3})
        learned, endpoint = reader.learned, reader.endpoint
    assert (first.ids, second.ids) == ([89, 90], [89])
    assert [request.method for request in shop.requests] == ["PUT", "POST", "POST"]
    assert shop.requests[1].url.params["ps_method"] == "PUT"
    assert shop.requests[1].content == shop.requests[0].content
    assert learned == {"ps_method": True}
    assert endpoint.ps_method


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (errors(400, (85, "Validation error")), e.Refused),
        (httpx.Response(500), e.UnknownOutcome),
        (httpx.ReadTimeout("x"), e.UnknownOutcome),
    ],
)
async def test_what_comes_of_the_second_way_counts(
    answer: httpx.Response | Exception, error: type[e.WriteError]
) -> None:
    shop = Blocking(PAGES[0], answer)
    with pytest.raises(error) as caught:
        await put(shop)
    assert caught.value.kind != "blocked-by-host"
    assert len(shop.requests) == 2


@pytest.mark.parametrize("second", [PAGES[0], httpx.ConnectError("refused")])
async def test_where_the_second_way_is_shut_too_the_first_refusal_counts(second: httpx.Response | Exception) -> None:
    shop = Blocking(PAGES[1], second)
    async with client(shop) as reader:
        for _ in range(2):
            with pytest.raises(e.Refused) as caught:
                await ShopWriter(reader).put_many("stock_availables", "stock_available", [ROW])
            assert caught.value.kind == "blocked-by-host"
        assert reader.learned == {}
        assert not reader.endpoint.ps_method


async def test_a_no_of_prestashop_itself_is_never_tried_another_way() -> None:
    for answer in BEFORE:
        shop = Shop(answer)
        with pytest.raises(e.Refused):
            await put(shop)
        assert len(shop.requests) == 1


async def test_single_writes_name_the_record_in_the_address() -> None:
    shop = Shop()
    async with client(shop) as reader:
        writer = ShopWriter(reader)
        assert (await writer.patch("stock_availables", "stock_available", {"id": 89, "quantity": 3})).ids == [89]
        assert (await writer.put("stock_availables", "stock_available", ROW, parameters={"sendemail": "1"})).ids == [89]
        made = await writer.post("order_histories", "stock_available", {"id_order": 3, "id_order_state": 5})
    assert made.ids == [7]
    assert [(r.method, r.url.path) for r in shop.requests] == [
        ("PATCH", "/api/stock_availables/89"),
        ("PUT", "/api/stock_availables/89"),
        ("POST", "/api/order_histories"),
    ]
    assert shop.requests[1].url.params["sendemail"] == "1"


BEFORE = [
    errors(401, (20, "Authentification key is not active"), (21, "No permission")),
    errors(401, (26, "Resource of type")),
    errors(405, (25, "Method PUT is not allowed")),
    errors(405, (101, "Method PUT is not allowed for the resource")),
    errors(503, (22, "The PrestaShop webservice is disabled")),
    errors(403, (132, "No permission for this key on this shop")),
]
SAID_NO = [
    *BEFORE,
    errors(400, (85, 'Validation error: "Property StockAvailable-&gt;quantity is not valid"')),
    errors(400, (41, 'parameter "out_of_stock" required')),
    errors(404, (92, "Invalid ID")),
    httpx.Response(401, text="401 Unauthorized"),
    httpx.Response(403, html="<h1>Forbidden</h1>"),
    httpx.Response(413, html="<h1>Too large</h1>"),
    httpx.Response(429, html="slow down"),
    httpx.Response(302, headers={"Location": "http://127.0.0.1:8018/?url=stock_availables%2F119"}),
]


@pytest.mark.parametrize("answer", SAID_NO, ids=lambda answer: f"{answer.status_code}-{len(answer.content)}")
async def test_a_no_of_the_shop_is_a_refusal_with_its_reason(answer: httpx.Response) -> None:
    shop = Shop(answer)
    with pytest.raises(e.Refused) as caught:
        await put(shop)
    assert not isinstance(caught.value, e.NotSent)
    assert caught.value.kind == caught.value.reason.kind
    again = [] if caught.value.kind != "blocked-by-host" else ["POST"]
    assert [request.method for request in shop.requests] == ["PUT", *again]


GOOD = document(rows_xml("stock_available", [{"id": "89"}, {"id": "90"}]))
NOBODY_KNOWS: list[httpx.Response | Exception] = [
    httpx.Response(500),
    httpx.Response(500, html="Fatal error"),
    httpx.Response(502, html="<h1>Bad Gateway</h1>"),
    httpx.Response(503, html="<h1>Maintenance</h1>"),
    httpx.Response(504, html="<h1>Gateway Time-out</h1>"),
    httpx.Response(408, html="<h1>Request Time-out</h1>"),
    errors(500, (46, "Unable to save resource")),
    errors(500, (5, "[PHP Notice #8] Undefined index (/var/www/classes/Product.php, line 3)")),
    errors(500, (133, "You cannot update the available stock when it depends on stock.")),
    errors(500, (85, "Error occurred while setting the quantity value")),
    errors(400, (86, 'The association "x" does not exists')),
    errors(200, (85, "Validation error")),
    httpx.Response(200, text="Invalid new order status"),
    httpx.Response(200, html="<html><body>Welcome to our shop</body></html>"),
    httpx.Response(200, content=b""),
    httpx.Response(200, content=GOOD, headers={"Content-Type": "text/html"}),
    httpx.Response(200, content=GOOD[:-18], headers={"Content-Type": "text/xml"}),
    httpx.Response(201, content=GOOD, headers={"Content-Type": "text/xml"}),
    httpx.Response(200, content=GOOD, headers={**headers(GOOD), "Content-Sha1": "0" * 40}),
    xml(rows_xml("stock_available", [{"id": "89"}])),
    xml(rows_xml("stock_available", [{"id": "89"}, {"id": "91"}])),
    xml(rows_xml("stock_available", [{"id": "90"}, {"id": "89"}])),
    xml(rows_xml("product", [{"id": "89"}, {"id": "90"}])),
    xml(""),
    httpx.ReadTimeout("x"),
    httpx.WriteTimeout("x"),
    httpx.ReadError("x"),
    httpx.WriteError("x"),
    httpx.RemoteProtocolError("Server disconnected"),
    httpx.DecodingError("x"),
]


@pytest.mark.parametrize("answer", NOBODY_KNOWS, ids=lambda answer: repr(answer)[:40])
async def test_when_nobody_knows_it_says_so_and_sends_nothing_again(answer: httpx.Response | Exception) -> None:
    shop = Shop(answer)
    with pytest.raises(e.UnknownOutcome) as caught:
        await put(shop)
    assert "not known" in caught.value.cause
    assert "Read the records back" in caught.value.remedy
    assert not caught.value.retryable
    assert len(shop.requests) == 1


@pytest.mark.parametrize(
    "raised",
    [
        httpx.ConnectError("[Errno 111] Connection refused"),
        httpx.ConnectTimeout("x"),
        httpx.PoolTimeout("x"),
        httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"),
    ],
)
async def test_what_never_left_is_told_from_what_nobody_knows(raised: Exception) -> None:
    shop = Shop(raised)
    with pytest.raises(e.NotSent) as caught:
        await put(shop)
    assert "nothing was sent" in caught.value.cause
    assert len(shop.requests) == 1


async def test_a_post_counts_with_status_201_only() -> None:
    for status, done in ((201, True), (200, False)):
        shop = Shop(xml(rows_xml("order_history", [{"id": "5"}]), status))
        async with client(shop) as reader:
            writing = ShopWriter(reader).post("order_histories", "order_history", {"id_order": 1})
            if done:
                assert (await writing).ids == [5]
            else:
                with pytest.raises(e.UnknownOutcome):
                    await writing


async def test_bodies_that_cannot_be_right_are_never_sent() -> None:
    shop = Shop()
    async with client(shop) as reader:
        writer = ShopWriter(reader)
        for rows in ([], [ROW, ROW], [{"quantity": "1"}], [{**ROW, "id": ""}], [{**ROW, "id": "x"}]):
            with pytest.raises(QueryError):
                await writer.put_many("stock_availables", "stock_available", rows)
        with pytest.raises(QueryError):
            await writer.post("products", "product", {"id": 5, "name": "x"})
        with pytest.raises(QueryError):
            await writer.patch("stock_availables", "stock_available", {"quantity": 1})
    assert shop.requests == []


def test_the_client_alone_cannot_write() -> None:
    names = {name for name in dir(ShopClient) if not name.startswith("_")}
    assert not names & {"put", "post", "patch", "delete", "put_many", "write", "send"}
