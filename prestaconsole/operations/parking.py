"""Records that fail again and again: parked at the third time in the same way, left aside by feeds, freed by a person.

One incident a shop and kind lists what is parked. A record that turns out well is forgotten (FEATURES idea 8).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from prestaconsole.database import Connection
from prestaconsole.model import Listing, ParkedRecord
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.redaction import redact

PARKED_AFTER = 3
_SHOWN = 10
_CHUNK = 400
_FIGURES = re.compile(r"\d+")
_WORDS = {
    "order": ("orders", "import_orders", "Mend them in the shop (opening and saving one often helps)"),
    "product": ("products", "import_products", "Mend them in the shop (opening and saving one often helps)"),
    "listing": ("listings", "export_stock", "Mend their stock rows in the shop"),
}


@dataclass(frozen=True)
class Failed:
    """How one record failed just now: what a person calls it, and the cause in words without secrets."""

    name: str
    cause: str


def note_failures(
    connection: Connection, shop_id: int, kind: str, failed: Mapping[str, Failed], *, at: datetime, run_id: int | None
) -> set[str]:
    """Count these failures; gives the records that are parked now, those that were already among them.

    ``failed`` goes by record. Another cause than last time starts the count anew, except for a parked one.
    """
    if not failed:
        return set()
    known = _rows(connection, shop_id, kind, failed)
    fresh = []
    parked = {record for record, row in known.items() if row.parked_at is not None}
    newly = set()
    for record, one in failed.items():
        cause = redact(one.cause)[:300]
        row = known.get(record)
        if row is None:
            values = {"record": record, "name": one.name[:120], "cause": cause, "first_at": at, "last_at": at}
            fresh.append({"shop_id": shop_id, "kind": kind, "failures": 1, **values})
            continue
        same = _shape(row.cause) == _shape(cause)
        failures = row.failures + 1 if same or record in parked else 1
        changed = {"failures": failures, "last_at": at, "cause": cause, "name": one.name[:120]}
        if not same and record not in parked:
            changed["first_at"] = at
        if failures >= PARKED_AFTER and record not in parked:
            newly.add(record)
            changed["parked_at"] = at
        connection.execute(update(ParkedRecord).where(ParkedRecord.id == row.id).values(changed))
    if fresh:
        connection.execute(insert(ParkedRecord), fresh)
    if newly:
        _report(connection, shop_id, kind, at, run_id, count=len(newly))
    return parked | newly


def note_good(connection: Connection, shop_id: int, kind: str, records: Iterable[str], *, at: datetime) -> None:
    """These turned out well: forget their failures; the incident closes with the last parked one."""
    known = connection.execute(
        select(ParkedRecord.record, ParkedRecord.parked_at).where(
            ParkedRecord.shop_id == shop_id, ParkedRecord.kind == kind
        )
    )
    failing = {row.record: row.parked_at for row in known}
    good = [record for record in set(records) if record in failing] if failing else []
    for start in range(0, len(good), _CHUNK):
        connection.execute(
            delete(ParkedRecord).where(
                ParkedRecord.shop_id == shop_id,
                ParkedRecord.kind == kind,
                ParkedRecord.record.in_(good[start : start + _CHUNK]),
            )
        )
    if any(failing[record] is not None for record in good):
        _report(connection, shop_id, kind, at, None, count=0)


def parked(connection: Connection, shop_id: int, kind: str) -> dict[str, ParkedRecord]:
    """What is parked in a shop, by record."""
    rows = connection.execute(
        select(*ParkedRecord.__table__.columns)
        .where(ParkedRecord.shop_id == shop_id, ParkedRecord.kind == kind, ParkedRecord.parked_at.is_not(None))
        .order_by(ParkedRecord.parked_at, ParkedRecord.id)
    )
    return {row.record: row for row in rows}  # type: ignore[misc]  # rows carry the columns of the class


def failing(connection: Connection, shop_id: int, kind: str) -> list[str]:
    """Records that failed at their last try and are not parked: to be tried again."""
    wanted = (ParkedRecord.shop_id == shop_id, ParkedRecord.kind == kind, ParkedRecord.parked_at.is_(None))
    return list(connection.execute(select(ParkedRecord.record).where(*wanted).order_by(ParkedRecord.id)).scalars())


def release(connection: Connection, shop_id: int, kind: str, *, by: str, at: datetime) -> list[str]:
    """Free everything parked of this kind: feeds try it again, the incident closes. Gives the records."""
    freed = list(parked(connection, shop_id, kind))
    close_incident(connection, shop_id=shop_id, cause_key=cause_of(kind), by=by, at=at)
    if kind == "listing":
        # A plan that left it aside took its mark off.
        marked = update(Listing).where(Listing.shop_id == shop_id, Listing.id.in_([int(one) for one in freed]))
        connection.execute(marked.values(push_mark=Listing.push_mark + 1, marked_at=at))
    connection.execute(
        update(ParkedRecord)
        .where(ParkedRecord.shop_id == shop_id, ParkedRecord.kind == kind, ParkedRecord.parked_at.is_not(None))
        .values(parked_at=None, failures=0, released_at=at, released_by=by[:80])
    )
    return freed


def feed_of(kind: str) -> str:
    """The feed that tries records of this kind."""
    return _WORDS[kind][1]


def cause_of(kind: str) -> str:
    """The cause under which the incident of this kind stands."""
    return f"parked:{kind}"


def _shape(cause: str) -> str:
    """The cause without its figures: "it still shows 5" and "it still shows 4" are the same way to fail."""
    return _FIGURES.sub("#", cause)


def _rows(connection: Connection, shop_id: int, kind: str, records: Iterable[str]) -> dict[str, ParkedRecord]:
    wanted = list(records)
    found: dict[str, ParkedRecord] = {}
    for start in range(0, len(wanted), _CHUNK):
        rows = connection.execute(
            select(*ParkedRecord.__table__.columns).where(
                ParkedRecord.shop_id == shop_id,
                ParkedRecord.kind == kind,
                ParkedRecord.record.in_(wanted[start : start + _CHUNK]),
            )
        )
        found |= {row.record: row for row in rows}
    return found


def _report(connection: Connection, shop_id: int, kind: str, at: datetime, run_id: int | None, *, count: int) -> None:
    rows = list(parked(connection, shop_id, kind).values())
    if not rows:
        close_incident(connection, shop_id=shop_id, cause_key=cause_of(kind), by="cured", at=at)
        return
    many, feed, mend = _WORDS[kind]
    names = ", ".join(row.name for row in rows[:_SHOWN]) + (f" and {len(rows) - _SHOWN} more" if rows[_SHOWN:] else "")
    what = many if len(rows) > 1 else many.removesuffix("s")
    open_incident(
        connection,
        shop_id=shop_id,
        cause_key=cause_of(kind),
        title=f"{len(rows)} {what} parked after failing {PARKED_AFTER} times in the same way: {names}",
        remedy=f"{mend}; `prestaconsole incident retry` of this incident frees them and runs {feed}.",
        evidence="\n".join(
            f"{row.name}: {row.cause} ({row.failures} times since {row.first_at:%Y-%m-%d %H:%M} UTC)" for row in rows
        ),
        at=at,
        run_id=run_id,
        count=count,
        detail={"feeds": {feed: "parked"}, "parked": len(rows)},
    )
