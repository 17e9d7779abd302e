"""Order states of a shop and what is done with orders in them (rows B15-B18). Imports database, model and rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.engine import Connection, Row

from prestaconsole.model.mappings import OrderStateRule
from prestaconsole.model.orders import Order
from prestaconsole.model.shops import ShopOrderState
from prestaconsole.operations.shops import fold
from prestaconsole.rules.order_state import OrderStateFlags, suggest
from prestaconsole.services.views.rows import Ask

#: An order state has no id outside its shop; this many states fit beside it.
SHIFT = 1 << 24
FLAGS: tuple[str, ...] = ("paid", "shipped", "delivery", "invoice", "logable", "send_email", "hidden")
_SHOWN = {"send_email": "mail", "logable": "valid"}


@dataclass(frozen=True)
class StateLine:
    """An order state of the shop, its flags, the rule that stands and the one its flags suggest."""

    id: int
    name: str
    flags: tuple[str, ...]
    gives_back: bool
    gives_back_sure: bool
    deleted: bool
    action: str
    retry: bool
    suggested: bool
    by: str
    orders: int
    waiting: int
    suggestion: str
    suggestion_retry: bool
    module: str

    @property
    def mapped(self) -> bool:
        """Whether a rule stands, suggested or chosen."""
        return bool(self.action)


class StatesQuery:
    """States without a rule first by orders waiting, then suggested ones, then used, then unused."""

    orders: Sequence[str] = ("need", "id")

    def ids(self, connection: Connection, ask: Ask) -> Iterable[int]:
        """The order states of the shop asked for; none without a shop."""
        if ask.shop is None:
            return []
        lines = self._lines(connection, ask.shop, None)
        words = fold(ask.words).split()
        found = [line for line in lines if all(word in fold(f"{line.id} {line.name} {line.action}") for word in words)]
        if ask.order != "id":
            found.sort(key=_need)
        return [key(ask.shop, line.id) for line in found]

    def rows(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, StateLine]:
        """The lines of these states; an id carries its shop (see ``key``)."""
        found: dict[int, StateLine] = {}
        for shop_id in {identity // SHIFT for identity in ids}:
            wanted = [identity % SHIFT for identity in ids if identity // SHIFT == shop_id]
            found.update({key(shop_id, line.id): line for line in self._lines(connection, shop_id, wanted)})
        return found

    def _lines(self, connection: Connection, shop_id: int, wanted: Sequence[int] | None) -> list[StateLine]:
        state, rule = ShopOrderState, OrderStateRule
        statement = (
            select(
                state.id_order_state, state.name, state.module_name, state.gives_back, state.gives_back_source,
                state.deleted, *(getattr(state, flag) for flag in FLAGS),
                rule.action, rule.retry, rule.suggested, rule.updated_by,
            )
            .outerjoin(rule, (rule.shop_id == state.shop_id) & (rule.id_order_state == state.id_order_state))
            .where(state.shop_id == shop_id)
            .order_by(state.id_order_state)
        )  # fmt: skip
        if wanted is not None:
            statement = statement.where(state.id_order_state.in_(wanted))
        states = connection.execute(statement).all()
        seen = _orders(connection, shop_id)
        return [_line(row, *seen.get(row.id_order_state, (0, 0))) for row in states]


def key(shop_id: int, id_order_state: int) -> int:
    """The id of a row: an order state has none of its own outside its shop."""
    return shop_id * SHIFT + id_order_state


def _orders(connection: Connection, shop_id: int) -> dict[int, tuple[int, int]]:
    """Orders seen in each state, and how many of them are held."""
    held = func.sum(case((Order.verdict == "hold", 1), else_=0))
    counted = select(Order.id_order_state, func.count(), held).where(Order.shop_id == shop_id)
    return {state: (int(n), int(h or 0)) for state, n, h in connection.execute(counted.group_by(Order.id_order_state))}


def _line(row: Row[Any], orders: int, waiting: int) -> StateLine:
    suggested = suggest(
        OrderStateFlags(
            id=row.id_order_state, name=row.name, paid=row.paid, shipped=row.shipped, logable=row.logable,
            invoice=row.invoice, delivery=row.delivery, deleted=row.deleted, gives_back=row.gives_back,
        )
    )  # fmt: skip
    return StateLine(
        id=row.id_order_state,
        name=row.name,
        flags=tuple(_SHOWN.get(flag, flag) for flag in FLAGS if getattr(row, flag)),
        gives_back=row.gives_back,
        gives_back_sure=row.gives_back_source != "suggested",
        deleted=row.deleted,
        action=row.action or "",
        retry=bool(row.retry),
        suggested=bool(row.suggested),
        by=row.updated_by or "",
        orders=orders,
        waiting=waiting,
        suggestion=suggested.action,
        suggestion_retry=suggested.retry,
        module=row.module_name,
    )


def _need(line: StateLine) -> tuple[int, int, int]:
    if not line.mapped:
        return (0, -line.waiting - line.orders, line.id)
    if line.suggested and line.waiting:
        return (1, -line.waiting, line.id)
    return (2 if line.orders else 3, -line.orders, line.id)
