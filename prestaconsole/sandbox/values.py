"""What a field accepts and how the database keeps it (WEBSERVICE §7 "Value rules"). Imports the schema only."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from prestaconsole.sandbox.schema import Field

_DIGITS = re.compile(r"\s*[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_RULES: Mapping[str, re.Pattern[str]] = {
    "isUnsignedId": re.compile(r"\d+"),
    "isUnsignedInt": re.compile(r"\d+"),
    "isNullOrUnsignedId": re.compile(r"\d+"),
    "isPositiveInt": re.compile(r"\d+"),
    "isInt": re.compile(r"0|-?[1-9]\d*"),
    "isBool": re.compile(r"[01]"),
    "isPrice": re.compile(r"\d{1,10}(\.\d{1,9})?"),
    "isNegativePrice": re.compile(r"-?\d{1,10}(\.\d{1,9})?"),
    "isFloat": _FLOAT,
    "isUnsignedFloat": re.compile(r"\+?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?"),
    "isPercentage": re.compile(r"\d{1,3}(\.\d+)?"),
    "isReference": re.compile(r"[^<>;={}]*"),
    "isCatalogName": re.compile(r"[^<>;=#{}]*"),
    "isGenericName": re.compile(r"[^<>={}]*"),
    "isCarrierName": re.compile(r"[^<>;=#{}]*"),
    "isEan13": re.compile(r"\d{0,13}"),
    "isGtin": re.compile(r"\d{0,14}"),
    "isUpc": re.compile(r"\d{0,12}"),
    "isIsbn": re.compile(r"[\d\-]{0,32}"),
    "isMpn": re.compile(r".{0,40}", re.S),
    "isLinkRewrite": re.compile(r"[_a-zA-Z0-9\-]+"),
    "isTrackingNumber": re.compile(r"[~:#,%&_=()\[\].? +\-@/a-zA-Z0-9]+"),
    "isEmail": re.compile(r"[^\s@<>,;]+@[^\s@<>,;.]+(\.[^\s@<>,;.]+)+"),
    "isName": re.compile(r'[^0-9!<>,;?=+()@#"°{}_$%:¤|]*'),
    "isCustomerName": re.compile(r'[^0-9!<>,;?=+()/\\@#"°*`{}_^$%:¤\[\]|.。]*([.。]( [^0-9.。]*)?)*'),
    "isPhoneNumber": re.compile(r"[+0-9. ()/\-]*"),
    "isPostCode": re.compile(r"[a-zA-Z 0-9\-]+"),
    "isAddress": re.compile(r"[^!<>?=+@{}_$%]*"),
    "isCityName": re.compile(r"[^!<>;?=+@#\"°{}_$%]*"),
    "isConfigName": re.compile(r"[a-zA-Z_0-9\-]+"),
    "isModuleName": re.compile(r"[a-zA-Z0-9_\-]+"),
    "isMd5": re.compile(r"[a-f0-9A-F]{32}"),
    "isSha1": re.compile(r"[a-fA-F0-9]{40}"),
    "isLanguageIsoCode": re.compile(r"[a-zA-Z]{2,3}"),
    "isColor": re.compile(r"#[0-9a-fA-F]{6}|[a-zA-Z0-9\-]*"),
    "isProductVisibility": re.compile(r"both|catalog|search|none"),
    "isDate": re.compile(r"\d{4}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}:\d{1,2})?"),
    "isDateFormat": re.compile(r"\d{4}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}:\d{1,2})?"),
    "isBirthDate": re.compile(r"\d{4}-\d{1,2}-\d{1,2}"),
    "isCleanHtml": re.compile(r"(?!.*<\s*script)(?!.*\bon\w+\s*=\s*['\"]).*", re.S | re.I),
    "isMessage": re.compile(r"[^<>{}]*"),
    "isHashedPassword": re.compile(r".{8,72}", re.S),
    "isPasswd": re.compile(r".{5,72}", re.S),
}


def valid(field: Field, text: str) -> bool:
    """Whether a text that is not empty passes the field's validator; one not known here passes."""
    rule = _RULES.get(field.format or "")
    if rule is None:
        return True
    if rule.fullmatch(text) is None:
        return False
    if field.format == "isUnsignedId" or field.format == "isUnsignedInt":
        return int(text) < 4294967296
    return True


def kept(field: Field, text: str | None) -> str:
    """The text as the database gives it back: typed, rounded, and blank where nothing was sent (§3.3)."""
    if text is None or text == "":
        return field.blank
    if field.kind == "int":
        match = _DIGITS.match(text)
        return str(int(match.group()) if match else 0)
    if field.kind == "bool":
        return "0" if text in ("0", "") else "1"
    if field.kind == "float":
        return decimals(text, field.decimals)
    return text


def decimals(text: str, places: int) -> str:
    """A number with a fixed count of decimals, rounded half up as MySQL rounds."""
    try:
        amount = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        amount = Decimal(0)
    return f"{amount.quantize(Decimal(1).scaleb(-places), rounding='ROUND_HALF_UP'):f}"
