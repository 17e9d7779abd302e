"""The jobs that carry runs to workers on PostgreSQL, written in the transaction of the run row. Imports model.

A job says no more than "run N may start"; one too many is taken, finds nothing and is gone. On SQLite there are none.
Neither ``lock`` nor ``queueing_lock`` is used: a worker claims the row and a slot itself (runner/claims.py).
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    and_,
    cast,
    column,
    exists,
    func,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from prestaconsole.database import Connection
from prestaconsole.model import FeedRun, RunState

SCHEMA = "procrastinate"
QUEUE = "feeds"
TASK = "run_feed"

_RECONCILING = 7239
_AT_ONCE = 200

_JOBS = table("procrastinate_jobs", column("args", JSONB), column("status"), schema=SCHEMA)

_DEFER = text(
    f"""
    SELECT {SCHEMA}.procrastinate_defer_jobs_v1(ARRAY[ROW(
        CAST(:queue AS varchar), CAST(:task AS varchar), CAST(:priority AS integer), NULL, NULL,
        jsonb_build_object('run_id', CAST(:run_id AS bigint)), NULL
    )]::{SCHEMA}.procrastinate_job_to_defer_v1[])
    """
)
_FORGET = text(
    f"DELETE FROM {SCHEMA}.procrastinate_jobs WHERE status = 'todo' AND (args ->> 'run_id')::bigint = :run_id"  # noqa: S608
)
_ORPHANS = text(
    f"""
    DELETE FROM {SCHEMA}.procrastinate_jobs
    WHERE status <> 'doing' AND NOT EXISTS (
        SELECT 1 FROM feed_run WHERE feed_run.id = (args ->> 'run_id')::bigint AND feed_run.state = :queued
    )
    """  # noqa: S608
)


def carried(connection: Connection) -> bool:
    """Whether runs of this database are carried by jobs."""
    return connection.dialect.name == "postgresql"


def bring(connection: Connection, run_id: int) -> None:
    """Have the run brought to a worker once this transaction has committed, where it waits and its due has come.

    One that is due later gets its job from ``reconcile`` then.
    """
    if carried(connection):
        waits = select(FeedRun.id, FeedRun.priority).where(FeedRun.id == run_id, *_ready())
        _defer_all(connection, connection.execute(waits).all())


def forget(connection: Connection, run_id: int) -> None:
    """Take away the jobs of a run that needs none any more: it was claimed."""
    if carried(connection):
        connection.execute(_FORGET, {"run_id": run_id})


def pass_on(connection: Connection, run_id: int) -> None:
    """This run has let go of its slot: have the most urgent of its shop brought to a worker, itself among them."""
    if not carried(connection):
        return
    rival, freed = aliased(FeedRun), aliased(FeedRun)
    shop = select(freed.shop_id).where(freed.id == run_id).scalar_subquery()
    overlaps = exists().where(rival.serial_key == FeedRun.serial_key, rival.state == RunState.RUNNING)
    following = select(FeedRun.id, FeedRun.priority).where(FeedRun.shop_id == shop, ~overlaps, *_ready())
    urgent_first = following.order_by(FeedRun.priority, FeedRun.due, FeedRun.id).limit(1)
    _defer_all(connection, connection.execute(urgent_first).all())


def reconcile(connection: Connection, claimable: ColumnElement[bool], slots: int) -> int:
    """Give a job to each run that may start and has none: its due has come, its shop was resumed, its job was lost.

    At most ``slots`` of each shop, since no more could start; one process does this at a time. Gives how many.
    """
    if not carried(connection):
        return 0
    alone = connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _RECONCILING})
    if not alone.scalar_one():
        return 0
    place = func.row_number().over(partition_by=FeedRun.shop_id, order_by=(FeedRun.priority, FeedRun.due, FeedRun.id))
    forgotten = select(FeedRun.id, FeedRun.priority, place.label("place")).where(
        and_(claimable, ~_has_job("todo", "doing"))
    )
    few = forgotten.subquery()
    chosen = select(few.c.id, few.c.priority).where(few.c.place <= slots).order_by(few.c.priority).limit(_AT_ONCE)
    return _defer_all(connection, connection.execute(chosen).all())


def drop_orphans(connection: Connection) -> int:
    """Take away the jobs whose run is gone, at work or ended; gives how many."""
    return connection.execute(_ORPHANS, {"queued": RunState.QUEUED}).rowcount


def _ready() -> tuple[ColumnElement[bool], ...]:
    # By the server's clock: a run that was queued in this very transaction is due already.
    return FeedRun.state == RunState.QUEUED, FeedRun.due <= func.clock_timestamp(), ~_has_job("todo")


def _has_job(*states: str) -> ColumnElement[bool]:
    run = cast(_JOBS.c.args.op("->>")("run_id"), BigInteger)
    return exists().where(_JOBS.c.status.in_([literal_column(f"'{state}'") for state in states]), run == FeedRun.id)


def _defer_all(connection: Connection, runs: Sequence[Row[int, int]]) -> int:
    """A job for each (run, priority); Procrastinate takes the highest number first, the queue the lowest."""
    fixed = {"queue": QUEUE, "task": TASK}
    if runs:
        connection.execute(_DEFER, [{**fixed, "priority": -priority, "run_id": run_id} for run_id, priority in runs])
    return len(runs)
