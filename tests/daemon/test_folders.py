"""The daemon's look into the drop folders."""

import asyncio
from pathlib import Path

import pytest

from prestaconsole.daemon.folders import watch_folders
from prestaconsole.database import Database
from prestaconsole.services.drop_folders import FolderWatch
from tests.services.test_drop_folders import Yard


async def test_files_are_loaded_while_the_daemon_works_and_one_that_breaks_its_reader_ends_nothing(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = Yard(sqlite_database, tmp_path)
    yard.count(3)
    ready, stop = asyncio.Event(), asyncio.Event()
    looks = 0
    whole = FolderWatch.look

    def look(watch: FolderWatch, halt: object) -> object:
        nonlocal looks
        looks += 1
        yard.clock.forward(30)
        if looks == 2:
            raise RuntimeError("no reader thought of this")
        if looks == 4:
            stop.set()
        return whole(watch)

    monkeypatch.setattr(FolderWatch, "look", look)
    watching = asyncio.get_running_loop().create_task(watch_folders(yard.core, ready, stop, every=0.01))
    await asyncio.sleep(0.03)
    assert looks == 0, "the database is waited for"
    ready.set()
    async with asyncio.timeout(60):
        await watching
    assert yard.levels() == [3] * 10
