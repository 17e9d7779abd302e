"""From a core to a running console, a worker beside its screens. Imports services."""

from textual.worker import Worker as TextualWorker

from prestaconsole.console.acting import ServiceActions
from prestaconsole.console.app import ConsoleApp
from prestaconsole.console.start import start
from prestaconsole.console.terminal import require_terminal
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.operations.core import Core
from prestaconsole.services.hosting import HostedWorker


class CoreConsole(ConsoleApp):
    """The console over a real core, with a worker in its own loop."""

    def __init__(self, core: Core, *, read_only: bool = False, host_worker: bool = True) -> None:
        self._worker_beside: HostedWorker | None = HostedWorker(core) if host_worker else None
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
        return self._worker_beside is not None and self._worker_beside.works

    def _wake_worker(self) -> None:
        if self._worker_beside is not None:
            self._worker_beside.wake()

    async def on_mount(self) -> None:
        # Textual calls the handler of every class in turn: the base class reads the header by its own.
        if self._worker_beside is not None:
            self._feeds = self.run_worker(self._work(), name="feeds", group="feeds", exit_on_error=True)

    async def _work(self) -> None:
        """The worker's life; where it cannot begin, the console goes on reading and says why."""
        assert self._worker_beside is not None
        try:
            await self._worker_beside.run()
        except PrestaConsoleError as error:
            self.answer(f"This console does no work itself: {error}")

    async def before_leaving(self) -> None:
        """Each run ends its page and is given back to whoever comes next."""
        if self._worker_beside is not None and self._feeds is not None:
            self._worker_beside.stop()
            await self._feeds.wait()


def run_console(core: Core, *, read_only: bool = False, host_worker: bool = True) -> int:
    """Open the console over a core, in this terminal; ``read_only`` (or its setting) holds it to reading.

    Raises ``NoTerminalError`` (exit 2) without a terminal.
    """
    require_terminal()
    app = CoreConsole(core, read_only=read_only or core.settings.read_only, host_worker=host_worker)
    return start(app, mouse=core.settings.mouse)
