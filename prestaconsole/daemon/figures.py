"""What /metrics reads of the database: one snapshot, few statements, none that grows with history. Imports runner."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import case, func, or_, select

from prestaconsole.database import Connection
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import (
    Change,
    ChangeKind,
    Changeset,
    ChangesetState,
    ChangeState,
    FeedRun,
    FeedSchedule,
    FeedState,
    Incident,
    Installation,
    Runner,
    RunState,
    Shop,
)
from prestaconsole.operations.pauses import shop_paused
from prestaconsole.operations.shops import ShopRecord, all_shops
from prestaconsole.runner.freshness import late_feeds, limit_minutes
from prestaconsole.runner.records import ACTIVE

OTHER = "other"
"""Stands for a feed that this program does not know, so that a row cannot invent a label."""
_OVERLAP = 500
_RECENT = 86_400.0
_MOVING = (ChangesetState.PLANNED, ChangesetState.HELD, ChangesetState.APPROVED, ChangesetState.APPLYING)
_WAITING = (ChangesetState.PLANNED, ChangesetState.HELD, ChangesetState.APPROVED)
_SENDING = (ChangesetState.APPROVED, ChangesetState.APPLYING)
_RESULTS = {ChangeState.CONFIRMED: "confirmed", ChangeState.FAILED: "failed"}


@dataclass(frozen=True)
class FeedAge:
    """A feed of a shop: seconds since it last ended well, its limit where one holds now, and whether it is late."""

    shop: str
    feed: str
    age: float
    limit: float | None
    late: bool


@dataclass(frozen=True)
class DaemonAge:
    """A process that runs feeds as a daemon: seconds since its last sign of life and its last look at the queue."""

    host: str
    heartbeat: float
    progress: float | None


@dataclass(frozen=True)
class Figures:
    """One moment of the database. ``runs`` are the active ones by (feed, state, kind of the last error)."""

    shops: tuple[ShopRecord, ...]
    feeds: tuple[FeedAge, ...]
    runs: Mapping[tuple[str, str, str], int]
    due: int
    oldest_due: float
    incidents: Mapping[str, int]
    held: Mapping[int, int]
    daemons: tuple[DaemonAge, ...]
    paused: bool
    epoch: int
    backed_up_at: datetime | None
    ended: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    written: Mapping[tuple[str, str, str], int] = field(default_factory=dict)


class Reader:
    """Reads figures again and again, and counts what ended since it first looked.

    Counting goes by ids, not by the clock: what had not ended at one look, or was made since, is looked at in the next.
    So nothing counts twice, and a clock that jumps changes nothing. Not for two threads at once.
    """

    def __init__(self) -> None:
        self._runs = _Ended()
        self._changes = _Written()

    def read(self, connection: Connection, now: datetime) -> Figures:
        """Everything at one moment, in a dozen statements."""
        shops = tuple(all_shops(connection))
        active, due, oldest = _active_runs(connection, now)
        installation = connection.execute(
            select(Installation.paused_at, Installation.epoch, Installation.backed_up_at)
        ).one_or_none()
        codes = {shop.id: shop.code for shop in shops}
        return Figures(
            shops=shops,
            feeds=tuple(_feed_ages(connection, shops, now)),
            runs=active,
            due=due,
            oldest_due=oldest,
            incidents=_count(connection, Incident.severity, Incident.closed_at.is_(None)),
            held=_count(connection, Changeset.shop_id, Changeset.state == ChangesetState.HELD),
            daemons=tuple(_daemons(connection, now)),
            paused=installation is not None and installation.paused_at is not None,
            epoch=installation.epoch if installation is not None else 1,
            backed_up_at=installation.backed_up_at if installation is not None else None,
            ended=dict(self._runs.look(connection)),
            written=dict(self._changes.look(connection, codes)),
        )


def known(feed: str) -> str:
    """The feed's name as a label."""
    return feed if feed in FEEDS else OTHER


def _count(connection: Connection, by: Any, where: Any) -> dict[Any, int]:
    return dict(connection.execute(select(by, func.count()).where(where).group_by(by)).all())


def _feed_ages(connection: Connection, shops: Sequence[ShopRecord], now: datetime) -> Iterable[FeedAge]:
    plans = {(row.shop_id, row.feed): row for row in connection.execute(select(*FeedSchedule.__table__.columns))}
    states = {
        (row.shop_id, row.feed): row
        for row in connection.execute(select(FeedState.shop_id, FeedState.feed, FeedState.last_ok_at))
    }
    late = {(one.shop.id, one.feed) for one in late_feeds(connection, shops, now)}
    for shop in shops:
        for spec in FEEDS.values():
            plan, state = plans.get((shop.id, spec.name)), states.get((shop.id, spec.name))
            since = state.last_ok_at if state is not None else None
            if since is None and plan is not None and plan.enabled:
                since = plan.updated_at
            if since is None:
                continue
            # A limit that nobody holds the feed to now (no schedule, a pause, a draft) would only raise false alarms.
            minutes = limit_minutes(shop, spec)
            watched = plan is not None and plan.enabled and minutes and not shop.paused
            limit = minutes * 60.0 if watched and shop.mode != "draft" else None
            age = max((now - since).total_seconds(), 0.0)
            yield FeedAge(shop.code, spec.name, age, limit, (shop.id, spec.name) in late)


def _active_runs(connection: Connection, now: datetime) -> tuple[dict[tuple[str, str, str], int], int, float]:
    """Active runs by feed, state and error; how many are due, and the seconds the oldest waits (paused shops apart)."""
    waits = (FeedRun.due <= now) & (FeedRun.state == RunState.QUEUED)
    open_shop = waits & ~shop_paused()
    rows = connection.execute(
        select(
            FeedRun.feed,
            FeedRun.state,
            FeedRun.error_kind,
            func.count().label("number"),
            func.sum(case((waits, 1), else_=0)).label("due"),
            func.min(case((open_shop, FeedRun.due))).label("oldest"),
        )
        .join(Shop, Shop.id == FeedRun.shop_id)
        .where(FeedRun.state.in_(ACTIVE))
        .group_by(FeedRun.feed, FeedRun.state, FeedRun.error_kind)
    ).all()
    runs: dict[tuple[str, str, str], int] = {}
    for row in rows:
        key = (known(row.feed), row.state, row.error_kind or "none")
        runs[key] = runs.get(key, 0) + row.number
    oldest = min((row.oldest for row in rows if row.oldest is not None), default=None)
    waiting = max((now - _aware(oldest)).total_seconds(), 0.0) if oldest is not None else 0.0
    return runs, sum(row.due for row in rows), waiting


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _daemons(connection: Connection, now: datetime) -> Iterable[DaemonAge]:
    """The newest daemon of each machine that was there within a day and did not end in good order."""
    rows = connection.execute(
        select(Runner.host, Runner.heartbeat, Runner.progress_at)
        .where(Runner.kind == "daemon", Runner.stopped_at.is_(None))
        .order_by(Runner.heartbeat.desc())
    )
    seen = set()
    for row in rows:
        age = max((now - row.heartbeat).total_seconds(), 0.0)
        if row.host in seen or age > _RECENT:
            continue
        seen.add(row.host)
        progress = max((now - row.progress_at).total_seconds(), 0.0) if row.progress_at is not None else None
        yield DaemonAge(row.host, age, progress)


class _Ended:
    """Runs that ended since the first look, by feed, state and kind of error."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str, str], int] = {}
        self._newest: int | None = None
        self._open: set[int] = set()
        self._counted: set[int] = set()

    def look(self, connection: Connection) -> Mapping[tuple[str, str, str], int]:
        newest = connection.execute(select(func.max(FeedRun.id))).scalar() or 0
        if self._newest is not None:
            self._count(connection, max(self._newest - _OVERLAP, 0))
        else:
            before = select(FeedRun.id).where(FeedRun.id > newest - _OVERLAP, FeedRun.state.not_in(ACTIVE))
            self._counted = set(connection.execute(before).scalars())
        self._newest = newest
        self._open = set(connection.execute(select(FeedRun.id).where(FeedRun.state.in_(ACTIVE))).scalars())
        self._counted = {run_id for run_id in self._counted if run_id > newest - _OVERLAP}
        return self._totals

    def _count(self, connection: Connection, floor: int) -> None:
        # Numbers are given before they are committed, so some below the newest may have come since.
        old = [run_id for run_id in self._open if run_id <= floor]
        wanted = [FeedRun.id > floor, *(FeedRun.id.in_(old[at : at + 900]) for at in range(0, len(old), 900))]
        rows = connection.execute(
            select(FeedRun.id, FeedRun.feed, FeedRun.state, FeedRun.error_kind).where(
                or_(*wanted), FeedRun.state.not_in(ACTIVE)
            )
        )
        for row in rows:
            if row.id not in self._counted:
                self._counted.add(row.id)
                key = (known(row.feed), row.state, row.error_kind or "none")
                self._totals[key] = self._totals.get(key, 0) + 1


class _Written:
    """Changes that a shop confirmed or that failed since the first look, by shop, kind and result."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str, str], int] = {}
        self._states: dict[int, str] | None = None
        self._newest = 0
        self._last: dict[tuple[int, int, int], int] = {}

    def look(self, connection: Connection, codes: Mapping[int, str]) -> Mapping[tuple[str, str, str], int]:
        before = self._states
        rows = connection.execute(
            select(Changeset.id, Changeset.shop_id, Changeset.state).where(
                or_(
                    Changeset.state.in_(_MOVING),
                    Changeset.id > self._newest if before is not None else Changeset.id < 0,
                    Changeset.id.in_(list(before or {})[:5_000]),
                )
            )
        ).all()
        at_work = {row.id: row.shop_id for row in rows if self._moves(row, before)}
        found: dict[tuple[int, int, int], int] = {}
        if at_work:
            counted = connection.execute(
                select(Change.changeset_id, Change.kind, Change.state, func.count())
                .where(Change.changeset_id.in_(list(at_work)), Change.state.in_(list(_RESULTS)))
                .group_by(Change.changeset_id, Change.kind, Change.state)
            )
            found = {(row[0], row[1], row[2]): row[3] for row in counted}
        for key, number in found.items():
            if before is not None:
                self._add(key, at_work, codes, number - self._last.get(key, 0))
        # What is not counted at this look stands still; it is remembered until its plan has ended.
        moving = {row.id for row in rows if row.state in _MOVING}
        self._last = {key: number for key, number in {**self._last, **found}.items() if key[0] in moving}
        self._states = {row.id: row.state for row in rows if row.state in _MOVING}
        self._newest = connection.execute(select(func.max(Changeset.id))).scalar() or 0
        return self._totals

    @staticmethod
    def _moves(row: Any, before: Mapping[int, str] | None) -> bool:
        """Whether changes of this plan may have been sent since the last look. A plan that waits is not counted."""
        if before is None:
            return bool(row.state != ChangesetState.PLANNED)
        return row.state not in _WAITING or before.get(row.id) in _SENDING

    def _add(self, key: tuple[int, int, int], shops: Mapping[int, int], codes: Mapping[int, str], more: int) -> None:
        if more <= 0:
            return
        kind = ChangeKind(key[1]).name.lower() if key[1] in set(ChangeKind) else OTHER
        label = (codes.get(shops[key[0]], OTHER), kind, _RESULTS[ChangeState(key[2])])
        self._totals[label] = self._totals.get(label, 0) + more
