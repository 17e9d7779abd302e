"""What the proofs of silence share: the modes that may not write, the world as fixtures, and the verdict."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from prestaconsole.model import Listing, Shop, ShopMode
from prestaconsole.operations.availability import availability
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import find_shop
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from tests.e2e.standing import CODE, KEY, NAME, Standing, build, opened

Silent = tuple[ShopMode, bool]
MODES: list[Silent] = [
    (ShopMode.DRAFT, False),
    (ShopMode.SETUP, False),
    (ShopMode.REHEARSAL, False),
    (ShopMode.FROZEN, False),
    (ShopMode.LIVE, True),
]
WORDS = ["draft", "setup", "rehearsal", "frozen", "live-but-paused"]
silent_modes = pytest.mark.parametrize(("mode", "paused"), MODES, ids=WORDS)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """One world for the module: no test of silence changes the shop, the others put it back."""
    shop = SimulatedShop.generate(products=14, orders=8, key=KEY, name=NAME)
    with SandboxServer(shop) as server:
        yield build(tmp_path_factory.mktemp("standing") / "data", server)


@pytest.fixture
def world(standing: Standing) -> Iterator[Standing]:
    """The world; what a live shop was told is taken back after the test."""
    yield standing
    for pair, units in standing.quantities.items():
        if standing.shop.quantity(*pair) != units:
            standing.shop.set_quantity(*pair, units)


def differing(core: Core) -> set[int]:
    """Listings whose number should be another than the shop's: what would be sent, were it allowed."""

    def look(connection: Any) -> set[int]:
        shop = find_shop(connection, CODE)
        shown = availability(connection, shop)
        rows = connection.execute(select(Listing.id, Listing.quantity).where(Listing.shop_id == shop.id)).all()
        return {
            row.id for row in rows if row.id in shown and shown[row.id].shown not in (None, row.quantity)
        }  # fmt: skip

    return core.database.read_now(look)


def marked(core: Core) -> int:
    """Listings that wait to be sent."""
    waits = select(Listing.id).where(Listing.push_mark > Listing.planned_mark)
    return len(core.database.read_now(lambda c: c.execute(waits).all()))


def mode_of(core: Core) -> str:
    return str(core.database.read_now(lambda c: c.execute(select(Shop.mode)).scalar_one()))


def assert_silent(world: Standing, folder: Path, mode: ShopMode) -> None:
    """No write left, no quantity moved, and there would have been something to write."""
    assert world.writes() == []
    assert world.differing() == []
    with opened(folder) as core:
        assert mode_of(core) == mode
        assert len(differing(core)) >= 5
