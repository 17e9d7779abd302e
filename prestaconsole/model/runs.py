"""Schedules, runs, their logs, cursors and the processes that do the work (DESIGN §4). Imports the base only."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from prestaconsole.model.base import Base
from prestaconsole.model.types import Identifier, Json, UtcDateTime


class RunState(StrEnum):
    """queued and running are active; the others are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HELD = "held"
    """Ended well, with a plan that waits for a person."""


class RunWindow(StrEnum):
    """Whether a run keeps to the window of its feed's schedule; what a person starts does not, unless asked."""

    FREE = ""
    KEEPS = "keeps"
    WAITS = "waits"
    """Queued, with the window's next opening as its due."""
    RESUMED = "resumed"
    """Goes on with what it could not finish in the window before: its schedule asks for no second turn."""


class FeedSchedule(Base):
    """When a feed of a shop runs: ``every`` in words, as an interval or a cron line, read in ``zone``.

    ``window`` is empty, or the time of day within which its runs may be at work: ``01:00-05:00``.
    """

    __tablename__ = "feed_schedule"
    __table_args__ = (
        UniqueConstraint("shop_id", "feed"),
        Index("ix_feed_schedule_due", "enabled", "next_due"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    feed: Mapped[str] = mapped_column(String(40))
    every: Mapped[str] = mapped_column(String(80), default="")
    zone: Mapped[str] = mapped_column(String(60), default="UTC")
    window: Mapped[str] = mapped_column(String(40), default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    next_due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(80))


class FeedRun(Base):
    """One execution of a feed: the row is the truth, whoever hands out the work (DESIGN §4)."""

    __tablename__ = "feed_run"
    __table_args__ = (
        Index("ix_feed_run_queue", "state", "priority", "due"),
        Index("ix_feed_run_shop_id_feed", "shop_id", "feed", "id"),
        Index("ix_feed_run_serial", "serial_key", "state"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"))
    feed: Mapped[str] = mapped_column(String(40))
    active_key: Mapped[str | None] = mapped_column(String(120), unique=True)
    serial_key: Mapped[str] = mapped_column(String(80))
    slot_key: Mapped[str | None] = mapped_column(String(40), unique=True)
    params: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    again: Mapped[bool] = mapped_column(default=False)
    priority: Mapped[int] = mapped_column(default=50)
    state: Mapped[str] = mapped_column(String(10), default=RunState.QUEUED)
    due: Mapped[datetime] = mapped_column(UtcDateTime)
    attempt: Mapped[int] = mapped_column(default=0)
    window: Mapped[str] = mapped_column(String(8), default="")
    """A ``RunWindow``: whether the run keeps to the window of its feed's schedule, and whether it waits for it."""
    owner: Mapped[int | None]
    token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checkpoint: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    phase: Mapped[str] = mapped_column(String(80), default="")
    counts: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    error_kind: Mapped[str] = mapped_column(String(40), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    remedy: Mapped[str] = mapped_column(Text, default="")
    trigger: Mapped[str] = mapped_column(String(16), default="person")
    actor: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    progress_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class FeedRunLog(Base):
    """One line of a run's log; written in the page's own transaction, without secrets or buyers' data."""

    __tablename__ = "feed_run_log"
    __table_args__ = (Index("ix_feed_run_log_run_id_seq", "run_id", "seq"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("feed_run.id", ondelete="CASCADE"))
    seq: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    level: Mapped[str] = mapped_column(String(5))
    text: Mapped[str] = mapped_column(Text)


class FeedState(Base):
    """How a feed of a shop stands: last good end, first complete end, and what is out of the ordinary."""

    __tablename__ = "feed_state"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    feed: Mapped[str] = mapped_column(String(40), primary_key=True)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The first time it read everything: what other feeds mean by "needs first"."""
    last_ok_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_run_id: Mapped[int | None]
    window_ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a run last stopped in good order at the end of its window, to go on in the next one."""
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class ShopCursor(Base):
    """How far a table of a shop was read, by id; advanced in the page's own transaction."""

    __tablename__ = "shop_cursor"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)
    moved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Runner(Base):
    """A process that runs feeds or ticks schedules: a daemon, a console or a waiting command."""

    __tablename__ = "runner"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    host: Mapped[str] = mapped_column(String(120))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    progress_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[str] = mapped_column(String(20), default="")
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
