"""The push against a simulated shop: sales, foreign writes, faults and killed processes at every step."""

import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from prestaconsole.database import Database
from prestaconsole.errors import HeldError, LockedError
from prestaconsole.model import Change, ChangeBatch, Changeset, Incident, Listing, ShopMode
from prestaconsole.operations.pages import RunStopped
from prestaconsole.webservice import errors as e
from tests.changes.live import WRITE_TIMEOUT, Killed, LiveShop, kill, make_live, time_out


async def test_a_changed_number_reaches_the_shop_and_is_confirmed(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    outcome = await live.export()
    assert live.shows(0) == wanted
    assert outcome.state == "done"
    assert live.states() == {"confirmed": 1}
    assert live.commit.counts == {"planned": 1, "confirmed": 1}
    listing = live.listing(0)
    assert (listing["quantity"], listing["confirmed_quantity"]) == (wanted, wanted)
    assert (listing["expected_low"], listing["expected_high"]) == (wanted, wanted)
    assert listing["planned_mark"] == listing["push_mark"]
    batch = live.bench.rows(ChangeBatch)[0]
    assert batch["status"] == "confirmed"
    assert batch["confirmed_at"] >= batch["sent_at"]


async def test_the_rows_are_marked_before_the_request_with_a_lease_that_outlives_it(live: LiveShop) -> None:
    live.more(0, 5)
    await live.export()
    assert min(live.commit.leases) > WRITE_TIMEOUT
    batch, put = live.bench.rows(ChangeBatch)[0], live.wire.puts[0]
    assert batch["sent_at"] <= put.at
    assert batch["unsure_until"] >= put.at + timedelta(seconds=WRITE_TIMEOUT)


@pytest.mark.parametrize("version", ["1.6.1.24", "1.7.8.11", "8.2.1", "9.0.0"])
async def test_every_other_column_of_the_row_stays_as_it_was(
    sqlite_database: Database, tmp_path: Path, version: str
) -> None:
    live = await make_live(sqlite_database, tmp_path, version=version)
    if version != "1.6.1.24":
        row = live.listings[0]["id_stock_available"]
        live.sim.table("stock_availables").update(row, {"location": "Regal É <4> & 5", "out_of_stock": "1"})
    before = live.stock_row(0)
    wanted = live.more(0, 5)
    await live.export()
    assert live.stock_row(0) == {**before, "quantity": str(wanted)}


async def test_a_parent_with_combinations_is_never_written_and_its_sum_follows(live: LiveShop) -> None:
    parents = {row["id_stock_available"] for row in live.bench.rows(Listing, Listing.has_combinations)}
    assert parents
    for number in range(len(live.listings)):
        live.more(number, 3)
    await live.export()
    written = {row for put in live.wire.puts for row in put.rows}
    assert written == {row["id_stock_available"] for row in live.listings}
    assert not written & parents
    for parent in live.bench.rows(Listing, Listing.has_combinations):
        parts = [row for row in live.bench.rows(Listing) if row["id_product"] == parent["id_product"]]
        total = sum(row["quantity"] for row in parts if row["id_product_attribute"])
        assert live.sim.quantity(parent["id_product"], 0) == total


async def test_what_the_shop_shows_already_is_not_written(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    plan = await live.plan()
    live.foreign(0, wanted)()
    live.bench.core.database.write_now(lambda c: _expect_anything(c, live))
    await live.apply(plan)
    assert live.wire.puts == []
    assert live.states(plan) == {"skipped": 1}


def _expect_anything(connection, live: LiveShop) -> None:  # type: ignore[no-untyped-def]  # a SQLAlchemy connection
    from sqlalchemy import update

    connection.execute(
        update(Listing).where(Listing.id == live.listings[0]["id"]).values(expected_low=0, expected_high=10_000)
    )


# -- sales ------------------------------------------------------------------------------------------------------


async def test_a_sale_before_the_read_is_taken_off_first(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.sell(0, 2)()
    await live.export()
    assert live.shows(0) == wanted - 2 == live.formula(0)
    assert live.unexplained() == 0


async def test_a_sale_between_poll_and_read_is_found_by_a_second_poll(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.wire.before_read = [live.sell(0, 2)]
    await live.export()
    assert live.shows(0) == wanted - 2 == live.formula(0)
    assert live.unexplained() == 0
    assert live.states() == {"confirmed": 1}


async def test_a_sale_between_read_and_write_is_not_lost(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.wire.before = [live.sell(0, 2)]
    await live.export()
    assert [list(put.rows.values()) for put in live.wire.puts] == [[wanted], [wanted - 2]]
    assert live.shows(0) == wanted - 2 == live.formula(0)
    assert live.unexplained() == 0


async def test_a_sale_between_write_and_read_back_is_explained_and_not_sent_again(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.wire.after = [live.sell(0, 2)]
    await live.export()
    assert [list(put.rows.values()) for put in live.wire.puts] == [[wanted]]
    assert live.shows(0) == wanted - 2 == live.formula(0)
    assert "failed" not in live.states()
    assert live.unexplained() == 0


async def test_a_cancellation_between_read_and_write_gives_its_units_back(live: LiveShop) -> None:
    live.sell(0, 4)()
    await live.bench.run(live.shop, "import_orders")
    wanted = live.more(0, 5)
    newest = max(live.sim.table("orders").ids())
    live.wire.before = [
        lambda: live.sim.set_order_state(newest, int(live.sim.configuration("PS_OS_CANCELED"))) and None
    ]
    await live.export()
    assert live.shows(0) == wanted + 4 == live.formula(0)
    assert live.bench.rows(Incident) == []


async def test_an_order_that_the_shop_is_still_writing_counts_at_once_and_only_once(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    listing = live.listings[0]
    lines = [(listing["id_product"], listing["id_product_attribute"], 2)]
    made: list[int] = []

    def begin() -> None:
        made.append(live.sim.place_order(lines, steps=True))
        live.sim.next_step(made[0])

    live.wire.before_read = [begin]
    await live.export()
    assert live.shows(0) == wanted - 2 == live.formula(0)
    while live.sim.next_step(made[0]):
        pass
    await live.bench.run(live.shop, "import_orders")
    assert live.shows(0) == wanted - 2 == live.formula(0)
    assert live.unexplained() == 0


async def test_an_order_that_is_seen_late_takes_the_place_of_the_unexplained_hold(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    listing = live.listings[0]
    live.foreign(0, live.shows(0) - 3)()
    await live.export()
    assert live.unexplained() == 3
    live.sim.place_order([(listing["id_product"], listing["id_product_attribute"], 3)], deduct=False)
    await live.bench.run(live.shop, "import_orders")
    assert live.unexplained() == 0
    assert live.shows(0) == wanted - 3 == live.formula(0)
    await live.export()
    assert live.shows(0) == wanted - 3 == live.formula(0)


async def test_sales_of_other_listings_in_the_same_body_change_nothing_for_this_one(live: LiveShop) -> None:
    wanted = [live.more(number, 5) for number in range(4)]
    live.wire.before = [live.sell(1, 3)]
    live.wire.after = [live.sell(2, 1)]
    await live.export()
    assert [live.shows(number) for number in range(4)] == [wanted[0], wanted[1] - 3, wanted[2] - 1, wanted[3]]
    assert [live.formula(number) for number in range(4)] == [live.shows(number) for number in range(4)]


# -- foreign writes ---------------------------------------------------------------------------------------------


async def test_a_higher_number_than_expected_is_held_as_a_foreign_write(live: LiveShop) -> None:
    live.more(0, 5)
    other = live.more(1, 5)
    before = live.shows(0)
    live.foreign(0, before + 40)()
    outcome = await live.export()
    assert outcome.state == "held"
    assert live.shows(0) == before + 40
    assert live.shows(1) == other
    assert live.states() == {"held": 1, "confirmed": 1}
    held = live.bench.rows(Change, Change.state == 1)[0]
    assert f"the shop shows {before + 40}, {before} was expected" in held["note"]
    incident = live.bench.rows(Incident)[0]
    assert incident["cause_key"] == "foreign write"
    assert live.listings[0]["sku"] in incident["title"]


async def test_a_lower_number_than_orders_explain_is_never_raised(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.foreign(0, live.shows(0) - 7)()
    await live.export()
    assert live.unexplained() == 7
    assert live.shows(0) == wanted - 7 == live.formula(0)


async def test_a_foreign_write_between_write_and_read_back_is_held_and_not_overwritten(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.wire.after = [live.foreign(0, wanted + 100)]
    outcome = await live.export()
    assert outcome.state == "held"
    assert len(live.wire.puts) == 1
    assert live.shows(0) == wanted + 100
    assert live.states() == {"held": 1}


async def test_a_lower_foreign_write_after_ours_is_carried_and_not_overwritten(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.wire.after = [live.foreign(0, wanted - 3)]
    await live.export()
    assert len(live.wire.puts) == 1
    assert live.unexplained() == 3
    assert live.shows(0) == wanted - 3 == live.formula(0)


async def test_a_shop_that_says_yes_and_keeps_the_old_number_is_reported(live: LiveShop) -> None:
    before = live.shows(0)
    wanted = live.more(0, 5)
    live.wire.after = [live.foreign(0, before)]
    await live.export()
    assert live.states() == {"failed": 1}
    assert live.bench.rows(Change)[0]["note"] == f"The shop answered that it took {wanted}, but still shows {before}."
    assert [incident["cause_key"] for incident in live.bench.rows(Incident)] == ["stock not taken"]


# -- faults of the road -----------------------------------------------------------------------------------------


async def test_a_time_out_before_the_write_is_waited_out_and_sent_again(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.wire.before = [time_out]
    await live.export()
    first, second = live.wire.puts
    assert second.at >= first.at + timedelta(seconds=WRITE_TIMEOUT)
    assert live.shows(0) == wanted
    assert live.states() == {"confirmed": 1}
    assert [batch["status"] for batch in live.bench.rows(ChangeBatch)] == ["unknown: timeout", "confirmed"]


async def test_a_time_out_after_the_write_is_read_back_and_not_repeated(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.wire.after = [time_out]
    await live.export()
    assert len(live.wire.puts) == 1
    assert live.shows(0) == wanted
    assert live.states() == {"confirmed": 1}


async def test_a_500_although_it_was_written_is_read_back_and_not_repeated(live: LiveShop) -> None:
    wanted = [live.more(number, 5) for number in range(3)]
    live.wire.answers = [httpx.Response(500)]
    before = live.clock.skipped
    await live.export()
    assert len(live.wire.puts) == 1
    assert [live.shows(number) for number in range(3)] == wanted
    assert live.states() == {"confirmed": 3}
    assert live.clock.skipped == before, "the shop's script had ended: there is nothing to wait for"


async def test_a_sale_during_a_time_out_is_explained_whichever_came_first(live: LiveShop) -> None:
    wanted = [live.more(number, 5) for number in range(2)]
    sell, lose = live.sell(0, 2), time_out
    live.wire.after = [lambda: (sell(), lose())]  # type: ignore[func-returns-value]
    await live.export()
    assert live.shows(0) == wanted[0] - 2 == live.formula(0)
    again = live.more(1, 1)
    sell = live.sell(1, 3)
    live.wire.before = [lambda: (sell(), lose())]  # type: ignore[func-returns-value]
    await live.export()
    assert live.shows(1) == again - 3 == live.formula(1)
    assert live.unexplained() == 0
    assert "sent" not in live.states()


async def test_a_row_that_never_ends_clearly_is_given_up_alone(live: LiveShop) -> None:
    wanted = [live.more(number, 5) for number in range(6)]
    poisoned = live.listings[3]["id_stock_available"]

    def poison() -> None:
        if poisoned in live.wire.puts[-1].rows:
            time_out()

    live.wire.before = [poison] * 60
    await live.export()
    assert live.states() == {"confirmed": 5, "failed": 1}
    assert [live.shows(number) for number in range(6) if number != 3] == wanted[:3] + wanted[4:]
    assert live.bench.rows(Incident)[0]["cause_key"] == "stock not taken"


async def test_a_shop_that_takes_nothing_stops_the_run_and_leaves_nothing_in_doubt(live: LiveShop) -> None:
    for number in range(6):
        live.more(number, 5)
    live.wire.before = [time_out] * 200
    with pytest.raises(e.TimedOut):
        await live.export()
    assert "sent" not in live.states()
    live.wire.before = []
    wanted = [live.formula(number) for number in range(6)]
    await live.export()
    assert [live.shows(number) for number in range(6)] == wanted


async def test_an_empty_answer_is_no_reason_to_write_anything(live: LiveShop) -> None:
    live.more(0, 5)
    plan = await live.plan()
    kept = live.sim.table("stock_availables")
    rows = {row: dict(live.sim.row("stock_availables", row)) for row in kept.ids()}
    for row in rows:
        kept.remove(row)
    with pytest.raises(e.UnexpectedAnswer, match="shows none of"):
        await live.apply(plan)
    assert live.wire.puts == []
    assert live.states(plan) == {"planned": 1}


async def test_a_refused_row_in_the_middle_costs_only_itself(live: LiveShop) -> None:
    wanted = [live.more(number, 5) for number in range(8)]
    before = live.shows(4)
    live.sim.table("stock_availables").update(live.listings[4]["id_stock_available"], {"out_of_stock": "abc"})
    await live.export()
    assert live.states() == {"confirmed": 7, "failed": 1}
    assert [live.shows(number) for number in range(8) if number != 4] == wanted[:4] + wanted[5:]
    assert live.shows(4) == before
    failed = live.bench.rows(Change, Change.state == 11)[0]
    assert "out_of_stock" in failed["note"]
    assert len(live.wire.puts) == 3, "the body, the row at fault alone, the rest"


async def test_a_row_under_advanced_stock_management_is_left_with_the_reason(live: LiveShop) -> None:
    wanted = [live.more(number, 5) for number in range(3)]
    live.sim.table("stock_availables").update(live.listings[1]["id_stock_available"], {"depends_on_stock": "1"})
    await live.export()
    assert live.states() == {"confirmed": 2, "skipped": 1}
    assert [live.shows(0), live.shows(2)] == [wanted[0], wanted[2]]
    assert live.listing(1)["depends_on_stock"]


async def test_a_vanished_stock_row_is_reported_and_the_others_are_written(live: LiveShop) -> None:
    wanted = [live.more(number, 5) for number in range(3)]
    live.sim.table("stock_availables").remove(live.listings[1]["id_stock_available"])
    await live.export()
    assert live.states() == {"confirmed": 2, "failed": 1}
    assert [live.shows(0), live.shows(2)] == [wanted[0], wanted[2]]


async def test_a_request_that_could_not_begin_in_time_is_not_sent(live: LiveShop) -> None:
    wanted = live.more(0, 5)

    def sleep() -> None:
        live.clock.skipped += 300

    live.commit.after_mark = [sleep]
    await live.export()
    assert len(live.wire.puts) == 1
    assert live.shows(0) == wanted
    assert [batch["status"] for batch in live.bench.rows(ChangeBatch)] == ["not sent", "confirmed"]


# -- killed, stopped, frozen ------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the write", "after the write"])
async def test_a_killed_push_is_taken_over_and_ends_with_the_newest_number(live: LiveShop, when: str) -> None:
    wanted = [live.more(number, 5) for number in range(3)]
    (live.wire.before if when == "before the write" else live.wire.after).append(kill)
    with pytest.raises(Killed):
        await live.export()
    assert live.states() == {"sent": 3}
    sent = live.wire.puts[0]
    newest = live.more(0, 8)
    live.take_over()
    await live.export()
    assert "sent" not in live.states()
    assert [live.shows(number) for number in range(3)] == [newest, wanted[1], wanted[2]]
    later = [put for put in live.wire.puts[1:] if put.rows]
    assert all(put.at >= sent.at + timedelta(seconds=WRITE_TIMEOUT) for put in later)
    row = live.listings[0]["id_stock_available"]
    values = [put.rows[row] for put in live.wire.puts if row in put.rows]
    assert values[-1] == newest
    assert values.index(newest) == len(values) - 1, "never an older value after a newer one"


async def test_a_sale_while_nobody_runs_is_explained_at_the_takeover(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.wire.after = [kill]
    with pytest.raises(Killed):
        await live.export()
    live.sell(0, 2)()
    live.take_over()
    await live.export()
    assert len(live.wire.puts) == 1
    assert not {"sent", "failed", "held"} & live.states().keys()
    assert live.shows(0) == wanted - 2 == live.formula(0)
    assert live.unexplained() == 0


async def test_a_foreign_write_while_nobody_runs_is_held_at_the_takeover(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    live.wire.after = [kill]
    with pytest.raises(Killed):
        await live.export()
    live.foreign(0, wanted + 50)()
    live.take_over()
    await live.export()
    assert live.states() == {"held": 1}
    assert live.shows(0) == wanted + 50


async def test_a_process_that_lost_its_run_writes_nothing_more(live: LiveShop) -> None:
    live.more(0, 5)
    live.wire.after = [live.take_over]
    zombie = live.commit
    with pytest.raises(RunStopped, match="lost"):
        await live.export()
    assert zombie is not live.commit
    assert live.states() == {"sent": 1}
    await live.export()
    assert live.states() == {"confirmed": 1}
    assert len(live.wire.puts) == 1


async def test_a_cancelled_run_settles_what_it_sent_before_it_ends(live: LiveShop) -> None:
    live.more(0, 5)

    def cancel() -> None:
        live.commit.stop = "cancelled"

    sale = live.sell(0, 2)
    live.wire.after = [lambda: (cancel(), sale())]  # type: ignore[func-returns-value]
    with pytest.raises(RunStopped, match="cancelled"):
        await live.export()
    assert "sent" not in live.states()
    assert live.states()["confirmed"] == 1
    assert live.shows(0) == live.formula(0)


async def test_a_foreign_write_is_reported_although_the_run_is_cancelled_meanwhile(live: LiveShop) -> None:
    wanted = live.more(0, 5)
    write = live.foreign(0, wanted + 100)

    def cancel() -> None:
        live.commit.stop = "cancelled"
        write()

    live.wire.after = [cancel]
    with pytest.raises(RunStopped, match="cancelled"):
        await live.export()
    assert live.states() == {"held": 1}
    assert [row["cause_key"] for row in live.bench.rows(Incident)] == ["foreign write"]
    assert live.commit.counts["held"] == 1


async def test_a_freeze_stops_between_two_bodies(sqlite_database: Database, tmp_path: Path) -> None:
    live = await make_live(sqlite_database, tmp_path, push_batch="2")
    wanted = [live.more(number, 5) for number in range(6)]
    live.wire.after = [lambda: live.set_mode(ShopMode.FROZEN)]
    with pytest.raises(LockedError, match="Frozen"):
        await live.export()
    assert len(live.wire.puts) == 1
    assert live.states() == {"confirmed": 2, "planned": 4}
    assert live.bench.rows(Changeset)[0]["state"] == "planned"
    live.set_mode(ShopMode.LIVE)
    await live.export()
    assert [live.shows(number) for number in range(6)] == wanted


async def test_a_killed_push_of_a_shop_that_is_frozen_since_is_settled_by_reading_alone(live: LiveShop) -> None:
    live.more(0, 5)
    live.wire.before = [kill]
    with pytest.raises(Killed):
        await live.export()
    live.set_mode(ShopMode.FROZEN)
    live.take_over()
    puts = len(live.wire.puts)
    await live.export()
    assert "sent" not in live.states()
    assert len(live.wire.puts) == puts


@pytest.mark.parametrize("mode", [ShopMode.DRAFT, ShopMode.SETUP, ShopMode.REHEARSAL, ShopMode.FROZEN])
async def test_no_mode_but_live_sends_anything_but_reads(live: LiveShop, mode: ShopMode) -> None:
    for number in range(4):
        live.more(number, 5)
    plan = await live.plan()
    live.set_mode(mode)
    live.wire.methods.clear()
    with pytest.raises(LockedError):
        await live.apply(plan)
    outcome = await live.export()
    assert "none sent" in outcome.text
    assert live.wire.methods <= {"GET", "HEAD"}
    assert live.sim.writes == 0


async def test_a_paused_shop_is_not_written_to(live: LiveShop) -> None:
    from sqlalchemy import update

    from prestaconsole.model import Shop

    live.more(0, 5)
    plan = await live.plan()
    live.database.write_now(
        lambda c: c.execute(
            update(Shop).values(paused_at=live.clock.now(), paused_by="Anaïs", pause_reason="shop upgrade")
        )
    )
    with pytest.raises(LockedError, match="Paused by Anaïs: shop upgrade"):
        await live.apply(plan)
    assert live.wire.puts == []


# -- canary and brake -------------------------------------------------------------------------------------------


async def test_the_first_push_after_going_live_sends_ten_rows_alone(sqlite_database: Database, tmp_path: Path) -> None:
    live = await make_live(sqlite_database, tmp_path, products=30)
    wanted = [live.more(number, 5) for number in range(len(live.listings))]
    await live.export()
    assert [len(put.rows) for put in live.wire.puts] == [10, len(wanted) - 10]
    assert [live.shows(number) for number in range(len(wanted))] == wanted
    live.more(0, 5)
    live.more(1, 5)
    await live.export()
    assert len(live.wire.puts) == 3


async def test_a_canary_whose_other_fields_changed_stops_everything(sqlite_database: Database, tmp_path: Path) -> None:
    live = await make_live(sqlite_database, tmp_path, products=30)
    for number in range(len(live.listings)):
        row = live.listings[number]["id_stock_available"]
        live.sim.table("stock_availables").update(row, {"location": "Regal 4"})
        live.more(number, 5)
    live.wire.change_body = lambda body: re.sub(rb"<location>.*?</location>", b"<location></location>", body)
    outcome = await live.export()
    assert outcome.state == "held"
    assert [len(put.rows) for put in live.wire.puts] == [10]
    assert live.states() == {"confirmed": 10, "held": len(live.listings) - 10}
    incident = live.bench.rows(Incident)[0]
    assert incident["cause_key"] == "unexpected field change"
    assert "location: 'Regal 4' → ''" in incident["title"]


async def test_more_zeros_than_the_plan_said_are_braked_at_the_last_moment(live: LiveShop) -> None:
    for number in range(8):
        live.more(number, 5)
    plan = await live.plan()
    for number in range(8):
        live.ours(number, 0)
    applied = await live.apply(plan)
    assert applied.state == "held"
    assert live.wire.puts == []
    assert live.bench.rows(Incident)[0]["cause_key"] == "brake"


async def test_a_plan_that_empties_the_shop_sends_nothing_by_any_road(live: LiveShop) -> None:
    for number in range(len(live.listings)):
        live.ours(number, 0)
    first = await live.export()
    assert first.state == "held"
    for params in ({}, {"all": True}, {"skus": [row["sku"] for row in live.listings]}):
        for trigger in ("event", "person", "schedule"):
            outcome = await live.export(trigger=trigger, **params)
            assert outcome.state == "held" or not params
    with pytest.raises(HeldError, match="Held by the brake"):
        await live.apply(live.bench.rows(Changeset)[-1]["id"])
    assert live.wire.puts == []
    assert len(live.bench.rows(Incident)) == 1
