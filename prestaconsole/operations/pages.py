"""The page: one fenced transaction with data, checkpoint, progress and log lines (DESIGN §1, §4)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict, TypeVar, Unpack

from prestaconsole.database import Connection

T = TypeVar("T")
Level = Literal["info", "warn", "FAIL"]


@dataclass(frozen=True)
class LogLine:
    """One line of a run's log, in words; never a key, never a buyer's data."""

    level: Level
    text: str


class RunStopped(Exception):
    """Raised by ``commit`` when the run must end here: ``cancelled``, ``lost`` (another owner), ``handed over``, or
    ``window`` (its schedule's window has shut).

    What was committed stays; nothing of the refused page was stored. Feeds never catch it.
    """

    def __init__(self, why: Literal["cancelled", "lost", "handed over", "window"]) -> None:
        super().__init__(why)
        self.why = why


class PageNotes(TypedDict, total=False):
    """What a page says of its run; what is left out stays as it was. ``counts`` are increments.

    ``lease_seconds`` keeps the run ours for at least so long: a write to a shop starts only with a lease that
    outlives its time-out.
    """

    checkpoint: Mapping[str, Any]
    done: int
    total: int | None
    phase: str
    counts: Mapping[str, int]
    logs: Sequence[LogLine]
    lease_seconds: float


class PageCommit(Protocol):
    """Stores a page for the run that owns it, or raises ``RunStopped``."""

    async def __call__(self, store: Callable[[Connection], T], **notes: Unpack[PageNotes]) -> T:
        """Run ``store`` in one transaction that holds only while the run is ours."""
        ...
