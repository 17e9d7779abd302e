"""Orders as the shops gave them: list, show, import by hand. May import runner, feeds, operations, model, database."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError, UsageError
from prestaconsole.model import Order, OrderAddress, OrderEvent, OrderLine, Shop, ShopOrderState
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import find_shop, fold
from prestaconsole.services.feeds import check_feed, run_feed
from prestaconsole.services.runs import Progress, RunDetail
from prestaconsole.services.shops import set_values

_AT_ONCE = 500


@dataclass(frozen=True)
class OrderLineRow:
    """One line; prices are the shop's own figures in the order's currency."""

    id_order_detail: int
    sku: str
    id_product: int
    id_product_attribute: int
    name: str
    quantity: int
    unit_price_tax_incl: Decimal
    unit_price_tax_excl: Decimal
    total_price_tax_incl: Decimal
    total_price_tax_excl: Decimal


@dataclass(frozen=True)
class OrderRow:
    """An order id that was seen, with its verdict, lines and figures; ``state`` is the shop's own number."""

    shop: str
    id_order: int
    reference: str
    verdict: str
    reason: str
    state: int
    state_name: str
    total_paid: Decimal
    currency: str
    lines: tuple[OrderLineRow, ...]
    watched: bool
    next_look_at: datetime | None
    id_shop: int
    customer: str
    payment: str
    date_add: datetime | None
    verdict_at: datetime
    imported_at: datetime | None
    shipped_at: datetime | None


@dataclass(frozen=True)
class OrderDetail:
    """One order whole: figures by name, addresses as copied at reading, and the shop's own log of its states."""

    order: OrderRow
    totals: Mapping[str, Decimal]
    addresses: tuple[Mapping[str, Any], ...]
    events: tuple[Mapping[str, Any], ...]


VERDICTS = ("import", "hold", "done", "cancelled", "skip", "incomplete", "missing")


def list_orders(
    core: Core,
    *,
    shop: str | None = None,
    state: str | None = None,
    verdict: str | None = None,
    limit: int | None = None,
) -> list[OrderRow]:
    """Every order id ever seen, newest first, skipped ones too. ``state`` is an order state's number or name."""
    if verdict is not None and verdict not in VERDICTS:
        raise UsageError(f"“{verdict}” is no verdict.", f"Verdicts: {', '.join(VERDICTS)}.")

    def work(connection: Connection) -> list[OrderRow]:
        statement = _orders()
        shop_id = find_shop(connection, shop).id if shop is not None else None
        if shop_id is not None:
            statement = statement.where(Order.shop_id == shop_id)
        if verdict is not None:
            statement = statement.where(Order.verdict == verdict)
        if state is not None:
            statement = statement.where(_in_state(connection, shop_id, state))
        return _rows(connection, statement.limit(limit))

    return core.database.read_now(work)


def show_order(core: Core, order: str, *, shop: str | None = None) -> OrderDetail:
    """One order by the shop's number or by reference; ``shop:number`` names both.

    Raises ``NotFoundError`` for none and ``UsageError`` naming the candidates for several.
    """
    head, _, tail = order.rpartition(":")
    shop, order = (head or shop), tail.strip()

    def work(connection: Connection) -> OrderDetail:
        named: ColumnElement[bool] = func.upper(Order.reference) == order.upper()
        if order.isascii() and order.isdigit():
            named = named | (Order.id_order == int(order))
        statement = _orders().where(named)
        if shop:
            statement = statement.where(Order.shop_id == find_shop(connection, shop).id)
        found = connection.execute(statement.limit(20)).all()
        if not found:
            raise NotFoundError(
                f"Order “{order}” is not in our books{f' for {shop}' if shop else ''}.",
                "`prestaconsole order import SHOP --id N` reads it from the shop.",
            )
        if len(found) > 1:
            places = ", ".join(f"{row.shop_name}:{row.id_order}" for row in found)
            raise UsageError(f"“{order}” names {len(found)} orders: {places}.", "Give one of them as SHOP:NUMBER.")
        return _detail(connection, found[0])

    return core.database.read_now(work)


async def import_orders(
    core: Core,
    shop: str,
    *,
    actor: str,
    ids: Sequence[int] = (),
    from_id: int | None = None,
    since: date | None = None,
    days: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunDetail:
    """Read orders by hand: single ids, or everything from an id, a day or N days back (row B14).

    ``from_id``, ``since`` and ``days`` set ``orders.start`` and run a whole import_orders from there; such a run that
    finishes is a complete one. Raises ``UsageError`` unless exactly one way is given, ``LockedError`` by the gate.
    """
    starts = {"id": from_id, "date": since.isoformat() if since else None, "days": days}
    given = [f"{kind}:{number}" for kind, number in starts.items() if number is not None]
    if len(given) + bool(ids) != 1:
        raise UsageError(
            "Say in one way which orders to import.",
            "Give --id N (as often as needed), --from-id N, --since DATE or --days N.",
        )
    if given:
        await asyncio.to_thread(_begin_at, core, shop, given[0], actor)
    elif any(number < 1 for number in ids):
        raise UsageError("The number of an order is 1 or more.", "Give the number as the shop's back office shows it.")
    params: dict[str, Any] = {"ids": sorted(set(ids))} if ids else {}
    return await run_feed(core, shop, "import_orders", actor=actor, params=params, on_progress=on_progress)


def _begin_at(core: Core, shop: str, start: str, actor: str) -> None:
    """Set where orders begin, unless the gate refuses the run that would read them."""
    check_feed(core, shop, "import_orders").require()
    set_values(core, shop, {"orders.start": start}, actor=actor)


# -- statements ----------------------------------------------------------------------------------------------


def _orders() -> Select[Any]:
    state = (ShopOrderState.shop_id == Order.shop_id) & (ShopOrderState.id_order_state == Order.id_order_state)
    # The answer as the shop gave it is large, and no list shows it.
    columns = [column for column in Order.__table__.columns if column.name != "raw"]
    return (
        select(*columns, Shop.name.label("shop_name"), ShopOrderState.name.label("state_name"))
        .join(Shop, Shop.id == Order.shop_id)
        .outerjoin(ShopOrderState, state)
        .order_by(Shop.name, Order.id_order.desc())
    )


def _in_state(connection: Connection, shop_id: int | None, text: str) -> ColumnElement[bool]:
    if text.isascii() and text.isdigit():
        return Order.id_order_state == int(text)
    statement = select(ShopOrderState.shop_id, ShopOrderState.id_order_state, ShopOrderState.name)
    if shop_id is not None:
        statement = statement.where(ShopOrderState.shop_id == shop_id)
    rows = connection.execute(statement).all()
    wanted: ColumnElement[bool] | None = None
    for row in rows:
        if fold(row.name) == fold(text):
            one = (Order.shop_id == row.shop_id) & (Order.id_order_state == row.id_order_state)
            wanted = one if wanted is None else wanted | one
    if wanted is None:
        known = ", ".join(sorted({row.name for row in rows})) or "none yet, run analyse"
        raise UsageError(f"No order state is called “{text}”.", f"Known: {known}.")
    return wanted


def _rows(connection: Connection, statement: Select[Any]) -> list[OrderRow]:
    rows = connection.execute(statement).all()
    lines: dict[int, list[OrderLineRow]] = {}
    for start in range(0, len(rows), _AT_ONCE):
        _read_lines(connection, [row.id for row in rows[start : start + _AT_ONCE]], lines)
    return [_row(row, tuple(lines.get(row.id, ()))) for row in rows]


def _read_lines(connection: Connection, ids: Sequence[int], into: dict[int, list[OrderLineRow]]) -> None:
    statement = (
        select(*OrderLine.__table__.columns).where(OrderLine.order_id.in_(ids)).order_by(OrderLine.id_order_detail)
    )
    for line in connection.execute(statement):
        into.setdefault(line.order_id, []).append(
            OrderLineRow(
                id_order_detail=line.id_order_detail,
                sku=line.sku,
                id_product=line.id_product,
                id_product_attribute=line.id_product_attribute,
                name=line.name,
                quantity=line.quantity,
                unit_price_tax_incl=line.unit_price_tax_incl,
                unit_price_tax_excl=line.unit_price_tax_excl,
                total_price_tax_incl=line.total_price_tax_incl,
                total_price_tax_excl=line.total_price_tax_excl,
            )
        )


def _row(row: Any, lines: tuple[OrderLineRow, ...]) -> OrderRow:
    return OrderRow(
        shop=row.shop_name,
        id_order=row.id_order,
        reference=row.reference,
        verdict=row.verdict,
        reason=row.reason,
        state=row.id_order_state,
        state_name=row.state_name or "",
        total_paid=row.total_paid,
        currency=row.currency,
        lines=lines,
        watched=row.watched,
        next_look_at=row.next_look_at,
        id_shop=row.id_shop,
        customer=row.customer_name,
        payment=row.payment,
        date_add=row.date_add,
        verdict_at=row.verdict_at,
        imported_at=row.imported_at,
        shipped_at=row.shipped_at,
    )


_TOTAL = re.compile(r"total_|rounding$")


def _detail(connection: Connection, row: Any) -> OrderDetail:
    lines: dict[int, list[OrderLineRow]] = {}
    _read_lines(connection, [row.id], lines)
    addresses = connection.execute(
        select(*[column for column in OrderAddress.__table__.columns if column.name != "order_id"])
        .where(OrderAddress.order_id == row.id)
        .order_by(OrderAddress.kind)
    )
    events = connection.execute(
        select(OrderEvent.id_order_history, OrderEvent.id_order_state, OrderEvent.date_add)
        .where(OrderEvent.shop_id == row.shop_id, OrderEvent.id_order == row.id_order)
        .order_by(OrderEvent.id_order_history)
    )
    return OrderDetail(
        order=_row(row, tuple(lines.get(row.id, ()))),
        totals={name: amount for name, amount in row._mapping.items() if _TOTAL.match(str(name))},
        addresses=tuple(dict(address._mapping) for address in addresses),
        events=tuple(dict(event._mapping) for event in events),
    )
