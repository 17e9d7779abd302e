"""An explained number (SCREENS §5.13) as the lines of a box. Imports services' explanation."""

from datetime import datetime

from prestaconsole.console.text import clean, fit, number, plural, shorten, when
from prestaconsole.console.theme import word_meaning
from prestaconsole.console.widgets.lines import BLANK, Line, plain
from prestaconsole.services.explain import ExplainedPart, Explanation
from prestaconsole.services.explain_writes import ForeignSeen, WrittenRow

_AROUND = 15
"""Lines of the box that are no parts: its frame, name, sum, writes and what waits."""
_FEWEST = 6
_MARGIN = 16


def explanation_lines(explanation: Explanation, now: datetime, height: int = 24) -> list[Line]:
    """Parts one below the other, their sum, whether the shop agrees, the last writes, what is not ours, what waits.

    On a screen of ``height`` rows; orders that do not fit are counted in one line.
    """
    listing = f"listing {number(explanation.listing)}, as of {when(now, now)}"
    lines: list[Line] = [plain(f"  {fit(clean(explanation.name), 46)}  {listing}", "dim"), BLANK]
    lines += _parts(explanation, max(_FEWEST, height - _AROUND))
    lines.append(plain("  ───", "dim"))
    lines += _sum(explanation, now)
    lines.append(BLANK)
    if explanation.counted_by:
        lines.append(_titled("Counted by", explanation.counted_by))
    lines += [_written("Last writes" if at == 0 else "", row, now) for at, row in enumerate(explanation.writes[:3])]
    lines += [_foreign("Not ours" if at == 0 else "", row, now) for at, row in enumerate(explanation.foreign[:2])]
    if explanation.waiting:
        lines += [_written("Waiting" if at == 0 else "", row, now) for at, row in enumerate(explanation.waiting[:1])]
    elif explanation.writes or any(part.step == "held" for part in explanation.parts):
        lines.append(_titled("Waiting", "nothing", "dim"))
    else:
        lines.append(plain("  Nobody reserved any and nothing was written yet.", "dim"))
    return lines


def _sum(explanation: Explanation, now: datetime) -> list[Line]:
    read = f", read {when(explanation.read_at, now)}" if explanation.read_at else ""
    shown = f"{number(explanation.shop_shows)} shown{read}"
    if explanation.should_show is None:
        return [plain(f"  {clean(explanation.why_none)}", "late"), plain(f"  {shown}")]
    agrees = "they agree" if explanation.agrees else "they differ"
    lines: list[Line] = [
        (
            (f"{number(explanation.should_show):>6}   should show      {shown}      ", ""),
            (agrees, "" if explanation.agrees else "late"),
        )
    ]
    if not explanation.agrees and explanation.verdict:
        lines.append(plain(f"  {clean(explanation.verdict)}", "late"))
    return lines


def _parts(explanation: Explanation, room: int) -> list[Line]:
    """Each step with its sign; the orders that hold stock stand as one step, one below the other."""
    held = [part for part in explanation.parts if part.step == "held"]
    others = [part for part in explanation.parts if part.step != "held"]
    shown = held if len(held) + len(others) <= room else held[: max(1, room - len(others) - 1)]
    lines: list[Line] = []
    for at, part in enumerate(explanation.parts):
        if part.step != "held":
            lines.append(_part(part, first=not lines))
        elif at == 0 or explanation.parts[at - 1].step != "held":
            total = sum(one.units for one in held)
            lines += [
                _held("reserved" if place == 0 else "", total if place == 0 else None, one)
                for place, one in enumerate(shown)
            ]
            if len(shown) < len(held):
                rest = held[len(shown) :]
                words = f"{plural(len(rest), 'more order')} hold {number(-sum(one.units for one in rest))}"
                lines.append(plain(" " * (_MARGIN + 16) + words, "dim"))
    return lines


def _amount(units: int, *, first: bool = False) -> str:
    """``  + 1   ``; the first line of a sum has no plus."""
    sign = "-" if units < 0 else "+" if units > 0 and not first else " "
    return f" {sign + ' ' + number(abs(units)):>5}   "


def _part(part: ExplainedPart, *, first: bool) -> Line:
    label = {"buffer": "buffer", "kit": f"kit part {part.label}"}.get(part.step, part.label)
    return (
        (_amount(part.units, first=first), ""),
        (fit(shorten(clean(label), 22), 23), ""),
        (clean(part.detail), "dim"),
    )


def _held(title: str, total: int | None, part: ExplainedPart) -> Line:
    amount = " " * 9 if total is None else _amount(total)
    if part.id_order is None:
        return ((amount + fit(title, 23), ""), (shorten(clean(part.detail or part.label), 42), "dim"))
    kit = part.label.partition(", in ")[2]
    return (
        (amount + fit(title, 23), ""),
        (f"{number(part.id_order):<7} {number(-part.units):>2}   ", ""),
        (fit(clean(part.customer), 20), ""),
        (shorten(clean(part.detail + (f", in {kit}" if kit else "")), 11), "dim"),
    )


def _titled(title: str, words: str, meaning: str = "") -> Line:
    return ((f"  {title:<14}", "dim"), (shorten(clean(words), 58), meaning))


def _written(title: str, row: WrittenRow, now: datetime) -> Line:
    change = f"{number(row.before)} → {number(row.after)}"
    return (
        (f"  {title:<14}{when(row.at, now):<13}", "dim"),
        (f"{change:<11} ", ""),
        (f"{fit(clean(row.reason), 12)} ", ""),
        (clean(row.state), word_meaning(row.state)),
        (f", plan {number(row.changeset)}", "dim"),
    )


def _foreign(title: str, row: ForeignSeen, now: datetime) -> Line:
    change = f"{row.expected.replace(' to ', '…')} → {number(row.shows)}"
    return (
        (f"  {title:<14}{when(row.at, now):<13}", "dim"),
        (f"{change:<11} ", "late" if row.state == "open" else ""),
        (f"{fit('seen by ' + row.seen_by, 13)} ", "dim"),
        (shorten(clean(row.outcome), 26), "late" if row.state == "open" else ""),
    )
