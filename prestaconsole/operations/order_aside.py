"""Orders that cannot be taken in as they are: noted in the ledger with the cause, counted, parked at the third time.

One such order never keeps the others of its page waiting.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.exc import DataError, IntegrityError

from prestaconsole.database import Connection, insert_new
from prestaconsole.model import Order
from prestaconsole.operations import parking
from prestaconsole.operations.order_reading import OrderBatch
from prestaconsole.operations.order_store import Intake, Stored, store_orders
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.errors import UnexpectedAnswer

DAMAGED = "The shop's answer for it is damaged."
_FAULTS = (UnexpectedAnswer, DataError, IntegrityError, ValueError, ArithmeticError, LookupError, TypeError)
"""What goes wrong with one order; anything else (a full disk, a lost connection) stops the run, which goes on later."""

_ASKED_FOR = ("current_state", "id_carrier", "id_currency", "id_customer", "id_address_delivery", "id_address_invoice")


def why_unreadable(order: Entity) -> str:
    """Why a page cannot even be sorted with this order in it; empty where it can."""
    if order.damaged:
        return DAMAGED
    try:
        order.amount("total_paid")
        for name in _ASKED_FOR:
            order.integer(name)
    except UnexpectedAnswer as error:
        return _words(error)
    return ""


def store_what_can_be(connection: Connection, intake: Intake, batch: OrderBatch) -> tuple[Stored, dict[int, str]]:
    """Store a batch whole; where that fails, order by order. Gives what was stored, and causes by order id."""
    try:
        with connection.begin_nested():
            return store_orders(connection, intake, batch), {}
    except _FAULTS:
        pass
    stored, failed = Stored(), dict[int, str]()
    for order in batch.orders:
        try:
            with connection.begin_nested():
                stored.add(store_orders(connection, intake, replace(batch, orders=[order])))
        except _FAULTS as error:
            failed[order.id] = _words(error)
    return stored, failed


def note_failed(connection: Connection, intake: Intake, failed: Mapping[int, str]) -> None:
    """A ledger row for each: seen, watched, read again at every poll. ``failed`` holds causes by order id.

    An order that was stored before stays as it was.
    """
    seen = {"shop_id": intake.shop.id, "verdict": "incomplete", "verdict_at": intake.now, "watched": True}
    seen |= {"first_seen_at": intake.now, "read_at": intake.now}
    rows = [{**seen, "id_order": number, "reason": cause[:300]} for number, cause in failed.items()]
    insert_new(connection, Order, rows, key=["shop_id", "id_order"])


def parked_orders(connection: Connection, shop_id: int) -> set[int]:
    """Orders that are not asked for again until a person frees them."""
    return {int(record) for record in parking.parked(connection, shop_id, "order")}


def _words(error: Exception) -> str:
    """The cause without the row's values, which may be a buyer's."""
    if isinstance(error, UnexpectedAnswer):
        return error.cause
    first = str(getattr(error, "orig", error)).partition("\n")[0]
    return f"It cannot be stored: {type(error).__name__}: {first}"[:300]
