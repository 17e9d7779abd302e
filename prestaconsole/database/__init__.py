"""The database room: engine and threads, migrations, upserts that work on both databases."""

from sqlalchemy import Connection

from prestaconsole.database.engine import Database, DatabaseError, DatabaseUnavailable
from prestaconsole.database.upsert import bulk_update, insert_new, table_of, upsert

__all__ = [
    "Connection",
    "Database",
    "DatabaseError",
    "DatabaseUnavailable",
    "bulk_update",
    "insert_new",
    "table_of",
    "upsert",
]
