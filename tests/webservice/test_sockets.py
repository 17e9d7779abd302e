"""No socket is left to the garbage collector, however the making of a connection ends."""

import asyncio
import contextlib
import gc
import socket
import warnings
from collections.abc import Awaitable, Callable, Iterator

import pytest

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.transport import Transport
from tests.webservice.shops import FakeClock
from tests.webservice.test_ways import HttpProxy, Serve, SocksProxy, listening

PATIENCE = 0.15


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Fails where the collector finds a socket that nobody closed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)] == []


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


async def chattering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await reader.read(1)


async def wanting_a_password(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"\x05\xff")
    await reader.read(1)


async def talking_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await reader.read(1)


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)


async def silent_after_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await silent(reader, writer)


async def silent_after_socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"\x05\x00")
    await reader.read(100)
    writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    await silent(reader, writer)


WAYS: list[tuple[str, str, Serve]] = [
    ("http://127.0.0.1:{port}", "", silent),
    ("http://127.0.0.1:{port}", "", talking_nonsense),
    ("http://127.0.0.1:{port}", "", hanging_up),
    ("https://127.0.0.1:{port}", "", silent),
    ("https://127.0.0.1:{port}", "", chattering),
    ("https://127.0.0.1:{port}", "", hanging_up),
    ("https://shop.example", "http://127.0.0.1:{port}", HttpProxy(refuse=True)),
    ("https://shop.example", "http://127.0.0.1:{port}", silent),
    ("https://shop.example", "http://127.0.0.1:{port}", silent_after_connect),
    ("http://shop.example", "socks5://127.0.0.1:{port}", SocksProxy(refuse=True)),
    ("http://shop.example", "socks5://127.0.0.1:{port}", wanting_a_password),
    ("http://shop.example", "socks5://127.0.0.1:{port}", talking_nonsense),
    ("http://shop.example", "socks5://127.0.0.1:{port}", silent),
    ("https://shop.example", "socks5://127.0.0.1:{port}", hanging_up),
    ("https://shop.example", "socks5://127.0.0.1:{port}", silent_after_socks),
]


def told(value: object) -> str:
    return getattr(value, "__name__", type(value).__name__) if callable(value) else str(value)


@pytest.mark.parametrize(("base", "proxy", "serve"), WAYS, ids=told)
async def test_a_connection_that_fails_is_closed(base: str, proxy: str, serve: Serve) -> None:
    with nothing_left():
        async with listening(serve) as port:
            way = Endpoint(
                base.format(port=port), Secret(DEFAULT_KEY), proxy=proxy.format(port=port), timeout=PATIENCE, rate=0
            )
            async with Transport(way, clock=FakeClock()) as transport:
                with pytest.raises(e.WebserviceError):
                    await transport.once()
                gc.collect()


async def ended_by_a_person(transport: Transport, task: "asyncio.Task[object]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    gc.collect()
    await transport.aclose()


async def closed_underneath(transport: Transport, task: "asyncio.Task[object]") -> None:
    await transport.aclose()
    with contextlib.suppress(e.WebserviceError):
        await task


End = Callable[[Transport, "asyncio.Task[object]"], Awaitable[None]]


@pytest.mark.parametrize("end", [ended_by_a_person, closed_underneath])
@pytest.mark.parametrize(
    ("base", "proxy", "serve"),
    [way for way in WAYS if way[2] in (silent, silent_after_connect, silent_after_socks)],
    ids=told,
)
async def test_a_connection_given_up_while_it_is_made_is_closed(base: str, proxy: str, serve: Serve, end: End) -> None:
    arrived = asyncio.Event()

    async def noticing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await serve(reader, writer)

    with nothing_left():
        async with listening(noticing) as port:
            way = Endpoint(base.format(port=port), Secret(DEFAULT_KEY), proxy=proxy.format(port=port), timeout=5.0)
            transport = Transport(way)
            task: asyncio.Task[object] = asyncio.create_task(transport.once())  # noqa: TID251 - awaited by end
            await arrived.wait()
            for _ in range(20):
                await asyncio.sleep(0)
            await end(transport, task)
            del task, transport


async def test_a_thousand_refusals_leave_room_for_the_next() -> None:
    """What was given up in a handshake does not count as a connection in use."""
    async with listening(silent) as port:
        way = Endpoint("http://shop.example", Secret(DEFAULT_KEY), proxy=f"socks5://127.0.0.1:{port}", timeout=5.0)
        async with ShopClient(way) as client:
            http = client._transport._http
            for _ in range(130):
                task = asyncio.create_task(http.get("http://shop.example/api/"))  # noqa: TID251 - awaited below
                for _ in range(6):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            with pytest.raises(e.WebserviceError) as caught:
                await Transport(way.changed(timeout=PATIENCE), clock=FakeClock()).once()
    assert not isinstance(caught.value, e.NotConnected)


def test_the_check_itself_sees_a_socket_that_is_left() -> None:
    with pytest.raises(AssertionError), nothing_left():
        socket.socket()
