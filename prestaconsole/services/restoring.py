"""What a restore does to the database it brought back: an old database must not repeat what it once meant to do (N15).

May import runner, changes, operations, vault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from prestaconsole.changes.decide import CANARY_CAUSE, FOREIGN_CAUSE, WIPED_CAUSE
from prestaconsole.changes.plan import BRAKE_CAUSE
from prestaconsole.changes.tables import OPEN
from prestaconsole.database import Connection
from prestaconsole.model import (
    Alert,
    AlertState,
    AuditEvent,
    Change,
    ChangeBatch,
    ChangeKind,
    Changeset,
    ChangesetState,
    ChangeState,
    FeedRun,
    Incident,
    Listing,
    Runner,
    RunState,
    SealedSecret,
    Shop,
    ShopCursor,
    ShopMode,
    ShopPace,
    Waiver,
)
from prestaconsole.operations.audit import audit
from prestaconsole.operations.lives import note_restore, tell_of_restore
from prestaconsole.operations.pages import LogLine
from prestaconsole.runner.records import ACTIVE, append_logs

_UNFINISHED = (
    *(ChangesetState.PLANNING, ChangesetState.PLANNED, ChangesetState.HELD),
    *(ChangesetState.APPROVED, ChangesetState.APPLYING),
)
_CAUSES = (BRAKE_CAUSE, FOREIGN_CAUSE, CANARY_CAUSE, WIPED_CAUSE)


@dataclass(frozen=True)
class NewLife:
    """What was closed: ``frozen`` shops by name, ended runs, dropped plans, and changes kept for a person's word."""

    epoch: int
    as_of: datetime | None
    frozen: tuple[str, ...]
    runs: int
    plans: int
    kept: int


def begin_new_life(
    connection: Connection, *, file: str, actor: str, at: datetime, modes: Mapping[int, str] | None = None
) -> NewLife:
    """Close all that the backup had begun, freeze every shop but drafts, and let stock be computed anew.

    ``modes`` are the shops' modes in the backup, where they were frozen on the way already. Nothing of the earlier
    life is sent: stock is planned again when the shop is thawed; other changes wait for a person. Cursors stay: data
    and cursor are of one moment, so the next poll reads the gap, with its overlap.
    """
    note = f"The database was restored from {file}"
    as_of = _last_sign(connection)
    life = note_restore(connection, file, as_of, at)
    frozen = _freeze(connection, modes or {}, note, actor, at)
    runs = _end_runs(connection, note, at)
    kept = _keep_for_a_person(connection, note)
    plans = _close_stock_plans(connection, note, at)
    _forget_expectations(connection, [shop_id for shop_id, _ in frozen], at)
    connection.execute(update(Runner).where(Runner.stopped_at.is_(None)).values(stopped_at=at))
    connection.execute(delete(Waiver).where(Waiver.check == "stock-check"))
    # How the shops answered then, and what was about to be told of then, is past.
    connection.execute(delete(ShopPace))
    connection.execute(delete(Alert).where(Alert.state == AlertState.WAITING))
    tell_of_restore(connection, life, at)
    after = {"epoch": life.epoch, "runs": runs, "plans": plans, "kept": kept}
    audit(connection, actor=actor, action="db restore", at=at, record=file[-120:], after=after)
    return NewLife(life.epoch, as_of, tuple(name for _, name in frozen), runs, plans, kept)


def shops_without_key(connection: Connection, key_print: str) -> tuple[str, ...]:
    """Names of the shops whose key was sealed with another vault key than the one with this print ('' for none)."""
    sealed = select(Shop.name).join(SealedSecret, SealedSecret.shop_id == Shop.id)
    rows = sealed.where(SealedSecret.wrapped_with != key_print).distinct().order_by(Shop.name)
    return tuple(connection.execute(rows).scalars())


def _last_sign(connection: Connection) -> datetime | None:
    columns = (Runner.heartbeat, AuditEvent.at, FeedRun.progress_at, FeedRun.created_at, ShopCursor.moved_at)
    signs = [connection.execute(select(func.max(column))).scalar() for column in columns]
    return max((sign for sign in signs if sign is not None), default=None)


def _freeze(
    connection: Connection, modes: Mapping[int, str], note: str, actor: str, at: datetime
) -> list[tuple[int, str]]:
    rows = connection.execute(
        select(Shop.id, Shop.name, Shop.mode).where(Shop.mode != ShopMode.DRAFT).order_by(Shop.name)
    ).all()
    # The day's look at the shop's identity is of the earlier life, too.
    values = {"mode": ShopMode.FROZEN, "updated_at": at, "identity_checked_at": None}
    connection.execute(update(Shop).where(Shop.mode != ShopMode.DRAFT).values(**values))
    for row in rows:
        before, after = {"mode": modes.get(row.id, row.mode)}, {"mode": ShopMode.FROZEN}
        audit(
            connection, actor=actor, action="shop mode", at=at, shop_id=row.id, before=before, after=after,
            reason=note[:300],
        )  # fmt: skip
    return [(row.id, row.name) for row in rows]


def _end_runs(connection: Connection, note: str, at: datetime) -> int:
    active = list(connection.execute(select(FeedRun.id).where(FeedRun.state.in_(ACTIVE))).scalars())
    connection.execute(
        update(FeedRun)
        .where(FeedRun.state.in_(ACTIVE))
        .values(
            state=RunState.CANCELLED,
            active_key=None,
            slot_key=None,
            owner=None,
            lease_until=None,
            token=FeedRun.token + 1,
            again=False,
            cancel_requested=False,
            ended_at=at,
            error_kind="restored",
            error=f"{note}: this run belonged to the time before.",
            remedy="Ask for it again where it is still wanted.",
        )
    )
    for run_id in active:
        append_logs(connection, run_id, [LogLine("warn", f"Cancelled: {note[:1].lower()}{note[1:]}.")], at)
    return len(active)


def _keep_for_a_person(connection: Connection, note: str) -> int:
    """Changes that nothing can compute anew, such as a person's word to a buyer, wait until somebody has looked."""
    words = f"{note}: look at the shop before it is released, it may have been done."
    others = (Change.kind != ChangeKind.STOCK, OPEN)
    sets = list(connection.execute(select(Change.changeset_id).where(*others).distinct()).scalars())
    kept = connection.execute(update(Change).where(*others).values(state=ChangeState.HELD, note=words)).rowcount
    _each(connection, sets, {"state": ChangesetState.HELD, "error": words})
    return kept


def _close_stock_plans(connection: Connection, note: str, at: datetime) -> int:
    mine = (Change.kind == ChangeKind.STOCK, OPEN)
    on_its_way = f"{note}: it was on its way, and what came of it stands in the shop."
    sent = update(Change).where(*mine, Change.state == ChangeState.SENT)
    connection.execute(sent.values(state=ChangeState.FAILED, note=on_its_way))
    never = f"{note}: never sent, it is computed anew."
    connection.execute(update(Change).where(*mine).values(state=ChangeState.SKIPPED, note=never))
    unsettled = update(ChangeBatch).where(ChangeBatch.confirmed_at.is_(None), ChangeBatch.sent_at.is_not(None))
    connection.execute(unsettled.values(confirmed_at=at, status="restored"))
    open_sets = (Changeset.kind == ChangeKind.STOCK, Changeset.state.in_(_UNFINISHED))
    ids = list(connection.execute(select(Changeset.id).where(*open_sets)).scalars())
    went_out = select(ChangeBatch.id).where(ChangeBatch.changeset_id == Changeset.id, ChangeBatch.sent_at.is_not(None))
    ended = {"ended_at": at, "error": f"{note}: closed, nothing of it is sent any more."}
    connection.execute(
        update(Changeset).where(*open_sets, went_out.exists()).values(state=ChangesetState.FAILED, **ended)
    )
    connection.execute(update(Changeset).where(*open_sets).values(state=ChangesetState.VOID, **ended))
    closed = {"open_key": None, "closed_at": at, "closed_by": "db restore"}
    connection.execute(
        update(Incident).where(Incident.closed_at.is_(None), Incident.cause_key.in_(_CAUSES)).values(**closed)
    )
    return len(ids)


def _forget_expectations(connection: Connection, shop_ids: Sequence[int], at: datetime) -> None:
    """What the shops showed then is no measure now: the reconcile reads it, and every number is planned anew."""
    if shop_ids:
        connection.execute(
            update(Listing)
            .where(Listing.shop_id.in_(shop_ids), Listing.gone_at.is_(None))
            .values(
                expected_low=None,
                expected_high=None,
                expected_at=None,
                push_mark=Listing.push_mark + 1,
                marked_at=at,
            )
        )


def _each(connection: Connection, changeset_ids: Sequence[int], values: Mapping[str, object]) -> None:
    for start in range(0, len(changeset_ids), 500):
        some = Changeset.id.in_(changeset_ids[start : start + 500])
        connection.execute(update(Changeset).where(some).values(**values))
