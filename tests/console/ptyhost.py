"""A real pseudo-terminal with a screen behind it: what a person would see, and how many bytes it took."""

import atexit
import fcntl
import os
import pty
import select
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from functools import cache

import pyte

_NOT_HANDED_ON = ("NO_COLOR", "COLORTERM", "TERM", "COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")


@cache
def _compiled() -> str:
    """A folder of modules compiled once for all programs of this session, as an installed program has them."""
    folder = tempfile.TemporaryDirectory(prefix="prestaconsole-compiled-")
    atexit.register(folder.cleanup)
    return folder.name


def handed_on() -> dict[str, str]:
    """The environment of a program under test."""
    environ = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
    return environ | {"PYTHONPYCACHEPREFIX": _compiled()}


class PtyHost:
    """A program on a pseudo-terminal of its own, its output drawn by pyte."""

    def __init__(
        self, argv: Sequence[str], *, columns: int = 80, rows: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.sent = 0
        self.raw = bytearray()
        environ = handed_on() | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONUTF8": "1", **(env or {})}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:  # pragma: no cover - the child
            os.execvpe(argv[0], list(argv), environ)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pump(self, quiet: float = 0.15, limit: float = 5.0) -> int:
        """Draw what arrives until nothing came for ``quiet`` seconds. Gives the bytes that came."""
        came, end = 0, time.monotonic() + limit
        while time.monotonic() < end:
            ready, _, _ = select.select([self.fd], [], [], quiet)
            if not ready:
                break
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            came += len(data)
            self.raw += data
            self.stream.feed(data)
        self.sent += came
        return came

    def wait_for(self, text: str, limit: float = 60.0) -> float:
        """Seconds until a text stands on the screen. Raises ``AssertionError`` with the screen where it never does."""
        start = time.monotonic()
        while time.monotonic() - start < limit:
            self.pump(quiet=0.01, limit=0.05)
            if text in self.text():
                return time.monotonic() - start
        raise AssertionError(f"{text!r} never came:\n{self.text()}")

    def press(self, keys: str | bytes, quiet: float = 0.15, patience: float = 0.0) -> int:
        """Send keys; gives the bytes the program answered with, the first of them within ``patience`` or ``quiet``."""
        os.write(self.fd, keys.encode() if isinstance(keys, str) else keys)
        if patience:
            select.select([self.fd], [], [], patience)
        return self.pump(quiet)

    def text(self) -> str:
        """The screen as plain text, trailing blanks cut."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def exited(self, limit: float = 60.0) -> int | None:
        """The exit status once the program ends, or None where it does not within the limit."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            self.pump(quiet=0.01, limit=0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        return None

    def close(self) -> None:
        """End the program."""
        if self.pid:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
            self.pid = 0
        os.close(self.fd)

    def __enter__(self) -> "PtyHost":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


PYTHON = sys.executable
