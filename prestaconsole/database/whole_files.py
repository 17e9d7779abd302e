"""Files that appear whole or not at all: written beside their place, synced, then named. Imports errors only."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prestaconsole.errors import PrestaConsoleError, UsageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BESIDE = ("", "-wal", "-shm", "-journal")


class DiskFull(PrestaConsoleError):
    """There was no room for the file; nothing of it was left."""


def disk_full(place: Path) -> DiskFull:
    """The error that says so, naming the folder."""
    return DiskFull(f"There is no room left in {place.parent}.", "Free space or name another folder; nothing was left.")


@contextmanager
def whole_file(place: Path, *, spare: str = "") -> Iterator[Path]:
    """Give a draft beside ``place``, mode 0600, that takes its name when the block ends well; else it is taken away.

    Never overwrites. Raises ``UsageError`` where ``place`` is taken or cannot be written (``spare`` says what else to
    do), ``DiskFull`` where there is no room.
    """
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        _require_free(place)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        draft.chmod(0o600)
        yield draft
        _sync(draft)
        _name(draft, place)
        _sync(place.parent)
    except FileExistsError:
        raise UsageError(f"{place} is there already.", spare or "Name another file; none is overwritten.") from None
    except OSError as error:
        if error.errno in _FULL:
            raise disk_full(place) from None
        raise UsageError(
            f"{place} cannot be written: {error.strerror}.", "Name a folder that is there, with room and rights."
        ) from None
    finally:
        for beside in _BESIDE:
            with suppress(OSError):
                draft.with_name(draft.name + beside).unlink(missing_ok=True)


def _require_free(place: Path) -> None:
    if place.exists():
        raise FileExistsError


def _name(draft: Path, place: Path) -> None:
    """A link does not overwrite what came meanwhile, as a rename would; not every file system has links."""
    try:
        os.link(draft, place)
    except FileExistsError:
        raise
    except OSError:
        draft.rename(place)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
