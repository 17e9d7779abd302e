"""Mappings of a shop's words to ours; the kind order-state-in. May import rules, operations, model, database."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import func, select, update

from prestaconsole.database import Connection, upsert
from prestaconsole.errors import NotFoundError, UsageError
from prestaconsole.model import Order, OrderStateRule, ShopOrderState
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import close_incident
from prestaconsole.operations.reference import load_reference
from prestaconsole.operations.shops import ShopRecord, find_shop, fold
from prestaconsole.redaction import refuse_key
from prestaconsole.rules import order_state

KINDS = ("order-state-in",)
ACTIONS: tuple[str, ...] = order_state.ACTIONS
_COLUMNS = ("kind", "id_order_state", "name", "action", "retry", "retry_days")
_MOST_DAYS = 3650


@dataclass(frozen=True)
class StateRow:
    """One order state of a shop with its flags and what is done with its orders; ``action`` is empty without a rule.

    ``suggestion`` is what the flags alone propose, ``warnings`` say what is odd, ``orders`` counts those seen in it.
    """

    id_order_state: int
    name: str
    paid: bool
    shipped: bool
    logable: bool
    invoice: bool
    delivery: bool
    deleted: bool
    action: str
    retry: bool
    retry_days: int
    suggested: bool
    suggestion: str
    suggested_retry: bool
    gives_back: bool
    gives_back_source: str
    orders: int
    warnings: tuple[str, ...]
    updated_by: str
    updated_at: datetime | None


@dataclass(frozen=True)
class StateEdit:
    """A change of one state's rule; None leaves a part as it is. ``gives_back`` is a person's word (DESIGN §5a)."""

    id_order_state: int
    action: str | None = None
    retry: bool | None = None
    retry_days: int | None = None
    gives_back: bool | None = None


def require_kind(kind: str) -> None:
    """Raise ``UsageError`` for a kind of mapping that is not there."""
    if kind not in KINDS:
        raise UsageError(f"“{kind}” is no kind of mapping here yet.", f"Kinds: {', '.join(KINDS)}.")


def show_order_states(core: Core, shop: str) -> list[StateRow]:
    """Every order state of a shop: without a rule first, then suggested ones, then by orders seen."""
    return core.database.read_now(lambda connection: state_rows(connection, find_shop(connection, shop)))


def state_rows(connection: Connection, shop: ShopRecord) -> list[StateRow]:
    """The states and their rules, inside a transaction."""
    seen = dict(
        connection.execute(
            select(Order.id_order_state, func.count()).where(Order.shop_id == shop.id).group_by(Order.id_order_state)
        ).all()
    )
    states = connection.execute(select(*ShopOrderState.__table__.columns).where(ShopOrderState.shop_id == shop.id))
    rules = {
        rule.id_order_state: rule
        for rule in connection.execute(
            select(*OrderStateRule.__table__.columns).where(OrderStateRule.shop_id == shop.id)
        )
    }
    flags = load_reference(connection, shop.id).states
    rows = [
        _row(state, flags[state.id_order_state], rules.get(state.id_order_state), seen.get(state.id_order_state, 0))
        for state in states
    ]
    return sorted(rows, key=lambda row: (row.action != "", not row.suggested, -row.orders, row.id_order_state))


def _row(state: Any, flags: order_state.OrderStateFlags, rule: Any, orders: int) -> StateRow:
    proposed = order_state.suggest(flags)
    odd = order_state.warnings(flags, order_state.StateRule(rule.action, rule.retry, rule.retry_days)) if rule else []
    return StateRow(
        id_order_state=state.id_order_state,
        name=state.name,
        paid=state.paid,
        shipped=state.shipped,
        logable=state.logable,
        invoice=state.invoice,
        delivery=state.delivery,
        deleted=state.deleted,
        action=rule.action if rule else "",
        retry=rule.retry if rule else False,
        retry_days=rule.retry_days if rule else proposed.retry_days,
        suggested=rule.suggested if rule else False,
        suggestion=proposed.action,
        suggested_retry=proposed.retry,
        gives_back=state.gives_back,
        gives_back_source=state.gives_back_source,
        orders=orders,
        warnings=tuple(odd),
        updated_by=rule.updated_by if rule else "",
        updated_at=rule.updated_at if rule else None,
    )


def set_order_state(
    core: Core,
    shop: str,
    state: str,
    *,
    actor: str,
    action: str | None = None,
    retry: bool | None = None,
    retry_days: int | None = None,
    gives_back: bool | None = None,
) -> StateRow:
    """Set the rule of one state, named by number or name. ``action`` "suggested" takes what the flags propose."""
    number = core.database.read_now(lambda c: _find_state(c, find_shop(c, shop), state))
    edit = StateEdit(number, action, retry, retry_days, gives_back)
    rows = set_order_states(core, shop, [edit], actor=actor)
    return next(row for row in rows if row.id_order_state == number)


def set_undecided(
    core: Core, shop: str, *, actor: str, action: str | None = None, gives_back: bool | None = None
) -> list[StateRow]:
    """Decide, in one go, on every state that neither a person nor the shop's configuration has decided on yet."""

    def undecided(connection: Connection) -> list[StateEdit]:
        rows = state_rows(connection, find_shop(connection, shop))
        edits = [
            StateEdit(
                row.id_order_state,
                action if row.suggested or not row.action else None,
                gives_back=gives_back if row.gives_back_source == "suggested" else None,
            )
            for row in rows
        ]
        return [edit for edit in edits if edit.action is not None or edit.gives_back is not None]

    edits = core.database.read_now(undecided)
    return set_order_states(core, shop, edits, actor=actor)


def set_order_states(core: Core, shop: str, edits: Sequence[StateEdit], *, actor: str) -> list[StateRow]:
    """Set the rules of several states, all or none; gives all states of the shop as they are then.

    Raises ``NotFoundError`` for a state that the shop does not have, ``UsageError`` for an action that is none.
    """

    def work(connection: Connection) -> list[StateRow]:
        record, now = find_shop(connection, shop), core.clock.now()
        before = {row.id_order_state: row for row in state_rows(connection, record)}
        for edit in edits:
            _apply(connection, record, edit, before, actor, now)
        after = state_rows(connection, record)
        _audit(connection, record, before, after, actor, now)
        return after

    return core.database.write_now(work)


def _apply(
    connection: Connection,
    shop: ShopRecord,
    edit: StateEdit,
    before: dict[int, StateRow],
    actor: str,
    now: datetime,
) -> None:
    known = before.get(edit.id_order_state)
    if known is None:
        raise _no_state(shop, str(edit.id_order_state), before.values())
    action, retry = edit.action, edit.retry
    if action == "suggested":
        action, retry = known.suggestion, known.suggested_retry if retry is None else retry
    action = action if action is not None else known.action
    if action not in ACTIONS and (edit.action is not None or action):
        raise UsageError(f"“{action}” is no action.", f"Actions: {', '.join(ACTIONS)}, or suggested.")
    days = edit.retry_days if edit.retry_days is not None else known.retry_days
    if not 1 <= days <= _MOST_DAYS:
        raise UsageError(f"{days} days cannot be watched.", f"Give 1 to {_MOST_DAYS}.")
    if action and (edit.action, edit.retry, edit.retry_days) != (None, None, None):
        row = {
            "shop_id": shop.id,
            "id_order_state": edit.id_order_state,
            "action": action,
            "retry": known.retry if retry is None else retry,
            "retry_days": days,
            "suggested": False,
            "updated_at": now,
            "updated_by": actor,
        }
        upsert(connection, OrderStateRule, [row], key=["shop_id", "id_order_state"])
        cause = f"order state:{edit.id_order_state}"
        close_incident(connection, shop_id=shop.id, cause_key=cause, by=actor, at=now)
    if edit.gives_back is not None:
        mine = (ShopOrderState.shop_id == shop.id) & (ShopOrderState.id_order_state == edit.id_order_state)
        if known.gives_back_source == "configuration":
            raise UsageError(
                f"Whether “{known.name}” gives the stock back is read from the shop's own configuration.",
                "It is changed there (PS_OS_CANCELED, PS_OS_ERROR), not here.",
            )
        said = {"gives_back": edit.gives_back, "gives_back_source": "person"}
        connection.execute(update(ShopOrderState).where(mine).values(said))


def _audit(
    connection: Connection,
    shop: ShopRecord,
    before: dict[int, StateRow],
    after: Sequence[StateRow],
    actor: str,
    now: datetime,
) -> None:
    for row in after:
        old, new = _rule(before[row.id_order_state]), _rule(row)
        if old != new:
            record = f"order state {row.id_order_state} {row.name}"[:120]
            audit(
                connection, actor=actor, action="mapping set", at=now, shop_id=shop.id, record=record, before=old,
                after=new,
            )  # fmt: skip


def _rule(row: StateRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("action", "retry", "retry_days", "suggested", "gives_back")}


def _find_state(connection: Connection, shop: ShopRecord, text: str) -> int:
    rows = state_rows(connection, shop)
    for row in rows:
        if text.strip() == str(row.id_order_state) or fold(text) == fold(row.name):
            return row.id_order_state
    raise _no_state(shop, text, rows)


def _no_state(shop: ShopRecord, text: str, rows: Any) -> NotFoundError:
    known = ", ".join(f"{row.id_order_state} {row.name}" for row in rows) or "none yet"
    return NotFoundError(
        f"{shop.name} has no order state “{text}”.", f"States: {known}. analyse reads new ones from the shop."
    )


# -- files ---------------------------------------------------------------------------------------------------


def export_csv(core: Core, shop: str) -> str:
    """The mappings of a shop as CSV, to keep or to carry to another shop."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    rows = sorted(show_order_states(core, shop), key=lambda row: row.id_order_state)
    for row in rows:
        retry = "yes" if row.retry else "no"
        writer.writerow((KINDS[0], row.id_order_state, row.name, row.action, retry, row.retry_days))
    return text.getvalue()


def import_csv(core: Core, shop: str, text: str, *, actor: str) -> int:
    """Take mappings from CSV, all or none; gives how many rules differ from before.

    A row finds its state by number, else by name. Raises ``UsageError`` naming the line.
    """
    refuse_key("file", text)
    before = {row.id_order_state: _rule(row) for row in show_order_states(core, shop)}
    edits = _read_csv(core, shop, text)
    after = set_order_states(core, shop, edits, actor=actor)
    parts = ("action", "retry", "retry_days")
    return sum(any(before[row.id_order_state][part] != _rule(row)[part] for part in parts) for row in after)


def _read_csv(core: Core, shop: str, text: str) -> list[StateEdit]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    missing = {"kind", "action"} - set(reader.fieldnames or ())
    if missing:
        raise UsageError(
            f"The file has no column {' and '.join(sorted(missing))}.", f"Its first line reads: {','.join(_COLUMNS)}."
        )
    edits = []
    for row in reader:
        if not any(row.values()):
            continue
        try:
            require_kind((row["kind"] or "").strip())
            number = core.database.read_now(partial(_state_of_row, shop, row))
            action = (row["action"] or "").strip()
            if action:
                edits.append(StateEdit(number, action, _yes(row.get("retry")), _days(row.get("retry_days"))))
        except UsageError as error:
            raise UsageError(f"Line {reader.line_num}: {error.cause}", error.remedy) from None
    return edits


def _state_of_row(shop: str, row: Mapping[str, str | None], connection: Connection) -> int:
    return _find_state(connection, find_shop(connection, shop), row.get("id_order_state") or row.get("name") or "")


def _yes(text: str | None) -> bool | None:
    word = (text or "").strip().lower()
    if not word:
        return None
    if word not in {"yes", "no"}:
        raise UsageError(f"“{word}” in the column retry is neither yes nor no.", "Write yes or no.")
    return word == "yes"


def _days(text: str | None) -> int | None:
    word = (text or "").strip()
    if not word:
        return None
    if not (word.isascii() and word.isdigit()):
        raise UsageError(f"“{word}” in the column retry_days is no whole number.", "Write a number of days.")
    return int(word)
