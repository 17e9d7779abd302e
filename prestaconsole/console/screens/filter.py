"""A filter typed into row 23 while the list follows each letter. Imports Textual and the field."""

from textual import events
from textual.screen import Screen
from textual.timer import Timer

from prestaconsole.console.widgets.field import Field
from prestaconsole.console.widgets.virtual_table import DEBOUNCE_SECONDS


class FilterKeys(Screen[None]):
    """The filtering half of a pane: what is typed, and when the list is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.field = Field(limit=80)
        self.filtering = False
        self._filter_timer: Timer | None = None

    async def reload(self) -> None:
        """Ask the list's question anew."""

    def show_keys(self) -> None:
        """Show row 23."""

    def do_filter(self) -> None:
        """Begin to type a filter."""
        self.filtering = True
        self.show_keys()

    def take_filter_key(self, event: events.Key) -> bool:
        """A key while the filter is typed. Gives whether it was taken; movement goes on to the list."""
        if event.key in ("up", "down", "pageup", "pagedown") or (event.key.startswith("f") and event.key[1:].isdigit()):
            return False
        if event.key == "enter":
            self.filtering = False
            self.ask_soon(0.0)
        elif event.key == "escape":
            self.filtering = False
            self.field.set("")
            self.ask_soon(0.0)
        elif self.field.key(event):
            self.ask_soon(DEBOUNCE_SECONDS)
        self.show_keys()
        return True

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        if self.filtering:
            self.field.insert(event.text)
            self.show_keys()
            self.ask_soon(DEBOUNCE_SECONDS)

    def ask_soon(self, delay: float) -> None:
        """Ask the filter's question after a moment without a key; the latest wins."""
        if self._filter_timer is not None:
            self._filter_timer.stop()
        self._filter_timer = self.set_timer(max(delay, 0.001), self.reload)

    def clear_filter(self) -> bool:
        """Take the filter away. False where there was none."""
        if not self.field.text:
            return False
        self.field.set("")
        self.ask_soon(0.0)
        return True
