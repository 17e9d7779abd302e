"""What every freshly installed shop has: states, carriers, taxes, configurations. Imports the sandbox only."""

from typing import TYPE_CHECKING

from prestaconsole.sandbox import image_types, names
from prestaconsole.sandbox.behaviour.products import fitting, rewrite
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

# name, template, flags: i invoice, l logable, d delivery, s shipped, p paid, m mail (WEBSERVICE §7.6)
_STATES = {
    1: ("Awaiting check payment", "cheque", "m"),
    2: ("Payment accepted", "payment", "ilpm"),
    3: ("Processing in progress", "preparation", "ildpm"),
    4: ("Shipped", "shipped", "ildspm"),
    5: ("Delivered", "", "ildsp"),
    6: ("Canceled", "order_canceled", "m"),
    7: ("Refunded", "refund", "im"),
    8: ("Payment error", "payment_error", "m"),
    9: ("On backorder (paid)", "outofstock", "ipm"),
    10: ("Awaiting bank wire payment", "bankwire", "m"),
}
_REMOTE = ("Remote payment accepted", "payment", "ilpm")
_UNPAID = ("On backorder (not paid)", "outofstock", "m")
_DELIVERY = ("Awaiting Cash On Delivery validation", "cashondelivery", "")
_FLAGS = {"i": "invoice", "l": "logable", "d": "delivery", "s": "shipped", "p": "paid", "m": "send_email"}
_COUNTRIES = {"DE": 1, "BE": 3, "ES": 6, "FR": 8, "IT": 10, "PL": 14, "PT": 15, "SE": 18, "GB": 17, "US": 21}
_CURRENCIES = {"EUR": ("Euro", "€", "978"), "PLN": ("Polish Złoty", "zł", "985"), "GBP": ("British Pound", "£", "826")}
_CURRENCIES |= {"SEK": ("Swedish Krona", "kr", "752"), "USD": ("US Dollar", "$", "840")}


def install(shop: "SimulatedShop", *, currency: str, domain: str, moment: str) -> None:
    """Fill the tables of an empty shop with what an installer and its merchant's first hour leave there."""
    _organisation(shop, domain)
    _money(shop, currency)
    _countries(shop)
    _states(shop)
    _carriers(shop)
    _catalogue(shop, moment)
    _configurations(shop, currency, moment)
    image_types.install(shop)


def put(shop: "SimulatedShop", resource: str, row: Row, row_id: int | None = None) -> int:
    """Keep a row in a table, without the fields this version does not have; returns its id."""
    if resource not in shop.tables:
        return 0
    table = shop.tables[resource]
    return table.insert(fitting(table, row), row_id)


def both(english: str, french: str | None = None) -> dict[int, str]:
    """A text in the two languages of a made-up shop."""
    return {1: english, 2: english if french is None else french}


def _organisation(shop: "SimulatedShop", domain: str) -> None:
    put(shop, "shop_groups", {"name": "Default", "active": "1", "deleted": "0"})
    facts: Row = {"id_shop_group": "1", "id_category": "2", "name": shop.name, "active": "1", "theme_name": "classic"}
    put(shop, "shops", facts)
    urls: Row = {"id_shop": "1", "domain": domain, "domain_ssl": domain, "physical_uri": "/", "main": "1"}
    put(shop, "shop_urls", urls | {"active": "1"})
    english: Row = {"name": "English (English)", "iso_code": "en", "language_code": "en-us", "locale": "en-US"}
    french: Row = {"name": "Français (French)", "iso_code": "fr", "language_code": "fr", "locale": "fr-FR"}
    formats: Row = {"active": "1", "date_format_lite": "d/m/Y", "date_format_full": "d/m/Y H:i:s"}
    put(shop, "languages", english | formats)
    put(shop, "languages", french | formats)
    for name in ("Visitor", "Guest", "Customer"):
        put(shop, "groups", {"name": both(name), "reduction": "0.00", "show_prices": "1"})


def _money(shop: "SimulatedShop", currency: str) -> None:
    for iso in dict.fromkeys((currency, "EUR")):
        name, symbol, code = _CURRENCIES.get(iso, (iso, iso, "000"))
        row: Row = {"names": both(name), "name": name, "symbol": both(symbol), "iso_code": iso, "sign": symbol}
        row |= {"numeric_iso_code": code, "iso_code_num": code, "precision": "2", "decimals": "1", "active": "1"}
        put(shop, "currencies", row | {"conversion_rate": "1.000000"})
    put(shop, "taxes", {"rate": "20.000", "active": "1", "name": both("VAT 20%", "TVA 20%")})
    put(shop, "taxes", {"rate": "5.500", "active": "1", "name": both("VAT 5.5%", "TVA 5,5%")})
    put(shop, "tax_rule_groups", {"name": "Standard rate (20%)", "active": "1"})
    put(shop, "tax_rule_groups", {"name": "Reduced rate (5.5%)", "active": "1"})


def _countries(shop: "SimulatedShop") -> None:
    put(shop, "zones", {"name": "Europe", "active": "1"})
    put(shop, "zones", {"name": "North America", "active": "1"})
    for iso, number in sorted(_COUNTRIES.items(), key=lambda entry: entry[1]):
        zone = "2" if iso == "US" else "1"
        row: Row = {"id_zone": zone, "iso_code": iso, "active": "1", "name": both(iso), "need_zip_code": "1"}
        put(shop, "countries", row, number)
        if iso == "US":
            continue
        for group in ("1", "2"):
            rule: Row = {"id_tax_rules_group": group, "id_country": str(number), "id_tax": group}
            put(shop, "tax_rules", rule)


def _states(shop: "SimulatedShop") -> None:
    states = dict(_STATES)
    if shop.version.generation <= (1, 6):
        states |= {11: ("Awaiting PayPal payment", "", ""), 12: _REMOTE, 13: _UNPAID, 14: _DELIVERY}
    else:
        states |= {11: _REMOTE, 12: _UNPAID, 13: _DELIVERY}
    suffix = "" if shop.version.generation <= (1, 6) else "ps_"
    modules = {1: f"{suffix}checkpayment" if suffix else "cheque", 10: "ps_wirepayment" if suffix else "bankwire"}
    for number, (name, template, flags) in states.items():
        row: Row = {_FLAGS[flag]: "1" for flag in flags}
        row |= {"unremovable": "1", "color": "#3498D8", "name": both(name), "template": both(template)}
        put(shop, "order_states", row | {"module_name": modules.get(number, "")}, number)


def _carriers(shop: "SimulatedShop") -> None:
    listed = (
        ("Click and collect", "1", "", "Pick up in-store"),
        ("My carrier", "0", "https://parcels.example/follow/@", "Delivery next day!"),
        ("Colis Privé & Fils", "0", "https://colis.example/suivi?n=@", "2-3 jours"),
    )
    for number, (name, free, url, delay) in enumerate(listed, 1):
        row: Row = {"name": name, "is_free": free, "url": url, "delay": both(delay), "active": "1"}
        row |= {"id_reference": str(number), "position": str(number - 1), "id_tax_rules_group": "1"}
        put(shop, "carriers", row, number)


def _catalogue(shop: "SimulatedShop", moment: str) -> None:
    stamps = {"date_add": moment, "date_upd": moment, "active": "1"}
    for number, (name, parent) in enumerate((("Root", "0"), ("Home", "1"), ("Décor & Maison", "2"), ("Art", "2")), 1):
        row: Row = {"id_parent": parent, "name": both(name), "link_rewrite": both(rewrite(name)), **stamps}
        row |= {"level_depth": "0" if number == 1 else "1" if number == 2 else "2", "id_shop_default": "1"}
        put(shop, "categories", row | {"nb_products_recursive": "0"}, number)
    for name in names.MANUFACTURERS:
        put(shop, "manufacturers", {"name": name, "link_rewrite": rewrite(name), **stamps})
    put(shop, "suppliers", {"name": "Grossiste Général", "link_rewrite": "grossiste-general", **stamps})
    put(
        shop,
        "product_options",
        {"group_type": "select", "name": both("Size", "Taille"), "public_name": both("Size", "Taille")},
    )
    colour: Row = {"is_color_group": "1", "group_type": "color", "position": "1"}
    put(shop, "product_options", colour | {"name": both("Color", "Couleur"), "public_name": both("Color", "Couleur")})
    for position, size in enumerate(names.SIZES):
        put(shop, "product_option_values", {"id_attribute_group": "1", "position": str(position), "name": both(size)})
    for position, (english, french, code) in enumerate(names.COLOURS):
        value: Row = {"id_attribute_group": "2", "color": code, "position": str(position)}
        put(shop, "product_option_values", value | {"name": both(english, french)})
    for number in (1, 2):
        options = shop.tables["product_option_values"].find("id_attribute_group", number)
        group = shop.tables["product_options"].get(number)
        if group is not None:
            group[ASSOCIATIONS] = {"product_option_values": [{"id": str(option)} for option in options]}


def _configurations(shop: "SimulatedShop", currency: str, moment: str) -> None:
    remote = shop.version.remote_payment_state
    unpaid, delivery = ("13", "14") if remote == "12" else ("12", "13")
    facts = {
        "PS_LANG_DEFAULT": "1",
        "PS_VERSION_DB": shop.version.number,
        "PS_INSTALL_VERSION": shop.version.number,
        "PS_CURRENCY_DEFAULT": "1",
        "PS_COUNTRY_DEFAULT": "8",
        "PS_TIMEZONE": shop.zone.key,
        "PS_SHOP_NAME": shop.name,
        "PS_SHOP_ENABLE": "1",
        "PS_WEBSERVICE": "1",
        "PS_STOCK_MANAGEMENT": "1",
        "PS_ORDER_OUT_OF_STOCK": "0",
        "PS_ADVANCED_STOCK_MANAGEMENT": "0",
        "PS_MULTISHOP_FEATURE_ACTIVE": "0",
        "PS_WEIGHT_UNIT": "kg",
        "PS_ROOT_CATEGORY": "1",
        "PS_HOME_CATEGORY": "2",
        "PS_CARRIER_DEFAULT": "2",
        "PS_OS_CHEQUE": "1",
        "PS_OS_PAYMENT": "2",
        "PS_OS_PREPARATION": "3",
        "PS_OS_SHIPPING": "4",
        "PS_OS_DELIVERED": "5",
        "PS_OS_CANCELED": "6",
        "PS_OS_REFUND": "7",
        "PS_OS_ERROR": "8",
        "PS_OS_OUTOFSTOCK": "9",
        "PS_OS_OUTOFSTOCK_PAID": "9",
        "PS_OS_OUTOFSTOCK_UNPAID": unpaid,
        "PS_OS_BANKWIRE": "10",
        "PS_OS_WS_PAYMENT": remote,
        "PS_OS_COD_VALIDATION": delivery,
    }
    for name, value in facts.items():
        put(shop, "configurations", {"name": name, "value": value, "date_add": moment, "date_upd": moment})
