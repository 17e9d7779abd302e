"""Alerts: how each channel stands, what was told, and a test that says plainly what happened. Imports the runner."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from prestaconsole.alerts.channels import Send, channels
from prestaconsole.alerts.message import Item, Message
from prestaconsole.alerts.webhook import AlertNotSent
from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.model import Alert, AlertChannel, AlertState, Incident, Shop
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.redaction import redact

_HOW = "PRESTACONSOLE_ALERT_WEBHOOK_URL sets up the webhook, PRESTACONSOLE_ALERT_MAIL_TO and _SMTP_HOST the mail."


@dataclass(frozen=True)
class ChannelTest:
    """What came of a test message: ``said`` are the receiver's words, ``remedy`` is set where it did not take it."""

    channel: str
    ok: bool
    said: str
    remedy: str


@dataclass(frozen=True)
class ChannelRow:
    """A channel: set up here or not, what waits, and whether it fails. ``not_before``: the next message at earliest."""

    channel: str
    set_up: bool
    waiting: int
    last_sent_at: datetime | None
    failing_since: datetime | None
    failures: int
    not_before: datetime | None
    last_error: str


@dataclass(frozen=True)
class AlertRow:
    """One thing that was told or waits. Those with the same ``message`` left together; ``at`` is when it ended."""

    id: int
    channel: str
    kind: str
    state: str
    incident: int
    shop: str
    severity: str
    title: str
    created_at: datetime
    at: datetime | None
    message: int | None


async def test_alerts(core: Core, *, actor: str, send_by: Mapping[str, Send] | None = None) -> list[ChannelTest]:
    """Send a test message through every channel, past outbox and pace. Raises ``UsageError`` where none is set up."""
    found = channels(core.settings) if send_by is None else send_by
    if not found:
        raise UsageError("No channel for alerts is set up.", _HOW)
    now = core.clock.now()
    words = "This is a test. Alerts arrive here."
    item = Item("test", None, "", "WARN", words, f"Asked for by {actor}; nothing has happened.", 1, now)
    message = Message(int(now.timestamp()), now, socket.gethostname(), (item,))
    results = [await _try(name, send, message) for name, send in found.items()]
    after = {result.channel: result.said[:200] for result in results}
    await core.database.write(lambda c: audit(c, actor=actor, action="alert test", at=now, after=after))
    return results


async def _try(name: str, send: Send, message: Message) -> ChannelTest:
    try:
        said = await send(message)
    except AlertNotSent as error:
        return ChannelTest(name, False, redact(error.cause), redact(error.remedy))
    return ChannelTest(name, True, redact(said), "")


def list_channels(core: Core) -> list[ChannelRow]:
    """Every channel that is set up here or was used before."""
    here = channels(core.settings)

    def work(connection: Connection) -> list[ChannelRow]:
        waiting = select(Alert.channel, func.count()).where(Alert.state == AlertState.WAITING).group_by(Alert.channel)
        numbers = dict(connection.execute(waiting).all())
        known = {row.name: row for row in connection.execute(select(*AlertChannel.__table__.columns))}
        rows = []
        for name in sorted({*here, *known, *numbers}):
            row = known.get(name)
            rows.append(
                ChannelRow(
                    channel=name,
                    set_up=name in here,
                    waiting=numbers.get(name, 0),
                    last_sent_at=row.last_sent_at if row is not None else None,
                    failing_since=row.failing_since if row is not None else None,
                    failures=row.failures if row is not None else 0,
                    not_before=row.not_before if row is not None else None,
                    last_error=row.last_error if row is not None else "",
                )
            )
        return rows

    return core.database.read_now(work)


def list_alerts(core: Core, *, limit: int | None = 50) -> list[AlertRow]:
    """What was told and what waits, newest first."""

    def work(connection: Connection) -> list[AlertRow]:
        columns = (
            *(Alert.id, Alert.channel, Alert.kind, Alert.state, Alert.incident_id, Shop.name.label("shop")),
            *(Incident.severity, Incident.title, Alert.created_at, Alert.ended_at, Alert.message),
        )
        statement = select(*columns).join(Incident, Incident.id == Alert.incident_id)
        statement = statement.outerjoin(Shop, Shop.id == Incident.shop_id).order_by(Alert.id.desc()).limit(limit)
        return [
            AlertRow(
                id=row.id,
                channel=row.channel,
                kind=row.kind,
                state=row.state,
                incident=row.incident_id,
                shop=row.shop or "",
                severity=row.severity,
                title=row.title,
                created_at=row.created_at,
                at=row.ended_at,
                message=row.message,
            )
            for row in connection.execute(statement)
        ]

    return core.database.read_now(work)
