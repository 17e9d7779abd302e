"""Goods that come, go back and change places, and the ledger that keeps it all. May import operations, model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.model import MovementKind, Order, Product, Shop, StockMovement, Warehouse
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.stock_ledger import Movement, levels, move
from prestaconsole.services.stock import MOST_UNITS, StockRow, find_product, stock_rows
from prestaconsole.services.typed import one_line
from prestaconsole.services.warehouses import find_warehouse


@dataclass(frozen=True)
class LedgerRow:
    """One movement: ``units`` came (above zero) or went; ``physical`` was there afterwards. ``order`` is the shop's."""

    at: datetime
    kind: str
    sku: str
    warehouse: str
    units: int
    physical: int
    shop: str
    order: int | None
    reason: str
    actor: str


def receive_stock(core: Core, sku: str, units: int, *, warehouse: str, reason: str = "", actor: str) -> list[StockRow]:
    """Book goods that came in; gives the product's rows. Raises ``UsageError``."""
    return _book(core, sku, units, MovementKind.RECEIPT, warehouse, one_line("reason", reason, 200), actor)


def return_stock(core: Core, sku: str, units: int, *, warehouse: str, reason: str, actor: str) -> list[StockRow]:
    """Book goods that a buyer sent back and that can be sold again. Raises ``UsageError``."""
    words = one_line("reason", reason, 200, needed=True)
    return _book(core, sku, units, MovementKind.RETURN, warehouse, words, actor)


def _book(
    core: Core, sku: str, units: int, kind: MovementKind, warehouse: str, reason: str, actor: str
) -> list[StockRow]:
    _require_units(units)

    def work(connection: Connection) -> list[StockRow]:
        now = core.clock.now()
        product_id, name = find_product(connection, sku)
        warehouse_id, code = find_warehouse(connection, warehouse)
        before = levels(connection, [(product_id, warehouse_id)]).get((product_id, warehouse_id))
        _require_room(name, code, (before or 0) + units)
        move(connection, [Movement(product_id, warehouse_id, units, kind)], actor=actor, at=now, reason=reason)
        audit(
            connection,
            actor=actor,
            action=f"stock {kind}",
            at=now,
            record=f"{name} in {code}"[:120],
            before={"physical": before},
            after={"physical": (before or 0) + units},
            reason=reason,
        )
        return stock_rows(connection, product_id, name)

    return core.database.write_now(work)


def transfer_stock(
    core: Core, sku: str, units: int, *, source: str, target: str, reason: str = "", actor: str
) -> list[StockRow]:
    """Carry goods from one warehouse to another: two movements in one transaction, so none is lost on the way.

    Raises ``UsageError`` where the first has not so many, or both are the same.
    """
    _require_units(units)
    reason = one_line("reason", reason, 200)

    def work(connection: Connection) -> list[StockRow]:
        now = core.clock.now()
        product_id, name = find_product(connection, sku)
        from_id, from_code = find_warehouse(connection, source)
        to_id, to_code = find_warehouse(connection, target)
        if from_id == to_id:
            raise UsageError(f"{from_code} is both ends of the way.", "Name two warehouses.")
        standing = levels(connection, [(product_id, from_id), (product_id, to_id)])
        there = standing.get((product_id, from_id), 0)
        if there < units:
            raise UsageError(
                f"{from_code} has {there} of {name}, so {units} cannot leave it.",
                f"Move fewer, or correct the count: `prestaconsole stock set {name} QTY --warehouse {from_code}`.",
            )
        _require_room(name, to_code, standing.get((product_id, to_id), 0) + units)
        words = reason or f"{from_code} to {to_code}"
        moves = [
            Movement(product_id, from_id, -units, MovementKind.TRANSFER),
            Movement(product_id, to_id, units, MovementKind.TRANSFER),
        ]
        move(connection, moves, actor=actor, at=now, reason=words)
        record = f"{name} from {from_code} to {to_code}"[:120]
        audit(
            connection,
            actor=actor,
            action="stock transfer",
            at=now,
            record=record,
            before={from_code: there, to_code: standing.get((product_id, to_id))},
            after={from_code: there - units, to_code: standing.get((product_id, to_id), 0) + units},
            reason=reason,
        )
        return stock_rows(connection, product_id, name)

    return core.database.write_now(work)


def _require_units(units: int) -> None:
    if not 1 <= units <= MOST_UNITS:
        raise UsageError(f"{units} units cannot be moved.", f"Give a whole number from 1 to {MOST_UNITS}.")


def _require_room(name: str, code: str, after: int) -> None:
    if after > MOST_UNITS:
        raise UsageError(f"{code} would have {after} of {name}; {MOST_UNITS} are the most.", "Check the number.")


def list_movements(
    core: Core, sku: str, *, warehouse: str | None = None, limit: int | None = None
) -> Sequence[LedgerRow]:
    """The movements of a product, newest first. Raises ``NotFoundError``."""

    def work(connection: Connection) -> list[LedgerRow]:
        product_id, name = find_product(connection, sku)
        statement = (
            select(
                *StockMovement.__table__.columns,
                Warehouse.code.label("warehouse"),
                Shop.code.label("shop"),
                Order.id_order.label("order_number"),
            )
            .join(Product, Product.id == StockMovement.product_id)
            .join(Warehouse, Warehouse.id == StockMovement.warehouse_id)
            .outerjoin(Shop, Shop.id == StockMovement.shop_id)
            .outerjoin(Order, Order.id == StockMovement.order_id)
            .where(StockMovement.product_id == product_id)
            .order_by(StockMovement.id.desc())
            .limit(limit)
        )
        if warehouse is not None:
            statement = statement.where(StockMovement.warehouse_id == find_warehouse(connection, warehouse)[0])
        return [
            LedgerRow(
                at=row.at,
                kind=row.kind,
                sku=name,
                warehouse=row.warehouse,
                units=row.quantity,
                physical=row.physical,
                shop=row.shop or "",
                order=row.order_number,
                reason=row.reason,
                actor=row.actor,
            )
            for row in connection.execute(statement)
        ]

    return core.database.read_now(work)
