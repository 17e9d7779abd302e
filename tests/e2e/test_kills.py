"""The plug is pulled: real processes, real SIGKILLs, at random moments of an order import and of a push."""

import base64
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, update

from prestaconsole.clock import SystemClock
from prestaconsole.database import Database
from prestaconsole.model import (
    Change,
    ChangeBatch,
    ChangeState,
    FeedRun,
    Order,
    OrderLine,
    Runner,
    RunState,
    Shop,
    StockHold,
)
from prestaconsole.runner.events import waiting
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from tests.changes.live import make_live
from tests.support.bench import VAULT_KEY
from tests.support.program import Program, program
from tests.support.workers import file_is_free

pytestmark = pytest.mark.slow

ORDERS = 500
KILLS = 10
NAPS = 10
VERDICTS = {"import", "done", "skip", "hold"}


def _database(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / 'prestaconsole.sqlite3'}")


def _kill(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _connected(folder: Path, url: str) -> Program:
    run = program(folder)
    run("warehouse", "add", "W1")
    run.add_shop("demo", url, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
    return run


def test_an_order_import_killed_ten_times_stores_each_order_once(tmp_path: Path) -> None:
    simulated = SimulatedShop.generate(version="8.2.1", products=40, orders=ORDERS, seed=11)
    chooser = random.Random(20)
    with SandboxServer(simulated) as server:
        run = program(tmp_path)
        run.add_shop("demo", server.url, orders_start="id:1")
        for feed in ("analyse", "import_products"):
            run("feed", "run", "demo", feed, "--wait")
        simulated.faults.set("latency", 60)
        killed = 0
        while killed < KILLS:
            process = run.start("feed", "run", "demo", "import_orders", "--wait")
            time.sleep(chooser.uniform(0.3, 1.8))
            if process.poll() is None:
                _kill(process)
                killed += 1
            elif killed < KILLS:
                # It was done before the blow: more orders, so that the next one has something to hit.
                for _ in range(40):
                    simulated.sell(simulated.table("products").ids()[0])
        simulated.faults.clear()
        run("feed", "run", "demo", "import_orders", "--wait")

    database = _database(tmp_path)
    with database.engine.connect() as connection:
        orders = connection.execute(select(Order.id_order, Order.verdict, Order.id_order_state)).all()
        lines = connection.execute(select(OrderLine.id_order_detail)).scalars().all()
        holds = connection.execute(select(StockHold.order_line_id)).scalars().all()
    database.close()
    assert Counter(order.id_order for order in orders) == Counter(simulated.table("orders").ids())
    assert Counter(lines) == Counter(simulated.table("order_details").ids())
    assert len(holds) == len(set(holds))
    for order in orders:
        state = simulated.row("order_states", order.id_order_state)
        wanted = "done" if state["shipped"] == "1" else "import" if state["paid"] == "1" else "skip"
        assert order.verdict == wanted, (order.id_order, state["name"])


def test_a_push_killed_ten_times_leaves_no_row_in_doubt_and_no_older_value(tmp_path: Path) -> None:
    simulated = SimulatedShop.generate(version="8.2.1", products=220, orders=20, seed=12)
    chooser = random.Random(21)
    with SandboxServer(simulated) as server:
        run = _connected(tmp_path, server.url)
        _go_live(run)
        skus = [row["sku"] for row in run.json("listing", "list", "demo") if row["quantity"] and row["quantity"] > 0]
        simulated.faults.set("latency", 30)
        last: dict[str, int] = {}
        for _ in range(KILLS):
            rows = [(sku, chooser.randint(40, 400)) for sku in skus]
            table = tmp_path / "stock.csv"
            table.write_text("sku,quantity\n" + "".join(f"{sku},{number}\n" for sku, number in rows))
            run("stock", "load", str(table), "--warehouse", "W1")
            last = dict(rows)
            process = run.start("feed", "run", "demo", "export_stock", "--wait")
            time.sleep(chooser.uniform(0.5, 3.0))
            if process.poll() is None:
                _kill(process)
        simulated.faults.clear()
        run("feed", "run", "demo", "export_stock", "--wait", timeout=200)
        run("feed", "run", "demo", "export_stock", "--wait", timeout=200)
        checked = run.json("feed", "run", "demo", "stock_check", "--wait")
        stock = {sku: run.json("stock", "show", sku)[0] for sku in skus[:10]}

    assert checked["counts"]["drift"] == 0
    assert {sku: row["physical"] for sku, row in stock.items()} == {sku: last[sku] for sku in stock}
    database = _database(tmp_path)
    with database.engine.connect() as connection:
        sent = connection.execute(select(Change.id).where(Change.state == ChangeState.SENT)).all()
        unsure = connection.execute(
            select(ChangeBatch.id).where(ChangeBatch.sent_at.is_not(None), ChangeBatch.status == "")
        ).all()
        active = connection.execute(select(FeedRun.id).where(FeedRun.state == RunState.RUNNING)).all()
    database.close()
    assert (sent, unsure, active) == ([], [], [])


class Daemons:
    """Two daemons on one database, found by the push they are at."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        settings = {
            "database_url": database.url.render_as_string(hide_password=False),
            "vault_key": base64.b64encode(VAULT_KEY).decode(),
            "write_timeout": "1",
        }
        run = program(folder, **settings)
        self._daemons = [run.start("daemon") for _ in range(2)]

    def at_work(self) -> "subprocess.Popen[bytes] | None":
        """The daemon at work on a push now."""
        owner = (
            select(Runner.pid)
            .join(FeedRun, FeedRun.owner == Runner.id)
            .where(FeedRun.state == RunState.RUNNING, FeedRun.feed == "export_stock")
        )
        pid = self._database.read_now(lambda c: c.execute(owner).scalar())
        return next((daemon for daemon in self._daemons if daemon.pid == pid), None)

    def close(self) -> None:
        for daemon in self._daemons:
            if daemon.poll() is None:
                os.kill(daemon.pid, signal.SIGCONT)
                _kill(daemon)


@pytest.mark.timeout(900)
async def test_a_daemon_that_slept_through_its_push_sends_nothing_to_the_shop_when_it_wakes(
    database: Database, tmp_path: Path
) -> None:
    live = await make_live(database, tmp_path, products=6, push_batch="2", push_canary="1")
    chance, asleep_at_work = random.Random(22), 0
    with SandboxServer(live.sim) as server:
        database.write_now(lambda c: c.execute(update(Shop).values(base_url=server.url)))
        live.sim.faults.set("latency", 40)
        daemons = Daemons(database, tmp_path)
        try:
            for _ in range(NAPS):
                for number in range(len(live.listings)):
                    live.more(number, chance.randint(1, 9))
                _until(daemons.at_work)
                time.sleep(chance.uniform(0.0, 0.6))
                sleeper = daemons.at_work()
                if sleeper is None:
                    continue
                sleeper.send_signal(signal.SIGSTOP)
                if database.is_sqlite and not file_is_free(database):
                    # In the middle of a transaction it holds the file, and everybody waits for it.
                    sleeper.send_signal(signal.SIGCONT)
                    continue
                asleep_at_work += 1
                _until(lambda: _settled(database), 90)
                before = len(_writes(live.sim))
                sleeper.send_signal(signal.SIGCONT)
                time.sleep(1.5)
                assert _writes(live.sim)[before:] == []
            _until(lambda: _settled(database), 90)
        finally:
            daemons.close()
    assert asleep_at_work >= NAPS // 3
    numbers = range(len(live.listings))
    assert [live.shows(number) for number in numbers] == [live.formula(number) for number in numbers]
    assert "sent" not in live.states()


def _until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def _settled(database: Database) -> bool:
    """Whether every push has ended, and what it changed stands confirmed."""
    at_work = select(FeedRun.id).where(FeedRun.state.in_([RunState.QUEUED, RunState.RUNNING]))
    unsure = select(Change.id).where(Change.state.in_([ChangeState.PLANNED, ChangeState.SENT]))
    return database.read_now(
        lambda c: not waiting(c, SystemClock().now()) and not c.execute(at_work).all() and not c.execute(unsure).all()
    )


def _writes(simulated: SimulatedShop) -> list[bytes]:
    return [exchange.body for exchange in simulated.journal if exchange.method != "GET"]


def _go_live(run: Program) -> None:
    """All that stands before live, and then live."""
    run.settings["write_timeout"] = "1"
    for feed in ("analyse", "import_products", "import_orders", "import_stock", "stock_check"):
        run("feed", "run", "demo", feed, "--wait")
    run("shop", "set", "demo", "email=owner@example.org", "push.batch=20", "brake.changed_share=1")
    run("shop", "mode", "demo", "rehearsal")
    run("feed", "run", "demo", "export_stock", "--wait")
    waived = [word for check in _open_checks(run) for word in ("--waive", f"{check}=test of kills")]
    run("shop", "mode", "demo", "live", "--confirm", "demo", *waived)


def _open_checks(run: Program) -> list[str]:
    """The points of the check-list that are still open, as `shop mode` names them."""
    refused = run.json("shop", "mode", "demo", "live", "--confirm", "demo", status=None)
    return [point["check"] for point in refused.get("open", [])]
