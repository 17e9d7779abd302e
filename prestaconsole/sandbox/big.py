"""Large made-up shops: rows worked out from their id and the shop's seed. Imports the sandbox only."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from prestaconsole.sandbox import basics, names
from prestaconsole.sandbox.behaviour.orders import make_reference
from prestaconsole.sandbox.behaviour.products import NEW, fitting, rewrite
from prestaconsole.sandbox.generate import DAYS, barcode, state_of
from prestaconsole.sandbox.storage import ASSOCIATIONS, Made, Row, Table

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

FROM = 5_000  # a shop with more products or orders is made here
SIZES = 4  # every fifth product comes in so many sizes
LINES = 2  # every order has so many lines
_CUSTOMERS = 20_000


def fill(shop: "SimulatedShop", *, products: int, orders: int, currency: str, domain: str, sku_prefix: str) -> None:
    """Give an empty shop so many products and orders; see `SimulatedShop.generate`."""
    basics.install(shop, currency=currency, domain=domain, moment=shop.stamp(shop.time() - (DAYS + 30) * 86400))
    big = _Big(shop, products, orders, sku_prefix)
    combinations = products // 5 * SIZES
    listed: dict[str, Made] = {
        "products": Made(products, big.product, texts=big.product_texts(), natural=big.by_category),
        "combinations": Made(combinations, big.combination, {"id_product": big.sizes_of}),
        "stock_availables": Made(
            products + combinations,
            big.stock,
            {"id_product": big.stock_of, "id_product_attribute": big.stock_of_size},
            natural=big.by_product,
        ),
        "customers": Made(big.customers, big.customer, texts={"email": lambda row_id: big.customer(row_id)["email"]}),
        "addresses": Made(big.customers, big.address, {"id_customer": _same}),
        "carts": Made(orders, big.cart),
        "orders": Made(orders, big.order, {"id_cart": _same, "id_customer": big.orders_of}, big.order_texts()),
        "order_details": Made(orders * LINES, big.line, {"id_order": big.lines_of}),
        "order_histories": Made(orders * 2, big.history, {"id_order": big.histories_of}),
        "order_carriers": Made(orders, big.parcel, {"id_order": _same}),
        "order_payments": Made(orders, big.payment, texts={"order_reference": big.reference}),
        "order_invoices": Made(orders, big.invoice, {"id_order": _same}),
    }
    for name, made in listed.items():
        table = shop.tables[name]
        shop.tables[name] = Table(table.resource, replace(made, make=_fitted(table, made.make)))
    shop.last_delivery = orders


def _fitted(table: Table, make: Callable[[int], Row]) -> Callable[[int], Row]:
    return lambda row_id: fitting(table, make(row_id))


def _same(text: str) -> list[int]:
    return [int(text)] if text.isdigit() else []


class _Big:
    """What each row of a large shop holds."""

    def __init__(self, shop: "SimulatedShop", products: int, orders: int, prefix: str) -> None:
        self.shop = shop
        self.products = products
        self.orders = orders
        self.prefix = prefix
        self.width = max(4, len(str(products)))
        self.customers = max(3, min(orders // 2, _CUSTOMERS))
        self.made = shop.stamp(shop.time() - DAYS * 86400)
        self.now = shop.time()
        self.final = {state: str(state_of(shop, state)) for state in (3, 4, 5, 6)}
        self.countries = {
            shop.tables["countries"].value(row, "iso_code"): row["id"] for row in shop.tables["countries"]
        }

    def draw(self, row_id: int, salt: int, below: int) -> int:
        """A number below a bound, the same each time for one seed, row and purpose."""
        value = (row_id * 2_654_435_761 + salt * 40_503 + self.shop.seed * 97_531) & 0xFFFFFFFF
        value = ((value >> 15) ^ value) * 2_246_822_519 & 0xFFFFFFFF
        return ((value >> 13) ^ value) % below

    def cents(self, id_product: int) -> int:
        """A product's net price."""
        return 199 + self.draw(id_product, 1, 19_800)

    def product(self, row_id: int) -> Row:
        adjective = names.ADJECTIVES[self.draw(row_id, 2, len(names.ADJECTIVES))]
        noun = names.NOUNS[self.draw(row_id, 3, len(names.NOUNS))]
        name = {1: f"{adjective[0]} {noun[0]} {row_id:03d}", 2: f"{noun[1].capitalize()} {adjective[1]} {row_id:03d}"}
        category = ("3", "4")[self.draw(row_id, 4, 2)]
        links: dict[str, list[dict[str, str]]] = {"categories": [{"id": "2"}, {"id": category}]}
        row: Row = {**NEW, "name": name, "reference": self.sku(row_id), "price": f"{self.cents(row_id) / 100:.6f}"}
        row |= {"link_rewrite": {language: rewrite(text) for language, text in name.items()}, "date_add": self.made}
        row |= {"date_upd": self.made, "id_category_default": category, "ean13": barcode(300_000_000_000 + row_id)}
        row |= {"id_manufacturer": str(1 + self.draw(row_id, 5, len(names.MANUFACTURERS))), ASSOCIATIONS: links}
        if row_id % 5 == 0:
            first = str(self.size_ids(row_id)[0])
            row |= {"product_type": "combinations", "cache_default_attribute": first, "id_default_combination": first}
            links["product_option_values"] = [{"id": str(size)} for size in range(1, SIZES + 1)]
        return row

    def product_texts(self) -> dict[str, Callable[[int], str]]:
        """The fields of products that whole catalogues are searched by."""
        return {"reference": self.sku, "active": lambda _: "1", "date_upd": lambda _: self.made}

    def order_texts(self) -> dict[str, Callable[[int], str]]:
        """The fields of orders that feeds filter by."""
        return {
            "reference": self.reference,
            "current_state": self.state,
            "date_add": lambda row_id: self.shop.stamp(self.moment(row_id)),
            "date_upd": lambda row_id: self.shop.stamp(self.moment(row_id) + 1800),
        }

    def by_category(self) -> Iterator[int]:
        """Products as an index on their category gives them (F15)."""
        for place in range(2):
            yield from (number for number in range(1, self.products + 1) if self.draw(number, 4, 2) == place)

    def by_product(self) -> Iterator[int]:
        """Stock rows as an index on product and combination gives them (F15)."""
        for id_product in range(1, self.products + 1):
            yield id_product
            yield from (self.products + size for size in self.size_ids(id_product))

    def reference(self, id_order: int) -> str:
        return make_reference(self.shop, id_order)

    def sku(self, id_product: int) -> str:
        return f"{self.prefix}-{id_product:0{self.width}d}"

    def size_ids(self, id_product: int) -> range:
        """The ids of a product's combinations; none where it has no sizes."""
        first = (id_product // 5 - 1) * SIZES + 1
        return range(first, first + SIZES) if id_product % 5 == 0 else range(0)

    def owner(self, id_combination: int) -> int:
        return ((id_combination - 1) // SIZES + 1) * 5

    def combination(self, row_id: int) -> Row:
        id_product, place = self.owner(row_id), (row_id - 1) % SIZES
        row: Row = {"id_product": str(id_product), "reference": f"{self.sku(id_product)}-{names.SIZES[place]}"}
        row |= {"ean13": barcode(310_000_000_000 + row_id), "price": f"{place * 0.5:.6f}", "minimal_quantity": "1"}
        row |= {"default_on": "1"} if place == 0 else {}
        row[ASSOCIATIONS] = {"product_option_values": [{"id": str(place + 1)}]}
        return row

    def sizes_of(self, text: str) -> Iterable[int]:
        known = text.isdigit() and 0 < int(text) <= self.products
        return self.size_ids(int(text)) if known else ()

    def stock(self, row_id: int) -> Row:
        id_product, size = (row_id, 0) if row_id <= self.products else (0, row_id - self.products)
        row: Row = {"id_shop": "1", "out_of_stock": "2", "id_product": str(id_product or self.owner(size))}
        sizes = self.size_ids(id_product) if id_product else range(0)
        amount = sum(self.held(self.products + one) for one in sizes) if sizes else self.held(row_id)
        return row | {"id_product_attribute": str(size), "quantity": str(amount)}

    def held(self, row_id: int) -> int:
        """What a stock row that is no sum says."""
        amount = self.draw(row_id, 6, 127)
        return 0 if amount < 7 else amount - 4

    def stock_of(self, text: str) -> Iterable[int]:
        known = text.isdigit() and 0 < int(text) <= self.products
        return [int(text), *(self.products + size for size in self.size_ids(int(text)))] if known else ()

    def stock_of_size(self, text: str) -> Iterable[int]:
        if text == "0":
            return range(1, self.products + 1)
        return [self.products + int(text)] if text.isdigit() else ()

    def customer(self, row_id: int) -> Row:
        first = names.FIRST_NAMES[self.draw(row_id, 7, len(names.FIRST_NAMES))]
        last = names.LAST_NAMES[self.draw(row_id, 8, len(names.LAST_NAMES))]
        row: Row = {"firstname": first, "lastname": last, "email": f"customer{row_id}@example.test", "active": "1"}
        row |= {"id_lang": str(1 + self.draw(row_id, 9, 2)), "id_default_group": "3", "id_shop": "1"}
        row |= {"id_shop_group": "1", "secure_key": f"{self.draw(row_id, 10, 2**32):032x}", "id_gender": "1"}
        return row | {"passwd": "$2y$10$made-up", "date_add": self.made, "date_upd": self.made}

    def address(self, row_id: int) -> Row:
        buyer = self.customer(row_id)
        iso, city, postcode, street = names.PLACES[self.draw(row_id, 11, len(names.PLACES))]
        row: Row = {"id_customer": str(row_id), "id_country": self.countries[iso], "alias": "Home", "city": city}
        row |= {"firstname": buyer["firstname"], "lastname": buyer["lastname"], "address1": street}
        return row | {"postcode": postcode, "phone": "0102030405", "date_add": self.made, "date_upd": self.made}

    def buyer(self, id_order: int) -> int:
        return 1 + (id_order * 7) % self.customers

    def orders_of(self, text: str) -> Iterable[int]:
        return (number for number in range(1, self.orders + 1) if str(self.buyer(number)) == text)

    def moment(self, id_order: int) -> float:
        """Orders are spread over the last 60 days, the newest an hour ago."""
        return self.now - 3600 - (self.orders - id_order) * (DAYS * 86400 - 7200) / self.orders

    def state(self, id_order: int) -> str:
        if self.moment(id_order) > self.now - 5 * 86400:
            return self.final[3]
        return self.final[(4, 5, 5, 4, 5, 4, 5, 5, 4, 6)[self.draw(id_order, 12, 10)]]

    def goods(self, id_order: int) -> list[tuple[int, int, int]]:
        """What was ordered: product, combination, quantity."""
        found = []
        for place in range(LINES):
            id_product = 1 + self.draw(id_order * LINES + place, 13, self.products)
            sizes = self.size_ids(id_product)
            size = sizes[self.draw(id_order, 14 + place, SIZES)] if sizes else 0
            found.append((id_product, size, 1 + self.draw(id_order, 16 + place, 3)))
        return found

    def prices(self, goods: tuple[int, int, int]) -> tuple[int, int]:
        """A line's unit price in cents, net and with 20 % of tax."""
        unit = self.cents(goods[0]) + ((goods[1] - 1) % SIZES * 50 if goods[1] else 0)
        return unit, (unit * 6 + 2) // 5

    def common(self, row_id: int) -> Row:
        buyer = self.buyer(row_id)
        stamp = self.shop.stamp(self.moment(row_id))
        row: Row = {"id_address_delivery": str(buyer), "id_address_invoice": str(buyer), "id_customer": str(buyer)}
        row |= {"id_currency": "1", "id_lang": "1", "id_carrier": "2", "id_shop": "1", "id_shop_group": "1"}
        return row | {"date_add": stamp, "date_upd": stamp}

    def cart(self, row_id: int) -> Row:
        rows = [
            {"id_product": str(one[0]), "id_product_attribute": str(one[1]), "quantity": str(one[2])}
            | {"id_address_delivery": str(self.buyer(row_id)), "id_customization": "0"}
            for one in self.goods(row_id)
        ]
        return self.common(row_id) | {ASSOCIATIONS: {"cart_rows": rows}}

    def order(self, row_id: int) -> Row:
        goods = self.goods(row_id)
        net = sum(self.prices(one)[0] * one[2] for one in goods)
        gross = sum(self.prices(one)[1] * one[2] for one in goods)
        row = self.common(row_id) | {"id_cart": str(row_id), "current_state": self.state(row_id), "valid": "1"}
        row |= {"module": "ps_wirepayment", "payment": "Bank wire", "reference": self.reference(row_id)}
        row |= {"date_upd": self.shop.stamp(self.moment(row_id) + 1800), "conversion_rate": "1.000000"}
        row |= {"round_mode": "2", "round_type": "2", "carrier_tax_rate": "20.000", "invoice_number": str(row_id)}
        paid = {"total_paid": gross + 600, "total_paid_tax_incl": gross + 600, "total_paid_real": gross + 600}
        paid |= {"total_paid_tax_excl": net + 500, "total_products": net, "total_products_wt": gross}
        paid |= {"total_shipping": 600, "total_shipping_tax_incl": 600, "total_shipping_tax_excl": 500}
        return row | {name: _money(amount) for name, amount in paid.items()}

    def line(self, row_id: int) -> Row:
        id_order, place = (row_id - 1) // LINES + 1, (row_id - 1) % LINES
        id_product, size, count = goods = self.goods(id_order)[place]
        net, gross = self.prices(goods)
        product = self.product(id_product)
        reference = self.combination(size)["reference"] if size else product["reference"]
        row: Row = {"id_order": str(id_order), "product_id": str(id_product), "product_attribute_id": str(size)}
        row |= {"product_name": product["name"][1], "product_quantity": str(count), "product_reference": reference}
        row |= {"product_quantity_in_stock": str(count), "product_ean13": product["ean13"], "id_shop": "1"}
        amounts = {"product_price": net, "unit_price_tax_excl": net, "unit_price_tax_incl": gross}
        amounts |= {"total_price_tax_excl": net * count, "total_price_tax_incl": gross * count}
        row |= {name: _money(amount) for name, amount in amounts.items()}
        return row | {
            "id_order_invoice": str(id_order),
            "id_tax_rules_group": "1",
            ASSOCIATIONS: {"taxes": [{"id": "1"}]},
        }

    def lines_of(self, text: str) -> Iterable[int]:
        return range(int(text) * LINES - LINES + 1, int(text) * LINES + 1) if text.isdigit() else ()

    def history(self, row_id: int) -> Row:
        id_order, place = (row_id + 1) // 2, (row_id + 1) % 2
        when = self.shop.stamp(self.moment(id_order) + (1800 if place else 0))
        return {"id_order": str(id_order), "id_order_state": self.state(id_order) if place else "2", "date_add": when}

    def histories_of(self, text: str) -> Iterable[int]:
        return (int(text) * 2 - 1, int(text) * 2) if text.isdigit() else ()

    def parcel(self, row_id: int) -> Row:
        row: Row = {"id_order": str(row_id), "id_carrier": "2", "weight": "0.500000", "id_order_invoice": str(row_id)}
        row |= {"shipping_cost_tax_excl": "5.000000", "shipping_cost_tax_incl": "6.000000"}
        return row | {"date_add": self.shop.stamp(self.moment(row_id))}

    def payment(self, row_id: int) -> Row:
        order = self.order(row_id)
        row: Row = {"order_reference": order["reference"], "amount": order["total_paid"], "id_currency": "1"}
        return row | {"conversion_rate": "1.000000", "payment_method": "Bank wire", "date_add": order["date_add"]}

    def invoice(self, row_id: int) -> Row:
        order = self.order(row_id)
        kept = ("total_paid_tax_excl", "total_paid_tax_incl", "total_products", "total_products_wt")
        row: Row = {name: order[name] for name in kept}
        return row | {"id_order": str(row_id), "number": str(row_id), "date_add": order["date_add"]}


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}0000"
