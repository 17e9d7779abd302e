"""Saves what can be saved of a damaged page: through the JSON list, else by bisecting to the record at fault.

A record that only a forgiving parser can read is reported as damage, never passed off as read (DESIGN §6).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from prestaconsole.webservice import codec
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.answers import Answer
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.query import Query, one_of

ReadList = Callable[[Query], Awaitable[Answer]]
_BROKEN = (e.PhpMessage, e.ServerError)
_BATCH = 200
_MOST_DAMAGE = 20  # beyond it the shop is in trouble, not a record


@dataclass(frozen=True)
class Damage:
    """A record that the shop cannot show properly. ``entity`` is what a forgiving parser saw, if anything."""

    resource: str
    id: int
    reason: str
    evidence: str = ""
    entity: Entity | None = None


@dataclass
class Repaired:
    """What came out of a repair; ``complete`` is False when a record is missing that was listed."""

    entities: list[Entity] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)
    complete: bool = True


class Repair:
    """The repair of one question's answer."""

    def __init__(self, read: ReadList, query: Query) -> None:
        self._read = read
        self._query = query
        self._plain, self._associations = query.names if query.fields else (frozenset({"id"}), frozenset())

    async def damaged_page(self, answer: Answer) -> Repaired:
        """Repair a page that arrived but cannot be parsed."""
        try:
            return await self._from_json(answer)
        except (codec.Unreadable, e.WebserviceError):
            pass
        return await self.bisected(None)

    async def bisected(self, failure: e.WebserviceError | None) -> Repaired:
        """Read the page's ids alone, then its records in halves until only those at fault are left.

        Raises the failure itself when not even the ids can be read.
        """
        ids = await self._ids(failure)
        found = Repaired()
        for start in range(0, len(ids), _BATCH):
            await self._halves(ids[start : start + _BATCH], found)
        order = {id: place for place, id in enumerate(ids)}
        found.entities.sort(key=lambda entity: order[entity.id])
        found.damaged.sort(key=lambda damage: order[damage.id])
        found.complete = len(found.entities) + len(found.damaged) == len(ids)
        return found

    async def _from_json(self, broken: Answer) -> Repaired:
        answer = await self._read(self._query.changed(json=True))
        entities = codec.read_json_list(answer.body, codec.language_fields(broken.document()))
        # associations without rows are missing in JSON (F32), fields never in a list (F30)
        codec._check(entities, self._plain, frozenset(), alike=False)
        return Repaired(entities)

    async def _ids(self, failure: e.WebserviceError | None) -> list[int]:
        try:
            answer = await self._read(self._query.changed(fields=("id",)))
            return [entity.id for entity in codec.read_list(answer.document(), frozenset({"id"}))]
        except codec.Unreadable as error:
            raise failure or e.MalformedXml(f"{e.MalformedXml.default_cause} ({error.reason})") from None

    async def _twice(self, query: Query) -> Answer:
        """One record gets a second chance: PHP messages may come and go."""
        try:
            return await self._read(query)
        except e.PhpMessage:
            return await self._read(query)

    async def _halves(self, ids: list[int], found: Repaired) -> None:
        if not ids:
            return
        reason, evidence, document = "", "", b""
        query = self._query.changed(filters={"id": one_of(ids)}, limit=None, sort="id", date=False)
        try:
            answer = await (self._read(query) if len(ids) > 1 else self._twice(query))
            document, evidence = answer.document(), answer.evidence()
            found.entities += codec.read_list(document, self._plain, self._associations, trusted=bool(answer.intact()))
        except codec.Unreadable as error:
            reason = error.reason
        except _BROKEN as error:
            reason, evidence = error.cause, error.evidence
        else:
            return
        if len(ids) > 1:
            middle = len(ids) // 2
            await self._halves(ids[:middle], found)
            await self._halves(ids[middle:], found)
            return
        if len(found.damaged) >= _MOST_DAMAGE:
            raise e.MalformedXml(
                f"More than {_MOST_DAMAGE} {self._query.resource} on one page cannot be read.", evidence=evidence
            )
        seen = next((entity for entity in codec.recover(document) if entity.id == ids[0]), None) if document else None
        found.damaged.append(Damage(self._query.resource, ids[0], reason, evidence, seen))
