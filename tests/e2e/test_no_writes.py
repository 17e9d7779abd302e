"""In every mode but live a shop receives no request but GET and HEAD, through whatever door it is asked for."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from prestaconsole.changes.apply import Applying
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.feeds.context import FeedContext, RunView
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import Changeset, FeedRun, ShopMode
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import ShopRecord, find_shop
from prestaconsole.runner import queue
from prestaconsole.runner.records import ACTIVE
from prestaconsole.runner.worker import Worker
from prestaconsole.services import changesets, feeds, modes
from tests.cli.conftest import Program, no_log_left_open, quick_environment
from tests.e2e.silence import assert_silent, differing, marked, silent_modes, standing, world
from tests.e2e.standing import ACTOR, CODE, NAME, VAULT_KEY, Standing, forge_rows, opened

__all__ = ["no_log_left_open", "standing", "world"]

PATIENCE = 20.0
WORDS_OF_A_FAULT = ("A fault of PrestaConsole", "Traceback (most recent")


@pytest.fixture
def program(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """The command line over the copied folder."""
    quick_environment(monkeypatch, tmp_path / "data")
    monkeypatch.setenv("PRESTACONSOLE_VAULT_KEY", VAULT_KEY)
    monkeypatch.setenv("PRESTACONSOLE_DAEMON_PORT", "0")
    return Program(tmp_path / "data", capsys, monkeypatch)


# -- the command line ------------------------------------------------------------------------------------------


def commands(world: Standing, folder: Path) -> Iterator[tuple[str, ...]]:
    """Every command that could lead to a write, the harmless-looking ones too."""
    file = folder.parent / "stock.csv"
    file.write_text("sku,quantity\nSKU-0013,41\nSKU-0014,42\n", encoding="utf-8")
    yield ("doctor", CODE)
    yield ("shop", "analyse", CODE)
    yield ("stock", "set", "SKU-0014", "77", "--warehouse", "W1", "--reason", "counted")
    yield ("stock", "load", str(file), "--warehouse", "W1", "--plan")
    yield ("stock", "load", str(file), "--warehouse", "W1")
    for feed in FEEDS:
        if feed != "import_stock":
            yield ("feed", "run", CODE, feed, "--wait")
        if FEEDS[feed].writes:
            for how in (["--plan"], ["--plan", "--wait"], ["--wait", "--reason", "now"], ["--reason", "now"], []):
                yield ("feed", "run", CODE, feed, *how)
        yield ("feed", "schedule", CODE, feed, "* * * * *")
    yield ("feed", "run-safe", CODE)
    with opened(folder) as core:
        plans = core.database.read_now(lambda c: list(c.execute(select(Changeset.id)).scalars()))
    for plan in map(str, plans):
        yield ("changeset", "approve", plan)
        yield ("changeset", "release", plan, "--confirm", NAME, "--reason", "now")
        yield ("changeset", "apply", plan)
        yield ("changeset", "undo", plan)
        yield ("changeset", "undo", plan, "--plan")
    yield ("shop", "mode", CODE, "live")
    yield ("shop", "mode", CODE, "live", "--confirm", "Garn", "--waive", "skus=x")
    yield ("shop", "resume", "garn")
    yield ("order", "import", CODE, "--days", "3")
    for number in ("1", "2"):
        yield ("incident", "retry", number)
    yield ("stock", "explain", "SKU-0014", "--shop", CODE)


@silent_modes
@pytest.mark.slow
def test_no_command_writes_to_a_shop_that_is_not_live(
    world: Standing, program: Program, mode: ShopMode, paused: bool
) -> None:
    world.copy(program.folder, mode, paused=paused)
    ended: dict[tuple[str, ...], int] = {}
    for command in commands(world, program.folder):
        result = program(*command, code=None)
        ended[command] = result.code
        assert result.code in (0, 1, 2, 3, 4), (command, result.text)
        assert not any(words in result.text for words in WORDS_OF_A_FAULT), (command, result.text)
        assert world.writes() == [], command
    asyncio.run(work_until_idle(program.folder))
    assert_silent(world, program.folder, mode)
    sending = [("changeset", "apply", str(plan)) for name, plan in world.plans.items() if name != "done"]
    assert {ended[command] for command in sending} <= {2, 3}
    assert ended["shop", "mode", CODE, "live"] == (0 if paused else 3)
    program("shop", "test", CODE)  # a draft that passes is in setup from here on
    # Last, for it may take our own figures away: the shop's stock is read over ours.
    program("feed", "run", CODE, "import_stock", "--wait", "--reason", "now", "--known", "overwrite", code=None)
    program("feed", "run", CODE, "export_stock", "--wait", code=None)
    assert world.writes() == []


async def work_until_idle(folder: Path, *, seconds: float = 3.0) -> None:
    """A worker as a console hosts it, until nothing is left that may run."""
    with opened(folder) as core:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(Worker(core, "console").run(stop))
            end = time.monotonic() + seconds
            while time.monotonic() < end and await core.database.read(_active):
                await asyncio.sleep(0.05)
            stop.set()


def _active(connection: Any) -> int:
    return len(connection.execute(select(FeedRun.id).where(FeedRun.state.in_(ACTIVE))).all())


# -- services, queue, the push itself --------------------------------------------------------------------------


def calls(core: Core, world: Standing) -> Iterator[Callable[[], Any]]:
    """Every function of services and runner that could lead to a write, as a face would call it."""
    now = core.clock.now()
    for trigger in ("person", "event", "schedule"):
        for params in ({}, {"all": True}, {"skus": ["SKU-0014"]}, {"changeset": world.plans["approved"]}):
            yield lambda p=params, t=trigger: feeds.request_feed(
                core, CODE, "export_stock", actor=ACTOR, params=p, trigger=t
            )
            yield lambda p=params, t=trigger: core.database.write_now(
                lambda c: queue.request_run(
                    c,
                    shop_id=find_shop(c, CODE).id,
                    feed="export_stock",
                    actor=ACTOR,
                    trigger=t,
                    now=now,
                    params={**p, "forced": True},
                    force=True,
                )
            )
    yield lambda: feeds.schedule_feed(core, CODE, "export_stock", "every 1 min", actor=ACTOR)
    for plan in world.plans.values():
        yield lambda p=plan: changesets.approve(core, p, actor=ACTOR)
        yield lambda p=plan: changesets.release(core, p, confirm=NAME, reason="now", actor=ACTOR)
        yield lambda p=plan: changesets.plan_undo(core, p, actor=ACTOR)
        yield lambda p=plan: changesets.request_apply(core, p, actor=ACTOR)
    yield lambda: modes.change_mode(core, CODE, "live", actor=ACTOR, confirm="Garn", waive={"skus": "x"})


async def stale(core: Core, world: Standing) -> list[Coroutine[Any, Any, Any]]:
    """The push called below every check of the feeds, with a shop record that still says live."""

    async def commit(store: Callable[[Any], Any], **_: Any) -> Any:
        return await core.database.write(store)

    def look(connection: Any) -> ShopRecord:
        return find_shop(connection, CODE)

    record = replace(await core.database.read(look), mode=ShopMode.LIVE, paused=False)
    client = core.client(record, await core.database.read(lambda c: core.key(c, record)))
    found = []
    for number, plan in enumerate(world.plans.values()):
        view = RunView(
            id=number + 900, feed="export_stock", params={"changeset": plan}, checkpoint={}, plan_only=False,
            actor=ACTOR, trigger="person", attempt=1,
        )  # fmt: skip
        context = FeedContext(core=core, shop=record, client=client, run=view, commit=commit)
        found += [FEEDS["export_stock"].run(context), Applying(core, record, client, commit, view.id).apply(plan)]
        found.append(FEEDS["export_stock"].run(replace(context, run=replace(view, params={"all": True}))))
    found.append(client.aclose())
    return found


async def knock(world: Standing, folder: Path) -> int:
    """Try every call; gives how many were refused in words. Anything but a refusal in words is a failure."""
    refused = 0
    with opened(folder) as core:
        for call in calls(core, world):
            try:
                call()
            except PrestaConsoleError:
                refused += 1
        for work in await stale(core, world):
            try:
                await work
            except PrestaConsoleError:
                refused += 1
        core.database.write_now(lambda c: forge_rows(c, world.plans))
    await work_until_idle(folder, seconds=2.0)
    return refused


@silent_modes
def test_no_service_no_queue_and_no_row_by_hand_writes_to_a_shop_that_is_not_live(
    world: Standing, tmp_path: Path, mode: ShopMode, paused: bool
) -> None:
    folder = tmp_path / "data"
    world.copy(folder, mode, paused=paused)
    with opened(folder) as core:
        assert marked(core) > 0
    assert asyncio.run(knock(world, folder)) > 10
    assert_silent(world, folder, mode)


# -- the daemon ------------------------------------------------------------------------------------------------


@silent_modes
@pytest.mark.slow
def test_no_daemon_writes_to_a_shop_that_is_not_live_whatever_is_due(
    world: Standing, program: Program, mode: ShopMode, paused: bool
) -> None:
    world.copy(program.folder, mode, paused=paused)
    with opened(program.folder) as core:
        forged = core.database.write_now(lambda c: forge_rows(c, world.plans))
    log = run_daemon_until_idle(program.folder, seconds=4.0 if paused else PATIENCE)
    assert "The daemon has ended" in log
    with opened(program.folder) as core:
        ended = core.database.read_now(
            lambda c: {row.id: row.state for row in c.execute(select(FeedRun.id, FeedRun.state))}
        )
    if not paused:
        assert {ended[run] for run in forged}.isdisjoint(ACTIVE), log
    assert len(ended) > len(forged) or mode is ShopMode.DRAFT or paused, "no schedule was looked at"
    assert_silent(world, program.folder, mode)


def run_daemon_until_idle(folder: Path, *, seconds: float) -> str:
    """A real daemon over the folder until no run is left that may start; gives its log."""
    log = folder.parent / "daemon.log"
    environment = {**os.environ, "PRESTACONSOLE_LOG_LEVEL": "debug"}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "prestaconsole", "daemon"], env=environment, stdout=stream, stderr=stream
        )
        try:
            end, quiet = time.monotonic() + seconds, 0
            with opened(folder) as core:
                while time.monotonic() < end and quiet < 10 and process.poll() is None:
                    time.sleep(0.1)
                    ready = b"The daemon is ready" in log.read_bytes()
                    quiet = quiet + 1 if ready and not core.database.read_now(_active) else 0
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0, log.read_text(encoding="utf-8")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(5)
    return log.read_text(encoding="utf-8")


# -- that these tests can fail ---------------------------------------------------------------------------------


def test_the_same_stock_is_written_once_the_shop_is_live(world: Standing, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    world.copy(folder, ShopMode.LIVE)
    with opened(folder) as core:
        wanted = differing(core)
        assert len(wanted) >= 5
        core.database.write_now(lambda c: forge_rows(c, world.plans))
    asyncio.run(work_until_idle(folder, seconds=10.0))
    assert {one.method for one in world.writes()} == {"PUT"}
    assert world.differing() != []


@pytest.mark.slow
def test_a_gate_that_stood_open_would_be_noticed(
    world: Standing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prestaconsole.changes.gate.require_live", lambda *_: None)
    monkeypatch.setattr("prestaconsole.changes.apply.require_live", lambda *_: None)
    world.copy(tmp_path / "data", ShopMode.FROZEN)
    asyncio.run(knock(world, tmp_path / "data"))
    assert {one.method for one in world.writes()} == {"PUT"}
