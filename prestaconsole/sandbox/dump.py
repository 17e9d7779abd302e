"""Reading and writing a whole shop as a folder of RESOURCE.xml.gz files. Imports the sandbox and lxml."""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

from prestaconsole.sandbox import image_types
from prestaconsole.sandbox.behaviour import Contexts
from prestaconsole.sandbox.context import Context
from prestaconsole.sandbox.exchange import Request
from prestaconsole.sandbox.images import answer as images_answer
from prestaconsole.sandbox.keys import DEFAULT_KEY, Key
from prestaconsole.sandbox.output import HEAD, TAIL, Style, XmlWriter
from prestaconsole.sandbox.reading import entity, root
from prestaconsole.sandbox.schema import Resource
from prestaconsole.sandbox.storage import ASSOCIATIONS, Row, Table
from prestaconsole.sandbox.storefronts import Storefronts, contexts_of, shared

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

# What each storefront of an installation shows otherwise; the rest is in the folder of the default shop.
_FRONTS = ("products", "combinations", "carts", "customers", "orders", "stock_availables")
_SPECIAL = frozenset({"api-root", "images-products"})
# Characters XML 1.0 forbids, and the carriage return it would swallow, stand raw in a dump as they do in an
# answer (F34). While it is parsed they are private-use characters.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f]")
_SHIFT = 0xF000


@dataclass(frozen=True)
class Dump:
    """A dump folder as read: what it says of its shop, and its files' trees by resource."""

    version: str
    zone: str
    name: str
    trees: Mapping[str, etree._Element]
    fronts: Mapping[int, Mapping[str, etree._Element]] = field(default_factory=dict)


def read(folder: Path) -> Dump:
    """Read a dump folder, and with it the folders beside it that show its further shops (`FOLDER-shop2` …).

    Raises FileNotFoundError where it holds none, ValueError for a broken file.
    """
    files = {path.name.removesuffix(".xml.gz"): path for path in sorted(folder.glob("*.xml.gz"))}
    if not files:
        raise FileNotFoundError(f"{folder} holds no dump: there is no RESOURCE.xml.gz in it.")
    trees = {name: _parse(path) for name, path in files.items()}
    facts = _configurations(trees.get("configurations"))
    return Dump(
        version=facts.get("PS_VERSION_DB", "8.2.1"),
        zone=facts.get("PS_TIMEZONE") or "Europe/Paris",
        name=_shop_name(trees) or facts.get("PS_SHOP_NAME") or folder.name,
        trees=trees,
        fronts=_fronts(folder, trees.get("shops")),
    )


def _fronts(folder: Path, shops: etree._Element | None) -> dict[int, dict[str, etree._Element]]:
    if shops is None or not len(shops):
        return {}
    found: dict[int, dict[str, etree._Element]] = {}
    for row in shops[0]:
        id_shop = int(row.findtext("id") or 0)
        paths = {name: folder.with_name(f"{folder.name}-shop{id_shop}") / f"{name}.xml.gz" for name in _FRONTS}
        trees = {name: _parse(path) for name, path in paths.items() if path.is_file()}
        if trees:
            found[id_shop] = trees
    return found if len(found) > 1 else {}


def fill(shop: "SimulatedShop", found: Dump) -> None:
    """Fill an empty shop with a dump's rows, shaped as they are there."""
    for name, tree in found.trees.items():
        if name not in _SPECIAL and name in shop.resources:
            _fill_table(shop, name, tree)
    if found.fronts:
        _fill_fronts(shop, found.fronts)
    _images(shop, found.trees.get("images-products"))
    if shop.storefronts is None:
        _contexts(shop)


def _fill_fronts(shop: "SimulatedShop", fronts: Mapping[int, Mapping[str, etree._Element]]) -> None:
    """Add what the other shops of the installation show to the rows of the default one."""
    shop.storefronts = Storefronts(min(fronts))
    for id_shop, trees in fronts.items():
        for name, tree in trees.items():
            table = shop.tables[name]
            for element in tree[0] if len(tree) else ():
                row = row_of(table, element)
                row_id = int(row["id"])
                if shared(name):
                    shop.storefronts.keep(table, row_id, id_shop, row)
                if row_id not in table:
                    table.insert(row, row_id)
                elif name == "carts" and row.get("id_shop") == str(id_shop):
                    table.update(row_id, row)
    shop.contexts = contexts_of(shop, (min(fronts),), "shop")
    for name in _FRONTS:
        table = shop.tables[name]
        table.given = table.ids()[-1] if len(table) else 0
    _link_stock(shop)


def _link_stock(shop: "SimulatedShop") -> None:
    # A dump's products list only the stock rows their own shop sells from; here each knows them all.
    table, products = shop.tables["stock_availables"], shop.tables["products"]
    for row in products:
        found = [{"id": str(row_id)} for row_id in table.find("id_product", row["id"])]
        row.setdefault(ASSOCIATIONS, {})["stock_availables"] = found


def dump(shop: "SimulatedShop", folder: Path) -> None:
    """Write every resource, the root and the image list; further shops into folders beside it."""
    if shop.storefronts is not None:
        for id_shop in shop.tables["shops"].ids():
            _dump(shop, folder.with_name(f"{folder.name}-shop{id_shop}"), contexts_of(shop, (id_shop,), "shop"))
    _dump(shop, folder, shop.contexts)


def _dump(shop: "SimulatedShop", folder: Path, seen: Contexts) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    context = _context(shop, seen)
    for name, resource in shop.resources.items():
        table = shop.tables[name]
        if name not in ("images", "search"):
            _write(folder / f"{name}.xml.gz", _whole(context, resource, table))
    _write(folder / "api-root.xml.gz", root(context))
    images = images_answer(context, ["images", "products"]).body.decode()
    _write(folder / "images-products.xml.gz", images)


def _write(path: Path, text: str) -> None:
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(text.encode())


def _whole(context: Context, resource: Resource, table: Table) -> str:
    writer = XmlWriter(resource, context.style, None)
    shown = (row for row in table if not context.filters_by_shop(resource.name) or context.visible(resource.name, row))
    entities = [writer.entity(entity(context, resource, row, None)) for row in shown]
    return f"{HEAD}<{resource.list_node}>\n{''.join(entities)}</{resource.list_node}>\n{TAIL}"


def _context(shop: "SimulatedShop", seen: Contexts) -> Context:
    request = Request("GET", "/api/", "", {"host": "127.0.0.1"}, b"")
    style = Style(shop.version, "http://127.0.0.1/api/", shop.languages())
    return Context(shop, request, {}, "GET", Key(DEFAULT_KEY), style, seen)


def _parse(path: Path) -> etree._Element:
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    text = _FORBIDDEN.sub(lambda match: chr(_SHIFT + ord(match.group())), text)
    try:
        return etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, huge_tree=True))
    except etree.XMLSyntaxError as error:
        raise ValueError(f"{path} is not a dump of a shop: {error}.") from None


def _text(element: etree._Element) -> str:
    text = element.text or ""
    if any(0xF000 <= ord(char) < 0xF020 for char in text):
        return "".join(chr(ord(char) - _SHIFT) if 0xF000 <= ord(char) < 0xF020 else char for char in text)
    return str(text)


def _fill_table(shop: "SimulatedShop", name: str, tree: etree._Element) -> None:
    listed = tree[0] if len(tree) else None
    if listed is None or not len(listed):
        return
    known = shop.resources[name]
    shape = [str(node.tag) for node in listed[0] if node.tag != ASSOCIATIONS]
    resource = known.shaped_like(shape) if shape != [field.name for field in known.fields] else known
    shop.resources[name] = resource
    table = shop.tables[name] = Table(resource)
    for element in listed:
        row = row_of(table, element)
        table.insert(row, int(row["id"]))
    table.given = table.ids()[-1]


def row_of(table: Table, element: etree._Element) -> Row:
    """The row that an entity of an answer or a dump shows."""
    row: Row = {}
    for node in element:
        if node.tag == ASSOCIATIONS:
            row[ASSOCIATIONS] = _associations(node)
        elif len(node):
            row[str(node.tag)] = {int(part.get("id") or 0): _text(part) for part in node}
        else:
            text = _text(node)
            if text != table.blanks.get(str(node.tag)):
                row[str(node.tag)] = text
    return row


def _associations(node: etree._Element) -> dict[str, list[dict[str, str]]]:
    return {
        str(part.tag): [{str(field.tag): _text(field) for field in row} for row in part] for part in node if len(part)
    }


def _configurations(tree: etree._Element | None) -> dict[str, str]:
    if tree is None or not len(tree):
        return {}
    return {row.findtext("name") or "": row.findtext("value") or "" for row in tree[0]}


def _shop_name(trees: Mapping[str, etree._Element]) -> str:
    found = trees.get("api-root")
    return (found[0].get("shopName") or "") if found is not None and len(found) else ""


def _images(shop: "SimulatedShop", tree: etree._Element | None) -> None:
    if not len(shop.tables["image_types"]):
        told = () if tree is None else tree.iter("image_type")
        image_types.install(shop, [entry.get("name") or "" for entry in told])
    if tree is not None:
        for entry in tree.iter("image"):
            shop.images[int(entry.get("id") or 0)] = []  # images of a product another storefront sells
    for row in shop.tables["products"]:
        known = [int(entry["id"]) for entry in row.get(ASSOCIATIONS, {}).get("images", ())]
        if known:
            shop.images[int(row["id"])] = known


def _contexts(shop: "SimulatedShop") -> None:
    """A dump shows what one context saw: the shop columns in it are the ones that context sees."""
    stock, orders = shop.tables["stock_availables"], shop.tables["orders"]
    if len(stock):
        shop.contexts.stock = {(stock.value(row, "id_shop"), stock.value(row, "id_shop_group")) for row in stock}
    if len(orders):
        shop.contexts.orders = {orders.value(row, "id_shop") for row in orders}
    shop.contexts.customers = None
    own = {int(shop_id) for shop_id, _ in shop.contexts.stock if shop_id.isdigit() and shop_id != "0"}
    shared = {int(group) for _, group in shop.contexts.stock if group.isdigit() and group != "0"}
    seen = own | {int(text) for text in shop.contexts.orders if text.isdigit() and text != "0"}
    shop.contexts.shop = min(seen, default=1)
    shops = shop.tables["shops"]
    home = shops.get(shop.contexts.shop)
    shop.contexts.group = int(shops.value(home, "id_shop_group")) if home else min(shared, default=1)
