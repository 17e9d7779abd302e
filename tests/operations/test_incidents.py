"""However often a cause comes, it is one incident; without secrets, and never longer than it should be."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from prestaconsole.database import Connection, Database
from prestaconsole.model import Incident
from prestaconsole.operations.incidents import EVIDENCE_LIMIT, close_incident, open_incident
from tests.support.runs import START, add_shop

KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def incidents(database: Database) -> list[Any]:
    return list(database.read_now(lambda c: c.execute(select(*Incident.__table__.columns).order_by(Incident.id)).all()))


def opened(connection: Connection, shop_id: int | None, cause: str = "dns", **more: Any) -> int:
    values: dict[str, Any] = {"title": "No name.", "remedy": "Look.", "at": START, "cause_key": cause}
    return open_incident(connection, shop_id=shop_id, **{**values, **more})


def test_500_equal_errors_are_one_incident(database: Database) -> None:
    shop, other = add_shop(database), add_shop(database, "other")

    def work(connection: Connection) -> set[int]:
        return {opened(connection, shop.id, at=START + timedelta(seconds=number)) for number in range(500)}

    assert len(database.write_now(work)) == 1
    database.write_now(lambda c: opened(c, other.id))
    database.write_now(lambda c: opened(c, None))
    first, second, third = incidents(database)
    assert (first.count, first.opened_at, first.last_at) == (500, START, START + timedelta(seconds=499))
    assert (second.shop_id, second.count, third.shop_id) == (other.id, 1, None)


def test_many_processes_that_meet_it_at_once_open_one(
    database: Database, database_url: str, open_database: Callable[[str], Database]
) -> None:
    shop = add_shop(database)
    databases = [database, *(open_database(database_url) for _ in range(3))]

    def five(one: Database) -> None:
        for _ in range(5):
            one.write_now(lambda c: opened(c, shop.id))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(five, databases))
    (found,) = incidents(database)
    assert found.count == 20


def test_owner_and_sleep_outlive_the_next_failure_and_evidence_the_next_silence(database: Database) -> None:
    shop = add_shop(database)
    database.write_now(lambda c: opened(c, shop.id, evidence="first"))
    asleep = {"owner": "Zofia", "snoozed_until": START + timedelta(days=1)}
    database.write_now(lambda c: c.execute(Incident.__table__.update().values(**asleep)))
    database.write_now(lambda c: opened(c, shop.id, title="Still no name.", severity="STOP"))
    (found,) = incidents(database)
    assert (found.owner, found.snoozed_until) == ("Zofia", START + timedelta(days=1))
    assert (found.title, found.severity, found.evidence) == ("Still no name.", "STOP", "first")


def test_texts_leave_without_secrets_and_within_bounds(database: Database) -> None:
    shop = add_shop(database)
    database.write_now(
        lambda c: opened(c, shop.id, title=f"{KEY} " * 50, remedy=f"https://u:{KEY}@h/", evidence=f"{KEY} x " * 1000)
    )
    (found,) = incidents(database)
    assert KEY not in found.title + found.remedy + found.evidence
    assert len(found.title) <= 300 and len(found.evidence) <= EVIDENCE_LIMIT


def test_a_cause_that_comes_back_after_its_cure_is_a_new_incident(database: Database) -> None:
    shop = add_shop(database)
    first = database.write_now(lambda c: opened(c, shop.id))
    assert database.write_now(lambda c: close_incident(c, shop_id=shop.id, cause_key="dns", by="run 7", at=START))
    assert not database.write_now(lambda c: close_incident(c, shop_id=shop.id, cause_key="dns", by="run 8", at=START))
    assert database.write_now(lambda c: opened(c, shop.id)) != first
    assert [(row.closed_by, row.count) for row in incidents(database)] == [("run 7", 1), ("", 1)]


@pytest.mark.parametrize("count", [0, 3])
def test_a_count_of_nothing_changes_words_only(sqlite_database: Database, count: int) -> None:
    shop = add_shop(sqlite_database)
    sqlite_database.write_now(lambda c: opened(c, shop.id, count=count))
    sqlite_database.write_now(lambda c: opened(c, shop.id, count=0, title="Other words."))
    (found,) = incidents(sqlite_database)
    assert (found.count, found.title) == (max(count, 1), "Other words.")
