"""From a record as read to the body that changes it and loses nothing (WEBSERVICE §3.3, F57). Pure functions.

What a PUT leaves out is emptied, so everything is sent back; but for what the shop refuses or works out itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prestaconsole.webservice.entity import ASSOCIATIONS
from prestaconsole.webservice.query import QueryError

Fields = Mapping[str, Any]
"""New values by field: a text, or for a field with languages a mapping of language id to text."""
Links = Mapping[str, Sequence[Mapping[str, Any]]]
"""New rows by association, each the whole list."""

# refused with code 93, or worked out by the shop
_READ_ONLY: dict[str, frozenset[str]] = {
    "products": frozenset({"manufacturer_name", "quantity"}),
    "categories": frozenset({"level_depth", "nb_products_recursive"}),
    "manufacturers": frozenset({"link_rewrite"}),
    "suppliers": frozenset({"link_rewrite"}),
    "customers": frozenset({"secure_key", "last_passwd_gen"}),
    "warehouses": frozenset({"valuation"}),
    "stocks": frozenset({"real_quantity"}),
}
# a shorter list deletes combinations; the others are ignored or made by the shop
_NEVER_SENT: dict[str, frozenset[str]] = {
    "products": frozenset({"combinations", "images", "stock_availables", "product_option_values"}),
    "categories": frozenset({"products", "categories"}),
    "manufacturers": frozenset({"addresses"}),
}
_ROWS = {"product_bundle": "product", "accessories": "product", "categories": "category"}
_OWN_CLOCK = frozenset({"date_upd"})


def read_only(resource: str, synopsis: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """The fields that are never sent back: those the shop marks, and those that are known to do harm."""
    marked = {name for name, marks in synopsis.items() if "true" in (marks.get("readOnly"), marks.get("read_only"))}
    return _READ_ONLY.get(resource, frozenset()) | marked


def languages_of(record: Mapping[str, Any]) -> dict[str, dict[int, str]]:
    """The fields with languages of a record as read, by language id."""
    found: dict[str, dict[int, str]] = {}
    for name, value in record.items():
        if isinstance(value, Mapping) and "language" in value and name != ASSOCIATIONS:
            found[name] = {int(node["@id"]): node.get("#text") or "" for node in value["language"]}
    return found


def plain_of(record: Mapping[str, Any]) -> dict[str, str]:
    """The fields without languages of a record as read."""
    found: dict[str, str] = {}
    for name, value in record.items():
        if name == ASSOCIATIONS or name.startswith("@"):
            continue
        if isinstance(value, Mapping):
            if "language" not in value:
                found[name] = value.get("#text") or ""
        else:
            found[name] = value or ""
    return found


def computed(record: Mapping[str, Any]) -> frozenset[str]:
    """The fields that the shop works out when it shows them (notFilterable): left alone unless they are to change.

    Such are a product's position_in_category, type, id_default_image: sent back, they reorder, recompute, refuse.
    """
    return frozenset(
        name for name, value in record.items() if isinstance(value, Mapping) and value.get("@notFilterable") == "true"
    )


def checked(resource: str, record: Mapping[str, Any], fields: Fields, links: Links, refused: frozenset[str]) -> None:
    """Raise ``QueryError`` for a change that cannot be made, or would do more than it says."""
    plain, texts = plain_of(record), languages_of(record)
    for name, value in fields.items():
        if name == "id" or (name not in plain and name not in texts):
            raise QueryError(f"{resource} have no field {name} that can be changed.")
        if name in refused:
            raise QueryError(f"The shop does not take a new {name} of its {resource}.")
        if (name in texts) != isinstance(value, Mapping):
            wanted = "a text for each language" if name in texts else "one value"
            raise QueryError(f"{name} of {resource} takes {wanted}.")
        if name in texts and not set(value) <= set(texts[name]):
            raise QueryError(f"{name} is given in a language that the shop does not have.")
    for name in links:
        if name in _NEVER_SENT.get(resource, frozenset()):
            raise QueryError(f"{name} of {resource} are not sent: the shop would delete or ignore what is not in it.")
        if name not in (record.get(ASSOCIATIONS) or {}):
            raise QueryError(f"{resource} have no association {name}.")


def merged(
    record: Mapping[str, Any], fields: Fields, links: Links | None = None, *, refused: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The whole row for a PUT: everything as read but for the change; no association but the changed ones."""
    skipped = (refused | computed(record)) - fields.keys()
    row: dict[str, Any] = {}
    for name, text in plain_of(record).items():
        if name not in skipped:
            row[name] = fields.get(name, text)
    for name, texts in languages_of(record).items():
        if name not in skipped:
            row[name] = _language_nodes({**texts, **fields.get(name, {})})
    return {**row, **_associations(links or {})}


def patched(record: Mapping[str, Any], fields: Fields, links: Links | None = None) -> dict[str, Any]:
    """The row for a PATCH: the change alone, texts in all languages, since those left out are blanked (§3.3)."""
    texts = languages_of(record)
    row: dict[str, Any] = {"id": plain_of(record)["id"]}
    for name, value in fields.items():
        row[name] = _language_nodes({**texts[name], **value}) if name in texts else value
    return {**row, **_associations(links or {})}


def differences(before: Mapping[str, Any], after: Mapping[str, Any], fields: Fields | None = None) -> list[str]:
    """The fields that are not as they should be after a change: neither the new value nor the one before.

    Numbers are compared as numbers. What the shop stamps itself, and what it works out, is not compared.
    """
    wanted_plain = {**plain_of(before), **{k: v for k, v in (fields or {}).items() if not isinstance(v, Mapping)}}
    found_plain, loose = plain_of(after), _OWN_CLOCK | computed(before)
    wrong = [
        name
        for name, value in wanted_plain.items()
        if name not in loose - set(fields or {}) and not _same(str(value), found_plain.get(name))
    ]
    now = languages_of(after)
    for name, texts in languages_of(before).items():
        wanted = {**texts, **((fields or {}).get(name) or {})}
        wrong += [
            f"{name} ({language})" for language, text in wanted.items() if now.get(name, {}).get(language) != text
        ]
    links = after.get(ASSOCIATIONS) or {}
    wrong += [name for name, rows in (before.get(ASSOCIATIONS) or {}).items() if _rows(rows) != _rows(links.get(name))]
    return wrong


def _same(wanted: str, found: str | None) -> bool:
    if found is None or wanted == found:
        return wanted == found
    try:
        return float(wanted or "0") == float(found or "0") and bool(wanted) == bool(found)
    except ValueError:
        return False


def _rows(group: Any) -> list[dict[str, str]]:
    """The rows of an association without attributes, in an order of their own: lists have none (F15)."""
    if not isinstance(group, Mapping):
        return []
    rows = [row for name, several in group.items() if not name.startswith("@") for row in _several(several)]
    return sorted((plain_of(row) for row in rows), key=str)


def _several(value: Any) -> list[Mapping[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    return [row for row in listed if isinstance(row, Mapping)]


def _language_nodes(texts: Mapping[int, Any]) -> dict[str, Any]:
    return {"language": [{"@id": str(language), "#text": str(text)} for language, text in sorted(texts.items())]}


def _associations(links: Links) -> dict[str, Any]:
    if not links:
        return {}
    groups: dict[str, Any] = {}
    for name, rows in links.items():
        shown = [dict(row) for row in rows]
        if name == "product_bundle":
            # shown as id_product_attribute, taken as product_attribute_id: an echo loses the component's combination
            shown = [{**row, "product_attribute_id": row.get("id_product_attribute", "0")} for row in shown]
        groups[name] = {_ROWS.get(name, name.removesuffix("s")): shown} if shown else None
    return {ASSOCIATIONS: groups}
