"""The sender of alerts: looks what is due, claims a channel, sends, notes how it went. Imports operations and alerts.

It never raises and never holds a transaction while it waits for a receiver, so nothing else waits for it.
"""

import asyncio
import logging
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from prestaconsole.alerts.channels import Send, channels
from prestaconsole.alerts.message import Message
from prestaconsole.alerts.webhook import AlertNotSent
from prestaconsole.database import Connection
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.operations import alert_outbox as outbox
from prestaconsole.operations.core import Core
from prestaconsole.runner.moments import Moment, moment_of

log = logging.getLogger(__name__)

SECONDS = 15.0
"""Between two looks: four small statements a channel, which must not add up to load."""
_TIMEOUT = 60.0


class AlertSender:
    """Sends what is due through every channel of the settings; of several at once only one sends each thing."""

    def __init__(self, core: Core, *, send_by: Mapping[str, Send] | None = None, moment: Moment | None = None) -> None:
        self._core = core
        self._channels = channels(core.settings) if send_by is None else send_by
        self._moment = moment or moment_of(core.clock)
        self._troubled: set[str] = set()

    async def run(self, every: float = SECONDS) -> None:
        """Look again and again until cancelled; ends at once where no channel is set up."""
        if not self._channels:
            return
        async with asyncio.TaskGroup() as group:
            for name in self._channels:
                group.create_task(self._keep_telling(name, every), name=f"alerts by {name}")

    async def _keep_telling(self, name: str, every: float) -> None:
        while True:
            try:
                await self.turn(name)
            except (PrestaConsoleError, SQLAlchemyError) as error:
                self._say(name, str(error))
            except Exception:
                # A fault here must not end the daemon, which does more than to tell.
                log.exception("Alerts by %s met a fault; they are tried again.", name)
            await asyncio.sleep(every)

    async def turn(self, name: str) -> bool:
        """One look at one channel; says whether a message left. Raises only what the database raises."""
        if not await self._prepare(name):
            return False
        ticket = await self._core.database.write(lambda c: outbox.claim(c, name, self._moment(c)))
        if ticket is None:
            return False
        message = Message(ticket.alerts[0], self._core.clock.now(), socket.gethostname(), ticket.items)
        try:
            async with asyncio.timeout(_TIMEOUT):
                said = await self._channels[name](message)
        except AlertNotSent as error:
            await self._failed(ticket, error)
            return False
        except TimeoutError:
            await self._failed(ticket, AlertNotSent(f"The {name} took longer than {_TIMEOUT:.0f} s."))
            return False
        self._troubled.discard(name)
        log.info("%s told by %s: %s.", message.subject(), name, said)
        return await self._core.database.write(lambda c: outbox.sent(c, ticket, self._moment(c)))

    async def _prepare(self, name: str) -> bool:
        """Fill the outbox; says whether a claim is worth it."""
        settings = self._core.settings
        reminder = timedelta(hours=settings.alert_reminder_hours)

        def look(connection: Connection) -> tuple[datetime, list[dict[str, object]], bool]:
            now = self._moment(connection)
            rows = outbox.due(connection, name, severity=settings.alert_severity, reminder=reminder, now=now)
            return now, rows, outbox.anything_waits(connection, name, now)

        now, rows, waits = await self._core.database.read(look)
        if rows:
            await self._core.database.write(lambda c: outbox.plan(c, rows, now))
        return bool(rows) or waits

    async def _failed(self, ticket: outbox.Ticket, error: AlertNotSent) -> None:
        self._say(ticket.channel, str(error))
        await self._core.database.write(
            lambda c: outbox.failed(c, ticket, error.cause, error.remedy, error.wait, self._moment(c))
        )

    def _say(self, name: str, words: str) -> None:
        if name not in self._troubled:
            log.warning("Alerts by %s: %s", name, words)
        self._troubled.add(name)
