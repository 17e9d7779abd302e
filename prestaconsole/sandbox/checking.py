"""The checks a sent entity must pass before it is saved, in the words of each version. Imports the sandbox only."""

import re

from prestaconsole.sandbox import values
from prestaconsole.sandbox.query import number
from prestaconsole.sandbox.refusal import Refusal
from prestaconsole.sandbox.schema import Field, Resource
from prestaconsole.sandbox.storage import Row
from prestaconsole.sandbox.versions import Version

_LARGEST = 2147483647


def check(version: Version, resource: Resource, sent: Row) -> None:
    """Raises Refusal 84 for a translated text, 85 for another field that is empty or not valid (F60)."""
    for translated, code in ((True, 84), (False, 85)):
        for field in resource.fields:
            if field.lang != translated or field.name == "id":
                continue
            problem = _first_problem(version, field, sent.get(field.name))
            if problem:
                name = f"{resource.class_name}{version.arrow}{field.name}"
                raise Refusal(400, (code, f'Validation error: "{problem.replace(_NAME, name)}"'))


_NAME = "{name}"


def _first_problem(version: Version, field: Field, value: object) -> str | None:
    texts = list(value.values()) if isinstance(value, dict) else [value or ""]
    if field.required and not any(texts):
        return f"Property {_NAME} is empty" + ("" if version.generation <= (1, 6) else ".")
    return next(filter(None, (_problem(version, field, str(text)) for text in texts if text)), None)


def _problem(version: Version, field: Field, text: str) -> str | None:
    if field.name == "quantity" and field.format == "isInt":
        told = _amount(version, text)
        if told:
            return told
    if field.max is not None and len(text) > field.max:
        if version.generation <= (1, 6):
            return f"Property {_NAME} length ({len(text)}) must be between 0 and {field.max}"
        return _length(text, field.max)
    if field.kind in ("date", "datetime") and text.startswith("0000-00-00"):
        return None
    return None if values.valid(field, text) else f"Property {_NAME} is not valid"


def _length(text: str, most: int) -> str:
    return f"The length of property {_NAME} is currently {len(text)} chars. It must be between 0 and {most} chars."


def _amount(version: Version, text: str) -> str | None:
    """What a version says of a stock quantity beyond its type's range; 1.6 takes it and cuts it (F42)."""
    whole = re.fullmatch(r"0|-?[1-9]\d*", text) is not None
    amount = int(number(text))
    if version.generation >= (9, 0):
        # PHP 8 compares a text that is no number with the bounds as texts, and finds it beyond them.
        wrong = re.fullmatch(r"\s*[-+]?\d+(\.\d*)?\s*", text) is None or abs(amount) > _LARGEST
    elif version.generation == (8, 0):
        wrong = whole and abs(amount) > _LARGEST
    else:
        return _length(text, 10) if version.generation == (1, 7) and len(text) > 10 else None
    told = f"The range of property {_NAME} is currently {amount}. It must be between {-_LARGEST - 1} and {_LARGEST}."
    return told if wrong else None
