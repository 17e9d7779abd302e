"""What is told to people outside, channel by channel, and records that are left aside. Imports the base only."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import Identifier, UtcDateTime


class AlertState(StrEnum):
    """waiting until its channel takes it; moot when its incident was cured before anybody was told; folded when it
    says nothing new, because the same cause was told a short time before.
    """

    WAITING = "waiting"
    SENT = "sent"
    MOOT = "moot"
    FOLDED = "folded"


class Alert(Base):
    """One thing to tell through one channel: an incident opened, still open, or cured. The outbox."""

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("channel", "incident_id", "kind", "number"),
        Index("ix_alert_channel_state", "channel", "state", "id"),
        Index("ix_alert_incident_id", "incident_id"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    channel: Mapped[str] = mapped_column(String(10))
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(8))
    """opened, reminder or cured."""
    number: Mapped[int] = mapped_column(default=0)
    """Which reminder it is, from 1; 0 for the others. With the key above, two daemons cannot tell a thing twice."""
    state: Mapped[str] = mapped_column(String(8), default=AlertState.WAITING)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    message: Mapped[int | None]
    """The first alert of the message it left with: those of one digest share it."""


class AlertChannel(Base):
    """How a channel stands. Whoever claims the row (by token, for a time) sends all that waits, in one message."""

    __tablename__ = "alert_channel"

    name: Mapped[str] = mapped_column(String(10), primary_key=True)
    token: Mapped[int] = mapped_column(default=0)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    """The next message leaves then at the earliest: a minute after the last one, or after a failure's wait."""
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str] = mapped_column(Text, default="")
    last_sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ParkedRecord(Base):
    """A record that failed, in the same way each time; from the third time it is parked and feeds leave it aside."""

    __tablename__ = "parked_record"
    __table_args__ = (UniqueConstraint("shop_id", "kind", "record"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(12))
    """order, product or listing."""
    record: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(120), default="")
    """What a person calls it."""
    cause: Mapped[str] = mapped_column(String(300))
    failures: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    parked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_by: Mapped[str] = mapped_column(String(80), default="")
