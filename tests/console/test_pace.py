"""Shops and Feeds say how a shop is asked, and how long a run will take."""

from datetime import timedelta

from sqlalchemy import insert, update

from prestaconsole.database import Database
from prestaconsole.model import Shop, ShopPace
from prestaconsole.services.views.feeds import key
from tests.console.driving import console
from tests.console.world import NOW


def pace(database: Database, shop: int = 1, **values: object) -> None:
    row = {
        "shop_id": shop, "failures": 4, "since": NOW - timedelta(minutes=12), "last_cause": "The shop broke down.",
        "asks_again_at": NOW + timedelta(seconds=25), "updated_at": NOW,
        "cost": {"GET stock_availables": {"requests": 10, "recent": 42.0}}, **values,
    }  # fmt: skip
    database.write_now(lambda c: c.execute(insert(ShopPace).values(row)))


async def test_a_breaker_opened_elsewhere_is_seen_while_one_looks_and_is_seen_to_close(world: Database) -> None:
    async with console(world) as driver:
        driver.pane.table.move_to_id(1)
        await driver.settle()
        assert "DOWN" not in next(row for row in driver.rows() if "Sattlerei" in row)
        pace(world)
        await driver.until(lambda: "DOWN" in next(row for row in driver.rows() if "Sattlerei Böhm" in row))
        words = " ".join(driver.pane.plain_text().split())
        until = (NOW + timedelta(seconds=25)).astimezone()
        assert f"The shop failed 4 times in a row (The shop broke down); asked again at {until:%H:%M:%S}." in words
        driver.clock.pass_by(26)
        assert "the next request is a trial." in driver.pane.plain_text(), "half-open by time alone"
        world.write_now(lambda c: c.execute(update(ShopPace).values(asks_again_at=None, failures=0)))
        await driver.until(lambda: "DOWN" not in next(row for row in driver.rows() if "Sattlerei Böhm" in row))
        assert "failed" not in driver.pane.plain_text()


async def test_a_shop_in_trouble_stands_first_by_need_and_explains_itself(world: Database) -> None:
    world.write_now(lambda c: c.execute(update(Shop).where(Shop.id == 4).values(health="ok", last_error="")))
    pace(world, 6)
    async with console(world) as driver:
        await driver.press("v")
        first = next(row for row in driver.rows() if "Świece Łódź" in row or "Sattlerei" in row)
        assert "Świece Łódź" in first
        driver.pane.table.move_to_id(6)
        await driver.settle()
        await driver.press("e")
        assert "failed 4 times in a row" in driver.box_words()


async def test_a_rest_the_host_asked_for_is_slow_and_a_paused_shop_stays_paused(world: Database) -> None:
    pace(world, 1, failures=0, asks_again_at=None, resting_until=NOW + timedelta(seconds=40))
    pace(world, 3)
    async with console(world) as driver:
        assert "SLOW" in next(row for row in driver.rows() if "Sattlerei Böhm" in row)
        assert "PAUSE" in next(row for row in driver.rows() if "Jouets" in row)
        driver.pane.table.move_to_id(1)
        await driver.settle()
        assert "The shop's host asked for a pause; asked again at " in " ".join(driver.pane.plain_text().split())


async def test_feeds_tell_about_how_long_a_run_takes_where_requests_were_measured(world: Database) -> None:
    pace(world, 1, failures=0, asks_again_at=None)
    async with console(world, at="feeds", size=(120, 40)) as driver:
        driver.pane.table.move_to_id(key(1, "stock_check"))
        await driver.settle()
        words = " ".join(driver.pane.plain_text().split())
        assert "A run takes about 40 s for 12 rows (estimate)." in words
        driver.pane.table.move_to_id(key(1, "analyse"))
        await driver.settle()
        assert "estimate" not in driver.pane.plain_text()
