"""The rights a key needs are those of the enabled feeds: the list shrinks when one is switched off (rows B9, A4)."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from prestaconsole.database import Database
from prestaconsole.feeds.enabled import by_resource, enabled_feeds, needed_rights
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import FeedSchedule, FeedState, Shop, ShopMode
from prestaconsole.operations.shops import load_shop
from prestaconsole.services.golive import check_list
from tests.support.runs import START, add_shop, everywhere, feed, make_core

ALONE = {"suppliers": frozenset({"GET", "PUT"})}


def names(database: Database, shop: int) -> set[str]:
    return database.read_now(lambda c: {spec.name for spec in enabled_feeds(c, load_shop(c, shop))})


def rights(database: Database, shop: int) -> Mapping[str, set[str]]:
    return database.read_now(lambda c: by_resource(needed_rights(c, load_shop(c, shop))))


def switch(database: Database, shop: int, name: str, *, on: bool) -> None:
    row = {"shop_id": shop, "feed": name, "every": "every 5 min", "zone": "UTC", "updated_at": START}
    database.write_now(lambda c: c.execute(insert(FeedSchedule).values(**row, enabled=on, updated_by="zofia")))


@pytest.mark.parametrize(
    ("mode", "missing"),
    [
        (ShopMode.DRAFT, set[str]()),
        (ShopMode.SETUP, set[str]()),
        (ShopMode.REHEARSAL, set[str]()),
        (ShopMode.LIVE, {"import_stock"}),
        (ShopMode.FROZEN, {"import_stock"}),
    ],
)
def test_a_feed_counts_where_the_mode_or_one_on_the_way_to_live_lets_it_run(
    sqlite_database: Database, mode: ShopMode, missing: set[str]
) -> None:
    shop = add_shop(sqlite_database, mode=mode).id
    done = [{"shop_id": shop, "feed": name, "completed_at": START, "detail": {}} for name in FEEDS]
    sqlite_database.write_now(lambda c: c.execute(insert(FeedState), done))
    assert set(FEEDS) - names(sqlite_database, shop) == missing


def test_the_rights_shrink_when_a_feed_is_switched_off_and_return_with_it(database: Database) -> None:
    shop, other = add_shop(database).id, add_shop(database, "second").id
    with feed("suppliers", modes=everywhere(), rights=ALONE):
        assert rights(database, shop)["suppliers"] == {"GET", "PUT"}
        switch(database, shop, "suppliers", on=False)
        assert "suppliers" not in rights(database, shop)
        assert "suppliers" in rights(database, other), "each shop has its own"
        database.write_now(lambda c: c.execute(update(FeedSchedule).values(enabled=True)))
        assert "suppliers" in rights(database, shop)


def test_what_an_enabled_feed_needs_first_counts_until_it_has_completed(sqlite_database: Database) -> None:
    shop = add_shop(sqlite_database).id
    with feed("first", modes=everywhere()), feed("second", modes=everywhere(), needs=("first",)):
        switch(sqlite_database, shop, "first", on=False)
        assert "first" in names(sqlite_database, shop)
        done = {"shop_id": shop, "feed": "first", "completed_at": START, "detail": {}}
        sqlite_database.write_now(lambda c: c.execute(insert(FeedState).values(**done)))
        assert "first" not in names(sqlite_database, shop)


def test_the_check_list_asks_for_the_rights_of_the_enabled_feeds_alone(
    sqlite_database: Database, tmp_path: Path
) -> None:
    shop = add_shop(sqlite_database, mode=ShopMode.SETUP)
    core = make_core(sqlite_database, tmp_path)
    granted = {name: sorted(methods) for name, methods in rights(sqlite_database, shop.id).items()}
    sqlite_database.write_now(lambda c: c.execute(update(Shop).values(capabilities={"permissions": granted})))

    def point() -> tuple[str, str]:
        (found,) = [one for one in check_list(core, shop.code).points if one.name == "rights"]
        return found.state, found.text

    with feed("suppliers", modes=everywhere(), rights=ALONE):
        assert point() == ("FIX", "2 missing: GET on suppliers, PUT on suppliers.")
        switch(sqlite_database, shop.id, "suppliers", on=False)
        assert point()[0] == "ok"
