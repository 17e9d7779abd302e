"""What the steps of a push hand one another: the plan being sent, its rows on their way, what marking did."""

from dataclasses import dataclass, field

from sqlalchemy import select

from prestaconsole.changes.gate import Permit
from prestaconsole.changes.stock_rows import Contexts, StockRow
from prestaconsole.database import Connection
from prestaconsole.model import Changeset, ChangeState, FeedRun
from prestaconsole.operations.shops import ShopRecord

SENDABLE = (ChangeState.PLANNED, ChangeState.APPROVED)


class SurpriseZeros(Exception):
    """More rows go to zero than the plan said, and so many that the brake would have held it."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} rows go to zero that were planned with stock")
        self.count = count


@dataclass
class Sending:
    """What stays the same while one changeset is sent. ``fixed``: its values are written as planned (an undo)."""

    shop: ShopRecord
    changeset_id: int
    run_id: int
    token: int
    contexts: Contexts
    write_timeout: float
    fixed: bool
    reopened: ChangeState
    """The state of a row that waits to be sent (again)."""
    undoes_id: int | None
    zeros_known: int
    """Listings to zero that the brake saw, or a person released, with this plan."""
    released: bool
    surprises: int = 0


@dataclass(frozen=True)
class SentRow:
    """A row in a request: ``before`` was read a moment ago, ``after`` is what is sent; ``mark`` is then settled."""

    change_id: int
    listing_id: int
    stock_row: int
    before: int
    after: int
    mark: int | None
    row: StockRow | None
    """As just read; None after a takeover, when only the change is known."""


@dataclass
class Marked:
    """What marking did. ``later`` are changes of another storefront, to be sent in a request of their own."""

    batch_id: int = 0
    permit: Permit | None = None
    context: int | None = None
    rows: list[SentRow] = field(default_factory=list)
    later: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    carried: list[str] = field(default_factory=list)
    surprises: int = 0
    """Rows that go to zero and were planned with stock."""

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def load_sending(
    connection: Connection,
    shop: ShopRecord,
    changeset_id: int,
    *,
    run_id: int,
    write_timeout: float,
    contexts: Contexts,
) -> Sending:
    """What the sender of this changeset must know of it."""
    found = connection.execute(
        select(Changeset.approved_at, Changeset.released_at, Changeset.undoes_id, Changeset.brake).where(
            Changeset.id == changeset_id
        )
    ).one()
    token = connection.execute(select(FeedRun.token).where(FeedRun.id == run_id)).scalar()
    return Sending(
        shop=shop,
        changeset_id=changeset_id,
        run_id=run_id,
        token=token or 0,
        contexts=contexts,
        write_timeout=write_timeout,
        fixed=found.undoes_id is not None,
        reopened=ChangeState.APPROVED if found.approved_at is not None else ChangeState.PLANNED,
        undoes_id=found.undoes_id,
        zeros_known=int(found.brake.get("to_zero", 0)),
        released=found.released_at is not None,
    )
