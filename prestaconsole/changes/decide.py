"""What a person decides about a plan: approve, release from the brake, drop. Each audited. Imports operations."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update

from prestaconsole.changes.brake import UNSENT
from prestaconsole.changes.marks import clear_marks
from prestaconsole.changes.plan import BRAKE_CAUSE
from prestaconsole.database import Connection
from prestaconsole.errors import LockedError, NotFoundError, UsageError
from prestaconsole.model import (
    Change,
    ChangeKind,
    Changeset,
    ChangesetState,
    ChangeState,
    FeedRun,
    Listing,
    RunState,
    ShopMode,
)
from prestaconsole.operations.audit import audit
from prestaconsole.operations.expectation import expect
from prestaconsole.operations.incidents import close_incident
from prestaconsole.operations.shops import ShopRecord, load_shop, names_match
from prestaconsole.redaction import refuse_key

FOREIGN_CAUSE = "foreign write"
CANARY_CAUSE = "canary not taken"
WIPED_CAUSE = "unexpected field change"
_ENDED = {ChangesetState.DONE, ChangesetState.FAILED, ChangesetState.UNDONE, ChangesetState.VOID}


@dataclass(frozen=True)
class Decided:
    """A changeset after a decision."""

    id: int
    shop_id: int
    before: ChangesetState
    after: ChangesetState


def approve(connection: Connection, changeset_id: int, *, actor: str, at: datetime) -> Decided:
    """Let a planned changeset be sent; until roles come whoever made it may (DESIGN §5).

    Raises ``UsageError`` when it is over or not planned yet, ``LockedError`` when the brake holds it or it was made
    outside live.
    """
    found = _load(connection, changeset_id)
    before = ChangesetState(found.state)
    if before is ChangesetState.HELD:
        raise LockedError(
            f"Plan {changeset_id} is not approved: {found.error or 'it is held.'}",
            f"`prestaconsole changeset release {changeset_id} --confirm SHOP --reason R` lets it go.",
        )
    _require_open(found, {ChangesetState.PLANNED, ChangesetState.APPROVED})
    require_made_live(found)
    _move_rows(connection, changeset_id, ChangeState.PLANNED, ChangeState.APPROVED)
    values = {"state": ChangesetState.APPROVED, "approved_at": at, "approved_by": actor, "error": ""}
    connection.execute(update(Changeset).where(Changeset.id == changeset_id).values(**values))
    return _audited(connection, found, ChangesetState.APPROVED, "changeset approve", actor, at, "")


def release(
    connection: Connection, changeset_id: int, *, confirm: str, reason: str, actor: str, at: datetime
) -> Decided:
    """Let go what the brake or a foreign write holds. ``confirm`` is the shop's name or code, typed.

    A released plan sends a canary first. Rows held because somebody else wrote are released to overwrite what was
    read then; if the shop moved on since, they are held again. Raises ``UsageError`` for a wrong name, a missing
    reason, or a plan that is not held.
    """
    found = _load(connection, changeset_id)
    shop = load_shop(connection, found.shop_id)
    refuse_key("reason", reason)
    if found.state != ChangesetState.HELD:
        raise UsageError(f"Plan {changeset_id} is {found.state}, not held.", "There is nothing to release.")
    require_made_live(found)
    if not names_match(shop, confirm):
        raise UsageError(f"This is not {shop.name}.", f"Confirm with the shop's name or its code {shop.code}.")
    if not reason.strip():
        raise UsageError("A release needs a reason.", "Give it with --reason “…”; it stands in the audit.")
    _accept_foreign(connection, changeset_id, at)
    for state in (ChangeState.HELD, ChangeState.PLANNED):
        _move_rows(connection, changeset_id, state, ChangeState.APPROVED)
    connection.execute(
        update(Changeset)
        .where(Changeset.id == changeset_id)
        .values(
            state=ChangesetState.APPROVED,
            canary=True,
            released_at=at,
            released_by=actor,
            release_reason=reason[:200],
            approved_at=at,
            approved_by=actor,
            ended_at=None,
            error="",
        )
    )
    _close_incidents(connection, shop, found.id, actor, at)
    return _audited(connection, found, ChangesetState.APPROVED, "changeset release", actor, at, reason)


def drop(connection: Connection, changeset_id: int, *, actor: str, at: datetime, reason: str = "") -> Decided:
    """Give a plan up: the shop keeps its numbers, the unsent rows are closed and their listings count as looked at.

    Raises ``UsageError`` when it is over, ``LockedError`` while it is being sent, or where a row was sent and not read
    back yet: a plan is over only when nothing of it is in doubt.
    """
    found = _load(connection, changeset_id)
    refuse_key("reason", reason)
    if found.state == ChangesetState.APPLYING and _is_at_work(connection, found.shop_id):
        raise LockedError(
            f"Plan {changeset_id} is being sent.", "Stop its run first: `prestaconsole feed cancel RUN`; then drop it."
        )
    _require_open(found, set(ChangesetState) - _ENDED)
    shop = load_shop(connection, found.shop_id)
    _require_read_back(connection, found, shop)
    rows = (
        select(Listing.id, Listing.push_mark)
        .join(Change, Change.record == Listing.id)
        .where(Change.changeset_id == changeset_id, Change.state.in_(UNSENT), Listing.marked_at <= found.created_at)
    )
    clear_marks(connection, [(row.id, row.push_mark) for row in connection.execute(rows)])
    note = f"dropped by {actor}"
    connection.execute(
        update(Change)
        .where(Change.changeset_id == changeset_id, Change.state.in_(UNSENT))
        .values(state=ChangeState.SKIPPED, note=note)
    )
    # A plan that was sent in part keeps its place in the journal; only an untouched one is void.
    sent = connection.execute(
        select(Change.id).where(Change.changeset_id == changeset_id, Change.batch_id.is_not(None)).limit(1)
    ).first()
    after = ChangesetState.DONE if sent else ChangesetState.VOID
    values = {"state": after, "ended_at": at, "error": note[:1].upper() + note[1:] + "."}
    connection.execute(update(Changeset).where(Changeset.id == changeset_id).values(**values))
    _close_incidents(connection, shop, found.id, actor, at)
    return _audited(connection, found, after, "changeset drop", actor, at, reason)


def settle_held(
    connection: Connection, shop: ShopRecord, note: str, listing_id: int, *, actor: str, at: datetime
) -> None:
    """Close the rows of a listing that a foreign write holds; a plan without other open rows has ended with them."""
    held = (Change.record == listing_id, Change.kind == ChangeKind.STOCK, Change.state == ChangeState.HELD)
    rows = connection.execute(select(Change.id, Change.changeset_id).where(*held, Change.observed.is_not(None))).all()
    if not rows:
        return
    closed = update(Change).where(Change.id.in_([row.id for row in rows]))
    connection.execute(closed.values(state=ChangeState.SKIPPED, note=note))
    for changeset_id in {row.changeset_id for row in rows}:
        left = select(Change.id).where(Change.changeset_id == changeset_id, Change.state < ChangeState.CONFIRMED)
        if connection.execute(left.limit(1)).first() is None:
            ended = update(Changeset).where(Changeset.id == changeset_id, Changeset.state == ChangesetState.HELD)
            connection.execute(ended.values(state=ChangesetState.DONE, ended_at=at, error=""))
            _close_incidents(connection, shop, changeset_id, actor, at)


def require_made_live(found: Row[Any]) -> None:
    """Raise ``LockedError`` for a plan made outside live: it was for comparing and is old by now."""
    if found.mode != ShopMode.LIVE:
        raise LockedError(
            f"Plan {found.id} was made in {found.mode}: it is for comparing and cannot be sent.",
            "In live make a new one: `prestaconsole feed run SHOP export_stock --plan`.",
        )


def load_changeset(connection: Connection, changeset_id: int) -> Row[Any]:
    """The changeset's row. Raises ``NotFoundError``."""
    return _load(connection, changeset_id)


# -- inside ----------------------------------------------------------------------------------------------------


def _load(connection: Connection, changeset_id: int) -> Row[Any]:
    row = connection.execute(select(*Changeset.__table__.columns).where(Changeset.id == changeset_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no plan {changeset_id}.", "`prestaconsole changeset list` shows them all.")
    return row


def _require_read_back(connection: Connection, found: Row[Any], shop: ShopRecord) -> None:
    sent = select(func.count()).select_from(Change)
    sent = sent.where(Change.changeset_id == found.id, Change.state == ChangeState.SENT)
    if count := int(connection.execute(sent).scalar_one()):
        rows = "1 row of it was" if count == 1 else f"{count} rows of it were"
        raise LockedError(
            f"Plan {found.id} is not dropped: {rows} sent and not read back, so nobody knows whether the shop took it.",
            f"`prestaconsole feed run {shop.code} export_stock --plan --wait` reads it back; then drop the plan.",
        )


def _is_at_work(connection: Connection, shop_id: int) -> bool:
    """Whether a run sends, or will go on to send, a plan of this shop; a cancelled one left it as it was."""
    active = select(FeedRun.id).where(
        FeedRun.shop_id == shop_id,
        FeedRun.feed == "export_stock",
        FeedRun.state.in_((RunState.QUEUED, RunState.RUNNING)),
    )
    return connection.execute(active.limit(1)).first() is not None


def _require_open(found: Row[Any], states: set[ChangesetState]) -> None:
    if found.state in states:
        return
    if found.state in _ENDED:
        raise UsageError(f"Plan {found.id} is {found.state} already.", "Make a new plan instead.")
    raise UsageError(f"Plan {found.id} is {found.state}.", "Wait until that is over.")


def _move_rows(connection: Connection, changeset_id: int, before: ChangeState, after: ChangeState) -> None:
    connection.execute(
        update(Change).where(Change.changeset_id == changeset_id, Change.state == before).values(state=after)
    )


def _accept_foreign(connection: Connection, changeset_id: int, at: datetime) -> None:
    """What was read when the row was held is what the shop may show now: the person chose to overwrite it."""
    held = select(Change.record, Change.observed).where(
        Change.changeset_id == changeset_id, Change.state == ChangeState.HELD, Change.observed.is_not(None)
    )
    expect(connection, [(row.record, int(row.observed)) for row in connection.execute(held)], at)


def _close_incidents(connection: Connection, shop: ShopRecord, changeset_id: int, actor: str, at: datetime) -> None:
    held = select(Changeset.id).where(
        Changeset.shop_id == shop.id, Changeset.state == ChangesetState.HELD, Changeset.id != changeset_id
    )
    if connection.execute(held.limit(1)).first() is None:
        for cause in (BRAKE_CAUSE, FOREIGN_CAUSE, CANARY_CAUSE, WIPED_CAUSE):
            close_incident(connection, shop_id=shop.id, cause_key=cause, by=actor, at=at)


def _audited(
    connection: Connection,
    found: Row[Any],
    after: ChangesetState,
    action: str,
    actor: str,
    at: datetime,
    reason: str,
) -> Decided:
    audit(
        connection,
        actor=actor,
        action=action,
        at=at,
        shop_id=found.shop_id,
        record=f"changeset {found.id}",
        before={"state": found.state},
        after={"state": after, "rows": found.rows},
        reason=reason,
    )
    return Decided(found.id, found.shop_id, ChangesetState(found.state), after)
