"""Why a number is what it is: parts that add up, last writes, what is not ours. May import operations, model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from prestaconsole.changes.drift import Drift, likely_causes
from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError, UsageError
from prestaconsole.model import Listing
from prestaconsole.operations.availability import ListingAvailability, availability
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import ShopRecord, find_shop
from prestaconsole.rules.availability import Part
from prestaconsole.services.explain_parts import HoldingOrder, holding_orders, last_counts, own_steps
from prestaconsole.services.explain_writes import ForeignSeen, WrittenRow, foreign_seen, writes
from prestaconsole.services.stock import find_product


@dataclass(frozen=True)
class ExplainedPart:
    """One line of the sum. ``step`` is warehouse, held, kit, buffer, threshold, cap or stop; ``id_order`` the shop's.

    ``detail`` says what led to it: when a warehouse last counted it, how far an order is, whose rule it is.
    ``customer`` is who ordered.
    """

    step: str
    label: str
    units: int
    id_order: int | None
    detail: str = ""
    customer: str = ""


@dataclass(frozen=True)
class Explanation:
    """``should_show`` is the sum of ``parts``, None while no warehouse ever counted the product (``why_none``).

    ``shop_shows`` is the shop's figure as last read at ``read_at``; ``agrees`` compares the two, ``cause`` says what
    the difference likely comes from. ``counted_by`` names what the number follows from: warehouses, the part of a kit,
    the step that limits it. ``foreign`` are figures that somebody else wrote.
    """

    shop: str
    listing: int
    sku: str
    name: str
    id_product: int
    id_product_attribute: int
    should_show: int | None
    why_none: str
    parts: tuple[ExplainedPart, ...]
    counted_by: str
    shop_shows: int | None
    read_at: datetime | None
    agrees: bool
    cause: str
    writes: tuple[WrittenRow, ...]
    foreign: tuple[ForeignSeen, ...]
    waiting: tuple[WrittenRow, ...]

    @property
    def verdict(self) -> str:
        """Whether the shop agrees, in words; what a difference likely comes from."""
        if self.agrees:
            return "they agree"
        if self.should_show is None or self.shop_shows is None:
            return ""
        start = f"These parts give {self.should_show}, the shop shows {self.shop_shows}: "
        unknown = self.cause in ("", "unknown", "shop edit")
        return start + ("an unknown write. d plans the repair." if unknown else f"{self.cause}.")


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
        return explain_listings(connection, record, ids, now=core.clock.now())

    return core.database.read_now(work)


def explain_listings(
    connection: Connection, shop: ShopRecord, listing_ids: Sequence[int], *, now: datetime | None = None
) -> list[Explanation]:
    """The explanations of some listings of one shop, inside a transaction; causes of differences only with ``now``."""
    numbers = availability(connection, shop, listing_ids)
    rows = connection.execute(
        select(*Listing.__table__.columns).where(Listing.id.in_(listing_ids)).order_by(Listing.id)
    ).all()
    differing = [
        Drift(row.id, row.sku, row.name, 0, shown, row.quantity)
        for row in rows
        if row.id in numbers and (shown := numbers[row.id].shown) is not None and row.quantity not in (None, shown)
    ]
    causes = likely_causes(connection, shop.id, differing, now) if now is not None else {}
    found = []
    for row in rows:
        number = numbers.get(row.id)
        parts = number.parts if number is not None else ()
        shown = number.shown if number is not None and not row.depends_on_stock else None
        if shown is not None and sum(part.units for part in parts) != shown:
            raise UsageError(f"The parts of {row.sku} do not add up to {shown}.", "Report this: it is a fault of ours.")
        found.append(
            Explanation(
                shop=shop.name,
                listing=row.id,
                sku=row.sku,
                name=row.name,
                id_product=row.id_product,
                id_product_attribute=row.id_product_attribute,
                should_show=shown,
                why_none=_why_none(row, number),
                parts=explained_parts(connection, shop, row.product_id, parts),
                counted_by=counted_by(parts),
                shop_shows=row.quantity,
                read_at=row.quantity_read_at,
                agrees=shown is not None and shown == row.quantity,
                cause=causes.get(row.id, ""),
                writes=writes(connection, row.id, waiting=False),
                foreign=foreign_seen(connection, row.id),
                waiting=writes(connection, row.id, waiting=True),
            )
        )
    return found


def _why_none(row: Row[Any], number: ListingAvailability | None) -> str:
    if row.depends_on_stock:
        return "PrestaShop's advanced stock management counts this product; the webservice cannot."
    return number.why_none if number is not None else "It is not sold by itself."


def explained_parts(
    connection: Connection, shop: ShopRecord, product_id: int | None, parts: Sequence[Part]
) -> tuple[ExplainedPart, ...]:
    """The parts with what is known beside them: the last count, who ordered, whose rule it is."""
    orders = holding_orders(connection, shop, [part.order_id for part in parts if part.order_id is not None])
    scarce = next((part.label for part in parts if part.step == "kit"), None)
    counted_of = product_id if scarce is None else find_product(connection, scarce)[0]
    codes = [part.label for part in parts if part.step == "warehouse"]
    counts = last_counts(connection, counted_of, codes) if counted_of is not None and codes else {}
    own = own_steps(connection, shop.id, product_id) if product_id is not None else frozenset()
    return tuple(_explained(part, orders, counts, own) for part in parts)


def _explained(
    part: Part, orders: Mapping[int, HoldingOrder], counts: Mapping[str, str], own: frozenset[str]
) -> ExplainedPart:
    order = orders.get(part.order_id or 0)
    label, detail = part.label, part.detail
    if part.step == "warehouse":
        detail = ", ".join(filter(None, (detail, counts.get(label, ""))))
    elif order is not None:
        detail = order.stage
    elif part.step == "buffer":
        detail = f"{'this product' if part.step in own else 'this shop'}'s rule: {part.detail}"
    elif part.step in own:
        detail = ", ".join(filter(None, (detail, "this product's rule")))
    customer = order.customer if order is not None else ""
    return ExplainedPart(part.step, label, part.units, order.id_order if order else None, detail, customer)


def counted_by(parts: Sequence[Part]) -> str:
    """What decides the number: ``W1, W2, less reserved; kit part B, the fewest; at most 50``. Empty without parts."""
    places = [part.label for part in parts if part.step == "warehouse"]
    counting = [part.label for part in parts if part.step == "warehouse" and part.units] or places
    words = [", ".join(counting)]
    if any(part.step == "held" and part.units for part in parts):
        words[0] += ", less reserved"
    kit = next((part.label for part in parts if part.step == "kit"), None)
    if kit is not None:
        words.append(f"kit part {kit}, the fewest")
    limit = next((part for part in reversed(parts) if part.units and part.step in ("threshold", "cap", "stop")), None)
    if limit is not None:
        words.append(limit.label)
    elif any(part.step == "buffer" and part.units for part in parts):
        words.append("less buffer")
    return "; ".join(filter(None, words))
