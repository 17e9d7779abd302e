"""What one request means in a shop: who asks, in which shop and languages. Imports the sandbox only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from prestaconsole.sandbox import storefronts
from prestaconsole.sandbox.behaviour import Contexts
from prestaconsole.sandbox.exchange import Request
from prestaconsole.sandbox.keys import Key
from prestaconsole.sandbox.output import Style
from prestaconsole.sandbox.query import number
from prestaconsole.sandbox.refusal import PlainAnswer, Refusal
from prestaconsole.sandbox.storage import Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop


@dataclass
class Context:
    """A request after the checks: everything the reading and writing parts need."""

    shop: "SimulatedShop"
    request: Request
    params: Mapping[str, str]
    method: str
    key: Key
    style: Style
    seen: Contexts
    notices: list[tuple[int | None, str]] = field(default_factory=list)  # PHP messages that spoil the answer

    def owns(self, row: Row) -> bool:
        """Whether a stock row belongs to the shop asked; one whose shop columns were lost to none (R1)."""
        table = self.shop.tables["stock_availables"]
        columns = table.value(row, "id_shop"), table.value(row, "id_shop_group")
        return columns != ("0", "0") if self.seen.kind == "all" else columns in self.seen.stock

    def visible(self, resource: str, row: Row) -> bool:
        """Whether a list of this resource shows the row in the shop asked (R1, R2)."""
        table = self.shop.tables[resource]
        if resource == "stock_availables":
            # Lists of 9 go on showing a row whose shop columns were lost.
            lost = table.value(row, "id_shop") == "0" == table.value(row, "id_shop_group")
            return self.owns(row) or (lost and self.shop.version.modern_php)
        if resource in ("orders", "customers"):
            id_shop = table.value(row, "id_shop")
            if self.seen.kind == "all":
                return id_shop != "0"
            known = self.seen.orders if resource == "orders" else self.seen.customers
            return known is None or id_shop in known
        return storefronts.listed(self.shop, resource, int(row["id"]), self.seen)

    def filters_by_shop(self, resource: str) -> bool:
        """Whether lists of this resource depend on the shop asked."""
        if resource in ("stock_availables", "orders", "customers"):
            return True
        return self.shop.storefronts is not None and storefronts.shared(resource)


def wants_json(shop: "SimulatedShop", request: Request, params: Mapping[str, str]) -> bool:
    """Whether the answer is JSON: asked by header before parameter, in exactly these capitals (F32)."""
    if not shop.version.json:
        return False
    asked = (
        request.headers.get("io-format")
        or request.headers.get("output-format")
        or params.get("io_format")
        or params.get("output_format")
    )
    return asked == "JSON"


def base_address(shop: "SimulatedShop", request: Request, seen: Contexts) -> str:
    """The address every xlink:href begins with: scheme, the Host header, the folder, the storefront's own, api/."""
    scheme = "https" if shop.configuration("PS_SSL_ENABLED_EVERYWHERE") == "1" else "http"
    front = virtual_folders(shop).get(seen.shop, "") if seen.kind == "shop" else ""
    return f"{scheme}://{request.host}{shop.folder}{front}/api/"


def virtual_folders(shop: "SimulatedShop") -> dict[int, str]:
    """The folder each storefront is reached under besides id_shop, such as /shopb (R58)."""
    if shop.storefronts is None:
        return {}
    table = shop.tables["shop_urls"]
    found = {int(table.value(row, "id_shop")): table.value(row, "virtual_uri").strip("/") for row in table}
    return {id_shop: f"/{folder}" for id_shop, folder in found.items() if folder}


def check_shop(
    shop: "SimulatedShop", request: Request, params: Mapping[str, str], url: str, key: Key, front: int | None
) -> Contexts:
    """Check the shop parameters; what the context asked sees. `front` is the shop of the address used.

    Raises PlainAnswer for the redirect to the front page, Refusal 999 or 132.
    """
    shops = set(shop.tables["shops"].ids()) or {1}
    groups = set(shop.tables["shop_groups"].ids()) or {1}
    asked = params.get("id_shop")
    group = params.get("id_group_shop") or params.get("id_shop_group")
    if asked == "all" and not shop.version.shop_all:
        raise front_page(shop, request, params, url)
    if asked is not None and asked != "all" and int(number(asked)) not in shops:
        raise front_page(shop, request, params, url)
    if group is not None and not (group.isdigit() and int(group) in groups):
        raise Refusal(500, (999, "This shop group doesn't have shops"))
    if asked is not None and asked != "all" and not asked.isdigit():
        raise Refusal(404, (999, "This shop id does not exist"))
    wanted = int(asked) if asked and asked.isdigit() else front or shop.contexts.shop
    if key.shops is not None and asked != "all" and group is None and wanted not in key.shops:
        raise Refusal(403, (132, "No permission for this key on this shop"))
    several = shop.storefronts is not None
    if group is not None and (several or int(group) != shop.contexts.group):
        members = shop.tables["shops"].find("id_shop_group", int(group))
        return storefronts.contexts_of(shop, members, "group", int(group))
    if asked == "all":
        return storefronts.contexts_of(shop, sorted(shops), "all")
    if wanted == shop.contexts.shop:
        return shop.contexts
    return storefronts.contexts_of(shop, (wanted,), "shop")


def front_page(shop: "SimulatedShop", request: Request, params: Mapping[str, str], url: str) -> PlainAnswer:
    """The redirect to the shop's front page, which forgets the method and the path (F7)."""
    kept = {"url": url} | {name: text for name, text in params.items() if name not in ("id_shop", "url")}
    host = shop.strict_host or request.host
    address = f"http://{host}{shop.folder}/?{urlencode(kept)}"
    return PlainAnswer(302, "", [("location", address), ("content-type", "text/html; charset=utf-8")])


def languages(shop: "SimulatedShop", params: Mapping[str, str]) -> list[int]:
    """The languages to show. Raises Refusal 78–81 (WEBSERVICE §2.2)."""
    text = params.get("language")
    if text is None:
        return shop.languages()
    known = set(shop.tables["languages"].ids()) or {1}
    if re.fullmatch(r"\d+", text):
        wanted = [text]
    elif text.startswith("[") and text.endswith("]"):
        inside = text[1:-1]
        if ("|" in inside) != ("," in inside):
            wanted = inside.split("|") if "|" in inside else inside.split(",")
            if "," in inside:
                if len(wanted) != 2:
                    raise Refusal(400, (78, "A range value for a language must contains only 2 values"))
                low, high = (int(part) if part.isdigit() else 0 for part in wanted)
                wanted = [str(number) for number in range(low, high + 1)]
        else:
            wanted = [inside[-1:]]  # only one digit is kept
    else:
        raise Refusal(400, (79, "language value is wrong"))
    if not all(part.isdigit() for part in wanted):
        raise Refusal(400, (80, "Language ID must be numeric"))
    found = [int(part) for part in wanted if int(part) in known]
    if not found:
        raise Refusal(400, (81, "language is not available"))
    return found
