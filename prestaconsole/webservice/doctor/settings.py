"""The shop's own settings, read from its configurations. Imports the reads."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.doctor.finding import Probe, Visit, failed, fix, ok, warn
from prestaconsole.webservice.menus import GENERAL, LOCALIZATION, PRODUCTS
from prestaconsole.webservice.query import Query, one_of

_NAMES = (
    *("PS_TIMEZONE", "PS_OS_CANCELED", "PS_OS_ERROR", "PS_OS_SHIPPING", "PS_STOCK_MANAGEMENT"),
    *("PS_ADVANCED_STOCK_MANAGEMENT", "PS_VERSION_DB", "PS_SHOP_ENABLE", "PS_SSL_ENABLED"),
    *("PS_SSL_ENABLED_EVERYWHERE", "PS_CURRENCY_DEFAULT", "PS_LANG_DEFAULT", "PS_ORDER_OUT_OF_STOCK"),
    *("PS_SEARCH_INDEXATION", "PS_MULTISHOP_FEATURE_ACTIVE", "PS_WEBSERVICE_CGI_HOST", "PS_PACK_STOCK_TYPE"),
)
_UNREADABLE = "Tick GET for configurations on the key: zone and the meaning of cancelled come from there."


async def examine(visit: Visit) -> list[Probe]:
    """The settings that decide how orders, stock and times are read."""
    if not visit.may_read("configurations"):
        return [warn("Settings", "configurations may not be read", _UNREADABLE)]
    fields = ("id", "name", "value", "id_shop", "id_shop_group")
    query = Query("configurations", fields, {"name": one_of(_NAMES)}, limit=500)
    try:
        page = await visit.client.page(query)
    except e.WebserviceError as error:
        return [failed("Settings", error)]
    # the row of the whole installation wins over a storefront's own
    rows = sorted(page.entities, key=lambda row: bool(row.integer("id_shop") or row.integer("id_shop_group")))
    for row in rows:
        visit.settings.setdefault(row.text("name"), row.text("value"))
    values = visit.settings
    return [
        ok("Settings", "configurations can be read"),
        zone(values.get("PS_TIMEZONE", "")),
        *_states(values),
        *_stock(values),
        _database(visit),
        _open(values),
        _encrypted(visit),
        _defaults(values),
        _search(values),
        _cgi(visit),
    ]


def zone(name: str) -> Probe:
    """The zone that every time of the shop is in (F22)."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        text = f"{name!r} is no zone that is known here" if name else "the shop names none"
        return fix("Zone", text, f"In {LOCALIZATION} choose a time zone of the list.")
    return ok("Zone", name)


def _states(values: dict[str, str]) -> list[Probe]:
    if not values.get("PS_OS_CANCELED") or not values.get("PS_OS_ERROR"):
        text = "which states cancel an order is not set"
        return [warn("Order states", text, "Confirm the suggested states in the mappings.")]
    return [ok("Order states", f"{values['PS_OS_CANCELED']} cancels, {values['PS_OS_ERROR']} is a payment error")]


def _stock(values: dict[str, str]) -> list[Probe]:
    found = []
    if values.get("PS_STOCK_MANAGEMENT") == "0":
        found.append(fix("Stock management", "switched off", f"In {PRODUCTS} switch stock management on."))
    else:
        found.append(ok("Stock management", "switched on"))
    if values.get("PS_ADVANCED_STOCK_MANAGEMENT") == "1":
        remedy = f"Products that follow it refuse stock from outside: in {PRODUCTS} switch it off, or leave them out."
        found.append(warn("Advanced stock management", "switched on", remedy))
    else:
        found.append(ok("Advanced stock management", "off"))
    orders = "taken" if values.get("PS_ORDER_OUT_OF_STOCK") == "1" else "refused"
    found.append(ok("Orders without stock", f"{orders} as the shop's default; a quantity may fall below zero"))
    return found


def _database(visit: Visit) -> Probe:
    stored, told = visit.settings.get("PS_VERSION_DB", ""), visit.shop.version
    if stored and told and stored != told:
        remedy = "An upgrade was not finished: run the upgrade of the database again before anything is written."
        return warn("Upgrade", f"files are {told}, the database is {stored}", remedy)
    return ok(
        "Upgrade", "files and database are of one version" if stored else "the database does not tell its version"
    )


def _open(values: dict[str, str]) -> Probe:
    if values.get("PS_SHOP_ENABLE") == "0":
        return ok("Maintenance", "the shop is closed to visitors; the webservice works all the same")
    return ok("Maintenance", "the shop is open")


def _encrypted(visit: Visit) -> Probe:
    plain = visit.shop.endpoint.base_url.startswith("http://")
    if plain and visit.settings.get("PS_SSL_ENABLED") == "1":
        better = visit.shop.endpoint.base_url.replace("http://", "https://", 1)
        return warn("Encryption", "the shop has SSL, our address does not use it", f"Store {better} as the address.")
    if plain:
        return ok("Encryption", f"none; SSL is off in the shop ({GENERAL})")
    return ok("Encryption", "https")


def _defaults(values: dict[str, str]) -> Probe:
    if not values.get("PS_CURRENCY_DEFAULT") or not values.get("PS_LANG_DEFAULT"):
        remedy = f"In {LOCALIZATION} choose a default language and currency."
        return warn("Defaults", "default language or currency is not set", remedy)
    return ok("Defaults", f"currency {values['PS_CURRENCY_DEFAULT']}, language {values['PS_LANG_DEFAULT']}")


def _search(values: dict[str, str]) -> Probe:
    if values.get("PS_SEARCH_INDEXATION") == "1":
        return ok("Search index", "renewed at each save of a product: writing many products is slow")
    return ok("Search index", "not renewed at each save")


def _cgi(visit: Visit) -> Probe:
    on = visit.settings.get("PS_WEBSERVICE_CGI_HOST") == "1"
    if visit.shop.endpoint.auth == "ws_key" and on:
        remedy = "The CGI mode is on, but the .htaccess was not written since: save the page of the webservice again."
        return warn("CGI mode", "on without effect", remedy)
    return ok("CGI mode", "on" if on else "off")
