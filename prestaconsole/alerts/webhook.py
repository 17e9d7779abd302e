"""Alerts by webhook: one JSON body, posted once. The address is a secret and stands in no word."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from prestaconsole.alerts.message import Message
from prestaconsole.alerts.outside import client_for
from prestaconsole.errors import PrestaConsoleError

TIMEOUT = 15.0
_LONGEST_WAIT = 3600.0


class AlertNotSent(PrestaConsoleError):
    """A channel did not take a message. ``wait``: seconds after which it may be asked again, where it said so."""

    def __init__(self, cause: str, remedy: str = "", *, wait: float | None = None) -> None:
        super().__init__(cause, remedy)
        self.wait = wait


async def post(
    url: str, message: Message, *, transport: httpx.AsyncBaseTransport | None = None, timeout: float = TIMEOUT
) -> str:
    """Post the message; gives what the receiver answered, in a few words. Raises ``AlertNotSent``.

    A redirect is not followed: the body would go where nobody has said it may.
    """
    try:
        async with client_for(url, transport, timeout) as client:
            answer = await client.post(url, json=message.document())
    except httpx.InvalidURL:
        raise AlertNotSent("The webhook's address is no address.", "Look at PRESTACONSOLE_ALERT_WEBHOOK_URL.") from None
    except httpx.TimeoutException:
        raise AlertNotSent(
            f"The webhook gave no answer in {timeout:.0f} s.", "It is tried again; look at the receiver."
        ) from None
    except httpx.HTTPError as error:
        raise AlertNotSent(
            f"The webhook was not reached ({type(error).__name__}).",
            "Look at the network and PRESTACONSOLE_ALERT_WEBHOOK_URL; it is tried again.",
        ) from None
    if answer.is_success:
        return f"answered {answer.status_code}"
    remedy = "Look at PRESTACONSOLE_ALERT_WEBHOOK_URL and at the receiver; it is tried again."
    raise AlertNotSent(f"The webhook answered {answer.status_code}.", remedy, wait=_wait(answer))


def _wait(answer: httpx.Response) -> float | None:
    """Retry-After, as seconds or as a date."""
    said = answer.headers.get("Retry-After", "").strip()
    if not said:
        return None
    if said.isdecimal():
        return min(float(said), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_WAIT)
