"""Incidents: one open row for each cause in each shop, however often it happens (FEATURES idea 8)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from prestaconsole.database import Connection, table_of
from prestaconsole.model import Incident
from prestaconsole.redaction import redact

EVIDENCE_LIMIT = 2_000
SEVERITIES = ("STOP", "ACT", "LATE", "WARN")
"""The gravest first (SCREENS §2)."""


def open_incident(
    connection: Connection,
    *,
    shop_id: int | None,
    cause_key: str,
    title: str,
    remedy: str,
    at: datetime,
    severity: str = "ACT",
    evidence: str = "",
    run_id: int | None = None,
    count: int = 1,
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Open the incident of this cause, or count it up where it is open already; gives its id.

    ``severity`` is one of ``SEVERITIES``. Texts leave without secrets; without new evidence the old one stays.
    ``count`` 0 brings the words up to date and counts nothing. Two processes that open the same cause at once open one.
    """
    values: dict[str, Any] = {
        "title": redact(title)[:300],
        "remedy": redact(remedy),
        "severity": severity,
        "last_at": at,
        "run_id": run_id,
    }
    if evidence:
        values["evidence"] = redact(evidence)[:EVIDENCE_LIMIT]
    if detail is not None:
        values["detail"] = dict(detail)
    first: dict[str, Any] = {
        "evidence": "",
        "detail": {},
        **values,
        "shop_id": shop_id,
        "open_key": open_key(shop_id, cause_key),
        "cause_key": cause_key,
        "opened_at": at,
        "count": max(count, 1),
        "owner": "",
        "closed_by": "",
    }
    table = table_of(Incident)
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = (
        make(table)
        .values(first)
        .on_conflict_do_update(index_elements=[table.c["open_key"]], set_={**values, "count": table.c["count"] + count})
        .returning(table.c["id"])
    )
    return int(connection.execute(statement).scalar_one())


def open_key(shop_id: int | None, cause_key: str) -> str:
    """What only one open incident can have."""
    return f"{shop_id or '-'}:{cause_key}"


def detail_of(connection: Connection, shop_id: int | None, cause_key: str) -> dict[str, Any] | None:
    """The detail of the open incident of this cause; None where none is open."""
    found = connection.execute(select(Incident.detail).where(Incident.open_key == open_key(shop_id, cause_key)))
    row = found.one_or_none()
    return None if row is None else dict(row.detail or {})


def close_incident(connection: Connection, *, shop_id: int | None, cause_key: str, by: str, at: datetime) -> bool:
    """Close the open incident of this cause, if there is one; says whether there was."""
    closed = connection.execute(
        update(Incident)
        .where(Incident.open_key == open_key(shop_id, cause_key))
        .values(open_key=None, closed_at=at, closed_by=by[:80])
    )
    return closed.rowcount > 0
