"""What an old backup brings back: a shop whose newest orders are gone. Imports the storage only."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop


def lose_orders(shop: "SimulatedShop", count: int) -> None:
    """Take the newest orders away with their rows in every table, and give their ids again."""
    table = shop.tables["orders"]
    for id_order in list(table.ids()[-count:]) if count > 0 else ():
        reference = table.value(table.row(id_order), "reference")
        for name, other in shop.tables.items():
            key, wanted = ("order_reference", reference) if name == "order_payments" else ("id_order", str(id_order))
            for row_id in other.find(key, wanted) if key in other.blanks and name != "orders" else ():
                other.remove(row_id)
        table.remove(id_order)
        shop.pending.pop(id_order, None)
    table.start_ids_at(max(table.ids(), default=0) + 1)
