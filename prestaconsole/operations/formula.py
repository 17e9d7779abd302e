"""When the rules behind a shop's numbers change: contradictions are refused, the listings they touch are marked."""

from datetime import datetime

from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.operations.shop_settings import FORMULA_SETTINGS, value
from prestaconsole.operations.shops import ShopRecord, all_shops, load_shop
from prestaconsole.operations.stock_ledger import mark_shops


def rules_changed(connection: Connection, before: ShopRecord, at: datetime) -> int:
    """Mark what a change of this shop's settings touches; ``before`` is the shop as it was. Gives how many listings.

    Other shops are touched where this one began or ceased to draw on a warehouse of theirs: its open orders count
    against them. Raises ``UsageError`` for settings that cannot stand together.
    """
    after = load_shop(connection, before.id)
    _refuse_contradiction(after)
    if all(value(before, name) == value(after, name) for name in FORMULA_SETTINGS):
        return 0
    touched = {after.id}
    old, new = set(value(before, "stock.warehouses")), set(value(after, "stock.warehouses"))
    for other in all_shops(connection) if old != new else ():
        theirs = set(value(other, "stock.warehouses"))
        if bool(theirs & old) != bool(theirs & new):
            touched.add(other.id)
    return mark_shops(connection, touched, at)


def _refuse_contradiction(shop: ShopRecord) -> None:
    if value(shop, "stock.share") and value(shop, "stock.mode") != "share":
        raise UsageError(
            f"stock.share says percentages, but stock.mode of {shop.name} is {value(shop, 'stock.mode')}: "
            "they would do nothing.",
            "Set stock.mode=share in the same command, or take the percentages away with stock.share= (empty).",
        )
