"""Starting the console in a terminal: the check before it, the watchdog behind it. Imports the app."""

from prestaconsole.console.app import ConsoleApp
from prestaconsole.console.terminal import Watchdog, require_terminal


def start(app: ConsoleApp, *, mouse: bool = True) -> int:
    """Run the console in this terminal. Gives the exit status; raises ``NoTerminalError`` where there is none."""
    require_terminal()

    def leave() -> None:
        loop = app._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(app.exit, 0)

    watchdog = Watchdog(leave)
    watchdog.start()
    try:
        status = app.run(mouse=mouse)
    finally:
        watchdog.stop()
    return app.return_code or status or 0
