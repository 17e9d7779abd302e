"""What a plan holds, what it leaves alone, and how plans follow one another."""

import resource
import time

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from prestaconsole.changes.plan import PAGE, Planned, Scope, begin_plan, discard_rows, finish_plan, store_rows
from prestaconsole.errors import LockedError
from prestaconsole.model import (
    Change,
    ChangeBatch,
    Changeset,
    ChangesetState,
    ChangeState,
    Incident,
    Listing,
    ShopMode,
    StockLevel,
)
from tests.changes.shelf import Shelf


def test_a_plan_holds_exactly_the_listings_whose_number_differs(shelf: Shelf) -> None:
    shop = shelf.add_shop()
    shelf.add_listing(shop, 1, ours=5, shows=5)
    up = shelf.add_listing(shop, 2, ours=9, shows=4)
    zero = shelf.add_listing(shop, 3, ours=0, shows=4)
    changeset, end = shelf.plan(shop)
    assert shelf.changes(changeset) == [(up, "4", "9", "PLANNED"), (zero, "4", "0", "PLANNED")]
    assert (end.state, end.rows, end.words) == (ChangesetState.PLANNED, 2, "")


def test_no_row_never_means_zero(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    shelf.add_listing(shop, 1, ours=None, shows=44)
    shelf.add_listing(shop, 2, ours=3, shows=3)
    changeset, end = shelf.plan(shop)
    assert shelf.changes(changeset) == []
    assert end.state is ChangesetState.DONE


def test_parents_gone_listings_advanced_stock_and_missing_stock_rows_are_never_planned(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    shelf.add_listing(shop, 1, ours=1, shows=2, has_combinations=True)
    shelf.add_listing(shop, 2, ours=1, shows=2, gone_at=shelf.now)
    shelf.add_listing(shop, 3, ours=1, shows=2, depends_on_stock=True)
    shelf.add_listing(shop, 4, ours=1, shows=2, id_stock_available=None)
    shelf.add_listing(shop, 5, ours=1, shows=None)
    changeset, _ = shelf.plan(shop)
    assert shelf.changes(changeset) == []
    assert shelf.rows(Listing, Listing.push_mark > Listing.planned_mark) == []


def test_an_unset_warehouse_is_refused_and_never_read_as_no_stock(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop(stock_warehouses="")
    shelf.add_listing(shop, 1, ours=5, shows=5)
    with pytest.raises(LockedError, match="No warehouse is chosen"):
        shelf.plan(shop)
    assert shelf.rows(Changeset) == []


def test_a_listing_is_planned_when_the_moment_of_an_order_is_unsure(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    listing = shelf.add_listing(shop, 1, ours=8, shows=9, expected_low=8, expected_high=9)
    changeset, _ = shelf.plan(shop)
    assert shelf.changes(changeset) == [(listing, "9", "8", "PLANNED")]


def test_a_younger_reading_of_the_shop_counts_more_than_the_expectation(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    listing = shelf.add_listing(shop, 1, ours=5, shows=5)
    shelf.later(10)
    shelf.write(
        lambda c: c.execute(
            update(Listing).where(Listing.id == listing).values(quantity=12, quantity_read_at=shelf.now)
        )
    )
    changeset, _ = shelf.plan(shop)
    assert shelf.changes(changeset) == [(listing, "12", "5", "PLANNED")]


def test_an_event_plans_only_what_was_marked(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    shelf.add_listing(shop, 1, ours=9, shows=4, marked=False)
    marked = shelf.add_listing(shop, 2, ours=9, shows=4)
    changeset, _ = shelf.plan(shop, Scope("marked"))
    assert [row[0] for row in shelf.changes(changeset)] == [marked]


def test_given_listings_are_planned_and_no_others(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    listings = shelf.add_listings(shop, 3, ours=9, shows=4)
    changeset, _ = shelf.plan(shop, Scope("listings", (listings[1],)))
    assert [row[0] for row in shelf.changes(changeset)] == [listings[1]]


def test_a_dry_run_leaves_the_marks_for_the_real_one(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    shelf.add_listing(shop, 1, ours=5, shows=5)
    shelf.plan(shop, clear_marks=False)
    assert len(shelf.rows(Listing, Listing.push_mark > Listing.planned_mark)) == 1
    shelf.plan(shop)
    assert shelf.rows(Listing, Listing.push_mark > Listing.planned_mark) == []


def test_a_newer_value_replaces_an_unsent_one_and_an_emptied_plan_is_void(shelf: Shelf) -> None:
    shop = shelf.add_shop()
    listing = shelf.add_listing(shop, 1, ours=9, shows=4)
    first, _ = shelf.plan(shop)
    shelf.set_level(listing, 7)
    second, _ = shelf.plan(shop)
    assert shelf.changes(first) == [(listing, "4", "9", "REPLACED")]
    assert shelf.changes(second) == [(listing, "4", "7", "PLANNED")]
    assert shelf.rows(Changeset, Changeset.id == first)[0]["state"] == ChangesetState.VOID


def test_a_sent_change_is_waited_for(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    listing = shelf.add_listing(shop, 1, ours=9, shows=4)
    first, _ = shelf.plan(shop)
    shelf.write(lambda c: c.execute(update(Change).values(state=ChangeState.SENT)))
    shelf.set_level(listing, 7)
    second, _ = shelf.plan(shop, Scope("marked"))
    assert shelf.changes(first) == [(listing, "4", "9", "SENT")]
    assert shelf.changes(second) == []
    assert len(shelf.rows(Listing, Listing.push_mark > Listing.planned_mark)) == 1


def test_the_database_itself_allows_one_open_change_of_a_record(shelf: Shelf) -> None:
    shop = shelf.add_shop()
    listing = shelf.add_listing(shop, 1, ours=9, shows=4)
    changeset, _ = shelf.plan(shop)
    row = {"changeset_id": changeset, "kind": 1, "record": listing, "field": 0, "after": "3"}
    with pytest.raises(IntegrityError):
        shelf.write(lambda c: c.execute(insert(Change).values(**row, state=ChangeState.HELD)))
    shelf.write(lambda c: c.execute(insert(Change).values(**row, state=ChangeState.CONFIRMED)))


def test_the_same_value_stays_with_the_plan_that_waits_for_a_person(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    listings = shelf.add_listings(shop, 10, ours=0, shows=4)
    held, end = shelf.plan(shop)
    assert end.state is ChangesetState.HELD
    event, _ = shelf.plan(shop, Scope("marked"))
    assert shelf.changes(event) == []
    shelf.set_level(listings[0], 3)
    event, _ = shelf.plan(shop, Scope("marked"))
    assert shelf.changes(event) == [(listings[0], "4", "3", "PLANNED")]
    assert [row[3] for row in shelf.changes(held)] == ["REPLACED"] + ["HELD"] * 9


def test_a_page_that_is_stored_again_after_a_cut_doubles_nothing(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    listing = shelf.add_listing(shop, 1, ours=9, shows=4)
    changeset = shelf.write(lambda c: begin_plan(c, shop, actor="İpek", reason="", run_id=None, at=shelf.now))
    wanted = [Planned(listing, "4", "9")]
    for _ in range(2):
        assert shelf.write(lambda c: store_rows(c, changeset, wanted, shop=shop, everything=True)) == (1, 0)
    assert len(shelf.changes(changeset)) == 1


def test_a_plan_that_empties_the_shop_is_held_with_one_incident_and_its_table(shelf: Shelf) -> None:
    shop = shelf.add_shop()
    shelf.add_listings(shop, 8, ours=0, shows=4)
    shelf.add_listings(shop, 32, ours=4, shows=4, first=100)
    changeset, end = shelf.plan(shop)
    assert end.state is ChangesetState.HELD
    assert "going to zero: 8, 20 %" in end.words
    stored = shelf.rows(Changeset, Changeset.id == changeset)[0]
    assert stored["brake"]["rules"][0] == {
        "rule": "going to zero", "limit": "5 % or 50", "plan": "8, 20 %", "tripped": True,
    }  # fmt: skip
    assert {row[3] for row in shelf.changes(changeset)} == {"HELD"}
    incidents = shelf.rows(Incident)
    assert [incident["cause_key"] for incident in incidents] == ["brake"]
    assert "Nothing of it was sent" in incidents[0]["title"]


def test_figures_that_move_tenfold_together_are_held(shelf: Shelf) -> None:
    shop = shelf.add_shop()
    shelf.add_listings(shop, 6, ours=2400, shows=20)
    shelf.add_listings(shop, 10, ours=7, shows=7, first=50)
    _, end = shelf.plan(shop)
    assert end.state is ChangesetState.HELD
    assert "tenfold moves: 6, 38 %" in end.words


def test_a_source_that_lost_its_rows_is_held_although_nothing_would_be_sent(shelf: Shelf) -> None:
    shop = shelf.add_shop()
    shelf.add_listings(shop, 20, ours=4, shows=4)
    shelf.plan(shop)
    shelf.write(lambda c: c.execute(text("DELETE FROM stock_level")))
    changeset, end = shelf.plan(shop)
    assert end.state is ChangesetState.HELD
    assert "source rows: 0" in end.words
    assert shelf.changes(changeset) == []
    assert len(shelf.rows(Incident)) == 1


def test_a_plan_that_a_short_source_held_is_void_once_a_whole_plan_finds_the_source_again(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    shelf.add_listings(shop, 6, ours=4, shows=4)
    shelf.plan(shop)
    source = [dict(row) for row in shelf.rows(StockLevel)]
    shelf.write(lambda c: c.execute(text("DELETE FROM stock_level")))
    held, end = shelf.plan(shop)
    assert (end.state, end.rows) == (ChangesetState.HELD, 0)
    shelf.write(lambda c: c.execute(insert(StockLevel), source))
    shelf.plan(shop)
    assert shelf.rows(Changeset, Changeset.id == held)[0]["state"] == ChangesetState.VOID
    assert [row["closed_at"] is not None for row in shelf.rows(Incident)] == [True]


def test_many_small_plans_cannot_pass_where_one_large_one_may_not(shelf: Shelf) -> None:
    shop = shelf.add_shop()
    listings = shelf.add_listings(shop, 40, ours=4, shows=4)
    passed = 0
    for listing in listings:
        shelf.set_level(listing, 0)
        changeset, end = shelf.plan(shop, Scope("marked"))
        if end.state is ChangesetState.HELD:
            break
        _pretend_sent(shelf, changeset, listing)
        passed += 1
        shelf.later(1)
    assert passed == 4
    shelf.later(70)
    shelf.set_level(listings[-1], 0)
    _, end = shelf.plan(shop, Scope("listings", (listings[-1],)))
    assert end.state is ChangesetState.PLANNED


def test_outside_live_a_tripped_plan_is_marked_held_and_bothers_nobody(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop(mode=ShopMode.REHEARSAL)
    shelf.add_listings(shop, 8, ours=0, shows=4)
    _, end = shelf.plan(shop)
    assert end.state is ChangesetState.HELD
    assert shelf.rows(Incident) == []


def test_a_shop_that_wants_approval_says_so(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop(approval_needed="yes")
    shelf.add_listing(shop, 1, ours=9, shows=4)
    _, end = shelf.plan(shop)
    assert (end.state, end.words) == (ChangesetState.PLANNED, "Waits for approval: every plan of this shop does.")


def test_the_first_plan_after_going_live_is_a_canary_and_the_second_is_not(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    listing = shelf.add_listing(shop, 1, ours=9, shows=4)
    first, _ = shelf.plan(shop)
    _pretend_sent(shelf, first, listing)
    shelf.set_level(listing, 3)
    second, _ = shelf.plan(shop)
    canaries = {row["id"]: row["canary"] for row in shelf.rows(Changeset)}
    assert canaries == {first: True, second: False}


def test_an_abandoned_plan_is_closed_row_by_row(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    shelf.add_listings(shop, 3, ours=9, shows=4)
    changeset, _ = shelf.plan(shop)
    assert shelf.write(lambda c: discard_rows(c, changeset, "cut off", at=shelf.now, limit=2)) == 2
    assert shelf.write(lambda c: discard_rows(c, changeset, "cut off", at=shelf.now, limit=2)) == 1
    assert {row[3] for row in shelf.changes(changeset)} == {"SKIPPED"}
    assert shelf.rows(Changeset)[0]["state"] == ChangesetState.VOID


def _pretend_sent(shelf: Shelf, changeset: int, listing: int) -> None:
    """What a push leaves behind: a batch with its time, a confirmed change, a settled mark."""

    def store(connection) -> None:  # type: ignore[no-untyped-def]  # a SQLAlchemy connection
        made = connection.execute(insert(ChangeBatch).values(changeset_id=changeset, sent_at=shelf.now))
        batch = made.inserted_primary_key[0]
        values = {"state": ChangeState.CONFIRMED, "batch_id": batch}
        connection.execute(update(Change).where(Change.changeset_id == changeset).values(**values))
        connection.execute(update(Changeset).where(Changeset.id == changeset).values(state=ChangesetState.DONE))
        row = connection.execute(select(Change.after).where(Change.changeset_id == changeset)).scalar_one()
        shown = {"expected_low": int(row), "expected_high": int(row), "quantity": int(row)}
        connection.execute(update(Listing).where(Listing.id == listing).values(**shown, planned_mark=Listing.push_mark))

    shelf.write(store)


@pytest.mark.slow
def test_a_million_changes_are_planned_within_a_hundred_megabytes(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    changeset = shelf.write(lambda c: begin_plan(c, shop, actor="İpek", reason="", run_id=None, at=shelf.now))
    _checkpoint(shelf)
    before = _size(shelf)
    began = time.perf_counter()
    for start in range(1, 1_000_001, PAGE):
        wanted = [Planned(record, str(record % 90), str(record % 97)) for record in range(start, start + PAGE)]
        shelf.write(lambda c: store_rows(c, changeset, wanted, shop=shop, everything=True))  # noqa: B023
    stored = time.perf_counter() - began
    end = shelf.write(lambda c: finish_plan(c, shop, changeset, whole_shop=False, at=shelf.now))
    whole = time.perf_counter() - began
    _checkpoint(shelf)
    grown = (_size(shelf) - before) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"stored {stored:.1f} s, judged after {whole:.1f} s, {grown:.0f} MB, peak {peak:.0f} MB")
    assert end.rows == 1_000_000
    assert shelf.database.read_now(lambda c: c.execute(select(func.count()).select_from(Change)).scalar()) == 1_000_000
    assert grown <= 100
    print(f"the bare rows in the same pages: {5 * _bare(shelf, changeset, 200_000):.1f} s")


def _bare(shelf: Shelf, changeset: int, count: int) -> float:
    """Seconds that the database itself needs for so many rows on this machine now, in the same pages."""
    sql = "INSERT INTO change (changeset_id, record, before, after, kind, field, state) VALUES (?, ?, ?, ?, 1, 0, 0)"
    began = time.perf_counter()
    for start in range(2_000_000, 2_000_000 + count, PAGE):
        rows = [(changeset, record, str(record % 90), str(record % 97)) for record in range(start, start + PAGE)]
        shelf.write(lambda c: c.exec_driver_sql(sql, rows))  # noqa: B023
    return time.perf_counter() - began


def _checkpoint(shelf: Shelf) -> None:
    with shelf.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _size(shelf: Shelf) -> int:
    return shelf.database.read_now(
        lambda c: (
            c.exec_driver_sql("PRAGMA page_count").scalar_one() * c.exec_driver_sql("PRAGMA page_size").scalar_one()
        )
    )
