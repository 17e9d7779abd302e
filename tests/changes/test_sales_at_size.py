"""A push of 5,000 rows over a slow road with faults, while the shop sells: no unit is lost, none is shown twice."""

import asyncio
import random
from collections import Counter
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from prestaconsole.database import Database
from prestaconsole.model import Incident, MovementKind, StockLevel, StockMovement
from prestaconsole.operations.availability import availability
from prestaconsole.operations.pages import RunStopped
from prestaconsole.operations.stock_ledger import set_level
from prestaconsole.webservice.errors import WebserviceError
from tests.changes.live import Killed, LiveShop, kill, make_live, time_out

PRODUCTS = 3_600
ROWS = 5_000
LATENCY = 0.004
"""Seconds that every answer takes."""
PLENTY = 500
FAULTS = ("", "", "", "", "", "lost", "no answer", "500", "killed")
ROUNDS = 30


class Market:
    """Buyers between any two requests, and a road that fails now and then."""

    def __init__(self, live: LiveShop, chance: random.Random) -> None:
        self.live, self.chance = live, chance
        self.sold: Counter[int] = Counter()
        """Units by the number of the listing."""
        self.orders: list[int] = []
        self.faults: Counter[str] = Counter()
        self.inner = live.wire.inner.handle_async_request
        live.wire.inner.handle_async_request = self  # type: ignore[method-assign, assignment]  # a stretch of road

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Sales before and after, latency, and for writes a fault before or after."""
        self._sell(0.5)
        await asyncio.sleep(LATENCY)
        fault = self.chance.choice(FAULTS) if request.method == "PUT" else ""
        self.faults[fault] += 1
        if fault == "lost":
            time_out()
        response = await self.inner(request)
        await response.aread()
        self._sell(0.5)
        if fault == "no answer":
            time_out()
        if fault == "killed":
            kill()
        return httpx.Response(500) if fault == "500" else response

    def _sell(self, share: float) -> None:
        if self.chance.random() < share:
            number, units = self.chance.randrange(len(self.live.listings)), self.chance.randint(1, 3)
            listing = self.live.listings[number]
            pair = (listing["id_product"], listing["id_product_attribute"])
            self.orders.append(self.live.sim.sell(*pair, units))
            self.sold[number] += units

    def close(self) -> None:
        """Nobody buys any more, and the road is sound."""
        self.live.wire.inner.handle_async_request = self.inner  # type: ignore[method-assign]  # as it was


def formulas(live: LiveShop) -> list[int]:
    """What the shop should show, by the number of the listing."""
    ids = [row["id"] for row in live.listings]
    shown = live.database.read_now(lambda c: availability(c, live.shop, ids))
    return [shown[listing].shown or 0 for listing in ids]


def fill(live: LiveShop, chance: random.Random) -> None:
    """Count every product anew: each listing has another number to show."""
    physical = {row["product_id"]: row["physical"] for row in live.bench.rows(StockLevel)}
    targets = [
        (row["product_id"], live.warehouse, physical[row["product_id"]] + PLENTY + chance.randint(1, 9))
        for row in live.listings
    ]
    book = partial(set_level, kind=MovementKind.CORRECTION, actor="İpek", at=live.clock.now(), reason="count")
    for start in range(0, len(targets), 500):
        live.database.write_now(partial(book, targets=targets[start : start + 500]))


@pytest.mark.slow
async def test_sales_during_a_push_of_five_thousand_rows_leave_every_number_true_and_every_sale_in_the_ledger(
    sqlite_database: Database, tmp_path: Path
) -> None:
    live = await make_live(sqlite_database, tmp_path, products=PRODUCTS, patience=100.0)
    chance = random.Random(5)
    count = len(live.listings)
    assert count >= ROWS
    fill(live, chance)
    wanted = formulas(live)
    market = Market(live, chance)
    cut = 0
    for _ in range(ROUNDS):
        try:
            await live.export()
        except (Killed, WebserviceError, RunStopped):
            cut += 1
            live.take_over()
        else:
            break
    market.close()
    await live.bench.run(live.shop, "import_orders")
    await live.export()
    true = [units - market.sold[number] for number, units in enumerate(wanted)]
    shown = [live.shows(number) for number in range(count)]
    assert [number for number in range(count) if shown[number] > true[number]] == [], "more than is true"
    assert shown == true == formulas(live)
    assert not {"sent", "failed", "held", "planned"} & live.states().keys()
    assert live.unexplained() == 0
    assert live.bench.rows(Incident, Incident.closed_at.is_(None)) == []
    assert min(market.faults[fault] for fault in ("lost", "no answer", "500", "killed")) > 0
    assert len(market.orders) > 100
    await _shipped(live, market)
    faults = ", ".join(f"{number} {fault}" for fault, number in market.faults.items() if fault)
    print(f"{count} rows, {len(live.wire.puts)} PUTs, {len(market.orders)} sales, {faults}, {cut} cuts")


async def _shipped(live: LiveShop, market: Market) -> None:
    """Every sale is a movement once it was shipped, of just so many units."""
    shipping = int(live.sim.configuration("PS_OS_SHIPPING"))
    for order in market.orders:
        live.sim.set_order_state(order, shipping)
    await live.bench.run(live.shop, "import_orders")
    statement = (
        select(StockMovement.product_id, func.sum(StockMovement.quantity).label("units"))
        .where(StockMovement.kind == MovementKind.SALE)
        .group_by(StockMovement.product_id)
    )
    booked = {row.product_id: -row.units for row in live.database.read_now(lambda c: c.execute(statement).all())}
    sold: Counter[int] = Counter()
    for number, units in market.sold.items():
        sold[live.listings[number]["product_id"]] += units
    assert {product: booked.get(product, 0) for product in sold} == dict(sold)
