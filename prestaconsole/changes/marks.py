"""Which listings and shops wait to be planned, and when their wait is over. Imports operations."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, or_, select, update

from prestaconsole.changes.tables import LISTINGS, MARKED, OPEN
from prestaconsole.database import Connection
from prestaconsole.model import (
    Change,
    ChangeBatch,
    ChangeKind,
    Changeset,
    ChangesetState,
    FeedRun,
    Listing,
    RunState,
    Shop,
    ShopMode,
)
from prestaconsole.operations.pauses import shop_paused

AFTER_FAILURE = timedelta(minutes=5)
WAITS_FOR_APPROVAL = "Waits for approval: every plan of this shop does."


def shops_to_push(connection: Connection, now: datetime) -> list[int]:
    """Live shops in which something changed that no plan holds for a person: what wakes ``export_stock`` (row B29).

    A shop whose last push failed or was stopped a moment ago is left in peace for a while.
    """
    for_a_person = or_(
        Changeset.state.in_((ChangesetState.HELD, ChangesetState.APPROVED)),
        and_(Changeset.state == ChangesetState.PLANNED, Changeset.error == WAITS_FOR_APPROVAL),
    )
    held = (
        select(Change.id)
        .join(Changeset, Changeset.id == Change.changeset_id)
        .where(Change.record == LISTINGS.c.id, Change.kind == ChangeKind.STOCK, Change.field == 0, OPEN)
        .where(for_a_person)
    )
    marked = select(LISTINGS.c.id).where(LISTINGS.c.shop_id == Shop.id, MARKED, ~held.exists())
    failed = select(FeedRun.id).where(
        FeedRun.shop_id == Shop.id,
        FeedRun.feed == "export_stock",
        FeedRun.state.in_((RunState.FAILED, RunState.CANCELLED)),
        FeedRun.ended_at > now - AFTER_FAILURE,
    )
    found = select(Shop.id).where(Shop.mode == ShopMode.LIVE, ~shop_paused(), marked.exists(), ~failed.exists())
    return list(connection.execute(found.order_by(Shop.id)).scalars())


def any_marked(connection: Connection, shop_id: int) -> bool:
    """Whether a listing of the shop waits for its number to be planned."""
    found = select(LISTINGS.c.id).where(LISTINGS.c.shop_id == shop_id, MARKED).limit(1)
    return connection.execute(found).first() is not None


def clear_marks(connection: Connection, marks: Sequence[tuple[int, int]]) -> None:
    """``(listing id, mark)``: what the mark asked for is settled; a mark raised since then stays."""
    if marks:
        statement = update(LISTINGS).where(LISTINGS.c.id == bindparam("listing")).values(planned_mark=bindparam("mark"))
        connection.execute(statement, [{"listing": listing, "mark": mark} for listing, mark in marks])


def first_since_live(connection: Connection, shop_id: int) -> bool:
    """Whether nothing was sent to the shop since it went live: then a canary goes first (DESIGN §5)."""
    went_live = connection.execute(select(Shop.went_live_at).where(Shop.id == shop_id)).scalar()
    sent = select(ChangeBatch.id).join(Changeset, Changeset.id == ChangeBatch.changeset_id)
    sent = sent.where(Changeset.shop_id == shop_id, ChangeBatch.sent_at.is_not(None))
    if went_live is not None:
        sent = sent.where(ChangeBatch.sent_at >= went_live)
    return connection.execute(sent.limit(1)).first() is None


def listing_ids(connection: Connection, shop_id: int, words: Iterable[str | int]) -> tuple[tuple[int, ...], list[str]]:
    """The listings that SKUs or listing ids name in this shop, and the words that name none."""
    asked = [str(word).strip() for word in words]
    rows = connection.execute(
        select(Listing.id, Listing.sku).where(
            Listing.shop_id == shop_id,
            or_(Listing.sku.in_(asked), Listing.id.in_([int(word) for word in asked if word.isdecimal()])),
        )
    ).all()
    known = {row.sku for row in rows} | {str(row.id) for row in rows}
    return tuple(sorted({row.id for row in rows})), [word for word in asked if word not in known]
