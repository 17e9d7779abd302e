"""Taking a push back: value for value, refused where the shop moved on, itself gated and braked."""

from typing import Any

import pytest
from sqlalchemy import update

from prestaconsole.changes.decide import release
from prestaconsole.changes.undo import UndoPlan, plan_undo
from prestaconsole.errors import HeldError, LockedError, UsageError
from prestaconsole.model import AuditEvent, Change, Changeset, Listing, ShopMode
from tests.changes.live import LiveShop


async def pushed(live: LiveShop, count: int, units: int = 5) -> tuple[int, list[int]]:
    """Push a change of some listings; gives the plan and what the shop showed before."""
    before = [live.shows(number) for number in range(count)]
    for number in range(count):
        live.more(number, units)
    outcome = await live.export()
    return int(outcome.detail["changeset"]), before


def undo(live: LiveShop, plan: int, **values: Any) -> UndoPlan:
    at = live.clock.now()
    return live.database.write_now(lambda c: plan_undo(c, plan, actor="İpek", reason="wrong file", at=at, **values))


async def test_a_push_is_taken_back_value_for_value(live: LiveShop) -> None:
    rows = [live.stock_row(number) for number in range(6)]
    plan, before = await pushed(live, 6)
    made = undo(live, plan)
    assert (made.end.rows, made.refused) == (6, ())
    applied = await live.apply(made.changeset_id)
    assert applied.counts == {"confirmed": 6}
    assert [live.shows(number) for number in range(6)] == before
    assert [live.stock_row(number) for number in range(6)] == rows
    assert live.states(plan) == {"undone": 6}
    assert [row["state"] for row in live.bench.rows(Changeset)] == ["undone", "done"]
    event = live.bench.rows(AuditEvent)[-1]
    assert (event["action"], event["reason"]) == ("changeset undo", "wrong file")


async def test_only_the_given_listings_are_taken_back(live: LiveShop) -> None:
    plan, before = await pushed(live, 3)
    wanted = live.shows(0)
    made = undo(live, plan, records=[live.listings[1]["id"]])
    await live.apply(made.changeset_id)
    assert [live.shows(0), live.shows(1)] == [wanted, before[1]]
    assert live.states(plan) == {"confirmed": 2, "undone": 1}
    assert live.bench.rows(Changeset)[0]["state"] == "done"


async def test_a_row_is_refused_where_the_shop_moved_on_before_the_undo(live: LiveShop) -> None:
    plan, before = await pushed(live, 3)
    written = live.shows(1)
    live.sell(1, 2)()
    await live.bench.run(live.shop, "import_orders")
    made = undo(live, plan)
    words = f"Not undone: the shop's value is {written - 2} now, the plan had written {written}."
    assert made.refused == ((live.listings[1]["sku"], words),)
    await live.apply(made.changeset_id)
    assert [live.shows(number) for number in range(3)] == [before[0], written - 2, before[2]]
    notes = [row["note"] for row in live.bench.rows(Change, Change.changeset_id == made.changeset_id)]
    assert words in notes


async def test_a_row_is_refused_where_the_shop_moved_on_after_the_undo_was_planned(live: LiveShop) -> None:
    plan, before = await pushed(live, 3)
    made = undo(live, plan)
    live.foreign(1, 77)()
    live.sell(2, 1)()
    written = live.shows(2)
    await live.apply(made.changeset_id)
    assert [live.shows(number) for number in range(3)] == [before[0], 77, written]
    assert live.states(made.changeset_id) == {"confirmed": 1, "skipped": 2}


async def test_a_sale_during_the_undo_is_not_lost(live: LiveShop) -> None:
    plan, before = await pushed(live, 1)
    made = undo(live, plan)
    live.wire.before = [live.sell(0, 2)]
    await live.apply(made.changeset_id)
    assert live.shows(0) == before[0] - 2


async def test_an_older_plan_is_refused_while_a_younger_one_stands_over_it(live: LiveShop) -> None:
    first, _ = await pushed(live, 1)
    await pushed(live, 1, units=3)
    made = undo(live, first)
    assert made.end.rows == 0
    assert made.refused[0][1] == "Not undone: a later plan wrote it since. Undo that one first."


async def test_nothing_is_undone_twice(live: LiveShop) -> None:
    plan, _ = await pushed(live, 2)
    await live.apply(undo(live, plan).changeset_id)
    with pytest.raises(UsageError, match="Nothing of plan"):
        undo(live, plan)


async def test_an_undo_passes_gate_and_brake_like_any_plan(live: LiveShop) -> None:
    count = len(live.listings)
    for number in range(count):
        live.foreign(number, 0)()
        live.ours(number, 5)
    live.database.write_now(lambda c: c.execute(update(Listing).values(quantity=0, expected_low=0, expected_high=0)))
    outcome = await live.export()
    plan = int(outcome.detail["changeset"])
    made = undo(live, plan)
    assert made.end.state == "held"
    with pytest.raises(HeldError, match="going to zero"):
        await live.apply(made.changeset_id)
    at = live.clock.now()
    live.database.write_now(
        lambda c: release(c, made.changeset_id, confirm="demo", reason="it was empty", actor="Łukasz", at=at)
    )
    live.wire.puts.clear()
    await live.apply(made.changeset_id)
    assert len(live.wire.puts[0].rows) == 10, "a released plan sends its canary first"
    assert {live.shows(number) for number in range(count)} == {0}
    live.set_mode(ShopMode.REHEARSAL)
    with pytest.raises(LockedError):
        undo(live, plan)
