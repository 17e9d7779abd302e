"""The dispatcher without a server: each process looks at the rows itself and takes what may start. Imports database."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from prestaconsole.clock import Clock
from prestaconsole.database import Database

if TYPE_CHECKING:
    from prestaconsole.runner.dispatch import Hands


class EmbeddedDispatcher:
    """A commit by any process is the news, so several processes may work on one database.

    SQLite is looked at several times a second, which costs next to nothing while nothing happens; PostgreSQL tells by
    itself, and of many commits in a row one look is made each ``poll_seconds``: at the first of them, or with
    ``afterwards`` so long after it, where what was queued is brought by somebody else and should not be held up.
    """

    def __init__(self, database: Database, clock: Clock, poll_seconds: float, *, afterwards: bool = False) -> None:
        self._database = database
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._afterwards = afterwards
        self._seen: int | None = None
        self._woken = asyncio.Event()
        self._news = asyncio.Event()
        self._told_at = clock.monotonic() - poll_seconds
        self._unfollow: Callable[[], None] | None = None

    async def serve(self, hands: "Hands") -> None:
        """See ``Dispatcher``: ``offer`` does it all."""
        await asyncio.Event().wait()

    async def offer(self, hands: "Hands") -> bool:
        """See ``Dispatcher``."""
        taken = False
        while hands.room() and await hands.take() is not None:
            taken = True
        return taken

    async def wait(self, seconds: float) -> None:
        """See ``Dispatcher``. Raises ``DatabaseError`` when the database cannot be asked."""
        until = self._clock.monotonic() + seconds
        if self._database.is_sqlite:
            await self._look_until(until)
        else:
            await self._listen_until(until)
        self._woken.clear()

    def wake(self) -> None:
        """See ``Dispatcher``."""
        self._woken.set()
        self._news.set()

    def close(self) -> None:
        """Listen no more."""
        if self._unfollow is not None:
            self._unfollow()
            self._unfollow = None

    async def _look_until(self, until: float) -> None:
        while not self._woken.is_set():
            left = until - self._clock.monotonic()
            if left <= 0 or self._changed():
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), min(left, self._poll_seconds))

    def _changed(self) -> bool:
        now = self._database.version()
        before, self._seen = self._seen, now
        return before != now

    async def _listen_until(self, until: float) -> None:
        self._follow()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(until - self._clock.monotonic(), 0.0)):
                await self._news.wait()
                # Pages of a run at work come many a second; what this very process queued is looked at at once.
                since = self._clock.monotonic() if self._afterwards else self._told_at
                rest = since + self._poll_seconds - self._clock.monotonic()
                if rest > 0 and not self._woken.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), rest)
        self._told_at = self._clock.monotonic()
        self._news.clear()

    def _follow(self) -> None:
        if self._unfollow is not None:
            return
        loop = asyncio.get_running_loop()

        def news() -> None:
            # It comes from another thread, and may come when the loop has just ended.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._news.set)

        self._unfollow = self._database.follow(news)
