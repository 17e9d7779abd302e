"""One command registry for keys, key row, help page, palette and locks. Imports Textual's binding type only.

Letters keep one idea everywhere (SCREENS §3): ``ALPHABET`` is that table, and ``Registry`` refuses a command
that gives a key another idea, or a second command on one key of one scope.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from textual.binding import Binding

Weight = Literal["light", "shop", "typed"]
EVERYWHERE = "everywhere"

#: Key → the one idea it carries on every screen (SCREENS §3).
ALPHABET: dict[str, str] = {
    "f1": "help",
    "f2": "board",
    "f3": "find",
    "f4": "orders",
    "f5": "incidents",
    "f6": "stock",
    "f7": "feeds",
    "f8": "shop",
    "f9": "do",
    "g": "go",
    "enter": "open",
    "escape": "back",
    "a": "apply",
    "c": "change",
    "d": "dry run",
    "e": "explain",
    "f": "filter",
    "h": "hand-over",
    "l": "log",
    "m": "map",
    "n": "new",
    "o": "import orders",
    "p": "pause",
    "q": "leave",
    "r": "run",
    "s": "sync",
    "t": "take",
    "u": "undo",
    "v": "view",
    "w": "summary",
    "x": "mark",
    "X": "mark all",
    "y": "copy",
    "Y": "export",
    "z": "snooze",
    "W": "allow changes",
}
#: Keys that mean the same as another: for keyboards and habits.
ALIASES: dict[str, tuple[str, ...]] = {
    "f1": ("question_mark",),
    "f9": ("colon",),
    "x": ("space",),
    "f": ("slash",),
}
#: Movement; no command may stand on these, and digits belong to the Finder.
RESERVED = frozenset("jk0123456789") | {"up", "down", "pageup", "pagedown", "home", "end", "tab"}
#: How a key is written on screen.
_NAMES = {
    "escape": "esc",
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    **{f"f{n}": f"F{n}" for n in range(1, 13)},
}


class CommandClashError(Exception):
    """Two commands want one key, or a key was given an idea that is not its own. A fault of the program."""


@dataclass(frozen=True)
class Context:
    """What a lock or a label looks at: where the person is, and what stands there."""

    pane: str
    row: Any = None
    shop: Any = None
    marks: int = 0
    #: Row 24's last answer had more to say than fits.
    answer_has_more: bool = False
    #: No daemon reports and this console does not do the work itself: the lock's words, else empty.
    stale: str = ""
    facts: Any = None


def never(context: Context) -> str | None:
    """The lock of a command that is always open."""
    return None


@dataclass(frozen=True)
class Command:
    """One thing a person can do. ``action`` names the ``do_…`` method of the screen or the app that does it."""

    name: str
    key: str
    label: str
    help: str
    action: str
    scope: str = EVERYWHERE
    weight: Weight = "light"
    #: Whether it changes anything: such a key asks first while the console is read-only.
    changes: bool = False
    synonyms: tuple[str, ...] = ()
    locked: Callable[[Context], str | None] = field(default=never, compare=False)
    #: The label where it depends on the row: ``Pause`` or ``Resume``.
    labelled: Callable[[Context], str] | None = field(default=None, compare=False)
    #: Whether row 23 shows it (rows of places and movement do not).
    in_row: bool = True
    #: The letter of the Go menu, for a place.
    go: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The key and its aliases."""
        return (self.key, *ALIASES.get(self.key, ())) if self.key else ()

    @property
    def shown_key(self) -> str:
        """The key as people write it."""
        return key_name(self.key)

    @property
    def idea(self) -> str:
        """What its key means on every screen."""
        return ALPHABET.get(self.key, "")

    def label_in(self, context: Context) -> str:
        """The label for this row."""
        return self.labelled(context) if self.labelled else self.label


def key_name(key: str) -> str:
    """``escape`` → ``esc``, ``f7`` → ``F7``, letters as they are."""
    return _NAMES.get(key, key)


class Registry:
    """All commands, checked for clashes when they are put together."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self._commands = tuple(commands)
        self._by_name = {command.name: command for command in self._commands}
        self._check()

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands)

    def __getitem__(self, name: str) -> Command:
        return self._by_name[name]

    def of(self, pane: str) -> list[Command]:
        """The commands alive in a pane: its own first, then those of everywhere it does not overlay."""
        own = [command for command in self._commands if command.scope == pane]
        taken = {command.key for command in own if command.key}
        return own + [c for c in self._commands if c.scope == EVERYWHERE and (not c.key or c.key not in taken)]

    def row(self, pane: str) -> list[Command]:
        """What row 23 offers in a pane, most needed first."""
        return [command for command in self.of(pane) if command.in_row]

    def places(self) -> list[Command]:
        """Commands that lead somewhere, by their F-key or their Go letter."""
        return [command for command in self._commands if command.go]

    def bindings(self, scope: str) -> list[Binding]:
        """Textual's bindings for one scope, one for every key and alias."""
        return [
            Binding(key, f"app.command('{command.name}')", command.label, show=False)
            for command in self._commands
            if command.scope == scope
            for key in command.keys
        ]

    def find(self, words: str, pane: str) -> list[Command]:
        """Commands for words typed into the palette: every word must occur; those of this pane come first."""
        wanted = words.casefold().split()
        here = {command.name for command in self.of(pane)}
        hits = [c for c in self._commands if all(word in _haystack(c) for word in wanted)]
        return sorted(hits, key=lambda c: (c.name not in here, c.scope != pane))

    def _check(self) -> None:
        if len(self._by_name) != len(self._commands):
            raise CommandClashError("Two commands carry one name.")
        taken: dict[tuple[str, str], str] = {}
        letters: dict[str, str] = {}
        for command in self._commands:
            if command.go and letters.setdefault(command.go, command.name) != command.name:
                raise CommandClashError(f"Go letter {command.go!r}: {letters[command.go]} and {command.name}.")
            if not command.key:
                continue
            if command.key not in ALPHABET or set(command.keys) & RESERVED:
                raise CommandClashError(f"{command.name}: {command.key!r} is not a key for commands.")
            for key in command.keys:
                other = taken.setdefault((command.scope, key), command.name)
                if other != command.name:
                    raise CommandClashError(f"{key!r} in {command.scope}: {other} and {command.name}.")


def _haystack(command: Command) -> str:
    return " ".join((command.label, command.help, command.idea, *command.synonyms)).casefold()


def check_idea(command: Command, ideas: Sequence[str]) -> bool:
    """Whether a command's label or help speaks of its key's idea; used by the test over the whole registry."""
    text = _haystack(command)
    return any(idea in text for idea in ideas)
