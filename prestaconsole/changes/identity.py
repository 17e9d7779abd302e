"""Before each day's first write: is this still the same shop, of the same version, with the right to write? (DESIGN §5)

Reads the shop; imports operations.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from prestaconsole.database import Connection
from prestaconsole.errors import LockedError
from prestaconsole.model import Shop, ShopMode
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.cursors import cursor
from prestaconsole.operations.identity import from_document, to_document
from prestaconsole.operations.incidents import open_incident
from prestaconsole.operations.order_start import ORDERS
from prestaconsole.operations.order_store import IdentityChanged
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.operations.stop import stop_for_identity
from prestaconsole.webservice.client import Root, ShopClient
from prestaconsole.webservice.identity import Identity, read_identity
from prestaconsole.webservice.query import Query

_NEEDED = (("GET", "stock_availables"), ("PUT", "stock_availables"), ("GET", "orders"), ("GET", "order_histories"))


@dataclass(frozen=True)
class _Seen:
    """What the shop says of itself now."""

    identity: Identity
    root: Root
    newest_order: int


async def check_before_write(core: Core, shop: ShopRecord, client: ShopClient) -> list[str]:
    """Compare the shop with what is known of it, once a day by its own calendar; gives changes worth a log line.

    Another identity pauses the shop with an incident, a changed version or a lost right moves it to rehearsal; both
    raise ``LockedError``. Raises ``WebserviceError`` when the shop cannot be asked: then nothing is written either.
    """
    now = core.clock.now()
    checked = await core.database.read(lambda c: _checked_at(c, shop.id))
    if checked is not None and checked.astimezone(shop.zone).date() == now.astimezone(shop.zone).date():
        return []
    seen = await _look(client)
    notes, refusal = await core.database.write(lambda c: _compare(c, shop, seen, now))
    if refusal is not None:
        raise refusal
    return notes


def lost_right(connection: Connection, shop: ShopRecord, words: str, remedy: str, at: datetime) -> LockedError:
    """Move a live shop to rehearsal because a write was refused for want of a right; gives the error to raise."""
    return _to_rehearsal(connection, shop, words, remedy, at)


def identity_changed(connection: Connection, shop: ShopRecord, error: IdentityChanged, at: datetime) -> None:
    """Stop the shop: orders that were polled for a push are not the ones we know."""
    stop_for_identity(connection, shop.id, error, at)


async def _look(client: ShopClient) -> _Seen:
    root = await client.root()
    identity = await read_identity(client)
    several = len(identity.shop_names) > 1
    newest = await client.page(Query("orders", ("id",), sort="-id", limit=1, id_shop="all" if several else None))
    return _Seen(identity, root, newest.last_id)


def _checked_at(connection: Connection, shop_id: int) -> datetime | None:
    found: datetime | None = connection.execute(select(Shop.identity_checked_at).where(Shop.id == shop_id)).scalar()
    return found


def _compare(
    connection: Connection, shop: ShopRecord, seen: _Seen, now: datetime
) -> tuple[list[str], LockedError | None]:
    stored = connection.execute(select(Shop.fingerprint, Shop.version).where(Shop.id == shop.id)).one()
    known = from_document(stored.fingerprint)
    differences = known.differs(seen.identity) if known is not None else []
    read_to = cursor(connection, shop.id, ORDERS) or 0
    if seen.newest_order < read_to:
        differences.append(f"its newest order is {seen.newest_order}, we have read up to {read_to}")
    if differences:
        error = IdentityChanged(
            f"{shop.name} is not the shop we know: {'; '.join(differences)}.",
            "The shop was restored, cloned or moved. Nothing was written; compare both, then resume the shop.",
        )
        identity_changed(connection, shop, error, now)
        return [], LockedError(error.cause, error.remedy)
    version = seen.root.version
    if stored.version and version and version != stored.version:
        words = f"The shop's version is {version} now, it was {stored.version}."
        remedy = f"Analyse it again (`prestaconsole shop analyse {shop.code}`), read a plan, then go live again."
        return [], _to_rehearsal(connection, shop, words, remedy, now)
    missing = [f"{method} on {resource}" for method, resource in _NEEDED if not seen.root.may(method, resource)]
    if missing:
        words = f"The key may not do {', '.join(missing)} any more."
        remedy = "In Advanced Parameters > Webservice tick it for the key, then go live again."
        return [], _to_rehearsal(connection, shop, words, remedy, now)
    notes = known.noted(seen.identity) if known is not None else []
    values = {"identity_checked_at": now, "fingerprint": to_document(seen.identity)}
    connection.execute(update(Shop).where(Shop.id == shop.id).values(**values))
    return notes, None


def _to_rehearsal(connection: Connection, shop: ShopRecord, words: str, remedy: str, at: datetime) -> LockedError:
    moved = connection.execute(
        update(Shop)
        .where(Shop.id == shop.id, Shop.mode == ShopMode.LIVE)
        .values(mode=ShopMode.REHEARSAL, updated_at=at)
    )
    if moved.rowcount:
        audit(
            connection,
            actor="PrestaConsole",
            action="shop mode",
            at=at,
            shop_id=shop.id,
            record=f"shop {shop.code}",
            before={"mode": ShopMode.LIVE},
            after={"mode": ShopMode.REHEARSAL},
            reason=words,
        )
        open_incident(
            connection,
            shop_id=shop.id,
            cause_key="moved to rehearsal",
            title=f"{shop.name} was moved from live to rehearsal: {words}",
            remedy=remedy,
            severity="STOP",
            at=at,
        )
    return LockedError(f"{words} {shop.name} is in rehearsal now and nothing was sent.", remedy)
