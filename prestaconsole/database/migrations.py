"""Finding, checking and running the Alembic revisions, on SQLite and PostgreSQL alike. Imports the engine only."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from prestaconsole.database.engine import Database, DatabaseError

if TYPE_CHECKING:
    from alembic.config import Config

_ADVISORY_LOCK = 7_238_411_902
_REVISION = re.compile(r"^(revision|down_revision)\b[^=\n]*=\s*(?:\"([^\"]*)\"|'([^']*)'|None)", re.MULTILINE)


def location() -> Path:
    """The folder of the revisions: inside the installed package, else at the top of the checkout."""
    inside = Path(__file__).parent / "_migrations"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "migrations"


def config(connection: Connection | None = None) -> "Config":
    """An Alembic configuration over our folder, bound to a connection where one is given."""
    # Alembic is loaded where it works, not where each command only compares two revisions at its start.
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(location()))
    made.attributes["connection"] = connection
    return made


@cache
def revisions() -> dict[str, str | None]:
    """Every revision this program knows, with the one before it, as its file says."""
    found: dict[str, str | None] = {}
    for path in sorted((location() / "versions").glob("*.py")):
        said = {name: one or other or None for name, one, other in _REVISION.findall(path.read_text(encoding="utf-8"))}
        found[str(said["revision"])] = said["down_revision"]
    return found


def head() -> str:
    """The revision this program needs: the one that no other follows."""
    known = revisions()
    (found,) = known.keys() - set(known.values())
    return found


def _revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def current(database: Database) -> str | None:
    """The revision the database is at, or None for an empty one."""
    return database.read_now(_revision_of)


def upgrade(database: Database) -> None:
    """Make or migrate the database, one process at a time. Raises ``DatabaseError`` when it is newer than we are."""

    def work(connection: Connection) -> None:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        found = _revision_of(connection)
        if found != head():
            _refuse_newer(found)
            from alembic import command

            command.upgrade(config(connection), "head")

    database.write_now(work)


def require_current(database: Database) -> None:
    """Raise ``DatabaseError`` unless the database is exactly at the program's revision."""
    found = current(database)
    if found == head():
        return
    _refuse_newer(found)
    raise DatabaseError(
        "The database is older than this program.", "Run `prestaconsole db upgrade`; it takes a backup of SQLite first."
    )


def _refuse_newer(found: str | None) -> None:
    if found is not None and found not in revisions():
        raise DatabaseError(
            f"The database is newer than this program (revision {found}).",
            "Install the newer PrestaConsole again; nothing was changed.",
        )
