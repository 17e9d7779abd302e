"""How an answer is written, as XML and as JSON (WEBSERVICE §5, §6). Imports the schema."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prestaconsole.sandbox.schema import Association, Field, Resource
from prestaconsole.sandbox.versions import Version

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<prestashop xmlns:xlink="http://www.w3.org/1999/xlink">\n'
TAIL = "</prestashop>\n"
_CONTROL = re.compile(r"\\u(00[01][0-9a-f])")
Names = Sequence[tuple[str, Sequence[str] | None]]
# What 9 shows as a number inside an association's row.
_NUMBERS = frozenset(
    {"id", "id_product_attribute", "id_feature_value", "id_customization", "quantity"}
    | {"product_id", "product_attribute_id", "product_quantity"}
)


@dataclass(frozen=True)
class Style:
    """What every node of one answer needs to know."""

    version: Version
    base: str  # ends in /api/
    languages: Sequence[int]
    json: bool = False


@dataclass(frozen=True)
class Entity:
    """One entity ready to be written: its texts (or texts by language) and its associations' rows."""

    values: Mapping[str, Any]
    links: Mapping[str, Sequence[Mapping[str, str]]]


def errors_xml(errors: Iterable[tuple[int | None, str]]) -> str:
    """The error envelope as XML."""
    parts = [HEAD, "<errors>\n"]
    for code, message in errors:
        parts.append("<error>\n")
        if code is not None:
            parts.append(f"<code><![CDATA[{code}]]></code>\n")
        parts.append(f"<message><![CDATA[{message}]]></message>\n</error>\n")
    return "".join([*parts, "</errors>\n", TAIL])


def errors_json(errors: Iterable[tuple[int | None, str]]) -> str:
    """The error envelope as JSON."""
    listed = [{"code": code, "message": text} if code else {"message": text} for code, text in errors]
    return dumps({"errors": listed})


def raw_controls(text: str) -> str:
    """JSON as 1.6 leaves it after turning every \\uXXXX back into its character, control characters too (F34)."""
    return _CONTROL.sub(lambda match: chr(int(match.group(1), 16)), text)


def dumps(value: Any) -> str:
    """JSON as PHP's json_encode writes it with unescaped Unicode: slashes escaped, no blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")


def minimum(resource: Resource, ids: Iterable[int], base: str) -> str:
    """A list without `display`: ids and addresses."""
    rows = [f'<{resource.node} id="{row_id}" xlink:href="{base}{resource.name}/{row_id}"/>\n' for row_id in ids]
    return "".join([HEAD, f"<{resource.list_node}>\n", *rows, f"</{resource.list_node}>\n", TAIL])


def chosen(resource: Resource, names: Names | None) -> tuple[list[Field], list[tuple[Association, list[str]]]]:
    """The fields and associations to show, in the resource's order; None means all."""
    if names is None:
        return list(resource.fields), [(entry, [sub.name for sub in entry.fields]) for entry in resource.associations]
    plain = {name for name, inner in names if inner is None}
    inner = {name: parts for name, parts in names if parts is not None}
    fields = [field for field in resource.fields if field.name in plain]
    links = [
        (entry, [sub.name for sub in entry.fields if sub.name in inner[entry.name]])
        for entry in resource.associations
        if entry.name in inner
    ]
    return fields, links


class XmlWriter:
    """Writes the entities of one resource; what is the same for every row is worked out once."""

    def __init__(
        self,
        resource: Resource,
        style: Style,
        names: Names | None,
        extra: Sequence[str] = (),
        *,
        echo: bool = False,
    ) -> None:
        self.resource = resource
        self.style = style
        self._echo = echo
        self._bare = style.version.empty_without_cdata
        fields, self._links = chosen(resource, names)
        self._nodes = [self._node(field) for field in fields]
        self._nodes += [self._node(Field(name)) for name in extra]

    def entity(self, entity: Entity) -> str:
        """One entity with its node around it."""
        parts = [f"<{self.resource.node}>\n"]
        parts += [node(entity.values) for node in self._nodes]
        if self._links:
            parts.append("<associations>\n")
            for association, names in self._links:
                rows = entity.links.get(association.name, ())
                parts.append(self._association(association, names, rows, entity.values))
            parts.append("</associations>\n")
        parts.append(f"</{self.resource.node}>\n")
        return "".join(parts)

    def _node(self, field: Field) -> Callable[[Mapping[str, Any]], str]:
        name = field.name
        if field.lang:
            return self._language_node(name)
        mark = ' notFilterable="true"' if field.getter else ""
        encode = f' encode="{field.encode}"' if field.encode else ""
        plain, end = f"\t<{name}{mark}{encode}><![CDATA[", f"]]></{name}>\n"
        empty = f"\t<{name}{mark}{encode}></{name}>\n" if self._bare else f"{plain}{end}"
        if field.link is None:
            return lambda values: f"{plain}{values[name]}{end}" if values[name] != "" else empty
        base, link = self.style.base, field.link

        def linked(values: Mapping[str, Any]) -> str:
            value = values[name]
            # An id_… node that names nothing has no address; other nodes keep theirs.
            if value in ("", "0") and name.startswith("id_"):
                return f"{plain}{value}{end}" if value else empty
            target = link.replace("{id}", str(values.get("id", "")))
            return f'\t<{name} xlink:href="{base}{target}/{value}"{mark}{encode}><![CDATA[{value}{end}'

        return linked

    def _language_node(self, name: str) -> Callable[[Mapping[str, Any]], str]:
        base = self.style.base
        heads = [
            (language, f'<language id="{language}" xlink:href="{base}languages/{language}"><![CDATA[')
            for language in self.style.languages
        ]

        echo = self._echo

        def node(values: Mapping[str, Any]) -> str:
            texts = values[name]
            if echo and isinstance(texts, str):
                # A text sent without <language>, or not sent: PHP indexes the string, one letter a language.
                plain = "".join(
                    f'<language id="{language}"><![CDATA[{texts[language : language + 1]}]]></language>'
                    for language, _ in heads
                )
                return f"\t<{name}>{plain}</{name}>\n"
            texts = texts or {}
            shown = "".join(f"{head}{texts.get(language, '')}]]></language>" for language, head in heads)
            return f"\t<{name}>{shown}</{name}>\n"

        return node

    def _association(
        self,
        association: Association,
        names: Sequence[str],
        rows: Sequence[Mapping[str, str]],
        owner: Mapping[str, Any],
    ) -> str:
        kind = f' nodeType="{association.node_type}"'
        kind += f' api="{association.api}"' if association.api else ""
        kind += ' virtualEntity="true"' if association.virtual else ""
        if not rows:
            return f"<{association.name}{kind}/>\n"
        parts = [f"<{association.name}{kind}>\n"]
        subs = [sub for sub in association.fields if sub.name in names]
        base = self.style.base
        for row in rows:
            address = ""
            if association.link:
                target = association.link.replace("{id_product}", str(owner.get("id_product", "")))
                target = target.replace("{id}", str(owner.get("id", "")))
                address = f' xlink:href="{base}{target}/{row.get("id", "")}"'
            parts.append(f"\t<{association.node}{address}>\n")
            for sub in subs:
                value = row.get(sub.name, "")
                link = f' xlink:href="{base}{sub.link}/{value}"' if sub.link else ""
                content = "" if value == "" and self._bare else f"<![CDATA[{value}]]>"
                parts.append(f"\t<{sub.name}{link}>{content}</{sub.name}>\n")
            parts.append(f"\t</{association.node}>\n")
        return "".join([*parts, f"</{association.name}>\n"])


class JsonWriter:
    """Makes the plain value of an entity that JSON shows, with the versions' oddities (F30–F32)."""

    def __init__(self, resource: Resource, style: Style, names: Names | None, extra: Sequence[str] = ()) -> None:
        self.resource = resource
        self.style = style
        self._fields, self._links = chosen(resource, names)
        self._fields = [*self._fields, *(Field(name) for name in extra)]

    def entity(self, entity: Entity, *, stored: bool = True) -> dict[str, Any]:
        """The members of one entity; `stored` is False for the echo of a write, which is all texts."""
        made: dict[str, Any] = {}
        for field in self._fields:
            value = entity.values[field.name]
            if field.lang:
                made[field.name] = self._texts(value)
            elif field.name == "id":
                made["id"] = int(value) if stored and value else value
            else:
                made[field.name] = self._scalar(field, value, entity) if stored else value
        links = {
            association.name: [self._row(row, names, stored=stored) for row in entity.links[association.name]]
            for association, names in self._links
            if entity.links.get(association.name)
        }
        if links:
            made["associations"] = links
        return made

    def _texts(self, texts: Any) -> Any:
        languages = self.style.languages
        if len(languages) == 1:
            return (texts or {}).get(languages[0], "")
        typed = self.style.version.numbers_in_json
        return [
            {"id": language if typed else str(language), "value": (texts or {}).get(language, "")}
            for language in languages
        ]

    def _row(self, row: Mapping[str, str], names: Sequence[str], *, stored: bool) -> dict[str, Any]:
        texts = {name: row.get(name, "") for name in names}
        if not (stored and self.style.version.numbers_in_json):
            return texts
        return {name: int(text) if name in _NUMBERS and text.isdigit() else text for name, text in texts.items()}

    def _scalar(self, field: Field, value: str, entity: Entity) -> Any:
        version = self.style.version
        if value == "" and field.name == "id_default_combination" and not version.drops_falsy_json:
            return 0  # shown as nothing in XML
        if value == "":
            return None if field.null else value
        if field.name == "id_default_combination":
            # A number where PHP counted it, a text where the database gave it.
            return int(value) if version.drops_falsy_json or value == "0" else value
        if version.numbers_in_json:
            # The shop's own language comes from a cache that keeps numbers.
            cached = self.resource.name == "languages" and entity.values["id"] == "1"
            if field.kind == "int" or (field.kind == "bool" and cached):
                return int(value)
        return value


def single_json(node: str, members: dict[str, Any], version: Version) -> str:
    """One entity as JSON; from 8 its zero and empty members are gone."""
    if version.drops_falsy_json:
        members = {name: value for name, value in members.items() if value not in ("", "0", 0, None, [], {})}
    return dumps({node: members})
