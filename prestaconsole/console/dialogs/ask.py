"""Boxes that ask before something happens: yes or no, a diff, a typed name. Imports the frame and services.

Three weights of action (SCREENS §1): what reaches a shop shows its diff and waits for ``enter``; what cannot be
undone wants the shop's name, in full or by its code.
"""

from collections.abc import Mapping, Sequence

from textual import events

from prestaconsole.console.dialogs.box import Box
from prestaconsole.console.text import wrap
from prestaconsole.console.widgets.field import Field
from prestaconsole.console.widgets.lines import Line, plain
from prestaconsole.operations.shops import fold


def paragraphs(texts: Sequence[str], width: int, meaning: str = "") -> list[Line]:
    """Texts wrapped into lines with two cells of margin."""
    return [plain(f"  {line}", meaning) for text in texts for line in wrap(text, width - 6)]


class AskBox(Box[str]):
    """A question with ``enter`` for yes; further letters may answer too. Gives the key pressed, None for esc."""

    def __init__(self, title: str, texts: Sequence[str], foot: str, letters: Sequence[str] = ()) -> None:
        super().__init__(title, foot)
        self._texts, self._letters = texts, tuple(letters)

    def body(self) -> list[Line]:
        return paragraphs(self._texts, self.WIDTH)

    def pressed(self, event: events.Key) -> None:
        if event.key == "enter" or event.key in self._letters:
            self.dismiss(event.key)


class NoteBox(AskBox):
    """Words at length: an explanation, a lock, an error. Both keys leave."""

    WIDTH = 78

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__(title, (), "esc Leave")
        self._lines = lines

    def body(self) -> list[Line]:
        return list(self._lines)


class DiffBox(Box[str]):
    """The changes about to be sent, as they will be. ``enter`` sends; the first 0.3 s are deaf."""

    DEAF = True
    WIDTH = 76

    def __init__(self, title: str, lines: Sequence[Line], verb: str, letters: Mapping[str, str] | None = None) -> None:
        letters = letters or {}
        others = "".join(f"  {key} {label}" for key, label in letters.items())
        super().__init__(title, f"enter {verb}{others}  esc Leave, nothing happens")
        self._lines, self._letters = lines, letters

    def body(self) -> list[Line]:
        return list(self._lines)

    def pressed(self, event: events.Key) -> None:
        if event.key == "enter" or event.key in self._letters:
            self.dismiss(event.key)


class ReasonBox(Box[str]):
    """The changes about to be made, and a reason that is kept. Gives the reason; the first 0.3 s are deaf."""

    DEAF = True
    WIDTH = 76

    def __init__(self, title: str, lines: Sequence[Line], verb: str) -> None:
        super().__init__(title, "")
        self._lines, self._verb, self._reason = lines, verb, Field(limit=200)
        self._set_foot()

    def body(self) -> list[Line]:
        return [*self._lines, (("  Reason   ", "dim"), (self._reason.shown(), "accent"))]

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._reason.insert(event.text)
        self._redraw()

    def pressed(self, event: events.Key) -> None:
        if event.key != "enter":
            self._reason.key(event)
            self._redraw()
        elif self._reason.text.strip():
            self.dismiss(self._reason.text.strip())

    def _redraw(self) -> None:
        self._set_foot()
        self.draw()

    def _set_foot(self) -> None:
        whole = bool(self._reason.text.strip())
        self.foot = f"{f'enter {self._verb}' if whole else f'({self._verb}: needs a reason)'}  esc Leave"


class TypedBox(Box[str]):
    """For what cannot be undone: a reason, then the shop's name. Gives the reason once both are whole."""

    DEAF = True
    WIDTH = 76

    def __init__(
        self, title: str, lines: Sequence[Line], verb: str, *, name: str, code: str, reason: bool = True
    ) -> None:
        super().__init__(title, "")
        self._lines, self._verb, self._shop_name, self._shop_code = lines, verb, name, code
        self._wants_reason = reason
        self._reason, self._typed = Field(limit=200), Field(limit=120)
        self._in_reason = reason
        self._wrong = ""
        self._set_foot()

    @property
    def named(self) -> bool:
        """Whether the typed name is this shop's: case and accents ignored, ł ø ß as l o ss, or its code."""
        typed = fold(self._typed.text)
        return bool(typed) and typed in {fold(self._shop_name), self._shop_code.casefold()}

    @property
    def whole(self) -> bool:
        """Whether enter would act now."""
        return self.named and (not self._wants_reason or bool(self._reason.text.strip()))

    def body(self) -> list[Line]:
        lines = list(self._lines)
        if self._wants_reason:
            shown = self._reason.shown() if self._in_reason else self._reason.text
            lines.append((("  Reason   ", "dim"), (shown or "_", "accent" if self._in_reason else "")))
        shown = self._typed.text if self._in_reason else self._typed.shown()
        lines.append((("  Type the shop's name:  ", "dim"), (shown, "" if self._in_reason else "accent")))
        said = f'"{self._shop_name}" is matched' if self.named else self._wrong
        lines.append(
            plain(f"  {said or f'{self._shop_name}, or its code {self._shop_code}'}", "" if self._wrong else "dim")
        )
        return lines

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        if self._in_reason:
            self._reason.insert(event.text)
        else:
            self._wrong = "Type the name, a paste is not taken."
        self._redraw()

    def pressed(self, event: events.Key) -> None:
        if event.key in ("tab", "shift+tab", "up", "down") and self._wants_reason:
            self._in_reason = not self._in_reason
        elif event.key == "enter":
            self._enter()
        elif (self._reason if self._in_reason else self._typed).key(event):
            self._wrong = ""
        self._redraw()

    def _enter(self) -> None:
        if self._in_reason:
            if self._reason.text.strip():
                self._in_reason = False
        elif self.whole:
            self.dismiss(self._reason.text.strip())
        elif not self.named:
            self._wrong = f"This is not {self._shop_name}." if self._typed.text else ""
        else:
            self._in_reason = True

    def _redraw(self) -> None:
        self._set_foot()
        self.draw()

    def _set_foot(self) -> None:
        self.foot = f"enter {self._verb}  esc Leave" if self.whole else f"({self._verb} when all is whole)  esc Leave"
