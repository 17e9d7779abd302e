"""A process that runs feeds: pages, ends, retries, hand-over, drain, and waiting for one run."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update

from prestaconsole.database import Database, DatabaseError
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import FeedRun, FeedState, Incident, Runner, RunState, Shop, ShopMode
from prestaconsole.operations.core import Core
from prestaconsole.operations.pages import LogLine, RunStopped
from prestaconsole.redaction import MASK
from prestaconsole.runner.queue import cancel_run, request_run
from prestaconsole.runner.records import RunRecord, load_run, log_lines
from prestaconsole.runner.worker import Kind, Worker
from prestaconsole.webservice.errors import KeyUnknown, NameNotFound
from tests.support.runs import SHOP_KEY, START, add_shop, effects, everywhere, feed, make_core, make_effects


def page(context: FeedContext, number: int) -> Callable[[Connection], None]:
    values = {"shop": context.shop.id, "page": number}
    return lambda c: c.execute(text("INSERT INTO page_effect (shop_id, page) VALUES (:shop, :page)"), values) and None


def paged(pages: int, pause: float = 0.0, **more: Any) -> Callable[[FeedContext], Any]:
    """A feed of so many pages that goes on after its checkpoint."""

    async def run(context: FeedContext) -> Outcome:
        for number in range(context.run.checkpoint.get("page", 0) + 1, pages + 1):
            await context.commit(
                page(context, number),
                checkpoint={"page": number},
                done=number,
                total=pages,
                phase="reading",
                counts={"seen": 1},
            )
            await asyncio.sleep(pause)
        return Outcome(complete=True, text=f"{pages} pages.", **more)

    return run


def ask(core: Core, shop_id: int, name: str = "paged", **more: Any) -> int:
    values = {"actor": "Zofia", "trigger": "person", "now": core.clock.now(), **more}
    return core.database.write_now(lambda c: request_run(c, shop_id=shop_id, feed=name, **values).run_id)


def record(core: Core, run_id: int) -> RunRecord:
    return core.database.read_now(lambda c: load_run(c, run_id))


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def working(core: Core, kind: Kind = "console", **more: Any) -> AsyncIterator[Worker]:
    worker, stop = Worker(core, kind, **more), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    make_effects(database)
    # Long enough that a busy machine does not make a living process look dead.
    return make_core(database, tmp_path, stale_seconds=5.0)


async def test_a_run_goes_through_its_pages_and_says_so(core: Core) -> None:
    shop = add_shop(core.database)
    with feed(entry=paged(5)):
        run_id = ask(core, shop.id)
        async with working(core):
            await until(lambda: not record(core, run_id).active)
    found = record(core, run_id)
    assert (found.state, found.done, found.total, found.counts) == (RunState.DONE, 5, 5, {"seen": 5})
    assert effects(core.database) == [1, 2, 3, 4, 5]
    said = [line.text for line in core.database.read_now(lambda c: log_lines(c, run_id))]
    assert said == ["Started for Zofia.", "Done: 5 pages. (5 seen)"]
    state = core.database.read_now(lambda c: c.execute(select(*FeedState.__table__.columns)).one())
    assert state.completed_at == state.last_ok_at == found.ended_at
    assert state.last_run_id == run_id
    shop_row = core.database.read_now(lambda c: c.execute(select(Shop.health, Shop.last_good_at)).one())
    assert tuple(shop_row) == ("ok", found.ended_at)


async def test_the_client_is_made_with_the_shops_key_and_closed_whatever_happens(
    database: Database, tmp_path: Path
) -> None:
    shop = add_shop(database)
    core = make_core(database, tmp_path)
    seen: list[Any] = []

    async def run(context: FeedContext) -> Outcome:
        seen.append(context.client)
        raise LookupError("in the middle")

    with feed(entry=run):
        await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert seen[0].endpoint.key.reveal() == SHOP_KEY
    assert seen[0].closed


async def test_a_held_plan_ends_as_held(core: Core) -> None:
    shop = add_shop(core.database)
    with feed(entry=paged(1, state="held")):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert found.state is RunState.HELD


async def test_a_plan_does_not_count_as_having_done_the_feed(core: Core) -> None:
    shop = add_shop(core.database)
    with feed(entry=paged(1)):
        await Worker(core, "command").run_until_ended(ask(core, shop.id, params={"plan_only": True}))
    assert core.database.read_now(lambda c: c.execute(select(FeedState.completed_at)).scalar_one()) is None


async def test_asked_for_again_while_at_work_it_runs_once_more_from_the_start(core: Core) -> None:
    shop = add_shop(core.database)
    turns = 0

    async def run(context: FeedContext) -> Outcome:
        nonlocal turns
        turns += 1
        assert context.run.checkpoint == {}
        if turns == 1:
            ask(core, shop.id, trigger="event")
            ask(core, shop.id, trigger="event")
        await context.commit(page(context, turns), checkpoint={"page": 1}, counts={"seen": 1})
        return Outcome()

    with feed(entry=run):
        run_id = ask(core, shop.id)
        found = await Worker(core, "command").run_until_ended(run_id)
    assert turns == 2
    assert (found.state, found.again, found.counts) == (RunState.DONE, False, {"seen": 1})
    assert effects(core.database) == [1, 2]


async def test_a_once_only_feed_is_not_started_over_by_a_second_wish(core: Core) -> None:
    shop = add_shop(core.database, mode=ShopMode.SETUP)

    async def run(context: FeedContext) -> Outcome:
        ask(core, shop.id, "once")
        return Outcome(complete=True)

    with feed("once", entry=run, modes={**everywhere(), ShopMode.SETUP: "once"}):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id, "once"))
    assert found.state is RunState.DONE
    said = [line.text for line in core.database.read_now(lambda c: log_lines(c, found.id))]
    assert any(line.startswith("Not run again:") for line in said)


async def test_cancelled_it_stores_the_page_at_hand_and_ends(core: Core) -> None:
    shop = add_shop(core.database)
    with feed(entry=paged(1000, 0.01)):
        run_id = ask(core, shop.id)
        async with working(core):
            await until(lambda: record(core, run_id).done >= 3)
            core.database.write_now(lambda c: cancel_run(c, run_id, "Zofia", core.clock.now()))
            await until(lambda: not record(core, run_id).active)
    found = record(core, run_id)
    assert found.state is RunState.CANCELLED
    assert effects(core.database) == list(range(1, found.done + 1))
    assert found.done < 1000


async def test_a_cancelled_run_announces_no_further_write_to_the_shop(core: Core) -> None:
    shop = add_shop(core.database)
    sent: list[int] = []

    async def run(context: FeedContext) -> Outcome:
        for number in range(1, 50):
            await context.commit(page(context, number), lease_seconds=60)
            sent.append(number)
            if number == 3:
                core.database.write_now(lambda c: cancel_run(c, context.run.id, "Zofia", core.clock.now()))
        return Outcome()

    with feed(entry=run):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert found.state is RunState.CANCELLED
    # The fourth was neither marked nor sent: no mark without its request.
    assert effects(core.database) == sent == [1, 2, 3]


async def test_what_already_happened_in_the_shop_is_stored_even_though_the_run_was_cancelled(core: Core) -> None:
    shop = add_shop(core.database)

    async def run(context: FeedContext) -> Outcome:
        await context.commit(page(context, 1), lease_seconds=60)
        core.database.write_now(lambda c: cancel_run(c, context.run.id, "Zofia", core.clock.now()))
        await context.commit(page(context, 2), counts={"confirmed": 1})
        raise AssertionError("never reached")

    with feed(entry=run):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert (found.state, found.counts) == (RunState.CANCELLED, {"confirmed": 1})
    assert effects(core.database) == [1, 2]


async def test_a_stop_among_other_errors_of_a_feeds_task_group_is_still_a_stop(core: Core) -> None:
    shop = add_shop(core.database)

    async def run(context: FeedContext) -> Outcome:
        core.database.write_now(lambda c: cancel_run(c, context.run.id, "Zofia", core.clock.now()))
        try:
            await context.commit(page(context, 1))
        except RunStopped as stop:
            raise ExceptionGroup("tasks", [LookupError("another"), ExceptionGroup("inner", [stop])]) from None
        raise AssertionError("never reached")

    with feed(entry=run):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert (found.state, found.error_kind) == (RunState.CANCELLED, "")


async def test_an_announced_write_keeps_the_run_ours_beyond_its_time_out(core: Core) -> None:
    shop = add_shop(core.database)
    leases: list[tuple[float, float]] = []

    async def run(context: FeedContext) -> Outcome:
        def left(connection: Connection) -> float:
            until = connection.execute(select(FeedRun.lease_until)).scalar_one()
            assert until is not None
            return (until - core.clock.now()).total_seconds()

        for seconds in (90.0, None):
            await context.commit(page(context, 1), lease_seconds=seconds)
            leases.append((core.database.read_now(left), context.commit.lease_left()))  # type: ignore[attr-defined]  # RunCommit's own
        return Outcome()

    with feed(entry=run):
        await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert all(85 < figure <= 90 for figure in leases[0])
    assert all(0 < figure <= 5 for figure in leases[1])


async def test_a_refused_page_leaves_nothing_and_its_error_reaches_the_feed(core: Core) -> None:
    shop = add_shop(core.database)

    async def run(context: FeedContext) -> Outcome:
        def half(connection: Connection) -> None:
            page(context, 1)(connection)
            raise LookupError("half way")

        with pytest.raises(LookupError):
            await context.commit(half, checkpoint={"page": 1}, counts={"seen": 1}, logs=[LogLine("info", "never")])
        await context.commit(page(context, 2), counts={"seen": 1})
        return Outcome()

    with feed(entry=run):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert effects(core.database) == [2]
    assert (found.counts, found.checkpoint) == ({"seen": 1}, {})


async def test_log_lines_come_in_order_and_without_secrets(core: Core) -> None:
    shop = add_shop(core.database)

    async def run(context: FeedContext) -> Outcome:
        await context.commit(lambda c: None, logs=[LogLine("info", "one"), LogLine("warn", f"the key {SHOP_KEY}")])
        await context.commit(lambda c: None, logs=[LogLine("FAIL", "three")])
        return Outcome()

    with feed(entry=run):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    lines = core.database.read_now(lambda c: log_lines(c, found.id))
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    assert [(line.level, line.text) for line in lines[1:4]] == [
        ("info", "one"),
        ("warn", f"the key {MASK}"),
        ("FAIL", "three"),
    ]
    assert core.database.read_now(lambda c: log_lines(c, found.id, after=4)) == lines[4:]


async def test_a_shop_that_does_not_answer_is_tried_again_later_each_time_later(
    database: Database, tmp_path: Path
) -> None:
    shop = add_shop(database)
    core = make_core(database, tmp_path)
    tries: list[int] = []

    async def run(context: FeedContext) -> Outcome:
        tries.append(context.run.attempt)
        raise NameNotFound()

    def tried(number: int) -> bool:
        return len(tries) == number and record(core, run_id).state != RunState.RUNNING

    with feed(entry=run, attempts=3):
        run_id = ask(core, shop.id)
        waits = []
        for number in range(1, 4):
            async with working(core):
                await until(partial(tried, number))
            found = record(core, run_id)
            if found.active:
                waits.append((found.due - found.progress_at).total_seconds())  # type: ignore[operator]  # it ran
                assert found.error_kind == "dns"
                database.write_now(lambda c: c.execute(update(FeedRun).values(due=START)))
        found = record(core, run_id)
    assert tries == [1, 2, 3]
    assert found.state is RunState.FAILED
    assert 15 <= waits[0] < 17
    assert 30 <= waits[1] < 34
    row = database.read_now(lambda c: c.execute(select(Shop.health, Shop.last_error)).one())
    assert row.health == "down"
    assert "DNS" in row.last_error
    incident = database.read_now(lambda c: c.execute(select(*Incident.__table__.columns)).one())
    assert (incident.cause_key, incident.run_id, incident.count) == ("contact", run_id, 1)


async def test_an_error_no_second_try_can_cure_fails_at_once_and_success_closes_its_incident(core: Core) -> None:
    shop = add_shop(core.database)
    outcomes: list[Exception | None] = [KeyUnknown(evidence=f"ws_key={SHOP_KEY}"), None]

    async def run(context: FeedContext) -> Outcome:
        error = outcomes.pop(0)
        if error is not None:
            raise error
        return Outcome()

    with feed(entry=run):
        failed = await Worker(core, "command").run_until_ended(ask(core, shop.id))
        opened = core.database.read_now(lambda c: c.execute(select(*Incident.__table__.columns)).one())
        done = await Worker(core, "command").run_until_ended(ask(core, shop.id))
        closed = core.database.read_now(lambda c: c.execute(select(*Incident.__table__.columns)).one())
    assert (failed.state, failed.error_kind, failed.attempt) == (RunState.FAILED, "key-unknown", 1)
    assert failed.error
    assert failed.remedy
    assert opened.closed_at is None
    assert SHOP_KEY not in opened.evidence
    assert done.state is RunState.DONE
    assert (closed.closed_at, closed.closed_by) == (done.ended_at, f"run {done.id}")
    assert core.database.read_now(lambda c: c.execute(select(Shop.health)).scalar_one()) == "ok"


async def test_an_error_of_one_feed_is_not_cured_by_another_feeds_success(core: Core) -> None:
    shop = add_shop(core.database)

    async def run(context: FeedContext) -> Outcome:
        raise PrestaConsoleError("Nothing fits.", "Make it fit.")

    with feed("broken", entry=run), feed("paged", entry=paged(1)):
        await Worker(core, "command").run_until_ended(ask(core, shop.id, "broken"))
        await Worker(core, "command").run_until_ended(ask(core, shop.id, "paged"))
    found = core.database.read_now(lambda c: c.execute(select(Incident.cause_key, Incident.closed_at)).one())
    assert tuple(found) == ("run:broken:prestaconsole", None)


async def test_a_fault_of_ours_is_kept_with_its_trail_and_without_secrets(core: Core) -> None:
    shop = add_shop(core.database)

    async def run(context: FeedContext) -> Outcome:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(5))
            raise LookupError(f"with the key {SHOP_KEY} in it")

    with feed(entry=run):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert (found.state, found.error_kind) == (RunState.FAILED, "fault")
    assert "LookupError" in found.error
    lines = " ".join(line.text for line in core.database.read_now(lambda c: log_lines(c, found.id)))
    assert "test_worker" not in lines
    assert "run:" in lines
    assert SHOP_KEY not in lines + found.error


async def test_progress_gives_a_long_run_all_its_tries_back(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prestaconsole.runner.endings.FIRST_WAIT", 0.01)
    shop = add_shop(core.database)

    async def run(context: FeedContext) -> Outcome:
        number = context.run.checkpoint.get("page", 0) + 1
        if number > 5:
            return Outcome()
        await context.commit(page(context, number), checkpoint={"page": number})
        raise NameNotFound

    with feed(entry=run, attempts=2):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert found.state is RunState.DONE
    assert effects(core.database) == [1, 2, 3, 4, 5]


async def test_without_progress_the_tries_come_to_an_end(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prestaconsole.runner.endings.FIRST_WAIT", 0.01)
    shop = add_shop(core.database)
    tries: list[int] = []

    async def run(context: FeedContext) -> Outcome:
        tries.append(context.run.attempt)
        await context.commit(lambda c: None, checkpoint={"page": 1})
        raise NameNotFound

    with feed(entry=run, attempts=3):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert (found.state, found.error_kind) == (RunState.FAILED, "dns")
    # The first try moved the checkpoint, so counting began anew with it.
    assert tries == [1, 2, 3]


async def test_a_run_lost_to_another_process_stores_nothing_more(core: Core) -> None:
    shop = add_shop(core.database)
    go_on = asyncio.Event()

    async def run(context: FeedContext) -> Outcome:
        await context.commit(page(context, 1), checkpoint={"page": 1})
        taken = update(FeedRun).values(token=FeedRun.token + 1, owner=999, lease_until=START + timedelta(days=9000))
        core.database.write_now(lambda c: c.execute(taken))
        go_on.set()
        await context.commit(page(context, 2), checkpoint={"page": 2})
        raise AssertionError("never reached")

    with feed(entry=run):
        run_id = ask(core, shop.id)
        async with working(core) as worker:
            await go_on.wait()
            await until(lambda: not worker.running)
    assert effects(core.database) == [1]
    found = record(core, run_id)
    assert (found.state, found.owner, found.checkpoint) == (RunState.RUNNING, 999, {"page": 1})


async def test_a_run_that_was_taken_over_is_stopped_by_the_next_heartbeat_even_in_the_middle_of_a_wait(
    core: Core,
) -> None:
    shop = add_shop(core.database)
    stopped = asyncio.Event()

    async def run(context: FeedContext) -> Outcome:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.set()
            raise
        return Outcome()

    with feed(entry=run):
        ask(core, shop.id)
        async with working(core) as worker:
            await until(lambda: bool(worker.running))
            core.database.write_now(
                lambda c: c.execute(
                    update(FeedRun).values(token=9, owner=999, lease_until=START + timedelta(days=9000))
                )
            )
            async with asyncio.timeout(60):
                await stopped.wait()


async def test_stopping_lets_the_page_end_and_gives_the_run_back_for_the_next_process(core: Core) -> None:
    shop = add_shop(core.database)
    with feed(entry=paged(30, 0.02)):
        run_id = ask(core, shop.id)
        async with working(core):
            await until(lambda: record(core, run_id).done >= 3)
        found = record(core, run_id)
        assert (found.state, found.owner, found.attempt) == (RunState.QUEUED, None, 0)
        assert found.checkpoint == {"page": found.done}
        ended = await Worker(core, "command").run_until_ended(run_id)
    assert ended.state is RunState.DONE
    assert effects(core.database) == list(range(1, 31))


async def test_what_does_not_end_its_page_within_the_limit_is_cut_off_and_given_back(core: Core) -> None:
    shop = add_shop(core.database)

    async def run(context: FeedContext) -> Outcome:
        await asyncio.sleep(60)
        return Outcome()

    with feed(entry=run):
        run_id = ask(core, shop.id)
        async with asyncio.timeout(60), working(core, drain_seconds=0.1):
            await until(lambda: record(core, run_id).state is RunState.RUNNING)
    assert record(core, run_id).state is RunState.QUEUED


async def test_a_console_hands_over_to_a_daemon_at_the_next_page_and_stays_idle(core: Core) -> None:
    shop = add_shop(core.database)
    with feed(entry=paged(400, 0.005)):
        run_id = ask(core, shop.id)
        async with working(core, "console") as console:
            await until(lambda: record(core, run_id).done >= 3)
            first = record(core, run_id).owner
            async with working(core, "daemon") as daemon:
                await until(lambda: record(core, run_id).owner not in {first, None})
                assert record(core, run_id).owner == daemon.owner
                assert console.idle_for_daemon
                second = ask(core, add_shop(core.database, "second").id)
                await until(lambda: record(core, second).state is RunState.RUNNING)
                assert record(core, second).owner == daemon.owner
            # The daemon has ended: the console goes on with what it gave back.
            await until(lambda: record(core, run_id).owner == console.owner)
    said = [line.text for line in core.database.read_now(lambda c: log_lines(c, run_id))]
    assert "Handed over: it goes on from its last page." in said
    done = effects(core.database)
    assert sorted(set(done)) == list(range(1, max(done) + 1))


async def test_pausing_a_shop_stops_its_run_at_the_next_page_and_resuming_goes_on_there(core: Core) -> None:
    shop = add_shop(core.database)
    with feed(entry=paged(60, 0.02)):
        run_id = ask(core, shop.id)
        async with working(core):
            await until(lambda: record(core, run_id).done >= 3)
            core.database.write_now(lambda c: c.execute(update(Shop).values(paused_at=core.clock.now())))
            await until(lambda: record(core, run_id).state is RunState.QUEUED)
            paused_at = record(core, run_id).done
            await asyncio.sleep(0.3)
            assert record(core, run_id).done == paused_at
            core.database.write_now(lambda c: c.execute(update(Shop).values(paused_at=None)))
            await until(lambda: not record(core, run_id).active)
    assert effects(core.database) == list(range(1, 61))


async def test_a_pause_with_an_end_is_lifted_when_it_comes(core: Core) -> None:
    soon = core.clock.now() + timedelta(seconds=0.3)
    shop = add_shop(core.database, paused_at=core.clock.now(), paused_until=soon, pause_reason="upgrade")
    with feed(entry=paged(1)):
        run_id = ask(core, shop.id, trigger="event")
        async with working(core):
            await until(lambda: not record(core, run_id).active)
    found = record(core, run_id)
    assert found.started_at is not None
    assert found.started_at >= soon


async def test_a_writing_run_goes_no_further_when_its_shop_leaves_live(core: Core) -> None:
    shop = add_shop(core.database)
    sent: list[bool] = []

    async def run(context: FeedContext) -> Outcome:
        for _ in range(5):
            if context.run.plan_only:
                sent.append(False)
                return Outcome(state="held")
            await context.commit(lambda c: None, lease_seconds=60)
            sent.append(True)
            core.database.write_now(lambda c: c.execute(update(Shop).values(mode=ShopMode.FROZEN)))
        return Outcome()

    with feed("writing", entry=run, writes=True, modes={**everywhere(), ShopMode.FROZEN: "plan"}):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id, "writing"))
    assert sent == [True, False]
    assert found.state is RunState.HELD


async def test_waiting_for_a_run_shows_its_progress_and_gives_it_ended(core: Core) -> None:
    shop = add_shop(core.database)
    seen: list[RunRecord] = []
    with feed(entry=paged(5, 0.05)):
        run_id = ask(core, shop.id)
        found = await Worker(core, "command").run_until_ended(run_id, seen.append)
    assert found.state is RunState.DONE
    assert seen[0].state is RunState.QUEUED
    assert seen[-1] == found
    assert {record.done for record in seen} >= {1, 5}
    rows = core.database.read_now(lambda c: c.execute(select(Runner.kind, Runner.stopped_at)).all())
    assert [(kind, stopped is not None) for kind, stopped in rows] == [("command", True)]


async def test_waiting_while_a_daemon_is_alive_leaves_the_work_to_it(core: Core) -> None:
    shop = add_shop(core.database)
    with feed(entry=paged(3, 0.02)):
        async with working(core, "daemon") as daemon:
            await daemon.ready.wait()
            run_id = ask(core, shop.id)
            owners = set()
            found = await Worker(core, "command").run_until_ended(run_id, lambda r: owners.add(r.owner))
            assert found.state is RunState.DONE
            assert owners - {None} <= {daemon.owner}


async def test_waiting_for_a_run_of_a_shop_that_was_paused_meanwhile_says_so(core: Core) -> None:
    shop = add_shop(core.database)
    with feed(entry=paged(3)):
        run_id = ask(core, shop.id)
        core.database.write_now(
            lambda c: c.execute(update(Shop).values(paused_at=START, paused_by="Anaïs", pause_reason="upgrade"))
        )
        with pytest.raises(PrestaConsoleError, match="Anaïs: upgrade"):
            await Worker(core, "command").run_until_ended(run_id)
    assert record(core, run_id).state is RunState.QUEUED


async def test_trouble_with_the_database_is_waited_out(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = add_shop(core.database)
    monkeypatch.setattr("prestaconsole.runner.worker._PAUSE_AFTER_TROUBLE", 0.01)
    reads, trouble = core.database.read, 0

    async def read(work: Callable[[Connection], Any]) -> Any:
        nonlocal trouble
        if 0 < trouble <= 5:
            trouble += 1
            raise DatabaseError("The database was busy for 10 seconds.", "Try again.")
        return await reads(work)

    monkeypatch.setattr(core.database, "read", read)
    with feed(entry=paged(2)):
        async with working(core) as worker:
            await worker.ready.wait()
            trouble = 1
            worker.wake()
            await until(lambda: trouble > 5)
            run_id = ask(core, shop.id)
            await until(lambda: not record(core, run_id).active)
    assert record(core, run_id).state is RunState.DONE


async def test_a_transaction_that_lost_a_race_is_done_again_whole(core: Core) -> None:
    if core.database.is_sqlite:
        pytest.skip("SQLite has one writer: nothing races")
    shop = add_shop(core.database)
    calls = 0

    async def run(context: FeedContext) -> Outcome:
        def store(connection: Connection) -> None:
            nonlocal calls
            calls += 1
            page(context, calls)(connection)
            if calls < 3:
                connection.execute(text("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40P01'; END $$"))

        await context.commit(store, counts={"seen": 1})
        return Outcome()

    with feed(entry=run):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert (found.state, found.counts) == (RunState.DONE, {"seen": 1})
    assert effects(core.database) == [3]


async def test_a_stale_daemon_row_does_not_keep_the_console_from_working(core: Core) -> None:
    shop = add_shop(core.database)
    old = core.clock.now() - timedelta(hours=1)
    entry = {"kind": "daemon", "host": "h", "pid": 1, "started_at": old, "heartbeat": old}
    core.database.write_now(lambda c: c.execute(insert(Runner).values(**entry)))
    with feed(entry=paged(1)):
        found = await Worker(core, "command").run_until_ended(ask(core, shop.id))
    assert found.state is RunState.DONE
    assert found.ended_at is not None
