"""One engine, one writer thread, a reader pool of two (DESIGN §3). SQLAlchemy Core, sync. Imports clock and errors."""

import asyncio
import selectors
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock, current_thread
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError

from prestaconsole.database.wakeups import ALIVE, SPEAK, Listener, hears_itself
from prestaconsole.errors import PrestaConsoleError

T = TypeVar("T")
Work = Callable[[Connection], T]

BUSY_TIMEOUT_MS = 10_000
_IDLE_IN_TRANSACTION = "8s"
"""PostgreSQL ends a writing transaction that asks nothing for so long: a frozen process must not keep its locks."""
_REFRESH_SECONDS = 10.0
"""On PostgreSQL: how often ``version`` differs though nothing was heard."""
_REFRESH_DEAF_SECONDS = 1.0
"""The same while there is no connection to hear by."""
_CONNECT_SECONDS = 15
_ASK_AFTER_SECONDS = 30.0


class DatabaseError(PrestaConsoleError):
    """The database cannot be reached, is busy, full, damaged, or of another version."""


class DatabaseUnavailable(DatabaseError):
    """It is busy, full or not reached: nothing is lost by waiting, and it may be back by itself."""


class Database:
    """The one database of a process.

    ``write`` runs a function in the writer thread as one transaction that is never cancelled half way; ``read`` runs
    one in a reader thread. A function must not wait for anything but the database.
    """

    def __init__(self, url: str) -> None:
        try:
            self.url: URL = make_url(url)
        except Exception:
            raise DatabaseError(
                "The database URL cannot be understood.", "It looks like postgresql://user@host/name, or is left empty."
            ) from None
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgres_engine(self.url)
        self._writing = self.engine if self.is_sqlite else _postgres_writing_engine(self.url)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="db-writer")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="db-reader")
        self._watch: sqlite3.Connection | None = None
        self._watch_lock = Lock()
        self._listener: Listener | None = None
        self._followers: set[Callable[[], None]] = set()
        self._version = 0
        self._version_at = 0.0

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)})"

    # -- transactions -----------------------------------------------------------------------------------------------

    async def write(self, work: Work[T], *, quiet: bool = False) -> T:
        """Run ``work`` as one transaction in the writer thread. A cancelled caller still waits for its end.

        On PostgreSQL its commit wakes all who listen, unless it is ``quiet``: a sign of life is no news.
        """
        return await _uncancelled(self._writer.submit(self._in_transaction, work, quiet))

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a consistent snapshot in a reader thread."""
        return await asyncio.wrap_future(self._readers.submit(self._in_snapshot, work))

    def write_now(self, work: Work[T]) -> T:
        """``write`` for callers without an event loop: the command line, tests."""
        if current_thread().name.startswith("db-writer"):
            raise RuntimeError("A transaction was asked for inside a transaction.")
        return self._writer.submit(self._in_transaction, work).result()

    def read_now(self, work: Work[T]) -> T:
        """``read`` for callers without an event loop."""
        return self._in_snapshot(work)

    def _in_transaction(self, work: Work[T], quiet: bool = False) -> T:
        with _explained(), self._writing.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            result = work(connection)
            if not self.is_sqlite and not quiet:
                connection.execute(SPEAK)
            return result

    def _in_snapshot(self, work: Work[T]) -> T:
        with _explained(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            try:
                return work(connection)
            finally:
                connection.rollback()

    # -- live view --------------------------------------------------------------------------------------------------

    def version(self) -> int:
        """A number that differs after any other connection committed: cheap enough for a look at 4 Hz.

        On PostgreSQL it asks nothing: a listener counts what it hears. It also differs every ten seconds, or every
        second while nothing can be heard, so that nobody waits for ever for news that was lost.
        """
        if self.is_sqlite:
            with self._watch_lock:
                if self._watch is None:
                    self._watch = sqlite3.connect(str(self.url.database), check_same_thread=False)
                return int(self._watch.execute("PRAGMA data_version").fetchone()[0])
        listener = self._listen()
        age = _REFRESH_SECONDS if listener.connected else _REFRESH_DEAF_SECONDS
        with self._watch_lock:
            if time.monotonic() - self._version_at > age:
                self._version += 1
                self._version_at = time.monotonic()
            return self._version

    @property
    def connections_lost(self) -> int:
        """PostgreSQL: how often the server went away from the listener."""
        return self._listen().lost

    def follow(self, news: Callable[[], None]) -> Callable[[], None]:
        """PostgreSQL: have ``news`` called, in another thread, after each commit of any process; gives what ends it."""
        self._listen()
        with self._watch_lock:
            self._followers.add(news)

        def end() -> None:
            with self._watch_lock:
                self._followers.discard(news)

        return end

    def require_direct(self) -> None:
        """Raise ``DatabaseError`` where a pooler between us and PostgreSQL swallows its notifications."""
        if self.is_sqlite:
            return
        from psycopg import Error

        try:
            direct = hears_itself(self.connect_parameters())
        except Error:
            raise _unreachable() from None
        if not direct:
            raise DatabaseError(
                "PRESTACONSOLE_DATABASE_URL leads to a connection pooler that shares connections by transaction: "
                "LISTEN and NOTIFY, by which work is handed out, do not pass through it.",
                "Name the server itself (PostgreSQL's own port, 5432 mostly), or a pool in session mode.",
            )

    def connect_parameters(self) -> dict[str, Any]:
        """PostgreSQL: what a driver's connection of one's own is opened with. It holds the password."""
        _, parameters = self.engine.dialect.create_connect_args(self.url)
        parameters.pop("context", None)
        return dict(parameters)

    def _listen(self) -> Listener:
        with self._watch_lock:
            if self._listener is None:
                self._listener = Listener(self.connect_parameters(), self._heard)
            return self._listener

    def _heard(self) -> None:
        with self._watch_lock:
            self._version += 1
            self._version_at = time.monotonic()
            followers = list(self._followers)
        for news in followers:
            news()

    def close(self) -> None:
        """Wait for the work at hand, then let go of all connections."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        # Its thread takes the lock to count what it hears, so it is ended outside of it.
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        with self._watch_lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self._writing.dispose()
        self.engine.dispose()


async def _uncancelled(future: "Future[T]") -> T:
    """Wait to the end whatever happens to the waiting task; a cancellation is delivered after it."""
    waiting = asyncio.wrap_future(future)
    cancelled: asyncio.CancelledError | None = None
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError as stop:
            if waiting.cancelled():
                raise
            cancelled = stop
        except Exception:
            break
    if cancelled is not None:
        # The work is done; its own error, if any, matters less than the stop that was asked for.
        waiting.exception()
        raise cancelled
    return waiting.result()


class _explained:
    """Turns driver errors that a person can act on into ``DatabaseError``."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OperationalError | DBAPIError):
            explained = explain(error)
            if explained is not None:
                raise explained from error


def explain(error: DBAPIError) -> DatabaseError | None:
    """The database's complaint in words with a remedy, or None where it is a fault of ours."""
    words = str(error.orig).lower()
    if "database is locked" in words or "database table is locked" in words:
        return DatabaseUnavailable(
            f"The database was busy for {BUSY_TIMEOUT_MS // 1000} seconds.",
            "Another process holds it; try again. Nothing of this step was stored.",
        )
    if "disk is full" in words or "no space left" in words or "disk i/o error" in words:
        return DatabaseUnavailable(
            "The disk of the database is full.", "Free space; the step is then done again whole."
        )
    if "readonly database" in words or "unable to open database" in words:
        return DatabaseError(
            "The database file cannot be opened for writing.",
            "Mend the rights of the data folder (PRESTACONSOLE_DATA_DIR).",
        )
    if "file is not a database" in words or "malformed" in words:
        return DatabaseError(
            "The database file is damaged or is not a database.", "Put back a backup with `prestaconsole db restore`."
        )
    if getattr(error, "connection_invalidated", False) or "connection" in words or "could not connect" in words:
        return _unreachable()
    return None


def _unreachable() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "The database server cannot be reached or closed the connection.",
        "Look whether PostgreSQL runs and PRESTACONSOLE_DATABASE_URL is right; work goes on when it is back.",
    )


def _sqlite_engine(url: URL) -> Engine:
    path = url.database
    if path and path != ":memory:":
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"The data folder {Path(path).parent} cannot be made: {error.strerror}.",
                "Name another one in PRESTACONSOLE_DATA_DIR.",
            ) from None
    # Parameters hold buyers' names and addresses: an error must not carry them into a log.
    engine = create_engine(
        url, connect_args={"check_same_thread": False}, pool_size=4, max_overflow=4, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        # SQLAlchemy's own BEGIN would be a deferred one, which can fail half way; ours comes first.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.close()

    return engine


def _postgres_engine(url: URL) -> Engine:
    try:
        engine = create_engine(url, pool_size=4, max_overflow=4, connect_args=_patience(url), hide_parameters=True)
    except ModuleNotFoundError:
        raise DatabaseError(
            "The PostgreSQL driver is not installed.", "Install PrestaConsole with its extra: prestaconsole[postgres]."
        ) from None
    _check_before_use(engine)
    return engine


def _postgres_writing_engine(url: URL) -> Engine:
    """For the one writer thread. What is only read may take its time, as it holds nobody up."""
    engine = create_engine(url, pool_size=1, max_overflow=1, connect_args=_patience(url), hide_parameters=True)
    _check_before_use(engine)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_IN_TRANSACTION}'")
        connection.commit()

    return engine


def _patience(url: URL) -> dict[str, Any]:
    """What the address leaves open of it: a network that swallows everything ends a connection after a minute."""
    wanted = {**ALIVE, "connect_timeout": _CONNECT_SECONDS}
    return {name: value for name, value in wanted.items() if name not in url.query}


def _check_before_use(engine: Engine) -> None:
    """Notice a connection that the server closed since its last use, mostly without a question.

    The end of a connection lies in its socket to be read. Only one that has something to read, or was idle for so
    long that a network may have forgotten it, is asked; each transaction is spared a round trip so.
    """

    @event.listens_for(engine, "checkin")
    def used(connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def check(connection: Any, record: Any, proxy: Any) -> None:
        idle = time.monotonic() - record.info.get("used_at", time.monotonic())
        if (idle > _ASK_AFTER_SECONDS or _has_news(connection)) and not _answers(connection):
            raise DisconnectionError


def _has_news(connection: Any) -> bool:
    if connection.closed:
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(connection.pgconn.socket, selectors.EVENT_READ)
        return bool(selector.select(0))


def _answers(connection: Any) -> bool:
    from psycopg import Error

    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Error:
        return False
    return True
