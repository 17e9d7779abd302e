"""Why a number is what it is: the parts that add up, the last writes, what waits. May import operations, model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError, UsageError
from prestaconsole.model import Change, ChangeBatch, ChangeKind, Changeset, ChangeState, Listing, Order
from prestaconsole.operations.availability import availability
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import ShopRecord, find_shop
from prestaconsole.services.stock import find_product

_LAST = 5


@dataclass(frozen=True)
class ExplainedPart:
    """One line of the sum. ``step`` is warehouse, held, kit, buffer, threshold, cap or stop; ``id_order`` the shop's.

    ``detail`` says what led to it.
    """

    step: str
    label: str
    units: int
    id_order: int | None
    detail: str = ""


@dataclass(frozen=True)
class WrittenRow:
    """A change of this listing's number that was sent or waits to be."""

    changeset: int
    at: datetime | None
    before: int | None
    after: int
    observed: int | None
    state: str
    reason: str


@dataclass(frozen=True)
class Explanation:
    """``should_show`` is the sum of ``parts``, None while no warehouse ever counted the product (``why_none``).

    ``shop_shows`` is the shop's figure as last read at ``read_at``; ``agrees`` compares the two.
    """

    shop: str
    sku: str
    name: str
    id_product: int
    id_product_attribute: int
    should_show: int | None
    why_none: str
    parts: tuple[ExplainedPart, ...]
    shop_shows: int | None
    read_at: datetime | None
    agrees: bool
    writes: tuple[WrittenRow, ...]
    waiting: tuple[WrittenRow, ...]


def explain_stock(core: Core, sku: str, shop: str) -> list[Explanation]:
    """Why a shop shows, or should show, this number of a SKU: one explanation for each of its listings there.

    Raises ``NotFoundError`` where the shop has no listing of it.
    """

    def work(connection: Connection) -> list[Explanation]:
        record = find_shop(connection, shop)
        product_id, name = find_product(connection, sku)
        mine = (Listing.shop_id == record.id, Listing.product_id == product_id)
        sold = (Listing.has_combinations.is_(False), Listing.gone_at.is_(None))
        ids = connection.execute(select(Listing.id).where(*mine, *sold).order_by(Listing.id)).scalars().all()
        if not ids:
            raise NotFoundError(f"{record.name} has no listing of {name}.", "`prestaconsole listing list` shows all.")
        return explain_listings(connection, record, ids)

    return core.database.read_now(work)


def explain_listings(connection: Connection, shop: ShopRecord, listing_ids: Sequence[int]) -> list[Explanation]:
    """The explanations of some listings of one shop, inside a transaction."""
    numbers = availability(connection, shop, listing_ids)
    rows = connection.execute(
        select(*Listing.__table__.columns).where(Listing.id.in_(listing_ids)).order_by(Listing.id)
    )
    found = []
    for row in rows:
        number = numbers.get(row.id)
        parts = number.parts if number is not None else ()
        orders = _order_numbers(connection, [part.order_id for part in parts if part.order_id is not None])
        shown = number.shown if number is not None else None
        if shown is not None and sum(part.units for part in parts) != shown:
            raise UsageError(f"The parts of {row.sku} do not add up to {shown}.", "Report this: it is a fault of ours.")
        found.append(
            Explanation(
                shop=shop.name,
                sku=row.sku,
                name=row.name,
                id_product=row.id_product,
                id_product_attribute=row.id_product_attribute,
                should_show=shown,
                why_none=number.why_none if number is not None else "It is not sold by itself.",
                parts=tuple(
                    ExplainedPart(part.step, part.label, part.units, orders.get(part.order_id or 0), part.detail)
                    for part in parts
                ),
                shop_shows=row.quantity,
                read_at=row.quantity_read_at,
                agrees=shown is not None and shown == row.quantity,
                writes=_changes(connection, row.id, waiting=False),
                waiting=_changes(connection, row.id, waiting=True),
            )
        )
    return found


def _order_numbers(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    rows = connection.execute(select(Order.id, Order.id_order).where(Order.id.in_(ids)))
    return {row.id: row.id_order for row in rows}


def _changes(connection: Connection, listing_id: int, *, waiting: bool) -> tuple[WrittenRow, ...]:
    is_open = Change.state < ChangeState.CONFIRMED
    rows = connection.execute(
        select(
            Change.changeset_id,
            Change.before,
            Change.after,
            Change.observed,
            Change.state,
            Changeset.reason,
            ChangeBatch.sent_at,
        )
        .join(Changeset, Changeset.id == Change.changeset_id)
        .outerjoin(ChangeBatch, ChangeBatch.id == Change.batch_id)
        .where(
            Change.kind == ChangeKind.STOCK,
            Change.record == listing_id,
            is_open if waiting else ~is_open & Change.batch_id.is_not(None),
        )
        .order_by(Change.id.desc())
        .limit(_LAST)
    )
    return tuple(
        WrittenRow(
            changeset=row.changeset_id,
            at=row.sent_at,
            before=_number(row.before),
            after=int(row.after),
            observed=_number(row.observed),
            state=ChangeState(row.state).name.lower(),
            reason=row.reason,
        )
        for row in rows
    )


def _number(text: str | None) -> int | None:
    return int(text) if text not in {None, ""} else None
