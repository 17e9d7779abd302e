"""What a shop's orders refer to: states, carriers, currencies, languages, rules. Reading, storing and loading them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, delete, select

from prestaconsole.database import Connection, insert_new, upsert
from prestaconsole.model import OrderStateRule, ShopCarrier, ShopCurrency, ShopLanguage, ShopOrderState
from prestaconsole.rules import order_state
from prestaconsole.rules.order_state import OrderStateFlags, StateRule
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.entity import Entity

STATE_FIELDS = (
    *("deleted", "hidden", "send_email", "invoice", "logable", "delivery", "shipped", "paid"),
    *("color", "module_name", "name", "template"),
)
CARRIER_FIELDS = ("deleted", "id_reference", "name", "active", "url", "external_module_name")
CANCELED, ERROR = "PS_OS_CANCELED", "PS_OS_ERROR"
_TEMPLATES = {"order_canceled": CANCELED, "payment_error": ERROR}
"""Mail templates by which the two roles can be suggested where configurations may not be read."""


@dataclass(frozen=True)
class Reference:
    """What is known of a shop's words, loaded once for a run or a page."""

    states: Mapping[int, OrderStateFlags]
    rules: Mapping[int, StateRule]
    carriers: frozenset[int]
    currencies: Mapping[int, tuple[str, int]]
    """id_currency → ISO code and digits."""


def load_reference(connection: Connection, shop_id: int) -> Reference:
    """What is stored of a shop's states, rules, carriers and currencies."""
    rows = connection.execute(select(*ShopOrderState.__table__.columns).where(ShopOrderState.shop_id == shop_id))
    states = {row["id_order_state"]: _flags(row) for row in rows.mappings()}
    stored = select(
        OrderStateRule.id_order_state, OrderStateRule.action, OrderStateRule.retry, OrderStateRule.retry_days
    ).where(OrderStateRule.shop_id == shop_id)
    rules = {row.id_order_state: StateRule(row.action, row.retry, row.retry_days) for row in connection.execute(stored)}
    carriers = connection.execute(select(ShopCarrier.id_carrier).where(ShopCarrier.shop_id == shop_id)).scalars()
    money = select(ShopCurrency.id_currency, ShopCurrency.iso_code, ShopCurrency.digits)
    currencies = connection.execute(money.where(ShopCurrency.shop_id == shop_id))
    return Reference(
        states, rules, frozenset(carriers), {row.id_currency: (row.iso_code, row.digits) for row in currencies}
    )


_FLAGS = ("name", "paid", "shipped", "logable", "invoice", "delivery", "deleted", "gives_back", "role")


def _flags(row: RowMapping) -> OrderStateFlags:
    return OrderStateFlags(id=row["id_order_state"], **{name: row[name] for name in _FLAGS})


async def read_states(client: ShopClient) -> list[Entity]:
    """All order states of a shop, deleted ones included: old orders are in them."""
    return [entity async for page in client.pages("order_states", STATE_FIELDS) for entity in page.entities]


async def read_carriers(client: ShopClient) -> list[Entity]:
    """All carriers, deleted ones included: an edit makes a new id (FEATURES P12)."""
    return [entity async for page in client.pages("carriers", CARRIER_FIELDS) for entity in page.entities]


async def read_currencies(client: ShopClient) -> list[Entity]:
    """All currencies whole, deleted ones included; their field names differ by version (WEBSERVICE §7.10)."""
    return [entity async for page in client.pages("currencies", ()) for entity in page.entities]


def store_states(
    connection: Connection,
    shop_id: int,
    entities: Sequence[Entity],
    roles: Mapping[str, int],
    *,
    id_language: int,
    now: datetime,
    suggest: bool = True,
) -> list[int]:
    """Store the states; ``suggest`` gives each that has no rule the one its flags suggest. Gives the new ids.

    A state that appears between two analyses gets no rule: its orders are held until a person says what it means.
    ``roles`` are PS_OS_CANCELED and PS_OS_ERROR as read. Without them a new state's role is only a suggestion by its
    mail template, which a person must confirm before stock is imported; what stands stays (DESIGN §5a).
    """
    before = select(ShopOrderState.id_order_state).where(ShopOrderState.shop_id == shop_id)
    known = set(connection.execute(before).scalars())
    role_of = {number: name for name, number in roles.items()}
    rows = []
    for entity in entities:
        role = (
            role_of.get(entity.id, "") if roles else _TEMPLATES.get(_in_language(entity, "template", id_language), "")
        )
        rows.append(
            {
                "shop_id": shop_id,
                "id_order_state": entity.id,
                "name": _in_language(entity, "name", id_language)[:120],
                "color": entity.text("color"),
                "module_name": entity.text("module_name"),
                **{flag: entity.flag(flag) for flag in ("paid", "shipped", "delivery", "invoice", "logable")},
                **{flag: entity.flag(flag) for flag in ("send_email", "hidden", "deleted")},
                "role": role,
                "gives_back": bool(role),
                "gives_back_source": "configuration" if roles else "suggested",
            }
        )
    kept = () if roles else ("gives_back", "gives_back_source", "role")
    upsert(connection, ShopOrderState, rows, key=["shop_id", "id_order_state"], keep=kept)
    if suggest:
        suggest_rules(connection, shop_id, now=now)
    return [entity.id for entity in entities if entity.id not in known]


def suggest_rules(connection: Connection, shop_id: int, *, now: datetime) -> None:
    """Give every state without a rule the one its flags suggest; a person's rules stay."""
    reference = load_reference(connection, shop_id)
    rows = []
    for state in reference.states.values():
        rule = order_state.suggest(state)
        rows.append(
            {
                "shop_id": shop_id,
                "id_order_state": state.id,
                "action": rule.action,
                "retry": rule.retry,
                "retry_days": rule.retry_days,
                "suggested": True,
                "updated_at": now,
                "updated_by": "suggestion",
            }
        )
    insert_new(connection, OrderStateRule, rows, key=["shop_id", "id_order_state"])


def store_carriers(connection: Connection, shop_id: int, entities: Sequence[Entity]) -> None:
    """Store the carriers of a shop."""
    rows = [
        {
            "shop_id": shop_id,
            "id_carrier": entity.id,
            "id_reference": entity.integer("id_reference"),
            "name": entity.text("name")[:120],
            "active": entity.flag("active"),
            "deleted": entity.flag("deleted"),
            "url": entity.text("url")[:400],
            "external_module_name": entity.text("external_module_name")[:120],
        }
        for entity in entities
    ]
    upsert(connection, ShopCarrier, rows, key=["shop_id", "id_carrier"])


def store_currencies(connection: Connection, shop_id: int, entities: Sequence[Entity]) -> None:
    """Store the currencies; digits from ``precision`` (1.7.6+) or the ``decimals`` switch before (R15)."""
    rows = []
    for entity in entities:
        if entity.has("precision"):
            digits = entity.integer("precision")
        else:
            digits = 2 if not entity.has("decimals") or entity.flag("decimals") else 0
        rows.append(
            {
                "shop_id": shop_id,
                "id_currency": entity.id,
                "iso_code": entity.text("iso_code")[:3].upper(),
                "digits": digits,
                "deleted": entity.flag("deleted"),
            }
        )
    upsert(connection, ShopCurrency, rows, key=["shop_id", "id_currency"])


def store_languages(connection: Connection, shop_id: int, entities: Sequence[Entity]) -> None:
    """Store the languages; one that is gone from the shop is gone here."""
    rows = [
        {
            "shop_id": shop_id,
            "id_lang": entity.id,
            "iso_code": entity.text("iso_code")[:8],
            "name": entity.text("name")[:80],
            "active": entity.flag("active"),
        }
        for entity in entities
    ]
    upsert(connection, ShopLanguage, rows, key=["shop_id", "id_lang"])
    gone = [ShopLanguage.shop_id == shop_id, ShopLanguage.id_lang.not_in([entity.id for entity in entities])]
    if rows:
        connection.execute(delete(ShopLanguage).where(*gone))


def _in_language(entity: Entity, name: str, id_language: int) -> str:
    texts = entity.languages(name)
    return texts.get(id_language) or next((text for text in texts.values() if text), "") or entity.text(name)
