"""A daemon that starts after days finds what was missed: one plan with counts, no flood, each feed once."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from prestaconsole.database import Database
from prestaconsole.model import FeedRun, FeedSchedule, Runner, RunState
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner.schedules import set_schedule
from prestaconsole.services.status import status
from tests.support.daemons import until
from tests.support.fleet import PRIORITIES, FastClock, Member, fleet_feeds, make_tables
from tests.support.runs import START, add_shop, make_core

pytestmark = pytest.mark.slow

AWAY = timedelta(days=3, hours=2)
EVERY = {"orders": "every 60 min", "stock": "every 90 min", "products": "daily 03:00"}
SHOPS = 5
SPEED = 8.0
"""The starts lie two seconds apart, and the next regular one comes an hour later: far behind the end of the test."""


@pytest.fixture
def clock() -> FastClock:
    return FastClock(time.time(), SPEED)


@pytest.fixture
def left(database: Database) -> Iterator[Database]:
    """What a machine left that was switched off days ago: schedules, the last good runs, its last sign of life."""
    make_tables(database)
    gone = START - AWAY
    with fleet_feeds():
        for number in range(SHOPS):
            _leave(database, add_shop(database, f"shop{number}"), gone)
    entry = {"kind": "daemon", "host": "h", "pid": 1, "started_at": gone - timedelta(days=9), "heartbeat": gone}
    database.write_now(lambda c: c.execute(insert(Runner).values(**entry)))
    yield database


def _leave(database: Database, shop: ShopRecord, gone: datetime) -> None:
    for name, every in EVERY.items():
        database.write_now(
            lambda c, name=name, every=every: set_schedule(  # type: ignore[misc]
                c, shop=shop, feed=name, every=every, actor="Zofia", now=gone
            )
        )
        run = {"shop_id": shop.id, "feed": name, "serial_key": f"{shop.id}:{name}", "actor": "schedule"}
        times = dict.fromkeys(("due", "created_at", "started_at", "ended_at"), gone)
        row = {**run, **times, "state": RunState.DONE}
        database.write_now(lambda c, row=row: c.execute(insert(FeedRun).values(**row)))  # type: ignore[misc]


def test_a_daemon_back_after_days_does_each_feed_once_orders_first_and_says_so(
    left: Database, tmp_path: Path, clock: FastClock
) -> None:
    daemon = Member("daemon", left, tmp_path, clock, catches_up=True, stale_seconds=36_000.0)
    number = SHOPS * len(EVERY)
    try:
        fired = select(FeedRun.id).where(FeedRun.created_at >= START, FeedRun.state == RunState.DONE)
        until(lambda: len(left.read_now(lambda c: c.execute(fired).all())) >= number or not daemon.alive(), 120.0)
        assert daemon.alive(), daemon.said()
        _each_once_and_apart(left)
        later = left.read_now(lambda c: c.execute(select(FeedSchedule.next_due)).scalars().all())
        assert all(due is not None and due > START + timedelta(minutes=2) for due in later)
        each = ", ".join(f"{SHOPS} {name}" for name in PRIORITIES)
        words = f"away for 3 d 2 h: {number} feeds of {SHOPS} shops are due ({each}), orders first"
        assert daemon.said().count("Catching up: ") == 1
        assert f"Catching up: {words}, spread over {2 * (number - 1)} s." in daemon.said()
        core = make_core(left, tmp_path, clock=clock)
        shown = status(core).catch_up
        assert shown is not None
        assert (shown.feeds, shown.shops) == (number, SHOPS)
        assert shown.words.startswith(words)
        core.close()
        assert daemon.stop() == 0, daemon.said()
    finally:
        daemon.close()


def _each_once_and_apart(database: Database) -> None:
    rows = database.read_now(lambda c: c.execute(text("SELECT shop_id, feed, due, at FROM fleet_firing")).all())
    rows = sorted(rows, key=lambda row: row.due)
    assert [row.feed for row in rows] == [name for name in PRIORITIES for _ in range(SHOPS)]
    assert len({(row.shop_id, row.feed) for row in rows}) == len(rows)
    dues = [datetime.fromisoformat(row.due) for row in rows]
    assert {later - earlier for earlier, later in pairwise(dues)} == {timedelta(seconds=2)}
    assert all(datetime.fromisoformat(row.at) >= due for row, due in zip(rows, dues, strict=True))
    made = database.read_now(
        lambda c: c.execute(select(FeedRun.id, FeedRun.again).where(FeedRun.created_at >= START)).all()
    )
    assert len(made) == len(rows)
    pages = database.read_now(
        lambda c: c.execute(text("SELECT run_id, page, count(*) AS times FROM fleet_page GROUP BY run_id, page")).all()
    )
    assert {row.times for row in pages} == {1}
