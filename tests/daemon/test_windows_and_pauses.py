"""Windows and pauses with a daemon as a process, whichever dispatcher brings its runs: stop at a page, go on there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from prestaconsole.database import Database
from prestaconsole.model import FeedRun, Runner, RunState, RunWindow
from prestaconsole.operations.core import Core
from prestaconsole.runner.records import log_lines
from prestaconsole.runner.schedules import set_schedule
from prestaconsole.services import pauses, shops
from tests.support.daemons import PAGES, TroubledDaemon, WrongClock, ask, record, stops, until
from tests.support.runs import add_shop, effects, feed, make_core, make_effects

pytestmark = pytest.mark.slow
ONCE = list(range(1, PAGES + 1))
DAY = 86_400.0
Start = Callable[..., TroubledDaemon]


def looks(database: Database, number: int = 3) -> None:
    """Wait until the daemon has looked at its work so many times more."""

    def seen() -> datetime | None:
        return database.read_now(lambda c: c.execute(select(Runner.progress_at)).scalars().first())

    for _ in range(number):
        before = seen()
        until(lambda before=before: seen() != before)  # type: ignore[misc]  # a default


def test_a_run_stops_when_its_window_shuts_and_goes_on_at_its_page_in_the_next_one(
    database: Database, database_url: str, tmp_path: Path, start_daemon: Start
) -> None:
    make_effects(database)
    shop = add_shop(database, zone="UTC")
    clock = WrongClock(tmp_path / "clock")
    tomorrow = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) + timedelta(days=1)

    def at(moment: datetime) -> str:
        return str((moment - datetime.now(UTC)).total_seconds())

    (tmp_path / "clock").write_text(at(tomorrow - timedelta(minutes=30)))
    with feed("paged", schedulable=True):
        every = "daily 01:00 between 01:00 and 05:00"
        plan = database.write_now(
            lambda c: set_schedule(c, shop=shop, feed="paged", every=every, actor="Zofia", now=clock.now())
        )
    assert plan.next_due == tomorrow
    (tmp_path / "gate").write_text("5")
    # Leases of days, so that a clock which is set on by hours takes nothing away.
    daemon = start_daemon(database_url, tmp_path, stale_seconds=3 * DAY)
    daemon.ready()
    looks(database)
    assert database.read_now(lambda c: c.execute(select(FeedRun.id)).all()) == []
    daemon.switch("clock", at(tomorrow + timedelta(minutes=1)))
    until(lambda: database.read_now(lambda c: c.execute(select(FeedRun.id)).all()) and record(database, 1).done == 5)
    daemon.switch("clock", at(tomorrow + timedelta(hours=4, minutes=1)))
    daemon.switch("gate", None)
    until(lambda: record(database, 1).state is RunState.QUEUED)
    stopped = record(database, 1)
    window = database.read_now(lambda c: c.execute(select(FeedRun.window)).scalar_one())
    assert (stopped.due, window, stopped.attempt) == (tomorrow + timedelta(days=1), RunWindow.WAITS, 0)
    assert effects(database) == ONCE[: stopped.done]
    assert 5 <= stopped.done < PAGES
    looks(database)
    assert record(database, 1).state is RunState.QUEUED
    daemon.switch("clock", at(tomorrow + timedelta(days=1, minutes=1)))
    until(lambda: record(database, 1).state is RunState.DONE)
    assert effects(database) == ONCE
    said = [line.text for line in database.read_now(lambda c: log_lines(c, 1))]
    assert sum("Its window has shut" in line for line in said) == 1
    assert len(database.read_now(lambda c: c.execute(select(FeedRun.id)).all())) == 1
    stops(daemon)


def _pause(core: Core, what: str) -> None:
    if what == "shop":
        shops.pause_shop(core, "wolle", reason="the line is down", actor="Zofia")
    else:
        pauses.pause_everything(core, reason="the line is down", actor="Zofia")


def _resume(core: Core, what: str) -> None:
    if what == "shop":
        shops.resume_shop(core, "wolle", actor="Zofia")
    else:
        pauses.resume_everything(core, actor="Zofia")


@pytest.mark.parametrize("what", ["shop", "everything"])
def test_a_pause_stops_a_run_at_its_page_and_another_shop_only_where_everything_is_paused(
    database: Database, database_url: str, tmp_path: Path, start_daemon: Start, what: str
) -> None:
    make_effects(database)
    core = make_core(database, tmp_path)
    run_id = ask(database, add_shop(database).id)
    (tmp_path / "gate").write_text("5")
    # No lease is lost by a machine that is held up, so nothing but the pause stops a run.
    daemon = start_daemon(database_url, tmp_path, stale_seconds=20.0)
    until(lambda: record(database, run_id).done == 5, said=daemon.said)
    other = ask(database, add_shop(database, "other").id)
    until(lambda: record(database, other).done == 5)
    _pause(core, what)
    daemon.switch("gate", None)
    until(lambda: record(database, run_id).state is RunState.QUEUED)
    stopped = record(database, run_id)
    assert 5 <= stopped.done < PAGES
    if what == "shop":
        until(lambda: record(database, other).state is RunState.DONE)
    else:
        until(lambda: record(database, other).state is RunState.QUEUED)
    looks(database)
    assert record(database, run_id) == stopped
    _resume(core, what)
    until(lambda: all(record(database, run).state is RunState.DONE for run in (run_id, other)))
    assert sorted(effects(database)) == sorted(2 * ONCE)
    stops(daemon)
    core.close()
