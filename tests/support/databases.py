"""Databases for tests: each test gets a fresh migrated one, on SQLite always, on PostgreSQL where a server answers.

Fixtures: ``database`` (both), ``database_url`` (both, for tests that start processes), ``sqlite_database`` (the quick
one, for tests where the kind cannot matter), ``empty_database`` (both, before any migration).
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.database import Database
from prestaconsole.database.migrations import upgrade

VARIABLE = "PRESTACONSOLE_TEST_POSTGRES_URL"
LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"
BOTH = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


def server_url() -> URL:
    """The server the PostgreSQL tests would use, as SQLAlchemy takes it."""
    named = make_url(os.environ.get(VARIABLE) or LOCAL)
    return named.set(drivername="postgresql+psycopg")


def _shown(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


@cache
def why_no_postgres() -> str:
    """Why PostgreSQL tests cannot run here, or nothing where they can."""
    try:
        with _server() as engine, engine.connect() as connection:
            may_create = connection.execute(
                text("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
            ).scalar_one()
    except ModuleNotFoundError:
        return "psycopg is not installed"
    except SQLAlchemyError:
        return f"no PostgreSQL answers at {_shown(server_url())} ({VARIABLE} names another)"
    return "" if may_create else f"the role at {_shown(server_url())} may not create databases"


@contextmanager
def _server() -> Iterator[Engine]:
    engine = create_engine(server_url(), isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        yield engine
    finally:
        engine.dispose()


def _run(*statements: str) -> None:
    with _server() as engine, engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


class Makers:
    """Makes fresh databases out of one migrated template of each kind, and takes them away again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: Path | None = None
        self._template: str | None = None
        self._made: list[str] = []
        self._from_template: set[str] = set()
        self._swept: list[str] = []
        self._shape = ""

    def sqlite(self, path: Path, *, empty: bool = False) -> str:
        """The URL of a new SQLite file at ``path``."""
        if not empty:
            if self._file is None:
                self._file = self._folder / "template.sqlite3"
                _migrate(f"sqlite:///{self._file}")
            shutil.copyfile(self._file, path)
        return f"sqlite:///{path}"

    def postgres(self, *, empty: bool = False) -> str:
        """The URL of a new database on the server; skips the test where there is no server."""
        if why_no_postgres():
            pytest.skip(why_no_postgres())
        source = "template0"
        if not empty:
            if self._template is None:
                self._template = self._create("template0")
                _migrate(self._url(self._template))
                self._shape = shape(self._url(self._template))
            source = self._template
            if self._swept:
                return self._url(self._swept.pop())
        name = self._create(source)
        if not empty:
            self._from_template.add(name)
        return self._url(name)

    def drop(self, url: str) -> None:
        """Take a PostgreSQL database away, whoever may still hold a connection to it; an intact one is used again."""
        name = make_url(url).database
        if name in self._from_template and sweep(url, self._shape):
            self._swept.append(name)
        elif name in self._made:
            self._made.remove(name)
            self._from_template.discard(name)
            _run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Take everything away."""
        for name in list(self._made):
            self.drop(self._url(name))

    def _create(self, source: str) -> str:
        name = f"prestaconsole_test_{uuid.uuid4().hex[:16]}"
        _run(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        self._made.append(name)
        return name

    @staticmethod
    def _url(name: str) -> str:
        return server_url().set(database=name).render_as_string(hide_password=False)


_SWEEP = """
DO $$
DECLARE
    one record;
    filled boolean;
BEGIN
    FOR one IN SELECT schemaname, tablename FROM pg_tables
        WHERE schemaname IN ('public', 'procrastinate') AND tablename <> 'alembic_version'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I.%I)', one.schemaname, one.tablename) INTO filled;
        IF filled THEN
            EXECUTE format('DELETE FROM %I.%I', one.schemaname, one.tablename);
        END IF;
    END LOOP;
    FOR one IN SELECT schemaname, sequencename FROM pg_sequences WHERE last_value IS NOT NULL
    LOOP
        PERFORM setval(format('%I.%I', one.schemaname, one.sequencename)::regclass, 1, false);
    END LOOP;
END $$
"""
"""Empties what a test filled: a tenth of what it costs to make a database."""

_SHAPE = """
SELECT string_agg(table_schema || '.' || table_name || '.' || column_name || '.' || data_type, ',')
FROM (
    SELECT * FROM information_schema.columns
    WHERE table_schema IN ('public', 'procrastinate') ORDER BY table_schema, table_name, column_name
) AS columns
"""


def _connect(url: str) -> Engine:
    return create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})


def shape(url: str) -> str:
    """The tables and columns of a PostgreSQL database, with its revision."""
    engine = _connect(url)
    try:
        with engine.connect() as connection:
            head = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
            return f"{head}: {connection.exec_driver_sql(_SHAPE).scalar_one()}"
    finally:
        engine.dispose()


def sweep(url: str, wanted: str) -> bool:
    """Empty a PostgreSQL database of the template's shape; says whether it is as good as new."""
    engine = _connect(url)
    try:
        with engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            connection.exec_driver_sql(f"{others} AND pid <> pg_backend_pid()")
            if shape(url) != wanted:
                return False
            connection.exec_driver_sql("SET session_replication_role = replica")  # no order among foreign keys
            connection.exec_driver_sql(_SWEEP)
            return True
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()


def _migrate(url: str) -> None:
    database = Database(url)
    try:
        upgrade(database)
        if database.is_sqlite:
            # The file alone must hold everything, since it is copied without its write-ahead log.
            with database.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.close()


@pytest.fixture(scope="session")
def database_makers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Makers]:
    """The session's templates."""
    makers = Makers(tmp_path_factory.mktemp("databases"))
    yield makers
    makers.close()


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, database_makers: Makers, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh migrated database, once on SQLite and once on PostgreSQL."""
    yield from _one(request.param, database_makers, tmp_path, empty=False)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh migrated database, once on SQLite and once on PostgreSQL."""
    yield from _opened(database_url)


@pytest.fixture
def sqlite_database(database_makers: Makers, tmp_path: Path) -> Iterator[Database]:
    """A fresh migrated database on SQLite only."""
    yield from _opened(database_makers.sqlite(tmp_path / "prestaconsole.sqlite3"))


@pytest.fixture(params=BOTH)
def empty_database(request: pytest.FixtureRequest, database_makers: Makers, tmp_path: Path) -> Iterator[Database]:
    """A database before its first migration, once on SQLite and once on PostgreSQL."""
    for url in _one(request.param, database_makers, tmp_path, empty=True):
        yield from _opened(url)


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Open more ``Database`` objects on a URL, as other processes would; all are closed after the test."""
    opened: list[Database] = []

    def opener(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield opener
    for database in opened:
        database.close()


def _one(kind: str, makers: Makers, folder: Path, *, empty: bool) -> Iterator[str]:
    if kind == "sqlite":
        yield makers.sqlite(folder / "prestaconsole.sqlite3", empty=empty)
        return
    url = makers.postgres(empty=empty)
    yield url
    makers.drop(url)


def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say plainly whether the PostgreSQL tests ran."""
    passed = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if getattr(report, "when", "") == "call" and "postgres" in report.keywords
    ]
    if passed:
        terminalreporter.write_line(f"PostgreSQL: {len(passed)} tests ran against {_shown(server_url())}.")
    elif any("postgres" in report.keywords for report in terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(f"PostgreSQL TESTS DID NOT RUN: {why_no_postgres()}.", red=True, bold=True)
