"""Time as a thing that can be handed in: aware UTC inside, a fake in tests. Imports nothing of ours."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where every part of the program takes its time from."""

    def now(self) -> datetime:
        """The moment, as an aware datetime in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring and time-outs."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of this clock."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
