"""Sales, cancellations, foreign writes and faults at random moments of a push: what must be true afterwards."""

import asyncio
import random
from pathlib import Path

import httpx
import pytest

from prestaconsole.database import Database
from prestaconsole.model import Incident
from prestaconsole.operations.order_intake import poll_orders
from prestaconsole.operations.pages import RunStopped
from prestaconsole.webservice.errors import WebserviceError
from tests.changes.live import Commit, Hook, Killed, LiveShop, kill, make_live, time_out

FEW_SEEDS = range(2)
MANY_SEEDS = range(2, 24)


async def storm(live: LiveShop, seed: int) -> None:
    """Pushes under sales and faults, each cut off or finished; then a quiet end."""
    chance = random.Random(seed)
    count = len(live.listings)

    def moment() -> Hook | None:
        draw = chance.random()
        if draw < 0.5:
            sales = [live.sell(chance.randrange(count), chance.randint(1, 2)) for _ in range(chance.randint(1, 4))]
            lost = chance.random() < 0.3

            def sell() -> None:
                for sale in sales:
                    sale()
                if lost:
                    time_out()

            return sell

        def receive() -> None:
            live.more(chance.randrange(count), 3)

        return chance.choice((None, time_out, kill, receive))

    for _ in range(5):
        for number in chance.sample(range(count), k=count // 2):
            live.more(number, chance.randint(1, 9))
        live.wire.before = [moment() for _ in range(3)]
        live.wire.after = [moment() for _ in range(3)]
        live.wire.before_read = [chance.choice((None, live.sell(chance.randrange(count)))) for _ in range(4)]
        live.wire.answers = [chance.choice((None, None, httpx.Response(500))) for _ in range(3)]
        try:
            await live.export()
        except (Killed, WebserviceError, RunStopped):
            live.take_over()
    for hooks in (live.wire.before, live.wire.after, live.wire.before_read, live.wire.answers):
        hooks.clear()
    for _ in range(3):
        await live.export()


def check(live: LiveShop) -> None:
    assert "sent" not in live.states()
    for number in range(len(live.listings)):
        assert live.shows(number) <= live.formula(number), "never more than is true"
        assert live.shows(number) == live.formula(number)
    assert "failed" not in live.states()
    assert live.unexplained() == 0, "every sale was an order, so nothing stays unexplained"


async def _one(database: Database, folder: Path, seed: int) -> None:
    live = await make_live(database, folder, push_batch="4", push_canary="1")
    for number in range(len(live.listings)):
        live.more(number, 400)
    await live.export()
    await storm(live, seed)
    await live.bench.run(live.shop, "import_orders")
    await live.export()
    check(live)


@pytest.mark.parametrize("seed", FEW_SEEDS)
async def test_after_a_stormy_push_every_shop_number_is_the_true_one(
    sqlite_database: Database, tmp_path: Path, seed: int
) -> None:
    await _one(sqlite_database, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY_SEEDS)
async def test_after_many_stormy_pushes_every_shop_number_is_the_true_one(
    sqlite_database: Database, tmp_path: Path, seed: int
) -> None:
    await _one(sqlite_database, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_another_feed_that_polls_orders_meanwhile_spoils_nothing(
    sqlite_database: Database, tmp_path: Path, seed: int
) -> None:
    live = await make_live(sqlite_database, tmp_path, push_batch="4", push_canary="1")
    count = len(live.listings)
    for number in range(count):
        live.more(number, 400)
    await live.export()
    chance = random.Random(seed)
    inner = live.wire.inner.handle_async_request

    async def sell_at_any_moment(request: httpx.Request) -> httpx.Response:
        if chance.random() < 0.15:
            live.sell(chance.randrange(count))()
        response = await inner(request)
        if chance.random() < 0.15:
            live.sell(chance.randrange(count))()
        return response

    live.wire.inner.handle_async_request = sell_at_any_moment  # type: ignore[method-assign]  # sales come between
    over = False

    async def poll_meanwhile() -> None:
        async with live.client() as client:
            while not over:
                commit = Commit(live.database, live.fence, live.fence["token"])
                await poll_orders(live.bench.core, live.shop, client, commit)

    async with asyncio.TaskGroup() as group:
        poller = group.create_task(poll_meanwhile())
        for _ in range(6):
            for number in chance.sample(range(count), k=count // 2):
                live.more(number, chance.randint(1, 9))
            await live.export()
        over = True
        await poller
    live.wire.inner.handle_async_request = inner  # type: ignore[method-assign]  # quiet again
    await live.bench.run(live.shop, "import_orders")
    await live.export()
    assert "sent" not in live.states()
    for number in range(count):
        assert live.shows(number) == live.formula(number)
    assert live.bench.rows(Incident) == []
    assert live.unexplained() == 0
