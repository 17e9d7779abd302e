"""What an import of orders would read, counted before it runs. Asks the shop for ids only. May import webservice."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from prestaconsole.operations.core import Core
from prestaconsole.operations.order_reading import orders_context
from prestaconsole.operations.shops import ShopRecord, find_shop
from prestaconsole.services.estimates import Estimate, read_estimate
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.errors import WebserviceError
from prestaconsole.webservice.query import Query, greater, shop_time


@dataclass(frozen=True)
class OrderPreview:
    """Orders that lie ahead: at most ``orders``, as ids may have gaps; ``estimate`` where requests were measured."""

    first: int
    last: int
    orders: int
    estimate: Estimate | None

    @property
    def words(self) -> str:
        """One line for a person."""
        if not self.orders:
            return "No order lies ahead."
        long = f"; {self.estimate.words} (estimate)" if self.estimate else ""
        return f"At most {self.orders} orders, {self.first} to {self.last}{long}."


async def preview_orders(
    core: Core, shop: str, *, from_id: int | None = None, since: date | None = None, days: int | None = None
) -> OrderPreview | None:
    """Count what ``import_orders`` from there would read, with two requests; None where the shop does not answer.

    Raises ``NotFoundError`` for an unknown shop. What keeps the shop from answering is the import's to say.
    """
    record = await core.database.read(lambda connection: find_shop(connection, shop))
    key = await core.database.read(lambda connection: core.key(connection, record))
    client = core.client(record, key)
    try:
        first, last = await _ends(core, record, client, from_id, since, days)
    except WebserviceError:
        return None
    finally:
        await client.aclose()
    orders = max(0, last - first + 1) if first else 0
    estimate = await core.database.read(lambda c: read_estimate(c, record, "import_orders", rows=orders))
    return OrderPreview(first, last, orders, estimate)


async def _ends(
    core: Core, shop: ShopRecord, client: ShopClient, from_id: int | None, since: date | None, days: int | None
) -> tuple[int, int]:
    """The first order id from there on, 0 where there is none, and the highest."""
    context = orders_context(shop)
    last = (await client.page(Query("orders", ("id",), sort="-id", limit=1, id_shop=context))).last_id
    if from_id is not None:
        return from_id, last
    after = datetime.combine(since, time(), shop.zone) if since else core.clock.now() - timedelta(days=days or 0)
    placed = greater(shop_time(after.astimezone(UTC) - timedelta(seconds=1), shop.zone))
    found = await client.page(Query("orders", ("id",), {"date_add": placed}, limit=1, id_shop=context, date=True))
    return found.first_id, last
