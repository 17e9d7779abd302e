"""`prestaconsole feed log RUN -f` as a process: another process's run, plain lines, JSON lines, Ctrl-C; and counts."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prestaconsole.cli.progress import COUNTED, count_words
from prestaconsole.database import Database
from prestaconsole.model import RunState
from tests.cli.conftest import Program
from tests.support.daemons import TroubledDaemon, ask, record, until
from tests.support.program import ROOT, program
from tests.support.runs import add_shop, make_effects

OWN = {"gone", "set", "compared", "drift", "missing", "planned", "confirmed", "imported", "done", "incomplete"}


def heed_ctrl_c() -> None:
    """Who starts the tests in the background has them ignore SIGINT, and what they start, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []

    def starter(run: int, *options: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "prestaconsole", "feed", "log", str(run), "-f", *options]
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        own = {"env": program(tmp_path).environment, "cwd": ROOT, "preexec_fn": heed_ctrl_c}
        started.append(subprocess.Popen(command, text=True, **pipe, **own))  # type: ignore[call-overload]  # options
        return started[-1]

    yield starter
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def at_work(sqlite_database: Database, tmp_path: Path) -> Iterator[tuple[TroubledDaemon, int]]:
    """A run that another process does, waiting behind its third page."""
    make_effects(sqlite_database)
    run_id = ask(sqlite_database, add_shop(sqlite_database).id)
    (tmp_path / "gate").write_text("3")
    daemon = TroubledDaemon(str(sqlite_database.url), tmp_path)
    try:
        until(lambda: record(sqlite_database, run_id).done == 3)
        yield daemon, run_id
    finally:
        daemon.close()


def test_a_run_of_another_process_is_followed_line_by_line_to_its_end(
    at_work: tuple[TroubledDaemon, int], follow: Callable[..., "subprocess.Popen[str]"]
) -> None:
    daemon, run_id = at_work
    plain, as_json = follow(run_id), follow(run_id, "--json")
    assert plain.stdout is not None and as_json.stdout is not None
    # It stands there while the run is still at work: nothing waits in a buffer.
    assert "Started for Zofia." in plain.stdout.readline()
    first = json.loads(as_json.stdout.readline())
    assert (first["seq"], first["text"]) == (1, "Started for Zofia.")
    assert plain.poll() is None
    daemon.switch("gate", None)
    out, err = plain.communicate(timeout=60)
    assert plain.returncode == 0
    assert "Done" in out.splitlines()[-1]
    assert "paged run 1 done: 30 seen" in err
    assert "\x1b" not in out + err
    assert "\r" not in out + err
    lines = [json.loads(line) for line in as_json.communicate(timeout=60)[0].splitlines()]
    assert as_json.returncode == 0
    assert [line["seq"] for line in [first, *lines[:-1]]] == list(range(1, len(lines) + 1))
    assert (lines[-1]["run"], lines[-1]["state"], lines[-1]["counts"]) == (run_id, "done", {"seen": 30})


def test_ctrl_c_ends_the_following_and_not_the_run(
    at_work: tuple[TroubledDaemon, int], follow: Callable[..., "subprocess.Popen[str]"], sqlite_database: Database
) -> None:
    daemon, run_id = at_work
    following = follow(run_id)
    assert following.stdout is not None
    following.stdout.readline()
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=60)
    assert following.returncode == 130
    assert "No longer followed. Run 1 goes on" in err
    assert "Traceback" not in err
    daemon.switch("gate", None)
    until(lambda: record(sqlite_database, run_id).state is RunState.DONE)


def test_counts_come_in_one_order_with_the_feeds_own_words_behind() -> None:
    assert count_words({"gone": 2, "failed": 1, "new": 3, "seen": 9}) == "9 seen, 3 new, 1 failed, 2 gone"
    assert count_words({"drift": 0, "seen": 4}) == "4 seen"
    assert count_words({"compared": 0, "drift": 0}) == "0 compared, 0 drift"
    assert count_words({}) == ""


def test_every_feed_that_reads_says_what_it_saw_in_the_same_words(read: Program) -> None:
    runs: list[dict[str, Any]] = read.json("feed", "runs", "wolle")
    assert {run["feed"] for run in runs} >= {"analyse", "import_products", "import_orders"}
    for run in runs:
        assert set(run["counts"]) <= {*COUNTED, *OWN}, run
        assert run["feed"] == "retry_orders" or run["counts"]["seen"] > 0, run
    table = read("feed", "runs", "wolle").out
    for run in runs:
        assert count_words(run["counts"]) in table
        assert count_words(run["counts"]) in read("feed", "log", run["run"]).err
