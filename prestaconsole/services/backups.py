"""Backing the database up while it is in use, and restoring it into an empty place. May import all below services."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import text

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.database import Connection, Database, DatabaseError, postgres_backup, sqlite_backup
from prestaconsole.database.migrations import current, head, upgrade
from prestaconsole.database.whole_files import whole_file
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.model import Base
from prestaconsole.operations.lives import note_backup
from prestaconsole.services.restoring import NewLife, begin_new_life, shops_without_key
from prestaconsole.settings import Settings
from prestaconsole.vault import VaultError, open_vault

TABLES = tuple(table.name for table in Base.metadata.sorted_tables)
_DATED = re.compile(r"prestaconsole-\d{8}-\d{6}\.(sqlite3|dump)")


@dataclass(frozen=True)
class BackupReport:
    """A backup that was written, opened again and counted: size in bytes, rows of our tables, shops in it.

    ``removed`` are older backups that made room.
    """

    file: str
    kind: str
    size: int
    rows: int
    shops: int
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class RestoreReport:
    """What came back, what was closed, and the shops whose key must be entered again."""

    file: str
    rows: int
    shops: int
    epoch: int
    as_of: datetime | None
    frozen: tuple[str, ...]
    runs: int
    plans: int
    kept: int
    keyless: tuple[str, ...]


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database of these settings, as it is: neither made nor migrated."""
    database = Database(settings.url)
    try:
        yield database
    finally:
        database.close()


def sqlite_place(database: Database) -> Path:
    """Where the SQLite file is."""
    return Path(str(database.url.database))


def backup_database(
    settings: Settings, place: Path, *, keep: int | None = None, clock: Clock | None = None
) -> BackupReport:
    """Copy the database while it is in use, then open the copy, count its rows and note it in the database.

    ``place`` is a file that is not there yet, or a folder: then the file is named after the moment, and ``keep`` says
    how many of those stay. It holds neither the vault's key nor any setting. Raises ``UsageError`` for a place that is
    taken or a missing program, ``DiskFull``, and ``DatabaseError`` for a copy that is not whole: nothing is left then.
    """
    now = (clock or SystemClock()).now()
    with opened(settings) as database:
        file = place
        if place.is_dir():
            ending = "sqlite3" if database.is_sqlite else "dump"
            file = place / f"prestaconsole-{now:%Y%m%d-%H%M%S}.{ending}"
        elif keep is not None:
            raise UsageError(f"{place} is no folder, so there is nothing to keep of.", "Name a folder with --keep.")
        if keep is not None and keep < 1:
            raise UsageError("At least one backup must be kept.", "Give --keep 1 or more.")
        counts = copy_whole(database, file)
        report = _report(file, "SQLite" if database.is_sqlite else "PostgreSQL", counts)
        if current(database) == head():
            database.write_now(lambda c: note_backup(c, str(file.absolute()), now))
    return replace(report, removed=_make_room(place, keep) if keep is not None else ())


def copy_whole(database: Database, file: Path) -> Mapping[str, int]:
    """Write the copy under its name, whole or not at all; gives the rows by table as counted in it."""
    if database.is_sqlite:
        source = sqlite_place(database)
        if not source.is_file():
            raise UsageError(f"There is no database at {source}.", "There is nothing to back up.")
        with whole_file(file) as draft:
            sqlite_backup.copy(source, draft)
            return sqlite_backup.count(draft, file, TABLES)
    with whole_file(file) as draft:
        noted = postgres_backup.dump(database, draft, TABLES)
        counts = postgres_backup.count(draft, file, TABLES)
        if counts != noted:
            wrong = ", ".join(sorted(name for name in noted if counts.get(name) != noted[name]))
            raise DatabaseError(f"The backup does not hold the rows it should ({wrong}).", "Nothing was kept; repeat.")
        return counts


def _report(file: Path, kind: str, counts: Mapping[str, int]) -> BackupReport:
    rows = sum(number for name, number in counts.items() if name != "alembic_version")
    return BackupReport(str(file), kind, file.stat().st_size, rows, counts["shop"])


def _make_room(folder: Path, keep: int) -> tuple[str, ...]:
    """Take the oldest away; only files that bear our own dated name."""
    dated = sorted(path for path in folder.iterdir() if _DATED.fullmatch(path.name) and path.is_file())
    removed = dated[:-keep]
    for path in removed:
        path.unlink()
    return tuple(str(path) for path in removed)


# -- restore ---------------------------------------------------------------------------------------------------


def restore_database(settings: Settings, file: Path, *, actor: str, clock: Clock | None = None) -> RestoreReport:
    """Put a backup in the place of a database that is not there yet, as a new life: every shop but drafts is frozen.

    It appears whole and closed, or not at all. Raises ``LockedError`` where a database stands already, ``UsageError``
    for a file that is no backup of ours or of the other kind, ``DatabaseError`` for one of a newer program.
    """
    if not file.is_file():
        raise UsageError(f"{file} is not there.", "Name a file that `prestaconsole db backup` has written.")
    now = (clock or SystemClock()).now()
    with file.open("rb") as stream:
        begins = stream.read(32)
    with opened(settings) as database:
        is_sqlite, target = database.is_sqlite, sqlite_place(database)
    if begins.startswith(postgres_backup.MAGIC if is_sqlite else sqlite_backup.MAGIC):
        there, here = ("PostgreSQL", "SQLite") if is_sqlite else ("SQLite", "PostgreSQL")
        raise UsageError(
            f"{file} is a backup of {there}, and this place is {here}.",
            "PRESTACONSOLE_DATABASE_URL chooses the place; a backup goes back into the kind it came from.",
        )
    if is_sqlite:
        return _restore_sqlite(settings, file, target, actor, now)
    return _restore_postgres(settings, file, actor, now)


def _restore_sqlite(settings: Settings, file: Path, target: Path, actor: str, now: datetime) -> RestoreReport:
    counts = sqlite_backup.count(file, file, TABLES)
    if target.exists():
        raise LockedError(
            f"A database stands at {target} already; a restore never overwrites one.",
            "Move it away first, or name another folder in PRESTACONSOLE_DATA_DIR.",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{target.parent} cannot be made: {error.strerror}.", "Mend the rights above it.") from None
    with whole_file(target, spare="Move it away first; a restore never overwrites a database.") as draft:
        sqlite_backup.copy(file, draft)
        database = Database(f"sqlite:///{draft}")
        try:
            upgrade(database)
            life, keyless = database.write_now(lambda c: _begin(c, settings, file, actor, now, {}))
        finally:
            database.close()
    return _restored(file, counts, life, keyless)


def _restore_postgres(settings: Settings, file: Path, actor: str, now: datetime) -> RestoreReport:
    counts = postgres_backup.count(file, file, TABLES)
    with opened(settings) as database:
        if not database.read_now(postgres_backup.is_empty):
            raise LockedError(
                f"The database {database.url.database} holds tables already; a restore never overwrites one.",
                "Make an empty one (`createdb NAME`) and name it in PRESTACONSOLE_DATABASE_URL.",
            )
        postgres_backup.restore(database, file)
        upgrade(database)

        def begin(connection: Connection) -> tuple[NewLife, tuple[str, ...]]:
            rows = connection.execute(text(f"SELECT id, mode FROM {postgres_backup.UNFINISHED}")).all()  # noqa: S608 - our own name
            begun = _begin(connection, settings, file, actor, now, {row.id: row.mode for row in rows})
            connection.execute(text(f"DROP TABLE {postgres_backup.UNFINISHED}"))
            return begun

        life, keyless = database.write_now(begin)
    return _restored(file, counts, life, keyless)


def _begin(
    connection: Connection, settings: Settings, file: Path, actor: str, now: datetime, modes: Mapping[int, str]
) -> tuple[NewLife, tuple[str, ...]]:
    life = begin_new_life(connection, file=file.name, actor=actor, at=now, modes=modes)
    return life, shops_without_key(connection, _key_print(settings))


def _key_print(settings: Settings) -> str:
    """The print of the vault's key that is here; a restore makes none."""
    if not settings.key_file.is_file() and not settings.vault_key.get_secret_value():
        return ""
    try:
        return open_vault(settings).key_print
    except VaultError:
        return ""


def _restored(file: Path, counts: Mapping[str, int], life: NewLife, keyless: tuple[str, ...]) -> RestoreReport:
    rows = sum(number for name, number in counts.items() if name != "alembic_version")
    return RestoreReport(
        file=str(file),
        rows=rows,
        shops=counts["shop"],
        epoch=life.epoch,
        as_of=life.as_of,
        frozen=life.frozen,
        runs=life.runs,
        plans=life.plans,
        kept=life.kept,
        keyless=keyless,
    )
