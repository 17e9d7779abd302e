"""The shop's own log of state changes: which orders it makes us read again, and its rows as we keep them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from prestaconsole.database import Connection, insert_new
from prestaconsole.model import OrderEvent
from prestaconsole.operations.order_store import load_known
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.rules.order_state import OrderStateFlags, deducts
from prestaconsole.webservice.entity import Entity


def touched(
    connection: Connection, shop_id: int, events: Sequence[Entity], states: Mapping[int, OrderStateFlags], *, start: int
) -> list[int]:
    """Orders whose last state differs from ours; of those we never read, the ones that count again.

    ``events`` are rows of ``order_histories`` in the shop's order; ``start`` is the first order id that is imported.
    """
    newest = {event.integer("id_order"): event.integer("id_order_state") for event in events}
    known = load_known(connection, shop_id, newest)
    found = []
    for id_order, state in newest.items():
        before = known.get(id_order)
        if before is None:
            if id_order >= start or deducts(state, states):
                found.append(id_order)
        elif before.id_order_state != state:
            found.append(id_order)
    return found


def store_events(connection: Connection, shop: ShopRecord, events: Sequence[Entity], now: datetime) -> None:
    """Keep rows of ``order_histories``; those we have stay as they are."""
    rows = [
        {
            "shop_id": shop.id,
            "id_order_history": event.id,
            "id_order": event.integer("id_order"),
            "id_order_state": event.integer("id_order_state"),
            "date_add": event.local_time("date_add", shop.zone),
            "seen_at": now,
        }
        for event in events
    ]
    insert_new(connection, OrderEvent, rows, key=["shop_id", "id_order_history"])
