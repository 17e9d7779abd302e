"""Changing one record through the sandbox, with real dumps: the change is there and nothing else moved."""

import random
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.query import QueryError
from prestaconsole.webservice.writer import ShopWriter
from prestaconsole.webservice.writing import change_record, differences, merged
from prestaconsole.webservice.writing.merge import languages_of, plain_of
from prestaconsole.webservice.writing.records import read_whole
from tests.support.shared import dump_folder, require_shared
from tests.webservice.shops import FakeClock

DUMPS = ("1.6.1.24", "1.7.8.11", "8.2.1", "9.0.0", "1.6.1.24-rich", "8.2.1-rich", "9.0.0-rich")
CHANGES: dict[str, dict[str, tuple[str, str]]] = {
    "products": {"reference": ("NEW-1", "NEW-2"), "price": ("12.340000", "0.000000")},
    "combinations": {"reference": ("NEW-1", "NEW-2"), "price": ("-1.500000", "2.000000")},
    "order_carriers": {"tracking_number": ("1Z 999/AA", "1Z 999/BB")},
    "stock_availables": {"quantity": ("7777", "-3")},
}
_shops: dict[str, SimulatedShop] = {}


def ways(versions: Sequence[str]) -> list[tuple[str, bool]]:
    """Each version with PUT, and from 8 on with PATCH too."""
    return [(version, patch) for version in versions for patch in (False, True) if not (patch and version < "8")]


def dumped(name: str) -> SimulatedShop:
    require_shared()
    if name not in _shops:
        _shops[name] = SimulatedShop.load(dump_folder(name))
    return _shops[name]


def reader(shop: SimulatedShop) -> ShopClient:
    way = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY))
    return ShopClient(way, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())


@pytest.mark.parametrize("resource", CHANGES)
@pytest.mark.parametrize(("name", "patch"), ways(DUMPS), ids=str)
async def test_a_change_of_a_real_record_moves_its_fields_and_no_other(name: str, resource: str, patch: bool) -> None:
    shop = dumped(name)
    chosen = random.Random(f"{name}{resource}").sample(sorted(shop.table(resource).ids()), 12)
    fields = {field: values[patch] for field, values in CHANGES[resource].items()}
    async with reader(shop) as client:
        for id in chosen:
            tree = await client.tree(resource, id)
            if tree is None:
                continue  # a row that lost its shop columns
            before = next(iter(tree.values()))
            found = await change_record(ShopWriter(client), resource, id, fields, patch=patch)
            again = await client.tree(resource, id)
            assert again is not None
            after = next(iter(again.values()))
            assert found.method == ("PATCH" if patch else "PUT")
            assert found.answer.ids == [id]
            assert {field: plain_of(after)[field] for field in fields} == fields
            unmoved = {field: value for field, value in before.items() if field not in (*fields, "date_upd")}
            assert {field: after[field] for field in unmoved} == unmoved
            assert differences(before, after, fields) == []
            assert set(differences(before, after)) == {f for f in fields if plain_of(before)[f] != fields[f]}


@pytest.mark.parametrize(("version", "patch"), ways(("1.6", "1.7", "8", "9")), ids=str)
async def test_an_inactive_language_keeps_its_texts(version: str, patch: bool) -> None:
    shop = SimulatedShop.generate(version=version, products=3, orders=1, seed=2)
    languages = shop.table("languages")
    hidden = languages.insert({"name": "Deutsch", "iso_code": "de", "language_code": "de-de", "active": "0"})
    id = min(shop.table("products").ids())
    texts = {
        name: {language: f"{name} {language}" for language in (*shop.languages(), hidden)}
        for name in ("name", "description", "description_short")
    }
    texts["link_rewrite"] = {language: f"rewrite-{language}" for language in (*shop.languages(), hidden)}
    shop.table("products").update(id, texts)
    async with reader(shop) as client:
        shown = await client.tree("products", id)
        assert shown is not None
        assert hidden not in languages_of(next(iter(shown.values())))["name"]
        given = {"description": {1: "<p>Neu &amp; anders\r\nZeile 2</p>"}}
        found = await change_record(ShopWriter(client), "products", id, given, patch=patch)
        _, after = await read_whole(client, "products", id)
    stored = shop.table("products").row(id)
    for name, before in texts.items():
        wanted = {**before, **given.get(name, {})}
        assert {int(k): v for k, v in stored[name].items()} == {int(k): v for k, v in wanted.items()}, name
    assert differences(found.before, after, given) == []
    assert languages_of(after)["description"][1].count("\r\n") == 1


async def test_a_text_that_cannot_be_read_in_a_hidden_language_stops_the_change() -> None:
    shop = SimulatedShop.generate(version="8", products=3, orders=1, seed=2)
    hidden = shop.table("languages").insert({"name": "Deutsch", "iso_code": "de", "active": "0"})
    inner = httpx.ASGITransport(app=shop.app)

    class Forgetful(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "language" in request.url.params:
                request.url = request.url.copy_set_param("language", "1")
            return await inner.handle_async_request(request)

    way = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY))
    id = min(shop.table("products").ids())
    async with ShopClient(way, transport=Forgetful(), clock=FakeClock()) as client:
        with pytest.raises(e.UnexpectedAnswer, match=f"language {hidden}"):
            await change_record(ShopWriter(client), "products", id, {"price": "1.000000"})
    assert shop.writes == 0


@pytest.mark.parametrize("version", ["1.6", "8"])
async def test_no_association_is_lost_and_a_changed_one_is_the_whole_list(version: str) -> None:
    shop = SimulatedShop.generate(version=version, products=6, orders=1, seed=3)
    id = next(int(row["id_product"]) for row in shop.table("combinations").rows(shop.table("combinations").ids()))
    before = set(shop.table("combinations").find("id_product", id))
    async with reader(shop) as client:
        _, record = await read_whole(client, "products", id)
        rows = [{"id": "2"}]
        await change_record(ShopWriter(client), "products", id, {"price": "3.000000"}, links={"categories": rows})
        _, after = await read_whole(client, "products", id)
    assert set(shop.table("combinations").find("id_product", id)) == before
    assert after["associations"]["categories"]["category"] == {
        **after["associations"]["categories"]["category"],
        "id": "2",
    }
    untouched = [name for name in record["associations"] if name != "categories"]
    assert {name: after["associations"][name] for name in untouched} == {
        name: record["associations"][name] for name in untouched
    }


async def test_changes_that_would_do_harm_are_never_sent() -> None:
    shop = SimulatedShop.generate(version="8", products=4, orders=2, seed=3)
    product, stock, order = (min(shop.table(name).ids()) for name in ("products", "stock_availables", "orders"))
    held = max(shop.table("stock_availables").ids())
    shop.table("stock_availables").update(held, {"depends_on_stock": "1"})
    refused: list[tuple[str, int, dict[str, Any], dict[str, Any]]] = [
        ("products", product, {"quantity": "5"}, {}),
        ("products", product, {"manufacturer_name": "x"}, {}),
        ("products", product, {"nonsense": "x"}, {}),
        ("products", product, {"id": "9"}, {}),
        ("products", product, {"name": "one for all"}, {}),
        ("products", product, {"name": {99: "in no language"}}, {}),
        ("products", product, {"price": {1: "2"}}, {}),
        ("products", product, {}, {"links": {"combinations": []}}),
        ("products", product, {}, {"links": {"nonsense": []}}),
        ("products", product, {"price": "2"}, {"id_shop": "all"}),
        ("stock_availables", stock, {"depends_on_stock": "0"}, {}),
        ("stock_availables", held, {"quantity": "5"}, {}),
        ("orders", order, {"note": "x"}, {}),
    ]
    async with reader(shop) as client:
        for resource, id, fields, more in refused:
            with pytest.raises(QueryError):
                await change_record(ShopWriter(client), resource, id, fields, **more)
        with pytest.raises(e.NotFound):
            await change_record(ShopWriter(client), "products", 999_999, {"price": "2"}, patch=True)
        await change_record(ShopWriter(client), "orders", order, {"note": "by PATCH"}, patch=True)
    assert shop.writes == 1


def test_a_pack_sends_the_combinations_of_its_components_by_the_name_that_is_read() -> None:
    record = {"id": "5", "price": "1", "associations": {"product_bundle": {"@nodeType": "product"}}}
    rows = [{"id": "7", "id_product_attribute": "12", "quantity": "2"}]
    row = merged(record, {}, {"product_bundle": rows})
    assert row["associations"]["product_bundle"] == {
        "product": [{"id": "7", "id_product_attribute": "12", "quantity": "2", "product_attribute_id": "12"}]
    }
    assert "associations" not in merged(record, {"price": "2"})
