"""The road to the shop: address, connection, key, and whether answers arrive as they left. Imports the reads."""

from datetime import timedelta
from pathlib import Path

import httpx

from prestaconsole.clock import Clock
from prestaconsole.redaction import redact
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.address import AddressError, is_private, normalise
from prestaconsole.webservice.answers import Answer
from prestaconsole.webservice.discovery import ask, is_prestashop
from prestaconsole.webservice.doctor.finding import Probe, Visit, failed, fix, ok, warn
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.menus import PERFORMANCE, generation
from prestaconsole.webservice.probe import Capabilities
from prestaconsole.webservice.query import Context

_SKEW_SECONDS = 60
_SLOW_SECONDS = 3.0
_STALE = timedelta(minutes=5)

# The stages of the road, in the order in which they are passed, with the error kinds that fail each.
_STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Host name", ("dns",)),
    ("Connection", ("refused-connection", "not-connected", "timeout", "cut-connection", "not-http", "proxy")),
    ("Certificate", ("certificate", "certificate-file")),
    ("Redirects", ("redirected",)),
    ("API address", ("api-not-found", "html-answer", "text-answer", "empty-answer", "url-too-long")),
    ("Firewall", ("blocked-by-host", "too-many-requests", "unavailable")),
    ("Authorization header", ("no-key-received",)),
    ("Webservice", ("ws-disabled",)),
    ("Key", ("key-malformed", "key-unknown", "no-permissions", "key-not-for-shop", "shop-unknown")),
    ("Answers", ()),
)


def address(endpoint: Endpoint) -> Probe:
    """Whether the stored address is a plain base, and encrypted."""
    base = endpoint.base_url
    try:
        if normalise(base) != base:
            return fix("Address", f"{base} is not the plain base.", f"Store {normalise(base)} instead.")
    except AddressError as error:
        return fix("Address", redact(error.cause), error.remedy)
    if base.startswith("http://") and not is_private(httpx.URL(base).host):
        return warn(
            "Address", f"{base} is not encrypted.", "Use https: over http everybody on the way can read the key."
        )
    return ok("Address", base)


def proxy(endpoint: Endpoint) -> Probe:
    """How the connection leaves this machine."""
    if endpoint.ca_file and not Path(endpoint.ca_file).is_file():
        return fix("Proxy and authority", f"{endpoint.ca_file} is not there.", e.CertificateFile.default_remedy)
    ways = [f"through {endpoint.proxy}"] if endpoint.proxy else ["direct"]
    if endpoint.ca_file:
        ways.append(f"authority of one's own from {endpoint.ca_file}")
    return ok("Proxy and authority", ", ".join(ways))


def stopped(error: e.WebserviceError) -> list[Probe]:
    """The stages that were passed, and the one that failed."""
    passed: list[Probe] = []
    for name, kinds in _STAGES:
        if error.kind in kinds:
            return [*passed, failed(name, error)]
        passed.append(ok(name, "passed"))
    # the kind belongs to no stage of the road: the shop answers, but not properly
    return [*passed[:-1], failed("Answers", error)]


async def without_key(
    endpoint: Endpoint, failure: e.WebserviceError, transport: httpx.AsyncBaseTransport | None, clock: Clock | None
) -> list[Probe]:
    """What the address shows to somebody without a key, and a better address where one was found."""
    found: list[Probe] = []
    if failure.proposed:
        text = f"there is a shop at {failure.proposed}"
        found.append(warn("Better address", text, f"Store {failure.proposed} as the shop's address if it is yours."))
    for name, rewriting in (("Without a key", True), ("Without rewriting", False)):
        try:
            answer = await ask(endpoint.changed(rewriting=rewriting), transport=transport, clock=clock)
        except e.WebserviceError as error:
            found.append(warn(name, error.cause, error.remedy))
            break
        found += _keyless(name, answer)
    return found


def _keyless(name: str, answer: Answer) -> list[Probe]:
    if not is_prestashop(answer):
        said = answer.content_type or "no content type"
        remedy = "Something else than PrestaShop's webservice answers there: check the address, then the host's rules."
        return [warn(name, f"no PrestaShop answers there ({answer.status}, {said})", remedy, answer.evidence())]
    told = f", {answer.version}" if answer.version else ""
    return [ok(name, f"PrestaShop's webservice answers there{told}")]


def travelled(shop: Capabilities, asked: Endpoint, id_shop: Context) -> list[Probe]:
    """The stages of the road to a shop that answered."""
    endpoint = shop.endpoint
    found = [ok("Host name", httpx.URL(endpoint.base_url).host), ok("Connection", "taken")]
    found.append(ok("Certificate", "trusted" if endpoint.base_url.startswith("https://") else "none: not encrypted"))
    found += [ok("Redirects", "none on the API"), ok("Firewall", "lets our requests through")]
    if endpoint.rewriting:
        found.append(ok("API address", f"{endpoint.base_url}/api/"))
    else:
        remedy = e.ApiNotFound.default_remedy
        found.append(warn("API address", "only webservice/dispatcher.php works", remedy))
    if endpoint.auth == "basic":
        found.append(ok("Authorization header", "arrives"))
    else:
        remedy = e.NoKeyReceived.default_remedy
        found.append(warn("Authorization header", "the key travels in the address", remedy))
    found += [ok("Webservice", "switched on"), ok("Key", f"known to {shop.shop_name or 'the shop'}")]
    where = f"storefront {id_shop}" if isinstance(id_shop, int) else "all storefronts" if id_shop else "the main one"
    found.append(ok("Key's storefront", f"valid in the context that is used: {where}"))
    found.append(_writing_way(asked))
    return [*found, version(shop), patch(shop), clock(shop), response(shop)]


def _writing_way(endpoint: Endpoint) -> Probe:
    if endpoint.ps_method:
        remedy = "Ask the hoster to allow PUT and PATCH on /api; until then they travel as POST with ps_method."
        return warn("Way of writing", "the host blocked PUT, so changes travel as POST", remedy)
    return ok("Way of writing", "PUT; should the host block it, POST with ps_method is taken")


def version(shop: Capabilities) -> Probe:
    """The version, and whether it is one that was proven here."""
    if not shop.version:
        remedy = "A proxy drops the header PSWS-Version; ask the hoster to let it through."
        return warn("Version", "the shop does not tell its version", remedy)
    known = generation(shop.version)
    if known < (1, 6):
        text = f"{shop.version}, unproven here: built from its source, no shop of it was recorded"
        return warn("Version", text, "Compare the first imports by hand, and read the first plan line by line.")
    if known > (9, 0):
        remedy = "Newer than what was tested: read plans and compare the first orders before going live."
        return warn("Version", f"{shop.version}, newer than 9.0", remedy)
    return ok("Version", f"{shop.version}, {'PATCH granted' if shop.patch else 'no PATCH'}")


def patch(shop: Capabilities) -> Probe:
    """PATCH needs a right of its own from 8 on (F38)."""
    wanted = [name for name in ("stock_availables", "order_carriers") if shop.may("PUT", name)]
    lacking = [name for name in wanted if not shop.may("PATCH", name)]
    if generation(shop.version) < (8, 0):
        return ok("PATCH", "does not exist before 8; whole records are sent")
    if lacking:
        remedy = f"Tick PATCH (Modify) for {' and '.join(lacking)} on the key: smaller writes, less to lose."
        return warn("PATCH", f"not granted on {', '.join(lacking)}", remedy)
    return ok("PATCH", "granted where records are changed" if wanted else "nothing is changed with this key")


def clock(shop: Capabilities) -> Probe:
    """The shop's clock against ours."""
    if shop.clock_skew is None:
        return warn("Clock", "the shop does not tell its time", "Ask the hoster to let Access-Time through.")
    seconds = round(shop.clock_skew)
    text = f"shop is {abs(seconds)} s {'ahead' if seconds >= 0 else 'behind'}"
    if abs(seconds) > _SKEW_SECONDS:
        return warn("Clock", text, "Have the hoster set the server's clock (NTP), and check this machine's.")
    return ok("Clock", text)


def response(shop: Capabilities) -> Probe:
    """How long the connection test took."""
    text = f"connection test in {shop.seconds:.2f} s"
    if shop.seconds > _SLOW_SECONDS * 3:
        return warn("Response time", text, "Every request waits like this: ask the hoster about the server's load.")
    return ok("Response time", text)


async def answers(visit: Visit) -> list[Probe]:
    """Whether answers arrive as PrestaShop wrote them: nothing before the XML, check sums, compression, caches."""
    root, found = visit.shop.root, []
    if root.warning:
        remedy = f"In {PERFORMANCE} set Debug mode to No, or let the hoster set display_errors = Off."
        found.append(fix("Answers", "text stands before the XML", remedy, root.warning))
    else:
        found.append(ok("Answers", "whole"))
    if root.intact is False:
        remedy = "Ask the hoster to keep caches and filters away from /api: damage cannot be told from it."
        found.append(warn("Check sums", "something changes the answers on their way", remedy))
    elif root.intact is None:
        remedy = "A proxy drops the header Content-Sha1; ask the hoster to let it through."
        found.append(warn("Check sums", "the shop sends none, so changes on the way cannot be told", remedy))
    else:
        found.append(ok("Check sums", "fit"))
    answer = await visit.client.raw_root()
    packed = answer.header("content-encoding")
    found.append(ok("Compression", f"{packed} is used" if packed else "none; larger answers, nothing to repair"))
    found.append(_cached(visit, answer))
    kind = answer.content_type
    if kind not in ("text/xml", "application/xml"):
        remedy = "Something rewrites the header: ask the hoster to leave Content-Type on /api alone; writes need it."
        found.append(fix("Content type", f"{kind or 'none'} instead of text/xml", remedy))
    else:
        found.append(ok("Content type", kind))
    return found


def _cached(visit: Visit, answer: Answer) -> Probe:
    remedy = "Exclude /api from every cache (proxy, CDN, page cache module): stale stock would be read."
    hit = answer.header("x-cache").lower() + answer.header("cf-cache-status").lower()
    if "hit" in hit or answer.header("age").strip("0 "):
        return warn("Caches", "a cache answers in the shop's place", remedy)
    skew = visit.shop.clock_skew
    if skew is not None and timedelta(seconds=-skew) > _STALE and answer.header("via"):
        return warn("Caches", "the answers are old and came through a proxy", remedy)
    return ok("Caches", "none in between")
