"""Stock diffs of one shop: ours, the shop's, the plan's number, and the plan itself. Imports operations and model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, case, cast, func, or_, select, text
from sqlalchemy.engine import Connection, RowMapping

from prestaconsole.model.catalogue import Listing
from prestaconsole.model.changes import Change, ChangeKind, Changeset, ChangesetState, ChangeState
from prestaconsole.operations.availability import ListingAvailability, availability
from prestaconsole.operations.shops import load_shop
from prestaconsole.services.views.rows import Ask

#: What `v` walks through: rows of the plan, those that go to zero, every listing.
FACETS: tuple[tuple[str, str], ...] = (("plan", "differing"), ("zero", "to zero"), ("all", "all listings"))
_STATE_WORDS = {
    ChangeState.HELD: "HELD",
    ChangeState.APPROVED: "approved",
    ChangeState.SENT: "sent",
    ChangeState.CONFIRMED: "ok",
    ChangeState.FAILED: "FAIL",
    ChangeState.SKIPPED: "skipped",
    ChangeState.UNDONE: "undone",
    ChangeState.REPLACED: "replaced",
}
_WAITS = (ChangesetState.PLANNED, ChangesetState.HELD, ChangesetState.APPROVED)


@dataclass(frozen=True)
class StockLine:
    """A listing of the shop, and its change in the plan where it has one."""

    listing_id: int
    sku: str
    name: str
    id_product: int
    id_product_attribute: int
    id_stock_available: int | None
    shops: int | None
    read_at: datetime | None
    ours: int | None
    why_none: str
    confirmed: int | None
    confirmed_at: datetime | None
    change_id: int | None
    before: int | None
    after: int | None
    observed: str
    state: str
    note: str
    moved: bool

    @property
    def shown_shops(self) -> int | None:
        """The shop's figure: as the plan saw it, else as last read."""
        return self.shops if self.before is None else self.before

    @property
    def difference(self) -> int | None:
        """Plan less shop's; where nothing is planned, ours less shop's."""
        ours = self.ours if self.change_id is None else self.after
        return None if ours is None or self.shown_shops is None else ours - self.shown_shops


@dataclass(frozen=True)
class PlanHead:
    """The newest stock plan of a shop and how far it came."""

    id: int
    shop_id: int
    state: str
    reason: str
    actor: str
    mode: str
    rows: int
    up: int
    down: int
    zero: int
    sent: int
    confirmed: int
    failed: int
    settled: int
    rows_planned: int = 0
    run_id: int | None = None
    brake: Mapping[str, Any] = field(default_factory=dict)
    canary: bool = False
    undoes_id: int | None = None
    planned_at: datetime | None = None
    created_at: datetime | None = None
    approved_at: datetime | None = None
    approved_by: str = ""
    released_by: str = ""
    ended_at: datetime | None = None
    error: str = ""

    @property
    def waits(self) -> bool:
        """Whether a person may still decide about it."""
        return self.state in _WAITS

    @property
    def held(self) -> bool:
        """Whether it is held, which only a typed name releases."""
        return self.state == ChangesetState.HELD

    @property
    def braked(self) -> bool:
        """Whether it is the brake that holds it; else rows that somebody else wrote in the shop meanwhile."""
        return self.held and self.approved_at is None and bool(self.brake.get("tripped"))


def newest_plan(connection: Connection, shop_id: int, known: PlanHead | None = None) -> PlanHead | None:
    """The newest stock plan of a shop that is worth a look: one that waits before one that ended, none that is void.

    ``known`` is the head as last read: where the plan has not moved since, its rows are not counted again.
    """
    c = Changeset
    row = connection.execute(
        select(*c.__table__.columns)
        .where(c.shop_id == shop_id, c.kind == ChangeKind.STOCK, c.state != ChangesetState.VOID)
        .order_by(c.state.in_(_WAITS).desc(), c.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    same = known is not None and (known.id, known.state, known.rows_planned) == (row.id, row.state, row.rows)
    if known is not None and same and row.state not in (ChangesetState.PLANNING, ChangesetState.APPLYING):
        return known
    return _head(connection, row)


def _head(connection: Connection, row: Any) -> PlanHead:
    after, before = cast(Change.after, Integer), cast(Change.before, Integer)
    counts = connection.execute(
        select(
            func.count(),
            func.sum(case((after > before, 1), else_=0)),
            func.sum(case(((after < before) & (after != 0), 1), else_=0)),
            func.sum(case(((after == 0) & (before != 0), 1), else_=0)),
            func.sum(case((Change.state == ChangeState.SENT, 1), else_=0)),
            func.sum(case((Change.state == ChangeState.CONFIRMED, 1), else_=0)),
            func.sum(case((Change.state == ChangeState.FAILED, 1), else_=0)),
            func.sum(case((Change.state >= ChangeState.CONFIRMED, 1), else_=0)),
        ).where(Change.changeset_id == row.id)
    ).one()
    rows, up, down, zero, sent, confirmed, failed, settled = (int(value or 0) for value in counts)
    return PlanHead(
        id=row.id, shop_id=row.shop_id, state=row.state, reason=row.reason, actor=row.actor, mode=row.mode,
        rows=rows, up=up, down=down, zero=zero, sent=sent, confirmed=confirmed, failed=failed, settled=settled,
        rows_planned=row.rows,
        run_id=row.run_id, brake=row.brake or {},
        canary=row.canary, undoes_id=row.undoes_id, planned_at=row.planned_at, created_at=row.created_at,
        approved_at=row.approved_at, approved_by=row.approved_by, released_by=row.released_by,
        ended_at=row.ended_at, error=row.error,
    )  # fmt: skip


def last_check(connection: Connection, shop_id: int) -> tuple[int, datetime | None]:
    """How many listings the shop has, and when their figures were last read."""
    count, read_at = connection.execute(
        select(func.count(), func.max(Listing.quantity_read_at)).where(
            Listing.shop_id == shop_id, Listing.gone_at.is_(None), Listing.has_combinations.is_(False)
        )
    ).one()
    return int(count), read_at


class StockQuery:
    """Rows of a plan, or every listing of a shop. ``facet`` is ``plan:ID``, ``zero:ID`` or ``all``.

    A row's id is that of its change; in ``all`` it is the listing's, negative, so that both are primary keys.
    """

    orders: Sequence[str] = ("need", "sku")

    def ids(self, connection: Connection, ask: Ask) -> Iterable[int]:
        """The rows of the facet; by need: failed first, then to zero, then the largest difference."""
        facet, plan_id = parse_facet(ask.facet)
        if facet == "all":
            listings = select(-Listing.id).where(
                Listing.shop_id == ask.shop, Listing.has_combinations.is_(False), Listing.gone_at.is_(None)
            )
            return connection.execute(listings.where(*_words(ask.words)).order_by(Listing.sku, Listing.id)).scalars()
        after, before = cast(Change.after, Integer), cast(Change.before, Integer)
        statement = select(Change.id).where(Change.changeset_id == plan_id)
        if ask.words or ask.order == "sku":
            statement = statement.join(Listing, Listing.id == Change.record).where(*_words(ask.words))
        if facet == "zero":
            statement = statement.where(after == 0, before != 0)
        if ask.order == "sku":
            return connection.execute(statement.order_by(Listing.sku, Listing.id)).scalars()
        need = case((Change.state == ChangeState.FAILED, 0), ((after == 0) & (before != 0), 1), else_=2)
        return connection.execute(statement.order_by(need, func.abs(after - before).desc(), Change.id)).scalars()

    def rows(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, StockLine]:
        """These rows: changes with their listing, or listings with the change that is open on them."""
        changes = [identity for identity in ids if identity > 0]
        listings = [-identity for identity in ids if identity < 0]
        found: dict[int, StockLine] = {}
        if changes:
            statement = select(*_columns()).join(Listing, Listing.id == Change.record).where(Change.id.in_(changes))
            rows = connection.execute(statement).mappings().all()
            ours = _ours(connection, rows)
            found.update({row["change_id"]: _line(row, ours) for row in rows})
        if listings:
            on_it = (Change.record == Listing.id) & (Change.kind == ChangeKind.STOCK) & (Change.field == 0)
            statement = (
                select(*_columns())
                .select_from(Listing)
                .outerjoin(Change, on_it & (Change.state < text("10")))
                .where(Listing.id.in_(listings))
            )
            rows = connection.execute(statement).mappings().all()
            ours = _ours(connection, rows)
            found.update({-row["listing_id"]: _line(row, ours) for row in rows})
        return found


def _columns() -> tuple[Any, ...]:
    return (
        Listing.id.label("listing_id"), Listing.shop_id, Listing.sku, Listing.name, Listing.id_product,
        Listing.id_product_attribute,
        Listing.id_stock_available, Listing.quantity.label("shops"), Listing.quantity_read_at.label("read_at"),
        Listing.confirmed_quantity.label("confirmed"), Listing.confirmed_at,
        (Listing.push_mark > Listing.planned_mark).label("moved"),
        Change.id.label("change_id"), Change.before, Change.after, Change.observed, Change.state, Change.note,
    )  # fmt: skip


def parse_facet(facet: str) -> tuple[str, int]:
    """``plan:611`` → (``plan``, 611); ``all`` where nothing is said."""
    name, _, plan_id = facet.partition(":")
    return name or "all", int(plan_id or 0)


def _words(words: str) -> list[Any]:
    conditions = []
    for word in words.split():
        like = f"%{word.replace('%', '')}%"
        conditions.append(or_(Listing.sku.ilike(like), Listing.name.ilike(like), Listing.ean13.ilike(like)))
    return conditions


def _number(stored: str | None) -> int | None:
    try:
        return None if stored is None else int(stored)
    except ValueError:
        return None


def _ours(connection: Connection, rows: Sequence[RowMapping]) -> dict[int, ListingAvailability]:
    """What the formula says now for these listings, by listing id."""
    found: dict[int, ListingAvailability] = {}
    for shop_id in {row["shop_id"] for row in rows}:
        ids = [row["listing_id"] for row in rows if row["shop_id"] == shop_id]
        found.update(availability(connection, load_shop(connection, shop_id), ids))
    return found


def _line(row: RowMapping, ours: Mapping[int, ListingAvailability]) -> StockLine:
    values = dict(row)
    del values["shop_id"]
    known = ours.get(row["listing_id"])
    values["ours"] = None if known is None else known.shown
    values["why_none"] = "" if known is None else known.why_none
    state = values.pop("state")
    values["state"] = "" if state is None else _STATE_WORDS.get(ChangeState(state), "")
    values["before"], values["after"] = _number(values["before"]), _number(values["after"])
    values["observed"], values["note"] = values["observed"] or "", values["note"] or ""
    values["moved"] = bool(values["moved"])
    return StockLine(**values)
