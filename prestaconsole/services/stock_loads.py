"""Taking stock files in: what would change, what is wrong, and the booking, once. May import operations, model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import Row, select, update

from prestaconsole.database import Connection, insert_new
from prestaconsole.errors import HeldError, LockedError, UsageError
from prestaconsole.model import LoadState, MovementKind, Product, StockLevel, StockLoad
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import close_incident
from prestaconsole.operations.stock_ledger import set_level
from prestaconsole.rules.brake import BrakeLimits, zeros_trip
from prestaconsole.services.load_list import SILENT, TYPED, cut_off_key
from prestaconsole.services.stock_files import FileProblem, FileRow, StockFile, read_stock_file
from prestaconsole.services.typed import one_line
from prestaconsole.services.warehouses import find_warehouse

T = TypeVar("T")

_AT_ONCE = 500
_NO_PRODUCT = "Take the row out, or read new products first: `prestaconsole feed run SHOP import_products --wait`."


@dataclass(frozen=True, slots=True)
class LoadChange:
    """One SKU that differs; ``before`` is None where nothing was ever counted. ``absent``: it is not in the file."""

    sku: str
    before: int | None
    after: int
    absent: bool = False


@dataclass(frozen=True)
class LoadPlan:
    """What loading a stock file does; ``stored``: it was done. Rows absent from the file stay, unless it is complete.

    ``to_zero`` of the ``stocked`` SKUs that have units in the warehouse would have none; ``held`` says why a person
    must confirm that.
    """

    file: str
    warehouse: str
    rows: int
    unchanged: int
    changes: tuple[LoadChange, ...]
    problems: tuple[FileProblem, ...]
    stored: bool
    to_zero: int = 0
    stocked: int = 0
    held: str = ""
    load: int | None = None
    resumed_at: int = 0
    """Rows that were booked already when an attempt before this one was cut off."""


class TakenOver(LockedError):
    """Another process books this very file."""

    def __init__(self) -> None:
        super().__init__("Another process books this file.", "It goes on by itself; `stock loads` shows how far it is.")


def plan_load(core: Core, path: Path, *, warehouse: str, complete: bool = False) -> LoadPlan:
    """What loading this file would change, and every row that cannot be loaded. Stores nothing."""
    file = read_stock_file(path)
    return core.database.read_now(lambda connection: compare(connection, file, warehouse, complete=complete)[0])


def load_stock(
    core: Core,
    path: Path,
    *,
    warehouse: str,
    actor: str,
    complete: bool = False,
    good_rows: bool = False,
    confirm: str = "",
    reason: str = "",
) -> LoadPlan:
    """Load counted stock from a CSV or XLSX file with the columns ``sku,quantity``.

    A file with a row that cannot be loaded is refused whole (``stored`` is False), unless ``good_rows`` asks for the
    others. SKUs that are not in it stay as they are: missing is not zero. ``complete`` makes them zero. The same file
    once more after a cut goes on where it stood; another file ends a load of this warehouse that was cut off.
    Raises ``HeldError`` where an abnormal share would go to zero and ``confirm`` does not name the warehouse.
    """
    reason = one_line("reason", reason, 200, needed=bool(confirm.strip()))
    file = read_stock_file(path)
    plan, absent = core.database.read_now(lambda c: compare(c, file, warehouse, complete=complete))
    if plan.problems and complete and good_rows:
        raise UsageError(
            "A file with bad rows is no complete count: their SKUs would go to zero.",
            "Mend its rows, or load it plain.",
        )
    if plan.problems and not (good_rows and len(plan.problems) < plan.rows):
        return plan
    if plan.held and confirm.strip().casefold() != plan.warehouse.casefold():
        raise HeldError(
            f"{plan.held} Nothing was stored.",
            f"Look at the file again. If the warehouse really is empty: --confirm {plan.warehouse} --reason “why”.",
        )
    claim, at = core.database.write_now(lambda c: _claim(c, core, file, plan.warehouse))
    load_id = begin_load(core, claim, file, plan, actor=actor, reason=reason)
    book_rows(core, load_id, file.rows, actor=actor)
    position = core.database.read_now(lambda c: _load(c, load_id)).position
    for part in parts_of(absent, _AT_ONCE):
        core.database.write_now(partial(_book_absent, core, load_id, part, position, actor))
        position += len(part)
    end_load(core, load_id)
    return replace(plan, stored=True, load=load_id, resumed_at=at)


def _claim(connection: Connection, core: Core, file: StockFile, warehouse: str) -> tuple[str, int]:
    """The claim under which a person's file is booked, and how many of its rows are: 0, but after a cut.

    A load of other bytes that was cut off in this warehouse ends here as failed, with what became of it.
    """
    now, warehouse_id = core.clock.now(), find_warehouse(connection, warehouse)[0]
    load = StockLoad
    for row in connection.execute(
        select(load.id, load.claim, load.digest, load.position, load.rows, load.moved_at).where(
            load.warehouse_id == warehouse_id, load.state == LoadState.LOADING, load.claim.startswith(TYPED)
        )
    ).all():
        if row.digest == file.digest:
            return row.claim, min(row.position, row.rows)
        if now - row.moved_at >= SILENT:
            words = f"Cut off after {min(row.position, row.rows)} of {row.rows} rows; {file.name} was loaded next."
            ended = {"state": LoadState.FAILED, "error": words[:400], "ended_at": now, "moved_at": now}
            connection.execute(update(load).where(load.id == row.id).values(ended))
            close_incident(connection, shop_id=None, cause_key=cut_off_key(row.id), by="cured", at=now)
    return f"{TYPED}{uuid4().hex}", 0


# -- comparing -------------------------------------------------------------------------------------------------


def compare(
    connection: Connection, file: StockFile, warehouse: str, *, complete: bool = False
) -> tuple[LoadPlan, list[int]]:
    """What the file would change, and with ``complete`` the products that are not in it and would go to zero."""
    warehouse_id, code = find_warehouse(connection, warehouse)
    products = _products(connection, file.rows)
    standing: dict[int, int] = {}
    rows = select(StockLevel.product_id, StockLevel.physical).where(StockLevel.warehouse_id == warehouse_id)
    for product_id, physical in connection.execute(rows):
        standing[product_id] = physical
    problems, changes, unchanged = list(file.problems), [], 0
    for row in file.rows:
        known = products.get(row.sku)
        if known is None:
            words = "no product has this SKU"
            problems.append(FileProblem(row.line, row.sku, words, "sku", row.sku, _NO_PRODUCT))
        elif standing.get(known) != row.quantity:
            changes.append(LoadChange(row.sku, standing.get(known), row.quantity))
        else:
            unchanged += 1
    problems.sort(key=lambda problem: problem.line)
    absent: list[int] = []
    if complete and not problems:
        counted = set(products.values())
        absent = sorted(product for product, there in standing.items() if product not in counted and there)
        changes += _absent_changes(connection, absent, standing)
    to_zero = sum(1 for change in changes if change.after == 0 and (change.before or 0) > 0)
    stocked = sum(1 for there in standing.values() if there > 0)
    held = ""
    if zeros_trip(stocked, to_zero, BrakeLimits()):
        held = f"{to_zero} of {stocked} SKUs in {code} would go to 0, {to_zero * 100 // max(stocked, 1)} %."
    count = len(file.rows) + len(file.problems)
    plan = LoadPlan(file.name, code, count, unchanged, tuple(changes), tuple(problems), False, to_zero, stocked, held)
    return plan, absent


def _products(connection: Connection, rows: Sequence[FileRow]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts_of(rows, _AT_ONCE):
        named = select(Product.sku, Product.id).where(Product.sku.in_([row.sku for row in part]))
        for sku, product_id in connection.execute(named):
            found[sku or ""] = product_id
    return found


def _absent_changes(connection: Connection, absent: Sequence[int], standing: dict[int, int]) -> list[LoadChange]:
    changes = []
    for part in parts_of(absent, _AT_ONCE):
        named = select(Product.id, Product.sku).where(Product.id.in_(part)).order_by(Product.id)
        for row in connection.execute(named):
            changes.append(LoadChange(row.sku or f"#{row.id}", standing[row.id], 0, absent=True))
    return changes


# -- booking ---------------------------------------------------------------------------------------------------


def begin_load(core: Core, claim: str, file: StockFile, plan: LoadPlan, *, actor: str, reason: str = "") -> int:
    """Note that this delivery of a file is taken in; gives its id, the same one for the same ``claim``."""

    def work(connection: Connection) -> int:
        now = core.clock.now()
        warehouse_id, code = find_warehouse(connection, plan.warehouse)
        known = connection.execute(select(StockLoad.id).where(StockLoad.claim == claim)).scalar()
        if known is not None:
            return known
        row = {
            "claim": claim,
            "warehouse_id": warehouse_id,
            "file": file.name[:200],
            "digest": file.digest,
            "state": LoadState.LOADING,
            "rows": plan.rows,
            "position": 0,
            "changed": 0,
            "refused": len(plan.problems),
            "error": "",
            "actor": actor,
            "began_at": now,
            "moved_at": now,
        }
        insert_new(connection, StockLoad, [row], key=["claim"])
        load_id = connection.execute(select(StockLoad.id).where(StockLoad.claim == claim)).scalar_one()
        after = {"load": load_id, "rows": plan.rows, "changed": len(plan.changes), "refused": len(plan.problems)}
        audit(
            connection,
            actor=actor,
            action="stock load",
            at=now,
            record=f"{plan.file} into {code}"[:120],
            after={**after, "to_zero": plan.to_zero},
            reason=reason,
        )
        return load_id

    return core.database.write_now(work)


def book_rows(
    core: Core, load_id: int, rows: Sequence[FileRow], *, actor: str, stop: Callable[[], bool] = lambda: False
) -> bool:
    """Book the rows of a file from where this load stands, some hundred a transaction; False when it was stopped.

    Raises ``TakenOver`` where another process books them.
    """
    position = core.database.read_now(
        lambda c: c.execute(select(StockLoad.position).where(StockLoad.id == load_id)).scalar_one()
    )
    while position < len(rows):
        if stop():
            return False
        part = rows[position : position + _AT_ONCE]
        core.database.write_now(partial(_book_part, core, load_id, part, position, actor))
        position += len(part)
    return True


def _book_part(
    core: Core, load_id: int, part: Sequence[FileRow], position: int, actor: str, connection: Connection
) -> None:
    now = core.clock.now()
    load = _advance(connection, load_id, position, len(part), now)
    products = _products(connection, part)
    targets = [(products[row.sku], load.warehouse_id, row.quantity) for row in part if row.sku in products]
    _set(connection, load, targets, actor, now)


def _book_absent(
    core: Core, load_id: int, part: Sequence[int], position: int, actor: str, connection: Connection
) -> None:
    now = core.clock.now()
    load = _advance(connection, load_id, position, len(part), now)
    _set(connection, load, [(product, load.warehouse_id, 0) for product in part], actor, now)


def _load(connection: Connection, load_id: int) -> Row[Any]:
    found: Row[Any] = connection.execute(select(*StockLoad.__table__.columns).where(StockLoad.id == load_id)).one()
    return found


def _advance(connection: Connection, load_id: int, position: int, rows: int, now: datetime) -> Row[Any]:
    """Move the load past these rows in the transaction that books them: only one process can."""
    mine = (StockLoad.id == load_id, StockLoad.position == position, StockLoad.state == LoadState.LOADING)
    moved = connection.execute(update(StockLoad).where(*mine).values(position=position + rows, moved_at=now))
    if moved.rowcount != 1:
        raise TakenOver
    return _load(connection, load_id)


def _set(
    connection: Connection, load: Row[Any], targets: Sequence[tuple[int, int, int]], actor: str, now: datetime
) -> None:
    reason = f"file {load.file}"[:180] + f", load {load.id}"
    changed = set_level(connection, targets, kind=MovementKind.CORRECTION, actor=actor, at=now, reason=reason)
    counted = {"changed": StockLoad.changed + changed, "moved_at": now}
    connection.execute(update(StockLoad).where(StockLoad.id == load.id).values(counted))


def end_load(core: Core, load_id: int, *, failed: str = "", note: str = "") -> None:
    """Close a load as done, or as failed with why."""

    def work(connection: Connection) -> None:
        now = core.clock.now()
        values = {"state": LoadState.FAILED if failed else LoadState.DONE, "error": (failed or note)[:400]}
        connection.execute(
            update(StockLoad)
            .where(StockLoad.id == load_id, StockLoad.state == LoadState.LOADING)
            .values(**values, ended_at=now, moved_at=now)
        )
        close_incident(connection, shop_id=None, cause_key=cut_off_key(load_id), by="cured", at=now)

    core.database.write_now(work)


def parts_of(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of at most ``size``."""
    stream = iter(rows)
    while part := list(islice(stream, size)):
        yield part
