"""The feed ``retry_orders``: orders that may still become valid are asked for again, the old ones rarely (row B19)."""

from collections import Counter
from datetime import datetime

from sqlalchemy import case, select, update

from prestaconsole.database import Connection
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import Order
from prestaconsole.operations.order_aside import parked_orders
from prestaconsole.operations.order_intake import read_orders_again, verdict_counts, verdict_words

_BATCH = 200


async def run(context: FeedContext) -> Outcome:
    """Read the watched orders that are due (all of them when a person asks), in batches, and decide on them again."""
    now = context.core.clock.now()
    everything = context.run.trigger == "person"
    after = int(context.run.checkpoint.get("after", 0))
    due = await context.core.database.read(lambda c: _due(c, context.shop.id, after, now, everything))
    counts = Counter[str]()
    for start in range(0, len(due), _BATCH):
        ids = due[start : start + _BATCH]
        result = await read_orders_again(
            context.core, context.shop, context.client, context.commit, ids, run_id=context.run.id
        )
        counts.update(result.counts)

        def looked(connection: Connection, ids: list[int] = ids) -> None:
            connection.execute(
                update(Order)
                .where(Order.shop_id == context.shop.id, Order.id_order.in_(ids))
                .values(looks=Order.looks + 1)
            )

        done = min(start + _BATCH, len(due))
        await context.commit(
            looked, checkpoint={"after": ids[-1]}, done=done, total=len(due), counts=verdict_counts(result.counts)
        )
    return Outcome(complete=True, text=verdict_words(counts) or f"{len(due)} looked at, none changed")


def _due(connection: Connection, shop_id: int, after: int, now: datetime, everything: bool) -> list[int]:
    statement = select(Order.id_order).where(Order.shop_id == shop_id, Order.watched, Order.id_order > after)
    if not everything:
        never = case((Order.next_look_at.is_(None), True), else_=Order.next_look_at <= now)
        statement = statement.where(never)
    aside = parked_orders(connection, shop_id)
    return [one for one in connection.execute(statement.order_by(Order.id_order)).scalars() if one not in aside]
