"""What one database carries: orders, pages and runs a second, bytes a row, statements a run, and what idling costs.

Run it: `python benchmarks/scaling.py [--orders 5000] [--products 3000] [--runs 600] [--idle 20] [--postgres URL]`.
SQLite is measured always, PostgreSQL where --postgres names an EMPTY database. A sandbox shop answers from a process of
its own on the same machine and takes its share of it. docs/scaling.md is computed from these figures. Prints only.
"""

import argparse
import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, func, insert, select, text, update

from prestaconsole.database import Connection, Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.feeds.registry import FEEDS, FeedSpec
from prestaconsole.model import FeedRun, FeedSchedule, FeedState, Shop, ShopMode
from prestaconsole.operations.core import Core, open_core
from prestaconsole.operations.secrets import store_key
from prestaconsole.operations.shops import all_shops, load_shop
from prestaconsole.redaction import Secret
from prestaconsole.runner import schedules
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import RunRecord
from prestaconsole.runner.worker import Worker
from prestaconsole.sandbox import DEFAULT_KEY
from prestaconsole.settings import Settings

PAGES = 20
KINDS = ("select", "insert", "update", "delete")


async def run(context: FeedContext) -> Outcome:
    """The feed that asks no shop: so many pages, each a transaction with nothing but the run's own progress."""
    for page in range(int(context.run.params.get("pages", 0))):
        await context.commit(lambda c: None, checkpoint={"page": page}, done=page)
    return Outcome(complete=True)


FEEDS["bare"] = FeedSpec("bare", "bare", "__main__", dict.fromkeys(ShopMode, "run"), schedulable=False)


class Statements:
    """Counts what goes to the database, by kind; an executemany is one statement of many rows."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        event.listen(Engine, "before_cursor_execute", self._count)

    def _count(self, connection: Any, cursor: Any, words: str, parameters: Any, context: Any, many: bool) -> None:
        kind = words.lstrip().split(None, 1)[0].lower()
        if kind in {"pragma", "begin"}:
            return
        self.counts["all"] += 1
        self.counts[kind] += 1
        if kind in KINDS[1:]:
            self.counts["rows"] += len(parameters) if many else 1

    def take(self) -> Counter[str]:
        taken, self.counts = self.counts, Counter()
        return taken


COUNTED = Statements()


def add_shop(core: Core, code: str, url: str, mode: ShopMode = ShopMode.LIVE) -> int:
    now = core.clock.now()
    row = {"code": code, "name": code, "base_url": url, "mode": mode, "created_at": now, "updated_at": now}

    def work(connection: Connection) -> int:
        made = connection.execute(insert(Shop).values(**row, timezone="Europe/Paris", version="8.2.1"))
        assert made.inserted_primary_key is not None
        store_key(connection, core.vault, int(made.inserted_primary_key[0]), Secret(DEFAULT_KEY), now)
        return int(made.inserted_primary_key[0])

    return core.database.write_now(work)


async def do(core: Core, shop_id: int, feed: str, **params: Any) -> RunRecord:
    """Run a feed to its end through queue, claim and lease."""
    now = core.clock.now()
    ticket = core.database.write_now(
        lambda c: request_run(c, shop_id=shop_id, feed=feed, actor="x", trigger="person", now=now, params=params)
    )
    ended = await Worker(core, "command").run_until_ended(ticket.run_id)
    if ended.state != "done":
        raise SystemExit(f"{feed} ended as {ended.state}: {ended.error} {ended.remedy}")
    return ended


def size(core: Core) -> int:
    """Bytes of the database, with nothing left in SQLite's write-ahead log."""
    with core.database.engine.connect() as connection:
        if not core.database.is_sqlite:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(str(core.database.url.database)).stat().st_size


def _rows(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one())


def _note(connection: Connection, words: str) -> None:
    connection.execute(update(Shop).values(last_error=words))


def _drop(connection: Connection, schema: str) -> None:
    connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))


# -- the parts -----------------------------------------------------------------------------------------------------


async def reading(core: Core, url: str) -> Mapping[str, Any]:
    """A shop read in: listings and orders a second, bytes of each, and what a poll costs that finds nothing or one."""
    counter, found = COUNTED, dict[str, Any]()
    shop_id = add_shop(core, "read", url, ShopMode.SETUP)
    await do(core, shop_id, "analyse")
    for feed, name in (("import_products", "listings"), ("import_orders", "orders")):
        before, began, spent = size(core), time.perf_counter(), _cpu()
        counter.take()
        ended = await do(core, shop_id, feed)
        seconds, used = time.perf_counter() - began, _cpu() - spent
        table = "listing" if name == "listings" else "shop_order"
        rows = core.database.read_now(partial(_rows, table=table))
        taken = counter.take()
        found[name] = {
            "rows": rows,
            "a second": round(rows / seconds),
            "cpu ms each": round(1000 * used / rows, 2),
            "bytes each": round((size(core) - before) / rows),
            "statements": taken["all"],
            "rows written each": round(taken["rows"] / rows, 1),
            "state": ended.state,
        }
    polls = []
    for _ in range(5):
        counter.take()
        began, spent = time.perf_counter(), _cpu()
        await do(core, shop_id, "import_orders")
        polls.append((time.perf_counter() - began, _cpu() - spent, counter.take()))
    seconds, used, taken = sorted(polls, key=lambda one: one[0])[2]
    found["a poll that finds nothing"] = {"seconds": round(seconds, 3), "cpu ms": round(1000 * used), **taken}
    return found


async def bare(core: Core, seconds: float = 3.0) -> Mapping[str, Any]:
    """What everything is measured against: transactions of one small update, one after the other."""
    add_shop(core, "one", "http://127.0.0.1:9/one")
    began, number = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        number += 1
        await core.database.write(partial(_note, words=str(number)))
    return {"a second": round(number / (time.perf_counter() - began))}


async def runs(core: Core, count: int) -> Mapping[str, Any]:
    """Runs that ask no shop, over 50 shops, through one worker: runs a second, pages a second, statements of each."""
    ids = [add_shop(core, f"bare{number}", f"http://127.0.0.1:9/bare{number}") for number in range(50)]
    found: dict[str, dict[str, float]] = {}
    for pages, number in ((0, count), (PAGES, max(count // 8, 50))):
        counter, now = COUNTED, core.clock.now()

        core.database.write_now(partial(_queue, ids=ids, pages=pages, number=number, now=now))
        counter.take()
        began, spent = time.perf_counter(), _cpu()
        await _until_idle(core)
        seconds, used, taken = time.perf_counter() - began, _cpu() - spent, counter.take()
        name = f"runs of {pages} pages"
        found[name] = {"a second": round(number / seconds, 1), "statements each": round(taken["all"] / number, 1)}
        found[name]["cpu ms each"] = round(1000 * used / number, 1)
        found[name]["rows written each"] = round(taken["rows"] / number, 1)
        if pages:
            found[name]["pages a second"] = round(number * pages / seconds)
    return found


def _queue(connection: Connection, ids: list[int], pages: int, number: int, now: datetime) -> None:
    for one in range(number):
        params = {"pages": pages, "number": one}
        shop_id = ids[one % len(ids)]
        request_run(connection, shop_id=shop_id, feed="bare", actor="x", trigger="person", now=now, params=params)


async def _until_idle(core: Core) -> None:
    stop = asyncio.Event()
    left = select(func.count()).select_from(FeedRun).where(FeedRun.ended_at.is_(None))
    async with asyncio.TaskGroup() as group:
        group.create_task(Worker(core, "daemon").run(stop))
        while await core.database.read(lambda c: c.execute(left).scalar_one()):  # noqa: ASYNC110 - the database tells
            await asyncio.sleep(0.1)
        stop.set()


async def idle(core: Core, shops: int, seconds: float) -> Mapping[str, Any]:
    """A daemon with nothing due: share of one core, statements a second, of which PRAGMA is not counted."""

    def fill(connection: Connection) -> None:
        now = core.clock.now()
        for shop in all_shops(connection):
            states = [{"shop_id": shop.id, "feed": feed, "completed_at": now, "last_ok_at": now} for feed in FEEDS]
            connection.execute(insert(FeedState), states)
            schedules.install_defaults(connection, load_shop(connection, shop.id), "x", now)
        connection.execute(update(FeedSchedule).values(next_due=now + timedelta(days=1)))

    for number in range(shops):
        add_shop(core, f"s{number}", f"http://127.0.0.1:9/{number}")
    core.database.write_now(fill)
    stop, worker = asyncio.Event(), Worker(core, "daemon")
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await worker.ready.wait()
        await asyncio.sleep(2.0)
        COUNTED.take()
        counter, began, spent = COUNTED, time.perf_counter(), _cpu()
        await asyncio.sleep(seconds)
        taken, wall, used = counter.take(), time.perf_counter() - began, _cpu() - spent
        stop.set()
    plans = core.database.read_now(lambda c: c.execute(select(func.count()).select_from(FeedSchedule)).scalar_one())
    return {
        "schedules": plans,
        "cpu %": round(100 * used / wall, 2),
        "statements a second": round(taken["all"] / wall, 2),
    }


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


# -- around them ---------------------------------------------------------------------------------------------------


@contextmanager
def sandbox(products: int, orders: int) -> Iterator[str]:
    """A simulated shop in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["sandbox", "--port", str(port), "--products", str(products), "--orders", str(orders)]
    process = subprocess.Popen([sys.executable, "-m", "prestaconsole", *words], stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def opened(url: str) -> Iterator[Core]:
    """A core over a fresh SQLite file, or over a fresh schema of the PostgreSQL database named."""
    with tempfile.TemporaryDirectory() as folder:
        core = open_core(Settings(data_dir=Path(folder), database_url=url, daemon_port=0))
        try:
            yield core
        finally:
            core.close()


def fresh(url: str) -> None:
    """Take our tables out of the PostgreSQL database again, so that the next part begins with none."""
    database = Database(Settings(database_url=url).url)
    try:
        for schema in ("public", "procrastinate"):
            database.write_now(partial(_drop, schema=schema))
        database.write_now(lambda c: c.execute(text("CREATE SCHEMA public")))
    finally:
        database.close()


def say(kind: str, name: str, figures: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{kind:<11}{name}: {json.dumps(figures)}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=5_000)
    parser.add_argument("--products", type=int, default=3_000)
    parser.add_argument("--runs", type=int, default=600)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds for each number of shops")
    parser.add_argument("--postgres", default="", help="URL of an empty database; it is emptied again")
    parser.add_argument("--without-sqlite", action="store_true", help="measure PostgreSQL alone")
    given = parser.parse_args()
    sys.stdout.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}\n")
    for kind, url in (("SQLite", ""), ("PostgreSQL", given.postgres)):
        if given.without_sqlite if kind == "SQLite" else not url:
            continue
        with sandbox(given.products, given.orders) as shop, opened(url) as core:
            for name, figures in asyncio.run(reading(core, shop)).items():
                say(kind, name, figures)
        for part in ("runs", 50, 500):
            if url:
                fresh(url)
            with opened(url) as core:
                if part == "runs":
                    say(kind, "bare transactions", asyncio.run(bare(core)))
                    for name, figures in asyncio.run(runs(core, given.runs)).items():
                        say(kind, name, figures)
                else:
                    say(kind, f"idle with {part} shops", asyncio.run(idle(core, int(part), given.idle)))
        if url:
            fresh(url)
        sys.stdout.write(f"load {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
