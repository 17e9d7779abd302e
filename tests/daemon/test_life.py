"""The daemon's life as systemd and a sysadmin see it: waiting, refusing, hanging, draining, hurried, read by curl."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as read_text
from sqlalchemy import insert

from prestaconsole.clock import SystemClock
from prestaconsole.database import Database
from prestaconsole.model import Runner, RunState
from prestaconsole.runner.records import load_run, log_lines
from tests.support.daemons import PAGES, TroubledDaemon, ask, free_port, record, until
from tests.support.databases import Makers
from tests.support.program import ROOT, program
from tests.support.runs import add_shop, effects, make_effects


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


# -- progress, not the process ----------------------------------------------------------------------------------------


def test_a_blocked_writer_starves_the_watchdog_and_shows_everywhere(
    sqlite_database: Database, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    make_effects(sqlite_database)
    run_id = ask(sqlite_database, add_shop(sqlite_database).id)
    port = free_port()
    daemon = start_daemon(str(sqlite_database.url), tmp_path, hung_after=2.0, daemon_port=port)
    daemon.switch("still")
    daemon.ready()
    until(lambda: record(sqlite_database, run_id).state is RunState.RUNNING)
    until(lambda: daemon.systemd.fed())
    daemon.switch("block")
    daemon.switch("still", None)
    until(lambda: daemon.systemd.said("HUNG"))
    # The loop turns and answers, and yet systemd would restart it.
    heard = len(daemon.systemd.heard)
    until(lambda: len(daemon.systemd.heard) > heard + 3)
    assert daemon.systemd.fed(heard) == 0
    status, body = get(port, "/healthz")
    assert (status, json.loads(body)["loop"]) == (503, "hung")
    # Whichever wanted the writer first: the heartbeat, or the turn that sweeps the lease it could not renew.
    assert "neither ended nor failed" in json.loads(body)["reason"]
    _, text = get(port, "/metrics")
    states = {family.name: family for family in read_text(text)}["prestaconsole_daemon_state"]
    assert {sample.labels["state"]: sample.value for sample in states.samples}["hung"] == 1
    # Neither the drain nor hurrying helps against a thread that never returns; a third word ends it.
    for words in ("runs end their page", "cut off"):
        daemon.send(signal.SIGTERM)
        until(lambda words=words: words in daemon.said())
    daemon.send(signal.SIGTERM)
    assert daemon.wait() == 1
    daemon.switch("block", None)
    again = start_daemon(str(sqlite_database.url), tmp_path)
    until(lambda: record(sqlite_database, run_id).state is RunState.DONE)
    assert effects(sqlite_database) == list(range(1, PAGES + 1))
    again.send(signal.SIGTERM)
    assert again.wait() == 0


def test_a_run_that_stores_no_page_for_too_long_starves_the_watchdog(
    sqlite_database: Database, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    make_effects(sqlite_database)
    run_id = ask(sqlite_database, add_shop(sqlite_database).id)
    (tmp_path / "gate").write_text("3")
    daemon = start_daemon(str(sqlite_database.url), tmp_path, stuck_after=1.0)
    until(lambda: daemon.systemd.said(f"run {run_id} (paged) has stored no page"))
    daemon.switch("gate", None)
    until(lambda: record(sqlite_database, run_id).state is RunState.DONE)
    heard = len(daemon.systemd.heard)
    until(lambda: daemon.systemd.fed(heard))
    daemon.send(signal.SIGTERM)
    assert daemon.wait() == 0


# -- a database that is away at the start -----------------------------------------------------------------------------


def test_an_absent_database_is_waited_for_and_shown(
    tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql+psycopg://prestaconsole@127.0.0.1:{nobody.getsockname()[1]}/none"
        port = free_port()
        daemon = start_daemon(url, tmp_path, daemon_port=port)
        until(lambda: daemon.systemd.said("Waiting for the database: The database server cannot be reached"))
        assert daemon.systemd.said("EXTEND_TIMEOUT_USEC=")
        until(lambda: _answers(port))
        status, body = get(port, "/readyz")
        assert (status, json.loads(body)["database"], json.loads(body)["runner"]) == (503, False, False)
        status, body = get(port, "/healthz")
        assert (status, json.loads(body)["loop"]) == (200, "waiting")
        assert not daemon.systemd.said("READY=1")
        daemon.send(signal.SIGTERM)
        assert daemon.wait() == 0, daemon.said()


def _answers(port: int) -> bool:
    try:
        get(port, "/healthz")
    except OSError:
        return False
    return True


# -- what it refuses --------------------------------------------------------------------------------------------------


def _daemon(folder: Path, *prelude: str) -> "subprocess.CompletedProcess[str]":
    code = ["import sys", *prelude, "from prestaconsole.cli.app import run", "sys.exit(run(['daemon']))"]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(code)],
        env=program(folder).environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_newer_database_ends_the_command_and_stays_as_it_is(tmp_path: Path, database_makers: Makers) -> None:
    path = tmp_path / "prestaconsole.sqlite3"
    database_makers.sqlite(path)
    _set_revision(path, "9999")
    ended = _daemon(tmp_path)
    assert ended.returncode == 1
    assert "newer than this program (revision 9999)" in ended.stderr
    assert "Install the newer PrestaConsole" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_older_database_names_the_command_and_is_not_migrated(tmp_path: Path, database_makers: Makers) -> None:
    path = tmp_path / "prestaconsole.sqlite3"
    database_makers.sqlite(path)
    following = (
        "from prestaconsole.database import migrations",
        "known = dict(migrations.revisions())",
        "known['later'] = migrations.head()",
        "migrations.revisions = lambda: known",
    )
    ended = _daemon(tmp_path, *following)
    assert ended.returncode == 1
    assert "older than this program" in ended.stderr
    assert "`prestaconsole db upgrade`" in ended.stderr


def test_a_second_machine_on_sqlite_is_refused_by_the_command(tmp_path: Path, database_makers: Makers) -> None:
    database = Database(database_makers.sqlite(tmp_path / "prestaconsole.sqlite3"))
    try:
        # A little ahead, so that a slow start does not outlive it.
        now = SystemClock().now() + timedelta(seconds=60)
        row = {"kind": "daemon", "host": "other.example", "pid": 7, "started_at": now, "heartbeat": now}
        database.write_now(lambda c: c.execute(insert(Runner).values(**row)))
    finally:
        database.close()
    ended = _daemon(tmp_path)
    assert ended.returncode == 1
    assert "other.example" in ended.stderr
    assert "PostgreSQL" in ended.stderr


def _set_revision(path: Path, revision: str) -> None:
    connection = sqlite3.connect(path)
    try:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()
    finally:
        connection.close()


# -- the end ----------------------------------------------------------------------------------------------------------


def test_a_second_signal_cuts_runs_off_and_gives_them_back(
    database: Database, database_url: str, tmp_path: Path, start_daemon: Callable[..., TroubledDaemon]
) -> None:
    make_effects(database)
    run_id = ask(database, add_shop(database).id)
    (tmp_path / "gate").write_text("3")
    daemon = start_daemon(database_url, tmp_path, drain_seconds=600.0)
    until(lambda: record(database, run_id).done == 3)
    daemon.ready()
    daemon.send(signal.SIGTERM)
    until(lambda: daemon.systemd.said("STOPPING=1"))
    assert daemon.alive()
    daemon.send(signal.SIGTERM)
    assert daemon.wait() == 0, daemon.said()
    found = database.read_now(lambda c: load_run(c, run_id))
    assert (found.state, found.owner, found.done) == (RunState.QUEUED, None, 3)
    lines = [line.text for line in database.read_now(lambda c: log_lines(c, run_id))]
    assert any("Cut off at the end of its process" in line for line in lines)
    assert effects(database) == [1, 2, 3]
