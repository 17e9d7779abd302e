"""A shelf on both databases, and a live simulated shop, for the tests of changes."""

from pathlib import Path

import pytest

from prestaconsole.database import Database
from tests.changes.live import LiveShop, make_live
from tests.changes.shelf import Shelf


@pytest.fixture
def shelf(database: Database) -> Shelf:
    """Shops and listings on SQLite and on PostgreSQL."""
    return Shelf(database)


@pytest.fixture
def quick_shelf(sqlite_database: Database) -> Shelf:
    """The same on SQLite only, where the kind cannot matter."""
    return Shelf(sqlite_database)


@pytest.fixture
async def live(sqlite_database: Database, tmp_path: Path) -> LiveShop:
    """A PrestaShop 8 whose stock is ours; no canary any more, so that bodies are whole."""
    return await make_live(sqlite_database, tmp_path)
