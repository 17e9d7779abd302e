"""How work comes to a worker. The run row stays the truth, whoever brings the news (DESIGN §4). Imports database."""

import asyncio
from typing import Protocol

from prestaconsole.clock import Clock
from prestaconsole.database import Database
from prestaconsole.runner.dispatch.embedded import EmbeddedDispatcher
from prestaconsole.runner.moments import Moment
from prestaconsole.settings import Settings

__all__ = ["Dispatcher", "EmbeddedDispatcher", "Hands", "dispatcher_for"]


class Hands(Protocol):
    """A worker, as its dispatcher sees it."""

    @property
    def willing(self) -> bool:
        """Whether it takes work at all: not while it ends, nor while a daemon does it all."""
        ...

    @property
    def capacity(self) -> int:
        """How many runs it may have at work at once."""
        ...

    def room(self) -> int:
        """How many more runs it may take now."""
        ...

    def up_to(self) -> int:
        """The priority up to which it takes runs now: its last places are kept for urgent ones."""
        ...

    async def take(self, run_id: int | None = None) -> "asyncio.Task[None] | None":
        """Claim this run, or the most urgent of all, and begin it; None where there is nothing to take.

        Raises ``DatabaseError`` and SQLAlchemy's errors.
        """
        ...


class Dispatcher(Protocol):
    """Brings news of work to a worker; what to do then is found in the rows themselves."""

    async def serve(self, hands: Hands) -> None:
        """Bring work until cancelled, never before; trouble is waited out. Where ``offer`` does it all, only wait."""
        ...

    async def offer(self, hands: Hands) -> bool:
        """See to the runs that may start now: take them, or have them brought. Says whether any was taken here."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return when there may be work, at the latest after so many seconds."""
        ...

    def wake(self) -> None:
        """Make ``wait`` return at once, from within this process."""
        ...

    def close(self) -> None:
        """Let go of what brought the news; a later ``wait`` takes it up again."""
        ...


def dispatcher_for(database: Database, clock: Clock, moment: Moment, settings: Settings, kind: str) -> Dispatcher:
    """The embedded one on SQLite, Procrastinate on PostgreSQL; a command takes its one run itself on both."""
    if database.is_sqlite or kind == "command":
        return EmbeddedDispatcher(database, clock, settings.poll_seconds)
    # Loaded here only: who works on SQLite has neither the library nor the driver.
    from prestaconsole.runner.dispatch.procrastinate import ProcrastinateDispatcher

    return ProcrastinateDispatcher(database, clock, moment, settings)
