"""Warehouses, levels, the append-only movement ledger, and holds by orders. Imports the base only."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import Identifier, UtcDateTime


class MovementKind(StrEnum):
    """Why a physical level moved."""

    IMPORT = "import"
    RECEIPT = "receipt"
    CORRECTION = "correction"
    SALE = "sale"
    RETURN = "return"
    TRANSFER = "transfer"
    OPENING = "opening"
    """The sum of older movements that retention folded into one."""


class HoldState(StrEnum):
    """A hold counts while it is open; shipped and released ones are history."""

    OPEN = "open"
    SHIPPED = "shipped"
    RELEASED = "released"


class Warehouse(Base):
    """A place that keeps stock. One that is not ``active`` counts as empty.

    ``folder`` is where its stock files are dropped; ``good_rows``: of one with bad rows the others are loaded.
    """

    __tablename__ = "warehouse"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    active: Mapped[bool] = mapped_column(default=True)
    folder: Mapped[str] = mapped_column(String(400), default="")
    good_rows: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StockLevel(Base):
    """Units physically there. No row means: never counted, which is not zero."""

    __tablename__ = "stock_level"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    warehouse_id: Mapped[int] = mapped_column(ForeignKey("warehouse.id"), primary_key=True)
    physical: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StockMovement(Base):
    """One movement of a level, folded with its neighbours only by retention; ``physical`` is the level after it."""

    __tablename__ = "stock_movement"
    __table_args__ = (Index("ix_stock_movement_product_id_id", "product_id", "id"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    warehouse_id: Mapped[int] = mapped_column(ForeignKey("warehouse.id"))
    kind: Mapped[str] = mapped_column(String(12))
    quantity: Mapped[int]
    physical: Mapped[int]
    first: Mapped[bool] = mapped_column(default=False)
    """Nothing was counted before it: a level that is taken back to there is no level, which is not zero."""
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shop.id", ondelete="SET NULL"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("shop_order.id", ondelete="SET NULL"))
    run_id: Mapped[int | None]
    reason: Mapped[str] = mapped_column(String(200), default="")
    actor: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class StockHold(Base):
    """Units an order line holds while its shop deducts them (DESIGN §5a); ``kind`` is order or unexplained.

    An ``unexplained`` hold has no line: it carries what a shop shows less than expected until an order explains it.
    The line of a pack holds what its shop lowers: the pack, its parts, or both (then the pack's is ``with_parts``).
    """

    __tablename__ = "stock_hold"
    __table_args__ = (
        UniqueConstraint("order_line_id", "id_product", "id_product_attribute"),
        Index("ix_stock_hold_product_id_state", "product_id", "state"),
        Index("ix_stock_hold_listing", "shop_id", "id_product", "id_product_attribute"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("shop_order.id", ondelete="CASCADE"), index=True)
    order_line_id: Mapped[int | None] = mapped_column(ForeignKey("order_line.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(12), default="order")
    id_product: Mapped[int]
    id_product_attribute: Mapped[int]
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    quantity: Mapped[int]
    per_unit: Mapped[int] = mapped_column(default=1)
    """Units held by one unit of the line."""
    with_parts: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(10), default=HoldState.OPEN)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
