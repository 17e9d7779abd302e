"""A core whose shops are simulated ones in this process: what feed, push and command tests stand on."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert, select, update

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.database import Database
from prestaconsole.model import Shop, ShopMode, ShopSetting, Warehouse
from prestaconsole.operations.core import Core
from prestaconsole.operations.secrets import store_key
from prestaconsole.operations.shops import ShopRecord, load_shop
from prestaconsole.redaction import Secret
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import RunRecord, load_run
from prestaconsole.runner.worker import Worker
from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from prestaconsole.settings import Settings
from prestaconsole.vault import Vault
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint

VAULT_KEY = bytes(range(32))
PATIENCE = 20.0
SAFE_FEEDS = ("analyse", "import_products", "import_orders")


@dataclass
class Bench:
    """One core and its simulated shops, by base URL."""

    core: Core
    simulated: dict[str, SimulatedShop] = field(default_factory=dict)
    patience: float = PATIENCE
    """Seconds to wait for a run; one that waits for its next attempt is given as it stands then."""

    def add_shop(
        self, shop: SimulatedShop, code: str = "demo", *, mode: ShopMode = ShopMode.SETUP, **settings: str
    ) -> ShopRecord:
        """Make the simulated shop known, with its key in the vault and the settings given (``.`` written ``_``)."""
        url = f"http://127.0.0.1:80/{code}"
        self.simulated[url] = shop
        now = self.core.clock.now()
        row = {"code": code, "name": code.title(), "base_url": url, "mode": mode, "created_at": now, "updated_at": now}

        def store(connection: Any) -> ShopRecord:
            made = connection.execute(
                insert(Shop).values(**row, version=shop.version.number, email="owner@example.org")
            )
            shop_id = made.inserted_primary_key[0]
            store_key(connection, self.core.vault, shop_id, Secret(DEFAULT_KEY), now)
            for name, text in settings.items():
                values = {"shop_id": shop_id, "name": name.replace("_", ".", 1), "value": text}
                connection.execute(insert(ShopSetting).values(**values, updated_at=now, updated_by="test"))
            return load_shop(connection, shop_id)

        return self.core.database.write_now(store)

    def add_warehouse(self, code: str = "W1") -> int:
        """A warehouse."""
        values = {"code": code, "name": code, "created_at": self.core.clock.now()}
        made = self.core.database.write_now(
            lambda c: c.execute(insert(Warehouse).values(**values)).inserted_primary_key
        )
        return int(made[0])

    def set_mode(self, shop: ShopRecord, mode: ShopMode) -> None:
        """Put the shop into a mode, past the check-list."""
        self.core.database.write_now(lambda c: c.execute(update(Shop).where(Shop.id == shop.id).values(mode=mode)))

    def shop(self, shop: ShopRecord) -> ShopRecord:
        """The shop as it stands now."""
        return self.core.database.read_now(lambda c: load_shop(c, shop.id))

    async def run(self, shop: ShopRecord, feed: str, **params: Any) -> RunRecord:
        """Run a feed to its end, through queue, claim, lease and fenced pages."""
        now = self.core.clock.now()
        ticket = self.core.database.write_now(
            lambda c: request_run(
                c, shop_id=shop.id, feed=feed, actor="tester", trigger="person", now=now, params=params
            )
        )
        try:
            async with asyncio.timeout(self.patience):
                return await Worker(self.core, "command").run_until_ended(ticket.run_id)
        except TimeoutError:
            return self.core.database.read_now(lambda c: load_run(c, ticket.run_id))

    async def run_all(self, shop: ShopRecord, *feeds: str) -> dict[str, RunRecord]:
        """Run feeds one after the other; each must end well."""
        ended = {}
        for feed in feeds or SAFE_FEEDS:
            ended[feed] = await self.run(shop, feed)
            assert ended[feed].state == "done", (feed, ended[feed].error, ended[feed].remedy)
        return ended

    def rows(self, model: Any, *where: Any) -> list[Mapping[str, Any]]:
        """All rows of a table, as mappings, by id."""
        statement = select(*model.__table__.columns).where(*where).order_by(*model.__table__.primary_key.columns)
        return list(self.core.database.read_now(lambda c: c.execute(statement).mappings().all()))


def make_bench(database: Database, folder: Path, *, clock: Clock | None = None, **changes: Any) -> Bench:
    """A bench over a test's database."""
    values: dict[str, Any] = {
        "data_dir": folder,
        "vault_key": base64.b64encode(VAULT_KEY).decode(),
        "poll_seconds": 0.01,
        "daemon_port": 0,
        **changes,
    }
    clock = clock or SystemClock()
    bench: Bench

    def client_for(endpoint: Endpoint) -> ShopClient:
        shop = bench.simulated[endpoint.base_url]
        mounted = httpx.ASGITransport(app=_below(shop.app, endpoint.base_url))
        return ShopClient(endpoint, transport=mounted, clock=clock)

    bench = Bench(Core(Settings(**values), database, Vault(VAULT_KEY), clock, client_for))
    return bench


def _below(app: Any, base_url: str) -> Any:
    """The same application under the base URL's path."""
    prefix = "/" + base_url.split("/", 3)[3]

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            path = scope["path"].removeprefix(prefix) or "/"
            scope = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}
        await app(scope, receive, send)

    return mounted


def utc(text: str) -> datetime:
    """``2026-03-01 12:00:00`` as a moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
