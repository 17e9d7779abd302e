"""Finding shops and reading them as plain records."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError
from prestaconsole.model import Shop, ShopMode, ShopSetting
from prestaconsole.operations.audit import audit
from prestaconsole.operations.pauses import pause_of_everything

_FOLDED_LETTERS = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})


@dataclass(frozen=True)
class ShopRecord:
    """A shop as feeds and services see it; ``settings`` are raw stored values that `shop_settings.value` reads.

    ``paused`` and what belongs to it is the pause in force: that of everything (``all_paused``) before its own.
    """

    id: int
    code: str
    name: str
    base_url: str
    email: str
    mode: ShopMode
    version: str
    zone: ZoneInfo
    currency: str
    id_language: int
    auth: Literal["basic", "ws_key"]
    rewriting: bool
    ps_method: bool
    paused: bool
    paused_until: datetime | None
    paused_by: str
    pause_reason: str
    capabilities: Mapping[str, Any]
    settings: Mapping[str, str] = field(default_factory=dict)
    all_paused: bool = False


def fold(text: str) -> str:
    """A name as people compare it: case, accents and ł ø ß do not count (SCREENS §1)."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_FOLDED_LETTERS))
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def zone_of(name: str) -> ZoneInfo:
    """The shop's zone; UTC while it is unknown or unheard of."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def all_shops(connection: Connection) -> list[ShopRecord]:
    """Every shop, by name."""
    return _records(connection, select(*Shop.__table__.columns).order_by(Shop.name))


def load_shop(connection: Connection, shop_id: int) -> ShopRecord:
    """The shop with this id. Raises ``NotFoundError``."""
    found = _records(connection, select(*Shop.__table__.columns).where(Shop.id == shop_id))
    if not found:
        raise NotFoundError(f"No shop has the id {shop_id}.", "`prestaconsole shop list` shows all shops.")
    return found[0]


def find_shop(connection: Connection, text: str) -> ShopRecord:
    """The shop with this code, name (case and accents ignored) or id. Raises ``NotFoundError``."""
    wanted = fold(text)
    shops = all_shops(connection)
    for shop in shops:
        if wanted in {shop.code.casefold(), fold(shop.name)}:
            return shop
    if text.isdigit():
        for shop in shops:
            if shop.id == int(text):
                return shop
    known = ", ".join(shop.code for shop in shops[:8]) or "none yet"
    raise NotFoundError(f"No shop is called “{text}”.", f"Known codes: {known}. `prestaconsole shop list` shows all.")


def remember_ways(connection: Connection, shop_id: int, learned: Mapping[str, bool], at: datetime) -> None:
    """Keep what a client found to be needed at this shop: ``ps_method`` where the host blocks PUT (F64)."""
    if not learned.get("ps_method"):
        return
    found = connection.execute(
        update(Shop).where(Shop.id == shop_id, Shop.ps_method.is_(False)).values(ps_method=True, updated_at=at)
    )
    if found.rowcount:
        audit(
            connection,
            actor="PrestaConsole",
            action="shop way",
            at=at,
            shop_id=shop_id,
            before={"ps_method": False},
            after={"ps_method": True},
            reason="the host blocks PUT, POST with ps_method works",
        )


def names_match(shop: ShopRecord, typed: str) -> bool:
    """Whether what a person typed to confirm names this shop, in full or by code."""
    return fold(typed) in {fold(shop.name), shop.code.casefold()}


def _records(connection: Connection, statement: Any) -> list[ShopRecord]:
    rows = connection.execute(statement).mappings().all()
    everything = pause_of_everything(connection)
    ids = [row["id"] for row in rows]
    settings: dict[int, dict[str, str]] = {}
    stored = select(ShopSetting.shop_id, ShopSetting.name, ShopSetting.value).where(ShopSetting.shop_id.in_(ids))
    for shop_id, name, value in connection.execute(stored):
        settings.setdefault(shop_id, {})[name] = value
    return [
        ShopRecord(
            id=row["id"],
            code=row["code"],
            name=row["name"],
            base_url=row["base_url"],
            email=row["email"],
            mode=ShopMode(row["mode"]),
            version=row["version"],
            zone=zone_of(row["timezone"]),
            currency=row["currency"],
            id_language=row["id_language"],
            auth="ws_key" if row["auth"] == "ws_key" else "basic",
            rewriting=row["rewriting"],
            ps_method=row["ps_method"],
            paused=row["paused_at"] is not None or everything is not None,
            paused_until=everything.until if everything else row["paused_until"],
            paused_by=everything.by if everything else row["paused_by"],
            pause_reason=everything.reason if everything else row["pause_reason"],
            capabilities=row["capabilities"],
            settings=settings.get(row["id"], {}),
            all_paused=everything is not None,
        )
        for row in rows
    ]
