"""What saving an entity does beside storing it, resource by resource. Imports the sandbox only."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from prestaconsole.sandbox import storefronts
from prestaconsole.sandbox.behaviour import order_parts, orders, products, stock
from prestaconsole.sandbox.context import Context
from prestaconsole.sandbox.exchange import Mail
from prestaconsole.sandbox.output import Entity
from prestaconsole.sandbox.query import number
from prestaconsole.sandbox.refusal import PlainAnswer, Refusal, fatal
from prestaconsole.sandbox.schema import Resource
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

_HTML = [("content-type", "text/html; charset=utf-8")]
_UNSAVED = (46, "Unable to save resource")
_PAYMENT_MODULES = frozenset(
    {"ps_wirepayment", "ps_checkpayment", "ps_cashondelivery", "bankwire", "cheque", "cashondelivery", "free_order"}
)
Saver = Callable[[Context, Row, Row | None, Row], Row]


def complete(context: Context, resource: Resource, sent: Row, old: Row | None) -> None:
    """Fill in what PrestaShop itself sets before it checks the fields."""
    now = context.shop.now()
    names = resource.by_name
    if "date_add" in names and not sent.get("date_add") and resource.name != "orders":
        sent["date_add"] = now
    if "date_upd" in names and not (resource.name == "orders" and old is None):
        sent["date_upd"] = now
    if resource.name == "products":
        if old is None and context.shop.version.generation >= (1, 7) and not sent["link_rewrite"]:
            named = sent["name"] if isinstance(sent["name"], dict) else {}
            sent["link_rewrite"] = {key: products.rewrite(text) for key, text in named.items()}
        warning = context.shop.version.no_name_warning
        if old is None and warning is not None and not isinstance(sent["name"], dict):
            raise Refusal(500, warning)  # nothing is checked or saved after it: the next product gets the id (F58)
        sent["condition"], sent["visibility"] = sent.get("condition") or "new", sent.get("visibility") or "both"
        sent["id_shop_default"] = sent.get("id_shop_default") or str(context.seen.shop)
    if resource.name == "categories":
        parent = context.shop.tables["categories"].get(int(number(sent.get("id_parent") or "0")))
        sent["id_shop_default"] = sent.get("id_shop_default") or str(context.seen.shop)
        sent["level_depth"] = str(int(parent["level_depth"] or 0) + 1) if parent is not None else "0"
    if resource.name == "customers" and old is None:
        _new_customer(context, sent, now)


def save(context: Context, resource: Resource, sent: Row, old: Row | None, stored: Row) -> Row:
    """Store the row with all that follows from it, and return it. Raises Refusal or PlainAnswer."""
    special = _SAVERS.get(resource.name)
    if special is not None:
        return special(context, sent, old, stored)
    return _keep(context, resource.name, old, stored)


def _keep(context: Context, name: str, old: Row | None, stored: Row) -> Row:
    table = context.shop.tables[name]
    if old is None:
        row = table.row(table.insert(products.fitting(table, stored)))
    else:
        row = table.update(int(old["id"]), stored)
    storefronts.saved(context.shop, table, int(row["id"]), stored, context.seen)
    return row


def _save_stock(context: Context, sent: Row, old: Row | None, stored: Row) -> Row:
    shop = context.shop
    if stored["depends_on_stock"] == "1" and shop.version.generation < (9, 0):
        text = "You cannot update the available stock when it depends on stock."
        code = None if shop.version.generation == (1, 5) else 133
        raise Refusal(500, (code, text), _UNSAVED)
    stored["quantity"] = str(max(-2147483648, min(2147483647, int(stored["quantity"]))))
    if old is not None and stock.taken(shop, int(old["id"]), stored):
        raise fatal() if shop.version.modern_php else Refusal(500, _UNSAVED)
    row = _keep(context, "stock_availables", old, stored)
    stock.follow(shop, row, context.seen)
    return row


def _save_history(context: Context, sent: Row, old: Row | None, stored: Row) -> Row:
    if old is not None:
        return _keep(context, "order_histories", old, stored)
    shop = context.shop
    id_order, id_state = int(stored["id_order"]), int(stored["id_order_state"])
    if id_order not in shop.tables["orders"] or id_state not in shop.tables["order_states"]:
        raise _impossible(context, "Invalid new order status")
    orders.enter_state(shop, id_order, id_state, sent["date_add"])
    row = _keep(context, "order_histories", None, stored)
    if context.params.get("sendemail") == "1" and not orders.send_mail(shop, id_order, id_state):
        raise Refusal(500, _UNSAVED)
    return row


def _impossible(context: Context, text: str) -> PlainAnswer:
    # A die() of the core: text with 200 on 1.6, text with 500 on 1.7, nothing at all from 8 (F2).
    generation = context.shop.version.generation
    if generation <= (1, 6):
        return PlainAnswer(200, text, _HTML)
    return PlainAnswer(500, text, _HTML) if generation == (1, 7) else fatal()


def _save_carrier(context: Context, sent: Row, old: Row | None, stored: Row) -> Row:
    shop = context.shop
    row = _keep(context, "order_carriers", old, stored)
    if old is not None and context.params.get("sendemail") == "1" and shop.version.generation >= (1, 7):
        carriers = shop.tables["carriers"]
        carrier = carriers.get(int(stored["id_carrier"]))
        if carrier is not None and carriers.value(carrier, "url"):
            shop.mails.append(Mail(int(stored["id_order"]), "in_transit"))
    return row


def _save_order(context: Context, sent: Row, old: Row | None, stored: Row) -> Row:
    shop = context.shop
    if old is None:
        return _place_order(context, sent, stored)
    table = shop.tables["orders"]
    id_order, before = int(old["id"]), table.value(old, "current_state")
    wanted = stored.pop("current_state")
    row = table.update(id_order, stored)
    always = shop.version.generation <= (1, 6) and context.method == "PUT"
    if wanted not in ("", "0") and (wanted != before or always):
        orders.change_state(shop, id_order, int(wanted), mail=True)
    tracking = sent.get("shipping_number")
    if tracking:
        carriers = shop.tables["order_carriers"]
        for row_id in carriers.find("id_order", id_order)[:1]:
            carriers.update(row_id, {"tracking_number": tracking})
    return row


def _place_order(context: Context, sent: Row, stored: Row) -> Row:
    """POST orders runs the payment module over the cart; the posted state and totals do not count (F53)."""
    shop = context.shop
    known = {shop.tables["orders"].value(row, "module") for row in shop.tables["orders"]}
    cart = shop.tables["carts"].get(int(stored["id_cart"]))
    if sent["module"] not in _PAYMENT_MODULES | known:
        raise fatal()
    if cart is None or shop.tables["orders"].find("id_cart", stored["id_cart"]):
        text = "Cart cannot be loaded or an order has already been placed using this cart"
        raise PlainAnswer(200 if shop.version.generation <= (1, 6) else 500, text, _HTML)
    _usable_carrier(shop, cart)
    lines = [
        (
            int(number(entry.get("id_product", ""))),
            int(number(entry.get("id_product_attribute", ""))),
            int(number(entry.get("quantity", "1"))),
        )
        for entry in cart.get(ASSOCIATIONS, {}).get("cart_rows", ())
    ]
    state = int(shop.configuration("PS_OS_WS_PAYMENT", shop.version.remote_payment_state))
    try:
        id_order = orders.place(
            shop,
            lines,
            state=0,
            id_customer=int(stored["id_customer"]),
            module=sent["module"],
            payment=sent.get("payment") or "",
            id_cart=int(stored["id_cart"]),
        )
    except KeyError:
        raise fatal() from None
    table = shop.tables["orders"]
    row = table.update(id_order, {})
    differs = Decimal(stored["total_paid"]) != Decimal(table.value(row, "total_paid"))
    if differs:
        state = int(shop.configuration("PS_OS_ERROR", "8"))
        for id_product, id_attribute, count in lines:
            stock.move_goods(shop, id_product, id_attribute, count)
    orders.change_state(shop, id_order, state, mail=True)
    return row


def _usable_carrier(shop: "SimulatedShop", cart: Row) -> None:
    """A carrier nobody can choose any more is replaced by another one (F53)."""
    carriers = shop.tables["carriers"]
    chosen = carriers.get(int(number(cart.get("id_carrier", "0"))))
    good = [row["id"] for row in carriers if carriers.value(row, "active") == "1" and row.get("deleted", "0") == "0"]
    if chosen is not None and chosen["id"] not in good and good:
        cart["id_carrier"] = good[0]


def _save_product(context: Context, sent: Row, old: Row | None, stored: Row) -> Row:
    if context.shop.version.generation >= (1, 6):
        context.shop.hooks["actionProductAdd" if old is None else "actionProductUpdate"] += 1
    if old is not None:
        return _keep(context, "products", old, stored)
    row = _keep(context, "products", None, stored | {"type": sent.get("type") or "simple"})
    stock.add_row(context.shop, int(row["id"]), 0, 0, seen=context.seen)
    return row


def _save_combination(context: Context, sent: Row, old: Row | None, stored: Row) -> Row:
    row = _keep(context, "combinations", old, stored)
    if old is None:
        stock.add_row(context.shop, int(row["id_product"]), int(row["id"]), 0, seen=context.seen)
    return row


def _save_customer(context: Context, sent: Row, old: Row | None, stored: Row) -> Row:
    table = context.shop.tables["customers"]
    if context.shop.version.generation >= (1, 7):
        for row_id in table.find("email", stored["email"]):
            other = table.get(row_id) or {}
            same = old is not None and str(row_id) == old["id"]
            if not same and table.value(other, "is_guest") == "0" and stored.get("is_guest") != "1":
                raise Refusal(500, (140, "The email is already used, please choose another one"), _UNSAVED)
    return _keep(context, "customers", old, stored)


def _new_customer(context: Context, sent: Row, now: str) -> None:
    digest = hashlib.sha256(f"{context.shop.seed}:{sent.get('email')}".encode()).hexdigest()
    sent["secure_key"] = digest[:32]
    sent["last_passwd_gen"] = now
    sent["id_shop"], sent["id_shop_group"] = str(context.seen.shop), str(context.seen.group)
    sent["id_lang"] = sent.get("id_lang") or "1"
    if sent.get("passwd"):
        sent["passwd"] = digest[:32] if context.shop.version.generation <= (1, 6) else f"$2y$10${digest[:53]}"


_SAVERS: Mapping[str, Saver] = {
    "stock_availables": _save_stock,
    "order_histories": _save_history,
    "order_carriers": _save_carrier,
    "orders": _save_order,
    "products": _save_product,
    "combinations": _save_combination,
    "customers": _save_customer,
}


def associated(context: Context, resource: Resource, saved: Row, name: str, rows: Sequence[Mapping[str, str]]) -> None:
    """What setting an association does: a shorter list of combinations deletes the others (§7.1)."""
    shop = context.shop
    if (resource.name, name) == ("products", "combinations"):
        kept = {entry.get("id") for entry in rows}
        for row_id in shop.tables["combinations"].find("id_product", saved["id"]):
            if str(row_id) not in kept:
                _remove_combination(context, row_id)
    if (resource.name, name) == ("carts", "cart_rows"):
        # What is stored is shown: numbers that were not sent are zeros.
        numbers = [sub.name for sub in resource.links[name].fields if sub.name != "quantity"]
        full = [dict.fromkeys(numbers, "0") | dict(entry) for entry in rows]
        if shop.version.generation >= (9, 0):
            # 9 does not keep an address for each row any more (R28).
            full = [entry | {"id_address_delivery": "0"} for entry in full]
        saved[ASSOCIATIONS][name] = full
    if (resource.name, name) == ("combinations", "product_option_values"):
        product = shop.tables["products"].get(int(saved["id_product"]))
        if product is not None:
            product = shop.tables["products"].update(int(saved["id_product"]), {})
            known = product.setdefault(ASSOCIATIONS, {}).setdefault("product_option_values", [])
            known += [dict(entry) for entry in rows if entry not in known]


def deleted(context: Context, resource: Resource, row_id: int) -> None:
    """Delete a row with what hangs on it; an address used by an order is only marked (§3.4)."""
    shop = context.shop
    table = shop.tables[resource.name]
    if resource.name == "combinations":
        _remove_combination(context, row_id)
        return
    if resource.name == "products":
        shop.hooks["actionProductDelete"] += 1
        products.remove(shop, row_id)
    if resource.name == "addresses":
        used = shop.tables["orders"]
        if used.find("id_address_delivery", row_id) or used.find("id_address_invoice", row_id):
            table.update(row_id, {"deleted": "1"})
            return
    table.remove(row_id)
    if shop.storefronts is not None and storefronts.shared(resource.name):
        shop.storefronts.forget(resource.name, row_id)


def _remove_combination(context: Context, row_id: int) -> None:
    table = context.shop.tables["combinations"]
    row = table.get(row_id)
    if row is not None:
        table.remove(row_id)
        stock.remove_rows(context.shop, int(table.value(row, "id_product")), row_id)


def echo(context: Context, resource: Resource, shown: Row, links: Row, saved: Row) -> Entity:
    """The entity as the answer to a write shows it: what was sent, not what was stored (F54)."""
    shop = context.shop
    texts = {name: "" if value is None else value for name, value in shown.items()}
    all_links = dict(links)
    if resource.name == "products":
        notice = shop.version.no_image_notice if shop.faults.on("php-messages") else None
        context.notices += [notice] if notice and not saved.get("id_default_image") else []
        texts["type"] = texts["type"] or saved.get("type", "simple")
        newer = shop.version.generation >= (1, 7)
        texts["id_default_combination"] = texts["id_default_combination"] or ("0" if newer else "")
        if context.method != "POST" and shop.version.patches:
            texts["unit_price_ratio"] = texts.get("unit_price_ratio") or "0"
        texts["manufacturer_name"] = products.manufacturer_name(shop, saved, "")
        all_links["stock_availables"] = products.stock_of(shop, saved, context.seen)
        all_links["combinations"] = products.combinations_of(shop, saved, context.seen)
    if resource.name == "categories" and context.method == "POST":
        texts["nb_products_recursive"] = "-1"
    if resource.name == "manufacturers" and not texts["link_rewrite"]:
        texts["link_rewrite"] = products.rewrite(texts["name"])
    if resource.name == "orders":
        all_links["order_rows"] = order_parts.rows_of(shop, saved)
        if context.method == "POST":
            texts["current_state"] = ""
    return Entity(texts, all_links)
