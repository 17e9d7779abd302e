"""The pause of everything: schedules, queue, runs at work, people, the gate; and its end, by itself or by a person."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from prestaconsole.changes.gate import require_live
from prestaconsole.database import Database
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.feeds.interlock import permission
from prestaconsole.model import AuditEvent, Shop
from prestaconsole.operations.core import Core
from prestaconsole.operations.pauses import lift_pauses, pause_of_everything
from prestaconsole.operations.shops import load_shop
from prestaconsole.runner import presence
from prestaconsole.runner.claims import claim_next
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.schedules import set_schedule, tick
from prestaconsole.services import feeds, pauses, shops
from prestaconsole.services.status import status
from prestaconsole.services.views.header import header_counts
from tests.runner.test_worker import ask, page, record, until, working
from tests.support.runs import START, FakeClock, add_shop, effects, everywhere, feed, make_core, make_effects


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def core(database: Database, tmp_path: Path, clock: FakeClock) -> Iterator[Core]:
    made = make_core(database, tmp_path, clock=clock)
    with feed("paged"):
        yield made
    made.close()


def pause(core: Core, hours: float | None = None) -> pauses.Paused:
    until = core.clock.now() + timedelta(hours=hours) if hours else None
    return pauses.pause_everything(core, reason="the line is down", actor="Anaïs", until=until)


def actions(database: Database) -> list[tuple[str, str]]:
    rows = select(AuditEvent.actor, AuditEvent.action).where(AuditEvent.action.contains("everything"))
    return [
        (row.actor, row.action) for row in database.read_now(lambda c: c.execute(rows.order_by(AuditEvent.id)).all())
    ]


def test_no_schedule_fires_and_no_run_is_taken_until_it_is_resumed(core: Core) -> None:
    database, now = core.database, core.clock.now()
    made = [add_shop(database, f"shop{number}") for number in range(2)]
    for shop in made:
        database.write_now(
            lambda c, shop=shop: set_schedule(c, shop=shop, feed="paged", every="*/5 * * * *", actor="x", now=START)  # type: ignore[misc]
        )
    ask(core, made[0].id, "paged")
    pause(core)
    later = now + timedelta(minutes=30)
    assert database.write_now(lambda c: tick(c, later)) == 0
    seen = database.read_now(lambda c: presence.look(c, later, slots=3, stale_seconds=15))
    assert (seen.schedules, seen.runs) == (False, False)
    assert database.write_now(lambda c: claim_next(c, owner=1, now=later, slots=3, lease_seconds=15)) is None
    assert pauses.resume_everything(core, actor="Anaïs")
    assert database.write_now(lambda c: tick(c, later)) == 2
    assert database.write_now(lambda c: claim_next(c, owner=1, now=later, slots=3, lease_seconds=15)) is not None
    assert actions(database) == [("Anaïs", "pause everything"), ("Anaïs", "resume everything")]


def test_people_are_told_why_and_what_resumes(core: Core) -> None:
    shop = add_shop(core.database)
    pause(core, 7)
    allowed = core.database.read_now(lambda c: permission(c, load_shop(c, shop.id), "paged"))
    assert (allowed.kind, allowed.lock) == ("locked", "paused")
    assert allowed.reason == "Everything is paused until 2026-03-02 16:00 UTC by Anaïs: the line is down."
    assert allowed.unlock == "`prestaconsole resume` resumes."
    with pytest.raises(LockedError, match="Everything is paused until"):
        feeds.request_feed(core, "wolle", "paged", actor="Zofia")
    with pytest.raises(LockedError, match="Everything is paused until"):
        core.database.write_now(lambda c: require_live(c, shop.id))


def test_plans_are_made_and_events_wait_as_with_a_pause_of_one_shop(core: Core) -> None:
    shop = add_shop(core.database)
    pause(core)
    with feed("planning", modes=everywhere("plan"), writes=True):
        assert core.database.read_now(lambda c: permission(c, load_shop(c, shop.id), "planning")).kind == "plan"
    ticket = core.database.write_now(
        lambda c: request_run(c, shop_id=shop.id, feed="paged", actor="x", trigger="event", now=START)
    )
    assert record(core, ticket.run_id).state == "queued"


async def test_a_run_at_work_stops_at_its_next_page_and_goes_on_there(database: Database, tmp_path: Path) -> None:
    core = make_core(database, tmp_path)
    make_effects(database)
    gate = asyncio.Event()

    async def entry(context: FeedContext) -> Outcome:
        for number in range(context.run.checkpoint.get("page", 0) + 1, 4):
            await context.commit(page(context, number), checkpoint={"page": number})
            if number == 1:
                pauses.pause_everything(core, reason="now", actor="Anaïs")
        gate.set()
        return Outcome(complete=True)

    with feed("paged", entry=entry):
        run_id = ask(core, add_shop(database).id)
        async with working(core, "daemon"):
            await until(lambda: record(core, run_id).checkpoint == {"page": 2} and record(core, run_id).owner is None)
            assert record(core, run_id).state == "queued"
            assert not gate.is_set()
            await asyncio.to_thread(pauses.resume_everything, core, actor="Anaïs")
            await until(lambda: record(core, run_id).state == "done")
    assert effects(database) == [1, 2, 3]
    core.close()


def test_its_end_lifts_it_by_itself_and_a_shops_own_pause_stays(core: Core, clock: FakeClock) -> None:
    database = core.database
    shop = add_shop(database)
    database.write_now(lambda c: c.execute(update(Shop).values(paused_at=START, paused_by="Zofia", pause_reason="own")))
    pause(core, 1)
    assert "Everything is paused" in database.read_now(lambda c: permission(c, load_shop(c, shop.id), "paged")).reason
    clock.forward(3599)
    database.write_now(lambda c: lift_pauses(c, clock.now()))
    assert database.read_now(pause_of_everything) is not None
    clock.forward(1)
    database.write_now(lambda c: lift_pauses(c, clock.now()))
    assert database.read_now(pause_of_everything) is None
    assert actions(database)[-1] == ("runner", "resume everything")
    assert "by Zofia: own" in database.read_now(lambda c: permission(c, load_shop(c, shop.id), "paged")).reason
    shops.resume_shop(core, "wolle", actor="Zofia")
    assert database.read_now(lambda c: permission(c, load_shop(c, shop.id), "paged")).kind == "run"


def test_a_person_who_comes_after_its_end_is_let_in_where_no_process_is_at_work(core: Core, clock: FakeClock) -> None:
    add_shop(core.database)
    pause(core, 1)
    clock.forward(3601)
    assert feeds.request_feed(core, "wolle", "paged", actor="Zofia").run == 1


def test_a_shop_is_not_resumed_out_of_a_pause_of_everything(core: Core) -> None:
    shop = add_shop(core.database)
    pause(core)
    shops.resume_shop(core, "wolle", actor="Zofia")
    assert core.database.read_now(lambda c: load_shop(c, shop.id)).paused
    assert ("Zofia", "shop resume") not in actions(core.database)


def test_status_and_header_show_it_and_nothing_is_late(core: Core, clock: FakeClock) -> None:
    shop = add_shop(core.database)
    core.database.write_now(
        lambda c: set_schedule(c, shop=shop, feed="paged", every="every 5 min", actor="x", now=START)
    )
    until = pause(core, 48).until
    clock.forward(86_400)
    shown = status(core)
    assert (shown.paused.paused, shown.paused.by, shown.paused.until) == (True, "Anaïs", until)
    assert shown.late == ()
    assert [(one.need, one.paused) for one in shown.shops] == [("PAUSE", True)]
    counts = core.database.read_now(header_counts)
    assert (counts.all_paused, counts.paused_until) == (True, until)
    assert [pauses.resume_everything(core, actor="x") for _ in range(2)] == [True, False]


def test_it_needs_a_reason_and_an_end_ahead(core: Core) -> None:
    with pytest.raises(UsageError, match="reason is empty"):
        pauses.pause_everything(core, reason=" ", actor="x")
    with pytest.raises(UsageError, match="past"):
        pauses.pause_everything(core, reason="x", actor="x", until=START)
    pause(core)
    pauses.pause_everything(core, reason="another", actor="Zofia")
    found = core.database.read_now(pause_of_everything)
    assert found is not None
    assert (found.by, found.reason) == ("Zofia", "another")
