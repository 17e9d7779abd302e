"""Stopping a shop that is no longer the one we know: nothing is read or written until a person has compared."""

from datetime import datetime

from sqlalchemy import update

from prestaconsole.database import Connection
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.model import Shop
from prestaconsole.operations.audit import audit
from prestaconsole.operations.incidents import open_incident

REASON = "identity changed"


def stop_for_identity(connection: Connection, shop_id: int, error: PrestaConsoleError, at: datetime) -> None:
    """Pause the shop without an end and open a STOP incident (DESIGN §5: restored, cloned or moved)."""
    connection.execute(
        update(Shop)
        .where(Shop.id == shop_id)
        .values(paused_at=at, paused_until=None, paused_by="PrestaConsole", pause_reason=REASON)
    )
    open_incident(
        connection,
        shop_id=shop_id,
        cause_key=REASON,
        title=f"Identity changed: {error.cause}",
        remedy=error.remedy,
        severity="STOP",
        at=at,
    )
    audit(connection, actor="PrestaConsole", action="shop pause", at=at, shop_id=shop_id, reason=REASON)
