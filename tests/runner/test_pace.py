"""A breaker that opens where the feeds run is seen by everybody who reads the database, and is seen to heal."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
from sqlalchemy import event

from prestaconsole.clock import SystemClock
from prestaconsole.database import Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.operations.core import Core
from prestaconsole.operations.pace import PaceRecord, read_paces
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.worker import Worker
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.pacing import Pacer
from prestaconsole.webservice.query import Query
from tests.support.program import program
from tests.support.runs import add_shop, feed, make_core
from tests.webservice.shops import stock_shop

QUERY = Query("stock_availables", ("quantity",), limit=5)


class Shop:
    """One shop that fails until it is mended; its breaker lets a trial through when the test says so."""

    def __init__(self) -> None:
        self.well = False
        self.asks = asyncio.Event()
        self.pacer = Pacer(chance=lambda: 0.0)
        self._answers = stock_shop(5)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        return self._answers(request) if self.well else httpx.Response(500)

    def client(self, endpoint: Endpoint) -> ShopClient:
        # insist: the trial need not wait for the real half minute
        return ShopClient(endpoint, transport=httpx.MockTransport(self._handle), pacer=self.pacer, insist=True)

    async def feed(self, context: FeedContext) -> Outcome:
        """Ask four times, wait for the test, ask once more."""
        for _ in range(4):
            with suppress(e.WebserviceError):
                await context.client.page(QUERY)
        await self.asks.wait()
        await context.client.page(QUERY)
        return Outcome(complete=True)


@asynccontextmanager
async def at_work(core: Core) -> AsyncIterator[Worker]:
    """A daemon's worker for the length of a test."""
    worker, stop = Worker(core, "daemon"), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await worker.ready.wait()
        try:
            yield worker
        finally:
            stop.set()


async def seen(database: Database, shop: int, true: Callable[[PaceRecord], bool]) -> PaceRecord:
    """What another connection reads of the shop, as soon as it is as expected."""
    now = SystemClock().now
    async with asyncio.timeout(60):
        while True:
            found = await database.read(lambda c: read_paces(c, now()).get(shop))
            if found is not None and true(found):
                return found
            await asyncio.sleep(0.02)


async def test_a_breaker_that_opened_in_a_daemon_is_seen_by_another_process_and_heals(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    shop, simulated = add_shop(database).id, Shop()
    other = Database(database_url)
    core = make_core(database, tmp_path)
    core = Core(core.settings, database, core.vault, core.clock, simulated.client)
    try:
        with feed("asking", simulated.feed):
            async with at_work(core):
                now = core.clock.now()
                database.write_now(
                    lambda c: request_run(
                        c, shop_id=shop, feed="asking", actor="x", trigger="person", now=now, params={}
                    )
                )
                opened = await seen(other, shop, lambda pace: pace.down)
                assert opened.breaker == "open" and opened.failures == 4
                assert opened.cost["GET stock_availables"] >= 0

                cli = program(tmp_path, database_url=database_url)
                status = json.loads(await asyncio.to_thread(cli, "status", "--json", status=None))
                (line,) = status["shops"]
                assert (line["need"], line["breaker"]) == ("STOP", "open")
                assert "The shop failed 4 times in a row (" in line["text"] and "; asked again in " in line["text"]

                simulated.well = True
                simulated.asks.set()
                healed = await seen(other, shop, lambda pace: not pace.down)
                assert (healed.failures, healed.words) == (0, "")
        idle = await seen(other, shop, lambda pace: pace.busy == 0)
        assert idle.requests > opened.requests - 1, "the last word is told when the worker ends"
    finally:
        other.close()


async def test_nothing_is_written_while_nobody_is_asked(sqlite_database: Database, tmp_path: Path) -> None:
    shop, simulated = add_shop(sqlite_database).id, Shop()
    simulated.well = True
    simulated.asks.set()
    written: list[str] = []
    made = make_core(sqlite_database, tmp_path, heartbeat_seconds=0.05)
    core = Core(made.settings, sqlite_database, made.vault, made.clock, simulated.client)

    def note(_c: object, _u: object, statement: str, *_rest: object) -> None:
        if "INSERT INTO shop_pace" in statement:
            written.append(statement)

    event.listen(sqlite_database.engine, "before_cursor_execute", note)
    with feed("asking", simulated.feed):
        async with at_work(core) as worker:
            now = core.clock.now()
            ticket = sqlite_database.write_now(
                lambda c: request_run(c, shop_id=shop, feed="asking", actor="x", trigger="person", now=now, params={})
            )
            async with asyncio.timeout(60):
                while not written or ticket.run_id in worker.running:
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0.3)
            quiet = len(written)
            await asyncio.sleep(0.5)
            assert len(written) == quiet, "ten heartbeats without a request write nothing"
    assert 1 <= len(written) <= quiet + 1
