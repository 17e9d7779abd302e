"""No socket to a watcher or webhook is left to the garbage collector; the proxy of the environment is used."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from prestaconsole.alerts.outside import client_for
from prestaconsole.alerts.ping import PingFailed, ping
from prestaconsole.alerts.webhook import AlertNotSent, post
from tests.alerts.test_message import item, message
from tests.webservice.test_sockets import (
    nothing_left,
    silent,
    silent_after_connect,
    silent_after_socks,
    wanting_a_password,
)
from tests.webservice.test_ways import Serve

Ask = Callable[..., Awaitable[Any]]


async def _post(url: str, **how: Any) -> str:
    return await post(url, message(item()), **how)


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A port that takes connections; the event is set with the first one."""
    came = asyncio.Event()

    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serving, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


WAYS: list[tuple[str, str, Serve]] = [
    ("http://127.0.0.1:{port}/", "", silent),
    ("https://127.0.0.1:{port}/", "", silent),
    ("https://watch.example/", "http://127.0.0.1:{port}", silent_after_connect),
    ("https://watch.example/", "socks5://127.0.0.1:{port}", silent_after_socks),
    ("https://watch.example/", "socks5://127.0.0.1:{port}", wanting_a_password),
]
WAY_IDS = ["plain", "TLS", "proxy", "SOCKS", "SOCKS refused"]


@pytest.mark.parametrize("ask", [ping, _post])
@pytest.mark.parametrize(("url", "proxy", "serve"), WAYS, ids=WAY_IDS)
async def test_a_receiver_or_proxy_that_hangs_or_refuses_leaves_nothing_behind(
    ask: Ask, url: str, proxy: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nothing_left():
        async with listening(serve) as (port, _):
            monkeypatch.setenv("https_proxy", proxy.format(port=port))
            with pytest.raises((PingFailed, AlertNotSent)):
                await ask(url.format(port=port), timeout=0.05)


@pytest.mark.parametrize(("url", "proxy", "serve"), WAYS[:4], ids=WAY_IDS[:4])
async def test_what_is_cut_off_leaves_nothing_behind(
    url: str, proxy: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nothing_left():
        async with listening(serve) as (port, came):
            monkeypatch.setenv("https_proxy", proxy.format(port=port))
            task = asyncio.ensure_future(ping(url.format(port=port)))  # noqa: TID251 - cancelled and awaited
            async with asyncio.timeout(60):
                await came.wait()
            await asyncio.sleep(0.02)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_the_proxy_of_the_environment_is_used_and_its_exceptions_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readline()).decode().strip())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    heard: list[str] = []
    async with await asyncio.start_server(asked, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await ping("http://watch.example/a")
        await ping(f"http://127.0.0.1:{port}/b")
    assert heard == ["GET http://watch.example/a HTTP/1.1", "GET /b HTTP/1.1"]


async def test_a_proxy_or_an_authority_that_makes_no_sense_is_an_error_that_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("https_proxy", "gopher://proxy.example")
    with pytest.raises(PingFailed, match="UnsupportedProtocol"):
        await ping("https://watch.example/")
    monkeypatch.delenv("https_proxy")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(AlertNotSent, match="ConnectError"):
        await _post("https://chat.example/")


async def test_a_transport_that_was_handed_in_is_used_as_it_is() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(204))
    async with client_for("https://watch.example/", transport, 1.0) as client:
        assert (await client.get("https://watch.example/")).status_code == 204
