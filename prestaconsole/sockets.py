"""Sockets to shops and receivers, each closed whatever happens while a connection is made. Imports httpx and httpcore.

httpcore forgets a socket when a SOCKS proxy refuses, and when a time-out or a person ends the wait in the middle of
a handshake: the garbage collector would find it at some later time.
"""

import ssl
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx
from socksio.exceptions import SOCKSError

_ours: ContextVar[list["Socket"] | None] = ContextVar("sockets_of_this_request", default=None)


class Socket(httpcore.AsyncNetworkStream):
    """One connection, or TLS over one. ``patience`` is for the talk with a proxy, which httpcore gives no time-out."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, known: set["Socket"], patience: float | None) -> None:
        self._stream = stream
        self._known = known
        self._patience = patience
        known.add(self)
        mine = _ours.get()
        if mine is not None:
            mine.append(self)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, self._patience if timeout is None else timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, self._patience if timeout is None else timeout)

    async def aclose(self) -> None:
        self._known.discard(self)
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        self._known.discard(self)
        return Socket(secured, self._known, self._patience)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Sockets(httpcore.AsyncNetworkBackend):
    """Opens connections and knows those that are open."""

    def __init__(self) -> None:
        self.open: set[Socket] = set()
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return Socket(stream, self.open, timeout)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class SocketTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, which leaves no socket open behind a request that failed, nor behind its own end."""

    def __init__(self, *, verify: ssl.SSLContext, proxy: httpx.Proxy | None = None) -> None:
        # the pacer says how many requests run at once; a limit here would count connections that were given up
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        super().__init__(verify=verify, trust_env=False, limits=limits, proxy=proxy)
        self.sockets = Sockets()
        self._pool._network_backend = self.sockets

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        mine: list[Socket] = []
        token = _ours.set(mine)
        try:
            return await super().handle_async_request(request)
        except BaseException as error:
            await _closed(mine)
            if isinstance(error, httpx.RequestError) or not isinstance(error, Exception):
                raise
            # what httpx has no name for: a proxy that does not speak its protocol, a client closed in the middle
            if isinstance(error, SOCKSError | AssertionError):
                raise httpx.ProxyError("it does not speak SOCKS 5", request=request) from error
            raise httpx.ReadError("the connection was closed", request=request) from error
        finally:
            _ours.reset(token)

    async def aclose(self) -> None:
        await super().aclose()
        await _closed(list(self.sockets.open))


async def _closed(sockets: Iterable[Socket]) -> None:
    for socket in sockets:
        with suppress(httpcore.NetworkError, OSError):
            await socket.aclose()
