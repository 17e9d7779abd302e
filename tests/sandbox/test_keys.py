"""Who may ask what, and what the others hear (F10, F11, WEBSERVICE §1.3)."""

import pytest

from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from tests.sandbox.conftest import Client


async def test_without_a_key_the_answer_is_plain_text(client: Client) -> None:
    answer = await client.get("products", auth=False)
    assert (answer.status, answer.text) == (401, "401 Unauthorized")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert "psws-version" not in answer.headers


@pytest.mark.parametrize(
    ("key", "codes"),
    [("X" * 32, [20, 21]), ("short", [18]), ("", [17])],
)
async def test_wrong_keys(shop: SimulatedShop, key: str, codes: list[int]) -> None:
    answer = await Client(shop, key).get("products")
    assert (answer.status, answer.codes) == (401, codes)
    assert answer.headers["psws-version"] == "0"


async def test_the_version_is_told_to_a_wrong_key_before_8() -> None:
    shop = SimulatedShop.generate(version="1.7", products=1, orders=0)
    assert (await Client(shop, "X" * 32).get("products")).headers["psws-version"] == "1.7.8.11"


async def test_an_inactive_key_and_one_without_rights(shop: SimulatedShop) -> None:
    shop.add_key("OFF00000OFF00000OFF00000OFF00000", active=False)
    shop.add_key("NIL00000NIL00000NIL00000NIL00000", {})
    assert (await Client(shop, "OFF00000OFF00000OFF00000OFF00000").get("")).codes == [20, 21]
    assert (await Client(shop, "NIL00000NIL00000NIL00000NIL00000").get("")).codes == [21]


async def test_a_right_is_needed_for_the_resource_and_for_the_method(shop: SimulatedShop) -> None:
    key = "ORDERS00ORDERS00ORDERS00ORDERS00"
    shop.add_key(key, {"orders": ["GET"]})
    limited = Client(shop, key)
    assert (await limited.get("orders")).status == 200
    other = await limited.get("customers")
    assert (other.status, other.codes) == (401, [26])
    write = await limited.put("orders/1", "<order/>")
    assert (write.status, write.codes) == (405, [25])
    head = await limited.ask("HEAD", "orders")
    assert head.status == 405


async def test_a_key_of_another_shop(shop: SimulatedShop) -> None:
    key = "OTHER000OTHER000OTHER000OTHER000"
    shop.add_key(key, shops=[2])
    answer = await Client(shop, key).get("orders")
    assert (answer.status, answer.codes) == (403, [132])


async def test_a_disabled_webservice_says_so_but_only_to_who_has_a_key(shop: SimulatedShop, client: Client) -> None:
    shop.webservice_enabled = False
    answer = await client.get("products")
    assert (answer.status, answer.codes) == (503, [22])
    assert (await client.get("products", auth=False)).status == 401
    shop.webservice_enabled = True
    assert (await client.get("products")).status == 200


async def test_the_key_may_come_in_the_address_but_the_header_wins(shop: SimulatedShop, client: Client) -> None:
    assert (await client.get(f"products?ws_key={DEFAULT_KEY}", auth=False)).status == 200
    assert (await Client(shop, "X" * 32).get(f"products?ws_key={DEFAULT_KEY}")).status == 401


@pytest.mark.parametrize("method", ["OPTIONS", "FOO"])
async def test_an_unknown_method(client: Client, method: str) -> None:
    answer = await client.ask(method, "products")
    assert (answer.status, answer.codes) == (405, [23])
