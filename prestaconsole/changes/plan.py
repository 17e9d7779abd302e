"""Planning: what the shops should show against what they show, stored 1,000 rows at a time. Imports operations.

A plan is made in state `planning`, page by page; nothing of it is sent before `finish_plan` judged it as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, delete, insert, or_, select, update

from prestaconsole.changes.aside import parked_listings
from prestaconsole.changes.brake import UNSENT, judge_plan, plan_totals
from prestaconsole.changes.marks import WAITS_FOR_APPROVAL, clear_marks, first_since_live
from prestaconsole.changes.tables import CHANGES, LISTINGS, MARKED, OPEN
from prestaconsole.database import Connection
from prestaconsole.errors import LockedError
from prestaconsole.model import (
    Change,
    ChangeKind,
    Changeset,
    ChangesetState,
    ChangeState,
    ShopMode,
)
from prestaconsole.operations.availability import availability
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import ShopRecord

PAGE = 1_000
BRAKE_CAUSE = "brake"


@dataclass(frozen=True)
class Scope:
    """Which listings a plan looks at: marked since they were last sent, all, or the given ids."""

    kind: Literal["marked", "all", "listings"]
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Planned:
    """One value to plan: a record, what stands in the shop, what shall stand there."""

    record: int
    before: str | None
    after: str


@dataclass(frozen=True)
class PlanPage:
    """What one page looked at: ``last`` is the last listing id, None at the end; counts of listings."""

    last: int | None
    looked: int
    planned: int
    waiting: int
    """Left to a plan that already holds the same value, or whose request is on its way."""


@dataclass(frozen=True)
class PlanEnd:
    """How a plan came out. ``words`` say why it waits, if it does."""

    state: ChangesetState
    rows: int
    words: str = ""


def begin_plan(
    connection: Connection,
    shop: ShopRecord,
    *,
    actor: str,
    reason: str,
    run_id: int | None,
    at: datetime,
    undoes_id: int | None = None,
) -> int:
    """Open an empty stock plan of this shop in state ``planning``; gives its id.

    Raises ``LockedError`` while no warehouse is chosen: an unset warehouse must never read as "no stock" (N1).
    """
    if undoes_id is None and not value(shop, "stock.warehouses"):
        raise LockedError(
            f"No warehouse is chosen for {shop.name}, so there is no stock to plan with.",
            f"`prestaconsole shop set {shop.code} stock.warehouses=CODE` chooses one or several.",
        )
    made = connection.execute(
        insert(Changeset).values(
            shop_id=shop.id,
            kind=ChangeKind.STOCK,
            state=ChangesetState.PLANNING,
            reason=reason,
            actor=actor,
            mode=shop.mode,
            run_id=run_id,
            undoes_id=undoes_id,
            created_at=at,
        )
    ).inserted_primary_key
    assert made is not None
    return int(made[0])


def plan_page(
    connection: Connection,
    shop: ShopRecord,
    changeset_id: int,
    scope: Scope,
    *,
    after: int = 0,
    clear_marks: bool = True,
    limit: int = PAGE,
) -> PlanPage:
    """Plan the next ``limit`` listings above the id ``after``: a row for each whose number differs.

    A listing is compared by what the shop should show since its last read or write; where the moment of an order is
    unsure, a row is planned and the read before the write decides. No row without a confirmed figure (DESIGN §5),
    without a stock row, for a parent with combinations, under ASM or parked (unless named). ``clear_marks`` takes the
    mark off listings that need nothing, which a dry run must not do.
    """
    rows = _page_of_listings(connection, shop.id, scope, after, limit)
    if not rows:
        return PlanPage(None, 0, 0, 0)
    aside = parked_listings(connection, shop.id) if scope.kind != "listings" else set()
    usable = [row for row in rows if _is_writable(row) and row.quantity is not None and row.id not in aside]
    numbers = availability(connection, shop, [row.id for row in usable]) if usable else {}
    wanted: list[Planned] = []
    for row in usable:
        shown = numbers[row.id].shown if row.id in numbers else None
        low, high = _should_show(row)
        if shown is not None and not low == shown == high:
            wanted.append(Planned(row.id, str(high), str(shown)))
    planned, waiting = store_rows(connection, changeset_id, wanted, shop=shop, everything=scope.kind != "marked")
    if clear_marks:
        differing = {one.record for one in wanted}
        _clear_marks(connection, [row for row in rows if row.id not in differing and row.push_mark > row.planned_mark])
    last = rows[-1].id
    more = any(one > last for one in scope.ids) if scope.kind == "listings" else len(rows) == limit
    return PlanPage(last if more else None, len(rows), planned, waiting)


def store_rows(
    connection: Connection, changeset_id: int, wanted: Sequence[Planned], *, shop: ShopRecord, everything: bool
) -> tuple[int, int]:
    """Store planned stock values; gives how many, and how many were left to a plan that has them already.

    One change per record is open at a time: a newer value replaces an unsent one, a sent one is waited for. A value
    that a plan already holds for a person's word stays there, unless ``everything`` was asked for anew.
    """
    if not wanted:
        return 0, 0
    standing = _open_changes(connection, [one.record for one in wanted])
    owners = {ChangesetState.HELD, ChangesetState.APPROVED}
    if value(shop, "approval.needed"):
        owners.add(ChangesetState.PLANNED)
    rows: list[tuple[int, int, str | None, str]] = []
    replaced: list[Row[Any]] = []
    left = planned = 0
    for one in wanted:
        old = standing.get(one.record)
        if old is not None:
            same = old.after == one.after
            if same and old.changeset_id == changeset_id:
                planned += 1  # this page was stored before its run was cut
                continue
            owned = same and old.set_state in owners
            if old.state == ChangeState.SENT or (owned and not everything):
                left += 1
                continue
            replaced.append(old)
        rows.append((changeset_id, one.record, one.before, one.after))
    _replace(connection, changeset_id, replaced)
    _insert_planned(connection, rows)
    return len(rows) + planned, left


def finish_plan(
    connection: Connection, shop: ShopRecord, changeset_id: int, *, whole_shop: bool, at: datetime
) -> PlanEnd:
    """Judge the stored rows and let the plan go on, or hold it.

    Planned: it may be applied. Held: the brake tripped, an incident is open, a person must release it. A plan without
    rows is done at once, unless its source is short. Older plans left without rows become void.
    """
    totals = plan_totals(connection, changeset_id)
    rows = totals.rows
    verdict = judge_plan(connection, shop, changeset_id, totals, whole_shop=whole_shop, now=at)
    state = ChangesetState.PLANNED if rows else ChangesetState.DONE
    words = ""
    if verdict.tripped:
        state, words = ChangesetState.HELD, f"Held by the brake: {verdict.words}."
        _hold_rows(connection, changeset_id)
        if shop.mode is ShopMode.LIVE:
            _brake_incident(connection, shop, changeset_id, words, at)
    elif rows and value(shop, "approval.needed"):
        words = WAITS_FOR_APPROVAL
    connection.execute(
        update(Changeset)
        .where(Changeset.id == changeset_id)
        .values(
            state=state,
            rows=rows,
            planned_at=at,
            canary=shop.mode is ShopMode.LIVE and bool(rows) and first_since_live(connection, shop.id),
            ended_at=at if state is ChangesetState.DONE else None,
            error=words,
        )
    )
    void_emptied(connection, shop.id, at, whole=changeset_id if whole_shop else None)
    if whole_shop and not verdict.tripped:
        close_incident(connection, shop_id=shop.id, cause_key=BRAKE_CAUSE, by="plan", at=at)
    return PlanEnd(state, rows, words)


def void_emptied(connection: Connection, shop_id: int, at: datetime, *, whole: int | None = None) -> None:
    """Unfinished plans whose rows a newer one took over are void (SCREENS §5.12).

    So are those without any row, held for a short source, once ``whole``, a plan of the whole shop, looked again.
    """
    waiting = (ChangesetState.PLANNED, ChangesetState.HELD, ChangesetState.APPROVED)
    open_rows = select(Change.id).where(Change.changeset_id == Changeset.id, OPEN)
    connection.execute(
        update(Changeset)
        .where(Changeset.shop_id == shop_id, Changeset.state.in_(waiting), ~open_rows.exists())
        .where(or_(Changeset.rows > 0, Changeset.id < whole) if whole is not None else Changeset.rows > 0)
        .values(state=ChangesetState.VOID, ended_at=at, error="A newer plan holds all of its changes.")
    )


def forget_empty(connection: Connection, changeset_id: int) -> None:
    """Take away a plan without rows: an event that changed no number leaves no trace in the journal."""
    connection.execute(delete(Changeset).where(Changeset.id == changeset_id, Changeset.rows == 0))


def still_planning(connection: Connection, changeset_id: int) -> bool:
    """Whether this plan is unfinished and may be gone on with."""
    state = connection.execute(select(Changeset.state).where(Changeset.id == changeset_id)).scalar()
    return state == ChangesetState.PLANNING


def abandoned_plans(connection: Connection, shop_id: int, run_id: int) -> list[int]:
    """Plans of this shop that another, ended run left in ``planning``: their feed runs once at a time."""
    found = select(Changeset.id).where(
        Changeset.shop_id == shop_id,
        Changeset.state == ChangesetState.PLANNING,
        or_(Changeset.run_id != run_id, Changeset.run_id.is_(None)),
    )
    return list(connection.execute(found).scalars())


def discard_rows(connection: Connection, changeset_id: int, note: str, *, at: datetime, limit: int = PAGE) -> int:
    """Close up to ``limit`` unsent rows of a plan; when none are left the plan is void. Gives how many it closed."""
    ids = list(
        connection.execute(
            select(Change.id).where(Change.changeset_id == changeset_id, Change.state.in_(UNSENT)).limit(limit)
        ).scalars()
    )
    if ids:
        connection.execute(update(Change).where(Change.id.in_(ids)).values(state=ChangeState.SKIPPED, note=note))
    if len(ids) < limit:
        connection.execute(
            update(Changeset)
            .where(Changeset.id == changeset_id)
            .values(state=ChangesetState.VOID, ended_at=at, error=note)
        )
    return len(ids)


_PLANNED_FROM = (
    *("id", "has_combinations", "gone_at", "id_stock_available", "depends_on_stock", "quantity", "quantity_read_at"),
    *("expected_low", "expected_high", "expected_at", "push_mark", "planned_mark", "marked_at"),
)

_INSERT_PLANNED = (
    f"INSERT INTO {CHANGES.name} (changeset_id, record, before, after, kind, field, state) "  # noqa: S608 - all constants
    f"VALUES (?, ?, ?, ?, {ChangeKind.STOCK.value}, 0, {ChangeState.PLANNED.value})"
)

# -- inside ----------------------------------------------------------------------------------------------------


def _page_of_listings(connection: Connection, shop_id: int, scope: Scope, after: int, limit: int) -> Sequence[Row[Any]]:
    conditions: list[ColumnElement[bool]] = [LISTINGS.c.id > after]
    # The sum keeps the planner on the primary key: by an index of the shop each page would sort all the rest.
    conditions.append(LISTINGS.c.shop_id == shop_id if scope.kind == "marked" else LISTINGS.c.shop_id + 0 == shop_id)
    if scope.kind == "marked":
        conditions.append(MARKED)
    elif scope.kind == "listings":
        conditions.append(LISTINGS.c.id.in_(sorted(one for one in scope.ids if one > after)[:limit]))
    statement = select(*(LISTINGS.c[name] for name in _PLANNED_FROM)).where(*conditions)
    return connection.execute(statement.order_by(LISTINGS.c.id).limit(limit)).all()


def _should_show(row: Row[Any]) -> tuple[int, int]:
    """What the shop shows as far as we know: the expectation, or a younger reading that no event has overtaken."""
    if row.expected_low is None or row.expected_high is None:
        return row.quantity, row.quantity
    if (
        row.quantity_read_at is not None
        and row.expected_at is not None
        and row.quantity_read_at > row.expected_at
        and (row.marked_at is None or row.marked_at <= row.quantity_read_at)
    ):
        return row.quantity, row.quantity
    return row.expected_low, row.expected_high


def _is_writable(row: Row[Any]) -> bool:
    return (
        row.gone_at is None
        and not row.has_combinations
        and row.id_stock_available is not None
        and not row.depends_on_stock
    )


def _open_changes(connection: Connection, records: Sequence[int]) -> dict[int, Row[Any]]:
    low, high = min(records), max(records)
    # A page's ids lie close together: two bounds then cost less than a list of a thousand.
    dense = high - low < 4 * len(records)
    found = (
        select(Change.record, Change.id, Change.changeset_id, Change.after, Change.state)
        .add_columns(Changeset.state.label("set_state"))
        .join(Changeset, Changeset.id == Change.changeset_id)
        .where(Change.kind == ChangeKind.STOCK, Change.field == 0, OPEN)
        .where(Change.record.between(low, high) if dense else Change.record.in_(records))
    )
    rows: Any = connection.execute(found).all()
    return {row.record: row for row in rows}


def _insert_planned(connection: Connection, rows: list[tuple[int, int, str | None, str]]) -> None:
    """Store (changeset, record, before, after) as planned: plain rows, since a plan may have a million of them."""
    if rows:
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        connection.exec_driver_sql(_INSERT_PLANNED.replace("?", mark), rows)


def _replace(connection: Connection, changeset_id: int, replaced: Sequence[Row[Any]]) -> None:
    if replaced:
        connection.execute(
            update(Change)
            .where(Change.id.in_([row.id for row in replaced]))
            .values(state=ChangeState.REPLACED, note=f"plan {changeset_id} has a newer value")
        )


def _clear_marks(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    clear_marks(connection, [(row.id, row.push_mark) for row in rows])


def _hold_rows(connection: Connection, changeset_id: int) -> None:
    connection.execute(
        update(Change)
        .where(Change.changeset_id == changeset_id, Change.state == ChangeState.PLANNED)
        .values(state=ChangeState.HELD)
    )


def _brake_incident(connection: Connection, shop: ShopRecord, changeset_id: int, words: str, at: datetime) -> None:
    open_incident(
        connection,
        shop_id=shop.id,
        cause_key=BRAKE_CAUSE,
        title=f"Plan {changeset_id} for {shop.name} is held. {words} Nothing of it was sent.",
        remedy=(
            "Load the source again and make the plan anew, or drop this one: the shop keeps its numbers. "
            f"Or release it with a reason: `prestaconsole changeset release {changeset_id} --confirm {shop.code}`."
        ),
        severity="STOP",
        at=at,
    )
