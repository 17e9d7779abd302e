"""The feed ``import_stock``: once, by hand, the shop's stock becomes ours (row B27, DESIGN §5a).

Physical = the shop's quantity plus the units its open orders hold. Orders are polled before and after the rows are
read; a row that an order may have moved in between is read again, so the two always belong together.
"""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import func, select

from prestaconsole.database import Connection
from prestaconsole.errors import LockedError
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import Listing, Order, Product, ShopOrderState
from prestaconsole.operations.cursors import note_feed_detail
from prestaconsole.operations.order_intake import poll_orders
from prestaconsole.operations.pages import LogLine
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.stock_import import (
    ImportLine,
    ImportSum,
    Known,
    importable,
    left_out,
    plan_lines,
    set_lines,
)
from prestaconsole.operations.stock_ledger import find_warehouse
from prestaconsole.operations.stock_reading import read_all_rows, read_rows
from prestaconsole.webservice.errors import MalformedXml

_CHUNK = 1000
_AT_ONCE = 400
_ROUNDS = 8
_SHOWN = 50
_NAMED = 20


async def run(context: FeedContext) -> Outcome:
    """Read every stock row and set the levels of the chosen warehouse, or say what they would become."""
    await context.core.database.read(lambda c: _require_confirmed(c, context))
    known: Known = context.run.params.get("known") or "keep"
    await poll_orders(context.core, context.shop, context.client, context.commit, run_id=context.run.id)
    if not await read_all_rows(context.shop, context.client, context.commit, context.core.clock, expecting=True):
        raise MalformedXml("The shop's stock could not be read whole; no level was set.")
    await _settle(context)
    return await (_plan if context.run.plan_only else _set_levels)(context, known)


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
    """Set the levels, a page of products at a time; a page and its checkpoint are one transaction."""
    shop, total = context.shop, ImportSum()
    after = int(context.run.checkpoint.get("after", 0))
    baseline = await context.commit(lambda c: _note_baseline(c, shop.id), phase="setting levels")
    while products := await context.core.database.read(lambda c: importable(c, shop.id, after, _CHUNK)):  # noqa: B023 - awaited at once
        after = products[-1]
        store = partial(_apply, context=context, products=products, known=known)
        lines = await context.commit(
            store, checkpoint={"after": after}, done=total.counted, counts={"set": len(products)}
        )
        total.add(lines)
    await _say(context, total, [LogLine("warn" if total.kept else "info", total.words(done=True))])
    return Outcome(complete=True, text=total.words(done=True), detail={"baseline": baseline, "known": known})


async def _plan(context: FeedContext, known: Known) -> Outcome:
    """Say what the levels would become, and set none."""
    shop, total, after = context.shop, ImportSum(), 0
    shown: list[LogLine] = []
    while products := await context.core.database.read(lambda c: importable(c, shop.id, after, _CHUNK)):  # noqa: B023 - awaited at once
        after = products[-1]
        look = partial(_lines, context=context, products=products, known=known)
        lines, names = await context.core.database.read(look)
        total.add(lines)
        moving = [line for line in lines if line.before != line.after]
        room = max(0, _SHOWN - len(shown))
        shown += [LogLine("info", _words(line, names[line.product_id])) for line in moving[:room]]
    if total.changed > len(shown):
        shown.append(LogLine("info", f"and {total.changed - len(shown)} more"))
    words = f"{total.words(done=False)}. No level was set."
    await _say(context, total, [*shown, LogLine("warn" if total.kept else "info", words)])
    return Outcome(text=words)


def _words(line: ImportLine, name: str) -> str:
    before = "never counted" if line.before is None else line.before
    return f"{name}: {before} → {line.after} (the shop shows {line.shown}, its open orders hold {line.held})"


async def _say(context: FeedContext, total: ImportSum, lines: Sequence[LogLine]) -> None:
    """Log the sum, and what was left out with the reason."""
    outside = await context.core.database.read(lambda c: left_out(c, context.shop.id))
    left = [
        LogLine(
            "warn", f"{len(names)} left out, {why}: {', '.join(names[:_NAMED])}{' …' if len(names) > _NAMED else ''}"
        )
        for why, names in outside.items()
    ]
    counts = {"changed": total.changed, "skipped": total.kept + sum(map(len, outside.values()))}
    await context.commit(lambda c: None, done=total.counted, total=total.counted, counts=counts, logs=[*left, *lines])


def _lines(
    connection: Connection, context: FeedContext, products: Sequence[int], known: Known
) -> tuple[list[ImportLine], dict[int, str]]:
    warehouse = find_warehouse(connection, value(context.shop, "stock.import_to"))
    lines = plan_lines(connection, context.shop.id, warehouse, products, known)
    names: dict[int, str] = {}
    for start in range(0, len(products), _AT_ONCE):
        rows = select(Product.id, Product.sku, Product.name)
        for row in connection.execute(rows.where(Product.id.in_(products[start : start + _AT_ONCE]))):
            names[row.id] = row.sku or row.name or f"#{row.id}"
    return lines, names


def _apply(connection: Connection, context: FeedContext, products: Sequence[int], known: Known) -> list[ImportLine]:
    """Set the levels of these products, and give them as they were and are."""
    shop, run = context.shop, context.run
    warehouse = find_warehouse(connection, value(shop, "stock.import_to"))
    lines = plan_lines(connection, shop.id, warehouse, products, known)
    reason = str(run.params.get("reason") or f"stock of {shop.code}")
    now = context.core.clock.now()
    set_lines(connection, shop.id, warehouse, lines, actor=run.actor, reason=reason, run_id=run.id, at=now)
    return lines


def _note_baseline(connection: Connection, shop_id: int) -> int:
    """The newest order that the figures already know; a later one that is first seen shipped is a sale to book."""
    newest = _newest_order(connection, shop_id)
    note_feed_detail(connection, shop_id, "import_stock", {"baseline": newest})
    return newest


def _newest_order(connection: Connection, shop_id: int) -> int:
    return int(connection.execute(select(func.max(Order.id_order)).where(Order.shop_id == shop_id)).scalar() or 0)
