"""Stock of the warehouses: show and set. May import operations, model, database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select

from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError, UsageError
from prestaconsole.model import HoldState, MovementKind, Product, StockHold, StockLevel, Warehouse
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.kits import kits_around
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import all_shops
from prestaconsole.operations.stock_ledger import set_level
from prestaconsole.services.typed import one_line
from prestaconsole.services.warehouses import find_warehouse

MOST_UNITS = 2_000_000_000


@dataclass(frozen=True)
class StockRow:
    """One product in one warehouse. ``held`` are units of open orders, each laid on one warehouse of its shop."""

    sku: str
    warehouse: str
    physical: int
    held: int
    available: int


def find_product(connection: Connection, sku: str) -> tuple[int, str]:
    """Id and SKU of a product; ``#12`` names one by its id, for those without a SKU. Raises ``NotFoundError``."""
    text = sku.strip()
    if text.startswith("#") and text[1:].isdigit():
        where = Product.id == int(text[1:])
    else:
        where = func.lower(Product.sku) == text.lower()
    rows = connection.execute(select(Product.id, Product.sku).where(where)).all()
    found = next((row for row in rows if row.sku == text), rows[0] if len(rows) == 1 else None)
    if found is None:
        raise NotFoundError(
            f"No product has the SKU “{text}”.",
            "`prestaconsole product list` shows all; import_products reads new ones.",
        )
    return found.id, found.sku or f"#{found.id}"


def show_stock(core: Core, sku: str) -> list[StockRow]:
    """What each warehouse has of a product; no row means that it was never counted there. Raises ``NotFoundError``."""

    def work(connection: Connection) -> list[StockRow]:
        product_id, name = find_product(connection, sku)
        return stock_rows(connection, product_id, name)

    return core.database.read_now(work)


def stock_rows(connection: Connection, product_id: int, sku: str) -> list[StockRow]:
    """The levels of one product with the units its open orders hold there."""
    held_by_shop = _held_by_shop(connection, product_id)
    levels = dict(
        connection.execute(
            select(Warehouse.code, StockLevel.physical)
            .join(Warehouse, Warehouse.id == StockLevel.warehouse_id)
            .where(StockLevel.product_id == product_id)
            .order_by(Warehouse.code)
        ).all()
    )
    held = dict.fromkeys(levels, 0)
    for shop in all_shops(connection):
        _share_out(int(held_by_shop.get(shop.id, 0)), value(shop, "stock.warehouses"), levels, held)
    return [StockRow(sku, code, physical, held[code], physical - held[code]) for code, physical in levels.items()]


def _held_by_shop(connection: Connection, product_id: int) -> dict[int, int]:
    """Units that open orders of each shop hold of a product, those in kits included; of a kit its parts are held."""
    kits = kits_around(connection, [product_id])
    if product_id in kits.parts:
        return {}
    units = {product_id: 1, **kits.uses().get(product_id, {})}
    rows = connection.execute(
        select(StockHold.shop_id, StockHold.product_id, func.sum(StockHold.quantity))
        .where(StockHold.product_id.in_(units), StockHold.state == HoldState.OPEN)
        # The parts of a shop's own pack hold for themselves.
        .where(or_(StockHold.product_id == product_id, StockHold.with_parts.is_(False)))
        .group_by(StockHold.shop_id, StockHold.product_id)
    )
    found: dict[int, int] = {}
    for shop_id, product, held in rows:
        found[shop_id] = found.get(shop_id, 0) + int(held) * units[product or 0]
    return found


def _share_out(units: int, ranked: Sequence[str], levels: Mapping[str, int], held: dict[str, int]) -> None:
    """Lay a shop's held units on its warehouses in their order, each as far as it has any; the rest on the first.

    A hold is on the product, not on a place; shared out once the rows add up to the number that is offered.
    """
    counted = [code for code in ranked if code in levels]
    for code in counted:
        here = max(0, min(units, levels[code] - held[code]))
        held[code] += here
        units -= here
    if counted and units:
        held[counted[0]] += units


def set_stock(core: Core, sku: str, quantity: int, *, warehouse: str, reason: str, actor: str) -> StockRow:
    """Set what is physically there, with a reason; the ledger keeps the difference. Raises ``UsageError``."""
    reason = one_line("reason", reason, 200, needed=True)
    if not 0 <= quantity <= MOST_UNITS:
        raise UsageError(f"{quantity} units cannot lie in a warehouse.", f"Give a whole number from 0 to {MOST_UNITS}.")

    def work(connection: Connection) -> StockRow:
        now = core.clock.now()
        product_id, name = find_product(connection, sku)
        warehouse_id, code = find_warehouse(connection, warehouse)
        before = _level(connection, product_id, warehouse_id)
        set_level(
            connection,
            [(product_id, warehouse_id, quantity)],
            kind=MovementKind.CORRECTION,
            actor=actor,
            reason=reason,
            at=now,
        )
        audit(
            connection,
            actor=actor,
            action="stock set",
            at=now,
            record=f"{name} in {code}",
            before={"physical": before},
            after={"physical": quantity},
            reason=reason,
        )
        return next(row for row in stock_rows(connection, product_id, name) if row.warehouse == code)

    return core.database.write_now(work)


def _level(connection: Connection, product_id: int, warehouse_id: int) -> int | None:
    return connection.execute(
        select(StockLevel.physical).where(StockLevel.product_id == product_id, StockLevel.warehouse_id == warehouse_id)
    ).scalar()
