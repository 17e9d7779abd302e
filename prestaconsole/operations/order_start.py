"""Where a shop's orders begin: the setting turned into an order id, once (rows B14, A6, M20)."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from prestaconsole.database import Connection
from prestaconsole.operations.core import Core
from prestaconsole.operations.cursors import cursor, feed_detail, note_feed_detail, set_cursor
from prestaconsole.operations.order_reading import orders_context
from prestaconsole.operations.pages import PageCommit
from prestaconsole.operations.shop_settings import SHOP_SETTINGS, OrderStart, value
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.query import Query, greater, shop_time

ORDERS = "orders"
_DETAIL = "start"


@dataclass(frozen=True)
class Boundary:
    """The first order id that is imported. ``moved``: the setting changed, so reading begins there again.

    ``held_through``: open orders before it were read already.
    """

    id: int
    setting: str
    moved: bool
    held_through: bool

    def mark_held(self, connection: Connection, shop_id: int, now: datetime) -> None:
        """Note that the open orders before the boundary are held."""
        _note(connection, shop_id, {"setting": self.setting, "id": self.id, "held": True})


async def find_boundary(core: Core, shop: ShopRecord, client: ShopClient, commit: PageCommit) -> Boundary:
    """The boundary in force; asks the shop only when the setting is new."""
    setting = shop.settings.get("orders.start", SHOP_SETTINGS["orders.start"].default)
    detail = await core.database.read(lambda c: _detail(c, shop.id))
    if detail.get("setting") == setting:
        return Boundary(detail["id"], setting, moved=False, held_through=bool(detail.get("held")))
    start: OrderStart = value(shop, "orders.start")
    found = await _first_id(core, shop, client, start)
    now = core.clock.now()

    def store(connection: Connection) -> bool:
        _note(connection, shop.id, {"setting": setting, "id": found, "held": False})
        reached = cursor(connection, shop.id, ORDERS)
        again = reached is not None and detail.get("id") is not None and found < detail["id"]
        if again:
            set_cursor(connection, shop.id, ORDERS, found - 1, now)
        return again

    moved = await commit(store)
    return Boundary(found, setting, moved=moved, held_through=False)


async def _first_id(core: Core, shop: ShopRecord, client: ShopClient, start: OrderStart) -> int:
    if start.kind == "id":
        return start.id_order
    newest = Query("orders", ("id",), sort="-id", limit=1, id_shop=orders_context(shop))
    if start.kind != "now":
        since = _since(core, shop, start)
        first = await client.page(
            Query(
                "orders",
                ("id",),
                {"date_add": greater(shop_time(since, shop.zone))},
                limit=1,
                id_shop=orders_context(shop),
                date=True,
            )
        )
        if first.length:
            return first.first_id
    return (await client.page(newest)).last_id + 1


def _since(core: Core, shop: ShopRecord, start: OrderStart) -> datetime:
    """One second before the start, as ``greater`` is strict; days count back from now in the shop's zone."""
    if start.day is not None:
        return datetime.combine(start.day, time(), shop.zone) - timedelta(seconds=1)
    return core.clock.now() - timedelta(days=start.days, seconds=1)


def _detail(connection: Connection, shop_id: int) -> dict[str, Any]:
    return dict(feed_detail(connection, shop_id, "import_orders").get(_DETAIL, {}))


def _note(connection: Connection, shop_id: int, start: dict[str, Any]) -> None:
    note_feed_detail(connection, shop_id, "import_orders", {_DETAIL: start})
