"""What each resource of a PrestaShop version consists of, from the files in `schemas`. Imports nothing of ours."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cache
from importlib import resources
from typing import Any

DATE_KINDS = frozenset({"date", "datetime"})
NUMBER_KINDS = frozenset({"int", "bool", "float"})


@dataclass(frozen=True, slots=True)
class Field:
    """One node of an entity: how it is checked, kept and shown."""

    name: str
    kind: str = "text"  # int | bool | float | date | datetime | text | html
    decimals: int = 6
    format: str | None = None
    max: int | None = None
    required: bool = False
    lang: bool = False
    getter: bool = False
    readonly: bool | str = False  # "soft": marked read-only in the schema, yet a sent value is not refused
    link: str | None = None
    null: bool = False
    encode: str | None = None

    @property
    def blank(self) -> str:
        """What the database holds when the field was never set."""
        if self.null or self.getter or self.lang:
            return ""
        return {
            "int": "0",
            "bool": "0",
            "float": f"{0:.{self.decimals}f}",
            "date": "0000-00-00",
            "datetime": "0000-00-00 00:00:00",
        }.get(self.kind, "")


@dataclass(frozen=True, slots=True)
class SubField:
    """One node inside an association's row."""

    name: str
    link: str | None = None
    required: bool = False
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Association:
    """A list of rows under <associations>; `link` is the address of a row's own resource, without its id."""

    name: str
    node: str
    node_type: str
    api: str | None
    virtual: bool
    link: str | None
    fields: tuple[SubField, ...]


@dataclass(frozen=True)
class Resource:
    """One resource of the webservice: its nodes in their order, and the methods no key may use."""

    name: str
    node: str
    list_node: str
    description: str
    has_schema: bool
    denied: frozenset[str]
    fields: tuple[Field, ...]
    associations: tuple[Association, ...]
    by_name: Mapping[str, Field] = dataclass_field(init=False, repr=False, compare=False)
    links: Mapping[str, Association] = dataclass_field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {field.name: field for field in self.fields})
        object.__setattr__(self, "links", {entry.name: entry for entry in self.associations})

    @property
    def class_name(self) -> str:
        """The name PrestaShop's error texts give the entity, such as StockAvailable."""
        return "".join(part.capitalize() for part in self.node.split("_"))

    def shaped_like(self, names: Iterable[str]) -> "Resource":
        """The resource with exactly these nodes in this order; a node not known here is kept as plain text."""
        fields = tuple(self.by_name.get(name) or Field(name) for name in names)
        return replace(self, fields=fields)


@cache
def load(version: str) -> Mapping[str, Resource]:
    """The resources of the version whose data file is named, such as `8.2.1`, in the order the root lists them."""
    text = resources.files(__package__).joinpath("schemas", f"{version}.json").read_text(encoding="utf-8")
    return {name: _resource(name, entry) for name, entry in json.loads(text)["resources"].items()}


def _resource(name: str, entry: Mapping[str, Any]) -> Resource:
    return Resource(
        name=name,
        node=entry["node"],
        list_node=entry.get("list", name),
        description=entry["description"],
        has_schema=entry.get("schema", True),
        denied=frozenset(entry.get("denied", ())),
        fields=tuple(Field(field, **facts) for field, facts in entry["fields"]) or (Field("id", "int"),),
        associations=tuple(_association(facts) for facts in entry.get("associations", ())),
    )


def _association(facts: Mapping[str, Any]) -> Association:
    return Association(
        name=facts["name"],
        node=facts["node"],
        node_type=facts.get("nodeType", facts["node"]),
        api=facts.get("api"),
        virtual=facts.get("virtual", False),
        link=facts.get("link"),
        fields=tuple(SubField(entry[0], **(entry[1] if len(entry) > 1 else {})) for entry in facts["fields"]),
    )


# The resources of the version the sandbox is exact in.
RESOURCES = tuple(load("8.2.1"))
