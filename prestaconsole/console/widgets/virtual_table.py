"""A table of any length that draws single lines on demand (TERMINAL.md). Imports Textual and the row views of services.

Ids stand in memory, rows are read by primary key in blocks around what is visible, the latest question wins.
A changed cell repaints its line up to that cell and nothing else; rows never move under the cursor.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from prestaconsole.console.text import wrap
from prestaconsole.console.widgets.columns import Column, Layout, cells_of, lay_out, row_line
from prestaconsole.console.widgets.lines import Line, Lines, look_of, strip_of
from prestaconsole.console.widgets.scroll import shift_rows, terminal_can_shift
from prestaconsole.services.views.rows import RowView

#: A filter waits this long for the next letter before it asks the database.
DEBOUNCE_SECONDS = 0.12
_AHEAD = 24


class VirtualTable(ScrollView, can_focus=True):
    """The list of a screen: a cursor, marks, columns, and nothing in memory that is not on screen."""

    DEFAULT_CSS = """
    VirtualTable { height: 1fr; width: 1fr; scrollbar-size: 0 0; overflow: hidden hidden; }
    """

    class Moved(Message):
        """The cursor stands on another row, or its row was read anew."""

        def __init__(self, table: "VirtualTable", identity: int | None) -> None:
            super().__init__()
            self.table, self.identity = table, identity

        @property
        def control(self) -> "VirtualTable":
            return self.table

    class Loaded(Message):
        """The list was read: its length, its order or its count of new rows is different."""

        def __init__(self, table: "VirtualTable") -> None:
            super().__init__()
            self.table = table

    _KEYS: ClassVar[dict[str, str]] = {
        "up": "up", "k": "up", "down": "down", "j": "down", "pageup": "page_up", "pagedown": "page_down",
        "home": "home", "end": "end",
    }  # fmt: skip

    def __init__(self, view: RowView[Any], columns: Sequence[Column], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view
        self._columns: Sequence[Column] = columns
        self.layout_at: Layout = lay_out(columns, 80)
        self.cursor = 0
        self._cursor_id: int | None = None
        self.faded = False
        #: The sentence in the middle of an empty list: what it would hold, why not, which key fills it.
        self.empty: Callable[[], str] = lambda: ""
        #: Asked first about each key; takes it where it gives true (a filter being typed).
        self.capture: Callable[[events.Key], bool] = lambda event: False
        #: What stands at the right of the list on the same rows.
        self.beside: Lines | None = None
        self._fetching = False
        self._fetch_again = False
        self._shifted = False
        self._cells: dict[int, tuple[tuple[str, str], ...]] = {}

    # What is shown ------------------------------------------------------------------------------------------

    @property
    def cursor_id(self) -> int | None:
        """The id of the row under the cursor."""
        return self.view.ids[self.cursor] if 0 <= self.cursor < len(self.view) else None

    @property
    def cursor_row(self) -> Any:
        """The row under the cursor as last read; None where there is none yet."""
        identity = self.cursor_id
        return None if identity is None else self.view.row(identity)

    @property
    def page(self) -> int:
        """Rows that fit on screen."""
        return max(1, self.scrollable_content_region.height)

    @property
    def top(self) -> int:
        """The first visible row."""
        return int(self.scroll_offset.y)

    @property
    def reading(self) -> bool:
        """Whether rows are being read."""
        return self._fetching

    def visible_ids(self) -> list[int]:
        """The ids on screen now, at most a block."""
        return list(self.view.ids[self.top : self.top + self.page])

    def marked_or_cursor(self) -> list[int]:
        """What the next letter acts on: all marked rows, else the one under the cursor."""
        if self.view.marks:
            return [identity for identity in self.view.ids if identity in self.view.marks]
        identity = self.cursor_id
        return [] if identity is None else [identity]

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns (another scope of the same list)."""
        self._columns = columns
        self._lay_out()

    # Reading ------------------------------------------------------------------------------------------------

    async def reload(self) -> None:
        """Ask the view's question anew; the cursor stays on its record where that is still in the list."""
        keep = self._cursor_id if self._cursor_id is not None else self.cursor_id
        if not await self.view.load():
            return
        place = self.view.place(keep)
        self.cursor = place if place is not None else max(0, min(self.cursor, len(self.view) - 1))
        self._cursor_id = self.cursor_id
        self._cells.clear()
        self.virtual_size = Size(self.size.width, len(self.view))
        self._scroll_into_view()
        await self._fetch()
        self.refresh()
        self.post_message(self.Loaded(self))
        self.post_message(self.Moved(self, self.cursor_id))

    async def live(self) -> None:
        """Somebody committed: read the visible rows again and repaint the cells that differ."""
        if not self.view.loaded:
            return
        shown = self.visible_ids()
        differing = await self.view.refresh(shown)
        for identity in differing:
            self._repaint(identity)
        if self.cursor_id in differing:
            self.post_message(self.Moved(self, self.cursor_id))

    async def look_for_new(self) -> None:
        """Count rows that came since; an empty list takes them at once, since nothing can move under a cursor."""
        before = self.view.new
        found = await self.view.look_for_new()
        if found and not len(self.view):
            await self.reload()
        elif found != before:
            self.post_message(self.Loaded(self))

    def grown(self) -> None:
        """The view took rows at its end by itself: make room for them."""
        before = int(self.virtual_size.height)
        self.virtual_size = Size(self.size.width, len(self.view))
        if before < self.top + self.page:
            self.refresh()
        self._fetch_soon()

    async def _fetch(self) -> None:
        came = await self.view.fetch(self.top, self.page)
        came |= await self.view.fetch(max(0, self.top - _AHEAD), self.page + 2 * _AHEAD)
        for identity in came:
            self._repaint(identity)
        if self.cursor_id in came:
            self.post_message(self.Moved(self, self.cursor_id))

    def _fetch_soon(self) -> None:
        """Read what the screen lacks; while a read is under way only the last wish is kept."""
        if self._fetching:
            self._fetch_again = True
            return
        near = self.view.ids[max(0, self.top - _AHEAD // 2) : self.top + self.page + _AHEAD // 2]
        if all(self.view.row(identity) is not None for identity in near):
            return
        self._fetching = True
        self.run_worker(self._fetch_until_done(), name="rows", exit_on_error=True)

    async def _fetch_until_done(self) -> None:
        try:
            while True:
                self._fetch_again = False
                await self._fetch()
                if not self._fetch_again:
                    return
        finally:
            self._fetching = False

    # Moving -------------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        taken = self.capture(event)
        move = None if taken else self._KEYS.get(event.key)
        if not taken and move is None:
            return
        event.stop()
        event.prevent_default()
        if move is None:
            return
        if move in ("page_up", "page_down"):
            self._turn_page(self.page if move == "page_down" else -self.page)
            return
        self.move_to({"up": self.cursor - 1, "down": self.cursor + 1, "home": 0, "end": len(self.view) - 1}[move])

    def _turn_page(self, rows: int) -> None:
        highest = max(0, len(self.view) - self.page)
        self.scroll_to(y=max(0, min(self.top + rows, highest)), animate=False, force=True, immediate=True)
        self.move_to(self.cursor + rows)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move_to(self.cursor + 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move_to(self.cursor - 1)

    def on_click(self, event: events.Click) -> None:
        self.move_to(self.top + event.y)

    def move_to(self, place: int) -> None:
        """Put the cursor on a row by its place, as near as the list allows."""
        if not len(self.view):
            return
        place = max(0, min(place, len(self.view) - 1))
        if place == self.cursor:
            return
        before, self.cursor = self.cursor, place
        self._cursor_id = self.cursor_id
        self._scroll_into_view()
        self._repaint_line(before)
        self._repaint_line(place)
        self._fetch_soon()
        self.post_message(self.Moved(self, self.cursor_id))

    def move_to_id(self, identity: int) -> bool:
        """Put the cursor on a record; False where the list does not hold it."""
        place = self.view.place(identity)
        if place is None:
            return False
        self.move_to(place)
        return True

    def _scroll_into_view(self) -> bool:
        """Bring the cursor on screen with the least movement. Gives whether the list moved."""
        page, top = self.page, self.top
        highest = max(0, len(self.view) - page)
        wanted = min(max(top, self.cursor - page + 1), self.cursor, highest)
        if wanted == top:
            return False
        self._scroll_rows(wanted)
        return True

    def _scroll_rows(self, wanted: int) -> None:
        rows = wanted - self.top
        near = abs(rows) <= self.page // 2 and self.view.loaded and len(self.view) >= wanted + self.page
        self._shifted = near and terminal_can_shift(self, self.beside)
        if self._shifted:
            shift_rows(self, self.beside, rows)
        self.scroll_to(y=wanted, animate=False, force=True, immediate=True)
        if self._shifted:
            self._shifted = False
            first = self.page - rows if rows > 0 else 0
            self.refresh(Region(0, first, self.size.width, abs(rows)))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        if not self._shifted:
            super().watch_scroll_y(old_value, new_value)

    # Marks --------------------------------------------------------------------------------------------------

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark, and go one down."""
        identity = self.cursor_id
        if identity is None:
            return
        self.view.mark(identity)
        self._repaint_line(self.cursor)
        if self.cursor + 1 < len(self.view):
            self.move_to(self.cursor + 1)
        else:
            self.post_message(self.Moved(self, identity))

    def mark_all(self) -> None:
        """Mark all that is shown, or none."""
        self.view.mark_all()
        self.refresh()
        self.post_message(self.Moved(self, self.cursor_id))

    # Drawing ------------------------------------------------------------------------------------------------

    def set_faded(self, faded: bool) -> None:
        """Show the last known rows dim while new ones are read."""
        if faded != self.faded:
            self.faded = faded
            self.refresh()

    def line_at(self, place: int) -> Line:
        """The line of a row as it stands on screen."""
        identity = self.view.ids[place]
        cells = self._cells_of(identity)
        return row_line(
            cells,
            cursor=place == self.cursor,
            marked=identity in self.view.marks,
            faded=self.faded,
            width=self.size.width,
        )

    def _cells_of(self, identity: int) -> tuple[tuple[str, str], ...]:
        cells = self._cells.get(identity)
        if cells is None:
            row = self.view.row(identity)
            if row is None:
                return ((" " * self.layout_at.widths[0], "dim"),)
            if len(self._cells) > 512:
                self._cells.clear()
            cells = self._cells[identity] = cells_of(self.layout_at, row)
        return cells

    def render_line(self, y: int) -> Strip:
        place = self.top + y
        if place >= len(self.view):
            if self.view.loaded and not len(self.view):
                return self._empty_line(y)
            return Strip.blank(self.size.width)
        return strip_of(self.line_at(place), self.size.width, look_of(self))

    def _empty_line(self, y: int) -> Strip:
        words = wrap(self.empty(), max(20, self.size.width - 8)) if self.empty() else []
        first = max(0, self.size.height // 2 - len(words))
        text = words[y - first] if first <= y < first + len(words) else ""
        margin = max(0, (self.size.width - cell_len(text)) // 2)
        return strip_of(((" " * margin, ""), (text, "")), self.size.width, look_of(self))

    def tick(self) -> None:
        """A minute has passed: repaint the cells whose text is another now."""
        for identity in self.visible_ids():
            self._repaint(identity)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a region, as they go to the terminal."""
        first, last = crop.column_span
        strips = [self.render_line(y) for y in crop.line_range]
        return strips if (first, last) == (0, self.size.width) else [s.crop(first, last) for s in strips]

    def _repaint_line(self, place: int) -> None:
        if self.top <= place < self.top + self.page:
            self.refresh(Region(0, place - self.top, self.size.width, 1))

    def repaint(self, identity: int) -> None:
        """Draw a row again whose cells hold something besides the row (an unsaved edit)."""
        self._repaint(identity)

    def _repaint(self, identity: int) -> None:
        """Repaint a visible row up to its last differing cell."""
        old = self._cells.pop(identity, None)
        visible = self.visible_ids()
        if identity not in visible:
            return
        place = self.top + visible.index(identity)
        new = self._cells_of(identity)
        if old == new:
            return
        end = self.size.width
        if old is not None and len(old) == len(new):
            for index in range(len(new) - 1, -1, -1):
                if old[index] != new[index]:
                    end = self.layout_at.starts[index] + self.layout_at.widths[index]
                    break
        self.refresh(Region(0, place - self.top, end, 1))

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        self.layout_at = lay_out(self._columns, self.size.width)
        self._cells.clear()
        self.virtual_size = Size(self.size.width, len(self.view))
        self._scroll_into_view()
        self.refresh()
        if self.view.loaded:
            self._fetch_soon()
        self.post_message(self.Loaded(self))
