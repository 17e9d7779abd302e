"""Several tickers on one database, with edits in between: every firing that the rule says, and each exactly once."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select

from prestaconsole.database import Database
from prestaconsole.model import FeedRun
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner.firing import Rule, read_rule, share
from prestaconsole.runner.schedules import ScheduleRecord, set_schedule, shop_schedules, tick
from tests.support.runs import START, add_shop, feed

CHOICES = [
    *("every 2 min", "every 3 min", "*/5 * * * *", "every 7 min", "off", "*/2 * * * *", "0,17,34 * * * *"),
    *("every 4 min between 10:00 and 11:30", "*/3 * * * * between 12:00 and 10:45", "daily 11:20"),
]


@pytest.fixture(autouse=True)
def paged() -> Iterator[None]:
    with feed("paged"):
        yield


class Model:
    """What must fire, by the rule alone: a start a schedule, moved on when it fires and set anew by an edit."""

    def __init__(self, shops: list[ShopRecord], chance: random.Random) -> None:
        self.shops, self.chance = shops, chance
        self.rules: dict[int, Rule | None] = {}
        self.due: dict[int, datetime | None] = {}

    def edit(self, shop: ShopRecord, now: datetime) -> Callable[[Connection], ScheduleRecord]:
        """Decide on another schedule; gives the edit itself."""
        every = self.chance.choice(CHOICES)
        rule = None if every == "off" else read_rule(every, shop.zone, share(shop.id, "paged"))
        self.rules[shop.id] = rule
        self.due[shop.id] = rule.next(now) if rule else None
        return lambda c: set_schedule(c, shop=shop, feed="paged", every=every, actor="x", now=now)

    def move_on(self, now: datetime) -> set[int]:
        """The shops that fire at this moment."""
        fired = set()
        for shop_id, due in self.due.items():
            rule = self.rules[shop_id]
            if rule is None or due is None or due > now:
                continue
            if rule.window is not None and not rule.window.is_open(rule.zone, now):
                self.due[shop_id] = rule.inside(now)
                continue
            self.due[shop_id] = rule.next(now, due)
            fired.add(shop_id)
        return fired


def fired_in(connection: Connection) -> Counter[int]:
    """The runs of this round by shop; they go, so that the next round counts its own."""
    found = Counter(connection.execute(select(FeedRun.shop_id)).scalars().all())
    connection.execute(delete(FeedRun))
    return found


async def rounds(database: Database, number: int, tickers: list[Callable[[datetime], object]], seed: int) -> int:
    """So many moments, each with all tickers at once and sometimes an edit beside them; gives how many fired."""
    chance = random.Random(seed)
    shops = [add_shop(database, f"shop{count}") for count in range(8)]
    model, now, total = Model(shops, chance), START, 0
    for shop in shops:
        database.write_now(model.edit(shop, now))
    for _ in range(number):
        now += timedelta(seconds=chance.choice([30, 60, 60, 90, 200]))
        edited = chance.sample(shops, 1) if chance.random() < 0.3 else []
        must = model.move_on(now)
        edits = [partial(database.write_now, model.edit(shop, now)) for shop in edited]
        calls = [partial(one, now) for one in tickers] + edits
        chance.shuffle(calls)
        await asyncio.gather(*(asyncio.to_thread(call) for call in calls))
        found = database.write_now(fired_in)
        # An edit beside the tick comes before it or after it: then that shop fires by the old rule or not at all.
        unsure = {shop.id for shop in edited}
        assert {shop: found[shop] for shop in must - unsure} == dict.fromkeys(must - unsure, 1)
        assert found.keys() <= must
        assert all(found[shop] <= 1 for shop in unsure)
        for shop in shops:
            schedule = database.read_now(lambda c, shop=shop: shop_schedules(c, shop.id))["paged"]  # type: ignore[misc]
            assert schedule.next_due == model.due[shop.id], (shop.id, schedule)
        total += found.total()
    return total


async def test_each_firing_comes_once_with_three_tickers_and_edits_in_between(
    database: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    others = [open_database(database_url), open_database(database_url)]

    def ticking(one: Database) -> Callable[[datetime], object]:
        return lambda now: one.write_now(lambda c: tick(c, now))

    assert await rounds(database, 25, [ticking(one) for one in (database, *others)], seed=7) > 35


class Ticker:
    """A process of its own that ticks."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runner.tickers", url],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None and self._process.stdout.readline() == "ready\n"

    def __call__(self, now: datetime) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{now.isoformat()}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=20)


@pytest.mark.slow
async def test_over_a_thousand_firings_by_two_processes_with_edits_in_between(
    database: Database, database_url: str
) -> None:
    tickers = [Ticker(database_url), Ticker(database_url)]
    try:
        assert await rounds(database, 700, list(tickers), seed=11) > 1000
    finally:
        for ticker in tickers:
            ticker.close()
