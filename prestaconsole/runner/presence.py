"""The rows of the processes that run feeds: signs of life, and one look at what there is to do. Imports model."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Select, bindparam, delete, exists, func, insert, or_, select, update

from prestaconsole import __version__
from prestaconsole.database import Connection
from prestaconsole.model import FeedRun, FeedSchedule, Runner, RunState, Shop
from prestaconsole.operations.pauses import lift_pauses, shop_paused
from prestaconsole.runner.claims import NOW, SLOTS, Planning, claimable, planning_feeds, renew, sweep
from prestaconsole.runner.records import daemon_alive

TICKING = ("daemon", "console")
"""The kinds of process that start what schedules ask for."""
_KEEP_DAYS = 7
_STALE = bindparam("stale", type_=Runner.heartbeat.type)


def this_host() -> str:
    """The name of this machine."""
    return socket.gethostname()[:120]


def register(connection: Connection, kind: str, now: datetime) -> int:
    """Enter this process as a runner (daemon, console or command); gives its number. Old entries go.

    The newest sign of life stays, however old it is: it says since when nobody was at work.
    """
    old = now - timedelta(days=_KEEP_DAYS)
    newest = select(func.max(Runner.heartbeat)).where(Runner.kind.in_(TICKING)).scalar_subquery()
    connection.execute(
        delete(Runner).where(Runner.heartbeat < old, or_(Runner.kind.not_in(TICKING), Runner.heartbeat < newest))
    )
    made = connection.execute(insert(Runner).values(**_entry(kind, now))).inserted_primary_key
    assert made is not None
    return int(made[0])


def last_sign_of_others(connection: Connection, owner: int) -> datetime | None:
    """When a process other than ours that starts schedules last gave a sign of life; None where there never was one."""
    others = select(func.max(Runner.heartbeat)).where(Runner.kind.in_(TICKING), Runner.id != owner)
    return connection.execute(others).scalar_one()


def unregister(connection: Connection, owner: int, now: datetime) -> None:
    """Say that this process ended in good order."""
    connection.execute(update(Runner).where(Runner.id == owner).values(stopped_at=now))


@dataclass(frozen=True)
class Beat:
    """What one heartbeat found: runs that are ours no more, and runs taken back from the dead."""

    lost: frozenset[int]
    swept: tuple[int, ...]
    daemon: bool


def beat(
    connection: Connection,
    *,
    owner: int,
    kind: str,
    held: Mapping[int, int],
    now: datetime,
    progress_at: datetime | None,
    lease_seconds: float,
    stale_seconds: float,
) -> Beat:
    """A sign of life in one transaction: our row, the leases of our runs (id → token), and then the sweep.

    Ours are renewed before anything is swept, so that a clock that jumped takes nothing from its own process.
    """
    alive = update(Runner).where(Runner.id == owner).values(heartbeat=now, progress_at=progress_at, stopped_at=None)
    if connection.execute(alive).rowcount == 0:
        connection.execute(insert(Runner).values(id=owner, **_entry(kind, now)))
    lost = renew(connection, owner, held, now, lease_seconds)
    swept = sweep(connection, now)
    lift_pauses(connection, now)
    return Beat(frozenset(lost), tuple(swept), daemon_alive(connection, now, stale_seconds))


@dataclass(frozen=True)
class Look:
    """What there is to do now, and when there will be something at the latest."""

    now: datetime
    schedules: bool
    runs: bool
    expired: bool
    daemon: bool
    next_at: datetime | None

    def seconds_left(self, longest: float) -> float:
        """Seconds until the next thing is due, at most ``longest``."""
        if self.next_at is None:
            return longest
        return min(longest, max((self.next_at - self.now).total_seconds(), 0.0) + 0.005)


def look(connection: Connection, now: datetime, *, slots: int, stale_seconds: float) -> Look:
    """One statement that tells whether a schedule is due, a run may start or a lease has ended."""
    moments = {"now": now, "slots": slots, "stale": now - timedelta(seconds=stale_seconds)}
    row = connection.execute(_look(planning_feeds()), moments).one()
    coming = [moment for moment in (row.schedule, row.due, row.lease) if moment is not None and moment > now]
    return Look(
        now=now,
        schedules=row.schedule is not None and row.schedule <= now,
        runs=bool(row.runs),
        expired=row.lease is not None and row.lease < now,
        daemon=bool(row.daemon),
        next_at=min(coming, default=None),
    )


@cache
def _look(planning: Planning) -> "Select[datetime | None, bool, datetime, datetime | None, bool]":
    running = FeedRun.state == RunState.RUNNING
    paused = exists().where(Shop.id == FeedSchedule.shop_id, shop_paused())
    fresh = exists().where(Runner.kind == "daemon", Runner.stopped_at.is_(None), Runner.heartbeat > _STALE)
    return select(
        select(func.min(FeedSchedule.next_due))
        .where(FeedSchedule.enabled, FeedSchedule.next_due.is_not(None), ~paused)
        .scalar_subquery()
        .label("schedule"),
        exists().where(claimable(NOW, SLOTS)).label("runs"),
        select(func.min(FeedRun.due))
        .where(FeedRun.state == RunState.QUEUED, FeedRun.due > NOW)
        .scalar_subquery()
        .label("due"),
        select(func.min(FeedRun.lease_until)).where(running).scalar_subquery().label("lease"),
        fresh.label("daemon"),
    )


def _entry(kind: str, now: datetime) -> dict[str, object]:
    return {
        "kind": kind,
        "host": this_host(),
        "pid": os.getpid(),
        "started_at": now,
        "heartbeat": now,
        "version": __version__[:20],
    }
