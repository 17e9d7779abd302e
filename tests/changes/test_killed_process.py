"""A real process, killed with SIGKILL at random moments of its push; another one takes over."""

import base64
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from prestaconsole.database import Database
from prestaconsole.model import Change, ChangeState, Shop
from prestaconsole.sandbox import SandboxServer
from tests.changes.live import LiveShop, _quantities, make_live
from tests.support.bench import VAULT_KEY

KILLS = 6


def start_export(database: Database, folder: Path) -> subprocess.Popen[bytes]:
    """`prestaconsole feed run demo export_stock --wait` as a process of its own, with short times."""
    environment = {
        **os.environ,
        "PRESTACONSOLE_DATA_DIR": str(folder),
        "PRESTACONSOLE_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "PRESTACONSOLE_VAULT_KEY": base64.b64encode(VAULT_KEY).decode(),
        "PRESTACONSOLE_HEARTBEAT_SECONDS": "0.2",
        "PRESTACONSOLE_STALE_SECONDS": "0.6",
        "PRESTACONSOLE_POLL_SECONDS": "0.02",
        "PRESTACONSOLE_WRITE_TIMEOUT": "1",
    }
    command = [sys.executable, "-c", "from prestaconsole.cli import main; main()"]
    command += ["feed", "run", "demo", "export_stock", "--wait"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
async def test_a_push_killed_again_and_again_leaves_no_row_in_doubt_and_no_older_value(
    database: Database, tmp_path: Path
) -> None:
    live = await make_live(database, tmp_path, push_batch="3", push_canary="1")
    chance = random.Random(11)
    with SandboxServer(live.sim) as server:
        database.write_now(lambda c: c.execute(update(Shop).values(base_url=server.url.rstrip("/"))))
        live.sim.faults.set("latency", 40)
        wanted: dict[int, list[int]] = {row["id_stock_available"]: [] for row in live.listings}
        killed_while_sent = 0
        for _ in range(KILLS):
            _count_up(live, wanted, chance)
            process = start_export(database, tmp_path)
            _wait_for_puts(live, chance.randint(1, 4))
            time.sleep(chance.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed_while_sent += live.states().get("sent", 0) > 0
        last = start_export(database, tmp_path)
        assert last.wait(timeout=120) == 0
        last = start_export(database, tmp_path)
        assert last.wait(timeout=120) == 0
    assert killed_while_sent, "at least one kill must have met a request on its way"
    assert "sent" not in live.states()
    assert live.bench.rows(Change, Change.state == ChangeState.FAILED) == []
    assert [live.shows(number) for number in range(len(live.listings))] == [
        live.formula(number) for number in range(len(live.listings))
    ]
    _never_older(live, wanted)


def _count_up(live: LiveShop, wanted: dict[int, list[int]], chance: random.Random) -> None:
    for number, listing in enumerate(live.listings):
        wanted[listing["id_stock_available"]].append(live.more(number, chance.randint(1, 9)))


def _wait_for_puts(live: LiveShop, count: int) -> None:
    """Until so many more writes reached the shop; every number only ever rises in this test."""
    begun = time.monotonic()
    before = len([one for one in live.sim.journal if one.method == "PUT"])
    while time.monotonic() - begun < 30:
        if len([one for one in live.sim.journal if one.method == "PUT"]) >= before + count:
            return
        time.sleep(0.005)
    raise AssertionError("the process wrote nothing for 30 seconds")


def _never_older(live: LiveShop, wanted: dict[int, list[int]]) -> None:
    written: dict[int, list[int]] = {}
    for exchange in live.sim.journal:
        if exchange.method == "PUT":
            for row, quantity in _quantities(exchange.body).items():
                written.setdefault(row, []).append(quantity)
    for row, values in written.items():
        assert values == sorted(values), f"stock row {row} was written {values}"
        assert set(values) <= set(wanted[row])
