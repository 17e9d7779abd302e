"""One SIGKILL in the middle of a run, so that `make test` sees it too; tests/runner/test_kills.py does it by tens."""

import signal
from functools import partial

from prestaconsole.database import Database
from prestaconsole.model import RunState
from tests.runner.test_kills import ALLOWED, LEASE, Pack, ask, goes_on, pack, record, taken_from, until
from tests.support.runs import effects
from tests.support.workers import PAGES

__all__ = ["pack"]


def test_a_killed_daemon_is_followed_by_another_at_its_page(database: Database, pack: Pack) -> None:
    run_id = ask(database)
    pack.let_go_to(0)
    pack.start(pause=0.0)
    pack.start(pause=0.0)
    pack.let_go_to(20)
    goes_on(database, run_id)
    before = record(database, run_id)
    pack.owner_of(before).send(signal.SIGKILL)
    assert until(partial(taken_from, database, before)) < LEASE + ALLOWED
    pack.let_go_to(PAGES)
    until(lambda: record(database, run_id).state is RunState.DONE)
    assert effects(database) == list(range(1, PAGES + 1))
