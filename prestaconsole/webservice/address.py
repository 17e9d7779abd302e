"""Brings what people type as a shop's address to one base. May import httpx, errors, redaction."""

import ipaddress
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import httpx

from prestaconsole.errors import UsageError
from prestaconsole.redaction import holds_key

_SCHEME = re.compile(r"(?i)^([a-z][a-z0-9+.-]*)://?")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_PAGE = re.compile(r"(?i)\.(php\d?|html?|aspx?)$")
_BACK_OFFICE = re.compile(r"(?i)^(admin|backoffice|back-office)")
_DEFAULT_PORT = {"https": 443, "http": 80}
_LONGEST = 2000


class AddressError(UsageError):
    """What was typed cannot be the address of a shop, or holds something that must not be stored."""


def normalise(text: str) -> str:
    """The base of a shop: ``https://shop.example/folder``, lower-case host, no trailing slash, nothing secret.

    Takes the shop's front page, its ``/api``, ``webservice/dispatcher.php`` or back-office address. Without a
    scheme it is https, on this machine and in private networks http; ``www`` is kept, since a shop answers under
    one name only (WEBSERVICE §2.4). Raises ``AddressError``; its text never repeats a key or a folder.
    """
    text = text.strip().strip("\"'<>").strip().replace("\\", "/")
    if not text:
        raise AddressError("No address was given.", "Type the shop's address, for example https://shop.example.")
    if len(text) > _LONGEST or any(character.isspace() or ord(character) < 32 for character in text):
        raise AddressError("The address holds blanks or is far too long.", "Copy it from the browser's address bar.")
    scheme, rest = _split_scheme(text)
    try:
        parts = urlsplit(f"//{rest}")
        user_info, port = "@" in parts.netloc, parts.port
        typed_host = parts.hostname or ""
    except ValueError:
        raise AddressError("The address cannot be read.", "Check the port: it is a number up to 65535.") from None
    if user_info:
        raise AddressError(
            "The address holds a user name or a key before the @.",
            "Leave it out: the webservice key is asked for on its own and kept in the vault.",
        )
    if "ws_key" in dict(parse_qsl(parts.query)) or holds_key(unquote(parts.path)) or holds_key(parts.netloc):
        raise AddressError(
            "The address holds a webservice key.",
            "Leave it out: the key is asked for on its own. Make a new key if others may have seen this address.",
        )
    host = _host(typed_host)
    if not scheme:
        scheme = "http" if is_private(host) else "https"
    shown_port = "" if port in (None, _DEFAULT_PORT[scheme]) else f":{port}"
    return f"{scheme}://{host}{shown_port}{_folder(parts.path, parts.query)}"


def is_private(host: str) -> bool:
    """Whether a host is this machine or stands in a private network, where plain http is acceptable."""
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".test", ".lan")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return address.is_private or address.is_loopback or address.is_link_local


def _split_scheme(text: str) -> tuple[str, str]:
    match = _SCHEME.match(text)
    if match is None:
        return "", text.lstrip("/")
    scheme = match.group(1).lower()
    if scheme not in _DEFAULT_PORT:
        raise AddressError(
            f"A shop is reached by http or https, not by {scheme}.", "Type the address that the shop's visitors use."
        )
    return scheme, text[match.end() :]


def _host(typed: str) -> str:
    if ":" in typed:
        try:
            return f"[{ipaddress.IPv6Address(typed).compressed}]"
        except ValueError:
            raise AddressError("The address holds a host that cannot be read.", "Check what is in brackets.") from None
    try:
        host = httpx.URL(f"https://{typed.rstrip('.')}/").raw_host.decode("ascii").lower()
    except (httpx.InvalidURL, UnicodeError):
        host = ""
    if not _HOST.fullmatch(host) or len(host) > 253:
        raise AddressError(
            "The address names no host that could exist.", "Type the shop's address, for example https://shop.example."
        )
    return host


def _folder(path: str, query: str) -> str:
    """The folder a shop lives in: what stands before the API, the back office or a page."""
    segments = [unquote(segment) for segment in path.split("/") if segment and segment != "."]
    if ".." in segments:
        raise AddressError("The address holds '..'.", "Type the address without it.")
    kept: list[str] = []
    for position, segment in enumerate(segments):
        following = segments[position + 1 :]
        lowered = segment.lower()
        if lowered == "api" or _BACK_OFFICE.match(segment):
            break
        if lowered == "webservice" and following[:1] and following[0].lower() == "dispatcher.php":
            break
        if _PAGE.search(segment):
            if lowered == "index.php" and kept and _is_back_office(following, query):
                kept.pop()  # a back office under a name of its own: the folder is a secret and is not stored
            break
        kept.append(segment)
    return "".join(f"/{quote(segment)}" for segment in kept)


def _is_back_office(following: list[str], query: str) -> bool:
    parameters = {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}
    controller = parameters.get("controller", parameters.get("tab", ""))
    return bool(following) or controller.startswith("Admin") or bool({"token", "_token"} & parameters.keys())
