"""What a process that does the work sees to by the way: nightly retention, and room on the disk. Imports operations."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.database import Connection, insert_new
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.model import Installation
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.operations.retention import RULES
from prestaconsole.runner.moments import Moment

log = logging.getLogger(__name__)

EVERY = 600.0
FIRST = 60.0
PAUSE = 0.05
"""Seconds between two transactions of the retention, so that feeds come in between."""
DISK_CAUSE = "disk"
DISK_LIMITS = ((90, "STOP"), (80, "ACT"))
"""Percent of the disk that are used, and how grave that is."""


class Housekeeper:
    """Looks every ten minutes whether the night's retention is due and how full the disk is."""

    def __init__(self, core: Core, moment: Moment, idle: Callable[[], bool], *, every: float = EVERY) -> None:
        self._core = core
        self._moment = moment
        self._idle = idle
        self._every = every
        self._severity: str | None = None

    async def run(self, first: float = FIRST) -> None:
        """Until it is cancelled; trouble with the database is waited out."""
        wait = first
        while True:
            await asyncio.sleep(wait)
            wait = self._every
            if self._idle():
                continue
            try:
                await self.look()
            except (PrestaConsoleError, SQLAlchemyError) as error:
                log.warning("Housekeeping waits: %s", error)

    async def look(self) -> dict[str, int] | None:
        """One look; gives the rows that went by rule, None while the night's retention is not due or another's."""
        await self._look_at_disk()
        return await self._prune()

    # -- retention -------------------------------------------------------------------------------------------------

    async def _prune(self) -> dict[str, int] | None:
        settings, now = self._core.settings, self._core.clock.now()
        due = last_night(settings.prune_at, now)
        if due is None or not await self._core.database.write(lambda c: claim_night(c, due, now)):
            return None
        gone: dict[str, int] = {}
        for rule in RULES:
            before = rule.before(settings, now)
            if before is None:
                continue
            step = rule.steps(before)
            while (number := await self._core.database.write(step)) is not None:
                gone[rule.name] = gone.get(rule.name, 0) + number
                await asyncio.sleep(PAUSE)
        gone = {name: number for name, number in gone.items() if number}
        if gone:
            await self._core.database.write(lambda c: audit(c, actor="runner", action="db prune", at=now, after=gone))
            log.info("Retention: %s.", ", ".join(f"{number} {name}" for name, number in gone.items()))
        return gone

    # -- the disk --------------------------------------------------------------------------------------------------

    async def _look_at_disk(self) -> None:
        folder = data_folder(self._core)
        percent = used_percent(folder)
        severity = next((name for limit, name in DISK_LIMITS if percent >= limit), "")
        if severity == self._severity:
            return
        await self._core.database.write(lambda c: note_disk(c, folder, percent, severity, self._moment(c)))
        self._severity = severity


def last_night(prune_at: str, now: datetime) -> datetime | None:
    """The last moment at which retention was due, by the machine's clock; None where it is switched off."""
    if not prune_at:
        return None
    hour, minute = (int(part) for part in prune_at.split(":"))
    local = now.astimezone()
    due = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (due if due <= local else due - timedelta(days=1)).astimezone(now.tzinfo)


def claim_night(connection: Connection, due: datetime, now: datetime) -> bool:
    """Take this night's retention on; False where a process has done so already."""
    insert_new(connection, Installation, [{"id": 1}], key=["id"])
    waits = or_(Installation.pruned_at.is_(None), Installation.pruned_at < due)
    return connection.execute(update(Installation).where(waits).values(pruned_at=now)).rowcount == 1


def data_folder(core: Core) -> Path:
    """The folder that grows: that of the SQLite file, else the data folder."""
    database = core.database
    folder = Path(str(database.url.database)).parent if database.is_sqlite else core.settings.data_dir
    return folder if folder.is_dir() else Path()


def used_percent(folder: Path) -> int:
    """How much of the folder's disk is used, as an ordinary user meets it; 0 where it cannot be told."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return 0
    return int(usage.used * 100 / max(usage.used + usage.free, 1))


def note_disk(connection: Connection, folder: Path, percent: int, severity: str, at: datetime) -> None:
    """Open, regrade or close the incident about the disk's room (N17)."""
    if not severity:
        close_incident(connection, shop_id=None, cause_key=DISK_CAUSE, by="runner", at=at)
        return
    open_incident(
        connection,
        shop_id=None,
        cause_key=DISK_CAUSE,
        title=f"The disk of {folder} is {percent} % full; at 100 % nothing can be stored and every feed stops.",
        remedy="Free room: old backups, `prestaconsole db prune --plan` shows what is kept too long; or a larger disk.",
        severity=severity,
        at=at,
    )
