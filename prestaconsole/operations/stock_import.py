"""What an import of a shop's stock sets, and what it leaves out; and the import taken back (rows B27, B38, DESIGN §5a).

Each level that an import sets is an IMPORT movement of its run, so the ledger itself is the snapshot to go back to.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, case, delete, func, select
from sqlalchemy.orm import aliased

from prestaconsole.database import Connection
from prestaconsole.model import Listing, MovementKind, StockLevel, StockMovement
from prestaconsole.operations.holds import held_units
from prestaconsole.operations.stock_ledger import Movement, levels, move, set_level

_CHUNK = 400

Known = Literal["keep", "overwrite", "sum"]


@dataclass(frozen=True, slots=True)
class ImportLine:
    """One product: its level ``before`` (None: never counted) and ``after``; ``kept``: counted before, so it stays.

    ``shown`` is what the shop shows, ``held`` what its open orders hold; both are in ``after``.
    """

    product_id: int
    before: int | None
    after: int
    shown: int
    held: int
    kept: bool = False


@dataclass
class ImportSum:
    """What an import does, or would do: SKUs and units."""

    counted: int = 0
    new: int = 0
    raised: int = 0
    lowered: int = 0
    kept: int = 0
    units_before: int = 0
    units_after: int = 0

    @property
    def changed(self) -> int:
        """Levels that move, a first count included."""
        return self.new + self.raised + self.lowered

    def add(self, lines: Iterable[ImportLine]) -> None:
        """Count these lines in."""
        for line in lines:
            self.counted += not line.kept
            self.kept += line.kept
            self.new += line.before is None
            self.raised += line.before is not None and line.after > line.before
            self.lowered += line.before is not None and line.after < line.before
            self.units_before += line.before or 0
            self.units_after += line.after

    def words(self, *, done: bool) -> str:
        """In one line, done or only planned."""
        verb = "set" if done else "would be set"
        moved = f"{self.new} new, {self.raised} raised, {self.lowered} lowered"
        units = f"{self.units_before} units become {self.units_after}"
        words = f"{self.changed} levels {verb} ({moved}; {units})"
        if self.kept:
            words += f", {self.kept} kept as they were counted before (--known overwrite or sum changes that)"
        return words


def importable(connection: Connection, shop_id: int, after: int, limit: int) -> list[int]:
    """Products above ``after`` whose listings show a figure that no order has moved since it was read."""
    products = select(Listing.product_id).where(*_sure(shop_id), Listing.product_id > after)
    rows = connection.execute(products.distinct().order_by(Listing.product_id).limit(limit)).scalars()
    return [product for product in rows if product is not None]


def plan_lines(
    connection: Connection, shop_id: int, warehouse: int, products: Sequence[int], known: Known
) -> list[ImportLine]:
    """What each product's level becomes: what the shop shows plus what its open orders hold.

    The figure is the one expected now: what was read, less what orders have taken since, which their holds carry.
    Where several listings share a product, the lowest of their figures counts: the shop never gets more than it had.
    """
    shown, held = _figures(connection, shop_id, products)
    standing = levels(connection, ((product, warehouse) for product in products))
    ours = _imported_here(connection, shop_id, warehouse, products)
    lines = []
    for product in products:
        if product not in shown:
            continue
        before = standing.get((product, warehouse))
        after = shown[product] + held.get(product, 0)
        elsewhere = before is not None and product not in ours
        if elsewhere and known == "keep":
            lines.append(ImportLine(product, before, before or 0, shown[product], held.get(product, 0), kept=True))
            continue
        if elsewhere and known == "sum":
            after += before or 0
        lines.append(ImportLine(product, before, after, shown[product], held.get(product, 0)))
    return lines


def set_lines(
    connection: Connection,
    shop_id: int,
    warehouse: int,
    lines: Sequence[ImportLine],
    *,
    actor: str,
    reason: str,
    run_id: int,
    at: datetime,
) -> int:
    """Set the levels of these lines; gives how many moved."""
    return set_level(
        connection,
        [(line.product_id, warehouse, line.after) for line in lines if not line.kept],
        kind=MovementKind.IMPORT,
        actor=actor,
        at=at,
        reason=reason,
        shop_id=shop_id,
        run_id=run_id,
    )


def left_out(connection: Connection, shop_id: int) -> dict[str, list[str]]:
    """Listings that an import leaves out, by the reason: their SKUs, or names where they have none."""
    sold = (Listing.shop_id == shop_id, Listing.has_combinations.is_(False), Listing.gone_at.is_(None))
    reason = case(
        (Listing.depends_on_stock, "counted by PrestaShop's advanced stock management"),
        (Listing.id_stock_available.is_(None), "the shop has no stock row for it"),
        (Listing.product_id.is_(None), "linked to no product"),
        else_="its figure was not read yet",
    )
    counts = (Listing.depends_on_stock.is_(False), Listing.product_id.is_not(None), Listing.expected_low.is_not(None))
    rows = select(reason.label("why"), Listing.sku, Listing.name).where(*sold, ~_all(counts)).order_by(Listing.id)
    found: dict[str, list[str]] = {}
    for row in connection.execute(rows):
        found.setdefault(row.why, []).append(row.sku or row.name)
    return found


# -- taking an import back -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BackLine:
    """One level that an import set: ``now`` goes back to ``back`` (None: to never counted), or stays, and ``why``.

    ``now`` is None where nothing is counted any more.
    """

    product_id: int
    warehouse_id: int
    movement_id: int
    now: int | None
    back: int | None
    why: str = ""


def back_lines(connection: Connection, run_id: int, after: int, limit: int) -> list[BackLine]:
    """The levels that this run set, from a movement id on, with what taking them back would do.

    A level that anything has moved since stays: its figure is newer than the import.
    """
    imported = _imports(run_id, StockMovement.id > after)
    columns = (StockMovement.id, StockMovement.product_id, StockMovement.warehouse_id)
    rows = connection.execute(
        select(*columns, StockMovement.quantity, StockMovement.physical, StockMovement.first)
        .where(*imported)
        .order_by(StockMovement.id)
        .limit(limit)
    ).all()
    standing = levels(connection, ((row.product_id, row.warehouse_id) for row in rows))
    since = _moved_since(connection, run_id, [row.product_id for row in rows])
    lines = []
    for row in rows:
        pair = (row.product_id, row.warehouse_id)
        now = standing.get(pair)
        why = since.get(row.id, "")
        if not why and now != row.physical:
            why = "its level is not the one that was imported"
        back = None if row.first else row.physical - row.quantity
        lines.append(BackLine(*pair, row.id, now, now if why else back, why))
    return lines


def take_back(
    connection: Connection, run_id: int, lines: Sequence[BackLine], *, actor: str, reason: str, at: datetime
) -> int:
    """Set these levels back as they were before the import, as movements of its run; gives how many went back."""
    going = [line for line in lines if not line.why and line.now is not None]
    moves = [
        Movement(line.product_id, line.warehouse_id, (line.back or 0) - (line.now or 0), MovementKind.CORRECTION)
        for line in going
    ]
    move(connection, moves, actor=actor, at=at, reason=f"import {run_id} taken back: {reason}"[:200], run_id=run_id)
    for line in going:
        if line.back is None:
            pair = (StockLevel.product_id == line.product_id, StockLevel.warehouse_id == line.warehouse_id)
            connection.execute(delete(StockLevel).where(*pair))
    return len(going)


def _imports(run_id: int, *where: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    return (StockMovement.run_id == run_id, StockMovement.kind == MovementKind.IMPORT, *where)


def _moved_since(connection: Connection, run_id: int, products: Sequence[int]) -> dict[int, str]:
    """Why a level stays, by the import's movement: the first thing that moved it afterwards, in words."""
    later, found = aliased(StockMovement), dict[int, str]()
    for start in range(0, len(products), _CHUNK):
        mine = _imports(run_id, StockMovement.product_id.in_(products[start : start + _CHUNK]))
        rows = connection.execute(
            select(StockMovement.id, later.kind, later.quantity, later.at, later.run_id.label("by_run"))
            .join(
                later,
                (later.product_id == StockMovement.product_id)
                & (later.warehouse_id == StockMovement.warehouse_id)
                & (later.id > StockMovement.id),
            )
            .where(*mine)
            .order_by(later.id)
        )
        for row in rows:
            if row.id not in found:
                words = f"{row.kind} of {row.quantity:+d} on {row.at:%Y-%m-%d %H:%M} UTC"
                found[row.id] = "taken back before" if row.by_run == run_id else f"moved since: {words}"
    return found


# -- inside ----------------------------------------------------------------------------------------------------


def _all(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    first, *others = conditions
    for one in others:
        first = first & one
    return first


def _sure(shop_id: int) -> list[ColumnElement[bool]]:
    """Sellable listings whose figure no order has moved since it was read."""
    return [
        Listing.shop_id == shop_id,
        Listing.has_combinations.is_(False),
        Listing.depends_on_stock.is_(False),
        Listing.gone_at.is_(None),
        Listing.product_id.is_not(None),
        Listing.expected_low.is_not(None),
    ]


def _figures(
    connection: Connection, shop_id: int, products: Sequence[int]
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """By product: what the shop shows, and what its open orders hold."""
    units = held_units(connection, shop_id)
    shown: dict[int, int] = {}
    held: dict[int, int] = {}
    pair = (Listing.id_product, Listing.id_product_attribute)
    for start in range(0, len(products), _CHUNK):
        rows = select(Listing.product_id, *pair, Listing.expected_low)
        mine = (*_sure(shop_id), Listing.product_id.in_(products[start : start + _CHUNK]))
        for row in connection.execute(rows.where(*mine).order_by(Listing.id)):
            product, figure = row.product_id or 0, row.expected_low or 0
            shown[product] = min(shown.get(product, figure), figure)
            held[product] = held.get(product, 0) + units.get((row.id_product, row.id_product_attribute), 0)
    return shown, held


def _imported_here(connection: Connection, shop_id: int, warehouse: int, products: Sequence[int]) -> set[int]:
    """Products whose level in this warehouse came from this shop: a second import may overwrite those.

    An import that was taken back says nothing any more.
    """
    found: set[int] = set()
    undone = aliased(StockMovement)
    for start in range(0, len(products), _CHUNK):
        taken_back = (
            select(func.count())
            .select_from(undone)
            .where(
                undone.product_id == StockMovement.product_id,
                undone.warehouse_id == StockMovement.warehouse_id,
                undone.run_id == StockMovement.run_id,
                undone.kind == MovementKind.CORRECTION,
            )
            .scalar_subquery()
        )
        rows = select(StockMovement.product_id).where(
            StockMovement.product_id.in_(products[start : start + _CHUNK]),
            StockMovement.warehouse_id == warehouse,
            StockMovement.shop_id == shop_id,
            StockMovement.kind == MovementKind.IMPORT,
            taken_back == 0,
        )
        found |= set(connection.execute(rows).scalars())
    return found
