"""Products and combinations come and go with their stock rows (WEBSERVICE §7.1, §7.2). Imports the storage only."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prestaconsole.sandbox.behaviour import Contexts, stock
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row, Table

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

# What the back office sets on a new product and the database's own defaults do not.
NEW: Mapping[str, str] = {
    "active": "1",
    "available_for_order": "1",
    "show_price": "1",
    "state": "1",
    "minimal_quantity": "1",
    "visibility": "both",
    "condition": "new",
    "type": "simple",
    "id_shop_default": "1",
    "id_tax_rules_group": "1",
    "id_category_default": "2",
    "product_type": "standard",
    "indexed": "1",
    "redirect_type": "default",
    "pack_stock_type": "3",
    "quantity": "0",
}


def add(
    shop: "SimulatedShop",
    *,
    name: str | Mapping[int, str],
    reference: str = "",
    price: str = "10.000000",
    quantity: int = 0,
    ean13: str = "",
    location: str = "",
    combinations: Sequence[Mapping[str, Any]] = (),
    when: str | None = None,
    **fields: Any,
) -> int:
    """Make a product with its stock row and return its id.

    `name` is one text for all languages or a text per language id; a combination may name reference, ean13, price
    (impact), quantity, location and option_values (ids). With combinations the product's own row holds their sum.
    """
    table = shop.tables["products"]
    moment = when or shop.now()
    languages = shop.languages()
    names = dict.fromkeys(languages, name) if isinstance(name, str) else dict(name)
    row: Row = {**NEW, "reference": reference, "price": price, "ean13": ean13, "location": location}
    row |= {"date_add": moment, "date_upd": moment, "name": names, "manufacturer_name": ""}
    row["link_rewrite"] = {language: rewrite(text) for language, text in names.items()}
    row |= fields
    categories = sorted({"2", row["id_category_default"]})
    row[ASSOCIATIONS] = {"categories": [{"id": category} for category in categories]}
    id_product = table.insert(fitting(table, row))
    stock.add_row(shop, id_product, 0, quantity, location)
    if combinations:
        combine(shop, id_product, combinations)
    return id_product


def combine(shop: "SimulatedShop", id_product: int, combinations: Sequence[Mapping[str, Any]]) -> list[int]:
    """Give a product combinations, the first of them its default; returns their ids."""
    table = shop.tables["products"]
    if "product_type" in table.blanks:
        table.update(id_product, {"product_type": "combinations"})
    made = [
        add_combination(shop, id_product, default=number == 0, **facts) for number, facts in enumerate(combinations)
    ]
    stock.set_quantity(shop, id_product, 0, sum(int(facts.get("quantity", 0)) for facts in combinations))
    return made


def add_combination(
    shop: "SimulatedShop",
    id_product: int,
    *,
    reference: str = "",
    ean13: str = "",
    price: str = "0.000000",
    quantity: int = 0,
    location: str = "",
    option_values: Iterable[int] = (),
    default: bool = False,
) -> int:
    """Make one combination with its stock row and return its id."""
    table = shop.tables["combinations"]
    row: Row = {"id_product": str(id_product), "reference": reference, "ean13": ean13, "price": price}
    row["minimal_quantity"] = "1"
    if default:
        row["default_on"] = "1"
    values = [{"id": str(value)} for value in option_values]
    row[ASSOCIATIONS] = {"product_option_values": values}
    new = table.insert(fitting(table, row))
    stock.add_row(shop, id_product, new, quantity, location)
    products = shop.tables["products"]
    product = products.get(id_product)
    if product is not None:
        if default:
            products.update(id_product, {"cache_default_attribute": str(new), "id_default_combination": str(new)})
        links = products.update(id_product, {}).setdefault(ASSOCIATIONS, {})
        known = links.setdefault("product_option_values", [])
        known += [value for value in values if value not in known]
    return new


def remove(shop: "SimulatedShop", id_product: int) -> None:
    """Combinations and stock rows go with a deleted product; order lines keep its id (R39)."""
    combinations = shop.tables["combinations"]
    for row_id in combinations.find("id_product", id_product):
        combinations.remove(row_id)
    stock.remove_rows(shop, id_product)
    shop.images.pop(id_product, None)


def combinations_of(shop: "SimulatedShop", row: Row, seen: Contexts | None = None) -> list[dict[str, str]]:
    """The combinations a product lists: those it came with, in their old order, then newer ones."""
    table = shop.tables["combinations"]
    there = {str(row_id) for row_id in table.find("id_product", row["id"])}
    listed = [entry for entry in row.get(ASSOCIATIONS, {}).get("combinations", ()) if entry["id"] in there]
    known = {entry["id"] for entry in listed}
    newer = sorted(int(text) for text in there - known if int(text) > table.given)
    found = [*listed, *({"id": str(row_id)} for row_id in newer)]
    fronts = shop.storefronts
    if fronts is None or seen is None or len(seen.shops) < 2:
        return found
    # In a group or in all shops PrestaShop joins the shops in, and each comes once for every shop that sells it.
    return [one for one in found for _ in fronts.shops_of("combinations", int(one["id"]), seen.shops)]


def stock_of(shop: "SimulatedShop", row: Row, seen: Contexts | None = None) -> list[dict[str, str]]:
    """The stock rows a product lists; a row whose shop columns were lost is not among them (R1)."""
    table = shop.tables["stock_availables"]
    stored = {entry["id"] for entry in row.get(ASSOCIATIONS, {}).get("stock_availables", ())}
    found = [
        entry
        for entry in table.rows(table.find("id_product", row["id"]))
        if stock.visible(shop, entry, seen) and (entry["id"] in stored or int(entry["id"]) > table.given)
    ]
    found.sort(key=lambda entry: int(table.value(entry, "id_product_attribute")))
    return [{"id": entry["id"], "id_product_attribute": table.value(entry, "id_product_attribute")} for entry in found]


def manufacturer_name(shop: "SimulatedShop", row: Row, kept: str) -> str:
    """The name of the product's manufacturer, or what was kept where the shop lists none."""
    id_manufacturer = shop.tables["products"].value(row, "id_manufacturer")
    table = shop.tables["manufacturers"]
    found = table.get(int(id_manufacturer or "0"))
    return table.value(found, "name") if found is not None else kept


def fitting(table: Table, row: Row) -> Row:
    """The row without fields this version does not have and without what equals the blank value."""
    return {
        name: value
        for name, value in row.items()
        if name == ASSOCIATIONS or (name in table.blanks and value != table.blanks[name])
    }


def rewrite(text: str) -> str:
    """The address part PrestaShop makes of a name: ASCII letters and digits joined by hyphens."""
    kept = "".join(char if char.isascii() and char.isalnum() else " " if char in " -_" else "" for char in text)
    return "-".join(kept.lower().split()) or "product"
