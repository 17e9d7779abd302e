"""Every known damage of an answer, on every version: the shop's rows come out whole, or an error does. Never fewer."""

import gzip
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import Page, ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from tests.webservice.shops import FakeClock, document

VERSIONS = ("1.5", "1.6", "1.7", "8", "9")
FIELDS = ("id", "id_product", "quantity")
PHP = b"<br />\n<b>Notice</b>:  Undefined index: x in <b>/home/x/override/X.php</b> on line <b>3</b><br />\n"
BOM = b"\xef\xbb\xbf"
Mangle = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Damage:
    """How one answer is spoilt; ``kinds`` are the errors that may come of it when it stays so, () when it is read."""

    mangle: Mangle = lambda body: body
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200
    kinds: tuple[str, ...] = ()
    drop_sum: bool = False


def errors_in(status: bytes) -> Mangle:
    return lambda body: document(f"<errors><error><code>{status.decode()}</code><message>No</message></error></errors>")


HTML = b"<!doctype html><html><body>We'll be back soon</body></html>"
GZIP = (("content-encoding", "gzip"),)
HTML_TYPE = (("content-type", "text/html"),)
FIRST_ROW = re.compile(rb"<stock_available>.*?</stock_available>", re.DOTALL)
FIRST_QUANTITY = re.compile(rb"(<quantity>(<!\[CDATA\[)?)\d+")
DAMAGES = {
    "text before": Damage(lambda body: PHP + body),
    "mark before": Damage(lambda body: BOM + body),
    "blank before": Damage(lambda body: b"\n\n " + body),
    "text after": Damage(lambda body: body + PHP),
    "mark and no sum": Damage(lambda body: BOM + body, drop_sum=True),
    "wrong content type": Damage(headers=HTML_TYPE),
    "gzip whole": Damage(gzip.compress, GZIP),
    "gzip broken": Damage(
        lambda body: gzip.compress(body)[:-20],
        GZIP,
        kinds=("altered-answer", "cut-connection", "broken-encoding"),
    ),
    "gzip torn": Damage(
        lambda body: gzip.compress(body)[:40] + bytes(40), GZIP, kinds=("broken-encoding", "empty-answer")
    ),
    "gzip that is none": Damage(headers=GZIP, kinds=("broken-encoding",)),
    "gzip unsaid": Damage(gzip.compress, kinds=("text-answer", "unexpected-answer")),
    "deflate unsaid": Damage(zlib.compress, kinds=("text-answer", "unexpected-answer")),
    "truncated": Damage(lambda body: body[: len(body) // 2], kinds=("cut-connection",)),
    "truncated, no sum": Damage(lambda body: body[: len(body) // 2], drop_sum=True, kinds=("cut-connection",)),
    "one row gone": Damage(lambda body: FIRST_ROW.sub(b"", body, count=1), kinds=("altered-answer",)),
    "one zero put in": Damage(lambda body: FIRST_QUANTITY.sub(rb"\g<1>0", body, count=1), kinds=("altered-answer",)),
    "HTML": Damage(lambda body: HTML, HTML_TYPE, kinds=("html-answer",)),
    "HTML called XML": Damage(lambda body: HTML, kinds=("html-answer",)),
    "plain text": Damage(lambda body: b"Invalid new order status", HTML_TYPE, kinds=("text-answer",)),
    "nothing": Damage(lambda body: b"", kinds=("empty-answer",)),
    "blanks": Damage(lambda body: b"\n \n", kinds=("empty-answer",)),
    "errors with 200": Damage(errors_in(b"26"), kinds=("no-permission-resource",)),
    "PHP message with 200": Damage(errors_in(b"3"), kinds=("php-message",)),
    "empty 500": Damage(lambda body: b"", HTML_TYPE, 500, ("server-error",)),
    "rows with 500": Damage(status=500, kinds=("server-error",)),
    "latin-1": Damage(lambda body: body.replace(b"</prestashop>", b"\xe9</prestashop>"), kinds=("altered-answer",)),
    "JSON": Damage(
        lambda body: b'{"stock_availables":[]}',
        (("content-type", "application/json"),),
        kinds=("unexpected-answer",),
    ),
}


class Spoilt(httpx.AsyncBaseTransport):
    """A shop of which some answers are spoilt on their way."""

    def __init__(self, shop: SimulatedShop, damage: Damage, times: int | None) -> None:
        self._inner = httpx.ASGITransport(app=shop.app)
        self._damage, self._times = damage, times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        body = await answer.aread()
        if self._times == 0 or "stock_availables" not in request.url.path:
            return httpx.Response(answer.status_code, headers=answer.headers, content=body)
        if self._times:
            self._times -= 1
        headers = httpx.Headers(answer.headers)
        headers.pop("content-length", None)
        for name, value in self._damage.headers:
            headers[name] = value
        if self._damage.drop_sum:
            headers.pop("content-sha1", None)
        stream = _Bytes(self._damage.mangle(body))
        return httpx.Response(self._damage.status, headers=headers, stream=stream)


class _Bytes(httpx.AsyncByteStream):
    """Raw bytes, as they come from a wire: what they are packed in is undone by the client."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self):  # type: ignore[no-untyped-def]  # one piece
        yield self._content


_shops: dict[str, SimulatedShop] = {}


def simulated(version: str) -> SimulatedShop:
    if version not in _shops:
        _shops[version] = SimulatedShop.generate(version=version, products=12, orders=2, seed=5)
    return _shops[version]


async def read(shop: SimulatedShop, damage: Damage, times: int | None) -> list[Page]:
    way = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY))
    async with ShopClient(way, transport=Spoilt(shop, damage, times), clock=FakeClock()) as client:
        await client.root()
        return [page async for page in client.pages("stock_availables", FIELDS, page_size=1000)]


def same(shop: SimulatedShop, pages: list[Page]) -> bool:
    table = shop.table("stock_availables")
    truth = {id: table.value(table.row(id), "quantity") for id in table.ids()}
    found = {row.id: row.text("quantity") for page in pages for row in page.entities}
    assert all(page.complete for page in pages)
    return found == truth


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_lasting_damage_is_read_through_or_named(version: str, name: str) -> None:
    shop, damage = simulated(version), DAMAGES[name]
    if not damage.kinds:
        assert same(shop, await read(shop, damage, None))
        return
    with pytest.raises(e.WebserviceError) as caught:
        await read(shop, damage, None)
    assert caught.value.kind in damage.kinds
    assert caught.value.remedy


@pytest.mark.parametrize("name", [name for name, damage in DAMAGES.items() if damage.kinds])
async def test_damage_that_passes_costs_nothing_but_time(name: str) -> None:
    """What may be gone a moment later is asked again; what is a plain no is not."""
    shop, damage = simulated("8"), DAMAGES[name]
    try:
        pages = await read(shop, damage, 1)
    except e.WebserviceError as error:
        assert not error.retryable
        assert error.kind in damage.kinds
    else:
        assert same(shop, pages)
