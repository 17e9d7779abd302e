"""What every pane shares: furniture, list, strip or side, filter, live view. Imports Textual, widgets, services' views.

The list is drawn for 80 columns; from 120 the strip under it becomes a side at its right (SCREENS §1).
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from prestaconsole.console.catalogue import REGISTRY
from prestaconsole.console.commands import Context
from prestaconsole.console.screens.filter import FilterKeys
from prestaconsole.console.text import clean, number, plural
from prestaconsole.console.widgets.columns import Column, heading
from prestaconsole.console.widgets.furniture import (
    answer_row,
    furniture_spans,
    header_line,
    key_row,
    places_row,
    rule,
)
from prestaconsole.console.widgets.lines import BLANK, Line, Lines, line_text, plain, wrapped
from prestaconsole.console.widgets.virtual_table import VirtualTable
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.services.views.rows import RowView

if TYPE_CHECKING:
    from prestaconsole.console.app import ConsoleApp

MINIMUM = (80, 24)
#: Seconds between two looks for new rows, at the least.
LOOK_SECONDS = 2.0
#: From this width the strip is a side; the list keeps these columns until ``ROOMY``.
WIDE, LIST_COLUMNS, ROOMY, SIDE_COLUMNS = 120, 80, 150, 40


_PARTS = ("small", "header", "banner", "head", "titles", "strip", "side", "keys", "places")


class Pane(FilterKeys):
    """One place of the console. Subclasses give the view, the columns and the words of the selected row."""

    DEFAULT_CSS = """
    Pane { layout: vertical; overflow: hidden; }
    Pane #small { display: none; height: 100%; }
    Pane Lines { height: 1; width: 100%; }
    Pane #body { height: 1fr; }
    Pane #main { width: 1fr; height: 100%; }
    Pane #banner, Pane #side, Pane #head { display: none; }
    Pane.-banner #banner { display: block; }
    Pane.-head #head { display: block; }
    Pane #strip { height: 5; }
    Pane.-wide #strip { height: 1; display: none; }
    Pane.-wide.-says #strip { display: block; }
    Pane.-wide #main { width: 80; }
    Pane.-wide #side { display: block; width: 1fr; height: 100%; }
    Pane.-roomy #main { width: 1fr; }
    Pane.-roomy #side { width: 40; }
    Pane.-tiny #all, Pane.-flat #all { display: none; }
    Pane.-tiny #small, Pane.-flat #small { display: block; }
    """
    #: The scope of the registry, and the name of the mode.
    PANE = ""
    #: The place's command, reversed in row 24.
    PLACE = ""
    TITLE_WORDS = ""
    #: Lines above the column titles.
    HEAD_LINES = 0
    #: What this pane is, for the help page.
    ABOUT: ClassVar[Sequence[str]] = ()
    CANNOT_GO_WRONG: ClassVar[Sequence[str]] = ()
    WORDS: ClassVar[Sequence[tuple[str, str]]] = ()

    app: "ConsoleApp"

    def __init__(self) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (MINIMUM[0], "-narrow"), (WIDE, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-flat"), (MINIMUM[1], "-tall")]
        self._parts = {name: Lines(id=name) for name in _PARTS}
        self.view = self.make_view()
        self.table = VirtualTable(self.view, self.columns())
        self.table.empty = self.empty
        self.table.capture = lambda event: self.filtering and self.take_filter_key(event)
        self.trouble = ""
        self.facts: Any = None
        self._look_at = 0.0
        self._head_height = 1

    # What a pane says of itself -------------------------------------------------------------------------------

    def make_view(self) -> RowView[Any]:
        """The rows of this pane."""
        raise NotImplementedError

    def columns(self) -> Sequence[Column]:
        """The columns of its list."""
        raise NotImplementedError

    def empty(self) -> str:
        """The sentence for an empty list."""
        return ""

    def head(self, width: int) -> list[Line]:
        """The lines above the titles."""
        return []

    def detail(self, row: Any, width: int) -> tuple[str, list[Line], str]:
        """Title, lines and the right end of the rule for the selected row."""
        return "", [], ""

    def copy_text(self, row: Any) -> str:
        """What ``y`` takes of a row."""
        return ""

    async def read_facts(self) -> None:
        """Read what stands above the list; ``facts`` is what locks look at."""

    def scope_shop(self) -> int | None:
        """The shop this list is asked for."""
        return self.app.scope

    def place(self) -> list[str]:
        """The left end of the header."""
        shop = self.app.scope_shop
        return [shop.name, self.TITLE_WORDS] if shop is not None else [f"{self.TITLE_WORDS} · all shops"]

    def facet(self) -> str:
        """The facet of the question: tab, level, plan."""
        return ""

    # Composition ----------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield self._parts["small"]
        with Vertical(id="all"):
            yield self._parts["header"]
            yield self._parts["banner"]
            with Horizontal(id="body"):
                with Vertical(id="main"):
                    yield self._parts["head"]
                    yield self._parts["titles"]
                    yield self.table
                    yield self._parts["strip"]
                yield self._parts["side"]
            yield self._parts["keys"]
            yield self._parts["places"]

    def lines(self, name: str) -> Lines:
        """One of the line widgets by its id."""
        return self._parts[name]

    @property
    def alive(self) -> bool:
        """Whether its lines stand: not before it was composed, not while the console ends."""
        return self._parts["places"].is_attached

    async def on_mount(self) -> None:
        if self.HEAD_LINES:
            self.add_class("-head")
        self.table.beside = self.lines("side")
        self.table.focus()
        await self.reload()

    async def on_screen_resume(self) -> None:
        if self.view.loaded:
            if self.view.ask.shop != self.scope_shop():
                await self.reload()
            else:
                await self.live()
        self.show_all()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= ROOMY, "-roomy")
        width, height = event.size.width, event.size.height
        self.lines("small").show(
            [
                BLANK,
                plain(f" PrestaConsole needs {MINIMUM[0]} × {MINIMUM[1]}. This window has {width} × {height}."),
                plain(" Make it larger, or use the command line: prestaconsole status"),
                plain(" q leaves. Nothing is lost."),
            ]
        )
        self.call_after_refresh(self.show_all)

    # Reading --------------------------------------------------------------------------------------------------

    async def reload(self) -> None:
        """Ask the list's question for the present scope, filter and facet, and show what comes."""
        try:
            await self.read_facts()
            self.view.change(shop=self.scope_shop(), words=self.field.text.strip(), facet=self.facet())
            await self.table.reload()
            self.trouble = ""
        except PrestaConsoleError as error:
            self.trouble = f"not refreshed: {error.cause}"
        self.show_all()

    async def live(self) -> None:
        """Somebody committed: repaint what differs; at most every 2 s see whether rows came."""
        try:
            facts = self.facts
            await self.read_facts()
            if self.facet() != self.view.ask.facet:
                await self.reload()
                return
            await self.table.live()
            started = time.monotonic()
            if started >= self._look_at:
                await self.table.look_for_new()
                # A long list takes long to ask for: it is asked less often, never above a hundredth of the time.
                self._look_at = time.monotonic() + max(LOOK_SECONDS, 100 * (time.monotonic() - started))
            self.trouble = ""
            if facts != self.facts:
                self.show_head()
        except PrestaConsoleError as error:
            self.trouble = f"not refreshed since {self.app.since()}: {error.cause}"
        self.show_detail()
        self.show_keys()

    # Showing --------------------------------------------------------------------------------------------------

    def context(self) -> Context:
        """What locks and labels look at."""
        return Context(
            pane=self.PANE,
            row=self.table.cursor_row,
            shop=self.app.scope_shop,
            marks=len(self.view.marks),
            stale=self.app.stale_words(),
            facts=self.facts,
        )

    def show_all(self) -> None:
        """Bring every line up to date; only what differs is repainted."""
        if not self.alive:
            return
        self.show_header()
        self.show_head()
        self.show_detail()
        self.show_keys()

    def show_header(self) -> None:
        """Row 1 and the banner under it."""
        now = self.app.clock.now()
        width = self.size.width
        self.lines("header").show([header_line(self.place(), furniture_spans(self.app.furniture(), now), width)])
        banner = self.app.banner()
        self.set_class(banner is not None, "-banner")
        if banner is not None:
            self.lines("banner").show([banner])

    def show_head(self) -> None:
        """The lines above the list, and its titles."""
        width = self.table.size.width or self.size.width
        if self.HEAD_LINES:
            shown = self.head(width)
            if len(shown) != self._head_height:
                self._head_height = len(shown)
                self.lines("head").styles.height = self._head_height
            self.lines("head").show(shown)
        self.lines("titles").show([heading(self.table.layout_at)])

    def show_detail(self) -> None:
        """The strip, or the side on a wide terminal."""
        width = self.table.size.width or MINIMUM[0]
        wide = self.has_class("-wide")
        row = self.table.cursor_row
        side_width = self.lines("side").size.width - 3 if wide else width
        title, lines, right = self.detail(row, max(20, side_width)) if row is not None else ("", [], "")
        says = self.says()
        if not wide:
            height = self.lines("strip").size.height
            shown = [part for line in lines for part in wrapped(line, width - 1)]
            self.lines("strip").show([rule(title, width, says or right), *shown[: max(0, height - 1)]])
            return
        self.set_class(bool(says), "-says")
        self.lines("strip").show([rule(title, width, says)])
        column: list[Line] = [plain(f" {clean(title)}", "bold")]
        for line in lines:
            column += wrapped(line, max(20, side_width - 1))
        height = self.lines("side").size.height
        column += [BLANK] * (height - len(column))
        self.lines("side").show([((" │ ", "dim"), *line) for line in column[:height]])

    def says(self) -> str:
        """What the rule's right end has to say before anything else: trouble, new rows, marks, a filter."""
        parts = []
        if self.trouble:
            return self.trouble
        if self.view.new:
            parts.append(f"{number(self.view.new)} new, v enter sorts again")
        if self.view.marks:
            parts.append(f"{number(len(self.view.marks))} marked")
        if self.field.text and not self.filtering:
            parts.append(f"filter {clean(self.field.text)}: {plural(len(self.view), 'row')}")
        return ", ".join(parts)

    def show_keys(self) -> None:
        """Rows 23 and 24."""
        width = self.size.width
        if self.filtering:
            shown: Line = ((" Filter  ", "dim"), (self.field.shown(), "accent"), ("   enter keep  esc clear", "dim"))
            self.lines("keys").show([shown])
        else:
            self.lines("keys").show([key_row(REGISTRY.row(self.PANE), self.context(), width)])
        answer = self.app.answer_text
        self.lines("places").show([answer_row(answer) if answer else places_row(REGISTRY, self.PLACE)])

    def plain_text(self) -> str:
        """What the selected row says, as bare text (for the clipboard and tests)."""
        _, lines, _ = self.detail(self.table.cursor_row, 76)
        return "\n".join(line_text(line).strip() for line in lines)

    # Events ---------------------------------------------------------------------------------------------------

    def on_virtual_table_moved(self, event: VirtualTable.Moved) -> None:
        event.stop()
        if self.table.cursor_row is None and len(self.view):
            return  # its row is being read; what stands there stays until it came
        self.cursor_moved()
        self.show_detail()
        self.show_keys()

    def on_virtual_table_loaded(self, event: VirtualTable.Loaded) -> None:
        event.stop()
        self.show_head()
        self.show_detail()

    def cursor_moved(self) -> None:
        """The cursor stands on another row; panes note its shop."""

    async def go_back(self) -> bool:
        """Undo one step of what this pane has open. False where nothing is."""
        return False

    # Commands every pane has ----------------------------------------------------------------------------------

    def do_mark(self) -> None:
        """Mark the row."""
        self.table.mark()

    def do_mark_all(self) -> None:
        """Mark all rows shown, or none."""
        self.table.mark_all()

    def do_copy(self) -> None:
        """Copy the row's code or name."""
        text = self.copy_text(self.table.cursor_row)
        self.app.copy_to_clipboard(text)
        self.app.answer(f"{text} is in the clipboard.")

    async def do_view(self) -> None:
        """Sort again, new rows included; where none is new, by the next order."""
        if not self.view.new:
            orders = list(self.view.query.orders)
            present = self.view.ask.order or orders[0]
            self.view.change(order=orders[(orders.index(present) + 1) % len(orders)])
        await self.reload()
        self.app.answer(f"Sorted by {self.view.ask.order or self.view.query.orders[0]}.")

    def now(self) -> datetime:
        """The moment, by the app's clock."""
        return self.app.clock.now()
