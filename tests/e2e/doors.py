"""A live shop with a plan in every state, the wire to it with a witness, and a process that works and can die."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, delete, select

from prestaconsole.database import Database
from prestaconsole.model import (
    Change,
    Changeset,
    ChangesetState,
    ChangeState,
    FeedRun,
    ForeignWrite,
    Listing,
    RunState,
    Shop,
    ShopMode,
)
from prestaconsole.operations.core import Core
from prestaconsole.operations.pace import PaceKeeper
from prestaconsole.operations.pauses import pause_of_everything
from prestaconsole.runner import events, presence, schedules
from prestaconsole.runner.claims import claim_next, sweep
from prestaconsole.runner.commit import RunCommit
from prestaconsole.runner.execution import execute
from prestaconsole.runner.moments import moment_of
from prestaconsole.sandbox import SimulatedShop
from prestaconsole.services import changesets
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from tests.changes.live import Killed, SkippingClock, Wire, _quantities, kill, make_live
from tests.support.bench import make_bench

ACTOR, CODE = "zofia", "demo"
LEASE = 15.0
TURNS = 60
"""So many turns of a process are enough for anything here; more would be a loop."""
JUMPS = 6
FOREIGN = 1_000
"""What a second writer adds: no figure of ours is ever so large."""


@dataclass(frozen=True)
class Seen:
    """One PUT, judged by the database as it passed: was the gate open, and what did it carry."""

    open: bool
    braked: tuple[int, ...]
    """Plans whose rows it carried although the brake had tripped and nobody had released them."""
    unmarked: tuple[int, ...]
    """Stock rows that no change had marked as sent with this very figure."""
    emptied: frozenset[int]
    """Stock rows it takes to zero for plans that nobody released."""


class _Notebook(httpx.AsyncBaseTransport):
    """The last stretch to the shop: what it really stored, and lies on demand."""

    def __init__(self, shop: SimulatedShop) -> None:
        self.shop = shop
        self.inner = httpx.ASGITransport(app=shop.app)
        self.stored: set[tuple[int, int]] = set()
        """(stock row, quantity) that the shop took."""
        self.lies = 0
        """So many of the next PUTs are answered with yes and not stored."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "PUT":
            assert request.method in {"GET", "HEAD"}, request.method
            return await self.inner.handle_async_request(request)
        rows = _quantities(await request.aread())
        before = self.shown(rows)
        response = await self.inner.handle_async_request(request)
        if self.lies:
            self.lies -= 1
            for row, units in before.items():
                self.shop.table("stock_availables").update(row, {"quantity": str(units)})
        now = self.shown(rows)
        # A row that showed the figure already may have been written or not: both are true.
        self.stored |= {(row, units) for row, units in rows.items() if now.get(row) == units}
        return response

    def shown(self, rows: Mapping[int, int]) -> dict[int, int]:
        """The quantities of these stock rows."""
        table = self.shop.table("stock_availables")
        return {row: int(table.value(found, "quantity")) for row in rows if (found := table.get(row)) is not None}


class Witness(Wire):
    """The wire of the push's tests; each PUT is judged before any hook may change anything."""

    def __init__(self, shop: SimulatedShop, clock: SkippingClock, database: Database) -> None:
        super().__init__(shop, clock)
        self.notebook = _Notebook(shop)
        self.inner = self.notebook  # type: ignore[assignment]  # a transport like the one it wraps
        self.database = database
        self.seen: list[Seen] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            rows = _quantities(await request.aread())
            shown = self.notebook.shown(rows)
            self.seen.append(self.database.read_now(lambda c: _judge(c, rows, shown)))
        return await super().handle_async_request(request)


def _judge(connection: Connection, rows: Mapping[int, int], shown: Mapping[int, int]) -> Seen:
    shop = connection.execute(select(Shop.mode, Shop.paused_at)).one()
    gate = shop.mode == ShopMode.LIVE and shop.paused_at is None and pause_of_everything(connection) is None
    marked = connection.execute(
        select(Listing.id_stock_available, Change.after, Changeset.id, Changeset.brake, Changeset.released_at)
        .join(Change, Change.record == Listing.id)
        .join(Changeset, Changeset.id == Change.changeset_id)
        .where(Change.state == ChangeState.SENT, Listing.id_stock_available.in_(rows))
    ).all()
    braked = {one.id for one in marked if one.brake.get("tripped") and one.released_at is None}
    known = {(one.id_stock_available, int(one.after)) for one in marked}
    unreleased = {one.id_stock_available for one in marked if one.released_at is None}
    emptied = {row for row, units in rows.items() if units <= 0 < shown.get(row, 0)}
    return Seen(
        open=gate,
        braked=tuple(sorted(braked)),
        unmarked=tuple(sorted(row for row, units in rows.items() if (row, units) not in known)),
        emptied=frozenset(emptied & unreleased),
    )


# -- the world, made once -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prepared:
    """A live shop as a file and a backup of the simulated one, with the numbers of the plans that stand there."""

    file: Path
    sim: SimulatedShop
    backup: Mapping[str, Any]
    plans: Mapping[str, int]
    skus: tuple[str, ...]


async def prepare(database: Database, folder: Path) -> Prepared:
    """A shop that is live, with a plan in every state, a foreign figure, a request cut off, and stock that waits."""
    live = await make_live(database, folder, push_batch="3", push_canary="2")
    plans: dict[str, int] = {}
    count = len(live.listings)
    for number in range(count):
        live.more(number, 50)
    await live.export()
    for number in range(3):
        live.more(number, 5)
    plans["done"] = int((await live.export()).detail["changeset"])
    live.foreign(3, live.shows(3) + FOREIGN)()
    live.more(3, 1)
    plans["foreign"] = int((await live.export()).detail["changeset"])
    for number in range(4, 10):
        live.ours(number, 0)
    plans["held"] = int((await live.export()).detail["changeset"])
    for name, number in (("planned", 10), ("approved", 11), ("cut off", 12)):
        live.more(number, 5)
        plans[name] = await live.plan(skus=[live.listings[number]["sku"]])
    changesets.approve(live.bench.core, plans["approved"], actor=ACTOR)
    live.wire.after = [kill]
    try:
        await live.apply(plans["cut off"])
    except Killed:
        live.take_over()
    for number in range(13, count):
        live.more(number, 7)
    # What the runs of the preparation left of themselves; its plans name them, nothing else does.
    database.write_now(lambda c: c.execute(delete(FeedRun).where(FeedRun.serial_key == "x")))
    states = {row["id"]: row["state"] for row in live.bench.rows(Changeset)}
    wanted = {
        "done": ChangesetState.DONE,
        "foreign": ChangesetState.HELD,
        "held": ChangesetState.HELD,
        "planned": ChangesetState.PLANNED,
        "approved": ChangesetState.APPROVED,
        "cut off": ChangesetState.APPLYING,
    }
    assert {name: states[plan] for name, plan in plans.items()} == wanted
    skus = tuple(str(row["sku"]) for row in live.listings)
    return Prepared(Path(str(database.url.database)), live.sim, live.sim.backup(), plans, skus)


# -- a process ----------------------------------------------------------------------------------------------------


class House:
    """One process over a copy of the prepared world: it ticks, claims and runs as a daemon does, without a pause."""

    def __init__(self, prepared: Prepared, database: Database, folder: Path) -> None:
        self.prepared, self.database = prepared, database
        self.clock = SkippingClock()
        self.sim = prepared.sim
        self.sim.restore(prepared.backup)
        self.wire = Witness(self.sim, self.clock, database)
        bench = make_bench(database, folder, clock=self.clock, write_timeout=60.0)
        self.core = Core(bench.core.settings, database, bench.core.vault, self.clock, self._client)
        self.moment = moment_of(self.clock)
        self.owner = self._register()
        self.kept = {row["id"]: row["id_stock_available"] for row in bench.rows(Listing)}
        self.bench = bench

    def _client(self, endpoint: Endpoint) -> ShopClient:
        return ShopClient(endpoint.changed(base_url="http://127.0.0.1:80"), transport=self.wire, clock=self.clock)

    def _register(self) -> int:
        return self.database.write_now(lambda c: presence.register(c, "daemon", self.clock.now()))

    async def work(self) -> None:
        """Until nothing is left that may run, retries included; a killed run is found by its lease and taken up."""
        jumps = 0
        for _ in range(TURNS):
            now = self.clock.now()
            claim = self.database.write_now(lambda c: self._turn(c))
            if claim is not None:
                commit = RunCommit(self.database, self.clock, self.moment, claim, lease_seconds=LEASE)
                try:
                    await execute(self.core, self.moment, claim, commit, PaceKeeper())
                except Killed:
                    self.die()
                continue
            due = self.database.read_now(_next_due)
            if due is None or jumps == JUMPS:
                return
            jumps += 1
            self.clock.skipped += max(0.0, (due - now).total_seconds()) + 1.0
        raise AssertionError("the process never came to rest")

    def _turn(self, connection: Connection) -> Any:
        now = self.clock.now()
        sweep(connection, now)
        schedules.tick(connection, now)
        events.wake_pushes(connection, now)
        return claim_next(connection, owner=self.owner, now=now, slots=2, lease_seconds=LEASE)

    def die(self) -> None:
        """The process is gone, its lease runs out, another one takes its place."""
        self.clock.skipped += 300.0
        self.owner = self._register()

    def rest(self) -> None:
        """Ten minutes go by: what failed a moment ago is tried again."""
        self.clock.skipped += timedelta(minutes=10).total_seconds()

    def stock_row(self, number: int) -> int:
        """The shop's stock row of the listing with this number."""
        sku = self.prepared.skus[number]
        row = self.bench.rows(Listing, Listing.sku == sku, Listing.has_combinations.is_(False))[0]
        return int(row["id_stock_available"])

    def foreign_ids(self) -> list[int]:
        """Foreign figures that nobody decided."""
        return [int(row["id"]) for row in self.bench.rows(ForeignWrite, ForeignWrite.decision == "")]


def _next_due(connection: Connection) -> Any:
    return connection.execute(
        select(FeedRun.due).where(FeedRun.state == RunState.QUEUED).order_by(FeedRun.due).limit(1)
    ).scalar()
