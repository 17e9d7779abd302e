"""The channels that the settings name: how each sends, and what may be said of it. Imports settings."""

from collections.abc import Awaitable, Callable, Mapping

from prestaconsole.alerts.mail import MailServer, send
from prestaconsole.alerts.message import Message
from prestaconsole.alerts.webhook import post
from prestaconsole.redaction import Secret
from prestaconsole.settings import Settings

Send = Callable[[Message], Awaitable[str]]
"""Sends a message and gives a few words about it, or raises ``AlertNotSent``."""


def channels(settings: Settings) -> Mapping[str, Send]:
    """Every channel that is set up, by name: ``webhook``, ``mail``."""
    found: dict[str, Send] = {}
    url = settings.alert_webhook_url.get_secret_value()
    if url:
        found["webhook"] = lambda message: post(url, message)
    server = mail_server(settings)
    if server is not None:
        found["mail"] = lambda message: send(server, message)
    return found


def mail_server(settings: Settings) -> MailServer | None:
    """The mail server of the settings; None where nobody is to be told by mail."""
    to = tuple(part.strip() for part in settings.alert_mail_to.split(",") if part.strip())
    if not to:
        return None
    password = settings.smtp_password.get_secret_value()
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        sender=settings.alert_mail_from or to[0],
        to=to,
        user=settings.smtp_user,
        password=Secret(password) if password else None,
    )
