"""Listings: storing what a shop lists, noticing what is gone, and linking each to a product of the warehouse."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Row, delete, insert, select, update

from prestaconsole.database import Connection, bulk_update, upsert
from prestaconsole.model import Listing, Product, ShopFinding
from prestaconsole.operations.expectation import expected
from prestaconsole.operations.holds import attach
from prestaconsole.operations.stock_ledger import mark_listings
from prestaconsole.webservice.entity import Entity

_CHUNK = 400
_KEY = ("shop_id", "id_product", "id_product_attribute")
_SHOWN = 20
_DENSE = 10
NO_NOTES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Stored:
    """How many rows of a page were stored."""

    rows: int = 0


@dataclass(frozen=True)
class Linked:
    """What linking found: sellable listings, newly linked ones, and those that keep a product of their own."""

    listings: int
    new: int
    without_sku: int
    repeated: int
    gone: int


def store_products(
    connection: Connection, shop_id: int, entities: Sequence[Entity], now: datetime, *, id_shop: int = 0
) -> Stored:
    """Store products as listings without combination; prices net, in the shop's default currency.

    ``id_shop`` is the storefront that lists them, 0 in a single shop.
    """
    rows = [
        {
            "shop_id": shop_id,
            "id_product": entity.id,
            "id_product_attribute": 0,
            "id_shop": id_shop,
            "sku": entity.text("reference").strip()[:80],
            "ean13": entity.text("ean13")[:14],
            "name": entity.text("name")[:255],
            "active": entity.flag("active"),
            "price": entity.amount("price"),
            "product_type": _type(entity),
            "seen_at": now,
            "gone_at": None,
        }
        for entity in entities
    ]
    upsert(connection, Listing, rows, key=_KEY)
    return Stored(len(rows))


def _type(entity: Entity) -> str:
    if entity.text("product_type"):
        return entity.text("product_type")[:16]
    if entity.flag("cache_is_pack"):
        return "pack"
    return "virtual" if entity.flag("is_virtual") else "simple"


def store_combinations(
    connection: Connection,
    shop_id: int,
    entities: Sequence[Entity],
    option_values: Mapping[int, str],
    now: datetime,
    *,
    id_shop: int = 0,
) -> Stored:
    """Store combinations as listings: the product's name with the options, its price plus the impact (FEATURES P15)."""
    parents = _parents(connection, shop_id, [entity.integer("id_product") for entity in entities])
    rows = []
    for entity in entities:
        parent = parents.get(entity.integer("id_product"))
        if parent is None:
            continue  # an orphan of a product that is gone: it cannot be sold
        options = ", ".join(filter(None, (option_values.get(v.id, "") for v in entity.rows("product_option_values"))))
        rows.append(
            {
                "shop_id": shop_id,
                "id_product": entity.integer("id_product"),
                "id_product_attribute": entity.id,
                "id_shop": id_shop,
                "sku": entity.text("reference").strip()[:80],
                "ean13": entity.text("ean13")[:14],
                "name": (f"{parent.name} – {options}" if options else parent.name)[:255],
                "active": parent.active,
                "price": parent.price + entity.amount("price"),
                "product_type": "combination",
                "seen_at": now,
                "gone_at": None,
            }
        )
    upsert(connection, Listing, rows, key=_KEY)
    return Stored(len(rows))


def _parents(connection: Connection, shop_id: int, ids: Sequence[int]) -> dict[int, Row[int, str, bool, Decimal]]:
    wanted = sorted(set(ids))
    found: dict[int, Row[int, str, bool, Decimal]] = {}
    for start in range(0, len(wanted), _CHUNK):
        rows = select(Listing.id_product, Listing.name, Listing.active, Listing.price).where(
            Listing.shop_id == shop_id,
            Listing.id_product_attribute == 0,
            Listing.id_product.in_(wanted[start : start + _CHUNK]),
        )
        found |= {row.id_product: row for row in connection.execute(rows)}
    return found


def store_stock_rows(
    connection: Connection, shop_id: int, entities: Sequence[Entity], now: datetime, expecting: bool = False
) -> Stored:
    """Note each listing's stock row and the quantity it shows; rows of products that are not listed are left.

    ``now`` is when the answer had arrived; ``expecting`` makes the figure the one expected until an order moves it.
    """
    whole = [entity for entity in entities if not entity.damaged]
    differing = whole if expecting else _note_unchanged(connection, shop_id, whole, now)
    rows = []
    for entity in differing:
        shown = entity.integer("quantity")
        rows.append(
            {
                "shop_id": shop_id,
                "id_product": entity.integer("id_product"),
                "id_product_attribute": entity.integer("id_product_attribute"),
                "id_stock_available": entity.id,
                "quantity": shown,
                "quantity_read_at": now,
                "depends_on_stock": entity.flag("depends_on_stock"),
                **(expected(shown, now) if expecting else {}),
            }
        )
    bulk_update(connection, Listing, rows, key=["shop_id", "id_product", "id_product_attribute"])
    return Stored(len(whole))


def _note_unchanged(
    connection: Connection, shop_id: int, entities: Sequence[Entity], now: datetime
) -> Sequence[Entity]:
    """Note in one statement that the rows which show what is known were read; gives the others, in order.

    Of a shop that is read whole nearly all rows are such. A product that comes twice is left to the caller, so that
    its last row counts.
    """
    if not entities:
        return entities
    first, last = min(entity.id for entity in entities), max(entity.id for entity in entities)
    if last - first > _DENSE * len(entities):
        return entities  # single rows from all over the list: what lies between them is no page
    mine = [Listing.shop_id == shop_id, Listing.id_stock_available.between(first, last)]
    columns = (Listing.id_stock_available, Listing.id_product, Listing.id_product_attribute, Listing.quantity)
    rows = connection.execute(select(*columns, Listing.depends_on_stock).where(*mine)).all()
    known = {row: (product, size, shown, asm) for row, product, size, shown, asm in rows}
    products = [(entity.integer("id_product"), entity.integer("id_product_attribute")) for entity in entities]
    times = Counter(products)
    others, same = [], set()
    for entity, product in zip(entities, products, strict=True):
        shows = (*product, entity.integer("quantity"), entity.flag("depends_on_stock"))
        if times[product] == 1 and known.get(entity.id) == shows:
            same.add(entity.id)
        else:
            others.append(entity)
    # One statement serves while few rows must be named; a stock row that two listings claim is nobody's for sure.
    if len(known) - len(same) > _CHUNK or len(known) < len(rows):
        return entities
    noted = update(Listing).where(*mine, Listing.id_stock_available.not_in(sorted(known.keys() - same)))
    connection.execute(noted.values(quantity_read_at=now), execution_options={"synchronize_session": False})
    return others


def keep_seen(connection: Connection, shop_id: int, resource: str, number: int, now: datetime) -> None:
    """A product or combination that the shop lists but that cannot be read is not gone."""
    column = {"products": Listing.id_product, "combinations": Listing.id_product_attribute}.get(resource)
    if column is None:
        return
    mine = [Listing.shop_id == shop_id, column == number]
    if resource == "products":
        mine.append(Listing.id_product_attribute == 0)
    connection.execute(update(Listing).where(*mine).values(seen_at=now))


def mark_gone(connection: Connection, shop_id: int, began: datetime, now: datetime) -> int:
    """Listings that a whole reading did not show are gone; gives how many."""
    gone = update(Listing).where(Listing.shop_id == shop_id, Listing.gone_at.is_(None), Listing.seen_at < began)
    return connection.execute(gone.values(gone_at=now)).rowcount


def link(
    connection: Connection, shop_id: int, *, now: datetime, gone: int = 0, notes: Mapping[str, str] = NO_NOTES
) -> Linked:
    """Link every sellable listing to a product: by a SKU that is unique in its shop, else to one of its own.

    What a person linked stays; running again changes nothing (DESIGN §5a, FEATURES P13). ``notes`` are findings of the
    reading, text by name.
    """
    _mark_parents(connection, shop_id)
    rows = connection.execute(
        select(Listing.id, Listing.sku, Listing.name, Listing.ean13, Listing.product_id, Listing.linked_by)
        .where(Listing.shop_id == shop_id, Listing.has_combinations.is_(False), Listing.gone_at.is_(None))
        .order_by(Listing.id)
    ).all()
    times: dict[str, int] = {}
    for row in rows:
        times[row.sku] = times.get(row.sku, 0) + 1
    fresh = [row for row in rows if row.product_id is None]
    by_sku = [row for row in fresh if row.sku and times[row.sku] == 1]
    own = [row for row in fresh if not row.sku or times[row.sku] > 1]
    _link_by_sku(connection, by_sku, now)
    _link_to_own(connection, own, now)
    attach(connection, shop_id)
    repeated = {sku: number for sku, number in times.items() if sku and number > 1}
    without = [row for row in rows if not row.sku]
    _note_findings(connection, shop_id, without, repeated, now)
    _note_others(connection, shop_id, notes, now)
    return Linked(len(rows), len(fresh), len(without), sum(repeated.values()), gone)


def _mark_parents(connection: Connection, shop_id: int) -> None:
    """A product with a combination that is still there is not sold itself (FINDINGS F44)."""
    combinations = (
        select(Listing.id_product)
        .where(Listing.shop_id == shop_id, Listing.id_product_attribute > 0, Listing.gone_at.is_(None))
        .distinct()
    )
    mine = [Listing.shop_id == shop_id, Listing.id_product_attribute == 0]
    parents = update(Listing).where(*mine, Listing.has_combinations.is_(False), Listing.id_product.in_(combinations))
    connection.execute(parents.values(has_combinations=True), execution_options={"synchronize_session": False})
    alone = update(Listing).where(*mine, Listing.has_combinations.is_(True), Listing.id_product.not_in(combinations))
    connection.execute(alone.values(has_combinations=False), execution_options={"synchronize_session": False})


def _link_by_sku(
    connection: Connection, rows: Sequence[Row[int, str, str, str, int | None, str]], now: datetime
) -> None:
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        skus = [row.sku for row in part]
        known = set(connection.execute(select(Product.sku).where(Product.sku.in_(skus))).scalars())
        new = [
            {"sku": row.sku, "name": row.name, "ean13": row.ean13, "origin": "shop", "created_at": now}
            for row in part
            if row.sku not in known
        ]
        if new:
            connection.execute(insert(Product), new)
        found = connection.execute(select(Product.sku, Product.id).where(Product.sku.in_(skus)))
        ids = {row.sku: row.id for row in found}
        _set_products(connection, [(row.id, ids[row.sku], "sku") for row in part], now)


def _link_to_own(
    connection: Connection, rows: Sequence[Row[int, str, str, str, int | None, str]], now: datetime
) -> None:
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        new = [{"sku": None, "name": row.name, "ean13": row.ean13, "origin": "shop", "created_at": now} for row in part]
        made = connection.execute(insert(Product).returning(Product.id, sort_by_parameter_order=True), new)
        pairs = zip(part, made.scalars(), strict=True)
        _set_products(connection, [(row.id, product, "own") for row, product in pairs], now)


def _set_products(connection: Connection, links: Sequence[tuple[int, int, str]], now: datetime) -> None:
    rows = [{"id": listing, "product_id": product, "linked_by": how} for listing, product, how in links]
    bulk_update(connection, Listing, rows, key=["id"])
    mark_listings(connection, [product for _, product, _ in links], now)


def _note_findings(
    connection: Connection,
    shop_id: int,
    without: Sequence[Row[int, str, str, str, int | None, str]],
    repeated: Mapping[str, int],
    now: datetime,
) -> None:
    """Missing and repeated SKUs as findings to work through (row M3)."""
    connection.execute(delete(ShopFinding).where(ShopFinding.shop_id == shop_id, ShopFinding.source == "products"))
    base = {"shop_id": shop_id, "source": "products", "found_at": now}
    remedy = "Each keeps a stock figure of its own. Give every product and combination a SKU of its own in the shop."
    findings = []
    if without:
        names = ", ".join(row.name for row in without[:_SHOWN])
        findings.append({"name": "sku-missing", "text": f"{len(without)} listings have no SKU: {names}"})
    if repeated:
        skus = ", ".join(f"{sku} {number}×" for sku, number in list(repeated.items())[:_SHOWN])
        findings.append({"name": "sku-repeated", "text": f"{len(repeated)} SKUs repeat: {skus}"})
    rows = [{**base, **finding, "verdict": "WARN", "remedy": remedy} for finding in findings]
    if rows:
        connection.execute(insert(ShopFinding), rows)


def _note_others(connection: Connection, shop_id: int, notes: Mapping[str, str], now: datetime) -> None:
    base = {"shop_id": shop_id, "source": "products", "verdict": "WARN", "remedy": "", "found_at": now}
    rows = [{**base, "name": name, "text": text} for name, text in notes.items()]
    if rows:
        connection.execute(insert(ShopFinding), rows)


def held_by_asm(connection: Connection, shop_id: int) -> dict[str, str]:
    """The finding about listings that PrestaShop's advanced stock management counts: none of them is written (B6)."""
    sold = (Listing.shop_id == shop_id, Listing.has_combinations.is_(False), Listing.gone_at.is_(None))
    rows = select(Listing.sku, Listing.name).where(*sold, Listing.depends_on_stock).order_by(Listing.id)
    names = [row.sku or row.name for row in connection.execute(rows)]
    if not names:
        return {}
    shown = ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
    how = "Switch it off at each product (Quantities) in the shop to have its stock written"
    return {"advanced-stock-products": f"Advanced stock management counts {len(names)} listings: {shown}. {how}."}
