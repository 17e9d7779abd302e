"""The machine under the daemon fails: full disk, locked database, wrong clock, log, names. Nothing is lost."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from prestaconsole.clock import SystemClock
from prestaconsole.database import Database
from prestaconsole.model import FeedRun, FeedSchedule, Incident, RunState
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import log_lines
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from tests.support.daemons import PAGES, TroubledDaemon, ask, record, stops, until
from tests.support.databases import Makers
from tests.support.program import ROOT, Program, program
from tests.support.runs import VAULT_KEY, add_shop, effects, feed, make_effects

pytestmark = pytest.mark.slow
ONCE = list(range(1, PAGES + 1))
HOUR = 3600.0


def ends_well(database: Database, run_id: int) -> None:
    until(lambda: record(database, run_id).state is RunState.DONE)
    assert effects(database) == ONCE
    assert record(database, run_id).counts == {"seen": PAGES}


# -- the disk ---------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_waited_out_and_no_page_is_lost(
    sqlite_database: Database, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    make_effects(sqlite_database)
    run_id = ask(sqlite_database, add_shop(sqlite_database).id)
    (tmp_path / "gate").write_text("5")
    daemon = start_daemon(str(sqlite_database.url), tmp_path)
    until(lambda: record(sqlite_database, run_id).done == 5)
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    # Every file it writes may have one byte: its database and its log are both full.
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, hard))
    daemon.switch("gate", str(PAGES))
    until(lambda: daemon.systemd.said("Waiting for the database"))
    assert daemon.systemd.said("The disk of the database is full.")
    heard = len(daemon.systemd.heard)
    until(lambda: daemon.systemd.fed(heard) > 2)
    assert daemon.alive()
    assert effects(sqlite_database) == ONCE[:5]
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (soft, hard))
    ends_well(sqlite_database, run_id)
    heard = len(daemon.systemd.heard)
    until(lambda: daemon.systemd.said("At work", heard))
    stops(daemon)
    assert "lines of this log were lost" in daemon.said()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_without_a_free_byte_is_waited_out_too(
    small_disk: Path,
    database_makers: Makers,
    start_daemon: Callable[..., TroubledDaemon],
    open_database: Callable[..., Any],
) -> None:
    url = database_makers.sqlite(small_disk / "prestaconsole.sqlite3")
    database = open_database(url)
    make_effects(database)
    run_id = ask(database, add_shop(database).id)
    (small_disk / "gate").write_text("5")
    daemon = start_daemon(url, small_disk)
    until(lambda: record(database, run_id).done == 5)
    (small_disk / "gate").unlink()
    (small_disk / "still").touch()
    with (small_disk / "filler").open("wb") as filler:
        try:
            while True:
                os.write(filler.fileno(), bytes(4096))
        except OSError:
            pass
    (small_disk / "still").unlink()
    until(lambda: daemon.systemd.said("The disk of the database is full."))
    assert daemon.alive()
    (small_disk / "filler").unlink()
    ends_well(database, run_id)
    stops(daemon)


# -- the lock ---------------------------------------------------------------------------------------------------------


def _while_locked(
    database: Database, daemon: TroubledDaemon, run_id: int, holding: Callable[[], None], gate: Path
) -> None:
    until(lambda: record(database, run_id).done == 5)
    other = sqlite3.connect(str(database.url.database), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        gate.write_text(str(PAGES))
        holding()
        assert daemon.alive()
        other.execute("ROLLBACK")
    finally:
        other.close()
    ends_well(database, run_id)
    assert daemon.systemd.fed()
    assert not daemon.systemd.said("HUNG")
    stops(daemon)


def test_a_database_that_another_process_locks_is_waited_out(
    sqlite_database: Database, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    make_effects(sqlite_database)
    run_id = ask(sqlite_database, add_shop(sqlite_database).id)
    gate = tmp_path / "gate"
    gate.write_text("5")
    daemon = start_daemon(str(sqlite_database.url), tmp_path, busy_ms=200)

    def holding() -> None:
        until(lambda: daemon.systemd.said("Waiting for the database"))
        assert daemon.systemd.said("The database was busy")

    _while_locked(sqlite_database, daemon, run_id, holding, gate)
    assert "The database answers again." in daemon.said()


def test_thirty_seconds_under_a_lock_with_the_real_patience(
    sqlite_database: Database, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    make_effects(sqlite_database)
    run_id = ask(sqlite_database, add_shop(sqlite_database).id)
    gate = tmp_path / "gate"
    gate.write_text("5")
    daemon = start_daemon(str(sqlite_database.url), tmp_path, heartbeat_seconds=5.0, stale_seconds=15.0)
    _while_locked(sqlite_database, daemon, run_id, lambda: threading.Event().wait(30) and None, gate)


# -- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["ahead", "back"])
def test_a_clock_that_jumps_an_hour_costs_no_page_and_no_hour(
    database: Database, database_url: str, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon], jump: float
) -> None:
    make_effects(database)
    shop = add_shop(database)
    run_id = ask(database, shop.id)
    (tmp_path / "gate").write_text("5")
    daemon = start_daemon(database_url, tmp_path)
    until(lambda: record(database, run_id).done == 5)
    daemon.ready()
    now = SystemClock().now()
    row = {"shop_id": shop.id, "feed": "paged", "every": "every 1 min", "zone": "UTC", "updated_by": "Zofia"}
    coming = {"next_due": now + timedelta(seconds=50), "updated_at": now}
    database.write_now(lambda c: c.execute(insert(FeedSchedule).values(**row, **coming)))
    daemon.switch("clock", str(jump))
    until(lambda: "The clock jumped by" in daemon.said())
    daemon.switch("gate", str(PAGES))
    ends_well(database, run_id) if jump < 0 else until(lambda: effects(database)[:PAGES] == ONCE)
    due = database.read_now(lambda c: c.execute(select(FeedSchedule.next_due)).scalar_one())
    wrong = SystemClock().now() + timedelta(seconds=jump)
    assert due is not None
    # Ahead: it fired at once and stands a minute on; back: it does not wait for the hour to come again.
    assert due - wrong <= timedelta(seconds=61)
    stops(daemon)


def test_the_clock_comes_back_and_a_run_asked_for_meanwhile_still_starts(
    sqlite_database: Database, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    make_effects(sqlite_database)
    shop = add_shop(sqlite_database)
    (tmp_path / "clock").write_text(str(HOUR))
    (tmp_path / "still").touch()
    daemon = start_daemon(str(sqlite_database.url), tmp_path)
    daemon.ready()
    ahead = SystemClock().now() + timedelta(seconds=HOUR)
    with feed("paged"):
        first = sqlite_database.write_now(
            lambda c: request_run(c, shop_id=shop.id, feed="paged", actor="Zofia", trigger="person", now=ahead).run_id
        )
    until(lambda: record(sqlite_database, first).state is RunState.RUNNING)
    sqlite_database.write_now(
        lambda c: c.execute(
            insert(FeedRun).values(
                shop_id=shop.id,
                feed="paged",
                serial_key=f"{shop.id}:paged:two",
                active_key=f"{shop.id}:paged:two",
                due=ahead + timedelta(seconds=60),
                created_at=ahead,
                actor="Zofia",
                state=RunState.QUEUED,
            )
        )
    )
    daemon.switch("clock", "0")
    until(lambda: "The clock jumped by" in daemon.said())
    daemon.switch("still", None)
    until(lambda: record(sqlite_database, first).state is RunState.DONE)
    until(lambda: record(sqlite_database, first + 1).state is RunState.DONE)
    assert sorted(effects(sqlite_database)) == sorted(2 * ONCE)
    stops(daemon)


# -- the log ----------------------------------------------------------------------------------------------------------


def test_a_log_that_nobody_reads_holds_up_nothing(
    sqlite_database: Database, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    make_effects(sqlite_database)
    run_id = ask(sqlite_database, add_shop(sqlite_database).id)
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, bytes(4096))
        except BlockingIOError:
            os.set_blocking(writing, True)
        daemon = start_daemon(str(sqlite_database.url), tmp_path, stderr=writing, log_level="debug")
        ends_well(sqlite_database, run_id)
        daemon.send(signal.SIGHUP)
        stops(daemon)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_log_whose_reader_went_away_costs_its_lines_only(
    sqlite_database: Database, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    make_effects(sqlite_database)
    run_id = ask(sqlite_database, add_shop(sqlite_database).id)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        daemon = start_daemon(str(sqlite_database.url), tmp_path, stderr=writing)
        ends_well(sqlite_database, run_id)
        stops(daemon)
    finally:
        os.close(writing)


def test_a_daemon_without_any_standard_stream_writes_nothing_into_its_database(
    sqlite_database: Database, tmp_path: Path
) -> None:
    make_effects(sqlite_database)
    run_id = ask(sqlite_database, add_shop(sqlite_database).id)
    environment = {
        **os.environ,
        "TEST_URL": str(sqlite_database.url),
        "TEST_FOLDER": str(tmp_path),
        "TEST_OPTIONS": '{"log_level": "debug"}',
    }
    with subprocess.Popen(
        ["/bin/sh", "-c", f'exec "{sys.executable}" -m tests.support.daemons <&- >&- 2>&-'], env=environment, cwd=ROOT
    ) as daemon:
        try:
            ends_well(sqlite_database, run_id)
            daemon.terminate()
            assert daemon.wait(30) == 0
        finally:
            daemon.kill()
    found = sqlite3.connect(str(sqlite_database.url.database))
    try:
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        found.close()


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_shops(tmp_path: Path) -> Iterator[tuple[Program, Database]]:
    """A shop that answers and one whose name nobody knows any more."""
    import base64

    key = base64.b64encode(VAULT_KEY).decode()
    patient = {"heartbeat_seconds": "2", "stale_seconds": "30"}
    run = program(tmp_path / "data", vault_key=key, request_timeout="3", **patient)
    with SandboxServer(SimulatedShop.generate(products=8, orders=4)) as server:
        run.add_shop("Wolle", server.url)
        database = Database(f"sqlite:///{tmp_path / 'data' / 'prestaconsole.sqlite3'}")
        add_shop(database, "gone", base_url="http://gone.invalid/")
        try:
            yield run, database
        finally:
            database.close()


def test_a_shop_without_a_name_in_dns_is_tried_again_and_the_others_go_on(
    two_shops: tuple[Program, Database], tmp_path: Path
) -> None:
    run, database = two_shops
    gone = run.json("feed", "run", "gone", "analyse")["run"]
    well = run.json("feed", "run", "wolle", "analyse")["run"]
    with (tmp_path / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "prestaconsole", "daemon"], env=run.environment, cwd=ROOT, stderr=log
        )
    try:
        until(lambda: record(database, well).state is RunState.DONE)
        until(lambda: record(database, gone).error_kind == "dns")
        found = record(database, gone)
        assert found.state is RunState.QUEUED
        assert found.progress_at is not None
        assert found.due - found.progress_at >= timedelta(seconds=15)
        lines = [line.text for line in database.read_now(lambda c: log_lines(c, gone))]
        assert any(line.startswith("Try 1 of 5 failed: The name of the shop's host is not known") for line in lines), (
            lines
        )
        assert daemon.poll() is None
        daemon.terminate()
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
        daemon.wait()
    # One bad moment is no incident yet: the run has more tries.
    assert database.read_now(lambda c: c.execute(select(Incident.id)).all()) == []
