"""Feeds of one shop or of all: schedule, state, the run at work, next time or why not. Imports feeds and below."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection, Row

from prestaconsole.feeds.interlock import Permission, permission
from prestaconsole.feeds.registry import FEEDS, FeedSpec
from prestaconsole.model.runs import FeedRun, FeedSchedule, FeedState, RunState
from prestaconsole.model.shops import Shop, ShopMode
from prestaconsole.operations.shops import ShopRecord, fold, load_shop
from prestaconsole.runner.freshness import limit_minutes
from prestaconsole.runner.windows import with_window
from prestaconsole.services.estimates import Estimate, estimates
from prestaconsole.services.views.rows import Ask

#: Feeds that fit beside a shop's id in one row id.
SHIFT = 64
_NAMES = tuple(FEEDS)
_ESTIMATES_KEPT = 60.0
_NEED = {"FAIL": 0, "HELD": 1, "RUN": 2, "queued": 3, "ok": 4, "–": 4, "off": 5, "locked": 6}


@dataclass(frozen=True)
class RunLine:
    """A run as the list shows it."""

    id: int
    state: str
    done: int
    total: int | None
    phase: str
    counts: Mapping[str, int]
    attempt: int
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    progress_at: datetime | None
    ended_at: datetime | None
    due: datetime
    again: bool
    actor: str
    error: str
    remedy: str

    @property
    def at_work(self) -> bool:
        """Whether somebody works on it now."""
        return self.state == RunState.RUNNING


@dataclass(frozen=True)
class FeedLine:
    """One feed of one shop. ``active`` is the run queued or at work, ``last`` the newest one that ended."""

    id: int
    shop_id: int
    shop_code: str
    shop: str
    mode: str
    zone: str
    feed: str
    title: str
    writes: bool
    schedulable: bool
    schedule: str
    enabled: bool
    next_due: datetime | None
    scheduled_by: str
    scheduled_at: datetime | None
    last_ok_at: datetime | None
    freshness_minutes: int
    lock: str
    reason: str
    unlock: str
    plans_only: bool
    active: RunLine | None
    last: RunLine | None
    estimate: Estimate | None = None
    """What a run would take now, where requests were measured."""

    @property
    def state(self) -> str:
        """The word of the State column."""
        if self.active is not None:
            return "RUN" if self.active.at_work else "queued"
        if self.lock:
            return "locked"
        if self.last is not None and self.last.state == RunState.FAILED:
            return "FAIL"
        if self.last is not None and self.last.state == RunState.HELD:
            return "HELD"
        if self.schedule and not self.enabled:
            return "off"
        return "ok" if self.last_ok_at or self.last else "–"


def key(shop_id: int, feed: str) -> int:
    """The id of a row."""
    return shop_id * SHIFT + _NAMES.index(feed)


def split(identity: int) -> tuple[int, str]:
    """The shop and the feed of a row's id."""
    return identity // SHIFT, _NAMES[identity % SHIFT]


class FeedsQuery:
    """One row a feed: in one shop by the feed table, locked ones last; over all shops the worst first."""

    orders: Sequence[str] = ("need", "shop")

    def __init__(self) -> None:
        self._takes: dict[int, tuple[float, dict[str, Estimate]]] = {}

    def ids(self, connection: Connection, ask: Ask) -> Iterable[int]:
        """The feeds of the shop asked for, or of all shops that are connected."""
        shops = select(Shop.id, Shop.name, Shop.mode).order_by(Shop.name)
        if ask.shop is not None:
            shops = shops.where(Shop.id == ask.shop)
        words = fold(ask.words).split()
        words_of = [
            (shop.id, shop.name, spec, ShopMode(shop.mode))
            for shop in connection.execute(shops)
            if ask.shop is not None or shop.mode != ShopMode.DRAFT
            for spec in FEEDS.values()
        ]
        found = [
            (key(shop_id, spec.name), spec.modes[mode] == "locked", place)
            for place, (shop_id, name, spec, mode) in enumerate(words_of)
            if all(word in fold(f"{name} {spec.name} {spec.title}") for word in words)
        ]
        if ask.shop is not None or ask.order == "shop":
            found.sort(key=lambda row: (row[1], row[2]) if ask.shop is not None else row[2])
            return [row[0] for row in found]
        trouble = _trouble(connection)
        found.sort(key=lambda row: (6 if row[1] else trouble.get(row[0], 4), row[2]))
        return [row[0] for row in found]

    def rows(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, FeedLine]:
        """The lines of these feeds, each with what the gate says of it now."""
        shop_ids = sorted({identity // SHIFT for identity in ids})
        schedules = _by_feed(connection, select(*FeedSchedule.__table__.columns), FeedSchedule, shop_ids)
        states = _by_feed(connection, select(*FeedState.__table__.columns), FeedState, shop_ids)
        active = {
            key(row.shop_id, row.feed): _run(row)
            for row in connection.execute(
                _runs()
                .where(FeedRun.shop_id.in_(shop_ids), FeedRun.active_key.is_not(None))
                .order_by(FeedRun.id.desc())
            )
            if row.feed in FEEDS
        }
        last_ids = [row.last_run_id for row in states.values() if row.last_run_id is not None]
        last = {
            key(row.shop_id, row.feed): _run(row)
            for row in connection.execute(_runs().where(FeedRun.id.in_(last_ids), FeedRun.ended_at.is_not(None)))
            if row.feed in FEEDS
        }
        records = {shop_id: load_shop(connection, shop_id) for shop_id in shop_ids}
        takes = {shop_id: self._estimates(connection, record) for shop_id, record in records.items()}
        found: dict[int, FeedLine] = {}
        for identity in ids:
            shop_id, feed = split(identity)
            allowed = permission(connection, records[shop_id], feed)
            found[identity] = _line(
                identity, records[shop_id], FEEDS[feed], allowed, schedules.get(identity), states.get(identity),
                active.get(identity), last.get(identity), takes[shop_id].get(feed),
            )  # fmt: skip
        return found

    def _estimates(self, connection: Connection, shop: ShopRecord) -> dict[str, Estimate]:
        """They count whole tables and change slowly, so they are read once a minute, not at each look."""
        now = time.monotonic()
        known = self._takes.get(shop.id)
        if known is None or now - known[0] > _ESTIMATES_KEPT:
            known = self._takes[shop.id] = (now, estimates(connection, shop))
        return known[1]


def _runs() -> Any:
    return select(
        FeedRun.id, FeedRun.shop_id, FeedRun.feed, FeedRun.state, FeedRun.done, FeedRun.total, FeedRun.phase,
        FeedRun.counts, FeedRun.attempt, FeedRun.cancel_requested, FeedRun.created_at, FeedRun.started_at,
        FeedRun.progress_at, FeedRun.ended_at, FeedRun.due, FeedRun.again, FeedRun.actor, FeedRun.error,
        FeedRun.remedy,
    )  # fmt: skip


def _run(row: Row[Any]) -> RunLine:
    return RunLine(**{name: value for name, value in row._mapping.items() if name not in ("shop_id", "feed")})


def _by_feed(connection: Connection, statement: Any, table: Any, shop_ids: Sequence[int]) -> dict[int, Row[Any]]:
    rows = connection.execute(statement.where(table.shop_id.in_(shop_ids)))
    return {key(row.shop_id, row.feed): row for row in rows if row.feed in FEEDS}


def _trouble(connection: Connection) -> dict[int, int]:
    """How far up a feed belongs over all shops: failed or held last, then at work, then queued."""
    ended = select(FeedState.shop_id, FeedState.feed, FeedRun.state).join(FeedRun, FeedRun.id == FeedState.last_run_id)
    active = select(FeedRun.shop_id, FeedRun.feed, FeedRun.state).where(FeedRun.active_key.is_not(None))
    words = {RunState.FAILED: "FAIL", RunState.HELD: "HELD", RunState.RUNNING: "RUN", RunState.QUEUED: "queued"}
    found: dict[int, int] = {}
    for statement in (ended, active):
        for row in connection.execute(statement):
            if row.feed in FEEDS and row.state in words:
                found[key(row.shop_id, row.feed)] = _NEED[words[RunState(row.state)]]
    return found


def _line(
    identity: int,
    shop: Any,
    spec: FeedSpec,
    allowed: Permission,
    schedule: Row[Any] | None,
    state: Row[Any] | None,
    active: RunLine | None,
    last: RunLine | None,
    estimate: Estimate | None,
) -> FeedLine:
    return FeedLine(
        id=identity,
        shop_id=shop.id,
        shop_code=shop.code,
        shop=shop.name,
        mode=shop.mode,
        zone=shop.zone.key,
        feed=spec.name,
        title=spec.title,
        writes=spec.writes,
        schedulable=spec.schedulable,
        schedule=with_window(schedule.every, schedule.window) if schedule is not None else "",
        enabled=bool(schedule.enabled) if schedule is not None else False,
        next_due=schedule.next_due if schedule is not None and schedule.enabled else None,
        scheduled_by=schedule.updated_by if schedule is not None else "",
        scheduled_at=schedule.updated_at if schedule is not None else None,
        last_ok_at=state.last_ok_at if state is not None else None,
        freshness_minutes=limit_minutes(shop, spec),
        lock=allowed.lock,
        reason=allowed.reason,
        unlock=allowed.unlock,
        plans_only=allowed.kind == "plan",
        active=active,
        last=last,
        estimate=estimate,
    )
