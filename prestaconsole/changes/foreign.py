"""Figures in a shop that somebody else wrote: noticed, counted, and decided by a person (rows B4, N14).

Imports operations. Nothing here speaks to a shop: what is decided goes out by the next push, or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, func, insert, select, update

from prestaconsole.changes.decide import FOREIGN_CAUSE, settle_held
from prestaconsole.database import Connection
from prestaconsole.errors import NotFoundError, UsageError
from prestaconsole.model import Change, ChangeState, ForeignWrite, HoldState, Listing, MovementKind, StockHold
from prestaconsole.operations.audit import audit
from prestaconsole.operations.availability import availability
from prestaconsole.operations.expectation import expect
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import ShopRecord, load_shop
from prestaconsole.operations.stock_ledger import Movement, find_warehouse, levels, mark_listings, move
from prestaconsole.redaction import refuse_key

Decision = Literal["keep", "overwrite", "adopt"]
DECISIONS: tuple[Decision, ...] = ("keep", "overwrite", "adopt")
TURNS_CAUSE = "two tools write"
TURNS = 3
"""So often within ``TURN_TIME`` is one figure changed by others before it is called a tool, not a person."""
MANY = 20
"""So many different figures within ``TURN_TIME`` are one as well."""
TURN_TIME = timedelta(hours=24)


@dataclass(frozen=True)
class Foreign:
    """One figure as it was met: ``low`` to ``high`` was expected, ``shows`` was read; ``ours`` by our own count."""

    listing_id: int
    low: int
    high: int
    shows: int
    ours: int | None
    change_id: int | None = None
    hold_id: int | None = None


def note_foreign(
    connection: Connection, shop_id: int, met: Sequence[Foreign], *, seen_by: Literal["push", "check"], at: datetime
) -> int:
    """Keep what was met, each figure once while nobody decided; gives how many are new. Raises the alarm of turns."""
    if not met:
        return 0
    known = {
        (row.listing_id, row.shows, row.change_id)
        for row in connection.execute(
            select(ForeignWrite.listing_id, ForeignWrite.shows, ForeignWrite.change_id).where(
                ForeignWrite.shop_id == shop_id,
                ForeignWrite.decision == "",
                ForeignWrite.listing_id.in_([one.listing_id for one in met]),
            )
        )
    }
    new = [one for one in met if (one.listing_id, one.shows, one.change_id) not in known]
    if new:
        connection.execute(
            insert(ForeignWrite),
            [{**vars(one), "shop_id": shop_id, "seen_at": at, "seen_by": seen_by} for one in new],
        )
        _alarm_of_turns(connection, shop_id, at)
    return len(new)


def _alarm_of_turns(connection: Connection, shop_id: int, at: datetime) -> None:
    """Two tools that write in turns never agree: each undoes the other, and the buyer sees either (row N14)."""
    recent = (ForeignWrite.shop_id == shop_id, ForeignWrite.seen_at > at - TURN_TIME)
    turns = func.count(ForeignWrite.id)
    rows = connection.execute(
        select(Listing.sku, Listing.name, turns.label("turns"))
        .join(Listing, Listing.id == ForeignWrite.listing_id)
        .where(*recent)
        .group_by(Listing.id, Listing.sku, Listing.name)
        .order_by(turns.desc(), Listing.id)
    ).all()
    often = [row for row in rows if row.turns >= TURNS]
    if not often and len(rows) < MANY:
        return
    shop = load_shop(connection, shop_id)
    words = (
        f"{often[0].sku or often[0].name} was changed {often[0].turns} times in 24 hours by somebody else"
        if often
        else f"{len(rows)} figures were changed in 24 hours by somebody else"
    )
    open_incident(
        connection,
        shop_id=shop_id,
        cause_key=TURNS_CAUSE,
        title=f"Another tool seems to write stock at {shop.name}: {words}.",
        remedy=(
            "Choose who leads. Switch the other tool off (its key stands in the shop's webservice list), "
            f"or take this shop's writes back: `prestaconsole shop mode {shop.code} frozen`."
        ),
        evidence="\n".join(f"{row.sku or row.name}: {row.turns}" for row in rows[:40]),
        severity="STOP",
        at=at,
    )


def last_seen(connection: Connection, shop_id: int) -> datetime | None:
    """When a foreign write was last met in this shop."""
    found: datetime | None = connection.execute(
        select(func.max(ForeignWrite.seen_at)).where(ForeignWrite.shop_id == shop_id)
    ).scalar()
    return found


# -- deciding --------------------------------------------------------------------------------------------------


def decide_foreign(
    connection: Connection, foreign_id: int, decision: Decision, *, actor: str, reason: str, at: datetime
) -> Row[Any]:
    """Decide what becomes of a foreign figure and of all others of the same listing; gives the row as it stood.

    keep: the shop's figure stays until ours changes next. overwrite: ours goes out by the next push, through gate and
    brake. adopt: our stock is corrected in the ledger so that it gives the shop's figure; other shops follow.

    Raises ``NotFoundError``, and ``UsageError`` for one that is decided, a missing reason, or an adoption that the
    ledger cannot hold.
    """
    refuse_key("reason", reason)
    found = connection.execute(
        select(*ForeignWrite.__table__.columns).where(ForeignWrite.id == foreign_id)
    ).one_or_none()
    if found is None:
        raise NotFoundError(f"There is no foreign write {foreign_id}.", "`prestaconsole foreign list` shows them all.")
    if found.decision:
        words = f"Foreign write {foreign_id} is decided: {found.decision}, by {found.decided_by}."
        raise UsageError(words, "`prestaconsole foreign list` shows what is open.")
    if not reason.strip():
        raise UsageError("This needs a reason.", "Give it with --reason “…”; it stands in the audit.")
    shop = load_shop(connection, found.shop_id)
    listing = connection.execute(select(*Listing.__table__.columns).where(Listing.id == found.listing_id)).one()
    shows = _shows_now(found, listing)
    if found.hold_id is None:
        expect(connection, [(listing.id, shows)], at)
    if decision == "adopt":
        _adopt(connection, shop, listing, found, shows, actor=actor, reason=reason, at=at)
    elif decision == "overwrite":
        _end_hold(connection, found.hold_id, HoldState.RELEASED, at)
    if decision != "keep":
        mark_listings(connection, [listing.product_id], at)
    _close(connection, found, decision, actor=actor, reason=reason, at=at)
    settle_held(connection, shop, f"{_PAST[decision]} by {actor}", listing.id, actor=actor, at=at)
    audit(
        connection,
        actor=actor,
        action=f"foreign {decision}",
        at=at,
        shop_id=shop.id,
        record=str(listing.sku or listing.name)[:120],
        before={"shows": shows, "ours": found.ours},
        after={"decision": decision},
        reason=reason,
    )
    if not _open_left(connection, shop.id):
        for cause in (FOREIGN_CAUSE, TURNS_CAUSE):
            close_incident(connection, shop_id=shop.id, cause_key=cause, by=actor, at=at)
    return found


_PAST = {"keep": "kept", "overwrite": "overwritten", "adopt": "adopted"}


def _shows_now(found: Row[Any], listing: Row[Any]) -> int:
    """What the shop shows after the orders that came since it was read."""
    if listing.expected_low is None or found.hold_id is not None:
        return int(found.shows)
    return int(found.shows) + int(listing.expected_low) - int(found.low)


def _adopt(
    connection: Connection,
    shop: ShopRecord,
    listing: Row[Any],
    found: Row[Any],
    shows: int,
    *,
    actor: str,
    reason: str,
    at: datetime,
) -> None:
    """Correct the ledger by the difference; a formula that makes another number of it refuses the adoption whole."""
    if found.hold_id is not None:
        units = connection.execute(select(StockHold.quantity).where(StockHold.id == found.hold_id)).scalar_one()
        _end_hold(connection, found.hold_id, HoldState.SHIPPED, at)
        _correct(connection, shop, listing.product_id, -units, actor=actor, reason=reason, at=at)
        return
    number = availability(connection, shop, [listing.id])[listing.id]
    if number.shown is None:
        raise UsageError(
            f"{listing.sku or listing.name} has no figure of ours to correct: {number.why_none}",
            f"`prestaconsole stock set {listing.sku} QTY --warehouse W --reason R` gives it one.",
        )
    _correct(connection, shop, listing.product_id, shows - number.shown, actor=actor, reason=reason, at=at)
    after = availability(connection, shop, [listing.id])[listing.id].shown
    if after != shows:
        raise UsageError(
            f"With the shop's figure {shows} in the ledger, this shop's formula would show {after}.",
            "Its buffer, share or cap makes another number of it. Correct it by hand: `prestaconsole stock set`.",
        )


def _correct(
    connection: Connection, shop: ShopRecord, product_id: int, units: int, *, actor: str, reason: str, at: datetime
) -> None:
    """Into, or out of, the first of the shop's warehouses that counts the product."""
    warehouses = [find_warehouse(connection, code) for code in value(shop, "stock.warehouses")]
    counted = levels(connection, ((product_id, warehouse) for warehouse in warehouses))
    chosen = next((warehouse for warehouse in warehouses if (product_id, warehouse) in counted), None)
    if chosen is None:
        raise UsageError(
            f"No warehouse of {shop.name} counts this product.", "`prestaconsole stock set` books it by hand."
        )
    if units:
        movement = Movement(product_id, chosen, units, MovementKind.CORRECTION, shop.id)
        move(connection, [movement], actor=actor, at=at, reason=reason)


def _end_hold(connection: Connection, hold_id: int | None, state: HoldState, at: datetime) -> None:
    if hold_id is not None:
        connection.execute(
            update(StockHold)
            .where(StockHold.id == hold_id, StockHold.state == HoldState.OPEN)
            .values(state=state, ended_at=at)
        )


def _close(
    connection: Connection, found: Row[Any], decision: Decision, *, actor: str, reason: str, at: datetime
) -> None:
    same = [ForeignWrite.listing_id == found.listing_id, ForeignWrite.decision == ""]
    # A hold is decided alone: each carries units of its own.
    same.append(ForeignWrite.id == found.id if found.hold_id is not None else ForeignWrite.hold_id.is_(None))
    values = {"decision": decision, "decided_at": at, "decided_by": actor[:80], "reason": reason[:200]}
    connection.execute(update(ForeignWrite).where(*same).values(**values))


def _open_left(connection: Connection, shop_id: int) -> bool:
    found = select(ForeignWrite.id).where(ForeignWrite.shop_id == shop_id, ForeignWrite.decision == "").limit(1)
    return connection.execute(found).first() is not None


def forget_settled(connection: Connection, shop_id: int, at: datetime) -> int:
    """Close the open notes whose cause is gone: an order came that explains a hold, a released plan wrote over it."""
    open_hold = select(StockHold.id).where(StockHold.id == ForeignWrite.hold_id, StockHold.state == HoldState.OPEN)
    ended_change = select(Change.id).where(Change.id == ForeignWrite.change_id, Change.state >= ChangeState.CONFIRMED)
    closed = connection.execute(
        update(ForeignWrite)
        .where(ForeignWrite.shop_id == shop_id, ForeignWrite.decision == "")
        .where((ForeignWrite.hold_id.is_not(None) & ~open_hold.exists()) | ended_change.exists())
        .values(decision="settled", decided_at=at, decided_by="PrestaConsole")
    )
    return closed.rowcount
