"""The outside ping: a dead daemon cannot raise an alarm, but whoever waits for its sign of life can (idea 7)."""

import httpx

from prestaconsole.alerts.outside import client_for
from prestaconsole.errors import PrestaConsoleError

SECONDS = 60.0
"""How often a healthy daemon pings; a watcher that allows ten minutes misses nothing by accident."""


class PingFailed(PrestaConsoleError):
    """The watcher could not be told; its address is not in the words, as it often is a secret itself."""


async def ping(url: str, *, transport: httpx.AsyncBaseTransport | None = None, timeout: float = 10.0) -> None:
    """Ask for the URL once. Raises ``PingFailed`` unless the answer is a success."""
    try:
        async with client_for(url, transport, timeout) as client:
            answer = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PingFailed(
            f"The outside ping did not get through ({type(error).__name__}).",
            "Look at the network and PRESTACONSOLE_PING_URL; the watcher raises its alarm meanwhile.",
        ) from None
    if not answer.is_success:
        raise PingFailed(
            f"The watcher of the outside ping answered {answer.status_code}.", "Look at PRESTACONSOLE_PING_URL."
        )
