"""What an order's state means: suggestions from flags, verdicts, and whether the shop still deducts the units."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestaconsole.rules.order_state import (
    ACTIONS,
    OrderFacts,
    OrderStateFlags,
    StateRule,
    decide,
    deducts,
    next_look,
    suggest,
    warnings,
)
from tests.support.bench import utc

NOW = utc("2026-03-02 12:00:00")
AWAITING = OrderStateFlags(1, "Awaiting check")
PAID = OrderStateFlags(2, "Payment accepted", paid=True, logable=True, invoice=True)
SHIPPED = OrderStateFlags(4, "Shipped", paid=True, logable=True, invoice=True, shipped=True, delivery=True)
CANCELED = OrderStateFlags(6, "Canceled", gives_back=True, role="PS_OS_CANCELED")
REFUNDED = OrderStateFlags(7, "Refunded", invoice=True)
FAILED = OrderStateFlags(8, "Payment error", gives_back=True, role="PS_OS_ERROR")
STATES = {state.id: state for state in (AWAITING, PAID, SHIPPED, CANCELED, REFUNDED, FAILED)}


def facts(state: int, **changes: object) -> OrderFacts:
    values: dict[str, object] = {
        "id_order_state": state,
        "line_count": 1,
        "lines_total": Decimal("10.00"),
        "total_products": Decimal("10.00"),
        "first_seen": NOW,
    }
    return OrderFacts(**{**values, **changes})  # type: ignore[arg-type]  # a table of differences


@pytest.mark.parametrize(
    ("state", "action", "retry"),
    [
        (AWAITING, "skip", True),
        (PAID, "import", False),
        (SHIPPED, "done", False),
        (CANCELED, "skip", False),
        (REFUNDED, "skip", False),
        (FAILED, "skip", True),
    ],
)
def test_a_state_suggests_its_rule_by_flags(state: OrderStateFlags, action: str, retry: bool) -> None:
    rule = suggest(state)
    assert (rule.action, rule.retry) == (action, retry)
    assert warnings(state, rule) == []


def test_the_number_of_a_state_means_nothing() -> None:
    for number in (1, 6, 12, 99):
        assert suggest(OrderStateFlags(number, "any", paid=True)).action == "import"


def test_a_final_state_that_is_watched_is_warned_of_and_an_open_one_that_is_not() -> None:
    assert "final" in warnings(SHIPPED, StateRule("done", retry=True))[0]
    assert "may still become paid" in warnings(AWAITING, StateRule("skip"))[0]
    assert "paid and not shipped" in warnings(PAID, StateRule("skip"))[0]
    assert "gives the stock back" in warnings(CANCELED, StateRule("import"))[0]


@pytest.mark.parametrize(
    ("state", "still"), [(1, True), (2, True), (4, False), (6, False), (7, True), (8, False), (77, True)]
)
def test_units_are_deducted_until_shipped_or_given_back_and_in_states_never_heard_of(state: int, still: bool) -> None:
    assert deducts(state, STATES) is still


def test_a_state_without_rule_holds_the_order_and_never_loses_it() -> None:
    verdict = decide(facts(77), STATES, {}, NOW)
    assert (verdict.verdict, verdict.watched, verdict.unknown_state) == ("hold", True, True)
    assert "77" in verdict.reason


def test_an_order_that_the_shop_is_still_writing_waits_fifteen_minutes() -> None:
    rules = {2: StateRule("import")}
    for odd in ({"line_count": 0}, {"id_order_state": 0}, {"lines_total": Decimal("5.00")}):
        state = int(odd.pop("id_order_state", 2))  # type: ignore[call-overload]  # the table above holds an int there
        assert decide(facts(state, young=True, **odd), STATES, rules, NOW).verdict == "incomplete"
    assert decide(facts(0, young=False), STATES, rules, NOW).verdict == "hold"
    late = decide(facts(2, young=False, lines_total=Decimal("5.00")), STATES, rules, NOW)
    assert late.verdict == "import"
    assert "to check" in late.reason


def test_a_cent_per_line_is_rounding_not_an_unfinished_order() -> None:
    rules = {2: StateRule("import")}
    whole = facts(2, young=True, line_count=3, lines_total=Decimal("10.03"))
    assert decide(whole, STATES, rules, NOW).verdict == "import"


def test_watching_ends_after_the_days_of_the_rule() -> None:
    rules = {1: StateRule("skip", retry=True, retry_days=30)}
    assert decide(facts(1, first_seen=NOW - timedelta(days=29)), STATES, rules, NOW).watched
    given_up = decide(facts(1, first_seen=NOW - timedelta(days=30)), STATES, rules, NOW)
    assert (given_up.verdict, given_up.watched) == ("skip", False)
    assert "Given up" in given_up.reason


def test_an_order_before_the_start_is_held_while_the_shop_deducts_it() -> None:
    rules = {2: StateRule("import"), 4: StateRule("done")}
    assert "held" in decide(facts(2, after_start=False), STATES, rules, NOW).reason
    assert "held" not in decide(facts(4, after_start=False), STATES, rules, NOW).reason


@given(
    state=st.sampled_from([0, 1, 2, 4, 6, 7, 8, 77]),
    action=st.sampled_from(ACTIONS),
    retry=st.booleans(),
    young=st.booleans(),
    after_start=st.booleans(),
    lines=st.integers(0, 3),
)
def test_every_order_gets_a_verdict_with_a_reason(
    state: int, action: str, retry: bool, young: bool, after_start: bool, lines: int
) -> None:
    rules = {number: StateRule(action, retry) for number in STATES}  # type: ignore[arg-type]  # drawn from ACTIONS
    verdict = decide(facts(state, young=young, after_start=after_start, line_count=lines), STATES, rules, NOW)
    assert verdict.verdict in {"import", "hold", "done", "cancelled", "skip", "incomplete"}
    assert verdict.reason.endswith(".")
    if verdict.verdict == "incomplete":
        assert verdict.watched


@given(st.integers(0, 400))
def test_the_older_a_watched_order_the_rarer_it_is_looked_at(hours: int) -> None:
    older = next_look(NOW - timedelta(hours=hours + 24), NOW) - NOW
    younger = next_look(NOW - timedelta(hours=hours), NOW) - NOW
    assert timedelta(0) <= younger <= older <= timedelta(days=1)
