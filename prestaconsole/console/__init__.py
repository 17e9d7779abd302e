"""The console room: the Textual app over services. Importing it loads no Textual; ``run_console`` does."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prestaconsole.operations.core import Core

__all__ = ["run_console"]


def run_console(core: "Core", *, read_only: bool = False, host_worker: bool = True) -> int:
    """Open the console over a core in this terminal. Raises ``NoTerminalError`` (exit 2) where there is none."""
    from prestaconsole.console.terminal import require_terminal

    require_terminal()
    from prestaconsole.console.run import run_console as run

    return run(core, read_only=read_only, host_worker=host_worker)
