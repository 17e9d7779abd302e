"""Taking a run, keeping it, and taking over what a dead process left. Compare-and-set throughout. Imports feeds.

A claim raises the run's token by one. Everything the owner writes afterwards holds only `WHERE token = mine`, so an
owner that was thought dead and wakes up can store nothing (fencing, DESIGN §3 and §4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, false, func, or_, select, text, update
from sqlalchemy.orm import aliased

from prestaconsole.database import Connection
from prestaconsole.feeds.interlock import Permission, permission
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import FeedRun, RunState, RunWindow, Shop
from prestaconsole.operations.pages import LogLine
from prestaconsole.operations.pauses import shop_paused
from prestaconsole.operations.shops import ShopRecord, load_shop
from prestaconsole.runner import endings
from prestaconsole.runner.dispatch import jobs
from prestaconsole.runner.opening import opens_later
from prestaconsole.runner.records import append_logs

_LOCK_CLASS = 7238
_LOOK_AT = 100


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
) -> Claim | None:
    """Take the most urgent run that may start: by priority, then by due.

    At most ``slots`` runs of a shop are at work, and never two of one ``serial_key``. The interlock is asked again:
    what is paused stays in the queue, what the mode has locked since ends here with the reason, and what keeps to a
    window that is shut waits for its opening. ``only`` limits the look to one run. Gives None when there is nothing
    to take.
    """
    others_claim_in: set[int] = set()
    for row in connection.execute(_candidates(now, slots, only)).all():
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


def claimable(now: datetime, slots: int) -> ColumnElement[bool]:
    """The condition under which a queued run may start, as far as one statement can say it."""
    rival = aliased(FeedRun)
    same_errand = exists().where(rival.serial_key == FeedRun.serial_key, rival.state == RunState.RUNNING)
    holder = aliased(FeedRun)
    at_work = (
        select(func.count())
        .select_from(holder)
        .where(holder.shop_id == FeedRun.shop_id, holder.state == RunState.RUNNING)
        .scalar_subquery()
    )
    # A paused shop still lets plans be made (SCREENS §1).
    planning = [
        and_(FeedRun.feed == name, Shop.mode.in_([mode for mode in spec.modes if spec.modes[mode] == "plan"]))
        for name, spec in FEEDS.items()
        if "plan" in spec.modes.values()
    ]
    paused = exists().where(Shop.id == FeedRun.shop_id, shop_paused(), ~or_(false(), *planning))
    return and_(
        FeedRun.state == RunState.QUEUED,
        FeedRun.due <= now,
        ~same_errand,
        at_work < slots,
        ~paused,
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
    expired = select(
        FeedRun.id, FeedRun.shop_id, FeedRun.feed, FeedRun.token, FeedRun.attempt, FeedRun.cancel_requested
    ).where(FeedRun.state == RunState.RUNNING, FeedRun.lease_until < now)
    if connection.dialect.name != "sqlite":
        expired = expired.with_for_update(skip_locked=True)
    swept = []
    for row in connection.execute(expired).all():
        if endings.take_from_the_dead(connection, row, now):
            swept.append(row.id)
    return swept


def _candidates(now: datetime, slots: int, only: int | None) -> Select[Any]:
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
    ).where(claimable(now, slots))
    if only is not None:
        statement = statement.where(FeedRun.id == only)
    return statement.order_by(FeedRun.priority, FeedRun.due, FeedRun.id).limit(_LOOK_AT)


def _permission(connection: Connection, shop: ShopRecord, row: Row[Any]) -> Permission:
    if row.feed not in FEEDS:
        return Permission(
            "locked", "unknown", f"This program knows no feed {row.feed}.", "Install the newer one again."
        )
    reason = str(row.params.get("reason") or "")
    return permission(connection, shop, row.feed, reason=reason, unattended=row.trigger != "person")


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
    used = set(
        connection.execute(
            select(FeedRun.slot_key).where(FeedRun.shop_id == shop_id, FeedRun.state == RunState.RUNNING)
        ).scalars()
    )
    names = (f"{shop_id}:{number}" for number in range(slots))
    return next((name for name in names if name not in used), None)


def _take(connection: Connection, row: Row[Any], owner: int, slot: str, now: datetime, lease_until: datetime) -> bool:
    rival = aliased(FeedRun)
    at_work = exists().where(rival.serial_key == row.serial_key, rival.state == RunState.RUNNING)
    waited = FeedRun.window == RunWindow.WAITS
    taken = (
        update(FeedRun)
        .where(FeedRun.id == row.id, FeedRun.token == row.token, FeedRun.state == RunState.QUEUED, ~at_work)
        .values(
            state=RunState.RUNNING,
            owner=owner,
            token=FeedRun.token + 1,
            slot_key=slot,
            lease_until=lease_until,
            attempt=FeedRun.attempt + 1,
            started_at=func.coalesce(FeedRun.started_at, now),
            progress_at=now,
            window=case(
                (and_(waited, FeedRun.started_at.is_not(None)), RunWindow.RESUMED),
                (waited, RunWindow.KEEPS),
                else_=FeedRun.window,
            ),
            phase=case((waited, ""), else_=FeedRun.phase),
            error_kind="",
            error="",
            remedy="",
        )
    )
    return connection.execute(taken).rowcount == 1
