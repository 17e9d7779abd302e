"""A record that fails three times in the same way is left aside, told once, and freed by a person or a good end."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from prestaconsole.database import Database
from prestaconsole.model import Incident, ParkedRecord
from prestaconsole.operations import parking
from prestaconsole.operations.parking import Failed
from tests.support.runs import START, add_shop


def fail(database: Database, shop_id: int, *records: str, cause: str = "It is damaged.", day: int = 0) -> set[str]:
    failed = {record: Failed(f"order {record}", cause) for record in records}
    at = START + timedelta(days=day)
    return database.write_now(lambda c: parking.note_failures(c, shop_id, "order", failed, at=at, run_id=None))


def good(database: Database, shop_id: int, *records: str) -> None:
    database.write_now(lambda c: parking.note_good(c, shop_id, "order", records, at=START))


def incidents(database: Database) -> list[Any]:
    return list(database.read_now(lambda c: c.execute(select(*Incident.__table__.columns).order_by(Incident.id)).all()))


def test_the_third_equal_failure_parks_and_opens_one_incident_for_all(database: Database) -> None:
    shop = add_shop(database)
    assert fail(database, shop.id, "7", "9") == set()
    assert fail(database, shop.id, "7", "9") == set() and incidents(database) == []
    assert fail(database, shop.id, "7", "9") == {"7", "9"}
    fail(database, shop.id, "7")
    (found,) = incidents(database)
    assert (found.cause_key, found.count) == ("parked:order", 2)
    assert found.title == "2 orders parked after failing 3 times in the same way: order 7, order 9"
    assert "order 7: It is damaged. (3 times since" in found.evidence


def test_another_cause_counts_anew_but_other_figures_in_it_do_not(database: Database) -> None:
    shop = add_shop(database)
    fail(database, shop.id, "7", cause="It still shows 5.")
    fail(database, shop.id, "7", cause="It was refused.")
    fail(database, shop.id, "7", cause="It still shows 5.")
    fail(database, shop.id, "7", cause="It still shows 4.")
    assert incidents(database) == []
    assert fail(database, shop.id, "7", cause="It still shows 12.") == {"7"}


def test_a_good_end_forgets_the_failures_and_the_last_one_closes_the_incident(database: Database) -> None:
    shop = add_shop(database)
    for _ in range(3):
        fail(database, shop.id, "7", "9")
    good(database, shop.id, "7", "8")
    assert incidents(database)[0].title == "1 order parked after failing 3 times in the same way: order 9"
    assert incidents(database)[0].closed_at is None
    good(database, shop.id, *map(str, range(1000)))
    assert incidents(database)[0].closed_by == "cured"
    assert database.read_now(lambda c: c.execute(select(ParkedRecord.id)).all()) == []


def test_what_a_person_frees_is_tried_three_times_again(database: Database) -> None:
    shop, other = add_shop(database), add_shop(database, "other")
    for _ in range(3):
        fail(database, shop.id, "7")
        fail(database, other.id, "7")
    freed = database.write_now(lambda c: parking.release(c, shop.id, "order", by="Zofia", at=START))
    assert freed == ["7"]
    assert [row.closed_by for row in incidents(database)] == ["Zofia", ""], "the other shop's stays"
    assert database.read_now(lambda c: set(parking.parked(c, shop.id, "order"))) == set()
    assert fail(database, shop.id, "7") == set() == fail(database, shop.id, "7")
    assert fail(database, shop.id, "7") == {"7"}
