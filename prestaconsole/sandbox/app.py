"""The simulated shop as an ASGI application, with its faults. Imports the sandbox and Starlette."""

import asyncio
import socket
import struct
import sys
from typing import TYPE_CHECKING

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from prestaconsole.sandbox.control import CONTROL, control
from prestaconsole.sandbox.exchange import Answer, Exchange, Request
from prestaconsole.sandbox.output import errors_xml
from prestaconsole.sandbox.service import answer

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

_HTML = [("content-type", "text/html; charset=utf-8")]
_WARNING = (
    "[PHP Warning #2] Undefined variable $module (/var/www/prestashop/modules/examplemodule/examplemodule.php, line 42)"
)


class SandboxApp:
    """Answers every path and method; the faults stand between the client and the shop."""

    def __init__(self, shop: "SimulatedShop") -> None:
        self.shop = shop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"The sandbox speaks HTTP only, not {scope['type']}.")
        http = HttpRequest(scope, receive)
        body = await http.body()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        raw = scope.get("raw_path") or scope["path"].encode()
        request = Request(
            scope["method"],
            raw.decode("latin-1").partition("?")[0],
            scope["query_string"].decode("latin-1"),
            headers,
            body,
        )
        if request.path == CONTROL:
            await _respond(control(self.shop, request), scope, receive, send, cut=False)
            return
        faults = self.shop.faults
        if faults.id_reuse:
            lost, faults.id_reuse = int(faults.id_reuse), 0.0
            self.shop.lose_orders(lost)
        if faults.latency:
            await asyncio.sleep(faults.latency / 1000)
        fault = faults.draw()
        if fault in ("timeout-before", "reset"):
            self._note(request, 0, fault)
            await _break(fault, receive, send, faults.hang)
            return
        made = await self._answer(request, fault)
        self._note(request, made.status, fault)
        if fault == "timeout-after":
            await _break(fault, receive, send, faults.hang)
            return
        if request.method == "HEAD":
            made.body = b""
        await _respond(made, scope, receive, send, cut=fault == "truncate")

    async def _answer(self, request: Request, fault: str | None) -> Answer:
        if fault == "http500":
            return Answer(500, list(_HTML))
        if fault == "429":
            return Answer(429, [*_HTML, ("retry-after", "1")], b"<html><body>Too Many Requests</body></html>")
        if fault == "html":
            return Answer(200, list(_HTML), b"<!doctype html><html><body>We'll be back soon</body></html>")
        if fault == "other-shop":
            return answer(self.shop.another(), request)
        with self.shop.lock:
            mails = len(self.shop.mails)
            made = answer(self.shop, request)
            sent = len(self.shop.mails) > mails
        if sent and self.shop.faults.mail_seconds:
            await asyncio.sleep(self.shop.faults.mail_seconds)
        if fault == "php-warning":
            # The work is done; the message alone makes it a 500 (F1, F3).
            headers = [entry for entry in made.headers if entry[0] not in ("content-type", "content-sha1")]
            headers.append(("content-type", "text/xml;charset=utf-8"))
            return Answer(500, headers, errors_xml([(3, _WARNING)]).encode())
        return made

    def _note(self, request: Request, status: int, fault: str | None) -> None:
        journal, limit = self.shop.journal, self.shop.journal_limit
        journal.append(Exchange(request.method, request.path, request.query, status, request.body, fault))
        if limit is not None and len(journal) > limit:
            del journal[: limit // 2]


async def _respond(made: Answer, scope: Scope, receive: Receive, send: Send, *, cut: bool) -> None:
    response = Response(made.body, made.status)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in made.headers
    ]
    if scope["method"] != "HEAD" and made.status != 304:
        response.raw_headers.append((b"content-length", str(len(made.body)).encode()))
    if not cut or len(made.body) < 2:
        await response(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": made.status, "headers": response.raw_headers})
    half = made.body[: len(made.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    told = f"(received {len(half)} bytes, expected {len(made.body)})"
    await _cut("RemoteProtocolError", f"peer closed connection without sending complete message body {told}", send)


async def _break(fault: str, receive: Receive, send: Send, hang: float) -> None:
    if fault == "reset":
        await _cut("ReadError", "the connection was reset", send)
        return
    if _transport(send) is None:
        raise _client_error("ReadTimeout", "no answer in time")
    try:
        async with asyncio.timeout(hang):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        await _cut("ReadTimeout", "no answer in time", send)


async def _cut(kind: str, text: str, send: Send) -> None:
    transport = _transport(send)
    if transport is None:
        raise _client_error(kind, text)
    if kind == "ReadError":
        # Without lingering the close goes out as a reset.
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.close()
    # uvicorn ends the request by itself once it sees the connection gone.
    await asyncio.sleep(0)


def _transport(send: Send) -> asyncio.Transport | None:
    """The connection, when the shop is served over a port by uvicorn; None when it is called in-process."""
    cycle = getattr(send, "__self__", None)
    found = getattr(cycle, "transport", None)
    return found if isinstance(found, asyncio.Transport) else None


def _client_error(kind: str, text: str) -> Exception:
    # In-process there is no connection to break. httpx hands an application's exception to its caller, so the
    # very exception a broken connection would cause is raised where the caller has httpx loaded.
    module = sys.modules.get("httpx")
    found = getattr(module, kind, None)
    made = found(text) if found is not None else ConnectionResetError(text)
    return made if isinstance(made, Exception) else ConnectionResetError(text)
