"""After a long stop: one run a schedule, the orders first, spread, counted in log, audit and status."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from prestaconsole.database import Database
from prestaconsole.model import AuditEvent, FeedSchedule, Runner, Shop
from prestaconsole.runner import catchup
from prestaconsole.runner.catchup import catch_up, last_catch_up, length
from prestaconsole.runner.schedules import set_schedule, tick
from prestaconsole.services.status import status
from tests.runner.test_worker import until, working
from tests.support.runs import START, FakeClock, add_shop, feed, make_core, run_rows

AWAY = timedelta(days=2, hours=4)


@pytest.fixture(autouse=True)
def three() -> Iterator[None]:
    with feed("orders", priority=10), feed("goods", priority=60), feed("check", priority=50):
        yield


def left(database: Database, shops: int = 3, *, kind: str = "daemon") -> None:
    """Shops whose three feeds are scheduled, and the last sign of a process that is gone since START."""
    for number in range(shops):
        shop = add_shop(database, f"shop{number}")
        for name, every in (("goods", "every 60 min"), ("orders", "every 5 min"), ("check", "daily 04:30")):
            database.write_now(
                lambda c, shop=shop, name=name, every=every: set_schedule(  # type: ignore[misc]
                    c, shop=shop, feed=name, every=every, actor="Zofia", now=START
                )
            )
    entry = {"kind": kind, "host": "h", "pid": 1, "started_at": START, "heartbeat": START}
    database.write_now(lambda c: c.execute(insert(Runner).values(**entry)))


def caught(database: Database, now: Any, **how: Any) -> Any:
    return database.write_now(lambda c: catch_up(c, now, owner=99, since=how.get("since")))


def test_missed_times_are_one_run_a_schedule_in_order_of_urgency_and_spread(database: Database) -> None:
    left(database)
    now = START + AWAY
    found = caught(database, now)
    assert (found.away, found.feeds, found.shops, found.each) == (AWAY, 9, 3, {"orders": 3, "check": 3, "goods": 3})
    started = [database.write_now(lambda c, at=at: tick(c, now + timedelta(seconds=at))) for at in range(20)]  # type: ignore[misc]
    assert started == [1, 0] * 9 + [0, 0]
    assert [row.feed for row in run_rows(database)] == ["orders"] * 3 + ["check"] * 3 + ["goods"] * 3
    assert caught(database, now + timedelta(minutes=1)) is None


def test_it_is_told_in_words_with_counts(sqlite_database: Database) -> None:
    left(sqlite_database)
    found = caught(sqlite_database, START + AWAY)
    assert found.words == (
        "away for 2 d 4 h: 9 feeds of 3 shops are due (3 orders, 3 check, 3 goods), orders first, spread over 16 s"
    )
    (event,) = sqlite_database.read_now(
        lambda c: c.execute(select(AuditEvent).where(AuditEvent.action == "catch up")).all()
    )
    assert (event.actor, event.reason) == ("runner", found.words)
    assert event.after["feeds"] == 9
    now = START + AWAY
    last = sqlite_database.read_now(lambda c: last_catch_up(c, now))
    assert last is not None
    assert (last.feeds, last.shops, last.until) == (9, 3, now + timedelta(seconds=16))
    assert sqlite_database.read_now(lambda c: last_catch_up(c, now + timedelta(minutes=30))) is not None
    assert sqlite_database.read_now(lambda c: last_catch_up(c, now + timedelta(hours=2))) is None


def test_however_many_feeds_they_are_spread_over_no_more_than_half_an_hour(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catchup, "_WITHIN", timedelta(seconds=18))
    left(sqlite_database, 12)
    now = START + AWAY
    found = caught(sqlite_database, now)
    assert found.feeds == 36
    due = sqlite_database.read_now(lambda c: c.execute(select(FeedSchedule.next_due)).scalars().all())
    assert sorted(one for one in due if one is not None) == [
        now + timedelta(seconds=0.5 * place) for place in range(36)
    ]


@pytest.mark.parametrize("minutes", [1, 14])
def test_after_a_short_stop_nothing_is_said_and_the_tick_does_it(sqlite_database: Database, minutes: int) -> None:
    left(sqlite_database)
    assert caught(sqlite_database, START + timedelta(minutes=minutes)) is None
    assert run_rows(sqlite_database) == []


def test_a_fresh_database_and_a_process_beside_one_at_work_were_not_away(sqlite_database: Database) -> None:
    left(sqlite_database, kind="command")
    now = START + AWAY
    assert caught(sqlite_database, now) is None
    entry = {"kind": "daemon", "host": "h", "pid": 2, "started_at": START, "heartbeat": now - timedelta(seconds=3)}
    sqlite_database.write_now(lambda c: c.execute(insert(Runner).values(**entry)))
    assert caught(sqlite_database, now) is None
    assert caught(sqlite_database, now, since=START) is None


def test_a_process_that_slept_itself_catches_up_too(sqlite_database: Database) -> None:
    left(sqlite_database)
    found = caught(sqlite_database, START + AWAY, since=START + timedelta(hours=1))
    assert found is not None
    assert found.away == AWAY - timedelta(hours=1)


def test_paused_shops_and_locked_feeds_are_not_counted(sqlite_database: Database) -> None:
    left(sqlite_database)
    sqlite_database.write_now(lambda c: c.execute(update(Shop).where(Shop.id == 1).values(paused_at=START)))
    found = caught(sqlite_database, START + AWAY)
    assert (found.feeds, found.shops) == (6, 2)


async def test_a_daemon_that_starts_after_it_says_so_in_log_and_status(
    sqlite_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left(sqlite_database, 2)
    clock = FakeClock(START + AWAY)
    core = make_core(sqlite_database, tmp_path, clock=clock)
    with caplog.at_level(logging.WARNING, "prestaconsole.runner.worker"):
        async with working(core, "daemon"):
            await until(lambda: clock.forward(2.0) > START and len(run_rows(sqlite_database)) == 6)
    assert "Catching up: away for 2 d 4 h: 6 feeds of 2 shops are due" in caplog.text
    shown = status(core).catch_up
    assert shown is not None
    assert (shown.feeds, shown.shops) == (6, 2)
    core.close()


def test_lengths_are_told_in_two_parts() -> None:
    assert [length(timedelta(seconds=seconds)) for seconds in (0, 59, 61, 3600, 90_000, 187_200)] == [
        *("0 s", "59 s", "1 min 1 s", "1 h", "1 d 1 h", "2 d 4 h")
    ]
