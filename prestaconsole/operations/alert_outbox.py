"""The outbox of alerts: what is due to be told by each channel, who may send it now, and how that went.

Each function is part of one transaction. A channel is claimed by compare-and-set, so that of several daemons one
sends; what waits leaves in one message, at most one a minute and channel. A cause that comes and goes is told ever
more seldom (alert_damping.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, delete, exists, func, or_, select, update

from prestaconsole.alerts.message import Item, Kind
from prestaconsole.database import Connection, insert_new
from prestaconsole.model import Alert, AlertChannel, AlertState, Incident, Shop
from prestaconsole.operations.alert_damping import Story, openings, stories
from prestaconsole.operations.incidents import SEVERITIES, close_incident, open_incident
from prestaconsole.redaction import redact

PACE = timedelta(seconds=60)
CLAIMED_FOR = timedelta(minutes=2)
"""Longer than any channel may take; then another daemon may send what this one never confirmed."""
TELL_OF_FAILURE_AFTER = timedelta(minutes=10)
_FIRST_WAIT, _LONGEST_WAIT = 15.0, 900.0
_KEEP = timedelta(days=90)
_LATELY = timedelta(days=7)
_ITEMS = 500
_KEY = ["channel", "incident_id", "kind", "number"]


@dataclass(frozen=True)
class Ticket:
    """The right to send: the channel, the token of the claim, the alerts that leave, and what they say."""

    channel: str
    token: int
    alerts: tuple[int, ...]
    items: tuple[Item, ...]


def due(connection: Connection, channel: str, *, severity: str, reminder: timedelta, now: datetime) -> list[Any]:
    """What must be told through this channel and is not in the outbox yet, as rows for ``plan``."""
    opened = connection.execute(_unheard(channel, severity, now)).all()
    cured = [row.incident_id for row in connection.execute(_cured(channel, now))]
    told = stories(connection, channel, [*(row.id for row in opened), *cured], now)
    rows = []
    for row in opened:
        known = told[row.id].knows(row.severity, row.opened_at)
        # What is told already counts from then, so that the reminder comes in time.
        at = told[row.id].told_at if known else None
        rows.append(_row(channel, row.id, "opened", 0, now, at=at))
    rows += _cures(channel, cured, told, now)
    if reminder:
        late = _to_remind(channel, now - reminder, now)
        rows += [_row(channel, row.incident_id, "reminder", row.told, now) for row in connection.execute(late)]
    return rows


def _cures(channel: str, incidents: Sequence[int], told: dict[int, Story], now: datetime) -> list[dict[str, Any]]:
    """The cures of causes that stayed so for long enough; of several incidents of one cause the last one is told."""
    last = {told[incident].cause: incident for incident in sorted(incidents)}
    rows = []
    for incident in incidents:
        story = told[incident]
        if last[story.cause] != incident:
            rows.append(_row(channel, incident, "cured", 0, now, at=now))
        elif story.cure_holds(now):
            rows.append(_row(channel, incident, "cured", 0, now, at=None if story.severity else now))
    return rows


def plan(connection: Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Put these into the outbox; what another daemon put there a moment ago stands once. Old entries go."""
    insert_new(connection, Alert, rows, key=_KEY)
    settled = (Alert.state != AlertState.WAITING, Alert.created_at < now - _KEEP)
    closed = exists().where(Incident.id == Alert.incident_id, Incident.closed_at.is_not(None))
    connection.execute(delete(Alert).where(*settled, closed))


def anything_waits(connection: Connection, channel: str, now: datetime) -> bool:
    """Whether a claim of this channel may find something to send now."""
    waiting = exists().where(Alert.channel == channel, Alert.state == AlertState.WAITING)
    shut = exists().where(
        AlertChannel.name == channel, or_(AlertChannel.not_before > now, AlertChannel.claimed_until > now)
    )
    return bool(connection.execute(select(and_(waiting, ~shut))).scalar())


def claim(connection: Connection, channel: str, now: datetime) -> Ticket | None:
    """Take the channel and everything that waits for it; None where another has it or nothing is left to say."""
    insert_new(connection, AlertChannel, [{"name": channel, "not_before": now, "token": 0}], key=["name"])
    free = or_(AlertChannel.claimed_until.is_(None), AlertChannel.claimed_until <= now)
    taken = connection.execute(
        update(AlertChannel)
        .where(AlertChannel.name == channel, AlertChannel.not_before <= now, free)
        .values(token=AlertChannel.token + 1, claimed_until=now + CLAIMED_FOR)
        .returning(AlertChannel.token)
    ).scalar()
    if taken is None:
        return None
    rows = connection.execute(_waiting(channel, now)).all()
    moot = [row.id for row in rows if row.kind != "cured" and (row.closed_at is not None or _asleep(row, now))]
    if moot:
        _end(connection, moot, AlertState.MOOT, now)
    rows = [row for row in rows if row.id not in set(moot)]
    if not rows:
        _let_go(connection, channel, taken)
        return None
    return Ticket(channel, taken, tuple(row.id for row in rows), tuple(_item(row) for row in rows))


def sent(connection: Connection, ticket: Ticket, now: datetime) -> bool:
    """The message left: its alerts are told, the next may leave in a minute. False where the claim was lost."""
    values = {"failures": 0, "failing_since": None, "last_error": "", "last_sent_at": now}
    if not _let_go(connection, ticket.channel, ticket.token, not_before=now + PACE, **values):
        return False
    _end(connection, ticket.alerts, AlertState.SENT, now, message=min(ticket.alerts))
    close_incident(connection, shop_id=None, cause_key=f"alerts:{ticket.channel}", by="cured", at=now)
    return True


def failed(connection: Connection, ticket: Ticket, cause: str, remedy: str, wait: float | None, now: datetime) -> bool:
    """The receiver took nothing: all of it waits, longer each time. After ten minutes that is an incident itself."""
    found = connection.execute(
        select(AlertChannel.failures, AlertChannel.failing_since).where(AlertChannel.name == ticket.channel)
    ).one()
    since = found.failing_since or now
    pause = max(min(_FIRST_WAIT * 2.0**found.failures, _LONGEST_WAIT), wait or 0.0)
    values = {"failures": found.failures + 1, "failing_since": since, "last_error": redact(cause)}
    if not _let_go(connection, ticket.channel, ticket.token, not_before=now + timedelta(seconds=pause), **values):
        return False
    if now - since >= TELL_OF_FAILURE_AFTER:
        open_incident(
            connection,
            shop_id=None,
            cause_key=f"alerts:{ticket.channel}",
            title=f"Alerts do not get out by {ticket.channel} since {since:%Y-%m-%d %H:%M} UTC: {cause}",
            remedy=f"{remedy} `prestaconsole alert test` tries it at once.",
            at=now,
        )
    return True


# -- statements ------------------------------------------------------------------------------------------------


def _row(
    channel: str, incident: int, kind: Kind, number: int, now: datetime, *, at: datetime | None = None
) -> dict[str, Any]:
    """A row that waits; with ``at`` one that needs no telling, since an earlier message of that moment said it."""
    return {
        "channel": channel,
        "incident_id": incident,
        "kind": kind,
        "number": number,
        "state": AlertState.WAITING if at is None else AlertState.FOLDED,
        "created_at": now if at is None else at,
        "ended_at": at,
    }


def _told(channel: str, *kinds: str) -> ColumnElement[bool]:
    return exists().where(Alert.incident_id == Incident.id, Alert.channel == channel, Alert.kind.in_(kinds))


def _awake(now: datetime) -> ColumnElement[bool]:
    return or_(Incident.snoozed_until.is_(None), Incident.snoozed_until <= now)


def _unheard(channel: str, severity: str, now: datetime) -> Any:
    grave = SEVERITIES[: SEVERITIES.index(severity) + 1]
    return (
        select(Incident.id, Incident.severity, Incident.opened_at)
        .where(Incident.closed_at.is_(None), Incident.severity.in_(grave), _awake(now), ~_told(channel, "opened"))
        .where(Incident.cause_key != f"alerts:{channel}")
        .order_by(Incident.id)
        .limit(_ITEMS)
    )


def _cured(channel: str, now: datetime) -> Any:
    """Incidents closed of late of which somebody knows; the newest first, since a cure may have to hold for long."""
    known = Alert.state.in_((AlertState.SENT, AlertState.FOLDED))
    told = exists().where(Alert.incident_id == Incident.id, Alert.channel == channel, Alert.kind == "opened", known)
    statement = select(Incident.id.label("incident_id")).where(Incident.closed_at > now - _LATELY, told)
    return statement.where(~_told(channel, "cured")).order_by(Incident.id.desc()).limit(_ITEMS)


def _to_remind(channel: str, before: datetime, now: datetime) -> Any:
    """Open incidents last told before a moment, and how often that was."""
    return (
        select(Alert.incident_id, func.count().label("told"))
        .join(Incident, Incident.id == Alert.incident_id)
        .where(Alert.channel == channel, Incident.closed_at.is_(None), _awake(now))
        .group_by(Alert.incident_id)
        .having(
            func.max(func.coalesce(Alert.ended_at, Alert.created_at)) <= before,
            func.sum(case((Alert.state == AlertState.WAITING, 1), else_=0)) == 0,
        )
        .order_by(Alert.incident_id)
        .limit(_ITEMS)
    )


def _waiting(channel: str, now: datetime) -> Any:
    columns = (
        *(Alert.id, Alert.kind, Alert.incident_id),
        *(
            Incident.severity,
            Incident.title,
            Incident.remedy,
            Incident.count.label("times"),
            Incident.opened_at,
            Incident.owner,
        ),
        *(Incident.closed_at, Incident.closed_by, Incident.snoozed_until, Shop.name.label("shop")),
        openings(now).label("openings"),
    )
    return (
        select(*columns)
        .join(Incident, Incident.id == Alert.incident_id)
        .outerjoin(Shop, Shop.id == Incident.shop_id)
        .where(Alert.channel == channel, Alert.state == AlertState.WAITING)
        .order_by(Alert.id)
        .limit(_ITEMS)
    )


def _asleep(row: Row[Any], now: datetime) -> bool:
    return bool(row.kind == "reminder" and row.snoozed_until is not None and row.snoozed_until > now)


def _item(row: Row[Any]) -> Item:
    return Item(
        kind=row.kind,
        incident=row.incident_id,
        shop=row.shop or "",
        severity=row.severity,
        title=row.title,
        remedy=row.remedy,
        count=row.times,
        opened_at=row.opened_at,
        owner=row.owner,
        closed_by=row.closed_by,
        closed_at=row.closed_at,
        openings=row.openings,
    )


def _end(
    connection: Connection, alerts: Iterable[int], state: AlertState, now: datetime, message: int | None = None
) -> None:
    values = {"state": state, "ended_at": now, "message": message}
    connection.execute(
        update(Alert).where(Alert.id.in_(list(alerts)), Alert.state == AlertState.WAITING).values(values)
    )


def _let_go(connection: Connection, channel: str, token: int, **values: Any) -> bool:
    """End a claim, if it is still ours."""
    mine = update(AlertChannel).where(AlertChannel.name == channel, AlertChannel.token == token)
    return connection.execute(mine.values(claimed_until=None, **values)).rowcount > 0
