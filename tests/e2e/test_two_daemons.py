"""Daemons and a console as real processes on one database: nothing twice, nothing lost, the urgent first.

PostgreSQL carries two daemons and a console, SQLite a daemon and a console of one machine; members come and go.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from prestaconsole.database import Database
from prestaconsole.model import FeedRun, FeedRunLog, RunState
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.schedules import ScheduleRecord, set_schedule
from tests.support.daemons import until
from tests.support.fleet import PAGES, PRIORITIES, FastClock, Member, fleet_feeds, make_tables
from tests.support.runs import add_shop

pytestmark = pytest.mark.slow

SLOTS = 2
FIRINGS = 1_000
CHOICES = ("every 1 min", "every 2 min", "*/1 * * * *", "*/2 * * * *", "every 3 min", "off")
PATIENCE = 200.0
"""Seconds for the thousand firings, which take a minute where nobody else works."""


class Fleet:
    """The members, their clock, and what the database says they did."""

    def __init__(self, database: Database, folder: Path, speed: float = 120.0) -> None:
        self.database, self.folder = database, folder
        self.clock = FastClock(time.time(), speed)
        self.members: list[Member] = []
        make_tables(database)

    def start(self, kind: str) -> Member:
        # Leases of hours by the fast clock: a machine that is held up loses none.
        member = Member(kind, self.database, self.folder, self.clock, slots_per_shop=SLOTS, stale_seconds=36_000.0)
        self.members.append(member)
        until(lambda: "is at work" in member.said() or not member.alive())
        assert member.alive(), member.said()
        return member

    def ask(self, shop: ShopRecord, name: str, **params: Any) -> int:
        now = self.clock.now()
        with fleet_feeds():
            return self.database.write_now(
                lambda c: (
                    request_run(
                        c, shop_id=shop.id, feed=name, actor="x", trigger="person", now=now, params=params
                    ).run_id
                )
            )

    def plan(self, shop: ShopRecord, name: str, every: str) -> ScheduleRecord:
        now = self.clock.now()
        with fleet_feeds():
            return self.database.write_now(
                lambda c: set_schedule(c, shop=shop, feed=name, every=every, actor="Zofia", now=now)
            )

    def rows(self, statement: Any) -> list[Any]:
        found = text(statement) if isinstance(statement, str) else statement
        return self.database.read_now(lambda c: list(c.execute(found).all()))

    def firings(self) -> int:
        return int(self.rows("SELECT count(*) FROM fleet_firing")[0][0])

    def states(self, runs: list[int]) -> Counter[str]:
        """How many of these runs are in which state."""
        return Counter(row.state for row in self.rows(select(FeedRun.state).where(FeedRun.id.in_(runs))))

    def close(self) -> None:
        for member in self.members:
            member.close()


@pytest.fixture
def fleet(database: Database, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(database, tmp_path)
    yield made
    made.close()


def _edits(fleet: Fleet, shops: list[ShopRecord]) -> tuple[Callable[[], None], list[ScheduleRecord]]:
    """A function that edits one schedule at random, and all the schedules as they were set."""
    chance, made = random.Random(5), [fleet.plan(shop, name, "every 1 min") for shop in shops for name in PRIORITIES]

    def edit() -> None:
        made.append(fleet.plan(chance.choice(shops), chance.choice(list(PRIORITIES)), chance.choice(CHOICES)))

    return edit, made


def _each_firing_follows_from_the_one_before(fleet: Fleet, made: list[ScheduleRecord]) -> None:
    """By the rule alone: the first start is the one that was stored, and each other follows from the last look."""
    found: dict[tuple[int, str, int], list[tuple[datetime, datetime]]] = defaultdict(list)
    for row in fleet.rows("SELECT shop_id, feed, version, due, at FROM fleet_firing"):
        times = datetime.fromisoformat(row.due), datetime.fromisoformat(row.at)
        found[row.shop_id, row.feed, row.version].append(times)
    known = {(one.shop_id, one.feed, one.version): one for one in made}
    assert found.keys() <= known.keys()
    for key, firings in found.items():
        coming = known[key].next_due
        for due, at in sorted(firings):
            assert due == coming, (key, sorted(firings))
            assert at >= due
            coming = known[key].rule.next(at, due)


def _each_turn_ran_once(fleet: Fleet) -> None:
    """Each page stands once for each turn of its run; a run starts over only where its log says so."""
    again = Counter(
        row.run_id for row in fleet.rows(select(FeedRunLog.run_id).where(FeedRunLog.text.startswith("Starts over")))
    )
    pages = Counter((row.run_id, row.page) for row in fleet.rows("SELECT run_id, page FROM fleet_page"))
    runs = fleet.rows(select(FeedRun.id, FeedRun.state))
    assert {row.state for row in runs} == {RunState.DONE}
    expected = {(row.id, page): 1 + again[row.id] for row in runs for page in range(1, PAGES + 1)}
    assert pages == expected


@pytest.mark.timeout(600)
def test_a_thousand_firings_with_edits_while_members_come_and_go(fleet: Fleet) -> None:
    shops = [add_shop(fleet.database, f"shop{number}") for number in range(8)]
    edit, made = _edits(fleet, shops)
    console = fleet.start("console")
    until(lambda: fleet.firings() > FIRINGS / 10, PATIENCE)
    first = fleet.start("daemon")
    changes = {FIRINGS // 2: lambda: fleet.start("daemon")} if not fleet.database.is_sqlite else {}
    changes[FIRINGS * 3 // 4] = lambda: _stops(first)
    while (number := fleet.firings()) < FIRINGS or changes:
        edit()
        for step in [step for step in changes if number >= step]:
            changes.pop(step)()
        until(lambda number=number: fleet.firings() >= number + 10, PATIENCE)  # type: ignore[misc]
    for shop in shops:
        made += [fleet.plan(shop, name, "off") for name in PRIORITIES]
    until(lambda: all(row.state == RunState.DONE for row in fleet.rows(select(FeedRun.state))), PATIENCE)
    _each_firing_follows_from_the_one_before(fleet, made)
    _each_turn_ran_once(fleet)
    noted = fleet.rows("SELECT max(at_work) AS most, max(same) AS same FROM fleet_page")[0]
    assert (noted.most, noted.same) == (SLOTS, 1)
    by = {row[0]: row[1] for row in fleet.rows("SELECT pid, count(*) FROM fleet_firing GROUP BY pid")}
    print(f"{fleet.firings()} firings by {len(by)} processes: {sorted(by.values())}")
    assert console.pid in by and len(by) == len(fleet.members)
    for member in fleet.members:
        if member is not first:
            _stops(member)


def _stops(member: Member) -> None:
    assert member.stop() == 0, member.said()


def test_an_order_poll_does_not_wait_behind_a_long_product_read_while_a_slot_is_free(fleet: Fleet) -> None:
    gate = fleet.folder / "gate"
    gate.touch()
    for kind in ("console", "daemon") if fleet.database.is_sqlite else ("console", "daemon", "daemon"):
        fleet.start(kind)
    shops = [add_shop(fleet.database, f"shop{number}") for number in range(4)]
    # More of each shop than may be at work: those that wait must not be in the way either.
    reads = [fleet.ask(shop, "products", part=part) for shop in shops for part in range(3)]
    until(lambda: fleet.states(reads)[RunState.RUNNING] == len(shops))
    for _ in range(5):
        polls = [fleet.ask(shop, "orders") for shop in shops]
        until(lambda polls=polls: fleet.states(polls) == {RunState.DONE: len(shops)})  # type: ignore[misc]
    assert fleet.states(reads) == {RunState.RUNNING: len(shops), RunState.QUEUED: 2 * len(shops)}
    gate.unlink()
    until(lambda: fleet.states(reads) == {RunState.DONE: len(reads)})
    _each_turn_ran_once(fleet)
    assert fleet.rows("SELECT max(same) FROM fleet_page")[0][0] == 1
