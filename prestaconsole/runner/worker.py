"""The worker: one process's share of ticking, claiming, running and sweeping. The same in daemon, console and `--wait`.

Imports feeds and operations. What a run does is the feed's affair, what a row means that of claims and endings.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Literal, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.database import Connection, DatabaseError
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.operations.core import Core
from prestaconsole.runner import events, freshness, presence, schedules
from prestaconsole.runner.at_work import PaceTeller, RunAtWork, drained, standing
from prestaconsole.runner.catchup import catch_up
from prestaconsole.runner.claims import EVERY, Claim, claim_next, least_urgent, sweep
from prestaconsole.runner.commit import RunCommit
from prestaconsole.runner.dispatch import Dispatcher, dispatcher_for
from prestaconsole.runner.execution import execute
from prestaconsole.runner.housekeeping import Housekeeper
from prestaconsole.runner.moments import Moment, moment_of
from prestaconsole.runner.records import RunRecord
from prestaconsole.runner.signs import Health, Signs

log = logging.getLogger(__name__)
T = TypeVar("T")
Kind = Literal["daemon", "console", "command"]

CAPACITY = 16
DRAIN_SECONDS = 30.0
_TROUBLE = (DatabaseError, SQLAlchemyError)
_ANY_TROUBLE = (PrestaConsoleError, SQLAlchemyError)
_PAUSE_AFTER_TROUBLE = 1.0
_PATIENCE = 60.0
"""Seconds for which a person who waits for a run is not told that the database does not answer."""
_Claimed = asyncio.Task[None] | Exception | None


class Worker:
    """Runs feeds for this process. A console's worker is idle while a daemon is alive, and hands over to it."""

    def __init__(
        self,
        core: Core,
        kind: Kind,
        *,
        moment: Moment | None = None,
        dispatcher: Dispatcher | None = None,
        capacity: int = CAPACITY,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self.kind: Kind = kind
        self.owner = 0
        self.ready = asyncio.Event()
        self._core = core
        self._moment = moment or moment_of(core.clock)
        self._dispatcher = dispatcher or dispatcher_for(core.database, core.clock, self._moment, core.settings, kind)
        self.capacity = capacity
        self._drain_seconds = drain_seconds
        self._running: dict[int, RunAtWork] = {}
        self._claiming: set[asyncio.Task[_Claimed]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._parts: list[asyncio.Task[None]] = []
        self._daemon = False
        self._draining = False
        self._troubled = False
        self._hurry = asyncio.Event()
        self._signs = Signs(core.clock)
        self._progress_at: datetime | None = None
        self._ticked_at: datetime | None = None
        self._telling = PaceTeller(core, self._moment)

    # -- what others may ask ----------------------------------------------------------------------------------------

    @property
    def running(self) -> frozenset[int]:
        """The runs at work in this process."""
        return frozenset(self._running)

    @property
    def idle_for_daemon(self) -> bool:
        """Whether a daemon does the work and this process only looks on."""
        return self.kind != "daemon" and self._daemon

    def seconds_since_turn(self) -> float:
        """How long ago schedules and queue were last looked at with success."""
        return self._signs.turn.age()

    def health(self, *, hung_after: float, stuck_after: float) -> Health:
        """What a watchdog watches: whether scheduler, writer and runs move, or wait for a database that is away."""
        parts = () if self._draining else self._parts
        return self._signs.health(self._running.values(), parts, hung_after=hung_after, stuck_after=stuck_after)

    def hurry(self) -> None:
        """End the drain now: runs are cut off where they stand and given back."""
        self._hurry.set()

    def wake(self) -> None:
        """Look at the queue now: something was queued in this very process."""
        self._dispatcher.wake()

    # -- the life of a daemon or console ----------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then let each run end its page and give it back, within a limit.

        Raises ``DatabaseError`` only when the database cannot be reached at the very start.
        """
        await self._register()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                waker = group.create_task(self._wake_at(stop))
                keeping = Housekeeper(self._core, self._moment, lambda: self.idle_for_daemon)
                watching = freshness.keep_watch(self._core, self._moment, lambda: not self.idle_for_daemon)
                serving = group.create_task(self._dispatcher.serve(self), name="handing out of work")
                self._parts = [
                    serving,
                    group.create_task(self._beat_for_ever(), name="heartbeat"),
                    group.create_task(self._tell(), name="pace of the shops"),
                    group.create_task(watching, name="freshness"),
                    group.create_task(keeping.run(), name="housekeeping"),
                ]
                while not stop.is_set():
                    await self._turn()
                # Before the drain: what is brought to a process that takes nothing would only lose its way.
                self._draining = True
                serving.cancel()
                await self._drain()
                for task in (*self._parts, waker):
                    task.cancel()
        finally:
            await self._unregister()

    async def run_until_ended(self, run_id: int, on_progress: Callable[[RunRecord], None] | None = None) -> RunRecord:
        """Wait for a run, and do it here while no daemon is alive: `--wait`. Gives it as it ended.

        Raises ``NotFoundError``, and ``LockedError`` when the shop was paused while the run stands in the queue.
        """
        if self.owner:
            return await self._watch(run_id, on_progress, here=False)
        await self._register()
        refused: PrestaConsoleError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                beating = group.create_task(self._beat_for_ever())
                telling = group.create_task(self._tell())
                try:
                    record = await self._watch(run_id, on_progress, here=True)
                except PrestaConsoleError as error:
                    # Raised after the group, which would wrap it.
                    refused = error
                finally:
                    await self._drain()
                    beating.cancel()
                    telling.cancel()
        finally:
            await self._unregister()
        if refused is not None:
            raise refused
        return record

    async def _watch(self, run_id: int, on_progress: Callable[[RunRecord], None] | None, *, here: bool) -> RunRecord:
        shown: RunRecord | None = None
        answered = self._core.clock.monotonic()
        while True:
            try:
                record, pause = await self._core.database.read(lambda c: standing(c, run_id))
                answered = self._core.clock.monotonic()
                if record != shown and on_progress is not None:
                    on_progress(record)
                shown = record
                if not record.active:
                    return record
                if pause is not None:
                    pause.require()
                if here and not self._running and not self._daemon:
                    await self._write(sweep)
                    await self.take(run_id)
                await self._dispatcher.wait(self._core.settings.heartbeat_seconds)
            except _TROUBLE as error:
                if self._core.clock.monotonic() - answered > _PATIENCE:
                    raise
                self._trouble(error)
                await asyncio.sleep(_PAUSE_AFTER_TROUBLE)

    # -- one turn ---------------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        """Look, do what is due, and wait for news. Trouble with the database is waited out, never fatal."""
        try:
            seen = await self._look()
            self._progress_at = seen.now
            self._signs.taking.owed(seen.runs and self.up_to() == EVERY)
            busy = False
            if not self.idle_for_daemon:
                if seen.expired:
                    await self._write(sweep)
                if seen.schedules:
                    await self._write(self._tick)
                woken = await self._core.database.read(lambda c: events.waiting(c, seen.now))
                if woken:
                    await self._write(events.wake_pushes)
                some = seen.runs or seen.schedules or seen.expired or woken
                busy = bool(some) and await self._dispatcher.offer(self)
            self._ticked_at = seen.now
            self._signs.turn.done()
            self._untroubled()
            if not busy:
                longest = self._core.settings.heartbeat_seconds
                await self._dispatcher.wait(longest if self.idle_for_daemon else seen.seconds_left(longest))
        except _ANY_TROUBLE as error:
            self._signs.turn.kept(error)
            self._signs.taking.kept(error)
            self._trouble(error)
            await asyncio.sleep(_PAUSE_AFTER_TROUBLE)

    def _tick(self, connection: Connection, now: datetime) -> None:
        caught = catch_up(connection, now, owner=self.owner, since=self._ticked_at)
        if caught is not None:
            log.warning("Catching up: %s.", caught.words)
        schedules.tick(connection, now)

    async def _look(self) -> presence.Look:
        settings = self._core.settings
        seen = await self._core.database.read(
            lambda c: presence.look(
                c, self._moment(c), slots=settings.slots_per_shop, stale_seconds=settings.stale_seconds
            )
        )
        self._daemon = seen.daemon
        return seen

    # -- what the dispatcher is given -------------------------------------------------------------------------------

    @property
    def willing(self) -> bool:
        """Whether this process takes work at all."""
        return not self._draining and not self.idle_for_daemon

    def room(self) -> int:
        """How many more runs it may take now."""
        return self.capacity - len(self._running) - len(self._claiming) if self.willing else 0

    def up_to(self) -> int:
        """The priority up to which it takes runs now: the last places are kept for urgent ones."""
        return least_urgent(self.room(), self.capacity)

    async def take(self, run_id: int | None = None) -> "asyncio.Task[None] | None":
        """Claim this run, or the most urgent of all, and begin it; None where there is nothing to take.

        A claim that is stored becomes a run at work though its caller was cancelled meanwhile: it would else keep a
        slot until its lease ends. Raises ``DatabaseError`` and SQLAlchemy's errors.
        """
        if self._group is None or self.room() <= 0:
            return None
        claiming = self._group.create_task(self._claim(run_id))
        self._claiming.add(claiming)
        claiming.add_done_callback(self._claiming.discard)
        await asyncio.wait([claiming])
        found = claiming.result()
        if isinstance(found, Exception):
            raise found
        return found

    async def _claim(self, run_id: int | None) -> _Claimed:
        settings, up_to = self._core.settings, least_urgent(self.room() + 1, self.capacity)  # it has its place already
        assert self._group is not None
        try:
            claim = await self._write(
                lambda c, now: claim_next(
                    c,
                    owner=self.owner,
                    now=now,
                    slots=settings.slots_per_shop,
                    lease_seconds=settings.stale_seconds,
                    only=run_id,
                    up_to=up_to,
                )
            )
        except _ANY_TROUBLE as error:
            # An error here would end the whole group; it is the caller's.
            self._signs.taking.kept(error)
            return error
        self._signs.taking.done()
        if claim is None:
            return None
        commit = RunCommit(
            self._core.database,
            self._core.clock,
            self._moment,
            claim,
            lease_seconds=settings.stale_seconds,
            handing_over=lambda: not self.willing,
        )
        task = self._group.create_task(self._execute(claim, commit), name=f"run {claim.run_id}")
        self._running[claim.run_id] = RunAtWork(claim, commit, task)
        return task

    async def _execute(self, claim: Claim, commit: RunCommit) -> None:
        try:
            await execute(self._core, self._moment, claim, commit, self._telling.paces)
        finally:
            # The same run may be ours again by a later claim, while this one still ended.
            running = self._running.get(claim.run_id)
            if running is not None and running.commit is commit:
                del self._running[claim.run_id]
            self._dispatcher.wake()

    # -- signs of life ------------------------------------------------------------------------------------------------

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._core.settings.heartbeat_seconds)
            try:
                await self._beat()
                self._signs.beat.done()
                self._untroubled()
            except _ANY_TROUBLE as error:
                self._signs.beat.kept(error)
                self._trouble(error)

    async def _beat(self) -> None:
        settings = self._core.settings
        held = dict(self._running)
        found = await self._write(
            quiet=True,
            work=lambda c, now: presence.beat(
                c,
                owner=self.owner,
                kind=self.kind,
                held={run_id: running.claim.token for run_id, running in held.items()},
                now=now,
                progress_at=self._progress_at,
                lease_seconds=settings.stale_seconds,
                stale_seconds=settings.stale_seconds,
            ),
        )
        self._daemon = found.daemon
        if found.swept:
            self._dispatcher.wake()
        for run_id, running in held.items():
            if run_id not in found.lost:
                running.commit.renewed()
            elif self._running.get(run_id) is running:
                log.warning("Run %s was taken over by another process; it is stopped here.", run_id)
                running.task.cancel()

    async def _tell(self) -> None:
        await self._telling.run(trouble=self._trouble, kinds=_ANY_TROUBLE)

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._dispatcher.wake()

    async def _drain(self) -> None:
        """Let pages end; what is not back within the limit is cut off where it stands and given back."""
        self._draining = True
        if self._claiming:
            await asyncio.wait(self._claiming)
        await drained([running.task for running in self._running.values()], self._hurry, self._drain_seconds)

    # -- small parts --------------------------------------------------------------------------------------------------

    async def _write(self, work: Callable[[Connection, datetime], T], *, quiet: bool = False) -> T:
        return await self._core.database.write(lambda c: work(c, self._moment(c)), quiet=quiet)

    async def _register(self) -> None:
        self._draining = False
        self.owner = await self._write(lambda c, now: presence.register(c, self.kind, now))
        await self._look()
        self._signs.restart()
        self.ready.set()
        log.info("Runner %s (%s) is at work.", self.owner, self.kind)

    async def _unregister(self) -> None:
        owner, self.owner = self.owner, 0
        self._group = None
        self._dispatcher.close()
        self.ready.clear()
        with suppress(*_TROUBLE):
            await self._telling.tell()
        self._telling.paces.close()
        with suppress(*_TROUBLE):
            await self._write(lambda c, now: presence.unregister(c, owner, now))
        log.info("Runner %s (%s) has ended.", owner, self.kind)

    def _trouble(self, error: BaseException) -> None:
        if not self._troubled:
            log.warning("%s", error)
        self._troubled = True

    def _untroubled(self) -> None:
        # Reading may go well while nothing can be written: the disk is full, or another process holds the lock.
        if self._troubled and not self._signs.failing:
            log.info("The database answers again.")
            self._troubled = False
