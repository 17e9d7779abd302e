"""An order's money is reconciled with a rounding line and never recomputed."""

from decimal import Decimal

from prestaconsole.rules.money import OrderMoney, reconcile


def money(paid: str, **changes: object) -> OrderMoney:
    values: dict[str, object] = {
        "products": Decimal("147.34"),
        "shipping": Decimal("9.90"),
        "wrapping": Decimal(0),
        "discounts": Decimal(0),
        "lines": 2,
    }
    return OrderMoney(Decimal(paid), **{**values, **changes})  # type: ignore[arg-type]  # a table of differences


def test_the_cent_between_the_parts_and_the_whole_is_a_line_of_its_own() -> None:
    found = reconcile(money("157.25"))
    assert (found.rounding, found.to_check) == (Decimal("0.01"), False)


def test_more_than_rounding_is_to_be_checked_and_kept_as_it_is() -> None:
    found = reconcile(money("150.00"))
    assert (found.rounding, found.to_check) == (Decimal("-7.24"), True)


def test_the_last_digit_of_the_currency_is_the_unit() -> None:
    yen = reconcile(money("160", products=Decimal(150), shipping=Decimal(9), digits=0))
    assert (yen.rounding, yen.to_check) == (Decimal(1), False)


def test_a_hundred_lines_may_round_a_hundred_times() -> None:
    assert not reconcile(money("158.00", lines=120)).to_check
    assert reconcile(money("158.00", lines=2)).to_check
