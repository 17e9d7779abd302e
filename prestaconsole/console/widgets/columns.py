"""Columns of a virtual table: their widths, and a row drawn as one line. Imports rich and the console's text.

A line begins with two cells of its own: ``>`` or ``*``, then a space. Columns are parted by one space.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len

from prestaconsole.console.text import Align, Cut, fit
from prestaconsole.console.widgets.lines import Line, Span

GUTTER = 2
#: A cell: its text, or its text and its meaning.
Cell = str | tuple[str, str]


@dataclass(frozen=True)
class Column:
    """One column: ``value`` makes its cell from a row; a ``flexible`` one takes what the others leave."""

    title: str
    width: int
    value: Callable[[Any], Cell] = field(compare=False)
    align: Align = "left"
    cut: Cut = "end"
    flexible: bool = False
    #: Shown only where the table has at least so many cells (the ``Wide:`` columns of SCREENS).
    needs: int = 0


@dataclass(frozen=True)
class Layout:
    """Where each column stands at one width."""

    columns: tuple[Column, ...]
    starts: tuple[int, ...]
    widths: tuple[int, ...]
    width: int


def lay_out(columns: Sequence[Column], width: int) -> Layout:
    """Widths and starts of the columns that fit; columns that do not are dropped from the right."""
    shown = [column for column in columns if width >= column.needs]
    while len(shown) > 1 and GUTTER + sum(c.width for c in shown) + len(shown) - 1 > width:
        shown.pop()
    spare = width - GUTTER - sum(c.width for c in shown) - (len(shown) - 1)
    flexible = [index for index, column in enumerate(shown) if column.flexible]
    widths = [column.width for column in shown]
    for order, index in enumerate(flexible):
        share = spare // len(flexible) + (spare % len(flexible) if order == 0 else 0)
        widths[index] += share
    starts, at = [], GUTTER
    for column_width in widths:
        starts.append(at)
        at += column_width + 1
    return Layout(tuple(shown), tuple(starts), tuple(widths), width)


def heading(layout: Layout) -> Line:
    """The row of titles."""
    cells = [
        fit(column.title, width, column.align) for column, width in zip(layout.columns, layout.widths, strict=True)
    ]
    return ((" " * GUTTER + " ".join(cells), "dim"),)


def cells_of(layout: Layout, row: Any) -> tuple[Span, ...]:
    """Every cell of a row at its width. A value that is never cut takes its room from the cell before it."""
    spans: list[Span] = []
    for column, width in zip(layout.columns, layout.widths, strict=True):
        value = column.value(row)
        text, meaning = value if isinstance(value, tuple) else (value, "")
        text = fit(text, width, column.align, column.cut)
        excess = cell_len(text) - width
        if excess > 0 and spans:
            before, its = spans[-1]
            spans[-1] = (fit(before.strip(), max(1, cell_len(before) - excess)), its)
        spans.append((text, meaning))
    return tuple(spans)


def row_line(cells: Sequence[Span], *, cursor: bool, marked: bool, faded: bool, width: int) -> Line:
    """A row as it stands on screen; the cursor's row is one reversed bar, so that it costs one style."""
    sign = ">" if cursor else ("*" if marked else " ")
    second = "*" if cursor and marked else " "
    if cursor:
        text = sign + second + " ".join(text for text, _ in cells)
        return ((text + " " * max(0, width - cell_len(text)), "cursor"),)
    line: list[Span] = [(sign + second, "accent" if marked else "")]
    for index, (text, meaning) in enumerate(cells):
        if index:
            line.append((" ", ""))
        meaning = "dim" if faded else meaning
        bare = text.rstrip(" ")
        line.append((bare, meaning))
        if len(bare) < len(text):
            line.append((text[len(bare) :], ""))
    return tuple(line)
