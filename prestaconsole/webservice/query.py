"""Builds the only questions PrestaShop understands (WEBSERVICE §4); what cannot be expressed raises. Imports errors."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from prestaconsole.errors import PrestaConsoleError

Value = str | int | Decimal | date
Context = int | Literal["all"] | None
_RESOURCE = re.compile(r"[a-z][a-z_]*(/[a-z][a-z_]*)?")
_FIELD = re.compile(r"([a-z][a-z0-9_]*)(\[[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*\])?")
_RANGE = re.compile(r"[0-9.:\- ]+")
_STAMPS = ("date_add", "date_upd")
# WEBSERVICE §8. Filtering a column that is not there gives an empty list or an empty 500 (F20), never an error that
# says so; resources of modules stand in no list and are let through.
_ONLY_ADDED = frozenset(
    {"order_histories", "order_carriers", "order_payments", "order_invoices", "messages", "stock_movements"}
)
_NEVER_STAMPED = frozenset(
    {
        *("combinations", "stock_availables", "product_suppliers", "specific_prices", "specific_price_rules"),
        *("product_options", "product_option_values", "product_features", "product_feature_values", "tags"),
        *("order_details", "order_cart_rules", "order_discounts", "order_states", "carriers", "countries", "states"),
        *("currencies", "languages", "taxes", "tax_rules", "shops", "shop_groups", "shop_urls", "attachments"),
        *("employees", "zones"),
    }
)
# PrestaShop joins the table of languages once for each and calls both alike: two of them are an SQL error (§4.2)
_TRANSLATED = frozenset(
    {
        *("name", "description", "description_short", "link_rewrite", "meta_title", "meta_description"),
        *("meta_keywords", "available_now", "available_later", "public_name", "delay"),
    }
)
_TRANSLATED_RESOURCES = frozenset(
    {"products", "categories", "product_options", "product_option_values", "product_features", "carriers"}
)
_LARGEST_PAGE = 100_000


class QueryError(PrestaConsoleError):
    """A question that PrestaShop has no words for, or would silently misread."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause, "Ask for more and compare here instead.")


@dataclass(frozen=True)
class Filter:
    """One condition, made by the functions below only; ``text`` is PrestaShop's notation, not yet encoded."""

    text: str


def equals(value: Value) -> Filter:
    """The field is exactly this (by the table's collation)."""
    return Filter(f"[{_plain(value)}]")


def not_equal(value: Value) -> Filter:
    """The field is anything but this."""
    return Filter(f"![{_plain(value)}]")


def none_of(values: Iterable[Value]) -> Filter:
    """The field is none of these; at least one."""
    texts = [_plain(value) for value in values]
    if not texts:
        raise QueryError("A list of no values would match nothing or everything.")
    return Filter(f"![{'|'.join(texts)}]")


def one_of(values: Iterable[Value]) -> Filter:
    """The field is one of these; at least one."""
    texts = [_plain(value) for value in values]
    if not texts:
        raise QueryError("A list of no values would match nothing or everything.")
    return Filter(f"[{'|'.join(texts)}]")


def between(low: Value, high: Value) -> Filter:
    """The field is within both bounds, which belong to it. Numbers and dates only (WEBSERVICE §4.2)."""
    return Filter(f"[{_bound(low)},{_bound(high)}]")


def greater(value: Value) -> Filter:
    """The field is above this; there is no "or equal"."""
    return Filter(f">[{_bound(value)}]")


def less(value: Value) -> Filter:
    """The field is below this; there is no "or equal"."""
    return Filter(f"<[{_bound(value)}]")


def begins_with(text: str) -> Filter:
    """The field begins with the text."""
    return Filter(f"[{_pattern(text)}]%")


def ends_with(text: str) -> Filter:
    """The field ends with the text."""
    return Filter(f"%[{_pattern(text)}]")


def contains(text: str) -> Filter:
    """The field holds the text."""
    return Filter(f"%[{_pattern(text)}]%")


def shop_time(moment: datetime, zone: ZoneInfo) -> str:
    """An aware moment as the shop's wall clock shows it, which is what date filters compare with (FINDINGS F22)."""
    if moment.tzinfo is None:
        raise QueryError("A moment without a zone cannot be turned into the shop's time.")
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        raise QueryError("A moment is filtered by its shop_time, since the shop compares its own wall clock.")
    if isinstance(value, date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _plain(value: Value) -> str:
    text = _text(value)
    if not text.strip():
        raise QueryError("An empty value cannot be asked for.")
    if any(ord(character) < 32 for character in text):
        raise QueryError("A value with control characters cannot be asked for.")
    for character, meaning in (("|", "or"), (",", "a range"), ("[", "a bracket"), ("]", "a bracket")):
        if character in text:
            raise QueryError(f"The value {text!r} holds {character!r}, which means {meaning} in a filter.")
    return text


def _bound(value: Value) -> str:
    text = _plain(value)
    if not _RANGE.fullmatch(text):
        raise QueryError(f"{text!r} is neither a number nor a date, so it cannot be a bound.")
    return text


def _pattern(text: str) -> str:
    if "%" in text or "_" in text:
        raise QueryError(f"The text {text!r} holds % or _, which stand for anything in a search.")
    return _plain(text)


@dataclass(frozen=True)
class Price:
    """A price that PrestaShop works out for each product or combination: it becomes the field ``name`` (§4.3).

    One run of the price engine a row: for few rows only. Ids are the shop's; None leaves the shop's own choice.
    ``tax`` and ``reduction`` say whether they are in the price; ``only_reduction`` gives the reduction itself.
    """

    name: str
    quantity: int = 1
    tax: bool = True
    reduction: bool = True
    only_reduction: bool = False
    ecotax: bool = True
    decimals: int = 6
    country: int | None = None
    state: int | None = None
    currency: int | None = None
    group: int | None = None
    product_attribute: int | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """The parameters that ask for it. Raises ``QueryError`` for what PrestaShop would misread."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise QueryError(f"{self.name!r} is not the name of a price.")
        ids = {name: getattr(self, name) for name in ("country", "state", "currency", "group", "product_attribute")}
        if self.quantity < 1 or not 0 <= self.decimals <= 9 or any(id is not None and id < 1 for id in ids.values()):
            raise QueryError(f"The price {self.name} is asked for a number that cannot be.")
        if self.only_reduction and not self.reduction:
            raise QueryError(f"The price {self.name} cannot be the reduction alone and without it.")
        asked: dict[str, int] = {
            "use_tax": int(self.tax),
            "use_reduction": int(self.reduction),
            "only_reduction": int(self.only_reduction),
            "use_ecotax": int(self.ecotax),
            "quantity": self.quantity,
            "decimals": self.decimals,
        }
        asked |= {name: id for name, id in ids.items() if id is not None}
        return [(f"price[{self.name}][{option}]", str(number)) for option, number in asked.items()]


@dataclass(frozen=True)
class Query:
    """One list question.

    ``fields`` are node names, associations with their sub-fields (``order_rows[id,product_id]``); empty asks for
    whole entities, which products must not be (FINDINGS F4). ``id`` is always asked for. ``sort`` is a field, with
    ``-`` before it for descending, several of them in a tuple, or None. ``date=True`` permits date_add and date_upd
    in filters and sort, and only on resources that have them: elsewhere the answer is an empty list (F20).
    """

    resource: str
    fields: tuple[str, ...] = ()
    filters: Mapping[str, Filter] = field(default_factory=dict)
    sort: str | tuple[str, ...] | None = "id"
    limit: int | None = None
    id_shop: Context = None
    language: int | tuple[int, ...] | None = None
    date: bool = False
    json: bool = False
    prices: tuple[Price, ...] = ()

    def __post_init__(self) -> None:
        if not _RESOURCE.fullmatch(self.resource):
            raise QueryError(f"{self.resource!r} is not the name of a resource.")
        for name in self.fields:
            if not _FIELD.fullmatch(name):
                raise QueryError(f"{name!r} is not the name of a field.")
        self._check_conditions()
        self._check_prices()
        if self.limit is not None and not 1 <= self.limit <= _LARGEST_PAGE:
            raise QueryError(f"A page of {self.limit} rows cannot be asked for.")
        if self.limit is not None and not self._sorted:
            raise QueryError("A page without an order may skip or repeat rows.")
        languages = self.language if isinstance(self.language, tuple) else (self.language or 1,)
        if not languages or any(number < 1 for number in languages):
            raise QueryError("A language is asked for by its number.")

    def _check_conditions(self) -> None:
        for name in (*self.filters, *(one.removeprefix("-") for one in self._sorted)):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise QueryError(f"{name!r} is not a field that can be filtered or sorted.")
            if name in _STAMPS and not self.date:
                raise QueryError(f"{name} is only filtered or sorted with date=True.")
            lacks = self.resource in _NEVER_STAMPED or (name == "date_upd" and self.resource in _ONLY_ADDED)
            if name in _STAMPS and lacks:
                raise QueryError(f"{self.resource} have no {name}: the shop would answer with an empty list.")
        if self.resource in _TRANSLATED_RESOURCES and len(_TRANSLATED & self.filters.keys()) > 1:
            raise QueryError("Two texts with languages cannot be filtered in one question.")

    def _check_prices(self) -> None:
        if self.prices and self.resource not in {"products", "combinations"}:
            raise QueryError(f"{self.resource} have no prices to work out.")
        names = [price.name for price in self.prices]
        if len(set(names)) != len(names) or set(names) & set(self.fields):
            raise QueryError("Each price needs a name of its own, which is no field's.")
        for price in self.prices:
            price.pairs()

    @property
    def _sorted(self) -> tuple[str, ...]:
        if self.sort is None:
            return ()
        return (self.sort,) if isinstance(self.sort, str) else self.sort

    def changed(self, **changes: Any) -> "Query":
        """The same question with other parts."""
        return replace(self, **changes)

    @property
    def names(self) -> tuple[frozenset[str], frozenset[str]]:
        """The plain fields and the associations that each entity of the answer must have."""
        plain = {name for name in self.fields if "[" not in name} | {price.name for price in self.prices}
        return frozenset(plain | {"id"}), frozenset(name.split("[")[0] for name in self.fields if "[" in name)

    def parameters(self) -> str:
        """The percent-encoded parameters, brackets and all, as strict servers and firewalls want them."""
        pairs = [("display", self._display())]
        pairs += [(f"filter[{name}]", condition.text) for name, condition in self.filters.items()]
        pairs += [pair for price in self.prices for pair in price.pairs()]
        if self._sorted:
            ways = [f"{name.removeprefix('-')}_{'DESC' if name.startswith('-') else 'ASC'}" for name in self._sorted]
            pairs.append(("sort", f"[{','.join(ways)}]"))
        if self.limit is not None:
            pairs.append(("limit", str(self.limit)))
        if self.date:
            pairs.append(("date", "1"))
        # of one language in brackets only the last digit is kept (WEBSERVICE §2.2)
        if isinstance(self.language, tuple) and len(self.language) > 1:
            pairs.append(("language", f"[{'|'.join(map(str, self.language))}]"))
        elif self.language is not None:
            pairs.append(("language", str(self.language[0] if isinstance(self.language, tuple) else self.language)))
        if self.json:
            pairs.append(("output_format", "JSON"))
        return join(pairs + context(self.id_shop))

    def _display(self) -> str:
        if not self.fields:
            return "full"
        names = self.fields if "id" in self.fields else ("id", *self.fields)
        names += tuple(price.name for price in self.prices)
        return f"[{','.join(names)}]"


def context(id_shop: Context) -> list[tuple[str, str]]:
    """The parameter that chooses a storefront, if any."""
    if id_shop is None:
        return []
    if id_shop != "all" and (not isinstance(id_shop, int) or id_shop < 1):
        raise QueryError(f"{id_shop!r} is not the number of a storefront.")
    return [("id_shop", str(id_shop))]


def join(pairs: Iterable[tuple[str, str]]) -> str:
    """Parameters percent-encoded and joined; commas stay, as they are allowed there and count in the length."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe=',')}" for name, value in pairs)
