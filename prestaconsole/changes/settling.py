"""Steps 5 and 6 of the stock push: what was read back decides each sent row. Transactions only; imports operations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from prestaconsole.changes.bodies import Sending, SentRow
from prestaconsole.changes.foreign import Foreign, note_foreign
from prestaconsole.changes.marking import unexplained_hold
from prestaconsole.changes.marks import clear_marks
from prestaconsole.changes.stock_rows import StockRow
from prestaconsole.changes.tables import CHANGES, LISTINGS, OPEN
from prestaconsole.changes.weigh import Settled, settle
from prestaconsole.database import Connection
from prestaconsole.model import (
    Change,
    ChangeBatch,
    ChangeKind,
    Changeset,
    ChangeState,
    Listing,
    StockHold,
)
from prestaconsole.operations.availability import availability
from prestaconsole.operations.stock_ledger import mark_listings

_GONE = "Since the write the shop's list has no stock row {row} any more."


@dataclass
class Results:
    """How the rows of a request came out; lists are words for logs and incidents."""

    counts: dict[str, int] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)
    """Changes that were not written for certain and wait to be sent, in the order they were sent."""
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    carried: list[str] = field(default_factory=list)
    wiped: list[str] = field(default_factory=list)
    follow_ups: int = 0
    confirmed: set[int] = field(default_factory=set)

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def add(self, other: "Results") -> None:
        """Take over what another transaction found."""
        for what, number in other.counts.items():
            self.count(what, number)
        self.again += other.again
        self.foreign += other.foreign
        self.failed += other.failed
        self.carried += other.carried
        self.follow_ups += other.follow_ups
        self.confirmed |= other.confirmed


def confirm_equal(
    connection: Connection,
    sending: Sending,
    rows: Sequence[SentRow],
    observed: Mapping[int, StockRow],
    *,
    read_at: datetime,
    notes: Mapping[int, str],
    results: Results,
) -> list[SentRow]:
    """Confirm the rows that show exactly what was written; gives the others. ``notes`` by change id go along."""
    equal: list[SentRow] = []
    others: list[SentRow] = []
    for row in rows:
        seen = observed.get(row.stock_row)
        same = seen is not None and not seen.damaged and seen.quantity == row.after
        (equal if same else others).append(row)
    ranges = _ranges(connection, [row.listing_id for row in equal])
    facts = []
    for row in equal:
        # Orders that another poll saw since the mark may have come before the read-back or after it.
        low, high = _since_mark(ranges[row.listing_id], row)
        facts.append((row, row.after, row.after + min(0, low), row.after + max(0, high)))
    _confirm(connection, sending, facts, read_at=read_at, notes=notes, results=results)
    return others


def settle_rest(
    connection: Connection,
    sending: Sending,
    rows: Sequence[SentRow],
    observed: Mapping[int, StockRow],
    *,
    read_at: datetime,
    now: datetime,
    written: bool | None,
    results: Results,
) -> None:
    """Decide the rows whose read-back differs, after orders were polled again (see ``weigh.settle``)."""
    ranges = _ranges(connection, [row.listing_id for row in rows])
    facts = []
    for row in rows:
        seen, listing = observed.get(row.stock_row), ranges[row.listing_id]
        if seen is None or seen.damaged:
            # A damaged answer says nothing at all, so it cannot say that the row is gone.
            words = _GONE.format(row=row.stock_row) if seen is None else "The row cannot be read back: damaged answer."
            _end(connection, row, ChangeState.FAILED, words, None)
            results.count("failed")
            results.failed.append(f"{listing.sku or listing.name}: {words}")
            continue
        down, up = _since_mark(listing, row)
        settled = settle(row.before, row.after, seen.quantity, row.before + down, row.before + up, written=written)
        if settled.kind == "confirmed":
            facts.append((row, seen.quantity, settled.low, settled.high))
        else:
            _decide(connection, sending, row, listing, seen.quantity, settled, read_at, now, results)
    _confirm(connection, sending, facts, read_at=read_at, notes={}, results=results)


def follow_up(connection: Connection, sending: Sending, listing_ids: Iterable[int], results: Results) -> None:
    """Push again what orders touched meanwhile: a new row in this plan where the number differs or is unsure.

    Listings that agree are done, their marks are settled.
    """
    listings = _ranges(connection, sorted(listing_ids))
    # Whatever changes a number raises the listing's mark: without a new one what was written is right still.
    listing_ids = [number for number, listing in listings.items() if not _is_settled(listing)]
    if not listing_ids:
        return
    numbers = availability(connection, sending.shop, listing_ids) if not sending.fixed else {}
    rows, marks = [], []
    for listing_id in listing_ids:
        listing = listings[listing_id]
        low, high = listing.expected_low, listing.expected_high
        number = numbers.get(listing_id)
        target = low if sending.fixed else (number.shown if number is not None else None)
        if target is None or low == target == high:
            marks.append((listing_id, listing.push_mark))
            continue
        rows.append(
            {
                "changeset_id": sending.changeset_id,
                "kind": ChangeKind.STOCK.value,
                "record": listing_id,
                "field": 0,
                "before": str(high),
                "after": str(target),
                "state": sending.reopened.value,
            }
        )
    if not sending.fixed:
        clear_marks(connection, marks)
    if rows:
        taken = select(Change.record).where(Change.kind == ChangeKind.STOCK, Change.field == 0, OPEN)
        open_now = set(connection.execute(taken.where(Change.record.in_(listing_ids))).scalars())
        rows = [row for row in rows if row["record"] not in open_now]
    if rows:
        connection.execute(insert(CHANGES), rows)
        grown = update(Changeset).where(Changeset.id == sending.changeset_id)
        connection.execute(grown.values(rows=Changeset.rows + len(rows)))
        results.follow_ups += len(rows)


def note_status(connection: Connection, batch_id: int, status: str) -> None:
    """Write what came of a request whose rows are not all settled yet."""
    connection.execute(update(ChangeBatch).where(ChangeBatch.id == batch_id).values(status=status[:40]))


def close_batch(connection: Connection, batch_id: int, status: str, at: datetime) -> None:
    """Write how a request ended; every row of it is settled now."""
    values = {"status": status[:40], "confirmed_at": at}
    connection.execute(update(ChangeBatch).where(ChangeBatch.id == batch_id).values(**values))


def reopen(connection: Connection, sending: Sending, change_ids: Sequence[int]) -> None:
    """Rows of a request that never left, or was not done, wait to be sent again."""
    if change_ids:
        connection.execute(
            update(Change)
            .where(Change.id.in_(change_ids), Change.state == ChangeState.SENT)
            .values(state=sending.reopened, batch_id=None)
        )


def fail(connection: Connection, change_id: int, note: str) -> str:
    """End a row that the shop does not take; gives the listing's name for words. The listing's mark is settled."""
    connection.execute(update(Change).where(Change.id == change_id).values(state=ChangeState.FAILED, note=note))
    found = select(Listing.id, Listing.sku, Listing.name, Listing.push_mark)
    row = connection.execute(found.join(Change, Change.record == Listing.id).where(Change.id == change_id)).one()
    clear_marks(connection, [(row.id, row.push_mark)])
    return str(row.sku or row.name)


# -- inside ----------------------------------------------------------------------------------------------------


def _ranges(connection: Connection, listing_ids: Sequence[int]) -> dict[int, Row[Any]]:
    names = ("id", "product_id", "id_product", "id_product_attribute", "sku", "name", "push_mark", "planned_mark")
    columns = [LISTINGS.c[name] for name in (*names, "expected_low", "expected_high")]
    rows = connection.execute(select(*columns).where(Listing.id.in_(listing_ids)).order_by(Listing.id))
    return {row.id: row for row in rows}


def _is_settled(listing: Row[Any]) -> bool:
    return bool(listing.push_mark == listing.planned_mark and listing.expected_low == listing.expected_high)


def _since_mark(listing: Row[Any], row: SentRow) -> tuple[int, int]:
    """What orders did to the expectation since the row was marked, when it was exactly ``before``."""
    low = listing.expected_low if listing.expected_low is not None else row.before
    high = listing.expected_high if listing.expected_high is not None else row.before
    return low - row.before, high - row.before


def _decide(
    connection: Connection,
    sending: Sending,
    row: SentRow,
    listing: Row[Any],
    seen: int,
    settled: Settled,
    read_at: datetime,
    now: datetime,
    results: Results,
) -> None:
    called = listing.sku or listing.name
    if settled.kind == "again":
        reopen(connection, sending, [row.change_id])
        results.again.append(row.change_id)
    elif settled.kind == "kept":
        words = f"The shop answered that it took {row.after}, but still shows {seen}."
        _end(connection, row, ChangeState.FAILED, words, seen)
        _show(connection, row.listing_id, seen, settled, read_at)
        results.count("failed")
        results.failed.append(f"{called}: {words}")
    elif settled.kind == "higher":
        words = f"Somebody else wrote: the shop shows {seen}, we had sent {row.after}."
        _end(connection, row, ChangeState.HELD, words, seen)
        _show(connection, row.listing_id, seen, None, read_at)
        low, high = listing.expected_low, listing.expected_high
        met = Foreign(row.listing_id, low, high, seen, row.after, change_id=row.change_id)
        note_foreign(connection, sending.shop.id, [met], seen_by="push", at=now)
        results.count("held")
        results.foreign.append(f"{called}: {words}")
    else:
        _lower(connection, sending, row, listing, seen, settled, read_at, now, results)


def _lower(
    connection: Connection,
    sending: Sending,
    row: SentRow,
    listing: Row[Any],
    seen: int,
    settled: Settled,
    read_at: datetime,
    now: datetime,
    results: Results,
) -> None:
    """Fewer than orders explain: carried as a hold until the order comes, so that nothing is oversold meanwhile."""
    connection.execute(insert(StockHold), [unexplained_hold(sending.shop.id, listing, settled.units, now)])
    mark_listings(connection, [listing.product_id] if listing.product_id else [], now)
    _show(connection, row.listing_id, seen, settled, read_at)
    words = f"{settled.units} fewer than orders explain, carried as a hold"
    results.carried.append(f"{listing.sku or listing.name}: {words}")
    if settled.written:
        _end(connection, row, ChangeState.CONFIRMED, words, seen)
        _mark_undone(connection, sending, [row.listing_id])
        results.count("confirmed")
        results.confirmed.add(row.listing_id)
    else:
        reopen(connection, sending, [row.change_id])
        results.again.append(row.change_id)


def _confirm(
    connection: Connection,
    sending: Sending,
    facts: Sequence[tuple[SentRow, int, int, int]],
    *,
    read_at: datetime,
    notes: Mapping[int, str],
    results: Results,
) -> None:
    """``(row, observed, low, high)``: written, and what the shop may show from now on."""
    if not facts:
        return
    changes = (
        update(CHANGES)
        .where(CHANGES.c.id == bindparam("change"))
        .values(state=ChangeState.CONFIRMED.value, observed=bindparam("saw"), note=bindparam("words"))
    )
    connection.execute(
        changes,
        [{"change": row.change_id, "saw": str(seen), "words": notes.get(row.change_id)} for row, seen, _, _ in facts],
    )
    listings = (
        update(LISTINGS)
        .where(LISTINGS.c.id == bindparam("listing"))
        .values(
            quantity=bindparam("saw"),
            quantity_read_at=read_at,
            confirmed_quantity=bindparam("written"),
            confirmed_at=read_at,
            expected_low=bindparam("low"),
            expected_high=bindparam("high"),
            expected_at=read_at,
        )
    )
    connection.execute(
        listings,
        [
            {"listing": row.listing_id, "saw": seen, "written": row.after, "low": low, "high": high}
            for row, seen, low, high in facts
        ],
    )
    clear_marks(connection, [(row.listing_id, row.mark) for row, *_ in facts if row.mark is not None])
    ids = [row.listing_id for row, *_ in facts]
    _mark_undone(connection, sending, ids)
    results.count("confirmed", len(facts))
    results.confirmed.update(ids)


def _mark_undone(connection: Connection, sending: Sending, listing_ids: Sequence[int]) -> None:
    if sending.undoes_id is not None:
        connection.execute(
            update(Change)
            .where(
                Change.changeset_id == sending.undoes_id,
                Change.record.in_(listing_ids),
                Change.state == ChangeState.CONFIRMED,
            )
            .values(state=ChangeState.UNDONE)
        )


def _show(connection: Connection, listing_id: int, seen: int, settled: Settled | None, read_at: datetime) -> None:
    values: dict[str, Any] = {"quantity": seen, "quantity_read_at": read_at}
    if settled is not None:
        values |= {"expected_low": settled.low, "expected_high": settled.high, "expected_at": read_at}
    connection.execute(update(Listing).where(Listing.id == listing_id).values(**values))


def _end(connection: Connection, row: SentRow, state: ChangeState, note: str, seen: int | None) -> None:
    observed = str(seen) if seen is not None else None
    connection.execute(
        update(Change).where(Change.id == row.change_id).values(state=state, note=note, observed=observed)
    )
    if row.mark is not None:
        clear_marks(connection, [(row.listing_id, row.mark)])
