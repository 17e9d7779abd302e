"""How soon a run starts after it was asked for, and what a daemon costs that has nothing to do.

Run it: `python benchmarks/runner.py [--postgres URL] [--starts 60] [--seconds 60]`. SQLite is measured in a temporary
folder; with `--postgres` a database is made on that server and taken away again. The daemon's worker lives in a
process of its own with the default times (a look 4 times a second, a heartbeat each 5 s); runs are asked for from
another process, as a console or a command does. Beside each figure stands an empty loop on the same machine in the
same run: for the start, a bare transaction and the wake-up of a sleeping loop; for the idle daemon, a process that only
sleeps 4 times a second. Prints only; no test decides by it.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, insert, select, text
from sqlalchemy.engine import make_url

from prestaconsole.clock import SystemClock
from prestaconsole.database import Database
from prestaconsole.database.migrations import upgrade
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.feeds.registry import FEEDS, FeedSpec
from prestaconsole.model import FeedRun, FeedSchedule, RunState, Shop, ShopMode
from prestaconsole.operations.core import Core
from prestaconsole.operations.secrets import store_key
from prestaconsole.redaction import Secret
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.worker import Worker
from prestaconsole.settings import Settings
from prestaconsole.vault import Vault
from prestaconsole.webservice.client import ShopClient

SHOPS, SCHEDULES = 50, 12
FEED = "nothing"
VAULT = Vault(bytes(range(32)))


async def say_when(context: FeedContext) -> Outcome:
    # The monotonic clock is the machine's, so two processes may compare it.
    print(json.dumps({"run": context.run.id, "started": time.monotonic()}), flush=True)
    return Outcome()


class Saying(FeedSpec):
    """A feed that says when it began and does nothing."""

    @property
    def run(self) -> Any:
        return say_when


FEEDS[FEED] = Saying(name=FEED, title=FEED, module="", modes=dict.fromkeys(ShopMode, "run"))


# -- the daemon's side, in a process of its own --------------------------------------------------------------------


async def work(url: str, folder: str, seconds: float) -> None:
    """Work for so long; the last line says what it cost once it was at work."""
    database = Database(url)
    settings = Settings(data_dir=Path(folder), database_url=url)
    core = Core(settings, database, VAULT, SystemClock(), ShopClient)
    worker, stop = Worker(core, "daemon"), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await worker.ready.wait()
        await asyncio.sleep(2)
        asked = count_statements(database)
        print(json.dumps({"ready": True}), flush=True)
        used = time.process_time()
        await asyncio.sleep(seconds)
        cost = {"cpu": (time.process_time() - used) / seconds, "statements": len(asked) / seconds}
        stop.set()
    database.close()
    print(json.dumps(cost), flush=True)


def count_statements(database: Database) -> list[str]:
    asked: list[str] = []

    def counted(*given: Any) -> None:
        if not given[2].startswith(("BEGIN", "PRAGMA")):
            asked.append(given[2])

    for engine in {database.engine, database._writing}:
        event.listen(engine, "before_cursor_execute", counted)
    if not database.is_sqlite:
        import psycopg

        plain = psycopg.AsyncCursor.execute

        async def execute(self: Any, query: Any, *given: Any, **named: Any) -> Any:
            # An empty one is how the library's pool sees that a connection lives: it asks nothing.
            if query:
                asked.append(str(query))
            return await plain(self, query, *given, **named)

        psycopg.AsyncCursor.execute = execute  # type: ignore[method-assign]
    return asked


async def sleep_only(seconds: float) -> None:
    used = time.process_time()
    until = time.monotonic() + seconds
    while time.monotonic() < until:  # noqa: ASYNC110 - it is what is measured
        await asyncio.sleep(0.25)
    print(json.dumps({"cpu": (time.process_time() - used) / seconds}), flush=True)


# -- the asking side -----------------------------------------------------------------------------------------------


@contextmanager
def part(*words: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, __file__, "--part", *words], stdout=subprocess.PIPE, text=True)
    try:
        yield process
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def heard(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def fill(database: Database) -> int:
    """The shops and schedules of a middling house, none due; gives a shop."""
    now = SystemClock().now()

    def store(connection: Any) -> int:
        for number in range(SHOPS):
            row = {"code": f"shop{number}", "name": f"Shop {number}", "base_url": f"https://shop{number}.example"}
            made = connection.execute(
                insert(Shop).values(**row, mode=ShopMode.LIVE, created_at=now, updated_at=now)
            ).inserted_primary_key
            store_key(connection, VAULT, made[0], Secret("K" * 32), now)
            far = {"next_due": now + timedelta(days=30), "updated_at": now, "updated_by": "x", "every": "every 5 min"}
            rows = [{"shop_id": made[0], "feed": f"feed{n}", **far} for n in range(SCHEDULES)]
            connection.execute(insert(FeedSchedule), rows)
        return int(made[0])

    return database.write_now(store)


@dataclass
class Starts:
    waits: list[float]
    bare: list[float]


def starts(database: Database, shop_id: int, process: "subprocess.Popen[str]", count: int) -> Starts:
    found = Starts([], [])
    for number in range(count):
        # Between the daemon's looks, wherever they fall.
        time.sleep(0.3 + 0.25 * (number % 10) / 10)
        found.bare.append(asyncio.run(empty_loop(database, shop_id)))
        now = SystemClock().now()
        asked = time.monotonic()
        database.write_now(
            lambda c, now=now: request_run(  # type: ignore[misc]  # a default
                c, shop_id=shop_id, feed=FEED, actor="x", trigger="person", now=now
            )
        )
        found.waits.append(heard(process)["started"] - asked)
        while database.read_now(at_work):
            time.sleep(0.02)
    return found


def at_work(connection: Connection) -> bool:
    active = select(FeedRun.id).where(FeedRun.state.in_([RunState.QUEUED, RunState.RUNNING]))
    return connection.execute(active).first() is not None


async def empty_loop(database: Database, shop_id: int) -> float:
    """One bare transaction, and the waking of a loop that sleeps for its end: nothing can start sooner."""
    told = asyncio.Event()

    async def sleeper() -> float:
        await told.wait()
        return time.monotonic()

    async with asyncio.TaskGroup() as group:
        sleeping = group.create_task(sleeper())
        await asyncio.sleep(0)
        began = time.monotonic()
        await database.write(lambda c: c.execute(text("UPDATE shop SET name = name WHERE id = :id"), {"id": shop_id}))
        told.set()
    return sleeping.result() - began


def measure(name: str, url: str, folder: str, given: argparse.Namespace) -> None:
    database = Database(url)
    try:
        upgrade(database)
        shop_id = fill(database)
        with part("work", url, folder, str(given.seconds)) as process:
            heard(process)
            idle = heard(process)
        with part("work", url, folder, str(given.starts * 1.2 + 10)) as process:
            heard(process)
            found = starts(database, shop_id, process, given.starts)
            process.terminate()
    finally:
        database.close()
    with part("sleep", str(min(given.seconds, 20))) as process:
        empty = heard(process)
    waits, bare = sorted(found.waits), statistics.median(found.bare)
    p50, p95 = statistics.median(waits), waits[int(len(waits) * 0.95)]
    print(
        f"{name}: start after asking p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms; empty loop {bare * 1000:.1f} ms"
    )
    print(
        f"{name}: idle with {SHOPS} shops x {SCHEDULES} schedules {idle['statements']:.2f} statements/s, "
        f"{idle['cpu']:.2%} CPU; empty loop {empty['cpu']:.2%} CPU"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--postgres", help="a server on which a database may be made: postgresql://user@host/postgres")
    parser.add_argument("--starts", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        what, *words = given.part
        asyncio.run(work(words[0], words[1], float(words[2])) if what == "work" else sleep_only(float(words[0])))
        return
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite", f"sqlite:///{folder}/x.sqlite3", folder, given)
        if given.postgres:
            server = make_url(given.postgres).set(drivername="postgresql+psycopg")
            name = f"prestaconsole_bench_{uuid.uuid4().hex[:8]}"
            admin = create_engine(server, isolation_level="AUTOCOMMIT")
            try:
                with admin.connect() as connection:
                    connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
                try:
                    url = server.set(database=name).render_as_string(hide_password=False)
                    measure("PostgreSQL", url, folder, given)
                finally:
                    with admin.connect() as connection:
                        connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
            finally:
                admin.dispose()


if __name__ == "__main__":
    main()
