"""Records are made once, whatever the connection does; images go up in the one form that every version takes."""

import httpx
import pytest

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.pictures import kind_of
from prestaconsole.webservice.query import QueryError
from prestaconsole.webservice.writer import ShopWriter
from prestaconsole.webservice.writing import post_once, post_state
from tests.webservice.shops import FakeClock

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
JPEG = b"\xff\xd8\xff\xe0" + bytes(64)
WEBP = b"RIFF\x00\x00\x00\x00WEBP" + bytes(64)
VERSIONS = ("1.6", "1.7", "8", "9")


def reader(shop: SimulatedShop, **changes: object) -> ShopClient:
    way = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY)).changed(**changes)
    return ShopClient(way, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())


def simulated(version: str = "8", **more: int) -> tuple[SimulatedShop, int]:
    shop = SimulatedShop.generate(version=version, products=6, orders=4, seed=5, **more)
    order = shop.place_order([(min(shop.table("products").ids()), 0, 1)], state=2)
    shop.journal.clear()
    shop.mails.clear()
    return shop, order


def histories(shop: SimulatedShop, order: int, state: int) -> list[int]:
    table = shop.table("order_histories")
    return [id for id in table.find("id_order", order) if table.value(table.row(id), "id_order_state") == str(state)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_state_is_posted_once_and_not_again(version: str) -> None:
    shop, order = simulated(version)
    async with reader(shop) as client:
        first = await post_state(ShopWriter(client), order, 4, mail=True)
        second = await post_state(ShopWriter(client), order, 4, mail=True)
    assert first.made
    assert not second.made
    assert histories(shop, order, 4) == [second.id]
    assert [mail.id_order for mail in shop.mails].count(order) == 1
    assert [exchange.method for exchange in shop.journal].count("POST") == 1


@pytest.mark.parametrize("fault", ["timeout-after", "php-warning", "truncate"])
async def test_a_state_whose_answer_was_lost_is_found_and_not_sent_again(fault: str) -> None:
    shop, order = simulated()
    async with reader(shop) as client:
        shop.faults.next(fault, 1, after=1)
        found = await post_state(ShopWriter(client), order, 4)
    assert (found.made, found.seen) == (True, True)
    assert histories(shop, order, 4) == [found.id]
    assert [exchange.method for exchange in shop.journal].count("POST") == 1


async def test_a_mail_that_fails_after_the_state_was_changed_is_no_failure() -> None:
    shop, order = simulated()
    shop.faults.set("mail-refused")
    async with reader(shop) as client:
        found = await post_state(ShopWriter(client), order, 4, mail=True)
    assert found.seen
    assert histories(shop, order, 4) == [found.id]


@pytest.mark.parametrize("fault", ["timeout-before", "reset", "http500", "html"])
async def test_a_state_that_did_not_arrive_is_left_to_the_caller(fault: str) -> None:
    shop, order = simulated()
    async with reader(shop) as client:
        shop.faults.next(fault, 1, after=1)
        with pytest.raises(e.UnknownOutcome):
            await post_state(ShopWriter(client), order, 4)
    assert histories(shop, order, 4) == []
    assert [exchange.method for exchange in shop.journal].count("POST") <= 1


async def test_an_order_that_is_not_there_has_no_state() -> None:
    shop, _ = simulated()
    async with reader(shop) as client:
        with pytest.raises(e.NotFound):
            await post_state(ShopWriter(client), 99_999, 4)
    assert shop.writes == 0


async def test_what_is_there_already_is_never_posted() -> None:
    async def look() -> int:
        return 7

    async def post() -> None:
        raise AssertionError("It was posted.")

    found = await post_once(look, post)  # type: ignore[arg-type]  # never gives an answer
    assert (found.id, found.made, found.seen) == (7, False, True)


# -- images ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_image_is_added_listed_and_replaced_under_its_id(version: str) -> None:
    shop, _ = simulated(version)
    product = max(shop.table("products").ids())
    shop.images.pop(product, None)
    async with reader(shop) as client:
        assert await client.images(product) == []
        writer = ShopWriter(client)
        first = await writer.add_image(product, PNG)
        second = await writer.add_image(product, JPEG)
        assert await client.images(product) == [first, second]
        await writer.replace_image(product, second, PNG)
        assert await client.images(product) == [first, second]
    sent = [exchange for exchange in shop.journal if exchange.method != "GET"]
    assert [exchange.method for exchange in sent] == ["POST", "POST", "POST"]
    assert "ps_method=PUT" in sent[2].query
    assert PNG in sent[0].body


async def test_what_no_shop_takes_is_never_uploaded_and_what_this_shop_refuses_is_said() -> None:
    shop, _ = simulated("1.6")
    product = max(shop.table("products").ids())
    async with reader(shop) as client:
        writer = ShopWriter(client)
        await client.root()
        for image in (b"", b"no image", WEBP):
            with pytest.raises(QueryError):
                await writer.add_image(product, image)
        with pytest.raises(e.WriteError) as caught:
            await writer.add_image(product, PNG + bytes(3_100_000))
        assert "3000 KB" in caught.value.cause
        with pytest.raises(e.WriteError):
            await writer.replace_image(product, 99_999, PNG)
    assert shop.writes == 0
    assert kind_of(WEBP) == "webp"


@pytest.mark.parametrize("fault", ["timeout-after", "truncate", "html", "http500", "reset"])
async def test_an_upload_whose_answer_is_lost_is_unknown(fault: str) -> None:
    shop, _ = simulated()
    product = max(shop.table("products").ids())
    async with reader(shop) as client:
        shop.faults.next(fault)
        with pytest.raises(e.UnknownOutcome):
            await ShopWriter(client).add_image(product, PNG)
    assert [exchange.method for exchange in shop.journal] == ["POST"] or fault == "reset"
