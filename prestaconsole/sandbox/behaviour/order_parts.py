"""What an order shows that other tables hold: its lines, its tracking number. Imports the storage only."""

from typing import TYPE_CHECKING

from prestaconsole.sandbox.behaviour import Contexts
from prestaconsole.sandbox.storage import Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

_ROW_FIELDS = (
    "id",
    "product_id",
    "product_attribute_id",
    "product_quantity",
    "product_name",
    "product_reference",
    "product_ean13",
    "product_isbn",
    "product_upc",
    "product_price",
    "id_customization",
    "unit_price_tax_incl",
    "unit_price_tax_excl",
)


def tracking_number(shop: "SimulatedShop", id_order: str, kept: str) -> str:
    """orders.shipping_number: what the order's first order_carriers row holds (F51)."""
    table = shop.tables["order_carriers"]
    for row_id in table.find("id_order", id_order):
        row = table.get(row_id)
        if row is not None:
            return table.value(row, "tracking_number")
    return kept


def rows_of(shop: "SimulatedShop", row: Row, seen: Contexts | None = None) -> list[dict[str, str]]:
    """The order_rows association: the order's lines."""
    table = shop.tables["order_details"]
    return [
        {name: table.value(detail, name) for name in _ROW_FIELDS}
        for detail in table.rows(table.find("id_order", row["id"]))
    ]
