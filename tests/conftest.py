"""What every test may use, and which slow tests run one after another."""

import pytest

pytest_plugins = ["tests.support.databases", "tests.support.starting"]

ALONE = (
    "tests/console/",
    "tests/daemon/",
    "tests/runner/",
    "tests/e2e/test_daemon_troubles.py",
    "tests/e2e/test_kills.py",
)
"""Real processes with leases, heartbeats and screens: what they wait for must not depend on a neighbour's load."""


SLOW_ON_POSTGRESQL = ("tests/feeds/",)
"""Whole feeds over a small shop: quick on SQLite, and on PostgreSQL with the slow tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them."""
    for item in items:
        if item.nodeid.startswith(SLOW_ON_POSTGRESQL) and item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.slow)
        if item.nodeid.startswith(ALONE) and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.alone)
