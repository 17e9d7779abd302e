"""The feed ``import_stock``: once, by hand, the shop's stock becomes ours (row B27, DESIGN §5a).

Physical = the shop's quantity plus the units its open orders hold. Orders are polled before and after the rows are
read; a row that an order may have moved in between is read again, so the two always belong together.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from sqlalchemy import ColumnElement, func, select

from prestaconsole.database import Connection, upsert
from prestaconsole.errors import LockedError
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import FeedState, Listing, MovementKind, Order, ShopOrderState, StockMovement
from prestaconsole.operations.holds import held_units
from prestaconsole.operations.order_intake import poll_orders
from prestaconsole.operations.pages import LogLine
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.stock_ledger import find_warehouse, levels, set_level
from prestaconsole.operations.stock_reading import read_all_rows, read_rows
from prestaconsole.webservice.errors import MalformedXml

_CHUNK = 1000
_ROUNDS = 8

Known = Literal["keep", "overwrite", "sum"]


async def run(context: FeedContext) -> Outcome:
    """Read every stock row and set the levels of the chosen warehouse."""
    await context.core.database.read(lambda c: _require_confirmed(c, context))
    known: Known = context.run.params.get("known") or "keep"
    await poll_orders(context.core, context.shop, context.client, context.commit, run_id=context.run.id)
    if not await read_all_rows(context.shop, context.client, context.commit, context.core.clock, expecting=True):
        raise MalformedXml("The shop's stock could not be read whole; no level was set.")
    await _settle(context)
    return await _set_levels(context, known)


def _require_confirmed(connection: Connection, context: FeedContext) -> None:
    """Which states give stock back must be known, not guessed (DESIGN §5a)."""
    unsure = connection.execute(
        select(func.count())
        .select_from(ShopOrderState)
        .where(ShopOrderState.shop_id == context.shop.id, ShopOrderState.gives_back_source == "suggested")
    ).scalar_one()
    if unsure:
        raise LockedError(
            f"Which of the shop's order states give stock back is only suggested for {unsure} of them.",
            f"Let the key read configurations and analyse again, or confirm them: "
            f"`prestaconsole mapping set {context.shop.code} order-state-in STATE --gives-back yes|no`.",
        )
    find_warehouse(connection, value(context.shop, "stock.import_to"))


async def _settle(context: FeedContext) -> None:
    """Poll, and read again what orders may have moved, until a poll leaves every row sure."""
    for _ in range(_ROUNDS):
        await poll_orders(context.core, context.shop, context.client, context.commit, run_id=context.run.id)
        unsure = await context.core.database.read(lambda c: _unsure(c, context.shop.id))
        if not unsure:
            return
        await read_rows(context.shop, context.client, context.commit, context.core.clock, unsure, expecting=True)
    raise LockedError(
        "The shop sells faster than its rows can be read: the figures never stood still.",
        "Run it again in a quieter hour; no level was set.",
    )


def _unsure(connection: Connection, shop_id: int) -> list[int]:
    """Stock rows whose figure an order may have moved since it was read."""
    moved = select(Listing.id_stock_available).where(
        Listing.shop_id == shop_id,
        Listing.id_stock_available.is_not(None),
        Listing.expected_low != Listing.expected_high,
    )
    return [row for row in connection.execute(moved).scalars() if row is not None]


async def _set_levels(context: FeedContext, known: Known) -> Outcome:
    """Set the levels, a page of listings at a time; a page and its checkpoint are one transaction."""
    shop, now = context.shop, context.core.clock.now()
    after = int(context.run.checkpoint.get("after", 0))
    baseline = await context.commit(lambda c: _note_baseline(c, shop.id), phase="setting levels")
    done = changed = kept = 0
    while ids := await context.core.database.read(partial(_sure, shop_id=shop.id, after=after)):
        after = ids[-1]
        store = partial(_apply, context=context, listing_ids=ids, known=known, now=now)
        moved, left = await context.commit(store, checkpoint={"after": after}, done=done, counts={"set": len(ids)})
        done, changed, kept = done + len(ids), changed + moved, kept + left
    words = f"{changed} levels set"
    if kept:
        words += f", {kept} kept as they were counted before (--known overwrite or sum changes that)"
    counts = {"changed": changed, "skipped": kept}
    await context.commit(
        lambda c: None, done=done, total=done, counts=counts, logs=[LogLine("warn" if kept else "info", words)]
    )
    return Outcome(complete=True, text=words, detail={"baseline": baseline, "known": known})


def _sure_listings(shop_id: int) -> list[ColumnElement[bool]]:
    """Sellable listings whose figure no order has moved since it was read."""
    return [
        Listing.shop_id == shop_id,
        Listing.has_combinations.is_(False),
        Listing.depends_on_stock.is_(False),
        Listing.gone_at.is_(None),
        Listing.product_id.is_not(None),
        Listing.expected_low.is_not(None),
    ]


def _sure(connection: Connection, shop_id: int, after: int) -> list[int]:
    mine = select(Listing.id).where(*_sure_listings(shop_id), Listing.id > after)
    return list(connection.execute(mine.order_by(Listing.id).limit(_CHUNK)).scalars())


def _apply(
    connection: Connection, context: FeedContext, listing_ids: Sequence[int], known: Known, now: datetime
) -> tuple[int, int]:
    """Set the levels of these listings; gives how many moved and how many were kept.

    The figure is the one expected now: what was read, less what orders have taken since, which their holds carry.
    """
    shop = context.shop
    warehouse = find_warehouse(connection, value(shop, "stock.import_to"))
    rows = connection.execute(
        select(Listing.product_id, Listing.id_product, Listing.id_product_attribute, Listing.expected_low)
        .where(*_sure_listings(shop.id), Listing.id.in_(listing_ids))
        .order_by(Listing.id)
    ).all()
    held = held_units(connection, shop.id)
    products = [row.product_id for row in rows if row.product_id is not None]
    standing = levels(connection, ((product, warehouse) for product in products))
    ours = _imported_here(connection, shop.id, warehouse, products)
    targets, kept = [], 0
    for row in rows:
        product = row.product_id or 0
        physical = (row.expected_low or 0) + held.get((row.id_product, row.id_product_attribute), 0)
        before = standing.get((product, warehouse))
        if before is not None and product not in ours:
            if known == "keep":
                kept += 1
                continue
            physical += before if known == "sum" else 0
        targets.append((product, warehouse, physical))
    changed = set_level(
        connection,
        targets,
        kind=MovementKind.IMPORT,
        actor=context.run.actor,
        at=now,
        reason=str(context.run.params.get("reason") or f"stock of {shop.code}"),
        shop_id=shop.id,
        run_id=context.run.id,
    )
    return changed, kept


def _imported_here(connection: Connection, shop_id: int, warehouse: int, products: Sequence[int]) -> set[int]:
    """Products whose level in this warehouse came from this shop: a second import may overwrite those."""
    found: set[int] = set()
    for start in range(0, len(products), 400):
        rows = select(StockMovement.product_id).where(
            StockMovement.product_id.in_(products[start : start + 400]),
            StockMovement.warehouse_id == warehouse,
            StockMovement.shop_id == shop_id,
            StockMovement.kind == MovementKind.IMPORT,
        )
        found |= set(connection.execute(rows).scalars())
    return found


def _note_baseline(connection: Connection, shop_id: int) -> int:
    """The newest order that the figures already know; a later one that is first seen shipped is a sale to book."""
    newest = _newest_order(connection, shop_id)
    mine = select(FeedState.detail).where(FeedState.shop_id == shop_id, FeedState.feed == "import_stock")
    detail = {**(connection.execute(mine).scalar() or {}), "baseline": newest}
    row = {"shop_id": shop_id, "feed": "import_stock", "detail": detail}
    upsert(connection, FeedState, [row], key=["shop_id", "feed"])
    return newest


def _newest_order(connection: Connection, shop_id: int) -> int:
    return int(connection.execute(select(func.max(Order.id_order)).where(Order.shop_id == shop_id)).scalar() or 0)
