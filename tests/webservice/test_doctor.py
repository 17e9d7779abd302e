"""What the doctor says of shops with one thing wrong, and which way the connection test takes."""

import dataclasses

import httpx
import pytest

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.doctor import Probe, examine
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.identity import Identity
from prestaconsole.webservice.probe import connect
from tests.webservice.shops import ROOT, FakeClock, document, headers, xml

WAY = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY))


@pytest.fixture
def shop() -> SimulatedShop:
    return SimulatedShop.generate(version="8.2.1", products=4, orders=2, seed=8, clock=FakeClock().monotonic)


async def verdicts(shop: SimulatedShop, way: Endpoint = WAY) -> dict[str, Probe]:
    probes = await examine(way, {}, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())
    return {probe.name: probe for probe in probes}


async def test_a_shop_with_nothing_wrong_has_only_good_verdicts_but_for_surplus_rights(shop: SimulatedShop) -> None:
    found = await verdicts(shop)
    assert [name for name, probe in found.items() if probe.verdict != "ok"] == ["Surplus rights"]
    assert found["Version"].text == "8.2.1, PATCH granted"
    assert found["Zone"].text == "Europe/Paris"


async def test_a_wrong_clock_is_told_in_seconds(shop: SimulatedShop) -> None:
    shop.faults.set("clock", 600)
    found = await verdicts(shop)
    assert found["Clock"].verdict == "WARN"
    assert "600 s ahead" in found["Clock"].text


async def test_plain_http_to_a_public_shop_is_a_warning(shop: SimulatedShop) -> None:
    found = await verdicts(shop, WAY.changed(base_url="http://shop.example"))
    assert found["Address"].verdict == "WARN"


async def test_a_zone_nobody_knows_is_to_be_repaired(shop: SimulatedShop) -> None:
    settings = shop.table("configurations")
    settings.update(settings.find("name", "PS_TIMEZONE")[0], {"value": "Mars/Olympus"})
    found = await verdicts(shop)
    assert found["Zone"].verdict == "FIX"
    assert "Mars/Olympus" in found["Zone"].text


async def test_stock_management_switched_off_is_to_be_repaired(shop: SimulatedShop) -> None:
    settings = shop.table("configurations")
    for id in settings.find("name", "PS_STOCK_MANAGEMENT"):
        settings.update(id, {"value": "0"})
    if not settings.find("name", "PS_STOCK_MANAGEMENT"):
        settings.insert({"name": "PS_STOCK_MANAGEMENT", "value": "0"})
    assert (await verdicts(shop))["Stock management"].verdict == "FIX"


async def test_text_before_the_xml_is_to_be_repaired(shop: SimulatedShop) -> None:
    inner = httpx.ASGITransport(app=shop.app)
    warning = b"<br />\n<b>Warning</b>:  Undefined index in <b>/home/x/www/modules/abc/abc.php</b> on line <b>9</b>\n"

    class Noisy(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await inner.handle_async_request(request)
            kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
            return httpx.Response(answer.status_code, headers=kept, content=warning + await answer.aread())

    probes = await examine(WAY, {}, transport=Noisy(), clock=FakeClock())
    found = {probe.name: probe for probe in probes}
    assert found["Answers"].verdict == "FIX"
    assert "modules/abc/abc.php" in found["Answers"].evidence
    assert "/home/x" not in repr(probes)


async def test_without_rewrite_rules_the_dispatcher_is_found(shop: SimulatedShop) -> None:
    inner = httpx.ASGITransport(app=shop.app)

    class NoRewriting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.startswith("/api"):
                return httpx.Response(404, html="<h1>Not Found</h1>")
            return await inner.handle_async_request(request)

    found = await connect(WAY, transport=NoRewriting(), clock=FakeClock())
    assert not found.endpoint.rewriting
    assert "dispatcher.php" in found.notes[0]
    assert found.languages
    named = {p.name: p for p in await examine(WAY, {}, transport=NoRewriting(), clock=FakeClock())}
    assert named["API address"].verdict == "WARN"


@pytest.mark.parametrize(
    ("api", "dispatcher", "kind"),
    [
        (httpx.Response(404, html="<h1>Not Found</h1>"), httpx.Response(404, html="x"), e.ApiNotFound),
        (httpx.Response(200, html="<html>shop</html>"), httpx.Response(404, html="x"), e.HtmlAnswer),
        (httpx.Response(404, html="<h1>Not Found</h1>"), httpx.Response(401, text="401 Unauthorized"), e.ApiNotFound),
        (httpx.Response(401, text="401 Unauthorized"), httpx.Response(500), e.NoKeyReceived),
    ],
)
async def test_when_no_way_works_the_first_failure_is_told(
    api: httpx.Response, dispatcher: httpx.Response, kind: type[e.WebserviceError]
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return api if request.url.path.startswith("/api") else dispatcher

    with pytest.raises(kind):
        await connect(WAY, transport=httpx.MockTransport(handler), clock=FakeClock())


async def test_the_connection_is_tested_in_the_context_that_will_be_used() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.params.get("id_shop", ""))
        return xml(ROOT)

    await connect(WAY, id_shop=2, transport=httpx.MockTransport(handler), clock=FakeClock())
    assert seen[0] == "2"


async def test_a_proxy_that_rewrites_answers_is_a_warning() -> None:
    body = document(ROOT)

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers(body), content=body.replace(b"w3.org", b"cdn.example"))

    probes = await examine(WAY, {}, transport=httpx.MockTransport(handler), clock=FakeClock())
    found = {probe.name: probe for probe in probes}
    assert found["Check sums"].verdict == "WARN"
    assert found["Settings"].verdict == "WARN"


def test_a_fingerprint_differs_by_its_orders_and_notes_the_rest() -> None:
    known = Identity(((1, "AAA", "2026-01-01"), (2, "BBB", "2026-01-02")), ("Demo",), "7F3A-91C2")
    grown = dataclasses.replace(known, first_orders=(*known.first_orders, (3, "CCC", "2026-01-03")))
    assert known.differs(grown) == []
    assert known.differs(dataclasses.replace(known, first_orders=((1, "AAA", "2026-01-01"), (2, "XXX", "2026-01-02"))))
    assert known.differs(dataclasses.replace(known, first_orders=known.first_orders[1:]))
    assert known.differs(dataclasses.replace(known, first_orders=(), orders_read=False)) == []
    renamed = dataclasses.replace(known, key_print="0000-0000", shop_names=("Demo 2",))
    assert known.differs(renamed) == []
    assert len(known.noted(renamed)) == 2
