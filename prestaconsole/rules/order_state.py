"""What an order's state means for us: suggested rules, verdicts, and whether the shop still deducts its units.

Sources: rows B15–B19, FEATURES P14, DESIGN §5a and §6. Pure; standard library only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

Action = Literal["import", "hold", "done", "cancelled", "skip"]
ACTIONS: tuple[Action, ...] = ("import", "hold", "done", "cancelled", "skip")
ACTION_WORDS: Mapping[str, str] = {
    "import": "import",
    "hold": "import on hold",
    "done": "import as done",
    "cancelled": "import as cancelled",
    "skip": "do not import",
}
IMPORTED: frozenset[str] = frozenset({"import", "hold", "done", "cancelled"})
"""Verdicts after which the order is ours; skip, incomplete and missing are not."""

INCOMPLETE_FOR = timedelta(minutes=15)
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class OrderStateFlags:
    """An order state as the shop describes it; ``role`` is PS_OS_CANCELED or PS_OS_ERROR if either."""

    id: int
    name: str = ""
    paid: bool = False
    shipped: bool = False
    logable: bool = False
    invoice: bool = False
    delivery: bool = False
    deleted: bool = False
    gives_back: bool = False
    role: str = ""


@dataclass(frozen=True)
class StateRule:
    """What to do with orders in one state, and whether to look again later."""

    action: Action
    retry: bool = False
    retry_days: int = 30


@dataclass(frozen=True)
class OrderFacts:
    """What a verdict depends on. ``lines_total`` and ``total_products`` are net, in the order's currency.

    ``young``: placed less than ``INCOMPLETE_FOR`` ago, so the shop may still be writing it.
    """

    id_order_state: int
    line_count: int
    lines_total: Decimal
    total_products: Decimal
    first_seen: datetime
    young: bool = False
    after_start: bool = True


@dataclass(frozen=True)
class Verdict:
    """``verdict`` and its ``reason`` in words; ``watched`` orders are looked at again until ``give_up``."""

    verdict: str
    reason: str
    watched: bool = False
    give_up: datetime | None = None
    unknown_state: bool = False


def suggest(state: OrderStateFlags) -> StateRule:
    """A first rule from the flags alone, never from the number (FEATURES P14).

    A state that may still turn into a paid one is looked at again; a final one is not (row B18).
    """
    if state.gives_back:
        # A failed payment is often repeated by the buyer; a cancellation is final.
        return StateRule("skip", retry=state.role == "PS_OS_ERROR")
    if state.shipped:
        return StateRule("done")
    if state.paid:
        return StateRule("import")
    if state.invoice:
        # An invoice without payment is how a refund looks.
        return StateRule("skip")
    return StateRule("skip", retry=True)


def warnings(state: OrderStateFlags, rule: StateRule) -> list[str]:
    """What is odd about a rule: a final state that is watched, an open one that is not, money or goods ignored."""
    found = []
    final = state.shipped or (state.gives_back and state.role != "PS_OS_ERROR")
    if rule.retry and final:
        found.append(f"“{state.name}” is final, so looking again finds nothing new.")
    if not rule.retry and rule.action in {"skip", "hold"} and not final and not state.paid and not state.invoice:
        found.append(f"“{state.name}” may still become paid; without retry such orders wait for an event.")
    if state.paid and not state.shipped and rule.action in {"skip", "cancelled"}:
        found.append(f"“{state.name}” is paid and not shipped, yet its orders are not imported.")
    if state.gives_back and rule.action in {"import", "done"}:
        found.append(f"“{state.name}” gives the stock back, yet its orders are imported as if they stood.")
    return found


def deducts(id_order_state: int, states: Mapping[int, OrderStateFlags]) -> bool:
    """Whether the shop's quantity is still less these units: until shipped or given back, paid or not (DESIGN §5a).

    An unknown state deducts: taking units for free would oversell.
    """
    state = states.get(id_order_state)
    return state is None or not (state.shipped or state.gives_back)


def is_incomplete(facts: OrderFacts) -> bool:
    """Whether the shop is still writing this order: no state, no lines, or lines that do not add up (DESIGN §6)."""
    if facts.id_order_state == 0 or facts.line_count == 0:
        return True
    # Rounding may part the two by a unit of the last digit per line (FINDINGS-ORDERS R6, R8).
    return abs(facts.lines_total - facts.total_products) > _CENT * facts.line_count + _CENT


def decide(
    facts: OrderFacts, states: Mapping[int, OrderStateFlags], rules: Mapping[int, StateRule], now: datetime
) -> Verdict:
    """The verdict on an order as it stands now."""
    if facts.young and is_incomplete(facts):
        return Verdict("incomplete", "The shop is still writing it: state, lines or total are missing.", watched=True)
    if not facts.after_start:
        if deducts(facts.id_order_state, states):
            return Verdict("skip", "Older than the start; its units are held while the shop deducts them.")
        return Verdict("skip", "Older than the start.")
    if facts.id_order_state == 0:
        return Verdict("hold", "It still has no state after 15 minutes.", watched=True)
    state = states.get(facts.id_order_state)
    rule = rules.get(facts.id_order_state)
    if state is None or rule is None:
        named = f"“{state.name}” ({state.id})" if state else f"{facts.id_order_state}"
        return Verdict("hold", f"Order state {named} has no rule.", watched=True, unknown_state=True)
    return _by_rule(facts, state, rule, now)


def _by_rule(facts: OrderFacts, state: OrderStateFlags, rule: StateRule, now: datetime) -> Verdict:
    reason = f"“{state.name}”: {ACTION_WORDS[rule.action]}."
    if facts.line_count == 0:
        return Verdict("hold", f"{reason} It has no lines after 15 minutes.", watched=True)
    if is_incomplete(facts):
        reason += f" Its lines come to {facts.lines_total}, the order to {facts.total_products}: to check."
    if not rule.retry:
        return Verdict(rule.action, reason)
    give_up = facts.first_seen + timedelta(days=rule.retry_days)
    if now >= give_up:
        return Verdict(rule.action, f"{reason} Given up after {rule.retry_days} days.")
    return Verdict(rule.action, f"{reason} Looked at again until it changes.", watched=True, give_up=give_up)


_BACK_OFF = (
    (timedelta(hours=6), timedelta(0)),
    (timedelta(days=2), timedelta(hours=4)),
    (timedelta(days=7), timedelta(hours=12)),
)


def next_look(first_seen: datetime, now: datetime) -> datetime:
    """When a watched order is looked at next: the older, the rarer (row B19). Young ones at every retry."""
    age = now - first_seen
    for limit, pause in _BACK_OFF:
        if age < limit:
            return now + pause
    return now + timedelta(days=1)
