"""Real processes, real signals: each page's effect stands exactly once, whoever dies or sleeps where."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from prestaconsole.clock import SystemClock
from prestaconsole.database import Database
from prestaconsole.database.migrations import upgrade
from prestaconsole.model import Runner, RunState
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import RunRecord, load_run, log_lines
from tests.support.cluster import cluster, why_no_cluster
from tests.support.runs import add_shop, effects, feed, make_effects
from tests.support.workers import PAGES, Process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LEASE = 0.6
ALLOWED = 10.0


class Pack:
    """Processes that work on one database, found by the number of their runner row."""

    def __init__(self, database: Database, url: str, folder: Path) -> None:
        self._database, self._url, self._folder = database, url, folder
        self._all: list[Process] = []

    def start(self, kind: str = "daemon", **more: Any) -> Process:
        before = self._entered()
        process = Process(kind, self._url, self._folder, **more)
        self._all.append(process)
        until(lambda: self._entered() > before)
        return process

    def owner_of(self, record: RunRecord) -> Process:
        pid = self._database.read_now(lambda c: c.execute(select(Runner.pid).where(Runner.id == record.owner)).scalar())
        return next(process for process in self._all if process.pid == pid)

    def let_go_to(self, page: int) -> None:
        """Let the run come as far as this page and wait there: a busy machine must not end it before its kills."""
        draft = self._folder / "gate.draft"
        draft.write_text(str(page))
        draft.replace(self._folder / "gate")

    def close(self) -> None:
        for process in self._all:
            process.close()

    def said(self) -> str:
        return "\n".join(process.said() for process in self._all)

    def _entered(self) -> int:
        return self._database.read_now(lambda c: c.execute(select(func.count()).select_from(Runner)).scalar_one())


@pytest.fixture
def pack(database: Database, database_url: str, tmp_path: Path) -> Iterator[Pack]:
    made = Pack(database, database_url, tmp_path)
    yield made
    made.close()


def until(condition: Callable[[], Any], seconds: float = 60.0) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + seconds, "it did not come"
        time.sleep(0.01)
    return time.monotonic() - begun


def ask(database: Database) -> int:
    make_effects(database)
    shop = add_shop(database)
    with feed("paged"):
        return database.write_now(
            lambda c: (
                request_run(
                    c, shop_id=shop.id, feed="paged", actor="Zofia", trigger="person", now=SystemClock().now()
                ).run_id
            )
        )


def ask_again(database: Database, run_id: int) -> int:
    """The same errand once more, after it has ended."""
    shop_id = record(database, run_id).shop_id
    with feed("paged"):
        return database.write_now(
            lambda c: (
                request_run(
                    c, shop_id=shop_id, feed="paged", actor="Zofia", trigger="event", now=SystemClock().now()
                ).run_id
            )
        )


def record(database: Database, run_id: int) -> RunRecord:
    return database.read_now(lambda c: load_run(c, run_id))


def at_work(found: RunRecord) -> bool:
    return found.state is RunState.RUNNING and found.owner is not None


def goes_on(database: Database, run_id: int, pages: int = 1) -> None:
    """Wait until the run has done so many pages more and is at work."""
    begun = record(database, run_id).done

    def further() -> bool:
        now = record(database, run_id)
        return at_work(now) and now.done >= begun + pages

    until(further)


def taken_from(database: Database, before: RunRecord) -> bool:
    """Whether another process than the one before is at work on the run."""
    now = record(database, before.id)
    return at_work(now) and now.owner != before.owner


def test_killed_ten_times_at_random_pages_each_page_is_done_once(database: Database, pack: Pack) -> None:
    chance = random.Random(3)
    run_id = ask(database)
    pack.let_go_to(0)
    pack.start(pause=0.03)
    for _ in range(10):
        pack.start(pause=0.03)
        pack.let_go_to(record(database, run_id).done + 11)
        goes_on(database, run_id)
        time.sleep(chance.random() * 0.3)
        before = record(database, run_id)
        pack.owner_of(before).send(signal.SIGKILL)
        assert until(partial(taken_from, database, before)) < LEASE + ALLOWED
    pack.let_go_to(PAGES)
    until(lambda: record(database, run_id).state is RunState.DONE)
    assert effects(database) == list(range(1, PAGES + 1))
    found = record(database, run_id)
    assert (found.done, found.counts) == (PAGES, {"seen": PAGES})
    said = [line.text for line in database.read_now(lambda c: log_lines(c, run_id))]
    assert said.count("Its process gave no sign of life; taken over.") >= 10
    assert [line.seq for line in database.read_now(lambda c: log_lines(c, run_id))] == list(range(1, len(said) + 1))


def test_ten_times_a_process_that_slept_through_its_lease_stores_nothing_when_it_wakes(
    database: Database, pack: Pack
) -> None:
    real = {"heartbeat_seconds": 5.0, "stale_seconds": 15.0, "poll_seconds": 0.25}
    run_id = ask(database)
    pack.start(pause=0.15, **real)
    pack.start(pause=0.15, **real)
    until(lambda: record(database, run_id).done >= 3)
    before = record(database, run_id)
    pack.owner_of(before).send(signal.SIGKILL)
    took = until(lambda: at_work(record(database, run_id)) and record(database, run_id).owner != before.owner)
    assert 5 < took < 15 + ALLOWED
    until(lambda: record(database, run_id).state is RunState.DONE, 90)
    assert effects(database) == list(range(1, PAGES + 1))


@pytest.mark.postgres
def test_connections_cut_at_random_pages_lose_and_double_nothing(
    database: Database, pack: Pack, request: pytest.FixtureRequest
) -> None:
    if database.is_sqlite:
        pytest.skip("a file has no connections to cut")
    chance = random.Random(5)
    run_id = ask(database)
    daemon = pack.start(pause=0.03, first_wait=0.05)
    cut = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for _ in range(10):
        goes_on(database, run_id)
        time.sleep(chance.random() * 0.3)
        database.engine.dispose()
        database.write_now(lambda c: c.execute(cut).scalar())
    until(lambda: record(database, run_id).state is RunState.DONE, 120)
    assert effects(database) == list(range(1, PAGES + 1))
    daemon.send(signal.SIGTERM)
    assert daemon.wait(15) == 0, daemon.said()


@pytest.mark.postgres
def test_a_server_stopped_and_started_ten_times_loses_and_doubles_nothing(tmp_path: Path) -> None:
    if why_no_cluster():
        pytest.skip(why_no_cluster())
    chance = random.Random(6)
    with cluster() as server:
        database = Database(server.url)
        upgrade(database)
        pack = Pack(database, server.url, tmp_path)
        try:
            run_id = ask(database)
            pack.let_go_to(0)
            daemons = [pack.start(pause=0.03, first_wait=0.05) for _ in range(2)]
            for turn in range(10):
                pack.let_go_to(record(database, run_id).done + 8)
                goes_on(database, run_id)
                time.sleep(chance.random() * 0.3)
                server.stop("immediate" if turn % 2 else "fast")
                time.sleep(chance.random() * LEASE * 2)
                server.start()
                begun = record(database, run_id).done
                pack.let_go_to(begun + 3)
                assert until(lambda: record(database, run_id).done > begun) < LEASE + ALLOWED  # noqa: B023 - at once
            pack.let_go_to(PAGES)
            until(lambda: record(database, run_id).state is RunState.DONE)
            assert effects(database) == list(range(1, PAGES + 1))
            assert record(database, run_id).counts == {"seen": PAGES}
            again = ask_again(database, run_id)
            until(lambda: record(database, again).state is RunState.DONE)
            for daemon in daemons:
                daemon.send(signal.SIGTERM)
            assert [daemon.wait(20) for daemon in daemons] == [0, 0], pack.said()
        finally:
            pack.close()
            database.close()
