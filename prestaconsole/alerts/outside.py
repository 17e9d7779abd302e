"""The road to a watcher or a webhook: the environment's proxy and authorities, and no socket left behind."""

import ssl
from urllib.request import getproxies, proxy_bypass

import httpx

from prestaconsole import __version__
from prestaconsole.sockets import SocketTransport


def client_for(url: str, transport: httpx.AsyncBaseTransport | None, timeout: float) -> httpx.AsyncClient:
    """A client for this address, seconds of ``timeout`` for each step; no redirect is followed.

    Raises ``httpx.InvalidURL``, and another error of httpx where the proxy or the authorities that the environment
    names make no sense.
    """
    address = httpx.URL(url)
    headers = {"User-Agent": f"PrestaConsole/{__version__}"}
    road = transport or SocketTransport(verify=_authorities(), proxy=_proxy(address))
    return httpx.AsyncClient(transport=road, timeout=timeout, headers=headers, trust_env=False)


def _authorities() -> ssl.SSLContext:
    """The usual ones, or those of SSL_CERT_FILE and SSL_CERT_DIR."""
    try:
        return httpx.create_ssl_context()
    except OSError:
        raise httpx.ConnectError("SSL_CERT_FILE or SSL_CERT_DIR cannot be read") from None


def _proxy(address: httpx.URL) -> httpx.Proxy | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY name, but for the hosts of NO_PROXY."""
    named = getproxies()
    proxy = named.get(address.scheme) or named.get("all")
    if not proxy or proxy_bypass(address.netloc.decode("ascii")):
        return None
    try:
        return httpx.Proxy(proxy if "://" in proxy else f"http://{proxy}")
    except (ValueError, httpx.InvalidURL):
        raise httpx.UnsupportedProtocol("the proxy that the environment names is none") from None
