"""How long a failed run waits, and which incident it belongs to."""

from datetime import timedelta
from itertools import pairwise

from sqlalchemy import select

from prestaconsole.database import Database
from prestaconsole.feeds.context import Outcome
from prestaconsole.model import FeedState, Incident, RunState
from prestaconsole.runner import endings, reporting
from prestaconsole.runner.claims import Claim, claim_next
from prestaconsole.runner.queue import cancel_run, request_run
from prestaconsole.runner.records import load_run
from prestaconsole.webservice.errors import WebserviceError
from tests.support.runs import START, add_shop, feed


def claimed(database: Database, shop_id: int, name: str = "paged") -> Claim:
    def work(connection: object) -> Claim:
        request_run(connection, shop_id=shop_id, feed=name, actor="x", trigger="person", now=START)  # type: ignore[arg-type]
        taken = claim_next(connection, owner=1, now=START, slots=9, lease_seconds=10)  # type: ignore[arg-type]
        assert taken is not None
        return taken

    return database.write_now(work)


def test_waits_double_up_to_a_quarter_of_an_hour_and_differ_between_runs() -> None:
    waits = [endings.backoff(attempt, 0) for attempt in range(1, 10)]
    assert waits[:4] == [15, 30, 60, 120]
    assert all(later >= earlier for earlier, later in pairwise(waits))
    assert waits[-1] == endings.LONGEST_WAIT
    spread = {endings.backoff(1, run_id) for run_id in range(50)}
    assert len(spread) > 20
    assert max(spread) <= 16.5


def test_a_wait_the_shop_asks_for_is_kept() -> None:
    assert endings.backoff(1, 0, asked=120) == 120
    assert endings.backoff(5, 0, asked=1) == 240


def test_equal_failures_of_one_shop_are_one_incident_whichever_feed_met_them(database: Database) -> None:
    shop = add_shop(database)
    failure = endings.Failure("dns", "The name is not known.", "Check the address.")
    with feed("one"), feed("two"):
        for name in ("one", "two", "one"):
            claim = claimed(database, shop.id, name)
            database.write_now(lambda c, claim=claim: endings.fail(c, claim, failure, START))
    found = database.read_now(lambda c: c.execute(select(Incident.cause_key, Incident.count)).all())
    assert [tuple(row) for row in found] == [("contact", 3)]


def test_a_failed_run_that_was_asked_for_again_fails_openly_and_starts_over(database: Database) -> None:
    shop = add_shop(database)
    with feed("paged"):
        claim = claimed(database, shop.id)
        again = database.write_now(
            lambda c: request_run(c, shop_id=shop.id, feed="paged", actor="x", trigger="event", now=START)
        )
        assert again.joined
        failure = endings.Failure("odd", "It was odd.", "Make it even.")
        state = database.write_now(lambda c: endings.fail(c, claim, failure, START))
    assert state is RunState.QUEUED
    found = database.read_now(lambda c: load_run(c, claim.run_id))
    assert (found.attempt, found.again, found.checkpoint, found.error) == (0, False, {}, "")
    assert database.read_now(lambda c: c.execute(select(Incident.cause_key)).scalar_one()) == "run:paged:odd"


def test_a_wish_that_comes_after_a_cancel_is_honoured(database: Database) -> None:
    shop = add_shop(database)
    with feed("paged"):
        claim = claimed(database, shop.id)
        database.write_now(lambda c: cancel_run(c, claim.run_id, "Zofia", START))
        database.write_now(
            lambda c: request_run(c, shop_id=shop.id, feed="paged", actor="x", trigger="event", now=START)
        )
        assert database.write_now(lambda c: endings.end_cancelled(c, claim, START)) is RunState.QUEUED
    assert database.read_now(lambda c: load_run(c, claim.run_id)).cancel_requested is False


def test_the_first_complete_end_is_remembered_and_details_are_merged(database: Database) -> None:
    shop = add_shop(database)
    with feed("paged"):
        for number, outcome in enumerate(
            [
                Outcome(detail={"orders": 3}),
                Outcome(complete=True, detail={"gap": 1}),
                Outcome(complete=True, detail={"orders": 5}),
            ]
        ):
            claim, at = claimed(database, shop.id), START + timedelta(hours=number)
            database.write_now(lambda c, claim=claim, outcome=outcome, at=at: endings.finish(c, claim, outcome, at))
    state = database.read_now(lambda c: c.execute(select(*FeedState.__table__.columns)).one())
    assert state.completed_at == START + timedelta(hours=1)
    assert state.last_ok_at == START + timedelta(hours=2)
    assert state.detail == {"orders": 5, "gap": 1}


def test_the_kinds_that_concern_a_whole_shop_are_kinds_that_exist() -> None:
    def kinds(error: type[WebserviceError]) -> set[str]:
        return {error.kind}.union(*(kinds(sub) for sub in error.__subclasses__()))

    assert kinds(WebserviceError) >= reporting.SHOP_WIDE
