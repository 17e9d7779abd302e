"""The key's rights against what the enabled feeds need: missing and surplus (row B9). Imports the findings."""

from collections.abc import Iterable, Mapping

from prestaconsole.webservice.doctor.finding import Needs, Probe, fix, ok, warn
from prestaconsole.webservice.menus import WEBSERVICE
from prestaconsole.webservice.probe import Capabilities

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# PATCH takes the place of PUT where it is granted, so it is no surplus there
_TWIN = {"PATCH": "PUT"}
# read by feeds of ours where they are enabled: open without need they are surplus, not merely worth knowing
_OURS = frozenset({"customers", "addresses"})
_PERSONAL = frozenset({"customers", "addresses", "customer_messages", "customer_threads", "messages", "employees"})
_TICKS = {
    "GET": "View (GET)",
    "PUT": "Modify (PUT)",
    "POST": "Add (POST)",
    "PATCH": "Modify (PATCH)",
    "DELETE": "Delete (DELETE)",
    "HEAD": "Fast view (HEAD)",
}


Granted = Mapping[str, Iterable[str]]
"""Resource → methods that the key has."""


def examine(shop: Capabilities, needs: Needs) -> list[Probe]:
    """One probe for each missing right, one for each feed, and the surplus."""
    wanted = _wanted(needs)
    missing = missing_rights(shop.permissions, needs)
    found = [_missing(resource, method, feeds) for (resource, method), feeds in sorted(missing.items())]
    if not missing:
        found.append(ok("Rights", f"all {len(wanted)} that the enabled feeds need"))
    found += [_feed(feed, missing) for feed in sorted(needs)]
    return [*found, _surplus(shop, needs), _deletes(shop), _people(shop, wanted)]


def missing_rights(granted: Granted, needs: Needs) -> dict[tuple[str, str], list[str]]:
    """(resource, method) that feeds need and the key lacks → those feeds."""
    return {
        (resource, method): feeds
        for (resource, method), feeds in _wanted(needs).items()
        if method not in granted.get(resource, ())
    }


def surplus_rights(granted: Granted, needs: Needs) -> list[str]:
    """Rights to write that no feed uses, as ``DELETE on orders``."""
    wanted = _wanted(needs)
    return sorted(
        f"{method} on {resource}"
        for resource, methods in granted.items()
        for method in _WRITES.intersection(methods)
        if (resource, method) not in wanted and (resource, _TWIN.get(method, method)) not in wanted
    )


def _wanted(needs: Needs) -> dict[tuple[str, str], list[str]]:
    wanted: dict[tuple[str, str], list[str]] = {}
    for feed, resources in needs.items():
        for resource, methods in resources.items():
            for method in methods:
                wanted.setdefault((resource, method), []).append(feed)
    return wanted


def _missing(resource: str, method: str, feeds: list[str]) -> Probe:
    return fix(
        f"Rights: {method} on {resource}",
        f"missing, needed by {', '.join(sorted(feeds))}",
        f"In {WEBSERVICE} open the key and tick {_TICKS.get(method, method)} for {resource}.",
    )


def _feed(feed: str, missing: dict[tuple[str, str], list[str]]) -> Probe:
    lacking = [f"{method} on {resource}" for (resource, method), feeds in sorted(missing.items()) if feed in feeds]
    if lacking:
        remedy = f"In {WEBSERVICE} open the key and tick them."
        return fix(f"Feed {feed}", f"cannot do its work without {', '.join(lacking)}", remedy)
    return ok(f"Feed {feed}", "has the rights that it needs")


def _surplus(shop: Capabilities, needs: Needs) -> Probe:
    surplus = surplus_rights(shop.permissions, needs)
    if not surplus:
        return ok("Surplus rights", "none")
    text = f"{len(surplus)} rights to write that no enabled feed uses: {', '.join(surplus[:6])}"
    remedy = f"In {WEBSERVICE} open the key and untick them: what it may not do, nobody can do with it."
    return warn("Surplus rights", text + (" …" if len(surplus) > 6 else ""), remedy)


def _deletes(shop: Capabilities) -> Probe:
    deletes = sorted(resource for resource, methods in shop.permissions.items() if "DELETE" in methods)
    if not deletes:
        return ok("Rights to delete", "none")
    return ok("Rights to delete", f"on {len(deletes)} resources; nothing here ever deletes")


def _people(shop: Capabilities, wanted: dict[tuple[str, str], list[str]]) -> Probe:
    read = {resource for resource, method in wanted if method == "GET"}
    unused = sorted(name for name in _PERSONAL - read if shop.may("GET", name))
    if unused and read:
        text = f"may read {', '.join(unused)}, which no enabled feed does"
        if _OURS.intersection(unused):
            return warn("Personal data", text, f"In {WEBSERVICE} open the key and untick View (GET) for them.")
        return ok("Personal data", text)
    return ok("Personal data", "no more is open than the feeds read")
