"""The worker that a console keeps running beside its screens. May import runner; the console may not."""

import asyncio

from prestaconsole.operations.core import Core
from prestaconsole.runner.worker import Worker


class HostedWorker:
    """Ticks, claims and runs in the console's own loop while no daemon is alive."""

    def __init__(self, core: Core) -> None:
        self._worker = Worker(core, "console")
        self._stop = asyncio.Event()
        self.ended = False

    async def run(self) -> None:
        """Work until ``stop``. Raises ``DatabaseError`` where the database cannot be reached at the start."""
        try:
            await self._worker.run(self._stop)
        finally:
            self.ended = True

    def stop(self) -> None:
        """Let each run end its page and give it back."""
        self._stop.set()

    def wake(self) -> None:
        """Something was queued in this process."""
        self._worker.wake()

    @property
    def works(self) -> bool:
        """Whether this console does the work now: no daemon is alive, and it was not stopped."""
        return not self.ended and not self._stop.is_set() and not self._worker.idle_for_daemon
