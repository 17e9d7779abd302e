"""Daemons and a console as processes on one database, by a clock that runs fast: `python -m tests.support.fleet KIND`.

All members share that clock, so that a thousand firings take a minute. Each writes down what it did where it cannot be
lost or doubled unseen: a firing in the transaction that made it, a page in the transaction of the page, and who is at
work as files in the folder ``at-work``. While the file ``gate`` is there, runs of ``products`` wait before their end.
"""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from prestaconsole.daemon import run_daemon
from prestaconsole.database import Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.runner import catchup, schedules
from prestaconsole.runner.schedules import ScheduleRecord
from prestaconsole.runner.worker import Worker
from tests.support.runs import START, feed, make_core

ROOT = Path(__file__).parents[2]
PRIORITIES = {"orders": 10, "stock": 30, "products": 60}
PAGES = 2
PAUSE = 0.7
"""Seconds after each page: many firings then join a run at work, and the machine has time for the next ones."""
_TABLES = (
    "CREATE TABLE fleet_firing (shop_id INTEGER, feed TEXT, version INTEGER, due TEXT, at TEXT, pid INTEGER)",
    "CREATE TABLE fleet_page (run_id INTEGER, page INTEGER, at_work INTEGER, same INTEGER, pid INTEGER)",
)


class FastClock:
    """Runs ``speed`` times as fast as the machine's from ``begun`` (seconds of the epoch), where it shows ``first``.

    Not a ``SystemClock``, so PostgreSQL's is not asked. Waiting is by the machine's clock.
    """

    def __init__(self, begun: float, speed: float, first: datetime = START) -> None:
        self.begun, self.speed = begun, speed
        self._first = first

    def now(self) -> datetime:
        return self._first + timedelta(seconds=(time.time() - self.begun) * self.speed)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Member:
    """One such process."""

    def __init__(
        self,
        kind: str,
        database: Database,
        folder: Path,
        clock: FastClock,
        *,
        catches_up: bool = False,
        **settings: Any,
    ) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PRESTACONSOLE_")},
            "TEST_URL": database.url.render_as_string(hide_password=False),
            "TEST_FOLDER": str(folder),
            "TEST_CLOCK": json.dumps([clock.begun, clock.speed]),
            "TEST_CATCHES_UP": "yes" if catches_up else "",
            "TEST_SETTINGS": json.dumps(settings),
        }
        self.log = folder / f"{kind}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fleet", kind], env=environment, cwd=ROOT, stdout=log, stderr=log
            )
        self.pid = self._process.pid

    def stop(self) -> int:
        """Ask it to end in good order; gives its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(90)

    def alive(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End it whatever it does."""
        if self.alive():
            self._process.kill()
        self._process.wait(10)


def make_tables(database: Database) -> None:
    """The tables in which members write down what they did."""
    for statement in _TABLES:
        database.write_now(lambda c, statement=statement: c.execute(text(statement)))  # type: ignore[misc]


def _noted(folder: Path) -> Any:
    """A feed of two pages that says who else of its shop is at work, and how many have this very run."""

    async def run(context: FeedContext) -> Outcome:
        place = folder / "at-work" / str(context.shop.id)
        place.mkdir(parents=True, exist_ok=True)
        mine = place / f"{context.run.feed}.{context.run.id}.{os.getpid()}"
        mine.touch(exist_ok=False)
        try:
            names = [path.name for path in place.iterdir()]
            same = sum(name.startswith(f"{context.run.feed}.") for name in names)
            for number in range(context.run.checkpoint.get("page", 0) + 1, PAGES + 1):
                while context.run.feed == "products" and (folder / "gate").exists():
                    await asyncio.sleep(0.02)
                row = {"run": context.run.id, "page": number, "at_work": len(names), "same": same, "pid": os.getpid()}

                def store(connection: Connection, row: dict[str, int] = row) -> None:
                    words = "(run_id, page, at_work, same, pid) VALUES (:run, :page, :at_work, :same, :pid)"
                    connection.execute(text(f"INSERT INTO fleet_page {words}"), row)

                await context.commit(store, checkpoint={"page": number}, done=number, total=PAGES)
                await asyncio.sleep(PAUSE)
        finally:
            mine.unlink()
        return Outcome(complete=True)

    return run


@contextmanager
def fleet_feeds(entry: Any = None) -> Iterator[None]:
    """The three feeds in the registry."""
    with ExitStack() as stack:
        for name, priority in PRIORITIES.items():
            stack.enter_context(feed(name, entry, priority=priority, schedulable=True, attempts=50))
        yield


def _note_firings() -> None:
    fire = schedules.fire

    def noted(connection: Connection, schedule: ScheduleRecord, now: datetime) -> bool:
        fired = fire(connection, schedule, now)
        if fired:
            assert schedule.next_due is not None
            row = {
                "shop": schedule.shop_id,
                "feed": schedule.feed,
                "version": schedule.version,
                "pid": os.getpid(),
                "due": schedule.next_due.astimezone(UTC).isoformat(),
                "at": now.astimezone(UTC).isoformat(),
            }
            words = "(shop_id, feed, version, due, at, pid) VALUES (:shop, :feed, :version, :due, :at, :pid)"
            connection.execute(text(f"INSERT INTO fleet_firing {words}"), row)
        return fired

    schedules.fire = noted


async def _console(worker: Worker) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await worker.run(stop)


def main(kind: str) -> int:
    folder = Path(os.environ["TEST_FOLDER"])
    begun, speed = json.loads(os.environ["TEST_CLOCK"])
    if not os.environ["TEST_CATCHES_UP"]:
        # A machine that is held up for seconds was not away: at this speed they are half an hour.
        catchup.LONG_STOP = timedelta(days=7)
    _note_firings()
    database = Database(os.environ["TEST_URL"])
    core = make_core(database, folder, clock=FastClock(begun, speed), **json.loads(os.environ["TEST_SETTINGS"]))
    try:
        with fleet_feeds(_noted(folder)):
            if kind == "daemon":
                return run_daemon(core)
            logging.basicConfig(level=logging.INFO)
            asyncio.run(_console(Worker(core, "console")))
            return 0
    finally:
        core.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
