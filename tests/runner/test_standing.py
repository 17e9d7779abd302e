"""How a daemon stands by what it last wrote: alive, silent, stuck, or gone in good order."""

from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from prestaconsole.database import Database
from prestaconsole.model import Runner
from prestaconsole.runner.standing import DaemonSeen, last_daemon
from tests.support.runs import START

STALE = timedelta(seconds=15)


def runner(database: Database, beat: int, **values: Any) -> None:
    """A daemon that began at START and reported ``beat`` seconds later."""
    row = {"kind": "daemon", "host": "host-1", "pid": 1, "started_at": START, "version": ""}
    row |= {"heartbeat": START + timedelta(seconds=beat)} | values
    database.write_now(lambda c: c.execute(insert(Runner).values(**row)))


def seen(database: Database) -> DaemonSeen | None:
    return database.read_now(last_daemon)


def test_the_last_one_counts_and_consoles_do_not(database: Database) -> None:
    assert seen(database) is None
    runner(database, 5, kind="console")
    assert seen(database) is None
    runner(database, 10, host="first")
    runner(database, 90, host="second")
    found = seen(database)
    assert found is not None and found.host == "second"
    assert found.alive(START + timedelta(seconds=105), STALE)
    assert not found.alive(START + timedelta(seconds=106), STALE)


def test_one_that_ended_in_good_order_is_not_missed(database: Database) -> None:
    runner(database, 10, stopped_at=START + timedelta(seconds=11))
    assert seen(database) is None


def test_one_that_was_killed_is_forgotten_once_a_later_one_ended_in_good_order(database: Database) -> None:
    runner(database, 10)
    assert seen(database) is not None
    later = START + timedelta(hours=1)
    runner(database, 3700, started_at=later, stopped_at=later + timedelta(seconds=200))
    assert seen(database) is None


def test_one_of_two_that_ends_does_not_hide_the_other(database: Database) -> None:
    runner(database, 100)
    runner(database, 102, stopped_at=START + timedelta(seconds=103))
    assert seen(database) is not None


def test_one_that_reports_but_does_nothing_is_stuck_since_it_last_did(database: Database) -> None:
    runner(database, 600, progress_at=START + timedelta(seconds=530))
    found = seen(database)
    assert found is not None and found.stuck and found.last_good_at == START + timedelta(seconds=530)
    assert not found.alive(START + timedelta(seconds=601), STALE)


def test_one_that_looked_a_moment_ago_is_not_stuck(database: Database) -> None:
    runner(database, 600, progress_at=START + timedelta(seconds=595))
    found = seen(database)
    assert found is not None and not found.stuck and found.last_good_at == START + timedelta(seconds=600)
