"""The fixture ``start_daemon``: daemons with troubles as processes, all ended after the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.daemons import TroubledDaemon


@pytest.fixture
def start_daemon() -> Iterator[Callable[..., "TroubledDaemon"]]:
    """Start a ``TroubledDaemon`` by database URL and folder."""
    # Loaded here: most tests need no daemon, and its page is not loaded in no time.
    from tests.support.daemons import TroubledDaemon

    started: list[TroubledDaemon] = []

    def starter(url: str, folder: Path, **how: Any) -> TroubledDaemon:
        started.append(TroubledDaemon(url, folder, **how))
        return started[-1]

    yield starter
    for daemon in started:
        daemon.close()
