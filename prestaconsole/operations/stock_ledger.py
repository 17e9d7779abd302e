"""Physical levels and the append-only ledger of their movements; every movement marks the listings it touches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, select, tuple_, update

from prestaconsole.database import Connection, table_of, upsert
from prestaconsole.errors import NotFoundError
from prestaconsole.model import Listing, MovementKind, StockLevel, StockMovement, Warehouse
from prestaconsole.operations.kits import touched_by
from prestaconsole.redaction import refuse_key

_CHUNK = 400


@dataclass(frozen=True)
class Movement:
    """Units (negative: out) of one product in one warehouse, and why."""

    product_id: int
    warehouse_id: int
    units: int
    kind: MovementKind
    shop_id: int | None = None
    order_id: int | None = None


def find_warehouse(connection: Connection, code: str) -> int:
    """The id of the active warehouse with this code. Raises ``NotFoundError``."""
    found = connection.execute(select(Warehouse.id).where(Warehouse.code == code.strip(), Warehouse.active)).scalar()
    if found is None:
        codes = connection.execute(select(Warehouse.code).where(Warehouse.active).order_by(Warehouse.code)).scalars()
        known = ", ".join(codes) or "none yet"
        raise NotFoundError(
            f"No warehouse has the code “{code}”.", f"Warehouses: {known}. `prestaconsole warehouse add` makes one."
        )
    return found


def levels(connection: Connection, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Physical units by (product, warehouse); a pair that was never counted is absent."""
    wanted = list(dict.fromkeys(pairs))
    found: dict[tuple[int, int], int] = {}
    for start in range(0, len(wanted), _CHUNK):
        key = tuple_(StockLevel.product_id, StockLevel.warehouse_id)
        rows = select(StockLevel.product_id, StockLevel.warehouse_id, StockLevel.physical)
        for row in connection.execute(rows.where(key.in_(wanted[start : start + _CHUNK]))):
            found[row.product_id, row.warehouse_id] = row.physical
    return found


def move(
    connection: Connection,
    movements: Sequence[Movement],
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    run_id: int | None = None,
) -> None:
    """Book movements in order: level, ledger row, and a mark on every listing of the product.

    A level that never was begins at zero: goods that leave uncounted show as a negative figure, not as silence.
    """
    refuse_key("reason", reason)
    standing = levels(connection, ((one.product_id, one.warehouse_id) for one in movements))
    ledger = []
    for one in movements:
        pair = (one.product_id, one.warehouse_id)
        first = pair not in standing
        standing[pair] = standing.get(pair, 0) + one.units
        ledger.append(
            {
                "product_id": one.product_id,
                "warehouse_id": one.warehouse_id,
                "kind": one.kind,
                "quantity": one.units,
                "physical": standing[pair],
                "first": first,
                "shop_id": one.shop_id,
                "order_id": one.order_id,
                "run_id": run_id,
                "reason": reason,
                "actor": actor,
                "at": at,
            }
        )
    if not ledger:
        return
    touched = dict.fromkeys((one.product_id, one.warehouse_id) for one in movements)
    rows = [
        {"product_id": product, "warehouse_id": warehouse, "physical": standing[product, warehouse], "updated_at": at}
        for product, warehouse in touched
    ]
    upsert(connection, StockLevel, rows, key=["product_id", "warehouse_id"])
    connection.execute(insert(StockMovement), ledger)
    mark_listings(connection, (one.product_id for one in movements), at)


def set_level(
    connection: Connection,
    targets: Sequence[tuple[int, int, int]],
    *,
    kind: MovementKind,
    actor: str,
    at: datetime,
    reason: str,
    shop_id: int | None = None,
    run_id: int | None = None,
) -> int:
    """Set levels to counted figures: ``(product, warehouse, physical)``; gives how many moved.

    A figure equal to the level books nothing, except the first count of a product, which is a fact even at zero.
    """
    standing = levels(connection, ((product, warehouse) for product, warehouse, _ in targets))
    movements = [
        Movement(product, warehouse, physical - standing.get((product, warehouse), 0), kind, shop_id)
        for product, warehouse, physical in targets
        if standing.get((product, warehouse)) != physical
    ]
    move(connection, movements, actor=actor, at=at, reason=reason, run_id=run_id)
    return len(movements)


def mark_listings(connection: Connection, product_ids: Iterable[int], at: datetime) -> None:
    """Mark every listing of these products, in all shops: the number to show may have changed (row B29).

    Kits that need one of them, and the parts of those that are kits, go with them.
    """
    rows = [{"product": product, "moment": at} for product in touched_by(connection, product_ids)]
    if rows:
        table = table_of(Listing)
        statement = (
            update(table)
            .where(table.c.product_id == bindparam("product"))
            .values(push_mark=table.c.push_mark + 1, marked_at=bindparam("moment"))
        )
        connection.execute(statement, rows)


def mark_shops(connection: Connection, shop_ids: Iterable[int], at: datetime) -> int:
    """Mark every sold listing of these shops: a rule for all of their numbers has changed. Gives how many."""
    table = table_of(Listing)
    sold = (table.c.gone_at.is_(None), table.c.has_combinations.is_(False), table.c.product_id.is_not(None))
    values = {"push_mark": table.c.push_mark + 1, "marked_at": at}
    marked = update(table).where(table.c.shop_id.in_(list(shop_ids)), *sold).values(**values)
    return connection.execute(marked).rowcount
