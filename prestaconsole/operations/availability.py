"""The inputs of the stock formula, read in few statements: levels, holds, kits, settings; the rule itself is pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from prestaconsole.database import Connection
from prestaconsole.model import (
    HoldState,
    Listing,
    Order,
    Product,
    ProductFormula,
    StockHold,
    StockLevel,
    Warehouse,
)
from prestaconsole.operations.kits import NO_KITS, Kits, any_kits, kits_around
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import ShopRecord, all_shops
from prestaconsole.rules.availability import (
    Availability,
    Formula,
    Held,
    KitPiece,
    Level,
    Part,
    available,
    free,
    kit_available,
)

_CHUNK = 1000
_REMEMBERED = 10_000


class ListingAvailability(NamedTuple):
    """What a listing should show. ``shown`` None: no confirmed source row, so it is never written (DESIGN §5)."""

    listing_id: int
    product_id: int
    shown: int | None
    parts: tuple[Part, ...]
    why_none: str = ""


@dataclass(frozen=True)
class _Shop:
    """What is the same for all listings of a shop: its warehouses in rank, whose holds count, its formula."""

    id: int
    warehouses: Mapping[int, Level]
    sharing_shops: frozenset[int]
    formula: Formula
    exceptions: bool
    kits: bool
    plain: dict[tuple[int | bool | None, ...], Availability] = field(default_factory=dict)
    """Numbers found already, by the levels they follow from, of products that nothing is held of."""


@dataclass
class _Page:
    """The facts of some listings: levels by product and warehouse, holds, exceptions, kits by product."""

    levels: dict[int, dict[int, int]] = field(default_factory=dict)
    held: Mapping[int, Sequence[Held]] = field(default_factory=dict)
    exceptions: Mapping[int, Formula] = field(default_factory=dict)
    kits: Kits = NO_KITS
    skus: Mapping[int, tuple[str, bool]] = field(default_factory=dict)


def availability(
    connection: Connection, shop: ShopRecord, listing_ids: Sequence[int] | None = None
) -> dict[int, ListingAvailability]:
    """The number to show for each sellable listing of the shop (all, or the given ones), by listing id.

    Its warehouses by the shop's formula less the units held by open orders of every shop that draws on any of them
    (DESIGN §5a), then buffer, threshold and cap, of the product where it has its own; a kit by its scarcest part.
    """
    about = _about(connection, shop)
    found: dict[int, ListingAvailability] = {}
    for rows in _listings(connection, shop.id, listing_ids):
        page = _read_page(connection, about, sorted({row[1] for row in rows}))
        for listing_id, product_id, stopped in rows:
            result = _number(about, page, product_id, stopped)
            found[listing_id] = ListingAvailability(listing_id, product_id, result.shown, result.parts, result.why_none)
    return found


def formula_of(shop: ShopRecord) -> Formula:
    """The formula of a shop's settings."""
    return Formula(
        mode=value(shop, "stock.mode"),
        reservations=value(shop, "stock.reservations"),
        buffer=value(shop, "stock.buffer"),
        threshold=value(shop, "stock.threshold"),
        cap=value(shop, "stock.cap"),
    )


# -- inside ----------------------------------------------------------------------------------------------------


def _number(about: _Shop, page: _Page, product_id: int, stopped: bool) -> Availability:
    formula = page.exceptions.get(product_id, about.formula)
    if product_id not in page.kits.parts:
        known, held = page.levels.get(product_id, {}), page.held.get(product_id, ())
        if not held and product_id not in page.exceptions:
            return _plain(about, known, stopped)
        return available(_figures(about, known), held, formula, stop_selling=stopped)
    pieces = []
    for leaf, units in sorted(page.kits.leaves(product_id).items()):
        sku, leaf_stopped = page.skus[leaf]
        levels = _figures(about, page.levels.get(leaf, {}))
        pieces.append(KitPiece(sku, units, free(levels, page.held.get(leaf, ()), about.formula), leaf_stopped))
    return kit_available(pieces, formula, stop_selling=stopped)


def _plain(about: _Shop, known: Mapping[int, int], stopped: bool) -> Availability:
    """By the shop's own formula alone: most listings of a shop share a few hundred such numbers."""
    key = (stopped, *map(known.get, about.warehouses))
    found = about.plain.get(key)
    if found is None:
        if len(about.plain) >= _REMEMBERED:
            about.plain.clear()
        found = about.plain[key] = available(_figures(about, known), (), about.formula, stop_selling=stopped)
    return found


def _figures(about: _Shop, known: Mapping[int, int]) -> list[Level]:
    return [
        level if warehouse not in known else Level(level.warehouse, known[warehouse], level.share, level.lag, level.off)
        for warehouse, level in about.warehouses.items()
    ]


def _about(connection: Connection, shop: ShopRecord) -> _Shop:
    codes = value(shop, "stock.warehouses")
    rows = connection.execute(select(Warehouse.id, Warehouse.code, Warehouse.active).where(Warehouse.code.in_(codes)))
    by_code = {row.code: (row.id, row.active) for row in rows}
    shares, lags = value(shop, "stock.share"), value(shop, "stock.lag")
    ranked = {
        by_code[code][0]: Level(code, None, shares.get(code, 100), lags.get(code, 0), not by_code[code][1])
        for code in codes
        if code in by_code
    }
    sharing = {other.id for other in all_shops(connection) if set(value(other, "stock.warehouses")) & set(codes)}
    own = select(ProductFormula.product_id).where(ProductFormula.shop_id == shop.id).limit(1)
    return _Shop(
        id=shop.id,
        warehouses=ranked,
        sharing_shops=frozenset(sharing | {shop.id}),
        formula=formula_of(shop),
        exceptions=connection.execute(own).first() is not None,
        kits=any_kits(connection),
    )


def _read_page(connection: Connection, about: _Shop, products: Sequence[int]) -> _Page:
    page = _Page(exceptions=_exceptions(connection, about, products) if about.exceptions else {})
    uses: Mapping[int, Mapping[int, int]] = {}
    needed: Sequence[int] = products
    if about.kits:
        page.kits = kits_around(connection, products)
        needed = sorted({leaf for product in products for leaf in page.kits.leaves(product)})
        uses = page.kits.uses()
        page.skus = _skus(connection, [*needed, *page.kits.parts]) if page.kits else {}
    for start in range(0, len(needed), _CHUNK):
        _levels(connection, about, needed[start : start + _CHUNK], page.levels)
    page.held = _held(connection, about, needed, uses, page.skus)
    return page


def _listings(
    connection: Connection, shop_id: int, listing_ids: Sequence[int] | None
) -> Iterable[list[tuple[int, int, bool]]]:
    statement = (
        select(Listing.id, Listing.product_id, Product.stop_selling)
        .join(Product, Product.id == Listing.product_id)
        # The sum keeps the planner on the primary key: by the shop's index each page would walk all its listings.
        .where(Listing.shop_id + 0 == shop_id, Listing.has_combinations.is_(False), Listing.gone_at.is_(None))
        .order_by(Listing.id)
    )
    if listing_ids is not None:
        wanted = list(listing_ids)
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            asked = set(part)
            rows = _page(connection, statement.where(_among(Listing.id, part)))
            yield [row for row in rows if row[0] in asked]
        return
    last = 0
    while rows := _page(connection, statement.where(Listing.id > last).limit(_CHUNK)):
        yield rows
        last = rows[-1][0]


def _among(column: InstrumentedAttribute[Any], ids: Sequence[int]) -> ColumnElement[bool]:
    """Rows with these ids. Where they lie close together two bounds cost less than a list, and let others in too."""
    if ids and max(ids) - min(ids) < 2 * len(ids):
        return column.between(min(ids), max(ids))
    return column.in_(ids)


def _page(connection: Connection, statement: Select[int, int | None, bool]) -> list[tuple[int, int, bool]]:
    return [(listing, product or 0, stopped) for listing, product, stopped in connection.execute(statement).all()]


def _levels(connection: Connection, about: _Shop, products: Sequence[int], found: dict[int, dict[int, int]]) -> None:
    if about.warehouses:
        rows = connection.execute(
            select(StockLevel.product_id, StockLevel.warehouse_id, StockLevel.physical).where(
                _among(StockLevel.product_id, products), StockLevel.warehouse_id.in_(list(about.warehouses))
            )
        ).all()
        for product, warehouse, units in rows:
            found.setdefault(product, {})[warehouse] = units


def _exceptions(connection: Connection, about: _Shop, products: Sequence[int]) -> dict[int, Formula]:
    own = ProductFormula
    rows = connection.execute(
        select(own.product_id, own.buffer, own.threshold, own.cap).where(
            own.shop_id == about.id, own.product_id.in_(products)
        )
    )
    found = {}
    for row in rows:
        changed = {name: getattr(row, name) for name in ("buffer", "threshold", "cap")}
        found[row.product_id] = replace(about.formula, **{n: v for n, v in changed.items() if v is not None})
    return found


def _skus(connection: Connection, products: Sequence[int]) -> dict[int, tuple[str, bool]]:
    found: dict[int, tuple[str, bool]] = {}
    for start in range(0, len(products), _CHUNK):
        rows = select(Product.id, Product.sku, Product.stop_selling)
        for row in connection.execute(rows.where(Product.id.in_(products[start : start + _CHUNK]))):
            found[row.id] = (row.sku or f"#{row.id}", row.stop_selling)
    return found


def _held(
    connection: Connection,
    about: _Shop,
    products: Sequence[int],
    uses: Mapping[int, Mapping[int, int]],
    skus: Mapping[int, tuple[str, bool]],
) -> dict[int, list[Held]]:
    """Open holds of these products: of this shop, and of all that draw on the same warehouses.

    What an order holds of a kit, it holds of each of its parts: ``uses`` says how many of them are in one. Where the
    shop's own pack named the parts already, they are held by themselves and counted once.
    """
    kits = {kit for leaf in products for kit in uses.get(leaf, ())}
    asked = list(dict.fromkeys([*products, *(kit for leaf in products for kit in uses.get(leaf, ()))]))
    found: dict[int, list[Held]] = {}
    of_kits: dict[int, list[Held]] = {}
    for start in range(0, len(asked), _CHUNK):
        for product, one, with_parts in _holds(connection, about, asked[start : start + _CHUNK]):
            if not (with_parts and product in kits):
                found.setdefault(product, []).append(one)
    if not uses:
        return found
    of_kits = {kit: found.pop(kit) for kit in kits if kit in found}
    for leaf in products:
        for kit, units in uses.get(leaf, {}).items():
            for one in of_kits.get(kit, ()):
                label = f"{one.label}, in {skus[kit][0]}"
                found.setdefault(leaf, []).append(Held(label, one.units * units, one.order_id, one.by_order))
    return found


def _holds(connection: Connection, about: _Shop, products: Sequence[int]) -> Iterable[tuple[int, Held, bool]]:
    rows = connection.execute(
        select(StockHold.product_id, StockHold.quantity, StockHold.kind, StockHold.order_id)
        .add_columns(StockHold.with_parts, Order.id_order)
        .outerjoin(Order, Order.id == StockHold.order_id)
        .where(
            _among(StockHold.product_id, products),
            StockHold.state == HoldState.OPEN,
            # The sum keeps the planner on the product: by the shop it would walk all holds that ever were.
            or_(StockHold.shop_id + 0 == about.id, (StockHold.shop_id + 0).in_(about.sharing_shops)),
        )
        .order_by(StockHold.id)
    )
    for row in rows:
        label = f"order {row.id_order}" if row.id_order else "unexplained: sold, but no order seen yet"
        if row.product_id is not None:
            held = Held(label, row.quantity, row.order_id, row.kind != "unexplained")
            yield row.product_id, held, row.with_parts
