"""Figures that somebody else wrote in a shop, as a list (rows B4, N14). Imports operations and model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, or_, select
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.orm import aliased

from prestaconsole.model.catalogue import Listing
from prestaconsole.model.changes import ForeignWrite
from prestaconsole.model.shops import Shop
from prestaconsole.operations.availability import availability
from prestaconsole.operations.shops import load_shop
from prestaconsole.services.views.rows import Ask

#: What `v` walks through.
FACETS: tuple[tuple[str, str], ...] = (("open", "nobody decided"), ("all", "decided ones too"))


@dataclass(frozen=True)
class ForeignLine:
    """One figure as it was met. ``low`` to ``high`` was expected, ``shows`` was read, ``ours`` is our number now.

    ``decision`` is empty while nobody decided. ``others`` counts the listings elsewhere that share the product.
    """

    id: int
    shop_id: int
    shop: str
    shop_code: str
    listing_id: int
    sku: str
    name: str
    seen_at: datetime
    seen_by: str
    low: int
    high: int
    shows: int
    ours: int | None
    decision: str
    decided_at: datetime | None
    decided_by: str
    reason: str
    carried: bool
    others: int

    @property
    def expected(self) -> str:
        """What orders and our own writes explain."""
        return str(self.low) if self.low == self.high else f"{self.low}…{self.high}"


class ForeignQuery:
    """Open ones first, newest first; ``facet`` is ``open`` or ``all``."""

    orders: Sequence[str] = ("need", "sku")

    def ids(self, connection: Connection, ask: Ask) -> Iterable[int]:
        """The figures of the shop asked for, or of all."""
        statement = select(ForeignWrite.id).join(Listing, Listing.id == ForeignWrite.listing_id)
        if ask.shop is not None:
            statement = statement.where(ForeignWrite.shop_id == ask.shop)
        if ask.facet != "all":
            statement = statement.where(ForeignWrite.decision == "")
        for word in ask.words.split():
            like = f"%{word.replace('%', '')}%"
            statement = statement.where(or_(Listing.sku.ilike(like), Listing.name.ilike(like)))
        if ask.order == "sku":
            return connection.execute(statement.order_by(Listing.sku, ForeignWrite.id.desc())).scalars()
        is_open = case((ForeignWrite.decision == "", 0), else_=1)
        return connection.execute(statement.order_by(is_open, ForeignWrite.id.desc())).scalars()

    def rows(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, ForeignLine]:
        """These figures, with our number as it is now."""
        other = aliased(Listing)
        others = (
            select(func.count(other.id))
            .where(
                other.product_id == Listing.product_id,
                other.id != Listing.id,
                other.gone_at.is_(None),
                other.has_combinations.is_(False),
            )
            .correlate(Listing)
            .scalar_subquery()
        )
        rows = (
            connection.execute(
                select(*ForeignWrite.__table__.columns, Listing.sku, Listing.name, others.label("others"))
                .add_columns(Shop.name.label("shop"), Shop.code.label("shop_code"))
                .join(Listing, Listing.id == ForeignWrite.listing_id)
                .join(Shop, Shop.id == ForeignWrite.shop_id)
                .where(ForeignWrite.id.in_(ids))
            )
            .mappings()
            .all()
        )
        ours = _ours(connection, rows)
        return {row["id"]: _line(row, ours) for row in rows}


def _ours(connection: Connection, rows: Sequence[RowMapping]) -> dict[int, int | None]:
    found: dict[int, int | None] = {}
    for shop_id in {row["shop_id"] for row in rows}:
        ids = [row["listing_id"] for row in rows if row["shop_id"] == shop_id]
        numbers = availability(connection, load_shop(connection, shop_id), ids)
        found.update({listing: number.shown for listing, number in numbers.items()})
    return found


def _line(row: Any, ours: Mapping[int, int | None]) -> ForeignLine:
    return ForeignLine(
        id=row["id"], shop_id=row["shop_id"], shop=row["shop"], shop_code=row["shop_code"],
        listing_id=row["listing_id"], sku=row["sku"], name=row["name"], seen_at=row["seen_at"],
        seen_by=row["seen_by"], low=row["low"], high=row["high"], shows=row["shows"],
        ours=ours.get(row["listing_id"]), decision=row["decision"], decided_at=row["decided_at"],
        decided_by=row["decided_by"], reason=row["reason"], carried=row["hold_id"] is not None,
        others=int(row["others"] or 0),
    )  # fmt: skip
