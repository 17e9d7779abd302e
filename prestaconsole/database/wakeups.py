"""News of commits on PostgreSQL by LISTEN and NOTIFY, so that an idle process asks nothing. Imports errors only.

Each transaction that wrote something says so on one channel; PostgreSQL tells the listeners when it has committed.
"""

import selectors
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    import psycopg

CHANNEL = "prestaconsole"
# A claim that found nothing, or a look that was stored nowhere, has no transaction number and wakes nobody.
SPEAK = text(f"SELECT pg_notify('{CHANNEL}', '') WHERE pg_current_xact_id_if_assigned() IS NOT NULL")

_AGAIN_SECONDS = 1.0
_CONNECT_SECONDS = 5
_PATIENCE = 5.0
ALIVE: Mapping[str, Any] = {
    "connect_timeout": _CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""What each connection is opened with, so that a network which falls silent is noticed (seconds; milliseconds)."""


class Listener:
    """One connection of its own in a thread of its own; connects again by itself after the server was away.

    ``news`` is called in that thread after each commit of any process, and once after each connecting, since nobody
    heard what was committed before.
    """

    def __init__(self, parameters: Mapping[str, Any], news: Callable[[], None]) -> None:
        self._parameters = {**ALIVE, **parameters}
        self._news = news
        self._ended = Event()
        self._bell, self._rung = socket.socketpair()
        self.connected = False
        self.lost = 0
        self._thread = Thread(target=self._run, name="db-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and its connection."""
        self._ended.set()
        self._bell.send(b"!")
        self._thread.join(_CONNECT_SECONDS + 1)
        if not self._thread.is_alive():
            self._bell.close()
            self._rung.close()

    def _run(self) -> None:
        import psycopg

        while not self._ended.is_set():
            # Whatever is wrong with the server, those who read and write say so; here it is only tried again.
            with suppress(psycopg.Error, OSError), psycopg.connect(**self._parameters, autocommit=True) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                self.connected = True
                self._news()
                self._hear(connection)
            self.lost += self.connected
            self.connected = False
            self._ended.wait(_AGAIN_SECONDS)

    def _hear(self, connection: "psycopg.Connection[Any]") -> None:
        """Call ``news`` for what comes, until the end. Raises ``psycopg.OperationalError`` when the server is gone."""
        with selectors.DefaultSelector() as selector:
            selector.register(connection.pgconn.socket, selectors.EVENT_READ)
            selector.register(self._rung, selectors.EVENT_READ)
            while not self._ended.is_set():
                selector.select()
                connection.pgconn.consume_input()
                heard = False
                while connection.pgconn.notifies() is not None:
                    heard = True
                if heard:
                    self._news()


def hears_itself(parameters: Mapping[str, Any]) -> bool:
    """Whether one connection hears what another says: not so behind a pooler that shares them by transaction.

    Raises ``psycopg.OperationalError`` where the server cannot be reached.
    """
    import psycopg

    asked = {**ALIVE, **parameters}
    with (
        psycopg.connect(**asked, autocommit=True) as listening,
        psycopg.connect(**asked, autocommit=True) as speaking,
    ):
        listening.execute(f"LISTEN {CHANNEL}_probe")
        speaking.execute(f"SELECT pg_notify('{CHANNEL}_probe', '')")
        return any(True for _ in listening.notifies(timeout=_PATIENCE, stop_after=1))
