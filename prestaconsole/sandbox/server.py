"""The simulated shop over a port. Imports the sandbox and uvicorn."""

import asyncio
import logging
import socket
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop


class Server(uvicorn.Server):
    """uvicorn's server, which at its end cuts the connections of requests that hang, too."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next round
        await asyncio.sleep(0)


class SandboxServer:
    """Serves a shop on 127.0.0.1 in a thread, from `start` (or `with`) to `stop`."""

    def __init__(self, shop: "SimulatedShop", port: int = 0, host: str = "127.0.0.1") -> None:
        self.shop = shop
        self._host = host
        self._wanted = port
        self._socket: socket.socket | None = None
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port served. Raises RuntimeError before the start."""
        if self._socket is None:
            raise RuntimeError("The sandbox server is not running.")
        found: int = self._socket.getsockname()[1]
        return found

    @property
    def url(self) -> str:
        """The shop's address, without a slash at the end."""
        return f"http://{self._host}:{self.port}"

    def start(self) -> Self:
        """Serve in a thread; returns once requests are accepted. Raises OSError where the port is taken."""
        self._socket = socket.create_server((self._host, self._wanted), backlog=512)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each small answer waits 40 ms
        self._server = Server(config(self.shop))
        self._thread = threading.Thread(target=self._run, name=f"sandbox-{self.port}", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("The sandbox server did not start.")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Stop serving; requests that hang are cut."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=2)
            if self._thread.is_alive() and self._server is not None:
                self._server.force_exit = True
                self._thread.join(timeout=5)
        if self._socket is not None:
            self._socket.close()
        self._server = self._thread = self._socket = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        if self._server is not None and self._socket is not None:
            self._server.run(sockets=[self._socket])


def _no_cut(record: logging.LogRecord) -> bool:
    """Requests that hang on purpose are cut at the end; that is no error to tell of."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and "timeout graceful shutdown" not in record.getMessage()


def config(shop: "SimulatedShop") -> uvicorn.Config:
    """How uvicorn serves a shop: quietly, without websockets, and without waiting for hanging clients."""
    logging.getLogger("uvicorn.error").addFilter(_no_cut)
    return uvicorn.Config(
        shop.app,
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        loop="asyncio",
        http="h11",
        h11_max_incomplete_event_size=65536,
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )
