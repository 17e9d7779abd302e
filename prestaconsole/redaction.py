"""Secrets and how they are kept out of everything that can be read. Imports nothing but errors.

A webservice key is 32 characters of A–Z and 0–9 (WEBSERVICE.md §1.2). Wherever text leaves the program
it passes ``redact``: known secrets, their Basic form and anything key-shaped become ``••••``.
"""

import base64
import logging
import re
import weakref
from typing import ClassVar

from prestaconsole.errors import UsageError

MASK = "••••"
_KEY_SHAPED = re.compile(r"(?<![A-Za-z0-9])[A-Z0-9]{32}(?![A-Za-z0-9])")
_BASIC = re.compile(r"(?i)\bbasic\s+[A-Za-z0-9+/]{8,}={0,2}")
_WS_KEY = re.compile(r"(?i)(ws_key=)[^&\s\"'<>]+")
_USER_INFO = re.compile(r"(?i)(\w+://)[^/\s@]+@")
_KEY_BYTES = 32


class Secret:
    """Text that no print, repr, format or pickle gives away; ``reveal`` is the one way in."""

    __slots__ = ("__weakref__", "_value")
    _known: ClassVar["weakref.WeakSet[Secret]"] = weakref.WeakSet()

    def __init__(self, value: str) -> None:
        self._value = value
        Secret._known.add(self)

    def reveal(self) -> str:
        """The text itself. Call it only where it leaves for the shop or is sealed."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> str:
        raise TypeError("A secret is not pickled.")


def _basic_form(key: str) -> str:
    return base64.b64encode(f"{key}:".encode()).decode()


def redact(text: str) -> str:
    """The same text without secrets: live ``Secret`` values, key-shaped words, Basic headers, ws_key, URL users."""
    for secret in list(Secret._known):
        value = secret._value
        if len(value) >= 8:
            # Hosts fold addresses and headers, and so does a key in them.
            text = text.replace(value, MASK).replace(value.lower(), MASK)
        form = _basic_form(value)
        if form in text:
            text = text.replace(form, MASK)
    text = _BASIC.sub(f"Basic {MASK}", text)
    text = _WS_KEY.sub(rf"\g<1>{MASK}", text)
    text = _USER_INFO.sub(rf"\g<1>{MASK}@", text)
    return _KEY_SHAPED.sub(MASK, text)


def holds_key(text: str) -> bool:
    """Whether a piece of free text contains something shaped like a webservice key (row X2)."""
    return _KEY_SHAPED.search(text) is not None


def refuse_key(field: str, text: str) -> str:
    """Give the text back, or raise ``UsageError`` where it holds a key: keys belong in the vault (row X2)."""
    if holds_key(text):
        raise UsageError(
            f"The {field} holds something that looks like a webservice key, so it was not saved.",
            "Keys go in through `shop add … --key-stdin` or `shop rotate-key`, nowhere else. "
            "If that key is real, make a new one in the shop: it was typed into a readable field.",
        )
    return text


class RedactingFilter(logging.Filter):
    """Put on every log handler: message, arguments and exception text leave without secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = None
        if record.exc_info or record.exc_text:
            # Another handler may have kept the text already, with everything in it.
            text = record.exc_text or logging.Formatter().formatException(record.exc_info or (None, None, None))
            record.exc_text = redact(text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True
