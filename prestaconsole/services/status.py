"""How the whole installation stands: daemon, shops, what is late, held or open. May import runner, feeds, model."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from prestaconsole.database import Connection
from prestaconsole.model import (
    Changeset,
    ChangesetState,
    FeedRun,
    FeedState,
    Incident,
    RunState,
    Shop,
    ShopMode,
)
from prestaconsole.operations.core import Core
from prestaconsole.operations.lives import Life, read_life, restored_words
from prestaconsole.operations.pace import PaceRecord, read_paces
from prestaconsole.operations.shops import ShopRecord, all_shops
from prestaconsole.runner.catchup import LastCatchUp, last_catch_up
from prestaconsole.runner.freshness import late_feeds
from prestaconsole.runner.moments import moment_of
from prestaconsole.runner.records import fresh_runners
from prestaconsole.runner.standing import HUNG_AFTER, last_daemon
from prestaconsole.services.pauses import Paused, read_pause

QUEUE_LIMIT = timedelta(minutes=5)


@dataclass(frozen=True)
class DaemonStatus:
    """``state`` is ok, stale (it was here and is silent), stuck (it reports and does nothing) or none.

    ``age_seconds`` counts from ``last_good_at``, when it was last at work. ``console``: the host of a console that
    does the work meanwhile, else empty.
    """

    state: str
    host: str
    pid: int | None
    heartbeat: datetime | None
    age_seconds: float | None
    last_good_at: datetime | None = None
    console: str = ""


@dataclass(frozen=True)
class LateFeed:
    """Something that should have happened: a scheduled feed, or a run that nobody takes from the queue."""

    shop: str
    feed: str
    last_ok_at: datetime | None
    limit_minutes: int
    text: str


@dataclass(frozen=True)
class ShopStatus:
    """One shop in a line. ``need`` is STOP, ACT, LATE, PAUSE or OK; ``orders_at``: the last good import_orders.

    ``breaker`` is closed, open (the shop failed several times and is left in peace) or half-open (a trial is due).
    """

    shop: str
    code: str
    mode: str
    need: str
    health: str
    paused: bool
    orders_at: datetime | None
    held_plans: int
    incidents: int
    breaker: str
    text: str


@dataclass(frozen=True)
class Status:
    """The installation at one moment; ``ok`` is False when something is late or the daemon died or hangs."""

    at: datetime
    ok: bool
    daemon: DaemonStatus
    shops: tuple[ShopStatus, ...]
    late: tuple[LateFeed, ...]
    brakes: int
    incidents: int
    queued: int
    running: int
    paused: Paused
    """The pause of all shops, where there is one."""
    catch_up: LastCatchUp | None
    """What was due after a long stop, while it is being done and for an hour."""
    life: Life
    """When it was last backed up, and what it was restored from."""
    restored: str
    """What a banner says while shops are frozen by a restore; '' otherwise."""


def status(core: Core) -> Status:
    """Read how everything stands. Asks no shop."""

    def work(connection: Connection) -> Status:
        now = moment_of(core.clock)(connection)
        shops = all_shops(connection)
        late = _late(connection, shops, now)
        daemon = daemon_status(connection, now, core.settings.stale_seconds)
        held = _held_plans(connection)
        incidents = _incidents(connection)
        states = select(FeedRun.state, func.count()).where(FeedRun.state.in_([RunState.QUEUED, RunState.RUNNING]))
        active = dict(connection.execute(states.group_by(FeedRun.state)).all())
        return Status(
            at=now,
            ok=not late and daemon.state in {"ok", "none"},
            daemon=daemon,
            shops=_shops(connection, shops, late, held, incidents, read_paces(connection, now)),
            late=tuple(late),
            brakes=sum(held.values()),
            incidents=sum(len(severities) for severities in incidents.values()),
            queued=active.get(RunState.QUEUED, 0),
            running=active.get(RunState.RUNNING, 0),
            paused=read_pause(connection),
            catch_up=last_catch_up(connection, now),
            life=read_life(connection),
            restored=restored_words(connection),
        )

    return core.database.read_now(work)


def daemon_status(connection: Connection, now: datetime, stale_seconds: float) -> DaemonStatus:
    """How the daemon stands, by its last sign of life, and which console does the work where none is alive."""
    seen = last_daemon(connection)
    alive = seen is not None and seen.alive(now, timedelta(seconds=stale_seconds))
    consoles = [] if alive else fresh_runners(connection, now, stale_seconds, kind="console")
    works = consoles[0].host if consoles else ""
    if seen is None:
        return DaemonStatus("none", "", None, None, None, None, works)
    state = "ok" if alive else "stuck" if seen.stuck and now - seen.heartbeat <= HUNG_AFTER else "stale"
    age = round(max((now - seen.last_good_at).total_seconds(), 0.0), 1)
    return DaemonStatus(state, seen.host, seen.pid, seen.heartbeat, age, seen.last_good_at, works)


def _late(connection: Connection, shops: list[ShopRecord], now: datetime) -> list[LateFeed]:
    late = [
        LateFeed(one.shop.name, one.feed, one.last_ok_at, one.limit_minutes, one.words)
        for one in late_feeds(connection, shops, now)
    ]
    return late + _left_in_queue(connection, shops, now)


def _left_in_queue(connection: Connection, shops: list[ShopRecord], now: datetime) -> list[LateFeed]:
    """Runs that are due for some time and that nobody takes: no daemon, or one that is stuck.

    Those of paused shops wait, and so do those of a shop in which others are at work.
    """
    at_work = select(FeedRun.shop_id).where(FeedRun.state == RunState.RUNNING, FeedRun.lease_until > now)
    busy = set(connection.execute(at_work).scalars())
    names = {shop.id: shop.name for shop in shops if not shop.paused and shop.id not in busy}
    rows = connection.execute(
        select(FeedRun.id, FeedRun.shop_id, FeedRun.feed, FeedRun.due)
        .where(FeedRun.state == RunState.QUEUED, FeedRun.due < now - QUEUE_LIMIT)
        .order_by(FeedRun.due)
    )
    minutes = int(QUEUE_LIMIT.total_seconds() // 60)
    return [
        LateFeed(
            names[row.shop_id],
            row.feed,
            None,
            minutes,
            f"run {row.id} of {row.feed} waits in the queue since {row.due:%Y-%m-%d %H:%M} UTC: nobody takes it",
        )
        for row in rows
        if row.shop_id in names
    ]


def _held_plans(connection: Connection) -> dict[int, int]:
    statement = select(Changeset.shop_id, func.count()).where(Changeset.state == ChangesetState.HELD)
    return dict(connection.execute(statement.group_by(Changeset.shop_id)).all())


def _incidents(connection: Connection) -> dict[int | None, list[tuple[str, str]]]:
    """Severity and title of the open incidents by shop, the gravest first."""
    rows = connection.execute(
        select(Incident.shop_id, Incident.severity, Incident.title)
        .where(Incident.closed_at.is_(None))
        .order_by(Incident.opened_at)
    )
    found: dict[int | None, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row.shop_id, []).append((row.severity, row.title))
    for severities in found.values():
        severities.sort(key=lambda one: _GRAVE.get(one[0], 9))
    return found


_GRAVE = {"STOP": 0, "ACT": 1, "LATE": 2, "WARN": 3}


def _shops(
    connection: Connection,
    shops: list[ShopRecord],
    late: list[LateFeed],
    held: dict[int, int],
    incidents: dict[int | None, list[tuple[str, str]]],
    paces: dict[int, PaceRecord],
) -> tuple[ShopStatus, ...]:
    health = dict(connection.execute(select(Shop.id, Shop.health)).all())
    orders = dict(
        connection.execute(
            select(FeedState.shop_id, FeedState.last_ok_at).where(FeedState.feed == "import_orders")
        ).all()
    )
    lines = []
    for shop in shops:
        mine = [one.text for one in late if one.shop == shop.name]
        pace = paces.get(shop.id)
        need, text = _need(shop, health[shop.id], mine, held.get(shop.id, 0), incidents.get(shop.id, []), pace)
        lines.append(
            ShopStatus(
                shop=shop.name,
                code=shop.code,
                mode=shop.mode,
                need=need,
                health=health[shop.id],
                paused=shop.paused,
                orders_at=orders.get(shop.id),
                held_plans=held.get(shop.id, 0),
                incidents=len(incidents.get(shop.id, [])),
                breaker=pace.breaker if pace is not None else "closed",
                text=text,
            )
        )
    return tuple(sorted(lines, key=lambda line: (_NEEDS.index(line.need), line.shop)))


_NEEDS = ("STOP", "ACT", "LATE", "PAUSE", "OK")


def _need(
    shop: ShopRecord,
    health: str,
    late: list[str],
    held: int,
    incidents: list[tuple[str, str]],
    pace: PaceRecord | None,
) -> tuple[str, str]:
    """What comes first in a shop (SCREENS §5.1)."""
    if incidents and incidents[0][0] == "STOP":
        return "STOP", incidents[0][1]
    if held:
        return "STOP", f"{held} plan{'s' if held > 1 else ''} held: `changeset list --shop {shop.code} --state held`"
    if pace is not None and pace.down and not shop.paused and shop.mode is not ShopMode.DRAFT:
        return "STOP", pace.words
    if health == "DOWN" and shop.mode is not ShopMode.DRAFT:
        return "STOP", "the shop did not answer last time"
    if incidents and incidents[0][0] != "LATE":
        return "ACT", incidents[0][1]
    if late:
        return "LATE", late[0]
    if shop.paused:
        until = f" until {shop.paused_until:%Y-%m-%d %H:%M} UTC" if shop.paused_until else ""
        return "PAUSE", f"paused{until} by {shop.paused_by}: {shop.pause_reason}"
    return "OK", "no connection yet" if shop.mode is ShopMode.DRAFT else ""
