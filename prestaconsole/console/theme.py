"""What the terminal can show, and how each meaning looks on it (SCREENS §2). Imports rich and Textual's themes.

The console always draws on the terminal's own background with a native ANSI theme; only the accent and the
severities carry a colour, and each is a word or a letter as well. TERM and COLORTERM are read, never set.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from rich.style import Style
from textual.theme import BUILTIN_THEMES

Colours = Literal["full", "sixteen", "none"]

#: Meaning → style for 256 colours and more, for 16, and for NO_COLOR.
_MEANINGS: dict[str, tuple[str, str, str]] = {
    "": ("", "", ""),
    "accent": ("#4fb8c4", "cyan", "bold"),
    "cursor": ("reverse #4fb8c4", "reverse cyan", "reverse"),
    "stop": ("bold #e5675f", "bold bright_red", "bold"),
    "act": ("bold #d9a441", "bold yellow", "bold"),
    "late": ("#d9a441", "yellow", "underline"),
    "good": ("#7fb685", "green", ""),
    "dim": ("#8a8f98", "bright_black", ""),
    "bold": ("bold", "bold", "bold"),
    "stale": ("reverse #d9a441", "reverse yellow", "reverse"),
    "here": ("reverse", "reverse", "reverse"),
    "mode.draft": ("#8a8f98", "bright_black", ""),
    "mode.setup": ("", "", ""),
    "mode.rehearsal": ("underline", "underline", "underline"),
    "mode.live": ("reverse bold", "reverse bold", "reverse bold"),
    "mode.frozen": ("underline bold", "underline bold", "underline bold"),
}
#: The words of SCREENS §2 and the meaning each carries; a word not here is plain.
WORDS: dict[str, str] = {
    "STOP": "stop",
    "DOWN": "stop",
    "FAIL": "stop",
    "ACT": "act",
    "FIX": "act",
    "HELD": "act",
    "LATE": "late",
    "WARN": "late",
    "SLOW": "late",
    "PAUSE": "late",
    "DRAFT": "mode.draft",
    "SETUP": "mode.setup",
    "REHEARSAL": "mode.rehearsal",
    "LIVE": "mode.live",
    "FROZEN": "mode.frozen",
    "locked": "dim",
    "off": "dim",
}


@dataclass(frozen=True)
class Look:
    """One terminal's way to show things: its colours, and whether it knows more than ASCII."""

    colours: Colours = "full"
    ascii_only: bool = False
    _styles: dict[str, Style | None] = field(default_factory=dict, compare=False)

    def style(self, meaning: str) -> Style | None:
        """The rich style of a meaning; None where it is plain text. Raises ``KeyError`` on an unknown meaning."""
        if meaning not in self._styles:
            full, sixteen, none = _MEANINGS[meaning]
            chosen = {"full": full, "sixteen": sixteen, "none": none}[self.colours]
            self._styles[meaning] = Style.parse(chosen) if chosen else None
        return self._styles[meaning]


def detect(environ: Mapping[str, str] | None = None, encoding: str | None = None) -> Look:
    """Read NO_COLOR, COLORTERM, TERM and the output's encoding; decides nothing the terminal did not say."""
    environ = os.environ if environ is None else environ
    encoding = encoding or getattr(sys.__stdout__, "encoding", None) or "utf-8"
    plain = encoding.lower().replace("-", "").replace("_", "") not in ("utf8", "cp65001")
    term = environ.get("TERM", "").lower()
    if environ.get("NO_COLOR") or term == "dumb":
        return Look("none", plain)
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or "256color" in term:
        return Look("full", plain)
    return Look("sixteen", plain)


def word_meaning(word: str) -> str:
    """The severity of a state word, from its first word: ``FAIL 500`` is ``stop``."""
    return WORDS.get(word.split(" ", 1)[0], "")


#: Everything Textual itself may draw (fields, selections) stays in the terminal's own colours.
THEME = replace(BUILTIN_THEMES["ansi-dark"], name="prestaconsole", primary="ansi_cyan", accent="ansi_cyan")
