"""Started as a process by tests of kills and daemons: `python -m tests.support.workers KIND`, told by environment.

It registers a paged feed that inserts one row a page and then works as a daemon, or for one run.
"""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from prestaconsole.daemon import run_daemon
from prestaconsole.database import Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.runner import endings
from prestaconsole.runner.worker import Worker
from tests.support.runs import feed, make_core

PAGES = 120
ROOT = Path(__file__).parents[2]


def pages_feed(pages: int, pause: float, gate: Path) -> Any:
    """A feed of so many pages; what a page does is one row, which nothing keeps from standing twice.

    The file ``gate``, where it is there, says up to which page the test lets it go.
    """

    async def run(context: FeedContext) -> Outcome:
        for number in range(context.run.checkpoint.get("page", 0) + 1, pages + 1):
            while gate.exists() and number > int(gate.read_text() or 0):
                await asyncio.sleep(0.02)
            row = {"shop": context.shop.id, "page": number, "pid": os.getpid()}

            def store(connection: Connection, row: dict[str, int] = row) -> None:
                connection.execute(
                    text("INSERT INTO page_effect (shop_id, page, pid) VALUES (:shop, :page, :pid)"), row
                )

            await context.commit(store, checkpoint={"page": number}, done=number, total=pages, counts={"seen": 1})
            await asyncio.sleep(pause)
        return Outcome(complete=True, text=f"{pages} pages.")

    return run


class Process:
    """One such process."""

    def __init__(
        self, kind: str, url: str, folder: Path, *, pause: float = 0.01, first_wait: float = 15.0, **settings: Any
    ) -> None:
        given = {name.upper(): str(value) for name, value in settings.items()}
        environment = {
            **os.environ,
            "TEST_URL": url,
            "TEST_FOLDER": str(folder),
            "TEST_PAUSE": str(pause),
            "TEST_FIRST_WAIT": str(first_wait),
            **{f"TEST_SETTING_{name}": value for name, value in given.items()},
        }
        self.log = folder / f"{kind}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.workers", kind], env=environment, cwd=ROOT, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 90.0) -> int:
        return self._process.wait(seconds)

    def close(self) -> None:
        """End it whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def file_is_free(database: Database) -> bool:
    """Whether nobody holds the SQLite file for writing."""
    connection = sqlite3.connect(str(database.url.database), timeout=0.3, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def main(kind: str) -> int:
    url, folder = os.environ["TEST_URL"], Path(os.environ["TEST_FOLDER"])
    prefix = "TEST_SETTING_"
    settings = {
        name.removeprefix(prefix).lower(): value for name, value in os.environ.items() if name.startswith(prefix)
    }
    endings.FIRST_WAIT = float(os.environ["TEST_FIRST_WAIT"])
    database = Database(url)
    core = make_core(database, folder, **settings)
    try:
        # A busy machine loses its short lease more often than it is killed; the end of all tries is tested elsewhere.
        with feed("paged", pages_feed(PAGES, float(os.environ["TEST_PAUSE"]), folder / "gate"), attempts=1000):
            if kind == "daemon":
                return run_daemon(core, drain_seconds=5.0)
            asyncio.run(Worker(core, "console").run(asyncio.Event()))
            return 0
    finally:
        core.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
