"""A shop in trouble, and answers that are none. Imports the base."""

from prestaconsole.webservice.errors.base import WebserviceError


class PhpMessage(WebserviceError):
    kind = "php-message"
    default_cause = "The shop answered with a PHP message instead of data."
    default_remedy = "It comes from the shop's code, not from the request: show it to the shop's developer."


class ServerError(WebserviceError):
    kind = "server-error"
    retryable = True
    default_cause = "The shop broke down while answering."
    default_remedy = "PHP may run out of memory or time: look in the shop's error log."


class Unavailable(ServerError):
    kind = "unavailable"
    default_cause = "The shop's host says that it is busy or in maintenance."
    default_remedy = "It is tried again later."


class TooManyRequests(WebserviceError):
    kind = "too-many-requests"
    retryable = True
    default_cause = "The shop's host says that we ask too often."
    default_remedy = "It is tried again later; ask the hoster to raise the limit for our address."


class HtmlAnswer(WebserviceError):
    kind = "html-answer"
    retryable = True
    default_cause = "The shop answered with a web page instead of data."
    default_remedy = (
        "A login wall, a maintenance page or a firewall stands before /api: ask the hoster to let it through."
    )


class TextAnswer(WebserviceError):
    kind = "text-answer"
    default_cause = "The shop answered with plain text instead of data."
    default_remedy = "The text comes from PrestaShop or a module; the evidence shows it."


class EmptyAnswer(WebserviceError):
    kind = "empty-answer"
    retryable = True
    default_cause = "The shop's answer is empty, which says nothing about what it has."
    default_remedy = "It is tried again; if it recurs, look in the shop's error log."


class ApiNotFound(WebserviceError):
    kind = "api-not-found"
    default_cause = "There is no webservice at this address."
    default_remedy = (
        "Check the folder in the address, or save Shop Parameters > Traffic & SEO in the shop: it renews .htaccess."
    )


class BlockedByHost(WebserviceError):
    kind = "blocked-by-host"
    default_cause = "Something before PrestaShop blocks the request: a firewall or a rule of the host."
    default_remedy = "Ask the hoster to allow GET, PUT, PATCH and POST on /api for our address."


class UrlTooLong(WebserviceError):
    kind = "url-too-long"
    default_cause = "The question is too long for the shop's web server."
    default_remedy = "It is asked in smaller batches."


class MalformedXml(WebserviceError):
    kind = "malformed-xml"
    default_cause = "The shop's answer is not well-formed XML."
    default_remedy = "A text in the shop holds characters that break it; the doctor names the record."


class AlteredAnswer(WebserviceError):
    kind = "altered-answer"
    retryable = True
    default_cause = "The shop's answer was changed on its way: its check sum does not fit, so nothing of it was used."
    default_remedy = "It is tried again; if it recurs, ask the hoster to keep caches and filters away from /api."


class UnexpectedAnswer(WebserviceError):
    kind = "unexpected-answer"
    default_cause = "The shop's answer does not fit the question."
    default_remedy = "Report this with the evidence."
