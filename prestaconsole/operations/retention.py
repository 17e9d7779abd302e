"""What is kept how long, and taking the rest away in small transactions. Imports the model.

Nothing goes that is still needed: what is open, what can be undone, the last good state of each feed and shop.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, literal_column, or_, select, update

from prestaconsole.database import Connection
from prestaconsole.model import (
    Change,
    ChangeBatch,
    Changeset,
    ChangesetState,
    ChangeState,
    FeedRun,
    FeedRunLog,
    FeedState,
    Incident,
    LoadState,
    MovementKind,
    RunState,
    StockLoad,
    StockMovement,
    Warehouse,
)
from prestaconsole.operations.drop_folder import error_file
from prestaconsole.settings import Settings

BATCH = 1_000
"""Rows that one transaction takes away at most."""

_OVER = (ChangesetState.DONE, ChangesetState.FAILED, ChangesetState.UNDONE, ChangesetState.VOID)

Step = Callable[[Connection], int | None]
"""Takes away up to ``BATCH`` rows; gives how many, None when none are left."""


@dataclass(frozen=True)
class Rule:
    """One kind of rows. ``setting`` names the days they are kept, ``count`` how many would go, ``steps`` goes on."""

    name: str
    title: str
    setting: str
    count: Callable[[Connection, datetime], int]
    steps: Callable[[datetime], Step]

    def days(self, settings: Settings) -> int:
        """How long these rows are kept; 0 for ever."""
        return int(getattr(settings, self.setting))

    def before(self, settings: Settings, now: datetime) -> datetime | None:
        """What is older goes; None where nothing does."""
        days = self.days(settings)
        return now - timedelta(days=days) if days else None


def _count(connection: Connection, found: Select[Any]) -> int:
    return int(connection.execute(select(func.count()).select_from(found.subquery())).scalar_one())


# -- runs and their logs ---------------------------------------------------------------------------------------


def _needed_run() -> ColumnElement[bool]:
    """The last run of each feed, the last that ended well, and those behind something open."""
    last_good = select(func.max(FeedRun.id)).where(FeedRun.state.in_((RunState.DONE, RunState.HELD)))
    unfinished = select(Changeset.run_id).where(Changeset.run_id.is_not(None), Changeset.state.not_in(_OVER))
    return or_(
        FeedRun.ended_at.is_(None),
        FeedRun.id.in_(select(FeedState.last_run_id).where(FeedState.last_run_id.is_not(None))),
        FeedRun.id.in_(last_good.group_by(FeedRun.shop_id, FeedRun.feed)),
        FeedRun.id.in_(select(Incident.run_id).where(Incident.closed_at.is_(None), Incident.run_id.is_not(None))),
        FeedRun.id.in_(unfinished),
    )


def _old_logs(before: datetime) -> Select[Any]:
    needed = select(FeedRun.id).where(_needed_run())
    return select(FeedRunLog.id).where(FeedRunLog.at < before, FeedRunLog.run_id.not_in(needed))


def _old_runs(before: datetime) -> Select[Any]:
    return select(FeedRun.id).where(FeedRun.ended_at < before, ~_needed_run())


def _logs_step(before: datetime) -> Step:
    after, needed = 0, set[int]()

    def step(connection: Connection) -> int | None:
        nonlocal after, needed
        if not after:
            needed = set(connection.execute(select(FeedRun.id).where(_needed_run())).scalars())
        page = select(FeedRunLog.id, FeedRunLog.run_id).where(FeedRunLog.at < before, FeedRunLog.id > after)
        rows = connection.execute(page.order_by(FeedRunLog.id).limit(BATCH)).all()
        if not rows:
            return None
        after = rows[-1].id
        ids = [row.id for row in rows if row.run_id not in needed]
        connection.execute(delete(FeedRunLog).where(FeedRunLog.id.in_(ids)))
        return len(ids)

    return step


def _runs_step(before: datetime) -> Step:
    after, needed = 0, set[int]()

    def step(connection: Connection) -> int | None:
        nonlocal after, needed
        if not after:
            needed = set(connection.execute(select(FeedRun.id).where(_needed_run())).scalars())
        page = select(FeedRun.id).where(FeedRun.ended_at < before, FeedRun.id > after)
        rows = list(connection.execute(page.order_by(FeedRun.id).limit(BATCH // 2)).scalars())
        if not rows:
            return None
        runs = [run for run in rows if run not in needed]
        lines = select(FeedRunLog.id).where(FeedRunLog.run_id.in_(runs)).limit(BATCH)
        logs = list(connection.execute(lines).scalars())
        connection.execute(delete(FeedRunLog).where(FeedRunLog.id.in_(logs)))
        if len(logs) == BATCH:
            return 0  # their logs first, then they themselves
        connection.execute(delete(FeedRun).where(FeedRun.id.in_(runs)))
        after = rows[-1]
        return len(runs)

    return step


# -- the journal of changes ------------------------------------------------------------------------------------


def _old_plans(before: datetime) -> Select[Any]:
    """Finished plans with rows left; not the last that each shop was sent, nor one that is being undone."""
    last_sent = (
        select(func.max(Changeset.id))
        .where(exists().where(ChangeBatch.changeset_id == Changeset.id, ChangeBatch.sent_at.is_not(None)))
        .group_by(Changeset.shop_id)
    )
    undoing = select(Changeset.undoes_id).where(Changeset.undoes_id.is_not(None), Changeset.state.not_in(_OVER))
    rows = or_(
        exists().where(Change.changeset_id == Changeset.id), exists().where(ChangeBatch.changeset_id == Changeset.id)
    )
    return select(Changeset.id).where(
        Changeset.state.in_(_OVER),
        Changeset.ended_at < before,
        Changeset.id.not_in(last_sent),
        Changeset.id.not_in(undoing),
        ~exists().where(Change.changeset_id == Changeset.id, Change.state < literal_column("10")),
        rows,
    )


def _count_changes(connection: Connection, before: datetime) -> int:
    return _count(connection, select(Change.id).where(Change.changeset_id.in_(_old_plans(before))))


def _changes_step(before: datetime) -> Step:
    def step(connection: Connection) -> int | None:
        plan = connection.execute(_old_plans(before).order_by(Changeset.id).limit(1)).scalar()
        if plan is None:
            return None
        _keep_summary(connection, plan)
        rows = select(Change.id).where(Change.changeset_id == plan).order_by(Change.id).limit(BATCH)
        ids = list(connection.execute(rows).scalars())
        connection.execute(delete(Change).where(Change.id.in_(ids)))
        if not ids:
            batches = select(ChangeBatch.id).where(ChangeBatch.changeset_id == plan).limit(BATCH)
            numbers = list(connection.execute(batches).scalars())
            connection.execute(delete(ChangeBatch).where(ChangeBatch.id.in_(numbers)))
        return len(ids)

    return step


def _keep_summary(connection: Connection, plan: int) -> None:
    """How many rows ended in which state stays with the plan, in ``brake["ended"]``, before its first row goes."""
    brake: Mapping[str, Any] = connection.execute(select(Changeset.brake).where(Changeset.id == plan)).scalar() or {}
    if "ended" in brake:
        return
    counted = select(Change.state, func.count()).where(Change.changeset_id == plan).group_by(Change.state)
    ended = {ChangeState(state).name.lower(): number for state, number in connection.execute(counted)}
    connection.execute(update(Changeset).where(Changeset.id == plan).values(brake={**brake, "ended": ended}))


# -- stock movements -------------------------------------------------------------------------------------------


def _may_fold() -> ColumnElement[bool]:
    """An import of stock stays as it is: a second one asks which levels came from the shop."""
    return StockMovement.kind != MovementKind.IMPORT


def _count_movements(connection: Connection, before: datetime) -> int:
    return _count(connection, _foldable(before))


def _foldable(before: datetime) -> Select[Any]:
    """Movements whose neighbour before them in the ledger of their product and warehouse takes them in."""
    pair = (StockMovement.product_id, StockMovement.warehouse_id)
    earlier = func.lag(StockMovement.kind).over(partition_by=pair, order_by=StockMovement.id)
    rows = select(StockMovement.product_id, StockMovement.kind, earlier.label("earlier")).where(
        StockMovement.at < before
    )
    ledger = rows.subquery()
    both = and_(ledger.c.kind != MovementKind.IMPORT, ledger.c.earlier != MovementKind.IMPORT)
    return select(ledger.c.product_id).where(ledger.c.earlier.is_not(None), both)


def _movements_step(before: datetime) -> Step:
    products: list[int] | None = None

    def step(connection: Connection) -> int | None:
        nonlocal products
        if products is None:
            products = sorted(connection.execute(_foldable(before).distinct()).scalars(), reverse=True)
        folded = 0
        while products and folded < BATCH // 2:
            # A product with many movements is folded a part at a time, and stays until nothing is left to fold.
            number = _fold_product(connection, products[-1], before, BATCH // 2)
            if not number:
                products.pop()
            folded += number
        return folded if products or folded else None

    return step


def _fold_product(connection: Connection, product_id: int, before: datetime, limit: int) -> int:
    """Fold each stretch between two imports into its last row; gives how many rows went."""
    rows = connection.execute(
        select(StockMovement.id, StockMovement.warehouse_id, StockMovement.kind, StockMovement.quantity)
        .where(StockMovement.product_id == product_id, StockMovement.at < before)
        .order_by(StockMovement.warehouse_id, StockMovement.id)
        .limit(10 * limit)
    ).all()
    gone: list[int] = []
    stretch: list[Any] = []
    for row in [*rows, None]:
        goes_on = bool(
            row and stretch and row.warehouse_id == stretch[0].warehouse_id and len(gone) + len(stretch) < limit
        )
        if row is not None and row.kind != MovementKind.IMPORT and (goes_on or not stretch):
            stretch.append(row)
            continue
        gone += _fold(connection, stretch)
        if len(gone) >= limit - 1:
            break
        stretch = [row] if row is not None and row.kind != MovementKind.IMPORT else []
    for start in range(0, len(gone), 400):
        connection.execute(delete(StockMovement).where(StockMovement.id.in_(gone[start : start + 400])))
    return len(gone)


def _fold(connection: Connection, stretch: Sequence[Any]) -> list[int]:
    """Let the last row stand for all; it keeps its own ``physical`` and moment. Gives the ids of the others."""
    if len(stretch) < 2:
        return []
    connection.execute(
        update(StockMovement)
        .where(StockMovement.id == stretch[-1].id)
        .values(
            kind=MovementKind.OPENING,
            quantity=sum(row.quantity for row in stretch),
            shop_id=None,
            order_id=None,
            run_id=None,
            reason="sum of older movements",
            actor="retention",
        )
    )
    return [row.id for row in stretch[:-1]]


# -- stock files -----------------------------------------------------------------------------------------------


def _old_loads(before: datetime) -> Select[Any]:
    """Ended loads; not the last of each warehouse that booked rows: the same bytes are known again by it."""
    last = select(func.max(StockLoad.id)).where(StockLoad.state == LoadState.DONE, StockLoad.position > 0)
    return select(StockLoad.id).where(
        StockLoad.ended_at < before, StockLoad.id.not_in(last.group_by(StockLoad.warehouse_id))
    )


def _loads_step(before: datetime) -> Step:
    """The rows, and the error files that lie in the drop folders; what was dropped there stays its owner's."""

    def step(connection: Connection) -> int | None:
        ids = list(connection.execute(_old_loads(before).order_by(StockLoad.id).limit(BATCH)).scalars())
        files = (
            select(StockLoad.claim, StockLoad.warehouse_id, Warehouse.folder)
            .join(Warehouse, Warehouse.id == StockLoad.warehouse_id)
            .where(StockLoad.id.in_(ids), Warehouse.folder != "")
        )
        for row in connection.execute(files):
            claimed = row.claim.removeprefix(f"{row.warehouse_id}/")
            if claimed != row.claim:
                # It may be on another machine, or gone: the row goes all the same.
                with suppress(OSError):
                    error_file(Path(row.folder), claimed).unlink(missing_ok=True)
        connection.execute(delete(StockLoad).where(StockLoad.id.in_(ids)))
        return len(ids) or None

    return step


# -- evidence --------------------------------------------------------------------------------------------------


def _old_evidence(before: datetime) -> Select[Any]:
    return select(Incident.id).where(Incident.closed_at < before, Incident.evidence != "")


def _evidence_step(before: datetime) -> Step:
    def step(connection: Connection) -> int | None:
        ids = list(connection.execute(_old_evidence(before).limit(BATCH)).scalars())
        connection.execute(update(Incident).where(Incident.id.in_(ids)).values(evidence=""))
        return len(ids) or None

    return step


RULES: tuple[Rule, ...] = (
    Rule("logs", "Lines of run logs", "keep_logs_days", lambda c, at: _count(c, _old_logs(at)), _logs_step),
    Rule("runs", "Ended runs", "keep_runs_days", lambda c, at: _count(c, _old_runs(at)), _runs_step),
    Rule("changes", "Rows of finished plans", "keep_changes_days", _count_changes, _changes_step),
    Rule("movements", "Stock movements, folded", "keep_movements_days", _count_movements, _movements_step),
    Rule("loads", "Ended stock files", "keep_loads_days", lambda c, at: _count(c, _old_loads(at)), _loads_step),
    Rule(
        "evidence",
        "Evidence of closed incidents",
        "keep_evidence_days",
        lambda c, at: _count(c, _old_evidence(at)),
        _evidence_step,
    ),
)
