"""What a command works with: settings, core, the person who acts, and the key from standard input."""

import asyncio
import logging
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from prestaconsole.errors import UsageError
from prestaconsole.redaction import RedactingFilter, Secret, refuse_key

if TYPE_CHECKING:
    from pathlib import Path

    from prestaconsole.operations.core import Core
    from prestaconsole.settings import Settings

T = TypeVar("T")

_LOG_BYTES = 5_000_000
_LOG_FILES = 3


@contextmanager
def opened() -> "Iterator[Core]":
    """The core over the settings of this process, closed at the end."""
    from prestaconsole.operations.core import open_core
    from prestaconsole.settings import load_settings

    settings = load_settings()
    keep_log(settings)
    core = open_core(settings)
    try:
        yield core
    finally:
        core.close()


def actor(core: "Core") -> str:
    """Who acts: PRESTACONSOLE_ACTOR, else the SSH or OS user."""
    return refuse_key("actor", core.settings.who.strip() or "unknown")[:80]


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Run what must wait for a shop or a run to its end."""
    return asyncio.run(work)


def read_key(from_stdin: bool, *, shop: str) -> Secret:
    """The key from standard input: the first line of a pipe or file, or typed unseen. Raises ``UsageError``."""
    if sys.stdin is None or (not from_stdin and not sys.stdin.isatty()):
        raise UsageError("The key is missing.", "Hand it in on standard input: … --key-stdin < file.")
    if sys.stdin.isatty():
        from getpass import getpass

        return Secret(getpass(f"Webservice key of {shop}: ", sys.stderr).strip())
    return Secret(sys.stdin.readline().strip())


def log_file(settings: "Settings") -> "Path":
    """Where this program keeps its log."""
    return settings.data_dir / "logs" / "prestaconsole.log"


def keep_log(settings: "Settings") -> None:
    """Send the log of all libraries to the log file, without secrets; the file is made with its first line."""
    from logging.handlers import RotatingFileHandler

    root = logging.getLogger()
    if any(isinstance(handler, RotatingFileHandler) for handler in root.handlers):
        return
    path = log_file(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        # Whatever keeps the folder from being made is said by the database, in words.
        root.addHandler(logging.NullHandler())
        return
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8", delay=True)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    # Each request has its line in the run's log already.
    logging.getLogger("httpx").setLevel(logging.WARNING)
