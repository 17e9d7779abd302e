"""The computed prices a list asks for by `price[alias]…` (WEBSERVICE §4.3), in Decimal. Imports the storage only."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from prestaconsole.sandbox.behaviour import money
from prestaconsole.sandbox.storage import Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop


def computed(shop: "SimulatedShop", row: Row, options: Mapping[str, str]) -> str:
    """A product's price with its reduction and the tax of a country, as many decimals as asked (two).

    Of the options use_tax, use_reduction, country, quantity and decimals count; the others change nothing here.
    """
    amount = Decimal(row.get("price") or "0")
    if options.get("use_reduction", "1") != "0":
        amount -= _reduction(shop, row["id"], amount, int(options.get("quantity") or 1))
    if options.get("use_tax", "1") != "0":
        country = options.get("country") or shop.configuration("PS_COUNTRY_DEFAULT", "8")
        _, rate = money.tax(shop, shop.tables["products"].value(row, "id_tax_rules_group"), country)
        amount *= 1 + rate / 100
    places = int(options["decimals"]) if options.get("decimals", "").isdigit() else 2
    return f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):.6f}"


def _reduction(shop: "SimulatedShop", id_product: str, amount: Decimal, quantity: int) -> Decimal:
    """What the product's specific price for everybody takes off."""
    table = shop.tables["specific_prices"]
    for row in table.rows(table.find("id_product", id_product)):
        narrow = any(table.value(row, name) not in ("", "0") for name in ("id_customer", "id_group", "id_country"))
        if narrow or int(table.value(row, "from_quantity") or 1) > quantity:
            continue
        off = Decimal(table.value(row, "reduction") or "0")
        return amount * off if table.value(row, "reduction_type") == "percentage" else off
    return Decimal(0)
