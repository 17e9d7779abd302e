"""Taking a run, keeping it, and taking over what a dead process left. Compare-and-set throughout. Imports feeds.

A claim raises the run's token by one. Everything the owner writes afterwards holds only `WHERE token = mine`, so an
owner that was thought dead and wakes up can store nothing (fencing, DESIGN §3 and §4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import aliased

from prestaconsole.database import Connection
from prestaconsole.feeds.interlock import Permission, permission
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import FeedRun, RunState, RunWindow, Shop, ShopMode
from prestaconsole.operations.pages import LogLine
from prestaconsole.operations.pauses import shop_paused
from prestaconsole.operations.shops import ShopRecord, load_shop
from prestaconsole.runner import endings
from prestaconsole.runner.dispatch import jobs
from prestaconsole.runner.opening import opens_later
from prestaconsole.runner.records import append_logs

_LOCK_CLASS = 7238
_LOOK_AT = 100
_RIVAL, _HOLDER = aliased(FeedRun), aliased(FeedRun)
EVERY = 1_000
"""A priority that none is less urgent than."""
URGENT = 20
"""Orders, and what looks at them again: every fourth place of a process is kept for them."""
NOW: BindParameter[datetime] = bindparam("now", type_=FeedRun.due.type)
SLOTS: BindParameter[int] = bindparam("slots", type_=Integer)
Planning = tuple[tuple[str, tuple[ShopMode, ...]], ...]

# SQLite has one writer, and leaves the lock away.
_EXPIRED = (
    select(FeedRun.id, FeedRun.shop_id, FeedRun.feed, FeedRun.token, FeedRun.attempt, FeedRun.cancel_requested)
    .where(FeedRun.state == RunState.RUNNING, FeedRun.lease_until < NOW)
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True)
class Claim:
    """A run that is ours until its lease ends: what the feed needs, and the token that fences it."""

    run_id: int
    token: int
    owner: int
    shop: ShopRecord
    feed: str
    params: Mapping[str, Any]
    checkpoint: Mapping[str, Any]
    plan_only: bool
    actor: str
    trigger: str
    attempt: int
    lease_until: datetime


def claim_next(
    connection: Connection,
    *,
    owner: int,
    now: datetime,
    slots: int,
    lease_seconds: float,
    only: int | None = None,
    up_to: int = EVERY,
) -> Claim | None:
    """Take the most urgent run that may start: by priority, then by due.

    At most ``slots`` runs of a shop are at work, and never two of one ``serial_key``. The interlock is asked again:
    what is paused stays in the queue, what the mode has locked since ends here with the reason, and what keeps to a
    window that is shut waits for its opening. ``only`` limits the look to one run, ``up_to`` to runs of this priority
    and more urgent ones. Gives None when there is nothing to take.
    """
    others_claim_in: set[int] = set()
    candidates = _candidates(planning_feeds(), only is not None)
    for row in connection.execute(candidates, {"now": now, "slots": slots, "only": only, "up_to": up_to}).all():
        # Once passed over, a shop stays so: its urgent runs were skipped, so the rest must not go before them.
        if row.shop_id in others_claim_in or not _alone_in_shop(connection, row.shop_id, wait=only is not None):
            others_claim_in.add(row.shop_id)
            continue
        shop = load_shop(connection, row.shop_id)
        allowed = _permission(connection, shop, row)
        if allowed.lock == "paused":
            continue
        if allowed.kind == "locked":
            endings.end_locked(connection, row.id, row.token, allowed.reason, allowed.unlock, now)
            continue
        opening = opens_later(connection, row.shop_id, row.feed, now) if row.window else None
        if opening is not None:
            endings.wait_for_opening(connection, row.id, row.token, opening, now)
            continue
        slot = _free_slot(connection, row.shop_id, slots)
        if slot is None:
            continue
        lease_until = now + timedelta(seconds=lease_seconds)
        if not _take(connection, row, owner, slot, now, lease_until):
            continue
        jobs.forget(connection, row.id)
        words = "Started" if row.started_at is None else "Goes on"
        attempt = "" if row.attempt == 0 else f" (attempt {row.attempt + 1})"
        append_logs(connection, row.id, [LogLine("info", f"{words} for {row.actor}{attempt}.")], now)
        return Claim(
            run_id=row.id,
            token=row.token + 1,
            owner=owner,
            shop=shop,
            feed=row.feed,
            params=row.params,
            checkpoint=row.checkpoint,
            plan_only=allowed.kind == "plan" or bool(row.params.get("plan_only")),
            actor=row.actor,
            trigger=row.trigger,
            attempt=row.attempt + 1,
            lease_until=lease_until,
        )
    return None


def least_urgent(room: int, capacity: int) -> int:
    """The priority up to which a process with so much room left takes runs: order polls never wait for long reads."""
    return EVERY if room > capacity // 4 else URGENT


def claimable(now: "datetime | BindParameter[datetime]", slots: "int | BindParameter[int]") -> ColumnElement[bool]:
    """The condition under which a queued run may start, as far as one statement can say it.

    Building it costs far more than asking it: a statement that is asked often is built once, with ``NOW`` and
    ``SLOTS`` in their places, for the feeds of ``planning_feeds``.
    """
    same_errand = exists().where(_RIVAL.serial_key == FeedRun.serial_key, _RIVAL.state == RunState.RUNNING)
    at_work = (
        select(func.count())
        .select_from(_HOLDER)
        .where(_HOLDER.shop_id == FeedRun.shop_id, _HOLDER.state == RunState.RUNNING)
        .scalar_subquery()
    )
    # A paused shop still lets plans be made (SCREENS §1).
    planning = [and_(FeedRun.feed == name, Shop.mode.in_(modes)) for name, modes in planning_feeds()]
    paused = exists().where(Shop.id == FeedRun.shop_id, shop_paused(), ~or_(false(), *planning))
    return and_(
        FeedRun.state == RunState.QUEUED,
        FeedRun.due <= now,
        ~same_errand,
        at_work < slots,
        ~paused,
    )


def planning_feeds() -> Planning:
    """The feeds that make plans in some modes, with these modes."""
    return tuple(
        (name, tuple(mode for mode in spec.modes if spec.modes[mode] == "plan"))
        for name, spec in FEEDS.items()
        if "plan" in spec.modes.values()
    )


def renew(connection: Connection, owner: int, held: Mapping[int, int], now: datetime, lease_seconds: float) -> set[int]:
    """Lengthen the leases of runs we hold (id → token), never shortening one; gives the ids that are ours no more."""
    lost = set()
    until = now + timedelta(seconds=lease_seconds)
    for run_id, token in held.items():
        longer = case((FeedRun.lease_until > until, FeedRun.lease_until), else_=until)
        if not connection.execute(
            update(FeedRun).where(*mine(run_id, token, owner)).values(lease_until=longer)
        ).rowcount:
            lost.add(run_id)
    return lost


def mine(run_id: int, token: int, owner: int) -> tuple[ColumnElement[bool], ...]:
    """The fence: every statement of an owner on its run carries this condition."""
    return (
        FeedRun.id == run_id,
        FeedRun.token == token,
        FeedRun.owner == owner,
        FeedRun.state == RunState.RUNNING,
    )


def sweep(connection: Connection, now: datetime) -> list[int]:
    """Put runs whose lease has ended back into the queue at their checkpoint; gives their ids.

    One that was to be cancelled ends so; one that took its process down again and again without any progress fails.
    """
    swept: list[int] = []
    for row in connection.execute(_EXPIRED, {"now": now}).all():
        if endings.take_from_the_dead(connection, row, now):
            swept.append(row.id)
    return swept


@cache
def _candidates(planning: Planning, one: bool) -> Select[Any]:
    statement = select(
        FeedRun.id,
        FeedRun.shop_id,
        FeedRun.feed,
        FeedRun.serial_key,
        FeedRun.token,
        FeedRun.params,
        FeedRun.checkpoint,
        FeedRun.actor,
        FeedRun.trigger,
        FeedRun.attempt,
        FeedRun.started_at,
        FeedRun.window,
    ).where(claimable(NOW, SLOTS), FeedRun.priority <= bindparam("up_to"))
    if one:
        statement = statement.where(FeedRun.id == bindparam("only"))
    return statement.order_by(FeedRun.priority, FeedRun.due, FeedRun.id).limit(_LOOK_AT)


def _permission(connection: Connection, shop: ShopRecord, row: Row[Any]) -> Permission:
    if row.feed not in FEEDS:
        return Permission(
            "locked", "unknown", f"This program knows no feed {row.feed}.", "Install the newer one again."
        )
    reason, plan = str(row.params.get("reason") or ""), bool(row.params.get("plan_only"))
    return permission(connection, shop, row.feed, reason=reason, unattended=row.trigger != "person", plan=plan)


def _alone_in_shop(connection: Connection, shop_id: int, *, wait: bool) -> bool:
    """Whether no other process claims in this shop at this moment; SQLite has one writer anyway.

    On PostgreSQL two claims would each find the same slot free. Who looks through all shops waits for nobody, so that
    claims which come by several shops in different orders cannot lock each other out; the other's commit makes us look
    again. Who wants one run waits (``wait``): it holds no other lock, and its job does not come a second time.
    """
    if connection.dialect.name == "sqlite":
        return True
    function = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    lock = text(f"SELECT {function}(:class, :shop)")
    answer = connection.execute(lock, {"class": _LOCK_CLASS, "shop": shop_id}).scalar_one()
    return wait or bool(answer)


def _free_slot(connection: Connection, shop_id: int, slots: int) -> str | None:
    used = set(connection.execute(_USED_SLOTS, {"shop": shop_id}).scalars())
    names = (f"{shop_id}:{number}" for number in range(slots))
    return next((name for name in names if name not in used), None)


def _take(connection: Connection, row: Row[Any], owner: int, slot: str, now: datetime, lease_until: datetime) -> bool:
    values = {"run": row.id, "held": row.token, "errand": row.serial_key, "new_owner": owner, "slot": slot}
    return connection.execute(_TAKE, {**values, "now": now, "until": lease_until}).rowcount == 1


_USED_SLOTS = select(FeedRun.slot_key).where(FeedRun.shop_id == bindparam("shop"), FeedRun.state == RunState.RUNNING)
_WAITED = FeedRun.window == RunWindow.WAITS
_TAKE = (
    update(FeedRun)
    .where(
        FeedRun.id == bindparam("run"),
        FeedRun.token == bindparam("held"),
        FeedRun.state == RunState.QUEUED,
        ~exists().where(_RIVAL.serial_key == bindparam("errand"), _RIVAL.state == RunState.RUNNING),
    )
    .values(
        state=RunState.RUNNING,
        owner=bindparam("new_owner"),
        token=FeedRun.token + 1,
        slot_key=bindparam("slot"),
        lease_until=bindparam("until"),
        attempt=FeedRun.attempt + 1,
        started_at=func.coalesce(FeedRun.started_at, NOW),
        progress_at=NOW,
        window=case(
            (and_(_WAITED, FeedRun.started_at.is_not(None)), RunWindow.RESUMED),
            (_WAITED, RunWindow.KEEPS),
            else_=FeedRun.window,
        ),
        phase=case((_WAITED, ""), else_=FeedRun.phase),
        error_kind="",
        error="",
        remedy="",
    )
)
