"""A raw answer of a shop: its document, check sum, error list and evidence. May import lxml, errors, redaction."""

import hashlib
import html
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from lxml import etree

from prestaconsole.redaction import MASK, redact

EVIDENCE_BYTES = 2000
_END = b"</prestashop>"
_PATH = re.compile(r"(?<![\w:/\\.])(?:[A-Za-z]:)?(?:[\\/][\w.@+~-]+)+\.(?:php|tpl|inc|phtml)\b")
_TELLING = re.compile(r"[\\/]((?:modules|override|classes|controllers|vendor|src|app|config|themes|var)[\\/].*)$")
_ENVELOPE_PHP = re.compile(r"^\[PHP ([A-Za-z ]+?) ?#(\d+)\] ?(.*)$", re.DOTALL)
_PRINTED_PHP = re.compile(
    r"(?:<b>)?(?:PHP )?(Warning|Notice|Deprecated|Strict Standards|Fatal error|Parse error|Catchable fatal error)"
    r"(?:</b>)?: .{1,2000}? in .{1,400}? on line (?:<b>)?\d+",
    re.DOTALL,
)
_PRIVATE = re.compile(
    r"(?is)(<(passwd|secure_key|email|phone|phone_mobile|firstname|lastname|address1|address2)\b[^>]*>).*?(</\2>|$)"
)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


@dataclass(frozen=True)
class Answer:
    """What came back for one request. ``target`` is the address without key, ``seconds`` measured here."""

    method: str
    target: str
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = 0.0

    def header(self, name: str) -> str:
        """A header by its lower-case name, '' when absent."""
        return self.headers.get(name, "")

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case."""
        return self.header("content-type").split(";")[0].strip().lower()

    @property
    def is_xml(self) -> bool:
        """Whether the shop calls its answer XML."""
        return self.content_type in {"text/xml", "application/xml"}

    @property
    def from_prestashop(self) -> bool:
        """Whether PrestaShop's webservice itself wrote the headers (WEBSERVICE §1.6)."""
        return bool({"psws-version", "access-time", "execution-time"} & self.headers.keys())

    @property
    def version(self) -> str:
        """The shop's version, '' when the answer does not tell it ("0" before authentication, F13)."""
        version = self.header("psws-version").strip()
        return "" if version == "0" else version

    @property
    def server_time(self) -> datetime | None:
        """The shop's clock when it answered, aware UTC."""
        try:
            return datetime.fromtimestamp(float(self.header("access-time")), UTC)
        except (ValueError, OverflowError, OSError):
            return None

    @property
    def execution_seconds(self) -> float:
        """What the shop says it worked for the answer (Execution-Time), else what we waited."""
        try:
            told = float(self.header("execution-time"))
        except ValueError:
            told = -1.0
        return told if 0 <= told < 100_000 else self.seconds

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, as the shop's host asks; None when it does not."""
        text = self.header("retry-after").strip()
        if text.isdigit():
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
            since = parsedate_to_datetime(self.header("date"))
        except (ValueError, TypeError):
            return None
        return max(0.0, (moment - since).total_seconds())

    def start(self) -> int:
        """Where the XML document begins in the body; -1 where there is none."""
        body = self.body
        if body.startswith((b"<?xml", b"<prestashop")):
            return 0
        found = [place for place in (body.find(b"<?xml"), body.find(b"<prestashop")) if place >= 0]
        return min(found, default=-1)

    def document(self) -> bytes:
        """The XML alone: without what a module or PHP printed before or after it (WEBSERVICE §1.4)."""
        start = self.start()
        if start < 0:
            return b""
        end = self.body.rfind(_END)
        if end < 0 or not self.body[end + len(_END) :].strip():
            return self.body[start:] if start else self.body
        return self.body[start : end + len(_END)] + b"\n"

    def preamble(self) -> str:
        """What was printed before the XML, shortened and redacted; '' as a rule."""
        start = self.start()
        text = self.body[:start].decode("utf-8", "replace").strip("\ufeff \r\n\t") if start > 0 else ""
        return shorten(text)[:300]

    def is_cut(self) -> bool:
        """Whether an XML document begins and never ends."""
        return self.start() >= 0 and _END not in self.body[-4000:] and _END not in self.body

    def intact(self) -> bool | None:
        """Whether the document is byte for byte what PrestaShop built, by its Content-Sha1; None when not told."""
        told = self.header("content-sha1").strip().lower()
        if len(told) != 40 or self.method == "HEAD":
            return None
        for candidate in (self.body, self.document()):
            if hashlib.sha1(candidate, usedforsecurity=False).hexdigest() == told:
                return True
        return False

    def errors(self) -> list[tuple[int, str]]:
        """The error list of the answer as (code, message), code 0 where the shop names none (WEBSERVICE §1.5)."""
        text = self.body.lstrip()[:1]
        if text in (b"{", b"["):
            return _json_errors(self.body)
        if b"<errors" not in self.body:
            return []
        root = etree.fromstring(self.document() or b"<none/>", parser=_recovering())
        if root is None:
            return []
        return [
            (number(error.findtext("code")), (error.findtext("message") or "").strip())
            for error in root.iterfind("errors/error")
        ]

    def evidence(self) -> str:
        """Request line, status, media type and the head of the body; no key, no password, at most 2 kB."""
        kind = self.content_type or "no content type"
        head = f"{self.method} {self.target} → {self.status} {kind}, {len(self.body)} bytes"
        body = self.body[: EVIDENCE_BYTES * 2].decode("utf-8", "replace")
        return clip(f"{head[:600]}\n{_PATH.sub(_telling_part, mask_people(body))}")


def _recovering() -> etree.XMLParser:
    return etree.XMLParser(recover=True, resolve_entities=False, no_network=True, remove_comments=True)


def _json_errors(body: bytes) -> list[tuple[int, str]]:
    try:
        found: Any = json.loads(body, strict=False)
    except ValueError:
        return []
    listed = found.get("errors") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        return []
    rows = [row for row in listed if isinstance(row, dict)]
    return [(number(row.get("code")), str(row.get("message") or "")) for row in rows]


def number(text: object) -> int:
    """A code as a number, 0 where it is none."""
    stripped = str(text or "").strip()
    return int(stripped) if stripped.isdecimal() and len(stripped) < 9 else 0


def clip(text: str) -> str:
    """Redacted text of at most 2 kB."""
    clipped = redact(text).encode("utf-8", "replace")[:EVIDENCE_BYTES]
    return clipped.decode("utf-8", "ignore")


def mask_people(text: str) -> str:
    """Text without passwords, names and mail addresses of a shop's customers."""
    return _MAIL.sub(MASK, _PRIVATE.sub(rf"\g<1>{MASK}\g<3>", text))


def shorten(text: str) -> str:
    """A message of the shop in one line, unescaped and redacted, with server paths cut to what names the file."""
    plain = html.unescape(html.unescape(re.sub(r"<[^>]{0,200}>", "", text)))
    return redact(_PATH.sub(_telling_part, " ".join(plain.split())))


def _telling_part(path: re.Match[str]) -> str:
    found = _TELLING.search(path.group(0))
    return found.group(1) if found else re.split(r"[\\/]", path.group(0))[-1]


def php_message(text: str) -> str:
    """The PHP message in a text, shortened (``Warning: … modules/x/x.php, line 3``); '' when there is none."""
    envelope = _ENVELOPE_PHP.match(text.strip())
    if envelope:
        return shorten(f"{envelope.group(1)}: {envelope.group(3)}")[:400]
    printed = _PRINTED_PHP.search(text[:20_000])
    return shorten(printed.group(0))[:400] if printed else ""


def culprit(message: str) -> str:
    """Which module or file a PHP message names: ``module lscache`` or ``classes/Product.php``; '' when none."""
    module = re.search(r"modules[\\/]([\w-]+)", message)
    if module:
        return f"module {module.group(1)}"
    named = re.search(r"[\w./\\-]+\.(?:php|tpl|inc)", message)
    return named.group(0) if named else ""
