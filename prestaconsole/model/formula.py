"""What shapes a number beyond the levels: exceptions of a product, parts of a kit; and stock files taken in.

Imports the base only.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import Identifier, UtcDateTime


class ProductFormula(Base):
    """Steps of the stock formula that differ for one product in one shop; NULL: as the shop has it (idea 10)."""

    __tablename__ = "product_formula"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    buffer: Mapped[int | None]
    threshold: Mapped[int | None]
    cap: Mapped[int | None]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))


class KitPart(Base):
    """One part of a kit and its units in one kit; a part may be a kit itself, never one that holds this kit."""

    __tablename__ = "kit_part"

    kit_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    part_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True, index=True)
    units: Mapped[int]


class LoadState(StrEnum):
    """How far a stock file came."""

    LOADING = "loading"
    DONE = "done"
    FAILED = "failed"


class StockLoad(Base):
    """One stock file taken in, once: ``claim`` names this very delivery of it, ``digest`` its bytes (SHA-256).

    ``position`` is how many of its rows are booked; it moves in the transaction that books them, so a load that was
    cut off goes on there, and of two processes that book the same rows only one can.
    """

    __tablename__ = "stock_load"
    __table_args__ = (Index("ix_stock_load_warehouse_id_id", "warehouse_id", "id"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    claim: Mapped[str] = mapped_column(String(200), unique=True)
    warehouse_id: Mapped[int] = mapped_column(ForeignKey("warehouse.id"))
    file: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), default=LoadState.LOADING)
    rows: Mapped[int] = mapped_column(default=0)
    position: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(String(400), default="")
    actor: Mapped[str] = mapped_column(String(80))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    moved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
