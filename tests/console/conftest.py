"""The world of the console's tests."""

import pytest

from prestaconsole.database import Database
from tests.console.world import make


@pytest.fixture
def world(sqlite_database: Database) -> Database:
    """Six shops, a plan of 11 stock changes, order states, runs, a log, a daemon."""
    make(sqlite_database)
    return sqlite_database
