"""The brake's rule: what it lets pass, what it holds, and its shape."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from prestaconsole.rules.brake import FEW, BrakeLimits, PlanShape, grouped, judge, zeros_trip

LIMITS = BrakeLimits()


def tripped(**shape: int | None) -> list[str]:
    values = {"listings": 1_000, "to_zero": 0, "changed": 0, **shape}
    return [rule.rule for rule in judge(PlanShape(**values), LIMITS).rules if rule.tripped]  # type: ignore[arg-type]


def test_a_sold_last_piece_goes_out_at_once_in_the_smallest_shop() -> None:
    assert tripped(listings=3, to_zero=3, changed=3) == []
    assert tripped(listings=1, to_zero=1, changed=1) == []


def test_five_zeros_in_a_shop_of_forty_are_held() -> None:
    assert tripped(listings=40, to_zero=4, changed=4) == []
    assert tripped(listings=40, to_zero=5, changed=5) == ["going to zero"]


def test_fifty_zeros_pass_in_a_large_shop_and_one_more_does_not() -> None:
    assert tripped(listings=100_000, to_zero=50, changed=50) == []
    assert tripped(listings=100_000, to_zero=51, changed=51) == ["going to zero"]


def test_five_per_cent_to_zero_still_pass_and_one_more_does_not() -> None:
    assert tripped(listings=500, to_zero=25, changed=25) == []
    assert tripped(listings=500, to_zero=26, changed=26) == ["going to zero"]


def test_sixty_per_cent_changed_still_pass_and_one_more_does_not() -> None:
    assert tripped(listings=100, changed=60) == []
    assert tripped(listings=100, changed=61) == ["changed at once"]


def test_pieces_taken_for_boxes_are_held() -> None:
    assert tripped(listings=1_000, changed=20, tenfold=20) == []
    assert tripped(listings=1_000, changed=21, tenfold=21) == ["tenfold moves"]
    assert tripped(listings=10, changed=4, tenfold=4) == []
    assert tripped(listings=10, changed=5, tenfold=5) == ["tenfold moves"]


def test_a_source_that_lost_rows_is_held() -> None:
    assert tripped(listings=5_012, source_rows=5_012, source_before=5_012) == []
    assert tripped(listings=5_012, source_rows=3_808, source_before=5_012) == ["source rows"]


def test_an_empty_source_is_held_even_without_a_plan_before() -> None:
    assert tripped(listings=5_000, source_rows=0, source_before=None) == ["source rows"]
    assert tripped(listings=5_000, source_rows=0, source_before=5_000) == ["source rows"]
    assert tripped(listings=0, source_rows=0, source_before=None) == []


def test_the_table_says_limit_and_plan_as_the_screen_shows_them() -> None:
    shape = PlanShape(5_012, 1_204, 1_554, source_rows=3_808, source_before=5_012, fall="88 → 0 ROW-KROSS-L-21")
    lines = [(rule.rule, rule.limit, rule.plan, rule.tripped) for rule in judge(shape, LIMITS).rules]
    assert lines == [
        ("going to zero", "5 % or 50", "1 204, 24 %", True),
        ("changed at once", "60 %", "1 554, 31 %", False),
        ("tenfold moves", "5 % or 20", "0, 0 %", False),
        ("source rows", "4 762 or more", "3 808, 5 012 before", True),
        ("largest fall", "–", "88 → 0 ROW-KROSS-L-21", False),
    ]


def test_a_shop_may_have_limits_of_its_own() -> None:
    strict = BrakeLimits(zero_share=Decimal("0.01"), zero_count=5, changed_share=Decimal("0.1"))
    assert judge(PlanShape(1_000, 6, 6), strict).tripped
    assert judge(PlanShape(1_000, 0, 101), strict).tripped
    assert not judge(PlanShape(1_000, 5, 100), strict).tripped


counts = st.integers(min_value=0, max_value=2_000_000)


@given(listings=counts, zeros=counts, more=counts)
def test_more_zeros_never_pass_where_fewer_are_held(listings: int, zeros: int, more: int) -> None:
    if zeros_trip(listings, zeros, LIMITS):
        assert zeros_trip(listings, zeros + more, LIMITS)


@given(listings=counts, larger=counts, zeros=counts)
def test_a_larger_shop_never_holds_what_a_smaller_one_lets_pass(listings: int, larger: int, zeros: int) -> None:
    if not zeros_trip(listings, zeros, LIMITS):
        assert not zeros_trip(listings + larger, zeros, LIMITS)


@given(listings=counts, zeros=st.integers(0, FEW - 1), changed=st.integers(0, FEW - 1))
def test_few_skus_never_trip(listings: int, zeros: int, changed: int) -> None:
    assert not judge(PlanShape(listings, zeros, changed), LIMITS).tripped


@given(listings=counts, zeros=st.integers(51, 2_000_000))
def test_no_shop_is_large_enough_for_more_zeros_than_the_number(listings: int, zeros: int) -> None:
    assert zeros_trip(listings, zeros, LIMITS)


@given(listings=st.integers(1, 2_000_000), changed=counts)
def test_changed_trips_exactly_above_its_share(listings: int, changed: int) -> None:
    verdict = judge(PlanShape(listings, 0, changed), LIMITS)
    assert verdict.tripped == (changed >= FEW and changed * 5 > listings * 3)
    assert bool(verdict.words) == verdict.tripped


@given(counts)
def test_counts_are_grouped_by_thousands(number: int) -> None:
    assert grouped(number).replace(" ", "") == str(number)
    assert all(len(part) == 3 for part in grouped(number).split(" ")[1:])
