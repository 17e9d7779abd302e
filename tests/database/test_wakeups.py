"""News of commits on PostgreSQL: heard from every process, not of what stored nothing, and again after a cut."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text

from prestaconsole.database import Database, DatabaseError, DatabaseUnavailable, engine
from prestaconsole.model import Warehouse
from tests.support.databases import Makers
from tests.support.pooler import pooled, why_no_pooler

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
CUT = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


def add(code: str) -> Callable[[Connection], Any]:
    return lambda c: c.execute(insert(Warehouse).values(code=code, created_at=NOW))


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(database_makers: Makers) -> Iterator[str]:
    """On PostgreSQL only: a file is looked at, it tells nothing."""
    url = database_makers.postgres()
    yield url
    database_makers.drop(url)


@pytest.fixture
def server(database: Database) -> Database:
    return database


class Ear:
    """Counts what one ``Database`` hears."""

    def __init__(self, database: Database) -> None:
        self.heard = 0
        self.end = database.follow(self._count)
        # The first news is the connection itself; what comes after it counts.
        until(lambda: self.heard)
        self.heard = 0

    def _count(self) -> None:
        self.heard += 1


def test_a_commit_of_another_process_is_heard_and_nothing_else(
    server: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    other = open_database(database_url)
    ear = Ear(server)

    def half(connection: Connection) -> None:
        add("A")(connection)
        raise LookupError

    with pytest.raises(LookupError):
        other.write_now(half)
    other.write_now(lambda c: c.execute(text("SELECT 1")).scalar())
    other.read_now(lambda c: c.execute(text("SELECT 1")).scalar())
    other.write_now(add("B"))
    until(lambda: ear.heard)
    # They arrive in the order of their commits: had another been told, it would have come before.
    assert ear.heard == 1


async def test_a_sign_of_life_is_no_news(
    server: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    other = open_database(database_url)
    ear = Ear(server)
    await other.write(add("A"), quiet=True)
    await other.write(add("B"))
    until(lambda: ear.heard)
    assert ear.heard == 1


def test_who_follows_no_more_is_told_no_more(server: Database) -> None:
    gone, stays = Ear(server), 0

    def count() -> None:
        nonlocal stays
        stays += 1

    server.follow(count)
    gone.end()
    server.write_now(add("A"))
    until(lambda: stays)
    assert gone.heard == 0


def test_after_a_cut_it_connects_again_says_so_and_hears(server: Database) -> None:
    ear = Ear(server)
    lost = server.connections_lost
    server.write_now(lambda c: c.execute(CUT).scalar())
    until(lambda: server.connections_lost > lost)
    # News without a commit: whoever missed one while nobody heard must look.
    before = ear.heard
    until(lambda: ear.heard > before)
    heard = ear.heard
    server.write_now(add("A"))
    until(lambda: ear.heard > heard)


def test_without_news_the_version_still_moves_now_and_then(server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    Ear(server)
    monkeypatch.setattr(engine, "_REFRESH_SECONDS", 0.05)
    version = server.version()
    until(lambda: server.version() != version)


def test_a_screen_that_looks_four_times_a_second_asks_the_server_nothing(server: Database) -> None:
    Ear(server)
    asked: list[str] = []
    event.listen(server.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    event.listen(server.engine, "checkout", lambda *given: asked.append("a connection"))
    for _ in range(100):
        server.version()
    assert asked == []


def test_closing_ends_the_listener(
    server: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    before = threading.active_count()
    other = open_database(database_url)
    Ear(other)
    other.close()
    assert threading.active_count() <= before


def test_a_direct_connection_is_recognised(server: Database) -> None:
    server.require_direct()


def test_a_file_needs_no_direct_connection(sqlite_database: Database) -> None:
    sqlite_database.require_direct()


def test_a_pooler_that_shares_by_transaction_is_refused_and_the_server_itself_named(
    server: Database, database_url: str, open_database: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    if why_no_pooler():
        pytest.skip(why_no_pooler())
    monkeypatch.setattr("prestaconsole.database.wakeups._PATIENCE", 0.5)
    with pooled(database_url, "transaction") as url, pytest.raises(DatabaseError, match="pooler") as refused:
        open_database(url).require_direct()
    assert "5432" in refused.value.remedy


def test_a_pool_in_session_mode_will_do(
    server: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    if why_no_pooler():
        pytest.skip(why_no_pooler())
    with pooled(database_url, "session") as url:
        open_database(url).require_direct()


def test_a_server_that_is_away_is_no_pooler(open_database: Callable[[str], Database]) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        open_database("postgresql+psycopg://nobody@127.0.0.1:1/none").require_direct()
