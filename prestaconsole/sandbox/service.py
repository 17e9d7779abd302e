"""One request from its first check to its answer (WEBSERVICE §1). Imports the sandbox only."""

import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prestaconsole.sandbox import images, keys, reading, search, writing
from prestaconsole.sandbox.context import (
    Context,
    base_address,
    check_shop,
    front_page,
    languages,
    virtual_folders,
    wants_json,
)
from prestaconsole.sandbox.exchange import MAXIMUM_REQUEST_LINE, Answer, Request
from prestaconsole.sandbox.output import Style, errors_json, errors_xml, raw_controls
from prestaconsole.sandbox.refusal import PlainAnswer, Refusal, did_you_mean

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

XML = "text/xml;charset=utf-8"
JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_READS = ("GET", "HEAD")


def answer(shop: "SimulatedShop", request: Request) -> Answer:
    """What the shop answers. Never raises for anything a client can send."""
    began = time.perf_counter()
    params = request.params
    if len(request.path) + len(request.query) + len(request.method) + 11 > MAXIMUM_REQUEST_LINE:
        return _page(414, "Request-URI Too Long", "The requested URL's length exceeds the capacity limit.")
    segments, front = _addressed(shop, request, params)
    if segments is None:
        return _front(shop, request)
    method = params.get("ps_method", request.method).upper()
    known = [False]
    try:
        made = _checked(shop, request, params, segments, method, known, front)
    except PlainAnswer as plain:
        made = Answer(plain.status, list(plain.headers), plain.body.encode())
        if not plain.webservice:
            return _cookie(shop, made)
    except Refusal as refusal:
        made = _refused(shop, request, params, refusal)
    return _with_headers(shop, made, known[0], time.perf_counter() - began, request)


def _addressed(
    shop: "SimulatedShop", request: Request, params: Mapping[str, str]
) -> tuple[list[str] | None, int | None]:
    """The parts after /api/, and the shop whose own folder stands before it (R58)."""
    for id_shop, folder in virtual_folders(shop).items():
        found = request.segments(params, f"{shop.folder}{folder}") if request.path.startswith(folder) else None
        if found is not None:
            return found, id_shop
    return request.segments(params, shop.folder), None


def _checked(
    shop: "SimulatedShop",
    request: Request,
    params: Mapping[str, str],
    segments: list[str],
    method: str,
    known: list[bool],
    front: int | None,
) -> Answer:
    url = "/".join(segments)
    if shop.strict_host is not None and request.host != shop.strict_host:
        raise front_page(shop, request, params, url)
    if shop.faults.redirect is not None:
        plain = front_page(shop, request, params, url)
        raise PlainAnswer(shop.faults.redirect, "", plain.headers)
    text = keys.presented(request, params, header_lost=shop.faults.on("no-auth-header"))
    if text is None:
        if request.method == "OPTIONS" and shop.version.generation >= (9, 0):
            return Answer(200, [("content-type", _HTML)], b"200 OK")
        raise keys.no_key(ancient=shop.version.generation == (1, 5))
    if shop.faults.on("block-put") and request.method in ("PUT", "PATCH", "DELETE"):
        page = _page(403, "Forbidden", "You don't have permission to access this resource.")
        # the host's own page: PrestaShop never ran, so none of its headers stand in it
        raise PlainAnswer(page.status, page.body.decode(), page.headers)
    if not shop.webservice_enabled:
        message = "The PrestaShop webservice is disabled. Please activate it in the PrestaShop Back Office"
        raise Refusal(503, (22, message))
    key = keys.check(shop.keys, text, ancient=shop.version.generation == (1, 5))
    known[0] = True
    seen = check_shop(shop, request, params, url, key, front)
    name = segments[0]
    if name and name not in shop.resources:
        raise Refusal(400, (27, did_you_mean(f'Resource of type "{name}" does not exists', name, list(shop.resources))))
    if name and not key.granted(name):
        raise Refusal(401, (26, f'Resource of type "{name}" is not allowed with this authentication key'))
    _check_method(shop, key, name, method)
    style = Style(
        shop.version, base_address(shop, request, seen), languages(shop, params), wants_json(shop, request, params)
    )
    context = Context(shop, request, params, method, key, style, seen)
    try:
        made = _carried_out(context, segments)
    except Refusal as refusal:
        if context.notices:  # the true error stands in one list with PHP's messages (F3)
            refusal.errors[:0], refusal.status = context.notices, 500
        raise
    if shop.faults.on("php-messages") and shop.version.php_warning is not None:
        context.notices.append(shop.version.php_warning)
    return _spoilt(context, made) if context.notices else made


def _spoilt(context: Context, made: Answer) -> Answer:
    """The answer with PHP's messages: a 500 though the work is done; JSON keeps the content beside them (F3, F4)."""
    if not context.style.json:
        return Answer(500, [("content-type", XML)], errors_xml(context.notices).encode())
    listed, body = errors_json(context.notices), made.body.decode()
    text = f"{body[:-1]},{listed[1:]}" if body.startswith("{") else listed
    return Answer(500, [("content-type", JSON)], text.encode())


def _check_method(shop: "SimulatedShop", key: keys.Key, name: str, method: str) -> None:
    if method not in keys.METHODS or (method == "PATCH" and not shop.version.patches):
        raise Refusal(405, (23, f"Method {method} is not valid"))
    if name and method in shop.resources[name].denied:
        raise Refusal(405, (101, f"Method {method} is not allowed for the resource {name}"))
    if name and method not in key.granted(name):
        text = f"Method {method} is not allowed for the resource {name} with this authentication key"
        raise Refusal(405, (25, text))


def _carried_out(context: Context, segments: list[str]) -> Answer:
    kind = JSON if context.style.json else XML
    name = segments[0]
    if not name:
        return Answer(200, [("content-type", kind)], reading.root(context).encode())
    if name in ("images", "search"):
        return images.answer(context, segments) if name == "images" else search.search(context)
    resource = context.shop.resources[name]
    if context.method in _READS:
        text = reading.read(context, resource, segments)
        if context.style.json and context.shop.version.generation <= (1, 6):
            text = raw_controls(text)
        return Answer(200, [("content-type", kind)], text.encode())
    if context.method == "DELETE":
        writing.delete(context, resource, segments)
        return Answer(200)
    # The override of the method changes what is done, not whether PHP hands over a body.
    body = context.request.body if context.request.method in ("POST", "PUT", "PATCH") else b""
    status, text = writing.save(context, resource, body)
    return Answer(status, [("content-type", kind)], text.encode())


def _refused(shop: "SimulatedShop", request: Request, params: Mapping[str, str], refusal: Refusal) -> Answer:
    errors, status = list(refusal.errors), refusal.status
    if refusal.bad_query and shop.version.bad_query_notices:
        errors += shop.version.bad_query_notices
        status = 500
    headers = [keys.CHALLENGE] if status == 401 and errors[-1][0] in (17, 18, 19, 20, 21) else []
    if wants_json(shop, request, params):
        return Answer(status, [*headers, ("content-type", JSON)], errors_json(errors).encode())
    return Answer(status, [*headers, ("content-type", XML)], errors_xml(errors).encode())


def _with_headers(shop: "SimulatedShop", made: Answer, known: bool, seconds: float, request: Request) -> Answer:
    version = shop.version.number if known or not shop.version.hides_version else "0"
    made.headers += [
        ("access-time", str(int(shop.time()))),
        ("x-powered-by", "PrestaShop Webservice"),
        ("psws-version", version),
        ("execution-time", f"{seconds:.3f}".rstrip("0").rstrip(".")),
    ]
    if made.status in (200, 201) and made.body:
        digest = hashlib.sha1(made.body, usedforsecurity=False).hexdigest()
        made.headers.append(("content-sha1", digest))
        if shop.version.sha1_304 and request.headers.get("local-content-sha1") == digest:
            made = Answer(304, [entry for entry in made.headers if entry[0] != "content-type"])
    return _cookie(shop, made)


def _cookie(shop: "SimulatedShop", made: Answer) -> Answer:
    name = hashlib.sha1(shop.name.encode(), usedforsecurity=False).hexdigest()[:32]
    made.headers.append(("set-cookie", f"PrestaShop-{name}=sandbox; Max-Age=1728000; path=/; HttpOnly"))
    return made


def _front(shop: "SimulatedShop", request: Request) -> Answer:
    if request.path.rstrip("/") in ("", shop.folder):
        body = f"<!doctype html><html><head><title>{shop.name}</title></head><body>Welcome</body></html>"
        return Answer(200, [("content-type", _HTML)], body.encode())
    return _page(404, "Not Found", "The requested URL was not found on this server.")


def _page(status: int, title: str, text: str) -> Answer:
    head = f"<html><head>\n<title>{status} {title}</title>\n</head>"
    page = f"{head}<body>\n<h1>{title}</h1>\n<p>{text}</p>\n</body></html>\n"
    return Answer(status, [("content-type", "text/html; charset=iso-8859-1")], page.encode())
