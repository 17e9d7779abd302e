"""Changes of single records: read, strip, merge, write (F37, F38, F56, F57). Imports the merge and the reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.query import Context, Query, QueryError
from prestaconsole.webservice.writing import merge
from prestaconsole.webservice.writing.ports import Writes, Written

_STOCK_HELD = "depends_on_stock"


@dataclass(frozen=True)
class Changed:
    """A change that the shop confirmed: by which method, and the record before it, for the journal and the undo."""

    answer: Written
    method: str
    before: Mapping[str, Any]


async def change_record(
    writer: Writes,
    resource: str,
    id: int,
    fields: merge.Fields,
    *,
    links: merge.Links | None = None,
    patch: bool = False,
    id_shop: Context = None,
    parameters: Mapping[str, str] | None = None,
) -> Changed:
    """Change some fields of one record and lose nothing else. ``patch``: the key may PATCH this resource.

    The record is read first, with its inactive languages where it has texts; a record that the storefront does not
    have raises ``NotFound`` (R4). Raises ``QueryError`` for a change that cannot be expressed, ``Refused`` or
    ``UnknownOutcome`` as every write; read it back and compare by ``differences``, the answer is an echo (F54).
    """
    if resource == "orders" and not patch:
        raise QueryError("An order is never sent back whole: it would change its state and send mails (F50, R2).")
    if resource == "stock_availables" and _STOCK_HELD in fields:
        raise QueryError("depends_on_stock is never changed: it unhooks the product from its warehouses (R5).")
    if id_shop == "all":
        raise QueryError("A record is changed in one storefront: all of them would get this one's texts (R53).")
    synopsis = await writer.client.synopsis(resource)
    node, record = await read_whole(writer.client, resource, id, id_shop=id_shop)
    refused = merge.read_only(resource, synopsis)
    merge.checked(resource, record, fields, links or {}, refused)
    if resource == "stock_availables" and merge.plain_of(record).get(_STOCK_HELD) == "1":
        raise QueryError("This product's stock follows advanced stock management, so it is not written (R5).")
    if patch:
        row = merge.patched(record, fields, links)
        answer = await writer.patch(resource, node, row, id_shop=id_shop, parameters=parameters)
        return Changed(answer, "PATCH", record)
    row = merge.merged(record, fields, links, refused=refused)
    answer = await writer.put(resource, node, row, id_shop=id_shop, parameters=parameters)
    return Changed(answer, "PUT", record)


async def read_whole(
    client: ShopClient, resource: str, id: int, *, id_shop: Context = None
) -> tuple[str, dict[str, Any]]:
    """The name of its node and a record with the texts of all languages, inactive ones too (WEBSERVICE §2.2).

    Raises ``NotFound``, and ``UnexpectedAnswer`` where a text of an installed language cannot be read: it would be
    blanked by a write.
    """
    node, record = await _record(client, resource, id, id_shop, None)
    shown = merge.languages_of(record)
    if not shown:
        return node, record
    languages = (await client.page(Query("languages", ("id", "active"), limit=200))).entities
    have = set.intersection(*(set(texts) for texts in shown.values()))
    for language in sorted({row.id for row in languages} - have):
        _, other = await _record(client, resource, id, id_shop, language)
        theirs = merge.languages_of(other)
        for name in shown:
            if language not in theirs.get(name, {}):
                raise e.UnexpectedAnswer(f"The shop does not show {name} in its language {language}.")
            if not any(one["@id"] == str(language) for one in record[name]["language"]):
                record[name]["language"].append({"@id": str(language), "#text": theirs[name][language]})
    return node, record


async def _record(
    client: ShopClient, resource: str, id: int, id_shop: Context, language: int | None
) -> tuple[str, dict[str, Any]]:
    tree = await client.tree(resource, id, id_shop=id_shop, language=language)
    if tree is None:
        raise e.NotFound(f"The shop has no record {id} of {resource} here.")
    node, record = next(iter(tree.items()))
    if not isinstance(record, dict) or merge.plain_of(record).get("id") != str(id):
        raise e.UnexpectedAnswer(f"The shop answered with another of its {resource}.")
    return node, record
