"""Looking after the database itself: upgrade and check. Opens it without migrating it first."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect, text

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.database import Connection, Database, postgres_backup
from prestaconsole.database.migrations import current, head, upgrade
from prestaconsole.errors import UsageError
from prestaconsole.model import Base
from prestaconsole.operations.invariants import broken
from prestaconsole.operations.lives import Life, read_life
from prestaconsole.services.backups import copy_whole, opened, sqlite_place
from prestaconsole.settings import Settings

_FREE_SHARE = 0.25


@dataclass(frozen=True)
class DatabaseReport:
    """How the database stands; ``problems`` is empty when it is sound and of this program's version.

    ``notes`` are no faults; ``size`` and ``free`` are bytes, the free ones being room inside that is used again.
    """

    url: str
    kind: str
    revision: str
    needed: str
    rows: int
    size: int
    free: int
    life: Life
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def upgrade_database(settings: Settings, *, clock: Clock | None = None) -> tuple[DatabaseReport, Path | None]:
    """Make or migrate the database; of an older SQLite one a backup is kept beside it first.

    Gives the report and the backup's place. Raises ``DatabaseError`` when it is newer than the program.
    """
    now = (clock or SystemClock()).now()
    with opened(settings) as database:
        found = current(database)
        kept = None
        if database.is_sqlite and found is not None and found != head():
            place = sqlite_place(database)
            kept = place.with_name(f"{place.name}.before-{head()}-{now:%Y%m%d-%H%M%S}")
            copy_whole(database, kept)
        upgrade(database)
        return _report(database, now), kept


def check_database(settings: Settings, *, clock: Clock | None = None) -> DatabaseReport:
    """Look whether the database is whole, sound and of this program's version. Changes nothing.

    Raises ``DatabaseError`` when it cannot be opened, ``UsageError`` where there is none.
    """
    with opened(settings) as database:
        if database.is_sqlite and not sqlite_place(database).is_file():
            place = sqlite_place(database)
            raise UsageError(f"There is no database at {place}.", "`prestaconsole db upgrade` makes one.")
        return _report(database, (clock or SystemClock()).now())


def _report(database: Database, now: datetime) -> DatabaseReport:
    found, needed = current(database), head()
    problems = []
    if found != needed:
        problems.append(
            f"it is at revision {found or 'none'}, this program needs {needed}: run `prestaconsole db upgrade`"
        )
    seen = database.read_now(lambda connection: _look(connection, database.is_sqlite))
    life, notes = Life(), list(seen.notes)
    if found == needed and not seen.missing:
        life = database.read_now(read_life)
        for point in database.read_now(lambda connection: broken(connection, now)):
            words = f"not so: {point.name} ({point.count}: {point.words})"
            (problems if point.level == "fault" else notes).append(words)
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    shown = database.url.render_as_string(hide_password=True)
    return DatabaseReport(
        shown,
        kind,
        found or "",
        needed,
        seen.rows,
        seen.size,
        seen.free,
        life,
        (*problems, *seen.problems),
        tuple(notes),
    )


@dataclass(frozen=True)
class _Seen:
    rows: int
    size: int
    free: int
    missing: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def _look(connection: Connection, is_sqlite: bool) -> _Seen:
    """Rows of all tables, room, and what is broken in the database's own terms."""
    there = set(inspect(connection).get_table_names())
    wanted = {table.name: table for table in Base.metadata.sorted_tables}
    missing = tuple(name for name in wanted if name not in there)
    problems = [f"the table {name} is missing" for name in missing]
    rows = 0
    for name in wanted.keys() & there:
        rows += connection.execute(text(f'SELECT COUNT(*) FROM "{name}"')).scalar_one()  # noqa: S608 - names of our own tables
    if postgres_backup.UNFINISHED in there:
        problems.append("a restore was cut off in it: make an empty database and restore again")
    size, free, more, notes = (_look_sqlite if is_sqlite else _look_postgres)(connection)
    return _Seen(rows, size, free, missing, (*problems, *more), tuple(notes))


def _look_sqlite(connection: Connection) -> tuple[int, int, list[str], list[str]]:
    problems, notes = [], []
    for (words,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if words != "ok":
            problems.append(f"the file is damaged: {words}")
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        problems.append(f"row {row[1]} of {row[0]} points to a row of {row[2]} that is not there")
    page, pages, free = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_size", "page_count", "freelist_count")
    )
    if free > pages * _FREE_SHARE and free * page > 10_000_000:
        notes.append(
            f"{free * page // 1_000_000} MB of {pages * page // 1_000_000} MB are free inside and are used again: "
            "`prestaconsole db prune --vacuum` gives them back to the disk"
        )
    return page * pages, page * free, problems, notes


def _look_postgres(connection: Connection) -> tuple[int, int, list[str], list[str]]:
    size = int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    invalid = text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    problems = [f"the index {name} is not valid: REINDEX it" for name in connection.execute(invalid).scalars()]
    loose = text("SELECT conname FROM pg_constraint WHERE NOT convalidated")
    problems += [f"the constraint {name} was never validated" for name in connection.execute(loose).scalars()]
    return size, 0, problems, []
