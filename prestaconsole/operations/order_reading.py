"""Asking a shop for orders and what belongs to them, in few requests: named fields, batches by id."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prestaconsole.operations.shops import ShopRecord
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.query import Context

_ORDER_FIELDS = (
    *("id_address_delivery", "id_address_invoice", "id_currency", "id_lang", "id_customer", "id_carrier"),
    *("current_state", "module", "payment", "date_add", "date_upd", "id_shop_group", "id_shop", "reference"),
    *("total_discounts_tax_incl", "total_discounts_tax_excl", "total_paid", "total_paid_tax_incl"),
    *("total_paid_tax_excl", "total_paid_real", "total_products", "total_products_wt"),
    *("total_shipping_tax_incl", "total_shipping_tax_excl", "carrier_tax_rate"),
    *("total_wrapping_tax_incl", "total_wrapping_tax_excl", "conversion_rate"),
    *("gift", "gift_message", "recyclable", "valid", "invoice_number", "invoice_date", "delivery_date"),
)
LINE_FIELDS = (
    *("id_order", "product_id", "product_attribute_id", "product_name", "product_quantity"),
    *("product_quantity_refunded", "product_quantity_return", "product_quantity_reinjected"),
    *("product_reference", "product_ean13"),
    *("unit_price_tax_incl", "unit_price_tax_excl", "total_price_tax_incl", "total_price_tax_excl"),
)
# Never the whole customer: it holds the password's hash (FINDINGS F14).
CUSTOMER_FIELDS = ("firstname", "lastname", "email", "is_guest")
ADDRESS_FIELDS = (
    *("id_country", "id_state", "company", "lastname", "firstname", "vat_number", "address1", "address2"),
    *("postcode", "city", "other", "phone", "phone_mobile", "dni"),
)
HISTORY_FIELDS = ("id_order", "id_order_state", "date_add")

ORDERS_PER_PAGE = 200


@dataclass(frozen=True)
class OrderBatch:
    """Orders with everything that was read for them. ``lines`` by order id; ``damaged`` ids could not be read whole."""

    orders: Sequence[Entity]
    lines: Mapping[int, Sequence[Entity]] = field(default_factory=dict)
    customers: Mapping[int, Entity] = field(default_factory=dict)
    addresses: Mapping[int, Entity] = field(default_factory=dict)


def version_tuple(version: str) -> tuple[int, ...]:
    """``8.2.1`` as numbers; what is not a number ends it."""
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def order_fields(shop: ShopRecord) -> tuple[str, ...]:
    """The fields of an order that this version knows: asking for another one is an error (WEBSERVICE §2.5)."""
    version = version_tuple(shop.version)
    fields: tuple[str, ...] = _ORDER_FIELDS
    if version >= (1, 7, 8):
        fields += ("note",)
    if version >= (1, 6, 1):
        fields += ("round_mode", "round_type")
    return fields


def orders_context(shop: ShopRecord) -> Context:
    """The storefront context of order reads: none for a single shop; several are read with ``all`` (R49)."""
    return "all" if len(shop.capabilities.get("storefronts", ())) > 1 else None


async def read_details(client: ShopClient, orders: Sequence[Entity], fresh: Iterable[int]) -> OrderBatch:
    """Lines of all given orders; customers and addresses of those in ``fresh``, which we do not know yet."""
    wanted = set(fresh)
    ids = [order.id for order in orders]
    lines: dict[int, list[Entity]] = {id_order: [] for id_order in ids}
    for line in await client.by_ids("order_details", LINE_FIELDS, ids, key="id_order"):
        lines.setdefault(line.integer("id_order"), []).append(line)
    new = [order for order in orders if order.id in wanted]
    customers = await _by_id(client, "customers", CUSTOMER_FIELDS, (order.integer("id_customer") for order in new))
    address_ids = (order.integer(name) for order in new for name in ("id_address_delivery", "id_address_invoice"))
    return OrderBatch(orders, lines, customers, await _by_id(client, "addresses", ADDRESS_FIELDS, address_ids))


async def _by_id(client: ShopClient, resource: str, fields: Sequence[str], ids: Iterable[int]) -> Mapping[int, Entity]:
    wanted = sorted({number for number in ids if number})
    return {entity.id: entity for entity in await client.by_ids(resource, tuple(fields), wanted)} if wanted else {}
