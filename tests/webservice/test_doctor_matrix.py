"""One fault planted at a time, and the verdict that a person reads: the doctor's fault matrix (idea 12)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
import pytest

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.webservice.doctor import Probe, examine
from prestaconsole.webservice.endpoint import Endpoint
from tests.webservice.shops import FakeClock

WAY = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY))
NEEDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "import_orders": {"orders": ("GET",), "order_details": ("GET",)},
    "export_stock": {"stock_availables": ("GET", "PUT")},
}
LIMITED = "LIMITED0LIMITED0LIMITED0LIMITED0"
Shape = Callable[[SimulatedShop], None]
Request = Callable[[httpx.Request], httpx.Response | None]
Reply = Callable[[httpx.Request, httpx.Response], httpx.Response]


class Between(httpx.AsyncBaseTransport):
    """A host before the shop: may answer itself, and may change what the shop answers."""

    def __init__(self, shop: SimulatedShop, clock: FakeClock, request: Request, reply: Reply, seconds: float) -> None:
        self._inner = httpx.ASGITransport(app=shop.app)
        self._clock, self._request, self._reply, self._seconds = clock, request, reply, seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._seconds:
            await self._clock.sleep(self._seconds)
        own = self._request(request)
        if own is not None:
            return own
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        return self._reply(request, answer)


@dataclass(frozen=True)
class Fault:
    """What is planted, and the finding it must give."""

    name: str
    verdict: str
    says: str = ""
    shape: Shape = lambda shop: None
    request: Request = lambda request: None
    reply: Reply = lambda request, answer: answer
    way: Mapping[str, object] = field(default_factory=dict)
    version: str = "8.2.1"
    seconds: float = 0.0
    remedy: str = ""


def setting(name: str, value: str) -> Shape:
    def plant(shop: SimulatedShop) -> None:
        table = shop.table("configurations")
        for id in table.find("name", name) or [table.insert({"name": name, "value": ""})]:
            table.update(id, {"value": value})

    return plant


def every(resource: str, **values: str) -> Shape:
    def plant(shop: SimulatedShop) -> None:
        for id in list(shop.table(resource).ids()):
            shop.table(resource).update(id, values)

    return plant


def fault(name: str, value: float | None = None) -> Shape:
    return lambda shop: shop.faults.set(name, value)


def without(*headers: str) -> Reply:
    def reply(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        kept = [(name, value) for name, value in answer.headers.raw if name.decode().lower() not in headers]
        return httpx.Response(answer.status_code, headers=kept, content=answer.content)

    return reply


def with_headers(**headers: str) -> Reply:
    def reply(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        kept = httpx.Headers(answer.headers)
        for name, value in headers.items():
            kept[name.replace("_", "-")] = value
        return httpx.Response(answer.status_code, headers=kept, content=answer.content)

    return reply


def body(change: Callable[[bytes], bytes]) -> Reply:
    def reply(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status_code, headers=kept, content=change(answer.content))

    return reply


def dropping(*prefixes: str) -> Request:
    def request(request: httpx.Request) -> None:
        kept = [(name, value) for name, value in request.url.params.multi_items() if not name.startswith(prefixes)]
        request.url = request.url.copy_with(params=kept)

    return request


def page(status: int, when: Callable[[httpx.Request], bool]) -> Request:
    return lambda request: httpx.Response(status, html=f"<h1>{status}</h1>") if when(request) else None


def limited(shop: SimulatedShop) -> None:
    rights = {"orders": ["GET", "DELETE"], "stock_availables": ["GET"], "configurations": ["GET"], "languages": ["GET"]}
    shop.add_key(LIMITED, permissions=rights)


def no_patch(shop: SimulatedShop) -> None:
    shop.add_key(LIMITED, permissions={"stock_availables": ["GET", "PUT"], "orders": ["GET"], "order_details": ["GET"]})


def lost_row(shop: SimulatedShop) -> None:
    shop.table("stock_availables").update(
        min(shop.table("stock_availables").ids()), {"id_shop": "0", "id_shop_group": "0"}
    )


def same_sku(shop: SimulatedShop) -> None:
    for id in sorted(shop.table("products").ids())[:2]:
        shop.table("products").update(id, {"reference": "TWICE"})


PHP = b"<br />\n<b>Warning</b>:  Undefined index in <b>/home/x/modules/abc/abc.php</b> on line <b>9</b><br />\n"
FAULTS = {
    "webservice off": Fault(
        "Webservice", "FIX", "switched off", lambda shop: setattr(shop, "webservice_enabled", False)
    ),
    "unknown key": Fault("Key", "FIX", "does not know this key", way={"key": Secret("W" * 32)}),
    "malformed key": Fault("Key", "FIX", "32 characters", way={"key": Secret("SHORT")}),
    "stripped header": Fault(
        "Authorization header", "WARN", "in the address", fault("no-auth-header"), remedy="SetEnvIf"
    ),
    "no rewrite rules": Fault(
        "API address", "WARN", "dispatcher", request=page(404, lambda r: r.url.path.startswith("/api"))
    ),
    "another name": Fault(
        "Redirects", "FIX", "redirects to", lambda shop: setattr(shop, "strict_host", "shop.example")
    ),
    "another name is offered": Fault(
        "Better address", "WARN", "http://shop.example", lambda shop: setattr(shop, "strict_host", "shop.example")
    ),
    "to https": Fault(
        "Redirects", "FIX", request=lambda r: httpx.Response(301, headers={"Location": "https://127.0.0.1/api/"})
    ),
    "maintenance page": Fault("API address", "FIX", "web page", fault("html")),
    "no PrestaShop": Fault("Without a key", "WARN", "no PrestaShop", fault("html")),
    "broken shop": Fault("Answers", "FIX", "broke down", fault("http500")),
    "too often": Fault("Firewall", "FIX", "too often", fault("429")),
    "host blocks": Fault("Firewall", "FIX", "blocks", request=page(403, lambda r: True)),
    "cut connection": Fault("Connection", "FIX", "cut", fault("reset")),
    "no answer": Fault("Connection", "FIX", "in time", fault("timeout-before")),
    "cut answers": Fault("Connection", "FIX", "", fault("truncate")),
    "PHP warnings": Fault("Answers", "FIX", "module examplemodule", fault("php-warning")),
    "slow shop": Fault("Response time", "WARN", seconds=4.0),
    "wrong clock": Fault("Clock", "WARN", "3600 s behind", fault("clock", -3600)),
    "clock not told": Fault("Clock", "WARN", reply=without("access-time")),
    "version not told": Fault("Version", "WARN", reply=without("psws-version")),
    "unproven version": Fault("Version", "WARN", "unproven", version="1.5"),
    "newer version": Fault("Version", "WARN", "newer than 9.0", reply=with_headers(PSWS_Version="9.1.4")),
    "no PATCH": Fault("PATCH", "WARN", "stock_availables", no_patch, way={"key": Secret(LIMITED)}),
    "blocked PUT": Fault("Way of writing", "WARN", "POST", way={"ps_method": True}),
    "text before XML": Fault("Answers", "FIX", reply=body(lambda content: PHP + content), remedy="Debug mode"),
    "altered answers": Fault(
        "Check sums", "WARN", reply=body(lambda content: content.replace(b"w3.org", b"cdn.example"))
    ),
    "sums not told": Fault("Check sums", "WARN", reply=without("content-sha1")),
    "wrong content type": Fault("Content type", "FIX", "text/html", reply=with_headers(Content_Type="text/html")),
    "a cache": Fault("Caches", "WARN", reply=with_headers(X_Cache="HIT")),
    "a CDN": Fault("Caches", "WARN", reply=with_headers(Age="120")),
    "missing right": Fault(
        "Rights: PUT on stock_availables", "FIX", "export_stock", limited, way={"key": Secret(LIMITED)}
    ),
    "feed without rights": Fault(
        "Feed import_orders", "FIX", "GET on order_details", limited, way={"key": Secret(LIMITED)}
    ),
    "personal data that no enabled feed reads": Fault("Personal data", "WARN", "customers"),
    "surplus right": Fault("Surplus rights", "WARN", "DELETE on orders", limited, way={"key": Secret(LIMITED)}),
    "settings hidden": Fault("Settings", "WARN", "", no_patch, way={"key": Secret(LIMITED)}),
    "unknown zone": Fault("Zone", "FIX", "Mars/Olympus", setting("PS_TIMEZONE", "Mars/Olympus")),
    "no cancelling state": Fault("Order states", "WARN", "", setting("PS_OS_CANCELED", "")),
    "state is gone": Fault("States of orders", "FIX", "PS_OS_CANCELED", setting("PS_OS_CANCELED", "9999")),
    "nothing is paid": Fault("Paid and shipped", "WARN", "", every("order_states", paid="0")),
    "no stock management": Fault("Stock management", "FIX", "off", setting("PS_STOCK_MANAGEMENT", "0")),
    "no stock management on 1.6": Fault(
        "Stock management",
        "FIX",
        "off",
        setting("PS_STOCK_MANAGEMENT", "0"),
        version="1.6",
        remedy="Preferences > Products",
    ),
    "no stock management on 9": Fault(
        "Stock management",
        "FIX",
        "off",
        setting("PS_STOCK_MANAGEMENT", "0"),
        version="9",
        remedy="Configure > Shop Parameters > Product Settings",
    ),
    "advanced stock": Fault("Advanced stock management", "WARN", "on", setting("PS_ADVANCED_STOCK_MANAGEMENT", "1")),
    "held products": Fault("Held stock", "WARN", "follow", every("stock_availables", depends_on_stock="1")),
    "half an upgrade": Fault("Upgrade", "WARN", "8.1.0", setting("PS_VERSION_DB", "8.1.0")),
    "SSL unused": Fault("Encryption", "WARN", "SSL", setting("PS_SSL_ENABLED", "1"), remedy="https://127.0.0.1"),
    "no default currency": Fault("Currencies", "FIX", "77", setting("PS_CURRENCY_DEFAULT", "77")),
    "no default language": Fault("Defaults", "WARN", "", setting("PS_LANG_DEFAULT", "")),
    "no language": Fault("Languages", "FIX", "", every("languages", active="0")),
    "no carrier": Fault("Carriers", "WARN", "", every("carriers", active="0")),
    "SKU twice": Fault("SKUs", "WARN", "TWICE", same_sku),
    "lost stock row": Fault("Lost stock rows", "FIX", "no storefront", lost_row, version="9"),
    "filters ignored": Fault("Filters", "FIX", "", request=dropping("filter")),
    "sorting ignored": Fault("Filters", "FIX", "sort", request=dropping("sort")),
    "dates ignored": Fault("Dates", "FIX", "", request=dropping("filter[date")),
    "short addresses only": Fault("Long addresses", "FIX", "", request=page(414, lambda r: len(str(r.url)) > 2000)),
    "no schema": Fault("Field lists", "WARN", "", request=page(500, lambda r: "schema" in r.url.params)),
    "address with /api": Fault("Address", "FIX", "", way={"base_url": "http://127.0.0.1/api"}),
    "public http": Fault("Address", "WARN", "not encrypted", way={"base_url": "http://shop.example"}),
    "authority is gone": Fault("Proxy and authority", "FIX", "not there", way={"ca_file": "/nowhere/ca.pem"}),
}


async def examined(shop: SimulatedShop, fault: Fault) -> list[Probe]:
    clock = FakeClock()
    transport = Between(shop, clock, fault.request, fault.reply, fault.seconds)
    return await examine(WAY.changed(**fault.way), NEEDS, transport=transport, clock=clock)


@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_has_its_verdict_and_a_remedy(name: str) -> None:
    fault = FAULTS[name]
    shop = SimulatedShop.generate(version=fault.version, products=6, orders=3, seed=8, clock=FakeClock().monotonic)
    fault.shape(shop)
    probes = await examined(shop, fault)
    found = {probe.name: probe for probe in probes}
    assert fault.name in found, sorted(found)
    probe = found[fault.name]
    assert (probe.verdict, fault.says in probe.text) == (fault.verdict, True), probe
    assert probe.remedy
    assert fault.remedy in probe.remedy
    assert all(other.remedy for other in probes if other.verdict != "ok")
    assert not {LIMITED, DEFAULT_KEY} & set(repr(probes).split("'"))
    assert {exchange.method for exchange in shop.journal} <= {"GET", "HEAD"}
    assert shop.writes == 0


@pytest.mark.parametrize("version", ["1.5", "1.6", "1.7", "8", "9"])
async def test_a_sound_shop_of_every_version_passes_thirty_probes(version: str) -> None:
    shop = SimulatedShop.generate(version=version, products=6, orders=3, seed=8, clock=FakeClock().monotonic)
    probes = await examined(shop, Fault("", ""))
    expected = {"Surplus rights", "Personal data"} | ({"Version"} if version == "1.5" else set())
    assert {probe.name for probe in probes if probe.verdict != "ok"} == expected
    assert len(probes) >= 30
    assert len({probe.name for probe in probes}) == len(probes)
    assert max(len(probe.name) for probe in probes) <= 60


async def test_the_matrix_plants_a_fault_for_every_probe_that_can_complain() -> None:
    shop = SimulatedShop.generate(version="8.2.1", products=6, orders=3, seed=8, clock=FakeClock().monotonic)
    names = {probe.name for probe in await examined(shop, Fault("", ""))}
    silent = {
        *("Host name", "Certificate", "Key's storefront", "Rights", "Rights to delete"),
        *("Compression", "Orders without stock", "Maintenance", "Search index", "CGI mode", "Hidden languages"),
        *("Shared stock", "Storefronts", "Tracking links", "JSON", "Speed", "Products", "Orders", "Order lines"),
        "Feed export_stock",
    }
    assert names - silent <= {fault.name for fault in FAULTS.values()}
