"""From a core to a running console, a worker beside its screens. Imports services."""

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from textual.timer import Timer
from textual.worker import Worker as TextualWorker

from prestaconsole.console.acting import ServiceActions
from prestaconsole.console.app import ConsoleApp
from prestaconsole.console.start import start
from prestaconsole.console.terminal import require_terminal
from prestaconsole.errors import PrestaConsoleError

if TYPE_CHECKING:
    from prestaconsole.operations.core import Core
    from prestaconsole.services.hosting import HostedWorker

_PAINTED_SECONDS = 0.02
"""So often is looked whether the first list stands, before the worker is imported."""


class CoreConsole(ConsoleApp):
    """The console over a real core, with a worker in its own loop.

    The worker, and all it needs to speak to shops, is imported once the first screen stands.
    """

    def __init__(self, core: "Core", *, read_only: bool = False, host_worker: bool = True) -> None:
        self._core, self._hosts = core, host_worker
        self._worker_beside: HostedWorker | None = None
        self._leaving = False
        self._first_look: Timer | None = None
        self._feeds: TextualWorker[None] | None = None
        super().__init__(
            core.database,
            ServiceActions(core, queued=self._wake_worker),
            core.clock,
            read_only=read_only,
            runs_here=self._works_here,
            stale_after=core.settings.stale_seconds,
        )

    def _works_here(self) -> bool:
        # Until the worker is there, the console speaks as if it worked: it is about to.
        return self._hosts and (self._worker_beside is None or self._worker_beside.works)

    def _wake_worker(self) -> None:
        if self._worker_beside is not None:
            self._worker_beside.wake()

    async def on_mount(self) -> None:
        # Textual calls the handler of every class in turn: the base class reads the header by its own.
        if self._hosts:
            self._first_look = self.set_interval(_PAINTED_SECONDS, self._begin_work)

    def _begin_work(self) -> None:
        if self._first_look is not None and self.pane is not None and self.pane.view.loaded:
            self._first_look.stop()
            self._first_look = None
            self._feeds = self.run_worker(self._work(), name="feeds", group="feeds", exit_on_error=True)

    async def _work(self) -> None:
        """The worker's life; where it cannot begin, the console goes on reading and says why."""
        hosting = await asyncio.to_thread(import_module, "prestaconsole.services.hosting")
        if self._leaving:
            return
        self._worker_beside = hosting.HostedWorker(self._core)
        try:
            await self._worker_beside.run()
        except PrestaConsoleError as error:
            self.answer(f"This console does no work itself: {error}")

    async def before_leaving(self) -> None:
        """Each run ends its page and is given back to whoever comes next."""
        self._leaving = True
        if self._first_look is not None:
            self._first_look.stop()
        if self._worker_beside is not None:
            self._worker_beside.stop()
        if self._feeds is not None:
            await self._feeds.wait()


def run_console(core: "Core", *, read_only: bool = False, host_worker: bool = True) -> int:
    """Open the console over a core, in this terminal; ``read_only`` (or its setting) holds it to reading.

    Raises ``NoTerminalError`` (exit 2) without a terminal.
    """
    require_terminal()
    app = CoreConsole(core, read_only=read_only or core.settings.read_only, host_worker=host_worker)
    return start(app, mouse=core.settings.mouse)
