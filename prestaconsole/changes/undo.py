"""Undo: a new plan with the values that stood before; a row is refused where the shop moved on. Imports operations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from prestaconsole.changes.decide import load_changeset
from prestaconsole.changes.gate import require_live
from prestaconsole.changes.plan import PAGE, PlanEnd, Planned, begin_plan, finish_plan, store_rows
from prestaconsole.changes.tables import CHANGES, WRITTEN
from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.model import Change, ChangeKind, Changeset, ChangeState, Listing
from prestaconsole.operations.audit import audit
from prestaconsole.operations.shops import ShopRecord, load_shop
from prestaconsole.redaction import refuse_key


@dataclass(frozen=True)
class UndoPlan:
    """The new plan. ``refused`` are (SKU or name, why), of rows that are kept in the plan as skipped."""

    changeset_id: int
    end: PlanEnd
    refused: tuple[tuple[str, str], ...]


def plan_undo(
    connection: Connection,
    changeset_id: int,
    *,
    actor: str,
    reason: str,
    at: datetime,
    records: Sequence[int] | None = None,
) -> UndoPlan:
    """Plan to write back what stood before this plan, in all its confirmed rows or those of the given listings.

    A row is refused where the shop's value is no longer what was written (SCREENS §1, shop moved on), where a later
    plan wrote it since, or where another change of it is on its way. The new plan passes brake, gate and approval like
    any other; it writes these values and not the formula's. Raises ``LockedError`` outside live, ``UsageError`` where
    nothing of the plan stands.
    """
    found = load_changeset(connection, changeset_id)
    refuse_key("reason", reason)
    shop = load_shop(connection, found.shop_id)
    require_live(connection, shop.id)
    new_id = begin_plan(connection, shop, actor=actor, reason=reason, run_id=None, at=at, undoes_id=changeset_id)
    refused: list[tuple[str, str]] = []
    after, looked = 0, 0
    while rows := _page(connection, changeset_id, records, after):
        after, looked = rows[-1].record, looked + len(rows)
        refused += _plan_page(connection, new_id, rows, shop)
    if not looked:
        raise UsageError(
            f"Nothing of plan {changeset_id} can be undone: no row of it is confirmed and still standing.",
            f"`prestaconsole change list --changeset {changeset_id}` shows its rows.",
        )
    end = finish_plan(connection, shop, new_id, whole_shop=False, at=at)
    if refused:
        words = f"{len(refused)} rows refused: {refused[0][0]}: {refused[0][1]}"
        text = f"{end.words} {words}".strip()
        connection.execute(update(Changeset).where(Changeset.id == new_id).values(error=text))
    audit(
        connection,
        actor=actor,
        action="changeset undo",
        at=at,
        shop_id=shop.id,
        record=f"changeset {changeset_id}",
        after={"changeset": new_id, "rows": end.rows, "refused": len(refused)},
        reason=reason,
    )
    return UndoPlan(new_id, end, tuple(refused))


def _page(connection: Connection, changeset_id: int, records: Sequence[int] | None, after: int) -> Sequence[Row[Any]]:
    """What the plan did to each listing: the value before its first confirmed row and the one its last row wrote."""
    confirmed = (
        select(Change.record, func.min(Change.id).label("first"), func.max(Change.id).label("last"))
        .where(
            Change.changeset_id == changeset_id,
            Change.kind == ChangeKind.STOCK,
            Change.state == ChangeState.CONFIRMED,
            Change.record > after,
        )
        .group_by(Change.record)
        .order_by(Change.record)
        .limit(PAGE)
    )
    if records is not None:
        confirmed = confirmed.where(Change.record.in_(list(records)))
    span = confirmed.subquery()
    first, last = CHANGES.alias("first_row"), CHANGES.alias("last_row")
    later = select(func.max(Change.id)).where(
        Change.kind == ChangeKind.STOCK, Change.record == span.c.record, Change.state == ChangeState.CONFIRMED, WRITTEN
    )
    statement = (
        select(
            span.c.record,
            span.c.first,
            span.c.last,
            first.c.before,
            last.c.after,
            later.scalar_subquery().label("newest"),
        )
        .add_columns(Listing.sku, Listing.name, Listing.quantity, Listing.expected_low, Listing.expected_high)
        .join(first, first.c.id == span.c.first)
        .join(last, last.c.id == span.c.last)
        .join(Listing, Listing.id == span.c.record)
        .order_by(span.c.record)
    )
    rows: Any = connection.execute(statement).all()
    return list(rows)


def _plan_page(
    connection: Connection, new_id: int, rows: Sequence[Row[Any]], shop: ShopRecord
) -> list[tuple[str, str]]:
    wanted, refused = [], []
    for row in rows:
        why = _why_not(row)
        if why:
            refused.append((row, why))
        elif row.before != row.after:
            wanted.append(Planned(row.record, row.after, row.before))
    planned, _ = store_rows(connection, new_id, wanted, shop=shop, everything=True)
    if planned < len(wanted):
        stored = set(connection.execute(select(Change.record).where(Change.changeset_id == new_id)).scalars())
        by_record = {row.record: row for row in rows}
        words = "Not undone: another change of it is on its way to the shop."
        refused += [(by_record[one.record], words) for one in wanted if one.record not in stored]
    if refused:
        connection.execute(insert(CHANGES), [_skipped(new_id, row, why) for row, why in refused])
    return [(row.sku or row.name, why) for row, why in refused]


def _why_not(row: Row[Any]) -> str:
    if row.newest != row.last:
        return "Not undone: a later plan wrote it since. Undo that one first."
    if row.first != row.last:
        return "Not undone: orders came while it was sent, so what stood before is out of date."
    if row.before is None:
        return "Not undone: what stood there before is not known."
    shows = row.expected_low if row.expected_low == row.expected_high else row.quantity
    if shows is None or str(shows) != row.after:
        return f"Not undone: the shop's value is {shows} now, the plan had written {row.after}."
    return ""


def _skipped(new_id: int, row: Row[Any], why: str) -> dict[str, object]:
    return {
        "changeset_id": new_id,
        "kind": ChangeKind.STOCK.value,
        "record": row.record,
        "field": 0,
        "before": row.after,
        "after": row.before or "",
        "state": ChangeState.SKIPPED.value,
        "note": why,
    }
