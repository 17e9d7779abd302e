"""Where a shop shows another figure than ours: the likely cause, and the repair (row B42). Imports operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, or_, select, update

from prestaconsole.changes.foreign import Foreign, note_foreign
from prestaconsole.changes.tables import OPEN, WRITTEN
from prestaconsole.database import Connection
from prestaconsole.model import Change, ChangeKind, ChangeState, Listing, MovementKind, Order, OrderLine, StockMovement
from prestaconsole.operations.expectation import expect

CAUSES = ("order race", "shop edit", "write failed", "waits to be sent", "receipt", "count", "formula", "unknown")
"""order race: an order is just coming · shop edit: somebody else wrote · waits to be sent: a plan or push is to come ·
receipt, count: our stock was moved since the last write · formula: the rule for this shop makes another number."""

YOUNG = timedelta(minutes=15)
"""An order this fresh may show in the shop's stock and not yet in its lists, or the other way round (DESIGN §6)."""
_CHUNK = 500
_MOVED = {
    MovementKind.RECEIPT: "receipt",
    MovementKind.RETURN: "receipt",
    MovementKind.TRANSFER: "receipt",
    MovementKind.CORRECTION: "count",
    MovementKind.IMPORT: "count",
    MovementKind.OPENING: "count",
    MovementKind.SALE: "formula",
}


@dataclass(frozen=True)
class Drift:
    """A listing whose shop shows another figure than ours; ``cause`` is one of ``CAUSES``."""

    listing_id: int
    sku: str
    name: str
    stock_row: int
    ours: int
    shops: int
    cause: str = ""

    @property
    def words(self) -> str:
        cause = f" ({self.cause})" if self.cause else ""
        return f"{self.sku or self.name}: ours {self.ours}, shop's {self.shops}{cause}"


def likely_causes(connection: Connection, shop_id: int, drift: Sequence[Drift], now: datetime) -> dict[int, str]:
    """The likely cause by listing id: what is known of each listing speaks for at most one."""
    found: dict[int, str] = {}
    for start in range(0, len(drift), _CHUNK):
        part = drift[start : start + _CHUNK]
        ids = [one.listing_id for one in part]
        rows = connection.execute(select(*Listing.__table__.columns).where(Listing.id.in_(ids))).all()
        moving = _young_orders(connection, shop_id, rows, now)
        written, waiting = _last_written(connection, ids), _waiting(connection, ids)
        moved = _last_movements(connection, rows)
        for row in rows:
            found[row.id] = _cause(row, row.id in moving, written.get(row.id), row.id in waiting, moved)
    return found


def _cause(
    row: Row[Any], order_is_young: bool, written: ChangeState | None, waits: bool, moved: Mapping[int, Row[Any]]
) -> str:
    if order_is_young:
        return "order race"
    low = row.expected_low if row.expected_low is not None else row.quantity
    high = row.expected_high if row.expected_high is not None else row.quantity
    if not low <= row.quantity <= high:
        return "shop edit"
    if written is ChangeState.FAILED:
        return "write failed"
    if waits or row.push_mark > row.planned_mark:
        return "waits to be sent"
    movement = moved.get(row.product_id)
    if movement is not None and (row.confirmed_at is None or movement.at > row.confirmed_at):
        return _MOVED.get(MovementKind(movement.kind), "unknown")
    return "formula" if row.expected_low is not None else "unknown"


def _young_orders(connection: Connection, shop_id: int, rows: Sequence[Row[Any]], now: datetime) -> set[int]:
    """Listings in an order that was placed a moment ago, or is still being written."""
    by_key = {(row.id_product, row.id_product_attribute): row.id for row in rows}
    lines = (
        select(OrderLine.id_product, OrderLine.id_product_attribute)
        .join(Order, Order.id == OrderLine.order_id)
        .where(
            Order.shop_id == shop_id,
            OrderLine.id_product.in_({row.id_product for row in rows}),
            or_(Order.date_add > now - YOUNG, Order.verdict == "incomplete"),
        )
        .distinct()
    )
    return {by_key[key] for row in connection.execute(lines) if (key := (row[0], row[1])) in by_key}


def _last_written(connection: Connection, ids: Sequence[int]) -> dict[int, ChangeState]:
    last = select(func.max(Change.id)).where(
        Change.record.in_(ids), Change.kind == ChangeKind.STOCK, Change.state >= ChangeState.CONFIRMED, WRITTEN
    )
    states = select(Change.record, Change.state).where(Change.id.in_(last.group_by(Change.record)))
    return {row.record: ChangeState(row.state) for row in connection.execute(states)}


def _waiting(connection: Connection, ids: Sequence[int]) -> set[int]:
    found = select(Change.record).where(Change.record.in_(ids), Change.kind == ChangeKind.STOCK, OPEN)
    return set(connection.execute(found).scalars())


def _last_movements(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, Row[Any]]:
    products = {row.product_id for row in rows if row.product_id is not None}
    last = select(func.max(StockMovement.id)).where(StockMovement.product_id.in_(products))
    columns = (StockMovement.product_id, StockMovement.kind, StockMovement.at)
    found: Any = connection.execute(
        select(*columns).where(StockMovement.id.in_(last.group_by(StockMovement.product_id)))
    )
    return {row.product_id: row for row in found}


def note_edits(connection: Connection, shop_id: int, drift: Sequence[Drift], now: datetime) -> int:
    """Keep the figures that somebody else wrote, for a person to decide; gives how many are new."""
    edits = {one.listing_id: one for one in drift if one.cause == "shop edit"}
    met: list[Foreign] = []
    ids = list(edits)
    for start in range(0, len(ids), _CHUNK):
        columns = (Listing.id, Listing.quantity, Listing.expected_low, Listing.expected_high)
        rows = connection.execute(select(*columns).where(Listing.id.in_(ids[start : start + _CHUNK])))
        for row in rows:
            low, high = row.expected_low, row.expected_high
            met.append(Foreign(row.id, low, high, edits[row.id].shops, edits[row.id].ours))
    return note_foreign(connection, shop_id, met, seen_by="check", at=now)


def repair(connection: Connection, drift: Sequence[Drift], at: datetime) -> int:
    """Let the next push write our figures over what the check has just read; gate and brake judge it as any other.

    What was read is what the shop may show from now on, so that the push does not hold it as somebody's work again.
    """
    expect(connection, [(one.listing_id, one.shops) for one in drift], at)
    ids = [one.listing_id for one in drift]
    for start in range(0, len(ids), _CHUNK):
        marked = update(Listing).where(Listing.id.in_(ids[start : start + _CHUNK]))
        connection.execute(marked.values(push_mark=Listing.push_mark + 1, marked_at=at))
    return len(ids)
