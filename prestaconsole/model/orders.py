"""Orders as the shops gave them: one row for every id ever seen, with its verdict. Imports the base only."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import Amount, Identifier, Json, UtcDateTime


class Order(Base):
    """An order id of a shop, its verdict and its figures. Money is in ``currency``, as the shop gave it.

    ``verdict`` is import, hold, done, cancelled, skip, incomplete or missing; ``reason`` says why in words.
    ``date_add`` and ``date_upd`` are UTC; ``local_date_add`` keeps the shop's own text, which no clock change spoils.
    """

    __tablename__ = "shop_order"
    __table_args__ = (
        UniqueConstraint("shop_id", "id_order"),
        Index("ix_shop_order_shop_id_reference", "shop_id", "reference"),
        Index("ix_shop_order_watch", "shop_id", "watched", "next_look_at"),
        Index("ix_shop_order_shop_id_date_add", "shop_id", "date_add"),
        Index("ix_shop_order_shop_id_verdict", "shop_id", "verdict"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    id_order: Mapped[int]
    reference: Mapped[str] = mapped_column(String(32), default="")
    id_shop: Mapped[int] = mapped_column(default=0)
    id_shop_group: Mapped[int] = mapped_column(default=0)
    # The ledger.
    verdict: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(300), default="")
    verdict_at: Mapped[datetime] = mapped_column(UtcDateTime)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)
    imported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    watched: Mapped[bool] = mapped_column(default=False)
    looks: Mapped[int] = mapped_column(default=0)
    next_look_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stage: Mapped[str] = mapped_column(String(16), default="")
    # What the shop says.
    id_order_state: Mapped[int] = mapped_column(default=0)
    shipped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was first seen in a shipped state, by whichever side came first (DESIGN §5a)."""
    id_customer: Mapped[int] = mapped_column(default=0)
    customer_name: Mapped[str] = mapped_column(String(255), default="")
    customer_email: Mapped[str] = mapped_column(String(255), default="")
    is_guest: Mapped[bool] = mapped_column(default=False)
    id_carrier: Mapped[int] = mapped_column(default=0)
    module: Mapped[str] = mapped_column(String(120), default="")
    payment: Mapped[str] = mapped_column(String(255), default="")
    id_currency: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str] = mapped_column(String(3), default="")
    conversion_rate: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_paid: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_paid_tax_incl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_paid_tax_excl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_paid_real: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_products: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_products_wt: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_shipping_tax_incl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_shipping_tax_excl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_discounts_tax_incl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_discounts_tax_excl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_wrapping_tax_incl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_wrapping_tax_excl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    rounding: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    """total_paid_tax_incl less the sum of its parts, a line of its own (FINDINGS-ORDERS R6, part J)."""
    gift: Mapped[bool] = mapped_column(default=False)
    gift_message: Mapped[str] = mapped_column(Text, default="")
    note: Mapped[str] = mapped_column(Text, default="")
    local_date_add: Mapped[str] = mapped_column(String(19), default="")
    local_date_upd: Mapped[str] = mapped_column(String(19), default="")
    date_add: Mapped[datetime | None] = mapped_column(UtcDateTime)
    date_upd: Mapped[datetime | None] = mapped_column(UtcDateTime)
    raw: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class OrderLine(Base):
    """One ``order_details`` row; line truth is ``total_price_*`` (FINDINGS-ORDERS R8)."""

    __tablename__ = "order_line"
    __table_args__ = (
        UniqueConstraint("order_id", "id_order_detail"),
        Index("ix_order_line_product", "id_product", "id_product_attribute"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id", ondelete="CASCADE"))
    id_order_detail: Mapped[int]
    id_product: Mapped[int] = mapped_column(default=0)
    id_product_attribute: Mapped[int] = mapped_column(default=0)
    sku: Mapped[str] = mapped_column(String(80), default="")
    ean13: Mapped[str] = mapped_column(String(14), default="")
    name: Mapped[str] = mapped_column(String(500), default="")
    quantity: Mapped[int] = mapped_column(default=0)
    quantity_refunded: Mapped[int] = mapped_column(default=0)
    quantity_returned: Mapped[int] = mapped_column(default=0)
    quantity_reinjected: Mapped[int] = mapped_column(default=0)
    unit_price_tax_incl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    unit_price_tax_excl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_price_tax_incl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))
    total_price_tax_excl: Mapped[Decimal] = mapped_column(Amount, default=Decimal(0))


class OrderAddress(Base):
    """An address copied into the order at reading: the shop's may change later (FINDINGS-ORDERS R46)."""

    __tablename__ = "order_address"

    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    id_address: Mapped[int]
    company: Mapped[str] = mapped_column(String(255), default="")
    firstname: Mapped[str] = mapped_column(String(255), default="")
    lastname: Mapped[str] = mapped_column(String(255), default="")
    address1: Mapped[str] = mapped_column(String(255), default="")
    address2: Mapped[str] = mapped_column(String(255), default="")
    postcode: Mapped[str] = mapped_column(String(16), default="")
    city: Mapped[str] = mapped_column(String(120), default="")
    id_country: Mapped[int] = mapped_column(default=0)
    id_state: Mapped[int] = mapped_column(default=0)
    phone: Mapped[str] = mapped_column(String(40), default="")
    phone_mobile: Mapped[str] = mapped_column(String(40), default="")
    vat_number: Mapped[str] = mapped_column(String(40), default="")
    dni: Mapped[str] = mapped_column(String(40), default="")
    other: Mapped[str] = mapped_column(Text, default="")


class OrderEvent(Base):
    """One ``order_histories`` row: the shop's own log of state changes, read by id cursor."""

    __tablename__ = "order_event"
    __table_args__ = (UniqueConstraint("shop_id", "id_order_history"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    id_order_history: Mapped[int]
    id_order: Mapped[int] = mapped_column(index=True)
    id_order_state: Mapped[int]
    date_add: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
