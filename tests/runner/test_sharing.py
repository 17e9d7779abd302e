"""Several workers on one database: no run twice, at most N of a shop, the urgent first, and little noise when idle."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text

from prestaconsole.database import Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import FeedSchedule, RunState
from prestaconsole.operations.core import Core
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import load_run
from prestaconsole.runner.worker import Worker
from tests.support.runs import START, add_shop, effects, feed, make_core, make_effects, run_rows


def ask(core: Core, shop_id: int, name: str, **params: Any) -> int:
    return core.database.write_now(
        lambda c: (
            request_run(
                c, shop_id=shop_id, feed=name, actor="x", trigger="person", now=core.clock.now(), params=params
            ).run_id
        )
    )


async def working(stack: AsyncExitStack, core: Core, kind: Any = "daemon", **how: Any) -> Worker:
    worker, stop = Worker(core, kind, **how), asyncio.Event()
    group = await stack.enter_async_context(asyncio.TaskGroup())
    group.create_task(worker.run(stop))
    stack.callback(stop.set)
    await worker.ready.wait()
    return worker


@pytest.mark.slow
async def test_three_workers_run_each_run_once_and_never_more_of_a_shop_than_its_slots(
    database: Database, database_url: str, open_database: Callable[[str], Database], tmp_path: Path
) -> None:
    make_effects(database)
    cores = [make_core(open_database(database_url), tmp_path, slots_per_shop=2, stale_seconds=20.0) for _ in range(3)]
    at_work: Counter[int] = Counter()
    most: Counter[int] = Counter()
    overlaps: list[str] = []
    serial: set[str] = set()

    async def run(context: FeedContext) -> Outcome:
        shop_id, key = context.shop.id, f"{context.shop.id}:{context.run.feed}"
        at_work[shop_id] += 1
        most[shop_id] = max(most[shop_id], at_work[shop_id])
        if key in serial:
            overlaps.append(key)
        serial.add(key)
        for number in range(3):
            row = {"shop": shop_id, "page": context.run.id * 10 + number}

            def store(connection: Connection, row: dict[str, int] = row) -> None:
                connection.execute(text("INSERT INTO page_effect (shop_id, page) VALUES (:shop, :page)"), row)

            await context.commit(store, checkpoint={"page": number})
            await asyncio.sleep(0.01)
        serial.discard(key)
        at_work[shop_id] -= 1
        return Outcome()

    names = ["one", "two", "three", "four"]
    with ExitStack() as feeds:
        for name in names:
            feeds.enter_context(feed(name, entry=run))
        shops = [add_shop(database, f"shop{number}") for number in range(4)]
        runs = [ask(cores[0], shop.id, name, id=n) for shop in shops for name in names for n in range(2)]
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            for core in cores:
                await working(stack, core)
            while any(row.state != RunState.DONE for row in run_rows(database)):
                await asyncio.sleep(0.05)
    assert overlaps == []
    assert max(most.values()) == 2
    assert effects(database) == sorted(run_id * 10 + number for run_id in runs for number in range(3))
    assert {row.token for row in run_rows(database)} == {1}


async def test_while_slots_are_scarce_the_urgent_go_before_all_others(database: Database, tmp_path: Path) -> None:
    core = make_core(database, tmp_path, slots_per_shop=1)
    order: list[str] = []

    async def run(context: FeedContext) -> Outcome:
        order.append(context.run.feed)
        return Outcome()

    shop = add_shop(database)
    with ExitStack() as feeds:
        for priority, name in ((60, "products"), (10, "orders"), (30, "stock")):
            feeds.enter_context(feed(name, entry=run, priority=priority))
        runs = [ask(core, shop.id, name) for name in ("products", "stock", "orders")]
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            await working(stack, core)
            while any(row.state != RunState.DONE for row in run_rows(database)):
                await asyncio.sleep(0.02)
    assert order == ["orders", "stock", "products"]
    assert len(runs) == 3


async def test_an_urgent_run_does_not_wait_behind_a_long_one_while_a_slot_is_free(
    database: Database, database_url: str, open_database: Callable[[str], Database], tmp_path: Path
) -> None:
    cores = [make_core(open_database(database_url), tmp_path, slots_per_shop=2, stale_seconds=20.0) for _ in range(2)]
    reading, read_on = asyncio.Event(), asyncio.Event()

    async def long(context: FeedContext) -> Outcome:
        reading.set()
        await read_on.wait()
        return Outcome()

    async def short(context: FeedContext) -> Outcome:
        return Outcome()

    shop = add_shop(database)
    with feed("products", entry=long, priority=60), feed("orders", entry=short, priority=10):
        products = [ask(cores[0], shop.id, "products", id=number) for number in range(3)]
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            for core, kind in zip(cores, ("daemon", "console"), strict=True):
                await working(stack, core, kind)
            await reading.wait()
            for _ in range(3):
                orders = ask(cores[1], shop.id, "orders")
                while database.read_now(lambda c, run=orders: load_run(c, run)).active:  # type: ignore[misc]  # a default
                    await asyncio.sleep(0.01)
            states = [database.read_now(lambda c, run=run: load_run(c, run)).state for run in products]  # type: ignore[misc]  # a default
            read_on.set()
    assert sorted(states) == [RunState.QUEUED, RunState.QUEUED, RunState.RUNNING]


async def test_long_reads_of_many_shops_leave_a_place_for_an_urgent_run_of_another(
    database: Database, tmp_path: Path
) -> None:
    core = make_core(database, tmp_path, stale_seconds=20.0)
    at_work: set[int] = set()
    read_on = asyncio.Event()

    async def long(context: FeedContext) -> Outcome:
        at_work.add(context.shop.id)
        await read_on.wait()
        return Outcome()

    async def short(context: FeedContext) -> Outcome:
        return Outcome()

    shops = [add_shop(database, f"shop{number}") for number in range(6)]
    with feed("products", entry=long, priority=60), feed("orders", entry=short, priority=10):
        products = [ask(core, shop.id, "products") for shop in shops]
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            await working(stack, core, capacity=4)
            while len(at_work) < 3:
                await asyncio.sleep(0.01)
            for _ in range(2):
                orders = ask(core, shops[5].id, "orders")
                while database.read_now(lambda c, run=orders: load_run(c, run)).active:  # type: ignore[misc]  # a default
                    await asyncio.sleep(0.01)
            assert len(at_work) == 3, "the last place is kept for the urgent"
            read_on.set()
            while any(database.read_now(lambda c, run=run: load_run(c, run)).active for run in products):  # type: ignore[misc]  # a default
                await asyncio.sleep(0.01)
    assert at_work == {shop.id for shop in shops}


async def test_what_is_queued_starts_each_time(database: Database, tmp_path: Path) -> None:
    """The real pace of looking (4 a second), in the middle of eleven tries (DESIGN §4).

    How long it took is printed beside what the machine needs for one small transaction at that moment;
    `benchmarks/runner.py` holds it against its limits.
    """
    core = make_core(database, tmp_path, poll_seconds=0.25, heartbeat_seconds=5.0, stale_seconds=15.0)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def run(context: FeedContext) -> Outcome:
        begun.set()
        await ended.wait()
        return Outcome()

    shop = add_shop(database)
    waits: list[float] = []
    steps: list[float] = []
    with feed("quick", entry=run):
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            worker = await working(stack, core)
            for number in range(11):
                begun.clear()
                ended.clear()
                await asyncio.sleep(0.05 * number % 0.25)
                asked = time.monotonic()
                await core.database.write(
                    lambda c: request_run(
                        c, shop_id=shop.id, feed="quick", actor="x", trigger="person", now=core.clock.now()
                    )
                )
                steps.append(time.monotonic() - asked)
                await begun.wait()
                waits.append(time.monotonic() - asked)
                ended.set()
                while worker.running:
                    await asyncio.sleep(0.01)
    median, bare = (statistics.median(found) * 1000 for found in (waits, steps))
    print(f"queued to started: p50 {median:.0f} ms, of which writing the row {bare:.0f} ms")


@pytest.mark.slow
async def test_idle_with_600_schedules_it_makes_few_statements(sqlite_database: Database, tmp_path: Path) -> None:
    core = make_core(sqlite_database, tmp_path, poll_seconds=0.25, heartbeat_seconds=5.0, stale_seconds=15.0)
    shops = [add_shop(sqlite_database, f"shop{number}") for number in range(50)]
    far = {"next_due": START.replace(year=2099), "updated_at": START, "updated_by": "x", "every": "every 5 min"}
    rows = [{"shop_id": shop.id, "feed": f"feed{number}", **far} for shop in shops for number in range(12)]
    sqlite_database.write_now(lambda c: c.execute(insert(FeedSchedule), rows))
    statements: list[str] = []

    async with AsyncExitStack() as stack:
        worker = await working(stack, core)
        await asyncio.sleep(1)
        event.listen(sqlite_database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        used = time.process_time()
        await asyncio.sleep(20)
        used = time.process_time() - used
        assert not worker.running
    counted = [statement for statement in statements if not statement.startswith(("PRAGMA", "BEGIN"))]
    assert 0 < len(counted) / 20 <= 2.5, Counter(counted)
    print(f"idle: {100 * used / 20:.2f} % of a core, {len(counted) / 20:.1f} statements a second")


async def test_waiting_for_one_run_does_not_take_others(database: Database, tmp_path: Path) -> None:
    core = make_core(database, tmp_path)

    async def run(context: FeedContext) -> Outcome:
        return Outcome()

    shop = add_shop(database)
    with feed("one", entry=run), feed("two", entry=run):
        other, wanted = ask(core, shop.id, "one"), ask(core, shop.id, "two")
        await Worker(core, "command").run_until_ended(wanted)
    assert database.read_now(lambda c: load_run(c, other)).state is RunState.QUEUED
