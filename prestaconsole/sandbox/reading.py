"""Answers to GET and HEAD: the root, schemas, lists, entities (WEBSERVICE §2.3, §4). Imports the sandbox only."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prestaconsole.sandbox import query as grammar
from prestaconsole.sandbox import storefronts
from prestaconsole.sandbox.behaviour import Contexts, order_parts, prices, products
from prestaconsole.sandbox.context import Context
from prestaconsole.sandbox.output import (
    HEAD,
    TAIL,
    Entity,
    JsonWriter,
    Names,
    XmlWriter,
    dumps,
    minimum,
    single_json,
)
from prestaconsole.sandbox.refusal import PlainAnswer, Refusal, fatal
from prestaconsole.sandbox.schema import Resource
from prestaconsole.sandbox.schema_output import schema_json, schema_xml
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

_SCHEMA_TEXT = (
    "Please select a schema of type 'synopsis' to get the whole schema informations (which fields are required, "
    "which kind of content...) or 'blank' to get an empty schema to fill before using POST request"
)
_COMPUTED: Mapping[tuple[str, str], Callable[["SimulatedShop", Row, Contexts], list[dict[str, str]]]] = {
    ("orders", "order_rows"): order_parts.rows_of,
    ("products", "combinations"): products.combinations_of,
    ("products", "stock_availables"): products.stock_of,
}


def root(context: Context) -> str:
    """The list of resources with what the key may do on each."""
    shop, base = context.shop, context.style.base
    granted = {name: context.key.granted(name) for name in shop.resources}
    listed = [name for name, methods in granted.items() if methods]
    if context.style.json:
        return _root_json(context, listed)
    methods = ["get", "put", "post", *(["patch"] if shop.version.patches else []), "delete", "head"]
    name = shop.configuration("PS_SHOP_NAME") or shop.name
    parts = [HEAD, f'<api shopName="{_attribute(name)}">\n']
    for resource in listed:
        entry = shop.resources[resource]
        rights = " ".join(
            f'{method}="{"true" if method.upper() in granted[resource] else "false"}"' for method in methods
        )
        opening = f'xlink:href="{base}{resource}" {rights}>\n'
        parts.append(f"<{resource} {opening}<description {opening}{entry.description}</description>\n")
        if entry.has_schema:
            parts += [
                f'<schema xlink:href="{base}{resource}?schema={kind}" type="{kind}"/>\n'
                for kind in ("blank", "synopsis")
            ]
        parts.append(f"</{resource}>\n")
    return "".join([*parts, "</api>\n", TAIL])


def _root_json(context: Context, listed: list[str]) -> str:
    version = context.shop.version
    if version.modern_php:
        raise fatal()
    if not version.drops_falsy_json:
        return dumps(listed)
    warning = (
        "[PHP Warning #2] array_filter() expects parameter 1 to be array, string given "
        "(/var/www/prestashop/classes/webservice/WebserviceOutputJSON.php, line 168)"
    )
    members: dict[str, Any] = {str(number): None for number in range(len(listed))}
    members["errors"] = [{"code": 3, "message": warning}] * len(listed)
    raise PlainAnswer(500, dumps(members), [("content-type", "application/json")], webservice=True)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def read(context: Context, resource: Resource, segments: list[str]) -> str:
    """The answer to a GET below a resource. Raises Refusal, or PlainAnswer for an empty 404 or a fatal error."""
    single = segments[1] if len(segments) > 1 else ""
    if "schema" in context.params:
        return _schema(context, resource)
    if single != "":
        return _single(context, resource, int(grammar.number(single)))
    return _list(context, resource)


def _schema(context: Context, resource: Resource) -> str:
    kind = context.params["schema"]
    if kind not in ("blank", "synopsis"):
        raise Refusal(400, (28, _SCHEMA_TEXT), bad_query=True)
    if context.style.json:
        return schema_json(resource, context.style, kind)
    return schema_xml(resource, context.style, kind)


def _single(context: Context, resource: Resource, row_id: int) -> str:
    table = context.shop.tables[resource.name]
    row = table.get(row_id)
    if row is None:
        raise PlainAnswer(404, webservice=True)
    if resource.name == "stock_availables" and not context.owns(row):
        raise Refusal(404, (131, f"This StockAvailable ({row_id}) does not exists on this shop"))
    if not storefronts.reachable(context.shop, resource.name, row_id, context.seen):
        raise Refusal(404, (131, f"This {resource.class_name} ({row_id}) does not exists on this shop"))
    grammar.check_display(resource, context.params)
    display = context.params.get("display")
    names = names_of(display)
    if names is not None and not context.shop.version.single_display:
        if context.style.json:
            return dumps({resource.node: {}})
        address = f"{context.style.base}{resource.name}/{row_id}"
        return f'{HEAD}<{resource.node} id="{row_id}" xlink:href="{address}"/>\n{TAIL}'
    listed = entity(context, resource, row, names)
    if not context.style.json:
        writer = XmlWriter(resource, context.style, names)
        return f"{HEAD}{writer.entity(listed)}{TAIL}"
    members = JsonWriter(resource, context.style, names).entity(listed)
    if display is not None:
        return dumps({resource.list_node: [members]})
    return single_json(resource.node, members, context.shop.version)


def _list(context: Context, resource: Resource) -> str:
    shop = context.shop
    table = shop.tables[resource.name]
    query = grammar.parse(resource, context.params)
    query.by_primary_key = shop.version.modern_php
    query.by_category = shop.version.generation <= (1, 6)
    visible = None
    if context.filters_by_shop(resource.name):
        visible = lambda row: context.visible(resource.name, row)  # noqa: E731 - one name, two values
    try:
        ids = grammar.run(table, query, context.style.languages, visible)
    except grammar.SqlError:
        if shop.version.modern_php:
            raise fatal() from None
        ids = []
    display = context.params.get("display", "minimum")
    if context.style.json:
        return _list_json(context, resource, ids, display)
    if display == "minimum":
        return minimum(resource, ids, context.style.base)
    names = names_of(display)
    extra = price_aliases(context, names)
    writer = XmlWriter(resource, context.style, names, extra)
    parts = [HEAD, f"<{resource.list_node}>\n"]
    parts += [writer.entity(entity(context, resource, row, names, extra)) for row in table.rows(ids)]
    return "".join([*parts, f"</{resource.list_node}>\n", TAIL])


def _list_json(context: Context, resource: Resource, ids: Iterable[int], display: str) -> str:
    table = context.shop.tables[resource.name]
    if display == "minimum":
        rows: list[Any] = [{"id": row_id} for row_id in ids]
    else:
        names = names_of(display)
        extra = price_aliases(context, names)
        writer = JsonWriter(resource, context.style, names, extra)
        rows = [writer.entity(entity(context, resource, row, names, extra)) for row in table.rows(ids)]
    return dumps({resource.list_node: rows}) if rows else "[]"


def names_of(display: str | None) -> Names | None:
    """The names a display asks for; None for all."""
    if display is None or display in ("full", "minimum"):
        return None
    return grammar.split_display(display)


def entity(context: Context, resource: Resource, row: Row, names: Names | None, extra: Iterable[str] = ()) -> Entity:
    """A stored row as it is shown: blanks filled in, getters and associations worked out where they are asked."""
    shop = context.shop
    row = storefronts.shown(shop, resource.name, row, context.seen)
    values: dict[str, Any] = {**shop.tables[resource.name].blanks, **row}
    wanted = None if names is None else {name for name, _ in names}
    if resource.name == "products" and (wanted is None or "manufacturer_name" in wanted):
        values["manufacturer_name"] = products.manufacturer_name(shop, row, values.get("manufacturer_name", ""))
    if resource.name == "products":
        none = "0" if shop.version.generation >= (1, 7) else ""
        values["id_default_combination"] = values.get("id_default_combination") or none
        values["quantity"] = values.get("quantity") or "0"
    if resource.name == "orders" and (wanted is None or "shipping_number" in wanted):
        values["shipping_number"] = order_parts.tracking_number(shop, row["id"], values.get("shipping_number", ""))
    notice = shop.version.no_image_notice if shop.faults.on("php-messages") else None
    if notice and resource.name == "products" and (wanted is None or "id_default_image" in wanted):
        context.notices += [notice] if not values.get("id_default_image") else []
    for alias in extra:
        values[alias] = prices.computed(shop, values, price_options(context, alias))
    stored = row.get(ASSOCIATIONS, {})
    links = {
        entry.name: (
            computed(shop, row, context.seen)
            if (computed := _COMPUTED.get((resource.name, entry.name)))
            else stored.get(entry.name, ())
        )
        for entry in resource.associations
        if wanted is None or entry.name in wanted
    }
    return Entity(values, links)


def price_options(context: Context, alias: str) -> dict[str, str]:
    """What a request says of one computed price: `price[alias][use_tax]=1` and its like."""
    head = f"price[{alias}]["
    return {name[len(head) :].rstrip("]"): text for name, text in context.params.items() if name.startswith(head)}


def price_aliases(context: Context, names: Names | None) -> list[str]:
    """The computed prices a list asks for by `price[alias]…`."""
    asked = dict.fromkeys(name[6:].partition("]")[0] for name in context.params if name.startswith("price["))
    shown = None if names is None else {name for name, _ in names}
    return [alias for alias in asked if shown is None or alias in shown]
