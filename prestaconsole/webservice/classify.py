"""Names what is wrong with an answer: one class per cause. May import answers and errors of this room.

Decides on the webservice's code, skipping PHP's 2–15, and only then on status and body (FINDINGS F3, F10).
"""

import re
from urllib.parse import urljoin

from prestaconsole.redaction import MASK, redact
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.address import AddressError, normalise
from prestaconsole.webservice.answers import Answer, culprit, php_message, shorten
from prestaconsole.webservice.menus import GENERAL

_PHP_CODES = range(2, 16)
_SUMMARIES = {21, 46}  # said beside the real cause: 20+21 for a key, 140+46 for a double e-mail (F10, F62)
_HTML = re.compile(rb"(?i)<(!doctype html|html|head|body|title|script|h1|br|p|b)[\s/>]")
_BY_CODE: dict[int, type[e.WebserviceError]] = {
    17: e.KeyMalformed,
    18: e.KeyMalformed,
    19: e.KeyUnknown,
    20: e.KeyUnknown,
    21: e.NoRightsAtAll,
    22: e.WebserviceDisabled,
    23: e.MethodNotSupported,
    25: e.NoPermissionMethod,
    26: e.NoPermissionResource,
    27: e.ResourceUnknown,
    **dict.fromkeys(range(28, 40), e.BadRequest),
    **dict.fromkeys((41, 84, 85, 86, 89, 90, 91, 93, 123, 134, 135, 140, 141), e.RefusedValue),
    **dict.fromkeys((46, 88), e.SaveFailed),
    **dict.fromkeys(range(47, 78), e.ImageRefused),
    **dict.fromkeys(range(78, 82), e.LanguageUnknown),
    87: e.NotFound,
    92: e.NotFound,
    97: e.SqlError,
    101: e.MethodForbidden,
    127: e.MalformedBody,
    131: e.NotInStorefront,
    132: e.KeyNotForShop,
    133: e.StockManagedElsewhere,
    999: e.StorefrontUnknown,
}
_SELF_EXPLAINING = (e.KeyMalformed, e.KeyUnknown, e.NoRightsAtAll, e.WebserviceDisabled, e.KeyNotForShop)


def check_read(answer: Answer) -> None:
    """Raise unless this is a whole XML document for a read: status 200, XML, not cut, no error list."""
    if answer.status == 200 and answer.start() >= 0 and not answer.is_cut() and b"<errors" not in answer.body:
        return
    if answer.status == 200 and answer.start() >= 0 and not answer.is_cut() and not answer.errors():
        return  # "<errors" stands in a text
    raise classify(answer)


def classify(answer: Answer) -> e.WebserviceError:
    """The error that an answer is. Never fails: what fits nothing is an ``UnexpectedAnswer``."""
    listed = answer.errors()
    real = [(code, text) for code, text in listed if code not in _PHP_CODES and not text.startswith("[PHP ")]
    if real:
        return _listed(answer, real)
    if listed:
        return _php(answer, [text for _, text in listed])
    if 300 <= answer.status < 400:
        return _redirected(answer)
    if answer.status >= 400:
        return _by_status(answer)
    return _odd_success(answer)


def _make(kind: type[e.WebserviceError], answer: Answer, cause: str = "", *, code: int = 0) -> e.WebserviceError:
    messages = tuple(shorten(text)[:400] for _, text in answer.errors())
    return kind(
        cause,
        code=code,
        status=answer.status,
        evidence=answer.evidence(),
        messages=messages,
        retry_after=answer.retry_after,
        version=answer.version,
    )


def _listed(answer: Answer, real: list[tuple[int, str]]) -> e.WebserviceError:
    code, text = next(((code, text) for code, text in real if code not in _SUMMARIES), real[0])
    kind = _BY_CODE.get(code, e.UnknownRefusal)
    cause = kind.default_cause
    if kind not in _SELF_EXPLAINING:
        said = shorten(text)[:300].strip(" .!")
        cause = f"{cause.rstrip('.')} ({said or f'code {code}'})."
    return _make(kind, answer, cause, code=code)


def _php(answer: Answer, texts: list[str]) -> e.WebserviceError:
    message = php_message(texts[0]) or shorten(texts[0])[:300]
    named = culprit(message)
    source = f" from {named}" if named else ""
    return _make(e.PhpMessage, answer, f"The shop answered with a PHP message{source}: {message.rstrip('.')}.")


def _redirected(answer: Answer) -> e.WebserviceError:
    location = shorten(answer.header("location"))
    place, asked = answer.header("location").partition("?")[0], answer.target.partition("?")[0]
    proposed = ""
    try:
        # A relative place counts from the address that was asked. A key in it was made unreadable: no address then.
        if place and MASK not in redact(place):
            proposed = normalise(urljoin(asked, place))
        if proposed == normalise(asked):
            proposed = ""  # a page of its own, such as a login wall: nothing to correct
    except (AddressError, ValueError):
        location, proposed = "an address that cannot be read", ""
    remedy = f"Use {proposed} as the shop's address." if proposed else e.HtmlAnswer.default_remedy
    if proposed.startswith("http://") and asked.startswith("https://"):
        remedy = f"The shop leads to {proposed}, which is not encrypted: switch SSL on in {GENERAL} on all pages."
    error = e.Redirected(
        f"The shop redirects to {location or 'nowhere'} instead of answering.",
        remedy,
        status=answer.status,
        evidence=answer.evidence(),
        version=answer.version,
    )
    error.location, error.proposed = location, proposed
    return error


def _by_status(answer: Answer) -> e.WebserviceError:
    status = answer.status
    if status == 401:
        return _unauthorised(answer)
    if status == 404:
        quiet = not answer.body.strip() and answer.from_prestashop
        return _make(e.NotFound if quiet else e.ApiNotFound, answer)
    if status in (408, 504, 522, 524):
        return _make(e.TimedOut, answer, f"The shop's host gave up waiting for the shop ({status}).")
    if status == 407:
        return _make(e.ProxyProblem, answer, "The proxy asks for a user and a password, so nothing was sent.")
    if status == 413:
        return _make(e.TooLarge, answer, "The shop's host takes no request of this size.")
    if status in (414, 431):
        return _make(e.UrlTooLong, answer)
    if status == 429:
        return _make(e.TooManyRequests, answer)
    if status == 503:
        return _make(e.Unavailable, answer)
    if status in (403, 405, 406, 501) or (status < 500 and _HTML.search(answer.body[:2000])):
        return _make(e.BlockedByHost, answer, f"Something before PrestaShop blocks the request ({status}).")
    if status >= 500:
        return _broken_down(answer)
    return _make(e.UnexpectedAnswer, answer, f"The shop answered with status {status} and no reason.")


def _unauthorised(answer: Answer) -> e.WebserviceError:
    body = answer.body.strip()
    asks = answer.header("www-authenticate").lower()
    if "prestashop" in asks or body.startswith(b"401 Unauthorized") or answer.from_prestashop or not (asks or body):
        return _make(e.NoKeyReceived, answer)
    return _make(e.BlockedByHost, answer, "The host asks for a password of its own before PrestaShop is reached (401).")


def _broken_down(answer: Answer) -> e.WebserviceError:
    message = php_message(answer.body[:20_000].decode("utf-8", "replace"))
    if message:
        named = culprit(message)
        source = f" in {named}" if named else ""
        cause = f"PHP broke down in the shop{source} ({answer.status}): {message.rstrip('.')}."
    elif not answer.body.strip():
        cause = f"The shop broke down without a word ({answer.status}, empty answer)."
    else:
        said = shorten(answer.body[:2000].decode("utf-8", "replace"))[:120].strip(" .!")
        cause = f"The shop broke down while answering ({answer.status}: {said})."
    return _make(e.ServerError, answer, cause)


def _odd_success(answer: Answer) -> e.WebserviceError:
    body = answer.body.strip()
    if not body:
        return _make(e.EmptyAnswer, answer)
    if answer.is_cut():
        return _make(e.CutAnswer, answer)
    if answer.content_type == "application/json":
        return _make(e.UnexpectedAnswer, answer, "The shop answered in JSON, which was not asked for.")
    if answer.start() < 0:
        text = body[:20_000].decode("utf-8", "replace")
        message = php_message(text)
        if message:
            named = culprit(message)
            source = f" from {named}" if named else ""
            return _make(e.PhpMessage, answer, f"The shop answered with a PHP message{source}: {message.rstrip('.')}.")
        if _HTML.search(body[:2000]):
            return _make(e.HtmlAnswer, answer)
        if b"<?xml".startswith(body[:5]) or b"<prestashop".startswith(body[:11]):
            return _make(e.CutAnswer, answer)
        said = shorten(text)[:120].strip(" .!")
        return _make(e.TextAnswer, answer, f"The shop answered with plain text instead of data: {said}.")
    return _make(e.UnexpectedAnswer, answer)
