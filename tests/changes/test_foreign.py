"""Figures that somebody else wrote: kept, overwritten or adopted; two tools in turns raise an alarm (B4, N14)."""

import pytest

from prestaconsole.changes.foreign import Decision, decide_foreign
from prestaconsole.errors import UsageError
from prestaconsole.model import AuditEvent, Change, Changeset, FeedRunLog, ForeignWrite, Incident, StockMovement
from tests.changes.live import LiveShop


def decide(live: LiveShop, decision: Decision, reason: str = "asked the owner") -> None:
    note = live.bench.rows(ForeignWrite, ForeignWrite.decision == "")[-1]["id"]
    at = live.clock.now()
    live.database.write_now(lambda c: decide_foreign(c, note, decision, actor="İpek", reason=reason, at=at))


async def raised(live: LiveShop, units: int = 40) -> int:
    """Somebody writes more into the shop just before our push; gives the figure."""
    live.more(0, 5)
    live.foreign(0, live.shows(0) + units)()
    await live.export()
    return live.shows(0)


async def test_a_higher_figure_is_held_and_noted(live: LiveShop) -> None:
    before = live.shows(0)
    shows = await raised(live)
    note = live.bench.rows(ForeignWrite)[0]
    assert (note["low"], note["high"], note["shows"], note["ours"]) == (before, before, shows, before + 5)
    assert (note["seen_by"], note["decision"]) == ("push", "")
    assert live.bench.rows(Change, Change.id == note["change_id"])[0]["observed"] == str(shows)


async def test_what_is_kept_stays_until_our_own_figure_changes(live: LiveShop) -> None:
    shows = await raised(live)
    decide(live, "keep")
    await live.export()
    assert live.shows(0) == shows
    assert [row["state"] for row in live.bench.rows(Changeset)] == ["done"]
    assert {row["closed_by"] for row in live.bench.rows(Incident)} == {"İpek"}
    target = live.more(0, 1)
    await live.export()
    assert live.shows(0) == target


async def test_what_is_overwritten_goes_out_with_the_next_push(live: LiveShop) -> None:
    await raised(live)
    decide(live, "overwrite")
    await live.export()
    assert live.shows(0) == live.formula(0)
    assert live.bench.rows(AuditEvent)[-1]["action"] == "foreign overwrite"


async def test_what_is_adopted_becomes_our_stock(live: LiveShop) -> None:
    shows = await raised(live)
    written = len(live.wire.puts)
    decide(live, "adopt", "counted by the shop")
    await live.export()
    assert live.formula(0) == shows == live.shows(0)
    assert len(live.wire.puts) == written, "the shop shows it already"
    movement = live.bench.rows(StockMovement)[-1]
    assert (movement["quantity"], movement["kind"], movement["reason"]) == (35, "correction", "counted by the shop")


async def test_a_sale_between_the_reading_and_the_decision_counts(live: LiveShop) -> None:
    shows = await raised(live)
    live.sell(0, 4)()
    await live.bench.run(live.shop, "import_orders")
    decide(live, "adopt")
    assert live.formula(0) == shows - 4 == live.shows(0)
    await live.export()
    assert live.shows(0) == shows - 4


async def test_an_adoption_that_the_formula_undoes_is_refused_and_books_nothing(live: LiveShop) -> None:
    await raised(live)
    product = live.listings[0]["product_id"]
    live.database.write_now(lambda c: c.exec_driver_sql(f"UPDATE product SET stop_selling = TRUE WHERE id = {product}"))
    moved = len(live.bench.rows(StockMovement))
    with pytest.raises(UsageError, match="formula would show 0"):
        decide(live, "adopt")
    assert len(live.bench.rows(StockMovement)) == moved
    assert live.bench.rows(ForeignWrite)[0]["decision"] == ""


async def test_two_tools_that_write_in_turns_raise_an_alarm(live: LiveShop) -> None:
    for turn in range(3):
        assert "two tools write" not in {row["cause_key"] for row in live.bench.rows(Incident)}
        await raised(live, units=10 + turn)
        decide(live, "overwrite")
        await live.export()
    alarm = live.bench.rows(Incident, Incident.cause_key == "two tools write")[0]
    assert alarm["severity"] == "STOP"
    assert f"{live.listings[0]['sku']} was changed 3 times in 24 hours" in alarm["title"]


async def test_a_check_names_causes_and_notes_an_edit_once(live: LiveShop) -> None:
    live.foreign(0, live.shows(0) + 9)()
    live.more(1, 4)
    for _ in range(2):
        await live.bench.run(live.shop, "stock_check")
    logs = [row["text"] for row in live.bench.rows(FeedRunLog)]
    skus = [live.listings[number]["sku"] for number in (0, 1)]
    assert any(skus[0] in text and "(shop edit)" in text for text in logs)
    assert any(skus[1] in text and "(waits to be sent)" in text for text in logs)
    notes = live.bench.rows(ForeignWrite)
    assert [(row["listing_id"], row["seen_by"]) for row in notes] == [(live.listings[0]["id"], "check")]


async def test_a_repair_hands_what_differs_to_the_push(live: LiveShop) -> None:
    before = [live.formula(number) for number in range(3)]
    for number in range(3):
        live.foreign(number, before[number] + 3 + number)()
    written = len(live.wire.puts)
    await live.bench.run(live.shop, "stock_check", repair=True)
    assert len(live.wire.puts) == written, "a check writes nothing"
    await live.export()
    assert [live.shows(number) for number in range(3)] == before
    assert live.states()["confirmed"] == 3
    assert live.bench.rows(ForeignWrite) == []


async def test_a_row_that_the_shop_lost_is_missing_not_equal(live: LiveShop) -> None:
    live.sim.table("stock_availables").remove(live.listings[2]["id_stock_available"])
    run = await live.bench.run(live.shop, "stock_check")
    assert run.counts["missing"] == 1
    assert run.counts["drift"] == 0
