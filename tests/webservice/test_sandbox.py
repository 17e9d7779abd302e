"""The client against the simulated shop: paging, batches, bulk PUT, PATCH, every fault, the connection test."""

import collections

import httpx
import pytest

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SandboxServer, SimulatedShop
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.doctor import examine
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.identity import key_print, read_identity
from prestaconsole.webservice.probe import connect
from prestaconsole.webservice.query import Query, equals
from prestaconsole.webservice.writer import ShopWriter
from tests.webservice.shops import FakeClock

STOCK = (
    "id",
    "id_product",
    "id_product_attribute",
    "id_shop",
    "id_shop_group",
    "quantity",
    "depends_on_stock",
    "out_of_stock",
    "location",
)
FAULTS = ("http500", "html", "truncate", "reset", "timeout-before", "timeout-after", "429", "php-warning")


@pytest.fixture(scope="module")
def whole() -> SimulatedShop:
    return SimulatedShop.generate(version="8.2.1", products=60, orders=40, seed=3)


def reader(shop: SimulatedShop, **changes: object) -> ShopClient:
    way = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY)).changed(**changes)
    return ShopClient(way, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())


@pytest.mark.parametrize("page_size", [7, 1000])
async def test_pages_bring_every_stock_row_once(whole: SimulatedShop, page_size: int) -> None:
    async with reader(whole) as client:
        pages = [page async for page in client.pages("stock_availables", STOCK, page_size=page_size)]
    rows = [row for page in pages for row in page.entities]
    assert [row.id for row in rows] == sorted(whole.table("stock_availables").ids())
    for row in rows:
        assert row.integer("quantity") == whole.quantity(row.integer("id_product"), row.integer("id_product_attribute"))
    assert all(page.complete and not page.damaged for page in pages)


async def test_batches_bring_the_lines_of_many_orders(whole: SimulatedShop) -> None:
    orders = sorted(whole.table("orders").ids())
    async with reader(whole) as client:
        lines = await client.by_ids("order_details", ("id", "id_order", "product_quantity"), orders, key="id_order")
    assert {line.integer("id_order") for line in lines} <= set(orders)
    assert len(lines) == sum(len(whole.table("order_details").find("id_order", id)) for id in orders)
    assert client.requests <= 2


@pytest.mark.parametrize("version", ["1.6", "1.7", "8", "9"])
async def test_a_bulk_put_of_rows_just_read_changes_the_quantity_and_nothing_else(version: str) -> None:
    shop = SimulatedShop.generate(version=version, products=12, orders=2, seed=4)
    fields = tuple(name for name in STOCK if name != "location" or version != "1.6")
    async with reader(shop) as client:
        rows = (
            await client.page(Query("stock_availables", fields, {"id_product_attribute": equals(0)}, limit=6))
        ).entities
        sent = [{**row.raw(), "quantity": str(row.integer("quantity") + 5)} for row in rows]
        answer = await ShopWriter(client).put_many("stock_availables", "stock_available", sent, id_shop=1)
        after = await client.by_ids("stock_availables", fields, [row.id for row in rows])
    assert answer.ids == [row.id for row in rows]
    assert [row.raw() for row in after] == sent
    assert [exchange.method for exchange in shop.journal if exchange.method != "GET"] == ["PUT"]


async def test_a_refused_bulk_leaves_the_rows_before_written_and_says_no() -> None:
    shop = SimulatedShop.generate(version="8.2.1", products=12, orders=2, seed=4)
    async with reader(shop) as client:
        rows = (await client.page(Query("stock_availables", STOCK, limit=3))).entities
        sent = [{**row.raw(), "quantity": quantity} for row, quantity in zip(rows, ("41", "abc", "43"), strict=True)]
        with pytest.raises(e.Refused) as caught:
            await ShopWriter(client).put_many("stock_availables", "stock_available", sent)
        after = await client.by_ids("stock_availables", STOCK, [row.id for row in rows])
    assert (caught.value.kind, caught.value.code) == ("refused-value", 85)
    assert after[0].text("quantity") == "41"
    assert after[2].text("quantity") == rows[2].text("quantity")


async def test_patch_is_done_on_8_and_refused_on_1_7() -> None:
    for version, done in (("8", True), ("1.7", False)):
        shop = SimulatedShop.generate(version=version, products=5, orders=1, seed=4)
        id = min(shop.table("stock_availables").ids())
        async with reader(shop) as client:
            writing = ShopWriter(client).patch("stock_availables", "stock_available", {"id": id, "quantity": 77})
            if done:
                assert (await writing).ids == [id]
                row = await client.one("stock_availables", id)
                assert row is not None and row.integer("quantity") == 77
            else:
                with pytest.raises(e.Refused) as caught:
                    await writing
                assert caught.value.kind == "method-not-supported"


@pytest.mark.parametrize("fault", FAULTS)
async def test_reading_under_a_fault_gives_everything_or_an_error(fault: str) -> None:
    shop = SimulatedShop.generate(version="8.2.1", products=60, orders=5, seed=5)
    truth = sorted(shop.table("stock_availables").ids())
    outcomes: collections.Counter[str] = collections.Counter()
    shop.faults.set(fault, 0.25)
    for _ in range(12):
        async with reader(shop) as client:
            try:
                pages = [page async for page in client.pages("stock_availables", ("id", "quantity"), page_size=20)]
            except e.WebserviceError as error:
                assert error.remedy
                outcomes["error"] += 1
                continue
        got = [row.id for page in pages for row in page.entities] + [d.id for page in pages for d in page.damaged]
        assert sorted(got) == truth
        outcomes["read"] += 1
    assert outcomes["read"] >= 1


@pytest.mark.parametrize("fault", [*FAULTS, "redirect"])
async def test_a_write_under_a_fault_is_never_taken_for_done(fault: str) -> None:
    shop = SimulatedShop.generate(version="8.2.1", products=5, orders=1, seed=5)
    async with reader(shop) as client:
        row = (await client.page(Query("stock_availables", STOCK, limit=1))).entities[0]
        shop.journal.clear()
        shop.faults.set(fault, 302 if fault == "redirect" else 1.0)
        with pytest.raises((e.Refused, e.UnknownOutcome)):
            await ShopWriter(client).put("stock_availables", "stock_available", {**row.raw(), "quantity": "9"})
    assert len(shop.journal) <= 1


async def test_the_connection_test_finds_the_usual_way(whole: SimulatedShop) -> None:
    way = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY))
    found = await connect(way, transport=httpx.ASGITransport(app=whole.app), clock=FakeClock())
    assert found.version == "8.2.1"
    assert found.endpoint == way
    assert found.patch
    assert found.languages
    assert found.may("PUT", "stock_availables")
    assert found.notes == ()


async def test_a_dropped_header_is_met_with_ws_key_and_said(whole: SimulatedShop) -> None:
    shop = SimulatedShop.generate(version="8.2.1", products=3, orders=1, seed=5)
    shop.faults.set("no-auth-header")
    way = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY))
    found = await connect(way, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())
    assert found.endpoint.auth == "ws_key"
    assert "ws_key" in found.notes[0]


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda shop: setattr(shop, "webservice_enabled", False), "ws-disabled"),
        (lambda shop: shop.faults.set("html"), "html-answer"),
        (lambda shop: shop.faults.set("redirect", 301), "redirected"),
        (lambda shop: setattr(shop, "strict_host", "shop.example"), "redirected"),
    ],
)
async def test_the_doctor_names_what_stops_it_and_what_was_passed(spoil: object, kind: str) -> None:
    shop = SimulatedShop.generate(version="8.2.1", products=3, orders=1, seed=5)
    spoil(shop)  # type: ignore[operator]  # one of many callables
    way = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY))
    with pytest.raises(e.WebserviceError) as caught:
        await connect(way, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())
    assert caught.value.kind == kind
    probes = await examine(way, {}, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())
    assert [probe.verdict for probe in probes].count("FIX") == 1
    assert probes[-1].verdict == "FIX"
    assert probes[-1].remedy


async def test_the_doctor_reads_only_and_names_missing_and_surplus_rights() -> None:
    shop = SimulatedShop.generate(version="8.2.1", products=3, orders=1, seed=5)
    key = "LIMITED0LIMITED0LIMITED0LIMITED0"
    shop.add_key(key, permissions={"orders": ["GET", "DELETE"], "stock_availables": ["GET"], "configurations": ["GET"]})
    needs = {"import_orders": {"orders": ["GET"]}, "export_stock": {"stock_availables": ["GET", "PUT"]}}
    way = Endpoint("http://127.0.0.1", Secret(key))
    probes = await examine(way, needs, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())
    found = {probe.name: probe for probe in probes}
    assert found["Rights: PUT on stock_availables"].verdict == "FIX"
    assert "export_stock" in found["Rights: PUT on stock_availables"].text
    assert found["Surplus rights"].verdict == "WARN"
    assert "DELETE on orders" in found["Surplus rights"].text
    assert found["Zone"].verdict == "ok"
    assert {exchange.method for exchange in shop.journal} <= {"GET", "HEAD"}
    assert all(probe.remedy for probe in probes if probe.verdict != "ok")


async def test_a_wrong_key_and_a_whole_shop_have_their_verdicts(whole: SimulatedShop) -> None:
    transport = httpx.ASGITransport(app=whole.app)
    wrong = await examine(Endpoint("http://127.0.0.1", Secret("W" * 32)), {}, transport=transport, clock=FakeClock())
    assert (wrong[-1].name, wrong[-1].verdict) == ("Key", "FIX")
    right = await examine(Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY)), {}, transport=transport, clock=FakeClock())
    assert len(right) >= 15
    assert {probe.verdict for probe in right} <= {"ok", "WARN"}


async def test_the_fingerprint_tells_a_restored_shop_from_the_same_one(whole: SimulatedShop) -> None:
    async with reader(whole) as client:
        identity = await read_identity(client)
    assert len(identity.first_orders) == 5
    assert identity.key_print == key_print(Secret(DEFAULT_KEY))
    assert DEFAULT_KEY[:4] not in identity.key_print
    async with reader(SimulatedShop.generate(version="8.2.1", products=10, orders=20, seed=99)) as client:
        other = await read_identity(client)
    assert identity.differs(identity) == []
    assert identity.differs(other)
    assert identity.differs(other.__class__((), (), "")) != []


async def test_a_real_port_answers_like_the_one_in_process(whole: SimulatedShop) -> None:
    with SandboxServer(whole, port=0) as server:
        way = Endpoint(server.url.rstrip("/"), Secret(DEFAULT_KEY))
        async with ShopClient(way) as client:
            pages = [page async for page in client.pages("stock_availables", ("id", "quantity"), page_size=50)]
        found = await connect(way)
    assert sum(page.length for page in pages) == len(whole.table("stock_availables").ids())
    assert abs(found.clock_skew or 99) < 5


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("reset", {"cut-connection"}),
        ("truncate", {"cut-connection", "altered-answer"}),
        ("timeout-before", {"timeout"}),
        ("timeout-after", {"timeout"}),
    ],
)
async def test_over_a_real_port_a_failing_connection_has_its_name_and_a_write_is_unknown(
    fault: str, kinds: set[str]
) -> None:
    shop = SimulatedShop.generate(version="8.2.1", products=5, orders=1, seed=5)
    with SandboxServer(shop, port=0) as server:
        way = Endpoint(server.url.rstrip("/"), Secret(DEFAULT_KEY), timeout=0.4, write_timeout=0.4)
        async with ShopClient(way, clock=FakeClock()) as client:
            row = (await client.page(Query("stock_availables", STOCK, limit=1))).entities[0]
            shop.faults.set(fault)
            with pytest.raises(e.WebserviceError) as read:
                await client.page(Query("stock_availables", STOCK, limit=1))
            with pytest.raises(e.UnknownOutcome) as written:
                await ShopWriter(client).put("stock_availables", "stock_available", row.raw())
            shop.faults.clear()
            assert (await client.page(Query("stock_availables", STOCK, limit=1))).length == 1
    assert read.value.kind in kinds
    assert written.value.kind in kinds
