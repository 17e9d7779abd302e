"""The brake on a stored plan: counts it with the hour before, judges it, keeps the verdict. Imports operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, and_, case, cast, exists, func, or_, select, update

from prestaconsole.database import Connection
from prestaconsole.model import (
    Change,
    ChangeBatch,
    ChangeKind,
    Changeset,
    ChangesetState,
    ChangeState,
    Listing,
    StockLevel,
    Warehouse,
)
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.rules.brake import TENFOLD_UNITS, BrakeLimits, BrakeVerdict, PlanShape, judge

HOUR = timedelta(hours=1)
UNSENT = (ChangeState.PLANNED, ChangeState.HELD, ChangeState.APPROVED)
_REACHED_SHOP = (ChangeState.SENT, ChangeState.CONFIRMED, ChangeState.UNDONE)


@dataclass(frozen=True)
class PlanTotals:
    """Unsent rows of a plan, and how many of them go to zero or move tenfold."""

    rows: int
    zeros: int
    tenfold: int


def limits_of(shop: ShopRecord) -> BrakeLimits:
    """The shop's own limits, else the defaults."""
    return BrakeLimits(
        zero_share=value(shop, "brake.zero_share"),
        zero_count=value(shop, "brake.zero_count"),
        changed_share=value(shop, "brake.changed_share"),
        tenfold_share=value(shop, "brake.tenfold_share"),
        tenfold_count=value(shop, "brake.tenfold_count"),
    )


def judge_plan(
    connection: Connection,
    shop: ShopRecord,
    changeset_id: int,
    totals: PlanTotals,
    *,
    whole_shop: bool,
    now: datetime,
) -> BrakeVerdict:
    """Judge the stored rows of a stock plan and keep the verdict in ``changeset.brake``.

    They are counted (``totals`` of ``plan_totals``) together with all that went to the shop in the hour before, each
    listing once: so many small plans cannot pass where one large one may not. What a person released from the brake
    was looked at and does not count again: else every sale of the next hour would wait for a release of its own. The
    document holds ``rules`` (rule, limit, plan, tripped) for the brake screen, and the figures behind them.
    """
    shape = _shape(connection, shop, changeset_id, totals, now)
    if whole_shop:
        before = _source_before(connection, shop.id, changeset_id, shape.listings)
        shape = replace(shape, source_rows=source_rows(connection, shop), source_before=before)
    verdict = judge(shape, limits_of(shop))
    _keep(connection, changeset_id, shape, verdict)
    return verdict


def judge_again(connection: Connection, shop: ShopRecord, changeset_id: int, *, now: datetime) -> BrakeVerdict | None:
    """Judge a plan once more before it is sent, where other plans went out since it was made; None where none did.

    Each of many plans may pass while nothing is sent yet, and all of them together be what none may be. A plan that a
    person released is not judged again.
    """
    columns = (Changeset.planned_at, Changeset.released_at, Changeset.brake)
    found = connection.execute(select(*columns).where(Changeset.id == changeset_id)).one()
    since = (
        select(ChangeBatch.id)
        .join(Changeset, Changeset.id == ChangeBatch.changeset_id)
        .where(Changeset.shop_id == shop.id, Changeset.id != changeset_id, ChangeBatch.sent_at >= found.planned_at)
        .limit(1)
    )
    if found.released_at is not None or connection.execute(since).first() is None:
        return None
    shape = _shape(connection, shop, changeset_id, plan_totals(connection, changeset_id), now)
    shape = replace(shape, source_rows=found.brake.get("source_rows"))
    verdict = judge(shape, limits_of(shop))
    if verdict.tripped:
        _keep(connection, changeset_id, shape, verdict)
    return verdict


def zeros_so_far(connection: Connection, shop_id: int, changeset_id: int, *, now: datetime) -> int:
    """Listings that went to zero and count against this plan while it is sent.

    For a released plan those it said itself were looked at: the figure is negative by what is left of them.
    """
    released = connection.execute(select(Changeset.released_at).where(Changeset.id == changeset_id)).scalar()
    if released is None:
        return _besides(connection, changeset_id, _batches_since(connection, shop_id, now - HOUR), _goes_to_zero())
    said = (
        select(func.count(Change.record.distinct()))
        .where(Change.changeset_id == changeset_id, Change.kind == ChangeKind.STOCK, Change.state.in_(UNSENT))
        .where(_goes_to_zero())
    )
    return -int(connection.execute(said).scalar_one())


def _shape(connection: Connection, shop: ShopRecord, changeset_id: int, totals: PlanTotals, now: datetime) -> PlanShape:
    batches = _batches_since(connection, shop.id, now - HOUR)
    return PlanShape(
        listings=shop_listings(connection, shop.id),
        to_zero=totals.zeros + _besides(connection, changeset_id, batches, _goes_to_zero()),
        changed=totals.rows + _besides(connection, changeset_id, batches),
        tenfold=totals.tenfold + _besides(connection, changeset_id, batches, _moves_tenfold()),
        fall=_largest_fall(connection, changeset_id),
    )


def _keep(connection: Connection, changeset_id: int, shape: PlanShape, verdict: BrakeVerdict) -> None:
    document: Mapping[str, Any] = {
        "tripped": verdict.tripped,
        "words": verdict.words,
        "rules": [
            {"rule": rule.rule, "limit": rule.limit, "plan": rule.plan, "tripped": rule.tripped}
            for rule in verdict.rules
        ],
        "listings": shape.listings,
        "to_zero": shape.to_zero,
        "changed": shape.changed,
        "tenfold": shape.tenfold,
        "source_rows": shape.source_rows,
    }
    connection.execute(update(Changeset).where(Changeset.id == changeset_id).values(brake=document))


def shop_listings(connection: Connection, shop_id: int) -> int:
    """How many listings of the shop have a stock row of their own to write: what the brake's shares are of."""
    counted = select(func.count()).select_from(Listing).where(Listing.shop_id == shop_id, *writable())
    return int(connection.execute(counted).scalar_one())


def writable() -> tuple[ColumnElement[bool], ...]:
    """What a listing must be to be planned: there, sold by itself (F44), with a stock row, not under ASM (R5)."""
    return (
        Listing.gone_at.is_(None),
        Listing.has_combinations.is_(False),
        Listing.id_stock_available.is_not(None),
        Listing.depends_on_stock.is_(False),
    )


def source_rows(connection: Connection, shop: ShopRecord) -> int:
    """How many of those listings have a confirmed figure in a warehouse of this shop."""
    counted = (
        select(StockLevel.product_id)
        .join(Warehouse, Warehouse.id == StockLevel.warehouse_id)
        .where(StockLevel.product_id == Listing.product_id, Warehouse.code.in_(value(shop, "stock.warehouses")))
    )
    statement = select(func.count()).select_from(Listing)
    return int(
        connection.execute(statement.where(Listing.shop_id == shop.id, *writable(), exists(counted))).scalar_one()
    )


def _source_before(connection: Connection, shop_id: int, changeset_id: int, listings: int) -> int | None:
    """The source rows of the last whole plan that the brake let pass; listings that went since do not count."""
    earlier = (
        select(Changeset.brake, Changeset.released_at)
        .where(Changeset.shop_id == shop_id, Changeset.id < changeset_id, Changeset.kind == ChangeKind.STOCK)
        .where(Changeset.state != ChangesetState.PLANNING)
        .order_by(Changeset.id.desc())
        .limit(200)
    )
    for brake, released_at in connection.execute(earlier):
        if brake.get("source_rows") is not None and (not brake.get("tripped") or released_at is not None):
            return min(int(brake["source_rows"]), listings)
    return None


def _goes_to_zero() -> ColumnElement[bool]:
    # A change that was replaced by a lower one keeps its own before; only the step over zero counts.
    return and_(
        cast(Change.after, Integer) <= 0,
        or_(Change.before.is_(None), cast(Change.before, Integer) > 0),
    )


def _moves_tenfold() -> ColumnElement[bool]:
    before, after = cast(Change.before, Integer), cast(Change.after, Integer)
    factor = or_(after >= 10 * before, before >= 10 * after)
    return and_(Change.before.is_not(None), before > 0, after > 0, func.abs(after - before) >= TENFOLD_UNITS, factor)


def plan_totals(connection: Connection, changeset_id: int) -> PlanTotals:
    """Count the unsent rows of a plan, in one pass."""
    zeros, tenfold = case((_goes_to_zero(), 1), else_=0), case((_moves_tenfold(), 1), else_=0)
    counted = select(func.count(), func.sum(zeros), func.sum(tenfold)).where(
        Change.changeset_id == changeset_id, Change.state.in_(UNSENT)
    )
    rows, to_zero, moved = connection.execute(counted).one()
    return PlanTotals(int(rows), int(to_zero or 0), int(moved or 0))


def _batches_since(connection: Connection, shop_id: int, since: datetime) -> Sequence[Row[Any]]:
    """The requests since then, but those of plans that the brake held and a person released."""
    found = (
        select(ChangeBatch.id, ChangeBatch.changeset_id)
        .join(Changeset, Changeset.id == ChangeBatch.changeset_id)
        .where(Changeset.shop_id == shop_id, ChangeBatch.sent_at > since)
    )
    rows: Any = connection.execute(found).all()
    released = select(Changeset.id, Changeset.brake).where(Changeset.shop_id == shop_id, Changeset.released_at > since)
    looked_at = {row.id for row in connection.execute(released) if row.brake.get("tripped")}
    return [row for row in rows if row.changeset_id not in looked_at]


def _besides(
    connection: Connection, changeset_id: int, batches: Sequence[Row[Any]], *conditions: ColumnElement[bool]
) -> int:
    """Distinct listings that went out in these requests and are not in this plan on the same terms."""
    if not batches:
        return 0
    planned = select(Change.record).where(Change.changeset_id == changeset_id, Change.state.in_(UNSENT), *conditions)
    first = min(batch.id for batch in batches)
    sent = (
        select(Change.record)
        .distinct()
        .where(Change.changeset_id.in_({batch.changeset_id for batch in batches}), Change.batch_id >= first)
        .where(Change.kind == ChangeKind.STOCK, Change.state.in_(_REACHED_SHOP), *conditions)
        .where(Change.record.not_in(planned))
    )
    return int(connection.execute(select(func.count()).select_from(sent.subquery())).scalar_one())


def _largest_fall(connection: Connection, changeset_id: int) -> str:
    fall = cast(Change.before, Integer) - cast(Change.after, Integer)
    row = connection.execute(
        select(Change.before, Change.after, Listing.sku, Listing.name)
        .join(Listing, Listing.id == Change.record)
        .where(Change.changeset_id == changeset_id, Change.state.in_(UNSENT), Change.before.is_not(None), fall > 0)
        .order_by(fall.desc(), Change.id)
        .limit(1)
    ).one_or_none()
    return f"{row.before} → {row.after} {row.sku or row.name}" if row is not None else ""
