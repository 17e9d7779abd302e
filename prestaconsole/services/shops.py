"""Shops as people see and steer them: list, show, pause, resume, settings. May import operations, model, database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from prestaconsole.database import Connection, upsert
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.model import Incident, Listing, Order, Shop, ShopMode, ShopSetting, Warehouse
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.formula import rules_changed
from prestaconsole.operations.shop_settings import SHOP_SETTINGS, by_warehouse, parse_setting
from prestaconsole.operations.shops import ShopRecord, all_shops, find_shop, fold
from prestaconsole.services.typed import email_address, one_line


@dataclass(frozen=True)
class ShopSummary:
    """A shop with its counts; times are aware UTC, ``held`` counts orders, ``incidents`` open ones."""

    id: int
    code: str
    name: str
    url: str
    email: str
    mode: str
    health: str
    version: str
    currency: str
    timezone: str
    colour: str
    listings: int
    orders: int
    held: int
    incidents: int
    paused: bool
    paused_until: datetime | None
    paused_by: str
    pause_reason: str
    key_print: str
    key_set_at: datetime | None
    last_good_at: datetime | None
    last_error_at: datetime | None
    last_error: str
    went_live_at: datetime | None


@dataclass(frozen=True)
class SettingRow:
    """One setting of a shop: the value in force, the default, and whether the shop has its own."""

    name: str
    value: str
    default: str
    meaning: str
    own: bool


OWN_FIELDS = {
    "email": "the owner's e-mail address, needed before going live",
    "name": "the shop's name, as typed to confirm what cannot be undone",
    "colour": "colour tag of the shop in the console",
}
_COLOURS = ("", "ochre", "red", "green", "blue", "violet", "teal", "grey", "pink")


def list_shops(core: Core, *, mode: str | None = None, limit: int | None = None) -> list[ShopSummary]:
    """Every shop by name, or those of one mode. Raises ``UsageError`` for an unknown mode."""
    wanted = parse_mode(mode) if mode else None

    def work(connection: Connection) -> list[ShopSummary]:
        statement = select(*Shop.__table__.columns).order_by(Shop.name)
        if wanted:
            statement = statement.where(Shop.mode == wanted)
        return summaries(connection, connection.execute(statement.limit(limit)).mappings().all())

    return core.database.read_now(work)


def show_shop(core: Core, shop: str) -> ShopSummary:
    """One shop by code, name or id. Raises ``NotFoundError``."""
    return core.database.read_now(lambda connection: summary(connection, find_shop(connection, shop).id))


def summary(connection: Connection, shop_id: int) -> ShopSummary:
    """One shop by id, inside a transaction."""
    row = connection.execute(select(*Shop.__table__.columns).where(Shop.id == shop_id)).mappings().one()
    return summaries(connection, [row])[0]


def summaries(connection: Connection, rows: Sequence[Mapping[Any, Any]]) -> list[ShopSummary]:
    """The counts beside the shops' rows, one statement a table however many shops there are."""
    sold = Listing.gone_at.is_(None) & Listing.has_combinations.is_(False)
    listings = _counts(connection, select(Listing.shop_id, func.count()).where(sold).group_by(Listing.shop_id))
    orders = _counts(connection, select(Order.shop_id, func.count()).group_by(Order.shop_id))
    held = _counts(
        connection, select(Order.shop_id, func.count()).where(Order.verdict == "hold").group_by(Order.shop_id)
    )
    open_ones = Incident.closed_at.is_(None)
    incidents = _counts(connection, select(Incident.shop_id, func.count()).where(open_ones).group_by(Incident.shop_id))
    return [
        ShopSummary(
            id=row["id"],
            code=row["code"],
            name=row["name"],
            url=row["base_url"],
            email=row["email"],
            mode=row["mode"],
            health=row["health"],
            version=row["version"],
            currency=row["currency"],
            timezone=row["timezone"],
            colour=row["colour"],
            listings=listings.get(row["id"], 0),
            orders=orders.get(row["id"], 0),
            held=held.get(row["id"], 0),
            incidents=incidents.get(row["id"], 0),
            paused=row["paused_at"] is not None,
            paused_until=row["paused_until"],
            paused_by=row["paused_by"],
            pause_reason=row["pause_reason"],
            key_print=row["key_print"],
            key_set_at=row["key_set_at"],
            last_good_at=row["last_good_at"],
            last_error_at=row["last_error_at"],
            last_error=row["last_error"],
            went_live_at=row["went_live_at"],
        )
        for row in rows
    ]


def _counts(connection: Connection, statement: Any) -> dict[int, int]:
    return dict(connection.execute(statement).all())


def parse_mode(text: str) -> ShopMode:
    """The mode of this name. Raises ``UsageError``."""
    try:
        return ShopMode(text.strip().lower())
    except ValueError:
        raise UsageError(f"“{text}” is no mode.", f"Modes: {', '.join(ShopMode)}.") from None


# -- pause ---------------------------------------------------------------------------------------------------


def pause_shop(core: Core, shop: str, *, reason: str, actor: str, until: datetime | None = None) -> ShopSummary:
    """Stop all feeds of a shop for a time, with a reason (row M23). Raises ``LockedError`` in draft."""
    reason = one_line("reason", reason, 200, needed=True)

    def work(connection: Connection) -> ShopSummary:
        record, now = find_shop(connection, shop), core.clock.now()
        if record.mode is ShopMode.DRAFT:
            raise LockedError(
                "A draft has no feeds yet.", "There is nothing to pause until its connection test passes."
            )
        if until is not None and until <= now:
            raise UsageError("The pause would end in the past.", "Give a moment ahead, or none.")
        after = {"until": until.isoformat() if until else None, "reason": reason}
        values = {"paused_at": now, "paused_until": until, "paused_by": actor, "pause_reason": reason}
        connection.execute(update(Shop).where(Shop.id == record.id).values(**values, updated_at=now))
        audit(connection, actor=actor, action="shop pause", at=now, shop_id=record.id, after=after, reason=reason)
        return summary(connection, record.id)

    return core.database.write_now(work)


def resume_shop(core: Core, shop: str, *, actor: str) -> ShopSummary:
    """End a shop's own pause; one that has none stays as it is. A pause of everything is not ended here."""

    def work(connection: Connection) -> ShopSummary:
        record, now = find_shop(connection, shop), core.clock.now()
        own = summary(connection, record.id)
        if own.paused:
            values: dict[str, Any] = {"paused_at": None, "paused_until": None, "paused_by": "", "pause_reason": ""}
            connection.execute(update(Shop).where(Shop.id == record.id).values(**values, updated_at=now))
            before = {"by": own.paused_by, "reason": own.pause_reason}
            audit(connection, actor=actor, action="shop resume", at=now, shop_id=record.id, before=before)
        return summary(connection, record.id)

    return core.database.write_now(work)


# -- settings ------------------------------------------------------------------------------------------------


def list_settings(core: Core, shop: str) -> list[SettingRow]:
    """Every setting of a shop with its meaning; the shop's own fields come first."""

    def work(connection: Connection) -> list[SettingRow]:
        record = find_shop(connection, shop)
        found = summary(connection, record.id)
        rows = [SettingRow(n, str(getattr(found, n)), "", meaning, True) for n, meaning in OWN_FIELDS.items()]
        for spec in SHOP_SETTINGS.values():
            own = spec.name in record.settings
            rows.append(
                SettingRow(spec.name, record.settings.get(spec.name, spec.default), spec.default, spec.meaning, own)
            )
        return rows

    return core.database.read_now(work)


def set_values(core: Core, shop: str, values: Mapping[str, str], *, actor: str) -> dict[str, str]:
    """Set fields and settings of a shop, all or none; an empty text gives a setting its default back.

    Gives the values in force. What shapes the shop's numbers marks its listings, so that they are planned anew.
    Raises ``UsageError`` naming the setting that does not take the text.
    """

    def work(connection: Connection) -> dict[str, str]:
        record, now = find_shop(connection, shop), core.clock.now()
        before: dict[str, str] = {}
        after: dict[str, str] = {}
        for name, text in values.items():
            name = name.strip()
            family = ".".join(name.split(".")[:2])
            name, text = by_warehouse(name, text, after.get(family, record.settings.get(family, "")))
            if name in OWN_FIELDS:
                before[name], after[name] = _set_field(connection, record, name, text)
                continue
            text = one_line(f"setting {name}", text, 400)
            if name in {"url", "key"}:
                raise UsageError(
                    f"The {name} is not a setting: a key belongs to one shop at one address.",
                    "A new key goes in with `shop rotate-key`; a shop at a new address is added anew.",
                )
            before[name], after[name] = _set_setting(connection, record, name, text, actor, now)
        rules_changed(connection, record, now)
        connection.execute(update(Shop).where(Shop.id == record.id).values(updated_at=now))
        audit(connection, actor=actor, action="shop set", at=now, shop_id=record.id, before=before, after=after)
        return after

    return core.database.write_now(work)


def _set_field(connection: Connection, shop: ShopRecord, name: str, text: str) -> tuple[str, str]:
    before = str(getattr(summary(connection, shop.id), name))
    if name == "email":
        text = email_address(text)
    elif name == "colour":
        text = one_line("colour", text, 40).lower()
        if text not in _COLOURS:
            raise UsageError(f"“{text}” is no colour tag.", f"Colours: {', '.join(filter(None, _COLOURS))}.")
    else:
        text = free_name(connection, text, besides=shop.id)
    connection.execute(update(Shop).where(Shop.id == shop.id).values({name: text}))
    return before, text


def _set_setting(
    connection: Connection, shop: ShopRecord, name: str, text: str, actor: str, now: datetime
) -> tuple[str, str]:
    default = SHOP_SETTINGS[name].default if name in SHOP_SETTINGS else ""
    before = shop.settings.get(name, default)
    value = parse_setting(name, text or default)
    if not text:
        mine = (ShopSetting.shop_id == shop.id) & (ShopSetting.name == name)
        connection.execute(delete(ShopSetting).where(mine))
        return before, default
    if name in {"stock.warehouses", "stock.import_to"}:
        text = _known_warehouses(connection, name, value)
    elif name in {"stock.share", "stock.lag"}:
        codes = _known_warehouses(connection, name, tuple(value)).split(",")
        text = ",".join(f"{code}:{number}" for code, number in zip(codes, value.values(), strict=True))
    row = {"shop_id": shop.id, "name": name, "value": text, "updated_at": now, "updated_by": actor}
    upsert(connection, ShopSetting, [row], key=["shop_id", "name"])
    return before, text


def _known_warehouses(connection: Connection, name: str, value: str | tuple[str, ...]) -> str:
    """The codes as they are written in the warehouses. Raises ``UsageError`` for one that does not exist."""
    typed = (value,) if isinstance(value, str) else value
    known = {code.casefold(): code for code in connection.execute(select(Warehouse.code)).scalars()}
    for code in typed:
        if code.casefold() not in known:
            there = ", ".join(known.values()) or "none yet"
            raise UsageError(
                f"{name} names the warehouse “{code}”, which does not exist.",
                f"Warehouses: {there}. `prestaconsole warehouse add CODE` makes one.",
            )
    return ",".join(known[code.casefold()] for code in typed)


def free_name(connection: Connection, text: str, *, besides: int = 0) -> str:
    """A shop's name that no other shop has (row C1). Raises ``UsageError``."""
    name = one_line("name", text, 120, needed=True)
    for other in all_shops(connection):
        if other.id != besides and fold(name) in {fold(other.name), other.code.casefold()}:
            raise UsageError(f"A shop called “{other.name}” ({other.code}) is already here.", "Give another name.")
    return name
