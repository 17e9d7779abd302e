"""The query grammar of lists: filter, sort, limit and display (WEBSERVICE §4). Imports the schema and the storage."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as made_by
from itertools import islice
from typing import Any

from prestaconsole.sandbox.refusal import Refusal, did_you_mean
from prestaconsole.sandbox.schema import DATE_KINDS, NUMBER_KINDS, Field, Resource
from prestaconsole.sandbox.storage import Row, Table

Test = Callable[[str], bool]
_FILTER = re.compile(r"^(.*)\[(.*)\](.*)$", re.S)
_RANGE = re.compile(r"^([\d.:\-\s]+),([\d.:\-\s]+)$")
_BRACKETS = re.compile(r"^\[(.*)\]$", re.S)
_NUMBER = re.compile(r"^\s*[-+]?(\d+(\.\d*)?|\.\d+)")
_DATES = ("date_add", "date_upd")
# The order an unsorted list comes in is that of the index MySQL happens to read (F15).
_NATURAL: Mapping[str, tuple[str, ...]] = {
    "stock_availables": ("id_product", "id_product_attribute", "id_shop", "id_shop_group"),
    "products": ("id_category_default",),
    "product_suppliers": ("id_product", "id_product_attribute", "id_supplier"),
    "order_states": ("module_name",),
    "order_payments": ("order_reference",),
    "image_types": ("name",),
    "stocks": ("id_warehouse",),
    "warehouse_product_locations": ("id_product", "id_product_attribute", "id_warehouse"),
}
# A filter that an index serves brings the list in that index's order.
_BY_FILTER = {"orders": "date_add", "configurations": "name", "products": "reference"}
# Filtered by their product, combinations come in the order of the key (id_product, default_on): the default last.
_AFTER_FILTER = {"combinations": ("id_product", "default_on")}


class SqlError(Exception):
    """The database refused the statement: an empty list up to 8, an empty 500 from 9 (F17, F20)."""


@dataclass
class Condition:
    """One filter: the values an index can look up, where there are any, and the test of one text."""

    field: Field
    tests: list[Test] = made_by(default_factory=list)
    equals: list[str] | None = None
    above: str | None = None
    indexed: bool = True
    ranged: bool = False


@dataclass
class Query:
    """What a list request asks for."""

    conditions: list[Condition] = made_by(default_factory=list)
    sort: list[tuple[Field, bool]] = made_by(default_factory=list)
    offset: int = 0
    limit: int | None = None
    broken: bool = False
    by_category: bool = False  # 1.6 has no index on the reference: filtered by it, products come by category
    by_primary_key: bool = False  # newer shops read products and stock in the order of their ids


def number(text: str) -> float:
    """The number MySQL and PHP make of a text: its leading digits, else 0."""
    match = _NUMBER.match(text)
    return float(match.group()) if match else 0.0


def folded(text: str) -> str:
    """A text as the usual collation compares it: in capitals, so `_` follows letters; no accents, no last blanks."""
    if text.isascii():
        return text.upper().rstrip(" ")
    parts = unicodedata.normalize("NFKD", text)
    return "".join(char for char in parts if not unicodedata.combining(char)).upper().rstrip(" ")


def parse(resource: Resource, params: Mapping[str, str]) -> Query:
    """The query of a list request. Raises Refusal 30–39 with the shop's texts."""
    fields = {name: entry for name, entry in resource.by_name.items() if not entry.lang}
    translated = [name for name, entry in resource.by_name.items() if entry.lang]
    plain = [name for name in fields if name not in _DATES]
    if params.get("date"):
        plain += [name for name in _DATES if name in fields]
        plain += [name for name in _DATES if name not in fields]
    query = Query()
    for key, value in params.items():
        if key.startswith("filter["):
            _add_filter(query, resource, key[7:], value, plain, translated)
    check_display(resource, params)
    if "sort" in params:
        query.sort = _sort(query, resource, params["sort"], plain, translated)
    if "limit" in params:
        _limit(query, params["limit"])
    return query


def _add_filter(
    query: Query, resource: Resource, key: str, value: str, plain: Sequence[str], translated: Sequence[str]
) -> None:
    name, _, rest = key.partition("]")
    if name in ("sort", "limit"):
        return
    if rest.startswith("["):
        raise Refusal(400, (31, "There is no existing linked table for this resource"), bad_query=True)
    if name not in plain:
        if value == "" or name not in translated:
            text = did_you_mean("This filter does not exist", name, list(plain))
            raise Refusal(400, (32, text), bad_query=True)
    elif value == "":
        raise Refusal(400, (33, f'The filter "{name}" is malformed.'), bad_query=True)
    entry = resource.by_name.get(name)
    if entry is None:
        query.broken = True
        return
    if entry.getter:
        text = f'The field "{name}" is dynamic. It is not possible to filter GET query with this field.'
        raise Refusal(400, (34, text), bad_query=True)
    query.conditions.append(condition(entry, value))


def condition(entry: Field, value: str) -> Condition:
    """The condition of one filter value; a form PrestaShop does not know sets no condition (§4.2)."""
    made = Condition(entry)
    match = _FILTER.match(value)
    if match is None:
        made.equals = [value]
        made.tests.append(_equal(entry, value))
        return made
    before, inside, after = match.groups()
    if before == "%" or after == "%":
        made.indexed = before != "%"
        made.tests.append(_like(before + inside + after))
    elif before == "" and after == "":
        _bracketed(made, inside)
    elif before == ">":
        made.above = inside
        made.tests.append(_order(entry, inside, greater=True))
    elif before == "<":
        made.tests.append(_order(entry, inside, greater=False))
    elif before == "!":
        made.tests += [_differs(_equal(entry, part)) for part in inside.split("|")]
    return made


def _bracketed(made: Condition, inside: str) -> None:
    entry = made.field
    if inside.find("|") > 0:
        made.equals = inside.split("|")
        wanted = [_comparable(entry, part) for part in made.equals]
        known = frozenset(wanted)
        made.tests.append(lambda text: _comparable(entry, text) in known)
    elif match := _RANGE.match(inside):
        made.ranged = True
        low, high = sorted(match.groups(), key=lambda part: (_comparable(entry, part), part))
        bottom, top = _comparable(entry, low), _comparable(entry, high)
        made.tests.append(lambda text: bottom <= _comparable(entry, text) <= top)
    else:
        made.equals = [inside]
        made.tests.append(_equal(entry, inside))


def _comparable(entry: Field, text: str) -> Any:
    if entry.kind in NUMBER_KINDS:
        return number(text)
    if entry.kind in DATE_KINDS:
        text = text.strip()
        return f"{text} 00:00:00" if entry.kind == "datetime" and len(text) == 10 else text
    return folded(text)


def _equal(entry: Field, value: str) -> Test:
    wanted = _comparable(entry, value)
    return lambda text: bool(_comparable(entry, text) == wanted)


def _order(entry: Field, value: str, *, greater: bool) -> Test:
    bound = _comparable(entry, value)
    if greater:
        return lambda text: bool(_comparable(entry, text) > bound)
    return lambda text: bool(_comparable(entry, text) < bound)


def _differs(test: Test) -> Test:
    return lambda text: not test(text)


def _like(pattern: str) -> Test:
    parts = [{"%": ".*", "_": "."}.get(char) or re.escape(char) for char in folded(pattern)]
    compiled = re.compile("".join(parts), re.S)
    return lambda text: compiled.fullmatch(folded(text)) is not None


def _sort(
    query: Query, resource: Resource, text: str, plain: Sequence[str], translated: Sequence[str]
) -> list[tuple[Field, bool]]:
    match = _BRACKETS.match(text)
    found: list[tuple[Field, bool]] = []
    for part in (match.group(1) if match else text).split(","):
        name, underscore, direction = part.rpartition("_")
        if not underscore or direction.upper() not in ("ASC", "DESC"):
            raise Refusal(
                400,
                (
                    37,
                    'The "sort" value has to be formed as this example: "field_ASC" or '
                    "'[field_1_DESC,field_2_ASC,field_3_ASC,...]' (\"field\" has to be an available field)",
                ),
                bad_query=True,
            )
        if name not in plain and name not in translated:
            known = f"{', '.join(plain)}, for i18n fields:{', '.join(translated)}"
            message = f"Unable to filter by this field. However, these are available: {known}"
            raise Refusal(400, (38, message), bad_query=True)
        entry = resource.by_name.get(name)
        if entry is None or entry.getter:
            query.broken = True
        else:
            found.append((entry, direction.upper() == "DESC"))
    return found


def _limit(query: Query, text: str) -> None:
    parts = text.split(",")
    if len(parts) > 2:
        message = 'The "limit" value has to be formed as this example: "5,25" or "10"'
        raise Refusal(400, (39, message), bad_query=True)
    numbers = [int(number(part)) for part in parts]
    query.offset, query.limit = (numbers[0], numbers[1]) if len(numbers) == 2 else (0, numbers[0])
    query.broken = query.broken or min(numbers) < 0


def split_display(text: str) -> list[tuple[str, list[str] | None]] | None:
    """The names between the brackets of `display`, each with its sub-names where it is an association."""
    match = _BRACKETS.match(text)
    if match is None:
        return None
    found = re.finditer(r"([^,\[\]]+)(\[[^\]]*\])?", match.group(1))
    return [(part[1], part[2][1:-1].split(",") if part[2] else None) for part in found]


def check_display(resource: Resource, params: Mapping[str, str]) -> None:
    """Raises Refusal 35 or 36 for a display that names what the resource does not have."""
    text = params.get("display")
    if text is None or text in ("full", "minimum"):
        return
    available = ", ".join(resource.by_name)
    names = split_display(text)
    if names is None:
        message = (
            "The 'display' syntax is wrong. You can set 'full' or '[field_1,field_2,field_3,...]'. "
            f"These are available: {available}"
        )
        raise Refusal(400, (36, message), bad_query=True)
    aliases = {key[6:].partition("]")[0] for key in params if key.startswith("price[")}
    for name, inner in names:
        if inner is None:
            good = name in resource.by_name or name in aliases
        else:
            links = resource.links.get(name)
            known = {sub.name for sub in links.fields} | {"id"} if links else set()
            good = links is not None and all(part in known for part in inner)
        if not good:
            shown = name if inner is None else f"Array (in {name})"
            message = f'Unable to display this field "{shown}". However, these are available: {available}'
            raise Refusal(400, (35, message), bad_query=True)


def run(table: Table, query: Query, languages: Sequence[int], visible: Callable[[Row], bool] | None) -> list[int]:
    """The ids a query selects, sorted and cut. Raises SqlError where the database would refuse."""
    if query.broken:
        raise SqlError
    ids: Iterable[int] = _candidates(table, query)
    tests = [(entry.field, entry.tests) for entry in query.conditions if not _settled(entry)]
    if tests or visible is not None:
        ids = (row_id for row_id in ids if _passes(table, row_id, tests, languages, visible))
    order = table.natural() if not query.sort and not query.conditions and not query.by_primary_key else None
    if order is not None:
        end = None if query.limit is None else query.offset + query.limit
        return list(islice(order, query.offset, end))
    by_id = [(entry.name, down) for entry, down in query.sort] == [("id", False)]
    if by_id and query.limit is not None:
        return list(islice(ids, query.offset, query.offset + query.limit))
    found = list(ids)
    if query.sort:
        for entry, down in reversed(query.sort):
            found.sort(key=_key(table, entry, languages), reverse=down)
    else:
        _natural(table, query, found, languages)
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def _settled(entry: Condition) -> bool:
    # An id cursor or an id list is answered by the sorted ids alone.
    if entry.field.name != "id":
        return False
    return entry.above is not None or entry.equals is not None


def _candidates(table: Table, query: Query) -> Sequence[int]:
    best: Sequence[int] = table.ids()
    for entry in query.conditions:
        name = entry.field.name
        if name == "id" and entry.equals is not None:
            wanted = {int(number(text)) for text in entry.equals}
            found: Sequence[int] = sorted(row_id for row_id in wanted if row_id in table)
        elif name == "id" and entry.above is not None:
            found = table.ids_above(int(number(entry.above)))
        elif name.startswith("id_") and entry.equals is not None and entry.field.kind == "int":
            keys = {str(int(number(text))) for text in entry.equals}
            found = sorted({row_id for key in keys for row_id in table.find(name, key)})
        else:
            continue
        best = found if best is table.ids() else sorted(set(best) & set(found))
    return best


def _passes(
    table: Table,
    row_id: int,
    tests: list[tuple[Field, list[Test]]],
    languages: Sequence[int],
    visible: Callable[[Row], bool] | None,
) -> bool:
    # A row that is as it was made belongs to the one shop there is.
    if visible is not None and not table.is_made(row_id):
        row = table.get(row_id)
        if row is None or not visible(row):
            return False
    for entry, checks in tests:
        if entry.lang:
            texts = table.row(row_id).get(entry.name) or {}
            shown = [texts.get(language, "") for language in languages]
            if not any(all(check(text) for check in checks) for text in shown):
                return False
        else:
            text = table.text(row_id, entry.name)
            if not all(check(text) for check in checks):
                return False
    return True


def _key(table: Table, entry: Field, languages: Sequence[int]) -> Callable[[int], Any]:
    if entry.name == "id":
        return lambda row_id: row_id

    def key(row_id: int) -> Any:
        if entry.lang:
            texts = table.row(row_id).get(entry.name) or {}
            return folded(texts.get(languages[0], "") if languages else "")
        return _comparable(entry, table.text(row_id, entry.name))

    return key


def _natural(table: Table, query: Query, found: list[int], languages: Sequence[int]) -> None:
    resource = table.resource.name
    along_ids = any(
        entry.field.name == "id" and (entry.ranged or entry.above is not None) for entry in query.conditions
    )
    names = () if along_ids else _NATURAL.get(resource, ())
    if query.by_primary_key and resource in ("products", "stock_availables"):
        names = ()
    served = None if (resource, query.by_category) == ("products", True) else _BY_FILTER.get(resource)
    if any(entry.field.name == served and entry.indexed for entry in query.conditions):
        names = (served,) if served else ()
    key, order = _AFTER_FILTER.get(resource, ("", ""))
    if any(entry.field.name == key and entry.indexed for entry in query.conditions):
        names = (order,)
    for name in reversed(names):
        entry = table.resource.by_name.get(name)
        if entry is not None:
            found.sort(key=_key(table, entry, languages))
