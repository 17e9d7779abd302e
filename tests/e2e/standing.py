"""A shop on a port with everything read, stock that differs and is marked, and a plan in each state: what tempts."""

import asyncio
import base64
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from prestaconsole.clock import SystemClock
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import (
    Change,
    ChangeBatch,
    Changeset,
    ChangesetState,
    ChangeState,
    FeedRun,
    FeedSchedule,
    Runner,
    RunState,
    Shop,
    ShopMode,
)
from prestaconsole.operations.core import Core, open_core
from prestaconsole.operations.shops import ShopRecord, find_shop
from prestaconsole.redaction import Secret
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from prestaconsole.sandbox.exchange import Exchange
from prestaconsole.services import changesets, connections, feeds, modes, safe_steps, shops, stock, warehouses
from prestaconsole.settings import Settings

KEY = "E2EW0RLDE2EW0RLDE2EW0RLDE2EW0RLD"
CODE, NAME, ACTOR = "wolle", "Wolle", "zofia"
LONG_AGO = timedelta(minutes=10)
VAULT_KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass
class Standing:
    """The shop, the folder that tests copy, and the plans by the state in which a live day left them."""

    folder: Path
    server: SandboxServer
    plans: dict[str, int] = field(default_factory=dict)
    quantities: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def shop(self) -> SimulatedShop:
        return self.server.shop

    def writes(self) -> list[Exchange]:
        """Every request in the journal that is no plain read, disguised ones included."""
        return [
            one for one in self.shop.journal if one.method not in ("GET", "HEAD") or "ps_method" in one.query.lower()
        ]

    def differing(self) -> list[tuple[int, int]]:
        """Which quantities of the shop are not those at the start."""
        return [pair for pair, units in self.quantities.items() if self.shop.quantity(*pair) != units]

    def copy(self, folder: Path, mode: ShopMode, *, paused: bool = False) -> None:
        """A data folder of its own for one test, the shop in this mode."""
        shutil.copytree(self.folder, folder)
        with opened(folder) as core:
            now = core.clock.now()
            values: dict[str, Any] = {"mode": mode}
            if paused:
                values |= {"paused_at": now, "paused_by": "Anaïs", "pause_reason": "shop upgrade"}
            core.database.write_now(lambda c: c.execute(update(Shop).values(**values)))
        self.shop.journal.clear()


def settings_of(folder: Path, **changes: Any) -> Settings:
    """Settings over a data folder, with short times."""
    values: dict[str, Any] = {
        "data_dir": folder,
        "vault_key": VAULT_KEY,
        "poll_seconds": 0.02,
        "request_timeout": 5.0,
        "write_timeout": 5.0,
        "daemon_port": 0,
        "actor": ACTOR,
    }
    return Settings(**{**values, **changes})


@contextmanager
def opened(folder: Path) -> Iterator[Core]:
    """The core over a data folder."""
    core = open_core(settings_of(folder))
    try:
        yield core
    finally:
        core.close()


def build(folder: Path, server: SandboxServer) -> Standing:
    """Walk one shop to live, send something, and leave a plan in every state behind, with stock that differs."""
    world = Standing(folder, server)
    with opened(folder) as core:
        asyncio.run(connect(core, server))
        _differ(core, "SKU-0001", "SKU-0013")
        modes.change_mode(core, CODE, "rehearsal", actor=ACTOR, waive={"skus": "test"})
        world.plans["rehearsed"] = _run(core, skus=["SKU-0001", "SKU-0013"])
        feeds_run(core, "export_stock")
        waive = {"foreign-writes": "test"}
        modes.change_mode(core, CODE, "live", confirm=NAME, actor=ACTOR, waive=waive)
        world.plans["done"] = _run(core, skus=["SKU-0001"])
        _differ(core, "SKU-0002", "SKU-0003", "SKU-0004", "SKU-0014")
        world.plans["approved"] = _run(core, plan=True, skus=["SKU-0002"])
        changesets.approve(core, world.plans["approved"], actor=ACTOR)
        world.plans["planned"] = _run(core, plan=True, skus=["SKU-0003"])
        world.plans["cut off"] = _run(core, plan=True, skus=["SKU-0004"])
        many = ["SKU-0006", "SKU-0007", "SKU-0008", "SKU-0009", "SKU-0011", "SKU-0012"]
        for sku in many:
            stock.set_stock(core, sku, 0, warehouse="W1", reason="gone", actor=ACTOR)
        world.plans["held"] = _run(core, plan=True, skus=many)
        core.database.write_now(lambda c: _cut_off(c, world.plans["cut off"], core.clock.now()))
        states = core.database.read_now(
            lambda c: {row.id: row.state for row in c.execute(select(Changeset.id, Changeset.state))}
        )
        wanted = {"done": "done", "approved": "approved", "planned": "planned", "cut off": "applying", "held": "held"}
        assert {name: states[world.plans[name]] for name in wanted} == wanted
    world.quantities = quantities_of(world.shop)
    # What a test of silence stands on: this very shop is written to while it is live.
    assert [one.method for one in world.writes()] == ["PUT"]
    world.shop.journal.clear()
    return world


async def connect(core: Core, server: SandboxServer) -> None:
    """Add the shop with its warehouse, read it in, and take its stock over as ours."""
    warehouses.add_warehouse(core, "W1", actor=ACTOR)
    added = await connections.add_shop(
        core, name=NAME, url=server.url, key=Secret(KEY), email="owner@shop.example", actor=ACTOR
    )
    assert added.test.ok, added.test
    values = {"stock.warehouses": "W1", "stock.import_to": "W1"}
    shops.set_values(core, CODE, values, actor=ACTOR)
    ended = list((await safe_steps.run_safe(core, CODE, actor=ACTOR)).ran)
    ended += [await feeds.run_feed(core, CODE, feed, actor=ACTOR) for feed in ("import_stock", "stock_check")]
    assert {one.state for one in ended} == {"done"}, ended


def quantities_of(shop: SimulatedShop) -> dict[tuple[int, int], int]:
    """Every quantity of a simulated shop by product and combination, the sums of parents too."""
    table = shop.table("stock_availables")
    return {
        (int(table.value(row, "id_product")), int(table.value(row, "id_product_attribute"))): int(
            table.value(row, "quantity")
        )
        for row in table
    }


def feeds_run(core: Core, feed: str, **how: Any) -> feeds.RunDetail:
    """Run a feed to its end."""
    return asyncio.run(feeds.run_feed(core, CODE, feed, actor=ACTOR, **how))


def _run(core: Core, *, plan: bool = False, skus: list[str]) -> int:
    ended = feeds_run(core, "export_stock", plan=plan, params={"skus": skus})
    assert ended.changeset is not None, ended
    return ended.changeset


def _differ(core: Core, *skus: str) -> None:
    for sku in skus:
        there = stock.show_stock(core, sku)[0].physical
        stock.set_stock(core, sku, there + 7, warehouse="W1", reason="counted", actor=ACTOR)


def _cut_off(connection: Connection, changeset: int, now: datetime) -> None:
    """As a process that was killed behind its request leaves a plan: rows marked sent, nobody knows."""
    gone = now - LONG_AGO
    batch = connection.execute(
        insert(ChangeBatch).values(changeset_id=changeset, token=1, sent_at=gone, unsure_until=gone, status="")
    ).inserted_primary_key
    assert batch is not None
    rows = update(Change).where(Change.changeset_id == changeset)
    connection.execute(rows.values(state=ChangeState.SENT, batch_id=batch[0]))
    plan = update(Changeset).where(Changeset.id == changeset)
    connection.execute(plan.values(state=ChangesetState.APPLYING, approved_at=gone, approved_by=ACTOR))


# -- rows nobody could have made through a face -----------------------------------------------------------------


def forge_rows(connection: Connection, plans: Mapping[str, int]) -> list[int]:
    """Schedules that are due and runs that wait, written into the tables by hand; gives the runs' ids."""
    now = SystemClock().now()
    shop = find_shop(connection, CODE)
    connection.execute(FeedSchedule.__table__.delete())
    connection.execute(
        insert(FeedSchedule),
        [
            {
                "shop_id": shop.id,
                "feed": feed,
                "every": "every 1 min",
                "zone": "UTC",
                "enabled": True,
                "next_due": now - LONG_AGO,
                "version": 1,
                "updated_at": now,
                "updated_by": "by hand",
            }
            for feed in FEEDS
        ],
    )
    errands: list[dict[str, Any]] = [{}, {"all": True}, {"plan_only": False}, {"skus": ["SKU-0014"]}]
    errands += [{"changeset": plan} for plan in plans.values()]
    made = [_forge_run(connection, shop, now, number, params) for number, params in enumerate(errands)]
    return [*made, _forge_orphan(connection, shop, now, plans["approved"])]


def _forge_run(connection: Connection, shop: ShopRecord, now: datetime, number: int, params: dict[str, Any]) -> int:
    row = _run_row(shop, now) | {"active_key": f"by hand {number}", "params": params}
    row["trigger"] = ("person", "event", "schedule")[number % 3]
    made = connection.execute(insert(FeedRun).values(**row)).inserted_primary_key
    assert made is not None
    return int(made[0])


def _forge_orphan(connection: Connection, shop: ShopRecord, now: datetime, plan: int) -> int:
    """A run that was sending when its process died: whoever takes it over starts at its checkpoint."""
    dead = now - LONG_AGO
    runner = {"kind": "daemon", "host": "gone", "pid": 1, "started_at": dead, "heartbeat": dead, "stopped_at": dead}
    owner = connection.execute(insert(Runner).values(**runner)).inserted_primary_key
    assert owner is not None
    row = _run_row(shop, now) | {
        "active_key": "by hand, orphan",
        "serial_key": "by hand, orphan",
        "slot_key": f"{shop.id}:0",
        "params": {"changeset": plan},
        "checkpoint": {"changeset": plan, "phase": "sending"},
        "state": RunState.RUNNING,
        "owner": owner[0],
        "token": 3,
        "attempt": 1,
        "lease_until": dead,
        "started_at": dead,
    }
    made = connection.execute(insert(FeedRun).values(**row)).inserted_primary_key
    assert made is not None
    return int(made[0])


def _run_row(shop: ShopRecord, now: datetime) -> dict[str, Any]:
    return {
        "shop_id": shop.id,
        "feed": "export_stock",
        "serial_key": f"{shop.id}:export_stock",
        "priority": 1,
        "state": RunState.QUEUED,
        "due": now - LONG_AGO,
        "trigger": "person",
        "actor": "by hand",
        "created_at": now,
    }
