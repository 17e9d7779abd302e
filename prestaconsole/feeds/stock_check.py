"""The feed ``stock_check``: every stock row of the shop against our figure, with the likely cause (row B42).

It reports. With ``repair`` in its params, in a live shop, it hands what differs to the next push: gate, brake and
read-back stand there, and nothing is written here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from sqlalchemy import select

from prestaconsole.changes.drift import Drift, likely_causes, note_edits, repair
from prestaconsole.database import Connection
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import Listing, ShopMode
from prestaconsole.operations.availability import availability
from prestaconsole.operations.lives import begins_anew
from prestaconsole.operations.order_intake import poll_orders
from prestaconsole.operations.pages import LogLine
from prestaconsole.operations.stock_reading import read_all_rows, read_rows
from prestaconsole.webservice.errors import MalformedXml

_CHUNK = 4000
_SHOWN = 50


@dataclass
class _Compared:
    """What comparing found so far. ``missing`` are listings whose stock row the shop's whole list does not have."""

    number: int = 0
    drift: list[Drift] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    last: int = 0


async def run(context: FeedContext) -> Outcome:
    """Poll orders, read all rows, compare; what differs is polled and read once more before it is called drift."""
    core, shop = context.core, context.shop
    await poll_orders(core, shop, context.client, context.commit, run_id=context.run.id)
    began = core.clock.now()
    # After a restore nothing is known of what the shop should show: what it shows now is where we begin again.
    expecting = await core.database.read(lambda c: begins_anew(c, shop.id))
    if not await read_all_rows(shop, context.client, context.commit, core.clock, expecting=expecting):
        raise MalformedXml("The shop's stock could not be read whole; nothing was compared.")
    found = await _compare(context, began, None)
    drift = found.drift
    if drift:
        # An order may have come between reading and comparing: look again before saying so.
        await poll_orders(core, shop, context.client, context.commit, run_id=context.run.id)
        rows = [one.stock_row for one in drift]
        await read_rows(shop, context.client, context.commit, core.clock, rows, expecting=expecting)
        drift = (await _compare(context, began, [one.listing_id for one in drift])).drift
    return await _report(context, found, drift, began)


async def _report(context: FeedContext, found: _Compared, drift: list[Drift], began: datetime) -> Outcome:
    """Name the causes, keep what somebody else wrote, and where a repair was asked for let the push do it."""
    now, shop = context.core.clock.now(), context.shop
    causes = await context.core.database.read(lambda c: likely_causes(c, shop.id, drift, now))
    drift = [replace(one, cause=causes.get(one.listing_id, "unknown")) for one in drift]
    repairs = bool(context.run.params.get("repair")) and shop.mode is ShopMode.LIVE

    def store(connection: Connection) -> None:
        if repairs:
            repair(connection, drift, now)
        else:
            note_edits(connection, shop.id, drift, now)

    counts = {"compared": found.number, "drift": len(drift)}
    words = f"{found.number} compared, {len(drift)} differ"
    if found.missing:
        counts["missing"] = len(found.missing)
        words += f", {len(found.missing)} have no stock row in the shop any more"
    if repairs and drift:
        words += "; the next push repairs them"
    lines = [LogLine("warn", one.words) for one in drift[:_SHOWN]]
    lines += [LogLine("warn", f"{name}: its stock row is missing in the shop") for name in found.missing[:_SHOWN]]
    if (hidden := max(0, len(drift) - _SHOWN) + max(0, len(found.missing) - _SHOWN)) > 0:
        lines.append(LogLine("warn", f"and {hidden} more"))
    await context.commit(
        store, done=found.number, total=found.number, counts=counts, logs=[*lines, LogLine("info", words)]
    )
    by_cause = dict(Counter(one.cause for one in drift))
    detail = {**counts, "missing": len(found.missing), "causes": by_cause, "at": began.isoformat()}
    return Outcome(complete=True, text=words, detail=detail)


async def _compare(context: FeedContext, began: datetime, only: Sequence[int] | None) -> _Compared:
    found = _Compared()
    while True:
        page = partial(_page, context=context, began=began, found=found, only=only)
        if not await context.core.database.read(page):
            return found


def _page(
    connection: Connection, context: FeedContext, began: datetime, found: _Compared, only: Sequence[int] | None
) -> bool:
    """Compare the next listings; says whether there were any."""
    statement = (
        select(Listing.id, Listing.sku, Listing.name, Listing.quantity, Listing.id_stock_available)
        .add_columns((Listing.quantity_read_at >= began).label("fresh"))
        .where(
            # The sum keeps the planner on the primary key: by an index of the shop each page would sort all the rest.
            Listing.shop_id + 0 == context.shop.id,
            Listing.id > found.last,
            Listing.has_combinations.is_(False),
            Listing.depends_on_stock.is_(False),
            Listing.gone_at.is_(None),
            Listing.quantity.is_not(None),
        )
        .order_by(Listing.id)
        .limit(_CHUNK)
    )
    if only is not None:
        statement = statement.where(Listing.id.in_(sorted(one for one in only if one > found.last)[:_CHUNK]))
    rows = connection.execute(statement).all()
    numbers = availability(connection, context.shop, [row.id for row in rows])
    for listing_id, sku, name, quantity, stock_row, fresh in rows:
        found.last = listing_id
        shown = numbers[listing_id].shown if listing_id in numbers else None
        if shown is None or quantity is None or stock_row is None:
            continue
        if not fresh:
            found.missing.append(sku or name)
            continue
        found.number += 1
        if shown != quantity:
            found.drift.append(Drift(listing_id, sku, name, stock_row, shown, quantity))
    return bool(rows)
