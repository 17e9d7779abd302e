"""PrestaShop 1.5 as its source differs from 1.6 (WEBSERVICE §2.5, §5, §7): unproven. Imports the schema."""

from collections.abc import Mapping
from dataclasses import replace

from prestaconsole.sandbox.schema import Association, Resource, SubField

_RESOURCES = frozenset({"customizations", "order_slip", "product_customization_fields", "shop_urls"})
_FIELDS: Mapping[str, frozenset[str]] = {
    "products": frozenset({"pack_stock_type"}),
    "orders": frozenset({"round_mode", "round_type"}),
    "order_states": frozenset({"pdf_invoice", "pdf_delivery"}),
    "order_details": frozenset(
        {"id_tax_rules_group", "total_shipping_price_tax_incl", "total_shipping_price_tax_excl"}
        | {"original_wholesale_price"}
    ),
    "order_invoices": frozenset({"shop_address"}),
    "customer_messages": frozenset({"date_upd"}),
    "tax_rule_groups": frozenset({"deleted", "date_add", "date_upd"}),
    "specific_prices": frozenset({"reduction_tax"}),
}
_ORDER_ROW = frozenset({"product_reference", "product_ean13", "product_upc"})
# The nodes of a row as 1.5 names them.
_NODES: Mapping[tuple[str, str], str] = {
    ("products", "combinations"): "combinations",
    ("products", "product_option_values"): "product_options_values",
    ("products", "product_bundle"): "products",
    ("combinations", "product_option_values"): "product_options_values",
}


def older(known: Mapping[str, Resource]) -> dict[str, Resource]:
    """The resources of 1.5 from those of 1.6."""
    return {name: _older(resource) for name, resource in known.items() if name not in _RESOURCES}


def _older(resource: Resource) -> Resource:
    gone = _FIELDS.get(resource.name, frozenset())
    fields = tuple(field for field in resource.fields if field.name not in gone)
    associations = tuple(_association(resource.name, entry) for entry in resource.associations)
    return replace(resource, fields=fields, associations=associations)


def _association(name: str, entry: Association) -> Association:
    fields: tuple[SubField, ...] = entry.fields
    if (name, entry.name) == ("orders", "order_rows"):
        fields = tuple(field for field in fields if field.name not in _ORDER_ROW)
    return replace(entry, node=_NODES.get((name, entry.name), entry.node), fields=fields)
