"""The console over a real core: keys reach services, which write and audit; the worker beside it runs feeds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from prestaconsole.console.picture import export_picture
from prestaconsole.console.run import CoreConsole
from prestaconsole.database import Database
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import AuditEvent, Changeset, FeedSchedule, OrderStateRule, Shop
from prestaconsole.operations.pages import LogLine
from prestaconsole.operations.secrets import store_key
from prestaconsole.redaction import Secret
from prestaconsole.services.views.rows import RowView
from prestaconsole.vault import Vault
from tests.console.driving import Driver
from tests.console.test_keys import at_feed, at_shop
from tests.console.world import FixedClock, NotedActions, make
from tests.support.runs import SHOP_KEY, START, VAULT_KEY, feed, make_core


@asynccontextmanager
async def real_console(database: Database, folder: Path, *, host_worker: bool = False) -> AsyncIterator[Driver]:
    """A console whose actions are the real services."""
    core = make_core(database, folder)
    app = CoreConsole(core, host_worker=host_worker)
    async with app.run_test(size=(80, 24)) as pilot:
        driver = Driver(app, pilot, FixedClock(), NotedActions())
        await driver.until(lambda: app.pane is not None and app.pane.view.loaded)
        await driver.press("W")
        yield driver
        await app.before_leaving()


async def sleep_deaf_moment() -> None:
    """The real clock runs here, so the deaf moment of a box is waited for."""
    await asyncio.sleep(0.35)


def one(database: Database, statement: Any) -> Any:
    """One row."""
    return database.read_now(lambda connection: connection.execute(statement).first())


async def test_pausing_and_resuming_a_shop_is_stored_and_audited(world: Database, tmp_path: Path) -> None:
    async with real_console(world, tmp_path) as driver:
        await at_shop(driver, "Sattlerei Böhm")
        await driver.press("p")
        await sleep_deaf_moment()
        await driver.press("enter", "enter")
        await driver.until(lambda: "PAUSE" in next(r for r in driver.rows() if r.startswith("> Sattlerei")))
        shop = one(world, select(Shop.paused_at, Shop.pause_reason).where(Shop.id == 1))
        assert shop.paused_at is not None and shop.pause_reason == "Shop upgrade"
        await driver.press("p", "enter")
        await driver.until(lambda: one(world, select(Shop.paused_at).where(Shop.id == 1)).paused_at is None)
        actions = world.read_now(lambda c: list(c.execute(select(AuditEvent.action)).scalars()))
        assert len(actions) == 2


async def test_rules_are_saved_all_together(world: Database, tmp_path: Path) -> None:
    async with real_console(world, tmp_path) as driver:
        await driver.app.go("mappings", 1)
        await driver.settle()
        await driver.press("enter", *"hold", "enter", "a")
        await sleep_deaf_moment()
        await driver.press("enter")
        await driver.until(lambda: "1 rule of Sattlerei Böhm saved." in driver.rows()[-1])
        rule = one(world, select(OrderStateRule.action).where(OrderStateRule.id_order_state == 11))
        assert rule.action == "hold"


async def test_a_schedule_takes_effect_at_once_and_u_takes_it_back(world: Database, tmp_path: Path) -> None:
    every = select(FeedSchedule.every).where(FeedSchedule.shop_id == 1, FeedSchedule.feed == "import_orders")
    async with real_console(world, tmp_path) as driver:
        await driver.app.go("feeds", 1)
        await driver.settle()
        await at_feed(driver, "import_orders")
        await driver.press("c", *["backspace"] * 12)
        await driver.press(*"daily 03:00")
        await driver.press("enter")
        await driver.until(lambda: one(world, every).every == "daily 03:00")
        await driver.until(lambda: "daily 03:00" in driver.text())
        await driver.press("u")
        await driver.until(lambda: one(world, every).every == "every 5 min")


async def test_a_plan_is_approved_and_dropped_by_the_real_services(world: Database, tmp_path: Path) -> None:
    state = select(Changeset.state).where(Changeset.id == 611)
    async with real_console(world, tmp_path, host_worker=True) as driver:
        await driver.app.go("stock", 1)
        await driver.settle()
        await driver.press("a")
        await sleep_deaf_moment()
        await driver.press("o")
        await driver.until(lambda: one(world, state).state == "approved")
        await driver.press("u")
        await sleep_deaf_moment()
        await driver.press("enter")
        await driver.until(lambda: one(world, state).state == "void")
        await driver.until(lambda: "No plan yet" in driver.text())


async def test_a_feed_run_by_key_is_done_by_the_worker_beside_and_watched_live(
    sqlite_database: Database, tmp_path: Path
) -> None:
    make(sqlite_database)
    sqlite_database.write_now(lambda c: store_key(c, Vault(VAULT_KEY), 1, Secret(SHOP_KEY), START))
    seen: list[str] = []

    async def pages(context: FeedContext) -> Outcome:
        for page in range(1, 4):
            await context.commit(
                lambda connection: None, done=page, total=3, phase="pages", counts={"read": 10},
                logs=[LogLine("info", f"page {page} of three")],
            )  # fmt: skip
            await asyncio.sleep(0.8)
        return Outcome(complete=True)

    with feed("stock_check", pages):
        async with real_console(sqlite_database, tmp_path, host_worker=True) as driver:
            assert isinstance(driver.pane.view, RowView)
            await driver.until(lambda: "runs here" in driver.rows()[0])
            await driver.app.go("feeds", 1)
            await driver.settle()
            await at_feed(driver, "stock_check")
            await driver.press("r")

            def watched() -> bool:
                seen.append(next(row for row in driver.rows() if row.startswith("> stock_check")))
                return "ok" in seen[-1]

            await driver.until(watched, "it never ended well")
            assert any("RUN    ████" in row and "%" in row for row in seen), seen
            await driver.press("enter")
            assert "page 3 of three" in driver.text()


async def test_a_picture_of_a_pane_is_exported_for_the_readme(world: Database, tmp_path: Path) -> None:
    picture = tmp_path / "stock.svg"
    await export_picture(make_core(world, tmp_path), picture, pane="stock", shop=1)
    svg = picture.read_text(encoding="utf-8")
    assert svg.startswith("<svg") and "KAW-000001" in svg and "#4fb8c4" in svg.lower()
