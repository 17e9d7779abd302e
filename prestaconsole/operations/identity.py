"""A shop's fingerprint as it is kept in its row, and what comparing it with the shop of today says (DESIGN §5)."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from prestaconsole.model import Shop
from prestaconsole.operations.core import Core
from prestaconsole.operations.order_store import IdentityChanged
from prestaconsole.operations.pages import PageCommit
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.operations.stop import stop_for_identity
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.identity import Identity, read_identity


def to_document(identity: Identity) -> dict[str, Any]:
    """The fingerprint as a document for ``shop.fingerprint``."""
    return asdict(identity)


def from_document(document: Mapping[str, Any]) -> Identity | None:
    """The fingerprint kept in ``shop.fingerprint``; None while none was taken."""
    if not document:
        return None
    orders = tuple((int(number), str(reference), str(day)) for number, reference, day in document["first_orders"])
    names = tuple(str(name) for name in document["shop_names"])
    return Identity(orders, names, str(document["key_print"]), bool(document.get("orders_read", True)))


async def require_same_shop(core: Core, shop: ShopRecord, client: ShopClient, commit: PageCommit) -> Identity | None:
    """Stop the shop and raise ``IdentityChanged`` when another installation answers than the one that was analysed.

    Gives the fingerprint as just read; None, without asking the shop, while none was ever taken.

    Feeds that read no orders ask this first: a test copy would otherwise fill our books (N9).
    """
    stored = await core.database.read(lambda c: c.execute(select(Shop.fingerprint).where(Shop.id == shop.id)).scalar())
    known = from_document(stored or {})
    if known is None:
        return None
    seen = await read_identity(client)
    differences = known.differs(seen)
    if not differences:
        return seen
    error = IdentityChanged(
        f"Another shop answers: {'; '.join(differences[:2])}.",
        "The shop was restored, cloned or moved. Nothing was stored; compare both before going on.",
    )
    now = core.clock.now()
    await commit(lambda c: stop_for_identity(c, shop.id, error, now))
    raise error
