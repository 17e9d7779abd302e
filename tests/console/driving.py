"""Drives the console in tests: presses keys, reads the screen as plain text."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar

from textual import events
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot

from prestaconsole.console.app import ConsoleApp
from prestaconsole.console.dialogs.box import Box
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.theme import Look
from prestaconsole.console.widgets.lines import line_text
from prestaconsole.database import Connection, Database
from tests.console.world import FixedClock, NotedActions

T = TypeVar("T")
#: So often in a row nothing must be left to do before a key counts as settled.
QUIET = 5


class CountedReader:
    """A database's reading half that knows how many readings are under way: what a test waits for instead of time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_sqlite = database.is_sqlite
        self.under_way = 0

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Read, counted."""
        self.under_way += 1
        try:
            return await self._database.read(fn)
        finally:
            self.under_way -= 1

    def version(self) -> int:
        """The database's own."""
        return self._database.version()


class Driver:
    """One open console."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[int], clock: FixedClock, actions: NotedActions) -> None:
        self.app, self.pilot, self.clock, self.actions = app, pilot, clock, actions

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each until its consequences have settled; a word is typed in one go."""
        if len(keys) > 3 and all(len(key) == 1 for key in keys):
            for key in keys:
                self._send(key)
            await self.settle()
            return
        for key in keys:
            self._send(key)
            await self.settle()

    def _send(self, key: str) -> None:
        """What a terminal's driver does with a key. The pilot's own way sleeps 40 ms and more for each."""
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        try:
            character: str | None = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
        except KeyError:
            character = name if len(name) == 1 else None
        event = events.Key(name, character)
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    async def settle(self) -> None:
        """Wait until no message, reading or command is left to do, at most 60 s."""
        quiet = 0
        end = asyncio.get_running_loop().time() + 60
        while quiet < QUIET and asyncio.get_running_loop().time() < end:
            await self.pilot._wait_for_screen()
            quiet = 0 if self._busy() else quiet + 1
            await asyncio.sleep(0.002)
        self.app.screen._on_timer_update()

    def _busy(self) -> bool:
        pane = self.app.pane
        reading = getattr(self.app.reader, "under_way", 0) > 0 or (pane is not None and pane.table.reading)
        return self.app.at_work or reading

    async def until(self, true: Callable[[], bool], words: str = "it never came") -> None:
        """Wait for something to become true, at most 60 s."""
        end = asyncio.get_running_loop().time() + 60
        while not true():
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"{words}\n{self.text()}")
            await self.pilot.pause(0.01)

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


@cache
def _opening_at(mode: str) -> type[ConsoleApp]:
    """The console with another first pane: no test pays for the list of shops on its way elsewhere."""
    return type("ConsoleApp", (ConsoleApp,), {"DEFAULT_MODE": mode})


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
    app = _opening_at(at or ConsoleApp.DEFAULT_MODE)(CountedReader(database), actions, clock, **options)
    app.scope = 1 if at else None
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot, clock, actions)
        await driver.until(lambda: app.pane is not None and app.pane.view.loaded)
        await driver.settle()
        if at:
            await app.go(at, 1)
            await driver.until(lambda: at == driver.pane.PANE and driver.pane.view.loaded)
        await driver.settle()
        yield driver


Step = Callable[[Driver], Awaitable[None]]
