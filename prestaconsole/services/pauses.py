"""The pause of everything: all feeds of all shops stop at their next page, for a time and with a reason (row M23).

May import operations and database.
"""

from dataclasses import dataclass
from datetime import datetime

from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.operations import pauses
from prestaconsole.operations.core import Core
from prestaconsole.services.typed import one_line


@dataclass(frozen=True)
class Paused:
    """Whether everything is paused; the rest is empty where it is not. Moments are UTC."""

    paused: bool
    at: datetime | None = None
    until: datetime | None = None
    by: str = ""
    reason: str = ""


def pause_everything(core: Core, *, reason: str, actor: str, until: datetime | None = None) -> Paused:
    """Stop the feeds of all shops. Raises ``UsageError`` without a reason, or for an end that is past."""
    reason = one_line("reason", reason, 200, needed=True)

    def work(connection: Connection) -> Paused:
        now = core.clock.now()
        if until is not None and until <= now:
            raise UsageError("The pause would end in the past.", "Give a moment ahead, or none.")
        pauses.pause_everything(connection, until=until, actor=actor, reason=reason, now=now)
        return read_pause(connection)

    return core.database.write_now(work)


def resume_everything(core: Core, *, actor: str) -> bool:
    """End the pause of everything; False where none stood. Shops that have a pause of their own keep it."""
    return core.database.write_now(lambda c: pauses.resume_everything(c, actor=actor, now=core.clock.now()) is not None)


def read_pause(connection: Connection) -> Paused:
    """The pause of everything as it stands, inside a transaction."""
    found = pauses.pause_of_everything(connection)
    return Paused(True, found.at, found.until, found.by, found.reason) if found else Paused(False)
