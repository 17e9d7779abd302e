"""Units that no order explains: reported after an hour, decided by a person."""

from datetime import timedelta

import pytest

from prestaconsole.changes.foreign import Decision, decide_foreign
from prestaconsole.errors import NotFoundError, UsageError
from prestaconsole.model import AuditEvent, ForeignWrite, Incident, StockMovement
from tests.changes.live import LiveShop


async def lowered(live: LiveShop) -> int:
    """Somebody takes three off in the shop; gives the note of it, made when no order came for an hour."""
    live.more(0, 5)
    live.foreign(0, live.shows(0) - 3)()
    await live.export()
    assert live.bench.rows(Incident) == [], "an order may still come"
    live.clock.skipped += timedelta(hours=2).total_seconds()
    await live.export()
    return int(live.bench.rows(ForeignWrite)[0]["id"])


def decide(live: LiveShop, note: int, decision: Decision, reason: str) -> None:
    at = live.clock.now()
    live.database.write_now(lambda c: decide_foreign(c, note, decision, actor="İpek", reason=reason, at=at))


async def test_units_that_stay_unexplained_are_reported_once(live: LiveShop) -> None:
    await lowered(live)
    await live.export()
    incidents = live.bench.rows(Incident)
    assert [row["cause_key"] for row in incidents] == ["unexplained units"]
    assert f"{live.listings[0]['sku']}: 3" in incidents[0]["title"]


async def test_units_that_are_not_gone_are_offered_again(live: LiveShop) -> None:
    note = await lowered(live)
    before = live.shows(0)
    decide(live, note, "overwrite", "typed there")
    await live.export()
    assert live.shows(0) == before + 3 == live.formula(0)
    assert live.bench.rows(Incident)[0]["closed_by"] == "push"
    assert live.bench.rows(AuditEvent)[-1]["reason"] == "typed there"


async def test_units_that_are_gone_leave_our_stock(live: LiveShop) -> None:
    note = await lowered(live)
    before = live.shows(0)
    decide(live, note, "adopt", "sold by hand")
    await live.export()
    assert live.shows(0) == before == live.formula(0)
    assert live.unexplained() == 0
    movement = live.bench.rows(StockMovement)[-1]
    assert (movement["quantity"], movement["kind"], movement["reason"]) == (-3, "correction", "sold by hand")


async def test_units_that_are_kept_stay_held_and_are_not_reported_again(live: LiveShop) -> None:
    note = await lowered(live)
    before = live.shows(0)
    decide(live, note, "keep", "the owner counts on Friday")
    await live.export()
    assert live.shows(0) == before == live.formula(0)
    assert live.unexplained() == 3
    assert {row["closed_by"] for row in live.bench.rows(Incident)} == {"push"}


async def test_a_note_is_decided_once_and_with_a_reason(live: LiveShop) -> None:
    note = await lowered(live)
    with pytest.raises(UsageError, match="needs a reason"):
        decide(live, note, "adopt", " ")
    with pytest.raises(NotFoundError, match="no foreign write 99999"):
        decide(live, 99999, "adopt", "x")
    decide(live, note, "adopt", "x")
    with pytest.raises(UsageError, match="is decided: adopt"):
        decide(live, note, "adopt", "x")


async def test_an_order_that_comes_late_settles_the_note(live: LiveShop) -> None:
    await lowered(live)
    live.sell(0, 3)()
    live.foreign(0, live.shows(0) + 3)()
    await live.bench.run(live.shop, "import_orders")
    await live.export()
    assert [row["decision"] for row in live.bench.rows(ForeignWrite)] == ["settled"]
