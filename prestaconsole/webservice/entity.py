"""One record of a shop as its webservice shows it, with typed access to its texts. May import errors."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from prestaconsole.webservice.errors import UnexpectedAnswer

ASSOCIATIONS = "associations"


class Entity:
    """A record, or a row of an association (``id`` 0 where the row has none).

    ``damaged`` means that the shop's answer could not be read properly at this record: what it shows is a guess,
    good for a report and for nothing else.
    """

    __slots__ = ("_fields", "damaged", "id")

    def __init__(self, fields: dict[str, Any], *, damaged: bool = False, id: int | None = None) -> None:
        self._fields = fields
        self.damaged = damaged
        self.id = self.integer("id") if id is None else id

    def __repr__(self) -> str:
        return f"Entity(id={self.id}, {len(self._fields)} fields{', damaged' if self.damaged else ''})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entity) and self._fields == other._fields and self.damaged == other.damaged

    __hash__ = None  # type: ignore[assignment]  # equal by content, so it has no place in sets

    def has(self, name: str) -> bool:
        """Whether the answer held this field or association, be it empty."""
        return name in self._fields or name in self._fields.get(ASSOCIATIONS, ())

    def text(self, name: str) -> str:
        """The field's text, '' when absent or empty; of a field in several languages the first that is not empty."""
        value = self._fields.get(name, "")
        if isinstance(value, str):
            return value
        return next((text for text in value.values() if isinstance(text, str) and text), "")

    def integer(self, name: str) -> int:
        """The field as a whole number, 0 when empty. Raises ``UnexpectedAnswer`` when it is anything else."""
        value = self._fields.get(name, "")
        try:
            # Asked of every row of the largest lists: the way to the text is cut short where it stands there.
            text = value if type(value) is str else self.text(name)
            return int(text) if text else 0
        except ValueError:
            amount = self.amount(name)
            if amount != amount.to_integral_value():
                raise self._odd(name, "a whole number") from None
            return int(amount)

    def amount(self, name: str) -> Decimal:
        """The field as a decimal, exactly as the shop wrote it, 0 when empty. Raises ``UnexpectedAnswer``."""
        text = self.text(name).strip()
        if not text:
            return Decimal(0)
        try:
            amount = Decimal(text)
        except InvalidOperation:
            raise self._odd(name, "a number") from None
        if not amount.is_finite() or "_" in text:
            raise self._odd(name, "a number")
        return amount

    def flag(self, name: str) -> bool:
        """Whether a yes/no field says yes; empty is no."""
        return self.text(name).strip().lower() in {"1", "true"}

    def languages(self, name: str) -> dict[int, str]:
        """The texts of a field by language id; empty where the field has no languages."""
        value = self._fields.get(name)
        if not isinstance(value, Mapping):
            return {}
        return {int(language): text for language, text in value.items() if language.isdigit()}

    def rows(self, association: str) -> "list[Entity]":
        """The rows of an association, in the shop's order; [] when it is absent (``has`` tells)."""
        rows = self._fields.get(ASSOCIATIONS, {}).get(association, ())
        return [Entity(row, damaged=self.damaged) for row in rows]

    def local_time(self, name: str, zone: ZoneInfo) -> datetime | None:
        """A time of the shop's wall clock as aware UTC; None for zero, empty and impossible dates.

        Of an hour that comes twice the first is taken; one that is skipped counts on from before (R48).
        """
        text = self.text(name).strip()
        if not text or text.startswith("0000"):
            return None
        try:
            return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def texts(self) -> dict[str, str]:
        """The plain fields as the shop wrote them; those with languages or rows are left out."""
        return {name: value for name, value in self._fields.items() if isinstance(value, str)}

    def raw(self) -> dict[str, Any]:
        """Everything as plain dicts, lists and texts, fit for JSON; ``Entity(raw)`` gives the record back."""
        copy: dict[str, Any] = json.loads(json.dumps(self._fields))
        return copy

    def _odd(self, name: str, wanted: str) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            f"The shop's field {name} should hold {wanted}, but does not.", evidence=self.text(name)[:80]
        )
