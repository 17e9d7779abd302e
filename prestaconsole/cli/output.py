"""What leaves on stdout: JSON with stable names, or plain tables; and words on stderr. Imports redaction only."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from prestaconsole.redaction import redact

T = TypeVar("T")
_WIDEST = 44


def plain(value: Any) -> Any:
    """A value as JSON holds it: dataclasses by field, times as ISO in UTC, amounts as text so that no digit is lost."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | Decimal | Path):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value


def print_json(value: Any) -> None:
    """One JSON document on stdout, and nothing else there. No key can be in it."""
    sys.stdout.write(redact(json.dumps(plain(value), ensure_ascii=False, indent=2)) + "\n")


def say(text: str) -> None:
    """A line on stdout."""
    sys.stdout.write(redact(text) + "\n")


def tell(text: str) -> None:
    """A line on stderr: progress, hints, what is empty."""
    sys.stderr.write(redact(text) + "\n")


Column = tuple[str, Callable[[T], Any]]


def print_rows(rows: Sequence[T], columns: Sequence[Column[T]], *, empty: str) -> None:
    """A plain table on stdout; numbers to the right. Where there is nothing, ``empty`` says so on stderr."""
    if not rows:
        tell(empty)
        return
    cells = [[shown(read(row)) for _, read in columns] for row in rows]
    right = [all(isinstance(read(row), int | Decimal | None) for row in rows) for _, read in columns]
    heads = [head for head, _ in columns]
    full = not sys.stdout.isatty()
    limit = 10_000 if full else _WIDEST
    widths = [min(limit, max(len(line[place]) for line in [heads, *cells])) for place in range(len(heads))]
    for line in [heads, *cells]:
        say("  ".join(_fit(text, width, side) for text, width, side in zip(line, widths, right, strict=True)).rstrip())


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Names and values below each other; what is empty is left out."""
    known = [(name, shown(value)) for name, value in facts if value not in (None, "", ())]
    width = max((len(name) for name, _ in known), default=0)
    for name, text in known:
        say(f"{name:<{width}}  {text}")


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {inner}" for name, inner in value.items() if inner)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return " ".join(str(value).split())


def _fit(text: str, width: int, right: bool) -> str:
    if len(text) > width:
        text = text[: width - 1] + "…"
    return text.rjust(width) if right else text.ljust(width)


def on_terminal() -> bool:
    """Whether progress may be drawn in place: stderr is a terminal that can go back to the line's begin."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
