"""What tests of runs share: a clock that stands still, a core, shops, and feeds made for one test."""

import base64
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, insert, select, text

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.database import Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.feeds.registry import FEEDS, Allowance, FeedSpec
from prestaconsole.model import FeedRun, Shop, ShopMode
from prestaconsole.operations.core import Core
from prestaconsole.operations.secrets import store_key
from prestaconsole.operations.shops import ShopRecord, load_shop
from prestaconsole.redaction import Secret
from prestaconsole.settings import Settings
from prestaconsole.vault import Vault
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.pacing import Pacer

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
VAULT_KEY = bytes(range(32))
SHOP_KEY = "TESTTESTTESTTESTTESTTESTTESTTEST"


class FakeClock:
    """Moves when it is told to."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.forward(seconds)

    def forward(self, seconds: float) -> datetime:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
        return self._now


class SilentClient:
    """Stands where a shop's client stands; asking it anything is an error of the test."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.learned: dict[str, bool] = {}
        self.pacer = Pacer()
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


def quick_settings(folder: Path, url: str, **changes: Any) -> Settings:
    """Settings with short times: heartbeat 0.2 s, stale after 10 s, which no busy machine sleeps through."""
    values: dict[str, Any] = {
        "data_dir": folder,
        "database_url": url,
        "vault_key": base64.b64encode(VAULT_KEY).decode(),
        "heartbeat_seconds": 0.2,
        "stale_seconds": 10.0,
        "poll_seconds": 0.02,
        "daemon_port": 0,
    }
    return Settings(**{**values, **changes})


def make_core(database: Database, folder: Path, *, clock: Clock | None = None, **changes: Any) -> Core:
    """A core over a test's database whose shops answer nothing."""
    url = database.url.render_as_string(hide_password=False)
    return Core(
        settings=quick_settings(folder, url, **changes),
        database=database,
        vault=Vault(VAULT_KEY),
        clock=clock or SystemClock(),
        client_for=lambda endpoint: cast(ShopClient, SilentClient(endpoint)),
    )


def add_shop(
    database: Database,
    code: str = "wolle",
    *,
    mode: ShopMode = ShopMode.LIVE,
    zone: str = "Europe/Berlin",
    **values: Any,
) -> ShopRecord:
    """A shop with a key, in live unless said."""

    def work(connection: Connection) -> ShopRecord:
        row = {
            "code": code,
            "name": code.title(),
            "base_url": f"https://{code}.example",
            "mode": mode,
            "timezone": zone,
            "created_at": START,
            "updated_at": START,
        }
        made = connection.execute(insert(Shop).values(**{**row, **values})).inserted_primary_key
        assert made is not None
        store_key(connection, Vault(VAULT_KEY), int(made[0]), Secret(SHOP_KEY), START)
        return load_shop(connection, int(made[0]))

    return database.write_now(work)


@dataclass(frozen=True)
class InlineFeed(FeedSpec):
    """A feed whose entry is given, not imported."""

    entry: Callable[[FeedContext], Awaitable[Outcome]] | None = None

    @property
    def run(self) -> Callable[[FeedContext], Awaitable[Outcome]]:
        assert self.entry is not None
        return self.entry


def everywhere(allowance: Allowance = "run") -> Mapping[ShopMode, Allowance]:
    return dict.fromkeys(ShopMode, allowance)


@contextmanager
def feed(
    name: str = "paged", entry: Callable[[FeedContext], Awaitable[Outcome]] | None = None, **values: Any
) -> Iterator[FeedSpec]:
    """A feed in the registry for the length of a test; by default it may run in every mode."""
    spec = InlineFeed(**{"name": name, "title": name, "module": "", "modes": everywhere(), "entry": entry, **values})
    before = FEEDS.get(name)
    FEEDS[name] = spec
    try:
        yield spec
    finally:
        if before is None:
            del FEEDS[name]
        else:
            FEEDS[name] = before


def make_effects(database: Database) -> None:
    """A table that counts what pages did; nothing in it keeps a page from being counted twice."""
    database.write_now(
        lambda c: c.execute(
            text("CREATE TABLE page_effect (shop_id INTEGER, page INTEGER, pid INTEGER, token INTEGER)")
        )
    )


def effects(database: Database) -> list[int]:
    """The pages whose effect stands, in order, each as often as it stands."""
    return database.read_now(lambda c: list(c.execute(text("SELECT page FROM page_effect ORDER BY page")).scalars()))


def run_rows(database: Database) -> list[Any]:
    return database.read_now(lambda c: list(c.execute(select(*FeedRun.__table__.columns).order_by(FeedRun.id))))
