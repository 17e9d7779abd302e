"""Webservice keys and the checks that come before every answer (WEBSERVICE §1.2, §1.3). Imports the refusals."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from prestaconsole.sandbox.exchange import Request
from prestaconsole.sandbox.refusal import PlainAnswer, Refusal

DEFAULT_KEY = "SANDBOX0SANDBOX0SANDBOX0SANDBOX0"
METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD")
CHALLENGE = (
    "www-authenticate",
    'Basic realm="Welcome to PrestaShop Webservice, please enter the authentication key as the login. '
    'No password required."',
)


@dataclass
class Key:
    """One webservice key. `permissions` maps a resource to its methods; None grants all of them."""

    text: str
    permissions: Mapping[str, frozenset[str]] | None = None
    active: bool = True
    shops: frozenset[int] | None = None
    methods: frozenset[str] = field(default=frozenset(METHODS))

    def granted(self, resource: str) -> frozenset[str]:
        """The methods the key may use on a resource."""
        if self.permissions is None:
            return self.methods
        return self.permissions.get(resource, frozenset())


def presented(request: Request, params: Mapping[str, str], *, header_lost: bool = False) -> str | None:
    """The key the client sent: Basic before ws_key (F11); None where there is none at all."""
    header = "" if header_lost else request.headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            text = ""
        return text.partition(":")[0]
    return params.get("ws_key")


def no_key(*, ancient: bool) -> PlainAnswer:
    """The answer to a request without any key: plain text, no XML (F10); 1.5 says nothing at all."""
    return PlainAnswer(
        401, "" if ancient else "401 Unauthorized", [CHALLENGE, ("content-type", "text/html; charset=utf-8")]
    )


def check(keys: Mapping[str, Key], text: str, *, ancient: bool) -> Key:
    """The key that text names. Raises Refusal 17, 18, 19 or 20 (with 21), or 21 alone without permissions."""
    if not text:
        raise Refusal(401, (17, "Authentication key is empty"))
    if len(text) != 32:
        raise Refusal(401, (18, "Invalid authentication key format"))
    key = keys.get(text)
    none = (21, "No permission for this authentication key")
    if key is None and ancient:
        raise Refusal(401, (19, "Authentification key does not exist"), none)
    if key is None or not key.active:
        raise Refusal(401, (20, "Authentification key is not active"), none)
    if key.permissions is not None and not any(key.permissions.values()):
        raise Refusal(401, none)
    return key
