"""The daemon's log on stderr: written by a thread of its own, so that a full pipe or disk stops no run.

Imports redaction only.
"""

import logging
import os
import queue
import sys
import threading
import time

from prestaconsole.redaction import RedactingFilter

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LOUD_LIBRARIES = ("httpx", "httpcore", "alembic", "asyncio", "uvicorn")
_KEPT = 5_000
_LAST_WORDS = 1.0


class LogWriter(logging.Handler):
    """Hands lines to a thread that writes them; where that cannot keep up, lines are lost and counted, not waited for.

    A stream that cannot be written (closed, full disk, nobody reads) costs its lines and nothing else.
    """

    def __init__(self, descriptor: int, kept: int = _KEPT) -> None:
        super().__init__()
        self.lost = 0
        self._told = 0
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(kept)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_for_ever, name="log-writer", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``; never waits and never raises."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self.lost += 1
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Write what is left, for a second at most."""
        if not self._ended.is_set():
            self._ended.set()
            try:
                self._lines.put(None, timeout=_LAST_WORDS)
            except queue.Full:
                self.lost += 1
            else:
                self._thread.join(_LAST_WORDS)
        super().close()

    def _write_for_ever(self) -> None:
        while (line := self._lines.get()) is not None:
            missing = self.lost - self._told
            if missing and self._write(f"{missing} lines of this log were lost: nobody took them."):
                self._told += missing
            if not self._write(line):
                self.lost += 1

    def _write(self, line: str) -> bool:
        # Not through sys.stderr: its lock would be held while the pipe is full, and the process could not end.
        rest = (line + "\n").encode("utf-8", "backslashreplace")
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                return False
        return True


def configure_logs(level: str) -> LogWriter | None:
    """Log to stderr, which systemd keeps, and never a secret; None where stderr is closed."""
    writer = LogWriter(sys.stderr.fileno()) if sys.stderr is not None else None
    handler: logging.Handler = writer or logging.NullHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    handler.addFilter(RedactingFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    return writer


def plug_streams() -> None:
    """Open what is closed of the three standard streams on /dev/null, so that no file or socket takes their place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
