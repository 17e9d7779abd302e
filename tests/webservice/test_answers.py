"""Odd answers, each with a name, a cause and a remedy; none is ever taken for an empty list."""

import gzip
import socket
import ssl

import httpx
import pytest
from pytest_httpx import HTTPXMock

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.pacing import Pacer
from prestaconsole.webservice.query import Query
from tests.webservice.shops import FakeClock, client, document, endpoint, errors, headers, xml

HTML = b"<!DOCTYPE html><html><head><title>Please wait</title></head><body>Checking your browser</body></html>"
WHOLE = document("<products>\n<product>\n\t<id><![CDATA[1]]></id>\n</product>\n</products>")
QUERY = Query("products", ("id",), limit=10)
PRESTASHOP_401 = {"WWW-Authenticate": 'Basic realm="Welcome to PrestaShop Webservice, please enter the key"'}
PHP = "[PHP Notice #8] Undefined index: x (/home/abc/www/modules/lscache/lscache.php, line 12)"

CASES: list[tuple[str, httpx.Response, type[e.WebserviceError], str]] = [
    ("a web page", httpx.Response(200, html=HTML.decode()), e.HtmlAnswer, "html-answer"),
    ("plain text", httpx.Response(200, text="Invalid new order status"), e.TextAnswer, "text-answer"),
    ("nothing", httpx.Response(200, content=b""), e.EmptyAnswer, "empty-answer"),
    ("blanks", httpx.Response(200, content=b" \r\n"), e.EmptyAnswer, "empty-answer"),
    ("JSON", httpx.Response(200, json={"products": []}), e.UnexpectedAnswer, "unexpected-answer"),
    ("half a document", httpx.Response(200, content=WHOLE[:-20]), e.CutAnswer, "cut-connection"),
    ("five letters", httpx.Response(200, content=WHOLE[:4]), e.CutAnswer, "cut-connection"),
    ("an empty 500", httpx.Response(500, content=b""), e.ServerError, "server-error"),
    (
        "a fatal error",
        httpx.Response(
            500,
            text="<b>Fatal error</b>: Allowed memory size exhausted in "
            "/var/www/html/classes/Product.php on line <b>3</b>",
        ),
        e.ServerError,
        "server-error",
    ),
    ("a web page 502", httpx.Response(502, html="<h1>Bad Gateway</h1>"), e.ServerError, "server-error"),
    ("a host's maintenance", httpx.Response(503, html="<h1>Back soon</h1>"), e.Unavailable, "unavailable"),
    ("a host's time-out", httpx.Response(504, html="<h1>Gateway Timeout</h1>"), e.TimedOut, "timeout"),
    ("too many requests", httpx.Response(429, html="slow down"), e.TooManyRequests, "too-many-requests"),
    ("a firewall", httpx.Response(403, html="<h1>Forbidden</h1>"), e.BlockedByHost, "blocked-by-host"),
    ("a 406", httpx.Response(406, html="Not Acceptable"), e.BlockedByHost, "blocked-by-host"),
    ("no API", httpx.Response(404, html="<h1>Not Found</h1>"), e.ApiNotFound, "api-not-found"),
    ("an empty 404 of a host", httpx.Response(404), e.ApiNotFound, "api-not-found"),
    ("a long address", httpx.Response(414, html="<h1>Request-URI Too Long</h1>"), e.UrlTooLong, "url-too-long"),
    (
        "no key",
        httpx.Response(401, text="401 Unauthorized", headers=PRESTASHOP_401),
        e.NoKeyReceived,
        "no-key-received",
    ),
    ("no key in 1.5", httpx.Response(401, headers=PRESTASHOP_401), e.NoKeyReceived, "no-key-received"),
    (
        "a password of the host",
        httpx.Response(401, html="<h1>Auth</h1>", headers={"WWW-Authenticate": 'Basic realm="x"'}),
        e.BlockedByHost,
        "blocked-by-host",
    ),
    ("a short key", errors(401, (18, "Invalid authentication key format")), e.KeyMalformed, "key-malformed"),
    ("an unknown key", errors(401, (20, "not active"), (21, "No permission")), e.KeyUnknown, "key-unknown"),
    ("no rights", errors(401, (21, "No permission for this authentication key")), e.NoRightsAtAll, "no-permissions"),
    ("no right on it", errors(401, (26, 'Resource of type "x"')), e.NoPermissionResource, "no-permission-resource"),
    ("no right for it", errors(405, (25, "Method GET is not allowed")), e.NoPermissionMethod, "no-permission-method"),
    ("another storefront's key", errors(403, (132, "No permission")), e.KeyNotForShop, "key-not-for-shop"),
    ("webservice off", errors(503, (22, "The PrestaShop webservice is disabled")), e.WebserviceDisabled, "ws-disabled"),
    ("a bad filter", errors(400, (32, "This filter does not exist")), e.BadRequest, "bad-request"),
    ("a bad filter and notices", errors(500, (32, "This filter"), (5, PHP)), e.BadRequest, "bad-request"),
    ("notices and a bad filter", errors(500, (5, PHP), (32, "This filter")), e.BadRequest, "bad-request"),
    ("SQL", errors(500, (97, "[SQL Error] Unknown column")), e.SqlError, "sql-error"),
    ("an unknown storefront", errors(404, (999, "This shop id does not exist")), e.StorefrontUnknown, "shop-unknown"),
    ("an error with status 200", errors(200, (32, "This filter does not exist")), e.BadRequest, "bad-request"),
    ("an error of no code", errors(400, (0, "Something")), e.UnknownRefusal, "refused"),
    ("a code nobody knows", errors(418, (777, "Something")), e.UnknownRefusal, "refused"),
    ("an odd status", httpx.Response(402, text="pay"), e.UnexpectedAnswer, "unexpected-answer"),
]


@pytest.mark.parametrize(("answer", "kind", "word"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_each_odd_answer_has_a_name_and_a_remedy(
    httpx_mock: HTTPXMock, answer: httpx.Response, kind: type[e.WebserviceError], word: str
) -> None:
    httpx_mock.add_callback(lambda request: answer, is_reusable=True)
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        with pytest.raises(kind) as caught:
            await shop.page(QUERY)
    assert type(caught.value) is kind
    assert caught.value.kind == word
    assert caught.value.cause.endswith(".")
    assert caught.value.remedy
    assert "!" not in str(caught.value)
    assert len(caught.value.evidence.encode()) <= 2000
    assert shop.requests <= 9


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed_and_names_the_base_to_store(httpx_mock: HTTPXMock, status: int) -> None:
    location = "https://www.shop.example/api/products?display=full"
    httpx_mock.add_response(status_code=status, headers={"Location": location})
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        with pytest.raises(e.Redirected) as caught:
            await shop.page(QUERY)
    assert caught.value.proposed == "https://www.shop.example"
    assert shop.requests == 1
    assert "www.shop.example" in str(caught.value)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (httpx.ConnectTimeout("x"), "timeout"),
        (httpx.ReadTimeout("x"), "timeout"),
        (httpx.PoolTimeout("x"), "not-connected"),
        (httpx.ReadError("x"), "cut-connection"),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), "cut-connection"),
        (httpx.RemoteProtocolError("peer closed connection without sending complete message body"), "cut-connection"),
        (httpx.RemoteProtocolError("illegal status line"), "not-http"),
        (httpx.DecodingError("x"), "broken-encoding"),
        (httpx.ConnectError("[Errno 111] Connection refused"), "refused-connection"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "dns"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired"), "certificate"),
        (httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "certificate"),
        (httpx.ConnectError("[Errno 101] Network is unreachable"), "not-connected"),
        (httpx.UnsupportedProtocol("x"), "not-connected"),
        (httpx.LocalProtocolError("x"), "not-http"),
        (OSError("x"), "cut-connection"),
    ],
)
async def test_each_failure_of_the_road_has_a_name(httpx_mock: HTTPXMock, raised: Exception, kind: str) -> None:
    httpx_mock.add_exception(raised, is_reusable=True)
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        with pytest.raises(e.WebserviceError) as caught:
            await shop.page(QUERY)
    assert caught.value.kind == kind
    assert caught.value.remedy


async def test_real_sockets_name_a_closed_port_and_an_unknown_host() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    async with ShopClient(endpoint(base_url=f"http://127.0.0.1:{port}"), clock=FakeClock()) as shop:
        with pytest.raises(e.ConnectionRefused):
            await shop.page(QUERY)
    assert shop.requests == 3
    failure = httpx.ConnectError("x")
    failure.__cause__ = socket.gaierror("x")
    from prestaconsole.webservice.transport import road_error

    assert isinstance(road_error(failure), e.NameNotFound)
    failure.__cause__ = ssl.SSLCertVerificationError("x")
    assert isinstance(road_error(failure), e.CertificateProblem)


async def test_retries_wait_longer_each_time_and_honour_retry_after(httpx_mock: HTTPXMock) -> None:
    clock = FakeClock()
    httpx_mock.add_response(status_code=500)
    httpx_mock.add_response(status_code=503, headers={"Retry-After": "7"})
    httpx_mock.add_response(content=WHOLE, headers=headers(WHOLE))
    async with ShopClient(endpoint(), clock=clock, pacer=Pacer(clock, chance=lambda: 1.0)) as shop:
        page = await shop.page(QUERY)
    assert [entity.id for entity in page.entities] == [1]
    assert clock.slept == [0.5, 7.0]
    assert shop.requests == 3


async def test_a_long_retry_after_is_handed_to_the_caller_at_once(httpx_mock: HTTPXMock) -> None:
    clock = FakeClock()
    httpx_mock.add_response(
        status_code=429,
        headers={"Retry-After": "Sat, 21 Nov 2026 13:00:00 GMT", "Date": "Sat, 21 Nov 2026 12:00:00 GMT"},
    )
    async with ShopClient(endpoint(), clock=clock) as shop:
        with pytest.raises(e.TooManyRequests) as caught:
            await shop.page(QUERY)
    assert caught.value.retry_after == 3600
    assert clock.slept == []


async def test_a_refused_key_is_asked_once_only(httpx_mock: HTTPXMock) -> None:
    answer = errors(401, (20, "Authentification key is not active"))
    httpx_mock.add_callback(lambda request: answer)
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        with pytest.raises(e.KeyUnknown):
            await shop.page(QUERY)
    assert shop.requests == 1


@pytest.mark.parametrize(
    "before",
    [
        b"\xef\xbb\xbf",
        b"\n\n",
        b'<br />\n<b>Warning</b>:  Undefined array key "a" in <b>/home/u/www/modules/abc/abc.php</b>'
        b" on line <b>9</b><br />\n",
    ],
)
async def test_what_stands_before_the_xml_is_put_aside_and_reported(httpx_mock: HTTPXMock, before: bytes) -> None:
    httpx_mock.add_response(content=before + WHOLE, headers=headers(WHOLE))
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        page = await shop.page(QUERY)
    assert [entity.id for entity in page.entities] == [1]
    assert page.complete
    assert ("modules/abc/abc.php" in page.warning) == (b"Warning" in before)
    assert "/home/u" not in page.warning


async def test_text_after_the_xml_does_not_hinder(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(content=WHOLE + b"<br />Deprecated: x in /a/b.php on line 1", headers=headers(WHOLE))
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        assert len((await shop.page(QUERY)).entities) == 1


async def test_a_php_message_names_the_module_without_the_servers_path(httpx_mock: HTTPXMock) -> None:
    answer = errors(500, (5, PHP))
    httpx_mock.add_callback(lambda request: answer, is_reusable=True)
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        with pytest.raises(e.PhpMessage) as caught:
            await shop.page(QUERY)
    assert "module lscache" in caught.value.cause
    assert "/home/abc" not in f"{caught.value} {caught.value.messages}"
    assert not caught.value.retryable


async def test_gzip_is_asked_for_and_broken_gzip_is_named() -> None:
    packed = gzip.compress(WHOLE)
    sent: list[httpx.Request] = []
    content = [packed]

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        # as a stream, since httpx unpacks ready content at once
        return httpx.Response(
            200, headers={**headers(WHOLE), "Content-Encoding": "gzip"}, stream=httpx.ByteStream(content[0])
        )

    async with client(handler) as shop:
        assert len((await shop.page(QUERY)).entities) == 1
    assert sent[0].headers["accept-encoding"] == "gzip"
    for broken in (b"no gzip at all", packed[:20] + b"\x00\xff" + packed[22:], packed[: len(packed) // 2]):
        content[0] = broken
        async with client(handler) as shop:
            with pytest.raises((e.BrokenEncoding, e.CutConnection, e.EmptyAnswer)):
                await shop.page(QUERY)


async def test_cookies_are_not_kept_and_the_user_agent_is_honest(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(
        content=WHOLE, headers={**headers(WHOLE), "Set-Cookie": "PrestaShop-abc=1; path=/"}, is_reusable=True
    )
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        await shop.page(QUERY)
        await shop.page(QUERY)
    for request in httpx_mock.get_requests():
        assert "cookie" not in request.headers
        assert request.headers["user-agent"].startswith("PrestaConsole/")


async def test_a_missing_record_is_none_and_a_missing_api_is_not(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=404, headers={"PSWS-Version": "8.2.1", "Access-Time": "1795262400"})
    httpx_mock.add_callback(lambda request: errors(404, (131, "This Product (5) does not exists on this shop")))
    httpx_mock.add_response(status_code=404, html="<h1>Not Found</h1>")
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        assert await shop.one("products", 5) is None
        assert await shop.one("products", 5, id_shop=2) is None
        with pytest.raises(e.ApiNotFound):
            await shop.one("products", 5)


async def test_another_record_than_asked_for_is_refused(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_callback(lambda request: xml("<product>\n\t<id><![CDATA[6]]></id>\n</product>"))
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        with pytest.raises(e.UnexpectedAnswer):
            await shop.one("products", 5)


async def test_an_empty_list_is_a_page_and_nothing_else_is(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_callback(lambda request: xml("<products>\n</products>"))
    httpx_mock.add_callback(lambda request: xml(""), is_reusable=True)
    async with ShopClient(endpoint(), clock=FakeClock()) as shop:
        page = await shop.page(QUERY)
        assert (page.entities, page.damaged, page.complete) == ([], [], True)
        with pytest.raises(e.WebserviceError):
            await shop.page(QUERY)


async def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prestaconsole.webservice.transport._LARGEST_BODY", 1000)

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b"<?xml" + b" " * 5000))

    async with client(handler) as shop:
        with pytest.raises(e.TooLarge):
            await shop.page(QUERY)
