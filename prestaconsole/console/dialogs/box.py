"""The frame of every box: title above, keys below, lines between; it says nothing by itself. Imports Textual.

A box that reaches a shop drops the keys of its first moments, so that a letter typed too much sends nothing.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.console.text import clean, shorten
from prestaconsole.console.widgets.lines import Line, Lines, line_width

Answer = TypeVar("Answer")
#: Seconds in which a box that sends something hears no key (SCREENS §1).
DEAF_SECONDS = 0.3


def boxed(title: str, lines: Sequence[Line], foot: str, width: int) -> list[Line]:
    """The lines of a box, cell for cell."""
    inner = width - 2
    head = f"─ {shorten(clean(title), inner - 4)} "
    tail = f"─ {shorten(foot, inner - 4)} "
    framed: list[Line] = [(("┌" + head + "─" * (inner - cell_len(head)) + "┐", ""),)]
    for line in lines:
        room = inner - line_width(line)
        if room >= 0:
            framed.append((("│", ""), *line, (" " * room, ""), ("│", "")))
        else:
            framed.append((("│", ""), (shorten("".join(text for text, _ in line), inner), ""), ("│", "")))
    framed.append((("└" + tail + "─" * (inner - cell_len(tail)) + "┘", ""),))
    return framed


class Box(ModalScreen[Answer | None], Generic[Answer]):
    """A box over the screen: ``enter`` answers, ``esc`` leaves and answers None."""

    DEFAULT_CSS = """
    Box { align: center middle; background: transparent; }
    Box Lines { width: 66; height: 3; }
    """
    WIDTH = 66
    #: Whether the first moments are deaf: boxes that send something.
    DEAF = False

    def __init__(self, title: str, foot: str) -> None:
        super().__init__()
        self.box_title, self.foot = title, foot
        self.frame = Lines()
        self._opened = 0.0

    def compose(self) -> ComposeResult:
        yield self.frame

    def on_mount(self) -> None:
        self._opened = self._now()
        self.draw()
        settle = getattr(self.app, "settle", None)
        if settle is not None:
            settle()

    def body(self) -> list[Line]:
        """The lines between the borders."""
        return []

    def draw(self) -> None:
        """Show the box as it stands; its height follows its lines."""
        width = min(self.WIDTH, self.app.size.width)
        lines = boxed(self.box_title, self.body(), self.foot, width)
        self.frame.styles.width = width
        self.frame.styles.height = min(len(lines), self.app.size.height)
        self.frame.show(lines)

    def on_resize(self) -> None:
        if self.is_mounted:
            self.draw()

    async def on_event(self, event: events.Event) -> None:
        """Drop the keys and pastes of the deaf moments before anything sees them."""
        early = self.DEAF and self._now() - self._opened < DEAF_SECONDS
        if isinstance(event, events.Key | events.Paste) and early:
            event.stop()
            return
        await super().on_event(event)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if not self.is_current:
            # Typed behind the key that closed this box: it was meant for what lies below.
            self.app.post_message(events.Key(event.key, event.character))
        elif event.key == "escape":
            self.dismiss(None)
        else:
            self.pressed(event)

    def pressed(self, event: events.Key) -> None:
        """A key other than esc."""

    def _now(self) -> float:
        clock: Clock = getattr(self.app, "clock", None) or SystemClock()
        return clock.monotonic()
