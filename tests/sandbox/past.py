"""The shop a folder of recordings was made in: its dump without what came later, told forward as the exchanges go.

The dumps were made after the recordings, and some exchanges between the recorded ones are not in the folder. So what
a dump holds is put back to the time of each exchange: rows not yet made are withheld until their time, a new row gets
the id the real shop gave, and what an answer shows to exist is there. How the shop answers is never touched.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from prestaconsole.sandbox import SimulatedShop
from prestaconsole.sandbox.dump import row_of
from prestaconsole.sandbox.storage import ASSOCIATIONS, Table
from tests.sandbox.replay import prepare
from tests.support.shared import Recording, dump_folder, recordings

# The rows' dates are of this zone, also where the shop's zone was changed later (R48).
_ZONE = ZoneInfo("Europe/Paris")
_PARENTS = {
    "order_details": ("id_order", "orders"),
    "order_cart_rules": ("id_order", "orders"),
    "combinations": ("id_product", "products"),
    "stock_availables": ("id_product", "products"),
}
_FOLDERS = {
    "1.6.1.24-advanced-stock": "1.6.1.24-advanced-stock",
    "8.2.1-multistore": "8.2.1-multistore",
    "1.6.1.24-on-php7.4-warnings": "1.6.1.24",
}
# This shop was filled anew after these recordings: its dump has the same rows with other dates.
_NEWEST = {"1.7.8.11-on-php7.4-E_NOTICE": ("products", 23)}
_IMAGE = re.compile(r"/api/images/products/(\d+)(?:/(\d+))?")


def dump_of(folder: str) -> str:
    """The dump that shows the shop of a folder of recordings."""
    version = folder.split("-")[0]
    if folder == version:
        return folder
    rich = f"{version}-rich"
    return _FOLDERS.get(folder) or (rich if dump_folder(rich).is_dir() else version)


class Past:
    """The simulated shop of one folder; `reach` brings it to the moment before an exchange."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.exchanges = recordings(folder)
        self._moments = _moments(self.exchanges)
        self.moment = self._moments[self.exchanges[0].file]
        self.shop = SimulatedShop.load(dump_folder(dump_of(folder)), clock=lambda: self.moment)
        prepare(self.shop)
        self._later: list[tuple[str, str, int, dict[str, Any]]] = []
        self._drawn: dict[int, str] = {}
        if folder in _NEWEST:
            self._cut(*_NEWEST[folder])
        else:
            self._withhold()
        self._drop_images()
        self._seed()
        if "-on-php" in folder:
            self.shop.faults.set("php-messages")
        if "St_Johns" in folder:
            self.shop.zone = ZoneInfo("America/St_Johns")
            _configure(self.shop, "PS_TIMEZONE", "America/St_Johns")

    def reach(self, recording: Recording) -> None:
        """Let time pass until just before the exchange, and make the shop what its answer presupposes."""
        self.moment = self._moments[recording.file]
        stamp = _stamp(self.moment)
        posted = _first_id(recording) if recording.request["method"] == "POST" else None
        resource = _resource(recording)
        named = self._named(recording)
        shown = set(map(int, re.findall(r"<id><!\[CDATA\[(\d+)\]\]></id>", recording.response["body"] or "")))
        kept = []
        for entry in self._later:
            date, name, row_id, _ = entry
            due = date < stamp or (posted is not None and name == resource and row_id < posted)
            due = due or (name, row_id) in named or (date == stamp and name == resource and row_id in shown)
            if due:
                self._return(entry)
            else:
                kept.append(entry)
        self._later = kept
        for name in {entry[1] for entry in kept}:
            # What the exchange makes beside its own row gets the id it got in the real shop.
            table = self.shop.table(name)
            free = [row_id for _, known, row_id, _ in kept if known == name and row_id not in table]
            if free and min(free) > max(table.ids(), default=0):
                table.start_ids_at(min(free))
        if posted is not None and resource == "images":
            self.shop.last_image = posted - 1
        elif posted is not None and resource in self.shop.tables:
            self._undo(resource, posted)
            self.shop.table(resource).start_ids_at(posted)
        self._presuppose(recording)
        self._set_modes(recording)

    def passed(self, recording: Recording) -> None:
        """After the exchange: the reference the real shop drew for a new order is the order's from now on."""
        number = _first_id(recording) if _resource(recording) == "orders" else None
        if number is None or number not in self.shop.table("orders"):
            return
        drawn = self._drawn.get(number)
        old = self.shop.row("orders", number)["reference"]
        if drawn:
            self.shop.table("orders").update(number, {"reference": drawn})
            for row_id in self.shop.table("order_payments").find("order_reference", old):
                self.shop.table("order_payments").update(row_id, {"order_reference": drawn})

    def _named(self, recording: Recording) -> set[tuple[str, int]]:
        """The rows the request's body names, such as the cart an order is made of."""
        nodes = {resource.node: name for name, resource in self.shop.resources.items()}
        found = re.findall(r"<id_(\w+)>(?:<!\[CDATA\[)?(\d+)", recording.request.get("body") or "")
        return {(nodes[node], int(number)) for node, number in found if node in nodes}

    def _undo(self, resource: str, row_id: int) -> None:
        """Take away a row that came back in the second in which the exchange makes it."""
        table = self.shop.table(resource)
        if row_id in table:
            order = table.row(row_id).get("id_order", "")
            table.remove(row_id)
            left = table.find("id_order", order) if resource == "order_histories" else []
            if left and int(order) in self.shop.table("orders"):
                self.shop.table("orders").update(int(order), {"current_state": table.row(left[-1])["id_order_state"]})
        for name, other in self.shop.tables.items() if resource == "orders" else ():
            key = {"order_payments": "order_reference"}.get(name, "id_order")
            if name != "orders" and key in other.blanks:
                taken = other.find(key, row_id if key == "id_order" else self._drawn.get(row_id, ""))
                for child in taken:
                    other.remove(child)
                if taken and taken[0] > max(other.ids(), default=0):
                    other.start_ids_at(taken[0])

    def _withhold(self) -> None:
        stamp = _stamp(self.moment)
        gone: dict[str, set[str]] = {}
        for name, table in self.shop.tables.items():
            parent = _PARENTS.get(name)
            later = {}
            if "date_add" in table.blanks:
                later = {int(row["id"]): table.value(row, "date_add") for row in table}
                later = {row_id: date for row_id, date in later.items() if date > stamp}
            for row_id, date in later.items():
                gone.setdefault(name, set()).add(str(row_id))
                self._take(table, row_id, date)
            if parent is not None:
                self._take_children(table, *parent)
        for name, parent in _PARENTS.items():
            if name in self.shop.tables:
                self._take_children(self.shop.tables[name], *parent)
        self._drawn = {row_id: row["reference"] for _, name, row_id, row in self._later if name == "orders"}
        self._restore_states(gone.get("order_histories", set()))

    def _cut(self, name: str, newest: int) -> None:
        table = self.shop.table(name)
        for row_id in [row_id for row_id in table.ids() if row_id > newest]:
            table.remove(row_id)
        for row_id in range(max(table.ids(), default=0) + 1, newest + 1):
            _presume(self.shop, name, row_id)
        table.start_ids_at(newest + 1)

    def _take_children(self, table: Table, field: str, parent: str) -> None:
        dates = {(name, row_id): date for date, name, row_id, _ in self._later}
        for row_id in [int(row["id"]) for row in table if (parent, int(row[field] or 0)) in dates]:
            self._take(table, row_id, dates[parent, int(table.row(row_id)[field])])

    def _take(self, table: Table, row_id: int, date: str) -> None:
        self._later.append((date, table.resource.name, row_id, dict(table.row(row_id))))
        table.remove(row_id)
        table.start_ids_at(max(table.ids(), default=0) + 1)

    def _return(self, entry: tuple[str, str, int, dict[str, Any]]) -> None:
        _, name, row_id, row = entry
        table = self.shop.tables[name]
        if row_id in table:
            return
        table.insert(row, row_id)
        if name == "order_histories" and int(row["id_order"]) in self.shop.table("orders"):
            self.shop.table("orders").update(int(row["id_order"]), {"current_state": row["id_order_state"]})

    def _restore_states(self, histories: Iterable[str]) -> None:
        """An order's state is that of its last history row that is there."""
        taken = set(histories)
        orders, table = self.shop.table("orders"), self.shop.table("order_histories")
        for _, name, row_id, row in self._later:
            if name != "order_histories" or str(row_id) not in taken or int(row["id_order"]) not in orders:
                continue
            left = table.find("id_order", row["id_order"])
            if left:
                state = table.row(left[-1])["id_order_state"]
                orders.update(int(row["id_order"]), {"current_state": state})

    def _drop_images(self) -> None:
        posted = [_first_id(one) for one in self.exchanges if _resource(one) == "images" and _is_new(one)]
        first = min((number for number in posted if number is not None), default=None)
        if first is None:
            return
        for id_product, known in list(self.shop.images.items()):
            kept = [number for number in known if number < first]
            if kept == known:
                continue
            self.shop.images[id_product] = kept
            if not kept:
                del self.shop.images[id_product]
            row = self.shop.table("products").update(id_product, {})
            row.setdefault(ASSOCIATIONS, {})["images"] = [{"id": str(number)} for number in kept]
            row["id_default_image"] = str(kept[0]) if kept else ""
        self.shop.last_image = first - 1

    def _seed(self) -> None:
        """Rows that a read before the first write shows whole, and the dump lacks: it is of another day."""
        written: set[str] = set()
        for recording in self.exchanges:
            name = _resource(recording)
            if recording.request["method"] not in ("GET", "HEAD"):
                written.add(name)
                continue
            table = self.shop.tables.get(name)
            if table is None or name in written or recording.response["status"] != 200:
                continue
            later = {row_id for _, known, row_id, _ in self._later if known == name}
            for element in _entities(recording):
                row_id = int(element.findtext("id") or 0)
                whole = len(element) >= len(table.resource.fields) - 2
                if row_id and row_id not in table and row_id not in later and whole:
                    table.insert(row_of(table, element), row_id)
                    self._seed_lines(name, table.row(row_id))

    def _seed_lines(self, name: str, order: dict[str, Any]) -> None:
        details = self.shop.table("order_details")
        for line in order.get(ASSOCIATIONS, {}).get("order_rows", ()) if name == "orders" else ():
            known = {field: text for field, text in line.items() if field in details.blanks}
            details.insert(known | {"id_order": order["id"]}, int(line["id"]))

    def _presuppose(self, recording: Recording) -> None:
        request, status = recording.request, recording.response["status"]
        path = request["path_and_query"]
        unknown = set(re.findall(r"\d+", _message(recording))) if status == 404 else set()
        if request["method"] == "DELETE" and (status == 200 or unknown):
            listed = re.search(r"[?&]id=(?:\[|%5B)([\d,]+)", path) or re.search(r"^/api/\w+/(\d+)$", path)
            for number in listed[1].split(",") if listed else ():
                if number not in unknown:
                    _presume(self.shop, _resource(recording), int(number))
        single = re.match(r"/api/(\w+)/(\d+)", path)
        there = status == 200 or "<![CDATA[93]]>" in (recording.response["body"] or "")
        if single and single[1] in self.shop.tables and there and request["method"] in ("GET", "PUT", "PATCH"):
            sent = re.search(r"<id>\D*(\d+)", request.get("body") or "")
            _presume(self.shop, single[1], int(sent[1] if sent else single[2]))
        image = _IMAGE.match(path)
        if image and status != 404:
            _presume(self.shop, "products", int(image[1]))

    def _set_modes(self, recording: Recording) -> None:
        name = recording.name
        self.shop.webservice_enabled = "webservice-disabled" not in name
        host = self.shop.row("shop_urls", 1)["domain"] if 1 in self.shop.tables["shop_urls"] else None
        self.shop.strict_host = host if name.startswith("wrong-host") else None
        _configure(self.shop, "PS_SSL_ENABLED_EVERYWHERE", "1" if "ssl-everywhere" in name else "0")
        self.shop.faults.set("mail-refused", "1" if "smtp-refused" in name else "0")


def _presume(shop: SimulatedShop, name: str, row_id: int) -> None:
    table = shop.tables.get(name)
    if table is None or row_id in table or not len(table):
        return
    copied = {name: value for name, value in table.row(table.ids()[-1]).items() if name != ASSOCIATIONS}
    table.insert(copied | {"id_default_image": ""} if "id_default_image" in copied else copied, row_id)
    if name == "products":
        stock = shop.table("stock_availables")
        stock.insert({"id_product": str(row_id), "id_shop": "1", "out_of_stock": "2"})


def _configure(shop: SimulatedShop, name: str, value: str) -> None:
    known = shop.table("configurations").find("name", name)
    if not known:
        known = [shop.table("configurations").insert({"name": name})]
    shop.table("configurations").update(known[0], {"value": value})


def _moments(exchanges: Iterable[Recording]) -> dict[str, float]:
    """When each exchange was made by the shop's clock; one made anew later stands for the time of its place."""
    found, latest = {}, float("inf")
    for recording in reversed(tuple(exchanges)):
        headers = {name.lower(): value for name, value in recording.response["headers"]}
        latest = min(latest, float(headers.get("access-time") or latest))
        found[recording.file] = latest
    return found


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, _ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _resource(recording: Recording) -> str:
    path = recording.request["path_and_query"]
    found = re.search(r"/api/(\w+)", path) or re.search(r"url=(\w+)", path)
    return found[1] if found else ""


def _message(recording: Recording) -> str:
    found = re.search(r"Id\(s\) not exists: ([\d, ]+)", recording.response["body"] or "")
    return found[1] if found else ""


def _is_new(recording: Recording) -> bool:
    return recording.request["method"] == "POST" and "ps_method" not in recording.request["path_and_query"]


def _entities(recording: Recording) -> list[etree._Element]:
    body = recording.response["body"] or ""
    try:
        tree = etree.fromstring(body.encode())
    except etree.XMLSyntaxError:
        return []
    single = [element for element in tree if element.find("id") is not None]
    return single or [element for listed in tree for element in listed if element.find("id") is not None]


def _first_id(recording: Recording) -> int | None:
    if recording.response["status"] not in (200, 201) or not _is_new(recording):
        return None
    found = re.search(r"<id><!\[CDATA\[(\d+)\]\]></id>", recording.response["body"] or "")
    return int(found[1]) if found else None
