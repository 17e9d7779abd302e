"""An order's money, reconciled and never recomputed (FINDINGS-ORDERS part J). Pure; standard library only."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class OrderMoney:
    """Gross figures as the shop stored them, in the order's currency with its number of ``digits``."""

    total_paid: Decimal
    products: Decimal
    shipping: Decimal
    wrapping: Decimal
    discounts: Decimal
    lines: int
    digits: int = 2


@dataclass(frozen=True)
class Reconciled:
    """``rounding`` is what total_paid has beyond its parts; ``to_check`` when no rounding explains it."""

    rounding: Decimal
    to_check: bool


def reconcile(money: OrderMoney) -> Reconciled:
    """The rounding line between the parts and the whole (R6); one unit of the last digit per line is normal."""
    parts = money.products + money.shipping + money.wrapping - money.discounts
    rounding = money.total_paid - parts
    unit = Decimal(1).scaleb(-money.digits)
    return Reconciled(rounding, abs(rounding) > unit * max(3, money.lines))
