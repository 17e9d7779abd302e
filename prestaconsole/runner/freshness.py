"""Freshness: which feeds should have ended well by now, and the LATE incident of a shop (nightmare N6). Imports feeds.

A limit is the shop's own (`freshness.FEED`), else the feed's. A feed that its schedule asks for less often than its
limit is late only after its next start was missed.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.database import Connection
from prestaconsole.errors import PrestaConsoleError, UsageError
from prestaconsole.feeds.interlock import permission
from prestaconsole.feeds.registry import FEEDS, FeedSpec
from prestaconsole.model import FeedSchedule, FeedState, Incident, ShopMode
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.operations.shop_settings import SHOP_SETTINGS, value
from prestaconsole.operations.shops import ShopRecord, all_shops, zone_of
from prestaconsole.runner.firing import Rule, share
from prestaconsole.runner.moments import Moment
from prestaconsole.runner.reporting import CONTACT
from prestaconsole.runner.timing import parse
from prestaconsole.runner.windows import stored_window

CAUSE = "late"
CHECK_SECONDS = 60.0
GRACE_SECONDS = 600.0
"""A process that has only just begun lets what waited be done first: it would cry over the night it slept itself."""


@dataclass(frozen=True)
class Late:
    """A feed that has not ended well for longer than its limit; ``last_ok_at`` is None where it never did."""

    shop: ShopRecord
    feed: str
    last_ok_at: datetime | None
    limit_minutes: int

    @property
    def words(self) -> str:
        """``import_orders is late: last ended well 2026-03-02 12:04 UTC, limit 15 min``."""
        last = self.last_ok_at
        when = f"last ended well {last:%Y-%m-%d %H:%M} UTC" if last else "it has never ended well"
        return f"{self.feed} is late: {when}, limit {self.limit_minutes} min"


def limit_minutes(shop: ShopRecord, spec: FeedSpec) -> int:
    """The freshness limit in force: the shop's own, else the feed's; 0 is none."""
    name = f"freshness.{spec.name}"
    own = value(shop, name) if name in SHOP_SETTINGS and shop.settings.get(name) else None
    return spec.freshness_minutes if own is None else int(own)


def is_late(shop: ShopRecord, spec: FeedSpec, plan: Any, known: Any, now: datetime) -> bool:
    """Whether a scheduled feed is over its limit; drafts and paused shops are never late.

    ``plan`` and ``known`` are rows of its schedule and its state, or None.
    """
    limit = timedelta(minutes=limit_minutes(shop, spec))
    if plan is None or not plan.enabled or not limit or shop.mode is ShopMode.DRAFT or shop.paused:
        return False
    ends = [getattr(known, name, None) for name in ("last_ok_at", "window_ended_at")]
    last = max((moment for moment in ends if moment is not None), default=plan.updated_at)
    if now - last <= limit:
        return False
    start = _next_start(plan, last)
    return start is None or start <= last + limit or now - start > limit


def late_feeds(connection: Connection, shops: Iterable[ShopRecord], now: datetime) -> list[Late]:
    """Every late feed of these shops. One that the interlock locks is not late: what it waits for may be."""
    plans = {(row.shop_id, row.feed): row for row in connection.execute(select(*FeedSchedule.__table__.columns))}
    states = {(row.shop_id, row.feed): row for row in connection.execute(select(*FeedState.__table__.columns))}
    late = []
    for shop in shops:
        for spec in FEEDS.values():
            plan, state = plans.get((shop.id, spec.name)), states.get((shop.id, spec.name))
            if not is_late(shop, spec, plan, state, now):
                continue
            if permission(connection, shop, spec.name, unattended=True).kind != "locked":
                last = state.last_ok_at if state is not None else None
                late.append(Late(shop, spec.name, last, limit_minutes(shop, spec)))
    return late


@dataclass(frozen=True)
class Judgement:
    """What must change about LATE incidents: the late feeds of shops to open or bring up to date, shops to close."""

    late: dict[int, list[Late]]
    fresh: frozenset[int]

    def __bool__(self) -> bool:
        return bool(self.late or self.fresh)


def judge(connection: Connection, now: datetime, *, opening: bool = True) -> Judgement:
    """Compare what is late with the incidents that stand. Only reads. Without ``opening`` none is to be opened.

    A shop that does not answer, and a feed whose failure is an incident already, are not late besides.
    """
    told: dict[int, list[str]] = {}
    standing: dict[int, dict[str, Any]] = {}
    rows = select(Incident.shop_id, Incident.cause_key, Incident.detail).where(
        Incident.closed_at.is_(None), Incident.shop_id.is_not(None)
    )
    for row in connection.execute(rows):
        if row.cause_key == CAUSE:
            standing[row.shop_id] = dict(row.detail or {})
        else:
            told.setdefault(row.shop_id, []).append(row.cause_key)
    late: dict[int, list[Late]] = {}
    for one in late_feeds(connection, all_shops(connection), now):
        causes = told.get(one.shop.id, [])
        if CONTACT not in causes and not any(cause.startswith(f"run:{one.feed}:") for cause in causes):
            late.setdefault(one.shop.id, []).append(one)
    changed = {
        shop_id: feeds
        for shop_id, feeds in late.items()
        if (shop_id in standing or opening) and _feeds(feeds) != standing.get(shop_id, {}).get("feeds")
    }
    return Judgement(changed, frozenset(standing.keys() - late.keys()))


def report(connection: Connection, found: Judgement, now: datetime) -> None:
    """Open, bring up to date and close the LATE incidents: one a shop, however many of its feeds are late."""
    for shop_id, feeds in found.late.items():
        worst, more = feeds[0], len(feeds) - 1
        words = f"{worst.words}." + (f" {more} more {'feed is' if more == 1 else 'feeds are'} late." if more else "")
        open_incident(
            connection,
            shop_id=shop_id,
            cause_key=CAUSE,
            title=words,
            remedy=(
                "`prestaconsole status` says whether a daemon is at work, "
                f"`prestaconsole feed runs {worst.shop.code}` what became of its runs."
            ),
            severity="LATE",
            evidence="\n".join(one.words for one in feeds),
            at=now,
            count=0,
            detail={"feeds": _feeds(feeds)},
        )
    for shop_id in found.fresh:
        close_incident(connection, shop_id=shop_id, cause_key=CAUSE, by="fresh again", at=now)


async def keep_watch(
    core: Core,
    moment: Moment,
    at_work: Callable[[], bool],
    *,
    every: float = CHECK_SECONDS,
    grace: float = GRACE_SECONDS,
) -> None:
    """Look once a minute while this process does the work, until cancelled; trouble with the database is waited out."""
    began = core.clock.monotonic()
    while True:
        await asyncio.sleep(every)
        if not at_work():
            continue
        with suppress(PrestaConsoleError, SQLAlchemyError):
            opening = core.clock.monotonic() - began >= grace
            await _look_and_report(core, moment, opening)


async def _look_and_report(core: Core, moment: Moment, opening: bool) -> None:
    def look(connection: Connection) -> Judgement:
        return judge(connection, moment(connection), opening=opening)

    def store(connection: Connection) -> None:
        # Judged once more: another process may have reported since.
        report(connection, look(connection), moment(connection))

    if await core.database.read(look):
        await core.database.write(store)


def _feeds(feeds: Iterable[Late]) -> dict[str, str]:
    return {one.feed: "late" for one in feeds}


def _next_start(plan: Any, after: datetime) -> datetime | None:
    """The first start its schedule has after a moment; None where the words of the row cannot be read."""
    try:
        rule = Rule(parse(plan.every), zone_of(plan.zone), stored_window(plan.window), share(plan.shop_id, plan.feed))
        return rule.next(after)
    except UsageError:
        return None
