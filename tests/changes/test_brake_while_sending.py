"""The brake after planning: stock that falls away while a plan is sent, many small plans, the hour after a release."""

from pathlib import Path

import pytest

from prestaconsole.database import Database
from prestaconsole.errors import HeldError
from prestaconsole.model import Changeset, ChangesetState, Incident
from prestaconsole.services import changesets
from tests.changes.live import Killed, LiveShop, kill, make_live

FEW = 4
"""So many SKUs of a small shop go to zero without the brake."""


async def _warm(live: LiveShop) -> int:
    """Something was sent already, so that bodies are whole; gives the number of listings."""
    count = len(live.listings)
    for number in range(count):
        live.more(number, 5)
    await live.export()
    live.wire.puts.clear()
    return count


def _empty(live: LiveShop) -> None:
    for number in range(len(live.listings)):
        live.ours(number, 0)


def _zeros(live: LiveShop) -> int:
    return sum(live.shows(number) <= 0 for number in range(len(live.listings)))


async def test_stock_that_is_emptied_while_the_last_request_is_under_way_is_not_followed(live: LiveShop) -> None:
    count = await _warm(live)
    for number in range(count):
        live.more(number, 5)
    live.wire.after = [lambda: _empty(live)]
    outcome = await live.export()
    assert outcome.state == "held"
    assert [len(put.rows) for put in live.wire.puts] == [count]
    assert _zeros(live) == 0
    assert [row["cause_key"] for row in live.bench.rows(Incident, Incident.closed_at.is_(None))] == ["brake"]


@pytest.mark.slow
async def test_a_push_that_is_killed_and_taken_up_again_and_again_gets_no_new_allowance(
    sqlite_database: Database, tmp_path: Path
) -> None:
    live = await make_live(sqlite_database, tmp_path, push_batch="2")
    count = await _warm(live)
    for number in range(count):
        live.more(number, 5)
    plan = await live.plan()
    _empty(live)
    for _ in range(count):
        live.wire.after = [kill]
        try:
            await live.apply(plan)
            break
        except (Killed, HeldError):
            live.take_over()
    assert _zeros(live) <= FEW
    assert live.bench.rows(Changeset, Changeset.id == plan)[0]["state"] == ChangesetState.HELD


async def test_many_small_plans_made_before_any_is_sent_do_not_pass_one_after_the_other(live: LiveShop) -> None:
    count = await _warm(live)
    _empty(live)
    skus = [row["sku"] for row in live.listings]
    plans = [await live.plan(skus=skus[start : start + FEW]) for start in range(0, count, FEW)]
    states = [(await live.apply(plan)).state for plan in plans]
    assert states == [ChangesetState.DONE] + [ChangesetState.HELD] * (len(plans) - 1)
    assert _zeros(live) == FEW
    with pytest.raises(HeldError, match="with all that went out since it was made"):
        await live.apply(plans[-1])


async def test_after_a_release_the_sales_of_the_next_hour_go_out_by_themselves(live: LiveShop) -> None:
    await _warm(live)
    _empty(live)
    held = await live.export()
    assert held.state == "held"
    plan = int(held.detail["changeset"])
    changesets.release(live.bench.core, plan, confirm="demo", reason="sold off", actor="İpek")
    await live.apply(plan)
    assert _zeros(live) == len(live.listings)
    live.ours(0, 7)
    assert (await live.export()).state == "done"
    assert live.shows(0) == 7


@pytest.mark.slow
async def test_a_release_is_for_what_was_held_and_not_for_what_comes_on_top(live: LiveShop) -> None:
    count = await _warm(live)
    for number in range(6):
        live.ours(number, 0)
    held = await live.export()
    plan = int(held.detail["changeset"])
    changesets.release(live.bench.core, plan, confirm="demo", reason="sold off", actor="İpek")
    live.wire.after = [lambda: _empty(live)]
    assert (await live.apply(plan)).state == ChangesetState.DONE
    assert _zeros(live) == 6
    assert (await live.export()).state == "held"
    assert _zeros(live) == 6 < count
