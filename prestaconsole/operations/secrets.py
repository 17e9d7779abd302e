"""Keeping a shop's key in the vault's table."""

from datetime import datetime

from sqlalchemy import select, update

from prestaconsole.database import Connection, upsert
from prestaconsole.model import SealedSecret, Shop
from prestaconsole.redaction import Secret
from prestaconsole.vault import Sealed, Vault, VaultError

WEBSERVICE_KEY = "webservice_key"


def store_key(connection: Connection, vault: Vault, shop_id: int, key: Secret, now: datetime) -> None:
    """Seal the shop's webservice key; replaces the one before."""
    # Loaded here alone: it brings HTTP along, which most commands never need.
    from prestaconsole.webservice.identity import key_print

    sealed = vault.seal(key, shop_id=shop_id, name=WEBSERVICE_KEY)
    row = {
        "shop_id": shop_id,
        "name": WEBSERVICE_KEY,
        "wrapped_with": sealed.wrapped_with,
        "nonce": sealed.nonce,
        "ciphertext": sealed.ciphertext,
        "sealed_at": now,
    }
    upsert(connection, SealedSecret, [row], key=["shop_id", "name"])
    connection.execute(update(Shop).where(Shop.id == shop_id).values(key_print=key_print(key), key_set_at=now))


def open_key(connection: Connection, vault: Vault, shop_id: int) -> Secret:
    """The shop's webservice key. Raises ``VaultError`` when it is absent or does not open."""
    row = connection.execute(
        select(SealedSecret.wrapped_with, SealedSecret.nonce, SealedSecret.ciphertext).where(
            SealedSecret.shop_id == shop_id, SealedSecret.name == WEBSERVICE_KEY
        )
    ).one_or_none()
    if row is None:
        raise VaultError(
            f"No key is stored for shop {shop_id}.", "Enter it with `prestaconsole shop rotate-key SHOP --key-stdin`."
        )
    return vault.open(Sealed(row.wrapped_with, row.nonce, row.ciphertext), shop_id=shop_id, name=WEBSERVICE_KEY)


def rewrap_all(connection: Connection, old: Vault, new: Vault, now: datetime) -> int:
    """Seal every stored secret under a new vault key, all or none; gives how many."""
    rows = connection.execute(select(*SealedSecret.__table__.columns)).all()
    for row in rows:
        sealed = Sealed(row.wrapped_with, row.nonce, row.ciphertext)
        fresh = old.rewrap(sealed, new, shop_id=row.shop_id, name=row.name)
        connection.execute(
            update(SealedSecret)
            .where(SealedSecret.shop_id == row.shop_id, SealedSecret.name == row.name)
            .values(wrapped_with=fresh.wrapped_with, nonce=fresh.nonce, ciphertext=fresh.ciphertext, sealed_at=now)
        )
    return len(rows)
