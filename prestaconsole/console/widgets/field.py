"""A line of text being typed, as a value: no widget, no blinking cursor. Imports the console's text only."""

from dataclasses import dataclass

from textual import events

from prestaconsole.console.text import clean

CURSOR = "_"


@dataclass
class Field:
    """The text, and where the next letter goes. ``limit`` is the most it takes."""

    text: str = ""
    at: int = -1
    limit: int = 200

    def __post_init__(self) -> None:
        if self.at < 0:
            self.at = len(self.text)

    def shown(self) -> str:
        """The text with its cursor."""
        if self.at == len(self.text):
            return self.text + CURSOR
        return self.text[: self.at] + CURSOR + self.text[self.at :]

    def insert(self, text: str) -> None:
        """Put text in at the cursor: one line, cleaned; what is over the limit is left out."""
        text = clean(text, signs=True)[: max(0, self.limit - len(self.text))]
        self.text = self.text[: self.at] + text + self.text[self.at :]
        self.at += len(text)

    def set(self, text: str) -> None:
        """Hold another text, the cursor behind it."""
        self.text, self.at = text, len(text)

    def key(self, event: events.Key) -> bool:
        """Take an editing key. Gives whether the key was one."""
        before = (self.text, self.at)
        match event.key:
            case "backspace":
                self.text = self.text[: max(0, self.at - 1)] + self.text[self.at :]
                self.at = max(0, self.at - 1)
            case "delete":
                self.text = self.text[: self.at] + self.text[self.at + 1 :]
            case "left":
                self.at = max(0, self.at - 1)
            case "right":
                self.at = min(len(self.text), self.at + 1)
            case "home":
                self.at = 0
            case "end":
                self.at = len(self.text)
            case _:
                if not event.is_printable or event.character is None:
                    return False
                self.insert(event.character)
        return before != (self.text, self.at) or event.key in ("backspace", "delete", "left", "right", "home", "end")
