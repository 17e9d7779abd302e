"""Incidents, the audit trail, and room for people and roles. Imports the base only."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import Identifier, Json, UtcDateTime


class Incident(Base):
    """One cause in one shop that needs a person, however often it happened (FEATURES idea 8)."""

    __tablename__ = "incident"
    __table_args__ = (
        Index("ix_incident_open", "closed_at", "shop_id"),
        Index("ix_incident_shop_id_cause_key", "shop_id", "cause_key"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    open_key: Mapped[str | None] = mapped_column(String(160), unique=True)
    """shop:cause while open, NULL when closed: a second open incident of one cause cannot exist."""
    cause_key: Mapped[str] = mapped_column(String(120))
    severity: Mapped[str] = mapped_column(String(6), default="ACT")
    title: Mapped[str] = mapped_column(String(300))
    remedy: Mapped[str] = mapped_column(Text, default="")
    evidence: Mapped[str] = mapped_column(Text, default="")
    count: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    owner: Mapped[str] = mapped_column(String(80), default="")
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str] = mapped_column(String(80), default="")
    run_id: Mapped[int | None]
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """What the cause needs to know again: ``{"feeds": {"import_orders": "timeout"}}`` says which feeds met it."""


class AuditEvent(Base):
    """Who did what to which record, with before and after; written in the action's own transaction."""

    __tablename__ = "audit_event"
    __table_args__ = (Index("ix_audit_event_shop_id_id", "shop_id", "id"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(60))
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shop.id", ondelete="SET NULL"))
    record: Mapped[str] = mapped_column(String(120), default="")
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(Json)
    reason: Mapped[str] = mapped_column(String(300), default="")


class Waiver(Base):
    """A point of the go-live check-list that a person waived, with the reason that is shown ever after."""

    __tablename__ = "waiver"
    __table_args__ = (UniqueConstraint("shop_id", "check"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    check: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(300))
    actor: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Person(Base):
    """Somebody who acts. Until roles come, whoever can open the database holds every right (DESIGN §5)."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    login: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    email: Mapped[str] = mapped_column(String(200), default="")
    role: Mapped[str] = mapped_column(String(20), default="admin")
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
