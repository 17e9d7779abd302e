"""A daemon as a process, with troubles that a test switches by files: `python -m tests.support.daemons`.

In its folder: ``gate`` holds the page up to which it may go, ``block`` holds its writer thread inside a transaction
while it is there, ``still`` keeps its pages away, ``clock`` holds the seconds by which its clock is wrong.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from prestaconsole.clock import SystemClock
from prestaconsole.daemon import plug_streams, run_daemon
from prestaconsole.database import Database, engine
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.runner import endings
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import RunRecord, load_run
from tests.support.runs import feed, make_core

ROOT = Path(__file__).parents[2]
PAGES = 30


def until(condition: Callable[[], Any], seconds: float = 60.0, said: Callable[[], str] = str) -> None:
    """Wait for something that must come; ``said`` gives what is shown where it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not come\n{said()}"
        time.sleep(0.02)


def free_port() -> int:
    """A port of loopback that nobody holds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(database: Database, shop_id: int) -> int:
    """Ask for a run of ``paged`` as a person does now; gives its number."""
    now = SystemClock().now()
    with feed("paged"):
        return database.write_now(
            lambda c: request_run(c, shop_id=shop_id, feed="paged", actor="Zofia", trigger="person", now=now).run_id
        )


def record(database: Database, run_id: int) -> RunRecord:
    """The run as it stands."""
    return database.read_now(lambda c: load_run(c, run_id))


def stops(daemon: "TroubledDaemon") -> None:
    """Let it end in good order."""
    daemon.send(signal.SIGTERM)
    assert daemon.wait() == 0, daemon.said()


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self) -> None:
        self.path = f"{tempfile.gettempdir()}/notify-{os.getpid()}-{time.monotonic_ns()}"
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while message := self._socket.recv(4000):
            self.heard.append(message.decode())

    def said(self, words: str, after: int = 0) -> bool:
        """Whether a message holds these words."""
        return any(words in message for message in self.heard[after:])

    def fed(self, after: int = 0) -> int:
        """How often the watchdog was fed."""
        return sum("WATCHDOG=1" in message for message in self.heard[after:])

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.path)
        self._thread.join()
        self._socket.close()
        Path(self.path).unlink()


class TroubledDaemon:
    """One such process and what it tells. ``stderr`` is where its log goes: a path, or an open descriptor."""

    def __init__(self, url: str, folder: Path, *, stderr: int | None = None, **options: Any) -> None:
        self.folder = folder
        self.systemd = Systemd()
        self.log = folder / f"daemon-{time.monotonic_ns()}.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PRESTACONSOLE_")},
            "NOTIFY_SOCKET": self.systemd.path,
            "WATCHDOG_USEC": "300000",
            "TEST_URL": url,
            "TEST_FOLDER": str(folder),
            "TEST_OPTIONS": json.dumps(options),
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.daemons"],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log if stderr is None else stderr,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> None:
        """Wait until it says so."""
        until(lambda: self.systemd.said("READY=1") or self._process.poll() is not None)
        assert self._process.poll() is None, self.said()

    def switch(self, name: str, value: str | None = "") -> None:
        """Put one of the files there, or with None take it away."""
        path = self.folder / name
        if value is None:
            path.unlink(missing_ok=True)
        else:
            draft = path.with_name(f"{name}.draft")
            draft.write_text(value)
            draft.replace(path)

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 90.0) -> int:
        return self._process.wait(seconds)

    def alive(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End it whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        self.systemd.close()


class WrongClock:
    """The machine's clock, off by what the file says. Not a ``SystemClock``, so PostgreSQL's is not asked."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        wrong = float(self._path.read_text()) if self._path.exists() else 0.0
        return datetime.now(UTC) + timedelta(seconds=wrong)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _feed(folder: Path) -> Any:
    async def run(context: FeedContext) -> Outcome:
        for number in range(context.run.checkpoint.get("page", 0) + 1, PAGES + 1):
            gate = folder / "gate"
            while (folder / "still").exists() or (gate.exists() and number > int(gate.read_text())):
                await asyncio.sleep(0.02)

            def store(connection: Connection, number: int = number) -> None:
                while (folder / "block").exists():
                    time.sleep(0.02)
                row = {"shop": context.shop.id, "page": number}
                connection.execute(text("INSERT INTO page_effect (shop_id, page) VALUES (:shop, :page)"), row)

            await context.commit(store, checkpoint={"page": number}, done=number, total=PAGES, counts={"seen": 1})
        return Outcome(complete=True)

    return run


def main() -> int:
    plug_streams()
    folder, options = Path(os.environ["TEST_FOLDER"]), json.loads(os.environ["TEST_OPTIONS"])
    limits = {name: options.pop(name) for name in ("hung_after", "stuck_after", "drain_seconds") if name in options}
    endings.FIRST_WAIT = 0.2
    engine.BUSY_TIMEOUT_MS = options.pop("busy_ms", engine.BUSY_TIMEOUT_MS)
    database = Database(os.environ["TEST_URL"])
    core = make_core(database, folder, clock=WrongClock(folder / "clock"), **options)
    try:
        with feed("paged", _feed(folder), schedulable=True, attempts=50):
            return run_daemon(core, **{"drain_seconds": 5.0, **limits})
    except PrestaConsoleError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    finally:
        core.close()


if __name__ == "__main__":
    sys.exit(main())
