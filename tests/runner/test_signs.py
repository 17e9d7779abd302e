"""What counts as progress: looks, beats and pages; what is waited out, and what hangs."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prestaconsole.clock import SystemClock
from prestaconsole.database import Connection, Database, DatabaseError, DatabaseUnavailable
from prestaconsole.runner.dispatch import EmbeddedDispatcher, Hands
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.signs import Signs
from prestaconsole.runner.worker import Worker
from tests.support.runs import FakeClock, add_shop, feed, make_core

LIMITS = {"hung_after": 60.0, "stuck_after": 3600.0}
AWAY = DatabaseUnavailable("The disk of the database is full.", "Free space.")


@dataclass
class Run:
    moved_at: float
    run_id: int = 7
    feed: str = "import_orders"


def test_a_worker_that_looks_and_beats_works() -> None:
    clock = FakeClock()
    signs = Signs(clock)
    for _ in range(100):
        clock.forward(5)
        signs.turn.done()
        signs.beat.done()
        assert signs.health([], **LIMITS).state == "working"


@pytest.mark.parametrize("silent", ["turn", "beat"])
def test_either_of_them_alone_is_not_enough(silent: str) -> None:
    clock = FakeClock()
    signs = Signs(clock)
    other = signs.beat if silent == "turn" else signs.turn
    for _ in range(13):
        clock.forward(5)
        other.done()
    found = signs.health([], **LIMITS)
    assert found.state == "hung"
    assert not found.alive
    assert "65 s" in found.reason


def test_a_database_that_is_away_is_waited_for_as_long_as_it_says_so() -> None:
    clock = FakeClock()
    signs = Signs(clock)
    for _ in range(1000):
        clock.forward(5)
        signs.turn.kept(AWAY)
        signs.beat.kept(AWAY)
    found = signs.health([], **LIMITS)
    assert (found.state, found.alive) == ("waiting", True)
    assert "The disk of the database is full." in found.reason
    signs.turn.done()
    signs.beat.done()
    assert signs.health([], **LIMITS).state == "working"


def test_waiting_that_falls_silent_hangs() -> None:
    clock = FakeClock()
    signs = Signs(clock)
    signs.turn.kept(AWAY)
    clock.forward(61)
    assert signs.health([], **LIMITS).state == "hung"


@pytest.mark.parametrize("error", [DatabaseError("damaged", ""), ValueError("a fault of ours")])
def test_a_fault_of_ours_or_a_damaged_database_is_no_waiting(error: Exception) -> None:
    clock = FakeClock()
    signs = Signs(clock)
    for _ in range(13):
        clock.forward(5)
        signs.turn.kept(error)
        signs.beat.done()
    assert signs.failing
    assert signs.health([], **LIMITS).state == "hung"


def test_a_run_without_a_page_for_far_too_long_is_a_stuck_dispatcher() -> None:
    clock = FakeClock()
    signs = Signs(clock)
    run = Run(clock.monotonic())
    clock.forward(3601)
    signs.restart()
    found = signs.health([run], **LIMITS)
    assert found.state == "hung"
    assert "run 7 (import_orders) has stored no page for 60 min" in found.reason
    run.moved_at = clock.monotonic()
    assert signs.health([run], **LIMITS).state == "working"


def test_a_run_that_may_start_and_is_never_brought_is_a_stuck_dispatcher() -> None:
    clock = FakeClock()
    signs = Signs(clock)

    def look(waits: bool) -> str:
        clock.forward(5)
        signs.turn.done()
        signs.beat.done()
        signs.taking.owed(waits)
        return signs.health([], **LIMITS).state

    assert {look(False) for _ in range(100)} == {"working"}
    assert {look(True) for _ in range(12)} == {"working"}
    clock.forward(5)
    found = signs.health([], **LIMITS)
    assert found.state == "hung"
    assert "none was brought" in found.reason
    # A claim that found nothing to take is a sign too: it was brought.
    signs.taking.done()
    assert {look(True) for _ in range(11)} == {"working"}
    assert look(False) == look(True) == "working"


def test_a_run_that_the_database_keeps_from_being_taken_is_waited_for() -> None:
    clock = FakeClock()
    signs = Signs(clock)
    signs.taking.owed(True)
    for _ in range(100):
        clock.forward(5)
        signs.turn.done()
        signs.beat.done()
        signs.taking.kept(AWAY)
    assert signs.health([], **LIMITS).state == "waiting"


# -- a real worker ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def working(
    database: Database, folder: Path, dispatcher: EmbeddedDispatcher | None = None
) -> AsyncIterator[Worker]:
    worker, stop = Worker(make_core(database, folder), "daemon", dispatcher=dispatcher), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await worker.ready.wait()
        try:
            yield worker
        finally:
            stop.set()


async def becomes(worker: Worker, state: str, hung_after: float = 0.8) -> str:
    async with asyncio.timeout(60):
        while (found := worker.health(hung_after=hung_after, stuck_after=60.0)).state != state:
            await asyncio.sleep(0.02)
    return found.reason


async def test_a_writer_that_is_blocked_is_noticed_though_the_loop_turns(
    sqlite_database: Database, tmp_path: Path
) -> None:
    release = threading.Event()
    async with working(sqlite_database, tmp_path) as worker, asyncio.TaskGroup() as group:
        await becomes(worker, "working", 5.0)
        group.create_task(sqlite_database.write(lambda c: release.wait()))
        try:
            reason = await becomes(worker, "hung")
        finally:
            release.set()
        assert "heartbeat" in reason
        await becomes(worker, "working", 5.0)


async def test_readers_that_never_answer_are_noticed(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    read = sqlite_database.read

    async def silent(work: Callable[[Connection], Any], **how: Any) -> Any:
        await release.wait()
        return await read(work, **how)

    async with working(sqlite_database, tmp_path) as worker:
        monkeypatch.setattr(sqlite_database, "read", silent)
        assert "schedules and queue" in await becomes(worker, "hung")
        release.set()
        await becomes(worker, "working", 5.0)


async def test_a_database_that_cannot_be_written_is_waited_for_and_said_once(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = sqlite_database.write
    away = True

    async def full(work: Callable[[Connection], Any], **how: Any) -> Any:
        if away:
            raise AWAY
        return await write(work, **how)

    caplog.set_level("INFO")
    async with working(sqlite_database, tmp_path) as worker:
        monkeypatch.setattr(sqlite_database, "write", full)
        assert "disk" in await becomes(worker, "waiting", 30.0)
        await asyncio.sleep(1.0)
        away = False
        await becomes(worker, "working", 30.0)
        async with asyncio.timeout(60):
            while "answers again" not in caplog.text:
                await asyncio.sleep(0.02)
    # Reading goes well all the while: that alone is no end of the trouble.
    assert caplog.text.count("The disk of the database is full.") == 1
    assert caplog.text.count("answers again") == 1


class Silent(EmbeddedDispatcher):
    """A dispatcher that brings nothing; ``serve`` may end as if its work were done."""

    ends = False

    async def serve(self, hands: Hands) -> None:
        if not self.ends:
            await super().serve(hands)

    async def offer(self, hands: Hands) -> bool:
        return False


async def test_a_queue_that_stands_still_is_noticed_though_nothing_failed(
    sqlite_database: Database, tmp_path: Path
) -> None:
    shop = add_shop(sqlite_database)
    silent = Silent(sqlite_database, SystemClock(), 0.05)
    with feed("calm"):
        async with working(sqlite_database, tmp_path, silent) as worker:
            assert (await becomes(worker, "working", 5.0)) == ""
            now = SystemClock().now()
            ask: dict[str, Any] = {"shop_id": shop.id, "feed": "calm", "actor": "Zofia", "trigger": "person"}
            await sqlite_database.write(lambda c: request_run(c, now=now, **ask))
            assert "none was brought" in await becomes(worker, "hung", 5.0)


async def test_a_part_of_the_worker_that_ended_by_itself_is_noticed_at_once(
    sqlite_database: Database, tmp_path: Path
) -> None:
    silent = Silent(sqlite_database, SystemClock(), 0.05)
    silent.ends = True
    async with working(sqlite_database, tmp_path, silent) as worker:
        assert "“handing out of work” has ended" in await becomes(worker, "hung", 60.0)
