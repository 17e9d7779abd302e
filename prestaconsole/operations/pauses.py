"""Pauses: a stop with a reason and perhaps an end, of one shop or of everything. Imports model and database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select, update

from prestaconsole.database import Connection, insert_new
from prestaconsole.model import Installation, Shop
from prestaconsole.operations.audit import audit

_NOTHING: dict[str, Any] = {"paused_at": None, "paused_until": None, "paused_by": "", "pause_reason": ""}


@dataclass(frozen=True)
class Pause:
    """Since when, to when (None: until somebody resumes), by whom and why. Moments are UTC."""

    at: datetime
    until: datetime | None
    by: str
    reason: str

    @property
    def words(self) -> str:
        """``until 2026-03-02 16:00 UTC by Anaïs: shop upgrade``."""
        until = f"until {self.until:%Y-%m-%d %H:%M} UTC " if self.until else ""
        return f"{until}by {self.by or 'somebody'}: {self.reason or 'no reason given'}"


def everything_paused() -> ColumnElement[bool]:
    """The condition that all shops are paused together."""
    return exists().where(Installation.paused_at.is_not(None))


def shop_paused() -> ColumnElement[bool]:
    """The condition that a shop of the statement is stopped: by a pause of its own or of everything."""
    return or_(Shop.paused_at.is_not(None), everything_paused())


def pause_of_everything(connection: Connection, *, hold: bool = False) -> Pause | None:
    """The pause of all shops, if there is one. ``hold`` keeps others from setting one until the transaction ends."""
    statement = select(
        Installation.paused_at, Installation.paused_until, Installation.paused_by, Installation.pause_reason
    )
    if hold:
        statement = statement.with_for_update(read=True)
    row = connection.execute(statement).one_or_none()
    if row is None or row.paused_at is None:
        return None
    return Pause(row.paused_at, row.paused_until, row.paused_by, row.pause_reason)


def pause_everything(connection: Connection, *, until: datetime | None, actor: str, reason: str, now: datetime) -> None:
    """Stop the feeds of all shops; a pause that stands is replaced. Each shop's own pause stays what it is."""
    insert_new(connection, Installation, [{"id": 1}], key=["id"])
    values = {"paused_at": now, "paused_until": until, "paused_by": actor, "pause_reason": reason}
    connection.execute(update(Installation).values(**values))
    after = {"until": until.isoformat() if until else None, "reason": reason}
    audit(connection, actor=actor, action="pause everything", at=now, after=after, reason=reason)


def resume_everything(connection: Connection, *, actor: str, now: datetime, reason: str = "") -> Pause | None:
    """End the pause of all shops; gives the one that stood, None where none did."""
    stood = pause_of_everything(connection)
    if stood is None:
        return None
    connection.execute(update(Installation).values(**_NOTHING))
    before = {"by": stood.by, "reason": stood.reason, "at": stood.at.isoformat()}
    audit(connection, actor=actor, action="resume everything", at=now, before=before, reason=reason)
    return stood


def lift_pauses(connection: Connection, now: datetime) -> None:
    """End the pauses, of shops and of everything, whose end has come."""
    pause = pause_of_everything(connection)
    if pause is not None and pause.until is not None and pause.until <= now:
        resume_everything(connection, actor="runner", now=now, reason=f"The pause had come to its end: {pause.reason}")
    ended = select(Shop.id, Shop.code, Shop.pause_reason).where(
        Shop.paused_at.is_not(None), Shop.paused_until.is_not(None), Shop.paused_until <= now
    )
    for shop in connection.execute(ended).all():
        connection.execute(update(Shop).where(Shop.id == shop.id).values(**_NOTHING))
        audit(
            connection,
            actor="runner",
            action="shop resume",
            at=now,
            shop_id=shop.id,
            record=shop.code,
            reason=f"The pause had come to its end: {shop.pause_reason}",
        )
