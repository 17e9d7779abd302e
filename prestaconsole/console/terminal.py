"""The terminal as a thing that may be missing or gone: a check before the start, a watchdog after it. Errors only.

A process whose terminal vanished must end by itself: on SIGHUP, and where that is ignored by looking
(TERMINAL.md, fact 5).
"""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from prestaconsole.errors import UsageError

CHECK_SECONDS = 2.0
GRACE_SECONDS = 4.0
_HUNG_UP = 128 + int(signal.SIGHUP)


class NoTerminalError(UsageError):
    """The console was started where no terminal is: in a pipe, a service, a schedule."""


def require_terminal(stdin: TextIO | None = None, stdout: TextIO | None = None) -> None:
    """Raise ``NoTerminalError`` unless keys can be read and a screen be drawn (Textual would wait for ever)."""
    for name, stream in (("input", stdin or sys.__stdin__), ("output", stdout or sys.__stdout__)):
        if stream is None or not stream.isatty():
            raise NoTerminalError(
                f"The console needs a terminal, and its {name} is none.",
                "Start it in a terminal window, or use the command line: prestaconsole status, "
                "prestaconsole --help. prestaconsole daemon works without a terminal.",
            )
    stderr = sys.__stderr__
    if stderr is None or not stderr.isatty():
        raise NoTerminalError(
            "The console draws on the error output, and that is no terminal.",
            "Start it without redirecting 2>; logs are kept in the data directory.",
        )


def vanished(descriptor: int) -> bool:
    """Whether nobody holds the other end of this terminal any more."""
    try:
        poll = select.poll()
        poll.register(descriptor, 0)
        events = poll.poll(0)
    except (OSError, ValueError):
        return True
    return any(state & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, state in events)


class Watchdog:
    """Ends the process when its terminal is gone: ``leave`` is asked first, after the grace the process is ended."""

    def __init__(
        self,
        leave: Callable[[], None],
        descriptor: int | None = None,
        *,
        every: float = CHECK_SECONDS,
        grace: float = GRACE_SECONDS,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._leave, self._every, self._grace, self._end = leave, every, grace, end
        self._descriptor = sys.__stdin__.fileno() if descriptor is None and sys.__stdin__ else descriptor
        self._stopped = threading.Event()
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="terminal-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch. SIGHUP is listened to from now on, whoever had it ignored (main thread only)."""
        signal.signal(signal.SIGHUP, lambda *_: self._gone.set())
        self._thread.start()

    def stop(self) -> None:
        """The console has left by itself."""
        self._stopped.set()
        self._gone.set()

    def _watch(self) -> None:
        while not self._gone.wait(self._every):
            if self._descriptor is None or vanished(self._descriptor):
                break
        if self._stopped.is_set():
            return
        self._leave()
        if not self._stopped.wait(self._grace):
            self._end(_HUNG_UP)
