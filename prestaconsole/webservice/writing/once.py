"""Making a record once: look, then send; after an unknown outcome look again (F1, F48). Imports the reads."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.query import Query, equals
from prestaconsole.webservice.writing.ports import Writes, Written

Look = Callable[[], Awaitable[int | None]]


@dataclass(frozen=True)
class Posted:
    """The record's id; ``made`` is False when it was there before anything was sent, ``seen`` when a look found it."""

    id: int
    made: bool
    seen: bool = False


async def post_once(look: Look, post: Callable[[], Awaitable[Written]]) -> Posted:
    """Make a record unless ``look`` finds it; ``look`` gives its id, None when it is not there.

    After ``UnknownOutcome`` it looks once more: found means done; not found raises the ``UnknownOutcome``, for it may
    still come, and only the caller knows when a POST may be repeated (DESIGN §3). Nothing is ever sent twice here.
    """
    there = await look()
    if there is not None:
        return Posted(there, made=False, seen=True)
    failure: e.UnknownOutcome
    try:
        answer = await post()
    except e.UnknownOutcome as error:
        failure = error
    else:
        return Posted(answer.ids[0], made=True)
    there = await look()
    if there is not None:
        return Posted(there, made=True, seen=True)
    raise failure


async def post_state(
    writer: Writes, id_order: int, id_state: int, *, mail: bool = False, id_employee: int = 0
) -> Posted:
    """Bring an order into a state by one order_histories row, unless it is in it already (F47, F48).

    ``mail`` sends the state's mail, which waits for the shop's mail server (F49). The id is that of the history row.
    Raises ``NotFound`` when there is no such order.
    """

    async def look() -> int | None:
        return await state_row(writer.client, id_order, id_state)

    async def post() -> Written:
        row = {"id_order": id_order, "id_order_state": id_state}
        if id_employee:
            row["id_employee"] = id_employee
        asked = {"sendemail": "1"} if mail else None
        return await writer.post("order_histories", "order_history", row, parameters=asked)

    return await post_once(look, post)


async def state_row(client: ShopClient, id_order: int, id_state: int) -> int | None:
    """The newest history row of an order that is in this state now, None when it is in another. Raises ``NotFound``.

    0 where the order is in the state without a row of its own: it is there, and another row would be one too many.
    """
    fields = ("id", "current_state")
    orders = (await client.page(Query("orders", fields, {"id": equals(id_order)}))).entities
    if not orders:
        single = await client.one("orders", id_order)  # of another storefront: lists do not show it (R49, R50)
        if single is None:
            raise e.NotFound(f"The shop has no order {id_order}.")
        orders = [single]
    if orders[0].damaged:
        raise e.MalformedXml(f"Order {id_order} could not be read.")
    if orders[0].integer("current_state") != id_state:
        return None
    wanted = {"id_order": equals(id_order), "id_order_state": equals(id_state)}
    rows = (await client.page(Query("order_histories", ("id",), wanted, sort="-id", limit=1))).entities
    return rows[0].id if rows else 0
