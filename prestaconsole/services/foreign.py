"""Stock figures in shops that somebody else wrote: which, and what becomes of each. May import changes, model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from prestaconsole.changes.foreign import DECISIONS, Decision, decide_foreign
from prestaconsole.database import Connection
from prestaconsole.errors import PrestaConsoleError, UsageError
from prestaconsole.model import ForeignWrite, Listing, Shop
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import find_shop
from prestaconsole.services.typed import one_line


@dataclass(frozen=True)
class ForeignRow:
    """One figure as it was met. ``expected`` is what orders and our writes explain, ``ours`` our own figure then.

    ``state`` is open, or what was decided: keep, overwrite, adopt, or settled where the cause went away by itself.
    """

    id: int
    shop: str
    sku: str
    name: str
    id_product: int
    id_product_attribute: int
    seen_at: datetime
    seen_by: str
    expected: str
    shows: int
    ours: int | None
    change: int | None
    state: str
    decided_at: datetime | None
    decided_by: str
    reason: str


def list_foreign(
    core: Core, *, shop: str | None = None, everything: bool = False, limit: int | None = None
) -> list[ForeignRow]:
    """The open ones, newest first; decided ones too with ``everything``."""

    def work(connection: Connection) -> list[ForeignRow]:
        statement = _rows().order_by(ForeignWrite.id.desc())
        if shop is not None:
            statement = statement.where(ForeignWrite.shop_id == find_shop(connection, shop).id)
        if not everything:
            statement = statement.where(ForeignWrite.decision == "")
        return [_row(row) for row in connection.execute(statement.limit(limit))]

    return core.database.read_now(work)


def decide(core: Core, foreign: int, decision: str, *, actor: str, reason: str) -> ForeignRow:
    """Keep the shop's figure, overwrite it with ours, or adopt it into our stock. See ``decide_foreign``."""
    if decision not in DECISIONS:
        raise UsageError(f"“{decision}” is no decision.", f"Decisions: {', '.join(DECISIONS)}.")
    chosen: Decision = next(one for one in DECISIONS if one == decision)
    reason = one_line("reason", reason, 200, needed=True)
    now = core.clock.now()

    def work(connection: Connection) -> ForeignRow:
        decide_foreign(connection, foreign, chosen, actor=actor, reason=reason, at=now)
        return _row(connection.execute(_rows().where(ForeignWrite.id == foreign)).one())

    return core.database.write_now(work)


def decide_many(core: Core, foreign: Sequence[int], decision: str, *, actor: str, reason: str) -> list[str]:
    """Decide several alike, each for itself; gives in words the ones that were refused.

    One that was decided together with another of the same listing is no refusal. Raises what ``decide`` raises where
    there is only one.
    """
    began = core.clock.now()
    refused = []
    for one in foreign:
        try:
            decide(core, one, decision, actor=actor, reason=reason)
        except PrestaConsoleError as error:
            if len(foreign) == 1:
                raise
            if not _decided_since(core, one, began):
                refused.append(error.cause)
    return refused


def _decided_since(core: Core, foreign: int, began: datetime) -> bool:
    at = core.database.read_now(
        lambda c: c.execute(select(ForeignWrite.decided_at).where(ForeignWrite.id == foreign)).scalar()
    )
    return at is not None and at >= began


def _rows() -> Select[Any]:
    return (
        select(*ForeignWrite.__table__.columns, Shop.name.label("shop_name"))
        .add_columns(Listing.sku, Listing.name, Listing.id_product, Listing.id_product_attribute)
        .join(Shop, Shop.id == ForeignWrite.shop_id)
        .join(Listing, Listing.id == ForeignWrite.listing_id)
    )


def _row(row: Any) -> ForeignRow:
    return ForeignRow(
        id=row.id,
        shop=row.shop_name,
        sku=row.sku,
        name=row.name,
        id_product=row.id_product,
        id_product_attribute=row.id_product_attribute,
        seen_at=row.seen_at,
        seen_by=row.seen_by,
        expected=str(row.low) if row.low == row.high else f"{row.low} to {row.high}",
        shows=row.shows,
        ours=row.ours,
        change=row.change_id,
        state=row.decision or "open",
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        reason=row.reason,
    )
