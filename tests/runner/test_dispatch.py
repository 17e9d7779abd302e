"""Jobs on PostgreSQL: one with each run that may start, in its transaction; passed on by urgency; found again."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text, update

from prestaconsole.clock import SystemClock
from prestaconsole.database import Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import RunState, Shop
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner import endings
from prestaconsole.runner.claims import Claim, claim_next, claimable, sweep
from prestaconsole.runner.dispatch import dispatcher_for, jobs
from prestaconsole.runner.dispatch.embedded import EmbeddedDispatcher
from prestaconsole.runner.moments import moment_of
from prestaconsole.runner.queue import cancel_run, request_run
from prestaconsole.runner.records import load_run
from prestaconsole.runner.worker import Worker
from tests.support.runs import add_shop, feed, make_core, run_rows

ROOT = Path(__file__).parents[2]
ON_SERVER = pytest.mark.parametrize(
    "database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def shop(database: Database) -> ShopRecord:
    return add_shop(database)


@pytest.fixture(autouse=True)
def feeds() -> Iterator[None]:
    async def run(context: FeedContext) -> Outcome:
        return Outcome()

    with feed("calm", run, priority=60), feed("urgent", run, priority=10):
        yield


def ask(connection: Connection, shop: ShopRecord, name: str = "calm", **more: Any) -> int:
    values = {"actor": "Zofia", "trigger": "person", "now": SystemClock().now(), **more}
    return request_run(connection, shop_id=shop.id, feed=name, **values).run_id


def carried(database: Database, status: str = "todo") -> list[int]:
    """The runs that jobs speak of, the one taken first in front."""
    found = text(
        "SELECT (args ->> 'run_id')::bigint FROM procrastinate.procrastinate_jobs"
        " WHERE CAST(status AS text) = :status ORDER BY priority DESC, id"
    )
    return database.read_now(lambda c: list(c.execute(found, {"status": status}).scalars()))


def drop_jobs(database: Database) -> None:
    database.write_now(lambda c: c.execute(text("DELETE FROM procrastinate.procrastinate_jobs")))


def claim(database: Database, run_id: int, owner: int = 1, slots: int = 1) -> Claim:
    found = database.write_now(
        lambda c: claim_next(c, owner=owner, now=SystemClock().now(), slots=slots, lease_seconds=60, only=run_id)
    )
    assert found is not None
    return found


def reconcile(database: Database, slots: int = 1, **later: float) -> int:
    now = SystemClock().now() + timedelta(**later)
    return database.write_now(lambda c: jobs.reconcile(c, claimable(now, slots), slots))


# -- in the transaction of the row ----------------------------------------------------------------------------------


@ON_SERVER
def test_run_and_job_stand_or_fall_together(database: Database, shop: ShopRecord) -> None:
    def half(connection: Connection) -> None:
        ask(connection, shop)
        raise LookupError

    with pytest.raises(LookupError):
        database.write_now(half)
    assert carried(database) == []
    run_id = database.write_now(lambda c: ask(c, shop))
    assert carried(database) == [run_id]
    locks = text("SELECT lock, queueing_lock, queue_name, task_name FROM procrastinate.procrastinate_jobs")
    assert database.read_now(lambda c: tuple(c.execute(locks).one())) == (None, None, "feeds", "run_feed")


@ON_SERVER
def test_asked_for_twice_it_has_one_job_and_the_urgent_is_taken_first(database: Database, shop: ShopRecord) -> None:
    calm = database.write_now(lambda c: ask(c, shop))
    database.write_now(lambda c: ask(c, shop, trigger="event"))
    urgent = database.write_now(lambda c: ask(c, shop, "urgent"))
    assert carried(database) == [urgent, calm]


@ON_SERVER
def test_a_run_that_is_due_later_gets_its_job_then_and_once(database: Database, shop: ShopRecord) -> None:
    due = SystemClock().now() + timedelta(minutes=5)
    run_id = database.write_now(lambda c: ask(c, shop, due=due))
    assert carried(database) == []
    assert [reconcile(database), reconcile(database, minutes=6), reconcile(database, minutes=6)] == [0, 1, 0]
    assert carried(database) == [run_id]


@ON_SERVER
def test_a_claim_takes_the_jobs_of_its_run_away(database: Database, shop: ShopRecord) -> None:
    other = database.write_now(lambda c: ask(c, shop, "urgent"))
    run_id = database.write_now(lambda c: ask(c, shop))
    claim(database, run_id)
    assert carried(database) == [other]


# -- passed on ------------------------------------------------------------------------------------------------------

Ending = Callable[[Connection, Claim], object]
ENDINGS: dict[str, Ending] = {
    "done": lambda c, claim: endings.finish(c, claim, Outcome(), SystemClock().now()),
    "failed": lambda c, claim: endings.fail(
        c, claim, endings.Failure("x", "It broke.", "Mend it."), SystemClock().now()
    ),
    "to be tried again": lambda c, claim: endings.fail(
        c, claim, endings.Failure("dns", "No name.", "Wait.", retryable=True), SystemClock().now()
    ),
    "given back": lambda c, claim: endings.give_back(c, claim, SystemClock().now(), "Handed over."),
    "cancelled": lambda c, claim: endings.end_cancelled(c, claim, SystemClock().now()),
}


@ON_SERVER
@pytest.mark.parametrize("how", ENDINGS)
def test_whichever_way_a_run_ends_the_most_urgent_of_its_shop_is_next(
    database: Database, shop: ShopRecord, how: str
) -> None:
    at_work = claim(database, database.write_now(lambda c: ask(c, shop)))
    elsewhere = add_shop(database, "other")
    for params in ({"n": 1}, {"n": 2}):
        database.write_now(lambda c, params=params: ask(c, shop, params=params))  # type: ignore[misc]  # a default
    urgent = database.write_now(lambda c: ask(c, shop, "urgent"))
    database.write_now(lambda c: ask(c, elsewhere, "urgent"))
    # Their jobs came while no slot was free, so they are gone; the rows stay queued.
    drop_jobs(database)
    database.write_now(lambda c: ENDINGS[how](c, at_work))
    assert carried(database) == [urgent]


@ON_SERVER
def test_what_a_dead_process_left_is_brought_to_another(database: Database, shop: ShopRecord) -> None:
    run_id = database.write_now(lambda c: ask(c, shop))
    claim(database, run_id)
    later = SystemClock().now() + timedelta(minutes=5)
    assert database.write_now(lambda c: sweep(c, later)) == [run_id]
    assert carried(database) == [run_id]


@ON_SERVER
def test_an_event_during_a_run_brings_it_once_more_after_its_end(database: Database, shop: ShopRecord) -> None:
    run_id = database.write_now(lambda c: ask(c, shop))
    at_work = claim(database, run_id)
    database.write_now(lambda c: ask(c, shop, trigger="event"))
    assert carried(database) == []
    database.write_now(lambda c: endings.finish(c, at_work, Outcome(), SystemClock().now()))
    assert carried(database) == [run_id]


# -- found again ----------------------------------------------------------------------------------------------------


@ON_SERVER
def test_rows_without_a_job_get_one_as_many_as_have_a_slot(database: Database, shop: ShopRecord) -> None:
    for number in range(5):
        database.write_now(lambda c, number=number: ask(c, shop, params={"n": number}))  # type: ignore[misc]  # a default
    elsewhere = add_shop(database, "other")
    other = database.write_now(lambda c: ask(c, elsewhere, "urgent"))
    drop_jobs(database)
    assert reconcile(database, slots=2) == 3
    assert carried(database)[0] == other


@ON_SERVER
def test_jobs_whose_run_is_gone_go_too(database: Database, shop: ShopRecord) -> None:
    gone = database.write_now(lambda c: ask(c, shop))
    stays = database.write_now(lambda c: ask(c, shop, "urgent"))
    database.write_now(lambda c: cancel_run(c, gone, "Zofia", SystemClock().now()))
    assert database.write_now(jobs.drop_orphans) == 1
    assert carried(database) == [stays]


@ON_SERVER
async def test_a_job_whose_worker_died_with_it_does_not_keep_its_run_from_starting(
    database: Database, shop: ShopRecord, tmp_path: Path
) -> None:
    run_id = database.write_now(lambda c: ask(c, shop))

    def die(connection: Connection) -> None:
        dead = "INSERT INTO procrastinate.procrastinate_workers (last_heartbeat) VALUES ('2020-01-01') RETURNING id"
        worker = connection.execute(text(dead)).scalar_one()
        taken = "UPDATE procrastinate.procrastinate_jobs SET status = 'doing', worker_id = :worker"
        connection.execute(text(taken), {"worker": worker})

    database.write_now(die)
    assert reconcile(database) == 0
    core, stop = make_core(database, tmp_path), asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(Worker(core, "daemon").run(stop))
        while database.read_now(lambda c: load_run(c, run_id)).state is not RunState.DONE:
            await asyncio.sleep(0.02)
        stop.set()
    assert carried(database) == carried(database, "doing") == []


@ON_SERVER
async def test_a_worker_ends_its_jobs_with_its_runs_and_leaves_nothing_behind(
    database: Database, shop: ShopRecord, tmp_path: Path
) -> None:
    core, stop = make_core(database, tmp_path), asyncio.Event()
    runs = [database.write_now(lambda c, n=n: ask(c, shop, params={"n": n})) for n in range(6)]  # type: ignore[misc]  # a default
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(Worker(core, "daemon").run(stop))
        while any(database.read_now(lambda c: [load_run(c, run_id).active for run_id in runs])):
            await asyncio.sleep(0.02)
        stop.set()
    everything = text(
        "SELECT (SELECT count(*) FROM procrastinate.procrastinate_jobs),"
        " (SELECT count(*) FROM procrastinate.procrastinate_workers)"
    )
    assert database.read_now(lambda c: tuple(c.execute(everything).one())) == (0, 0)
    assert {row.state for row in run_rows(database)} == {RunState.DONE}


@ON_SERVER
async def test_a_shop_that_was_resumed_goes_on_without_anybody_asking(
    database: Database, shop: ShopRecord, tmp_path: Path
) -> None:
    run_id = database.write_now(lambda c: ask(c, shop))
    pause = update(Shop).values(paused_at=SystemClock().now())
    database.write_now(lambda c: c.execute(pause))
    core, stop = make_core(database, tmp_path), asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(Worker(core, "console").run(stop))
        while carried(database):
            await asyncio.sleep(0.02)
        assert database.read_now(lambda c: load_run(c, run_id)).state is RunState.QUEUED
        database.write_now(lambda c: c.execute(update(Shop).values(paused_at=None)))
        while database.read_now(lambda c: load_run(c, run_id)).active:
            await asyncio.sleep(0.02)
        stop.set()


@ON_SERVER
async def test_work_is_handed_out_again_whatever_part_failed_on_its_way_out(
    database: Database, shop: ShopRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prestaconsole.runner.dispatch.procrastinate import ProcrastinateDispatcher

    carried_again = 0

    async def unfit_at_once(self: Any, hands: Any) -> None:
        nonlocal carried_again
        carried_again += 1

    async def fails_when_it_is_ended(self: Any, app: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError("the connection was cut just then")

    monkeypatch.setattr(ProcrastinateDispatcher, "_until_unfit", unfit_at_once)
    monkeypatch.setattr(ProcrastinateDispatcher, "_sweep_for_ever", fails_when_it_is_ended)
    core, stop = make_core(database, tmp_path), asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        working = group.create_task(Worker(core, "daemon").run(stop))
        while carried_again < 3:
            assert not working.done()
            await asyncio.sleep(0.02)
        # The end is not missed either, though an error comes on the way out.
        stop.set()


@ON_SERVER
async def test_a_run_starts_by_the_news_of_it_and_not_by_a_look(
    database: Database, shop: ShopRecord, tmp_path: Path
) -> None:
    never = 3600.0
    asking = Database(database.url.render_as_string(hide_password=False))
    core = make_core(database, tmp_path, heartbeat_seconds=never, stale_seconds=never)
    worker, stop = Worker(core, "daemon"), asyncio.Event()
    try:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(worker.run(stop))
            await worker.ready.wait()
            for _ in range(3):
                run_id = await asking.write(lambda c: ask(c, shop))
                while (await asking.read(lambda c, run_id=run_id: load_run(c, run_id))).active:  # type: ignore[misc]  # a default
                    await asyncio.sleep(0.02)
            stop.set()
            worker.wake()
    finally:
        asking.close()


# -- which dispatcher -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["daemon", "console", "command"])
def test_a_file_has_the_embedded_one_and_a_server_procrastinate(database: Database, tmp_path: Path, kind: str) -> None:
    core = make_core(database, tmp_path)
    made = dispatcher_for(database, core.clock, moment_of(core.clock), core.settings, kind)
    # A command takes its one run itself, so that it ends with it.
    embedded = database.is_sqlite or kind == "command"
    assert isinstance(made, EmbeddedDispatcher) is embedded


def test_who_works_on_sqlite_loads_neither_the_library_nor_the_driver(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
from prestaconsole.database import Database
from prestaconsole.database.migrations import upgrade
from prestaconsole.runner.worker import Worker
from tests.support.runs import make_core
database = Database("sqlite:///{tmp_path}/x.sqlite3")
upgrade(database)
async def main():
    stop = asyncio.Event()
    worker = Worker(make_core(database, Path("{tmp_path}")), "daemon")
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await worker.ready.wait()
        stop.set()
asyncio.run(main())
database.close()
sys.exit(" ".join({{"procrastinate", "psycopg", "psycopg_pool"}} & set(sys.modules)) or 0)
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@ON_SERVER
def test_the_librarys_tables_stand_in_a_schema_of_their_own_with_their_version(database: Database) -> None:
    from procrastinate import __version__

    said = text("SELECT obj_description(CAST('procrastinate' AS regnamespace), 'pg_namespace')")
    assert database.read_now(lambda c: c.execute(said).scalar()) == f"Procrastinate {__version__}"
    strays = text(
        "SELECT count(*) FROM pg_class"
        " WHERE relname LIKE 'procrastinate%' AND relnamespace <> CAST('procrastinate' AS regnamespace)"
    )
    assert database.read_now(lambda c: c.execute(strays).scalar()) == 0
