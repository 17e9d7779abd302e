"""Signs of a worker's progress, which a watchdog judges: looks that were answered, beats, runs taken up, pages.

Moments are seconds of the monotonic clock, so that a jump of the wall clock frightens nobody. Imports clock, database.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from prestaconsole.clock import Clock
from prestaconsole.database import DatabaseUnavailable

HealthState = Literal["starting", "working", "waiting", "hung", "stopping"]


@dataclass(frozen=True)
class Health:
    """How the worker stands: ``waiting`` for a database that is away, or ``hung``; ``reason`` says it in words."""

    state: HealthState
    reason: str = ""

    @property
    def alive(self) -> bool:
        """Whether a restart would help nothing."""
        return self.state != "hung"


class Moving(Protocol):
    """A run at work: when its last page was stored."""

    @property
    def run_id(self) -> int: ...
    @property
    def feed(self) -> str: ...
    @property
    def moved_at(self) -> float: ...


class Part(Protocol):
    """A task of the worker that lasts as long as the worker does."""

    def done(self) -> bool: ...
    def get_name(self) -> str: ...


class Sign:
    """One thing that must happen again and again: when it last did, and when the database last kept it from that."""

    def __init__(self, clock: Clock, what: str) -> None:
        self._clock = clock
        self._what = what
        self.done_at = clock.monotonic()
        self.kept_at = float("-inf")
        self.failing = False
        self.why = ""

    def done(self) -> None:
        """It happened."""
        self.done_at = self._clock.monotonic()
        self.failing = False

    def kept(self, error: BaseException) -> None:
        """It failed; only a database that is away counts as a reason to wait, a fault of ours does not."""
        self.failing = True
        if isinstance(error, DatabaseUnavailable):
            self.kept_at = self._clock.monotonic()
            self.why = error.cause

    def age(self) -> float:
        """Seconds since it last happened."""
        return self._clock.monotonic() - self.done_at

    def health(self, limit: float) -> Health:
        """``limit``: seconds within which it must happen, or fail for a known reason."""
        if self.kept_at > self.done_at and self._clock.monotonic() - self.kept_at < limit:
            return Health("waiting", f"for the database since {self.age():.0f} s: {self.why}")
        if self.age() < limit:
            return Health("working")
        return Health("hung", f"{self._what} for {self.age():.0f} s")


class OwedSign(Sign):
    """A sign that is owed only while something waits for it."""

    def __init__(self, clock: Clock, what: str) -> None:
        super().__init__(clock, what)
        self._waits = False

    def owed(self, waits: bool) -> None:
        """Whether something waits for it at this look; it counts from the first look at which something did."""
        if not (waits and self._waits):
            self.done()
        self._waits = waits

    def health(self, limit: float) -> Health:
        """See ``Sign``."""
        return super().health(limit) if self._waits else Health("working")


class Signs:
    """What a worker shows of itself.

    ``turn``: schedules and queue; ``beat``: a transaction of the writer; ``taking``: the dispatcher brings runs that
    may start, so that this process at least tries to claim one. Whoever carries the work may fall silent without any
    error: only that the queue stands still tells it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.turn = Sign(clock, "a look at schedules and queue neither ended nor failed")
        self.beat = Sign(clock, "the writing of a heartbeat neither ended nor failed")
        self.taking = OwedSign(clock, "runs may start, there is room for them, and none was brought to this process")

    @property
    def failing(self) -> bool:
        """Whether one of them failed when it was last tried."""
        return self.turn.failing or self.beat.failing

    def restart(self) -> None:
        """Count from now: the worker has only just begun."""
        self.turn.done()
        self.beat.done()
        self.taking.owed(False)

    def health(
        self, running: Iterable[Moving], parts: Iterable[Part] = (), *, hung_after: float, stuck_after: float
    ) -> Health:
        """The worst of all: turn, beat, taking, the pages of each run at work (limits in seconds), and the ``parts``.

        A part that has ended while the worker lives hangs at once: nothing would ever do its work again.
        """
        found = [sign.health(hung_after) for sign in (self.turn, self.beat, self.taking)]
        found += [Health("hung", f"its part “{part.get_name()}” has ended by itself") for part in parts if part.done()]
        now = self._clock.monotonic()
        for run in running:
            still = now - run.moved_at
            if still > stuck_after:
                words = f"run {run.run_id} ({run.feed}) has stored no page for {still / 60:.0f} min"
                found.append(Health("hung", words))
        return next((one for state in ("hung", "waiting") for one in found if one.state == state), Health("working"))
