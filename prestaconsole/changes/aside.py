"""Listings whose stock the shop refuses again and again: counted, parked, left out of plans. Imports operations."""

from datetime import datetime

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.model import Change, ChangeState, Listing, ParkedRecord
from prestaconsole.operations import parking
from prestaconsole.operations.incidents import close_incident

KIND = "listing"
NOT_TAKEN = "stock not taken"
_MOST = 200
"""More rows that fail in one plan are no trouble of single records."""


def parked_listings(connection: Connection, shop_id: int) -> set[int]:
    """Listings that no plan may hold, unless a person names them."""
    return {int(record) for record in parking.parked(connection, shop_id, KIND)}


def note_ends(connection: Connection, shop_id: int, changeset_id: int, *, run_id: int, at: datetime) -> None:
    """Count the failures of a plan that was sent, forget those of rows it confirmed. Once a plan, at its end."""
    mine = select(Change.record, Change.note, Listing.sku, Listing.name).outerjoin(Listing, Listing.id == Change.record)
    rows = connection.execute(
        mine.where(Change.changeset_id == changeset_id, Change.state == ChangeState.FAILED).limit(_MOST + 1)
    ).all()
    if len(rows) <= _MOST:
        failed = {
            str(row.record): parking.Failed(row.sku or row.name or f"listing {row.record}", row.note or "Not written.")
            for row in rows
        }
        parking.note_failures(connection, shop_id, KIND, failed, at=at, run_id=run_id)
    failing = select(ParkedRecord.record).where(ParkedRecord.shop_id == shop_id, ParkedRecord.kind == KIND)
    known = [int(record) for record in connection.execute(failing).scalars()]
    if known:
        confirmed = select(Change.record).where(
            Change.changeset_id == changeset_id, Change.state == ChangeState.CONFIRMED, Change.record.in_(known)
        )
        good = [str(record) for record in connection.execute(confirmed).scalars()]
        parking.note_good(connection, shop_id, KIND, good, at=at)
    left = connection.execute(failing.where(ParkedRecord.parked_at.is_(None)).limit(1)).first()
    if left is None and len(rows) <= _MOST:
        close_incident(connection, shop_id=shop_id, cause_key=NOT_TAKEN, by="cured", at=at)
