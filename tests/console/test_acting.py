"""The actions behind the stock formula and foreign writes, done by the real services."""

from pathlib import Path

import pytest
from sqlalchemy import select, update

from prestaconsole.console.acting import ServiceActions
from prestaconsole.database import Database
from prestaconsole.errors import UsageError
from prestaconsole.model import AuditEvent, ForeignWrite, Listing, StockLevel
from prestaconsole.operations.shops import load_shop
from prestaconsole.services.views.formula import product_in_shop
from tests.console.world import foreign
from tests.support.runs import make_core


async def test_steps_and_exceptions_are_saved_marked_and_audited(world: Database, tmp_path: Path) -> None:
    queued: list[int] = []
    actions = ServiceActions(make_core(world, tmp_path), queued=lambda: queued.append(1))
    await actions.set_formula("sattlerei-bohm", {"stock.buffer": "2", "stock.cap": "9"})
    await actions.set_exception("sattlerei-bohm", "KAW-000008", {"buffer": "3", "threshold": "", "cap": ""})
    shop = world.read_now(lambda c: load_shop(c, 1))
    assert (shop.settings["stock.buffer"], shop.settings["stock.cap"]) == ("2", "9")
    known = world.read_now(lambda c: product_in_shop(c, 1, 8))
    assert known is not None and known.own == {"buffer": 3} and known.shown_with(known.own) == 5
    marked = world.read_now(lambda c: c.execute(select(Listing.id).where(Listing.push_mark > 0)).all())
    assert len(marked) == 12 and len(queued) == 2
    with pytest.raises(UsageError, match="names the warehouse “NOWHERE”"):
        await actions.set_formula("sattlerei-bohm", {"stock.warehouses": "NOWHERE"})


async def test_several_foreign_figures_are_decided_and_a_refused_one_is_named(world: Database, tmp_path: Path) -> None:
    world.write_now(lambda c: foreign(c, 4, decided=1))
    # Two notes of one listing are one decision.
    world.write_now(lambda c: c.execute(update(ForeignWrite).where(ForeignWrite.id == 2).values(listing_id=1)))
    actions = ServiceActions(make_core(world, tmp_path))
    refused = await actions.decide_foreign([1, 2, 4], "keep", "owner asked")
    assert len(refused) == 1 and "Foreign write 4 is decided: keep, by Zofia." in refused[0]
    rows = world.read_now(lambda c: c.execute(select(ForeignWrite.id, ForeignWrite.decision)).all())
    assert dict(rows) == {1: "keep", 2: "keep", 3: "", 4: "keep"}
    assert world.read_now(lambda c: len(c.execute(select(AuditEvent.id)).all())) == 1
    with pytest.raises(UsageError, match="is decided"):
        await actions.decide_foreign([4], "keep", "again")


async def test_an_adopted_figure_becomes_our_stock(world: Database, tmp_path: Path) -> None:
    world.write_now(lambda c: foreign(c, 1, decided=0))
    await ServiceActions(make_core(world, tmp_path)).decide_foreign([1], "adopt", "counted there")
    level = select(StockLevel.physical).where(StockLevel.product_id == 1)
    assert world.read_now(lambda c: c.execute(level).scalar_one()) == 10
