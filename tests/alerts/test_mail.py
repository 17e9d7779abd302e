"""Mail goes out with the security that was asked for; a refusal says what to look at, never the password."""

from pathlib import Path
from typing import Any

import pytest

from prestaconsole.alerts.mail import MailServer, send
from prestaconsole.alerts.webhook import AlertNotSent
from prestaconsole.redaction import Secret
from tests.alerts.test_message import item, message
from tests.support.mailbox import Mailbox, certificate, mailbox

PASSWORD = "correct horse"


def server(box: Mailbox, **changes: Any) -> MailServer:
    values: dict[str, Any] = {"sender": "console@example.org", "to": ("zofia@example.org",), "security": "none"}
    return MailServer(host="127.0.0.1", port=box.port, timeout=5, **{**values, **changes})


async def test_a_mail_says_what_happened_and_that_a_machine_wrote_it() -> None:
    async with mailbox() as box:
        said = await send(server(box, to=("zofia@example.org", "l@example.org")), message(item(shop="Świece Łódź")))
    assert said == f"taken by 127.0.0.1:{box.port}"
    (mail,) = box.mails
    assert mail["Subject"] == "[PrestaConsole] ACT Świece Łódź: The key was refused (401)."
    assert mail["To"] == "zofia@example.org, l@example.org" and mail["From"] == "console@example.org"
    assert mail["Auto-Submitted"] == "auto-generated" and "alert-7" in mail["Message-ID"]
    assert "Enter a new one." in mail.get_content() and "PrestaConsole on host-1" in mail.get_content()


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_password_goes_through_tls_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    context, authority = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    box = Mailbox(context=context, tls_from_start=security == "tls", login=("console", PASSWORD))
    async with mailbox(box):
        await send(server(box, security=security, user="console", password=Secret(PASSWORD)), message(item()))
    assert box.encrypted and len(box.mails) == 1
    if security == "starttls":
        assert box.said.index("STARTTLS") < box.said.index("AUTH")


async def test_a_server_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    async with mailbox(Mailbox(context=context)) as box:
        with pytest.raises(AlertNotSent, match="is not trusted"):
            await send(server(box, security="starttls"), message(item()))
    assert not box.mails


async def test_a_server_without_starttls_gets_neither_password_nor_mail() -> None:
    async with mailbox(Mailbox(login=("console", PASSWORD))) as box:
        with pytest.raises(AlertNotSent, match="offers no STARTTLS"):
            await send(server(box, security="starttls", user="console", password=Secret(PASSWORD)), message(item()))
    assert "AUTH" not in box.said and not box.mails


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (Mailbox(login=("console", "another")), "refused the user and password"),
        (Mailbox(refuses={"RCPT": "550 no such box"}), "refused every recipient: 550 no such box"),
        (Mailbox(refuses={"MAIL": "553 not from you"}), "refused the mail: 553 not from you"),
        (Mailbox(refuses={"DATA": "452 disk full"}), "refused the mail: 452 disk full"),
    ],
)
async def test_a_refusal_is_given_in_the_servers_words(box: Mailbox, words: str) -> None:
    async with mailbox(box):
        login = {"user": "console", "password": Secret(PASSWORD)} if box.login else {}
        with pytest.raises(AlertNotSent, match=words) as refused:
            await send(server(box, **login), message(item()))
    assert PASSWORD not in str(refused.value)


async def test_a_server_that_is_not_there_is_named(unused_tcp_port: int) -> None:
    gone = Mailbox(port=unused_tcp_port)
    with pytest.raises(AlertNotSent, match=f"127.0.0.1:{unused_tcp_port} was not reached: connection refused"):
        await send(server(gone), message(item()))
