"""Transactions of one process and of several: whole or not at all, never cancelled half way, busy said plainly."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.exc import StatementError

from prestaconsole.database import Database, DatabaseError, engine, insert_new, upsert
from prestaconsole.model import Listing, Shop, ShopCursor, Warehouse

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def add_warehouse(connection: Connection, code: str) -> None:
    connection.execute(insert(Warehouse).values(code=code, created_at=NOW))


def codes(connection: Connection) -> list[str]:
    return list(connection.execute(select(Warehouse.code).order_by(Warehouse.code)).scalars())


def add_shop(connection: Connection) -> int:
    made = insert(Shop).values(code="wolle", name="Wolle", base_url="https://w.example", created_at=NOW, updated_at=NOW)
    key = connection.execute(made).inserted_primary_key
    assert key is not None
    return int(key[0])


async def test_a_cancelled_writer_still_completes_and_the_database_stays_free(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        add_warehouse(connection, "A")
        begun.set()
        assert go_on.wait(10)
        add_warehouse(connection, "B")

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(database.write(slow))
        await asyncio.to_thread(begun.wait, 10)
        writing.cancel()
        await asyncio.sleep(0)
        assert not writing.done()
        go_on.set()
    assert writing.cancelled()
    assert await database.read(codes) == ["A", "B"]
    await database.write(lambda c: add_warehouse(c, "C"))
    assert await database.read(codes) == ["A", "B", "C"]


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def half(connection: Connection) -> None:
        add_warehouse(connection, "A")
        raise LookupError("the second half")

    with pytest.raises(LookupError):
        await database.write(half)
    assert await database.read(codes) == []


async def test_concurrent_writers_of_two_processes_lose_no_update(
    database: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    shop_id = await database.write(add_shop)
    await database.write(lambda c: c.execute(insert(ShopCursor).values(shop_id=shop_id, name="n", moved_at=NOW)))
    others = [database, open_database(database_url), open_database(database_url)]

    def up(connection: Connection) -> None:
        connection.execute(update(ShopCursor).values(value=ShopCursor.value + 1))

    async with asyncio.TaskGroup() as group:
        for number in range(60):
            group.create_task(others[number % 3].write(up))
    assert await database.read(lambda c: c.execute(select(ShopCursor.value)).scalar_one()) == 60


async def test_a_reader_sees_one_moment_while_a_writer_goes_on(database: Database) -> None:
    reading, written = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[int, int]:
        if not database.is_sqlite:
            connection.exec_driver_sql("SELECT 1")
        first = connection.execute(select(func.count()).select_from(Warehouse)).scalar_one()
        reading.set()
        assert written.wait(10)
        return first, connection.execute(select(func.count()).select_from(Warehouse)).scalar_one()

    async with asyncio.TaskGroup() as group:
        look = group.create_task(database.read(twice))
        await asyncio.to_thread(reading.wait, 10)
        await database.write(lambda c: add_warehouse(c, "A"))
        written.set()
    assert look.result() == (0, 0)


def test_a_reader_cannot_write_by_mistake_and_keep_it(database: Database) -> None:
    try:
        database.read_now(lambda c: add_warehouse(c, "A"))
    except Exception as error:
        assert "read-only" in str(error)
    assert database.read_now(codes) == []


def test_a_busy_database_says_so_and_is_free_again_later(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 50)
    path = str(sqlite_database.url.database)
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="busy") as refused:
            sqlite_database.write_now(lambda c: add_warehouse(c, "A"))
        assert "try again" in refused.value.remedy
        holder.execute("ROLLBACK")
    finally:
        holder.close()
    sqlite_database.write_now(lambda c: add_warehouse(c, "A"))
    assert sqlite_database.read_now(codes) == ["A"]


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"this was never a database, whatever its name says" * 40)
    broken = Database(f"sqlite:///{path}")
    try:
        with pytest.raises(DatabaseError, match="not a database"):
            broken.read_now(codes)
    finally:
        broken.close()


def test_a_server_that_does_not_answer_is_named_as_such() -> None:
    absent = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    try:
        with pytest.raises(DatabaseError, match="cannot be reached"):
            absent.read_now(codes)
    finally:
        absent.close()


def test_a_url_nobody_understands_is_refused() -> None:
    with pytest.raises(DatabaseError, match="cannot be understood"):
        Database("not a url")


def test_the_password_of_the_database_is_not_printed() -> None:
    shown = Database("postgresql+psycopg://user:hunter2@127.0.0.1:1/none")
    try:
        assert "hunter2" not in repr(shown)
    finally:
        shown.close()


async def test_the_version_changes_when_another_process_commits_and_only_then(
    database: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    other = open_database(database_url)
    before = database.version()
    await other.write(lambda c: add_warehouse(c, "A"))
    if not database.is_sqlite:
        # The news comes by another road than the commit; what is heard besides, tests/database/test_wakeups.py says.
        async with asyncio.timeout(60):
            while database.version() == before:
                await asyncio.sleep(0.01)
        return
    after = database.version()
    assert after != before
    await other.read(codes)
    assert database.version() == after


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 10, 25, 1, 30, 0, 123456, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    ],
)
def test_moments_come_back_as_the_same_moment_in_utc(database: Database, moment: datetime) -> None:
    database.write_now(lambda c: c.execute(insert(Warehouse).values(code="A", created_at=moment)))
    found = database.read_now(lambda c: c.execute(select(Warehouse.created_at)).scalar_one())
    assert found == moment
    assert found.tzinfo is UTC


def test_moments_sort_and_compare_in_the_database_as_they_do_here(database: Database) -> None:
    moments = [NOW, NOW + timedelta(microseconds=1), NOW + timedelta(seconds=1), NOW + timedelta(days=400)]
    rows = [{"code": str(number), "created_at": moment} for number, moment in enumerate(moments)]
    database.write_now(lambda c: c.execute(insert(Warehouse), rows[::-1]))
    later = select(Warehouse.code).where(Warehouse.created_at > NOW).order_by(Warehouse.created_at)
    assert database.read_now(lambda c: list(c.execute(later).scalars())) == ["1", "2", "3"]


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the very thing that must be refused
    with pytest.raises(StatementError, match="without a time zone"):
        database.write_now(lambda c: c.execute(insert(Warehouse).values(code="A", created_at=naive)))


@pytest.mark.parametrize("amount", ["0", "19.990000", "-0.01", "1234567890123456.123456", "1E+3", "0.000000"])
def test_amounts_come_back_digit_by_digit(database: Database, amount: str) -> None:
    shop_id = database.write_now(add_shop)
    row = {"shop_id": shop_id, "id_product": 1, "price": Decimal(amount), "seen_at": NOW}
    database.write_now(lambda c: c.execute(insert(Listing).values(row)))
    found = database.read_now(lambda c: c.execute(select(Listing.price)).scalar_one())
    assert isinstance(found, Decimal)
    assert format(found, "f") == format(Decimal(amount), "f")


def test_a_float_is_no_amount(database: Database) -> None:
    shop_id = database.write_now(add_shop)
    row = {"shop_id": shop_id, "id_product": 1, "price": 19.99, "seen_at": NOW}
    with pytest.raises(StatementError, match="not float"):
        database.write_now(lambda c: c.execute(insert(Listing).values(row)))


def test_upsert_updates_what_stands_and_keeps_what_it_was_told_to_keep(database: Database) -> None:
    first = [{"code": code, "name": f"{code} old", "created_at": NOW} for code in ("A", "B")]
    later = [{"code": code, "name": f"{code} new", "created_at": NOW + timedelta(days=1)} for code in ("B", "C")]
    database.write_now(lambda c: upsert(c, Warehouse, first, key=["code"]))
    database.write_now(lambda c: upsert(c, Warehouse, later, key=["code"], keep=["created_at"]))
    found = database.read_now(
        lambda c: [
            tuple(r)
            for r in c.execute(select(Warehouse.code, Warehouse.name, Warehouse.created_at).order_by(Warehouse.code))
        ]
    )
    assert found == [("A", "A old", NOW), ("B", "B new", NOW), ("C", "C new", NOW + timedelta(days=1))]


def test_upsert_of_nothing_is_nothing_and_of_keys_alone_adds_them(database: Database) -> None:
    shop_id = database.write_now(add_shop)
    database.write_now(lambda c: upsert(c, Warehouse, [], key=["code"]))
    row = {"shop_id": shop_id, "name": "orders", "value": 7, "moved_at": NOW}
    database.write_now(lambda c: upsert(c, ShopCursor, [row], key=["shop_id", "name"]))
    again = {"shop_id": shop_id, "name": "orders", "value": 9, "moved_at": NOW}
    database.write_now(lambda c: upsert(c, ShopCursor, [again], key=["shop_id", "name"], keep=["value", "moved_at"]))
    assert database.read_now(lambda c: c.execute(select(ShopCursor.value)).scalar_one()) == 7


def test_insert_new_leaves_what_stands(database: Database) -> None:
    rows = [{"code": "A", "name": "first", "created_at": NOW}]
    database.write_now(lambda c: insert_new(c, Warehouse, rows, key=["code"]))
    rows = [{"code": code, "name": "second", "created_at": NOW} for code in ("A", "B")]
    database.write_now(lambda c: insert_new(c, Warehouse, rows, key=["code"]))
    found = database.read_now(
        lambda c: [tuple(r) for r in c.execute(select(Warehouse.code, Warehouse.name).order_by(Warehouse.code))]
    )
    assert found == [("A", "first"), ("B", "second")]


def test_a_transaction_inside_a_transaction_is_refused_at_once(database: Database) -> None:
    def nested(connection: Connection) -> None:
        database.write_now(lambda c: c.execute(text("SELECT 1")))

    with pytest.raises(RuntimeError, match="inside a transaction"):
        database.write_now(nested)


CUT = text(
    "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.mark.parametrize("database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
@pytest.mark.parametrize("way", ["by its end", "by a question"])
def test_connections_that_were_cut_while_idle_are_replaced_without_an_error(
    database: Database, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    asked: list[object] = []
    if way == "by a question":
        # As when a network swallowed the end of the connection.
        monkeypatch.setattr(engine, "_has_news", lambda connection: False)
        monkeypatch.setattr(engine, "_ASK_AFTER_SECONDS", -1.0)
    else:
        monkeypatch.setattr(engine, "_answers", lambda connection: asked.append(connection))
    other = Database(database.url.render_as_string(hide_password=False))
    try:
        for number in range(3):
            database.write_now(lambda c, number=number: add_warehouse(c, f"W{number}"))  # type: ignore[misc]  # a default
            assert len(database.read_now(codes)) == number + 1
            other.engine.dispose()
            other.write_now(lambda c: c.execute(CUT).scalar())
    finally:
        other.close()
    if way == "by its end":
        # Only those that were cut were asked.
        assert 2 <= len(asked) <= 4
