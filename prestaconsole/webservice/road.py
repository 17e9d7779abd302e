"""Opens the road to a shop: connections, proxy, certificates, and the names of what fails on it. May import httpx."""

import errno
import functools
import logging
import socket
import ssl
from collections.abc import Generator
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from prestaconsole.redaction import RedactingFilter, Secret, redact
from prestaconsole.sockets import SocketTransport
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.endpoint import Endpoint

_CHATTY = ("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")


def _quieten() -> None:
    """httpx logs whole addresses, and in ws_key mode these hold the key."""
    for name in _CHATTY:
        logger = logging.getLogger(name)
        if not any(isinstance(present, RedactingFilter) for present in logger.filters):
            logger.addFilter(RedactingFilter())


class _Lent(httpx.AsyncBaseTransport):
    """A transport that was handed in belongs to its giver: closing one client must not close it for others."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)


class KeyInAddress(httpx.Auth):
    """The key as ws_key: put into the address on its way out, so that no variable of ours holds such an address."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        address = str(request.url)
        request.url = httpx.URL(f"{address}{'&' if '?' in address else '?'}ws_key={self._key.reveal()}")
        yield request


def open_road(endpoint: Endpoint, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """Connections to a shop: no redirects, no cookies, nothing from the environment, the endpoint's proxy and CA.

    Raises ``CertificateFile`` where the file with the shop's own authority cannot be read.
    """
    _quieten()
    road: httpx.AsyncBaseTransport
    if transport is not None:
        road = _Lent(transport)
    else:
        verify = _trusting(endpoint.ca_file) if endpoint.ca_file else _usual_authorities()
        road = SocketTransport(verify=verify, proxy=httpx.Proxy(endpoint.proxy) if endpoint.proxy else None)
    return httpx.AsyncClient(
        transport=road,
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"User-Agent": endpoint.user_agent, "Accept-Encoding": "gzip", "Accept": "*/*"},
    )


@functools.cache
def _usual_authorities() -> ssl.SSLContext:
    """Read once for all shops: it takes longer than many a request."""
    return httpx.create_ssl_context(trust_env=False)


def _trusting(ca_file: str) -> ssl.SSLContext:
    """The usual authorities and one more."""
    context = httpx.create_ssl_context(trust_env=False)
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise e.CertificateFile() from None
    return context


def road_error(error: Exception, *, proxy: bool = False) -> e.WebserviceError:
    """Our error for one of httpx's or the system's; holds nothing of the request. ``proxy``: one stands between."""
    if proxy and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        found = _connect_error(error)
        return found if isinstance(found, e.CertificateProblem) else e.ProxyProblem("The proxy cannot be reached.")
    if isinstance(error, httpx.ConnectTimeout):
        return e.ConnectTimedOut()
    if isinstance(error, httpx.PoolTimeout):
        return e.NotConnected("All connections to the shop are in use.", "It is tried again.")
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return e.TimedOut()
    if isinstance(error, httpx.ConnectError):
        return _connect_error(error)
    if isinstance(error, httpx.DecodingError):
        return e.BrokenEncoding()
    if isinstance(error, httpx.RemoteProtocolError):
        text = str(error).lower()
        cut = any(sign in text for sign in ("disconnect", "closed", "incomplete", "terminated"))
        return e.CutConnection() if cut else e.NotHttp()
    if isinstance(error, httpx.ProxyError):
        return e.ProxyProblem(f"{e.ProxyProblem.default_cause.rstrip('.')} ({_said(error)}).")
    if isinstance(error, httpx.UnsupportedProtocol):
        return e.NotConnected()
    if isinstance(error, httpx.InvalidURL | httpx.LocalProtocolError):
        return e.NotHttp("The request could not be put together.", "Check the shop's address.")
    return e.CutConnection()


def _connect_error(error: BaseException) -> e.WebserviceError:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    text = " ".join(str(link) for link in chain).lower()
    if any(isinstance(link, socket.gaierror) for link in chain) or any(
        sign in text
        for sign in ("name or service not known", "nodename nor servname", "name resolution", "getaddrinfo")
    ):
        return e.NameNotFound()
    if "certificate" in text or any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        return e.CertificateProblem()
    if any(isinstance(link, ssl.SSLError) for link in chain) or "ssl" in text:
        return e.CertificateProblem(
            "No encrypted connection could be made with the shop's host.",
            "Check scheme and port of the address: https on an http port looks like this.",
        )
    refused = any(isinstance(link, OSError) and link.errno == errno.ECONNREFUSED for link in chain)
    if refused or "refused" in text or "all connection attempts failed" in text:
        return e.ConnectionRefused()
    return e.NotConnected()


def _said(error: Exception) -> str:
    """What a proxy answered, without addresses: they may hold what is typed into them."""
    text = " ".join(str(error).split())
    return redact(text)[:120].strip(" .!") or "it closed the connection"
