"""The feed ``update_orders``: orders that the shop says were changed since the last look (rows A20, B37).

State changes come with every poll, by the shop's own log of them. This feed finds what leaves no event there: an edit
in the back office, a payment, an order that was moved by hand.
"""

from collections import Counter
from datetime import datetime, timedelta

from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.operations.cursors import feed_detail
from prestaconsole.operations.order_intake import read_orders_again, verdict_counts, verdict_words
from prestaconsole.operations.order_scan import OrderScan, newest_known
from prestaconsole.operations.order_start import find_boundary
from prestaconsole.webservice.query import shop_time

OVERLAP = timedelta(hours=2)
"""The shop's clock is local: once a year an hour of it comes twice. Late commits are inside, too."""

_SINCE = "date_upd"


async def run(context: FeedContext) -> Outcome:
    """Compare what was changed since the last look, less an overlap, with the ledger and read again what differs.

    The watermark is the shop's own text of its own clock, so neither our clock nor a wrong zone loses an order.
    """
    shop = context.shop
    boundary = await find_boundary(context.core, shop, context.client, context.commit)
    since = str(context.run.checkpoint.get(_SINCE) or await _watermark(context))
    scan = OrderScan(context.core, shop, context.client, boundary.id)
    changed_after = _before(since) if since else ""
    seen, newest = 0, str(context.run.checkpoint.get("newest") or since)
    counts = Counter[str]()
    async for page in scan.pages(after=int(context.run.checkpoint.get("after", 0)), changed_after=changed_after):
        result = await read_orders_again(
            context.core, shop, context.client, context.commit, page.differ, run_id=context.run.id
        )
        counts.update(result.counts)
        seen, newest = seen + page.seen, max(newest, page.newest)
        await context.commit(
            lambda _: None,
            checkpoint={_SINCE: since, "newest": newest, "after": page.last_id},
            done=seen,
            counts=verdict_counts(result.counts),
        )
    newest = min(newest, _now(context)) if newest else newest
    text = verdict_words(counts) or f"{seen} looked at, none changed"
    return Outcome(complete=True, text=text, detail={_SINCE: newest})


async def _watermark(context: FeedContext) -> str:
    """Where the last complete look came to, else the latest change that our ledger knows; empty: look at all."""
    shop_id, now = context.shop.id, _now(context)
    detail = await context.core.database.read(lambda c: feed_detail(c, shop_id, "update_orders"))
    return str(detail.get(_SINCE) or await context.core.database.read(lambda c: newest_known(c, shop_id, now)))


def _now(context: FeedContext) -> str:
    """The shop's clock. A date ahead of it would hide what is changed before that moment comes."""
    return shop_time(context.core.clock.now(), context.shop.zone)


def _before(since: str) -> str:
    """The watermark less the overlap, in the shop's own time; zero dates and nonsense begin at the beginning."""
    try:
        return (datetime.fromisoformat(since) - OVERLAP).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return "1970-01-01 00:00:00"
