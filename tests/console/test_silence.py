"""What the console says of a daemon or a database that has gone silent: on every screen, with the last good time."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from prestaconsole.console import base
from prestaconsole.console.catalogue import REGISTRY
from prestaconsole.database import Database
from prestaconsole.model import Runner
from tests.console.driving import Driver, console
from tests.console.world import NOW

PLACES = ("shops", "feeds", "mappings", "stock", "formula", "foreign", "log")
BANNER = " STALE  The daemon last reported at 14:07, 55 min ago. This is how it was then."


def silent(driver: Driver) -> None:
    driver.clock.pass_by(55 * 60)
    driver.app._watch()


def change(database: Database, **values: Any) -> None:
    database.write_now(lambda c: c.execute(update(Runner).where(Runner.kind == "daemon").values(**values)))


def test_every_pane_is_asked() -> None:
    panes = {command.scope for command in REGISTRY} - {"everywhere"}
    assert panes <= set(PLACES), "a new pane belongs into this list"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_banner_stands_on_every_screen(world: Database, size: tuple[int, int]) -> None:
    async with console(world, at="feeds", size=size) as driver:
        silent(driver)
        for place in PLACES:
            await driver.app.go(place, 1)
            await driver.until(lambda place=place: place == driver.pane.PANE and driver.pane.view.loaded)
            await driver.settle()
            assert driver.rows()[1] == BANNER, place
            assert "daemon STALE 55 min" in driver.rows()[0], place


async def test_it_comes_without_a_key_and_without_a_commit_and_goes_with_the_daemon(
    world: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "WATCH_SECONDS", 0.05)
    async with console(world) as driver:
        driver.clock.pass_by(16)
        await driver.until(lambda: driver.rows()[1].startswith(" STALE  The daemon last reported at 14:07, just now."))
        change(world, heartbeat=driver.clock.now())
        await driver.until(lambda: "daemon ok" in driver.rows()[0] and "STALE" not in driver.text())


async def test_a_daemon_that_reports_and_does_nothing_is_said_too(world: Database) -> None:
    async with console(world) as driver:
        driver.clock.pass_by(3600)
        change(world, heartbeat=driver.clock.now(), progress_at=NOW)
        await driver.until(lambda: "daemon STUCK 1 h" in driver.rows()[0] or "STUCK 60 min" in driver.rows()[0])
        assert driver.rows()[1].startswith(" STALE  The daemon reports, but did nothing since 14:07")


async def test_a_console_that_took_over_says_so_for_a_day(world: Database) -> None:
    async with console(world, runs_here=lambda: True) as driver:
        silent(driver)
        await driver.settle()
        await driver.until(lambda: driver.rows()[1].endswith("55 min ago. This console took over."))
        assert "runs here" in driver.rows()[0]
        driver.clock.pass_by(timedelta(hours=25).total_seconds())
        driver.app._watch()
        await driver.until(lambda: "STALE" not in driver.text())


class Silent:
    """A reader whose database refuses, or never answers at all."""

    is_sqlite = True

    def __init__(self, real: Any) -> None:
        self._real = real

    async def read(self, fn: Any) -> Any:
        return await self._real.read(fn)

    def version(self) -> int:
        raise base.PrestaConsoleError("The database does not answer.", "Look at it.")


async def test_a_database_that_does_not_answer_is_said_with_the_last_good_time(
    world: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(base, "SILENT_SECONDS", 0.3)
    async with console(world) as driver:
        real, driver.app.reader = driver.app.reader, Silent(driver.app.reader)  # type: ignore[assignment]  # stands in
        await driver.until(lambda: driver.rows()[1].startswith(" NO DATABASE  It has not answered since 14:07."))
        driver.clock.pass_by(7200)
        await driver.until(lambda: "NO DATABASE" in driver.rows()[0])
        assert " since 14:07." in driver.rows()[1], "the last good time stays"
        assert "STALE" not in driver.text(), "what the daemon does is not known"
        driver.app.reader = real
        await driver.until(lambda: "NO DATABASE" not in driver.text())
