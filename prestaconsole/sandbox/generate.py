"""Made-up shops, the same each time for one seed. Imports the sandbox only."""

import random
from typing import TYPE_CHECKING, Any

from prestaconsole.sandbox import basics, names
from prestaconsole.sandbox.behaviour import orders, products, stock
from prestaconsole.sandbox.storage import Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

DAYS = 60
# How orders end, the more often the longer ago they were placed: each a path of states.
_FRESH: tuple[tuple[int, ...], ...] = ((2,), (2,), (2, 3), (10,), (1,), (10, 2), (11,), (8,))
_OLD: tuple[tuple[int, ...], ...] = (
    (2, 3, 4),
    (2, 4, 5),
    (2, 3, 4, 5),
    (10, 2, 4),
    (1, 2, 3, 4, 5),
    (10, 6),
    (2, 6),
    (2, 4, 7),
    (8,),
    (2, 3),
)


def fill(
    shop: "SimulatedShop",
    *,
    products: int,
    orders: int,
    currency: str,
    domain: str,
    without_sku: int,
    duplicate_skus: int,
    sku_prefix: str,
) -> None:
    """Fill an empty shop with so many products and orders before its clock; see `SimulatedShop.generate`."""
    chance = random.Random(f"{shop.seed}:{shop.name}")  # noqa: S311 - a made-up shop, not a secret
    now = shop.time()
    basics.install(shop, currency=currency, domain=domain, moment=shop.stamp(now - (DAYS + 30) * 86400))
    sellable = _add_products(shop, chance, products, without_sku, duplicate_skus, sku_prefix)
    _add_customers(shop, chance, max(3, orders // 2), now)
    if sellable:
        _add_orders(shop, chance, orders, sellable, now)
    shop.mails.clear()


def _add_products(
    shop: "SimulatedShop", chance: random.Random, count: int, without_sku: int, duplicates: int, prefix: str
) -> list[tuple[int, int]]:
    """Make the products; returns what can be ordered as (id_product, id_product_attribute)."""
    sellable: list[tuple[int, int]] = []
    variants: dict[int, list[dict[str, Any]]] = {}
    moment = shop.stamp(shop.time() - DAYS * 86400)
    width = max(4, len(str(count)))
    for number in range(1, count + 1):
        adjective, noun = chance.choice(names.ADJECTIVES), chance.choice(names.NOUNS)
        sku = f"{prefix}-{number:0{width}d}"
        if number <= without_sku:
            sku = ""
        elif without_sku < number - 1 <= without_sku + duplicates:
            sku = f"{prefix}-{without_sku + 1:0{width}d}"
        facts: dict[str, Any] = {
            "name": {
                1: f"{adjective[0]} {noun[0]} {number:03d}",
                2: f"{noun[1].capitalize()} {adjective[1]} {number:03d}",
            },
            "reference": sku,
            "price": f"{chance.randint(199, 19999) / 100:.6f}",
            "weight": f"{chance.randint(50, 5000) / 1000:.6f}",
            "when": moment,
            "id_manufacturer": str(chance.randint(1, len(names.MANUFACTURERS))),
            "id_category_default": chance.choice(("3", "4")),
            "ean13": barcode(300_000_000_000 + number),
        }
        if chance.random() < 0.04:
            facts["active"] = "0"
        if number % 5 == 0:
            variants[products.add(shop, **facts)] = _combinations(chance, sku, number)
        else:
            shelf = f"{chance.choice('ABC')}{chance.randint(1, 20):02d}-{chance.randint(1, 9):02d}"
            id_product = products.add(shop, quantity=_start(chance), location=shelf, **facts)
            sellable.append((id_product, 0))
    # Combinations come when the products are there, so stock ids do not follow product ids, as in real shops.
    for id_product, listed in variants.items():
        made = products.combine(shop, id_product, listed)
        sellable += [(id_product, id_attribute) for id_attribute in made]
    return sellable


def _combinations(chance: random.Random, sku: str, number: int) -> list[dict[str, Any]]:
    count = chance.randint(2, len(names.SIZES))
    return [
        {
            "reference": f"{sku}-{size}" if sku else "",
            "ean13": barcode(310_000_000_000 + number * 10 + position),
            "price": f"{position * 0.5:.6f}",
            "quantity": _start(chance),
            "option_values": (position + 1,),
        }
        for position, size in enumerate(names.SIZES[:count])
    ]


def _start(chance: random.Random) -> int:
    return 0 if chance.random() < 0.06 else chance.randint(3, 120)


def barcode(number: int) -> str:
    """Twelve digits and their EAN-13 check digit."""
    digits = f"{number:012d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def _add_customers(shop: "SimulatedShop", chance: random.Random, count: int, now: float) -> None:
    countries = {shop.tables["countries"].value(row, "iso_code"): row["id"] for row in shop.tables["countries"]}
    for number in range(1, count + 1):
        first, last = chance.choice(names.FIRST_NAMES), chance.choice(names.LAST_NAMES)
        iso, city, postcode, street = chance.choice(names.PLACES)
        moment = shop.stamp(now - chance.randint(DAYS, 400) * 86400)
        row: Row = {"firstname": first, "lastname": last, "email": f"customer{number}@example.test", "active": "1"}
        row |= {"id_lang": str(chance.randint(1, 2)), "id_default_group": "3", "id_shop": "1", "id_shop_group": "1"}
        row |= {"secure_key": f"{chance.getrandbits(128):032x}", "passwd": "$2y$10$made-up", "id_gender": "1"}
        buyer = basics.put(shop, "customers", row | {"date_add": moment, "date_upd": moment})
        home: Row = {"id_customer": str(buyer), "id_country": countries[iso], "alias": "Home", "firstname": first}
        home |= {"lastname": last, "address1": street, "postcode": postcode, "city": city, "phone": "0102030405"}
        home |= {"company": "Müller & Söhne" if chance.random() < 0.1 else "", "date_add": moment}
        basics.put(shop, "addresses", home | {"date_upd": moment})


def _add_orders(
    shop: "SimulatedShop", chance: random.Random, count: int, sellable: list[tuple[int, int]], now: float
) -> None:
    span = DAYS * 86400 - 7200
    moments = sorted(now - 3600 - chance.random() * span for _ in range(count))
    for moment in moments:
        path = chance.choice(_OLD if now - moment > 5 * 86400 else _FRESH)
        lines = _lines(shop, chance, sellable)
        module, payment = payment_of(shop, path[0])
        id_order = orders.place(
            shop, lines, state=state_of(shop, path[0]), module=module, payment=payment, when=shop.stamp(moment)
        )
        for state in path[1:]:
            moment = min(moment + chance.randint(1800, 86400), now - 60)
            orders.change_state(shop, id_order, state, when=shop.stamp(moment))


def _lines(shop: "SimulatedShop", chance: random.Random, sellable: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    lines: dict[tuple[int, int], int] = {}
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        for _ in range(5):
            goods = chance.choice(sellable)
            if goods not in lines and stock.quantity(shop, *goods) >= 3:
                lines[goods] = chance.choice((1, 1, 1, 2, 3))
                break
    if not lines:
        lines[chance.choice(sellable)] = 1
    return [(*goods, amount) for goods, amount in lines.items()]


def state_of(shop: "SimulatedShop", state: int) -> int:
    """A state of the newer numbering in this version: 11 (remote payment) is 12 up to 1.6."""
    return int(shop.version.remote_payment_state) if state == 11 else state


def payment_of(shop: "SimulatedShop", state: int) -> tuple[str, str]:
    """The payment module, and its name as customers see it, that starts an order in this state."""
    old = shop.version.generation <= (1, 6)
    if state == 1:
        return ("cheque", "Cheque") if old else ("ps_checkpayment", "Chèque")
    if state in (10, 8):
        return ("bankwire", "Bank wire") if old else ("ps_wirepayment", "Virement bancaire")
    return ("paypal", "PayPal") if state == 11 else ("stripe_official", "Carte bancaire")
