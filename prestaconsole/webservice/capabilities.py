"""What a shop's webservice can do beyond its rights, as a document to keep, and what changed in it. Reads only."""

from collections.abc import Iterable, Mapping
from typing import Any

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import Root, ShopClient
from prestaconsole.webservice.query import Query
from prestaconsole.webservice.writing.merge import read_only

RESOURCES = (
    *("products", "combinations", "stock_availables", "orders", "order_carriers", "order_histories"),
    *("categories", "customers"),
)


async def probed(client: ShopClient, root: Root, resources: Iterable[str] = RESOURCES) -> dict[str, Any]:
    """Field lists, strip lists, PATCH and the like of a shop, fit for JSON (row B5); some ten requests.

    ``fields`` and ``strip`` are by resource, ``strip`` being what is never sent back; ``patch_resources`` may be
    patched; ``single_display`` tells whether one record can be asked for some of its fields (F23), None when unknown;
    ``cost`` is what a GET of each resource took of late, in seconds.
    """
    fields: dict[str, list[str]] = {}
    strip: dict[str, list[str]] = {}
    for resource in resources:
        if not root.may("GET", resource):
            continue
        try:
            synopsis = await client.synopsis(resource)
        except (e.PhpMessage, e.ServerError, e.MalformedXml, e.UnexpectedAnswer, e.ResourceUnknown):
            continue  # without a field list the built-in knowledge stands
        fields[resource] = [name for name in synopsis if name != "associations"]
        strip[resource] = sorted(read_only(resource, synopsis))
    return {
        "version": root.version or client.version,
        "resources": sorted(root.permissions),
        "fields": fields,
        "strip": strip,
        "patch_resources": sorted(name for name, methods in root.permissions.items() if "PATCH" in methods),
        "single_display": await single_display(client, root),
        "cost": {resource: round(seconds, 4) for resource, seconds in client.pacer.seconds_a_request().items()},
    }


async def single_display(client: ShopClient, root: Root) -> bool | None:
    """Whether a single record honours ``display``; 1.6 answers an empty node instead. None when it cannot be told."""
    if not root.may("GET", "languages"):
        return None
    rows = (await client.page(Query("languages", ("id",), limit=1))).entities
    if not rows:
        return None
    try:
        return await client.honours_display("languages", rows[0].id, "iso_code")
    except e.WebserviceError:
        return False


_SETS = (
    ("resources", "resource", "resources"),
    ("patch_resources", "PATCH on", "PATCH on"),
    ("storefronts", "storefront", "storefronts"),
    ("languages", "language", "languages"),
)
_VALUES = (
    ("version", "The version"),
    ("timezone", "The time zone"),
    ("currency", "The currency"),
    ("advanced_stock", "Advanced stock management"),
    ("single_display", "The display of single records"),
)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is different since the last analysis, one sentence each; what one of the two does not tell is no change."""
    found = []
    for name, called in _VALUES:
        if name in before and name in now and before[name] != now[name] and before[name] not in (None, ""):
            found.append(f"{called} is {_word(now[name])} now, it was {_word(before[name])}.")
    found += _rights(before.get("permissions") or {}, now.get("permissions") or {})
    for name, one, several in _SETS:
        if name in before and name in now:
            found += _compared(set(map(str, before[name])), set(map(str, now[name])), one, several)
    for resource, old in (before.get("fields") or {}).items():
        new = (now.get("fields") or {}).get(resource)
        if new is not None:
            found += _compared(set(old), set(new), f"field of {resource}", f"fields of {resource}")
    return found


def _rights(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if not before:
        return []
    old = {f"{method} on {resource}" for resource, methods in before.items() for method in methods}
    new = {f"{method} on {resource}" for resource, methods in now.items() for method in methods}
    return _compared(old, new, "right", "rights")


def _compared(old: set[str], new: set[str], one: str, several: str) -> list[str]:
    found = []
    for names, verb in ((old - new, "gone"), (new - old, "new")):
        if names:
            listed = sorted(names)
            shown = ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
            called = one if len(names) == 1 else several
            found.append(f"{called[0].upper()}{called[1:]} {verb}: {shown}.")
    return found


def _word(value: Any) -> str:
    return {True: "on", False: "off", None: "not told"}.get(value, str(value)) if not isinstance(value, str) else value
