"""What the steps of a push hand one another: the plan being sent, its rows on their way, what marking did."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from prestaconsole.changes.brake import zeros_so_far
from prestaconsole.changes.gate import Permit
from prestaconsole.changes.stock_rows import Contexts, StockRow
from prestaconsole.database import Connection
from prestaconsole.model import Changeset, ChangeState, FeedRun
from prestaconsole.operations.shops import ShopRecord

SENDABLE = (ChangeState.PLANNED, ChangeState.APPROVED)


class SurpriseZeros(Exception):
    """More rows go to zero than the brake knew when it let the plan pass, and so many that it would have held it."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} rows go to zero, more than when the plan was judged")
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
    zeros_before: int
    """What counts against the zeros of this plan before it goes on; see ``brake.zeros_so_far``."""
    zeros: set[int] = field(default_factory=set)
    """Listings that went to zero since, each once however often it was sent."""


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
    zeros: set[int] = field(default_factory=set)
    """Listings that go to zero."""

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
    now: datetime,
) -> Sending:
    """What the sender of this changeset must know of it."""
    columns = (Changeset.approved_at, Changeset.undoes_id)
    found = connection.execute(select(*columns).where(Changeset.id == changeset_id)).one()
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
        zeros_before=zeros_so_far(connection, shop.id, changeset_id, now=now),
    )
