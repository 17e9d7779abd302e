"""The rows every screen shares: header, key row, places row, rules, banners. Imports the registry and the theme.

Each is a function from values to lines; ``Lines`` repaints the cells that differ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prestaconsole.console.commands import Command, Context, key_name
from prestaconsole.console.text import clean, length, plural, shorten, when
from prestaconsole.console.theme import word_meaning
from prestaconsole.console.widgets.lines import Line, Span, line_width
from prestaconsole.services.views.header import HeaderCounts
from prestaconsole.services.views.shops import ShopLine

#: The F-keys of row 24, in order; a place without a command is left out.
PLACE_KEYS = ("f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9")
#: Cells an answer may take in row 24.
ANSWER_CELLS = 78


@dataclass(frozen=True)
class Furniture:
    """What the right end of the header knows."""

    counts: HeaderCounts = field(default_factory=HeaderCounts)
    shop: ShopLine | None = None
    read_only: bool = False
    runs_here: bool = False
    stale_after: timedelta = timedelta(seconds=15)
    unreachable: bool = False


def furniture_spans(known: Furniture, now: datetime) -> list[Span]:
    """``MODE  PAUSED to 16:00  READ-ONLY  daemon ok  1 brake  12 incidents``, silent where there is nothing to say."""
    spans: list[Span] = []
    if known.shop is not None:
        spans.append((known.shop.mode.upper(), f"mode.{known.shop.mode}"))
        if known.shop.paused and not known.counts.all_paused:
            until = known.shop.paused_until
            spans.append((f"PAUSED to {when(until, now)}" if until else "PAUSED", "late"))
    if known.counts.all_paused:
        until = known.counts.paused_until
        spans.append((f"ALL PAUSED to {when(until, now)}" if until else "ALL PAUSED", "late"))
    if known.read_only:
        spans.append(("READ-ONLY", "bold"))
    spans.append(daemon_span(known, now))
    if known.counts.brakes:
        spans.append((plural(known.counts.brakes, "brake"), "act"))
    if known.counts.incidents:
        spans.append((plural(known.counts.incidents, "incident"), ""))
    return spans


def daemon_span(known: Furniture, now: datetime) -> Span:
    """Who does the work: a daemon, this console, or nobody since when."""
    if known.unreachable:
        return ("NO DATABASE", "stale")
    if known.counts.daemon_alive(now, known.stale_after):
        return ("daemon ok", "")
    if known.runs_here:
        return ("runs here", "")
    if known.counts.daemon_seen is None:
        return ("no daemon", "late")
    word = "STUCK" if known.counts.daemon_stuck else "STALE"
    minutes = known.counts.stale_minutes(now)
    return (f"daemon {word} {length(timedelta(minutes=minutes))}" if minutes else f"daemon {word}", "stale")


def header_line(place: Sequence[str], right: Sequence[Span], width: int) -> Line:
    """Row 1: the place at the left, the furniture at the right, one cell free at either end."""
    spans: list[Span] = []
    for index, span in enumerate(right):
        if index:
            spans.append(("  ", ""))
        spans.append(span)
    taken = line_width(tuple(spans))
    room = max(4, width - taken - 4)
    tail = "".join(f" › {clean(part)}" for part in place[1:])
    head = shorten(clean(place[0]), max(4, room - len(tail)))
    left = shorten(head + tail, room)
    gap = max(2, width - 2 - line_width(((left, ""),)) - taken)
    return ((" ", ""), (left, "bold"), (" " * gap, ""), *spans)


def key_row(commands: Iterable[Command], context: Context, width: int) -> Line:
    """Row 23: the keys of this screen; those that do not fit are dropped, locked ones stand in brackets."""
    spans: list[Span] = [(" ", "")]
    used = 1
    for command in commands:
        label = command.label_in(context)
        if not label:
            continue
        locked = command.locked(context) is not None
        key = f"({command.shown_key})" if locked else command.shown_key
        cells = len(key) + 1 + len(label)
        if used + cells > width - 1:
            break
        if locked:
            spans.append((f"{key} {label}", "dim"))
        else:
            spans.extend([(key, "accent"), (f" {label}", "")])
        spans.append(("  ", ""))
        used += cells + 2
    return tuple(spans[:-1] if len(spans) > 1 else spans)


def places_row(places: Iterable[Command], here: str) -> Line:
    """Row 24: the places by F-key, the one you are in reversed."""
    by_key = {command.key: command for command in places}
    spans: list[Span] = [(" ", "")]
    for key in PLACE_KEYS:
        command = by_key.get(key)
        if command is None:
            continue
        if len(spans) > 1:
            spans.append((" ", ""))
        meaning = "here" if command.name == here else ""
        spans.append((f"{key_name(key)} {command.label}", meaning))
    return tuple(spans)


def answer_row(text: str) -> Line:
    """Row 24 while it carries an answer; what does not fit stands behind ``e``."""
    return ((" ", ""), (shorten(clean(text), ANSWER_CELLS), "bold"))


def rule(title: str, width: int, right: str = "") -> Line:
    """``── title ──────── right ──``."""
    title = clean(title)
    tail = f" {clean(right)} ──" if right else ""
    room = width - line_width(((tail, ""),)) - 6
    head = f"── {shorten(title, room)} " if title else ""
    fill = "─" * max(0, width - line_width(((head + tail, ""),)))
    return ((head + fill + tail, "dim"),)


def pairs(values: Sequence[tuple[str, str]], width: int) -> list[Line]:
    """Label and value a line, the label dim."""
    room = max((len(label) for label, _ in values), default=0)
    return [
        ((f" {label.ljust(room)}  ", "dim"), (shorten(clean(value), max(1, width - room - 3)), word_meaning(value)))
        for label, value in values
    ]
