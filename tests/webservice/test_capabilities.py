"""What a shop can do, probed and compared with what it could do before."""

import httpx
import pytest

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.webservice.capabilities import changes, probed
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.codec import read_synopsis
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.writing import read_only
from tests.webservice.shops import FakeClock, document


def reader(shop: SimulatedShop, key: str = DEFAULT_KEY) -> ShopClient:
    way = Endpoint("http://127.0.0.1", Secret(key))
    return ShopClient(way, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())


async def told(version: str, key: str = DEFAULT_KEY) -> dict[str, object]:
    shop = SimulatedShop.generate(version=version, products=4, orders=2, seed=5)
    shop.add_key("LIMITED0LIMITED0LIMITED0LIMITED0", permissions={"orders": ["GET"], "products": ["GET", "PATCH"]})
    async with reader(shop, key) as client:
        found = await probed(client, await client.root())
    assert {exchange.method for exchange in shop.journal} == {"GET"}
    return found


@pytest.mark.parametrize(
    ("version", "patch", "single", "field", "lacks"),
    [
        ("1.5", False, False, "unit_price_ratio", "isbn"),
        ("1.6", False, False, "unit_price_ratio", "isbn"),
        ("1.7", False, True, "isbn", "unit_price"),
        ("8", True, True, "unit_price", "nonsense"),
        ("9", True, True, "unit_price", "meta_keywords"),
    ],
)
async def test_each_version_tells_what_it_can(version: str, patch: bool, single: bool, field: str, lacks: str) -> None:
    found = await told(version)
    assert bool(found["patch_resources"]) == patch
    assert found["single_display"] is single
    fields = found["fields"]
    assert isinstance(fields, dict)
    assert field in fields["products"]
    assert lacks not in fields["products"]
    assert ("location" in fields["stock_availables"]) == (version not in ("1.5", "1.6"))
    strip = found["strip"]
    assert isinstance(strip, dict)
    assert {"manufacturer_name", "quantity"} <= set(strip["products"])
    assert {"level_depth", "nb_products_recursive"} <= set(strip["categories"])


async def test_a_key_of_few_rights_is_asked_no_more_than_it_may() -> None:
    found = await told("8", "LIMITED0LIMITED0LIMITED0LIMITED0")
    assert found["patch_resources"] == ["products"]
    assert set(found["fields"]) == {"orders", "products"}  # type: ignore[call-overload]  # a mapping
    assert found["single_display"] is None


def test_a_schema_with_the_broken_nodes_of_early_8_is_read() -> None:
    fields = '<id_product required="true"></id_product>\n<quantity read_only="true"></quantity>\n'
    broken = "<associations>\n<categories>\n<category>\n<0></0>\n</category>\n</categories>\n</associations>\n"
    found = read_synopsis(document(f"<product>\n{fields}{broken}</product>"))
    assert found["id_product"] == {"required": "true"}
    assert read_only("products", found) >= {"quantity", "manufacturer_name"}


async def test_an_upgrade_is_told_in_sentences() -> None:
    lines = changes(await told("1.7"), await told("9"))
    text = "\n".join(lines)
    assert "The version is 9.0.0 now, it was 1.7.8.11." in lines
    assert "Resources gone: " in text
    assert "PATCH on new: addresses" in text
    assert "Field of products gone: meta_keywords." in lines
    assert all(line.endswith(".") for line in lines)


def test_rights_and_settings_that_changed_are_named_and_the_same_shop_is_silent() -> None:
    before = {
        "permissions": {"orders": ["GET"], "stock_availables": ["GET", "PUT"]},
        "storefronts": [1],
        "advanced_stock": False,
        "timezone": "Europe/Paris",
    }
    now = {
        "permissions": {"orders": ["GET", "PUT"], "stock_availables": ["GET"]},
        "storefronts": [1, 2, 3],
        "advanced_stock": True,
        "timezone": "Europe/Paris",
    }
    assert changes(before, now) == [
        "Advanced stock management is on now, it was off.",
        "Right gone: PUT on stock_availables.",
        "Right new: PUT on orders.",
        "Storefronts new: 2, 3.",
    ]
    assert changes(before, before) == []
    assert changes({}, now) == []
