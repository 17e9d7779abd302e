"""Listings in the shops and the warehouse's products behind them. May import operations, model, database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError, UsageError
from prestaconsole.model import HoldState, Listing, Product, Shop, StockHold, StockLevel
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import find_shop
from prestaconsole.services.stock import StockRow, find_product, stock_rows


@dataclass(frozen=True)
class ListingRow:
    """A product or combination as it lives in a shop; ``price`` is net in ``currency``.

    ``quantity`` is the shop's figure as last read, None before the first stock row was read.
    """

    id: int
    shop: str
    id_product: int
    id_product_attribute: int
    sku: str
    name: str
    quantity: int | None
    price: Decimal
    currency: str
    active: bool
    ean13: str
    product: int | None
    linked_by: str
    expected: int | None
    confirmed: int | None
    confirmed_at: datetime | None
    seen_at: datetime
    gone_at: datetime | None


@dataclass(frozen=True)
class ProductRow:
    """A product of the warehouse; ``sku`` is None for one that a listing without a usable SKU keeps for itself."""

    id: int
    sku: str | None
    name: str
    ean13: str
    origin: str
    listings: int
    physical: int | None
    held: int


@dataclass(frozen=True)
class ProductDetail:
    """A product with its listings in every shop and its stock in every warehouse."""

    product: ProductRow
    listings: tuple[ListingRow, ...]
    stock: tuple[StockRow, ...]


def list_listings(
    core: Core, shop: str | None = None, *, words: str = "", gone: bool = False, limit: int | None = None
) -> list[ListingRow]:
    """Listings of one shop or of all; a product with combinations stands there by its combinations only.

    ``words`` are looked for in SKU, name and EAN; ``gone`` adds those that the shop has no longer.
    """

    def work(connection: Connection) -> list[ListingRow]:
        statement = _listings().where(Listing.has_combinations.is_(False))
        if shop is not None:
            statement = statement.where(Listing.shop_id == find_shop(connection, shop).id)
        if not gone:
            statement = statement.where(Listing.gone_at.is_(None))
        for word in words.split():
            statement = statement.where(_holds(word, Listing.sku, Listing.name, Listing.ean13))
        return _rows(connection, statement.limit(limit))

    return core.database.read_now(work)


def show_listing(core: Core, listing: str, *, shop: str | None = None) -> ListingRow:
    """The one listing that is named by SKU or by ``id_product`` or ``id_product-id_product_attribute``.

    Raises ``NotFoundError`` for none and ``UsageError`` naming the candidates for several.
    """

    def work(connection: Connection) -> list[ListingRow]:
        statement = _listings().where(Listing.has_combinations.is_(False), _named(listing.strip()))
        if shop is not None:
            statement = statement.where(Listing.shop_id == find_shop(connection, shop).id)
        return _rows(connection, statement.limit(20))

    found = core.database.read_now(work)
    exact = [row for row in found if row.sku == listing.strip()] or found
    if not exact:
        raise NotFoundError(
            f"No listing is called “{listing}”{f' in {shop}' if shop else ''}.",
            "Give a SKU or id_product-id_product_attribute; `prestaconsole listing list SHOP` shows all.",
        )
    if len(exact) > 1:
        places = ", ".join(f"{row.shop} {row.id_product}-{row.id_product_attribute}" for row in exact)
        raise UsageError(
            f"“{listing}” names {len(exact)} listings: {places}.", "Give the shop with --shop, or the ids."
        )
    return exact[0]


def list_products(core: Core, *, words: str = "", limit: int | None = None) -> list[ProductRow]:
    """Products of the warehouse by SKU, those without one last."""

    def work(connection: Connection) -> list[ProductRow]:
        statement = _products()
        for word in words.split():
            statement = statement.where(_holds(word, Product.sku, Product.name, Product.ean13))
        return [_product(row) for row in connection.execute(statement.limit(limit))]

    return core.database.read_now(work)


def show_product(core: Core, sku: str) -> ProductDetail:
    """One product by SKU, or by ``#id`` where it has none. Raises ``NotFoundError``."""

    def work(connection: Connection) -> ProductDetail:
        product_id, name = find_product(connection, sku)
        row = connection.execute(_products().where(Product.id == product_id)).one()
        listings = _rows(connection, _listings().where(Listing.product_id == product_id))
        return ProductDetail(_product(row), tuple(listings), tuple(stock_rows(connection, product_id, name)))

    return core.database.read_now(work)


# -- statements ----------------------------------------------------------------------------------------------


def _listings() -> Select[Any]:
    return (
        select(*Listing.__table__.columns, Shop.name.label("shop_name"), Shop.currency.label("shop_currency"))
        .join(Shop, Shop.id == Listing.shop_id)
        .order_by(Shop.name, Listing.id_product, Listing.id_product_attribute)
    )


def _rows(connection: Connection, statement: Select[Any]) -> list[ListingRow]:
    return [
        ListingRow(
            id=row.id,
            shop=row.shop_name,
            id_product=row.id_product,
            id_product_attribute=row.id_product_attribute,
            sku=row.sku,
            name=row.name,
            quantity=row.quantity,
            price=row.price,
            currency=row.shop_currency,
            active=row.active,
            ean13=row.ean13,
            product=row.product_id,
            linked_by=row.linked_by,
            expected=row.expected_low,
            confirmed=row.confirmed_quantity,
            confirmed_at=row.confirmed_at,
            seen_at=row.seen_at,
            gone_at=row.gone_at,
        )
        for row in connection.execute(statement)
    ]


def _named(text: str) -> ColumnElement[bool]:
    by_sku = func.lower(Listing.sku) == text.lower()
    first, _, second = text.partition("-")
    if not (first.isascii() and first.isdigit()) or (second and not (second.isascii() and second.isdigit())):
        return by_sku
    by_id = Listing.id_product == int(first)
    if second:
        by_id = by_id & (Listing.id_product_attribute == int(second))
    return or_(by_sku, by_id)


def _holds(word: str, *columns: Any) -> ColumnElement[bool]:
    return or_(*(column.icontains(word, autoescape=True) for column in columns))


def _products() -> Select[Any]:
    listed = _per_product(Listing.product_id, func.count(), Listing.gone_at.is_(None))
    levels = _per_product(StockLevel.product_id, func.sum(StockLevel.physical))
    held = _per_product(StockHold.product_id, func.sum(StockHold.quantity), StockHold.state == HoldState.OPEN)
    statement: Select[Any] = select(
        Product.id,
        Product.sku,
        Product.name,
        Product.ean13,
        Product.origin,
        listed.c.n.label("listings"),
        levels.c.n.label("physical"),
        held.c.n.label("held"),
    )
    for part in (listed, levels, held):
        statement = statement.outerjoin(part, part.c.product_id == Product.id)
    return statement.order_by(Product.sku.is_(None), Product.sku, Product.id)


def _per_product(column: Any, count: Any, *where: ColumnElement[bool]) -> Any:
    return select(column, count.label("n")).where(*where).group_by(column).subquery()


def _product(row: Any) -> ProductRow:
    physical = int(row.physical) if row.physical is not None else None
    return ProductRow(row.id, row.sku, row.name, row.ean13, row.origin, row.listings or 0, physical, int(row.held or 0))


def skus_that_repeat(connection: Connection, shop_id: int) -> Sequence[str]:
    """SKUs that stand on more than one sold listing of a shop (FEATURES P13)."""
    statement = (
        select(Listing.sku)
        .where(
            Listing.shop_id == shop_id,
            Listing.gone_at.is_(None),
            Listing.has_combinations.is_(False),
            Listing.sku != "",
        )
        .group_by(Listing.sku)
        .having(func.count() > 1)
        .order_by(Listing.sku)
    )
    return connection.execute(statement).scalars().all()
