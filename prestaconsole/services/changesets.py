"""Plans and what became of them: list, show, approve, release, drop, apply, undo. May import changes, runner, model."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from prestaconsole.changes import decide, undo
from prestaconsole.changes.gate import require_live
from prestaconsole.changes.journal import count_states
from prestaconsole.database import Connection
from prestaconsole.errors import HeldError, NotFoundError, UsageError
from prestaconsole.model import (
    Change,
    ChangeKind,
    Changeset,
    ChangesetState,
    ChangeState,
    Listing,
    Shop,
)
from prestaconsole.operations.core import Core
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import find_shop, load_shop
from prestaconsole.services.feeds import Requested, request_feed
from prestaconsole.services.runs import Listener, RunDetail, wait_for
from prestaconsole.services.typed import one_line

FEED_OF_KIND = {ChangeKind.STOCK: "export_stock"}
FIELDS = {(ChangeKind.STOCK, 0): "quantity"}


@dataclass(frozen=True)
class ChangesetRow:
    """A plan: ``rows`` is its size, ``counts`` its changes by state. ``brake`` holds the rules and what they found."""

    id: int
    shop: str
    kind: str
    state: str
    rows: int
    counts: Mapping[str, int]
    mode: str
    reason: str
    actor: str
    canary: bool
    brake: Mapping[str, Any]
    undoes: int | None
    run: int | None
    created_at: datetime
    planned_at: datetime | None
    approved_at: datetime | None
    approved_by: str
    released_at: datetime | None
    released_by: str
    release_reason: str
    ended_at: datetime | None
    error: str


@dataclass(frozen=True)
class ChangeRow:
    """One value, ours → the shop's. For stock ``record`` is the listing's id and the values are whole units."""

    id: int
    changeset: int
    shop: str
    kind: str
    record: int
    field: str
    before: int | str | None
    after: int | str
    observed: int | str | None
    state: str
    sku: str
    id_product: int | None
    id_product_attribute: int | None
    name: str
    note: str


def list_changesets(
    core: Core, *, shop: str | None = None, state: str | None = None, limit: int | None = None
) -> list[ChangesetRow]:
    """Plans, newest first. Raises ``UsageError`` for an unknown state."""
    if state is not None and state not in set(ChangesetState):
        raise UsageError(f"“{state}” is no state of a plan.", f"States: {', '.join(ChangesetState)}.")

    def work(connection: Connection) -> list[ChangesetRow]:
        statement = _changesets()
        if shop is not None:
            statement = statement.where(Changeset.shop_id == find_shop(connection, shop).id)
        if state is not None:
            statement = statement.where(Changeset.state == state)
        rows = connection.execute(statement.limit(limit)).all()
        counts = count_states(connection, [row.id for row in rows])
        return [_changeset(row, counts.get(row.id, {})) for row in rows]

    return core.database.read_now(work)


def show_changeset(core: Core, changeset: int) -> ChangesetRow:
    """One plan. Raises ``NotFoundError``."""
    return core.database.read_now(lambda connection: read_changeset(connection, changeset))


def read_changeset(connection: Connection, changeset: int) -> ChangesetRow:
    """One plan, inside a transaction. Raises ``NotFoundError``."""
    row = connection.execute(_changesets().where(Changeset.id == changeset)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no plan {changeset}.", "`prestaconsole changeset list` shows them all.")
    return _changeset(row, count_states(connection, [changeset]).get(changeset, {}))


def list_changes(
    core: Core,
    *,
    shop: str | None = None,
    changeset: int | None = None,
    state: str | None = None,
    limit: int | None = None,
) -> list[ChangeRow]:
    """Changes, newest plan first and in the plan's order. Raises ``UsageError`` for an unknown state or plan."""
    known = {one.name.lower(): one for one in ChangeState}
    if state is not None and state not in known:
        raise UsageError(f"“{state}” is no state of a change.", f"States: {', '.join(known)}.")

    def work(connection: Connection) -> list[ChangeRow]:
        statement = _changes()
        if changeset is not None:
            read_changeset(connection, changeset)
            statement = statement.where(Change.changeset_id == changeset)
        if shop is not None:
            statement = statement.where(Changeset.shop_id == find_shop(connection, shop).id)
        if state is not None:
            statement = statement.where(Change.state == known[state])
        return [_change(row) for row in connection.execute(statement.limit(limit))]

    return core.database.read_now(work)


# -- decisions -----------------------------------------------------------------------------------------------


def approve(core: Core, changeset: int, *, actor: str) -> ChangesetRow:
    """Let a planned changeset be sent. Raises ``LockedError`` where the brake holds it or it was made outside live."""

    def work(connection: Connection) -> ChangesetRow:
        decide.approve(connection, changeset, actor=actor, at=core.clock.now())
        return read_changeset(connection, changeset)

    return core.database.write_now(work)


def release(core: Core, changeset: int, *, confirm: str, reason: str, actor: str) -> ChangesetRow:
    """Let go what the brake or a foreign write holds; ``confirm`` is the shop's name or code, typed."""
    reason = one_line("reason", reason, 200, needed=True)

    def work(connection: Connection) -> ChangesetRow:
        decide.release(connection, changeset, confirm=confirm, reason=reason, actor=actor, at=core.clock.now())
        return read_changeset(connection, changeset)

    return core.database.write_now(work)


def drop(core: Core, changeset: int, *, actor: str, reason: str = "") -> ChangesetRow:
    """Give a plan up: the shop keeps its numbers."""
    reason = one_line("reason", reason, 200)

    def work(connection: Connection) -> ChangesetRow:
        decide.drop(connection, changeset, actor=actor, at=core.clock.now(), reason=reason)
        return read_changeset(connection, changeset)

    return core.database.write_now(work)


def request_apply(core: Core, changeset: int, *, actor: str) -> Requested:
    """Queue the run that sends a plan. Raises ``LockedError`` outside live, ``HeldError``, ``UsageError``."""

    def work(connection: Connection) -> tuple[str, str]:
        found = decide.load_changeset(connection, changeset)
        if found.state in _OVER:
            raise UsageError(f"Plan {changeset} is {found.state} already.", "Make a new plan instead.")
        require_live(connection, found.shop_id)
        decide.require_made_live(found)
        if found.state == ChangesetState.HELD:
            raise HeldError(
                found.error or f"Plan {changeset} is held.",
                f"`prestaconsole changeset release {changeset} --confirm SHOP --reason R` lets it go; `drop` ends it.",
            )
        shop = load_shop(connection, found.shop_id)
        if found.state == ChangesetState.PLANNED and value(shop, "approval.needed"):
            raise HeldError(
                f"Plan {changeset} waits for approval.", f"`prestaconsole changeset approve {changeset}` gives it."
            )
        return shop.code, FEED_OF_KIND[ChangeKind(found.kind)]

    # A look that takes the shop's row for itself on PostgreSQL, so it is no plain read.
    shop, feed = core.database.write_now(work)
    return request_feed(core, shop, feed, actor=actor, params={"changeset": changeset})


_OVER = frozenset({ChangesetState.DONE, ChangesetState.FAILED, ChangesetState.UNDONE, ChangesetState.VOID})


async def apply(core: Core, changeset: int, *, actor: str, on_progress: Listener | None = None) -> RunDetail:
    """Send a plan and wait for the end of its run."""
    asked = await asyncio.to_thread(request_apply, core, changeset, actor=actor)
    return await wait_for(core, asked.run, on_progress=on_progress)


@dataclass(frozen=True)
class UndoPlan:
    """A new plan that writes back what stood before; ``refused`` are (SKU, why) where the shop moved on."""

    changeset: ChangesetRow
    refused: tuple[tuple[str, str], ...]


def plan_undo(core: Core, changeset: int, *, actor: str, reason: str = "", records: Sequence[int] = ()) -> UndoPlan:
    """Plan to write back what stood before a plan, in all its rows or those of the given listings.

    Raises ``LockedError`` outside live, ``UsageError`` where nothing of the plan stands any more.
    """
    reason = one_line("reason", reason, 200)

    def work(connection: Connection) -> UndoPlan:
        made = undo.plan_undo(
            connection,
            changeset,
            actor=actor,
            reason=reason or f"undo of plan {changeset}",
            at=core.clock.now(),
            records=records or None,
        )
        return UndoPlan(read_changeset(connection, made.changeset_id), made.refused)

    return core.database.write_now(work)


# -- statements ----------------------------------------------------------------------------------------------


def _changesets() -> Select[Any]:
    return (
        select(*Changeset.__table__.columns, Shop.name.label("shop_name"))
        .join(Shop, Shop.id == Changeset.shop_id)
        .order_by(Changeset.id.desc())
    )


def _changeset(row: Any, counts: Mapping[str, int]) -> ChangesetRow:
    return ChangesetRow(
        id=row.id,
        shop=row.shop_name,
        kind=ChangeKind(row.kind).name.lower(),
        state=row.state,
        rows=row.rows,
        counts=counts,
        mode=row.mode,
        reason=row.reason,
        actor=row.actor,
        canary=row.canary,
        brake=row.brake,
        undoes=row.undoes_id,
        run=row.run_id,
        created_at=row.created_at,
        planned_at=row.planned_at,
        approved_at=row.approved_at,
        approved_by=row.approved_by,
        released_at=row.released_at,
        released_by=row.released_by,
        release_reason=row.release_reason,
        ended_at=row.ended_at,
        error=row.error,
    )


def _changes() -> Select[Any]:
    listed = (Listing.id == Change.record) & (Change.kind == ChangeKind.STOCK)
    return (
        select(
            *Change.__table__.columns,
            Shop.name.label("shop_name"),
            Listing.sku,
            Listing.id_product,
            Listing.id_product_attribute,
            Listing.name,
        )
        .join(Changeset, Changeset.id == Change.changeset_id)
        .join(Shop, Shop.id == Changeset.shop_id)
        .outerjoin(Listing, listed)
        .order_by(Change.changeset_id.desc(), Change.id)
    )


def _change(row: Any) -> ChangeRow:
    kind = ChangeKind(row.kind)
    return ChangeRow(
        id=row.id,
        changeset=row.changeset_id,
        shop=row.shop_name,
        kind=kind.name.lower(),
        record=row.record,
        field=FIELDS.get((kind, row.field), str(row.field)),
        before=_value(kind, row.before),
        after=_value(kind, row.after) or 0,
        observed=_value(kind, row.observed),
        state=ChangeState(row.state).name.lower(),
        sku=row.sku or "",
        id_product=row.id_product,
        id_product_attribute=row.id_product_attribute,
        name=row.name or "",
        note=row.note or "",
    )


def _value(kind: ChangeKind, text: str | None) -> int | str | None:
    return int(text) if kind is ChangeKind.STOCK and text not in {None, ""} else text
