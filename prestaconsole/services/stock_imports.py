"""The import of a shop's stock: what it would do, the imports there were, and taking one back.

May import operations, model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from sqlalchemy import func, select, update

from prestaconsole.database import Connection
from prestaconsole.errors import HeldError, LockedError, NotFoundError, UsageError
from prestaconsole.model import (
    FeedRun,
    FeedState,
    MovementKind,
    Product,
    RunState,
    Shop,
    ShopMode,
    StockLevel,
    StockMovement,
    Warehouse,
)
from prestaconsole.operations import stock_import as operations
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import find_shop, load_shop
from prestaconsole.operations.stock_ledger import find_warehouse
from prestaconsole.rules.brake import BrakeLimits, zeros_trip
from prestaconsole.services.typed import one_line

FEED = "import_stock"
_CHUNK = 500
_ACTIVE = (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """One SKU: its level ``before`` (None: never counted) and ``after``, from what the shop shows and its orders hold.

    ``kept``: another source counted it, so it stays as it is.
    """

    sku: str
    before: int | None
    after: int
    shown: int
    held: int
    kept: bool


@dataclass(frozen=True)
class ImportPreview:
    """What an import would do. ``lines`` are those that move or are kept; ``left_out`` names listings by reason."""

    shop: str
    warehouse: str
    known: str
    skus: int
    new: int
    raised: int
    lowered: int
    unchanged: int
    kept: int
    units_before: int
    units_after: int
    lines: tuple[PreviewLine, ...]
    left_out: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class ImportRow:
    """One import that set levels. ``taken_back`` of its ``levels`` were set back since; units before and after it."""

    run: int
    at: datetime
    shop: str
    warehouse: str
    levels: int
    units_before: int
    units_after: int
    taken_back: int
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class BackRow:
    """One level: ``now``, and what it goes ``back`` to (None: to never counted). ``why`` says why it stays."""

    sku: str
    now: int | None
    back: int | None
    why: str


@dataclass(frozen=True)
class TakenBack:
    """What taking an import back does; ``stored``: it was done. ``to_zero`` SKUs with units would have none."""

    run: int
    shop: str
    warehouse: str
    back: int
    stay: int
    units_before: int
    units_after: int
    to_zero: int
    held: str
    stored: bool
    lines: tuple[BackRow, ...] = field(default=())


def preview_import(core: Core, shop: str, *, known: str = "keep") -> ImportPreview:
    """What an import would set by the figures as last read; ``feed run SHOP import_stock --plan`` reads them afresh.

    Raises ``NotFoundError`` where no warehouse receives the shop's stock.
    """
    how: operations.Known = "overwrite" if known == "overwrite" else "sum" if known == "sum" else "keep"

    def work(connection: Connection) -> ImportPreview:
        record = find_shop(connection, shop)
        warehouse = value(record, "stock.import_to")
        number = find_warehouse(connection, warehouse)
        total, moving, after = operations.ImportSum(), list[operations.ImportLine](), 0
        while products := operations.importable(connection, record.id, after, _CHUNK):
            after = products[-1]
            lines = operations.plan_lines(connection, record.id, number, products, how)
            total.add(lines)
            moving += [line for line in lines if line.kept or line.before != line.after]
        names = _names(connection, [line.product_id for line in moving])
        return ImportPreview(
            shop=record.name,
            warehouse=warehouse,
            known=how,
            skus=total.counted + total.kept,
            new=total.new,
            raised=total.raised,
            lowered=total.lowered,
            unchanged=total.counted - total.changed,
            kept=total.kept,
            units_before=total.units_before,
            units_after=total.units_after,
            lines=tuple(
                PreviewLine(names[one.product_id], one.before, one.after, one.shown, one.held, one.kept)
                for one in moving
            ),
            left_out={why: tuple(skus) for why, skus in operations.left_out(connection, record.id).items()},
        )

    return core.database.read_now(work)


def list_imports(core: Core, *, shop: str | None = None, limit: int | None = None) -> list[ImportRow]:
    """The imports that set levels, newest first."""

    def work(connection: Connection) -> list[ImportRow]:
        shop_id = find_shop(connection, shop).id if shop is not None else None
        return _imports(connection, shop_id=shop_id, limit=limit)

    return core.database.read_now(work)


def take_back_import(
    core: Core, run: int, *, actor: str, reason: str = "", plan: bool = False, confirm: str = ""
) -> TakenBack:
    """Set the levels that an import set back as they were before, as movements with a reason.

    A level that anything has moved since stays, and says what did. ``plan`` stores nothing. It goes some hundred
    levels a transaction; after a cut, calling it again does the rest.
    Raises ``NotFoundError`` for a run that set no level, ``LockedError`` while the shop is live or imports, and where
    no level can go back, ``HeldError`` where an abnormal share would go to zero and ``confirm`` does not name the
    warehouse.
    """
    words = one_line("reason", reason, 150, needed=not plan)
    found = core.database.read_now(lambda c: _look(c, run))
    if plan:
        return found
    core.database.read_now(lambda c: _require_may(c, run))
    if not found.back:
        first = next((line for line in found.lines if line.why), None)
        told = f" {first.sku}: {first.why}." if first is not None else ""
        raise LockedError(
            f"No level of import {run} can go back: all {found.stay} stay as they are.{told}",
            "Correct single ones with `prestaconsole stock set`, many with `stock load`.",
        )
    if found.held and confirm.strip().casefold() != found.warehouse.casefold():
        raise HeldError(f"{found.held} Nothing was stored.", f"If that is right: --confirm {found.warehouse}.")
    after, back = 0, 0
    while True:
        part, number = core.database.write_now(partial(_take_back_part, core, run, after, actor, words))
        if not part:
            break
        after, back = part, back + number
    core.database.write_now(partial(_end, core, found, back, actor, words))
    return replace(found, stored=True, back=back, stay=len(found.lines) - back)


# -- inside ----------------------------------------------------------------------------------------------------


def _imports(
    connection: Connection, *, run: int | None = None, shop_id: int | None = None, limit: int | None = None
) -> list[ImportRow]:
    mine = StockMovement
    statement = (
        select(
            mine.run_id,
            mine.shop_id,
            mine.warehouse_id,
            func.min(mine.at).label("at"),
            func.max(mine.reason).label("reason"),
            func.max(mine.actor).label("actor"),
            func.count().label("levels"),
            func.sum(mine.physical - mine.quantity).label("before"),
            func.sum(mine.physical).label("after"),
        )
        .where(mine.kind == MovementKind.IMPORT, mine.run_id.is_not(None), mine.shop_id.is_not(None))
        .group_by(mine.run_id, mine.shop_id, mine.warehouse_id)
        .order_by(mine.run_id.desc())
        .limit(limit)
    )
    if run is not None:
        statement = statement.where(mine.run_id == run)
    if shop_id is not None:
        statement = statement.where(mine.shop_id == shop_id)
    rows = connection.execute(statement).all()
    back = _taken_back(connection, [row.run_id for row in rows if row.run_id is not None])
    shops = {row.id: row.code for row in connection.execute(select(Shop.id, Shop.code))}
    warehouses = {row.id: row.code for row in connection.execute(select(Warehouse.id, Warehouse.code))}
    return [
        ImportRow(
            run=row.run_id or 0,
            at=row.at,
            shop=shops[row.shop_id or 0],
            warehouse=warehouses[row.warehouse_id],
            levels=row.levels,
            units_before=int(row.before),
            units_after=int(row.after),
            taken_back=back.get(row.run_id or 0, 0),
            reason=row.reason,
            actor=row.actor,
        )
        for row in rows
    ]


def _taken_back(connection: Connection, runs: Sequence[int]) -> dict[int, int]:
    """How many levels of each run went back."""
    rows = connection.execute(
        select(StockMovement.run_id, func.count())
        .where(StockMovement.run_id.in_(runs), StockMovement.kind == MovementKind.CORRECTION)
        .group_by(StockMovement.run_id)
    )
    return {row[0] or 0: row[1] for row in rows}


def _names(connection: Connection, products: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for start in range(0, len(products), _CHUNK):
        rows = select(Product.id, Product.sku).where(Product.id.in_(products[start : start + _CHUNK]))
        for row in connection.execute(rows):
            found[row.id] = row.sku or f"#{row.id}"
    return found


def _look(connection: Connection, run: int) -> TakenBack:
    known = _imports(connection, run=run)
    if not known:
        raise NotFoundError(f"Run {run} is no import that set a level.", "`prestaconsole stock imports` lists them.")
    lines, after = list[operations.BackLine](), 0
    while part := operations.back_lines(connection, run, after, _CHUNK):
        lines, after = lines + part, part[-1].movement_id
    names = _names(connection, [line.product_id for line in lines])
    going = [line for line in lines if not line.why]
    to_zero = sum(1 for line in going if line.back == 0 and (line.now or 0) > 0)
    stocked = connection.execute(
        select(func.count())
        .select_from(StockLevel)
        .where(StockLevel.warehouse_id == lines[0].warehouse_id, StockLevel.physical > 0)
    ).scalar_one()
    code, held = known[0].warehouse, ""
    if zeros_trip(stocked, to_zero, BrakeLimits()):
        held = f"{to_zero} of {stocked} SKUs in {code} would go to 0."
    return TakenBack(
        run=run,
        shop=known[0].shop,
        warehouse=code,
        back=len(going),
        stay=len(lines) - len(going),
        units_before=sum(line.now or 0 for line in going),
        units_after=sum(line.back or 0 for line in going),
        to_zero=to_zero,
        held=held,
        stored=False,
        lines=tuple(BackRow(names[line.product_id], line.now, line.back, line.why) for line in lines),
    )


def _require_may(connection: Connection, run: int) -> None:
    """Raise ``LockedError`` while the shop is live, or an import of it is queued or at work."""
    shop_id = connection.execute(
        select(StockMovement.shop_id).where(StockMovement.run_id == run, StockMovement.kind == MovementKind.IMPORT)
    ).scalar()
    if shop_id is None:
        raise UsageError(f"The shop of import {run} was removed.", "Correct levels with `prestaconsole stock load`.")
    shop = load_shop(connection, shop_id)
    if shop.mode is ShopMode.LIVE:
        raise LockedError(
            "Locked in live: what goes back here would be sent to the shop at once.",
            f"`prestaconsole shop mode {shop.code} rehearsal` first; a plan shows then what would be sent.",
        )
    active = select(FeedRun.id).where(FeedRun.shop_id == shop_id, FeedRun.feed == FEED, FeedRun.state.in_(_ACTIVE))
    at_work = connection.execute(active).scalar()
    if at_work is not None:
        raise LockedError(
            f"Run {at_work} imports this shop's stock.", f"Wait for it, or `prestaconsole feed cancel {at_work}`."
        )


def _take_back_part(
    core: Core, run: int, after: int, actor: str, reason: str, connection: Connection
) -> tuple[int, int]:
    """Take back the next levels; gives the last movement looked at (0: none were left) and how many went back."""
    _require_may(connection, run)
    lines = operations.back_lines(connection, run, after, _CHUNK)
    number = operations.take_back(connection, run, lines, actor=actor, reason=reason, at=core.clock.now())
    return (lines[-1].movement_id if lines else 0), number


def _end(core: Core, found: TakenBack, back: int, actor: str, reason: str, connection: Connection) -> None:
    """Audit it; a shop of which no import stands any more has not had its stock read."""
    shop = find_shop(connection, found.shop)
    audit(
        connection,
        actor=actor,
        action="stock import taken back",
        at=core.clock.now(),
        shop_id=shop.id,
        record=f"run {found.run} in {found.warehouse}",
        before={"units": found.units_before},
        after={"units": found.units_after, "levels": back, "stayed": len(found.lines) - back},
        reason=reason,
    )
    if not any(one.taken_back == 0 for one in _imports(connection, shop_id=shop.id)):
        mine = (FeedState.shop_id == shop.id, FeedState.feed == FEED)
        connection.execute(update(FeedState).where(*mine).values(completed_at=None, last_ok_at=None))
