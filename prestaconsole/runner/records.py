"""Runs, their logs and the processes that do the work, as plain records for every face. Imports model and database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select

from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError
from prestaconsole.model import FeedRun, FeedRunLog, Runner, RunState
from prestaconsole.operations.pages import LogLine
from prestaconsole.redaction import redact

ACTIVE = (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True)
class RunRecord:
    """One run as it stands. Times are UTC; ``attempt`` counts tries since the last progress."""

    id: int
    shop_id: int
    feed: str
    state: RunState
    params: Mapping[str, Any]
    again: bool
    priority: int
    due: datetime
    attempt: int
    token: int
    owner: int | None
    checkpoint: Mapping[str, Any]
    done: int
    total: int | None
    phase: str
    counts: Mapping[str, int]
    cancel_requested: bool
    error_kind: str
    error: str
    remedy: str
    trigger: str
    actor: str
    created_at: datetime
    started_at: datetime | None
    progress_at: datetime | None
    ended_at: datetime | None

    @property
    def active(self) -> bool:
        """Whether it is queued or at work."""
        return self.state in ACTIVE

    @property
    def plan_only(self) -> bool:
        """Whether it was asked to plan and send nothing, by a person or by the mode."""
        return bool(self.params.get("plan_only"))


_COLUMNS = [getattr(FeedRun, name) for name in RunRecord.__dataclass_fields__]


def _record(row: Row[Any]) -> RunRecord:
    values = dict(row._mapping)
    values["state"] = RunState(values["state"])
    return RunRecord(**values)


def load_run(connection: Connection, run_id: int) -> RunRecord:
    """The run with this number. Raises ``NotFoundError``."""
    row = connection.execute(select(*_COLUMNS).where(FeedRun.id == run_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"No run has the number {run_id}.", "`prestaconsole feed runs` shows the last ones.")
    return _record(row)


def last_runs(connection: Connection, *, shop_id: int | None = None, limit: int = 50) -> list[RunRecord]:
    """The newest runs, newest first, of one shop or of all."""
    statement = select(*_COLUMNS).order_by(FeedRun.id.desc()).limit(limit)
    if shop_id is not None:
        statement = statement.where(FeedRun.shop_id == shop_id)
    return [_record(row) for row in connection.execute(statement)]


# -- logs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LogRecord:
    """One line of a run's log; ``seq`` counts from 1 without holes."""

    seq: int
    at: datetime
    level: str
    text: str


_LAST = select(func.coalesce(func.max(FeedRunLog.seq), 0)).where(FeedRunLog.run_id == bindparam("run"))
# Line by line, so that each finds the one before it.
_APPEND = insert(FeedRunLog).values(run_id=bindparam("run"), seq=_LAST.scalar_subquery() + 1)


def append_logs(connection: Connection, run_id: int, lines: Sequence[LogLine], at: datetime) -> None:
    """Write lines at the end of a run's log, redacted. The caller holds the run, so nobody else counts."""
    if not lines:
        return
    rows = [{"run": run_id, "at": at, "level": line.level, "text": redact(line.text)} for line in lines]
    connection.execute(_APPEND, rows)


def log_lines(connection: Connection, run_id: int, *, after: int = 0, limit: int | None = None) -> list[LogRecord]:
    """The lines of a run's log with ``seq`` above ``after``, in order: what `feed log -f` follows with."""
    statement = (
        select(FeedRunLog.seq, FeedRunLog.at, FeedRunLog.level, FeedRunLog.text)
        .where(FeedRunLog.run_id == run_id, FeedRunLog.seq > after)
        .order_by(FeedRunLog.seq)
        .limit(limit)
    )
    return [LogRecord(*row) for row in connection.execute(statement)]


# -- the processes --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunnerRecord:
    """A process that runs feeds: ``kind`` is daemon, console or command."""

    id: int
    kind: str
    host: str
    pid: int
    started_at: datetime
    heartbeat: datetime


def fresh_runners(
    connection: Connection, now: datetime, stale_seconds: float, *, kind: str | None = None
) -> list[RunnerRecord]:
    """The processes whose last sign of life is younger than ``stale_seconds``, newest sign first."""
    statement = (
        select(Runner.id, Runner.kind, Runner.host, Runner.pid, Runner.started_at, Runner.heartbeat)
        .where(Runner.stopped_at.is_(None), Runner.heartbeat > now - timedelta(seconds=stale_seconds))
        .order_by(Runner.heartbeat.desc())
    )
    if kind is not None:
        statement = statement.where(Runner.kind == kind)
    return [RunnerRecord(*row) for row in connection.execute(statement)]


_DAEMON = select(Runner.id).where(
    Runner.kind == "daemon", Runner.stopped_at.is_(None), Runner.heartbeat > bindparam("stale")
)


def daemon_alive(connection: Connection, now: datetime, stale_seconds: float) -> bool:
    """Whether a daemon has reported lately."""
    return connection.execute(_DAEMON, {"stale": now - timedelta(seconds=stale_seconds)}).first() is not None
