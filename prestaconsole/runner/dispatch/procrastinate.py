"""The dispatcher on PostgreSQL: Procrastinate carries each run to one of any number of workers. Imports database.

A job's life is its run's life in this process, so that the library's own limit and its tools tell the truth. The run
itself does not hang on it: it ends its page though the carrier is cut off, and its lease says whose it is.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from psycopg import sql
from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.clock import Clock
from prestaconsole.database import Database, DatabaseError
from prestaconsole.database.wakeups import ALIVE
from prestaconsole.model import FeedRun
from prestaconsole.redaction import redact
from prestaconsole.runner.claims import claimable
from prestaconsole.runner.dispatch import Hands, jobs
from prestaconsole.runner.dispatch.embedded import EmbeddedDispatcher
from prestaconsole.runner.moments import Moment
from prestaconsole.settings import Settings

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1.0
_POOL_SECONDS = 5
_CONNECTIONS = 4
_LET_GO_SECONDS = 0.05
_QUEUED = '{"type": "job_inserted", "job_id": 0}'
"""As the library's trigger says it."""


class ProcrastinateDispatcher:
    """Brings jobs while its worker is willing; every such worker also sweeps what dead ones left."""

    def __init__(self, database: Database, clock: Clock, moment: Moment, settings: Settings) -> None:
        self._database = database
        self._moment = moment
        self._settings = settings
        self._news = EmbeddedDispatcher(database, clock, settings.poll_seconds, afterwards=True)
        self._troubled = False
        self._connector: _Connector | None = None
        # What it says at each lost connection, with traces, is said here in a line.
        for name in ("procrastinate", "psycopg"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    async def wait(self, seconds: float) -> None:
        """See ``Dispatcher``."""
        await self._news.wait(seconds)

    def wake(self) -> None:
        """See ``Dispatcher``."""
        self._news.wake()

    def close(self) -> None:
        """Listen no more."""
        self._news.close()

    async def offer(self, hands: Hands) -> bool:
        """See ``Dispatcher``: gives a job to each run that lacks one; quietly, as the job brings its own news.

        A process without room leaves it to the others, and looks again when one of its runs has ended. The library
        forgets what it is told in the middle of a question, so it is told once more of a run that still waits.
        """
        if not hands.room():
            return False
        slots, wanted = self._settings.slots_per_shop, FeedRun.priority <= hands.up_to()
        await self._database.write(
            lambda c: jobs.reconcile(c, claimable(self._moment(c), slots) & wanted, slots), quiet=True
        )
        if self._connector is not None:
            await self._connector.tell()
        return False

    async def serve(self, hands: Hands) -> None:
        """See ``Dispatcher``."""
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(self._forgotten)
        try:
            await self._serve(hands)
        finally:
            loop.set_exception_handler(before)

    async def _serve(self, hands: Hands) -> None:
        while True:
            if hands.willing:
                # In a task of its own: an error on its way out must not hide that this one was cancelled.
                async with asyncio.TaskGroup() as group:
                    carrying = group.create_task(_error_of(self._carry(hands)), name="carrying")
                    await asyncio.wait([carrying])
                # Whatever it is, the daemon lives: rows, leases and other workers do not depend on this part.
                self._trouble_of([carrying])
            await asyncio.sleep(_AGAIN_SECONDS if self._troubled else self._settings.poll_seconds)

    async def _carry(self, hands: Hands) -> None:
        """Bring jobs until the worker is unwilling or the server went away; trouble is raised."""
        # The pool waits ever longer between its tries, so it is opened only once the server answers.
        await self._database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar())
        app = self._app(hands)
        async with app.open_async():
            self._untroubled()
            # No part raises: before Python 3.13 a group whose task fails while it is left stays marked as cancelled.
            async with asyncio.TaskGroup() as group:
                parts = [
                    group.create_task(_error_of(self._work(app, hands.capacity)), name="procrastinate"),
                    group.create_task(_error_of(self._sweep_for_ever(app)), name="sweeping"),
                    group.create_task(_error_of(self._until_unfit(hands)), name="until unfit"),
                ]
                await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
                for part in parts:
                    part.cancel()
            self._trouble_of(parts)

    def _app(self, hands: Hands) -> App:
        connector = self._connector = _Connector(
            kwargs={**ALIVE, "connect_timeout": _POOL_SECONDS, **self._database.connect_parameters()},
            configure=_configure,
            min_size=1,
            max_size=_CONNECTIONS,
            connection_class=_Connection,
            timeout=_POOL_SECONDS,
        )
        app = App(connector=connector)

        @app.task(name=jobs.TASK, queue=jobs.QUEUE)
        async def run_feed(run_id: int) -> None:
            try:
                task = await hands.take(run_id)
            except (DatabaseError, SQLAlchemyError) as error:
                # The row stays queued without a job, which is what ``offer`` mends.
                self._trouble(error)
                return
            if task is not None:
                # Not awaited itself: when this carrier is cut off, the run goes on to the end of its page.
                await asyncio.wait([task])

        return app

    async def _work(self, app: App, concurrency: int) -> None:
        settings = self._settings
        await app.run_worker_async(
            queues=[jobs.QUEUE],
            concurrency=concurrency,
            delete_jobs="always",
            install_signal_handlers=False,
            # Jobs announce themselves; this is for an announcement that was lost.
            fetch_job_polling_interval=settings.stale_seconds,
            abort_job_polling_interval=settings.stale_seconds,
            shutdown_graceful_timeout=_LET_GO_SECONDS,
            update_heartbeat_interval=settings.heartbeat_seconds,
            stalled_worker_timeout=settings.stale_seconds,
        )

    async def _until_unfit(self, hands: Hands) -> None:
        """Return when the worker takes no more work, or when the server was away: the library may be deaf since."""
        connections = self._database.connections_lost
        while hands.willing and self._database.connections_lost == connections:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(self._settings.poll_seconds)
        if self._database.connections_lost != connections:
            # What is being asked fails by itself first: cancelled now, each question would open a connection more.
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _sweep_for_ever(self, app: App) -> None:
        while True:
            await self._sweep(app)
            await asyncio.sleep(self._settings.stale_seconds)

    async def _sweep(self, app: App) -> None:
        """Take away the jobs of workers that died, and those whose run needs none any more."""
        stale = self._settings.stale_seconds
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=stale):
            # Another worker may sweep at the same moment: then it is gone already.
            with suppress(ConnectorException):
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
            self.wake()
        await app.job_manager.prune_stalled_workers(stale)
        await self._database.write(jobs.drop_orphans, quiet=True)

    def _trouble_of(self, parts: "Sequence[asyncio.Task[Exception | None]]") -> None:
        errors = [part.result() for part in parts if not part.cancelled()]
        for error in errors:
            if error is not None:
                self._trouble(error)

    def _trouble(self, error: BaseException) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        # The library's own error says no more than that there is one.
        words = " ".join(str(error.__cause__ or error).split())
        if not self._troubled:
            log.warning("Work is not handed out for the moment: %s", redact(words))
        self._troubled = True

    def _forgotten(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The library leaves the tasks of its jobs alone: one whose end could not be stored says so here only."""
        error = context.get("exception")
        if isinstance(error, ConnectorException):
            log.debug("The end of a job could not be stored: %s", error.__cause__)
        else:
            loop.default_exception_handler(context)

    def _untroubled(self) -> None:
        if self._troubled:
            log.info("Work is handed out again.")
        self._troubled = False


class _Connector(PsycopgConnector):
    """One that sleeps until the server says something; the driver's own wait for news looks ten times a second."""

    _told: Notify | None = None

    async def tell(self) -> None:
        """Have the queue looked at now, as if a job had been announced."""
        if self._told is not None:
            await self._told(channel="", payload=_QUEUED)

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Tell what comes, until cancelled. Raises ``psycopg.Error`` when the server is gone: all is opened anew."""
        opened = await _Connection.connect(**self._pool_args["kwargs"], autocommit=True)
        async with opened as connection:
            for channel in channels:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self._told = on_notification
            # Nobody heard what was queued before.
            await self.tell()
            loop, number, readable = asyncio.get_running_loop(), connection.fileno(), asyncio.Event()
            loop.add_reader(number, readable.set)
            try:
                while True:
                    await readable.wait()
                    readable.clear()
                    connection.pgconn.consume_input()
                    while (heard := connection.pgconn.notifies()) is not None:
                        await on_notification(channel=heard.relname.decode(), payload=heard.extra.decode())
            finally:
                loop.remove_reader(number)


class _Connection(psycopg.AsyncConnection[Any]):
    """One whose opening is never cut off half way.

    The driver leaves its socket open until the garbage is collected, and a server that is being stopped waits for the
    rest of the greeting: up to a minute (``authentication_timeout``).
    """

    @classmethod
    async def connect(cls, *given: Any, **named: Any) -> "_Connection":
        opening = asyncio.ensure_future(super().connect(*given, **named))  # noqa: TID251 - it outlives who asked for it
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_let_go)
            raise


def _let_go(opening: "asyncio.Task[_Connection]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().pgconn.finish()


async def _configure(connection: "psycopg.AsyncConnection[Any]") -> None:
    """Each connection of the library sees its schema alone."""
    await connection.set_autocommit(True)
    await connection.execute(f"SET search_path TO {jobs.SCHEMA}")


async def _error_of(part: Coroutine[Any, Any, None]) -> Exception | None:
    """Do it to its end and give its error instead of raising it. Raises ``CancelledError`` only."""
    try:
        await part
    except Exception as error:
        return error
    return None
