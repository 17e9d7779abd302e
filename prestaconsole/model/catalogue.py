"""Products of the warehouse and their listings in the shops. Imports the base only."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import Amount, Identifier, UtcDateTime


class Product(Base):
    """A thing the warehouse keeps. ``sku`` is NULL for one that a listing without a usable SKU keeps for itself.

    ``origin`` is ``shop`` (first seen there) or ``warehouse`` (born here, row X20).
    """

    __tablename__ = "product"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    sku: Mapped[str | None] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    ean13: Mapped[str] = mapped_column(String(14), default="", index=True)
    origin: Mapped[str] = mapped_column(String(12), default="shop")
    stop_selling: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Listing(Base):
    """A product or combination as it lives in one shop; prices net in the shop's default currency.

    A product that has combinations keeps a row too (``has_combinations``): it is not sold and its stock row is
    the shop's own sum, which is never written (FINDINGS F44).
    """

    __tablename__ = "listing"
    __table_args__ = (
        UniqueConstraint("shop_id", "id_product", "id_product_attribute"),
        Index("ix_listing_shop_id_sku", "shop_id", "sku"),
        Index("ix_listing_shop_id_stock_row", "shop_id", "id_stock_available"),
        # What waits to be sent, found without a look at the rest.
        Index(
            "ix_listing_marked",
            "shop_id",
            "id",
            sqlite_where=text("push_mark > planned_mark"),
            postgresql_where=text("push_mark > planned_mark"),
        ),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    id_product: Mapped[int]
    id_product_attribute: Mapped[int] = mapped_column(default=0)
    id_shop: Mapped[int] = mapped_column(default=0)
    """The first storefront that lists it, whose stock row is its own; 0 in a single shop."""
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    has_combinations: Mapped[bool] = mapped_column(default=False)
    sku: Mapped[str] = mapped_column(String(80), default="")
    ean13: Mapped[str] = mapped_column(String(14), default="")
    name: Mapped[str] = mapped_column(String(255), default="")
    active: Mapped[bool] = mapped_column(default=False)
    price: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    """Net, in the shop's default currency; a combination's is the product's plus its impact (FEATURES P15)."""
    product_type: Mapped[str] = mapped_column(String(16), default="simple")
    pack_stock_type: Mapped[int] = mapped_column(default=0)
    """Which rows a sold pack lowers: 0 its own, 1 those of its parts, 2 both, 3 as the shop has it (R42)."""
    linked_by: Mapped[str] = mapped_column(String(12), default="")
    """How it found its product: ``sku``, ``own`` (no usable SKU) or ``person``."""
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The shop's stock row, echoed byte for byte in every write (FINDINGS-ORDERS R1).
    id_stock_available: Mapped[int | None]
    quantity: Mapped[int | None]
    """The shop's figure as last read; NULL while no stock row was ever read."""
    quantity_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    depends_on_stock: Mapped[bool] = mapped_column(default=False)
    # What the shop should show before the next write (DESIGN §6 step 3): a range while an order's moment is unsure.
    expected_low: Mapped[int | None]
    expected_high: Mapped[int | None]
    expected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_quantity: Mapped[int | None]
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Raised by every change that touches the number to show; a plan notes how far it looked.
    push_mark: Mapped[int] = mapped_column(default=0)
    planned_mark: Mapped[int] = mapped_column(default=0)
    marked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PackPart(Base):
    """A part of a shop's own pack, and how many of it are in one; without combination ``id_part_attribute`` is 0."""

    __tablename__ = "pack_part"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    id_product: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id_part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id_part_attribute: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    units: Mapped[int]
