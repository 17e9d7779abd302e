"""What the shop has: storefronts, languages, currencies, states, carriers. Imports the reads."""

from collections.abc import Sequence

from prestaconsole.webservice.doctor.finding import Probe, Visit, fix, ok, warn
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.menus import CARRIERS, LANGUAGES, LOCALIZATION, STATES, generation
from prestaconsole.webservice.query import Query


async def examine(visit: Visit) -> list[Probe]:
    """The lists that orders and products point into."""
    found = [*_languages(visit), *await _storefronts(visit)]
    found += await _currencies(visit)
    found += await _states(visit)
    return found + await _carriers(visit)


async def _rows(visit: Visit, resource: str, fields: tuple[str, ...]) -> Sequence[Entity]:
    return (await visit.client.page(Query(resource, fields, limit=1000, id_shop=visit.id_shop))).entities


def _unreadable(name: str, resource: str) -> list[Probe]:
    return [warn(name, f"{resource} may not be read", f"Tick GET for {resource} on the key.")]


def _languages(visit: Visit) -> list[Probe]:
    if not visit.shop.languages:
        return _unreadable("Languages", "languages")
    active = [language.iso_code for language in visit.shop.languages if language.active]
    hidden = [language.iso_code for language in visit.shop.languages if not language.active]
    if not active:
        return [fix("Languages", "none is active", f"In {LANGUAGES} activate at least one language.")]
    found = [ok("Languages", ", ".join(active))]
    found.append(ok("Hidden languages", f"{', '.join(hidden)}: read and kept at every write" if hidden else "none"))
    return found


async def _storefronts(visit: Visit) -> list[Probe]:
    if not visit.may_read("shops"):
        return _unreadable("Storefronts", "shops")
    active = [front for front in visit.shop.storefronts if front.active]
    names = ", ".join(front.name for front in active)
    found = [ok("Storefronts", f"{len(active)}: {names}" if len(active) > 1 else names or "one")]
    if len(active) <= 1:
        return [*found, ok("Shared stock", "one storefront")]
    if not visit.may_read("shop_groups"):
        return found + _unreadable("Shared stock", "shop_groups")
    groups = await _rows(visit, "shop_groups", ("id", "name", "share_stock"))
    sharing = [group.text("name") for group in groups if group.flag("share_stock")]
    return [*found, ok("Shared stock", f"in {', '.join(sharing)}" if sharing else "in no group")]


async def _currencies(visit: Visit) -> list[Probe]:
    if not visit.may_read("currencies"):
        return _unreadable("Currencies", "currencies")
    rows = await _rows(visit, "currencies", ("id", "iso_code", "deleted"))
    codes = [row.text("iso_code") for row in rows if not row.flag("deleted")]
    default = visit.settings.get("PS_CURRENCY_DEFAULT", "")
    if default and default not in {str(row.id) for row in rows}:
        remedy = f"In {LOCALIZATION} choose the default currency again."
        return [fix("Currencies", f"the default currency {default} is not in the list", remedy)]
    return [ok("Currencies", ", ".join(codes))]


async def _states(visit: Visit) -> list[Probe]:
    if not visit.may_read("order_states"):
        return _unreadable("States of orders", "order_states")
    names = ("id", "paid", "shipped", "logable", "deleted")
    rows = await _rows(visit, "order_states", names)
    alive = {str(row.id) for row in rows if not row.flag("deleted")}
    found = []
    lost = [
        name for name in ("PS_OS_CANCELED", "PS_OS_ERROR") if visit.settings.get(name, "0") not in {*alive, "0", ""}
    ]
    if lost:
        remedy = f"In {STATES} make the state again, or confirm the states that cancel in the mappings."
        found.append(fix("States of orders", f"{', '.join(lost)} points to a state that is not there", remedy))
    else:
        found.append(ok("States of orders", f"{len(alive)} in use"))
    paid = sum(row.flag("paid") for row in rows)
    shipped = sum(row.flag("shipped") for row in rows)
    if generation(visit.shop.version) >= (1, 5) and not (paid and shipped):
        remedy = f"In {STATES} tick “consider the order as paid” and “as shipped” where it is so."
        found.append(warn("Paid and shipped", "no state is marked paid, or none shipped", remedy))
    else:
        found.append(ok("Paid and shipped", f"{paid} states mean paid, {shipped} shipped"))
    return found


async def _carriers(visit: Visit) -> list[Probe]:
    if not visit.may_read("carriers"):
        return _unreadable("Carriers", "carriers")
    rows = await _rows(visit, "carriers", ("id", "id_reference", "name", "active", "deleted", "url"))
    active = [row for row in rows if row.flag("active") and not row.flag("deleted")]
    if not active:
        return [warn("Carriers", "none is active", f"In {CARRIERS} activate one: orders need a carrier.")]
    silent = [row.text("name") for row in active if not row.text("url")]
    text = f"{len(active)} active, {sum(row.flag('deleted') for row in rows)} replaced ones kept"
    found = [ok("Carriers", text)]
    names = ", ".join(silent[:5])
    found.append(
        ok("Tracking links", f"none at {names}: their mails name no link" if silent else "all carriers have one")
    )
    return found
