"""Stock rows as they behave (WEBSERVICE §7.4, F37–F46, R1). Imports the storage only."""

from typing import TYPE_CHECKING

from prestaconsole.sandbox.behaviour import Contexts
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row, Table

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop


def visible(shop: "SimulatedShop", row: Row, seen: Contexts | None = None) -> bool:
    """Whether the context, or the default shop, sells from the row; one whose shop columns were lost is not (R1)."""
    if shop.storefronts is None:
        return _columns(shop.tables["stock_availables"], row) in shop.contexts.stock
    return _columns(shop.tables["stock_availables"], row) == sold_from(shop, seen or shop.contexts)


def sold_from(shop: "SimulatedShop", seen: Contexts) -> tuple[str, str]:
    """The shop columns PrestaShop looks for in a context: the group's where it shares stock, else one shop's (R54)."""
    groups = shop.tables["shop_groups"]
    if seen.kind == "group":
        group = groups.get(seen.group)
        if group is not None and groups.value(group, "share_stock") == "1":
            return "0", str(seen.group)
    return columns_of(shop, seen.shop)


def columns_of(shop: "SimulatedShop", id_shop: int) -> tuple[str, str]:
    """The shop columns of the stock rows a shop sells from: the group's where it shares stock (R54)."""
    shops, groups = shop.tables["shops"], shop.tables["shop_groups"]
    row = shops.get(id_shop)
    group = groups.get(int(shops.value(row, "id_shop_group") or 0)) if row is not None else None
    if group is not None and groups.value(group, "share_stock") == "1":
        return "0", str(group["id"])
    return str(id_shop), "0"


def find(shop: "SimulatedShop", id_product: int, id_attribute: int, id_shop: int | None = None) -> Row | None:
    """The row of a product or combination that the shop, else the default one, sells from."""
    table = shop.tables["stock_availables"]
    own = shop.storefronts is not None and id_shop is not None
    columns = columns_of(shop, id_shop or 0) if own else None
    for row_id in table.find("id_product", id_product):
        row = table.get(row_id)
        if row is None or table.value(row, "id_product_attribute") != str(id_attribute):
            continue
        if visible(shop, row) if columns is None else _columns(table, row) == columns:
            return row
    return None


def quantity(shop: "SimulatedShop", id_product: int, id_attribute: int) -> int:
    """What the row says. Raises KeyError where there is none."""
    row = find(shop, id_product, id_attribute)
    if row is None:
        raise KeyError(f"product {id_product}, combination {id_attribute} has no stock row")
    return int(shop.tables["stock_availables"].value(row, "quantity"))


def set_quantity(shop: "SimulatedShop", id_product: int, id_attribute: int, amount: int) -> None:
    """Store an absolute quantity and follow it up in the parent's sum."""
    row = find(shop, id_product, id_attribute)
    if row is None:
        raise KeyError(f"product {id_product}, combination {id_attribute} has no stock row")
    shop.tables["stock_availables"].update(int(row["id"]), {"quantity": str(amount)})
    follow(shop, row)


def move(shop: "SimulatedShop", id_product: int, id_attribute: int, change: int, id_shop: int | None = None) -> None:
    """Add to what the row says; a deleted product or combination has no row, and nothing happens (R39)."""
    row = find(shop, id_product, id_attribute, id_shop)
    if row is None:
        return
    table = shop.tables["stock_availables"]
    table.update(int(row["id"]), {"quantity": str(int(table.value(row, "quantity")) + change)})
    shop.hooks["actionUpdateQuantity"] += 1
    follow(shop, row)


def move_goods(
    shop: "SimulatedShop", id_product: int, id_attribute: int, change: int, id_shop: int | None = None
) -> None:
    """Add to the stock of what was sold: of a pack, as its type says, the pack's row, its components' or both (R42)."""
    products = shop.tables["products"]
    product = products.get(id_product)
    bundle = product.get(ASSOCIATIONS, {}).get("product_bundle", ()) if product is not None else ()
    kind = products.value(product, "pack_stock_type") if product is not None and bundle else "0"
    if kind == "3":
        kind = shop.configuration("PS_PACK_STOCK_TYPE", "0")
    if kind != "1":
        move(shop, id_product, id_attribute, change, id_shop)
    for entry in bundle if kind in ("1", "2") else ():
        goods = int(entry["id"]), int(entry.get("id_product_attribute") or 0)
        move(shop, *goods, change * int(entry.get("quantity") or 1), id_shop)


def follow(shop: "SimulatedShop", row: Row, seen: Contexts | None = None) -> None:
    """After a combination's row was written a parent row becomes a sum of combinations (F44).

    Which one depends on the context of the write: from elsewhere the sharing group's parent stays wrong (R56).
    """
    table = shop.tables["stock_availables"]
    if table.value(row, "id_product_attribute") == "0":
        return
    own = _columns(table, row)
    if shop.storefronts is not None and seen is not None:
        own = columns_of(shop, int(own[0])) if own[0] != "0" and seen.kind != "group" else sold_from(shop, seen)
    parent, total = None, 0
    for row_id in table.find("id_product", table.value(row, "id_product")):
        other = table.get(row_id)
        if other is None or _columns(table, other) != own:
            continue
        if table.value(other, "id_product_attribute") == "0":
            parent = row_id
        else:
            total += int(table.value(other, "quantity"))
    if parent is not None:
        table.update(parent, {"quantity": str(total)})
        # A write through the webservice runs the hook for this sum alone, and for a simple product not at all (§7.4).
        shop.hooks["actionUpdateQuantity"] += 1


def add_row(
    shop: "SimulatedShop",
    id_product: int,
    id_attribute: int,
    amount: int,
    location: str = "",
    seen: Contexts | None = None,
) -> int:
    """The stock row that comes with a new product or combination; returns its id."""
    if shop.storefronts is not None:
        id_shop, group = sold_from(shop, seen or shop.contexts)
    else:
        id_shop, group = str(shop.contexts.shop), "0"
    row: Row = {"id_product": str(id_product), "id_shop": id_shop, "id_shop_group": group, "out_of_stock": "2"}
    if id_attribute:
        row["id_product_attribute"] = str(id_attribute)
    if amount:
        row["quantity"] = str(amount)
    table = shop.tables["stock_availables"]
    if location and "location" in table.blanks:
        row["location"] = location
    return table.insert(row)


def remove_rows(shop: "SimulatedShop", id_product: int, id_attribute: int | None = None) -> None:
    """The rows go with their product, or one with its combination, whose parent is summed anew."""
    table = shop.tables["stock_availables"]
    for row_id in table.find("id_product", id_product):
        row = table.get(row_id)
        if row is None or id_attribute not in (None, int(table.value(row, "id_product_attribute"))):
            continue
        table.remove(row_id)
        if id_attribute is not None:
            follow(shop, row)


def taken(shop: "SimulatedShop", row_id: int, values: Row) -> bool:
    """Whether another row already has this product, combination, shop and group: the table's unique key."""
    table = shop.tables["stock_availables"]
    names = ("id_product", "id_product_attribute", "id_shop", "id_shop_group")
    wanted = tuple(values.get(name, table.blanks[name]) for name in names)
    for other_id in table.find("id_product", wanted[0]):
        other = table.get(other_id)
        if other is None or other_id == row_id:
            continue
        if tuple(table.value(other, name) for name in names) == wanted:
            return True
    return False


def _columns(table: Table, row: Row) -> tuple[str, str]:
    return table.value(row, "id_shop"), table.value(row, "id_shop_group")
