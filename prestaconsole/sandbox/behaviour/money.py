"""Prices, taxes and totals of made-up orders, in Decimal. Imports the storage only."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from prestaconsole.sandbox.storage import Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")


@dataclass(frozen=True)
class Price:
    """A line's unit prices (6 decimals) and totals (cents), with the tax id that was used (0 = untaxed)."""

    unit_excl: Decimal
    unit_incl: Decimal
    total_excl: Decimal
    total_incl: Decimal
    id_tax: int
    rate: Decimal


def price(shop: "SimulatedShop", product: Row, combination: Row | None, quantity: int, id_country: str) -> Price:
    """What so many units of a product cost in that country, rounded per line."""
    table = shop.tables["products"]
    unit = Decimal(table.value(product, "price") or "0")
    if combination is not None:
        unit += Decimal(shop.tables["combinations"].value(combination, "price") or "0")
    unit = unit.quantize(MICRO, ROUND_HALF_UP)
    id_tax, rate = tax(shop, table.value(product, "id_tax_rules_group"), id_country)
    gross = (unit * (1 + rate / 100)).quantize(MICRO, ROUND_HALF_UP)
    return Price(unit, gross, cents(unit * quantity), cents(gross * quantity), id_tax, rate)


def tax(shop: "SimulatedShop", id_group: str, id_country: str) -> tuple[int, Decimal]:
    """The tax a rules group sets for a country: its id and its rate in percent; (0, 0) where none is set."""
    if id_group in ("", "0"):
        return 0, Decimal(0)
    rules, taxes = shop.tables["tax_rules"], shop.tables["taxes"]
    for row_id in rules.find("id_tax_rules_group", id_group):
        rule = rules.get(row_id)
        if rule is not None and rules.value(rule, "id_country") == id_country:
            found = taxes.get(int(rules.value(rule, "id_tax") or "0"))
            if found is not None:
                return int(found["id"]), Decimal(taxes.value(found, "rate") or "0")
    return 0, Decimal(0)


def cents(amount: Decimal) -> Decimal:
    """Rounded half up to two decimals."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def text(amount: Decimal | int) -> str:
    """An amount as a row holds it: six decimals."""
    return f"{Decimal(amount):.6f}"
