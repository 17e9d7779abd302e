"""Lets the terminal itself move the rows of a list, so that a scrolled key costs one new line. Imports Textual.

Repainting a page for each key at the edge of the list costs 1–4 kB; a scrolling region (known to every terminal
since the VT100) costs 20 bytes. It moves whole rows, so what stands beside the list is mended after it. It is used
only where nothing else is about to be painted on those rows.
"""

from textual.widget import Widget

from prestaconsole.console.widgets.lines import Lines


def terminal_can_shift(widget: Widget, beside: Lines | None) -> bool:
    """Whether the terminal may move the rows of this widget: on top, full width, nothing waiting."""
    app, screen = widget.app, widget.screen
    if app.is_headless or app._driver is None or app.is_inline or app._batch_count or not screen.is_current:
        return False
    if screen._layout_required or screen._compositor._dirty_regions or _waits(widget):
        return False
    right = widget.region.right
    if beside is not None and beside.display:
        if _waits(beside) or beside.region.x != right or beside.region.y > widget.region.y:
            return False
        right = beside.region.right
    return widget.region.x == 0 and right == screen.size.width


def _waits(widget: Widget) -> bool:
    """Whether something of this widget is still to be painted."""
    return widget._repaint_required or bool(widget._repaint_regions) or widget in widget.screen._dirty_widgets


def shift_rows(widget: Widget, beside: Lines | None, rows: int) -> None:
    """Move what stands on screen up by ``rows`` (down where negative); the rows left free are blank."""
    top, bottom = widget.region.y + 1, widget.region.bottom
    moves = f"\x1b[{bottom};1H" + "\n" * rows if rows > 0 else f"\x1b[{top};1H" + "\x1bM" * -rows
    driver = widget.app._driver
    if driver is None:
        return
    driver.write(f"\x1b[{top};{bottom}r{moves}\x1b[r")
    if beside is not None and beside.display:
        offset = widget.region.y - beside.region.y
        beside.mend(offset, offset + widget.region.height, rows)
