"""One claimed run from its start to its last transaction, whatever the feed does. Imports feeds and operations."""

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.database import Connection, DatabaseError
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.feeds.context import FeedContext, Outcome, RunView
from prestaconsole.feeds.registry import feed_spec
from prestaconsole.operations.core import Core
from prestaconsole.operations.pace import PaceKeeper
from prestaconsole.operations.pages import LogLine, RunStopped
from prestaconsole.operations.shops import remember_ways
from prestaconsole.redaction import redact
from prestaconsole.runner import endings, schedules
from prestaconsole.runner.claims import Claim
from prestaconsole.runner.commit import RunCommit
from prestaconsole.runner.moments import Moment
from prestaconsole.webservice.errors import WebserviceError

log = logging.getLogger(__name__)
T = TypeVar("T")

_FRAMES = 8
_LAST_TRIES = 4
_HANDED_OVER = "Handed over: it goes on from its last page."
_CUT_OFF = "Cut off at the end of its process: it goes on from its last page."


async def execute(core: Core, moment: Moment, claim: Claim, commit: RunCommit, paces: PaceKeeper) -> None:
    """Run the feed and write how it ended; ``paces`` watches how the shop is asked. Raises ``CancelledError`` only.

    A run that is not ours any more, or whose last transaction cannot be stored, is left to its lease: another
    process takes it from its last page.
    """
    ending: Callable[[Connection, datetime], object]
    cancelled: asyncio.CancelledError | None = None
    try:
        outcome = await _run_feed(core, claim, commit, paces)
        ending = _finished(claim, outcome)
    except asyncio.CancelledError as stop:
        cancelled = stop
        ending = _given_back(claim, _CUT_OFF)
    except Exception as error:
        ending = _after(claim, _root(error))
    try:
        await _last(core, moment, ending)
    except RunStopped:
        log.warning("Run %s (%s) is not ours any more; nothing was stored for it.", claim.run_id, claim.feed)
    except (DatabaseError, SQLAlchemyError) as error:
        log.error("The end of run %s could not be stored; it is taken up from its last page. %s", claim.run_id, error)  # noqa: TRY400 - the trace says nothing here
    if cancelled is not None:
        raise cancelled


async def _run_feed(core: Core, claim: Claim, commit: RunCommit, paces: PaceKeeper) -> Outcome:
    spec = feed_spec(claim.feed)
    key = await core.database.read(lambda c: core.key(c, claim.shop))
    client = core.client(claim.shop, key, spec.priority)
    paces.watch(claim.shop.id, client.pacer)
    run = RunView(
        id=claim.run_id,
        feed=claim.feed,
        params=claim.params,
        checkpoint=claim.checkpoint,
        plan_only=claim.plan_only,
        actor=claim.actor,
        trigger=claim.trigger,
        attempt=claim.attempt,
    )
    try:
        return await spec.run(FeedContext(core=core, shop=claim.shop, client=client, run=run, commit=commit))
    finally:
        await _remember(core, claim, client.learned)
        await client.aclose()


async def _remember(core: Core, claim: Claim, learned: Mapping[str, bool]) -> None:
    """Keep the ways that the client found to be needed at the shop; failing to is no failure of the run."""
    if not learned:
        return
    try:
        await core.database.write(lambda c: remember_ways(c, claim.shop.id, learned, core.clock.now()))
    except (DatabaseError, SQLAlchemyError) as error:
        log.warning("What shop %s needs could not be kept; it is found out again. %s", claim.shop.id, error)


def _finished(claim: Claim, outcome: Outcome) -> Callable[[Connection, datetime], object]:
    def ending(connection: Connection, now: datetime) -> None:
        endings.finish(connection, claim, outcome, now)
        schedules.follow_zone(connection, claim.shop, now)

    return ending


def _given_back(claim: Claim, why: str) -> Callable[[Connection, datetime], object]:
    return lambda connection, now: endings.give_back(connection, claim, now, why)


def _after(claim: Claim, error: BaseException) -> Callable[[Connection, datetime], object]:
    if isinstance(error, RunStopped):
        if error.why == "cancelled":
            return lambda connection, now: endings.end_cancelled(connection, claim, now)
        if error.why == "lost":
            return _lost
        if error.why == "window":
            return lambda connection, now: endings.stop_at_window(connection, claim, now)
        return _given_back(claim, _HANDED_OVER)
    failure = _failure(error)
    if failure.kind == "fault":
        log.error("Run %s (%s) met a fault: %s", claim.run_id, claim.feed, failure.evidence)
    return lambda connection, now: endings.fail(connection, claim, failure, now)


def _lost(connection: Connection, now: datetime) -> None:
    raise RunStopped("lost")


async def _last(core: Core, moment: Moment, ending: Callable[[Connection, datetime], object]) -> None:
    """The last transaction, tried again a few times: it may lose a race on PostgreSQL, or meet a busy database."""
    for left in reversed(range(_LAST_TRIES)):
        try:
            await core.database.write(lambda c: ending(c, moment(c)))
        except (DatabaseError, SQLAlchemyError):
            if left == 0:
                raise
            await asyncio.sleep(0.1)
        else:
            return


def _root(error: BaseException) -> BaseException:
    """What really happened inside the groups that task groups raise: a stop before anything else."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    inner: BaseException = error.subgroup(RunStopped) or error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner


def _failure(error: BaseException) -> endings.Failure:
    if isinstance(error, WebserviceError):
        return endings.Failure(
            kind=error.kind,
            cause=error.cause,
            remedy=error.remedy,
            retryable=error.retryable,
            wait=error.retry_after,
            evidence=error.evidence,
        )
    if isinstance(error, DatabaseError):
        return endings.Failure("database", error.cause, error.remedy, retryable=True)
    if isinstance(error, PrestaConsoleError):
        kind = str(getattr(error, "kind", type(error).__name__.removesuffix("Error").lower()))
        return endings.Failure(kind, error.cause, error.remedy, retryable=bool(getattr(error, "retryable", False)))
    return _fault(error)


def _fault(error: BaseException) -> endings.Failure:
    """A fault of the program: named by its type and place, since its message may quote a buyer's data."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    said = redact(str(error)).splitlines()[0][:200] if str(error) else ""
    trail = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    text = redact(f"{type(error).__name__}: {said} ({trail})")
    return endings.Failure(
        kind="fault",
        cause=f"A fault in PrestaConsole stopped this run: {type(error).__name__}{where}.",
        remedy="Its log holds the trail; report it with that. The other feeds go on.",
        evidence=text,
        logs=(LogLine("FAIL", text),),
    )
