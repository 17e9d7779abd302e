"""A narrow look at many orders of a shop against the ledger: which to read again, and which only one side has.

Used by update_orders, which looks at what the shop says was changed, and reconcile_orders, which looks at all.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.model import Order
from prestaconsole.operations.core import Core
from prestaconsole.operations.order_reading import orders_context
from prestaconsole.operations.order_store import KnownOrder, load_known, needs_storing
from prestaconsole.operations.reference import Reference, load_reference
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.rules.order_state import deducts
from prestaconsole.webservice.client import Page, ShopClient
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.errors import MalformedXml
from prestaconsole.webservice.query import greater

_FIELDS = ("id", "reference", "current_state", "id_currency", "total_paid", "date_upd")
_PER_PAGE = 1000


@dataclass
class Compared:
    """One page: ``differ`` are orders of the shop that are new to us or stand otherwise, ``gone`` those only we have.

    ``newest`` is the latest date_upd as the shop wrote it, in its own time.
    """

    last_id: int
    differ: list[int] = field(default_factory=list)
    absent: int = 0
    gone: list[int] = field(default_factory=list)
    newest: str = ""
    seen: int = 0
    paid: defaultdict[str, Decimal] = field(default_factory=partial(defaultdict, Decimal))
    """What the shop says was to be paid, by currency."""


@dataclass
class OrderScan:
    """One narrow look. Raises ``WebserviceError`` or ``RunStopped``."""

    core: Core
    shop: ShopRecord
    client: ShopClient
    start: int
    """The first order id that is imported; of older ones only those count that the shop deducts."""

    async def pages(self, *, after: int = 0, changed_after: str = "") -> AsyncIterator[Compared]:
        """The pages above ``after``, each compared with the ledger as it is then.

        ``changed_after`` limits them to orders with a later date_upd, in the shop's time; without it gaps count too.
        """
        shop_id = self.shop.id
        reference = await self.core.database.read(lambda c: load_reference(c, shop_id))
        reached = after
        pages = self.client.pages(
            "orders",
            _FIELDS,
            after=after,
            page_size=_PER_PAGE,
            filters={"date_upd": greater(changed_after)} if changed_after else None,
            id_shop=orders_context(self.shop),
            date=bool(changed_after),
        )
        async for page in pages:
            if not page.complete:
                raise MalformedXml(f"Orders after id {reached} are missing from the shop's answer.")
            yield await self.core.database.read(
                lambda c: self._page(c, page, reference, reached, whole=not changed_after)  # noqa: B023 - awaited at once
            )
            reached = max(reached, page.last_id)

    def _page(self, connection: Connection, page: Page, reference: Reference, low: int, *, whole: bool) -> Compared:
        found = self._compare(connection, page.entities, reference)
        found.last_id = page.last_id
        if whole:
            listed = {order.id for order in page.entities} | {damage.id for damage in page.damaged}
            found.gone = sorted(_between(connection, self.shop.id, low, page.last_id) - listed)
        return found

    async def older(self) -> Compared:
        """Orders before the start that the ledger holds, asked for by their ids."""
        shop_id = self.shop.id
        reference = await self.core.database.read(lambda c: load_reference(c, shop_id))
        ids = await self.core.database.read(lambda c: _between(c, shop_id, 0, self.start - 1))
        found = await self.client.by_ids("orders", _FIELDS, sorted(ids), id_shop=orders_context(self.shop))
        compared = await self.core.database.read(lambda c: self._compare(c, found, reference))
        compared.gone = sorted(ids - {order.id for order in found})
        return compared

    def _compare(self, connection: Connection, orders: Sequence[Entity], reference: Reference) -> Compared:
        whole = [order for order in orders if not order.damaged]
        known = load_known(connection, self.shop.id, (order.id for order in whole))
        found = Compared(max((order.id for order in orders), default=0), seen=len(whole))
        for order in whole:
            before = known.get(order.id)
            if self._counts(order, before, reference) and needs_storing(order, before):
                found.differ.append(order.id)
                found.absent += before is None
            if before is not None or order.id >= self.start:
                currency = reference.currencies.get(order.integer("id_currency"), ("?", 2))[0]
                found.paid[currency] += order.amount("total_paid")
            found.newest = max(found.newest, order.text("date_upd"))
        return found

    def _counts(self, order: Entity, before: KnownOrder | None, reference: Reference) -> bool:
        """Orders before the start that were never read matter only while the shop deducts them."""
        return before is not None or order.id >= self.start or deducts(order.integer("current_state"), reference.states)


def ledger_paid(connection: Connection, shop_id: int) -> defaultdict[str, Decimal]:
    """What our ledger says was to be paid, by currency, over all orders that the shop should still list."""
    rows = connection.execute(
        select(Order.currency, Order.total_paid).where(Order.shop_id == shop_id, Order.verdict != "missing")
    )
    paid: defaultdict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in rows:
        paid[currency or "?"] += amount
    return paid


def newest_known(connection: Connection, shop_id: int, until: str) -> str:
    """The latest date_upd of our ledger up to ``until``, both in the shop's time; empty where nothing was read."""
    found = select(Order.local_date_upd).where(Order.shop_id == shop_id, Order.local_date_upd <= until)
    return connection.execute(found.order_by(Order.local_date_upd.desc()).limit(1)).scalar() or ""


def _between(connection: Connection, shop_id: int, low: int, high: int) -> set[int]:
    found = select(Order.id_order).where(
        Order.shop_id == shop_id, Order.id_order > low, Order.id_order <= high, Order.verdict != "missing"
    )
    return set(connection.execute(found).scalars())
