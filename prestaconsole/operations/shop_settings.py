"""The settings of a shop: name, meaning, default and form, in one list for every face."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from prestaconsole.errors import UsageError
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.rules.availability import MODES, Mode
from prestaconsole.webservice.endpoint import authority_file, proxy_address


@dataclass(frozen=True)
class ShopSettingSpec:
    """One setting; ``parse`` turns the typed text into a value or raises ``ValueError`` with the form it wants."""

    name: str
    meaning: str
    default: str
    parse: Callable[[str], Any]


@dataclass(frozen=True)
class OrderStart:
    """Where old orders begin (rows B14, A6, M20): exactly one of the fields counts, by ``kind``."""

    kind: str
    id_order: int = 0
    day: date | None = None
    days: int = 0


def parse_start(text: str) -> OrderStart:
    """``id:500``, ``date:2026-01-31``, ``days:90`` or ``now``."""
    kind, _, rest = text.strip().partition(":")
    try:
        if kind == "id" and int(rest) >= 1:
            return OrderStart("id", id_order=int(rest))
        if kind == "date":
            return OrderStart("date", day=date.fromisoformat(rest))
        if kind == "days" and 0 <= int(rest) <= 36_500:
            return OrderStart("days", days=int(rest))
    except ValueError:
        pass
    if text.strip() == "now":
        return OrderStart("now")
    raise ValueError("id:N, date:YYYY-MM-DD, days:N or now")


def _codes(text: str) -> tuple[str, ...]:
    codes = tuple(part.strip() for part in text.split(",") if part.strip())
    if len(set(codes)) != len(codes):
        raise ValueError("codes of warehouses, each once, such as W1,W2")
    return codes


def _code(text: str) -> str:
    if "," in text:
        raise ValueError("the code of one warehouse")
    return text.strip()


def _mode(text: str) -> Mode:
    for mode in MODES:
        if text.strip().lower() == mode:
            return mode
    raise ValueError(f"one of {', '.join(MODES)}")


def _each(low: int, high: int, words: str) -> Callable[[str], dict[str, int]]:
    """A number for some warehouses: ``W1:80,W2:50``."""

    def parse(text: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for one in filter(None, (part.strip() for part in text.split(","))):
            code, colon, number = one.rpartition(":")
            code, digits = code.strip(), number.strip().removesuffix("%").strip()
            fits = digits.isascii() and digits.isdigit() and low <= int(digits) <= high
            twice = code.casefold() in {known.casefold() for known in found}
            if not colon or not code or twice or not fits:
                raise ValueError(words)
            found[code] = int(digits)
        return found

    return parse


def _cap(text: str) -> int | None:
    return _whole(1, 1_000_000)(text) if text.strip() else None


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return parse


def _share(text: str) -> Decimal:
    try:
        number = Decimal(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except InvalidOperation:
        number = Decimal(-1)
    if not 0 <= number <= 1:
        raise ValueError("a share such as 0.05 or 5%")
    return number


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1000:
        raise ValueError("a number from 0 to 1000, such as 2 or 0.5")
    return number


def _switch(text: str) -> bool:
    if text.lower() in {"yes", "on", "true", "1"}:
        return True
    if text.lower() in {"no", "off", "false", "0"}:
        return False
    raise ValueError("yes or no")


def _minutes(text: str) -> int | None:
    return _whole(0, 100_000)(text) if text else None


WATCHED_FEEDS = (
    "import_products", "import_orders", "retry_orders", "update_orders", "reconcile_orders", "stock_check",
)  # fmt: skip
"""The feeds that have a limit of their own in the feed table."""


SHOP_SETTINGS: dict[str, ShopSettingSpec] = {
    spec.name: spec
    for spec in (
        ShopSettingSpec(
            "orders.start", "where old orders begin: id:N, date:YYYY-MM-DD, days:N or now", "days:90", parse_start
        ),
        ShopSettingSpec("stock.warehouses", "warehouses whose stock is offered in the shop, in their rank", "", _codes),
        ShopSettingSpec("stock.import_to", "warehouse that receives the shop's stock, once", "", _code),
        ShopSettingSpec(
            "stock.mode",
            "how warehouses count: sum of all, rank (the first that has any left), share (a percentage of each)",
            "sum",
            _mode,
        ),
        ShopSettingSpec(
            "stock.share",
            "percentage of a warehouse that counts in mode share, 100 where none is named: W1:80,W2:50",
            "",
            _each(0, 100, "percentages from 0 to 100 by warehouse, each once, such as W1:80,W2:50"),
        ),
        ShopSettingSpec(
            "stock.lag",
            "units left out of a warehouse whose figures come late: W2:3",
            "",
            _each(0, 1_000_000, "whole numbers by warehouse, each once, such as W2:3"),
        ),
        ShopSettingSpec("stock.reservations", "whether open orders lower what is offered", "yes", _switch),
        ShopSettingSpec("stock.buffer", "units kept back from every number", "0", _whole(0, 1_000_000)),
        ShopSettingSpec("stock.threshold", "a number below this shows 0", "0", _whole(0, 1_000_000)),
        ShopSettingSpec("stock.cap", "the most that is ever shown; empty is no limit", "", _cap),
        ShopSettingSpec("brake.zero_share", "share of listings that may go to zero within an hour", "0.05", _share),
        ShopSettingSpec(
            "brake.zero_count", "number of SKUs that may go to zero within an hour", "50", _whole(0, 1_000_000)
        ),
        ShopSettingSpec("brake.changed_share", "share of listings that may change within an hour", "0.60", _share),
        ShopSettingSpec("brake.tenfold_share", "share of listings that may move tenfold", "0.05", _share),
        ShopSettingSpec(
            "brake.tenfold_count", "number of SKUs that may move to ten times or a tenth", "20", _whole(0, 1_000_000)
        ),
        ShopSettingSpec("push.batch", "stock rows in one request", "100", _whole(1, 100)),
        ShopSettingSpec(
            "push.canary", "rows sent and read back first, after going live and after a release", "10", _whole(1, 100)
        ),
        ShopSettingSpec(
            "connection.proxy", "proxy to this shop: http://host:port or socks5://host:port", "", proxy_address
        ),
        ShopSettingSpec("connection.ca", "PEM file with the authority of the shop's certificate", "", authority_file),
        ShopSettingSpec("connection.places", "requests that may run at this shop at once", "2", _whole(1, 8)),
        ShopSettingSpec("connection.rate", "requests that may begin in a second; 0 is no limit", "0", _rate),
        *(
            ShopSettingSpec(
                f"freshness.{feed}",
                f"minutes without a good end after which {feed} is late; 0 is never, empty the feed's own limit",
                "",
                _minutes,
            )
            for feed in WATCHED_FEEDS
        ),
        ShopSettingSpec("approval.needed", "whether every plan waits for approval", "no", _switch),
    )
}


FORMULA_SETTINGS = frozenset(
    f"stock.{name}" for name in ("warehouses", "mode", "share", "lag", "reservations", "buffer", "threshold", "cap")
)
"""Settings that shape the numbers a shop shows: a change of one of them touches every listing."""


def by_warehouse(name: str, text: str, standing: str) -> tuple[str, str]:
    """``stock.share.W1=80`` written as the setting it belongs to: that one entry of ``standing`` is new, or gone.

    Other names and texts come back as they are.
    """
    for setting in ("stock.share", "stock.lag"):
        code = name.removeprefix(f"{setting}.")
        if code != name and code:
            entries = dict(one.rsplit(":", 1) for one in standing.split(",") if ":" in one)
            entries = {
                known.strip(): number
                for known, number in entries.items()
                if known.strip().casefold() != code.casefold()
            }
            if text.strip():
                entries[code] = text.strip()
            return setting, ",".join(f"{known}:{number}" for known, number in entries.items())
    return name, text


def parse_setting(name: str, text: str) -> Any:
    """The typed value of a setting. Raises ``UsageError`` naming the setting, the text and the form it wants."""
    spec = SHOP_SETTINGS.get(name)
    if spec is None:
        raise UsageError(f"“{name}” is no setting of a shop.", f"Settings: {', '.join(SHOP_SETTINGS)}.")
    try:
        return spec.parse(text)
    except ValueError as error:
        raise UsageError(f"{name} cannot be “{text}”.", f"It takes {error}.") from None


def value(shop: ShopRecord | Mapping[str, str], name: str) -> Any:
    """The value in force: the shop's own, else the default."""
    stored = shop.settings if isinstance(shop, ShopRecord) else shop
    return parse_setting(name, stored.get(name, SHOP_SETTINGS[name].default))
