"""The stock seam (DESIGN §5a): order lines hold their units while the shop deducts them; shipping books the sale once.

For each order only the difference between what was booked and what the shop now says is applied, so reading an
order again changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update

from prestaconsole.database import Connection, bulk_update
from prestaconsole.model import HoldState, Listing, MovementKind, StockHold, StockLevel, Warehouse
from prestaconsole.operations.expectation import Deduction, deducted
from prestaconsole.operations.incidents import open_incident
from prestaconsole.operations.kits import kits_around
from prestaconsole.operations.packs import Goods, goods_of, lowered_by
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.operations.stock_ledger import Movement, mark_listings, move
from prestaconsole.operations.storefronts import load_fronts, same_stock

_CHUNK = 400


@dataclass(frozen=True)
class LineUnits:
    """A line's units that the shop deducts while the order stands: ordered less put back on sale."""

    order_line_id: int
    id_product: int
    id_product_attribute: int
    units: int


@dataclass(frozen=True)
class OrderUnits:
    """An order as the seam sees it. ``standing`` is open, shipped or released by its state at the shop.

    ``history``: it was shipped or given back before we began to count, so nothing of it is booked.
    """

    order_id: int
    id_order: int
    standing: HoldState
    lines: Sequence[LineUnits]
    history: bool = False
    id_shop: int = 0
    """The storefront it was placed in."""


class _Sold(NamedTuple):
    """Units of a product that left with an order; ``with_parts``: its parts are in the list themselves."""

    product: int
    units: int
    order_id: int | None
    with_parts: bool


@dataclass
class _Work:
    """What one call collects before it writes."""

    opened: list[dict[str, object]] = field(default_factory=list)
    changed: list[dict[str, object]] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    deductions: list[Deduction] = field(default_factory=list)
    sold: list[_Sold] = field(default_factory=list)
    marked: set[int] = field(default_factory=set)
    given_back_after_shipping: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Hold:
    id: int
    units: int
    state: str
    product_id: int | None
    id_product: int
    id_product_attribute: int
    per_unit: int
    with_parts: bool


def settle(
    connection: Connection,
    shop: ShopRecord,
    orders: Sequence[OrderUnits],
    *,
    since: datetime | None,
    now: datetime,
    run_id: int | None = None,
) -> None:
    """Bring the holds of these orders in line with the shop; books sales, moves expectations, marks listings.

    ``since`` is when the poll before began: an order seen now came after it.
    """
    if not orders:
        return
    existing = _existing(connection, [order.order_id for order in orders])
    pairs = {(line.id_product, line.id_product_attribute) for order in orders for line in order.lines}
    packs = goods_of(connection, shop, pairs)
    pairs |= {(one.id_product, one.id_product_attribute) for goods in packs.values() for one in goods}
    about = _About(shop, packs, _products(connection, shop.id, pairs), now)
    work = _Work()
    for order in orders:
        _settle_order(about, order, existing.get(order.order_id, {}), work)
    _keep_own_stock(connection, shop, work)
    _write(connection, shop, work, since=since, now=now, run_id=run_id)


def _keep_own_stock(connection: Connection, shop: ShopRecord, work: _Work) -> None:
    """An order of a storefront with another stock holds goods of ours, but the row that we keep stays as it is."""
    if len(shop.capabilities.get("storefronts", ())) < 2:
        return
    asked = [((one.id_product, one.id_product_attribute), one.id_shop) for one in work.deductions]
    own = same_stock(connection, shop.id, load_fronts(connection, shop.id), asked)
    work.deductions = [one for one, key in zip(work.deductions, asked, strict=True) if own[key]]


@dataclass(frozen=True)
class _About:
    """What is the same for all orders of one call."""

    shop: ShopRecord
    packs: Mapping[int, Sequence[Goods]]
    products: Mapping[tuple[int, int], int]
    now: datetime


def _settle_order(about: _About, order: OrderUnits, holds: Mapping[int, Sequence[_Hold]], work: _Work) -> None:
    seen = set()
    for line in order.lines:
        seen.add(line.order_line_id)
        known = holds.get(line.order_line_id, ())
        if not known:
            _first_sight(about, order, line, work)
        for hold in known:
            _next_sight(order, line, hold, work, about.now)
    for order_line_id, left in holds.items():
        if order_line_id not in seen:
            # The line was taken out of the order: what it held is free again.
            for hold in left:
                if hold.state == HoldState.OPEN:
                    _give_back(hold, hold.units, order.id_shop, work)
                work.dropped.append(hold.id)


def _first_sight(about: _About, order: OrderUnits, line: LineUnits, work: _Work) -> None:
    """Hold what the shop lowers for this line: how it does so is kept, so that a pack may change meanwhile."""
    if order.history or order.standing is HoldState.RELEASED or line.units <= 0:
        return
    for goods in lowered_by((line.id_product, line.id_product_attribute), about.packs):
        pair, units = (goods.id_product, goods.id_product_attribute), line.units * goods.units
        product = about.products.get(pair)
        work.opened.append(
            {
                "shop_id": about.shop.id,
                "order_id": order.order_id,
                "order_line_id": line.order_line_id,
                "kind": "order",
                "id_product": goods.id_product,
                "id_product_attribute": goods.id_product_attribute,
                "product_id": product,
                "quantity": units,
                "per_unit": goods.units,
                "with_parts": goods.with_parts,
                "state": order.standing,
                "opened_at": about.now,
                "ended_at": about.now if order.standing is HoldState.SHIPPED else None,
            }
        )
        work.deductions.append(Deduction(*pair, units, order.id_shop))
        if product is not None:
            work.marked.add(product)
            if order.standing is HoldState.SHIPPED:
                work.sold.append(_Sold(product, units, order.order_id, goods.with_parts))


def _next_sight(order: OrderUnits, line: LineUnits, hold: _Hold, work: _Work, now: datetime) -> None:
    before, after = hold.state, order.standing
    units = max(line.units, 0) * hold.per_unit
    if before == after and (units == hold.units or after is not HoldState.OPEN):
        return
    if before == HoldState.SHIPPED:
        # Once sold it stays sold; the shop gave units back, the goods may not have come back.
        if after is HoldState.RELEASED:
            work.given_back_after_shipping.append(order.id_order)
            work.deductions.append(Deduction(hold.id_product, hold.id_product_attribute, -hold.units, order.id_shop))
            work.changed.append({"id": hold.id, "quantity": hold.units, "state": HoldState.RELEASED, "ended_at": now})
            if hold.product_id is not None:
                work.marked.add(hold.product_id)
        return
    # Open or released until now: first what the shop's figure did, then what leaves our stock.
    held = hold.units if before == HoldState.OPEN else 0
    taken = 0 if after is HoldState.RELEASED else units
    if taken != held:
        work.deductions.append(Deduction(hold.id_product, hold.id_product_attribute, taken - held, order.id_shop))
    if hold.product_id is not None:
        work.marked.add(hold.product_id)
        if after is HoldState.SHIPPED and units:
            work.sold.append(_Sold(hold.product_id, units, order.order_id, hold.with_parts))
    ended = None if after is HoldState.OPEN else now
    work.changed.append({"id": hold.id, "quantity": units, "state": after, "ended_at": ended})


def _give_back(hold: _Hold, units: int, id_shop: int, work: _Work) -> None:
    work.deductions.append(Deduction(hold.id_product, hold.id_product_attribute, -units, id_shop))
    if hold.product_id is not None:
        work.marked.add(hold.product_id)


def _write(
    connection: Connection, shop: ShopRecord, work: _Work, *, since: datetime | None, now: datetime, run_id: int | None
) -> None:
    if work.opened:
        connection.execute(insert(StockHold), work.opened)
    bulk_update(connection, StockHold, work.changed, key=["id"])
    if work.dropped:
        connection.execute(delete(StockHold).where(StockHold.id.in_(work.dropped)))
    deducted(connection, shop.id, _less_explained(connection, shop.id, work.deductions, now), since=since)
    if work.sold:
        _book_sales(connection, shop, work.sold, now=now, run_id=run_id)
    mark_listings(connection, work.marked, now)
    for id_order in dict.fromkeys(work.given_back_after_shipping):
        open_incident(
            connection,
            shop_id=shop.id,
            cause_key=f"given back after shipping:{id_order}",
            title=f"Order {id_order} was cancelled in the shop after it had been shipped.",
            remedy="The shop counts its units as free again. If the goods came back, book a return in the warehouse.",
            at=now,
            run_id=run_id,
        )


def _book_sales(
    connection: Connection, shop: ShopRecord, work: Sequence[_Sold], *, now: datetime, run_id: int | None
) -> None:
    """Take sold units out of the first warehouse of the shop that has enough, else of the first that counts them.

    A kit leaves as its parts, and once: not where the shop's pack of it named its parts already.
    """
    kits = kits_around(connection, {one.product for one in work})
    sold = [
        (leaf, number, one.order_id)
        for one in work
        if not (one.with_parts and one.product in kits.parts)
        for leaf, number in sorted(kits.leaves(one.product, one.units).items())
    ]
    codes = value(shop, "stock.warehouses")
    rows = connection.execute(select(Warehouse.id, Warehouse.code).where(Warehouse.code.in_(codes)))
    by_code = {row.code: row.id for row in rows}
    ranked = [by_code[code] for code in codes if code in by_code]
    if not ranked:
        return
    standing: dict[tuple[int, int], int] = {}
    products = sorted({product for product, _, _ in sold})
    for start in range(0, len(products), _CHUNK):
        found = select(StockLevel.product_id, StockLevel.warehouse_id, StockLevel.physical).where(
            StockLevel.product_id.in_(products[start : start + _CHUNK]), StockLevel.warehouse_id.in_(ranked)
        )
        standing |= {(row.product_id, row.warehouse_id): row.physical for row in connection.execute(found)}
    movements = []
    for product, units, order_id in sold:
        counted = [warehouse for warehouse in ranked if (product, warehouse) in standing]
        if not counted:
            # Never counted here: the shop's figure will be read after this sale, so booking it would count it twice.
            continue
        enough = [warehouse for warehouse in counted if standing[product, warehouse] >= units]
        chosen = (enough or counted)[0]
        standing[product, chosen] -= units
        movements.append(Movement(product, chosen, -units, MovementKind.SALE, shop.id, order_id))
    move(connection, movements, actor="shop", at=now, run_id=run_id)


def _less_explained(
    connection: Connection, shop_id: int, deductions: Sequence[Deduction], now: datetime
) -> list[Deduction]:
    """The deductions less what a push carries as an unexplained hold: its row was expected lower already (DESIGN §6).

    The order that came is the explanation, so the unexplained hold shrinks by its units.
    """
    carried = connection.execute(
        select(StockHold.id, StockHold.id_product, StockHold.id_product_attribute, StockHold.quantity).where(
            StockHold.shop_id == shop_id, StockHold.kind == "unexplained", StockHold.state == HoldState.OPEN
        )
    ).all()
    left = {row.id: row.quantity for row in carried}
    net = []
    for one in deductions:
        units = one.units
        for row in carried:
            if units > 0 and (row.id_product, row.id_product_attribute) == (one.id_product, one.id_product_attribute):
                explained = min(left[row.id], units)
                left[row.id] -= explained
                units -= explained
        net.append(Deduction(one.id_product, one.id_product_attribute, units))
    for row in carried:
        if left[row.id] != row.quantity:
            ended = {"state": HoldState.RELEASED, "ended_at": now}
            values = {"quantity": left[row.id]} if left[row.id] else ended
            connection.execute(update(StockHold).where(StockHold.id == row.id).values(**values))
    return net


def attach(connection: Connection, shop_id: int) -> None:
    """Give holds of lines whose listing came later their product, and mark it."""
    listing = (
        select(Listing.product_id)
        .where(
            Listing.shop_id == StockHold.shop_id,
            Listing.id_product == StockHold.id_product,
            Listing.id_product_attribute == StockHold.id_product_attribute,
        )
        .scalar_subquery()
    )
    connection.execute(
        update(StockHold)
        .where(StockHold.shop_id == shop_id, StockHold.product_id.is_(None), listing.is_not(None))
        .values(product_id=listing)
    )


def held_units(connection: Connection, shop_id: int) -> dict[tuple[int, int], int]:
    """Units that open orders of this shop hold, by (id_product, id_product_attribute)."""
    rows = connection.execute(
        select(StockHold.id_product, StockHold.id_product_attribute, func.sum(StockHold.quantity))
        .where(StockHold.shop_id == shop_id, StockHold.state == HoldState.OPEN, StockHold.kind == "order")
        .group_by(StockHold.id_product, StockHold.id_product_attribute)
    )
    return {(row[0], row[1]): int(row[2]) for row in rows}


def _existing(connection: Connection, order_ids: Sequence[int]) -> dict[int, dict[int, list[_Hold]]]:
    found: dict[int, dict[int, list[_Hold]]] = {}
    for start in range(0, len(order_ids), _CHUNK):
        rows = connection.execute(
            select(*StockHold.__table__.columns).where(StockHold.order_id.in_(order_ids[start : start + _CHUNK]))
        )
        for row in rows:
            pair = (row.id_product, row.id_product_attribute)
            hold = _Hold(row.id, row.quantity, row.state, row.product_id, *pair, row.per_unit, row.with_parts)
            found.setdefault(row.order_id, {}).setdefault(row.order_line_id, []).append(hold)
    return found


def _products(connection: Connection, shop_id: int, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Product of each (id_product, id_product_attribute) that is listed and linked."""
    ids = sorted({product for product, _ in pairs})
    found: dict[tuple[int, int], int] = {}
    for start in range(0, len(ids), _CHUNK):
        rows = connection.execute(
            select(Listing.id_product, Listing.id_product_attribute, Listing.product_id).where(
                Listing.shop_id == shop_id,
                Listing.id_product.in_(ids[start : start + _CHUNK]),
                Listing.product_id.is_not(None),
            )
        )
        found |= {(row.id_product, row.id_product_attribute): row.product_id for row in rows if row.product_id}
    return found
