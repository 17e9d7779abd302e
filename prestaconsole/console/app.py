"""The console: panes as modes over one core, every key through one registry. Imports Textual and services."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding
from textual.screen import Screen

from prestaconsole.console.base import ConsoleBase
from prestaconsole.console.catalogue import EVERYWHERE, REGISTRY
from prestaconsole.console.commands import Command
from prestaconsole.console.dialogs.ask import AskBox, NoteBox, paragraphs
from prestaconsole.console.dialogs.places import GoBox, HelpBox, PaletteBox, help_lines
from prestaconsole.console.screens.feeds import FeedsPane
from prestaconsole.console.screens.foreign import ForeignPane
from prestaconsole.console.screens.formula import FormulaPane
from prestaconsole.console.screens.log import LogPane
from prestaconsole.console.screens.mappings import MappingsPane
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.screens.shops import ShopsPane
from prestaconsole.console.screens.stock import StockPane
from prestaconsole.console.widgets.furniture import ANSWER_CELLS
from prestaconsole.errors import PrestaConsoleError

#: Menus that open within the key's own event, so that no letter typed after it is lost.
_AT_ONCE = ("go_menu", "palette")


class ConsoleApp(ConsoleBase):
    """The whole console: its panes, its keys, the commands that every pane has."""

    BINDINGS: ClassVar[list[Any]] = [
        *REGISTRY.bindings(EVERYWHERE),
        Binding("ctrl+c", "command('leave')", show=False),
        Binding("ctrl+q", "command('leave')", show=False, priority=True),
    ]
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "shops": ShopsPane,
        "feeds": FeedsPane,
        "mappings": MappingsPane,
        "stock": StockPane,
        "formula": FormulaPane,
        "foreign": ForeignPane,
        "log": LogPane,
    }
    DEFAULT_MODE = "shops"

    # Keys -----------------------------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Keys are taken one after the other: what is typed behind a command waits for its box, so none is lost."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        if self._pending:
            self._typed_ahead.append(event)
            return
        screen = self.screen
        if self._note_key(event) or (
            isinstance(screen, Pane) and not screen.filtering and await self._check_bindings(event.key)
        ):
            return
        await super().on_event(event)

    def _note_key(self, event: events.Key) -> bool:
        """Each key ends the last answer and keeps an allowed console allowed. True where it opened a long answer."""
        self._last_key = self.clock.monotonic()
        said, self.answer_text = self.answer_text, ""
        pane = self.pane
        if said and pane is not None and pane.alive:
            pane.show_keys()
        if event.key == "e" and cell_len(said) > ANSWER_CELLS and self.screen is pane:
            self.push_screen(NoteBox("At length", paragraphs([said], NoteBox.WIDTH)))
            return True
        return False

    @property
    def at_work(self) -> bool:
        """Whether a command is being done, or keys wait for its end."""
        return self._pending or bool(self._typed_ahead)

    def settle(self) -> None:
        """A command came to its end or to its box: the keys typed meanwhile go on."""
        self._pending = False
        if self._typed_ahead:
            self.call_later(self._go_on_typing)

    async def _go_on_typing(self) -> None:
        while self._typed_ahead and not self._pending:
            await self.on_event(self._typed_ahead.pop(0))

    def action_command(self, name: str) -> None:
        """A key of the registry was pressed."""
        command = REGISTRY[name]
        if not isinstance(self.screen, Pane):
            return
        if command.action in _AT_ONCE:
            getattr(self, f"do_{command.action}")()
        else:
            self._start(command)

    def _start(self, command: Command) -> None:
        self._pending = True
        self.run_worker(self.perform(command), name=command.name, exit_on_error=True)

    async def perform(self, command: Command) -> None:
        """Do a command, unless it is locked or one is being done; read-only asks before the first change."""
        pane = self.pane
        if pane is None:
            return
        try:
            lock = command.locked(pane.context())
            if lock:
                self.answer(lock)
            elif not command.changes or await self._allowed():
                await self._do(pane, command)
        except PrestaConsoleError as error:
            self.answer(str(error))
        finally:
            if pane.alive:
                pane.show_header()
                pane.show_keys()
            self.settle()

    async def _do(self, pane: Pane, command: Command) -> None:
        method = getattr(pane, f"do_{command.action}", None) or getattr(self, f"do_{command.action}")
        outcome = method()
        if isinstance(outcome, Awaitable):
            await outcome

    async def _allowed(self) -> bool:
        if self.held_read_only:
            self.answer("This console was started read-only. Start it without --read-only to change things.")
            return False
        if not self.may_change:
            asked = AskBox("Read-only", ["Allow changes in this console?"], "enter yes  esc stay reading")
            self.may_change = await self.push_screen_wait(asked) is not None
        return self.may_change

    # Commands of everywhere -----------------------------------------------------------------------------------

    def do_allow_changes(self) -> None:
        """Allow changes, or go back to reading."""
        if self.held_read_only:
            self.answer("This console was started read-only. Start it without --read-only to change things.")
            return
        self.may_change = not self.may_change
        self.answer("Changes are allowed. W goes back." if self.may_change else "Read-only. W allows changes.")

    async def go(self, mode: str, scope: int | None) -> None:
        """Go to a pane with a scope."""
        if scope != self.scope:
            self.scope = scope
            await self.read_header()
        if self.current_mode != mode:
            await self.switch_mode(mode)
        elif self.pane is not None:
            await self.pane.reload()
        if self.pane is not None and self.pane.alive:
            self.pane.show_all()

    async def _go_scoped(self, mode: str) -> None:
        if self.current_mode != mode:
            await self.go(mode, self.scope)
        elif self.scope is not None:
            self.last_shop = self.scope
            await self.go(mode, None)
        elif self.last_shop is not None:
            await self.go(mode, self.last_shop)

    async def do_go_board(self) -> None:
        """The board of all shops; until it is built, the list of shops."""
        await self.go("shops", None)

    async def do_go_shop(self) -> None:
        """The shop; again: all shops."""
        await self.go("shops", None if self.current_mode == "shops" else self.scope)
        if self.scope is not None and self.pane is not None:
            self.pane.table.move_to_id(self.scope)

    async def do_go_feeds(self) -> None:
        """Feeds, keeping the scope; again: the other scope."""
        await self._go_scoped("feeds")

    async def do_go_stock(self) -> None:
        """Stock diffs of the scope's shop, or of the last one under a cursor."""
        await self.go("stock", self.scope if self.scope is not None else self.last_shop)

    async def do_go_mappings(self) -> None:
        """Mappings of the scope's shop, or of the last one under a cursor."""
        await self.go("mappings", self.scope if self.scope is not None else self.last_shop)

    async def do_go_log(self) -> None:
        """The live log of the scope."""
        await self._go_scoped("log")

    async def do_go_foreign(self) -> None:
        """What somebody else wrote; keeps the scope, again: the other scope."""
        await self._go_scoped("foreign")

    async def follow_run(self, run: int, shop: int) -> None:
        """The live log of one run."""
        await self.go("log", shop)
        if isinstance(self.pane, LogPane):
            await self.pane.show_run(run)

    def do_go_menu(self) -> None:
        """The Go menu, there at once: its letter may be typed blind."""
        self.push_screen(GoBox(REGISTRY), self._chosen)

    def do_palette(self) -> None:
        """Any command by words."""
        if self.pane is not None:
            self.push_screen(PaletteBox(REGISTRY, self.pane.context()), self._chosen)

    def _chosen(self, name: str | None) -> None:
        """Do what the Go menu or the palette gave; a command of another pane is only named."""
        pane = self.pane
        if name is None or pane is None:
            return
        command = REGISTRY[name]
        if command in REGISTRY.of(pane.PANE):
            self._start(command)
        else:
            self.answer(f"{command.label} is on {command.scope.capitalize()}: {command.shown_key} there.")

    async def do_help(self) -> None:
        """The help page of this pane."""
        pane = self.pane
        if pane is not None:
            lines = help_lines(
                REGISTRY, pane.context(), about=pane.ABOUT, cannot=pane.CANNOT_GO_WRONG, words=pane.WORDS
            )
            await self.push_screen_wait(HelpBox(" › ".join(pane.place()), lines))

    async def do_back(self) -> None:
        """One step back: a filter, what the pane has open, the scope."""
        pane = self.pane
        if pane is None or pane.clear_filter() or await pane.go_back():
            return
        if self.scope is not None and self.current_mode != "shops":
            left, self.last_shop = self.scope, self.scope
            await self.go("shops", None)
            if self.pane is not None:
                self.pane.table.move_to_id(left)

    async def do_leave(self) -> None:
        """Leave, after a question that says what stops."""
        stops = (
            "The feeds of all shops stop with this console, since no daemon runs. They go on where they were "
            "when it is opened again."
            if self._runs_here() and not self.counts.daemon_alive(self.clock.now(), self._stale_after)
            else "Nothing stops: the work does not depend on this terminal."
        )
        if await self.push_screen_wait(AskBox("Leave the console", [stops], "enter Leave  esc Stay")) is not None:
            self.answer("Leaving: what is at work ends its page.")
            await self.before_leaving()
            self.exit(0)

    async def before_leaving(self) -> None:
        """What must end before the console does."""
