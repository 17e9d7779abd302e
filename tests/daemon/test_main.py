"""The daemon as a process: ready, healthy, drained by a signal, and refusing where it must not run."""

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from prestaconsole.clock import SystemClock
from prestaconsole.daemon import run_daemon
from prestaconsole.daemon.main import DaemonError
from prestaconsole.database import Database, DatabaseError
from prestaconsole.model import Runner, RunState
from tests.support.daemons import ask, free_port, record, until
from tests.support.runs import add_shop, effects, make_core, make_effects
from tests.support.workers import PAGES, Process


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def starter(kind: str = "daemon", **more: Any) -> Process:
        started.append(Process(kind, database_url, tmp_path, **more))
        return started[-1]

    yield starter
    for process in started:
        process.close()


def get(address: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://{address}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_page_end_gives_the_run_back_and_ends_with_0(
    database: Database, start: Callable[..., Process], number: int
) -> None:
    make_effects(database)
    run_id = ask(database, add_shop(database).id)
    daemon = start(pause=0.05)
    until(lambda: record(database, run_id).done >= 3)
    daemon.send(number)
    assert daemon.wait(40) == 0, daemon.said()
    found = record(database, run_id)
    assert (found.state, found.owner) == (RunState.QUEUED, None)
    assert effects(database) == list(range(1, found.done + 1))
    assert found.done < PAGES
    stopped = database.read_now(lambda c: c.execute(select(Runner.stopped_at)).scalar_one())
    assert stopped is not None
    assert "runs end their page" in daemon.said()


@pytest.mark.slow
def test_the_next_daemon_goes_on_where_the_last_one_stopped(database: Database, start: Callable[..., Process]) -> None:
    make_effects(database)
    run_id = ask(database, add_shop(database).id)
    first = start(pause=0.02)
    until(lambda: record(database, run_id).done >= 3)
    first.send(signal.SIGTERM)
    assert first.wait(40) == 0, first.said()
    start(pause=0.0)
    until(lambda: record(database, run_id).state is RunState.DONE)
    assert effects(database) == list(range(1, PAGES + 1))


@pytest.mark.slow
def test_sighup_changes_nothing(database: Database, start: Callable[..., Process]) -> None:
    make_effects(database)
    run_id = ask(database, add_shop(database).id)
    daemon = start()
    until(lambda: record(database, run_id).done >= 1)
    daemon.send(signal.SIGHUP)
    until(lambda: record(database, run_id).state is RunState.DONE)
    assert "SIGHUP" in daemon.said()


def test_the_page_on_loopback_says_alive_and_ready(database: Database, start: Callable[..., Process]) -> None:
    port = free_port()
    daemon = start(daemon_port=port)
    until(lambda: "is ready" in daemon.said())
    status, body = get(f"127.0.0.1:{port}/healthz")
    assert (status, body["status"], body["loop"]) == (200, "ok", "turning")
    status, body = get(f"127.0.0.1:{port}/readyz")
    assert (status, body["database"], body["runner"]) == (200, True, True)
    database.write_now(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    status, body = get(f"127.0.0.1:{port}/readyz")
    assert (status, body["database"]) == (503, False)


@pytest.mark.slow
def test_a_port_in_use_costs_the_page_and_not_the_daemon(database: Database, start: Callable[..., Process]) -> None:
    make_effects(database)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        daemon = start(daemon_port=holder.getsockname()[1], pause=0.0)
        run_id = ask(database, add_shop(database).id)
        until(lambda: record(database, run_id).state is RunState.DONE)
    assert "PRESTACONSOLE_DAEMON_PORT" in daemon.said()


def test_systemd_is_told_ready_alive_and_stopping(
    database: Database, start: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        path = f"/tmp/notify-{os.getpid()}-{time.monotonic_ns()}"
        listener.bind(path)
        listener.settimeout(15)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        try:
            daemon = start()
            assert listener.recv(500).startswith(b"READY=1")
            assert listener.recv(500).startswith(b"WATCHDOG=1")
            daemon.send(signal.SIGTERM)
            heard = [listener.recv(500)]
            while not heard[-1].startswith(b"STOPPING=1"):
                heard.append(listener.recv(500))
            assert daemon.wait(40) == 0
        finally:
            Path(path).unlink()


def test_a_database_newer_than_the_program_is_refused(database: Database, tmp_path: Path) -> None:
    database.write_now(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(DatabaseError, match="newer than this program"):
        run_daemon(make_core(database, tmp_path))


def test_an_empty_database_names_the_command_that_makes_it(empty_database: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="older") as refused:
        run_daemon(make_core(empty_database, tmp_path))
    assert "db upgrade" in refused.value.remedy


def test_a_second_machine_on_one_sqlite_file_is_refused_while_the_first_lives(
    sqlite_database: Database, tmp_path: Path
) -> None:
    now = SystemClock().now()
    entry = {"kind": "daemon", "host": "other.example", "pid": 7, "started_at": now, "heartbeat": now}
    sqlite_database.write_now(lambda c: c.execute(insert(Runner).values(**entry)))
    core = make_core(sqlite_database, tmp_path, stale_seconds=30.0)
    with pytest.raises(DaemonError, match=r"other\.example") as refused:
        run_daemon(core)
    assert "PostgreSQL" in refused.value.remedy


def test_a_second_machine_that_went_silent_does_not_count(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = SystemClock().now() - timedelta(minutes=5)
    entry = {"kind": "daemon", "host": "other.example", "pid": 7, "started_at": old, "heartbeat": old}
    sqlite_database.write_now(lambda c: c.execute(insert(Runner).values(**entry)))
    served: list[bool] = []

    async def work(self: object, make: bool) -> None:
        served.append(make)

    monkeypatch.setattr("prestaconsole.daemon.main.Daemon._work", work)
    monkeypatch.setattr("prestaconsole.daemon.main.configure_logs", lambda level: None)
    assert run_daemon(make_core(sqlite_database, tmp_path)) == 0
    assert served == [False]
