"""A live simulated shop whose stock is ours, a wire to it that can be cut at any point, and runs that can be killed."""

import asyncio
import atexit
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, Unpack

import httpx
from sqlalchemy import func, insert, select, update

from prestaconsole.changes.apply import Applied, Applying
from prestaconsole.clock import SystemClock
from prestaconsole.database import Connection, Database
from prestaconsole.feeds import export_stock
from prestaconsole.feeds.context import FeedContext, Outcome, RunView
from prestaconsole.model import (
    Change,
    ChangeState,
    FeedRun,
    Listing,
    MovementKind,
    ShopMode,
    StockHold,
    StockLevel,
    Warehouse,
)
from prestaconsole.operations.availability import availability
from prestaconsole.operations.pages import LogLine, PageNotes, RunStopped
from prestaconsole.operations.shops import ShopRecord, find_shop
from prestaconsole.operations.stock_ledger import set_level
from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.webservice.client import ShopClient
from tests.support.bench import PATIENCE, Bench, make_bench

T = TypeVar("T")
WRITE_TIMEOUT = 60.0


class SkippingClock(SystemClock):
    """Runs with the machine's clock, but a wait is over at once: the clock jumps."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.skipped)

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped

    async def sleep(self, seconds: float) -> None:
        self.skipped += seconds
        await asyncio.sleep(0)


@dataclass
class Put:
    """One PUT that left: when, and the quantities in it by stock row."""

    at: datetime
    rows: dict[int, int]
    query: str


Hook = Callable[[], None]


class Wire(httpx.AsyncBaseTransport):
    """The road to the shop. Hooks run at the next PUT, each once, in the order they were hung up."""

    def __init__(self, shop: SimulatedShop, clock: SkippingClock) -> None:
        self.inner = httpx.ASGITransport(app=shop.app)
        self.clock = clock
        self.puts: list[Put] = []
        self.methods: set[str] = set()
        self.before: list[Hook | None] = []
        self.after: list[Hook | None] = []
        self.answers: list[httpx.Response | None] = []
        self.change_body: Callable[[bytes], bytes] | None = None
        self.before_read: list[Hook | None] = []
        """Run at reads of stock rows by id."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.methods.add(request.method)
        if request.method != "PUT":
            if "stock_availables" in request.url.path and self.before_read and (hook := self.before_read.pop(0)):
                hook()
            return await self.inner.handle_async_request(request)
        body = await request.aread()
        self.puts.append(Put(self.clock.now(), _quantities(body), request.url.query.decode()))
        if self.before and (hook := self.before.pop(0)):
            hook()
        if self.change_body is not None:
            body = self.change_body(body)
            headers = {**request.headers, "content-length": str(len(body))}
            request = httpx.Request(request.method, request.url, headers=headers, content=body)
        response = await self.inner.handle_async_request(request)
        await response.aread()
        if self.after and (hook := self.after.pop(0)):
            hook()
        replaced = self.answers.pop(0) if self.answers else None
        return replaced or response


def _quantities(body: bytes) -> dict[int, int]:
    from xml.etree import ElementTree

    root = ElementTree.fromstring(body)
    return {int(row.findtext("id") or 0): int(row.findtext("quantity") or 0) for row in root}


def time_out() -> None:
    raise httpx.ReadTimeout("no answer")


class Killed(BaseException):
    """The process is gone: nothing after this point runs."""


def kill() -> None:
    raise Killed


@dataclass
class Commit:
    """A run's page as the runner stores it: fenced by a token, stops before a write is announced or after a page."""

    database: Database
    fence: dict[str, int]
    token: int
    stop: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    logs: list[LogLine] = field(default_factory=list)
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    leases: list[float] = field(default_factory=list)
    after_mark: list[Hook] = field(default_factory=list)
    after_plan_page: list[Hook] = field(default_factory=list)

    async def __call__(self, store: Callable[[Connection], T], **notes: Unpack[PageNotes]) -> T:
        if self.fence["token"] != self.token:
            raise RunStopped("lost")
        lease_seconds = notes.get("lease_seconds")
        if lease_seconds is not None and self.stop:
            raise RunStopped(self.stop)  # type: ignore[arg-type]  # one of the three words
        result = await self.database.write(store)
        self.checkpoint = notes.get("checkpoint", self.checkpoint)
        for name, number in notes.get("counts", {}).items():
            self.counts[name] = self.counts.get(name, 0) + number
        self.logs += notes.get("logs", ())
        if notes.get("phase") == "planning" and self.after_plan_page:
            self.after_plan_page.pop(0)()
        if lease_seconds is not None:
            self.leases.append(lease_seconds)
            if self.after_mark:
                self.after_mark.pop(0)()
        elif self.stop:
            raise RunStopped(self.stop)  # type: ignore[arg-type]  # as above
        return result


@dataclass
class LiveShop:
    """One simulated shop, read in and live; every helper speaks of a listing by its number in ``listings``."""

    bench: Bench
    sim: SimulatedShop
    shop: ShopRecord
    clock: SkippingClock
    wire: Wire
    warehouse: int
    fence: dict[str, int] = field(default_factory=lambda: {"token": 1})
    commit: Commit = field(init=False)

    def __post_init__(self) -> None:
        self.commit = Commit(self.database, self.fence, self.fence["token"])
        self.listings = [
            row for row in self.bench.rows(Listing, Listing.has_combinations.is_(False)) if row["id_stock_available"]
        ]

    @property
    def database(self) -> Database:
        return self.bench.core.database

    # -- our side ----------------------------------------------------------------------------------------------

    def ours(self, number: int, physical: int) -> None:
        """Count this listing's product in our warehouse."""
        target = [(self.listings[number]["product_id"], self.warehouse, physical)]
        self.database.write_now(
            lambda c: set_level(
                c, target, kind=MovementKind.CORRECTION, actor="İpek", at=self.clock.now(), reason="count"
            )
        )

    def more(self, number: int, units: int) -> int:
        """Some units came in; gives what the shop should show then."""
        product = self.listings[number]["product_id"]
        now = self.database.read_now(
            lambda c: c.execute(select(StockLevel.physical).where(StockLevel.product_id == product)).scalar_one()
        )
        self.ours(number, now + units)
        return self.formula(number)

    def formula(self, number: int) -> int:
        """What the shop should show."""
        listing = self.listings[number]["id"]
        shown = self.database.read_now(lambda c: availability(c, self.shop, [listing])[listing].shown)
        assert shown is not None
        return shown

    def listing(self, number: int) -> Mapping[str, Any]:
        return self.bench.rows(Listing, Listing.id == self.listings[number]["id"])[0]

    def unexplained(self) -> int:
        """Units carried in open holds without an order."""
        statement = select(func.coalesce(func.sum(StockHold.quantity), 0)).where(
            StockHold.kind == "unexplained", StockHold.state == "open"
        )
        return int(self.database.read_now(lambda c: c.execute(statement).scalar_one()))

    def set_mode(self, mode: ShopMode) -> None:
        self.bench.set_mode(self.shop, mode)

    def states(self, changeset_id: int | None = None) -> dict[str, int]:
        """How many changes are in each state."""
        where = [Change.changeset_id == changeset_id] if changeset_id else []
        found: dict[str, int] = {}
        for row in self.bench.rows(Change, *where):
            name = ChangeState(row["state"]).name.lower()
            found[name] = found.get(name, 0) + 1
        return found

    # -- the shop's side ---------------------------------------------------------------------------------------

    def shows(self, number: int) -> int:
        listing = self.listings[number]
        return self.sim.quantity(listing["id_product"], listing["id_product_attribute"])

    def sell(self, number: int, units: int = 1) -> Hook:
        listing = self.listings[number]

        def sale() -> None:
            self.sim.sell(listing["id_product"], listing["id_product_attribute"], units)

        return sale

    def foreign(self, number: int, quantity: int) -> Hook:
        listing = self.listings[number]

        def write() -> None:
            self.sim.set_quantity(listing["id_product"], listing["id_product_attribute"], quantity)

        return write

    def stock_row(self, number: int) -> dict[str, str]:
        return self.sim.row("stock_availables", self.listings[number]["id_stock_available"])

    # -- runs --------------------------------------------------------------------------------------------------

    def client(self) -> ShopClient:
        endpoint = self.bench.core.endpoint(self.shop, Secret(DEFAULT_KEY)).changed(base_url="http://127.0.0.1:80")
        return ShopClient(endpoint, transport=self.wire, clock=self.clock)

    async def export(self, *, plan_only: bool = False, trigger: str = "event", **params: Any) -> Outcome:
        """Run the feed with this process's commit; its checkpoint goes on from run to run while it is the same."""
        async with self.client() as client:
            run = RunView(self._run_id(), "export_stock", params, self.commit.checkpoint, plan_only, "İpek", trigger)
            shop = self.bench.shop(self.shop)
            outcome = await export_stock.run(FeedContext(self.bench.core, shop, client, run, self.commit))
            self.commit.checkpoint = {}
            return outcome

    async def plan(self, **params: Any) -> int:
        """A dry run; gives the plan's number."""
        return int((await self.export(plan_only=True, **params)).detail["changeset"])

    async def apply(self, changeset_id: int) -> Applied:
        async with self.client() as client:
            shop = self.bench.shop(self.shop)
            applying = Applying(self.bench.core, shop, client, self.commit, self._run_id())
            return await applying.apply(changeset_id)

    def take_over(self) -> None:
        """Another process owns the run from now on; this one's commits are refused."""
        self.fence["token"] += 1
        before = self.commit
        self.commit = Commit(self.database, self.fence, self.fence["token"], checkpoint=before.checkpoint)

    def _run_id(self) -> int:
        def find(connection: Connection) -> int:
            found = connection.execute(select(FeedRun.id).where(FeedRun.feed == "export_stock")).scalar()
            values = {"token": self.fence["token"]}
            if found is not None:
                connection.execute(update(FeedRun).where(FeedRun.id == found).values(**values))
                return found
            row = {"shop_id": self.shop.id, "feed": "export_stock", "serial_key": "x", "actor": "İpek", **values}
            now = self.clock.now()
            made = connection.execute(insert(FeedRun).values(**row, due=now, created_at=now)).inserted_primary_key
            assert made is not None
            return int(made[0])

        return self.database.write_now(find)


@dataclass
class ShopTime:
    """The shop's clock: stands still while the shop is made, so that it is made the same again, and runs then."""

    made_at: float
    runs: bool = False

    def __call__(self) -> float:
        return time.time() if self.runs else self.made_at


_FOLDER = tempfile.TemporaryDirectory(prefix="live-shops-")
atexit.register(_FOLDER.cleanup)
_PREPARED: dict[tuple[Any, ...], tuple[Path, float]] = {}
"""Databases of live shops as they stood when ready, by what was asked for: reading a shop in takes a second."""


async def make_live(
    database: Database,
    folder: Path,
    *,
    version: str = "8.2.1",
    products: int = 12,
    patience: float = PATIENCE,
    **settings: str,
) -> LiveShop:
    """A shop of this version, read in through the real feeds, its stock ours, live since a minute.

    ``patience`` is how many seconds each feed may take.
    """
    key = (version, products, *sorted(settings.items()))
    kept, made_at = _PREPARED.get(key, (None, time.time())) if database.is_sqlite else (None, time.time())
    shop_time = ShopTime(made_at)
    sim = SimulatedShop.generate(version=version, products=products, orders=6, seed=3, clock=shop_time)
    shop_time.runs = True
    clock = SkippingClock()
    bench = make_bench(database, folder, clock=clock, write_timeout=WRITE_TIMEOUT)
    bench.patience = patience
    if kept is not None:
        _copy(kept, Path(str(database.url.database)))
        bench.simulated["http://127.0.0.1:80/demo"] = sim
        shop = database.read_now(lambda c: find_shop(c, "demo"))
        warehouse = int(bench.rows(Warehouse)[0]["id"])
        return LiveShop(bench, sim, shop, clock, Wire(sim, clock), warehouse)
    warehouse = bench.add_warehouse("W1")
    wanted = {"stock_warehouses": "W1", "stock_import_to": "W1", "brake_changed_share": "1", **settings}
    shop = bench.add_shop(sim, "demo", **wanted)
    await bench.run_all(shop, "analyse", "import_products", "import_orders", "import_stock")
    bench.set_mode(shop, ShopMode.LIVE)
    if database.is_sqlite:
        template = Path(_FOLDER.name) / f"{len(_PREPARED)}.sqlite3"
        _copy(Path(str(database.url.database)), template)
        _PREPARED[key] = (template, made_at)
    return LiveShop(bench, sim, bench.shop(shop), clock, Wire(sim, clock), warehouse)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
