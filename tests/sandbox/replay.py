"""Replays recorded exchanges against a simulated shop and names what differs."""

import base64
import gzip
import json
import re
from dataclasses import dataclass, field

import httpx
from lxml import etree

from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from tests.support.shared import Recording

KEYS = {
    "full": DEFAULT_KEY,
    "limited": "LIMITED0LIMITED0LIMITED0LIMITED0",
    "disabled": "DISABLED0DISABLED0DISABLED0DISAB",
    "no-permission": "NOTHING0NOTHING0NOTHING0NOTHING0",
    "other": "OTHER000OTHER000OTHER000OTHER000",
    "no-shop": "NOSHOP00NOSHOP00NOSHOP00NOSHOP00",
}
_PICTURES = {
    "jpg": b"\xff\xd8\xff\xe0" + b"jpg" * 9,
    "png": b"\x89PNG\r\n\x1a\n" + b"png" * 9,
    "gif": b"GIF89a" + b"gif" * 9,
    "webp": b"RIFF\0\0\0\0WEBPVP8 " + b"webp" * 9,
    "avif": b"\0\0\0 ftypavif" + b"avif" * 9,
}
UNKNOWN = "X" * 32
LIMITED = {
    "orders": ["GET"],
    "products": ["GET", "HEAD"],
    "stock_availables": ["GET", "PUT"],
}
# Headers a client reads; those of the web server and the cookie are not compared.
HEADERS = ("content-type", "psws-version", "x-powered-by", "www-authenticate", "location")
_LEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass
class Shape:
    """What is compared of one answer."""

    status: int
    headers: dict[str, str]
    errors: list[tuple[str, str]] = field(default_factory=list)
    nodes: object = None
    ids: list[str] = field(default_factory=list)
    text: str = ""


def prepare(shop: SimulatedShop) -> None:
    """Give the shop the keys the recordings were made with."""
    shop.add_key(KEYS["limited"], LIMITED)
    shop.add_key(KEYS["disabled"], active=False)
    shop.add_key(KEYS["no-permission"], {})
    shop.add_key(KEYS["no-shop"], shops=[])
    shop.add_key(KEYS["other"], shops=[2])


async def replay(shop: SimulatedShop, recording: Recording) -> list[str]:
    """Ask the shop what was asked of the real one; the differences, empty where they agree."""
    answered = await ask(shop, recording)
    headers = {name.lower(): value for name, value in recording.response["headers"]}
    body = _content(recording.response["body"], recording.response.get("encoding"))
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    recorded = shape(recording.response["status"], headers, body, whole=_is_schema(recording))
    return differences(recorded, answered)


def _is_schema(recording: Recording) -> bool:
    return "schema=" in recording.request["path_and_query"]


async def ask(shop: SimulatedShop, recording: Recording) -> Shape:
    """The shape of the simulated shop's answer to a recorded request."""
    request = recording.request
    key = request.get("key")
    query = request["path_and_query"].replace("FULL4CONSOLE0FULL4CONSOLE0FULL40", DEFAULT_KEY)
    headers = {name: value for name, value in request["headers"].items() if name.lower() != "connection"}
    headers.setdefault("Host", _host(recording))
    if key is not None:
        text = "SHORT" if "short" in recording.name else KEYS.get(key, UNKNOWN)
        if key == "other" and "multistore" not in recording.folder:
            text = "SHORT" if "short" in recording.name else UNKNOWN
        headers["Authorization"] = "Basic " + base64.b64encode(f"{text}:".encode()).decode()
    transport = httpx.ASGITransport(app=shop.app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{_host(recording)}") as client:
        raw = httpx.URL(f"http://{_host(recording)}").copy_with(raw_path=query.encode())
        body = _content(request.get("body"), request.get("encoding")) or _upload(recording)
        answer = await client.request(request["method"], raw, headers=headers, content=body)
    return shape(answer.status_code, dict(answer.headers), answer.content, whole=_is_schema(recording))


def _content(text: str | None, encoding: str | None) -> bytes:
    return base64.b64decode(text or "") if encoding == "base64" else (text or "").encode()


def _upload(recording: Recording) -> bytes:
    """A picture like the one that was sent: the recordings leave the uploads' bodies out."""
    kind = recording.request["headers"].get("Content-Type", "")
    if recording.name.endswith("raw-body-no-multipart"):
        return _PICTURES["jpg"]
    if not kind.startswith("multipart/"):
        return b""
    name = next((name for name in ("png", "gif", "webp", "avif") if f"-{name}" in recording.name), "jpg")
    content = _PICTURES[name] + (b"\0" * 3_300_000 if "3.3-MB" in recording.name else b"")
    field = "file" if "wrong-field" in recording.name else "image"
    boundary = kind.partition("boundary=")[2]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="a"\r\n'
    return head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + content + f"\r\n--{boundary}--\r\n".encode()


def _host(recording: Recording) -> str:
    port = {"1.6": 8016, "1.7": 8017, "8.2": 8018, "9.0": 8019}[recording.prestashop[:3]]
    port = 8028 if "multistore" in recording.folder else port
    return f"127.0.0.1:{port}"


def shape(status: int, headers: dict[str, str], body: bytes, *, whole: bool = False) -> Shape:
    """The comparable part of an answer; with `whole` its values too, as a schema has no data of a shop's own."""
    made = Shape(status, {name: headers[name] for name in HEADERS if name in headers})
    text = body.decode("utf-8", "replace")
    kind = headers.get("content-type", "")
    if kind.startswith("application/json"):
        _json(made, text)
    elif kind.startswith("text/xml") and text:
        _xml(made, text, whole=whole)
    elif kind.startswith("text/html") and status != 414:
        made.text = text.strip()
    return made


def _json(made: Shape, text: str) -> None:
    value = json.loads(text, strict=False)
    if isinstance(value, dict) and "errors" in value:
        made.errors = [(str(entry.get("code")), entry["message"]) for entry in value["errors"]]
        value = {name: part for name, part in value.items() if name != "errors"}
    made.nodes = _members(value)
    for rows in value.values() if isinstance(value, dict) else ():
        for row in rows if isinstance(rows, list) else [rows]:
            if isinstance(row, dict) and "id" in row:
                made.ids.append(str(row["id"]))


def _members(value: object) -> object:
    if isinstance(value, dict):
        return {name: _members(part) for name, part in value.items()}
    if isinstance(value, list):
        found: list[object] = []
        for part in value:
            one = _members(part)
            if one not in found:
                found.append(one)
        return found
    return type(value).__name__


def _xml(made: Shape, text: str, *, whole: bool) -> None:
    try:
        tree = etree.fromstring(_LEGAL.sub("", text).encode())
    except etree.XMLSyntaxError:
        made.nodes = "not well-formed"
        made.errors = [(code, "") for code in re.findall(r"<code><!\[CDATA\[(\d+)\]\]></code>", text)]
        return
    errors = tree.find("errors")
    if errors is not None:
        made.errors = [(error.findtext("code") or "", error.findtext("message") or "") for error in errors]
    else:
        made.nodes = _whole(tree) if whole else _nodes(tree)
        for entity in tree if len(tree) != 1 else [tree[0], *tree[0]]:
            row_id = entity.get("id") or entity.findtext("id")
            if row_id:
                made.ids.append(row_id)


def _whole(element: etree._Element) -> object:
    """Tag, attributes with their values, text and children."""
    marks = {str(name): str(value) for name, value in element.attrib.items()}
    return (str(element.tag), marks, (element.text or "").strip(), [_whole(child) for child in element])


def _nodes(element: etree._Element) -> object:
    """Tag, attribute names and the children's structures; of alike neighbours one stands for all."""
    children: list[object] = []
    for child in element:
        one = _nodes(child)
        if not children or children[-1] != one:
            children.append(one)
    return (str(element.tag), tuple(element.attrib), children)


def differences(recorded: Shape, answered: Shape) -> list[str]:
    """What differs, one sentence each."""
    found = []
    for name in ("status", "headers", "errors", "text", "ids", "nodes"):
        was, now = getattr(recorded, name), getattr(answered, name)
        if was != now:
            found.append(f"{name}: recorded {_short(was, now)}")
    return found


def _short(was: object, now: object) -> str:
    one, other = repr(was), repr(now)
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    start = max(0, start - 60)
    return f"…{one[start : start + 220]}… answered …{other[start : start + 220]}…"
