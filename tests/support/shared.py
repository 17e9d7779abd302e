"""Where the recorded shops and dumps lie: a folder `shared` beside the checkout, absent on a user's clone."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("PRESTACONSOLE_SHARED") or Path(__file__).parents[2].parent / "shared")
RECORDINGS = SHARED / "recordings"
DUMPS = SHARED / "dumps"
PLAIN_DUMPS = ("1.6.1.24", "1.7.8.11", "8.2.1", "9.0.0")
RICH_DUMPS = ("1.6.1.24-rich", "8.2.1-rich", "9.0.0-rich")


def require_shared() -> Path:
    """The shared folder; skips the calling test where it is absent, or fails it when the run demands it.

    `PRESTACONSOLE_REQUIRE_SHARED=1` (set by `.ci/run`) turns the skip into a failure.
    """
    if RECORDINGS.is_dir() and DUMPS.is_dir():
        return SHARED
    message = f"the recordings and dumps of real shops are not at {SHARED}"
    if os.environ.get("PRESTACONSOLE_REQUIRE_SHARED") == "1":
        pytest.fail(message)
    pytest.skip(message)


def dump_folder(name: str) -> Path:
    """The folder of one dump such as `8.2.1` or `9.0.0-rich`; skips or fails as `require_shared` does."""
    return require_shared() / "dumps" / name


@dataclass(frozen=True)
class Recording:
    """One recorded exchange of a real shop (see the README of the recordings)."""

    folder: str
    file: str
    name: str
    prestashop: str
    request: dict[str, Any]
    response: dict[str, Any]
    note: str = ""

    @property
    def number(self) -> int:
        """The place of the exchange in the order in which it was made."""
        return int(self.file.split("-", 1)[0])


@cache
def recordings(folder: str) -> tuple[Recording, ...]:
    """All exchanges of one folder of recordings, in the order they were made; empty where it is absent."""
    return tuple(_read(path) for path in sorted((RECORDINGS / folder).glob("*.json")))


def recording_folders() -> Iterator[str]:
    """The names of the folders of recordings that are there."""
    if RECORDINGS.is_dir():
        yield from sorted(entry.name for entry in RECORDINGS.iterdir() if entry.is_dir())


def _read(path: Path) -> Recording:
    data = json.loads(path.read_text(encoding="utf-8"))
    return Recording(
        folder=path.parent.name,
        file=path.name,
        name=data["name"],
        prestashop=data["prestashop"],
        request=data["request"],
        response=data["response"],
        note=data.get("note") or "",
    )
