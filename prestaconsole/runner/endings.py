"""How a run ends, waits for another try, goes back to the queue or starts over. Imports feeds and operations.

Each function is part of one transaction and begins with the fence: only the owner of the token gets through.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Row, select, update

from prestaconsole.database import Connection, upsert
from prestaconsole.feeds.context import Outcome
from prestaconsole.feeds.interlock import permission
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import FeedRun, FeedState, RunState, RunWindow, Shop
from prestaconsole.operations.pages import LogLine, RunStopped
from prestaconsole.operations.shops import load_shop
from prestaconsole.redaction import redact
from prestaconsole.runner.dispatch import jobs
from prestaconsole.runner.opening import Opening, note_window_end, opens_later, waiting_for
from prestaconsole.runner.records import append_logs
from prestaconsole.runner.reporting import DECISIONS, SHOP_WIDE, report_failure, report_success

FIRST_WAIT = 15.0
LONGEST_WAIT = 900.0
DEFAULT_ATTEMPTS = 5


class Owned(Protocol):
    """What the fence needs to know of a claim."""

    @property
    def run_id(self) -> int: ...
    @property
    def token(self) -> int: ...
    @property
    def owner(self) -> int: ...


@dataclass(frozen=True)
class Failure:
    """Why a run failed, in words without secrets; ``wait`` is what the shop asked us to wait, in seconds."""

    kind: str
    cause: str
    remedy: str
    retryable: bool = False
    wait: float | None = None
    evidence: str = ""
    logs: tuple[LogLine, ...] = ()


def finish(connection: Connection, claim: Owned, outcome: Outcome, now: datetime) -> RunState:
    """The last transaction of a run that went well. Gives ``done``, ``held``, or ``queued`` when it starts over."""
    row = _fence(connection, claim, now)
    spec_plan = bool(row.params.get("plan_only"))
    looked = spec_plan and row.feed in FEEDS and not FEEDS[row.feed].writes  # it said what it would do, and did not
    _note_success(connection, row, outcome, now, completes=outcome.complete and not spec_plan, looked=looked)
    counts = ", ".join(f"{number} {name}" for name, number in row.counts.items())
    text = " ".join(part for part in (outcome.text, f"({counts})" if counts else "") if part)
    lines = [LogLine("info", f"{'Held' if outcome.state == 'held' else 'Done'}: {text or 'nothing to do'}")]
    state = RunState.HELD if outcome.state == "held" else RunState.DONE
    return _end(connection, row, state, now, lines)


def fail(connection: Connection, claim: Owned, failure: Failure, now: datetime) -> RunState:
    """The last transaction of a failed try: a new due with backoff while tries are left, else the end."""
    row = _fence(connection, claim, now)
    _note_failure(connection, row, failure, now)
    tries = FEEDS[row.feed].attempts if row.feed in FEEDS else DEFAULT_ATTEMPTS
    if failure.retryable and row.attempt < tries and not row.cancel_requested:
        due = now + timedelta(seconds=backoff(row.attempt, row.id, failure.wait))
        said = f"Try {row.attempt} of {tries} failed: {failure.cause} Next at {due:%H:%M:%S} UTC."
        append_logs(connection, row.id, [*failure.logs, LogLine("warn", said)], now)
        _free(connection, row.id, _error(failure), state=RunState.QUEUED, due=due)
        return RunState.QUEUED
    report_failure(connection, row, failure, now)
    lines = [*failure.logs, LogLine("FAIL", f"{failure.cause} {failure.remedy}".strip())]
    return _end(connection, row, RunState.FAILED, now, lines, _error(failure))


def end_cancelled(connection: Connection, claim: Owned, now: datetime) -> RunState:
    """The run stopped at a page because a person wished it."""
    row = _fence(connection, claim, now)
    return _end(connection, row, RunState.CANCELLED, now, [LogLine("info", "Cancelled; what was stored stays.")])


def give_back(connection: Connection, claim: Owned, now: datetime, why: str) -> RunState:
    """Put the run back into the queue at its checkpoint for another process, or for later; not a failed try."""
    row = _fence(connection, claim, now)
    if row.cancel_requested:
        return _end(connection, row, RunState.CANCELLED, now, [LogLine("info", "Cancelled; what was stored stays.")])
    append_logs(connection, row.id, [LogLine("info", why)], now)
    _free(connection, row.id, state=RunState.QUEUED, due=min(row.due, now), attempt=max(row.attempt - 1, 0))
    return RunState.QUEUED


def stop_at_window(connection: Connection, claim: Owned, now: datetime) -> RunState:
    """The window of its schedule has shut: the run stops at its page and goes on there in the next one."""
    row = _fence(connection, claim, now)
    opening = opens_later(connection, row.shop_id, row.feed, now)
    if opening is None or row.cancel_requested:
        return give_back(connection, claim, now, "Its schedule was changed meanwhile: it goes on from its last page.")
    said = f"Its window has shut: it goes on from its last page at {opening.words_of_time}."
    append_logs(connection, row.id, [LogLine("info", said)], now)
    note_window_end(connection, row.shop_id, row.feed, now)
    attempt = max(row.attempt - 1, 0)
    _free(connection, row.id, state=RunState.QUEUED, attempt=attempt, **waiting_for(opening))
    return RunState.QUEUED


def wait_for_opening(connection: Connection, run_id: int, token: int, opening: Opening, now: datetime) -> bool:
    """Let a queued run wait for its window: it was not taken before that shut."""
    waits = (
        update(FeedRun)
        .where(FeedRun.id == run_id, FeedRun.token == token, FeedRun.state == RunState.QUEUED)
        .values(**waiting_for(opening))
    )
    if connection.execute(waits).rowcount == 0:
        return False
    said = f"Its window has shut before it could start: it waits until {opening.words_of_time}."
    append_logs(connection, run_id, [LogLine("info", said)], now)
    return True


def end_locked(connection: Connection, run_id: int, token: int, reason: str, unlock: str, now: datetime) -> bool:
    """End a queued run that the gate has locked since it was asked for. No incident: the gate did its work."""
    ended = (
        update(FeedRun)
        .where(FeedRun.id == run_id, FeedRun.token == token, FeedRun.state == RunState.QUEUED)
        .values(
            state=RunState.FAILED,
            active_key=None,
            again=False,
            ended_at=now,
            error_kind="locked",
            error=reason,
            remedy=unlock,
        )
    )
    if connection.execute(ended).rowcount == 0:
        return False
    append_logs(connection, run_id, [LogLine("warn", f"Not run: {reason} {unlock}".strip())], now)
    return True


def take_from_the_dead(connection: Connection, row: Any, now: datetime) -> bool:
    """Free one run (``id``, ``token``, ``shop_id``, ``feed``) whose lease has ended.

    False when its owner renewed it or another sweeper came first.
    """
    fence = (
        FeedRun.id == row.id,
        FeedRun.token == row.token,
        FeedRun.state == RunState.RUNNING,
        FeedRun.lease_until < now,
    )
    # The token rises here already: from this moment the old owner can store nothing.
    if connection.execute(update(FeedRun).where(*fence).values(token=row.token + 1)).rowcount == 0:
        return False
    found = _row(connection, row.id)
    tries = FEEDS[row.feed].attempts if row.feed in FEEDS else DEFAULT_ATTEMPTS
    if found.cancel_requested:
        _end(connection, found, RunState.CANCELLED, now, [LogLine("info", "Cancelled; its process had ended.")])
    elif found.attempt >= tries:
        cause = f"{row.feed} was left unfinished {found.attempt} times by processes that ended or hung."
        failure = Failure("lost", cause, "Look at the log of the daemon around these times; memory is a usual cause.")
        _note_failure(connection, found, failure, now)
        report_failure(connection, found, failure, now)
        _end(connection, found, RunState.FAILED, now, [LogLine("FAIL", str(cause))], _error(failure))
    else:
        append_logs(connection, row.id, [LogLine("warn", "Its process gave no sign of life; taken over.")], now)
        _free(connection, row.id, state=RunState.QUEUED, due=min(found.due, now))
    return True


def backoff(attempt: int, run_id: int, asked: float | None = None) -> float:
    """Seconds until the next try: 15, 30, 60 … 900, spread by up to a tenth so that runs do not return together."""
    wait = min(FIRST_WAIT * 2.0 ** (max(attempt, 1) - 1), LONGEST_WAIT)
    return max(wait * (1 + (run_id * 37 % 100) / 1000), asked or 0.0)


# -- the parts --------------------------------------------------------------------------------------------------------


def _row(connection: Connection, run_id: int) -> Row[Any]:
    return connection.execute(
        select(
            FeedRun.id,
            FeedRun.shop_id,
            FeedRun.feed,
            FeedRun.params,
            FeedRun.trigger,
            FeedRun.again,
            FeedRun.due,
            FeedRun.attempt,
            FeedRun.started_at,
            FeedRun.counts,
            FeedRun.cancel_requested,
            FeedRun.window,
        ).where(FeedRun.id == run_id)
    ).one()


def _fence(connection: Connection, claim: Owned, now: datetime) -> Row[Any]:
    """Hold the row, if it is still ours, and give it as it is now. Raises ``RunStopped("lost")``."""
    fence: tuple[ColumnElement[bool], ...] = (
        FeedRun.id == claim.run_id,
        FeedRun.token == claim.token,
        FeedRun.owner == claim.owner,
        FeedRun.state == RunState.RUNNING,
    )
    if connection.execute(update(FeedRun).where(*fence).values(progress_at=now)).rowcount == 0:
        raise RunStopped("lost")
    return _row(connection, claim.run_id)


_NO_ERROR = {"error_kind": "", "error": "", "remedy": ""}


def _error(failure: Failure) -> dict[str, str]:
    return {
        "error_kind": failure.kind[:40],
        "error": redact(failure.cause),
        "remedy": redact(failure.remedy),
    }


def _free(connection: Connection, run_id: int, error: Mapping[str, str] = _NO_ERROR, **values: Any) -> None:
    """Let go of owner, slot and lease; whoever waits most urgently in the shop is next."""
    nobody: dict[str, Any] = {"owner": None, "slot_key": None, "lease_until": None}
    connection.execute(update(FeedRun).where(FeedRun.id == run_id).values(**nobody, **error, **values))
    jobs.pass_on(connection, run_id)


def _end(
    connection: Connection,
    row: Row[Any],
    state: RunState,
    now: datetime,
    lines: list[LogLine],
    error: Mapping[str, str] = _NO_ERROR,
) -> RunState:
    """End the run, or start it over where it was asked for again while at work, in the same transaction."""
    lock = _lock_of_another_turn(connection, row) if row.again else None
    if row.again and lock is None:
        append_logs(
            connection, row.id, [*lines, LogLine("info", "Starts over: it was asked for again meanwhile.")], now
        )
        _free(
            connection,
            row.id,
            state=RunState.QUEUED,
            again=False,
            due=row.due,
            attempt=0,
            checkpoint={},
            done=0,
            total=None,
            phase="",
            counts={},
            cancel_requested=False,
            started_at=None,
            window=RunWindow.KEEPS if row.window else RunWindow.FREE,
        )
        return RunState.QUEUED
    if lock is not None:
        lines = [*lines, LogLine("warn", f"Not run again: {lock}")]
    append_logs(connection, row.id, lines, now)
    _free(
        connection,
        row.id,
        error,
        state=state,
        active_key=None,
        again=False,
        cancel_requested=False,
        ended_at=now,
    )
    return state


def _lock_of_another_turn(connection: Connection, row: Row[Any]) -> str | None:
    if row.feed not in FEEDS:
        return "this program does not know the feed."
    shop = load_shop(connection, row.shop_id)
    allowed = permission(connection, shop, row.feed, unattended=row.trigger != "person")
    return allowed.reason if allowed.kind == "locked" and allowed.lock != "paused" else None


def _note_success(
    connection: Connection, row: Row[Any], outcome: Outcome, now: datetime, *, completes: bool, looked: bool
) -> None:
    found = connection.execute(
        select(FeedState.completed_at, FeedState.last_ok_at, FeedState.detail).where(
            FeedState.shop_id == row.shop_id, FeedState.feed == row.feed
        )
    ).one_or_none()
    completed_at = found.completed_at if found else None
    state = {
        "shop_id": row.shop_id,
        "feed": row.feed,
        "completed_at": completed_at or (now if completes else None),
        "last_ok_at": now if not looked else found.last_ok_at if found else None,
        "last_run_id": row.id,
        "detail": {**(found.detail if found else {}), **outcome.detail},
    }
    upsert(connection, FeedState, [state], key=["shop_id", "feed"])
    connection.execute(update(Shop).where(Shop.id == row.shop_id).values(health="ok", last_good_at=now))
    report_success(connection, row, now)


def _note_failure(connection: Connection, row: Row[Any], failure: Failure, now: datetime) -> None:
    if failure.kind not in DECISIONS:
        values: dict[str, Any] = {"last_error_at": now, "last_error": redact(failure.cause)}
        if failure.kind in SHOP_WIDE:
            values["health"] = "down"
        connection.execute(update(Shop).where(Shop.id == row.shop_id).values(**values))
    state = {"shop_id": row.shop_id, "feed": row.feed, "last_run_id": row.id}
    upsert(connection, FeedState, [{**state, "detail": {}}], key=["shop_id", "feed"], keep=["detail"])
