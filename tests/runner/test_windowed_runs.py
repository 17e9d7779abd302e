"""Runs that keep to the window of their schedule: start inside, stop at its end, go on there in the next one."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text, update

from prestaconsole.database import Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import FeedRun, FeedState, Incident, RunWindow
from prestaconsole.operations.core import Core
from prestaconsole.operations.pace import PaceKeeper
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner.claims import Claim, claim_next
from prestaconsole.runner.commit import RunCommit
from prestaconsole.runner.execution import execute
from prestaconsole.runner.freshness import is_late
from prestaconsole.runner.moments import moment_of
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import RunRecord, load_run, log_lines
from prestaconsole.runner.schedules import set_schedule, shop_schedules, tick
from tests.support.runs import FakeClock, add_shop, effects, feed, make_core, make_effects

# In Europe/Berlin, which is an hour ahead of UTC in March.
EVENING = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
OPENS = datetime(2026, 3, 3, 0, 0, tzinfo=UTC)
SHUTS = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = "daily 01:00 between 01:00 and 05:00"
PAGES = 10
LEASE = 1e6


class Night:
    """A shop with a feed of ten pages, an hour each, and the clock it goes by."""

    def __init__(self, database: Database, folder: Path, zone: str = "Europe/Berlin") -> None:
        self.database = database
        self.clock = FakeClock(EVENING)
        self.core: Core = make_core(database, folder, clock=self.clock)
        self.shop: ShopRecord = add_shop(database, zone=zone)
        self.at_page: Callable[[int], None] = lambda number: None
        make_effects(database)

    async def entry(self, context: FeedContext) -> Outcome:
        for number in range(context.run.checkpoint.get("page", 0) + 1, PAGES + 1):
            self.clock.forward(3600)
            self.at_page(number)
            row = {"shop": context.shop.id, "page": number}

            def store(connection: Connection, row: dict[str, int] = row) -> None:
                connection.execute(text("INSERT INTO page_effect (shop_id, page) VALUES (:shop, :page)"), row)

            await context.commit(store, checkpoint={"page": number}, done=number, total=PAGES, phase="pages")
        return Outcome(complete=True, text="all pages.")

    def now(self, moment: datetime) -> None:
        self.clock.forward((moment - self.clock.now()).total_seconds())

    def plan(self, every: str = WINDOW) -> None:
        self.database.write_now(
            lambda c: set_schedule(c, shop=self.shop, feed="slow", every=every, actor="Zofia", now=self.clock.now())
        )

    def tick(self) -> int:
        return self.database.write_now(lambda c: tick(c, self.clock.now()))

    def ask(self, trigger: Any = "person", **how: Any) -> int:
        return self.database.write_now(
            lambda c: (
                request_run(
                    c, shop_id=self.shop.id, feed="slow", actor="Zofia", trigger=trigger, now=self.clock.now(), **how
                ).run_id
            )
        )

    def run(self, run_id: int = 1) -> RunRecord:
        return self.database.read_now(lambda c: load_run(c, run_id))

    def window(self, run_id: int = 1) -> str:
        return self.database.read_now(
            lambda c: c.execute(select(FeedRun.window).where(FeedRun.id == run_id)).scalar_one()
        )

    async def work(self) -> None:
        """Do what may be done at this moment."""
        while (claim := self.claim()) is not None:
            commit = RunCommit(self.database, self.clock, moment_of(self.clock), claim, lease_seconds=LEASE)
            paces = PaceKeeper()
            await execute(self.core, moment_of(self.clock), claim, commit, paces)
            paces.close()

    def claim(self) -> Claim | None:
        return self.database.write_now(
            lambda c: claim_next(c, owner=1, now=self.clock.now(), slots=3, lease_seconds=LEASE)
        )


@pytest.fixture
def night(database: Database, tmp_path: Path) -> Iterator[Night]:
    made = Night(database, tmp_path)
    with feed("slow", entry=made.entry, freshness_minutes=60, attempts=2):
        yield made
    made.core.close()


async def test_it_starts_inside_stops_at_the_end_and_goes_on_at_its_page_in_the_next_window(night: Night) -> None:
    night.plan()
    assert night.tick() == 0
    night.now(OPENS)
    assert night.tick() == 1
    await night.work()
    found = night.run()
    assert (found.state, found.due, found.checkpoint, found.attempt) == ("queued", OPENS + DAY, {"page": 4}, 0)
    assert found.phase == "waits for its window, Wed 01:00 (Europe/Berlin)"
    assert night.window() == RunWindow.WAITS
    # Two more nights: the schedule fires in each, and no second turn is asked for.
    for number, pages in ((1, 8), (2, 10)):
        night.now(OPENS + DAY * number)
        night.tick()
        await night.work()
        assert effects(night.database) == list(range(1, pages + 1))
    found = night.run()
    assert (found.state, found.again) == ("done", False)
    said = [line.text for line in night.database.read_now(lambda c: log_lines(c, 1))]
    assert sum("Its window has shut" in line for line in said) == 2
    assert night.database.read_now(lambda c: c.execute(select(Incident.id)).all()) == []


async def test_a_stop_at_the_end_is_no_failure_and_the_feed_is_not_late_before_the_next_window_is_over(
    night: Night,
) -> None:
    night.plan()
    night.now(OPENS)
    night.tick()
    await night.work()

    def late(moment: datetime) -> bool:
        def work(connection: Connection) -> bool:
            state = connection.execute(select(*FeedState.__table__.columns)).one()
            plan = shop_schedules(connection, night.shop.id)["slow"]
            return is_late(night.shop, FEEDS["slow"], plan, state, moment)

        return night.database.read_now(work)

    assert night.run().error == ""
    assert not late(SHUTS + timedelta(hours=1))
    assert not late(OPENS + DAY)
    assert late(SHUTS + DAY + timedelta(hours=1))


def test_what_was_not_taken_before_the_end_waits_for_the_next_window(night: Night) -> None:
    night.plan()
    night.now(OPENS)
    assert night.tick() == 1
    night.now(SHUTS)
    claim = night.claim()
    assert claim is None
    assert (night.run().due, night.window()) == (OPENS + DAY, RunWindow.WAITS)
    night.now(OPENS + DAY)
    claim = night.claim()
    assert claim is not None
    assert (night.run().phase, night.window()) == ("", RunWindow.KEEPS)


def test_a_firing_that_comes_too_late_is_put_off_to_the_next_opening_not_lost(night: Night) -> None:
    night.plan()
    night.now(SHUTS + timedelta(hours=6))
    assert night.tick() == 0
    found = night.database.read_now(lambda c: shop_schedules(c, night.shop.id))["slow"]
    assert found.next_due == OPENS + DAY
    night.now(OPENS + DAY)
    assert night.tick() == 1
    assert night.database.read_now(lambda c: shop_schedules(c, night.shop.id))["slow"].next_due == OPENS + 2 * DAY


async def test_what_a_person_starts_is_not_bound_unless_asked(night: Night) -> None:
    night.plan()
    assert night.window(night.ask()) == RunWindow.FREE
    await night.work()
    assert night.run().state == "done"
    night.now(EVENING + DAY)
    asked = night.ask(keeps_window=True)
    found = night.run(asked)
    assert (found.state, found.due) == ("queued", OPENS + DAY)
    assert night.window(asked) == RunWindow.WAITS


async def test_run_now_frees_the_run_that_waits(night: Night) -> None:
    night.plan()
    night.now(OPENS)
    night.tick()
    await night.work()
    assert night.window() == RunWindow.WAITS
    assert night.ask() == 1
    found = night.run()
    assert (night.window(), found.due, found.phase) == (RunWindow.FREE, night.clock.now(), "")
    await night.work()
    assert set(effects(night.database)) == set(range(1, PAGES + 1))
    assert night.run().state == "done"


@pytest.mark.parametrize(
    ("every", "pages"),
    [("daily 01:00 between 01:00 and 03:00", 2), ("daily 01:00 between 01:00 and 08:00", 7), ("daily 01:00", 10)],
)
async def test_a_window_that_is_edited_holds_for_the_run_at_work(night: Night, every: str, pages: int) -> None:
    night.plan()
    night.now(OPENS)
    night.tick()
    night.at_page = lambda number: night.plan(every) if number == 2 else None
    await night.work()
    assert effects(night.database) == list(range(1, pages + 1))
    assert night.run().state == ("done" if pages == PAGES else "queued")


@pytest.mark.parametrize("every", ["every 60 min", "daily 01:00 between 04:00 and 07:00", "off"])
async def test_a_window_that_is_edited_wakes_the_run_that_waits(night: Night, every: str) -> None:
    night.plan()
    night.now(OPENS)
    night.tick()
    await night.work()
    night.plan(every)
    found = night.run()
    assert (found.state, found.due, found.phase) == ("queued", night.clock.now(), "")
    night.plan("daily 01:00 between 10:00 and 11:00")
    assert night.run().due == night.clock.now()


def test_a_window_across_midnight_and_both_nights_of_clock_change(night: Night) -> None:
    for day, opens, shuts in (
        (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 28, 21), datetime(2026, 3, 29, 3)),  # noqa: DTZ001
        (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 24, 20), datetime(2026, 10, 25, 4)),  # noqa: DTZ001
    ):
        night.now(day)
        night.plan("every 60 min between 22:00 and 05:00")
        found = night.database.read_now(lambda c: shop_schedules(c, night.shop.id))["slow"]
        assert found.next_due == opens.replace(tzinfo=UTC)
        starts = found.rule.upcoming(day, 9, found.next_due)
        inside = [start for start in starts if start < shuts.replace(tzinfo=UTC)]
        assert len(inside) == (shuts - opens) / timedelta(hours=1)
        assert starts[len(inside)] > shuts.replace(tzinfo=UTC)


async def test_a_failed_try_that_would_be_repeated_outside_waits(night: Night) -> None:
    night.plan()
    night.now(SHUTS - timedelta(seconds=1))
    night.database.write_now(
        lambda c: c.execute(update(FeedRun).values(due=SHUTS)),
    )
    night.ask("schedule")
    night.now(SHUTS)
    await night.work()
    assert effects(night.database) == []
    assert night.run().due == OPENS + DAY
