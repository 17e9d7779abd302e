"""Small made-up shops and clocks for the webservice tests; the sandbox is the large one."""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import httpx

from prestaconsole.redaction import Secret
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.pacing import Pacer

KEY = "CANARY7CANARY7CANARY7CANARY7ABCD"
BASE = "https://shop.example"
Handler = Callable[[httpx.Request], httpx.Response]
Mangle = Callable[[httpx.Request, bytes], bytes]


class FakeClock:
    """A clock that stands still but for its own sleeps, which it keeps."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def endpoint(**changes: object) -> Endpoint:
    return Endpoint(BASE, Secret(KEY)).changed(**changes)


def client(handler: Handler, clock: FakeClock | None = None, **changes: object) -> ShopClient:
    """A client of a shop that is one function; pauses before repeats have their full length."""
    clock = clock or FakeClock()
    pacer = Pacer(clock, chance=lambda: 1.0)
    return ShopClient(endpoint(**changes), transport=httpx.MockTransport(handler), clock=clock, pacer=pacer)


def headers(body: bytes, kind: str = "text/xml;charset=utf-8") -> dict[str, str]:
    return {
        "Content-Type": kind,
        "PSWS-Version": "8.2.1",
        "Access-Time": "1795262400",
        "Execution-Time": "0.01",
        "Content-Sha1": hashlib.sha1(body).hexdigest(),
    }


def document(inner: str) -> bytes:
    opening = '<?xml version="1.0" encoding="UTF-8"?>\n<prestashop xmlns:xlink="http://www.w3.org/1999/xlink">\n'
    return f"{opening}{inner}\n</prestashop>\n".encode()


def xml(inner: str, status: int = 200, **more: str) -> httpx.Response:
    body = document(inner)
    return httpx.Response(status, headers={**headers(body), **more}, content=body)


def errors(status: int, *listed: tuple[int, str]) -> httpx.Response:
    rows = "".join(
        f"<error>\n<code><![CDATA[{code}]]></code>\n<message><![CDATA[{text}]]></message>\n</error>\n"
        for code, text in listed
    )
    body = document(f"<errors>\n{rows}</errors>")
    return httpx.Response(
        status, headers={"Content-Type": "text/xml;charset=utf-8", "PSWS-Version": "8.2.1"}, content=body
    )


def rows_xml(node: str, rows: Sequence[Mapping[str, str]]) -> str:
    return "".join(
        f"<{node}>\n"
        + "".join(f"\t<{name}><![CDATA[{value}]]></{name}>\n" for name, value in row.items())
        + f"</{node}>\n"
        for row in rows
    )


ROOT = (
    '<api shopName="Demo">\n'
    '<stock_availables get="true" put="true" post="false" patch="true" delete="false" head="true"/>\n'
    '<addresses get="true" put="false" post="false" patch="false" delete="false" head="false"/>\n</api>'
)


class ListShop:
    """A shop with one resource that understands id filters, limits, display and JSON, and can be mangled."""

    def __init__(self, resource: str, node: str, rows: Sequence[Mapping[str, str]]) -> None:
        self.resource, self.node = resource, node
        self.rows = {int(row["id"]): row for row in rows}
        self.mangle: Mangle = lambda request, body: body
        self.answer: Callable[[httpx.Request, list[int]], httpx.Response | None] = lambda request, ids: None
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        query = request.url.params
        if request.url.path == "/api/":
            return xml(ROOT)
        ids = self._chosen(query.get("filter[id]", ""), query.get("limit"))
        special = self.answer(request, ids)
        if special is not None:
            return special
        rows = [self._shown(self.rows[id], query.get("display", "full")) for id in ids]
        if query.get("output_format") == "JSON":
            body = json.dumps({self.resource: rows} if rows else []).encode()
            kind = "application/json"
        else:
            body = document(f"<{self.resource}>\n{rows_xml(self.node, rows)}</{self.resource}>")
            kind = "text/xml;charset=utf-8"
        return httpx.Response(200, headers=headers(body, kind), content=self.mangle(request, body))

    def _chosen(self, condition: str, limit: str | None) -> list[int]:
        ids = sorted(self.rows)
        if match := re.fullmatch(r">\[(\d+)\]", condition):
            ids = [id for id in ids if id > int(match.group(1))]
        elif match := re.fullmatch(r"\[([\d|]+)\]", condition):
            wanted = {int(id) for id in match.group(1).split("|")}
            ids = [id for id in ids if id in wanted]
        return ids[: int(limit)] if limit else ids

    @staticmethod
    def _shown(row: Mapping[str, str], display: str) -> Mapping[str, str]:
        names = display.strip("[]").split(",") if display.startswith("[") else list(row)
        return {name: row[name] for name in names}


def stock_shop(count: int) -> ListShop:
    rows = [{"id": str(n), "id_product": str(n + 100), "quantity": str(n % 7)} for n in range(1, count + 1)]
    return ListShop("stock_availables", "stock_available", rows)
