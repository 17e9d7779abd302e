"""Answers to POST, PUT, PATCH and DELETE (WEBSERVICE §3). Imports the sandbox only."""

import re
from typing import Any

from lxml import etree

from prestaconsole.sandbox import effects, storefronts, values
from prestaconsole.sandbox.behaviour import positions
from prestaconsole.sandbox.checking import check
from prestaconsole.sandbox.context import Context
from prestaconsole.sandbox.output import HEAD, TAIL, Entity, JsonWriter, XmlWriter, dumps, single_json
from prestaconsole.sandbox.query import number
from prestaconsole.sandbox.refusal import Refusal
from prestaconsole.sandbox.schema import Field, Resource
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row
from prestaconsole.sandbox.versions import Version

_PATH = "/var/www/prestashop/classes/webservice/WebserviceRequest.php"
# Associations PrestaShop reads but has no way to set: what is sent for them is ignored.
_NO_SETTER = {
    ("products", "images"),
    ("products", "stock_availables"),
    ("products", "product_option_values"),
    ("orders", "order_rows"),
    ("order_details", "taxes"),
    ("categories", "products"),
    ("categories", "categories"),
}


def save(context: Context, resource: Resource, body: bytes) -> tuple[int, str]:
    """Carry out a POST, PUT or PATCH; the status and the echo of what was sent (F54).

    Entities are saved one by one; the first that fails ends it and the earlier ones stay (F40).
    """
    elements = [child for child in _parse(context, body) if isinstance(child.tag, str)]
    ids = [int(number(text)) for element in elements if (text := _text(element, "id"))]
    if context.method == "POST":
        if ids:
            raise Refusal(400, (91, "id is forbidden when adding a new resource"))
    elif len(set(ids)) != len(ids):
        raise Refusal(400, (89, "id is duplicate in request"))
    elif len(ids) != len(elements):
        raise Refusal(400, (90, "id is required when modifying a resource"))
    echoes = [_save_one(context, resource, element) for element in elements]
    return 201 if context.method == "POST" else 200, _echo(context, resource, echoes)


def delete(context: Context, resource: Resource, segments: list[str]) -> None:
    """Carry out a DELETE of one id or of `?id=[1,2]`: unknown ids stop all of it (F61)."""
    table = context.shop.tables[resource.name]
    listed = re.fullmatch(r"\[(.*)\]", context.params.get("id", ""))
    notices: list[tuple[int | None, str]] = []
    if listed:
        ids = [int(number(part)) for part in listed[1].split(",")]
    elif len(segments) > 1 and segments[1] != "":
        ids = [int(number(segments[1]))]
    else:
        ids = [0]
        if len(segments) < 2 and context.shop.version.delete_notice:
            notices = [context.shop.version.delete_notice]
    unknown = [str(row_id) for row_id in ids if row_id not in table]
    if unknown:
        raise Refusal(404, *notices, (87, f"Id(s) not exists: {', '.join(unknown)}"))
    for row_id in dict.fromkeys(ids):
        effects.deleted(context, resource, row_id)
        context.shop.writes += 1


def _parse(context: Context, body: bytes) -> etree._Element:
    if body.startswith(b"xml="):
        body = body[4:]
    parser = etree.XMLParser(resolve_entities=False, huge_tree=True, no_network=True)
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        text = body.decode("utf-8", "replace")
        errors: list[tuple[int | None, str]] = []
        if body and context.shop.version.php_tells:
            errors = _php_messages(context.shop.version, text, error)
        message = f"XML error : String could not be parsed as XML\nXML length : {len(body)}\nOriginal XML : {text}"
        raise Refusal(500, *errors, (127, message)) from None


def _php_messages(version: Version, text: str, error: etree.XMLSyntaxError) -> list[tuple[int | None, str]]:
    head = "[PHP Warning #2] SimpleXMLElement::__construct(): "
    tail = f" ({_PATH}, line {version.xml_line})"
    lines = text.split("\n")
    at, column = error.position
    source = lines[at - 1] if 0 < at <= len(lines) else ""
    detail = re.sub(r", line \d+, column \d+.*$", "", error.msg or "")
    if detail.startswith("Premature end of data") and not version.modern_php:
        detail = "EndTag: '</' not found"
    told = [f"Entity: line {at}: parser error : {detail}", source[:80], f"{' ' * max(column - 1, 0)}^"]
    return [(3, f"{head}{part}{tail}") for part in told]


def _save_one(context: Context, resource: Resource, element: etree._Element) -> Entity:
    table = context.shop.tables[resource.name]
    old: Row | None = None
    if context.method != "POST":
        old = table.get(int(number(_text(element, "id") or "")))
        if old is None:
            raise Refusal(404, (92, "Invalid ID"))
        old = {**storefronts.shown(context.shop, resource.name, old, context.seen), **_links(old)}
    sent = _sent(context, resource, element, old)
    effects.complete(context, resource, sent, old)
    check(context.shop.version, resource, sent)
    saved = effects.save(context, resource, sent, old, _stored(context, resource, sent, old))
    position = _text(element, "position_in_category") if resource.name == "products" else None
    if position is not None:
        positions.move(context.shop, saved, int(number(position)))
    context.shop.writes += 1
    _associate(context, resource, element, saved)
    links = saved.get(ASSOCIATIONS, {})
    shown = {**{field.name: "" for field in resource.fields}, **sent, "id": saved["id"]}
    return effects.echo(context, resource, shown, links, saved)


def _links(row: Row) -> Row:
    return {ASSOCIATIONS: row[ASSOCIATIONS]} if ASSOCIATIONS in row else {}


def _text(element: etree._Element, name: str) -> str | None:
    child = element.find(name)
    return None if child is None else "".join(str(part) for part in child.itertext())


def _sent(context: Context, resource: Resource, element: etree._Element, old: Row | None) -> Row:
    """The texts of the request by field; for PATCH the stored ones where nothing was sent."""
    patch = context.method == "PATCH"
    table = context.shop.tables[resource.name]
    sent: Row = {"id": "" if old is None else _text(element, "id") or ""}
    for field in resource.fields:
        if field.name == "id":
            continue
        text = _text(element, field.name)
        if field.lang:
            sent[field.name] = _languages(field, element, old, text, patch=patch)
        elif text is not None:
            if field.readonly is True:
                message = f'parameter "{field.name}" not writable. Please remove this attribute of this XML'
                raise Refusal(400, (93, message))
            if field.name == "position_in_category":
                positions.check(context.shop, sent.get("id_category_default"), text)
            sent[field.name] = text
        elif patch and old is not None:
            sent[field.name] = table.value(old, field.name)
        elif field.required:
            raise Refusal(400, (41, f'parameter "{field.name}" required'))
        else:
            sent[field.name] = None
    return sent


def _languages(
    field: Field, element: etree._Element, old: Row | None, text: str | None, *, patch: bool
) -> dict[int, str] | str:
    """The texts by language, or one text where the request named no language (it then stands for all)."""
    kept: dict[int, str] = dict((old or {}).get(field.name) or {})
    node = element.find(field.name)
    if node is None:
        return kept if patch else ""
    listed = node.findall("language")
    if not listed:
        return text or ""
    given = {int(number(part.get("id") or "0")): "".join(map(str, part.itertext())) for part in listed}
    # A required text keeps the languages that were not sent, any other is blanked in them (§3.3).
    return {**kept, **given} if field.required else given


def _stored(context: Context, resource: Resource, sent: Row, old: Row | None) -> Row:
    row: Row = {}
    for field in resource.fields:
        value = sent.get(field.name)
        if field.lang:
            texts = dict.fromkeys(context.shop.languages(), value) if isinstance(value, str) else value
            row[field.name] = texts
        elif not field.getter:
            row[field.name] = values.kept(field, value)
        elif old is not None and field.name in old:
            row[field.name] = old[field.name]
    if old is not None and ASSOCIATIONS in old:
        row[ASSOCIATIONS] = old[ASSOCIATIONS]
    return row


def _associate(context: Context, resource: Resource, element: etree._Element, saved: Row) -> None:
    node = element.find("associations")
    if node is None:
        return
    for sent in node:
        name = str(sent.tag)
        known = resource.links.get(name)
        if known is None:
            if name == "i18n":
                continue
            raise Refusal(400, (86, f'The association "{name}" does not exists'))
        if (resource.name, name) in _NO_SETTER:
            continue
        fields = {sub.name for sub in known.fields}
        rows = [
            {str(part.tag): part.text or "" for part in row if str(part.tag) in fields}
            for row in sent
            if isinstance(row.tag, str)
        ]
        saved.setdefault(ASSOCIATIONS, {})[name] = rows
        effects.associated(context, resource, saved, name, rows)


def _echo(context: Context, resource: Resource, echoes: list[Entity]) -> str:
    style = context.style
    if not style.json:
        writer = XmlWriter(resource, style, None, echo=True)
        return f"{HEAD}{''.join(writer.entity(entity) for entity in echoes)}{TAIL}"
    writer_json = JsonWriter(resource, style, None)
    members: list[dict[str, Any]] = [writer_json.entity(entity, stored=False) for entity in echoes]
    if len(members) == 1:
        return single_json(resource.node, members[0], context.shop.version)
    return dumps({resource.list_node: members})
