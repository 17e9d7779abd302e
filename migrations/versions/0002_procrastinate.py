"""Procrastinate's tables and functions, in a schema of their own; PostgreSQL only

The SQL is read from the installed package, whose version the extra `postgres` pins exactly, so this revision always
applies the same text. The schema's comment keeps the version that was applied: a later revision for a newer version
reads it and applies what lies between the two, or nothing where this one applied the newer text already.
"""

from alembic import op
from sqlalchemy import text

from prestaconsole.database import DatabaseError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "procrastinate"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    try:
        from procrastinate import __version__ as version
        from procrastinate.schema import SchemaManager
    except ModuleNotFoundError:
        raise DatabaseError(
            "The library that hands out work on PostgreSQL is not installed.",
            "Install PrestaConsole with its extra: prestaconsole[postgres]. Nothing was changed.",
        ) from None
    before = connection.execute(text("SELECT current_setting('search_path')")).scalar_one()
    op.execute(f"CREATE SCHEMA {SCHEMA}")
    op.execute(f"SET LOCAL search_path TO {SCHEMA}")
    # The driver takes a text of many statements only where it looks for no parameters in it.
    with connection.connection.cursor() as cursor:
        cursor.execute(SchemaManager.get_schema())
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": before})
    # The functions name their tables without a schema; they must find them from any connection of ours.
    functions = text(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = CAST(:schema AS regnamespace)"
    )
    for function in connection.execute(functions, {"schema": SCHEMA}).scalars().all():
        op.execute(f"ALTER FUNCTION {function} SET search_path TO {SCHEMA}, pg_temp")
    op.execute(
        f"CREATE INDEX prestaconsole_run_id ON {SCHEMA}.procrastinate_jobs (((args ->> 'run_id')::bigint))"
    )
    op.execute(f"COMMENT ON SCHEMA {SCHEMA} IS 'Procrastinate {version}'")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
