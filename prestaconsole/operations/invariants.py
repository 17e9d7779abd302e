"""What must be true in a sound database beyond keys and types: each point a question that finds what breaks it.

Reads only; imports model and rules. A fault is a break of ours, a note is something that ends by itself or needs time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Executable, and_, func, literal_column, or_, select

from prestaconsole.database import Connection
from prestaconsole.model import (
    Change,
    ChangeKind,
    Changeset,
    ChangesetState,
    FeedRun,
    HoldState,
    Listing,
    Order,
    OrderLine,
    RunState,
    Shop,
    StockHold,
    StockLevel,
    StockMovement,
)
from prestaconsole.operations.reference import load_reference
from prestaconsole.rules.order_state import deducts

_SHOWN = 5
_LEASE_PATIENCE = timedelta(minutes=2)
_ACTIVE = (RunState.QUEUED, RunState.RUNNING)
_OVER = (ChangesetState.DONE, ChangesetState.FAILED, ChangesetState.UNDONE, ChangesetState.VOID)

Level = Literal["fault", "note"]


@dataclass(frozen=True)
class Broken:
    """One point that does not hold: how many rows, and the first of them in words."""

    name: str
    level: Level
    count: int
    words: str


Look = Callable[[Connection, datetime], list[str]]


def broken(connection: Connection, now: datetime) -> list[Broken]:
    """Every point that does not hold."""
    found = []
    for name, level, look in POINTS:
        words = look(connection, now)
        if words:
            shown = "; ".join(words[:_SHOWN]) + (" …" if len(words) > _SHOWN else "")
            found.append(Broken(name, level, len(words), shown))
    return found


def _rows(connection: Connection, statement: Executable, form: str) -> list[str]:
    return [form.format(**row._mapping) for row in connection.execute(statement)]


def _active_keys(connection: Connection, now: datetime) -> list[str]:
    active = FeedRun.state.in_(_ACTIVE)
    wrong = or_(and_(active, FeedRun.active_key.is_(None)), and_(~active, FeedRun.active_key.is_not(None)))
    return _rows(connection, select(FeedRun.id, FeedRun.state).where(wrong), "run {id} is {state}")


def _slots(connection: Connection, now: datetime) -> list[str]:
    running = FeedRun.state == RunState.RUNNING
    orphaned = and_(~running, or_(FeedRun.slot_key.is_not(None), FeedRun.lease_until.is_not(None)))
    unowned = and_(running, or_(FeedRun.slot_key.is_(None), FeedRun.lease_until.is_(None), FeedRun.owner.is_(None)))
    return _rows(connection, select(FeedRun.id, FeedRun.state).where(or_(orphaned, unowned)), "run {id} is {state}")


def _leases(connection: Connection, now: datetime) -> list[str]:
    late = select(FeedRun.id, FeedRun.feed).where(
        FeedRun.state == RunState.RUNNING, FeedRun.lease_until < now - _LEASE_PATIENCE
    )
    return _rows(connection, late, "run {id} of {feed}")


def _ledger(connection: Connection, now: datetime) -> list[str]:
    pair = (StockMovement.product_id, StockMovement.warehouse_id)
    sums = select(*pair, func.sum(StockMovement.quantity).label("sum")).group_by(*pair).subquery()
    joined = (sums.c.product_id == StockLevel.product_id) & (sums.c.warehouse_id == StockLevel.warehouse_id)
    level = select(StockLevel.product_id, StockLevel.warehouse_id, StockLevel.physical, sums.c.sum)
    wrong = level.outerjoin(sums, joined).where(func.coalesce(sums.c.sum, 0) != StockLevel.physical)
    alone = select(sums.c.product_id, sums.c.warehouse_id).outerjoin(StockLevel, joined)
    return [
        *_rows(
            connection, wrong, "product {product_id} in warehouse {warehouse_id}: level {physical}, movements {sum}"
        ),
        *_rows(
            connection,
            # An import that was taken back leaves its movements, and nothing counted.
            alone.where(StockLevel.product_id.is_(None), sums.c.sum != 0),
            "product {product_id} in warehouse {warehouse_id}: movements without a level",
        ),
    ]


def _holds_without_order(connection: Connection, now: datetime) -> list[str]:
    """Open holds of orders that have left, or that have no order at all."""
    wrong = (
        select(StockHold.id, Order.id_order, Shop.code)
        .join(Shop, Shop.id == StockHold.shop_id)
        .outerjoin(Order, Order.id == StockHold.order_id)
        .where(StockHold.state == HoldState.OPEN, StockHold.kind == "order")
        .where(or_(Order.id.is_(None), Order.shipped_at.is_not(None)))
    )
    return _rows(connection, wrong, "hold {id} of order {id_order} of {code}")


def _holds_against_states(connection: Connection, now: datetime) -> list[str]:
    """Holds that are open while the order's state gives back, or missing while the shop still deducts."""
    return [words for shop in connection.execute(select(Shop.id, Shop.code)) for words in _of_shop(connection, shop)]


def _of_shop(connection: Connection, shop: Any) -> Iterator[str]:
    states = load_reference(connection, shop.id).states
    deducting = [number for number in states if deducts(number, states)]
    freeing = [number for number in states if number not in deducting]
    mine = (Order.shop_id == shop.id, Order.verdict.not_in(("missing", "incomplete")))
    held = select(StockHold.id).where(StockHold.order_id == Order.id, StockHold.kind == "order")
    still = held.where(StockHold.state == HoldState.OPEN)
    free = select(Order.id_order).where(*mine, Order.id_order_state.in_(freeing), still.exists())
    sold = select(OrderLine.id).where(OrderLine.order_id == Order.id)
    units = OrderLine.quantity - OrderLine.quantity_reinjected > 0
    unheld = select(Order.id_order).where(
        *mine, Order.id_order_state.in_(deducting), Order.shipped_at.is_(None), sold.where(units).exists()
    )
    for id_order in connection.execute(free).scalars():
        yield f"order {id_order} of {shop.code} holds units and its state gives them back"
    for id_order in connection.execute(unheld.where(~held.exists())).scalars():
        yield f"order {id_order} of {shop.code} is open and holds nothing"


def _open_twice(connection: Connection, now: datetime) -> list[str]:
    key = (Change.record, Change.field, Change.kind)
    twice = (
        select(Change.record, func.count().label("number")).where(Change.state < literal_column("10")).group_by(*key)
    )
    return _rows(connection, twice.having(func.count() > 1), "record {record} has {number} open changes")


def _open_in_ended(connection: Connection, now: datetime) -> list[str]:
    wrong = (
        select(Changeset.id, func.count().label("number"))
        .join(Change, Change.changeset_id == Changeset.id)
        .where(Changeset.state.in_(_OVER), Change.state < literal_column("10"))
        .group_by(Changeset.id)
    )
    return _rows(connection, wrong, "plan {id} has {number}")


def _confirmed_without_request(connection: Connection, now: datetime) -> list[str]:
    wrong = select(Change.id).where(Change.state == literal_column("3"), Change.batch_id.is_(None))
    return _rows(connection, wrong, "change {id}")


def _marks(connection: Connection, now: datetime) -> list[str]:
    wrong = select(Listing.id).where(Listing.planned_mark > Listing.push_mark)
    return _rows(connection, wrong, "listing {id}")


def _foreign_records(connection: Connection, now: datetime) -> list[str]:
    wrong = (
        select(Change.id)
        .outerjoin(Listing, Listing.id == Change.record)
        .where(Change.kind == ChangeKind.STOCK, Change.state < literal_column("10"), Listing.id.is_(None))
    )
    return _rows(connection, wrong, "change {id}")


POINTS: tuple[tuple[str, Level, Look], ...] = (
    ("a run holds its key exactly while it is active", "fault", _active_keys),
    ("a run holds slot, lease and owner exactly while it is at work", "fault", _slots),
    ("a run at work has a lease that has not ended; the next daemon takes these over", "note", _leases),
    ("the movements of a product add up to its level", "fault", _ledger),
    ("an open hold belongs to an order that has not left", "fault", _holds_without_order),
    ("orders hold units exactly while their shop deducts them", "note", _holds_against_states),
    ("a record has one open change", "fault", _open_twice),
    ("a plan that is over has no open change", "fault", _open_in_ended),
    ("a change on its way has its request", "fault", _confirmed_without_request),
    ("an open change of stock is of a listing that is there", "fault", _foreign_records),
    ("a listing was not planned further than it was marked", "fault", _marks),
)
