"""Incidents: what needs a person, who has it, until when it sleeps. May import runner, feeds, operations, model."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select, update

from prestaconsole.database import Connection
from prestaconsole.errors import LockedError, NotFoundError, UsageError
from prestaconsole.model import FeedRun, Incident, Shop
from prestaconsole.operations import parking
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import find_shop
from prestaconsole.services.feeds import Requested, request_feed
from prestaconsole.services.typed import one_line

PARKED = "parked:"
_NAMED = 50
STATES = ("open", "snoozed", "closed", "all")


@dataclass(frozen=True)
class IncidentRow:
    """One cause in one shop; ``shop`` is empty for one that concerns them all. ``state`` is open, snoozed or closed."""

    id: int
    shop: str
    severity: str
    state: str
    title: str
    remedy: str
    evidence: str
    count: int
    opened_at: datetime
    last_at: datetime
    owner: str
    snoozed_until: datetime | None
    closed_at: datetime | None
    closed_by: str
    run: int | None


@dataclass(frozen=True)
class Retried:
    """What a retry did: the records that were freed, and the runs that were asked for."""

    incident: int
    freed: tuple[str, ...]
    runs: tuple[Requested, ...]


def list_incidents(
    core: Core, *, shop: str | None = None, state: str = "open", limit: int | None = None
) -> list[IncidentRow]:
    """Incidents by severity and age. ``state``: open (snoozed ones apart), snoozed, closed or all."""
    if state not in STATES:
        raise UsageError(f"“{state}” is no state of an incident.", f"States: {', '.join(STATES)}.")

    def work(connection: Connection) -> list[IncidentRow]:
        now = core.clock.now()
        statement = _incidents().where(*_in_state(state, now))
        if shop is not None:
            statement = statement.where(Incident.shop_id == find_shop(connection, shop).id)
        rows = [_row(row, now) for row in connection.execute(statement)]
        rows.sort(key=lambda row: (_ORDER.get(row.severity, 9), row.opened_at, row.id))
        return rows[:limit]

    return core.database.read_now(work)


_ORDER = {"STOP": 0, "ACT": 1, "LATE": 2, "WARN": 3}


def show_incident(core: Core, incident: int) -> IncidentRow:
    """One incident. Raises ``NotFoundError``."""
    return core.database.read_now(lambda connection: _find(connection, incident, core.clock.now()))


def own_incident(core: Core, incident: int, *, actor: str, give_back: bool = False) -> IncidentRow:
    """Take an incident, from another owner too; or give it back."""

    def work(connection: Connection) -> IncidentRow:
        before = _open(connection, incident, core.clock.now())
        owner = "" if give_back else actor
        return _change(core, connection, before, "incident own", actor, {"owner": owner})

    return core.database.write_now(work)


def snooze_incident(core: Core, incident: int, until: datetime | None, *, actor: str) -> IncidentRow:
    """Leave an incident until a moment ahead; None wakes it."""

    def work(connection: Connection) -> IncidentRow:
        now = core.clock.now()
        if until is not None and until <= now:
            raise UsageError("The incident would wake in the past.", "Give a moment ahead.")
        return _change(
            core, connection, _open(connection, incident, now), "incident snooze", actor, {"snoozed_until": until}
        )

    return core.database.write_now(work)


def close_incident(core: Core, incident: int, *, reason: str, actor: str) -> IncidentRow:
    """Close an incident by hand, with a reason. It opens anew when its cause comes again."""
    reason = one_line("reason", reason, 200, needed=True)

    def work(connection: Connection) -> IncidentRow:
        now = core.clock.now()
        values = {"closed_at": now, "closed_by": actor, "open_key": None}
        return _change(core, connection, _open(connection, incident, now), "incident close", actor, values, reason)

    return core.database.write_now(work)


def retry_incident(core: Core, incident: int, *, actor: str) -> Retried:
    """Run the feeds that met this incident again, through the gate; parked records are freed first.

    Raises ``UsageError`` where no feed stands behind it, ``LockedError`` where none of them may run now.
    """

    def free(connection: Connection) -> tuple[IncidentRow, list[str], list[str]]:
        now = core.clock.now()
        found = _open(connection, incident, now)
        row = connection.execute(
            select(Incident.shop_id, Incident.cause_key, Incident.detail, FeedRun.feed)
            .outerjoin(FeedRun, FeedRun.id == Incident.run_id)
            .where(Incident.id == incident)
        ).one()
        feeds = list((row.detail or {}).get("feeds", {})) or [feed for feed in [row.feed] if feed]
        if not feeds:
            raise UsageError(
                f"No run stands behind incident {incident}.", found.remedy or "Its remedy says what helps."
            )
        freed: list[str] = []
        kind = row.cause_key.removeprefix(PARKED)
        if row.cause_key.startswith(PARKED):
            freed = parking.release(connection, row.shop_id, kind, by=actor, at=now)
        audit(
            connection,
            actor=actor,
            action="incident retry",
            at=now,
            shop_id=row.shop_id,
            record=f"incident {incident}",
            after={"feeds": feeds, "freed": freed[:_NAMED]},
        )
        return found, feeds, freed

    found, feeds, freed = core.database.write_now(free)
    params = {"ids": [int(one) for one in freed]} if freed and feeds == [parking.feed_of("order")] else None
    runs: list[Requested] = []
    refused: LockedError | None = None
    for feed in feeds:
        try:
            runs.append(request_feed(core, found.shop, feed, actor=actor, params=params))
        except LockedError as error:
            refused = refused or error
    if refused is not None and not runs:
        raise refused
    return Retried(incident, tuple(freed), tuple(runs))


# -- statements ----------------------------------------------------------------------------------------------


def _incidents() -> Select[Any]:
    return select(*Incident.__table__.columns, Shop.name.label("shop_name")).outerjoin(
        Shop, Shop.id == Incident.shop_id
    )


def _in_state(state: str, now: datetime) -> list[ColumnElement[bool]]:
    asleep = Incident.snoozed_until.is_not(None) & (Incident.snoozed_until > now)
    if state == "closed":
        return [Incident.closed_at.is_not(None)]
    if state == "snoozed":
        return [Incident.closed_at.is_(None), asleep]
    return [] if state == "all" else [Incident.closed_at.is_(None), ~asleep]


def _row(row: Any, now: datetime) -> IncidentRow:
    asleep = row.snoozed_until is not None and row.snoozed_until > now
    return IncidentRow(
        id=row.id,
        shop=row.shop_name or "",
        severity=row.severity,
        state="closed" if row.closed_at else "snoozed" if asleep else "open",
        title=row.title,
        remedy=row.remedy,
        evidence=row.evidence,
        count=row.count,
        opened_at=row.opened_at,
        last_at=row.last_at,
        owner=row.owner,
        snoozed_until=row.snoozed_until,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        run=row.run_id,
    )


def _find(connection: Connection, incident: int, now: datetime) -> IncidentRow:
    row = connection.execute(_incidents().where(Incident.id == incident)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no incident {incident}.", "`prestaconsole incident list` shows the open ones.")
    return _row(row, now)


def _open(connection: Connection, incident: int, now: datetime) -> IncidentRow:
    found = _find(connection, incident, now)
    if found.state == "closed":
        raise UsageError(
            f"Incident {incident} was closed by {found.closed_by or 'itself'}.",
            "It opens anew when its cause comes again.",
        )
    return found


def _change(
    core: Core,
    connection: Connection,
    before: IncidentRow,
    action: str,
    actor: str,
    values: dict[str, Any],
    reason: str = "",
) -> IncidentRow:
    now = core.clock.now()
    connection.execute(update(Incident).where(Incident.id == before.id).values(values))
    shop_id = connection.execute(select(Incident.shop_id).where(Incident.id == before.id)).scalar()
    audit(
        connection,
        actor=actor,
        action=action,
        at=now,
        shop_id=shop_id,
        record=f"incident {before.id}",
        before={"owner": before.owner},
        after={name: str(text) for name, text in values.items() if name != "open_key"},
        reason=reason,
    )
    return _find(connection, before.id, now)
