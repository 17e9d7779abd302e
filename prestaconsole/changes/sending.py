"""The one door to the shop for writes: a body leaves only with the gate's permit. Alone imports the writer."""

from collections.abc import Mapping, Sequence

from prestaconsole.changes.gate import Permit
from prestaconsole.clock import Clock
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.errors import NotSent, TooLate
from prestaconsole.webservice.writer import ShopWriter, WriteAnswer

STOCK, STOCK_NODE = "stock_availables", "stock_available"


class PermitExpired(PrestaConsoleError):
    """The request did not begin in time; nothing was sent."""


async def put_stock_rows(
    permit: Permit, client: ShopClient, clock: Clock, rows: Sequence[Mapping[str, str]], *, id_shop: int | None
) -> WriteAnswer:
    """Replace whole stock rows in one body (FINDINGS F40), in the context of a storefront that owns them (R56).

    Raises ``Refused``, ``NotSent`` or ``UnknownOutcome`` of the webservice room, and ``PermitExpired`` when the
    process slept between the mark and the request.
    """
    if clock.now() > permit.start_by:
        raise PermitExpired(
            "The request was not sent: its time to begin had passed.", "The rows are read and sent again."
        )
    writer = ShopWriter(client, start_by=permit.start_by)
    try:
        return await writer.put_many(STOCK, STOCK_NODE, rows, id_shop=id_shop)
    except NotSent as error:
        if error.kind == TooLate.kind:  # it waited for its turn at this shop
            raise PermitExpired(error.cause, "The rows are read and sent again.") from error
        raise
