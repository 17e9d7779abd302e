"""The feed ``reconcile_orders``: all orders of the shop against our ledger, each night (issue rows B16, B36).

What the ledger has not, or has otherwise, is read again at once; what only the ledger has is named in an incident.
"""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from prestaconsole.database import Connection
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.operations.order_intake import read_orders_again, verdict_counts
from prestaconsole.operations.order_scan import Compared, OrderScan, ledger_paid
from prestaconsole.operations.order_start import find_boundary
from prestaconsole.operations.pages import LogLine

GONE = "orders gone"
TOTALS = "order totals differ"
_SHOWN = 20
_KEPT = 1000


class _Sums:
    """What was found up to here, as it stands in the checkpoint."""

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self.after = int(kept.get("after", 0))
        self.seen = int(kept.get("seen", 0))
        self.again = int(kept.get("again", 0))
        self.absent = int(kept.get("absent", 0))
        self.gone = [int(number) for number in kept.get("gone", ())]
        paid = {currency: Decimal(amount) for currency, amount in kept.get("paid", {}).items()}
        self.paid = defaultdict(Decimal, paid)

    def add(self, page: Compared) -> None:
        self.seen += page.seen
        self.again += len(page.differ)
        self.absent += page.absent
        self.gone = [*self.gone, *page.gone][:_KEPT]
        for currency, amount in page.paid.items():
            self.paid[currency] += amount

    def kept(self) -> dict[str, Any]:
        paid = {currency: str(amount) for currency, amount in self.paid.items()}
        return {**vars(self), "paid": paid}


async def run(context: FeedContext) -> Outcome:
    """Compare id, state, total and last change of every order, page by page; a cut run goes on at its page."""
    boundary = await find_boundary(context.core, context.shop, context.client, context.commit)
    scan = OrderScan(context.core, context.shop, context.client, boundary.id)
    sums = _Sums(context.run.checkpoint)
    if not sums.after:
        await _take(context, sums, await scan.older(), after=boundary.id - 1)
    async for page in scan.pages(after=max(sums.after, boundary.id - 1)):
        await _take(context, sums, page, after=page.last_id)
    ours = await context.core.database.read(lambda c: ledger_paid(c, context.shop.id))
    both = {currency: (sums.paid[currency], ours[currency]) for currency in sorted({*sums.paid, *ours})}
    apart = {currency: (theirs, mine) for currency, (theirs, mine) in both.items() if theirs != mine}
    await context.commit(lambda c: _report(c, context, sums, apart))
    return Outcome(complete=True, text=_words(sums, apart))


async def _take(context: FeedContext, sums: _Sums, page: Compared, *, after: int) -> None:
    """Read again what differs on this page, then keep how far we are."""
    result = await read_orders_again(
        context.core, context.shop, context.client, context.commit, page.differ, run_id=context.run.id
    )
    sums.add(page)
    sums.after = max(sums.after, after)
    logs = []
    if page.absent:
        numbers = ", ".join(map(str, page.differ[:_SHOWN]))
        logs.append(LogLine("warn", f"{page.absent} were not in the ledger and are read now, among {numbers}"))
    counts = {"seen": page.seen, **verdict_counts(result.counts)}
    await context.commit(lambda _: None, checkpoint=sums.kept(), done=sums.seen, counts=counts, logs=logs)


def _report(
    connection: Connection, context: FeedContext, sums: _Sums, apart: Mapping[str, tuple[Decimal, Decimal]]
) -> None:
    shop, now = context.shop, context.core.clock.now()
    if sums.gone:
        many = len(sums.gone) > 1
        open_incident(
            connection,
            shop_id=shop.id,
            cause_key=GONE,
            title=f"{len(sums.gone)} order{'s' if many else ''} of our ledger {'are' if many else 'is'} "
            "no longer listed by the shop",
            remedy="Somebody deleted them, or the key lost a storefront. Look in the shop; what they hold stays held.",
            evidence=f"orders {', '.join(map(str, sums.gone[:_SHOWN]))}",
            at=now,
            run_id=context.run.id,
            count=0,
        )
    else:
        close_incident(connection, shop_id=shop.id, cause_key=GONE, by="cured", at=now)
    if apart and not sums.gone:
        open_incident(
            connection,
            shop_id=shop.id,
            cause_key=TOTALS,
            title="The shop's order totals and ours differ though the orders are the same",
            remedy=f"`prestaconsole feed run {shop.code} reconcile_orders` compares again; orders may have come in "
            "between. Where it stays, parked or damaged orders are the usual cause: see the other incidents.",
            evidence="\n".join(f"{name}: shop {theirs}, here {ours}" for name, (theirs, ours) in apart.items()),
            at=now,
            run_id=context.run.id,
            count=0,
        )
    else:
        close_incident(connection, shop_id=shop.id, cause_key=TOTALS, by="cured", at=now)


def _words(sums: _Sums, apart: Mapping[str, tuple[Decimal, Decimal]]) -> str:
    parts = [f"{sums.seen} compared"]
    parts += [f"{sums.absent} were missing here and are read"] if sums.absent else []
    parts += [f"{sums.again - sums.absent} stood otherwise and are read again"] if sums.again > sums.absent else []
    parts += [f"{len(sums.gone)} no longer in the shop"] if sums.gone else []
    parts += [f"totals differ in {', '.join(apart)}"] if apart else ["totals agree"]
    return ", ".join(parts)
