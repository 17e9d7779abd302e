"""How a shop is asked stands in the database, and a reader works out from its moments what is true now."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from prestaconsole.database import Database
from prestaconsole.model import Shop
from prestaconsole.operations.pace import PaceKeeper, PaceRecord, Told, read_paces, seconds_a_request, store_paces
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.pacing import Pacer
from tests.support.runs import FakeClock, add_shop

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def tell(database: Database, keeper: PaceKeeper, now: datetime = NOW) -> list[Told]:
    told = keeper.due()
    database.write_now(lambda c: store_paces(c, told, now))
    keeper.kept(told)
    return told


def read(database: Database, now: datetime = NOW, shop: int = 1) -> PaceRecord | None:
    return database.read_now(lambda c: read_paces(c, now).get(shop))


def fail(pacer: Pacer, times: int = 4) -> None:
    for _ in range(times):
        pacer.ended(e.ServerError(status=500))


async def test_an_open_breaker_is_due_for_its_trial_by_time_alone_and_closes_when_the_shop_answers(
    database: Database,
) -> None:
    shop, clock, keeper = add_shop(database).id, FakeClock(), PaceKeeper()
    pacer = Pacer(clock)
    keeper.watch(shop, pacer)
    assert tell(database, keeper) == [], "nobody asked yet"
    assert read(database, shop=shop) is None
    fail(pacer)
    assert len(tell(database, keeper)) == 1
    found = read(database, NOW + timedelta(seconds=5), shop)
    assert found is not None and found.breaker == "open" and found.failures == 4
    assert found.words.startswith("The shop failed 4 times in a row (")
    assert found.words.endswith("; asked again in 25 s.")
    later = found.at(NOW + timedelta(seconds=31))
    assert later == read(database, NOW + timedelta(seconds=31), shop)
    assert later.breaker == "half-open" and later.words.endswith("; the next request is a trial.")
    pacer.ended(None)
    tell(database, keeper, NOW + timedelta(seconds=32))
    closed = read(database, NOW + timedelta(seconds=32), shop)
    assert closed is not None and (closed.breaker, closed.failures, closed.words) == ("closed", 0, "")
    assert tell(database, keeper) == [], "what was told once is not written again"


async def test_a_pause_the_host_asked_for_is_told_with_its_end(database: Database) -> None:
    shop, clock, keeper = add_shop(database).id, FakeClock(), PaceKeeper()
    pacer = Pacer(clock)
    keeper.watch(shop, pacer)
    pacer.rest(40)
    tell(database, keeper)
    found = read(database, NOW, shop)
    assert found is not None and not found.down
    assert found.words == "The shop's host asked for a pause; asked again in 40 s."
    assert found.at(NOW + timedelta(seconds=41)).words == ""


async def test_costs_are_kept_over_processes_and_used_for_estimates(database: Database) -> None:
    shop = add_shop(database, capabilities={"cost": {"orders": 9.0, "carriers": 0.5}}).id
    assert database.read_now(lambda c: seconds_a_request(c, shop)) == {"orders": 9.0, "carriers": 0.5}
    for resource, seconds in (("orders", 0.2), ("products", 1.5)):
        keeper, pacer = PaceKeeper(), Pacer(FakeClock())
        keeper.watch(shop, pacer)
        pacer.answered("GET", resource, seconds)
        pacer.answered("PUT", resource, 3.0)
        tell(database, keeper)
        pacer.answered("GET", resource, seconds)
        tell(database, keeper)
    found = read(database, NOW, shop)
    assert found is not None and found.requests == 6, "each request is counted once"
    assert found.cost == {"GET orders": 0.2, "GET products": 1.5, "PUT orders": 3.0, "PUT products": 3.0}
    cost = database.read_now(lambda c: seconds_a_request(c, shop))
    assert cost == {"orders": 0.2, "products": 1.5, "carriers": 0.5}, "measured of late before what analyse found"


async def test_the_line_of_a_process_that_was_killed_is_not_believed_for_ever(sqlite_database: Database) -> None:
    shop, keeper, pacer = add_shop(sqlite_database).id, PaceKeeper(), Pacer(FakeClock(), places=1)
    keeper.watch(shop, pacer)
    async with pacer.place():
        tell(sqlite_database, keeper)
    busy, later = read(sqlite_database, NOW, shop), read(sqlite_database, NOW + timedelta(minutes=2), shop)
    assert busy is not None and later is not None
    assert (busy.busy, later.busy) == (1, 0)


async def test_a_breaker_is_told_at_once_and_the_rest_with_the_heartbeat(sqlite_database: Database) -> None:
    keeper, pacer = PaceKeeper(), Pacer(FakeClock())
    keeper.watch(add_shop(sqlite_database).id, pacer)
    pacer.answered("GET", "orders", 0.1)
    fail(pacer, 3)
    assert not keeper.moved.is_set()
    fail(pacer, 1)
    async with _soon():
        await keeper.moved.wait()
    tell(sqlite_database, keeper)
    assert not keeper.moved.is_set()
    pacer.ended(None)
    async with _soon():
        await keeper.moved.wait()
    keeper.close()
    fail(pacer)
    assert keeper.due() == [], "a keeper that was closed listens no longer"


def _soon() -> asyncio.Timeout:
    return asyncio.timeout(60)


@pytest.mark.parametrize("gone", [True, False])
async def test_a_deleted_shop_and_one_that_came_back_are_no_trouble(sqlite_database: Database, gone: bool) -> None:
    shop, keeper, pacer = add_shop(sqlite_database).id, PaceKeeper(), Pacer(FakeClock())
    keeper.watch(shop, pacer)
    fail(pacer)
    if gone:
        sqlite_database.write_now(lambda c: c.execute(delete(Shop)))
    else:
        sqlite_database.write_now(lambda c: c.execute(update(Shop).values(name="Renamed")))
    tell(sqlite_database, keeper)
    assert (read(sqlite_database, NOW, shop) is None) is gone
