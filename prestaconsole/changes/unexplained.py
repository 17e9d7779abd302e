"""Units that a shop shows less than its orders explain: carried as holds by the push, decided by a person if they stay.

Imports operations.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from prestaconsole.changes.foreign import Foreign, forget_settled, note_foreign
from prestaconsole.database import Connection
from prestaconsole.model import ForeignWrite, HoldState, Listing, StockHold
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.operations.shops import ShopRecord

CAUSE = "unexplained units"
PATIENCE = timedelta(hours=1)
"""An order that is still being written, or not yet visible, comes well within this time."""


def report_unexplained(connection: Connection, shop: ShopRecord, now: datetime) -> int:
    """Open, or close, the incident about units that no order has explained for an hour; gives how many holds."""
    forget_settled(connection, shop.id, now)
    rows = _old_holds(connection, shop.id, now)
    _note(connection, shop.id, rows, now)
    kept = select(ForeignWrite.hold_id).where(ForeignWrite.shop_id == shop.id, ForeignWrite.decision == "keep")
    decided = set(connection.execute(kept).scalars())
    rows = [row for row in rows if row.id not in decided]
    if not rows:
        close_incident(connection, shop_id=shop.id, cause_key=CAUSE, by="push", at=now)
        return 0
    words = [f"{row.sku or row.name or 'a listing'}: {row.quantity}" for row in rows]
    open_incident(
        connection,
        shop_id=shop.id,
        cause_key=CAUSE,
        title=f"{shop.name} shows less than its orders explain: {'; '.join(words[:10])}",
        remedy=(
            "Somebody may have lowered these numbers in the shop, or sold them past the orders. Until it is decided, "
            "the units are held back everywhere: `prestaconsole foreign list` shows them, adopt says that they are "
            "gone, overwrite that they are not."
        ),
        evidence="\n".join(words),
        at=now,
        count=len(rows),
    )
    return len(rows)


def _old_holds(connection: Connection, shop_id: int, now: datetime) -> list[Row[Any]]:
    columns = (Listing.sku, Listing.name, Listing.quantity.label("shows"))
    found: Any = connection.execute(
        select(StockHold.id, StockHold.quantity, Listing.id.label("listing_id"), *columns)
        .outerjoin(
            Listing,
            (Listing.shop_id == StockHold.shop_id)
            & (Listing.id_product == StockHold.id_product)
            & (Listing.id_product_attribute == StockHold.id_product_attribute),
        )
        .where(
            StockHold.shop_id == shop_id,
            StockHold.kind == "unexplained",
            StockHold.state == HoldState.OPEN,
            StockHold.opened_at <= now - PATIENCE,
        )
        .order_by(StockHold.id)
    ).all()
    return list(found)


def _note(connection: Connection, shop_id: int, rows: Sequence[Row[Any]], now: datetime) -> None:
    noted = set(
        connection.execute(
            select(ForeignWrite.hold_id).where(ForeignWrite.hold_id.in_([row.id for row in rows]))
        ).scalars()
    )
    met = [
        Foreign(
            row.listing_id,
            low=(row.shows or 0) + row.quantity,
            high=(row.shows or 0) + row.quantity,
            shows=row.shows or 0,
            ours=(row.shows or 0) + row.quantity,
            hold_id=row.id,
        )
        for row in rows
        if row.id not in noted and row.listing_id is not None
    ]
    note_foreign(connection, shop_id, met, seen_by="push", at=now)
