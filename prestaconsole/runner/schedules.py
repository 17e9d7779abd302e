"""Schedules as rows: setting them, the defaults of a shop, and the tick that turns them into runs. Imports feeds."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select, update

from prestaconsole.database import Connection, insert_new, upsert
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.feeds.interlock import permission
from prestaconsole.feeds.registry import FEEDS, FeedSpec, feed_spec
from prestaconsole.model import FeedSchedule, Shop
from prestaconsole.operations.pauses import shop_paused
from prestaconsole.operations.shops import ShopRecord, load_shop, zone_of
from prestaconsole.runner.firing import Reading, Rule, describe_rule, read_rule, share
from prestaconsole.runner.opening import follow_window
from prestaconsole.runner.queue import request_if_open
from prestaconsole.runner.timing import parse
from prestaconsole.runner.windows import stored_window, with_window

log = logging.getLogger(__name__)

ACTOR = "schedule"
_AT_ONCE = 200
_PASSING_LOCKS = frozenset({"needs first", "paused"})
"""Locks that a schedule may wait behind: they end by themselves or by the next run of another feed."""


@dataclass(frozen=True)
class ScheduleRecord:
    """When a feed of a shop runs. ``next_due`` (UTC) is None while it is off, ``window`` empty or ``01:00-05:00``."""

    id: int
    shop_id: int
    feed: str
    every: str
    zone: str
    window: str
    enabled: bool
    next_due: datetime | None
    version: int
    updated_at: datetime
    updated_by: str

    @property
    def text(self) -> str:
        """As a person reads and may type it: ``daily 03:00 between 01:00 and 05:00``."""
        return with_window(self.every, self.window)

    @property
    def rule(self) -> Rule:
        """What it means. Raises ``UsageError`` for words that only a row written by hand can hold."""
        own = share(self.shop_id, self.feed)
        return Rule(parse(self.every), zone_of(self.zone), stored_window(self.window), own)

    def reading(self, now: datetime) -> Reading:
        """The schedule in words with its next five starts."""
        return describe_rule(self.rule, now, self.next_due)


_COLUMNS = [getattr(FeedSchedule, name) for name in ScheduleRecord.__dataclass_fields__]


def shop_schedules(connection: Connection, shop_id: int) -> dict[str, ScheduleRecord]:
    """The schedules of a shop by feed, those switched off included."""
    rows = connection.execute(select(*_COLUMNS).where(FeedSchedule.shop_id == shop_id).order_by(FeedSchedule.feed))
    return {row.feed: ScheduleRecord(*row) for row in rows}


def set_schedule(
    connection: Connection, *, shop: ShopRecord, feed: str, every: str, actor: str, now: datetime, zone: str = ""
) -> ScheduleRecord:
    """Set when a feed runs, or ``off``; it counts from this moment. ``zone`` is the shop's own unless named.

    A window may stand at the end of the words. A run that waits for the old window waits for the new one, or goes on.

    Raises ``LockedError`` for a feed that is never scheduled (import_stock, row B38) or that the mode locks,
    ``UsageError`` for an unknown feed, zone or timing.
    """
    spec = feed_spec(feed)
    off = every.strip().lower() == "off"
    if not off:
        require_schedulable(connection, shop, spec)
    name = _known_zone(zone) if zone else shop.zone.key
    before = shop_schedules(connection, shop.id).get(feed)
    rule = None if off else read_rule(every, ZoneInfo(name), share(shop.id, feed))
    row = {
        "shop_id": shop.id,
        "feed": feed,
        "every": rule.timing.text if rule else (before.every if before else spec.default_every),
        "zone": name,
        "window": (rule.window.text if rule.window else "") if rule else (before.window if before else ""),
        "enabled": not off,
        "next_due": rule.next(now) if rule else None,
        "version": (before.version if before else 0) + 1,
        "updated_at": now,
        "updated_by": actor,
    }
    upsert(connection, FeedSchedule, [row], key=["shop_id", "feed"])
    follow_window(connection, shop.id, feed, now)
    return shop_schedules(connection, shop.id)[feed]


def require_schedulable(connection: Connection, shop: ShopRecord, spec: FeedSpec) -> None:
    """Raise ``LockedError`` unless this feed may stand in a schedule of this shop in its mode."""
    if not spec.schedulable:
        words = (
            ("it sends what changed by itself, on each event.", f"`prestaconsole feed run {shop.code} {spec.name}`.")
            if spec.writes
            else ("a person runs it, once.", f"`prestaconsole feed run {shop.code} {spec.name}`.")
        )
        raise LockedError(f"{spec.name} is never scheduled: {words[0]}", words[1])
    allowed = permission(connection, shop, spec.name, unattended=True)
    if allowed.kind == "locked" and allowed.lock not in _PASSING_LOCKS:
        allowed.require()


def install_defaults(connection: Connection, shop: ShopRecord, actor: str, now: datetime) -> list[str]:
    """Give a shop the default schedules it does not have yet (FEATURES, interlock table); gives their feeds.

    Feeds that still need another one first are passed over by the tick until that has finished.
    """
    there = shop_schedules(connection, shop.id)
    rows = []
    for spec in FEEDS.values():
        if not spec.schedulable or not spec.default_every or spec.name in there:
            continue
        rule = read_rule(spec.default_every, shop.zone, share(shop.id, spec.name))
        rows.append(
            {
                "shop_id": shop.id,
                "feed": spec.name,
                "every": rule.timing.text,
                "zone": shop.zone.key,
                "window": rule.window.text if rule.window else "",
                "enabled": True,
                "next_due": rule.next(now),
                "version": 1,
                "updated_at": now,
                "updated_by": actor,
            }
        )
    insert_new(connection, FeedSchedule, rows, key=["shop_id", "feed"])
    return [str(row["feed"]) for row in rows]


def tick(connection: Connection, now: datetime) -> int:
    """Queue a run for each schedule that is due, and move the schedule on, all in this transaction; gives how many.

    Compare-and-set on ``next_due`` and ``version``: of two tickers one wins, and an edit in between wins over both.
    Times missed while nothing ran are one run. A feed that is locked now is passed over, a paused shop waits whole,
    and what comes too late for its window waits for the next opening.
    """
    return sum(fire(connection, schedule, now) for schedule in due_schedules(connection, now, limit=_AT_ONCE))


def due_schedules(connection: Connection, now: datetime, *, limit: int | None = None) -> list[ScheduleRecord]:
    """The schedules whose time has come and whose shop is not paused, the longest due first."""
    paused = exists().where(Shop.id == FeedSchedule.shop_id, shop_paused())
    due = (
        select(*_COLUMNS)
        .where(FeedSchedule.enabled, FeedSchedule.next_due <= now, FeedSchedule.feed.in_(list(FEEDS)), ~paused)
        .order_by(FeedSchedule.next_due, FeedSchedule.id)
        .limit(limit)
    )
    return [ScheduleRecord(*row) for row in connection.execute(due)]


def fire(connection: Connection, schedule: ScheduleRecord, now: datetime) -> bool:
    """Move the schedule on and queue its run; False where another was quicker, the gate is shut, or the window is.

    Both stand in one transaction, so a firing is neither lost nor doubled.
    """
    coming, waits = _coming(schedule, now)
    if not _move_on(connection, schedule, coming) or coming is None or waits:
        return False
    ticket = request_if_open(
        connection, shop_id=schedule.shop_id, feed=schedule.feed, actor=ACTOR, trigger="schedule", now=now
    )
    return ticket is not None


def put_off(connection: Connection, schedule: ScheduleRecord, start: datetime) -> bool:
    """Let a schedule that is due start a little later; False where another process was quicker."""
    return _move_on(connection, schedule, start)


def follow_zone(connection: Connection, before: ShopRecord, now: datetime) -> None:
    """Schedules that went by the shop's zone go by its new one, after `analyse` read another than stood there."""
    after = load_shop(connection, before.id)
    if after.zone.key == before.zone.key:
        return
    for schedule in shop_schedules(connection, before.id).values():
        if schedule.zone != before.zone.key:
            continue
        if schedule.enabled:
            moved = replace(schedule, zone=after.zone.key).rule
            beat = schedule.next_due if moved.timing.seconds and moved.window is None else moved.next(now)
        else:
            beat = schedule.next_due
        connection.execute(
            update(FeedSchedule)
            .where(FeedSchedule.id == schedule.id)
            .values(zone=after.zone.key, next_due=beat, version=FeedSchedule.version + 1)
        )
        follow_window(connection, before.id, schedule.feed, now)


def _coming(schedule: ScheduleRecord, now: datetime) -> tuple[datetime | None, bool]:
    """The start after this one, and whether this one is only put off: it came when its window had shut."""
    try:
        rule = schedule.rule
        if rule.window is not None and not rule.window.is_open(rule.zone, now):
            return rule.inside(now), True
        return rule.next(now, schedule.next_due), False
    except UsageError as error:
        # Only a row written by hand can hold such words; it must not stop the others.
        log.error("The schedule of %s in shop %s was switched off. %s", schedule.feed, schedule.shop_id, error)  # noqa: TRY400 - the trace says nothing here
        return None, False


def _move_on(connection: Connection, schedule: ScheduleRecord, coming: datetime | None) -> bool:
    """Win this firing: move ``next_due`` on, if it still is what we saw."""
    moved = (
        update(FeedSchedule)
        .where(
            FeedSchedule.id == schedule.id,
            FeedSchedule.version == schedule.version,
            FeedSchedule.next_due == schedule.next_due,
            FeedSchedule.enabled,
        )
        .values(next_due=coming, enabled=coming is not None)
    )
    return connection.execute(moved).rowcount == 1


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise UsageError(
            f"“{name}” is no time zone.", "Zones are called Europe/Paris, America/New_York, UTC."
        ) from None
