"""The audit trail: who did what, with before and after, in the action's own transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from prestaconsole.database import Connection
from prestaconsole.model import AuditEvent
from prestaconsole.redaction import redact


def audit(
    connection: Connection,
    *,
    actor: str,
    action: str,
    at: datetime,
    shop_id: int | None = None,
    record: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Write one event. ``action`` is a noun and a verb (``shop pause``), ``record`` names what was touched."""
    connection.execute(
        insert(AuditEvent).values(
            at=at,
            actor=actor,
            action=action,
            shop_id=shop_id,
            record=record,
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
            reason=redact(reason),
        )
    )
