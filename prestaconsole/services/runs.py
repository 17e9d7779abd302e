"""Runs of feeds: list, show, their logs, and waiting for one. May import runner, operations, model, database."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError, PrestaConsoleError, UsageError
from prestaconsole.model import Changeset, FeedRun, RunState, Shop
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import find_shop
from prestaconsole.runner import queue
from prestaconsole.runner.records import ACTIVE, LogRecord, log_lines
from prestaconsole.services.progress import Pace, average, end_at

LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class RunDetail:
    """One execution of a feed. ``changeset`` is the plan it made or applied, if any; times are aware UTC.

    ``rate`` (rows a second) and ``ends_at`` are estimates, told only of a run at work: of late where it is watched,
    else since its start.
    """

    run: int
    shop: str
    feed: str
    state: str
    counts: Mapping[str, int]
    done: int
    total: int | None
    phase: str
    plan: bool
    again: bool
    actor: str
    trigger: str
    attempt: int
    created_at: datetime
    due: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error_kind: str
    error: str
    remedy: str
    changeset: int | None
    progress_at: datetime | None = None
    rate: float | None = None
    ends_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether it is queued or at work."""
        return self.state in ACTIVE


@dataclass(frozen=True)
class Progress:
    """How a run stands, with the log lines that are new since the last look."""

    run: RunDetail
    lines: tuple[LogRecord, ...]


Listener = Callable[[Progress], None]


def list_runs(
    core: Core, *, shop: str | None = None, feed: str | None = None, state: str | None = None, limit: int | None = None
) -> list[RunDetail]:
    """Runs, newest first."""
    if state is not None and state not in set(RunState):
        raise UsageError(f"“{state}” is no state of a run.", f"States: {', '.join(RunState)}.")

    def work(connection: Connection) -> list[RunDetail]:
        statement = _runs().order_by(FeedRun.id.desc())
        if shop is not None:
            statement = statement.where(FeedRun.shop_id == find_shop(connection, shop).id)
        if feed is not None:
            statement = statement.where(FeedRun.feed == feed)
        if state is not None:
            statement = statement.where(FeedRun.state == state)
        return [_detail(row) for row in connection.execute(statement.limit(limit))]

    return core.database.read_now(work)


def show_run(core: Core, run: int) -> RunDetail:
    """One run. Raises ``NotFoundError``."""
    return core.database.read_now(lambda connection: read_run(connection, run))


def read_run(connection: Connection, run: int) -> RunDetail:
    """One run, inside a transaction. Raises ``NotFoundError``."""
    row = connection.execute(_runs().where(FeedRun.id == run)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no run {run}.", "`prestaconsole feed runs` shows the latest.")
    return _detail(row)


def run_log(core: Core, run: int, *, after: int = 0) -> list[LogRecord]:
    """The log of a run from the line after ``after``. Raises ``NotFoundError``."""

    def work(connection: Connection) -> list[LogRecord]:
        read_run(connection, run)
        return log_lines(connection, run, after=after)

    return core.database.read_now(work)


def cancel_run(core: Core, run: int, *, actor: str) -> RunDetail:
    """Stop a run at its next page; a queued one ends at once. Raises ``UsageError`` for an ended one."""

    def work(connection: Connection) -> RunDetail:
        found, now = read_run(connection, run), core.clock.now()
        if not found.active:
            raise UsageError(f"Run {run} has ended already ({found.state}).", "There is nothing to cancel.")
        queue.cancel_run(connection, run, actor, now)
        shop_id = connection.execute(select(FeedRun.shop_id).where(FeedRun.id == run)).scalar()
        audit(connection, actor=actor, action="feed cancel", at=now, shop_id=shop_id, record=f"run {run} {found.feed}")
        return read_run(connection, run)

    return core.database.write_now(work)


async def wait_for(core: Core, run: int, *, on_progress: Listener | None = None) -> RunDetail:
    """Wait until a run has ended. Where no daemon is alive to do it, it is run in this process (DESIGN §10).

    Raises ``LockedError`` when the shop is paused meanwhile; the run then keeps its place in the queue.
    """
    # The worker brings the feeds and HTTP with it, which a command that only queues does not need.
    from prestaconsole.runner.worker import Worker

    watch = _Watch(core, run, on_progress)
    try:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(watch.keep_looking())
            try:
                await Worker(core, "command").run_until_ended(run)
            finally:
                looking.cancel()
    except BaseExceptionGroup as group:
        raise _first(group) from None
    await watch.look()
    return watch.latest


async def follow(core: Core, run: int, *, on_progress: Listener) -> RunDetail:
    """Watch a run to its end without doing any of it."""
    watch = _Watch(core, run, on_progress)
    await watch.keep_looking()
    return watch.latest


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a person should see of several errors: one of ours before any other."""
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves.append(_first(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in leaves if isinstance(error, PrestaConsoleError)), leaves[0])


class _Watch:
    """Looks at one run and hands on what is new."""

    def __init__(self, core: Core, run: int, on_progress: Listener | None) -> None:
        self._core, self._run, self._tell = core, run, on_progress
        self._seq = 0
        self._pace = Pace()
        self.latest: RunDetail

    async def look(self) -> bool:
        """Read the run, tell the listener, and say whether it has ended."""
        found, lines = await self._core.database.read(self._read)
        found = self._paced(found)
        if self._tell is not None and (lines or found != getattr(self, "latest", None)):
            self._tell(Progress(found, tuple(lines)))
        self.latest = found
        self._seq = lines[-1].seq if lines else self._seq
        return not found.active

    def _paced(self, run: RunDetail) -> RunDetail:
        """With the rate of late in place of that since the start."""
        if run.state != RunState.RUNNING or run.progress_at is None:
            return run
        self._pace.note(run.progress_at, run.done)
        return replace(run, rate=self._pace.rate(), ends_at=self._pace.ends(run.done, run.total, run.progress_at))

    async def keep_looking(self) -> None:
        while not await self.look():
            await self._core.clock.sleep(LOOK_SECONDS)

    def _read(self, connection: Connection) -> tuple[RunDetail, Sequence[LogRecord]]:
        return read_run(connection, self._run), log_lines(connection, self._run, after=self._seq)


# -- statements ----------------------------------------------------------------------------------------------


def _runs() -> Select[Any]:
    made = select(func.max(Changeset.id)).where(Changeset.run_id == FeedRun.id).scalar_subquery()
    columns = [column for column in FeedRun.__table__.columns if column.name != "checkpoint"]
    return select(*columns, Shop.name.label("shop_name"), made.label("changeset")).join(
        Shop, Shop.id == FeedRun.shop_id
    )


def _detail(row: Any) -> RunDetail:
    applied = row.params.get("changeset")
    rate = average(row.done, row.started_at, row.progress_at) if row.state == RunState.RUNNING else None
    return RunDetail(
        run=row.id,
        shop=row.shop_name,
        feed=row.feed,
        state=row.state,
        counts=dict(row.counts),
        done=row.done,
        total=row.total,
        phase=row.phase,
        plan=bool(row.params.get("plan_only")),
        again=row.again,
        actor=row.actor,
        trigger=row.trigger,
        attempt=row.attempt,
        created_at=row.created_at,
        due=row.due,
        started_at=row.started_at,
        ended_at=row.ended_at,
        error_kind=row.error_kind,
        error=row.error,
        remedy=row.remedy,
        changeset=applied if isinstance(applied, int) else row.changeset,
        progress_at=row.progress_at,
        rate=round(rate, 2) if rate else None,
        ends_at=end_at(rate, row.done, row.total, row.progress_at),
    )
