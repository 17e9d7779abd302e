"""The Go menu, the command palette and the help page, all made from the registry. Imports frame and registry."""

from collections.abc import Sequence

from textual import events

from prestaconsole.console.commands import Context, Registry, key_name
from prestaconsole.console.dialogs.box import Box
from prestaconsole.console.dialogs.choose import Choice, ChoiceBox
from prestaconsole.console.text import fit, shorten, wrap
from prestaconsole.console.widgets.field import Field
from prestaconsole.console.widgets.lines import BLANK, Line, plain

_PALETTE_ROWS = 12


class GoBox(ChoiceBox):
    """Every place, one letter each."""

    def __init__(self, registry: Registry) -> None:
        places = sorted(registry.places(), key=lambda command: command.go)
        super().__init__(
            "Go",
            [Choice(command.name, command.help, command.shown_key, command.go) for command in places],
            foot="a letter goes there  esc Stay",
        )


class PaletteBox(Box[str]):
    """Commands found by words; the right column is the key for next time."""

    WIDTH = 80

    def __init__(self, registry: Registry, context: Context) -> None:
        super().__init__("Do", "enter Do   the right column is the key for next time   esc")
        self._registry, self._about = registry, context
        self._field = Field(limit=60)
        self._at = 0

    def body(self) -> list[Line]:
        lines: list[Line] = [(("  ", ""), (self._field.shown(), "accent"))]
        found = self._registry.find(self._field.text, self._about.pane)
        first = max(0, min(self._at - _PALETTE_ROWS // 2, len(found) - _PALETTE_ROWS))
        here = {command.name for command in self._registry.of(self._about.pane)}
        for index, command in enumerate(found[first : first + _PALETTE_ROWS], first):
            alive = command.name in here
            lock = command.locked(self._about) if alive else f"on {command.scope}"
            where = lock or command.shown_key or (f"g {command.go}" if command.go else "")
            text = f"{fit(command.help, 52)}  {fit(shorten(where, 20), 20)}"
            if index == self._at:
                lines.append(((fit(f"> {text}", self.WIDTH - 2), "cursor"),))
            else:
                lines.append(plain(f"  {text}", "dim" if lock else ""))
        if not found:
            lines.append(plain("  No command knows these words.", "dim"))
        return lines

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._field.insert(event.text)
        self.draw()

    def pressed(self, event: events.Key) -> None:
        found = self._registry.find(self._field.text, self._about.pane)
        if event.key == "enter":
            if found:
                self.dismiss(found[self._at].name)
            return
        if event.key in ("up", "down"):
            self._at = max(0, min(self._at + (1 if event.key == "down" else -1), len(found) - 1))
        elif self._field.key(event):
            self._at = 0
        self.draw()


def help_lines(
    registry: Registry,
    context: Context,
    *,
    about: Sequence[str],
    cannot: Sequence[str],
    words: Sequence[tuple[str, str]],
    width: int = 73,
) -> list[Line]:
    """The help page of one pane: always these heads; a locked key stands under its lock, in words (SCREENS §5.27)."""
    lines: list[Line] = [plain(" What is this", "bold")]
    lines += [plain(f"   {part}") for text in about for part in wrap(text, width)]
    lines.append(plain(" What can I do", "bold"))
    locked: list[Line] = []
    for command in registry.of(context.pane):
        if not command.key or not (command.in_row or command.scope == context.pane):
            continue
        words_of_lock = command.locked(context)
        if words_of_lock:
            locked += _entry(f"({command.shown_key})", words_of_lock, width)
        else:
            lines += _entry(command.shown_key, command.help, width)
    lines.append(plain(" What cannot go wrong", "bold"))
    lines += [plain(f"   {part}") for text in cannot for part in wrap(text, width)]
    if locked:
        lines += [plain(" Locked now", "bold"), *locked]
    lines.append(plain(" Everywhere", "bold"))
    for command in registry:
        if not command.in_row and command.key and command.scope == "everywhere":
            lines += _entry(command.shown_key, command.help, width)
    lines += _entry("j k", "down and up, as the arrows and page keys", width)
    if words:
        lines.append(plain(" The words used here", "bold"))
        for word, meaning in words:
            lines += _entry(word, meaning, width, 12)
    return lines


def _entry(key: str, words: str, width: int, room: int = 6) -> list[Line]:
    first, *rest = wrap(words, width - room)
    return [
        (("   " + key_name(key).ljust(room), "accent"), (first, "")),
        *[plain("   " + " " * room + part) for part in rest],
    ]


class HelpBox(Box[str]):
    """Help on the screen below; arrows and page keys move it."""

    WIDTH = 80

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__(f"{title} › Help", "up, down move  esc Back")
        self._all, self._top = list(lines), 0

    def body(self) -> list[Line]:
        room = self.app.size.height - 2
        shown = self._all[self._top : self._top + room]
        return [*shown, *([BLANK] * (room - len(shown)))]

    def pressed(self, event: events.Key) -> None:
        room = self.app.size.height - 2
        step = {"down": 1, "j": 1, "up": -1, "k": -1, "pagedown": room, "pageup": -room, "enter": 99999}.get(event.key)
        if event.key in ("f1", "question_mark", "q") or event.key == "enter":
            self.dismiss(None)
        elif step is not None:
            self._top = max(0, min(self._top + step, len(self._all) - room))
            self.draw()
