"""What is told outside: one thing, or a digest of many, in plain words. Standard library only.

Foreign words (names of shops, states, products) can neither break a line nor call a whole chat room.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["opened", "reminder", "cured", "test"]

SHOWN = 20
"""So many things stand in the words of a digest; the rest is a number."""
_WORDS: dict[Kind, str] = {"opened": "", "reminder": "still open", "cured": "cured", "test": "test"}
_CALLS = re.compile(r"@(?=(channel|here|all|everyone)\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One thing to tell, without secrets, evidence or buyers' data. ``shop`` is empty for what concerns all."""

    kind: Kind
    incident: int | None
    shop: str
    severity: str
    title: str
    remedy: str
    count: int
    opened_at: datetime
    owner: str = ""
    closed_by: str = ""
    closed_at: datetime | None = None
    openings: int = 1
    """How often its cause opened in the last 24 hours."""

    def line(self) -> str:
        """The thing in one line: ``ACT Wolle: The key was refused. (12 times since 09:40 UTC)``."""
        said = _WORDS[self.kind]
        head = f"{said.upper()} {self.severity}" if said else self.severity
        where = f"{self.shop}: " if self.shop else ""
        return f"{head} {where}{plain(self.title)}{self._tail()}"

    def _tail(self) -> str:
        often = f"opened {self.openings} times in 24 h" if self.openings > 1 else ""
        if self.kind == "cured":
            parts = [f"closed by {plain(self.closed_by)}" if self.closed_by else "", often]
        else:
            parts = [f"{self.count} times" if self.count > 1 else "", often]
        if self.kind == "reminder":
            parts += [f"since {self.opened_at:%Y-%m-%d %H:%M} UTC", f"{plain(self.owner)} has it" if self.owner else ""]
        said = ", ".join(filter(None, parts))
        return f" ({said})" if said else ""


@dataclass(frozen=True)
class Message:
    """One message for one channel. ``number`` is the same when it has to be sent again."""

    number: int
    at: datetime
    host: str
    items: Sequence[Item] = field(default_factory=tuple)

    @property
    def kind(self) -> str:
        """opened, reminder, cured or test; digest for several things."""
        return self.items[0].kind if len(self.items) == 1 else "digest"

    @property
    def severity(self) -> str:
        """The gravest that is still open, else the gravest of all."""
        order = ("STOP", "ACT", "LATE", "WARN")
        named = [item.severity for item in self.items if item.kind != "cured"] or [i.severity for i in self.items]
        return min(named, key=lambda one: order.index(one) if one in order else len(order))

    def subject(self) -> str:
        """One line, at most 150 characters."""
        if len(self.items) == 1:
            return _cut(f"[PrestaConsole] {self.items[0].line()}", 150)
        counts = {kind: sum(item.kind == kind for item in self.items) for kind in ("opened", "reminder", "cured")}
        words = {"opened": "new", "reminder": "still open", "cured": "cured"}
        parts = ", ".join(f"{number} {words[kind]}" for kind, number in counts.items() if number)
        # A digest of cures alone is no alarm.
        alarm = f"{self.severity} " if counts["cured"] < len(self.items) else ""
        return _cut(f"[PrestaConsole] {alarm}{len(self.items)} incidents: {parts}", 150)

    def text(self) -> str:
        """All of it, a thing a line; of one alone the remedy too."""
        if len(self.items) == 1:
            item = self.items[0]
            remedy = plain(item.remedy) if item.kind != "cured" else ""
            where = f"`prestaconsole incident show {item.incident}`" if item.incident is not None else ""
            return "\n".join(filter(None, (item.line(), remedy, where)))
        shown = [item.line() for item in self.items[:SHOWN]]
        left = len(self.items) - len(shown)
        more = [f"and {left} more: `prestaconsole incident list` shows all."] if left > 0 else []
        return "\n".join([self.subject().removeprefix("[PrestaConsole] "), *shown, *more])

    def document(self) -> dict[str, Any]:
        """The body of a webhook: ``text`` is what chat rooms show, the rest is for programs."""
        return {
            "text": self.text(),
            "source": "prestaconsole",
            "kind": self.kind,
            "severity": self.severity,
            "number": self.number,
            "at": _iso(self.at),
            "host": self.host,
            "incidents": [_document(item) for item in self.items if item.incident is not None],
        }


def _document(item: Item) -> dict[str, Any]:
    return {
        "id": item.incident,
        "kind": item.kind,
        "shop": item.shop,
        "severity": item.severity,
        "title": plain(item.title),
        "remedy": plain(item.remedy),
        "count": item.count,
        "openings": item.openings,
        "opened_at": _iso(item.opened_at),
        "owner": item.owner,
        "closed_at": _iso(item.closed_at) if item.closed_at else None,
        "closed_by": item.closed_by,
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def plain(text: str) -> str:
    """One line without control characters, mark-up of chat programs or calls to everybody."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return _CALLS.sub("＠", line.replace("<", "‹").replace(">", "›"))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
