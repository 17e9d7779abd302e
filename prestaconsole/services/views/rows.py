"""A long list held as ids, its rows read by primary key in small blocks (TERMINAL.md). Imports SQLAlchemy only.

Order, filter and marks live here; a widget listens to it. All reading goes through one reader thread, and the
latest question wins: an answer that a newer question overtook is dropped.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy.engine import Connection

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

#: Rows of one read by primary key; a screen shows at most this many.
BLOCK = 64
#: Rows kept besides the visible ones, so that a key finds its row without a read.
KEPT = 2048


class Reader(Protocol):
    """The reading half of the database: one thread, and a number that changes when anybody committed."""

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run ``fn`` in the reader thread."""
        ...

    def version(self) -> int:
        """Changes whenever a process committed."""
        ...


@dataclass(frozen=True)
class Ask:
    """One question to a list: which order, which words, which shop (None: all), which facet (tab, level, plan)."""

    order: str = ""
    words: str = ""
    shop: int | None = None
    facet: str = ""


class RowQuery(Protocol[R_co]):
    """How one list is read. Both functions run in the reader thread."""

    #: Names of the orders it knows, the first being the one by need.
    orders: Sequence[str]

    def ids(self, connection: Connection, ask: Ask) -> Iterable[int]:
        """Every id of the list, in order."""
        ...

    def rows(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, R_co]:
        """The rows of at most ``BLOCK`` ids by primary key; an id without a row is gone."""
        ...


@dataclass
class RowView(Generic[R]):
    """A list on screen: its ids in order, the rows read so far, the marks, and how many rows are new since."""

    reader: Reader
    query: RowQuery[R]
    ask: Ask = field(default_factory=Ask)
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    marks: set[int] = field(default_factory=set)
    new: int = 0
    loaded: bool = False
    _rows: dict[int, R] = field(default_factory=dict)
    _generation: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, identity: int) -> R | None:
        """The row as last read, or None where it has not been read yet or is gone."""
        return self._rows.get(identity)

    def place(self, identity: int | None) -> int | None:
        """Where an id stands in the list now."""
        if identity is None:
            return None
        try:
            return self.ids.index(identity)
        except ValueError:
            return None

    def change(self, **parts: Any) -> None:
        """Put a part of the question anew (order, words, shop, facet); ``load`` asks it."""
        self.ask = replace(self.ask, **parts)

    async def load(self) -> bool:
        """Read the ids of the question. False where a newer question overtook this one; nothing changes then."""
        self._generation += 1
        mine, ask, query = self._generation, self.ask, self.query
        ids = await self.reader.read(lambda connection: array("q", query.ids(connection, ask)))
        if mine != self._generation:
            return False
        self.ids, self.new, self.loaded = ids, 0, True
        self._rows.clear()
        if self.marks:
            self.marks &= set(ids)
        return True

    async def fetch(self, first: int, count: int) -> set[int]:
        """Read what is missing of the rows ``first`` … ``first + count``, in blocks. Gives the ids that came."""
        window = self.ids[max(0, first) : first + count]
        wanted = [i for i in window if i not in self._rows]
        if not wanted:
            return set()
        mine = self._generation
        fresh = await self._blocks(wanted)
        if mine != self._generation:
            return set()
        if len(self._rows) > KEPT:
            self._rows = {i: self._rows[i] for i in window if i in self._rows}
        self._rows.update(fresh)
        return set(fresh)

    async def refresh(self, ids: Sequence[int]) -> set[int]:
        """Read these rows again and forget all others, which may be stale. Gives the ids whose row differs."""
        before = {i: self._rows.get(i) for i in ids}
        mine = self._generation
        fresh = await self._blocks(ids)
        if mine != self._generation:
            return set()
        self._rows = dict(fresh)
        return {i for i, row in before.items() if fresh.get(i) != row}

    async def look_for_new(self) -> int:
        """How many ids the same question would give now that are not in the list; the list itself stays."""
        mine, ask, query, known = self._generation, self.ask, self.query, self.ids

        def count(connection: Connection) -> int:
            now = array("q", query.ids(connection, ask))
            return 0 if now == known else len(set(now) - set(known))

        found = await self.reader.read(count)
        if mine == self._generation and known is self.ids:
            self.new = found
        return self.new

    def mark(self, identity: int) -> bool:
        """Mark a row, or take its mark away. Gives whether it is marked now."""
        if identity in self.marks:
            self.marks.discard(identity)
            return False
        self.marks.add(identity)
        return True

    def mark_all(self) -> int:
        """Mark all that is shown; where all are, take every mark away. Gives how many are marked now."""
        everything = set(self.ids)
        self.marks = set() if self.marks == everything else everything
        return len(self.marks)

    async def _blocks(self, ids: Sequence[int]) -> dict[int, R]:
        found: dict[int, R] = {}
        for start in range(0, len(ids), BLOCK):
            found.update(await self.reader.read(_block(self.query, list(ids[start : start + BLOCK]))))
        return found


def _block(query: RowQuery[R], ids: Sequence[int]) -> Callable[[Connection], Mapping[int, R]]:
    return lambda connection: query.rows(connection, ids)
