"""`prestaconsole alert`: a test that says plainly what happened, and what became of the alerts."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_httpx import HTTPXMock

from prestaconsole.operations.incidents import open_incident
from prestaconsole.runner.alerting import AlertSender
from tests.cli.conftest import Program
from tests.support.mailbox import mailbox

URL = "https://chat.example/services/T0AB12/B0CD34/verys3cret"


def test_without_a_channel_it_says_which_settings_make_one(cli: Program) -> None:
    refused = cli("alert", "test", code=2)
    assert "No channel" in refused.err and "PRESTACONSOLE_ALERT_WEBHOOK_URL" in refused.err
    assert "No channel is set up" in cli("alert", "channels").err
    assert "Nothing was told yet" in cli("alert", "list").err


def test_one_channel_that_fails_makes_the_test_fail_and_hides_neither_result(
    cli: Program, monkeypatch: pytest.MonkeyPatch, httpx_mock: HTTPXMock, unused_tcp_port: int, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRESTACONSOLE_ALERT_WEBHOOK_URL", URL)
    monkeypatch.setenv("PRESTACONSOLE_ALERT_MAIL_TO", "ops@example.org")
    monkeypatch.setenv("PRESTACONSOLE_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("PRESTACONSOLE_SMTP_PORT", str(unused_tcp_port))
    httpx_mock.add_response(url=URL, is_reusable=True)
    said = cli("alert", "test", code=1)
    assert said.out == "webhook: ok, answered 200.\n"
    assert said.err.startswith(f"mail: FAILED. The mail server 127.0.0.1:{unused_tcp_port} was not reached")
    found = cli.json("alert", "test", code=1)
    assert [(one["channel"], one["ok"]) for one in found] == [("webhook", True), ("mail", False)]
    logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
    assert "verys3cret" not in said.text + logs


def test_what_was_told_is_listed_with_its_channel(
    cli: Program, monkeypatch: pytest.MonkeyPatch, httpx_mock: HTTPXMock
) -> None:
    monkeypatch.setenv("PRESTACONSOLE_ALERT_WEBHOOK_URL", URL)
    httpx_mock.add_response(url=URL, status_code=500)
    with cli.core() as core:
        at = core.clock.now() - timedelta(minutes=1)
        core.database.write_now(
            lambda c: open_incident(c, shop_id=None, cause_key="x", title=f"Broken at {URL}", remedy="", at=at)
        )
        asyncio.run(AlertSender(core).turn("webhook"))
    (row,) = cli.json("alert", "list")
    assert (row["channel"], row["kind"], row["state"], row["incident"]) == ("webhook", "opened", "waiting", 1)
    (channel,) = cli.json("alert", "channels")
    assert (channel["waiting"], channel["failures"], channel["last_error"]) == (1, 1, "The webhook answered 500.")
    assert "verys3cret" not in cli("alert", "list").out + cli("incident", "list").out


async def test_a_mail_arrives(cli: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    async with mailbox() as box:
        monkeypatch.setenv("PRESTACONSOLE_ALERT_MAIL_TO", "ops@example.org")
        monkeypatch.setenv("PRESTACONSOLE_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("PRESTACONSOLE_SMTP_PORT", str(box.port))
        monkeypatch.setenv("PRESTACONSOLE_SMTP_SECURITY", "none")
        said = await asyncio.to_thread(cli, "alert", "test")
    assert said.out == f"mail: ok, taken by 127.0.0.1:{box.port}.\n"
    assert box.mails[0]["Subject"] == "[PrestaConsole] TEST WARN This is a test. Alerts arrive here."
