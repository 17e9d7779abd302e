"""How long a run will take, from what requests cost at that shop: an estimate, and nothing where no cost is known.

May import feeds, operations, model, database.
"""

from dataclasses import dataclass

from sqlalchemy import func, select

from prestaconsole.database import Connection
from prestaconsole.model import Listing, Order
from prestaconsole.operations.core import Core
from prestaconsole.operations.pace import seconds_a_request
from prestaconsole.operations.shops import ShopRecord, find_shop

WORTH_SAYING = 10.0
"""Seconds from which a run is long enough to be told of before it begins."""
_PAGE = 1000
_ORDERS = 200
_OF_AN_ORDER = {"orders": 1, "order_details": 1, "customers": 1, "addresses": 2}
"""Requests for a page of orders: two addresses an order, each other kind at most one record."""
_AGAIN = {"orders": 1, "order_details": 1}


@dataclass(frozen=True)
class Estimate:
    """What a run will take: ``rows`` to read in so many ``requests``, ``seconds`` at the cost measured of late."""

    rows: int
    requests: int
    seconds: float

    @property
    def words(self) -> str:
        """``about 3 min``."""
        return f"about {_about(self.seconds)}"


def estimate_feed(core: Core, shop: str, feed: str, *, rows: int | None = None) -> Estimate | None:
    """How long a feed of this shop will take; None where cost or number of rows is not known. Asks no shop.

    ``rows`` is how many it will read, where that was counted; else what was read before is counted.
    """
    return core.database.read_now(lambda c: read_estimate(c, find_shop(c, shop), feed, rows=rows))


def read_estimate(connection: Connection, shop: ShopRecord, feed: str, *, rows: int | None = None) -> Estimate | None:
    """The same inside a transaction."""
    return estimates(connection, shop, rows=None if rows is None else {feed: rows}).get(feed)


def estimates(connection: Connection, shop: ShopRecord, *, rows: dict[str, int] | None = None) -> dict[str, Estimate]:
    """The feeds of a shop that can be estimated now."""
    cost = seconds_a_request(connection, shop.id)
    if not cost:
        return {}
    given = rows or {}
    products, combinations = _listings(connection, shop.id)
    stock = products + combinations
    watched = given.get("retry_orders", _watched(connection, shop.id))
    orders = given.get("reconcile_orders", _orders(connection, shop.id))
    plans: dict[str, tuple[int, dict[str, int]]] = {
        "import_products": (
            2 * stock,
            {
                "products": _pages(products, _PAGE),
                "combinations": _pages(combinations, _PAGE),
                "stock_availables": _pages(stock, _PAGE),
            },
        ),
        "stock_check": (stock, {"stock_availables": _pages(stock, _PAGE)}),
        "import_stock": (stock, {"stock_availables": _pages(stock, _PAGE)}),
        "retry_orders": (watched, _times(_AGAIN, _pages(watched, _ORDERS))),
        "reconcile_orders": (orders, {"orders": _pages(orders, _PAGE)}),
    }
    if "import_orders" in given:
        new = given["import_orders"]
        plans["import_orders"] = (new, _times(_OF_AN_ORDER, _pages(new, _ORDERS)))
    found = {}
    for feed, (count, requests) in plans.items():
        if count and all(name in cost for name, number in requests.items() if number):
            seconds = sum(number * cost[name] for name, number in requests.items() if number)
            found[feed] = Estimate(count, sum(requests.values()), round(seconds, 2))
    return found


def _pages(rows: int, size: int) -> int:
    return -(-rows // size)


def _times(requests: dict[str, int], pages: int) -> dict[str, int]:
    return {name: number * pages for name, number in requests.items()}


def _listings(connection: Connection, shop_id: int) -> tuple[int, int]:
    """Products and combinations as last read."""
    simple = Listing.id_product_attribute == 0
    rows = connection.execute(
        select(simple, func.count()).where(Listing.shop_id == shop_id, Listing.gone_at.is_(None)).group_by(simple)
    )
    counts = {bool(is_product): int(number) for is_product, number in rows}
    return counts.get(True, 0), counts.get(False, 0)


def _orders(connection: Connection, shop_id: int) -> int:
    return connection.execute(select(func.count()).where(Order.shop_id == shop_id)).scalar_one()


def _watched(connection: Connection, shop_id: int) -> int:
    statement = select(func.count()).select_from(Order).where(Order.shop_id == shop_id, Order.watched)
    return int(connection.execute(statement).scalar_one())


def _about(seconds: float) -> str:
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{round(seconds / 10) * 10} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
