"""The feed ``import_orders``: every order id the shop has, each with a verdict (rows B14–B18, B36)."""

from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.operations.order_intake import OrderIntake, verdict_counts, verdict_words
from prestaconsole.operations.pages import LogLine

_AT_ONCE = 1000


async def run(context: FeedContext) -> Outcome:
    """Poll new and changed orders; with ``ids`` in the parameters, read just those, whatever the start is."""
    intake = OrderIntake(context.core, context.shop, context.client, context.commit, context.run.id)
    ids = [int(number) for number in context.run.params.get("ids", ())]
    result = await (intake.read_again(ids[:_AT_ONCE], before_start=True) if ids else intake.poll())
    words = verdict_words(result.counts) or "nothing new"
    done = result.new + result.changed
    counts = verdict_counts(result.counts)
    await context.commit(
        lambda c: None, done=done, total=done, counts=counts, logs=[LogLine("info", f"orders: {words}")]
    )
    return Outcome(complete=not ids, text=words)
