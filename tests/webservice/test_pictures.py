"""Images: added, replaced, deleted and looked for, in every version and whatever the road does."""

import httpx
import pytest

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.sandbox.pictures import png as picture
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.writer import ShopWriter
from tests.webservice.shops import FakeClock

VERSIONS = ("1.5", "1.6", "1.7", "8", "9")


def simulated(version: str) -> SimulatedShop:
    shop = SimulatedShop.generate(version=version, products=2, orders=0, seed=5)
    shop.images[1] = [11, 12]
    shop.tables["products"].update(1, {"associations": {"images": [{"id": "11"}, {"id": "12"}]}})
    shop.tables["products"].update(1, {"id_default_image": "11"})
    return shop


def reader(shop: SimulatedShop, **changes: object) -> ShopClient:
    way = Endpoint("http://127.0.0.1", Secret(DEFAULT_KEY)).changed(**changes)
    return ShopClient(way, transport=httpx.ASGITransport(app=shop.app), clock=FakeClock())


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_image_is_added_replaced_and_deleted_in_every_version(version: str) -> None:
    shop = simulated(version)
    async with reader(shop) as client:
        writer = ShopWriter(client)
        added = await writer.add_image(1, picture(7))
        assert await client.images(1) == [11, 12, added]
        await writer.replace_image(1, added, picture(8))
        await writer.delete_image(1, 11)
        assert await client.images(1) == [12, added]
        await writer.delete_image(1, 12)
        await writer.delete_image(1, added)
        assert await client.images(1) == []
    assert shop.row("products", 1)["id_default_image"] == ""


@pytest.mark.parametrize("version", VERSIONS)
async def test_deleting_what_is_not_there_is_refused_with_its_code(version: str) -> None:
    shop = simulated(version)
    async with reader(shop) as client:
        with pytest.raises(e.Refused) as caught:
            await ShopWriter(client).delete_image(1, 99)
    assert caught.value.reason.code == 57
    assert shop.images[1] == [11, 12]


@pytest.mark.parametrize("fault", ["timeout-after", "php-warning", "truncate"])
async def test_a_deletion_whose_answer_was_lost_is_looked_for(fault: str) -> None:
    shop = simulated("8")
    shop.faults.next(fault)
    async with reader(shop) as client:
        await ShopWriter(client).delete_image(1, 12)
    assert shop.images[1] == [11]
    assert [entry.method for entry in shop.journal] == ["DELETE", "GET"], "it is never sent twice"


@pytest.mark.parametrize("fault", ["timeout-before", "http500", "html", "reset"])
async def test_a_deletion_that_was_not_done_stays_unknown(fault: str) -> None:
    shop = simulated("8")
    shop.faults.next(fault)
    async with reader(shop) as client:
        with pytest.raises(e.UnknownOutcome):
            await ShopWriter(client).delete_image(1, 12)
    assert shop.images[1] == [11, 12]
    assert [entry.method for entry in shop.journal].count("DELETE") == 1


@pytest.mark.parametrize("version", ["1.6", "8"])
async def test_a_look_that_fails_is_no_proof_of_a_deletion(version: str) -> None:
    shop = simulated(version)
    shop.faults.next("http500", 40)
    async with reader(shop) as client:
        with pytest.raises(e.UnknownOutcome):
            await ShopWriter(client).delete_image(1, 12)
    assert shop.images[1] == [11, 12]


async def test_a_host_that_blocks_the_method_gets_it_as_post() -> None:
    shop = simulated("8")
    shop.faults.set("block-put")
    async with reader(shop) as client:
        await ShopWriter(client).delete_image(1, 12)
        assert client.learned == {"ps_method": True}
    assert shop.images[1] == [11]
