"""An explained number (SCREENS §5.13) as the lines of a box. Imports services' explanation."""

from datetime import datetime

from prestaconsole.console.text import clean, number, shorten, signed, when
from prestaconsole.console.theme import word_meaning
from prestaconsole.console.widgets.lines import BLANK, Line, plain
from prestaconsole.services.explain import Explanation, WrittenRow

_LINES = 12


def explanation_lines(explanation: Explanation, now: datetime) -> list[Line]:
    """Parts one below the other, their sum, whether the shop agrees, the last writes, what waits."""
    lines: list[Line] = [plain(f"  {clean(explanation.name)}", "dim"), BLANK]
    for part in explanation.parts[:_LINES]:
        order = f"order {number(part.id_order)}" if part.id_order else ""
        label = f"{part.step}: {part.label}" if part.label and part.label != part.step else part.step
        after = order or clean(part.detail)
        lines.append(((f"  {signed(part.units):>8}   ", ""), (shorten(clean(label), 30).ljust(32), ""), (after, "dim")))
    if len(explanation.parts) > _LINES:
        rest = explanation.parts[_LINES:]
        lines.append(plain(f"  {signed(sum(part.units for part in rest)):>8}   {number(len(rest))} more parts"))
    lines.append(plain("  " + "─" * 8))
    read = f", read {when(explanation.read_at, now)}" if explanation.read_at else ""
    shown = f"{number(explanation.shop_shows)} shown{read}"
    if explanation.should_show is None:
        lines.append(plain(f"  {clean(explanation.why_none)}", "late"))
        lines.append(plain(f"  {shown}"))
    else:
        agrees = "they agree" if explanation.agrees else "they differ"
        lines.append(plain(f"  {number(explanation.should_show):>8}   should show      {shown}      {agrees}"))
    lines.append(BLANK)
    for title, rows in (("Last writes", explanation.writes), ("Waiting", explanation.waiting)):
        lines += [_written(title if at == 0 else "", row, now) for at, row in enumerate(rows[:3])]
    if not explanation.writes and not explanation.waiting:
        lines.append(plain("  Nothing was written yet and nothing waits.", "dim"))
    return lines


def _written(title: str, row: WrittenRow, now: datetime) -> Line:
    change = f"{number(row.before)} → {number(row.after)}"
    return (
        (f"  {title:<13}{when(row.at, now):<11} ", "dim"),
        (f"{change:<14}", ""),
        (f"{clean(row.state)}  ", word_meaning(row.state)),
        (f"plan {number(row.changeset)} {clean(row.reason)}", "dim"),
    )
