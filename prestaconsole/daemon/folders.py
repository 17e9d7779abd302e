"""The daemon's look into the drop folders of the warehouses, every half minute. Imports services."""

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.errors import PrestaConsoleError
from prestaconsole.operations.core import Core
from prestaconsole.services.drop_folders import FolderWatch

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0


async def watch_folders(core: Core, ready: asyncio.Event, stop: asyncio.Event, every: float = LOOK_SECONDS) -> None:
    """Look, load what lies ready, wait; until cancelled. Files are read beside the loop, in a thread.

    ``ready``: the database answers; ``stop`` ends a load between two parts, to be gone on with by the next daemon.
    """
    watch = FolderWatch(core)
    await ready.wait()
    while not stop.is_set():
        if ready.is_set():
            try:
                for taken in await asyncio.to_thread(watch.look, stop.is_set):
                    log.info("Stock file %s for %s: %s, %s.", taken.file, taken.warehouse, taken.state, taken.words)
            except (PrestaConsoleError, SQLAlchemyError) as error:
                log.warning("The drop folders could not be looked at: %s", error)
            except Exception:
                # A file may break its reader in a way nobody thought of; the daemon has more to do than files.
                log.exception("The drop folders could not be looked at.")
        await asyncio.sleep(every)
