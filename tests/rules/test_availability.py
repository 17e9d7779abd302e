"""The number a shop should show: steps in fixed order, parts that add up, never more than is there, no rows no zero."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestaconsole.rules.availability import (
    MODES,
    Formula,
    Free,
    Held,
    KitPiece,
    Level,
    available,
    free,
    kit_available,
)

ORDER = ("warehouse", "held", "kit", "buffer", "threshold", "cap", "stop")

levels = st.lists(
    st.builds(
        Level,
        st.sampled_from(["W1", "W2", "W3"]),
        st.none() | st.integers(-20, 200),
        st.integers(0, 100),
        st.integers(0, 30),
        st.booleans(),
    ),
    max_size=4,
)
holds = st.lists(st.builds(Held, st.just("order"), st.integers(0, 30), st.none(), st.booleans()), max_size=5)
formulas = st.builds(
    Formula,
    st.sampled_from(MODES),
    st.booleans(),
    st.integers(0, 20),
    st.integers(0, 20),
    st.none() | st.integers(0, 60),
)


@pytest.mark.parametrize(
    ("formula", "levels", "held", "shown", "units"),
    [
        (Formula(), [("A", 10), ("B", 3), ("C", 5)], 2, 16, [10, 3, 5, -2]),
        (Formula(buffer=1), [("A", 10), ("B", 3), ("C", 5)], 2, 15, [10, 3, 5, -2, -1]),
        (Formula(threshold=3), [("A", 4)], 2, 0, [4, -2, -2]),
        (Formula(threshold=3), [("A", 5)], 2, 3, [5, -2, 0]),
        (Formula(cap=50), [("A", 80)], 0, 50, [80, -30]),
        (Formula(buffer=2, threshold=3, cap=50), [("A", 80)], 10, 50, [80, -10, -2, 0, -18]),
        (Formula(buffer=2, threshold=3, cap=50), [("A", 6)], 2, 0, [6, -2, -2, -2, 0]),
        (Formula(cap=0), [("A", 6)], 0, 0, [6, -6]),
        (Formula("rank"), [("A", 3), ("B", 10)], 0, 3, [3, 0]),
        (Formula("rank"), [("A", 3), ("B", 10)], 2, 1, [3, 0, -2]),
        (Formula("rank"), [("A", 3), ("B", 10)], 3, 10, [3, 10, -3]),
        (Formula("rank"), [("A", 0), ("B", 10)], 0, 10, [0, 10]),
        (Formula("rank"), [("A", 3), ("B", 10), ("C", -2)], 0, 1, [3, 0, -2]),
        (Formula("rank"), [("A", 3), ("B", 10), ("C", -5)], 0, 8, [3, 10, -5]),
        (Formula("rank"), [("A", None), ("B", 10)], 0, 10, [10]),
    ],
)
def test_the_golden_table(
    formula: Formula, levels: list[tuple[str, int | None]], held: int, shown: int, units: list[int]
) -> None:
    result = available([Level(*one) for one in levels], [Held("order 1", held)], formula)
    assert (result.shown, [part.units for part in result.parts]) == (shown, units)


def test_the_share_of_a_warehouse_and_what_it_is_late_by() -> None:
    there = [Level("A", 6), Level("B", 3, share=50), Level("C", 10, share=80, lag=5)]
    result = available(there, [], Formula("share"))
    assert [part.units for part in result.parts] == [6, 1, 3]
    assert result.parts[2].detail == "10 there, 80 %, less 5 for its delay"
    assert available(there, []).shown == 6 + 3 + 5, "a share counts in its mode only, a delay in each"


def test_a_supplier_that_is_switched_off_counts_as_empty_and_nobody_as_unknown() -> None:
    there = [Level("A", 10), Level("B", 3), Level("C", 5, off=True)]
    assert available(there, []).shown == 13
    assert available([Level("A", None), Level("C", 5, off=True)], []).shown == 0
    assert available([Level("C", 5, off=True)], []).shown is None, "all off is a mistake, not an empty shop"


def test_without_a_confirmed_level_nothing_is_shown_rather_than_zero() -> None:
    assert available([], []).shown is None
    assert available([Level("A", None)], [Held("order 1", 2)]).shown is None
    assert available([Level("A", 0), Level("B", None)], []).shown == 0


def test_back_orders_stay_what_they_are_and_no_rule_goes_below_zero() -> None:
    rules = Formula(buffer=5, threshold=4, cap=2)
    assert available([Level("A", 3)], [Held("order 1", 25)], rules).shown == -22
    assert available([Level("A", 3)], [], rules).shown == 0


def test_reservations_may_be_left_out_but_not_what_no_order_explains() -> None:
    held = [Held("order 1", 4), Held("unexplained", 1, by_order=False)]
    assert available([Level("A", 10)], held).shown == 5
    result = available([Level("A", 10)], held, Formula(reservations=False))
    assert result.shown == 9
    assert any("4 reserved, not taken off" in part.detail for part in result.parts)


def test_stop_selling_shows_zero_everywhere() -> None:
    assert available([Level("A", 30)], [], Formula(buffer=2), stop_selling=True).shown == 0


def _kit(*pieces: tuple[str, int, int | None], **rules: int) -> tuple[int | None, str]:
    made = [KitPiece(sku, units, free([Level("A", there)], [])) for sku, units, there in pieces]
    result = kit_available(made, Formula(**rules))  # type: ignore[arg-type]  # steps only
    assert result.shown is None or sum(part.units for part in result.parts) == result.shown
    return result.shown, result.why_none


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        ([("A", 1, 7)], 7),
        ([("A", 3, 7)], 2),
        ([("A", 3, 7), ("B", 1, 1)], 1),
        ([("A", 3, 2), ("B", 1, 9)], 0),
        ([("A", 2, -3), ("B", 1, 9)], -2),
        ([("A", 2, 0), ("B", 1, 9)], 0),
    ],
)
def test_a_kit_is_what_its_scarcest_part_makes(pieces: list[tuple[str, int, int | None]], shown: int) -> None:
    assert _kit(*pieces)[0] == shown


def test_a_kit_with_a_part_never_counted_is_not_written_and_one_with_a_stopped_part_is_zero() -> None:
    assert _kit(("A", 1, 5), ("B-2", 1, None)) == (None, "Part B-2: Never counted in a warehouse of this shop.")
    assert _kit() == (None, "The kit has no parts.")
    piece = KitPiece("A", 1, free([Level("A", 5)], []), stopped=True)
    assert kit_available([piece]).shown == 0


def test_a_kit_has_buffer_and_cap_of_its_own() -> None:
    assert _kit(("A", 3, 30), buffer=1, cap=5)[0] == 5


@given(levels, holds, formulas, st.booleans())
def test_the_parts_always_add_up_in_the_order_of_the_steps(
    levels: list[Level], holds: list[Held], formula: Formula, stop: bool
) -> None:
    result = available(levels, holds, formula, stop_selling=stop)
    confirmed = [level for level in levels if level.physical is not None]
    assert (result.shown is None) == (not confirmed or all(level.off for level in levels))
    if result.shown is not None:
        assert sum(part.units for part in result.parts) == result.shown
    places = [ORDER.index(part.step) for part in result.parts]
    assert all(one <= two for one, two in pairwise(places))


@given(levels, holds, formulas, st.booleans())
def test_never_more_than_is_there(levels: list[Level], holds: list[Held], formula: Formula, stop: bool) -> None:
    """What is there less what is reserved; only back-orders go below zero."""
    result = available(levels, holds, formula, stop_selling=stop)
    if result.shown is None:
        return
    there = sum(level.physical or 0 for level in levels)
    owed = sum(hold.units for hold in holds if formula.reservations or not hold.by_order)
    assert result.shown <= max(there - owed, 0)
    counted = sum(min(level.physical or 0, 0) if level.off else (level.physical or 0) for level in levels)
    if formula == replace(formula, mode="sum", buffer=0, threshold=0, cap=None) and not stop:
        lags = any(level.lag for level in levels)
        assert lags or result.shown == counted - owed
    assert formula.cap is None or result.shown <= formula.cap
    assert not 0 < result.shown < formula.threshold or formula.cap is not None
    assert not stop or result.shown <= 0


@given(levels, holds, formulas, st.integers(0, 3), st.integers(1, 50))
def test_more_goods_never_show_less_and_more_orders_never_more(
    levels: list[Level], holds: list[Held], formula: Formula, place: int, more: int
) -> None:
    """By rank a warehouse that fills up may take the place of a larger one behind it, so there it does not hold."""
    if formula.mode == "rank" or not levels:
        return
    before = available(levels, holds, formula).shown
    at = place % len(levels)
    if before is None or levels[at].physical is None:
        return
    fuller = [replace(one, physical=(one.physical or 0) + more) if n == at else one for n, one in enumerate(levels)]
    after = available(fuller, holds, formula).shown
    assert after is not None and after >= before
    busier = available(levels, [*holds, Held("order 9", more)], formula).shown
    assert busier is not None and busier <= before


@given(levels, holds, formulas)
def test_by_rank_never_more_than_by_sum_and_something_where_the_sum_has_something(
    levels: list[Level], holds: list[Held], formula: Formula
) -> None:
    by_rank = free(levels, holds, replace(formula, mode="rank")).units
    by_sum = free(levels, holds, replace(formula, mode="sum")).units
    assert (by_rank is None) == (by_sum is None)
    if by_rank is not None and by_sum is not None:
        assert by_rank <= by_sum
        assert (by_rank > 0) == (by_sum > 0)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(-30, 300)), min_size=1, max_size=5), formulas)
def test_so_many_kits_can_be_made_of_their_parts(parts: list[tuple[int, int]], formula: Formula) -> None:
    pieces = [KitPiece(f"P{n}", units, Free(there, ())) for n, (units, there) in enumerate(parts)]
    pieces = [replace(one, free=free([Level("A", one.free.units)], [])) for one in pieces]
    result = kit_available(pieces, formula)
    assert result.shown is not None
    assert sum(part.units for part in result.parts) == result.shown
    for units, there in parts:
        assert max(result.shown, 0) * units <= max(there, 0)
    if formula.buffer == formula.threshold == 0 and formula.cap is None:
        made = result.shown
        assert any(units * (made + 1) > there for units, there in parts), "one more could be made"
