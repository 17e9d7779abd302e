"""Asking for a run and taking it back; nothing is dropped or refused with "busy". Imports feeds and operations."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, case, or_, update
from sqlalchemy.dialects import postgresql, sqlite

from prestaconsole.database import Connection
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.feeds.interlock import permission
from prestaconsole.feeds.registry import feed_spec
from prestaconsole.model import FeedRun, RunState, RunWindow
from prestaconsole.operations.pages import LogLine
from prestaconsole.operations.shops import load_shop
from prestaconsole.runner.dispatch import jobs
from prestaconsole.runner.opening import opens_later, waiting_for
from prestaconsole.runner.records import append_logs, load_run

Trigger = Literal["person", "schedule", "event"]

_NOT_A_DIFFERENCE = frozenset({"reason"})
_TRIES = 10


@dataclass(frozen=True)
class Ticket:
    """What a request became. ``joined``: a run was active already and will see to it, once more if it had begun."""

    run_id: int
    joined: bool
    plan_only: bool = False


def active_key(shop_id: int, feed: str, params: Mapping[str, Any]) -> str:
    """The key that one active run of this kind holds: shop:feed, plus a digest of what makes it another errand."""
    telling = {name: value for name, value in params.items() if name not in _NOT_A_DIFFERENCE}
    if not telling:
        return f"{shop_id}:{feed}"
    words = json.dumps(telling, sort_keys=True, separators=(",", ":"), default=str)
    return f"{shop_id}:{feed}:{hashlib.sha256(words.encode()).hexdigest()[:16]}"


def request_run(
    connection: Connection,
    *,
    shop_id: int,
    feed: str,
    actor: str,
    trigger: Trigger,
    now: datetime,
    params: Mapping[str, Any] | None = None,
    due: datetime | None = None,
    force: bool = False,
    keeps_window: bool = False,
) -> Ticket:
    """Queue a run, or join the active one of the same errand (DESIGN §4 `again`).

    ``params["reason"]`` is what a person typed, ``params["plan_only"]`` asks for a plan alone; it is set here when
    the mode allows no more. A pause refuses a person and a schedule; an event waits in the queue until the shop is
    resumed, and so does what comes with ``force``. A schedule's run keeps to its window, another only when
    ``keeps_window`` asks for it; who joins a run without that frees it of the window.
    Raises ``LockedError`` with reason and unlock, ``UsageError`` for an unknown feed, ``NotFoundError`` for an
    unknown shop.
    """
    spec = feed_spec(feed)
    shop = load_shop(connection, shop_id)
    wanted = {name: value for name, value in (params or {}).items() if value is not None}
    plan = bool(wanted.get("plan_only"))
    allowed = permission(connection, shop, feed, reason=_reason(wanted), unattended=trigger != "person", plan=plan)
    if not (allowed.lock == "paused" and (force or trigger == "event")):
        allowed.require()
    if allowed.kind == "plan":
        wanted["plan_only"] = True
    elif not wanted.get("plan_only"):
        wanted.pop("plan_only", None)
    row: dict[str, Any] = {
        "shop_id": shop_id,
        "feed": feed,
        "active_key": active_key(shop_id, feed, wanted),
        "serial_key": f"{shop_id}:{feed}",
        "params": wanted,
        "priority": spec.priority,
        "state": RunState.QUEUED,
        "due": due or now,
        "window": RunWindow.KEEPS if keeps_window or trigger == "schedule" else RunWindow.FREE,
        "phase": "",
        "trigger": trigger,
        "actor": actor,
        "created_at": now,
    }
    opening = opens_later(connection, shop_id, feed, row["due"]) if row["window"] else None
    if opening is not None:
        row |= waiting_for(opening)
    plan_only = bool(wanted.get("plan_only"))
    # Between our look and our insert another process may queue or end the same errand; each turn sees what it did.
    for _ in range(_TRIES):
        joined = _join(connection, row, trigger)
        if joined is not None:
            jobs.bring(connection, joined)
            return Ticket(joined, True, plan_only)
        made = _insert(connection, row)
        if made is not None:
            jobs.bring(connection, made)
            return Ticket(made, False, plan_only)
    raise RuntimeError(f"The queue key {row['active_key']} is neither taken nor free.")


def request_if_open(connection: Connection, **request: Any) -> Ticket | None:
    """``request_run`` for events and schedules: None where the gate is locked, which is nobody's error there."""
    try:
        return request_run(connection, **request)
    except LockedError:
        return None


def cancel_run(connection: Connection, run_id: int, actor: str, now: datetime) -> RunState:
    """Take a run back: one that waits ends here, one at work ends at its next page.

    Gives the state it is in now: ``cancelled``, or ``running`` while the page goes on. Raises ``NotFoundError``, and
    ``UsageError`` when it has ended already.
    """
    waiting = (
        update(FeedRun)
        .where(FeedRun.id == run_id, FeedRun.state == RunState.QUEUED)
        .values(state=RunState.CANCELLED, active_key=None, again=False, ended_at=now)
    )
    if connection.execute(waiting).rowcount:
        append_logs(connection, run_id, [LogLine("info", f"Cancelled by {actor}.")], now)
        return RunState.CANCELLED
    # A request that comes after this one raises `again` anew and is honoured.
    at_work = (
        update(FeedRun)
        .where(FeedRun.id == run_id, FeedRun.state == RunState.RUNNING)
        .values(cancel_requested=True, again=False)
    )
    if connection.execute(at_work).rowcount:
        append_logs(connection, run_id, [LogLine("info", f"{actor} asked to cancel it at the next page.")], now)
        return RunState.RUNNING
    found = load_run(connection, run_id)
    raise UsageError(f"Run {run_id} has ended already: {found.state}.", "Nothing was changed.")


def _reason(params: Mapping[str, Any]) -> str:
    return str(params.get("reason") or "")


def _join(connection: Connection, row: Mapping[str, Any], trigger: Trigger) -> int | None:
    """Let the active run of this errand see to it. One that never began needs no second turn: its first comes later."""
    due = row["due"]
    free = row["window"] == RunWindow.FREE
    first_wish = and_(FeedRun.state == RunState.RUNNING, FeedRun.again.is_(False))
    waits_for_retry = and_(FeedRun.state == RunState.QUEUED, FeedRun.attempt > 0)
    sooner: list[tuple[ColumnElement[bool], Any]] = [(first_wish, due), (FeedRun.due > due, due)]
    if trigger == "schedule":
        # A schedule must not hammer a shop that a retry gives time; a person or an event may.
        sooner.insert(0, (waits_for_retry, FeedRun.due))
    begun: ColumnElement[bool] = FeedRun.started_at.is_not(None)
    if trigger == "schedule":
        # What takes more than one window is no more than one run: else it would start over for ever.
        begun = and_(begun, FeedRun.window.not_in((RunWindow.WAITS, RunWindow.RESUMED)))
    waits = FeedRun.window == RunWindow.WAITS
    statement = (
        update(FeedRun)
        .where(FeedRun.active_key == row["active_key"])
        .values(
            again=or_(FeedRun.again, begun),
            due=case(*sooner, else_=FeedRun.due),
            **({"window": RunWindow.FREE, "phase": case((waits, ""), else_=FeedRun.phase)} if free else {}),
        )
        .returning(FeedRun.id)
    )
    return connection.execute(statement).scalar()


def _insert(connection: Connection, row: Mapping[str, Any]) -> int | None:
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(FeedRun).values(**row).on_conflict_do_nothing(index_elements=[FeedRun.active_key])
    return connection.execute(statement.returning(FeedRun.id)).scalar()
