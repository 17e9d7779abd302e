"""What can go wrong on the way, in-process and over a port."""

import httpx
import pytest

from prestaconsole.sandbox import DEFAULT_KEY, SandboxServer, SimulatedShop
from tests.sandbox.conftest import NOON, Client


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("http500", 500, ""),
        ("429", 429, "Too Many Requests"),
        ("html", 200, "<!doctype html>"),
        ("php-warning", 500, "[PHP Warning #2]"),
    ],
)
async def test_answers_that_are_none(shop: SimulatedShop, client: Client, fault: str, status: int, body: str) -> None:
    shop.faults.next(fault)
    answer = await client.get("products")
    assert (answer.status, body in answer.text) == (status, True)
    assert (await client.get("products")).status == 200
    assert [entry.fault for entry in shop.journal] == [fault, None]


async def test_a_php_warning_comes_after_the_work_is_done(shop: SimulatedShop, client: Client) -> None:
    shop.faults.next("php-warning")
    nodes = "<stock_available><id>1</id><quantity>9</quantity></stock_available>"
    answer = await client.patch("stock_availables/1", nodes)
    assert (answer.status, answer.codes) == (500, [3])
    assert shop.quantity(1) == 9


@pytest.mark.parametrize(
    ("fault", "error", "done"),
    [
        ("reset", httpx.ReadError, False),
        ("timeout-before", httpx.ReadTimeout, False),
        ("timeout-after", httpx.ReadTimeout, True),
        ("truncate", httpx.RemoteProtocolError, True),
    ],
)
async def test_broken_connections_in_process(
    shop: SimulatedShop, client: Client, fault: str, error: type[Exception], done: bool
) -> None:
    before = shop.quantity(1)
    shop.faults.next(fault)
    nodes = "<stock_available><id>1</id><quantity>4321</quantity></stock_available>"
    with pytest.raises(error):
        await client.patch("stock_availables/1", nodes)
    assert shop.quantity(1) == (4321 if done else before)


@pytest.mark.parametrize(
    ("fault", "error", "done"),
    [
        ("reset", httpx.ReadError, False),
        ("timeout-before", httpx.ReadTimeout, False),
        ("timeout-after", httpx.ReadTimeout, True),
        ("truncate", (httpx.RemoteProtocolError, httpx.ReadError), True),
    ],
)
def test_broken_connections_over_a_port(
    shop: SimulatedShop, fault: str, error: type[Exception] | tuple[type[Exception], ...], done: bool
) -> None:
    before = shop.quantity(1)
    body = "<prestashop><stock_available><id>1</id><quantity>4321</quantity></stock_available></prestashop>"
    with SandboxServer(shop) as server, httpx.Client(auth=(DEFAULT_KEY, ""), timeout=0.5) as web:
        shop.faults.next(fault)
        with pytest.raises(error):
            web.patch(f"{server.url}/api/stock_availables/1", content=body)
        assert web.get(f"{server.url}/api/stock_availables/1").status_code == 200
    assert shop.quantity(1) == (4321 if done else before)


async def test_a_share_of_the_requests_fails_the_same_way_for_one_seed() -> None:
    async def run() -> list[int]:
        shop = SimulatedShop.generate(products=1, orders=0, seed=3, clock=lambda: NOON)
        shop.faults.set("http500", 0.3)
        return [(await Client(shop).get("languages")).status for _ in range(60)]

    first = await run()
    assert first == await run()
    assert 8 <= first.count(500) <= 30


async def test_counted_faults_wait_for_their_turn(shop: SimulatedShop, client: Client) -> None:
    shop.faults.next("http500", 2, after=1)
    assert [(await client.get("languages")).status for _ in range(4)] == [200, 500, 500, 200]


async def test_a_lost_header_and_the_way_around_it(shop: SimulatedShop, client: Client) -> None:
    shop.faults.set("no-auth-header")
    assert (await client.get("products")).text == "401 Unauthorized"
    assert (await client.get(f"products?ws_key={DEFAULT_KEY}")).status == 200


async def test_a_host_that_blocks_put_and_the_way_around_it(shop: SimulatedShop, client: Client) -> None:
    shop.faults.set("block-put")
    row = await client.stock_row(1, quantity="8")
    assert (await client.put("stock_availables/1", row)).status == 403
    assert (await client.post("stock_availables/1?ps_method=PUT", row)).status == 200


async def test_a_redirect_and_a_wrong_clock(shop: SimulatedShop, client: Client) -> None:
    shop.faults.set("clock", 3600)
    assert (await client.get("languages")).headers["access-time"] == str(int(NOON + 3600))
    shop.faults.set("redirect", 301)
    assert (await client.get("languages")).status == 301
    shop.faults.clear()
    assert (await client.get("languages")).status == 200


def test_faults_are_named_and_checked(shop: SimulatedShop) -> None:
    with pytest.raises(ValueError, match="There is no fault 'nope'"):
        shop.faults.set("nope")
    with pytest.raises(ValueError, match="from 0 to 1"):
        shop.faults.set("http500", 2)
    with pytest.raises(ValueError, match="needs a number"):
        shop.faults.set("latency")
    shop.faults.set("latency", "5")
    shop.faults.set("mail-refused")
    shop.faults.next("reset", 2)
    assert shop.faults.state() == {"reset": "next 2", "mail-refused": True, "latency": 5.0}


async def test_another_shop_answers_in_this_ones_place(shop: SimulatedShop, client: Client) -> None:
    own = (await client.get("orders?display=[id,reference]&sort=[id_ASC]")).text
    shop.faults.next("other-shop")
    other = (await client.get("orders?display=[id,reference]&sort=[id_ASC]")).text
    assert "<reference>" in other
    assert other != own
    assert (await client.get("orders?display=[id,reference]&sort=[id_ASC]")).text == own
    shop.faults.set("other-shop")
    answer = await client.patch(
        "stock_availables/1", "<stock_available><id>1</id><quantity>7777</quantity></stock_available>"
    )
    assert answer.status == 200
    assert shop.quantity(1) != 7777


async def test_an_old_backup_gives_the_newest_orders_ids_again(shop: SimulatedShop, client: Client) -> None:
    last = shop.table("orders").ids()[-1]
    reference = shop.row("orders", last)["reference"]
    shop.faults.set("id-reuse", 2)
    assert (await client.get("orders?sort=[id_ASC]")).ids[-1] == last - 2
    assert (await client.get(f"order_details?filter[id_order]=[{last}]")).ids == []
    assert (await client.get(f"order_payments?filter[order_reference]=[{reference}]")).ids == []
    assert shop.faults.state() == {}  # once
    assert [shop.sell(1), shop.sell(1)] == [last - 1, last]


async def test_a_backup_brings_back_every_row_and_its_ids(shop: SimulatedShop) -> None:
    backup = shop.backup()
    before, quantity = list(shop.table("orders").ids()), shop.quantity(1)
    placed = shop.sell(1)
    shop.add_product(name="Later")
    shop.restore(backup)
    assert (list(shop.table("orders").ids()), shop.quantity(1)) == (before, quantity)
    assert shop.sell(1) == placed


@pytest.mark.parametrize(("version", "path", "code"), [("1.6", "languages", 3), ("1.7", "products/1", 5)])
async def test_php_messages_that_nothing_masks(version: str, path: str, code: int) -> None:
    shop = SimulatedShop.generate(version=version, products=3, orders=1, clock=lambda: NOON)
    shop.faults.set("php-messages")
    client = Client(shop)
    answer = await client.get(path)
    assert (answer.status, answer.codes) == (500, [code])
    if version == "1.7":
        assert (await client.get("products?display=[id,reference]")).status == 200
        json = await client.get("products/1?output_format=JSON")
        assert json.status == 500
        assert set(json.response.json()) == {"product", "errors"}
