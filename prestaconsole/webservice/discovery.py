"""Looks for a shop near the address that was typed, without its key: sub-folder, www, scheme (row A1). Reads only.

No redirect is followed and no key is sent to an address that nobody confirmed: what is found is only offered.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from prestaconsole.clock import Clock
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.address import is_private
from prestaconsole.webservice.answers import Answer
from prestaconsole.webservice.classify import classify
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.transport import Transport

FOLDERS = ("prestashop", "shop", "boutique", "store", "tienda", "presta", "ps")
_ELSEWHERE = (e.ApiNotFound, e.HtmlAnswer, e.TextAnswer, e.EmptyAnswer, e.NotHttp, e.UnexpectedAnswer)


def is_prestashop(answer: Answer) -> bool:
    """Whether an answer without a key is the webservice's own: it asks for one, or names itself (F10, F13)."""
    asks = answer.header("www-authenticate").lower()
    return "prestashop" in asks or answer.from_prestashop or bool(answer.errors())


async def ask(
    endpoint: Endpoint,
    address: str = "",
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Clock | None = None,
) -> Answer:
    """One GET without the key, of the API or of an address of the same host. Raises a ``NotConnected`` and the like."""
    keyless = endpoint.changed(auth="none", timeout=min(endpoint.timeout, 10.0))
    async with Transport(keyless, transport=transport, clock=clock, insist=True) as road:
        return await road.once(address)


async def propose(
    endpoint: Endpoint,
    failure: e.WebserviceError,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Clock | None = None,
) -> str:
    """The base to offer instead of the endpoint's, after it failed this way; '' where none was found.

    Asks at most some twenty addresses of the same host (and its www twin, and https), each once.
    """
    if failure.proposed:
        return failure.proposed
    for base in _candidates(endpoint.base_url, failure):
        for rewriting in (True, False):
            way = endpoint.changed(base_url=base, rewriting=rewriting)
            try:
                answer = await ask(way, transport=transport, clock=clock)
            except e.WebserviceError:
                return ""  # the host itself is in trouble: more questions would only wait as long
            if is_prestashop(answer):
                return base
            moved = classify(answer) if 300 <= answer.status < 400 else None
            if moved is not None and moved.proposed and moved.proposed != endpoint.base_url:
                return moved.proposed
    if isinstance(failure, _ELSEWHERE):
        return await _front_page(endpoint, transport, clock)
    return ""


def _candidates(base: str, failure: e.WebserviceError) -> Iterator[str]:
    parts = urlsplit(base)
    host, folder = parts.netloc, parts.path.strip("/")
    if isinstance(failure, e.NameNotFound):
        twin = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
        yield base.replace(f"//{host}", f"//{twin}", 1)
    elif isinstance(failure, e.ConnectionRefused | e.CertificateProblem | e.NotHttp | e.CutConnection):
        # never from https to http where others could listen: the key would travel in the open
        if parts.scheme == "http":
            yield f"https://{host}{parts.path}"
        elif is_private(parts.hostname or ""):
            yield f"http://{host}{parts.path}"
    elif isinstance(failure, _ELSEWHERE):
        segments = folder.split("/") if folder else []
        for length in range(len(segments) - 1, -1, -1):
            yield "/".join([f"{parts.scheme}://{host}", *segments[:length]])
        if not segments:
            for name in FOLDERS:
                yield f"{base}/{name}"


async def _front_page(endpoint: Endpoint, transport: httpx.AsyncBaseTransport | None, clock: Clock | None) -> str:
    """Where the front page leads visitors, be it to a folder or to another name."""
    try:
        answer = await ask(endpoint, f"{endpoint.base_url}/", transport=transport, clock=clock)
    except e.WebserviceError:
        return ""
    return classify(answer).proposed if 300 <= answer.status < 400 else ""
