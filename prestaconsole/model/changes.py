"""Changesets, their batches and changes: the one way out (DESIGN §7). Imports the base only."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import Identifier, Json, UtcDateTime


class ChangesetState(StrEnum):
    """planning and applying move by themselves; planned, held and approved wait for a person or the gate."""

    PLANNING = "planning"
    PLANNED = "planned"
    HELD = "held"
    APPROVED = "approved"
    APPLYING = "applying"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"
    VOID = "void"


class ChangeState(IntEnum):
    """A change is open below ``CONFIRMED``: one open change per record and field."""

    PLANNED = 0
    HELD = 1
    APPROVED = 2
    SENT = 3
    CONFIRMED = 10
    FAILED = 11
    SKIPPED = 12
    UNDONE = 13
    REPLACED = 14


class ChangeKind(IntEnum):
    """What a change writes; its ``record`` is an id of the table in brackets."""

    STOCK = 1
    """quantity of a stock row (listing)."""


class Changeset(Base):
    """A plan and what became of it."""

    __tablename__ = "changeset"
    __table_args__ = (Index("ix_changeset_shop_id_state", "shop_id", "state"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    kind: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(String(10), default=ChangesetState.PLANNING)
    reason: Mapped[str] = mapped_column(String(200), default="")
    actor: Mapped[str] = mapped_column(String(80))
    mode: Mapped[str] = mapped_column(String(12))
    run_id: Mapped[int | None]
    rows: Mapped[int] = mapped_column(default=0)
    canary: Mapped[bool] = mapped_column(default=False)
    brake: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("changeset.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[str] = mapped_column(String(80), default="")
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_by: Mapped[str] = mapped_column(String(80), default="")
    release_reason: Mapped[str] = mapped_column(String(200), default="")
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(Text, default="")


class ChangeBatch(Base):
    """One request with its rows: marked sent before it leaves, confirmed after it was read back."""

    __tablename__ = "change_batch"
    __table_args__ = (
        Index("ix_change_batch_changeset_id", "changeset_id"),
        # The brake asks what went out in the last hour.
        Index("ix_change_batch_sent_at", "sent_at"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    changeset_id: Mapped[int] = mapped_column(ForeignKey("changeset.id", ondelete="CASCADE"))
    run_id: Mapped[int | None]
    token: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unsure_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """sent_at plus the write's time-out: whoever takes over waits until then, reads, then decides (DESIGN §3)."""
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(40), default="")


class Change(Base):
    """One value, ours → the shop's: ``before`` is what stood there, ``observed`` what was read back."""

    __tablename__ = "change"
    __table_args__ = (
        Index("ix_change_changeset_id", "changeset_id"),
        Index(
            "ix_change_open",
            "record",
            "field",
            "kind",
            unique=True,
            sqlite_where=text("state < 10"),
            postgresql_where=text("state < 10"),
        ),
        # Both cost nothing while a plan is stored: its rows enter them when they are sent.
        Index(
            "ix_change_written",
            "record",
            "kind",
            sqlite_where=text("batch_id IS NOT NULL"),
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
        Index("ix_change_sent", "batch_id", sqlite_where=text("state = 3"), postgresql_where=text("state = 3")),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    changeset_id: Mapped[int] = mapped_column(ForeignKey("changeset.id", ondelete="CASCADE"))
    batch_id: Mapped[int | None] = mapped_column(Identifier)
    kind: Mapped[int] = mapped_column(SmallInteger)
    record: Mapped[int] = mapped_column(Identifier)
    field: Mapped[int] = mapped_column(SmallInteger, default=0)
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    observed: Mapped[str | None] = mapped_column(Text)
    state: Mapped[int] = mapped_column(SmallInteger, default=ChangeState.PLANNED)
    note: Mapped[str | None] = mapped_column(Text)


class ForeignWrite(Base):
    """A stock figure in a shop that neither we nor the shop's orders explain: somebody else wrote it (row B4, N14).

    ``low`` to ``high`` is what the shop was expected to show, ``ours`` what it should have shown by our own count.
    ``decision`` is empty while nobody decided, then keep, overwrite or adopt.
    """

    __tablename__ = "foreign_write"
    __table_args__ = (
        Index("ix_foreign_write_shop_id_seen_at", "shop_id", "seen_at"),
        Index("ix_foreign_write_listing_id", "listing_id", "seen_at"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id", ondelete="CASCADE"))
    change_id: Mapped[int | None] = mapped_column(Identifier)
    """The change that it holds, where a push met it."""
    hold_id: Mapped[int | None] = mapped_column(Identifier, unique=True)
    """The hold that carries the units, where the shop shows fewer than its orders explain."""
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_by: Mapped[str] = mapped_column(String(10))
    """``push`` or ``check``."""
    low: Mapped[int]
    high: Mapped[int]
    shows: Mapped[int]
    ours: Mapped[int | None]
    decision: Mapped[str] = mapped_column(String(10), default="")
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str] = mapped_column(String(80), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
