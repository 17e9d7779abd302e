"""Whether the shop understands our questions, and what its stock, products and orders look like. Imports the reads."""

from collections import Counter

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.doctor.finding import Probe, Visit, failed, fix, ok, warn
from prestaconsole.webservice.menus import PRODUCTS
from prestaconsole.webservice.paging import Page
from prestaconsole.webservice.query import Query, equals, greater, one_of

_SLOW_SECONDS = 3.0
_SAMPLE_ROWS = 100
_SKU_SAMPLE = 1000
_STOCK = ("id", "id_product", "id_product_attribute", "id_shop", "id_shop_group", "quantity", "depends_on_stock")
_LOOK = "Look at these records in the shop and save them again."


async def examine(visit: Visit) -> list[Probe]:
    """Samples of stock, products and orders, and the grammar that the feeds rely on."""
    found: list[Probe] = []
    for probe in (_stock, _held, _products, _orders, _grammar, _dates, _long_address, _fields, _json):
        try:
            found += await probe(visit)
        except e.WebserviceError as error:
            found.append(failed(_NAMES[probe.__name__], error))
    return found


_NAMES = {
    "_stock": "Speed",
    "_held": "Held stock",
    "_products": "Products",
    "_orders": "Orders",
    "_grammar": "Filters",
    "_dates": "Dates",
    "_long_address": "Long addresses",
    "_fields": "Field lists",
    "_json": "JSON",
}


def _sampled(name: str, page: Page, text: str) -> Probe:
    """A sample that was read: damaged records and slowness are told."""
    if page.damaged:
        ids = ", ".join(str(damage.id) for damage in page.damaged[:5])
        return warn(name, f"{text}; records {ids} are damaged", _LOOK, page.damaged[0].evidence)
    if page.warning:
        return fix(name, f"{text}; PHP text stands before the XML", e.PhpMessage.default_remedy, page.warning)
    if page.seconds > _SLOW_SECONDS:
        return warn(name, text, "Pages are made smaller; ask the hoster why the database is slow.")
    return ok(name, text)


async def _stock(visit: Visit) -> list[Probe]:
    if not visit.may_read("stock_availables"):
        return []
    page = await visit.client.page(Query("stock_availables", _STOCK, limit=_SAMPLE_ROWS, id_shop=visit.id_shop))
    found = [_sampled("Speed", page, f"{page.length} stock rows in {page.seconds:.2f} s")]
    lost = [row.id for row in page.entities if not row.integer("id_shop") and not row.integer("id_shop_group")]
    if lost:
        remedy = "These rows were written without their shop columns: restore id_shop and id_shop_group (R1)."
        ids = ", ".join(map(str, lost[:5]))
        found.append(fix("Lost stock rows", f"rows {ids} belong to no storefront", remedy))
    elif not page.length:
        found.append(warn("Lost stock rows", "the shop shows no stock at all", "Save a product in the shop once."))
    else:
        found.append(ok("Lost stock rows", "none in the sample"))
    return found


async def _held(visit: Visit) -> list[Probe]:
    if not visit.may_read("stock_availables"):
        return []
    query = Query("stock_availables", ("id", "id_product"), {"depends_on_stock": equals(1)}, limit=_SAMPLE_ROWS)
    rows = (await visit.client.page(query)).entities
    products = sorted({row.integer("id_product") for row in rows})
    if products:
        listed = ", ".join(map(str, products[:6])) + (" …" if len(products) > 6 else "")
        remedy = f"In {PRODUCTS} switch advanced stock management off for them; until then they are left out."
        return [warn("Held stock", f"products {listed} follow advanced stock management", remedy)]
    return [ok("Held stock", "no product follows advanced stock management")]


async def _products(visit: Visit) -> list[Probe]:
    if not visit.may_read("products"):
        return []
    query = Query("products", ("id", "reference", "active"), limit=_SKU_SAMPLE, id_shop=visit.id_shop)
    page = await visit.client.page(query)
    found = [_sampled("Products", page, f"{page.length} read in {page.seconds:.2f} s")]
    counts = Counter(row.text("reference").strip() for row in page.entities)
    none = counts.pop("", 0)
    twice = [sku for sku, count in counts.items() if count > 1]
    if none or twice:
        text = f"{none} of {page.length} products without one" + (f", twice: {', '.join(twice[:5])}" if twice else "")
        remedy = "They get a product of their own until a person links them; give each its own reference in the shop."
        # products with combinations carry their SKUs there, so an empty one is no fault in itself
        found.append(warn("SKUs", text, remedy) if twice else ok("SKUs", text))
    else:
        found.append(ok("SKUs", f"{page.length} products, each with its own"))
    return found


async def _orders(visit: Visit) -> list[Probe]:
    if not visit.may_read("orders"):
        return []
    several = sum(front.active for front in visit.shop.storefronts) > 1
    where = "all" if several and visit.generation >= (8, 0) else visit.id_shop
    page = await visit.client.page(
        Query("orders", ("id", "reference", "current_state"), sort="-id", limit=5, id_shop=where)
    )
    found = [_sampled("Orders", page, f"newest is {page.last_id}" if page.length else "none yet")]
    if page.length and visit.may_read("order_details"):
        ids = one_of([order.id for order in page.entities] or [page.last_id])
        lines = await visit.client.page(Query("order_details", ("id", "id_order"), {"id_order": ids}, limit=500))
        found.append(_sampled("Order lines", lines, f"{lines.length} of the newest {page.length} orders"))
    return found


async def _grammar(visit: Visit) -> list[Probe]:
    """A filter that is ignored gives the whole table, a sort that is ignored skips rows."""
    resource = next((name for name in ("stock_availables", "languages") if visit.may_read(name)), "")
    if not resource:
        return []
    first = await visit.client.page(Query(resource, ("id",), limit=2))
    if not first.length:
        return []
    after = await visit.client.page(Query(resource, ("id",), {"id": greater(first.first_id)}, limit=1))
    if after.length and after.first_id <= first.first_id:
        remedy = "An override or a firewall drops the filters: show the evidence to the shop's developer."
        return [fix("Filters", "the shop ignores them, so pages cannot be told apart", remedy)]
    down = await visit.client.page(Query(resource, ("id",), sort="-id", limit=2))
    ids = [entity.id for entity in down.entities]
    if ids != sorted(ids, reverse=True):
        return [fix("Filters", "the shop does not sort", "An override is at fault: show this to the shop's developer.")]
    return [ok("Filters", "filters, sorting and limits are understood")]


async def _dates(visit: Visit) -> list[Probe]:
    if not visit.may_read("orders"):
        return []
    query = Query("orders", ("id",), {"date_upd": greater("2100-01-01 00:00:00")}, limit=1, date=True)
    if (await visit.client.page(query)).length:
        remedy = "Changed orders cannot be asked for: look for an override of the webservice in the shop."
        return [fix("Dates", "the shop ignores the filter on dates", remedy)]
    return [ok("Dates", "filters on dates are understood")]


async def _long_address(visit: Visit) -> list[Probe]:
    """Batches ask for many ids in one address of up to 4 kB (F19)."""
    if not visit.may_read("languages"):
        return []
    many = one_of(range(1_000_000, 1_000_380))
    try:
        await visit.client.page(Query("languages", ("id",), {"id": many}, limit=1))
    except (e.UrlTooLong, e.BlockedByHost) as error:
        remedy = "Ask the hoster to allow addresses of 8 kB on /api; records are asked for one by one until then."
        return [fix("Long addresses", "an address of 4 kB is refused", remedy, error.evidence)]
    return [ok("Long addresses", "4 kB are taken")]


async def _fields(visit: Visit) -> list[Probe]:
    resource = next((name for name in ("stock_availables", "products") if visit.may_read(name)), "")
    if not resource:
        return []
    try:
        known = await visit.client.synopsis(resource)
    except e.WebserviceError as error:
        remedy = "Not needed for stock and orders; what is known of this version is used instead."
        return [warn("Field lists", f"schema=synopsis fails ({error.cause.rstrip('.')})", remedy, error.evidence)]
    lacking = [name for name in _STOCK if name not in known and name != "id"] if resource == "stock_availables" else []
    if lacking:
        remedy = "An override hides fields that stock needs: show this to the shop's developer."
        return [fix("Field lists", f"stock_availables lack {', '.join(lacking)}", remedy)]
    return [ok("Field lists", f"{len(known)} fields of {resource} known")]


async def _json(visit: Visit) -> list[Probe]:
    """JSON is needed for the repair of damaged pages only, so its absence is worth a line and no more."""
    if not visit.may_read("languages"):
        return []
    try:
        await visit.client.json_list(Query("languages", ("id",), limit=1, json=True))
    except e.WebserviceError:
        return [ok("JSON", "not there and not needed: damaged pages are read in halves")]
    return [ok("JSON", "there, used to repair damaged pages only")]
