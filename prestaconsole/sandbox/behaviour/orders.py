"""Orders as they come into being and change state (WEBSERVICE §7.5, §7.6, F46–F50). Imports the storage only."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from prestaconsole.sandbox.behaviour import money, stock
from prestaconsole.sandbox.behaviour.products import fitting
from prestaconsole.sandbox.exchange import Mail
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row, Table

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

# After a backup was restored an id comes again, but never the reference that went with it.
_LIVES = 1_000_003
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CART_FIELDS = (
    "id_address_delivery",
    "id_address_invoice",
    "id_currency",
    "id_customer",
    "id_lang",
    "id_shop_group",
    "id_shop",
    "id_carrier",
    "secure_key",
)
_OF_CART = (
    "id_address_delivery",
    "id_address_invoice",
    "id_currency",
    "id_lang",
    "id_carrier",
    "id_shop",
    "id_shop_group",
)


def place(
    shop: "SimulatedShop",
    lines: Sequence[tuple[int, int, int]],
    *,
    state: int = 2,
    steps: bool = False,
    id_customer: int | None = None,
    id_carrier: int | None = None,
    module: str = "ps_wirepayment",
    payment: str = "Bank wire",
    reference: str | None = None,
    when: str | None = None,
    deduct: bool = True,
    id_cart: int | None = None,
) -> int:
    """A customer orders; returns the order's id.

    Each line is (id_product, id_product_attribute, quantity). With `steps` only the order's row is made and
    `next_step` adds lines, carrier, payment and state one after the other, as a slow shop would be seen. `deduct`
    is False where the stock already counts the order. Raises KeyError for an unknown product or combination.
    """
    moment = when or shop.now()
    shop.hooks["actionValidateOrder"] += 1
    table = shop.tables["orders"]
    id_order = table.next_id()
    row = _head(shop, id_order, id_customer, id_carrier, moment)
    cart = shop.tables["carts"].get(id_cart) if id_cart is not None else None
    if cart is not None:
        row |= {name: cart[name] for name in _OF_CART if cart.get(name, "0") not in ("", "0")}
    row |= {
        "module": module,
        "payment": payment,
        "reference": reference or make_reference(shop, id_order + shop.restored * _LIVES),
    }
    details = [_detail(shop, id_order, line, row) for line in lines]
    row |= _totals(shop, row, details)
    row["id_cart"] = str(id_cart if id_cart is not None else _cart(shop, row, lines))
    table.insert(fitting(table, row), id_order)
    gone = _gone(shop)

    def add_lines() -> None:
        for detail, line in zip(details, lines, strict=True):
            shop.tables["order_details"].insert(fitting(shop.tables["order_details"], detail))
            if deduct and str(state) not in gone:
                stock.move_goods(shop, line[0], line[1], -line[2], int(row["id_shop"] or 0))

    work: list[Callable[[], None]] = [
        add_lines,
        lambda: _add_carrier(shop, id_order, moment),
        *([lambda: _add_payment(shop, id_order, moment)] if _flag(shop, state, "paid") else []),
        lambda: _first_state(shop, id_order, state, moment),
    ]
    if steps:
        shop.pending[id_order] = work
    else:
        for step in work:
            step()
    return id_order


def next_step(shop: "SimulatedShop", id_order: int) -> bool:
    """Add the next part of an order that comes in steps; False when nothing was left to add."""
    work = shop.pending.get(id_order)
    if not work:
        return False
    work.pop(0)()
    if not work:
        del shop.pending[id_order]
    return True


def change_state(
    shop: "SimulatedShop",
    id_order: int,
    id_state: int,
    *,
    mail: bool = False,
    id_employee: str = "0",
    when: str | None = None,
) -> int:
    """Bring an order into a state and add its history row; returns that row's id.

    Raises KeyError for an unknown order or state. The same state again adds another row (F48).
    """
    if id_order not in shop.tables["orders"] or id_state not in shop.tables["order_states"]:
        raise KeyError(f"order {id_order}, state {id_state}")
    moment = when or shop.now()
    enter_state(shop, id_order, id_state, moment)
    history = shop.tables["order_histories"]
    row: Row = {"id_order": str(id_order), "id_order_state": str(id_state), "date_add": moment}
    new = history.insert(fitting(history, {**row, "id_employee": id_employee}))
    if mail:
        send_mail(shop, id_order, id_state)
    return new


def send_mail(shop: "SimulatedShop", id_order: int, id_state: int) -> bool:
    """Send the state's e-mail where it has one; False where the mail server refuses it (F1)."""
    if not _flag(shop, id_state, "send_email"):
        return True
    if shop.faults.on("mail-refused"):
        return False
    state = shop.tables["order_states"].get(id_state) or {}
    templates = state.get("template") or {}
    shop.mails.append(Mail(id_order, next(iter(templates.values()), "")))
    return True


def enter_state(shop: "SimulatedShop", id_order: int, id_state: int, moment: str) -> None:
    """What a change of state does to the order and to the stock of its lines."""
    table = shop.tables["orders"]
    row = table.get(id_order)
    if row is None:
        raise KeyError(f"order {id_order}")
    old = table.value(row, "current_state")
    shop.hooks["actionOrderStatusUpdate"] += 1
    shop.hooks["actionOrderStatusPostUpdate"] += 1
    if old not in ("", "0"):
        _move_stock(shop, id_order, old, str(id_state))
    changes = {"current_state": str(id_state), "date_upd": moment}
    changes["valid"] = "1" if _flag(shop, id_state, "logable") else "0"
    table.update(id_order, changes)
    if _flag(shop, id_state, "invoice") and table.value(row, "invoice_number") in ("", "0"):
        _add_invoice(shop, row, moment)
    if _flag(shop, id_state, "delivery") and table.value(row, "delivery_number") in ("", "0"):
        if shop.last_delivery is None:
            shop.last_delivery = max((int(other.get("delivery_number", "0") or 0) for other in table), default=0)
        shop.last_delivery += 1
        number = shop.last_delivery
        table.update(id_order, {"delivery_number": str(number), "delivery_date": moment})
    if _flag(shop, id_state, "paid"):
        _add_payment(shop, id_order, moment)


def make_reference(shop: "SimulatedShop", number: int) -> str:
    """Nine capital letters, the same for one shop's seed and number."""
    value = (number * 7_919_317 + shop.seed * 104_729 + 982_451_653) * 48_271 % (26**9)
    letters = []
    for _ in range(9):
        value, rest = divmod(value, 26)
        letters.append(_ALPHABET[rest])
    return "".join(letters)


def _head(shop: "SimulatedShop", id_order: int, id_customer: int | None, id_carrier: int | None, moment: str) -> Row:
    customers = shop.tables["customers"]
    ids = customers.ids()
    buyer = id_customer or (ids[(id_order * 7) % len(ids)] if ids else 0)
    addresses = shop.tables["addresses"]
    homes = addresses.find("id_customer", buyer) or list(addresses.ids()[:1])
    home = str(homes[0]) if homes else "0"
    customer = customers.get(buyer) or {}
    return {
        "id_address_delivery": home,
        "id_address_invoice": home,
        "id_currency": shop.configuration("PS_CURRENCY_DEFAULT", "1"),
        "id_lang": customers.value(customer, "id_lang") if customer else "1",
        "id_customer": str(buyer),
        "id_carrier": str(id_carrier if id_carrier is not None else _carrier(shop)),
        "date_add": moment,
        "date_upd": moment,
        "id_shop_group": str(shop.contexts.group),
        "id_shop": str(shop.contexts.shop),
        "secure_key": customers.value(customer, "secure_key") if customer else "",
        "round_mode": "2",
        "round_type": "2",
        "conversion_rate": "1.000000",
        "carrier_tax_rate": "0.000",
    }


def _cart(shop: "SimulatedShop", order: Row, lines: Sequence[tuple[int, int, int]]) -> int:
    table = shop.tables["carts"]
    row = {name: order[name] for name in _CART_FIELDS}
    row |= {"date_add": order["date_add"], "date_upd": order["date_upd"]}
    row[ASSOCIATIONS] = {
        "cart_rows": [
            {
                "id_product": str(id_product),
                "id_product_attribute": str(id_attribute),
                "id_address_delivery": order["id_address_delivery"],
                "id_customization": "0",
                "quantity": str(count),
            }
            for id_product, id_attribute, count in lines
        ]
    }
    return table.insert(fitting(table, row))


def _carrier(shop: "SimulatedShop") -> int:
    table = shop.tables["carriers"]
    good = [int(row["id"]) for row in table if table.value(row, "active") == "1" and table.value(row, "deleted") == "0"]
    return good[-1] if good else 0


def _detail(shop: "SimulatedShop", id_order: int, line: tuple[int, int, int], order: Row) -> Row:
    id_product, id_attribute, count = line
    products, combinations = shop.tables["products"], shop.tables["combinations"]
    product = products.get(id_product)
    combination = combinations.get(id_attribute) if id_attribute else None
    if product is None or (id_attribute and combination is None):
        raise KeyError(f"product {id_product}, combination {id_attribute}")
    address = shop.tables["addresses"].get(int(order["id_address_delivery"])) or {}
    price = money.price(shop, product, combination, count, str(address.get("id_country", "8")))
    names = product.get("name") or {}
    name = names.get(int(order["id_lang"] or 1)) or next(iter(names.values()), "")
    if combination is not None:
        name = f"{name} ({_options(shop, combination)})"
    reference = combinations.value(combination, "reference") if combination is not None else ""
    ean13 = combinations.value(combination, "ean13") if combination is not None else ""
    row: Row = {
        "id_order": str(id_order),
        "product_id": str(id_product),
        "product_attribute_id": str(id_attribute),
        "id_shop": order["id_shop"],
        "product_name": name,
        "product_quantity": str(count),
        "product_quantity_in_stock": str(count),
        "product_price": money.text(price.unit_excl),
        "product_reference": reference or products.value(product, "reference"),
        "product_ean13": ean13 or products.value(product, "ean13"),
        "product_weight": products.value(product, "weight"),
        "id_tax_rules_group": products.value(product, "id_tax_rules_group"),
        "unit_price_tax_excl": money.text(price.unit_excl),
        "unit_price_tax_incl": money.text(price.unit_incl),
        "total_price_tax_excl": money.text(price.total_excl),
        "total_price_tax_incl": money.text(price.total_incl),
        "original_product_price": money.text(price.unit_excl),
        "purchase_supplier_price": products.value(product, "wholesale_price"),
        "original_wholesale_price": products.value(product, "wholesale_price"),
    }
    if price.id_tax:
        row[ASSOCIATIONS] = {"taxes": [{"id": str(price.id_tax)}]}
    return row


def _options(shop: "SimulatedShop", combination: Row) -> str:
    values, groups = shop.tables["product_option_values"], shop.tables["product_options"]
    parts = []
    for entry in combination.get(ASSOCIATIONS, {}).get("product_option_values", ()):
        value = values.get(int(entry["id"]))
        if value is not None:
            group = groups.get(int(values.value(value, "id_attribute_group") or 0)) or {}
            title = next(iter((group.get("public_name") or {}).values()), "")
            parts.append(f"{title}: {next(iter((value.get('name') or {}).values()), '')}")
    return " - ".join(parts)


def _totals(shop: "SimulatedShop", order: Row, details: Sequence[Row]) -> Row:
    net = sum((Decimal(row["total_price_tax_excl"]) for row in details), Decimal(0))
    gross = sum((Decimal(row["total_price_tax_incl"]) for row in details), Decimal(0))
    carriers = shop.tables["carriers"]
    carrier = carriers.get(int(order["id_carrier"]))
    free = carrier is None or carriers.value(carrier, "is_free") == "1" or not details
    rate = Decimal(0) if free else Decimal(20)
    ship_net = Decimal(0) if free else Decimal("5.00")
    ship_gross = money.cents(ship_net * (1 + rate / 100))
    totals = {"total_products": net, "total_products_wt": gross}
    totals |= {"total_paid_tax_excl": net + ship_net, "total_paid": gross + ship_gross}
    totals |= {"total_paid_tax_incl": gross + ship_gross, "total_shipping": ship_gross}
    totals |= {"total_shipping_tax_incl": ship_gross, "total_shipping_tax_excl": ship_net}
    return {name: money.text(amount) for name, amount in totals.items()} | {"carrier_tax_rate": f"{rate:.3f}"}


def _add_carrier(shop: "SimulatedShop", id_order: int, moment: str) -> None:
    orders, table = shop.tables["orders"], shop.tables["order_carriers"]
    order = orders.get(id_order) or {}
    id_carrier = orders.value(order, "id_carrier")
    if id_carrier == "0":  # virtual goods only: no parcel, no row (R31)
        return
    row: Row = {"id_order": str(id_order), "id_carrier": id_carrier, "date_add": moment, "weight": "0.500000"}
    row["shipping_cost_tax_excl"] = orders.value(order, "total_shipping_tax_excl")
    row["shipping_cost_tax_incl"] = orders.value(order, "total_shipping_tax_incl")
    table.insert(fitting(table, row))


def _add_payment(shop: "SimulatedShop", id_order: int, moment: str) -> None:
    orders, table = shop.tables["orders"], shop.tables["order_payments"]
    order = orders.get(id_order) or {}
    paid = Decimal(orders.value(order, "total_paid_real") or "0")
    rest = Decimal(orders.value(order, "total_paid") or "0") - paid
    if rest <= 0:
        return
    row: Row = {"order_reference": orders.value(order, "reference"), "amount": _paid(table, rest)}
    row |= {"id_currency": orders.value(order, "id_currency"), "conversion_rate": "1.000000"}
    row |= {"payment_method": orders.value(order, "payment"), "date_add": moment}
    table.insert(fitting(table, row))
    orders.update(id_order, {"total_paid_real": money.text(paid + rest)})


def _paid(table: Table, amount: Decimal) -> str:
    return f"{amount:.{table.resource.by_name['amount'].decimals}f}"


def _add_invoice(shop: "SimulatedShop", order: Row, moment: str) -> None:
    table, invoices = shop.tables["orders"], shop.tables["order_invoices"]
    number = str(len(invoices) + 1)
    names = ("total_paid_tax_excl", "total_paid_tax_incl", "total_products", "total_products_wt")
    row: Row = {name: table.value(order, name) for name in names}
    new = invoices.insert(fitting(invoices, {**row, "id_order": order["id"], "number": number, "date_add": moment}))
    table.update(int(order["id"]), {"invoice_number": number, "invoice_date": moment})
    for name in ("order_details", "order_carriers"):
        other = shop.tables[name]
        for row_id in other.find("id_order", order["id"]):
            other.update(row_id, {"id_order_invoice": str(new)})


def _first_state(shop: "SimulatedShop", id_order: int, state: int, moment: str) -> None:
    if state in shop.tables["order_states"]:
        change_state(shop, id_order, state, mail=True, when=moment)


def _gone(shop: "SimulatedShop") -> set[str]:
    """The states that give stock back: cancelled and payment error, named by configuration (§7.6)."""
    return {shop.configuration("PS_OS_CANCELED", "6"), shop.configuration("PS_OS_ERROR", "8")}


def _move_stock(shop: "SimulatedShop", id_order: int, old: str, new: str) -> None:
    gone = _gone(shop)
    was, becomes = _flag(shop, int(old), "logable"), _flag(shop, int(new), "logable")
    if becomes and not was:
        change = -1 if old in gone else 0
    elif was:
        change = 1 if new in gone and not becomes else 0
    else:
        change = 1 if new in gone and old not in gone else 0
    if not change:
        return
    id_shop = int(shop.tables["orders"].row(id_order)["id_shop"] or 0)
    table = shop.tables["order_details"]
    for row in table.rows(table.find("id_order", id_order)):
        count = int(table.value(row, "product_quantity"))
        goods = int(table.value(row, "product_id")), int(table.value(row, "product_attribute_id"))
        stock.move_goods(shop, *goods, change * count, id_shop)


def _flag(shop: "SimulatedShop", id_state: int, name: str) -> bool:
    table = shop.tables["order_states"]
    row = table.get(id_state)
    return row is not None and table.value(row, name) == "1"
