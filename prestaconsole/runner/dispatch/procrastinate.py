"""The dispatcher on PostgreSQL: Procrastinate carries each run to one of any number of workers. Imports database.

A job's life is its run's life in this process, so that the library's own limit and its tools tell the truth. The run
itself does not hang on it: it ends its page though the carrier is cut off, and its lease says whose it is.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.clock import Clock
from prestaconsole.database import Database, DatabaseError
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


class ProcrastinateDispatcher:
    """Brings jobs while its worker is willing; every such worker also sweeps what dead ones left."""

    def __init__(self, database: Database, clock: Clock, moment: Moment, settings: Settings) -> None:
        self._database = database
        self._moment = moment
        self._settings = settings
        self._news = EmbeddedDispatcher(database, clock, settings.poll_seconds)
        self._troubled = False
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

        What was queued just now has its job and is on its way: it goes first.
        """
        await asyncio.sleep(self._settings.poll_seconds)
        slots = self._settings.slots_per_shop
        await self._database.write(lambda c: jobs.reconcile(c, claimable(self._moment(c), slots), slots), quiet=True)
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
        while not _cancelled():
            if hands.willing:
                try:
                    await self._carry(hands)
                except Exception as error:
                    # Whatever it is, the daemon lives: rows, leases and other workers do not depend on this part.
                    self._trouble(error)
            await asyncio.sleep(_AGAIN_SECONDS if self._troubled else self._settings.poll_seconds)

    async def _carry(self, hands: Hands) -> None:
        """Bring jobs until the worker is unwilling or the server went away; trouble is raised."""
        # The pool waits ever longer between its tries, so it is opened only once the server answers.
        await self._database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar())
        app = self._app(hands)
        async with app.open_async(), asyncio.TaskGroup() as group:
            parts = [
                group.create_task(self._work(app, max(hands.room(), 1))),
                group.create_task(self._sweep_for_ever(app)),
                group.create_task(self._until_unfit(hands)),
            ]
            self._untroubled()
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in parts:
                part.cancel()

    def _app(self, hands: Hands) -> App:
        connector = PsycopgConnector(
            kwargs={"connect_timeout": _POOL_SECONDS, **self._database.connect_parameters()},
            configure=_configure,
            min_size=1,
            max_size=_CONNECTIONS,
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


async def _configure(connection: "psycopg.AsyncConnection[Any]") -> None:
    """Each connection of the library sees its schema alone."""
    await connection.set_autocommit(True)
    await connection.execute(f"SET search_path TO {jobs.SCHEMA}")


def _cancelled() -> bool:
    """Whether this task was cancelled though an error on the way out hid it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
