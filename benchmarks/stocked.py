"""What the benchmarks of stock share: a shop in a process of its own, a database that knows it, and bare loops.

The database is filled past the import feeds, as they are not what is measured: the rows are those of the shop's own
list, each with a product and a level in one warehouse.
"""

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert, update

from prestaconsole.database import Connection, table_of
from prestaconsole.model import FeedState, Listing, Product, Shop, ShopMode, ShopSetting, StockLevel, Warehouse
from prestaconsole.operations.core import Core, open_core
from prestaconsole.operations.holds import held_units
from prestaconsole.operations.secrets import store_key
from prestaconsole.operations.stock_reading import PAGE, STOCK_FIELDS
from prestaconsole.redaction import Secret
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import RunRecord
from prestaconsole.runner.worker import Worker
from prestaconsole.sandbox import DEFAULT_KEY
from prestaconsole.settings import Settings
from prestaconsole.webservice import codec
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.query import Query, greater

WAREHOUSE = "W1"
STOCK, NODE = "stock_availables", "stock_available"
ROWS_A_PRODUCT = 1.8
"""Of a made-up shop: every fifth product has four combinations."""
_CHUNK = 5_000


# -- the shop ------------------------------------------------------------------------------------------------------


@contextmanager
def sandbox(rows: int, orders: int = 60) -> Iterator[str]:
    """A shop with about so many stock rows in a process of its own; gives its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--port", str(port), "--products", str(max(10, int(rows / ROWS_A_PRODUCT) + 1)), "--orders", str(orders)]
    process = subprocess.Popen([sys.executable, "-m", "prestaconsole", "sandbox", *words], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{url}/sandbox", trust_env=False, timeout=60.0)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def set_latency(url: str, milliseconds: float) -> None:
    """Let every answer of the shop wait so long, as PrestaShop's start of each request does."""
    httpx.post(f"{url}/sandbox?latency={milliseconds}", trust_env=False).raise_for_status()


def bare_client() -> httpx.AsyncClient:
    """What a script of few lines would take."""
    return httpx.AsyncClient(auth=(DEFAULT_KEY, ""), timeout=120.0, trust_env=False)


async def read_pages(url: str, *, keep: bool) -> list[list[Entity]]:
    """All stock rows by pages: fetched and parsed by the faster parser, nothing else. ``keep`` gives them."""
    pages: list[list[Entity]] = []
    async with bare_client() as client:
        after = 0
        while True:
            asked = Query(STOCK, STOCK_FIELDS, {"id": greater(after)}, limit=PAGE).parameters()
            answer = await client.get(f"{url}/api/{STOCK}?{asked}")
            rows = codec.read_list(answer.content, trusted=True)
            if rows and keep:
                pages.append(rows)
            if len(rows) < PAGE:
                return pages
            after = rows[-1].id


# -- the database --------------------------------------------------------------------------------------------------


@contextmanager
def opened(folder: Path) -> Iterator[Core]:
    """A core over the SQLite file of this folder, made at the first time."""
    core = open_core(Settings(data_dir=folder, daemon_port=0))
    try:
        yield core
    finally:
        core.close()


async def do(core: Core, shop_id: int, feed: str, *, trigger: str = "person", **params: Any) -> RunRecord:
    """Run a feed to its end through queue, claim and lease."""
    now = core.clock.now()
    ticket = core.database.write_now(
        lambda c: request_run(c, shop_id=shop_id, feed=feed, actor="x", trigger=trigger, now=now, params=params)
    )
    ended = await Worker(core, "command").run_until_ended(ticket.run_id)
    if ended.state != "done":
        raise SystemExit(f"{feed} ended as {ended.state}: {ended.error} {ended.remedy}")
    return ended


async def fill(core: Core, url: str) -> int:
    """Make the shop known and live, with every row of its stock as our own; gives its id here."""
    shop_id = _add_shop(core, url)
    await do(core, shop_id, "analyse")
    pages = await read_pages(url, keep=True)
    now = core.clock.now()
    core.database.write_now(lambda c: _list(c, shop_id, pages, now))
    _note_complete(core, shop_id, "import_products", now)
    await do(core, shop_id, "import_orders")
    core.database.write_now(lambda c: _count(c, shop_id, pages, now))
    _note_complete(core, shop_id, "import_stock", now)
    core.database.write_now(lambda c: c.execute(update(Shop).values(mode=ShopMode.LIVE)))
    return shop_id


def _add_shop(core: Core, url: str) -> int:
    now = core.clock.now()
    row = {"code": "demo", "name": "Demo", "base_url": url, "mode": ShopMode.SETUP, "created_at": now}
    wanted = {"stock.warehouses": WAREHOUSE, "stock.import_to": WAREHOUSE, "brake.changed_share": "1"}

    def store(connection: Connection) -> int:
        made = connection.execute(insert(Shop).values(**row, updated_at=now, version="8.2.1")).inserted_primary_key
        assert made is not None
        store_key(connection, core.vault, int(made[0]), Secret(DEFAULT_KEY), now)
        base = {"shop_id": int(made[0]), "updated_at": now, "updated_by": "x"}
        connection.execute(
            insert(ShopSetting), [{**base, "name": name, "value": text} for name, text in wanted.items()]
        )
        connection.execute(insert(Warehouse).values(code=WAREHOUSE, name=WAREHOUSE, created_at=now))
        return int(made[0])

    return core.database.write_now(store)


def _list(connection: Connection, shop_id: int, pages: Sequence[Sequence[Entity]], now: datetime) -> None:
    """A product and a listing for each stock row, numbered as the rows are."""
    parents = {row.integer("id_product") for page in pages for row in page if row.integer("id_product_attribute")}
    for page in pages:
        skus = [{"id": row.id, "sku": f"SKU-{row.id}", "name": f"Thing {row.id}", "created_at": now} for row in page]
        connection.execute(insert(table_of(Product)), skus)
        connection.execute(insert(table_of(Listing)), [_listing(shop_id, row, parents, now) for row in page])


def _listing(shop_id: int, row: Entity, parents: set[int], now: datetime) -> dict[str, Any]:
    units, attribute = row.integer("quantity"), row.integer("id_product_attribute")
    return {
        "id": row.id,
        "shop_id": shop_id,
        "id_product": row.integer("id_product"),
        "id_product_attribute": attribute,
        "product_id": row.id,
        "has_combinations": not attribute and row.integer("id_product") in parents,
        "sku": f"SKU-{row.id}",
        "name": f"Thing {row.id}",
        "active": True,
        "linked_by": "sku",
        "seen_at": now,
        "id_stock_available": row.id,
        "quantity": units,
        "quantity_read_at": now,
        "expected_low": units,
        "expected_high": units,
        "expected_at": now,
    }


def _count(connection: Connection, shop_id: int, pages: Sequence[Sequence[Entity]], now: datetime) -> None:
    """Levels of which the shop's figures follow: what it shows, and what its open orders hold."""
    held = held_units(connection, shop_id)
    warehouse = connection.execute(table_of(Warehouse).select()).one().id
    for page in pages:
        rows = [
            {
                "product_id": row.id,
                "warehouse_id": warehouse,
                "physical": row.integer("quantity")
                + held.get((row.integer("id_product"), row.integer("id_product_attribute")), 0),
                "updated_at": now,
            }
            for row in page
        ]
        connection.execute(insert(table_of(StockLevel)), rows)
    connection.execute(update(Listing).values(planned_mark=Listing.push_mark))


def _note_complete(core: Core, shop_id: int, feed: str, now: datetime) -> None:
    row = {"shop_id": shop_id, "feed": feed, "completed_at": now, "last_ok_at": now}
    core.database.write_now(lambda c: c.execute(insert(FeedState).values(**row)))


# -- measuring -----------------------------------------------------------------------------------------------------


def peak_mb() -> float:
    """The peak of this process's memory; what getrusage tells includes the one that started it."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else 0.0


def apart(script: str, name: str, **words: Any) -> dict[str, Any]:
    """Run one part in a fresh process, whose peak of memory is its own; gives what it printed as JSON."""
    command = [sys.executable, script, "--part", name]
    done = subprocess.run(command, input=json.dumps(words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def machine() -> str:
    """What the figures were measured on."""
    return f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def ratio(name: str, values: Sequence[float], wanted: str) -> None:
    """Print a ratio: its median and range over the rounds, and what is wanted."""
    middle = statistics.median(values)
    print(f"  {name}: {middle:.2f} ({min(values):.2f}–{max(values):.2f}), wanted {wanted}", flush=True)
