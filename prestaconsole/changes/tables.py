"""The two tables this room writes in bulk, as tables, and the conditions that its partial indexes are made for."""

from sqlalchemy import literal_column

from prestaconsole.database import table_of
from prestaconsole.model import Change, Listing

CHANGES = table_of(Change)
"""``executemany`` with bound keys takes a table, not a model."""
LISTINGS = table_of(Listing)

# SQLite uses a partial index only where its condition stands in the query letter for letter, not as a parameter.
OPEN = CHANGES.c.state < literal_column("10")
ON_ITS_WAY = CHANGES.c.state == literal_column("3")
WRITTEN = CHANGES.c.batch_id.is_not(None)
MARKED = LISTINGS.c.push_mark > LISTINGS.c.planned_mark
