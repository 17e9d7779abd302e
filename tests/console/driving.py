"""Drives the console in tests: presses keys, reads the screen as plain text."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from prestaconsole.console.app import ConsoleApp
from prestaconsole.console.dialogs.box import Box
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.theme import Look
from prestaconsole.console.widgets.lines import line_text
from prestaconsole.database import Database
from tests.console.world import FixedClock, NotedActions


class Driver:
    """One open console."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[int], clock: FixedClock, actions: NotedActions) -> None:
        self.app, self.pilot, self.clock, self.actions = app, pilot, clock, actions

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each until its consequences have settled; a word is typed in one go."""
        if len(keys) > 3 and all(len(key) == 1 for key in keys):
            await self.pilot.press(*keys)
            await self.settle()
            return
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def settle(self) -> None:
        """Wait until no reader, worker or timer has anything left to do."""
        for _ in range(300):
            await self.pilot.pause()
            await asyncio.sleep(0.005)
            pane = self.app.pane
            if not self.app.at_work and (pane is None or not pane.table.reading):
                break
        await self.pilot.pause()

    async def until(self, true: Callable[[], bool], words: str = "it never came") -> None:
        """Wait for something to become true, at most 5 s."""
        for _ in range(250):
            if true():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(f"{words}\n{self.text()}")

    @property
    def pane(self) -> Pane:
        """The present pane."""
        assert self.app.pane is not None
        return self.app.pane

    @property
    def box(self) -> Box[Any]:
        """The box on top."""
        assert isinstance(self.app.screen, Box), self.text()
        return self.app.screen

    def box_text(self) -> str:
        """The text of the box on top."""
        return "\n".join(line_text(line) for line in self.box.frame.lines)

    def box_words(self) -> str:
        """The words of the box on top, without its frame and its line ends."""
        return " ".join(" ".join(line_text(line).strip("│┌┐└┘─ ") for line in self.box.frame.lines).split())

    def rows(self) -> list[str]:
        """The pane's screen, line by line, without what lies over it."""
        strips = self.pane._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    def text(self) -> str:
        """The pane's screen."""
        return "\n".join(self.rows())

    async def deaf_moment(self) -> None:
        """Let the deaf moment of a box pass."""
        self.clock.pass_by(0.4)
        await self.settle()

    async def allow(self) -> None:
        """Allow changes."""
        await self.press("W")


Opener = Callable[..., Any]


@asynccontextmanager
async def console(
    database: Database,
    *,
    size: tuple[int, int] = (80, 24),
    at: str = "",
    clock: FixedClock | None = None,
    **more: Any,
) -> AsyncIterator[Driver]:
    """A console over a database, at a place such as ``feeds`` of the first live shop."""
    clock, actions = clock or FixedClock(), NotedActions()
    options: dict[str, Any] = {"look": Look("none"), "poll_seconds": 0.05} | more
    app = ConsoleApp(database, actions, clock, **options)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot, clock, actions)
        await driver.until(lambda: app.pane is not None and app.pane.view.loaded)
        if at:
            await app.go(at, 1)
            await driver.until(lambda: at == driver.pane.PANE and driver.pane.view.loaded)
        await driver.settle()
        yield driver


Step = Callable[[Driver], Awaitable[None]]
