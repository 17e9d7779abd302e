"""Parts of a worker that need nothing of its loop: a run at work, the drain, and telling how shops are asked.

Imports feeds and operations.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from prestaconsole.database import Connection
from prestaconsole.feeds.interlock import Permission, permission
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import RunState
from prestaconsole.operations.core import Core
from prestaconsole.operations.pace import PaceKeeper, store_paces
from prestaconsole.operations.shops import load_shop
from prestaconsole.runner.claims import Claim
from prestaconsole.runner.commit import RunCommit
from prestaconsole.runner.moments import Moment
from prestaconsole.runner.records import RunRecord, load_run


def standing(connection: Connection, run_id: int) -> tuple[RunRecord, Permission | None]:
    """The run, and the pause it waits behind, if it does. Raises ``NotFoundError``."""
    record = load_run(connection, run_id)
    if record.state is not RunState.QUEUED:
        return record, None
    shop = load_shop(connection, record.shop_id)
    if not shop.paused or record.feed not in FEEDS:
        return record, None
    allowed = permission(connection, shop, record.feed, unattended=record.trigger != "person")
    return record, allowed if allowed.lock == "paused" else None


@dataclass
class RunAtWork:
    """A claimed run in this process."""

    claim: Claim
    commit: RunCommit
    task: "asyncio.Task[None]"

    @property
    def run_id(self) -> int:
        return self.claim.run_id

    @property
    def feed(self) -> str:
        return self.claim.feed

    @property
    def moved_at(self) -> float:
        return self.commit.moved_at


async def drained(tasks: Iterable["asyncio.Task[None]"], hurry: asyncio.Event, seconds: float) -> None:
    """Wait for the tasks so long, or until ``hurry`` is set; what is not back by then is cancelled and waited for."""
    late = set(tasks)
    if not late:
        return
    loop = asyncio.get_running_loop()
    hurried = loop.create_task(hurry.wait())
    until = loop.time() + seconds
    while late and not hurried.done() and (left := until - loop.time()) > 0:
        await asyncio.wait({*late, hurried}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        late = {task for task in late if not task.done()}
    hurried.cancel()
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)


class PaceTeller:
    """Keeps how the shops are asked where every face sees it: a breaker at once, the rest once a heartbeat."""

    def __init__(self, core: Core, moment: Moment) -> None:
        self.paces = PaceKeeper()
        self._core = core
        self._moment = moment

    async def run(self, *, trouble: Callable[[BaseException], None], kinds: tuple[type[Exception], ...]) -> None:
        """Tell for ever; errors of ``kinds`` are handed to ``trouble`` and tried again a second later."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._core.settings.heartbeat_seconds):
                    await self.paces.moved.wait()
            try:
                await self.tell()
            except kinds as error:
                trouble(error)
                await asyncio.sleep(1.0)

    async def tell(self) -> None:
        """Write what changed since the last time, if anything did."""
        told = self.paces.due()
        if told:
            await self._core.database.write(lambda c: store_paces(c, told, self._moment(c)))
            self.paces.kept(told)
