"""Approving, releasing and dropping a plan, and what each refuses."""

import pytest
from sqlalchemy import update

from prestaconsole.changes.decide import approve, drop, release
from prestaconsole.changes.journal import count_states
from prestaconsole.changes.marks import shops_to_push
from prestaconsole.changes.plan import Scope
from prestaconsole.errors import LockedError, NotFoundError, UsageError
from prestaconsole.model import (
    AuditEvent,
    Change,
    ChangeKind,
    Changeset,
    ChangesetState,
    ChangeState,
    Incident,
    ShopMode,
)
from prestaconsole.operations.shops import ShopRecord
from tests.changes.shelf import Shelf


def held_plan(shelf: Shelf) -> tuple[ShopRecord, int, list[int]]:
    shop = shelf.add_shop("rowery")
    listings = shelf.add_listings(shop, 8, ours=0, shows=4)
    changeset_id, end = shelf.plan(shop)
    assert end.state is ChangesetState.HELD
    return shop, changeset_id, listings


def test_a_released_plan_sends_a_canary_first_and_stands_in_the_audit(shelf: Shelf) -> None:
    shop, plan, _ = held_plan(shelf)
    shelf.write(lambda c: release(c, plan, confirm="ROWERY", reason="moved out", actor="Łukasz", at=shelf.now))
    stored = shelf.rows(Changeset)[0]
    assert (stored["state"], stored["canary"], stored["release_reason"]) == ("approved", True, "moved out")
    assert shelf.database.read_now(lambda c: count_states(c, [plan])[plan]) == {"approved": 8}
    event = shelf.rows(AuditEvent)[-1]
    assert (event["actor"], event["action"], event["reason"]) == ("Łukasz", "changeset release", "moved out")
    assert event["shop_id"] == shop.id
    assert shelf.rows(Incident)[0]["closed_by"] == "Łukasz"


def test_a_release_wants_the_right_name_and_a_reason(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    _, plan, _ = held_plan(shelf)
    with pytest.raises(UsageError, match="This is not Rowery"):
        shelf.write(lambda c: release(c, plan, confirm="Wolle", reason="x", actor="Łukasz", at=shelf.now))
    with pytest.raises(UsageError, match="needs a reason"):
        shelf.write(lambda c: release(c, plan, confirm="rowery", reason=" ", actor="Łukasz", at=shelf.now))
    assert shelf.rows(Changeset)[0]["state"] == "held"
    assert shelf.rows(AuditEvent) == []


def test_a_held_plan_is_not_approved_around_the_brake(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    _, plan, _ = held_plan(shelf)
    with pytest.raises(LockedError, match="Held by the brake"):
        shelf.write(lambda c: approve(c, plan, actor="Łukasz", at=shelf.now))


def test_a_plan_that_is_not_held_cannot_be_released(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    shelf.add_listing(shop, 1, ours=9, shows=4)
    plan, _ = shelf.plan(shop)
    with pytest.raises(UsageError, match="is planned, not held"):
        shelf.write(lambda c: release(c, plan, confirm="wolle", reason="x", actor="Łukasz", at=shelf.now))


def test_a_plan_of_a_rehearsal_is_never_sent(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop(mode=ShopMode.REHEARSAL)
    shelf.add_listing(shop, 1, ours=9, shows=4)
    plan, _ = shelf.plan(shop)
    shelf.set_mode(shop, ShopMode.LIVE)
    with pytest.raises(LockedError, match="made in rehearsal"):
        shelf.write(lambda c: approve(c, plan, actor="Łukasz", at=shelf.now))


def test_an_approved_plan_keeps_who_and_when(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop(approval_needed="yes")
    shelf.add_listing(shop, 1, ours=9, shows=4)
    plan, _ = shelf.plan(shop)
    decided = shelf.write(lambda c: approve(c, plan, actor="Łukasz", at=shelf.now))
    assert (decided.before, decided.after) == (ChangesetState.PLANNED, ChangesetState.APPROVED)
    record = shelf.rows(Changeset)[0]
    assert (record["approved_by"], record["approved_at"], record["kind"]) == ("Łukasz", shelf.now, ChangeKind.STOCK)


def test_a_dropped_plan_leaves_the_shop_its_numbers_and_wakes_nobody(shelf: Shelf) -> None:
    shop, plan, listings = held_plan(shelf)
    assert shelf.database.read_now(lambda c: shops_to_push(c, shelf.now)) == []
    shelf.write(lambda c: drop(c, plan, actor="Łukasz", at=shelf.now, reason="file came whole"))
    assert shelf.database.read_now(lambda c: count_states(c, [plan])[plan]) == {"skipped": 8}
    assert shelf.rows(Changeset)[0]["state"] == "void"
    assert shelf.database.read_now(lambda c: shops_to_push(c, shelf.now)) == []
    with pytest.raises(UsageError, match="is void already"):
        shelf.write(lambda c: drop(c, plan, actor="Łukasz", at=shelf.now))
    shelf.later(5)
    shelf.set_level(listings[0], 3)
    assert shelf.database.read_now(lambda c: shops_to_push(c, shelf.now)) == [shop.id]


def test_a_change_wakes_the_push_of_its_live_shop_only(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    live = shelf.add_shop("live")
    quiet = shelf.add_shop("quiet", mode=ShopMode.REHEARSAL)
    for shop in (live, quiet):
        shelf.add_listing(shop, 1, ours=9, shows=4)
    assert shelf.database.read_now(lambda c: shops_to_push(c, shelf.now)) == [live.id]
    shelf.plan(live, Scope("all"), clear_marks=False)  # a dry run sends nothing, so it still waits
    assert shelf.database.read_now(lambda c: shops_to_push(c, shelf.now)) == [live.id], (
        "a dry run sends nothing, so it still waits"
    )


def test_a_plan_that_waits_for_approval_does_not_wake_the_push_again(shelf: Shelf) -> None:
    shop = shelf.add_shop(approval_needed="yes")
    shelf.add_listing(shop, 1, ours=9, shows=4)
    plan, _ = shelf.plan(shop)
    assert shelf.database.read_now(lambda c: shops_to_push(c, shelf.now)) == []
    shelf.write(lambda c: approve(c, plan, actor="Łukasz", at=shelf.now))
    assert shelf.database.read_now(lambda c: shops_to_push(c, shelf.now)) == []


def test_an_unknown_plan_is_named(quick_shelf: Shelf) -> None:
    with pytest.raises(NotFoundError, match="There is no plan 77"):
        quick_shelf.write(lambda c: approve(c, 77, actor="Łukasz", at=quick_shelf.now))
    assert quick_shelf.rows(Changeset) == []


def test_a_plan_with_a_row_that_nobody_knows_the_end_of_cannot_be_dropped(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    shelf.add_listing(shop, 1, ours=9, shows=4)
    plan, _ = shelf.plan(shop)
    shelf.write(lambda c: c.execute(update(Change).values(state=ChangeState.SENT)))
    with pytest.raises(LockedError, match="1 row of it was sent and not read back"):
        shelf.write(lambda c: drop(c, plan, actor="Łukasz", at=shelf.now))
    assert shelf.rows(Changeset)[0]["state"] == "planned"
    shelf.write(lambda c: c.execute(update(Change).values(state=ChangeState.CONFIRMED)))
    shelf.write(lambda c: drop(c, plan, actor="Łukasz", at=shelf.now))
