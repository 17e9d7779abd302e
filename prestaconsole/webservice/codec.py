"""XML and JSON of the webservice to entities, and mappings to bodies. May import lxml and xmltodict.

Pages go through lxml with as little Python a row as possible; an answer is read whole or not at all.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import xmltodict
from lxml import etree

from prestaconsole.webservice.answers import number
from prestaconsole.webservice.entity import ASSOCIATIONS, Entity

_ILLEGAL = bytes(code for code in range(32) if code not in (9, 10, 13))
_NONCHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")
_STRAY_TEXT = etree.XPath("boolean(//text()[normalize-space() and ../*])")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_RETURN_SIGN = "\uf8ed"  # stands for a carriage return inside the parser; private use, in no shop's text
_RETURN = _RETURN_SIGN.encode()


class Unreadable(Exception):
    """A document cannot be read, or does not hold together; ``reason`` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse(document: bytes) -> etree._Element:
    """The root of a document; characters that XML forbids are taken out if they hinder (F34). Raises ``Unreadable``."""
    try:
        root = _strict(document)
    except etree.XMLSyntaxError as error:
        cleaned = without_illegal(document)
        if cleaned == document:
            raise Unreadable(_reason(error)) from None
        try:
            root = _strict(cleaned)
        except etree.XMLSyntaxError as second:
            raise Unreadable(_reason(second)) from None
    if root.tag != "prestashop" or root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("the root is not <prestashop>")
    return root


def without_illegal(document: bytes) -> bytes:
    """The document without a byte order mark and without control characters that XML 1.0 forbids."""
    cleaned = document.removeprefix(_BYTE_ORDER_MARK).translate(None, _ILLEGAL)
    for nonsense in _NONCHARACTERS:
        cleaned = cleaned.replace(nonsense, b"")
    return cleaned


def read_list(
    document: bytes,
    wanted: frozenset[str] = frozenset(),
    associations: frozenset[str] = frozenset(),
    *,
    trusted: bool = False,
) -> list[Entity]:
    """The entities of a list answer. Raises ``Unreadable`` unless every one is whole and has what was wanted.

    ``trusted`` (the check sum fits) spares the search for stray text and unlike records.
    """
    root = parse(document)
    if len(root) != 1:
        raise Unreadable("the answer is not one list")
    if not trusted and _STRAY_TEXT(root):
        raise Unreadable("text stands between the nodes")
    entities = [_entity(node) for node in root[0]]
    _check(entities, wanted, associations, alike=not trusted)
    return entities


def read_single(document: bytes) -> list[Entity]:
    """The entities directly under the root: one for a GET by id, several for a bulk write."""
    root = parse(document)
    if _STRAY_TEXT(root):
        raise Unreadable("text stands between the nodes")
    entities = [_entity(node) for node in root]
    if not entities:
        raise Unreadable("the answer holds no record")
    _check(entities, frozenset(), frozenset(), alike=False)
    return entities


def read_tree(document: bytes) -> dict[str, Any]:
    """A single answer as xmltodict shows it, attributes as ``@name``: the form that is merged and written back.

    Every blank of a text is kept, carriage returns too, which an XML parser would turn into line feeds.
    """
    root = parse(document.replace(b"\r", _RETURN))
    return {str(node.tag): _tree(node) for node in root}


def read_synopsis(document: bytes) -> dict[str, dict[str, str]]:
    """The fields of a resource with the marks of ``schema=synopsis``; see ``ShopClient.synopsis``."""
    # some 8.0 shops print <0> nodes for associations (WEBSERVICE §4.3): a forgiving parser steps over them
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, remove_comments=True)
    root = etree.fromstring(without_illegal(document), parser=parser)
    if root is None or root.tag != "prestashop" or not len(root):
        raise Unreadable("the answer holds no schema")
    found: dict[str, dict[str, str]] = {}
    for node in root[0]:
        marks = {str(name): str(value) for name, value in node.attrib.items()}
        if node.find("language") is not None:
            marks["languages"] = "true"
        if node.tag == ASSOCIATIONS:
            marks["names"] = ",".join(str(group.tag) for group in node)
        found[str(node.tag)] = marks
    return found


def read_declinations(document: bytes) -> list[int]:
    """The image ids of ``images/products/{id}``."""
    return [number(node.get("id")) for node in parse(document).iter("declination")]


def read_json_list(body: bytes, languages: Mapping[str, str] | None = None) -> list[Entity]:
    """The entities of a JSON list, texts as in XML. Used to repair a damaged page only (F30–F32).

    ``languages`` names the fields that have languages and the one id that a bare text stands for (F25).
    """
    try:
        found: Any = json.loads(body, strict=False, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        raise Unreadable("the JSON cannot be read either") from None
    if found == []:
        return []
    if not isinstance(found, dict) or len(found) != 1:
        raise Unreadable("the JSON is not one list")
    rows = next(iter(found.values()))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable("the JSON is not one list")
    return [_from_json(row, languages or {}) for row in rows]


def recover(document: bytes) -> list[Entity]:
    """What a forgiving parser makes of a broken document, every entity marked damaged. For reports only."""
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, remove_comments=True)
    root = etree.fromstring(without_illegal(document), parser=parser)
    if root is None:
        return []
    nodes = list(root)
    if len(nodes) == 1 and nodes[0].find("id") is None:
        nodes = list(nodes[0])
    found = []
    for node in nodes:
        try:
            found.append(Entity(_fields(node), damaged=True, id=number(node.findtext("id") or node.get("id"))))
        except Unreadable:
            found.append(Entity({}, damaged=True, id=number(node.findtext("id") or node.get("id"))))
    return found


def language_fields(document: bytes) -> dict[str, str]:
    """Fields with exactly one language in a document that may be broken, with that language's id."""
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
    root = etree.fromstring(without_illegal(document), parser=parser)
    if root is None:
        return {}
    found: dict[str, set[str]] = {}
    for node in root.iter("language"):
        parent = node.getparent()
        if parent is not None and node.get("id"):
            found.setdefault(str(parent.tag), set()).add(str(node.get("id")))
    return {name: ids.pop() for name, ids in found.items() if len(ids) == 1}


def body(node: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """An XML body ``<prestashop><node>…</node>…</prestashop>`` of one or several entities, values as given."""
    cleaned = [_sendable(row) for row in rows]
    if all(type(value) is str for row in cleaned for value in row.values()):
        return _flat_body(node, cleaned)
    document: str = xmltodict.unparse({"prestashop": {node: cleaned}}, encoding="utf-8")
    # a bare carriage return would arrive as a line feed
    return document.replace("\r", "&#13;").encode("utf-8")


def _flat_body(node: str, rows: Sequence[Mapping[str, str]]) -> bytes:
    """A body of plain fields, as stock is written by the hundred: lxml takes a tenth of xmltodict's time."""
    root = etree.Element("prestashop")
    for row in rows:
        entity = etree.SubElement(root, node)
        for name, text in row.items():
            etree.SubElement(entity, name).text = text
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _tree(node: etree._Element) -> Any:
    shown: dict[str, Any] = {f"@{etree.QName(name).localname}": value for name, value in node.attrib.items()}
    if not len(node):
        text = (node.text or "").replace(_RETURN_SIGN, "\r")
        return {**shown, "#text": text} if shown else text
    for child in node:
        name, value = str(child.tag), _tree(child)
        if name == "language":
            shown.setdefault(name, []).append(value)
        elif name not in shown:
            shown[name] = value
        else:
            several = shown[name]
            shown[name] = [*several, value] if isinstance(several, list) else [several, value]
    return shown


def _sendable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sendable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(inner) for inner in value]
    text = "" if value is None else str(value)
    if text.isprintable():
        return text
    return without_illegal(text.encode("utf-8")).decode("utf-8")


def _strict(document: bytes) -> etree._Element:
    # a parser a call: lxml parsers keep state and are not shared between threads
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    return etree.fromstring(document, parser=parser)


def _reason(error: etree.XMLSyntaxError) -> str:
    return f"{(error.msg or 'not well-formed').splitlines()[0][:160]}"


def _entity(node: etree._Element) -> Entity:
    fields = _fields(node)
    if not fields:
        fields = {"id": node.get("id") or ""}
    elif len(node) != len(fields):
        raise Unreadable("a record holds a field twice")
    try:
        number = int(fields["id"])
    except (KeyError, ValueError, TypeError):
        raise Unreadable("a record has no id") from None
    return Entity(fields, id=number)


def _fields(node: etree._Element) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for child in node:
        fields[child.tag] = _nested(child) if len(child) else child.text or ""
    return fields


def _nested(node: etree._Element) -> dict[str, Any]:
    if node.tag == ASSOCIATIONS:
        groups = {str(group.tag): [_row(row) for row in group] for group in node}
        if len(groups) != len(node):
            raise Unreadable("a record holds an association twice")
        return groups
    texts: dict[str, Any] = {}
    for child in node:
        name = child.get("id") if child.tag == "language" else child.tag
        if not name or len(child):
            raise Unreadable(f"the field {node.tag} holds nodes that nobody expects")
        texts[str(name)] = child.text or ""
    if len(texts) != len(node):
        raise Unreadable(f"the field {node.tag} holds a language twice")
    return texts


def _row(node: etree._Element) -> dict[str, Any]:
    fields = _fields(node)
    if len(fields) != len(node):
        raise Unreadable("a row of an association holds a field twice")
    return fields


def _check(entities: list[Entity], wanted: frozenset[str], associations: frozenset[str], *, alike: bool) -> None:
    if len({entity.id for entity in entities}) != len(entities):
        raise Unreadable("a record comes twice")
    for entity in entities:
        names = entity._fields.keys()
        if not wanted <= names:
            raise Unreadable(f"record {entity.id} lacks {', '.join(sorted(wanted - names))}")
        if associations and not associations <= entity._fields.get(ASSOCIATIONS, {}).keys():
            raise Unreadable(f"record {entity.id} lacks an association")
        if alike and names != entities[0]._fields.keys():
            raise Unreadable(f"record {entity.id} has other fields than its neighbours")


def _from_json(row: dict[str, Any], languages: Mapping[str, str]) -> Entity:
    fields: dict[str, Any] = {}
    for name, value in row.items():
        if name == ASSOCIATIONS and isinstance(value, dict):
            fields[name] = {
                group: [{key: _json_text(inner) for key, inner in line.items()} for line in lines]
                for group, lines in value.items()
                if isinstance(lines, list) and all(isinstance(line, dict) for line in lines)
            }
        elif name in languages and isinstance(value, str):
            fields[name] = {languages[name]: value}
        else:
            fields[name] = _json_text(value)
    try:
        return Entity(fields, id=int(fields["id"]))
    except (KeyError, ValueError, TypeError):
        raise Unreadable("a JSON record has no id") from None


def _json_text(value: Any) -> Any:
    if isinstance(value, list):
        if all(isinstance(item, dict) and "id" in item and "value" in item for item in value):
            return {str(item["id"]): _json_text(item["value"]) for item in value}
        raise Unreadable("the JSON holds a list that nobody expects")
    if isinstance(value, dict):
        raise Unreadable("the JSON holds an object that nobody expects")
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)
