"""Steps 3 and 4 of the stock push: weigh rows just read, recompute, mark them sent. Imports operations.

Nothing here speaks to a shop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from prestaconsole.changes.bodies import SENDABLE, Marked, Sending, SentRow, SurpriseZeros
from prestaconsole.changes.brake import limits_of, shop_listings
from prestaconsole.changes.foreign import Foreign, note_foreign
from prestaconsole.changes.gate import permit
from prestaconsole.changes.marks import clear_marks
from prestaconsole.changes.stock_rows import StockRow
from prestaconsole.changes.tables import CHANGES, LISTINGS
from prestaconsole.changes.weigh import look
from prestaconsole.database import Connection
from prestaconsole.model import Change, ChangeBatch, ChangeState, HoldState, Listing, StockHold
from prestaconsole.operations.availability import availability
from prestaconsole.operations.expectation import expect
from prestaconsole.operations.stock_ledger import mark_listings
from prestaconsole.rules.brake import zeros_trip


@dataclass
class _Weighed:
    """Rows of a body on their way from the reading to the mark."""

    closed: list[dict[str, object]] = field(default_factory=list)
    marks: list[tuple[int, int]] = field(default_factory=list)
    candidates: list[tuple[Row[Any], StockRow]] = field(default_factory=list)
    holds: list[dict[str, object]] = field(default_factory=list)
    products: set[int] = field(default_factory=set)
    asm: list[int] = field(default_factory=list)
    shown: list[tuple[int, int]] = field(default_factory=list)
    """Listings with what was just read, where that is news."""
    steady: list[int] = field(default_factory=list)
    """Listings that show exactly what was known and expected."""
    foreign: list[Foreign] = field(default_factory=list)
    unsure: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Listings with what they may show since the reading, where an order was stored while it was under way."""


@dataclass(frozen=True)
class ToRead:
    """Which rows to read, and what each listing was expected to show just before: ``ranges`` by listing id."""

    stock_rows: tuple[int, ...]
    ranges: Mapping[int, tuple[int, int]]


def rows_to_read(connection: Connection, change_ids: Sequence[int]) -> ToRead:
    """The shop's stock rows of these changes, as far as they may still be sent."""
    rows = [row for row in _open_rows(connection, change_ids) if row.id_stock_available]
    return ToRead(tuple(row.id_stock_available for row in rows), {row.id: _range(row) for row in rows})


def mark_sent(
    connection: Connection,
    sending: Sending,
    change_ids: Sequence[int],
    fresh: Mapping[int, StockRow],
    *,
    asked: ToRead,
    read_at: datetime,
    now: datetime,
    last_look: bool,
) -> Marked | None:
    """Weigh the rows against what was expected, recompute each value, and mark those sent that differ.

    Gives None, with nothing stored, when a row lies outside its expectation and this is not the ``last_look``: orders
    are polled and the rows read again first. On the last look a lower row carries the difference as a temporary hold,
    a higher one is held as a foreign write. Raises ``LockedError`` when the shop is not live, ``SurpriseZeros`` when
    the recomputed values would trip the brake.
    """
    marked, weighed = Marked(), _Weighed()
    rows = _open_rows(connection, change_ids)
    if not last_look and not sending.fixed and any(_outside(row, fresh, asked) for row in rows):
        return None
    for row in rows:
        _weigh(sending, row, fresh.get(row.id_stock_available), asked, weighed, marked, now)
    if weighed.holds:
        connection.execute(insert(StockHold), weighed.holds)
        mark_listings(connection, weighed.products, now)
    note_foreign(connection, sending.shop.id, weighed.foreign, seen_by="push", at=now)
    expect(connection, weighed.shown, read_at)
    _keep_unsure(connection, weighed.unsure)
    _note_reading(connection, weighed, read_at)
    chosen = _choose(connection, sending, weighed, marked)
    if sending.fixed:
        # An undo says nothing about the formula's number: what waits for that, still waits.
        weighed.marks.clear()
    _close(connection, weighed)
    if chosen:
        _mark(connection, sending, chosen, marked, now)
    return marked


# -- inside ----------------------------------------------------------------------------------------------------


def _open_rows(connection: Connection, change_ids: Sequence[int]) -> Sequence[Row[Any]]:
    columns = (
        *("id", "product_id", "id_product", "id_product_attribute", "id_stock_available", "has_combinations"),
        *("gone_at", "depends_on_stock", "sku", "name", "quantity", "expected_low", "expected_high", "push_mark"),
    )
    return connection.execute(
        select(Change.id.label("change_id"), Change.before, Change.after)
        .add_columns(*(LISTINGS.c[name] for name in columns))
        .join(Listing, Listing.id == Change.record)
        .where(Change.id.in_(change_ids), Change.state.in_(SENDABLE))
        .order_by(Change.id)
    ).all()


def _range(row: Row[Any]) -> tuple[int, int]:
    low = row.expected_low if row.expected_low is not None else row.quantity
    high = row.expected_high if row.expected_high is not None else row.quantity
    return low, high


def _usable(row: Row[Any], seen: StockRow | None) -> str:
    """Why a row cannot be written now, '' when it can."""
    if seen is None:
        return f"The shop's list has no stock row {row.id_stock_available} any more."
    if seen.damaged:
        return "The shop's answer for this row was damaged; nothing is decided from it."
    if (seen.id_product, seen.id_product_attribute) != (row.id_product, row.id_product_attribute):
        return f"Stock row {seen.id} belongs to product {seen.id_product}-{seen.id_product_attribute} now."
    return ""


def _believed(row: Row[Any], asked: ToRead) -> tuple[int, int]:
    """What the reading may show: another poll may have stored an order meanwhile that came after it, or before."""
    low, high = _range(row)
    before = asked.ranges.get(row.id, (low, high))
    return min(low, before[0]), max(high, before[1])


def _outside(row: Row[Any], fresh: Mapping[int, StockRow], asked: ToRead) -> bool:
    seen = fresh.get(row.id_stock_available)
    if seen is None or _usable(row, seen):
        return False
    return look(seen.quantity, *_believed(row, asked)).kind != "inside"


def _weigh(
    sending: Sending,
    row: Row[Any],
    seen: StockRow | None,
    asked: ToRead,
    weighed: _Weighed,
    marked: Marked,
    now: datetime,
) -> None:
    trouble = _usable(row, seen)
    if trouble or seen is None:
        _shut(weighed, marked, row, ChangeState.FAILED, trouble, None)
        marked.failed.append(f"{_called(row)}: {trouble}")
    elif row.has_combinations or row.gone_at is not None:
        _shut(weighed, marked, row, ChangeState.SKIPPED, "It is not sold by itself any more.", seen)
    elif seen.depends_on_stock:
        weighed.asm.append(row.id)
        words = "PrestaShop's advanced stock management counts this product; the webservice cannot."
        _shut(weighed, marked, row, ChangeState.SKIPPED, words, seen)
    elif sending.fixed:
        _weigh_fixed(row, seen, weighed, marked)
    else:
        _weigh_formula(sending, row, seen, asked, weighed, marked, now)


def _weigh_fixed(row: Row[Any], seen: StockRow, weighed: _Weighed, marked: Marked) -> None:
    """An undo writes only over what we wrote ourselves (SCREENS §1, shop moved on)."""
    if seen.quantity == int(row.after):
        _shut(weighed, marked, row, ChangeState.SKIPPED, f"The shop shows {row.after} already.", seen)
    elif seen.quantity != int(row.before):
        words = f"Not undone: the shop's value is {seen.quantity} now, the plan had written {row.before}."
        _shut(weighed, marked, row, ChangeState.SKIPPED, words, seen)
    else:
        _choosable(weighed, row, seen)


def _choosable(weighed: _Weighed, row: Row[Any], seen: StockRow) -> None:
    weighed.candidates.append((row, seen))
    if row.quantity == row.expected_low == row.expected_high == seen.quantity:
        weighed.steady.append(row.id)
    else:
        weighed.shown.append((row.id, seen.quantity))


def _weigh_formula(
    sending: Sending,
    row: Row[Any],
    seen: StockRow,
    asked: ToRead,
    weighed: _Weighed,
    marked: Marked,
    now: datetime,
) -> None:
    low, high = _believed(row, asked)
    before, current = asked.ranges.get(row.id, _range(row)), _range(row)
    moved = (current[0] - before[0], current[1] - before[1])
    if moved != (0, 0):
        weighed.unsure[row.id] = (seen.quantity + min(0, *moved), seen.quantity + max(0, *moved))
    found = look(seen.quantity, low, high)
    if found.kind == "higher":
        words = f"Somebody else wrote: the shop shows {seen.quantity}, {_expected(low, high)} was expected."
        _shut(weighed, marked, row, ChangeState.HELD, words, seen)
        marked.foreign.append(f"{_called(row)}: {words}")
        weighed.foreign.append(Foreign(row.id, *current, seen.quantity, int(row.after), change_id=row.change_id))
        return
    if found.kind == "lower":
        weighed.holds.append(unexplained_hold(sending.shop.id, row, found.units, now))
        weighed.products.add(row.product_id)
        marked.carried.append(f"{_called(row)}: {found.units} fewer than orders explain, carried as a hold")
    _choosable(weighed, row, seen)


def _expected(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _called(row: Row[Any]) -> str:
    return str(row.sku or row.name or f"listing {row.id}")


def unexplained_hold(shop_id: int, row: Row[Any], units: int, now: datetime) -> dict[str, object]:
    """A temporary hold of what a shop shows less than orders explain; the order takes its place when it comes."""
    return {
        "shop_id": shop_id,
        "order_id": None,
        "order_line_id": None,
        "kind": "unexplained",
        "id_product": row.id_product,
        "id_product_attribute": row.id_product_attribute,
        "product_id": row.product_id,
        "quantity": units,
        "state": HoldState.OPEN,
        "opened_at": now,
    }


_COUNTED = {ChangeState.FAILED: "failed", ChangeState.SKIPPED: "skipped", ChangeState.HELD: "held"}


def _shut(
    weighed: _Weighed,
    marked: Marked,
    row: Row[Any],
    state: ChangeState,
    note: str,
    seen: StockRow | None,
) -> None:
    observed = str(seen.quantity) if seen is not None and not seen.damaged else None
    weighed.closed.append({"change": row.change_id, "became": state.value, "words": note, "saw": observed})
    weighed.marks.append((row.id, row.push_mark))
    marked.count(_COUNTED[state])


def _choose(
    connection: Connection, sending: Sending, weighed: _Weighed, marked: Marked
) -> list[tuple[Row[Any], StockRow, int, int | None]]:
    """The rows to send with their value and mark; the others are closed, or left for another storefront's request."""
    ids = [row.id for row, _ in weighed.candidates]
    numbers = availability(connection, sending.shop, ids) if ids and not sending.fixed else {}
    marks = _marks(connection, ids)
    chosen: list[tuple[Row[Any], StockRow, int, int | None]] = []
    for row, seen in weighed.candidates:
        known = numbers.get(row.id)
        target = int(row.after) if sending.fixed else (known.shown if known is not None else None)
        mark = None if sending.fixed else marks.get(row.id)
        if target is None:
            why = known.why_none if known is not None else "It is linked to no product."
            _shut(weighed, marked, row, ChangeState.SKIPPED, f"Not written: {why}", seen)
        elif target == seen.quantity and row.id not in weighed.unsure:
            _shut(weighed, marked, row, ChangeState.SKIPPED, f"The shop shows {target} already.", seen)
            weighed.marks[-1] = (row.id, mark if mark is not None else row.push_mark)
        else:
            chosen.append((row, seen, target, mark))
    kept = _of_one_storefront(sending, chosen, marked)
    marked.zeros = {row.id for row, seen, target, _ in kept if target <= 0 < seen.quantity}
    if marked.zeros:
        _brake_zeros(connection, sending, marked.zeros)
    return kept


def _brake_zeros(connection: Connection, sending: Sending, zeros: set[int]) -> None:
    """The brake once more: values are made anew at this moment, and orders add rows to a plan while it is sent."""
    total = sending.zeros_before + len(sending.zeros | zeros)
    if zeros_trip(shop_listings(connection, sending.shop.id), total, limits_of(sending.shop)):
        raise SurpriseZeros(total)


def _of_one_storefront(
    sending: Sending, chosen: list[tuple[Row[Any], StockRow, int, int | None]], marked: Marked
) -> list[tuple[Row[Any], StockRow, int, int | None]]:
    if not chosen:
        return []
    marked.context = sending.contexts.owner(chosen[0][1])
    kept = [one for one in chosen if sending.contexts.owner(one[1]) == marked.context]
    marked.later = [one[0].change_id for one in chosen if sending.contexts.owner(one[1]) != marked.context]
    return kept


def _marks(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """The marks as they stand now, holds made in this transaction included."""
    rows = connection.execute(select(Listing.id, Listing.push_mark).where(Listing.id.in_(ids)))
    return {row.id: row.push_mark for row in rows}


def _keep_unsure(connection: Connection, unsure: Mapping[int, tuple[int, int]]) -> None:
    for listing_id, (low, high) in unsure.items():
        values = {"expected_low": low, "expected_high": high}
        connection.execute(update(Listing).where(Listing.id == listing_id).values(**values))


def _note_reading(connection: Connection, weighed: _Weighed, at: datetime) -> None:
    if weighed.steady:
        same = update(LISTINGS).where(LISTINGS.c.id.in_(weighed.steady))
        connection.execute(same.values(quantity_read_at=at, expected_at=at))
    if weighed.shown:
        statement = (
            update(LISTINGS)
            .where(LISTINGS.c.id == bindparam("listing"))
            .values(quantity=bindparam("units"), quantity_read_at=bindparam("moment"))
        )
        connection.execute(
            statement, [{"listing": listing, "units": quantity, "moment": at} for listing, quantity in weighed.shown]
        )


def _close(connection: Connection, weighed: _Weighed) -> None:
    if weighed.closed:
        statement = (
            update(CHANGES)
            .where(CHANGES.c.id == bindparam("change"))
            .values(state=bindparam("became"), note=bindparam("words"), observed=bindparam("saw"))
        )
        connection.execute(statement, weighed.closed)
    clear_marks(connection, weighed.marks)
    if weighed.asm:
        connection.execute(update(Listing).where(Listing.id.in_(weighed.asm)).values(depends_on_stock=True))


def _mark(
    connection: Connection,
    sending: Sending,
    chosen: list[tuple[Row[Any], StockRow, int, int | None]],
    marked: Marked,
    now: datetime,
) -> None:
    made = connection.execute(
        insert(ChangeBatch).values(
            changeset_id=sending.changeset_id, run_id=sending.run_id, token=sending.token, sent_at=now, status="sent"
        )
    ).inserted_primary_key
    assert made is not None
    marked.batch_id = int(made[0])
    marked.permit = permit(connection, sending.shop.id, marked.batch_id, now=now, time_out=sending.write_timeout)
    connection.execute(
        update(ChangeBatch).where(ChangeBatch.id == marked.batch_id).values(unsure_until=marked.permit.unsure_until)
    )
    statement = (
        update(CHANGES)
        .where(CHANGES.c.id == bindparam("change"))
        .values(
            state=ChangeState.SENT.value,
            batch_id=marked.batch_id,
            before=bindparam("was"),
            after=bindparam("becomes"),
            observed=None,
            note=None,
        )
    )
    connection.execute(
        statement,
        [
            {"change": row.change_id, "was": str(seen.quantity), "becomes": str(target)}
            for row, seen, target, _ in chosen
        ],
    )
    marked.rows = [
        SentRow(row.change_id, row.id, seen.id, seen.quantity, target, mark, seen) for row, seen, target, mark in chosen
    ]
