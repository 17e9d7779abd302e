"""What a shop's stock row should show before the next write (DESIGN §6 step 3).

A listing keeps a range. A read or write of ours makes it one number; an order seen later moves it. Where the order
may have come before our last look, the moment is unsure and only one end moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, case, update

from prestaconsole.database import Connection, bulk_update, table_of
from prestaconsole.model import Listing


@dataclass(frozen=True)
class Deduction:
    """Units that an order took off a shop's row, or gave back when negative."""

    id_product: int
    id_product_attribute: int
    units: int
    id_shop: int = 0
    """The order's storefront; 0 where there is but one."""


def expected(quantity: int, at: datetime) -> dict[str, object]:
    """The columns of a listing whose figure was known for sure at a moment."""
    return {"expected_low": quantity, "expected_high": quantity, "expected_at": at}


def expect(connection: Connection, quantities: Sequence[tuple[int, int]], at: datetime) -> None:
    """``(listing id, quantity)`` as just read or written; ``at`` is when the answer had arrived."""
    rows = [{"id": listing, **expected(quantity, at)} for listing, quantity in quantities]
    bulk_update(connection, Listing, rows, key=["id"])


def deducted(connection: Connection, shop_id: int, deductions: Sequence[Deduction], *, since: datetime | None) -> None:
    """Orders of this shop took units off (or gave them back) at some time after ``since``, the poll before.

    Where the listing's expectation is younger than ``since`` the order may already be in it.
    """
    table = table_of(Listing)
    sure = table.c.expected_at <= bindparam("since") if since is not None else table.c.id.is_(None)
    for taking in (True, False):
        rows = [
            {
                "product": one.id_product,
                "attribute": one.id_product_attribute,
                "units": one.units,
                **({"since": since} if since is not None else {}),
            }
            for one in deductions
            if one.units and (one.units > 0) is taking
        ]
        if not rows:
            continue
        low, high = table.c.expected_low - bindparam("units"), table.c.expected_high - bindparam("units")
        changes = {
            "expected_low": low if taking else case((sure, low), else_=table.c.expected_low),
            "expected_high": case((sure, high), else_=table.c.expected_high) if taking else high,
        }
        statement = (
            update(table)
            .where(
                table.c.shop_id == shop_id,
                table.c.id_product == bindparam("product"),
                table.c.id_product_attribute == bindparam("attribute"),
                table.c.expected_low.is_not(None),
            )
            .values(**changes)
        )
        connection.execute(statement, rows)
