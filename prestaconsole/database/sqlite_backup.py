"""Copying a SQLite database while it is in use, and counting a copy. Imports the engine's errors only."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from prestaconsole.database.engine import DatabaseError
from prestaconsole.database.whole_files import disk_full
from prestaconsole.errors import UsageError

MAGIC = b"SQLite format 3\x00"
_PAGES_AT_ONCE = 2_000


def copy(source: Path, target: Path) -> None:
    """SQLite's own online copy: a consistent state, whoever writes meanwhile.

    One read transaction holds the state, so writers neither wait for the copy nor make it begin again.
    Raises ``DiskFull`` and ``DatabaseError``.
    """
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.execute("BEGIN")
            old.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            old.backup(new, pages=_PAGES_AT_ONCE)
            # One file that stands alone, without a write-ahead log beside it.
            new.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        if _is_full(error):
            raise disk_full(target) from None
        raise DatabaseError(f"The copy of {source.name} failed: {error}.", "Mend the rights or the disk.") from None


def count(file: Path, shown: Path, ours: Iterable[str]) -> dict[str, int]:
    """Open a copy, look whether it is whole, and count the rows of each of our tables.

    Raises ``UsageError`` where it is no database of ours, or is damaged.
    """
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "alembic_version" not in tables or "shop" not in tables:
                raise UsageError(
                    f"{shown} is no database of PrestaConsole.", "Name a file that `db backup` has written."
                )
            trouble = [words for (words,) in opened.execute("PRAGMA integrity_check") if words != "ok"]
            if trouble:
                raise UsageError(f"{shown} is damaged: {trouble[0]}.", "Use another backup.")
            counted = sorted(tables & {*ours, "alembic_version"})
            return {name: opened.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in counted}  # noqa: S608 - names of our own tables
    except sqlite3.Error as error:
        raise UsageError(f"{shown} cannot be read: {error}.", "Name a file that `db backup` has written.") from None


def _is_full(error: sqlite3.Error) -> bool:
    words = str(error).lower()
    return "full" in words or "disk i/o" in words
