"""Backing up PostgreSQL with its own programs, pg_dump, pg_restore and psql. Imports the engine only.

A password goes along in the environment alone, never on a command line that others may read.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from prestaconsole.database.engine import Database, DatabaseError
from prestaconsole.database.whole_files import disk_full
from prestaconsole.errors import UsageError
from prestaconsole.redaction import redact

MAGIC = b"PGDMP"
UNFINISHED = "restore_unfinished"
"""A table with each shop's id and mode as they were in the backup; it is there only while a restore is at work."""

_QUEUE = "*.procrastinate_*"
"""Jobs of the dispatcher belong to one life of the database: their tables are kept, their rows are not."""
_SIGXFSZ = 25


def dump(database: Database, target: Path, ours: Iterable[str]) -> dict[str, int]:
    """Write the whole database into ``target`` while it is in use; gives the rows of our tables in that same state.

    Raises ``UsageError`` where pg_dump is not installed, ``DatabaseError`` with its words where it fails.
    """
    program = _program("pg_dump")

    def work(connection: Connection) -> dict[str, int]:
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        words = [program, "--format=custom", "--no-owner", "--no-privileges", f"--exclude-table-data={_QUEUE}"]
        words += [f"--snapshot={snapshot}", f"--file={target}", f"--dbname={_address(database.url)}"]
        _run(words, database.url, target)
        return count_rows(connection, ours)

    return database.read_now(work)


def count_rows(connection: Connection, ours: Iterable[str]) -> dict[str, int]:
    """Rows of each of our tables that is there."""
    there = set(
        connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")).scalars()
    )
    names = sorted(there & {*ours, "alembic_version"})
    return {name: connection.execute(text(f'SELECT COUNT(*) FROM "{name}"')).scalar_one() for name in names}  # noqa: S608 - names of our own tables


def count(file: Path, shown: Path, ours: Iterable[str]) -> dict[str, int]:
    """Read a dump to its end and count the rows of our tables in it.

    Raises ``UsageError`` where it is no dump of ours, is cut or damaged, or pg_restore is not installed.
    """
    wanted = {*ours, "alembic_version"}
    words = [_program("pg_restore"), "--data-only", "--file=-", str(file)]
    counts: dict[str, int] = {}
    with ExitStack() as stack:
        reader = stack.enter_context(_started(words, None, stdout=subprocess.PIPE))
        assert reader.stdout is not None
        table: str | None = None
        for line in reader.stdout:
            if table is None:
                if line.startswith(b"COPY "):
                    table = line.split(b" ", 2)[1].decode().rpartition(".")[2].strip('"')
                    counts[table] = 0
            elif line == b"\\.\n":
                table = None
            else:
                counts[table] += 1
        complaint = _complaint(reader)
    if complaint is not None:
        raise UsageError(f"{shown} cannot be read: {complaint}", "Use another backup, or a newer pg_restore.")
    found = {name: number for name, number in counts.items() if name in wanted}
    if not {"alembic_version", "shop"} <= found.keys():
        raise UsageError(f"{shown} is no backup of PrestaConsole.", "Name a file that `db backup` has written.")
    return found


def restore(database: Database, file: Path) -> None:
    """Put a dump into an empty database in one transaction that leaves every shop but drafts frozen.

    The modes from before stand in the table ``UNFINISHED``, which the caller takes away in the transaction that ends
    the restore. Raises ``UsageError`` where a program is missing, ``DatabaseError`` with psql's words where it fails.
    """
    pg_restore, psql = _program("pg_restore"), _program("psql")
    schema = database.read_now(lambda c: str(c.execute(text("SELECT quote_ident(current_schema())")).scalar_one()))
    freeze = (
        f"CREATE TABLE {schema}.{UNFINISHED} AS SELECT id, mode FROM {schema}.shop; "  # noqa: S608 - our own names
        f"UPDATE {schema}.shop SET mode = 'frozen' WHERE mode <> 'draft';"
    )
    script = [pg_restore, "--no-owner", "--no-privileges", "--file=-", str(file)]
    taking = [psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output=/dev/null"]
    taking += [f"--dbname={_address(database.url)}", "--file=-", f"--command={freeze}"]
    with ExitStack() as stack:
        reader = stack.enter_context(_started(script, None, stdout=subprocess.PIPE))
        assert reader.stdout is not None
        writer = stack.enter_context(_started(taking, database.url, stdin=reader.stdout, stdout=subprocess.DEVNULL))
        reader.stdout.close()
        refused, unread = _complaint(writer), _complaint(reader)
    if refused is not None or unread is not None:
        raise DatabaseError(
            f"The restore failed and nothing of it was kept: {refused or unread}",
            "Look at these words of PostgreSQL; the database is as empty as before.",
        )


def is_empty(connection: Connection) -> bool:
    """Whether the database holds no table of anybody's."""
    held = text("SELECT COUNT(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
    return bool(connection.execute(held).scalar_one() == 0)


# -- the programs ----------------------------------------------------------------------------------------------


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UsageError(
            f"{name} is not installed here, and PostgreSQL is backed up with it.",
            "Install the client programs of your server's version (Debian: postgresql-client), or run this there.",
        )
    return found


def _parts(url: URL) -> tuple[dict[str, str], dict[str, str]]:
    """What may stand on a command line, and what may only stand in the environment."""
    known = {"host": url.host, "port": url.port, "dbname": url.database, "user": url.username}
    parts = {name: str(value) for name, value in known.items() if value is not None}
    parts |= {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    password = parts.pop("password", None) or url.password
    parts.pop("sslpassword", None)
    return parts, {"PGPASSWORD": str(password)} if password else {}


def _address(url: URL) -> str:
    """Where the database is, as libpq takes it, without the password."""
    parts, _ = _parts(url)
    quoted = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in parts.items()}
    return " ".join(f"{name}='{value}'" for name, value in quoted.items())


def _environment(url: URL | None) -> dict[str, str]:
    """The caller's environment without our settings, which hold secrets, and with the password where one is needed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRESTACONSOLE_")}
    return {**kept, "LC_MESSAGES": "C", **(_parts(url)[1] if url is not None else {})}


def _started(
    words: Sequence[str], url: URL | None, *, stdin: IO[bytes] | int = subprocess.DEVNULL, stdout: int
) -> "subprocess.Popen[bytes]":
    environment: Mapping[str, str] = _environment(url)
    return subprocess.Popen(words, env=environment, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)  # noqa: S603 - a program found by name, no shell


def _complaint(process: "subprocess.Popen[bytes]") -> str | None:
    """Wait for its end; what it complained of, in one line without secrets, where it failed."""
    assert process.stderr is not None
    said = process.stderr.read().decode("utf-8", "replace")
    if process.wait() == 0:
        return None
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return redact(" ".join(lines[:3]))[:400] or f"it ended with status {process.returncode}."


def _run(words: Sequence[str], url: URL, target: Path) -> None:
    with _started(words, url, stdout=subprocess.DEVNULL) as process:
        complaint = _complaint(process)
    if complaint is None:
        return
    if process.returncode == -_SIGXFSZ or "no space left" in complaint.lower() or "file too large" in complaint.lower():
        raise disk_full(target)
    raise DatabaseError(f"The backup failed: {complaint}", "Look at these words of pg_dump; nothing was kept.")
