"""Large shops: rows worked out from their ids, changes kept; how long they take to start and what room they need."""

import subprocess
import sys
from pathlib import Path

import pytest

from prestaconsole.sandbox import SimulatedShop
from prestaconsole.sandbox.big import FROM
from tests.sandbox.conftest import NOON, Client

_MEASURE = """
import asyncio, re, sys, time
began = time.perf_counter()
import httpx
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
shop = SimulatedShop.generate(products=int(sys.argv[1]), orders=int(sys.argv[2]))
started = time.perf_counter() - began

async def read(path, pages):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=shop.app), auth=(DEFAULT_KEY, "")) as client:
        last = rows = 0
        for _ in range(pages):
            answer = await client.get(f"http://shop/api/{path}&filter[id]=>[{last}]&sort=[id_ASC]&limit=5000")
            count = answer.text.count("<id>")
            rows, last = rows + count, last + count
        return rows

rows = asyncio.run(read("stock_availables?display=[id,quantity]", 20))
rows += asyncio.run(read("orders?display=[id,total_paid]", 2))
for _ in range(50):
    shop.sell(7)
# The peak since the program began; what getrusage tells includes the test run that started it.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
print(started, peak, len(shop.table("stock_availables")), rows)
"""


@pytest.fixture(scope="module")
def big() -> SimulatedShop:
    return SimulatedShop.generate(products=FROM + 1, orders=200, seed=5, clock=lambda: NOON)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
@pytest.mark.parametrize(("products", "orders"), [(100_000, 50_000), (555_560, 100)])
def test_a_large_shop_stays_under_400_megabytes(products: int, orders: int) -> None:
    command = [sys.executable, "-c", _MEASURE, str(products), str(orders)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    started, megabytes, stock, rows = map(float, told.stdout.split())
    print(f"{products} products, {orders} orders: started in {started:.1f} s, {megabytes:.0f} MB")
    assert megabytes < 400
    assert stock == products + products // 5 * 4
    assert rows >= 100_000


async def test_rows_are_the_same_each_time_for_one_seed(big: SimulatedShop) -> None:
    other = SimulatedShop.generate(products=FROM + 1, orders=200, seed=5, clock=lambda: NOON)
    different = SimulatedShop.generate(products=FROM + 1, orders=200, seed=6, clock=lambda: NOON)
    for resource in ("products", "combinations", "stock_availables", "orders", "order_details", "customers"):
        for number in (1, 50, 90):
            assert big.row(resource, number) == other.row(resource, number)
    assert big.row("orders", 1) != different.row("orders", 1)


async def test_orders_hang_together(big: SimulatedShop) -> None:
    for number in (1, 90, 200):
        order = big.row("orders", number)
        lines = [big.row("order_details", row) for row in big.table("order_details").find("id_order", number)]
        assert lines
        total = sum(float(line["total_price_tax_incl"]) for line in lines)
        assert total == pytest.approx(float(order["total_products_wt"]))
        assert float(order["total_paid"]) == pytest.approx(total + float(order["total_shipping"]))
        [payment] = big.table("order_payments").find("order_reference", order["reference"])
        assert big.row("order_payments", payment)["amount"] == order["total_paid"]
        last = big.table("order_histories").find("id_order", number)[-1]
        assert big.row("order_histories", last)["id_order_state"] == order["current_state"]
        assert int(order["id_customer"]) in big.table("customers")


async def test_a_sum_row_is_the_sum_and_stays_it(big: SimulatedShop) -> None:
    sizes = big.table("combinations").find("id_product", 10)
    assert big.quantity(10) == sum(big.quantity(10, size) for size in sizes)
    big.set_quantity(10, sizes[0], 1000)
    assert big.quantity(10) == sum(big.quantity(10, size) for size in sizes) >= 1000


async def test_what_changes_is_kept_and_what_is_deleted_is_gone(big: SimulatedShop) -> None:
    client = Client(big)
    await client.patch("products/33", "<product><id>33</id><reference>CHANGED</reference></product>")
    assert (await client.get("products?filter[reference]=[CHANGED]")).ids == [33]
    assert (await client.get("products?filter[reference]=[SKU-0033]")).ids == []
    await client.ask("DELETE", "products/44")
    assert (await client.get("products/44")).status == 404
    assert (await client.get("products?filter[id]=[43,45]&sort=[id_ASC]")).ids == [43, 45]
    assert (await client.get("stock_availables?filter[id_product]=[44]")).ids == []
    new = big.add_product(name="New", quantity=3)
    assert (await client.get(f"products?filter[id]=>[{FROM}]&sort=[id_ASC]")).ids == [FROM + 1, new]
    placed = big.sell(new)
    assert (await client.get("orders?filter[id]=>[199]&sort=[id_ASC]")).ids == [200, placed]


async def test_unsorted_lists_are_unsorted_here_too(big: SimulatedShop) -> None:
    ids = (await Client(big).get("stock_availables?limit=100")).ids
    assert len(ids) == 100
    assert ids != sorted(ids)
