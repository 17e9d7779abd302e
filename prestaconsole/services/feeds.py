"""Feeds of a shop: how they stand, run now, schedule. Every way in passes the interlock.

May import runner, feeds, operations, model, database.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.feeds.interlock import Permission, permission
from prestaconsole.feeds.registry import FEEDS, FeedSpec, feed_spec
from prestaconsole.model import FeedRun, FeedSchedule, FeedState, RunState
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.pauses import lift_pauses
from prestaconsole.operations.shops import ShopRecord, find_shop
from prestaconsole.runner import queue, schedules
from prestaconsole.runner.freshness import is_late
from prestaconsole.runner.records import ACTIVE
from prestaconsole.runner.windows import with_default, with_window
from prestaconsole.services.estimates import Estimate, estimates
from prestaconsole.services.runs import Listener, RunDetail, read_run, wait_for
from prestaconsole.services.typed import one_line

KNOWN = ("keep", "overwrite", "sum")
PLANNED = ("import_stock",)
"""Feeds that write to no shop and can say what they would do all the same."""


@dataclass(frozen=True)
class FeedRow:
    """One feed of a shop. ``state`` is RUN, queued, locked, late, failed, ok, never or off, the first that holds.

    ``schedule`` is empty where none is set; ``plans_only`` says that the mode lets it plan and send nothing;
    ``run`` is the latest one, ``reason`` and ``unlock`` are set where it is locked.
    """

    shop: str
    feed: str
    title: str
    writes: bool
    state: str
    schedule: str
    enabled: bool
    plans_only: bool
    lock: str
    reason: str
    unlock: str
    next_due: datetime | None
    last_ok_at: datetime | None
    complete: bool
    run: int | None
    phase: str
    done: int
    total: int | None
    counts: Mapping[str, int]
    estimate: Estimate | None = None
    """What a run would take now, where requests were measured."""


@dataclass(frozen=True)
class Requested:
    """A run that was asked for; ``joined``: an active one was met, which runs once more after."""

    run: int
    joined: bool


def list_feeds(core: Core, shop: str) -> list[FeedRow]:
    """Every feed of a shop in the order in which they depend on each other."""
    return core.database.read_now(lambda c: feed_rows(c, find_shop(c, shop), core.clock.now()))


def feed_rows(connection: Connection, shop: ShopRecord, now: datetime) -> list[FeedRow]:
    """How the feeds of one shop stand, inside a transaction."""
    plans = select(*FeedSchedule.__table__.columns).where(FeedSchedule.shop_id == shop.id)
    states = select(*FeedState.__table__.columns).where(FeedState.shop_id == shop.id)
    planned = {row.feed: row for row in connection.execute(plans)}
    known = {row.feed: row for row in connection.execute(states)}
    rows, takes = [], estimates(connection, shop)
    for spec in FEEDS.values():
        allowed = permission(connection, shop, spec.name)
        mine = select(*FeedRun.__table__.columns).where(FeedRun.shop_id == shop.id, FeedRun.feed == spec.name)
        # The one at work stands before the latest: with parameters a feed may have several.
        latest = mine.order_by(FeedRun.state != RunState.RUNNING, FeedRun.id.desc()).limit(1)
        run = connection.execute(latest).one_or_none()
        row = _row(shop, spec, allowed, planned.get(spec.name), known.get(spec.name), run, now)
        rows.append(replace(row, estimate=takes.get(spec.name)))
    return rows


def _row(
    shop: ShopRecord, spec: FeedSpec, allowed: Permission, plan: Any, known: Any, run: Any, now: datetime
) -> FeedRow:
    locked = allowed.kind == "locked"
    return FeedRow(
        shop=shop.name,
        feed=spec.name,
        title=spec.title,
        writes=spec.writes,
        state=_state(shop, spec, locked, plan, known, run, now),
        schedule=with_window(plan.every, plan.window) if plan is not None else "",
        enabled=bool(plan is not None and plan.enabled),
        plans_only=allowed.kind == "plan",
        lock=allowed.lock,
        reason=allowed.reason if locked else "",
        unlock=allowed.unlock if locked else "",
        next_due=plan.next_due if plan is not None and plan.enabled else None,
        last_ok_at=known.last_ok_at if known is not None else None,
        complete=bool(known is not None and known.completed_at is not None),
        run=run.id if run is not None else None,
        phase=run.phase if run is not None else "",
        done=run.done if run is not None else 0,
        total=run.total if run is not None else None,
        counts=dict(run.counts) if run is not None else {},
    )


def _state(shop: ShopRecord, spec: FeedSpec, locked: bool, plan: Any, known: Any, run: Any, now: datetime) -> str:
    if run is not None and run.state in ACTIVE:
        return "RUN" if run.state == RunState.RUNNING else "queued"
    if locked:
        return "locked"
    if run is not None and run.state == RunState.FAILED:
        return "failed"
    if is_late(shop, spec, plan, known, now):
        return "late"
    if plan is not None and not plan.enabled:
        return "off"
    return "ok" if known is not None and known.last_ok_at is not None else "never"


# -- run -----------------------------------------------------------------------------------------------------


def request_feed(
    core: Core,
    shop: str,
    feed: str,
    *,
    actor: str,
    plan: bool = False,
    reason: str = "",
    known: str = "",
    repair: bool = False,
    params: Mapping[str, Any] | None = None,
    trigger: queue.Trigger = "person",
    in_window: bool = False,
) -> Requested:
    """Queue a run of a feed; an active one is joined and runs once more after.

    The window of its schedule binds what a schedule starts; this run keeps to it only with ``in_window``.
    ``plan`` sends nothing whatever the mode allows, and of import_stock only says what levels it would set; ``reason``
    is needed for a second import_stock; ``known`` says what it does with SKUs that another shop has initialised: keep,
    overwrite or sum. ``repair`` lets stock_check hand what differs to the next push; where the shop takes no push it
    is refused.
    Raises ``LockedError`` with the reason and what unlocks it, ``UsageError`` for an unknown feed or shop.
    """
    spec = feed_spec(feed)
    reason = one_line("reason", reason, 200)
    given = dict(params or {})
    if plan:
        if not spec.writes and feed not in PLANNED:
            raise UsageError(f"{feed} only reads: it has nothing to plan.", "Run it without --plan.")
        given["plan_only"] = True
    if known:
        if feed != "import_stock" or known not in KNOWN:
            raise UsageError("What to do with known SKUs is asked by import_stock alone: keep, overwrite or sum.", "")
        given["known"] = known
    if repair:
        if feed != "stock_check":
            raise UsageError("Only stock_check repairs.", "Other feeds have nothing to compare.")
        given["repair"] = True
    if reason:
        given["reason"] = reason

    def work(connection: Connection) -> Requested:
        now = core.clock.now()
        lift_pauses(connection, now)
        record = find_shop(connection, shop)
        permission(connection, record, feed, reason=reason, plan=plan).require()
        if repair:
            _require_push(connection, record)
        ticket = queue.request_run(
            connection,
            shop_id=record.id,
            feed=feed,
            actor=actor,
            trigger=trigger,
            now=now,
            params=given or None,
            keeps_window=in_window,
        )
        audit(
            connection,
            actor=actor,
            action="feed run",
            at=now,
            shop_id=record.id,
            record=f"run {ticket.run_id} {feed}",
            after=given or None,
            reason=reason,
        )
        return Requested(ticket.run_id, ticket.joined)

    return core.database.write_now(work)


def _require_push(connection: Connection, shop: ShopRecord) -> None:
    """Raise ``LockedError`` unless the shop takes stock from us now."""
    if permission(connection, shop, "export_stock").require().kind != "run":
        raise LockedError(
            f"{shop.name} is in {shop.mode}: nothing is repaired there, as nothing is sent.",
            f"`prestaconsole feed run {shop.code} stock_check` reports; in live a repair writes.",
        )


async def run_feed(
    core: Core,
    shop: str,
    feed: str,
    *,
    actor: str,
    plan: bool = False,
    reason: str = "",
    known: str = "",
    repair: bool = False,
    params: Mapping[str, Any] | None = None,
    in_window: bool = False,
    on_progress: Listener | None = None,
) -> RunDetail:
    """Queue a run and wait for its end; see ``request_feed``."""
    asked = await asyncio.to_thread(
        request_feed,
        core,
        shop,
        feed,
        actor=actor,
        plan=plan,
        reason=reason,
        known=known,
        repair=repair,
        params=params,
        in_window=in_window,
    )
    return await wait_for(core, asked.run, on_progress=on_progress)


def check_feed(core: Core, shop: str, feed: str, *, reason: str = "") -> Permission:
    """What the interlock says of a feed now. Raises ``UsageError`` for an unknown one."""
    return core.database.read_now(lambda c: permission(c, find_shop(c, shop), feed, reason=reason))


# -- schedule ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScheduleShown:
    """A schedule as it stands: ``words`` say what it means, ``next_times`` (UTC) are its next five starts.

    ``schedule`` is empty where none is set; ``notes`` name clock changes, the window, and the delay that keeps this
    shop apart from the others.
    """

    shop: str
    feed: str
    schedule: str
    enabled: bool
    zone: str
    window: str
    next_due: datetime | None
    words: str = ""
    cron: str = ""
    next_times: tuple[datetime, ...] = ()
    notes: tuple[str, ...] = ()
    set_by: str = ""
    set_at: datetime | None = None


def schedule_feed(core: Core, shop: str, feed: str, every: str, *, actor: str, zone: str = "") -> ScheduleShown:
    """Set when a feed runs: ``every 5 min``, ``daily 03:00 between 01:00 and 05:00``, a cron line, ``off``.

    ``zone`` is the shop's own unless named. Raises ``UsageError`` for what is not understood, ``LockedError`` for a
    feed that is never scheduled or that the mode locks (DESIGN §5: locked means neither run nor scheduled).
    """
    spec = feed_spec(feed)
    text = with_default(one_line("schedule", every, 120, needed=True), spec.default_every)
    if not text:
        raise UsageError(f"{feed} has no default schedule.", "Give a cron line or words such as “every 30 min”.")

    def work(connection: Connection) -> ScheduleShown:
        record, now = find_shop(connection, shop), core.clock.now()
        before = schedules.shop_schedules(connection, record.id).get(feed)
        made = schedules.set_schedule(
            connection, shop=record, feed=feed, every=text, actor=actor, now=now, zone=zone.strip()
        )
        audit(
            connection,
            actor=actor,
            action="feed schedule",
            at=now,
            shop_id=record.id,
            record=feed,
            before={"every": before.text if before and before.enabled else "off" if before else ""},
            after={"every": text, "zone": made.zone},
        )
        return _shown(record, feed, made, now)

    return core.database.write_now(work)


def show_schedule(core: Core, shop: str, feed: str) -> ScheduleShown:
    """When a feed runs, in words and with its next five starts. Raises ``UsageError`` for an unknown feed."""
    feed_spec(feed)

    def work(connection: Connection) -> ScheduleShown:
        record = find_shop(connection, shop)
        return _shown(record, feed, schedules.shop_schedules(connection, record.id).get(feed), core.clock.now())

    return core.database.read_now(work)


def _shown(shop: ShopRecord, feed: str, schedule: schedules.ScheduleRecord | None, now: datetime) -> ScheduleShown:
    if schedule is None:
        return ScheduleShown(shop.name, feed, "", False, shop.zone.key, "", None)
    reading = schedule.reading(now) if schedule.enabled else None
    return ScheduleShown(
        shop=shop.name,
        feed=feed,
        schedule=schedule.text,
        enabled=schedule.enabled,
        zone=schedule.zone,
        window=schedule.window,
        next_due=schedule.next_due,
        words=reading.words if reading else "",
        cron=reading.cron if reading else "",
        next_times=reading.next if reading else (),
        notes=reading.notes if reading else (),
        set_by=schedule.updated_by,
        set_at=schedule.updated_at,
    )


def run_of(core: Core, asked: Requested) -> RunDetail:
    """How a run that was asked for stands."""
    return core.database.read_now(lambda connection: read_run(connection, asked.run))
