"""Shops, their storefronts, settings and vault rows, and what `analyse` reads of each. Imports the base only."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import Identifier, Json, UtcDateTime


class ShopMode(StrEnum):
    """How far a shop may go (DESIGN §5): draft → setup → rehearsal → live → frozen."""

    DRAFT = "draft"
    SETUP = "setup"
    REHEARSAL = "rehearsal"
    LIVE = "live"
    FROZEN = "frozen"


class Shop(Base):
    """One PrestaShop installation: base URL and fingerprint; its ``id_shop``s are storefronts."""

    __tablename__ = "shop"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    base_url: Mapped[str] = mapped_column(String(400), unique=True)
    email: Mapped[str] = mapped_column(String(200), default="")
    mode: Mapped[str] = mapped_column(String(12), default=ShopMode.DRAFT)
    colour: Mapped[str] = mapped_column(String(12), default="")
    # How the shop must be spoken to, found out by the connection test.
    auth: Mapped[str] = mapped_column(String(8), default="basic")
    rewriting: Mapped[bool] = mapped_column(default=True)
    ps_method: Mapped[bool] = mapped_column(default=False)
    # What the shop says of itself.
    version: Mapped[str] = mapped_column(String(20), default="")
    timezone: Mapped[str] = mapped_column(String(60), default="")
    currency: Mapped[str] = mapped_column(String(3), default="")
    id_language: Mapped[int] = mapped_column(default=0)
    key_print: Mapped[str] = mapped_column(String(12), default="")
    key_set_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fingerprint: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    capabilities: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    identity_checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # A stop with a reason, which is not a mode.
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_by: Mapped[str] = mapped_column(String(80), default="")
    pause_reason: Mapped[str] = mapped_column(String(200), default="")
    # How the last requests went.
    health: Mapped[str] = mapped_column(String(8), default="?")
    last_good_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str] = mapped_column(Text, default="")
    went_live_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Storefront(Base):
    """One ``id_shop`` of an installation, with the columns its stock rows carry."""

    __tablename__ = "storefront"
    __table_args__ = (UniqueConstraint("shop_id", "id_shop"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    id_shop: Mapped[int]
    id_shop_group: Mapped[int] = mapped_column(default=0)
    name: Mapped[str] = mapped_column(String(200), default="")
    active: Mapped[bool] = mapped_column(default=True)
    shares_stock: Mapped[bool] = mapped_column(default=False)
    store: Mapped[str] = mapped_column(String(80), default="")


class ShopSetting(Base):
    """One setting of a shop, as typed; `services/settings` knows its meaning and default."""

    __tablename__ = "shop_setting"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))


class SealedSecret(Base):
    """A secret of a shop as AES-256-GCM cipher text; the key that opens it is not in this database (row C8)."""

    __tablename__ = "sealed_secret"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    wrapped_with: Mapped[str] = mapped_column(String(16))
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ShopLanguage(Base):
    """A language installed in a shop."""

    __tablename__ = "shop_language"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    id_lang: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    iso_code: Mapped[str] = mapped_column(String(8), default="")
    name: Mapped[str] = mapped_column(String(80), default="")
    active: Mapped[bool] = mapped_column(default=True)


class ShopCurrency(Base):
    """A currency of a shop, deleted ones included: old orders are in them (FINDINGS-ORDERS R16)."""

    __tablename__ = "shop_currency"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    id_currency: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    iso_code: Mapped[str] = mapped_column(String(3), default="")
    digits: Mapped[int] = mapped_column(default=2)
    deleted: Mapped[bool] = mapped_column(default=False)


class ShopOrderState(Base):
    """An order state of a shop with its flags (FEATURES P14). ``gives_back`` says whether it returns the stock.

    ``gives_back_source`` is ``configuration`` (PS_OS_CANCELED, PS_OS_ERROR were read), ``suggested`` or ``person``.
    """

    __tablename__ = "shop_order_state"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    id_order_state: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(120), default="")
    color: Mapped[str] = mapped_column(String(32), default="")
    module_name: Mapped[str] = mapped_column(String(120), default="")
    paid: Mapped[bool] = mapped_column(default=False)
    shipped: Mapped[bool] = mapped_column(default=False)
    delivery: Mapped[bool] = mapped_column(default=False)
    invoice: Mapped[bool] = mapped_column(default=False)
    logable: Mapped[bool] = mapped_column(default=False)
    send_email: Mapped[bool] = mapped_column(default=False)
    hidden: Mapped[bool] = mapped_column(default=False)
    deleted: Mapped[bool] = mapped_column(default=False)
    role: Mapped[str] = mapped_column(String(20), default="")
    """PS_OS_CANCELED or PS_OS_ERROR, where the shop's configuration names this state so."""
    gives_back: Mapped[bool] = mapped_column(default=False)
    gives_back_source: Mapped[str] = mapped_column(String(16), default="suggested")


class ShopCarrier(Base):
    """A carrier row of a shop; its id changes at each edit, ``id_reference`` stays (FEATURES P12)."""

    __tablename__ = "shop_carrier"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    id_carrier: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id_reference: Mapped[int] = mapped_column(default=0)
    name: Mapped[str] = mapped_column(String(120), default="")
    active: Mapped[bool] = mapped_column(default=True)
    deleted: Mapped[bool] = mapped_column(default=False)
    url: Mapped[str] = mapped_column(String(400), default="")
    external_module_name: Mapped[str] = mapped_column(String(120), default="")


class ShopPayment(Base):
    """A (module, text) pair seen on orders of a shop, with how often and when last (rows B22, M13)."""

    __tablename__ = "shop_payment"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    module: Mapped[str] = mapped_column(String(120), primary_key=True)
    payment: Mapped[str] = mapped_column(String(255), primary_key=True)
    orders: Mapped[int] = mapped_column(default=0)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ShopFinding(Base):
    """One finding of the last analysis or doctor of a shop: ok, WARN or FIX with its remedy (row X8)."""

    __tablename__ = "shop_finding"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(8))
    text: Mapped[str] = mapped_column(Text, default="")
    remedy: Mapped[str] = mapped_column(Text, default="")
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ShopPace(Base):
    """How a shop is asked just now, as the process that asks it last told: breaker, rests, places, cost of requests.

    ``asks_again_at`` stands while the breaker is open; once it has passed, one trial is due. ``cost`` is
    ``{"GET orders": {"requests": 12, "recent": 0.21}}``, seconds a request of late. Read through operations/pace.py.
    """

    __tablename__ = "shop_pace"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    asks_again_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resting_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_cause: Mapped[str] = mapped_column(Text, default="")
    busy: Mapped[int] = mapped_column(default=0)
    waiting: Mapped[int] = mapped_column(default=0)
    cost: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
