"""The outside ping tells its watcher, and never its address to a log."""

import asyncio
import contextlib
import logging
from pathlib import Path

import httpx
import pytest
from pytest_httpx import HTTPXMock

from prestaconsole.alerts.ping import PingFailed, ping
from prestaconsole.daemon.main import Daemon
from prestaconsole.database import Database
from tests.support.runs import make_core

URL = "https://watch.example/a-secret-path"


async def test_a_success_is_enough(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=URL, status_code=204)
    await ping(URL)
    request = httpx_mock.get_request()
    assert request is not None
    assert request.headers["User-Agent"].startswith("PrestaConsole/")


async def test_a_refusal_or_a_dead_line_is_named_without_the_address(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=URL, status_code=404)
    with pytest.raises(PingFailed, match="404") as refused:
        await ping(URL)
    httpx_mock.add_exception(httpx.ConnectError(f"no road to {URL}"))
    with pytest.raises(PingFailed, match="ConnectError") as dead:
        await ping(URL)
    for caught in (refused, dead):
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None


async def test_a_daemon_pings_only_while_its_loop_goes_round(
    sqlite_database: Database, tmp_path: Path, httpx_mock: HTTPXMock, caplog: pytest.LogCaptureFixture
) -> None:
    httpx_mock.add_response(url=URL, is_reusable=True)
    core = make_core(sqlite_database, tmp_path, ping_url=URL)
    for hung_after, told in ((3600.0, True), (-1.0, False)):
        daemon = Daemon(core, drain_seconds=1, hung_after=hung_after, stuck_after=3600.0)
        daemon._worker.ready.set()
        before = len(httpx_mock.get_requests())
        with caplog.at_level(logging.DEBUG, "prestaconsole"), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await daemon.ping_outside(every=0.05)
        assert (len(httpx_mock.get_requests()) > before) is told
    assert "secret" not in caplog.text
