"""What stands beside the parts of a number: orders that hold stock, last counts, own rules. May import the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from prestaconsole.database import Connection
from prestaconsole.model import MovementKind, Order, ProductFormula, Shop, StockMovement, Warehouse
from prestaconsole.operations.shops import ShopRecord


@dataclass(frozen=True)
class HoldingOrder:
    """An order that holds stock: the shop's number of it, who ordered, how far it is (and where, of another shop)."""

    id_order: int
    customer: str
    stage: str


def holding_orders(connection: Connection, shop: ShopRecord, ids: Sequence[int]) -> dict[int, HoldingOrder]:
    """Orders by our id."""
    found: dict[int, HoldingOrder] = {}
    for start in range(0, len(ids), 500):
        rows = connection.execute(
            select(Order.id, Order.id_order, Order.customer_name, Order.verdict, Order.stage, Order.shop_id)
            .add_columns(Shop.name.label("shop_name"))
            .join(Shop, Shop.id == Order.shop_id)
            .where(Order.id.in_(ids[start : start + 500]))
        )
        for row in rows:
            stage = row.stage or "reserved" if row.verdict == "import" else _WORDS.get(row.verdict, row.verdict)
            place = "" if row.shop_id == shop.id else row.shop_name
            found[row.id] = HoldingOrder(row.id_order, row.customer_name, ", ".join(filter(None, (stage, place))))
    return found


_WORDS = {"hold": "held", "skip": "not imported", "incomplete": "being written"}


def last_counts(connection: Connection, product_id: int, codes: Sequence[str]) -> Mapping[str, str]:
    """``counted 17 Nov by Łukasz`` by code of a warehouse, where a count of the product stands in the ledger."""
    last = (
        select(func.max(StockMovement.id))
        .where(
            StockMovement.product_id == product_id,
            StockMovement.kind.in_((MovementKind.CORRECTION, MovementKind.IMPORT)),
        )
        .group_by(StockMovement.warehouse_id)
    )
    rows = connection.execute(
        select(Warehouse.code, StockMovement.at, StockMovement.actor)
        .join(Warehouse, Warehouse.id == StockMovement.warehouse_id)
        .where(StockMovement.id.in_(last), Warehouse.code.in_(codes))
    )
    return {row.code: f"counted {row.at.day} {row.at:%b} by {row.actor}" for row in rows}


def own_steps(connection: Connection, shop_id: int, product_id: int) -> frozenset[str]:
    """The steps in which a product differs from its shop's formula."""
    steps = ("buffer", "threshold", "cap")
    own = connection.execute(
        select(*(getattr(ProductFormula, step) for step in steps)).where(
            ProductFormula.shop_id == shop_id, ProductFormula.product_id == product_id
        )
    ).one_or_none()
    return frozenset(step for step, number in zip(steps, own or (), strict=False) if number is not None)
