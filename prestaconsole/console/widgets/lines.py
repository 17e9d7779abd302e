"""Lines of styled text that repaint only what changed: header, strip, keys. Imports Textual and the theme.

A line is a tuple of spans, a span its text and its meaning (theme.py). The strips go to the terminal as they
are built here, without Textual's padding and background passes, which would double the bytes of a quiet line.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from prestaconsole.console.text import to_ascii, wrap
from prestaconsole.console.theme import Look

Span = tuple[str, str]
Line = tuple[Span, ...]
BLANK: Line = ()
_DEFAULT_LOOK = Look()


def plain(text: str, meaning: str = "") -> Line:
    """A line of one span."""
    return ((text, meaning),)


def look_of(widget: Widget) -> Look:
    """The look of the app a widget lives in."""
    look = getattr(widget.app, "look", None)
    return look if isinstance(look, Look) else _DEFAULT_LOOK


def line_text(line: Line) -> str:
    """The bare text of a line."""
    return "".join(text for text, _ in line)


def line_width(line: Line) -> int:
    """Cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def wrapped(line: Line, width: int) -> list[Line]:
    """A line as it is where it fits, else its words laid into more lines, in the meaning of its first span."""
    if line_width(line) <= width:
        return [line]
    meaning = next((meaning for text, meaning in line if text.strip()), "")
    text = line_text(line)
    margin = " " * (len(text) - len(text.lstrip(" ")))
    return [plain(margin + part, meaning) for part in wrap(text.strip(), max(8, width - len(margin)))]


def strip_of(line: Line, width: int, look: Look) -> Strip:
    """A line as exactly ``width`` cells, neighbours of one style merged."""
    spans = [(to_ascii(text) if look.ascii_only else text, look.style(meaning)) for text, meaning in line]
    used = sum(cell_len(text) for text, _ in spans)
    segments = [Segment(text, style) for text, style in spans if text]
    if used < width:
        segments.append(Segment(" " * (width - used)))
    strip = Strip(segments, max(used, width)).simplify()
    return strip if used <= width else strip.crop(0, width)


def changed_until(old: Strip, new: Strip) -> int:
    """The cell behind the last one that differs between two strips of one width; 0 where they are equal.

    The compositor sends a line from its widget's left edge, so only the right end of a change saves bytes.
    """
    if old == new:
        return 0
    left, right = _cells(old), _cells(new)
    if len(left) != len(right):
        return max(old.cell_length, new.cell_length)
    for index in range(len(right) - 1, -1, -1):
        if left[index] != right[index]:
            return index + 1
    return 0


def _cells(strip: Strip) -> list[tuple[str, object]]:
    cells: list[tuple[str, object]] = []
    for text, style, _ in strip:
        for character in text:
            width = cell_len(character)
            cells.append((character, style))
            cells.extend(("", style) for _ in range(width - 1))
    return cells


class LineWidget(Widget):
    """A widget whose lines come from ``render_line`` and go out untouched."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips of a region of this widget."""
        first, last = crop.column_span
        strips = [self.render_line(y) for y in crop.line_range]
        if (first, last) != (0, self.size.width):
            strips = [strip.crop(first, last) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """One line; subclasses draw."""
        return Strip.blank(self.size.width)


class Lines(LineWidget):
    """A block of lines set from outside; a new text repaints only the cells that differ."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._strips: dict[int, Strip] = {}

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines."""
        fresh = tuple(lines)
        if fresh == self._lines:
            return
        self._lines = fresh
        if not self._strips or not self.is_attached:
            self.refresh()
            return
        dirty = []
        for y, old in list(self._strips.items()):
            new = self._draw(y)
            end = changed_until(old, new)
            if end:
                self._strips[y] = new
                dirty.append(Region(0, y, end, 1))
        if dirty:
            self.refresh(*dirty)

    def mend(self, first: int, end: int, rows: int) -> None:
        """The terminal moved lines ``first`` … ``end`` up by ``rows``: paint those again that now differ."""
        dirty = []
        for y in range(first, end):
            new, came_from = self.render_line(y), y + rows
            old = self._strips.get(came_from) if first <= came_from < end else None
            until = self.size.width if old is None else changed_until(old, new)
            if until:
                dirty.append(Region(0, y, until, 1))
        if dirty:
            self.refresh(*dirty)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def on_resize(self) -> None:
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None or strip.cell_length != self.size.width:
            strip = self._strips[y] = self._draw(y)
        return strip

    def _draw(self, y: int) -> Strip:
        line = self._lines[y] if 0 <= y < len(self._lines) else BLANK
        return strip_of(line, self.size.width, look_of(self))
