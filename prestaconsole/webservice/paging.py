"""Pages of a list and how large they are asked for. May import errors, queries and entities of this room."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from prestaconsole.webservice import errors as e
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.query import Query, greater
from prestaconsole.webservice.repair import Damage

SMALLEST_PAGE = 10
QUICK, SLOW = 2.0, 10.0
_SURE = 5


@dataclass(frozen=True)
class Page:
    """One page of a list. ``size`` is the answer's length in bytes, ``seconds`` the time it took, ``execution`` the
    shop's own share of it (Execution-Time).

    ``damaged`` names records that the shop could not show properly; the others are in ``entities``. ``complete`` is
    False when a record is missing without a name for it. ``warning`` is what PHP printed before the XML, '' as a rule:
    such a page may be read, but never be the reason for a zero. An empty page never proves that there is nothing (F17).
    """

    entities: list[Entity]
    damaged: list[Damage]
    complete: bool
    seconds: float
    size: int
    warning: str = ""
    execution: float = 0.0

    @property
    def length(self) -> int:
        """How many records the shop listed, damaged ones included."""
        return len(self.entities) + len(self.damaged)

    @property
    def last_id(self) -> int:
        """The highest id on the page, 0 when it is empty."""
        return max([entity.id for entity in self.entities] + [damage.id for damage in self.damaged], default=0)

    @property
    def first_id(self) -> int:
        """The lowest id on the page, 0 when it is empty."""
        return min([entity.id for entity in self.entities] + [damage.id for damage in self.damaged], default=0)


@dataclass(frozen=True)
class Root:
    """What the key may do: resource → methods in capitals; ``clock_skew`` is the shop's clock less ours, in seconds."""

    permissions: dict[str, frozenset[str]]
    shop_name: str
    version: str
    clock_skew: float | None
    warning: str = ""
    intact: bool | None = None

    def may(self, method: str, resource: str) -> bool:
        """Whether the key has this right."""
        return method in self.permissions.get(resource, frozenset())


async def walk(
    read: Callable[..., Awaitable[Page]], query: Query, after: int, page_size: int, largest: int
) -> AsyncIterator[Page]:
    """Pages by rising id above ``after``, of a size that the shop bears: see ``ShopClient.pages``."""
    size, ceiling, good, first = page_size, largest, 0, True
    while True:
        asked = query.changed(filters={**query.filters, "id": greater(after)}, limit=size)
        try:
            page = await read(asked, halvable=size > SMALLEST_PAGE)
        except (e.TimedOut, e.ServerError, e.CutConnection, e.TooLarge):
            if size <= SMALLEST_PAGE:
                raise
            size, good = max(SMALLEST_PAGE, size // 2), 0
            ceiling = size
            continue
        if page.length and page.first_id <= after:
            raise e.UnexpectedAnswer(f"The shop ignores the filter on the id of {query.resource}.")
        if page.length or first:
            yield page
        if page.length < size and page.complete:
            return
        if not page.length:
            raise e.MalformedXml(f"A page of {query.resource} after id {after} could not be read.")
        first, after, good = False, page.last_id, good + 1
        if page.execution >= SLOW:
            size, good = max(min(SMALLEST_PAGE, size), size // 2), 0
            ceiling = size
        elif page.execution <= QUICK:
            if good >= _SURE:  # what was too much once is tried again, but not at every page
                ceiling, good = min(largest, ceiling * 2), 0
            size = min(ceiling, size * 2)
