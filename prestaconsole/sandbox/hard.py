"""Made-up shops as real ones are: awkward orders, and several storefronts in one installation. Imports the sandbox.

FINDINGS-ORDERS B–H: each kind of order comes once, after the ordinary ones.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from prestaconsole.sandbox import basics
from prestaconsole.sandbox.behaviour import money, orders, products, stock
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row
from prestaconsole.sandbox.storefronts import Storefronts, contexts_of

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop


def add_orders(shop: "SimulatedShop") -> dict[str, int]:
    """Add the awkward orders; returns the id of each by what it shows."""
    return {
        "guest": _guest(shop),
        "guest-again": _guest(shop),
        "currency": _foreign(shop),
        "voucher": _voucher(shop),
        "wrapping": _wrapped(shop),
        "split": _split(shop),
        "virtual": _virtual(shop),
        "pack": _pack(shop),
        "deleted-product": _deleted(shop),
        "edited-carrier": _edited_carrier(shop),
    }


def _goods(shop: "SimulatedShop", name: str, **fields: Any) -> int:
    return products.add(shop, name=name, reference=f"HARD-{name[:4].upper()}", price="20.000000", quantity=40, **fields)


def _guest(shop: "SimulatedShop") -> int:
    """Two guests with one e-mail are two customers (R45)."""
    row: Row = {"firstname": "Jo", "lastname": "Guest", "email": "guest@example.test", "is_guest": "1", "active": "1"}
    row |= {"id_lang": "1", "id_default_group": "2", "id_shop": "1", "id_shop_group": "1", "secure_key": "0" * 32}
    buyer = basics.put(shop, "customers", row | {"date_add": shop.now(), "date_upd": shop.now()})
    country = shop.tables["countries"].ids()[0]
    home: Row = {"id_customer": str(buyer), "id_country": str(country), "alias": "Home", "firstname": "Jo"}
    basics.put(
        shop, "addresses", home | {"lastname": "Guest", "address1": "1 Road", "city": "Town", "postcode": "1000"}
    )
    return orders.place(shop, [(shop.tables["products"].ids()[0], 0, 1)], id_customer=buyer)


def _foreign(shop: "SimulatedShop") -> int:
    """Paid in another currency, at the rate of the day (R16)."""
    rate = {"name": "British Pound", "iso_code": "GBP", "conversion_rate": "0.850000", "active": "1", "decimals": "1"}
    known = shop.tables["currencies"].find("iso_code", "GBP")
    pound = known[0] if known else basics.put(shop, "currencies", rate | {"precision": "2"})
    id_order = orders.place(shop, [(_goods(shop, "Pounds"), 0, 2)])
    shop.tables["orders"].update(id_order, {"id_currency": str(pound), "conversion_rate": "0.850000"})
    for row_id in _payments(shop, id_order):
        shop.tables["order_payments"].update(row_id, {"id_currency": str(pound), "conversion_rate": "0.850000"})
    return id_order


def _voucher(shop: "SimulatedShop") -> int:
    id_order = orders.place(shop, [(_goods(shop, "Voucher"), 0, 3)])
    _lower(
        shop, id_order, {"total_discounts": 5, "total_discounts_tax_incl": 5}, {"total_discounts_tax_excl": "4.166667"}
    )
    rule: Row = {"id_order": str(id_order), "id_cart_rule": "1", "name": "5 off", "value": "5.000000"}
    rule |= {"value_tax_excl": "4.166667", "free_shipping": "0"}
    for name in ("order_cart_rules", "order_discounts"):
        basics.put(shop, name, rule)
    return id_order


def _wrapped(shop: "SimulatedShop") -> int:
    id_order = orders.place(shop, [(_goods(shop, "Wrapped"), 0, 1)])
    _lower(
        shop, id_order, {"total_wrapping": -3, "total_wrapping_tax_incl": -3}, {"total_wrapping_tax_excl": "2.500000"}
    )
    shop.tables["orders"].update(id_order, {"gift": "1", "gift_message": "Félicitations,\nà bientôt"})
    return id_order


def _lower(shop: "SimulatedShop", id_order: int, amounts: dict[str, int], exact: Row) -> None:
    """Take an amount (with tax) off an order, or with a negative one add it, and off what was paid for it."""
    table = shop.tables["orders"]
    row, off = table.row(id_order), Decimal(next(iter(amounts.values())))
    sign = 1 if off > 0 else -1
    changes: Row = {name: money.text(abs(amount)) for name, amount in amounts.items()} | exact
    net = sign * Decimal(next(iter(exact.values())))
    changes["total_paid_tax_excl"] = money.text(Decimal(row["total_paid_tax_excl"]) - net)
    for name in ("total_paid", "total_paid_tax_incl", "total_paid_real"):
        changes[name] = money.text(Decimal(row[name]) - off)
    table.update(id_order, changes)
    for row_id in _payments(shop, id_order):
        shop.tables["order_payments"].update(row_id, {"amount": changes["total_paid"]})


def _payments(shop: "SimulatedShop", id_order: int) -> list[int]:
    reference = shop.tables["orders"].row(id_order)["reference"]
    return shop.tables["order_payments"].find("order_reference", reference)


def _split(shop: "SimulatedShop") -> int:
    """One cart, two orders, one reference; one payment of the whole, which the last order holds (R25)."""
    goods = _goods(shop, "Split")
    first = orders.place(shop, [(goods, 0, 1)])
    row = shop.tables["orders"].row(first)
    second = orders.place(shop, [(goods, 0, 2)], reference=row["reference"], id_customer=int(row["id_customer"]))
    table, payments = shop.tables["orders"], shop.tables["order_payments"]
    whole = sum((Decimal(table.row(number)["total_paid"]) for number in (first, second)), Decimal(0))
    listed = _payments(shop, first)
    payments.update(listed[0], {"amount": money.text(whole)})
    for row_id in listed[1:]:
        payments.remove(row_id)
    table.update(first, {"total_paid_real": money.text(0)})
    table.update(second, {"total_paid_real": money.text(whole), "id_cart": table.row(first)["id_cart"]})
    return first


def _virtual(shop: "SimulatedShop") -> int:
    """No carrier and no parcel (R31)."""
    goods = _goods(shop, "Virtual", is_virtual="1", type="virtual", product_type="virtual")
    return orders.place(shop, [(goods, 0, 1)], id_carrier=0)


def _pack(shop: "SimulatedShop") -> int:
    """Sold as one line; its parts' stock goes down with it (R42)."""
    part = _goods(shop, "Component")
    pack = _goods(shop, "Pack", cache_is_pack="1", type="pack", product_type="pack", pack_stock_type="2")
    bundle = [{"id": str(part), "id_product_attribute": "0", "quantity": "2"}]
    row = shop.tables["products"].update(pack, {})
    row[ASSOCIATIONS] = {**row.get(ASSOCIATIONS, {}), "product_bundle": bundle}
    return orders.place(shop, [(pack, 0, 1)])


def _deleted(shop: "SimulatedShop") -> int:
    """The line keeps id, name and reference of a product that is gone (R39)."""
    goods = _goods(shop, "Deleted")
    id_order = orders.place(shop, [(goods, 0, 1)])
    products.remove(shop, goods)
    shop.tables["products"].remove(goods)
    return id_order


def _edited_carrier(shop: "SimulatedShop") -> int:
    """Editing a carrier marks it deleted and makes a new one of the same reference (R39)."""
    table = shop.tables["carriers"]
    old = table.row(table.ids()[-1])
    id_order = orders.place(shop, [(_goods(shop, "Carried"), 0, 1)], id_carrier=int(old["id"]))
    table.insert({name: value for name, value in old.items() if name != "id"})
    table.update(int(old["id"]), {"deleted": "1", "active": "0"})
    return id_order


def add_storefronts(shop: "SimulatedShop", count: int) -> None:
    """Make shops 2 … `count` in a group that shares stock and customers; each sells every other product (R49–R54)."""
    group: Row = {"name": "Shared stock", "active": "1", "share_stock": "1", "share_customer": "1"}
    shared = str(basics.put(shop, "shop_groups", group))
    domain = shop.tables["shop_urls"].row(1)["domain"] if 1 in shop.tables.get("shop_urls", ()) else "127.0.0.1"
    for number in range(2, count + 1):
        facts: Row = {"id_shop_group": shared, "id_category": "2", "name": f"Shop {number}", "active": "1"}
        basics.put(shop, "shops", facts | {"theme_name": "classic"}, number)
        url: Row = {"id_shop": str(number), "domain": domain, "domain_ssl": domain, "physical_uri": "/", "main": "1"}
        basics.put(shop, "shop_urls", url | {"virtual_uri": f"shop{number}/", "active": "1"})
    shop.storefronts = fronts = Storefronts(1)
    for name in ("products", "combinations"):
        table = shop.tables[name]
        for row in table:
            owner = int(row["id"] if name == "products" else row["id_product"])
            for number in range(1, count + 1):
                if number == 1 or owner % 2:
                    fronts.keep(table, int(row["id"]), number, _own(row, number, name))
    shop.contexts = contexts_of(shop, (1,), "shop")
    seen = contexts_of(shop, (2,), "shop")
    rows = [dict(row) for row in shop.tables["stock_availables"] if int(row["id_product"]) % 2]
    for row in rows:
        goods = int(row["id_product"]), int(row.get("id_product_attribute", "0"))
        stock.add_row(shop, *goods, int(row.get("quantity", "0")), seen=seen)
    for number in range(2, count + 1):
        shop.contexts = contexts_of(shop, (number,), "shop")
        orders.place(shop, [(1, 0, 1)])
    shop.contexts = contexts_of(shop, (1,), "shop")
    for row_id in shop.tables["configurations"].find("name", "PS_MULTISHOP_FEATURE_ACTIVE"):
        shop.tables["configurations"].update(row_id, {"value": "1"})


def _own(row: Row, number: int, name: str) -> Row:
    if name != "products" or number == 1:
        return row
    price = money.text((Decimal(row["price"]) * (10 + number) / 10).quantize(money.MICRO))
    return {**row, "price": price, "name": {key: f"{text} ({number})" for key, text in row["name"].items()}}
