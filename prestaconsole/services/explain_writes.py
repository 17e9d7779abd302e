"""What was written over a listing's number, by us and by others. May import model, database."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from prestaconsole.database import Connection
from prestaconsole.model import Change, ChangeBatch, ChangeKind, Changeset, ChangeState, ForeignWrite

_LAST = 5


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
class ForeignSeen:
    """A figure that somebody else wrote: when and by what it was met, what was expected, what became of it.

    ``state`` is open, or what was decided: keep, overwrite, adopt, settled. ``put_back_at`` is our next confirmed
    write after a decision to overwrite.
    """

    id: int
    at: datetime
    seen_by: str
    expected: str
    shows: int
    state: str
    decided_at: datetime | None
    decided_by: str
    reason: str
    put_back_at: datetime | None

    @property
    def outcome(self) -> str:
        """What became of it, in words."""
        by = f" by {self.decided_by}" if self.decided_by else ""
        if self.state == "overwrite":
            if self.put_back_at is None:
                return f"overwritten{by}, goes out with the next push"
            minutes = int((self.put_back_at - self.at).total_seconds() // 60)
            return f"put back {minutes} min later by us" if minutes < 120 else f"put back {minutes // 60} h later by us"
        words = {"keep": "kept", "adopt": "adopted into our stock", "settled": "settled by itself"}
        return (
            f"{words[self.state]}{by if self.state != 'settled' else ''}" if self.state in words else "nobody decided"
        )


def writes(connection: Connection, listing_id: int, *, waiting: bool) -> tuple[WrittenRow, ...]:
    """The last changes of a listing's number that were sent, or those that wait; newest first."""
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


def foreign_seen(connection: Connection, listing_id: int) -> tuple[ForeignSeen, ...]:
    """The last figures that somebody else wrote, newest first."""
    rows = connection.execute(
        select(*ForeignWrite.__table__.columns)
        .where(ForeignWrite.listing_id == listing_id)
        .order_by(ForeignWrite.seen_at.desc(), ForeignWrite.id.desc())
        .limit(_LAST)
    ).all()
    return tuple(
        ForeignSeen(
            id=row.id,
            at=row.seen_at,
            seen_by=row.seen_by,
            expected=str(row.low) if row.low == row.high else f"{row.low} to {row.high}",
            shows=row.shows,
            state=row.decision or "open",
            decided_at=row.decided_at,
            decided_by=row.decided_by,
            reason=row.reason,
            put_back_at=_put_back(connection, listing_id, row.decided_at) if row.decision == "overwrite" else None,
        )
        for row in rows
    )


def _put_back(connection: Connection, listing_id: int, decided_at: datetime) -> datetime | None:
    found: datetime | None = connection.execute(
        select(func.min(ChangeBatch.confirmed_at))
        .join(Change, Change.batch_id == ChangeBatch.id)
        .where(
            Change.kind == ChangeKind.STOCK,
            Change.record == listing_id,
            Change.state == ChangeState.CONFIRMED,
            ChangeBatch.confirmed_at >= decided_at,
        )
    ).scalar()
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text not in {None, ""} else None
