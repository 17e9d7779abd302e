"""A product's place in its default category, which a write may change (WEBSERVICE §7.1). Imports the sandbox only."""

from typing import TYPE_CHECKING

from prestaconsole.sandbox.refusal import Refusal
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

_NAME = "position_in_category"
_OVER = "You cannot set a position greater than the total number of products in the category"


def check(shop: "SimulatedShop", id_category: object, text: str) -> None:
    """Raises Refusal 134 for a place before the first, 135 for one behind the last; 1.6 counts from 0."""
    old = shop.version.generation <= (1, 6)
    place = int(text) if text.strip().lstrip("+-").isdigit() else 0
    if place < 0 and old:
        raise Refusal(500, (134, "You cannot set a negative position, the minimum for a position is 0."))
    if place < 1 and not old:
        raise Refusal(500, (134, "You cannot set 0 or a negative position, the minimum is 1."))
    if place > len(_members(shop, str(id_category or "0"))):
        told = "minus 1 (position numbering starts at 0)." if old else "starting at 1."
        raise Refusal(500, (135, f"{_OVER}, {told}"))


def move(shop: "SimulatedShop", product: Row, place: int) -> None:
    """Put a product at a place of its default category; those between make room."""
    table = shop.tables["products"]
    before = int(product.get(_NAME) or 0)
    id_category = table.value(product, "id_category_default")
    for row in list(_members(shop, id_category)) if place != before else ():
        at = int(row.get(_NAME) or 0)
        if row["id"] == product["id"] or table.value(row, "id_category_default") != id_category:
            continue
        if before and before < at <= place:
            table.update(int(row["id"]), {_NAME: str(at - 1)})
        elif place <= at < before:
            table.update(int(row["id"]), {_NAME: str(at + 1)})
    table.update(int(product["id"]), {_NAME: str(place)})


def _members(shop: "SimulatedShop", id_category: str) -> list[Row]:
    return [
        row
        for row in shop.tables["products"]
        if any(entry.get("id") == id_category for entry in row.get(ASSOCIATIONS, {}).get("categories", ()))
    ]
