"""Alerts by mail: one plain message over SMTP, in a thread of its own. Standard library and settings' values only."""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Literal

from prestaconsole.alerts.message import Message
from prestaconsole.alerts.webhook import AlertNotSent
from prestaconsole.redaction import Secret

TIMEOUT = 15.0
Security = Literal["starttls", "tls", "none"]
PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True)
class MailServer:
    """Where mail goes out and to whom; ``port`` 0 is the usual one of the security."""

    host: str
    sender: str
    to: Sequence[str]
    port: int = 0
    security: Security = "starttls"
    user: str = ""
    password: Secret | None = None
    timeout: float = TIMEOUT


async def send(server: MailServer, message: Message) -> str:
    """Send the message; gives what came of it in a few words. Raises ``AlertNotSent``, never naming the password."""
    return await asyncio.to_thread(_send, server, _compose(server, message))


def _compose(server: MailServer, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = message.subject()
    mail["From"] = server.sender
    mail["To"] = ", ".join(server.to)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = make_msgid(f"alert-{message.number}", domain=server.sender.rpartition("@")[2] or "localhost")
    # Holiday answers of machines have no reader here.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(f"{message.text()}\n\n-- \nPrestaConsole on {message.host}\n")
    return mail


def _send(server: MailServer, mail: EmailMessage) -> str:
    where = f"{server.host}:{server.port or PORTS[server.security]}"
    try:
        with _connected(server) as smtp:
            if server.user and server.password is not None:
                smtp.login(server.user, server.password.reveal())
            refused = smtp.send_message(mail)
    except smtplib.SMTPAuthenticationError:
        remedy = "Look at PRESTACONSOLE_SMTP_USER and PRESTACONSOLE_SMTP_PASSWORD."
        raise AlertNotSent(f"The mail server {where} refused the user and password.", remedy) from None
    except smtplib.SMTPNotSupportedError:
        words = f"The mail server {where} offers no STARTTLS, or no login, on this port."
        remedy = "PRESTACONSOLE_SMTP_SECURITY takes tls (port 465), starttls (587) or none."
        raise AlertNotSent(words, remedy) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise AlertNotSent(
            f"The mail server {where} refused every recipient: {_reply(next(iter(error.recipients.values())))}",
            "Look at PRESTACONSOLE_ALERT_MAIL_TO.",
        ) from None
    except smtplib.SMTPResponseException as error:
        words = f"The mail server {where} refused the mail: {_reply((error.smtp_code, error.smtp_error))}"
        raise AlertNotSent(
            words, "Look at PRESTACONSOLE_ALERT_MAIL_FROM and at the server; it is tried again."
        ) from None
    except ssl.SSLCertVerificationError as error:
        words = f"The certificate of the mail server {where} is not trusted: {error.verify_message}."
        remedy = "Give the program its authority in SSL_CERT_FILE, or name the host as the certificate does."
        raise AlertNotSent(words, remedy) from None
    except ssl.SSLError:
        words = f"The mail server {where} does not speak TLS in this way."
        remedy = "PRESTACONSOLE_SMTP_SECURITY takes tls (port 465), starttls (587) or none."
        raise AlertNotSent(words, remedy) from None
    except (OSError, smtplib.SMTPException) as error:
        why = "it gave no answer in time" if isinstance(error, TimeoutError) else _why(error)
        raise AlertNotSent(
            f"The mail server {where} was not reached: {why}.", "Look at PRESTACONSOLE_SMTP_HOST; it is tried again."
        ) from None
    if refused:
        return f"taken by {where}, but not for {', '.join(sorted(refused))}"
    return f"taken by {where}"


def _connected(server: MailServer) -> smtplib.SMTP:
    port = server.port or PORTS[server.security]
    name = socket.gethostname()
    if server.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, port, local_hostname=name, timeout=server.timeout, context=context)
    smtp = smtplib.SMTP(server.host, port, local_hostname=name, timeout=server.timeout)
    try:
        if server.security == "starttls":
            smtp.starttls(context=ssl.create_default_context())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _reply(reply: tuple[int, bytes | str]) -> str:
    code, said = reply
    words = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(words.split())[:200]}"


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", "") or type(error).__name__).lower()
