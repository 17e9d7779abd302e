"""Stock rows are read whole, and each in a context that shows it."""

import httpx
import pytest

from prestaconsole.changes.stock_rows import Contexts, StockRow, read_rows
from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from tests.support.shared import DUMPS, dump_folder

SHARING = Contexts(((1, 1), (2, 2), (3, 2)))


def row(id_shop: int, id_shop_group: int) -> StockRow:
    return StockRow(7, 1, 0, id_shop, id_shop_group, 4, False, {"id": "7", "quantity": "4", "location": "A"})


def test_a_row_is_written_in_the_context_of_a_storefront_that_owns_it() -> None:
    assert SHARING.owner(row(1, 0)) == 1
    assert SHARING.owner(row(0, 2)) == 2
    assert SHARING.reading() == (1, 2, 3)


def test_a_single_shop_needs_no_context() -> None:
    for single in (Contexts(), Contexts(((1, 1),))):
        assert single.reading() == (None,)
        assert single.owner(row(1, 0)) is None


def test_the_body_is_the_row_as_read_with_another_quantity() -> None:
    assert row(1, 0).body(9) == {"id": "7", "quantity": "9", "location": "A"}
    wiped = StockRow(7, 1, 0, 1, 0, 9, False, {"id": "7", "quantity": "9", "location": ""})
    assert row(1, 0).wiped(wiped) == ["location: 'A' → ''"]


@pytest.mark.skipif(not (DUMPS / "8.2.1-multistore").is_dir(), reason="the multistore dump is not here")
async def test_rows_of_a_group_that_shares_stock_are_found_in_its_context() -> None:
    shop = SimulatedShop.load(dump_folder("8.2.1-multistore"))
    numbers = sorted(shop.table("stock_availables").ids())
    shared, alone = numbers[:20], numbers[20:40]
    for number in shared:
        # as the group's own dump has them; this one was taken without a context
        shop.table("stock_availables").update(number, {"id_shop": "0", "id_shop_group": "2"})
    endpoint = Endpoint("http://127.0.0.1:80", Secret(DEFAULT_KEY))
    async with ShopClient(endpoint, transport=httpx.ASGITransport(app=shop.app)) as client:
        found = await read_rows(client, shared + alone, SHARING)
        unseen = await read_rows(client, shared, Contexts())
    assert set(found) >= set(shared)
    assert unseen == {}
    assert all((found[number].id_shop, found[number].id_shop_group) == (0, 2) for number in shared)
    assert {SHARING.owner(found[number]) for number in shared} == {2}
