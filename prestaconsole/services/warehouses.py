"""Warehouses: places that keep stock. May import operations, model, database."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, func, insert, select, update

from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError, UsageError
from prestaconsole.model import StockLevel, Warehouse
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import all_shops
from prestaconsole.operations.stock_ledger import mark_shops
from prestaconsole.services.typed import code_of, one_line


@dataclass(frozen=True)
class WarehouseRow:
    """A warehouse with what it holds: products counted, units, and the shops that draw on it (their codes).

    ``folder`` is where its stock files are dropped; ``good_rows``: of one with bad rows the others are loaded.
    """

    id: int
    code: str
    name: str
    active: bool
    products: int
    units: int
    shops: tuple[str, ...]
    folder: str = ""
    good_rows: bool = False


WAREHOUSE_FIELDS = {
    "name": "what people call it",
    "active": "yes or no; one that is switched off counts as empty in every shop",
    "folder": "folder whose stock files the daemon loads; empty is none",
    "good_rows": "yes or no: of a file with bad rows load the others, rather than none",
}


def list_warehouses(core: Core, *, limit: int | None = None) -> list[WarehouseRow]:
    """Every warehouse by code."""
    return core.database.read_now(lambda connection: _rows(connection, limit))


def _rows(connection: Connection, limit: int | None = None, *where: ColumnElement[bool]) -> list[WarehouseRow]:
    drawn: dict[str, list[str]] = {}
    for shop in all_shops(connection):
        for code in value(shop, "stock.warehouses"):
            drawn.setdefault(code, []).append(shop.code)
    levels = (
        select(StockLevel.warehouse_id, func.count().label("products"), func.sum(StockLevel.physical).label("units"))
        .group_by(StockLevel.warehouse_id)
        .subquery()
    )
    statement = (
        select(*Warehouse.__table__.columns, levels.c.products, levels.c.units)
        .outerjoin(levels, levels.c.warehouse_id == Warehouse.id)
        .where(*where)
        .order_by(Warehouse.code)
        .limit(limit)
    )
    return [
        WarehouseRow(
            id=row.id,
            code=row.code,
            name=row.name,
            active=row.active,
            products=row.products or 0,
            units=int(row.units or 0),
            shops=tuple(drawn.get(row.code, ())),
            folder=row.folder,
            good_rows=row.good_rows,
        )
        for row in connection.execute(statement)
    ]


def add_warehouse(core: Core, code: str, *, actor: str, name: str = "") -> WarehouseRow:
    """Make a warehouse. Raises ``UsageError`` where the code is taken or has another form."""
    code = code_of("code", code)
    name = one_line("name", name, 120)

    def work(connection: Connection) -> WarehouseRow:
        now = core.clock.now()
        taken = connection.execute(select(Warehouse.code).where(func.lower(Warehouse.code) == code.lower())).scalar()
        if taken is not None:
            raise UsageError(f"A warehouse with the code {taken} is already here.", "Give another code.")
        made = connection.execute(insert(Warehouse).values(code=code, name=name, active=True, created_at=now))
        assert made.inserted_primary_key is not None
        audit(connection, actor=actor, action="warehouse add", at=now, record=code, after={"name": name})
        return WarehouseRow(int(made.inserted_primary_key[0]), code, name, True, 0, 0, ())

    return core.database.write_now(work)


def set_warehouse(core: Core, warehouse: str, values: Mapping[str, str], *, actor: str) -> WarehouseRow:
    """Set fields of a warehouse, all or none. Switching it off or on marks the listings of all shops that draw on it.

    Raises ``UsageError`` naming the field that does not take the text.
    """

    def work(connection: Connection) -> WarehouseRow:
        now = core.clock.now()
        warehouse_id, code = find_warehouse(connection, warehouse)
        before = _rows(connection, None, Warehouse.id == warehouse_id)[0]
        typed = {name.strip(): _field(connection, name.strip(), text, warehouse_id) for name, text in values.items()}
        if typed:
            connection.execute(update(Warehouse).where(Warehouse.id == warehouse_id).values(**typed))
        after = _rows(connection, None, Warehouse.id == warehouse_id)[0]
        if after.active != before.active:
            shops = [shop.id for shop in all_shops(connection) if code in value(shop, "stock.warehouses")]
            mark_shops(connection, shops, now)
        audit(
            connection,
            actor=actor,
            action="warehouse set",
            at=now,
            record=code,
            before={name: getattr(before, name) for name in typed},
            after=typed,
        )
        return after

    return core.database.write_now(work)


def _field(connection: Connection, name: str, text: str, warehouse_id: int) -> str | bool:
    if name not in WAREHOUSE_FIELDS:
        raise UsageError(f"“{name}” is no field of a warehouse.", f"Fields: {', '.join(WAREHOUSE_FIELDS)}.")
    if name == "name":
        return one_line("name", text, 120)
    if name == "folder":
        return _folder(connection, text, warehouse_id)
    word = text.strip().lower()
    if word not in {"yes", "on", "true", "1", "no", "off", "false", "0"}:
        raise UsageError(f"{name} cannot be “{text}”.", "It takes yes or no.")
    return word in {"yes", "on", "true", "1"}


def _folder(connection: Connection, text: str, warehouse_id: int) -> str:
    typed = one_line("folder", text, 400)
    if not typed:
        return ""
    path = Path(typed).expanduser()
    if not path.is_absolute() or not path.is_dir():
        raise UsageError(
            f"“{typed}” is no folder of this machine.", "Make it first, and give its whole path, such as /srv/stock/w1."
        )
    folder = str(path.resolve())
    others = select(Warehouse.code).where(Warehouse.folder == folder, Warehouse.id != warehouse_id)
    taken = connection.execute(others).scalar()
    if taken is not None:
        raise UsageError(f"{folder} is the folder of {taken} already.", "Give each warehouse a folder of its own.")
    return folder


def find_warehouse(connection: Connection, text: str) -> tuple[int, str]:
    """Id and code of the warehouse that is called so, case ignored. Raises ``NotFoundError``."""
    rows: Mapping[str, tuple[int, str]] = {
        code.casefold(): (warehouse_id, code)
        for warehouse_id, code in connection.execute(select(Warehouse.id, Warehouse.code).order_by(Warehouse.code))
    }
    found = rows.get(text.strip().casefold())
    if found is None:
        there = ", ".join(code for _, code in rows.values()) or "none yet"
        raise NotFoundError(
            f"No warehouse is called “{text}”.", f"Warehouses: {there}. `prestaconsole warehouse add CODE` makes one."
        )
    return found
