"""The feed export_stock: what it plans for whom, how it goes on after a cut, and how its runs end."""

from pathlib import Path

import pytest
from sqlalchemy import update

from prestaconsole.changes.decide import approve, drop, release
from prestaconsole.database import Database
from prestaconsole.errors import HeldError, LockedError, UsageError
from prestaconsole.model import Change, Changeset, FeedRun, Incident, Listing, RunState, ShopMode
from prestaconsole.operations.pages import RunStopped
from tests.changes.live import Killed, LiveShop, kill, make_live


async def test_the_whole_road_works_on_both_databases(database: Database, tmp_path: Path) -> None:
    live = await make_live(database, tmp_path)
    wanted = [live.more(number, 5) for number in range(len(live.listings))]
    run = await live.bench.run(live.shop, "export_stock")
    assert (run.state, run.counts["confirmed"]) == ("done", len(wanted))
    assert [live.shows(number) for number in range(len(wanted))] == wanted
    for number in range(len(wanted)):
        live.ours(number, 0)
    held = await live.bench.run(live.shop, "export_stock")
    assert held.state == "held"
    assert [live.shows(number) for number in range(len(wanted))] == wanted
    plan = live.bench.rows(Changeset)[-1]["id"]
    at = live.clock.now()
    live.database.write_now(lambda c: release(c, plan, confirm="demo", reason="sold out", actor="Łukasz", at=at))
    released = await live.bench.run(live.shop, "export_stock", changeset=plan)
    assert released.state == "done"
    assert all(live.shows(number) == live.formula(number) <= 0 for number in range(len(wanted)))
    check = await live.bench.run(live.shop, "stock_check")
    assert check.counts["drift"] == 0


async def test_an_event_sends_what_was_marked_and_a_person_the_whole_shop(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    other = live.more(1, 5)
    live.database.write_now(
        lambda c: c.execute(
            update(Listing).where(Listing.id == live.listings[1]["id"]).values(planned_mark=Listing.push_mark)
        )
    )
    await live.export(trigger="event")
    assert live.shows(0) == wanted
    assert live.shows(1) != other
    await live.export(trigger="person")
    assert live.shows(1) == other


async def test_given_skus_are_sent_and_an_unknown_one_is_named(live: LiveShop) -> None:
    before, wanted = live.shows(0), live.more(1, 5)
    live.more(0, 5)
    await live.export(skus=[live.listings[1]["sku"]])
    assert (live.shows(0), live.shows(1)) == (before, wanted)
    with pytest.raises(UsageError, match="no listing for NIX-1"):
        await live.export(skus=["NIX-1"])


async def test_what_is_marked_while_it_sends_goes_out_in_the_same_run(live: LiveShop) -> None:
    live.more(0, 5)
    wanted: list[int] = []
    live.wire.after = [lambda: wanted.append(live.more(3, 7))]
    await live.export()
    assert live.shows(3) == wanted[0]


async def test_nothing_changed_leaves_no_plan_behind(live: LiveShop) -> None:
    await live.export()
    await live.export()
    assert live.bench.rows(Changeset) == []


async def test_a_dry_run_in_live_sends_nothing_and_is_applied_later(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    outcome = await live.export(plan_only=True)
    assert "1 change, none sent" in outcome.text
    assert live.wire.puts == []
    await live.export(changeset=outcome.detail["changeset"])
    assert live.shows(0) == wanted


async def test_the_value_sent_is_the_one_of_the_moment_not_the_one_planned(live: LiveShop) -> None:
    live.more(0, 5)
    plan = await live.plan()
    newer = live.more(0, 2)
    await live.export(changeset=plan)
    assert live.shows(0) == newer
    assert live.bench.rows(Change)[0]["after"] == str(newer)


async def test_a_shop_that_wants_approval_sends_nothing_before_it(sqlite_database: Database, tmp_path: Path) -> None:
    live = await make_live(sqlite_database, tmp_path, approval_needed="yes")
    wanted = live.more(0, 5)
    outcome = await live.export()
    assert (outcome.state, outcome.detail["changeset"]) == ("held", 1)
    with pytest.raises(HeldError, match="waits for approval"):
        await live.export(changeset=1)
    assert live.wire.puts == []
    live.database.write_now(lambda c: approve(c, 1, actor="Łukasz", at=live.clock.now()))
    await live.export(changeset=1)
    assert live.shows(0) == wanted


async def test_a_rehearsal_plans_everything_and_keeps_the_marks(live: LiveShop) -> None:
    live.set_mode(ShopMode.REHEARSAL)
    live.more(0, 5)
    for _ in range(2):
        outcome = await live.export(trigger="schedule")
        assert (outcome.state, outcome.complete, outcome.detail["rows"]) == ("done", True, 1)
    assert [row["state"] for row in live.bench.rows(Changeset)] == ["void", "planned"]
    live.set_mode(ShopMode.LIVE)
    wanted = live.formula(0)
    await live.export()
    assert live.shows(0) == wanted


async def test_a_run_that_was_killed_while_planning_goes_on_with_its_plan(live: LiveShop) -> None:
    for number in range(4):
        live.more(number, 5)
    plan = await _cut_while_planning(live)
    live.take_over()
    await live.export()
    assert [row["id"] for row in live.bench.rows(Changeset)] == [plan]
    assert live.states() == {"confirmed": 4}


async def test_a_plan_that_another_run_left_unfinished_is_closed(live: LiveShop) -> None:
    live.more(0, 5)
    plan = await _cut_while_planning(live)
    live.database.write_now(lambda c: c.execute(update(Changeset).values(run_id=None)))
    live.take_over()
    live.commit.checkpoint = {}
    wanted = live.formula(0)
    await live.export()
    assert live.bench.rows(Changeset, Changeset.id == plan)[0]["state"] == "void"
    assert live.shows(0) == wanted


async def _cut_while_planning(live: LiveShop) -> int:
    """A run that ends for good after its first page of planning was stored."""
    live.commit.after_plan_page = [kill]
    with pytest.raises(Killed):
        await live.export()
    return int(live.bench.rows(Changeset)[0]["id"])


async def test_a_plan_that_was_being_sent_is_finished_by_the_next_run(
    sqlite_database: Database, tmp_path: Path
) -> None:
    live = await make_live(sqlite_database, tmp_path, push_batch="2")
    wanted = [live.more(number, 5) for number in range(6)]
    live.wire.before = [None, kill]
    with pytest.raises(Killed):
        await live.export()
    live.take_over()
    live.commit.checkpoint = {}
    await live.export()
    assert [live.shows(number) for number in range(6)] == wanted
    assert "sent" not in live.states()
    assert live.bench.rows(Changeset)[0]["state"] == "done"


async def test_released_rows_of_a_foreign_write_are_overwritten_unless_it_moved_on(live: LiveShop) -> None:
    wanted = [live.more(number, 5) for number in range(2)]
    for number in range(2):
        live.foreign(number, 500)()
    outcome = await live.export()
    assert outcome.state == "held"
    plan, at = int(outcome.detail["changeset"]), live.clock.now()
    live.foreign(1, 600)()
    live.database.write_now(lambda c: release(c, plan, confirm="demo", reason="ours is right", actor="Łukasz", at=at))
    again = await live.export(changeset=plan)
    assert again.state == "held"
    assert (live.shows(0), live.shows(1)) == (wanted[0], 600)
    assert live.bench.rows(Incident, Incident.cause_key == "foreign write")[-1]["closed_at"] is None


async def test_a_plan_whose_run_was_cancelled_can_be_dropped_but_not_while_one_is_at_work(
    sqlite_database: Database, tmp_path: Path
) -> None:
    live = await make_live(sqlite_database, tmp_path, push_batch="2")
    for number in range(6):
        live.more(number, 5)

    def cancel() -> None:
        live.commit.stop = "cancelled"

    live.wire.after = [cancel]
    with pytest.raises(RunStopped, match="cancelled"):
        await live.export()
    plan, at = int(live.bench.rows(Changeset)[0]["id"]), live.clock.now()
    with pytest.raises(LockedError, match="is being sent"):
        live.database.write_now(lambda c: drop(c, plan, actor="İpek", at=at))
    live.database.write_now(lambda c: c.execute(update(FeedRun).values(state=RunState.CANCELLED)))
    live.database.write_now(lambda c: drop(c, plan, actor="İpek", at=at))
    assert live.states() == {"confirmed": 2, "skipped": 4}
    assert live.bench.rows(Changeset)[0]["state"] == "done"
