"""A small simulated shop on a bench, for the tests of feeds."""

from pathlib import Path

import pytest

from prestaconsole.database import Database
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench, make_bench


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    """A core with a warehouse W1 and no shop yet, on SQLite and on PostgreSQL."""
    made = make_bench(database, tmp_path)
    made.add_warehouse("W1")
    return made


@pytest.fixture
def simulated() -> SimulatedShop:
    """A PrestaShop 8 with twelve products and ten orders."""
    return SimulatedShop.generate(version="8.2.1", products=12, orders=10, seed=3)
