"""The feed ``analyse``: what kind of shop this is, read only (row X8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select, update

from prestaconsole.database import Connection, upsert
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import Shop, ShopFinding, ShopPayment, Storefront
from prestaconsole.operations import reference as words
from prestaconsole.operations.identity import require_same_shop, to_document
from prestaconsole.operations.pages import LogLine
from prestaconsole.webservice import capabilities, identity
from prestaconsole.webservice.client import Root
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.errors import WebserviceError
from prestaconsole.webservice.query import Query, one_of

_CONFIGURATIONS = (
    *("PS_TIMEZONE", "PS_CURRENCY_DEFAULT", "PS_LANG_DEFAULT", "PS_VERSION_DB", "PS_SHOP_NAME"),
    *("PS_MULTISHOP_FEATURE_ACTIVE", "PS_ADVANCED_STOCK_MANAGEMENT", "PS_STOCK_MANAGEMENT", "PS_ORDER_OUT_OF_STOCK"),
    *("PS_OS_CANCELED", "PS_OS_ERROR", "PS_OS_SHIPPING", "PS_OS_DELIVERED", "PS_PACK_STOCK_TYPE"),
)
_PAYMENT_ORDERS = 1000


@dataclass
class _Reading:
    """What was read of the shop, before anything is stored."""

    root: Root
    configuration: Mapping[str, str] = field(default_factory=dict)
    languages: Sequence[Entity] = ()
    currencies: Sequence[Entity] = ()
    states: Sequence[Entity] = ()
    carriers: Sequence[Entity] = ()
    shops: Sequence[Entity] = ()
    groups: Sequence[Entity] = ()
    payments: Mapping[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    probed: Mapping[str, Any] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Finding:
    name: str
    verdict: str
    text: str
    remedy: str = ""


async def run(context: FeedContext) -> Outcome:
    """Read the shop's own description and store it in one page. Reads about a dozen lists, writes nothing."""
    found = await require_same_shop(context.core, context.shop, context.client, context.commit)
    reading = await _read(context)
    if found is None:
        found = await identity.read_identity(context.client)
    findings = _findings(reading)
    now = context.core.clock.now()

    def store(connection: Connection) -> None:
        changed = _store_shop(connection, context, reading, to_document(found))
        _store_findings(connection, context, [*findings, *_changed(changed)])
        language = int(reading.configuration.get("PS_LANG_DEFAULT") or 0)
        roles = {
            name: int(reading.configuration[name])
            for name in (words.CANCELED, words.ERROR)
            if reading.configuration.get(name, "").isdigit()
        }
        shop_id = context.shop.id
        words.store_languages(connection, shop_id, reading.languages)
        words.store_currencies(connection, shop_id, reading.currencies)
        words.store_states(connection, shop_id, reading.states, roles, id_language=language, now=now)
        words.store_carriers(connection, shop_id, reading.carriers)
        _store_payments(connection, context, reading)

    counts = {"seen": len(reading.states) + len(reading.carriers) + len(reading.currencies) + len(reading.languages)}
    worst = [finding for finding in findings if finding.verdict != "ok"]
    logs = [
        LogLine(
            "info",
            f"PrestaShop {reading.root.version}, {len(reading.states)} order states, {len(reading.carriers)} carriers",
        ),
        *(LogLine("warn", f"{finding.verdict} {finding.name}: {finding.text}") for finding in worst),
    ]
    await context.commit(store, done=counts["seen"], total=counts["seen"], counts=counts, logs=logs)
    return Outcome(complete=True, text=f"{len(worst)} findings need a look" if worst else "nothing out of the ordinary")


async def _read(context: FeedContext) -> _Reading:
    client = context.client
    reading = _Reading(await client.root())
    reading.configuration = await _configuration(context, reading)
    reading.languages = await _all(context, "languages", ("iso_code", "name", "active"))
    reading.currencies = await words.read_currencies(client)
    reading.states = await words.read_states(client)
    reading.carriers = await words.read_carriers(client)
    reading.shops = await _optional(context, reading, "shops", ("id_shop_group", "name", "active", "deleted"))
    reading.groups = await _optional(context, reading, "shop_groups", ("name", "share_stock", "active"))
    reading.payments = await _payments(context)
    reading.probed = await capabilities.probed(client, reading.root)
    return reading


async def _all(context: FeedContext, resource: str, fields: tuple[str, ...]) -> list[Entity]:
    return [entity async for page in context.client.pages(resource, fields) for entity in page.entities]


async def _optional(context: FeedContext, reading: _Reading, resource: str, fields: tuple[str, ...]) -> list[Entity]:
    """A list that a key may lack the right for: then it is noted, not failed."""
    if not reading.root.may("GET", resource):
        reading.refused.append(resource)
        return []
    return await _all(context, resource, fields)


async def _configuration(context: FeedContext, reading: _Reading) -> dict[str, str]:
    """The shop's own settings that matter; the row without a storefront wins over a storefront's own."""
    if not reading.root.may("GET", "configurations"):
        reading.refused.append("configurations")
        return {}
    query = Query("configurations", ("name", "value", "id_shop", "id_shop_group"), {"name": one_of(_CONFIGURATIONS)})
    try:
        page = await context.client.page(query)
    except WebserviceError as error:
        if error.kind != "no-permission-resource":
            raise
        reading.refused.append("configurations")
        return {}
    found: dict[str, str] = {}
    for entity in sorted(page.entities, key=lambda e: bool(e.integer("id_shop") or e.integer("id_shop_group"))):
        found.setdefault(entity.text("name"), entity.text("value"))
    return found


async def _payments(context: FeedContext) -> dict[tuple[str, str], tuple[int, Any]]:
    """(module, text) pairs of the newest orders, with how often and when last (rows B22, M13)."""
    fields = ("module", "payment", "date_add")
    page = await context.client.page(Query("orders", fields, sort="-id", limit=_PAYMENT_ORDERS))
    found: dict[tuple[str, str], tuple[int, Any]] = {}
    for order in page.entities:
        pair = (order.text("module")[:120], order.text("payment")[:255])
        count, last = found.get(pair, (0, None))
        found[pair] = (count + 1, last or order.local_time("date_add", context.shop.zone))
    return found


def _findings(reading: _Reading) -> list[_Finding]:
    configuration = reading.configuration
    findings = [_Finding("version", "ok", f"PrestaShop {reading.root.version}")]
    if "configurations" in reading.refused:
        findings.append(
            _Finding(
                "configurations",
                "FIX",
                "The key may not read configurations, so the time zone and the cancelling states are not known.",
                "Tick GET on configurations for the key, or confirm the states that give stock back by hand.",
            )
        )
    elif not configuration.get("PS_TIMEZONE"):
        findings.append(
            _Finding("time-zone", "WARN", "The shop names no time zone; UTC is taken.", "Set it in the shop.")
        )
    else:
        findings.append(_Finding("time-zone", "ok", configuration["PS_TIMEZONE"]))
    if configuration.get("PS_ADVANCED_STOCK_MANAGEMENT") == "1":
        text = "Advanced stock management is on: products that use it cannot be written through the webservice."
        findings.append(_Finding("advanced-stock", "WARN", text, "Those products are left out; the list names them."))
    if configuration.get("PS_STOCK_MANAGEMENT") == "0":
        findings.append(
            _Finding("stock-management", "FIX", "Stock management is off in the shop.", "Switch it on under Products.")
        )
    active = [shop for shop in reading.shops if shop.flag("active") and not shop.flag("deleted")]
    if len(active) > 1:
        findings.append(_Finding("multistore", "WARN", f"{len(active)} storefronts in one installation."))
    return findings


def _changed(lines: Sequence[str]) -> list[_Finding]:
    """What is different since the last analysis, if there was one."""
    if not lines:
        return []
    return [_Finding("changed", "WARN", " ".join(lines), "Read a plan before the next stock is sent.")]


def _store_shop(connection: Connection, context: FeedContext, reading: _Reading, found: Mapping[str, Any]) -> list[str]:
    """Store what the shop is, and give what changed since the last analysis."""
    configuration, shop_id = reading.configuration, context.shop.id
    stored = connection.execute(select(Shop.fingerprint, Shop.capabilities).where(Shop.id == shop_id)).one()
    default = int(configuration.get("PS_CURRENCY_DEFAULT") or 0)
    currency = next((entity.text("iso_code") for entity in reading.currencies if entity.id == default), "")
    storefronts = [shop.id for shop in reading.shops if shop.flag("active") and not shop.flag("deleted")]
    known = {
        **stored.capabilities,
        **reading.probed,
        "permissions": {name: sorted(methods) for name, methods in reading.root.permissions.items()},
        "storefronts": storefronts,
        "advanced_stock": configuration.get("PS_ADVANCED_STOCK_MANAGEMENT") == "1",
        "clock_skew": reading.root.clock_skew,
        "languages": [entity.text("iso_code") for entity in reading.languages if entity.flag("active")],
        "sharing_groups": [group.id for group in reading.groups if group.flag("share_stock")],
        "pack_stock_type": int(configuration.get("PS_PACK_STOCK_TYPE") or 0),
        "timezone": configuration.get("PS_TIMEZONE", ""),
        "currency": currency,
    }
    changed = capabilities.changes(stored.capabilities, known)
    values: dict[str, Any] = {
        "version": reading.root.version or context.shop.version,
        "capabilities": known,
        "updated_at": context.core.clock.now(),
    }
    if configuration.get("PS_TIMEZONE"):
        values["timezone"] = configuration["PS_TIMEZONE"]
    if currency:
        values["currency"] = currency[:3].upper()
    if configuration.get("PS_LANG_DEFAULT", "").isdigit():
        values["id_language"] = int(configuration["PS_LANG_DEFAULT"])
    if not stored.fingerprint:
        values["fingerprint"] = dict(found)
        values["identity_checked_at"] = context.core.clock.now()
    connection.execute(update(Shop).where(Shop.id == shop_id).values(**values))
    sharing = {group.id for group in reading.groups if group.flag("share_stock")}
    rows = [
        {
            "shop_id": shop_id,
            "id_shop": shop.id,
            "id_shop_group": shop.integer("id_shop_group"),
            "name": shop.text("name")[:200],
            "active": shop.flag("active") and not shop.flag("deleted"),
            "shares_stock": shop.integer("id_shop_group") in sharing,
        }
        for shop in reading.shops
    ]
    upsert(connection, Storefront, rows, key=["shop_id", "id_shop"])
    return changed


def _store_findings(connection: Connection, context: FeedContext, findings: Sequence[_Finding]) -> None:
    shop_id, now = context.shop.id, context.core.clock.now()
    connection.execute(delete(ShopFinding).where(ShopFinding.shop_id == shop_id, ShopFinding.source == "analyse"))
    rows = [
        {
            "shop_id": shop_id,
            "source": "analyse",
            "name": finding.name,
            "verdict": finding.verdict,
            "text": finding.text,
            "remedy": finding.remedy,
            "found_at": now,
        }
        for finding in findings
    ]
    connection.execute(insert(ShopFinding), rows)


def _store_payments(connection: Connection, context: FeedContext, reading: _Reading) -> None:
    rows = [
        {"shop_id": context.shop.id, "module": module, "payment": payment, "orders": count, "last_seen_at": last}
        for (module, payment), (count, last) in reading.payments.items()
    ]
    upsert(connection, ShopPayment, rows, key=["shop_id", "module", "payment"])
