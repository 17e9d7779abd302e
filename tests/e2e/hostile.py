"""A server that hands every key it is given back in its answers, each folder of it in another way."""

import base64
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

HANG_SECONDS = 1.5
ROOT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<prestashop xmlns:xlink="http://www.w3.org/1999/xlink">'
    '<api shopName="{name}">{rights}</api></prestashop>'
)
RESOURCES = (
    *("configurations", "languages", "currencies", "order_states", "carriers", "shops", "shop_groups", "orders"),
    *("products", "combinations", "product_option_values", "stock_availables", "order_details", "order_histories"),
    *("customers", "addresses"),
)
RIGHTS = "".join(f'<{name} get="true" put="true" post="true" delete="true" head="true"/>' for name in RESOURCES)


@dataclass(frozen=True)
class Seen:
    """One request: the key it carried, how, and its whole address with the key as a careless server logs it."""

    key: str
    by_header: bool
    path: str
    base: str

    @property
    def basic(self) -> str:
        return base64.b64encode(f"{self.key}:".encode()).decode()

    @property
    def at_root(self) -> bool:
        return urlsplit(self.path).path.rstrip("/").endswith("/api")

    @property
    def echo(self) -> str:
        """The key in every form in which it can come back."""
        return (
            f"{self.key} Basic {self.basic} {self.base}/api/?ws_key={self.key} ({self.key.lower()}) "
            f"http://{self.key}:@shop.example/ {self.basic} x{self.key}x"
        )


Face = Callable[[Seen], bytes | None]


def answer(status: int, body: str | bytes, kind: str = "text/html", *headers: str, length: int | None = None) -> bytes:
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", *headers, "Connection: close"]
    lines.append(f"Content-Length: {len(content) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def xml(body: str, status: int = 200, *headers: str) -> bytes:
    return answer(status, body, "text/xml;charset=utf-8", "PSWS-Version: 8.2.1", *headers)


def errors(status: int, code: int, text: str) -> bytes:
    listed = f"<error><code>{code}</code><message><![CDATA[{text}]]></message></error>"
    return xml(f'<?xml version="1.0"?><prestashop><errors>{listed}</errors></prestashop>', status)


def html(seen: Seen, status: int = 200, *headers: str) -> bytes:
    return answer(status, f"<html><body><h1>Oh</h1><p>{seen.echo}</p></body></html>", "text/html", *headers)


def warning(seen: Seen) -> str:
    return f"<b>Warning</b>: cannot open {seen.echo} in /var/www/{seen.key}/x.php on line <b>3</b><br />\n"


def root(name: str = "Wolle") -> str:
    return ROOT.format(name=name, rights=RIGHTS)


def stripped(rest: Face) -> Face:
    """A host that drops the Authorization header: the key has to go into the address."""

    def face(seen: Seen) -> bytes | None:
        challenge = 'WWW-Authenticate: Basic realm="Welcome to PrestaShop Webservice"'
        return answer(401, "401 Unauthorized", "text/html", challenge) if seen.by_header else rest(seen)

    return face


def after_root(rest: Face, *, before: str = "") -> Face:
    """The connection test passes; everything else fails."""

    def face(seen: Seen) -> bytes | None:
        if seen.at_root:
            return xml((warning(seen) if before else "") + root())
        return rest(seen)

    return face


def _rows(seen: Seen) -> bytes:
    """Data of the shop that holds the key: names of languages, storefronts, products."""
    if seen.at_root:
        return xml(root(seen.echo.replace("&", "&amp;")))
    resource = urlsplit(seen.path).path.split("/api/")[1].split("/")[0]
    node = {"currencies": "currency", "order_histories": "order_history"}.get(resource, resource.rstrip("s"))
    names = "".join(f"<{name}>{seen.echo}</{name}>" for name in ("name", "reference", "iso_code", "value", "payment"))
    return xml(
        f'<?xml version="1.0"?><prestashop><{resource}><{node}><id>1</id>{names}</{node}></{resource}></prestashop>'
    )


def _redirect(to: Callable[[Seen], str], status: int = 302) -> Face:
    return lambda seen: answer(status, seen.echo, "text/html", f"Location: {to(seen)}")


FACES: dict[str, Face] = {
    "wrong-key": lambda seen: errors(401, 20, f"Authentification key {seen.echo} is not active"),
    "malformed-key": lambda seen: errors(401, 18, f"Invalid authentication key format {seen.echo}"),
    "unknown-key": lambda seen: errors(401, 19, f"Authentification key {seen.echo} does not exist"),
    "no-rights": lambda seen: errors(401, 21, f"No permission for {seen.echo}"),
    "disabled": lambda seen: errors(503, 22, f"The PrestaShop webservice is disabled {seen.echo}"),
    "no-resource": after_root(lambda seen: errors(401, 26, f"Resource of type {seen.echo} is not allowed")),
    "sql": after_root(lambda seen: errors(500, 97, f"SQL Error: {seen.echo}")),
    "odd-code": lambda seen: errors(400, 777, seen.echo),
    "stripped-php": stripped(lambda seen: errors(500, 2, f"[PHP Warning #2] {seen.echo} (/var/www/x.php, line 3)")),
    "stripped-html": stripped(html),
    "stripped-good": stripped(after_root(lambda seen: html(seen, 500), before="warning")),
    "html": html,
    "html-500": lambda seen: html(seen, 500),
    "html-403": lambda seen: html(seen, 403),
    "html-404": lambda seen: html(seen, 404),
    "gateway": lambda seen: html(seen, 502),
    "proxy": lambda seen: html(seen, 407, f'Proxy-Authenticate: Basic realm="{seen.key}"'),
    "password": lambda seen: html(seen, 401, f'WWW-Authenticate: Basic realm="{seen.key} {seen.basic}"'),
    "busy": lambda seen: html(seen, 429, "Retry-After: 100"),
    "redirect-key": _redirect(lambda seen: f"https://www.shop.example/api/?ws_key={seen.key}"),
    "redirect-user": _redirect(lambda seen: f"https://{seen.key}:@www.shop.example/api/", 301),
    "redirect-folder": _redirect(lambda seen: f"https://www.shop.example/{seen.key}/api/", 307),
    "redirect-lower": _redirect(lambda seen: f"https://www.shop.example/{seen.key.lower()}/api/", 308),
    "redirect-host": _redirect(lambda seen: f"https://{seen.key}.shop.example/api/", 302),
    "truncated": lambda seen: answer(200, warning(seen) + root()[:90], "text/xml", length=9999),
    "cut-xml": lambda seen: xml(root(seen.echo)[:-30]),
    "php-before": after_root(lambda seen: answer(200, warning(seen), "text/html"), before="warning"),
    "php-fatal": lambda seen: answer(500, f"PHP Fatal error: Uncaught {seen.echo} in x.php on line 7", "text/html"),
    "php-list": lambda seen: errors(500, 8, f"[PHP Notice #8] {seen.echo} (/var/www/modules/{seen.key}/x.php, line 1)"),
    "text": lambda seen: answer(200, f"no {seen.echo}", "text/plain"),
    "json": lambda seen: answer(400, f'{{"errors": [{{"code": 20, "message": "{seen.echo}"}}]}}', "application/json"),
    "empty": lambda seen: answer(200, "", "text/xml", f"X-Debug: {seen.echo}"),
    "malformed": lambda seen: xml(root().replace("<api", f"<a pi {seen.echo}")),
    "status-line": lambda seen: f"HTTP/9.9 {seen.echo}\r\n\r\n".encode(),
    "header-line": lambda seen: f"HTTP/1.1 200 OK\r\n{seen.echo}\x00\r\n\r\n".encode(),
    "gzip": lambda seen: answer(200, seen.echo, "text/xml", "Content-Encoding: gzip"),
    "kind": lambda seen: answer(200, seen.echo, f"{seen.key}/{seen.basic}"),
    "version": lambda seen: answer(200, root(), "text/xml", f"PSWS-Version: {seen.key}"),
    "hang": lambda seen: time.sleep(HANG_SECONDS),
    "cut": lambda seen: None,
    "data": _rows,
}  # fmt: skip


class Hostile(socketserver.ThreadingTCPServer):
    """All faces on one port; a shop's address is ``url(face)``."""

    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Seen] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def url(self, face: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{face}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some of the faces are for."""


class _Handler(socketserver.StreamRequestHandler):
    server: Hostile
    timeout = 5

    def handle(self) -> None:
        line = self.rfile.readline().decode("latin-1").split()
        headers = {}
        while (text := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        if len(line) < 2:
            return
        target = urlsplit(line[1])
        scheme, _, sealed = headers.get("authorization", "").partition(" ")
        by_header = scheme.lower() == "basic"
        key = base64.b64decode(sealed).decode().partition(":")[0] if by_header else ""
        key = key or parse_qs(target.query).get("ws_key", [""])[0]
        name = target.path.strip("/").split("/")[0]
        seen = Seen(key, by_header, line[1], self.server.url(name))
        self.server.seen.append(seen)
        said = FACES.get(name, FACES["html"])(seen)
        if said is not None:
            self.wfile.write(said)
