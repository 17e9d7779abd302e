"""Connecting a shop: add, test, a new key. The key enters here and goes to the vault alone. May import webservice."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, insert, select, update

from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.feeds.enabled import needed_rights
from prestaconsole.model import Shop, ShopMode
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.identity import from_document
from prestaconsole.operations.secrets import store_key
from prestaconsole.operations.shops import ShopRecord, all_shops, find_shop, load_shop
from prestaconsole.redaction import Secret, redact
from prestaconsole.services.shops import ShopSummary, free_name, summary
from prestaconsole.services.typed import code_from, code_of, email_address
from prestaconsole.webservice.address import is_private, normalise
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.doctor import missing_rights, surplus_rights
from prestaconsole.webservice.errors import WebserviceError
from prestaconsole.webservice.identity import Identity, key_print, read_identity
from prestaconsole.webservice.probe import Capabilities, connect


@dataclass(frozen=True)
class ConnectionTest:
    """How the shop answered. ``kind`` is the stable word of what is wrong, empty when ``ok``.

    ``missing`` are rights that the enabled feeds need and the key lacks, ``surplus`` rights to write that none uses,
    both as ``PUT on stock_availables``.
    """

    ok: bool
    cause: str
    remedy: str
    kind: str
    version: str
    shop_name: str
    notes: tuple[str, ...]
    seconds: float
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Connected:
    """A shop that was added and how its test went: a passing one starts in setup, a failing one stays a draft."""

    shop: ShopSummary
    test: ConnectionTest


@dataclass(frozen=True)
class _Answer:
    """What one test found; ``capabilities`` and ``identity`` are None when it failed."""

    test: ConnectionTest
    capabilities: Capabilities | None = None
    identity: Identity | None = None


async def add_shop(
    core: Core, *, name: str, url: str, key: Secret, actor: str, email: str = "", code: str = ""
) -> Connected:
    """Add a shop by address and key, and test the connection at once (rows X3, B12, C1).

    The address is brought to its base first. Raises ``UsageError`` for a name, code or address that is taken, and for a
    key in any field but its own; nothing is stored then. A failing test leaves a draft with the reason.
    """
    base, email = normalise(url), email_address(email)
    if not key.reveal().strip():
        raise UsageError("No key was given.", "Hand it in on standard input: … --key-stdin < file.")

    def store(connection: Connection) -> int:
        now = core.clock.now()
        shop_name = free_name(connection, name)
        shop_code = _free_code(connection, shop_name, code)
        _refuse_same_base(connection, base)
        made = connection.execute(
            insert(Shop).values(
                code=shop_code, name=shop_name, base_url=base, email=email, created_at=now, updated_at=now
            )
        )
        assert made.inserted_primary_key is not None
        shop_id = int(made.inserted_primary_key[0])
        store_key(connection, core.vault, shop_id, key, now)
        after = {"name": shop_name, "code": shop_code, "url": base, "email": email}
        audit(connection, actor=actor, action="shop add", at=now, shop_id=shop_id, record=shop_code, after=after)
        return shop_id

    shop_id = await core.database.write(store)
    record = await core.database.read(lambda connection: load_shop(connection, shop_id))
    test = await _test_and_store(core, record, key, actor)
    return Connected(await core.database.read(lambda connection: summary(connection, shop_id)), test)


async def test_connection(core: Core, shop: str, *, actor: str) -> ConnectionTest:
    """Test a shop's connection with the key of the vault; a draft that passes moves to setup."""
    record = await core.database.read(lambda connection: find_shop(connection, shop))
    key = await core.database.read(lambda connection: core.key(connection, record))
    return await _test_and_store(core, record, key, actor)


async def rotate_key(core: Core, shop: str, key: Secret, *, actor: str) -> ConnectionTest:
    """Change a shop's key: the new one is tested first and takes over only when it passes (row C9).

    A failing test changes nothing; neither does a key that opens another installation.
    """
    record = await core.database.read(lambda connection: find_shop(connection, shop))
    if not key.reveal().strip():
        raise UsageError("No key was given.", "Hand it in on standard input: … --key-stdin < file.")
    answer = await _ask(core, record, key)
    if answer.capabilities is None:
        return answer.test
    moved = await core.database.read(lambda connection: _another_installation(connection, record, answer.identity))
    if moved is not None:
        return moved

    def store(connection: Connection) -> None:
        now = core.clock.now()
        before = {"print": connection.execute(select(Shop.key_print).where(Shop.id == record.id)).scalar()}
        store_key(connection, core.vault, record.id, key, now)
        _note_success(connection, record, answer, now)
        after = {"print": key_print(key)}
        audit(connection, actor=actor, action="shop rotate-key", at=now, shop_id=record.id, before=before, after=after)

    await core.database.write(store)
    return answer.test


# -- the test ------------------------------------------------------------------------------------------------


async def _test_and_store(core: Core, shop: ShopRecord, key: Secret, actor: str) -> ConnectionTest:
    answer = await _ask(core, shop, key)

    def store(connection: Connection) -> ConnectionTest:
        now = core.clock.now()
        test = answer.test
        if answer.capabilities is not None:
            refused = _another_installation(connection, shop, answer.identity)
            test = refused or _with_rights(connection, shop, test, answer.capabilities)
        if test.ok:
            _note_success(connection, shop, answer, now)
        else:
            values = {"health": "DOWN", "last_error": f"{test.cause} {test.remedy}".strip(), "last_error_at": now}
            connection.execute(update(Shop).where(Shop.id == shop.id).values(values))
        after = {"ok": test.ok, "kind": test.kind, "version": test.version}
        audit(connection, actor=actor, action="shop test", at=now, shop_id=shop.id, after=after)
        if test.ok and shop.mode is ShopMode.DRAFT:
            connection.execute(update(Shop).where(Shop.id == shop.id).values(mode=ShopMode.SETUP, updated_at=now))
            audit(
                connection,
                actor=actor,
                action="shop mode",
                at=now,
                shop_id=shop.id,
                before={"mode": ShopMode.DRAFT},
                after={"mode": ShopMode.SETUP},
                reason="the connection test passed",
            )
        return test

    return await core.database.write(store)


async def _ask(core: Core, shop: ShopRecord, key: Secret) -> _Answer:
    began = core.clock.monotonic()
    try:
        found = await connect(core.endpoint(shop, key), clock=core.clock)
        async with ShopClient(found.endpoint, clock=core.clock) as client:
            identity = await read_identity(client)
    except WebserviceError as error:
        seconds = core.clock.monotonic() - began
        cause, remedy = redact(error.cause), redact(error.remedy)
        return _Answer(ConnectionTest(False, cause, remedy, error.kind, "", "", (), seconds))
    seconds = core.clock.monotonic() - began
    test = ConnectionTest(True, "", "", "", found.version, found.shop_name, found.notes, seconds)
    return _Answer(test, found, identity)


def _note_success(connection: Connection, shop: ShopRecord, answer: _Answer, now: datetime) -> None:
    found, identity = answer.capabilities, answer.identity
    assert found is not None
    assert identity is not None
    capabilities = dict(shop.capabilities) | {
        "permissions": {resource: sorted(methods) for resource, methods in found.permissions.items()},
        "patch": found.patch,
        "tested_at": now.isoformat(),
    }
    values: dict[str, Any] = {
        "auth": found.endpoint.auth,
        "rewriting": found.endpoint.rewriting,
        "ps_method": found.endpoint.ps_method,
        "version": found.version or shop.version,
        "capabilities": capabilities,
        "health": "ok",
        "last_good_at": now,
        "last_error": "",
        "updated_at": now,
    }
    connection.execute(update(Shop).where(Shop.id == shop.id).values(values))


def _with_rights(connection: Connection, shop: ShopRecord, test: ConnectionTest, found: Capabilities) -> ConnectionTest:
    """The test with what the key lacks for the enabled feeds, and what it may do without need (rows B9, A4)."""
    needs = needed_rights(connection, shop)
    missing = {
        f"{method} on {name}": feeds for (name, method), feeds in missing_rights(found.permissions, needs).items()
    }
    surplus = surplus_rights(found.permissions, needs)
    notes = [f"The key lacks {right}, which {', '.join(sorted(feeds))} needs." for right, feeds in missing.items()]
    if surplus:
        notes.append(
            f"The key has {len(surplus)} rights to write that no enabled feed uses; "
            f"`prestaconsole doctor {shop.code}` names them."
        )
    return replace(test, notes=(*test.notes, *notes), missing=tuple(missing), surplus=tuple(surplus))


def _another_installation(connection: Connection, shop: ShopRecord, identity: Identity | None) -> ConnectionTest | None:
    """The test's verdict where what answers is another shop of ours, or no longer the shop it was (DESIGN §5)."""
    if identity is None:
        return None
    rows = connection.execute(select(Shop.id, Shop.name, Shop.base_url, Shop.fingerprint))
    for other_id, name, other_url, stored in rows:
        known = from_document(stored)
        if known is None:
            continue
        if other_id == shop.id and (differences := known.differs(identity)):
            return _refusal(
                f"What answers at this address is not the shop it was: {differences[0]}.",
                "It was restored, cloned or moved: compare both before anything is written.",
                "identity-changed",
            )
        if other_id != shop.id and _same_place(other_url, shop.base_url) and _same_orders(known, identity):
            return _refusal(
                f"This shop is already here as {name}: its first orders are the same.",
                "Use the one that is here, or leave this one a draft.",
                "same-installation",
            )
    return None


def _same_orders(known: Identity, identity: Identity) -> bool:
    return bool(known.first_orders) and not known.differs(identity)


def _same_place(one: str, other: str) -> bool:
    """Whether two addresses may lead to one installation: near this machine another port is another shop."""
    first, second = urlsplit(one), urlsplit(other)
    return first.port == second.port or not is_private(first.hostname or "")


def _refusal(cause: str, remedy: str, kind: str) -> ConnectionTest:
    return ConnectionTest(False, cause, remedy, kind, "", "", (), 0.0)


# -- names and addresses -------------------------------------------------------------------------------------


def _free_code(connection: Connection, name: str, typed: str) -> str:
    taken = {shop.code.casefold() for shop in all_shops(connection)}
    if typed:
        code = code_of("code", typed)
        if code.casefold() in taken:
            raise UsageError(f"A shop with the code {code} is already here.", "Give another code.")
        return code
    code = code_from(name) or f"shop-{(connection.execute(select(func.max(Shop.id))).scalar() or 0) + 1}"
    number, free = 1, code
    while free in taken:
        number += 1
        free = f"{code[:36]}-{number}"
    return free


def _refuse_same_base(connection: Connection, base: str) -> None:
    """One installation stands here once, whichever of http, https or www its address is written with."""
    for shop in all_shops(connection):
        if _bare(shop.base_url) == _bare(base):
            raise UsageError(
                f"This shop is already here as {shop.name} ({shop.base_url}).",
                f"`prestaconsole shop show {shop.code}` shows it; `shop rotate-key` gives it a new key.",
            )


def _bare(base: str) -> str:
    return base.partition("://")[2].removeprefix("www.")
