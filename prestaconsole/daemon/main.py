"""The daemon: one worker, its page, systemd and signals. Imports the runner and what lies below."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.alerts.ping import SECONDS, PingFailed, ping
from prestaconsole.daemon.folders import watch_folders
from prestaconsole.daemon.logs import configure_logs
from prestaconsole.daemon.metrics import Metrics
from prestaconsole.daemon.page import HealthPage
from prestaconsole.daemon.systemd import notify, watchdog_seconds
from prestaconsole.database import Connection, DatabaseError, DatabaseUnavailable
from prestaconsole.database.migrations import current, require_current, upgrade
from prestaconsole.errors import EXIT_FAILED, PrestaConsoleError
from prestaconsole.operations.core import Core
from prestaconsole.runner.alerting import AlertSender
from prestaconsole.runner.jumps import ClockWatch
from prestaconsole.runner.moments import moment_of
from prestaconsole.runner.presence import this_host
from prestaconsole.runner.records import fresh_runners
from prestaconsole.runner.signs import Health
from prestaconsole.runner.worker import DRAIN_SECONDS, Worker

log = logging.getLogger("prestaconsole.daemon")

HUNG_AFTER = 60.0
STUCK_AFTER = 3600.0
"""Seconds without a page until a run counts as stuck: longer than any rest, time-out and repeat of one page."""
TELL_SECONDS = 10.0
_PATIENCE = 5.0
_EXTEND = "EXTEND_TIMEOUT_USEC=60000000"


class DaemonError(PrestaConsoleError):
    """The daemon may not start here."""


def run_daemon(
    core: Core,
    *,
    drain_seconds: float = DRAIN_SECONDS,
    hung_after: float = HUNG_AFTER,
    stuck_after: float = STUCK_AFTER,
    make: bool = False,
) -> int:
    """Work until SIGTERM or SIGINT; then runs end their page and are given back, within ``drain_seconds``.

    A second signal cuts the runs off and gives them back at once, a third ends the process on the spot. SIGHUP does
    nothing: settings are read at the start. A database that is away is waited for; ``make``: an empty one is made.
    Gives the exit status. Raises ``DatabaseError`` when the database is newer or older than the program, damaged, or
    behind a pooler that shares connections by transaction, ``DaemonError`` when another machine works on this SQLite
    file.
    """
    writer = configure_logs(core.settings.log_level)
    try:
        with _plain_errors():
            daemon = Daemon(core, drain_seconds=drain_seconds, hung_after=hung_after, stuck_after=stuck_after)
            daemon.metrics.log_lines_lost = lambda: writer.lost if writer is not None else 0
            asyncio.run(daemon.serve(make=make))
    finally:
        if writer is not None:
            writer.close()
    return 0


def refuse_second_host(connection: Connection, core: Core) -> None:
    """Raise ``DaemonError`` when a process of another machine reported on this SQLite database a moment ago."""
    if not core.database.is_sqlite:
        return
    now = moment_of(core.clock)(connection)
    for runner in fresh_runners(connection, now, core.settings.stale_seconds):
        if runner.host != this_host():
            raise DaemonError(
                f"The machine {runner.host} works on this SQLite database ({runner.kind}, process {runner.pid}).",
                "One SQLite file belongs to one machine. Stop the other one, "
                "or move to PostgreSQL with PRESTACONSOLE_DATABASE_URL.",
            )


class Daemon:
    """One daemon's life, from the wait for its database to the end of the drain."""

    def __init__(self, core: Core, *, drain_seconds: float, hung_after: float, stuck_after: float) -> None:
        self._core = core
        self._stop = asyncio.Event()
        self._signals = 0
        self._hung_after, self._stuck_after = hung_after, stuck_after
        self._ping_url = core.settings.ping_url
        self._away = ""
        self._worker = Worker(core, "daemon", drain_seconds=drain_seconds)
        self._clock = ClockWatch(core.database, core.clock, moment_of(core.clock), core.settings.stale_seconds)
        self.metrics = Metrics(core, self._worker, self.health)
        self.metrics.clock_jumps = lambda: self._clock.jumps
        self._page = HealthPage(core, self._worker, self.health, self.metrics)

    def health(self) -> Health:
        """How it stands: what systemd, the page, the outside ping and the metrics go by."""
        if self._stop.is_set():
            return Health("stopping", "runs end their page")
        if not self._worker.ready.is_set():
            return Health("waiting", self._away) if self._away else Health("starting")
        return self._worker.health(hung_after=self._hung_after, stuck_after=self._stuck_after)

    async def serve(self, *, make: bool = False) -> None:
        """Run until a signal, then drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_for, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, log.info, "SIGHUP: settings are read at the start only; restart me.")
        try:
            # What can never work is refused before anything listens or reports.
            if not await self._opened(make):
                return
            self._page.open()
            async with asyncio.TaskGroup() as group:
                working = group.create_task(self._work(make))
                group.create_task(self._page.serve())
                telling = group.create_task(self._tell_systemd())
                pinging = group.create_task(self.ping_outside())
                alerting = group.create_task(self._tell_people())
                comparing = group.create_task(self._compare_clocks())
                dropping = group.create_task(watch_folders(self._core, self._worker.ready, self._stop))
                await asyncio.wait([working])
                telling.cancel()
                pinging.cancel()
                alerting.cancel()
                dropping.cancel()
                comparing.cancel()
                self._page.close()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)
        log.info("The daemon has ended.")

    # -- the start ----------------------------------------------------------------------------------------------------

    async def _opened(self, make: bool) -> bool:
        """The first look at the database. True where the daemon may go on, be it to wait for it."""
        try:
            await asyncio.to_thread(self._prepare, make)
        except DatabaseUnavailable as error:
            self._waits(error)
        return not self._stop.is_set()

    def _prepare(self, make: bool) -> None:
        if make and current(self._core.database) is None:
            upgrade(self._core.database)
        require_current(self._core.database)
        self._core.database.require_direct()
        self._core.database.read_now(lambda c: refuse_second_host(c, self._core))

    async def _work(self, make: bool) -> None:
        """Wait for the database as long as it takes, then let the worker work."""
        while not self._stop.is_set():
            try:
                await asyncio.to_thread(self._prepare, make)
                self._away = ""
                await self._worker.run(self._stop)
            except DatabaseUnavailable as error:
                self._waits(error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), _PATIENCE)
            else:
                return

    def _waits(self, error: DatabaseUnavailable) -> None:
        if self._away != error.cause:
            log.warning("Waiting for the database: %s", error)
        self._away = error.cause
        notify(f"STATUS=Waiting for the database: {error.cause}\n{_EXTEND}")

    # -- signals ------------------------------------------------------------------------------------------------------

    def _stop_for(self, name: str) -> None:
        self._signals += 1
        if self._signals == 1:
            log.info("%s: runs end their page and are given back.", name)
            notify("STOPPING=1\nSTATUS=Runs end their page.")
            self._stop.set()
        elif self._signals == 2:
            log.warning("%s again: runs are cut off where they stand and given back.", name)
            notify("STATUS=Runs are cut off.")
            self._worker.hurry()
        else:
            # Nothing stored is lost: the leases run out, and the runs are taken up at their last page.
            os._exit(EXIT_FAILED)

    # -- who looks from outside ---------------------------------------------------------------------------------------

    async def _tell_systemd(self) -> None:
        """READY once the worker is entered and looked round; then a watchdog's word only while it moves on."""
        await self._worker.ready.wait()
        where = f" Page at http://{self._page.address}/healthz." if self._page.address else ""
        notify(f"READY=1\nSTATUS=At work as runner {self._worker.owner}.{where}")
        log.info("The daemon is ready.%s", where)
        # Counters begin here and not with the first scrape.
        await self.metrics.begin()
        limit = watchdog_seconds()
        before = "working"
        while True:
            await asyncio.sleep(min((limit or 3 * TELL_SECONDS) / 3, TELL_SECONDS))
            health = self.health()
            words = self._words(health)
            if health.alive:
                notify(f"WATCHDOG=1\nSTATUS={words}")
            else:
                notify(f"STATUS={words}")
            if health.state == "hung" and before != "hung":
                log.error("%s", words)
            before = health.state

    def _words(self, health: Health) -> str:
        if health.state == "hung":
            return f"HUNG: {health.reason}; the watchdog is no longer fed."
        if health.state == "waiting":
            return f"Waiting {health.reason}"
        if health.state == "stopping":
            return "Runs end their page."
        number = len(self._worker.running)
        return f"At work as runner {self._worker.owner}, {number} run{'' if number == 1 else 's'}."

    async def _compare_clocks(self) -> None:
        """Notice a clock that jumped; a database that is away is noticed elsewhere."""
        await self._worker.ready.wait()
        while True:
            with suppress(DatabaseError, SQLAlchemyError):
                await self._clock.look()
            await asyncio.sleep(self._core.settings.heartbeat_seconds)

    async def _tell_people(self) -> None:
        """Send alerts while the daemon is there; whatever becomes of them, the rest goes on."""
        await self._worker.ready.wait()
        await AlertSender(self._core).run()

    async def ping_outside(self, every: float = SECONDS) -> None:
        """Ask for the watcher's address while the work goes on; of one that hangs or waits the silence is the alarm."""
        url, failing = self._ping_url, False
        while url:
            if self.health().state == "working":
                try:
                    await ping(url)
                except PingFailed as error:
                    if not failing:
                        log.warning("%s", error)
                    failing = True
                else:
                    failing = False
            await asyncio.sleep(every)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Let the one error a person can act on out of the groups that task groups make."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
