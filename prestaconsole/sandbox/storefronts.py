"""Several shops in one installation: what each shows, and what a save does to the others. Imports the sandbox only.

WEBSERVICE §2.1, R49–R58. Products and combinations hold part of their fields per shop; a single shop has none of this.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prestaconsole.sandbox.behaviour import Contexts
from prestaconsole.sandbox.behaviour.stock import columns_of
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row, Table

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

# The fields of the tables product_shop and product_attribute_shop (WEBSERVICE §7.1, §7.2).
_PRODUCT = """id_category_default cache_default_attribute id_tax_rules_group on_sale online_only ecotax
minimal_quantity low_stock_threshold low_stock_alert price wholesale_price unity unit_price unit_price_ratio
additional_shipping_cost customizable text_fields uploadable_files active redirect_type id_product_redirected
id_type_redirected available_for_order available_date show_condition condition show_price indexed visibility
advanced_stock_management date_add date_upd pack_stock_type position_in_category"""
_COMBINATION = """wholesale_price price ecotax weight unit_price_impact minimal_quantity low_stock_threshold
low_stock_alert default_on available_date"""
PER_SHOP: Mapping[str, frozenset[str]] = {
    "products": frozenset(_PRODUCT.split()),
    "combinations": frozenset(_COMBINATION.split()),
}
# Associations that are joined with the shops of the context: a row comes once for each of them.
_REPEATED: Mapping[str, tuple[str, ...]] = {
    "products": ("images",),
    "combinations": ("product_option_values", "images"),
    "product_options": ("product_option_values",),
    "manufacturers": ("addresses",),
}


class Storefronts:
    """The values products and combinations have in each shop; a row without any is not sold there."""

    def __init__(self, default: int = 1) -> None:
        self.default = default
        self._rows: dict[str, dict[int, dict[int, Row]]] = {name: {} for name in PER_SHOP}

    def sells(self, resource: str, row_id: int, id_shop: int) -> bool:
        """Whether the shop has the product or combination."""
        return row_id in self._rows[resource].get(id_shop, {})

    def values(self, resource: str, row_id: int, id_shop: int) -> Row | None:
        """What the row's per-shop fields hold in that shop; None where it is not sold there."""
        return self._rows[resource].get(id_shop, {}).get(row_id)

    def keep(self, table: Table, row_id: int, id_shop: int, row: Row) -> None:
        """Keep a row's per-shop and translated fields as that shop's."""
        known = self._rows[table.resource.name].setdefault(id_shop, {})
        known[row_id] = {**known.get(row_id, {}), **part(table, row)}

    def forget(self, resource: str, row_id: int) -> None:
        """The row was deleted everywhere."""
        for known in self._rows[resource].values():
            known.pop(row_id, None)

    def shops_of(self, resource: str, row_id: int, shops: Iterable[int]) -> list[int]:
        """Those of the shops that sell it."""
        return [one for one in shops if self.sells(resource, row_id, one)]


def part(table: Table, row: Row) -> Row:
    """The fields of a row that each shop holds for itself."""
    names = PER_SHOP[table.resource.name]
    return {
        field.name: row.get(field.name, table.blanks[field.name] if not field.lang else {})
        for field in table.resource.fields
        if field.name in names or field.lang
    }


def shared(resource: str) -> bool:
    """Whether rows of this resource hold fields per shop."""
    return resource in PER_SHOP


def shown(shop: "SimulatedShop", resource: str, row: Row, seen: Contexts) -> Row:
    """A row as the context shows it: the shop's own values, empty ones where the shop does not sell it (R52)."""
    fronts = shop.storefronts
    if fronts is None:
        return row
    if shared(resource):
        row_id = int(row["id"])
        own = fronts.values(resource, row_id, seen.shop)
        if own is None:
            own = dict.fromkeys(PER_SHOP[resource], "")
        row = {**row, **own}
    if resource == "carts" and row.get("id_shop") != str(seen.shop):
        return {**row, ASSOCIATIONS: {}}
    names = _REPEATED.get(resource, ())
    links = row.get(ASSOCIATIONS, {})
    if len(seen.shops) > 1 and any(links.get(name) for name in names):
        return {**row, ASSOCIATIONS: {**links, **{name: _repeated(shop, resource, row, name, seen) for name in names}}}
    return row


def _repeated(shop: "SimulatedShop", resource: str, row: Row, name: str, seen: Contexts) -> list[dict[str, str]]:
    fronts = shop.storefronts
    rows: list[dict[str, str]] = row.get(ASSOCIATIONS, {}).get(name, [])
    if fronts is None or not shared(resource):
        return [entry for entry in rows for _ in seen.shops]
    return [entry for entry in rows for _ in fronts.shops_of(resource, int(row["id"]), seen.shops)]


def listed(shop: "SimulatedShop", resource: str, row_id: int, seen: Contexts) -> bool:
    """Whether a list in this context shows the row: only what its first shop sells (R52)."""
    fronts = shop.storefronts
    return fronts is None or not shared(resource) or fronts.sells(resource, row_id, seen.shop)


def reachable(shop: "SimulatedShop", resource: str, row_id: int, seen: Contexts) -> bool:
    """Whether a single GET finds the row: any shop of the context sells it (R50)."""
    fronts = shop.storefronts
    return fronts is None or not shared(resource) or bool(fronts.shops_of(resource, row_id, seen.shops))


def saved(shop: "SimulatedShop", table: Table, row_id: int, stored: Mapping[str, Any], seen: Contexts) -> None:
    """Store a saved row's fields in every shop of the context that sells it; a single shop begins to (R4, R53)."""
    fronts = shop.storefronts
    resource = table.resource.name
    if fronts is None or not shared(resource):
        return
    shops = fronts.shops_of(resource, row_id, seen.shops)
    if seen.kind == "shop" or not shops:
        shops = [seen.shop] if seen.kind == "shop" else list(seen.shops)
    for one in shops:
        fronts.keep(table, row_id, one, dict(stored))


def contexts_of(shop: "SimulatedShop", shops: Iterable[int], kind: str, id_group: int = 0) -> Contexts:
    """What a shop, a group or all of them see (R49–R54)."""
    table, groups = shop.tables["shops"], shop.tables["shop_groups"]
    found = tuple(shops)
    default = shop.storefronts.default if shop.storefronts is not None else shop.contexts.shop
    home = found[0] if kind == "shop" else default
    row = table.get(home) or {}
    group = id_group or int(table.value(row, "id_shop_group") or 0)
    stock = {columns_of(shop, one) for one in found} | {(str(one), "0") for one in found}
    members = [str(one) for one in found]
    sharing = groups.get(group)
    neighbours = [str(one) for one in table.find("id_shop_group", group)]
    orders, customers = set(members), set(members)
    if kind == "shop" and sharing is not None:
        orders |= set(neighbours) if groups.value(sharing, "share_order") == "1" else set()
        customers |= set(neighbours) if groups.value(sharing, "share_customer") == "1" else set()
    return Contexts(home, group, stock, orders, customers, kind, found)
