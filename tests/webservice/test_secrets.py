"""The key appears in no error, repr, log line or evidence, whatever goes wrong and however it travels."""

import base64
import logging
import traceback

import httpx
import pytest

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.doctor import examine
from prestaconsole.webservice.query import Query
from prestaconsole.webservice.writer import ShopWriter
from tests.webservice.shops import KEY, FakeClock, client, document, endpoint, errors, headers

BASIC = base64.b64encode(f"{KEY}:".encode()).decode()
ECHO = f"<html>your key {KEY}, Authorization: Basic {BASIC}, /api/?ws_key={KEY}</html>"
BODY = document(f"<products><product><id>1</id><name>a ]]> {KEY}</name></product>")

FAILURES: list[httpx.Response | Exception] = [
    httpx.Response(200, html=ECHO),
    httpx.Response(200, text=f"no {KEY}"),
    httpx.Response(500, html=ECHO),
    httpx.Response(403, html=ECHO),
    httpx.Response(302, headers={"Location": f"https://{KEY}:@shop.example/api/?ws_key={KEY}"}),
    httpx.Response(302, headers={"Location": f"https://www.shop.example/{KEY}/?ws_key={KEY}"}),
    errors(401, (20, f"Authentification key {KEY} is not active")),
    errors(500, (5, f"[PHP Notice #8] {KEY} Basic {BASIC} (/var/www/{KEY}.php, line 1)")),
    httpx.Response(200, content=BODY[:-20], headers=headers(BODY)),
    httpx.ConnectError(f"cannot reach https://shop.example/api/?ws_key={KEY}"),
    httpx.ReadTimeout(f"no answer from https://shop.example/api/?ws_key={KEY}"),
    httpx.InvalidURL(f"https://{KEY}@shop.example"),
    httpx.LocalProtocolError(f"Illegal header value b'Basic {BASIC}'"),
]


def said(error: BaseException) -> str:
    """Everything that any log or screen could show of an error, its contexts and their attributes too."""
    texts = ["".join(traceback.format_exception(error))]
    current: BaseException | None = error
    while current is not None:
        texts += [str(current), repr(current), repr(current.args), repr(vars(current))]
        current = current.__cause__ or current.__context__
    return " ".join(texts)


@pytest.mark.parametrize("auth", ["basic", "ws_key"])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: repr(failure)[:30])
async def test_key_stands_in_no_error_and_no_log(
    failure: httpx.Response | Exception, auth: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def handler(request: httpx.Request) -> httpx.Response:
        if isinstance(failure, Exception):
            raise failure
        return failure

    texts: list[str] = []
    async with client(handler, auth=auth) as reader:
        for reading in (reader.page(Query("products", ("name",), limit=5)), reader.root(), reader.one("products", 5)):
            with pytest.raises(e.WebserviceError) as caught:
                await reading
            texts += [said(caught.value), caught.value.evidence, repr(caught.value.messages)]
        with pytest.raises(e.WebserviceError) as caught:
            await ShopWriter(reader).put("products", "product", {"id": 5, "name": "x"})
        texts += [said(caught.value), caught.value.evidence, said(getattr(caught.value, "reason", caught.value))]
        texts += [repr(reader), repr(reader.endpoint), repr(reader._transport)]
    probes = await examine(endpoint(auth=auth), {}, transport=httpx.MockTransport(handler), clock=FakeClock())
    texts += [repr(probes), caplog.text, *(repr(vars(record)) for record in caplog.records)]
    everything = " ".join(texts)
    assert KEY not in everything
    assert BASIC not in everything


async def test_key_travels_in_the_header_and_in_the_address_only_where_it_must() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404)

    for auth in ("basic", "ws_key"):
        async with client(handler, auth=auth) as reader:
            with pytest.raises(e.ApiNotFound):
                await reader.root()
    assert KEY not in str(seen[0].url)
    assert seen[0].headers["authorization"] == f"Basic {BASIC}"
    assert seen[1].url.params["ws_key"] == KEY
    assert "authorization" not in seen[1].headers


async def test_evidence_masks_the_shops_customers() -> None:
    body = document(
        "<customers><customer><id>1</id><email><![CDATA[ann@mail.example]]></email><passwd>$2y$10$abc</passwd>"
        "<firstname>Ann</firstname><note>write to ann@mail.example</note>"
    )[:-20]

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body)

    async with client(handler) as reader:
        with pytest.raises(e.CutAnswer) as caught:
            await reader.page(Query("customers", ("email",), limit=5))
    for private in ("ann@mail.example", "$2y$10", "Ann"):
        assert private not in caught.value.evidence
    assert "<customer>" in caught.value.evidence
