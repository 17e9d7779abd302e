"""The road to the shop: what fails before or while an answer arrives. Imports the base."""

from prestaconsole.webservice.errors.base import WebserviceError


class NotConnected(WebserviceError):
    """No request left this machine for the shop: nothing can have been read or written."""

    kind = "not-connected"
    retryable = True
    default_cause = "The shop could not be reached."
    default_remedy = "Check this machine's network and the shop's address."


class NameNotFound(NotConnected):
    kind = "dns"
    default_cause = "The name of the shop's host is not known (DNS)."
    default_remedy = "Check the spelling of the address; a new domain may need some hours to be known."


class ConnectionRefused(NotConnected):
    kind = "refused-connection"
    default_cause = "The shop's host refuses the connection."
    default_remedy = (
        "Check scheme and port of the address; otherwise the web server is down or a firewall stands before it."
    )


class CertificateProblem(NotConnected):
    kind = "certificate"
    retryable = False
    default_cause = "The shop's certificate cannot be trusted, so nothing was sent."
    default_remedy = "Ask the hoster to renew or complete the certificate (name, date, intermediate certificates)."


class ConnectTimedOut(NotConnected):
    kind = "timeout"
    default_cause = "The shop's host did not take the connection in time."
    default_remedy = "A firewall may drop our address: ask the hoster to let it through."


class TimedOut(WebserviceError):
    kind = "timeout"
    retryable = True
    default_cause = "The shop did not finish its answer in time."
    default_remedy = "It is tried again with smaller pages; if it stays slow, ask the hoster about PHP time limits."


class CutConnection(WebserviceError):
    kind = "cut-connection"
    retryable = True
    default_cause = "The connection was cut in the middle of the shop's answer."
    default_remedy = "It is tried again; if it recurs, the host ends long requests: ask the hoster."


class CutAnswer(CutConnection):
    default_cause = "The shop's answer ends before its end, so nothing of it was used."
    default_remedy = "It is tried again; if it recurs, PHP runs out of memory or time there: ask the hoster."


class BrokenEncoding(WebserviceError):
    kind = "broken-encoding"
    retryable = True
    default_cause = "The shop's answer is compressed in a way that cannot be unpacked."
    default_remedy = "If it recurs, ask the hoster to switch compression off for /api."


class NotHttp(WebserviceError):
    kind = "not-http"
    default_cause = "What answers at this address does not speak HTTP as it should."
    default_remedy = "Check scheme and port of the address: https on an http port looks like this."


class TooLarge(WebserviceError):
    kind = "too-large"
    default_cause = "The shop's answer is larger than any page should be."
    default_remedy = "It is read in smaller pages."


class Redirected(WebserviceError):
    """A redirect, never followed (FINDINGS F7). ``location`` is where to, ``proposed`` a base to offer, or ''."""

    kind = "redirected"
    default_cause = "The shop redirects to another address."
    default_remedy = "Store the address it names as the shop's address."
    location = ""


class ProxyProblem(NotConnected):
    kind = "proxy"
    default_cause = "The proxy of this shop's connection does not let us through, so nothing was sent."
    default_remedy = (
        "Check the setting connection.proxy of the shop, and that the proxy is up and allows the shop's host."
    )


class CertificateFile(NotConnected):
    kind = "certificate-file"
    retryable = False
    default_cause = "The file with the shop's own certificate authority cannot be read, so nothing was sent."
    default_remedy = "Set connection.ca of the shop to a readable PEM file with that authority's certificate."


class TooLate(NotConnected):
    kind = "too-late"
    default_cause = "The request's time to begin had passed before it was its turn, so nothing was sent."
    default_remedy = "It is planned again by itself; if it recurs, fewer feeds should run at this shop at once."


class ShopResting(NotConnected):
    """Too many calls in a row failed, or the host asked for a pause; ``retry_after`` says when we ask again."""

    kind = "circuit-open"
    default_cause = "The shop failed several times in a row, so it is left in peace for a while; nothing was sent."
    default_remedy = "It is asked again by itself; `prestaconsole doctor` asks at once and says what is wrong."
