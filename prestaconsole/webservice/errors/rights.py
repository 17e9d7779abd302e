"""Keys and rights. Imports the base and the menus."""

from prestaconsole.webservice.errors.base import WebserviceError
from prestaconsole.webservice.menus import WEBSERVICE


class NoKeyReceived(WebserviceError):
    kind = "no-key-received"
    default_cause = "The shop received no key: the host drops the Authorization header."
    default_remedy = (
        f"In {WEBSERVICE} switch on CGI mode and save the .htaccess again, or have the hoster add "
        '"SetEnvIf Authorization .+ HTTP_AUTHORIZATION=$0"; until then the key can travel as ws_key.'
    )


class KeyMalformed(WebserviceError):
    kind = "key-malformed"
    default_cause = "The key does not have the 32 characters that PrestaShop's keys have."
    default_remedy = f"Copy the key again from {WEBSERVICE}."


class KeyUnknown(WebserviceError):
    kind = "key-unknown"
    default_cause = "The shop does not know this key, or the key is switched off: PrestaShop answers both alike."
    default_remedy = f"In {WEBSERVICE} look whether the key is there and enabled, or enter the right one here."


class NoRightsAtAll(WebserviceError):
    kind = "no-permissions"
    default_cause = "The shop knows the key, but not one right is ticked for it."
    default_remedy = f"In {WEBSERVICE} open the key and tick the rights that the doctor lists."


class KeyNotForShop(WebserviceError):
    kind = "key-not-for-shop"
    default_cause = "The key is not linked to this storefront."
    default_remedy = f"In {WEBSERVICE} open the key and tick the storefront under shop association."


class NoPermissionResource(WebserviceError):
    kind = "no-permission-resource"
    default_cause = "The key has no right on this resource."
    default_remedy = f"In {WEBSERVICE} open the key and tick what the doctor lists for it."


class NoPermissionMethod(WebserviceError):
    kind = "no-permission-method"
    default_cause = "The key has no right for this method on the resource."
    default_remedy = f"In {WEBSERVICE} open the key and tick the method for the resource."


class WebserviceDisabled(WebserviceError):
    kind = "ws-disabled"
    default_cause = "The webservice is switched off in the shop."
    default_remedy = f"In {WEBSERVICE} set 'Enable PrestaShop's webservice' to Yes and save."
