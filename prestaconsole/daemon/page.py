"""The daemon's page on loopback: /healthz, /readyz and /metrics. Imports the runner, starlette and uvicorn."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from prestaconsole import __version__
from prestaconsole.daemon.metrics import Metrics
from prestaconsole.database import DatabaseError
from prestaconsole.database.migrations import current, head
from prestaconsole.operations.core import Core
from prestaconsole.runner.signs import Health
from prestaconsole.runner.worker import Worker

log = logging.getLogger(__name__)

_ANSWER_WITHIN = 5.0
_LOOP = {"working": "turning", "starting": "turning", "stopping": "turning"}


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the daemon has its own, which let runs end their page."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HealthPage:
    """Answers whether the daemon is alive (its work moves, or waits for its database) and ready (database too)."""

    def __init__(self, core: Core, worker: Worker, health: Callable[[], Health], metrics: Metrics) -> None:
        self._core = core
        self._worker = worker
        self._health = health
        self._metrics = metrics
        self._head = head()
        self._asking: asyncio.Task[bool] | None = None
        self._server: _Server | None = None
        self._socket: socket.socket | None = None

    @property
    def app(self) -> Starlette:
        """The page as an ASGI application."""
        return Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metricsz),
            ]
        )

    @property
    def address(self) -> str:
        """Where it answers, ``127.0.0.1:8765``; '' while it does not."""
        if self._socket is None:
            return ""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def open(self) -> None:
        """Take the address. One that is in use costs the page, not the daemon: orders matter more."""
        settings = self._core.settings
        if settings.daemon_port == 0:
            return
        family = socket.AF_INET6 if ":" in settings.daemon_host else socket.AF_INET
        taken = socket.socket(family, socket.SOCK_STREAM)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((settings.daemon_host, settings.daemon_port))
        except OSError as error:
            taken.close()
            log.warning(
                "The health page cannot be opened at %s:%s (%s). The daemon works without it; "
                "PRESTACONSOLE_DAEMON_PORT names another port, 0 switches it off.",
                settings.daemon_host,
                settings.daemon_port,
                error.strerror,
            )
            return
        self._socket = taken

    async def serve(self) -> None:
        """Answer until ``close``. Returns at once where no address was taken."""
        if self._socket is None:
            return
        config = uvicorn.Config(
            self.app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = _Server(config)
        await self._server.serve(sockets=[self._socket])

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.should_exit = True
        elif self._socket is not None:
            self._socket.close()

    async def _healthz(self, request: Request) -> JSONResponse:
        health = self._health()
        loop = _LOOP.get(health.state, health.state)
        age = round(self._worker.seconds_since_turn(), 1)
        return _answer(health.alive, {"loop": loop, "reason": health.reason, "seconds_since_turn": age})

    async def _readyz(self, request: Request) -> JSONResponse:
        health = self._health()
        checks = {
            "loop": health.state in ("working", "stopping"),
            "runner": self._worker.owner != 0,
            "database": await self._database_answers(),
            "not_stopping": health.state != "stopping",
        }
        return _answer(all(checks.values()), {**checks, "reason": health.reason})

    async def _metricsz(self, request: Request) -> Response:
        body, kind = await self._metrics.text(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": kind})

    async def _database_answers(self) -> bool:
        """Whether it answers soon and fits the program. One question at a time: a server may never answer."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask_database())
        try:
            return await asyncio.wait_for(asyncio.shield(self._asking), _ANSWER_WITHIN)
        except TimeoutError:
            return False

    async def _ask_database(self) -> bool:
        try:
            return await asyncio.to_thread(current, self._core.database) == self._head
        except (DatabaseError, SQLAlchemyError):
            return False


def _answer(good: bool, more: dict[str, object]) -> JSONResponse:
    body = {"status": "ok" if good else "bad", "version": __version__, **more}
    return JSONResponse(body, status_code=200 if good else 503)
