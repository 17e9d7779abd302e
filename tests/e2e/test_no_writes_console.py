"""No key of the console writes to a shop that is not live, whatever is on the screen."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from prestaconsole.console.catalogue import PANES, REGISTRY
from prestaconsole.console.dialogs.ask import TypedBox
from prestaconsole.console.run import CoreConsole
from prestaconsole.console.screens.pane import Pane
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import ShopMode
from tests.e2e.silence import assert_silent, silent_modes, standing, world
from tests.e2e.standing import CODE, Standing, opened

__all__ = ["standing", "world"]


class Hands:
    """Fingers on the console's keys, beside the machine's own clock."""

    def __init__(self, app: CoreConsole, pilot: Any) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause(0.01)

    async def answer_boxes(self) -> None:
        """Say yes to whatever is asked, type the shop's name where it is wanted, and leave the rest."""
        for _ in range(3):
            if isinstance(self.app.screen, Pane):
                return
            await self.pilot.pause(0.02)
            if isinstance(self.app.screen, TypedBox):
                await self.press("n", "o", "w", "enter", *CODE, "enter")
            else:
                await self.press("enter")
        while not isinstance(self.app.screen, Pane):
            await self.press("escape")

    async def everything(self, shop: int) -> None:
        """Each changing command of each pane on each of its first rows, and yes to whatever comes."""
        for pane in PANES:
            rows = [list(FEEDS).index("export_stock"), 0] if pane == "feeds" else [0]
            for row in rows:
                for command in REGISTRY.of(pane):
                    # A pause and a resume are what one of the modes is about.
                    if command.scope != pane or command.name == "shops.pause":
                        continue
                    await self.app.go(pane, shop)
                    await self.press("home", *["down"] * row, command.key)
                    await self.answer_boxes()

    async def past_the_locks(self, world: Standing) -> None:
        """What keys do once nothing on the screen locks them, as with a screen that is behind."""
        do = self.app.actions
        tries = [do.request_feed(CODE, "export_stock"), do.request_feed(CODE, "export_stock", plan=True, reason="x")]
        tries.append(do.schedule_feed(CODE, "export_stock", "every 1 min"))
        for plan in world.plans.values():
            tries += [do.approve(plan), do.release(plan, CODE, "now"), do.undo(plan), do.apply(plan)]
        for one in tries:
            try:
                await one
            except PrestaConsoleError:
                continue


@pytest.fixture
def no_deaf_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes hear the first key at once, so that no test waits for them."""
    monkeypatch.setattr("prestaconsole.console.dialogs.box.DEAF_SECONDS", 0.0)


@silent_modes
@pytest.mark.slow
@pytest.mark.usefixtures("no_deaf_moment")
async def test_no_key_of_the_console_writes_to_a_shop_that_is_not_live(
    world: Standing, tmp_path: Path, mode: ShopMode, paused: bool
) -> None:
    folder = tmp_path / "data"
    await asyncio.to_thread(world.copy, folder, mode, paused=paused)
    with opened(folder) as core:
        app = CoreConsole(core)
        async with app.run_test(size=(100, 30)) as pilot:
            hands = Hands(app, pilot)
            await pilot.pause(0.2)
            await hands.press("W")
            await hands.past_the_locks(world)
            await hands.everything(1)
            await pilot.pause(0.5)
            await app.before_leaving()
    assert_silent(world, folder, mode)


@pytest.mark.slow
@pytest.mark.usefixtures("no_deaf_moment")
async def test_the_same_keys_do_write_to_a_shop_that_is_live(world: Standing, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    await asyncio.to_thread(world.copy, folder, ShopMode.LIVE)
    with opened(folder) as core:
        app = CoreConsole(core)
        async with app.run_test(size=(100, 30)) as pilot:
            hands = Hands(app, pilot)
            await pilot.pause(0.2)
            await hands.press("W")
            await app.go("stock", 1)
            await pilot.pause(0.1)
            for _ in range(2):  # the newest plan is held: the first time releases it, the second sends it
                await hands.press("a")
                await hands.answer_boxes()
                await pilot.pause(0.2)
            for _ in range(200):
                if world.writes():
                    break
                await pilot.pause(0.05)
            await app.before_leaving()
    assert {one.method for one in world.writes()} == {"PUT"}
