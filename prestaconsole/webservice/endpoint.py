"""How one shop is reached: base, key, and the ways that were found to work. May import redaction and errors."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from prestaconsole import __version__
from prestaconsole.errors import UsageError
from prestaconsole.redaction import Secret

USER_AGENT = f"PrestaConsole/{__version__} (PrestaShop webservice client)"
Auth = Literal["basic", "ws_key", "none"]
_PROXIES = {"http": 8080, "https": 443, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True)
class Endpoint:
    """One shop's webservice and the settings of the road to it.

    ``base_url`` comes from ``address.normalise``. ``auth`` "ws_key" is the fallback for hosts that drop the
    Authorization header, "none" asks without the key to learn who answers there; ``rewriting=False`` is the fallback
    for shops without rewrite rules (WEBSERVICE §1.1, §1.2), ``ps_method`` sends PUT and PATCH as POST where a host
    blocks them. Time-outs are seconds for a whole exchange.
    ``proxy`` comes from ``proxy_address``, ``ca_file`` from ``authority_file``; '' for neither. ``concurrency``
    requests run at once and at most ``rate`` begin a second (0: no limit), those with a low ``priority`` first.
    """

    base_url: str
    key: Secret
    auth: Auth = "basic"
    rewriting: bool = True
    ps_method: bool = False
    timeout: float = 30.0
    write_timeout: float = 60.0
    user_agent: str = USER_AGENT
    concurrency: int = 2
    rate: float = 0.0
    priority: int = 50
    proxy: str = ""
    ca_file: str = ""

    def url(self, path: str, parameters: str = "") -> str:
        """The address of a resource path such as ``products/5``; ``parameters`` are percent-encoded. No key in it."""
        if self.rewriting:
            return f"{self.base_url}/api/{path}" + (f"?{parameters}" if parameters else "")
        # url= is always sent: up to 1.7.0 the dispatcher reads it unguarded (WEBSERVICE §1.1)
        target = f"{self.base_url}/webservice/dispatcher.php?url={quote(path, safe='/')}"
        return target + (f"&{parameters}" if parameters else "")

    def changed(self, **changes: Any) -> "Endpoint":
        """The same endpoint with other settings."""
        return replace(self, **changes)


def proxy_address(text: str) -> str:
    """A proxy as ``socks5://host:1080``, '' for none (row C2). Raises ``UsageError``; its text repeats no password.

    A user and a password are refused: this address is stored and shown, and only the vault may hold a password.
    """
    text = text.strip()
    if not text:
        return ""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if "@" in text:
        raise UsageError(
            "The proxy's address holds a user or a password, which would be stored in the open.",
            "Let the proxy accept this machine by its address, or run a local one that adds the password.",
        )
    if not host or parts.scheme not in _PROXIES or parts.path.strip("/") or parts.query:
        raise UsageError(
            "This is no address of a proxy.", "It takes http://host:port, https://host:port or socks5://host:port."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port or _PROXIES[parts.scheme]}"


def authority_file(text: str) -> str:
    """The path of a PEM file with a certificate authority of one's own, '' for none. Raises ``UsageError``."""
    text = text.strip()
    if not text:
        return ""
    path = Path(text).expanduser()
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise UsageError(
            f"{text} is no readable PEM file with a certificate.",
            "Name the file that holds the certificate of the authority which signed the shop's certificate.",
        )
    return str(path.resolve())
