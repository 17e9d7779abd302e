"""The answers to `schema=blank` and `schema=synopsis`. Imports the schema and the output's names."""

from typing import Any

from prestaconsole.sandbox.output import HEAD, TAIL, Style, dumps
from prestaconsole.sandbox.schema import Association, Field, Resource


def schema_xml(resource: Resource, style: Style, kind: str) -> str:
    """A resource's empty entity: with every field's rules (synopsis), or ready to be filled (blank)."""
    synopsis = kind == "synopsis"
    parts = [HEAD, f"<{resource.node}>\n"]
    parts += [_field(field, style, synopsis) for field in resource.fields if _shown(field, synopsis)]
    if resource.associations:
        parts.append("<associations>\n")
        parts += [_association(entry, style, synopsis) for entry in resource.associations]
        parts.append("</associations>\n")
    return "".join([*parts, f"</{resource.node}>\n", TAIL])


def schema_json(resource: Resource, style: Style, kind: str) -> str:
    """The same as JSON: from 8 only the associations are left of it (F30)."""
    members: dict[str, Any] = {}
    if not style.version.drops_falsy_json:
        members = {field.name: "" for field in resource.fields if _shown(field, kind == "synopsis")}
    if resource.associations:
        members["associations"] = {
            entry.name: [dict.fromkeys(sub.name for sub in entry.fields)] for entry in resource.associations
        }
    return dumps({resource.node: members})


def _shown(field: Field, synopsis: bool) -> bool:
    if synopsis:
        return field.name != "id"
    return field.readonly is not True


def _field(field: Field, style: Style, synopsis: bool) -> str:
    marks = ""
    if synopsis:
        marks += ' notFilterable="true"' if field.getter else ""
        marks += ' read_only="true"' if field.readonly is True else ""
        marks += ' required="true"' if field.required else ""
        marks += f' maxSize="{field.max}"' if field.max is not None else ""
        marks += f' format="{field.format}"' if field.format else ""
        marks += ' readOnly="true"' if field.readonly else ""
    content = "<![CDATA[]]>"
    if field.lang:
        content = "".join(
            f'<language id="{language}"'
            + (f' xlink:href="{style.base}languages/{language}" format="isUnsignedId" ' if synopsis else "")
            + "><![CDATA[]]></language>"
            for language in style.languages
        )
    return f"\t<{field.name}{marks}>{content}</{field.name}>\n"


def _association(entry: Association, style: Style, synopsis: bool) -> str:
    kind = ""
    if synopsis:
        kind = f' nodeType="{entry.node_type}"'
        kind += f' api="{entry.api}"' if entry.api else ""
        kind += ' virtualEntity="true"' if entry.virtual else ""
    parts = [f"<{entry.name}{kind}>\n\t<{entry.node}>\n"]
    for sub in entry.fields:
        marks = ""
        if synopsis:
            marks += f' xlink:href="{style.base}{sub.link}/"' if sub.link else ""
            marks += ' read_only="true"' if sub.readonly else ""
            marks += ' required="true"' if sub.required else ""
            marks += ' readOnly="true"' if sub.readonly else ""
        parts.append(f"\t<{sub.name}{marks}><![CDATA[]]></{sub.name}>\n")
    return "".join([*parts, f"\t</{entry.node}>\n</{entry.name}>\n"])
