"""Run the safe steps of a shop in order: every feed that only reads, each after the one before (row B32).

May import runner, feeds, operations, model, database.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.errors import LockedError
from prestaconsole.feeds.interlock import permission
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import FeedRun, FeedState, RunState, RunWindow
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import ShopRecord, find_shop
from prestaconsole.runner.queue import active_key
from prestaconsole.services.feeds import run_feed
from prestaconsole.services.runs import Listener, RunDetail, wait_for

STILL_GOOD = timedelta(hours=24)
_UNFINISHED = frozenset({RunState.FAILED, RunState.CANCELLED, RunState.QUEUED, RunState.RUNNING})


@dataclass(frozen=True)
class Passed:
    """A step that was not run again: an earlier, interrupted attempt had done it."""

    feed: str
    ended_at: datetime


@dataclass(frozen=True)
class Waiting:
    """A feed that did not run, why, and what unlocks it; both empty where nothing but a person's wish is missing."""

    feed: str
    reason: str
    unlock: str


@dataclass(frozen=True)
class SafeSteps:
    """What happened, in order: steps passed over, steps run, steps that are locked, and what comes next.

    ``halted`` are the feeds before which this halts: they write to the shop or take over its stock, so a person
    starts each of them.
    """

    ran: tuple[RunDetail, ...]
    passed: tuple[Passed, ...]
    locked: tuple[Waiting, ...]
    halted: tuple[Waiting, ...]

    @property
    def finished(self) -> bool:
        """Whether every step that ran ended well."""
        return all(run.state == RunState.DONE for run in self.ran)


def safe_feeds() -> list[str]:
    """The feeds of "run the safe steps" in the order of their needs: they read only, as often as one likes."""
    return [spec.name for spec in FEEDS.values() if spec.safe]


async def run_safe(
    core: Core,
    shop: str,
    *,
    actor: str,
    afresh: bool = False,
    on_progress: Listener | None = None,
    started: Callable[[str], None] | None = None,
) -> SafeSteps:
    """Run every safe feed in order and wait for each; stops at the first that did not end well, and before writes.

    Where an earlier attempt was interrupted it goes on at that step: what ended well before it within a day is passed
    over, and a run that is still active is waited for. ``afresh`` begins with the first step.
    Raises ``LockedError`` when the very first step is locked.
    """
    passed = [] if afresh else await core.database.read(lambda c: _passed(c, find_shop(c, shop), core.clock.now()))
    ran: list[RunDetail] = []
    locked: list[Waiting] = []
    for feed in safe_feeds()[len(passed) :]:
        if started is not None:
            started(feed)
        try:
            ended = await _step(core, shop, feed, actor, on_progress)
        except LockedError as error:
            if not (ran or passed):
                raise
            locked.append(Waiting(feed, error.cause, error.remedy))
            continue
        ran.append(ended)
        if ended.state != RunState.DONE:
            break
    halted = await core.database.read(lambda c: _halted(c, find_shop(c, shop)))
    return SafeSteps(tuple(ran), tuple(passed), tuple(locked), tuple(halted))


async def _step(core: Core, shop: str, feed: str, actor: str, on_progress: Listener | None) -> RunDetail:
    active = await asyncio.to_thread(core.database.read_now, lambda c: _active(c, find_shop(c, shop), feed))
    if active is not None:
        return await wait_for(core, active, on_progress=on_progress)
    return await run_feed(core, shop, feed, actor=actor, on_progress=on_progress)


def _active(connection: Connection, shop: ShopRecord, feed: str) -> int | None:
    """The run that is queued or at work already, unless it waits for a window, which a person need not do."""
    found = select(FeedRun.id).where(
        FeedRun.active_key == active_key(shop.id, feed, {}), FeedRun.window != RunWindow.WAITS
    )
    if permission(connection, shop, feed).kind == "locked":
        return None
    return connection.execute(found).scalar_one_or_none()


def _passed(connection: Connection, shop: ShopRecord, now: datetime) -> list[Passed]:
    """The steps before the first unfinished one, if there is one, as far as all ended well within a day."""
    states = {
        row.feed: row
        for row in connection.execute(select(FeedState.feed, FeedState.last_ok_at).where(FeedState.shop_id == shop.id))
    }
    passed: list[Passed] = []
    for feed in safe_feeds():
        if _unfinished(connection, shop, feed):
            return passed
        last: Any = states[feed].last_ok_at if feed in states else None
        if last is None or now - last > STILL_GOOD:
            break
        passed.append(Passed(feed, last))
    return []


def _unfinished(connection: Connection, shop: ShopRecord, feed: str) -> bool:
    """Whether the last run that a person asked for did not end well, or has not ended."""
    mine = (FeedRun.shop_id == shop.id, FeedRun.feed == feed, FeedRun.trigger == "person")
    latest = select(FeedRun.state).where(*mine).order_by(FeedRun.id.desc()).limit(1)
    return connection.execute(latest).scalar() in _UNFINISHED


def _halted(connection: Connection, shop: ShopRecord) -> list[Waiting]:
    found = []
    for spec in FEEDS.values():
        if not spec.safe:
            allowed = permission(connection, shop, spec.name)
            locked = allowed.kind == "locked"
            found.append(Waiting(spec.name, allowed.reason if locked else "", allowed.unlock if locked else ""))
    return found
