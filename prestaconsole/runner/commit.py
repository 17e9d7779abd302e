"""The page: data, checkpoint, progress, log lines and lease in one fenced transaction. Imports operations.

Nothing of a page is stored unless the run is still ours.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal, TypeVar, Unpack

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.exc import DBAPIError

from prestaconsole.clock import Clock
from prestaconsole.database import Connection, Database
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import FeedRun, RunWindow, Shop, ShopMode
from prestaconsole.operations.pages import PageNotes, RunStopped
from prestaconsole.operations.pauses import shop_paused
from prestaconsole.runner.claims import Claim, mine
from prestaconsole.runner.moments import Moment
from prestaconsole.runner.opening import opens_later
from prestaconsole.runner.records import append_logs

T = TypeVar("T")
Stop = Literal["cancelled", "handed over", "window"]

_TRIES = 4
_KEPT: tuple[Literal["checkpoint", "done", "total", "phase"], ...] = ("checkpoint", "done", "total", "phase")
_TRY_AGAIN = frozenset({"40001", "40P01"})
"""PostgreSQL: the transaction lost a race and was undone whole, so it may simply be done again."""


class RunCommit:
    """The ``PageCommit`` of one claimed run.

    A page is stored and then the run stops, when a person cancelled it, the shop or everything was paused, its mode
    changed, the window of its schedule has shut, or this process hands over. A page with ``lease_seconds`` announces
    a write to the shop: it is refused before anything is stored, so that no row is marked as sent for a request that
    never leaves.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        moment: Moment,
        claim: Claim,
        *,
        lease_seconds: float,
        handing_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._moment = moment
        self._claim = claim
        self._lease_seconds = lease_seconds
        self._handing_over = handing_over
        self._lease_ends = clock.monotonic() + lease_seconds
        # Every page asks these two, so they are made once.
        self._held = (
            update(FeedRun)
            .where(*mine(claim.run_id, claim.token, claim.owner))
            .values(lease_until=bindparam("lease_ends"), progress_at=bindparam("moment"))
            .returning(
                FeedRun.counts, FeedRun.checkpoint, FeedRun.cancel_requested, FeedRun.progress_at, FeedRun.window
            )
        )
        self._standing = select(Shop.mode, shop_paused().label("paused")).where(Shop.id == claim.shop.id)
        self.moved_at = clock.monotonic()
        self.pages = 0

    def lease_left(self) -> float:
        """Seconds for which the run is surely still ours, by a clock that a stopped process does not escape."""
        return self._lease_ends - self._clock.monotonic()

    def renewed(self) -> None:
        """The worker's heartbeat lengthened the lease just now."""
        self._lease_ends = max(self._lease_ends, self._clock.monotonic() + self._lease_seconds)

    async def __call__(self, store: Callable[[Connection], T], **notes: Unpack[PageNotes]) -> T:
        """See ``operations.pages.PageCommit``. Raises ``RunStopped``, ``DatabaseError``, and what ``store`` raises."""
        writing = notes.get("lease_seconds")
        lease = max(self._lease_seconds, writing or 0.0)
        begun = self._clock.monotonic()

        def page(connection: Connection) -> tuple[T, Stop | None]:
            row = self._fence(connection, lease)
            stop = self._stop(connection, row)
            if stop is not None and writing is not None:
                raise RunStopped(stop)
            result = store(connection)
            self._note(connection, row, notes)
            return result, stop

        result, stop = await self._persistently(page)
        self.pages += 1
        self.moved_at = self._clock.monotonic()
        self._lease_ends = begun + lease
        if stop is not None:
            raise RunStopped(stop)
        return result

    async def _persistently(self, page: Callable[[Connection], T]) -> T:
        for left in reversed(range(_TRIES)):
            try:
                return await self._database.write(page)
            except DBAPIError as error:
                if left == 0 or getattr(error.orig, "sqlstate", "") not in _TRY_AGAIN:
                    raise
                await asyncio.sleep(0.05)
        raise AssertionError("unreachable")

    def _fence(self, connection: Connection, lease: float) -> Row[Any]:
        now = self._moment(connection)
        given = {"lease_ends": now + timedelta(seconds=lease), "moment": now}
        row = connection.execute(self._held, given).one_or_none()
        if row is None:
            raise RunStopped("lost")
        return row

    def _stop(self, connection: Connection, row: Row[Any]) -> Stop | None:
        if row.cancel_requested:
            return "cancelled"
        if self._handing_over():
            return "handed over"
        before = self._claim.shop
        shop = connection.execute(self._standing).one()
        if shop.paused and not before.paused:
            return "handed over"
        modes = FEEDS[self._claim.feed].modes
        if modes[ShopMode(shop.mode)] != modes[before.mode]:
            return "handed over"
        if row.window != RunWindow.FREE and opens_later(connection, before.id, self._claim.feed, row.progress_at):
            return "window"
        return None

    def _note(self, connection: Connection, row: Row[Any], notes: PageNotes) -> None:
        values: dict[str, Any] = {name: notes[name] for name in _KEPT if notes.get(name) is not None}
        if "checkpoint" in values:
            values["checkpoint"] = dict(values["checkpoint"])
            if values["checkpoint"] != row.checkpoint:
                # Tries are counted from the last progress: a long run may meet many bad moments.
                values["attempt"] = 1
        if notes.get("counts"):
            added = dict(row.counts)
            for name, number in notes["counts"].items():
                added[name] = added.get(name, 0) + number
            values["counts"] = added
        if values:
            connection.execute(update(FeedRun).where(FeedRun.id == self._claim.run_id).values(**values))
        append_logs(connection, self._claim.run_id, notes.get("logs", ()), row.progress_at)
