"""Which incident a failure belongs to: one for a shop that is down, none for a gate that did its work."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from prestaconsole.database import Database
from prestaconsole.errors import HeldError, LockedError, UsageError
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import Incident, RunState, Shop
from prestaconsole.operations.order_store import IdentityChanged
from prestaconsole.runner import endings
from prestaconsole.runner.claims import Claim, claim_next
from prestaconsole.runner.queue import request_run
from prestaconsole.runner.records import load_run
from prestaconsole.runner.worker import Worker
from tests.support.runs import START, add_shop, feed, make_core

DOWN = endings.Failure("timeout", "No answer in 30 s.", "Look at the shop.")


def claimed(database: Database, shop_id: int, name: str, at: datetime, trigger: Any = "schedule") -> Claim:
    def work(connection: Any) -> Claim:
        request_run(connection, shop_id=shop_id, feed=name, actor="x", trigger=trigger, now=at)
        taken = claim_next(connection, owner=1, now=at, slots=9, lease_seconds=1000)
        assert taken is not None
        return taken

    return database.write_now(work)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


class Shop1:
    """A shop whose feeds fail and go well minute by minute."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.id = add_shop(database).id

    def fails(self, name: str, at: float, failure: endings.Failure = DOWN, began: float | None = None) -> None:
        claim = claimed(self.database, self.id, name, minute(at if began is None else began))
        self.database.write_now(lambda c: endings.fail(c, claim, failure, minute(at)))

    def works(self, name: str, at: float) -> None:
        claim = claimed(self.database, self.id, name, minute(at))
        self.database.write_now(lambda c: endings.finish(c, claim, Outcome(), minute(at)))

    def incidents(self, open_only: bool = True) -> list[tuple[str, int]]:
        statement = select(Incident.cause_key, Incident.count).order_by(Incident.id)
        if open_only:
            statement = statement.where(Incident.closed_at.is_(None))
        return [tuple(row) for row in self.database.read_now(lambda c: c.execute(statement).all())]


@pytest.fixture
def shop(database: Database) -> Any:
    with feed("one"), feed("two"), feed("three"):
        yield Shop1(database)


def test_a_shop_that_is_down_is_one_incident_whatever_each_feed_meets(shop: Shop1) -> None:
    shop.fails("one", 1)
    shop.fails("two", 2, endings.Failure("server-error", "The shop answered 500.", "Look."))
    shop.fails("three", 3, endings.Failure("html-answer", "The shop answered a page.", "Look."))
    shop.fails("one", 4)
    assert shop.incidents() == [("contact", 4)]
    row = shop.database.read_now(lambda c: c.execute(select(*Incident.__table__.columns)).one())
    assert (row.severity, row.detail["feeds"]) == (
        "STOP",
        {"one": "timeout", "two": "server-error", "three": "html-answer"},
    )
    assert "two: server-error" in row.evidence
    shop.works("two", 5)
    assert shop.incidents() == [] and shop.incidents(open_only=False) == [("contact", 4)]


def test_one_feed_that_fails_while_the_shop_serves_others_is_its_own_incident(shop: Shop1) -> None:
    shop.works("one", 2)
    shop.fails("two", 4, began=1)
    assert shop.incidents() == [("run:two:timeout", 1)]
    shop.works("one", 5)
    assert shop.incidents() == [("run:two:timeout", 1)], "another feed does not cure it"
    shop.works("two", 6)
    assert shop.incidents() == []


def test_an_incident_is_not_closed_by_one_feed_and_opened_by_the_other_for_ever(shop: Shop1) -> None:
    for hour in range(3):
        shop.fails("two", hour * 60)
        shop.works("one", hour * 60 + 5)
    assert shop.incidents(open_only=False)[0] == ("run:two:timeout", 1)
    assert all(cause != "contact" for cause, _ in shop.incidents())


@pytest.mark.parametrize(
    ("error", "kind"),
    [(LockedError("Paused.", "Resume."), "locked"), (HeldError("Waits for approval.", "Approve."), "held")],
)
async def test_a_gate_that_did_its_work_is_no_incident(
    database: Database, tmp_path: Path, error: Exception, kind: str
) -> None:
    shop = add_shop(database)

    async def run(context: FeedContext) -> Outcome:
        raise error

    with feed("gated", run):
        claim = database.write_now(
            lambda c: request_run(c, shop_id=shop.id, feed="gated", actor="x", trigger="schedule", now=START)
        )
        record = await Worker(make_core(database, tmp_path), "command").run_until_ended(claim.run_id)
    assert (record.state, record.error_kind) == (RunState.FAILED, kind)
    assert database.read_now(lambda c: c.execute(select(Incident.id)).all()) == []
    stands = database.read_now(lambda c: c.execute(select(Shop.last_error, Shop.health)).one())
    assert stands.last_error == "" and stands.health != "down", "nothing is wrong with the shop"


@pytest.mark.parametrize(("trigger", "told"), [("person", 0), ("schedule", 1)])
def test_what_a_person_typed_wrongly_was_told_to_that_person(database: Database, trigger: str, told: int) -> None:
    shop = add_shop(database)
    error = UsageError("There is no SKU X.", "Look.")
    with feed("one"):
        claim = claimed(database, shop.id, "one", START, trigger)
        failure = endings.Failure("usage", error.cause, error.remedy)
        database.write_now(lambda c: endings.fail(c, claim, failure, START))
        assert database.read_now(lambda c: load_run(c, claim.run_id)).error == error.cause
    assert len(database.read_now(lambda c: c.execute(select(Incident.id)).all())) == told


def test_a_changed_identity_has_its_own_incident_and_needs_no_second_one(shop: Shop1) -> None:
    kind = IdentityChanged.__name__.lower()
    shop.fails("one", 1, endings.Failure(kind, "Another shop answers.", "Compare."))
    assert shop.incidents() == []
