"""One governor a shop: places, rate, rests, priorities and a circuit breaker. May import errors of this room, clock.

All clients of one base URL in this process share a pacer, so that feeds, people and retries together never ask more
of a shop than it bears. State lives in memory: it says how the shop answers now, not what happened. Who wants others
to see it listens (``listen``) and keeps ``state`` and ``cost`` wherever they look (operations/pace.py).
"""

import asyncio
import heapq
import itertools
import random
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.webservice import errors as e

URGENT, ORDINARY = 10, 50
LONGEST_WAIT = 60.0
_LONGEST_REST = 3600.0
_THRESHOLD = 4
_COOL = 30.0
_LONGEST_COOL = 600.0
_TROUBLE = (
    *(e.NotConnected, e.TimedOut, e.CutConnection, e.ServerError, e.TooManyRequests),
    *(e.HtmlAnswer, e.EmptyAnswer, e.BlockedByHost),
)
BreakerState = Literal["closed", "open", "half-open"]


@dataclass
class Cost:
    """What requests of one kind took: their number, seconds in all, and the seconds of a request of late."""

    requests: int = 0
    seconds: float = 0.0
    recent: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more; ``recent`` follows the last ten or so."""
        self.requests += 1
        self.seconds += seconds
        self.recent = seconds if self.requests == 1 else 0.9 * self.recent + 0.1 * seconds


@dataclass(frozen=True)
class PacerState:
    """What a person sees of a pacer. ``asks_again_in`` and ``resting`` are seconds, 0 where the shop may be asked."""

    breaker: BreakerState
    failures: int
    since: datetime | None
    asks_again_in: float
    resting: float
    busy: int
    waiting: int
    last_cause: str = ""


@dataclass(order=True)
class _Waiter:
    priority: int
    number: int
    woken: "asyncio.Future[None] | None" = field(default=None, compare=False)


class Pacer:
    """Decides when a request to one shop may leave.

    ``places`` requests run at once, at most ``rate`` begin a second (0: no limit), lower priority numbers first. After
    ``threshold`` failed calls in a row the breaker opens: everything is refused with ``ShopResting`` for ``cool``
    seconds, then one trial goes through (half-open); it closes the breaker, or opens it for twice as long. ``chance``
    gives numbers from 0 to 1: pauses before repeats are spread by it over their whole length.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        places: int = 2,
        rate: float = 0.0,
        threshold: int = _THRESHOLD,
        cool: float = _COOL,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.places, self.rate = max(1, places), rate
        self.costs: dict[tuple[str, str], Cost] = {}
        self._errors: dict[str, int] = {}
        self._clock: Clock = clock or SystemClock()
        self._threshold, self._first_cool, self._cool = threshold, cool, cool
        self.chance = chance
        self._lock = threading.RLock()
        self._numbers = itertools.count()
        self._waiting: list[_Waiter] = []
        self._busy = 0
        self._next_at = self._rest_until = self._opens_at = float("-inf")
        self._failures = 0
        self._since: datetime | None = None
        self._last_cause = ""
        self._listeners: list[Callable[[], None]] = []

    # -- places ----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def place(self, priority: int = ORDINARY, *, insist: bool = False) -> AsyncIterator[None]:
        """Hold one of the shop's places; ``insist`` passes an open breaker and a rest (a person asks).

        Raises ``ShopResting`` while the breaker is open, and when the host asked for a longer rest than a minute.
        """
        await self._enter(priority, insist)
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                self._wake()

    async def _enter(self, priority: int, insist: bool) -> None:
        waiter = _Waiter(priority, next(self._numbers))
        with self._lock:
            heapq.heappush(self._waiting, waiter)
        try:
            while True:
                with self._lock:
                    if not insist:
                        self._refuse()
                    first = self._waiting[0] is waiter
                    pause = 0.0 if insist else self._pause()
                    if first and self._busy < self._limit() and pause <= 0:
                        self._take()
                        return
                    if not first or self._busy >= self._limit():
                        waiter.woken = asyncio.get_running_loop().create_future()
                if waiter.woken is not None:
                    await waiter.woken
                    waiter.woken = None
                else:
                    await self._clock.sleep(pause)
        finally:
            with self._lock:
                self._waiting.remove(waiter)
                heapq.heapify(self._waiting)
                self._wake()

    def _take(self) -> None:
        self._busy += 1
        if self.rate > 0:
            self._next_at = max(self._now(), self._next_at) + 1 / self.rate

    def _limit(self) -> int:
        return 1 if self.breaker == "half-open" else self.places

    def _pause(self) -> float:
        return max(self._rest_until, self._next_at) - self._now()

    def _wake(self) -> None:
        """Let the first in the line look again; it may wait in another thread's loop."""
        future = self._waiting[0].woken if self._waiting else None
        if future is not None:
            future.get_loop().call_soon_threadsafe(_fulfil, future)

    def _refuse(self) -> None:
        left = self._opens_at - self._now()
        if self._failures >= self._threshold and left > 0:
            raise e.ShopResting(
                f"The shop failed {self._failures} times in a row ({self._last_cause.rstrip('.')}); nothing was sent.",
                retry_after=left,
            )
        if self._rest_until - self._now() > LONGEST_WAIT:
            left = self._rest_until - self._now()
            raise e.ShopResting(
                f"The shop's host asked for a pause of {left:.0f} seconds; nothing was sent.", retry_after=left
            )

    def _now(self) -> float:
        return self._clock.monotonic()

    # -- what came of it -------------------------------------------------------------------------------------

    def rest(self, seconds: float) -> None:
        """Everybody waits this long before the next request (Retry-After), an hour at most."""
        with self._lock:
            self._rest_until = max(self._rest_until, self._now() + min(seconds, _LONGEST_REST))

    def answered(self, method: str, resource: str, seconds: float) -> None:
        """Keep what one request took."""
        with self._lock:
            self.costs.setdefault((method, resource), Cost()).add(seconds)

    def ended(self, failure: e.WebserviceError | None) -> None:
        """How a whole call went, its repeats included. A no of the shop is an answer, and closes the breaker too."""
        if isinstance(failure, e.ShopResting | e.TooLate):
            return
        with self._lock:
            if failure is not None:
                self._errors[failure.kind] = self._errors.get(failure.kind, 0) + 1
            moved = self._note(failure)
        if moved:
            for tell in tuple(self._listeners):
                tell()

    def _note(self, failure: e.WebserviceError | None) -> bool:
        """Count the call; says whether the breaker opened, opened again or closed."""
        was_open = self._failures >= self._threshold
        if failure is None or not isinstance(failure, _TROUBLE):
            self._failures, self._cool, self._since, self._last_cause = 0, self._first_cool, None, ""
            self._wake()
            return was_open
        self._failures += 1
        self._last_cause = failure.cause
        if self._failures < self._threshold:
            return False
        if was_open and self._now() >= self._opens_at:
            self._cool = min(_LONGEST_COOL, self._cool * 2)
        self._since = self._since or self._clock.now()
        self._opens_at = max(self._opens_at, self._now() + self._cool)
        self._wake()
        return True

    def listen(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Call ``tell`` whenever the breaker opens or closes, in the thread of that call; gives what ends it."""
        self._listeners.append(tell)

        def stop() -> None:
            if tell in self._listeners:
                self._listeners.remove(tell)

        return stop

    @property
    def breaker(self) -> BreakerState:
        """closed: requests pass · open: none does · half-open: one trial at a time."""
        if self._failures < self._threshold:
            return "closed"
        return "open" if self._now() < self._opens_at else "half-open"

    @property
    def state(self) -> PacerState:
        """What a screen shows of it."""
        with self._lock:
            opened = self._failures >= self._threshold
            return PacerState(
                breaker=self.breaker,
                failures=self._failures,
                since=self._since,
                asks_again_in=max(0.0, self._opens_at - self._now()) if opened else 0.0,
                resting=max(0.0, self._rest_until - self._now()),
                busy=self._busy,
                waiting=len(self._waiting),
                last_cause=self._last_cause,
            )

    @property
    def mark(self) -> tuple[object, ...]:
        """Differs from an earlier one when a person would see something else; standing still costs nothing to tell."""
        with self._lock:
            requests = sum(cost.requests for cost in self.costs.values())
            rests = self._rest_until if self._rest_until > self._now() else None
            return (self._failures, self._opens_at, rests, self._busy, len(self._waiting), requests)

    def cost(self) -> dict[str, Cost]:
        """A copy of what requests took, by method and resource: ``GET orders``."""
        with self._lock:
            return {f"{method} {resource}": replace(cost) for (method, resource), cost in self.costs.items()}

    def errors(self) -> dict[str, int]:
        """How many calls ended with an error, by its kind."""
        with self._lock:
            return dict(self._errors)

    def seconds_a_request(self, method: str = "GET") -> dict[str, float]:
        """By resource, what a request of this method took of late: what estimates are made from."""
        with self._lock:
            return {resource: cost.recent for (verb, resource), cost in self.costs.items() if verb == method}

    def estimate(self, resource: str, requests: int, method: str = "GET") -> timedelta | None:
        """How long so many requests will take one after another; None before the first was measured."""
        cost = self.costs.get((method, resource))
        if cost is None:
            return None
        return timedelta(seconds=requests * max(cost.recent, 1 / self.rate if self.rate > 0 else 0.0))


def _fulfil(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


# -- one a shop in this process ----------------------------------------------------------------------------------

_by_clock: "weakref.WeakKeyDictionary[object, dict[str, Pacer]]" = weakref.WeakKeyDictionary()
_SYSTEM = SystemClock()  # all system clocks show one time, so their shops share one pacer


def shared(base_url: str, clock: Clock | None = None, *, places: int = 2, rate: float = 0.0) -> Pacer:
    """The pacer of a shop in this process; the limits given last are in force."""
    shown = _SYSTEM if clock is None or isinstance(clock, SystemClock) else clock
    known = _by_clock.setdefault(shown, {})
    pacer = known.get(base_url)
    if pacer is None:
        pacer = known[base_url] = Pacer(shown, places=places, rate=rate)
    pacer.places, pacer.rate = max(1, places), rate
    return pacer


def pacers(clock: Clock | None = None) -> dict[str, Pacer]:
    """Every pacer of this process by the base URL of its shop."""
    shown = _SYSTEM if clock is None or isinstance(clock, SystemClock) else clock
    return dict(_by_clock.get(shown, {}))


def shop_state(base_url: str, clock: Clock | None = None) -> PacerState | None:
    """How the shop with this base is paced in this process; None when nothing asked it yet."""
    shown = _SYSTEM if clock is None or isinstance(clock, SystemClock) else clock
    pacer = _by_clock.get(shown, {}).get(base_url)
    return pacer.state if pacer is not None else None
