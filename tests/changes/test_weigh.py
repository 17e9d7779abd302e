"""The two judgements of a push, for every number."""

from hypothesis import given
from hypothesis import strategies as st

from prestaconsole.changes.weigh import look, settle

units = st.integers(-1_000, 1_000)
sold = st.integers(0, 50)


@given(fresh=units, low=units, spread=sold)
def test_a_row_is_inside_lower_or_higher_by_exactly_its_distance(fresh: int, low: int, spread: int) -> None:
    found = look(fresh, low, low + spread)
    if found.kind == "inside":
        assert low <= fresh <= low + spread
    elif found.kind == "lower":
        assert fresh + found.units == low
    else:
        assert fresh - found.units == low + spread


@given(before=units, after=units, early=sold, unsure=sold)
def test_sales_explain_a_written_row_whether_they_came_before_or_after_the_read_back(
    before: int, after: int, early: int, unsure: int
) -> None:
    low, high = before - early - unsure, before - early
    for observed in (after - early, after - early - unsure):
        settled = settle(before, after, observed, low, high, written=True)
        assert settled.kind == "confirmed"
        assert settled.low <= observed <= settled.high


@given(before=units, after=units, early=sold)
def test_a_row_that_was_not_written_may_be_sent_again(before: int, after: int, early: int) -> None:
    settled = settle(before, after, before - early, before - early, before - early, written=None)
    # A value that sales may have made of either is taken for ours; the plan's next row then settles it by a new read.
    assert settled.kind == ("confirmed" if after - early <= before - early <= after else "again")


@given(before=units, after=units, observed=units, down=sold, spread=sold)
def test_unknown_outcomes_are_never_called_kept_and_unexplained_units_make_the_sum_right(
    before: int, after: int, observed: int, down: int, spread: int
) -> None:
    low = before - down - spread
    settled = settle(before, after, observed, low, low + spread, written=None)
    assert settled.kind != "kept"
    if settled.kind == "lower":
        reference = (after if settled.written else before) - down - spread
        assert observed + settled.units == reference
        assert settled.units > 0
        assert settled.high == observed
    if settled.kind == "higher":
        assert observed > max(before, after) - down


@given(before=units, after=units, observed=units)
def test_after_a_yes_only_orders_excuse_a_difference(before: int, after: int, observed: int) -> None:
    settled = settle(before, after, observed, before, before, written=True)
    if observed == after:
        assert settled.kind == "confirmed"
    elif observed == before:
        assert settled.kind == "kept"
    else:
        assert settled.kind == ("higher" if observed > after else "lower")


def test_units_missing_after_a_doubtful_write_hang_below_the_nearest_value() -> None:
    assert settle(100, 0, 97, 100, 100, written=None).units == 3
    assert not settle(100, 0, 97, 100, 100, written=None).written
    assert settle(0, 100, 97, 0, 0, written=None).units == 3
    assert settle(0, 100, 97, 0, 0, written=None).written
