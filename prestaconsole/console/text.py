"""How a value looks in a cell (SCREENS §2): cleaned, measured in cells, cut, grouped. Imports rich only."""

import re
import unicodedata
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from rich.cells import cell_len, split_graphemes

Cut = Literal["end", "middle", "never"]
Align = Literal["left", "right"]

ELLIPSIS = "…"
NOTHING = "–"
UNKNOWN = "?"
_JOINED = re.compile("[\u200d\ufe0f\u20e3\U0001f3fb-\U0001f3ff]")


@lru_cache(maxsize=8192)
def clean(text: str, *, signs: bool = False) -> str:
    """Foreign text made safe for one line: NFC, no control or direction characters, emoji as ``·`` unless ``signs``."""
    if text.isascii() and text.isprintable():
        return text
    kept = []
    for cluster in _clusters(unicodedata.normalize("NFC", text)):
        if not signs and _is_emoji(cluster):
            kept.append("·")
            continue
        for character in cluster:
            category = unicodedata.category(character)
            if character in "\t\n\r" or category in ("Zl", "Zp", "Zs"):
                kept.append(" ")
            elif category[0] != "C":
                kept.append(character)
    return "".join(kept)


def _clusters(text: str) -> list[str]:
    spans, _ = split_graphemes(text)
    return [text[start:end] for start, end, _ in spans]


def _is_emoji(cluster: str) -> bool:
    if len(cluster) > 1 and _JOINED.search(cluster):
        return True
    first = cluster[0]
    return ord(first) >= 0x1F000 or (unicodedata.category(first) == "So" and cell_len(first) == 2)


def _head(text: str, width: int) -> str:
    taken, used = 0, 0
    for cluster in _clusters(text):
        used += cell_len(cluster)
        if used > width:
            break
        taken += len(cluster)
    return text[:taken]


def _tail(text: str, width: int) -> str:
    taken, used = 0, 0
    for cluster in reversed(_clusters(text)):
        used += cell_len(cluster)
        if used > width:
            break
        taken += len(cluster)
    return text[len(text) - taken :] if taken else ""


def shorten(text: str, width: int, cut: Cut = "end") -> str:
    """At most ``width`` cells: names lose their end, codes their middle, numbers are never cut."""
    if cut == "never" or cell_len(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[:width]
    if cut == "end":
        return _head(text, width - 1).rstrip() + ELLIPSIS
    head = (width - 1 + 1) // 2
    return _head(text, head) + ELLIPSIS + _tail(text, width - 1 - head)


def fit(text: str, width: int, align: Align = "left", cut: Cut = "end") -> str:
    """Exactly ``width`` cells of cleaned text (more only where ``cut`` is ``never`` and it does not fit)."""
    short = shorten(clean(text), width, cut)
    gap = max(0, width - cell_len(short))
    return " " * gap + short if align == "right" else short + " " * gap


def number(value: int | None) -> str:
    """``1 204``; ``?`` where it is not known."""
    return UNKNOWN if value is None else f"{value:,}".replace(",", " ")


def signed(value: int | None) -> str:
    """A difference with its sign: ``+16``, ``-3``, ``0``."""
    if value is None:
        return UNKNOWN
    return "0" if value == 0 else f"{value:+,}".replace(",", " ")


def money(amount: Decimal, currency: str) -> str:
    """Two decimals, then the code: ``1 284.50 PLN``."""
    return f"{amount:,.2f}".replace(",", " ") + f" {currency}"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 incident``, ``12 incidents``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def when(moment: datetime | None, now: datetime, zone: tzinfo | None = None) -> str:
    """``14:02`` today, ``Tue 14:02`` this week, ``12 Nov 14:02`` this year, else the date; in the reader's zone."""
    if moment is None:
        return NOTHING
    local, today = moment.astimezone(zone), now.astimezone(zone)
    days = abs((local.date() - today.date()).days)
    if days == 0:
        return f"{local:%H:%M}"
    if days < 7:
        return f"{local:%a %H:%M}"
    if local.year == today.year:
        return f"{local.day} {local:%b %H:%M}"
    return f"{local:%Y-%m-%d}"


def age(moment: datetime | None, now: datetime, limit: timedelta = timedelta(minutes=5)) -> str:
    """``now`` inside the limit, then ``12 min``, ``3 h``, ``2 d``; changes by whole minutes only."""
    if moment is None:
        return NOTHING
    passed = now - moment
    if passed < limit:
        return "now"
    return length(passed)


def length(span: timedelta) -> str:
    """A stretch of time in its largest whole unit."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return f"{max(0, int(span.total_seconds()))} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // 1440} d"


def bar(done: int, total: int | None, width: int = 12) -> str:
    """``████████░░░░ 62 %`` where the total is known, else the count alone."""
    if not total:
        return number(done)
    share = min(1.0, max(0.0, done / total))
    full = int(share * width)
    return "█" * full + "░" * (width - full) + f" {int(share * 100)} %"


_ASCII = str.maketrans(
    {
        "█": "#",
        "░": ".",
        "─": "-",
        "│": "|",
        "┌": "+",
        "┐": "+",
        "└": "+",
        "┘": "+",
        "…": "~",
        "→": ">",
        "–": "-",
        "·": "-",
        "›": ">",
    }
)


def to_ascii(text: str) -> str:
    """Our own signs in plain ASCII, for a terminal without UTF-8 (SCREENS §2)."""
    return text.translate(_ASCII)


def wrap(text: str, width: int) -> list[str]:
    """Words laid into lines of at most ``width`` cells; a longer word is cut at its end."""
    lines: list[str] = []
    line = ""
    for word in clean(text).split(" "):
        candidate = f"{line} {word}" if line else word
        if cell_len(candidate) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        line = shorten(word, width)
    if line or not lines:
        lines.append(line)
    return lines
