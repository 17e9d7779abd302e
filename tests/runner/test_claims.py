"""Who may start: by priority and due, one of N slots, one of a kind, never a stranger's; and what the dead leave."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update

from prestaconsole.database import Database
from prestaconsole.model import FeedRun, Incident, RunState, Shop, ShopMode
from prestaconsole.operations.pages import RunStopped
from prestaconsole.runner import endings
from prestaconsole.runner.claims import Claim, claim_next, renew, sweep
from prestaconsole.runner.queue import cancel_run, request_run
from prestaconsole.runner.records import RunRecord, load_run, log_lines
from tests.support.runs import START, add_shop, everywhere, feed, run_rows

LEASE = 10.0


@pytest.fixture(autouse=True)
def feeds() -> Iterator[None]:
    with feed("urgent", priority=10), feed("stock", priority=30), feed("slow", priority=60, attempts=3):
        yield


def queue(database: Database, shop_id: int, name: str, *, now: datetime = START, **params: Any) -> int:
    return database.write_now(
        lambda c: (
            request_run(c, shop_id=shop_id, feed=name, actor="Zofia", trigger="person", now=now, params=params).run_id
        )
    )


def claim(database: Database, *, owner: int = 1, now: datetime = START, slots: int = 2, **more: Any) -> Claim | None:
    return database.write_now(lambda c: claim_next(c, owner=owner, now=now, slots=slots, lease_seconds=LEASE, **more))


def record(database: Database, run_id: int) -> RunRecord:
    return database.read_now(lambda c: load_run(c, run_id))


def test_the_most_urgent_goes_first_and_then_the_longest_waiting(database: Database) -> None:
    shops = [add_shop(database, f"shop{n}") for n in range(3)]
    early, late = START - timedelta(minutes=5), START - timedelta(minutes=1)
    slow = queue(database, shops[0].id, "slow", now=early)
    stock_late = queue(database, shops[1].id, "stock", now=late)
    stock_early = queue(database, shops[2].id, "stock", now=early)
    urgent = queue(database, shops[0].id, "urgent", now=late)
    order = [claim(database) for _ in range(4)]
    assert [c.run_id for c in order if c] == [urgent, stock_early, stock_late, slow]
    assert claim(database) is None


def test_what_is_due_later_waits(database: Database) -> None:
    shop = add_shop(database)
    later = START + timedelta(seconds=1)
    run_id = database.write_now(
        lambda c: request_run(c, shop_id=shop.id, feed="slow", actor="x", trigger="person", now=START, due=later).run_id
    )
    assert claim(database) is None
    taken = claim(database, now=later)
    assert taken is not None
    assert taken.run_id == run_id


def test_a_shop_has_so_many_slots_and_another_shop_its_own(database: Database) -> None:
    one, two = add_shop(database, "one"), add_shop(database, "two")
    for name in ("urgent", "stock", "slow"):
        queue(database, one.id, name)
    queue(database, two.id, "slow")
    taken = [claim(database, slots=2) for _ in range(4)]
    assert [(c.shop.code, c.feed) for c in taken if c] == [("one", "urgent"), ("one", "stock"), ("two", "slow")]
    slots = {row.slot_key for row in run_rows(database) if row.state == RunState.RUNNING}
    assert slots == {f"{one.id}:0", f"{one.id}:1", f"{two.id}:0"}


def test_an_urgent_poll_does_not_wait_behind_a_long_read_while_a_slot_is_free(database: Database) -> None:
    shop = add_shop(database)
    queue(database, shop.id, "slow")
    assert claim(database) is not None
    queue(database, shop.id, "urgent")
    taken = claim(database)
    assert taken is not None
    assert taken.feed == "urgent"


def test_two_errands_of_one_feed_never_overlap(database: Database) -> None:
    shop = add_shop(database)
    queue(database, shop.id, "slow", id=1)
    queue(database, shop.id, "slow", id=2)
    first = claim(database)
    assert first is not None
    assert claim(database) is None
    database.write_now(lambda c: endings.give_back(c, first, START, "for a test"))
    assert claim(database) is not None


def test_what_the_mode_has_locked_since_ends_with_the_reason(database: Database) -> None:
    shop = add_shop(database)
    with feed("live_only", modes={**everywhere("run"), ShopMode.SETUP: "locked"}):
        run_id = queue(database, shop.id, "live_only")
        database.write_now(lambda c: c.execute(update(Shop).values(mode=ShopMode.SETUP)))
        assert claim(database) is None
        found = record(database, run_id)
        assert (found.state, found.error_kind) == (RunState.FAILED, "locked")
        assert "Locked in setup" in found.error
        assert found.remedy
        assert database.read_now(lambda c: c.execute(select(Incident)).all()) == []


def test_what_the_mode_only_plans_since_is_claimed_as_a_plan(database: Database) -> None:
    shop = add_shop(database)
    with feed("writing", writes=True, modes={**everywhere("run"), ShopMode.FROZEN: "plan"}):
        queue(database, shop.id, "writing")
        database.write_now(lambda c: c.execute(update(Shop).values(mode=ShopMode.FROZEN)))
        taken = claim(database)
        assert taken is not None
        assert taken.plan_only


def test_a_paused_shop_keeps_its_run_in_the_queue(database: Database) -> None:
    shop = add_shop(database)
    run_id = queue(database, shop.id, "urgent")
    database.write_now(lambda c: c.execute(update(Shop).values(paused_at=START)))
    assert claim(database) is None
    assert record(database, run_id).state is RunState.QUEUED


def test_a_paused_shop_still_lets_a_plan_be_made(database: Database) -> None:
    shop = add_shop(database, mode=ShopMode.REHEARSAL, paused_at=START)
    with feed("writing", writes=True, modes={**everywhere("run"), ShopMode.REHEARSAL: "plan"}):
        queue(database, shop.id, "writing")
        taken = claim(database)
        assert taken is not None
        assert taken.plan_only


def test_one_run_can_be_taken_out_of_turn(database: Database) -> None:
    shop = add_shop(database)
    queue(database, shop.id, "urgent")
    wanted = queue(database, shop.id, "slow")
    taken = claim(database, only=wanted)
    assert taken is not None
    assert taken.run_id == wanted


def test_each_claim_raises_the_token_and_shuts_the_former_owner_out(database: Database) -> None:
    shop = add_shop(database)
    run_id = queue(database, shop.id, "slow")
    first = claim(database, owner=1)
    assert first is not None
    late = START + timedelta(seconds=LEASE + 1)
    assert database.write_now(lambda c: sweep(c, late)) == [run_id]
    second = claim(database, owner=2, now=late)
    assert second is not None
    assert second.token > first.token
    for ending in (
        lambda c: endings.give_back(c, first, late, "back"),
        lambda c: endings.end_cancelled(c, first, late),
        lambda c: endings.fail(c, first, endings.Failure("x", "y", "z"), late),
    ):
        with pytest.raises(RunStopped, match="lost"):
            database.write_now(ending)
    assert database.write_now(lambda c: renew(c, 1, {run_id: first.token}, late, LEASE)) == {run_id}
    assert database.write_now(lambda c: renew(c, 2, {run_id: second.token}, late, LEASE)) == set()
    assert record(database, run_id).owner == 2


def test_the_former_owner_is_out_from_the_sweep_on_even_before_a_new_claim(database: Database) -> None:
    shop = add_shop(database)
    run_id = queue(database, shop.id, "slow")
    first = claim(database, owner=1)
    assert first is not None
    late = START + timedelta(seconds=LEASE + 1)
    database.write_now(lambda c: sweep(c, late))
    again = claim(database, owner=1, now=late)
    assert again is not None
    assert again.token > first.token + 1
    with pytest.raises(RunStopped, match="lost"):
        database.write_now(lambda c: endings.end_cancelled(c, first, late))
    assert record(database, run_id).state is RunState.RUNNING


def test_a_lease_that_still_runs_is_left_alone_and_renewing_never_shortens_it(database: Database) -> None:
    shop = add_shop(database)
    run_id = queue(database, shop.id, "slow")
    taken = claim(database)
    assert taken is not None
    long = START + timedelta(seconds=500)
    database.write_now(lambda c: c.execute(update(FeedRun).values(lease_until=long)))
    database.write_now(lambda c: renew(c, 1, {run_id: taken.token}, START, LEASE))
    assert [row.lease_until for row in run_rows(database)] == [long]
    assert database.write_now(lambda c: sweep(c, long)) == []
    assert database.write_now(lambda c: sweep(c, long + timedelta(seconds=1))) == [run_id]


def test_what_is_taken_over_goes_on_at_its_checkpoint(database: Database) -> None:
    shop = add_shop(database)
    run_id = queue(database, shop.id, "slow")
    assert claim(database) is not None
    database.write_now(lambda c: c.execute(update(FeedRun).values(checkpoint={"after": 40}, counts={"new": 40})))
    late = START + timedelta(seconds=LEASE + 1)
    database.write_now(lambda c: sweep(c, late))
    again = claim(database, owner=2, now=late)
    assert again is not None
    assert again.checkpoint == {"after": 40}
    assert record(database, run_id).counts == {"new": 40}
    said = [line.text for line in database.read_now(lambda c: log_lines(c, run_id))]
    assert "Its process gave no sign of life; taken over." in said


def test_a_run_that_takes_every_process_down_ends_with_an_incident(database: Database) -> None:
    shop = add_shop(database)
    run_id = queue(database, shop.id, "slow")
    now = START
    for _ in range(3):
        assert claim(database, now=now) is not None
        now += timedelta(seconds=LEASE + 1)
        database.write_now(partial(sweep, now=now))
    found = record(database, run_id)
    assert (found.state, found.error_kind) == (RunState.FAILED, "lost")
    assert "3 times" in found.error
    assert database.read_now(lambda c: c.execute(select(Incident.cause_key)).scalar_one()) == "run:slow:lost"
    assert claim(database, now=now) is None


def test_a_cancelled_run_of_a_dead_process_ends_as_cancelled(database: Database) -> None:
    shop = add_shop(database)
    run_id = queue(database, shop.id, "slow")
    assert claim(database) is not None
    database.write_now(lambda c: cancel_run(c, run_id, "Zofia", START))
    database.write_now(lambda c: sweep(c, START + timedelta(seconds=LEASE + 1)))
    assert record(database, run_id).state is RunState.CANCELLED


def test_a_run_of_a_feed_this_program_does_not_know_ends_saying_so(database: Database) -> None:
    shop = add_shop(database)
    run_id = queue(database, shop.id, "slow")
    database.write_now(lambda c: c.execute(update(FeedRun).values(feed="from_the_future")))
    assert claim(database) is None
    assert "from_the_future" in record(database, run_id).error


async def test_ten_processes_claiming_at_once_share_the_runs_out_without_overlap(
    database: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    shops = [add_shop(database, f"shop{n}") for n in range(6)]
    for shop in shops:
        for name in ("urgent", "stock", "slow"):
            queue(database, shop.id, name)
            queue(database, shop.id, name, id=2)
    processes = [open_database(database_url) for _ in range(5)]

    async def take(number: int) -> list[Claim]:
        taken = []
        while True:
            got = await processes[number % 5].write(
                lambda c: claim_next(c, owner=number + 1, now=START, slots=2, lease_seconds=LEASE)
            )
            if got is None:
                return taken
            taken.append(got)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(take(number)) for number in range(10)]
    claims = [c for task in tasks for c in task.result()]
    assert len({c.run_id for c in claims}) == len(claims) == 12
    running = [row for row in run_rows(database) if row.state == RunState.RUNNING]
    assert len({row.serial_key for row in running}) == len({row.slot_key for row in running}) == 12
    assert {row.priority for row in running} == {10, 30}
