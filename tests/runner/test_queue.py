"""Asking for runs: nothing is refused as busy, nothing runs that the gate locks, and taking back works."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from prestaconsole.database import Database
from prestaconsole.errors import LockedError, NotFoundError, UsageError
from prestaconsole.model import FeedRun, FeedState, RunState, Shop, ShopMode
from prestaconsole.runner.claims import claim_next
from prestaconsole.runner.queue import Ticket, active_key, cancel_run, request_if_open, request_run
from prestaconsole.runner.records import RunRecord, load_run, log_lines
from tests.support.runs import START, add_shop, everywhere, feed, run_rows


@pytest.fixture(autouse=True)
def paged() -> Iterator[None]:
    with feed("paged"):
        yield


def ask(database: Database, **changes: Any) -> Ticket:
    values = {"feed": "paged", "actor": "Zofia", "trigger": "person", "now": START}
    return database.write_now(lambda c: request_run(c, **{**values, **changes}))


def start(database: Database, at: Any = START) -> None:
    assert database.write_now(lambda c: claim_next(c, owner=1, now=at, slots=2, lease_seconds=10)) is not None


def record(database: Database, run_id: int) -> RunRecord:
    return database.read_now(lambda c: load_run(c, run_id))


def test_a_second_wish_joins_the_waiting_run_and_needs_no_second_turn(database: Database) -> None:
    shop = add_shop(database)
    first = ask(database, shop_id=shop.id)
    second = ask(database, shop_id=shop.id, now=START + timedelta(minutes=1))
    assert (first.joined, second.joined) == (False, True)
    assert first.run_id == second.run_id
    assert record(database, first.run_id).again is False


def test_a_wish_that_meets_a_run_at_work_is_followed_by_another_turn(database: Database) -> None:
    shop = add_shop(database)
    first = ask(database, shop_id=shop.id)
    start(database)
    later = START + timedelta(minutes=1)
    assert ask(database, shop_id=shop.id, trigger="event", now=later) == Ticket(first.run_id, True)
    found = record(database, first.run_id)
    assert (found.state, found.again, found.due) == (RunState.RUNNING, True, later)


def test_a_wish_for_now_brings_a_later_due_forward_and_never_back(database: Database) -> None:
    shop = add_shop(database)
    ticket = ask(database, shop_id=shop.id, due=START + timedelta(hours=1))
    ask(database, shop_id=shop.id, due=START + timedelta(hours=2))
    assert record(database, ticket.run_id).due == START + timedelta(hours=1)
    ask(database, shop_id=shop.id)
    assert record(database, ticket.run_id).due == START


def test_a_schedule_leaves_a_retry_its_time_and_a_person_does_not(database: Database) -> None:
    shop = add_shop(database)
    ticket = ask(database, shop_id=shop.id)
    due = START + timedelta(minutes=10)
    waiting = update(FeedRun).values(attempt=2, due=due, started_at=START, checkpoint={"after": 7})
    database.write_now(lambda c: c.execute(waiting))
    ask(database, shop_id=shop.id, trigger="schedule")
    found = record(database, ticket.run_id)
    assert (found.due, found.again) == (due, True)
    ask(database, shop_id=shop.id)
    assert record(database, ticket.run_id).due == START


def test_another_errand_of_the_same_feed_is_a_run_of_its_own_and_a_reason_is_none(database: Database) -> None:
    shop = add_shop(database)
    plain = ask(database, shop_id=shop.id)
    order = ask(database, shop_id=shop.id, params={"id": 4182})
    same = ask(database, shop_id=shop.id, params={"id": 4182, "reason": "the caller waits"})
    assert plain.run_id != order.run_id
    assert same == Ticket(order.run_id, True)


def test_the_order_in_which_params_are_named_does_not_matter() -> None:
    assert active_key(1, "f", {"a": 1, "b": 2}) == active_key(1, "f", {"b": 2, "a": 1})
    assert active_key(1, "f", {"a": 1}) != active_key(2, "f", {"a": 1})
    assert len(active_key(10**9, "f" * 40, {"a": 1})) <= 120


@pytest.mark.parametrize("trigger", ["person", "schedule", "event"])
def test_a_locked_feed_is_refused_with_reason_and_unlock_whoever_asks(database: Database, trigger: str) -> None:
    shop = add_shop(database, mode=ShopMode.SETUP)
    with pytest.raises(LockedError, match="Locked in setup") as refused:
        ask(database, shop_id=shop.id, feed="export_stock", trigger=trigger)
    assert refused.value.exit_status == 3
    assert "shop mode" in refused.value.remedy
    assert run_rows(database) == []


def test_an_event_at_a_locked_feed_is_nobodys_error(database: Database) -> None:
    shop = add_shop(database, mode=ShopMode.SETUP)
    got = database.write_now(
        lambda c: request_if_open(c, shop_id=shop.id, feed="export_stock", actor="order 7", trigger="event", now=START)
    )
    assert got is None


def test_a_paused_shop_refuses_a_person_and_keeps_events_for_later(database: Database) -> None:
    shop = add_shop(database, paused_at=START, paused_by="Anaïs", pause_reason="shop upgrade")
    with pytest.raises(LockedError, match="Anaïs: shop upgrade"):
        ask(database, shop_id=shop.id)
    ticket = ask(database, shop_id=shop.id, trigger="event")
    assert database.write_now(lambda c: claim_next(c, owner=1, now=START, slots=2, lease_seconds=10)) is None
    database.write_now(lambda c: c.execute(update(Shop).values(paused_at=None)))
    start(database)
    assert record(database, ticket.run_id).state is RunState.RUNNING


def test_where_the_mode_only_plans_the_run_is_marked_as_a_plan(database: Database) -> None:
    shop = add_shop(database, mode=ShopMode.REHEARSAL)
    with feed("writing", writes=True, modes={**everywhere(), ShopMode.REHEARSAL: "plan"}):
        ticket = ask(database, shop_id=shop.id, feed="writing")
        assert ticket.plan_only
        assert record(database, ticket.run_id).params == {"plan_only": True}


def test_a_plan_and_a_sending_run_are_two_errands(database: Database) -> None:
    shop = add_shop(database)
    plan = ask(database, shop_id=shop.id, params={"plan_only": True})
    sending = ask(database, shop_id=shop.id, params={"plan_only": False})
    assert plan.run_id != sending.run_id
    assert record(database, sending.run_id).params == {}


def test_a_feed_that_needs_another_first_says_which(database: Database) -> None:
    shop = add_shop(database)
    with feed("needy", needs=("paged",)):
        with pytest.raises(LockedError, match="Needs paged first"):
            ask(database, shop_id=shop.id, feed="needy")
        done = {"shop_id": shop.id, "feed": "paged", "completed_at": START, "detail": {}}
        database.write_now(lambda c: c.execute(FeedState.__table__.insert().values(**done)))
        assert not ask(database, shop_id=shop.id, feed="needy").joined


def test_an_unknown_feed_or_shop_is_named(database: Database) -> None:
    shop = add_shop(database)
    with pytest.raises(UsageError, match="no feed"):
        ask(database, shop_id=shop.id, feed="import_dreams")
    with pytest.raises(NotFoundError):
        ask(database, shop_id=999)


def test_a_waiting_run_is_taken_back_at_once_and_its_errand_is_free_again(database: Database) -> None:
    shop = add_shop(database)
    ticket = ask(database, shop_id=shop.id)
    assert database.write_now(lambda c: cancel_run(c, ticket.run_id, "Zofia", START)) is RunState.CANCELLED
    assert record(database, ticket.run_id).ended_at == START
    assert "Cancelled by Zofia." in [line.text for line in database.read_now(lambda c: log_lines(c, ticket.run_id))]
    assert ask(database, shop_id=shop.id).run_id != ticket.run_id


def test_taking_back_an_ended_or_unknown_run_changes_nothing(database: Database) -> None:
    shop = add_shop(database)
    ticket = ask(database, shop_id=shop.id)
    database.write_now(lambda c: cancel_run(c, ticket.run_id, "Zofia", START))
    with pytest.raises(UsageError, match="has ended already: cancelled"):
        database.write_now(lambda c: cancel_run(c, ticket.run_id, "Zofia", START))
    with pytest.raises(NotFoundError):
        database.write_now(lambda c: cancel_run(c, 999, "Zofia", START))


async def test_forty_wishes_from_four_processes_at_once_are_one_run(
    database: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    shop = add_shop(database)
    processes = [database] + [open_database(database_url) for _ in range(3)]

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                processes[number % 4].write(
                    lambda c: request_run(c, shop_id=shop.id, feed="paged", actor="x", trigger="event", now=START)
                )
            )
            for number in range(40)
        ]
    tickets = [task.result() for task in tasks]
    assert len({ticket.run_id for ticket in tickets}) == 1
    assert sum(not ticket.joined for ticket in tickets) == 1
    assert database.read_now(lambda c: len(c.execute(select(FeedRun.id)).all())) == 1
