"""What the shop said no to. Imports the base."""

from prestaconsole.webservice.errors.base import WebserviceError


class MethodNotSupported(WebserviceError):
    kind = "method-not-supported"
    default_cause = "This version of PrestaShop does not know the method."
    default_remedy = "PATCH exists from PrestaShop 8 on; older shops take a whole PUT."


class MethodForbidden(WebserviceError):
    kind = "method-forbidden"
    default_cause = "PrestaShop allows this method for nobody on this resource."
    default_remedy = "Stock rows come and go with their product or combination; they are only changed."


class ResourceUnknown(WebserviceError):
    kind = "resource-unknown"
    default_cause = "This shop has no such resource."
    default_remedy = "Analyse the shop again: its version decides which resources exist."


class NotFound(WebserviceError):
    kind = "not-found"
    default_cause = "The shop has no record with this id."
    default_remedy = "It was deleted there or belongs to another storefront; read the list again."


class NotInStorefront(NotFound):
    kind = "not-in-shop"
    default_cause = "The record exists, but not in this storefront."
    default_remedy = "Read it in the context of a storefront that it belongs to."


class StorefrontUnknown(WebserviceError):
    kind = "shop-unknown"
    default_cause = "The shop has no such storefront or group."
    default_remedy = "Analyse the shop again to learn its storefronts."


class LanguageUnknown(WebserviceError):
    kind = "language-unknown"
    default_cause = "The shop does not have the language that was asked for."
    default_remedy = "Analyse the shop again to learn its languages."


class BadRequest(WebserviceError):
    kind = "bad-request"
    default_cause = "The shop did not understand the question."
    default_remedy = "Its version may lack a field: analyse the shop again; if it stays, report this with the evidence."


class RefusedValue(WebserviceError):
    kind = "refused-value"
    default_cause = "The shop refused a value."
    default_remedy = "The message names the field; correct the value and send it again."


class StockManagedElsewhere(WebserviceError):
    kind = "stock-managed"
    default_cause = "This product's stock follows PrestaShop's advanced stock management, so it cannot be written."
    default_remedy = "Switch advanced stock management off for the product, or leave it out."


class SaveFailed(WebserviceError):
    kind = "save-failed"
    default_cause = "The shop says that it could not save, which is not always true."
    default_remedy = "The record is read back before anything is repeated."


class MalformedBody(WebserviceError):
    kind = "malformed-body"
    default_cause = "The shop could not read the XML that was sent."
    default_remedy = "A firewall may have changed it on its way; report this with the evidence."


class SqlError(WebserviceError):
    kind = "sql-error"
    default_cause = "The shop's database refused the query."
    default_remedy = (
        "An override, a module or a half-done upgrade is at fault: show the evidence to the shop's developer."
    )


class ImageRefused(WebserviceError):
    kind = "image-refused"
    default_cause = "The shop refused the image."
    default_remedy = "The message names format and size that it takes."


class UnknownRefusal(WebserviceError):
    kind = "refused"
    default_cause = "The shop refused the request."
