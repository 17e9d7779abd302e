"""The rows of a simulated shop, found fast by id and by their foreign keys. Imports only the schema."""

import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, overload

from prestaconsole.sandbox.schema import Resource

# A row holds only what differs from the field's blank value: text by field name, a text per language id
# for translated fields, and lists of rows under ASSOCIATIONS.
Row = dict[str, Any]
ASSOCIATIONS = "associations"


class StoredRow(Row):
    """A kept row: reading a field that was never set gives its blank value."""

    __slots__ = ("blanks",)

    def __init__(self, row: Row, blanks: Mapping[str, str]) -> None:
        super().__init__(row)
        self.blanks = blanks

    def __missing__(self, name: str) -> str:
        return self.blanks[name]


@dataclass(frozen=True)
class Made:
    """Rows 1 to `count` that are worked out from their id whenever they are read, so they take no room.

    `finders` gives the ids whose field has a text, for the fields that are looked up; `texts` a field's text without
    the rest of its row; `natural` the ids in the order in which an unsorted list shows them.
    """

    count: int
    make: Callable[[int], Row]
    finders: Mapping[str, Callable[[str], Iterable[int]]] = field(default_factory=dict)
    texts: Mapping[str, Callable[[int], str]] = field(default_factory=dict)
    natural: Callable[[], Iterator[int]] | None = None


class _Ids(Sequence[int]):
    """The ids of the rows made from them, then those added: none of the first is kept in a list."""

    def __init__(self, made: range, added: Sequence[int]) -> None:
        self._made = made
        self._added = added

    def __len__(self) -> int:
        return len(self._made) + len(self._added)

    @overload
    def __getitem__(self, place: int) -> int: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...

    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        count = len(self._made)
        if isinstance(place, int):
            place = place + len(self) if place < 0 else place
            return self._made[place] if place < count else self._added[place - count]
        start, stop, step = place.indices(len(self))
        if step != 1:
            return [self[one] for one in range(start, stop, step)]
        return _Ids(self._made[start:stop], self._added[max(0, start - count) : max(0, stop - count)])

    def __iter__(self) -> Iterator[int]:
        yield from self._made
        yield from self._added


class Table:
    """The rows of one resource; ids stay sorted, so an id cursor costs no sort.

    Where rows are made from their id, only those that were changed, added or removed are kept.
    """

    def __init__(self, resource: Resource, made: Made | None = None) -> None:
        self.resource = resource
        self.blanks: Mapping[str, str] = {entry.name: entry.blank for entry in resource.fields}
        self._made = made or Made(0, lambda _: {})
        self._rows: dict[int, Row] = {}  # kept rows: the changed ones among those made, and all others
        self._gone: set[int] = set()
        self._added: list[int] = []  # ids above those made
        self._all: Sequence[int] | None = None
        self._indexes: dict[str, dict[str, set[int]]] = {}
        self._last = self._made.count
        # Up to this id the rows came with a dump, and the lists of them that other rows hold are complete.
        self.given = 0

    def __len__(self) -> int:
        return self._made.count - len(self._gone) + len(self._added)

    def __contains__(self, row_id: int) -> bool:
        return row_id in self._rows or self._is_made(row_id)

    def __iter__(self) -> Iterator[Row]:
        """The rows in the order of their ids."""
        return (self.row(row_id) for row_id in self.ids())

    def get(self, row_id: int) -> Row | None:
        """The row of that id, or None. To change it, `update` it: what is made from its id is not kept."""
        found = self._rows.get(row_id)
        if found is None and self._is_made(row_id):
            return self._make(row_id)
        return found

    def row(self, row_id: int) -> Row:
        """The row of that id. Raises KeyError where there is none."""
        found = self.get(row_id)
        if found is None:
            raise KeyError(f"{self.resource.name} {row_id}")
        return found

    def copy(self) -> "Table":
        """The table as it stands now, to go back to; rows made from their id are shared."""
        made = Table(self.resource, self._made)
        made._rows = {row_id: StoredRow(deepcopy(dict(row)), self.blanks) for row_id, row in self._rows.items()}
        made._gone, made._added = set(self._gone), list(self._added)
        made._last, made.given = self._last, self.given
        return made

    def ids(self) -> Sequence[int]:
        """All ids in ascending order. Not to be changed by the caller."""
        if not self._made.count:
            return self._added
        if self._all is None:
            made = range(1, self._made.count + 1)
            left = [row_id for row_id in made if row_id not in self._gone] if self._gone else made
            self._all = [*left, *self._added] if isinstance(left, list) else _Ids(left, self._added)
        return self._all

    def ids_above(self, row_id: int) -> Sequence[int]:
        """The ids greater than this one, ascending."""
        ids = self.ids()
        return ids[bisect.bisect_right(ids, row_id) :]

    def next_id(self) -> int:
        """The id the next new row gets; an id once given is not given again."""
        return self._last + 1

    def start_ids_at(self, row_id: int) -> None:
        """Let the next new row get this id, as after a backup was restored: ids may then be given twice."""
        self._last = row_id - 1

    def value(self, row: Row, name: str) -> str:
        """A field's text as the database holds it."""
        found: str = row.get(name, self.blanks.get(name, ""))
        return found

    def text(self, row_id: int, name: str) -> str:
        """A field's text as the database holds it. Raises KeyError where there is no such row."""
        quick = self._made.texts.get(name)
        if quick is not None and self.is_made(row_id):
            return quick(row_id)
        return self.value(self.row(row_id), name)

    def is_made(self, row_id: int) -> bool:
        """Whether the row is as it was worked out from its id: never changed, and there."""
        return row_id not in self._rows and self._is_made(row_id)

    def natural(self) -> Iterator[int] | None:
        """The ids in the order of an unsorted list, where the table knows one without reading its rows."""
        if self._made.natural is None:
            return None
        return chain((row_id for row_id in self._made.natural() if row_id not in self._gone), self._added)

    def insert(self, row: Row, row_id: int | None = None) -> int:
        """Keep a new row and return its id: the one given, else the one in the row, else the next free one."""
        new = row_id or int(row.get("id") or 0) or self._free_id()
        row = StoredRow(row, self.blanks)
        row["id"] = str(new)
        if new in self._rows:
            self._forget(new)
        elif new > self._made.count:
            if not self._added or new > self._added[-1]:
                self._added.append(new)
            else:
                bisect.insort(self._added, new)
            self._all = None
        elif new in self._gone:
            self._gone.discard(new)
            self._all = None
        self._keep(new, row)
        self._last = max(self._last, new)
        return new

    def update(self, row_id: int, changes: Mapping[str, Any]) -> Row:
        """Change some fields of a row that exists, and return the kept row."""
        row = self._rows.get(row_id)
        if row is None:
            row = self.row(row_id)
            self._keep(row_id, row)
        for name, index in self._indexes.items():
            if name in changes:
                index[self.value(row, name)].discard(row_id)
                index[changes[name]].add(row_id)
        row.update(changes)
        return row

    def remove(self, row_id: int) -> None:
        """Delete a row that exists. Raises KeyError where there is none."""
        if row_id not in self:
            raise KeyError(f"{self.resource.name} {row_id}")
        if row_id in self._rows:
            self._forget(row_id)
            del self._rows[row_id]
        if row_id <= self._made.count:
            self._gone.add(row_id)
        else:
            del self._added[bisect.bisect_left(self._added, row_id)]
        self._all = None

    def find(self, name: str, value: object) -> list[int]:
        """The ids of the rows whose field has exactly this text, ascending; the index is made on first use."""
        text = str(value)
        if name not in self._indexes:
            index: dict[str, set[int]] = defaultdict(set)
            for row_id, row in self._rows.items():
                index[self.value(row, name)].add(row_id)
            self._indexes[name] = index
        kept = self._indexes[name].get(text, ())
        if not self._made.count:
            return sorted(kept)
        finder = self._made.finders.get(name)
        if finder is not None:
            others: Iterable[int] = finder(text)
        else:
            made = range(1, self._made.count + 1)
            others = (row_id for row_id in made if self.is_made(row_id) and self.text(row_id, name) == text)
        return sorted({*kept, *(row_id for row_id in others if self.is_made(row_id))})

    def rows(self, ids: Iterable[int]) -> Iterator[Row]:
        """The rows of these ids, in the order given."""
        return (self.row(row_id) for row_id in ids)

    def _is_made(self, row_id: int) -> bool:
        return 0 < row_id <= self._made.count and row_id not in self._gone

    def _make(self, row_id: int) -> Row:
        row = StoredRow(self._made.make(row_id), self.blanks)
        row["id"] = str(row_id)
        return row

    def _free_id(self) -> int:
        new = self._last + 1
        while new in self:
            new += 1
        return new

    def _keep(self, row_id: int, row: Row) -> None:
        self._rows[row_id] = row
        for name, index in self._indexes.items():
            index[self.value(row, name)].add(row_id)

    def _forget(self, row_id: int) -> None:
        row = self._rows[row_id]
        for name, index in self._indexes.items():
            index[self.value(row, name)].discard(row_id)
