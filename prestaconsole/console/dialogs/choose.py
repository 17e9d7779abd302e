"""Boxes with a list: one choice, a pause with its reason and end, a schedule in words. Imports the frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events

from prestaconsole.console.dialogs.box import Box
from prestaconsole.console.text import fit, shorten
from prestaconsole.console.widgets.field import Field
from prestaconsole.console.widgets.lines import BLANK, Line, plain
from prestaconsole.operations.shops import fold


@dataclass(frozen=True)
class Choice:
    """One line of a list: what it gives, what it says, a word at its right, a letter that jumps to it."""

    value: str
    label: str
    detail: str = ""
    letter: str = ""
    locked: str = ""


class ChoiceBox(Box[str]):
    """One of several: arrows move, letters filter (or jump, where the choices carry letters), enter chooses."""

    ROWS = 12

    def __init__(
        self, title: str, choices: Sequence[Choice], *, chosen: str = "", verb: str = "Choose", foot: str = ""
    ) -> None:
        self._letters = {choice.letter: choice for choice in choices if choice.letter}
        super().__init__(title, foot or f"enter {verb}" + ("" if self._letters else "  type to filter") + "  esc Leave")
        self._all = list(choices)
        self._field = Field(limit=60)
        self._at = next((i for i, choice in enumerate(choices) if choice.value == chosen), 0)

    @property
    def shown(self) -> list[Choice]:
        """The choices left by the filter."""
        words = fold(self._field.text).split()
        return [c for c in self._all if all(word in fold(f"{c.label} {c.detail}") for word in words)]

    def body(self) -> list[Line]:
        lines: list[Line] = []
        if self._field.text:
            lines.append((("  ", ""), (self._field.shown(), "accent")))
        shown = self.shown
        first = max(0, min(self._at - self.ROWS // 2, len(shown) - self.ROWS))
        for index, choice in enumerate(shown[first : first + self.ROWS], first):
            lines.append(self._line(choice, index == self._at))
        if not shown:
            lines.append(plain("  Nothing like that. Backspace takes letters back.", "dim"))
        return lines

    def _line(self, choice: Choice, here: bool) -> Line:
        inner = self.WIDTH - 2
        letter = f"{choice.letter} " if choice.letter else ""
        room = max(8, inner - 4 - len(letter) - (min(34, len(choice.detail)) + 2 if choice.detail else 0))
        text = f"{letter}{fit(choice.label, room)}"
        detail = f"  {shorten(choice.detail, 34)}" if choice.detail else ""
        if here:
            return ((fit(f" > {text}{detail}", inner), "cursor"),)
        meaning = "dim" if choice.locked else ""
        return ((f"   {text}", meaning), (detail, "dim"))

    def on_paste(self, event: events.Paste) -> None:
        event.stop()

    def pressed(self, event: events.Key) -> None:
        shown = self.shown
        if event.key in ("up", "down", "pageup", "pagedown"):
            step = {"up": -1, "down": 1, "pageup": -self.ROWS, "pagedown": self.ROWS}[event.key]
            self._at = max(0, min(self._at + step, len(shown) - 1))
        elif event.key == "enter":
            if shown:
                self.dismiss(shown[self._at].value)
            return
        elif self._letters:
            if event.key in self._letters:
                self.dismiss(self._letters[event.key].value)
            return
        elif self._field.key(event):
            self._at = 0
        self.draw()


@dataclass(frozen=True)
class Pause:
    """What a pause box answers: why, and until which of the offered ends."""

    reason: str
    until: str


class PauseBox(Box[Pause]):
    """Why and until when; ``enter`` twice takes the first reason and the first end."""

    DEAF = True
    WIDTH = 80

    def __init__(self, title: str, reasons: Sequence[str], ends: Sequence[tuple[str, str]], words: str) -> None:
        super().__init__(title, "")
        self._reasons, self._ends, self._words = list(reasons), list(ends), words
        self._at = [0, 0]
        self._step = 0
        self._other = Field(limit=200)
        self._set_foot()

    def body(self) -> list[Line]:
        lines = [self._choices("Why   ", [*self._reasons, "other …"], 0)]
        if self._writes:
            lines.append((("         ", ""), (self._other.shown(), "accent")))
        lines.append(self._choices("Until ", [label for _, label in self._ends], 1))
        lines.append(plain(f"  {self._words}", "dim"))
        return lines

    @property
    def _writes(self) -> bool:
        return self._at[0] == len(self._reasons)

    def _choices(self, label: str, texts: Sequence[str], row: int) -> Line:
        spans = [("> " if self._step == row else "  ", "accent"), (label, "dim")]
        for index, text in enumerate(texts):
            chosen = index == self._at[row]
            spans.append((f"{'>' if chosen else ' '}{text} ", "cursor" if chosen else ""))
        return tuple(spans)

    def pressed(self, event: events.Key) -> None:
        count = len(self._ends) if self._step else len(self._reasons) + 1
        if self._step == 0 and self._writes and event.key not in ("enter", "up", "down", "tab", "left", "right"):
            self._other.key(event)
        elif event.key in ("left", "right"):
            self._at[self._step] = (self._at[self._step] + (1 if event.key == "right" else -1)) % count
        elif event.key in ("tab", "up", "down"):
            self._step = 1 - self._step
        elif event.key == "enter":
            if self._step == 0:
                self._step = 0 if self._writes and not self._other.text.strip() else 1
            else:
                reason = self._other.text.strip() if self._writes else self._reasons[self._at[0]]
                self.dismiss(Pause(reason, self._ends[self._at[1]][0]))
                return
        else:
            self._jump(event.key)
        self._set_foot()
        self.draw()

    def _jump(self, letter: str) -> None:
        texts = [label for _, label in self._ends] if self._step else [*self._reasons, "other"]
        for index, text in enumerate(texts):
            if len(letter) == 1 and text.casefold().startswith(letter.casefold()):
                self._at[self._step] = index
                return

    def _set_foot(self) -> None:
        self.foot = f"enter {'Pause' if self._step else 'Next, then Pause'}  ← → choose  esc Leave"


@dataclass(frozen=True)
class Reading:
    """How a typed schedule is understood: lines to show, and whether it may be kept."""

    lines: Sequence[Line]
    good: bool


class WordsBox(Box[str]):
    """A value typed in words, read anew at each key: a schedule, a reason, a filter. ``enter`` keeps what is good."""

    WIDTH = 68

    def __init__(self, title: str, label: str, text: str, read: Callable[[str], Reading], verb: str = "Keep") -> None:
        super().__init__(title, f"enter {verb}  esc Leave")
        self._label, self._field, self._read = label, Field(text, limit=200), read

    def body(self) -> list[Line]:
        reading = self._read(self._field.text)
        first: Line = ((f"  {self._label.ljust(7)} ", "dim"), (self._field.shown(), "accent"))
        return [first, BLANK, *reading.lines]

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._field.insert(event.text)
        self.draw()

    def pressed(self, event: events.Key) -> None:
        if event.key == "enter":
            if self._read(self._field.text).good:
                self.dismiss(self._field.text.strip())
            return
        self._field.key(event)
        self.draw()
