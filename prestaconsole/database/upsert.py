"""Many rows in one call, the same on SQLite and PostgreSQL: insert, update, or either. Imports SQLAlchemy only."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import DeclarativeBase


def table_of(model: type[DeclarativeBase]) -> Table:
    """The model's table: what a statement with bound keys takes, and what a type checker accepts."""
    table = model.__table__
    assert isinstance(table, Table)
    return table


def upsert(
    connection: Connection,
    model: type[DeclarativeBase],
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    keep: Sequence[str] = (),
    keep_first: Sequence[str] = (),
) -> None:
    """Insert the rows; where ``key`` stands already, update all given columns but the key and those in ``keep``.

    Columns in ``keep_first`` are updated only while they are NULL. All rows must have the same columns. A key may
    not come twice in one call.
    """
    if not rows:
        return
    table = table_of(model)
    statement = _insert(connection, table)
    changed = {
        name: func.coalesce(table.c[name], statement.excluded[name]) if name in keep_first else statement.excluded[name]
        for name in rows[0]
        if name not in key and name not in keep
    }
    target = [table.c[name] for name in key]
    if changed:
        finished = statement.on_conflict_do_update(index_elements=target, set_=changed)
    else:
        finished = statement.on_conflict_do_nothing(index_elements=target)
    connection.execute(finished, list(rows))


def insert_new(
    connection: Connection, model: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]], *, key: Sequence[str]
) -> None:
    """Insert the rows whose ``key`` does not stand yet; leave the others as they are."""
    if not rows:
        return
    table = table_of(model)
    statement = _insert(connection, table).on_conflict_do_nothing(index_elements=[table.c[name] for name in key])
    connection.execute(statement, list(rows))


def _insert(connection: Connection, table: Table) -> Any:
    """The insert of this kind of database, which knows what to do where a key stands already."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    # PostgreSQL's own package brings three drivers' worth of modules: only who uses it waits for them.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def bulk_update(
    connection: Connection, model: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]], *, key: Sequence[str]
) -> None:
    """Set all given columns but the key where ``key`` stands; rows that are not there are passed over.

    All rows must have the same columns.
    """
    if not rows:
        return
    table = table_of(model)
    # A parameter may not bear the name of a column that is set.
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name not in key}
    statement = update(table).where(*(table.c[name] == bindparam(f"new_{name}") for name in key)).values(values)
    connection.execute(statement, [{f"new_{name}": value for name, value in row.items()} for row in rows])
