"""Kits and their parts: who is made of what, down to products that are kept as they are. Reads model only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.model import KitPart

_CHUNK = 400


@dataclass(frozen=True)
class Kits:
    """The kits around some products. ``parts`` are direct: kit → {part: units in one kit}."""

    parts: Mapping[int, Mapping[int, int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def leaves(self, product: int, times: int = 1) -> dict[int, int]:
        """What so many of a product are made of in the end: {product: units}; itself where it is no kit."""
        if product not in self.parts:
            return {product: times}
        found: dict[int, int] = {}
        for part, units in self.parts[product].items():
            for leaf, number in self.leaves(part, units * times).items():
                found[leaf] = found.get(leaf, 0) + number
        return found

    def uses(self) -> dict[int, dict[int, int]]:
        """The other way round: leaf → {kit: units of the leaf in one kit}."""
        found: dict[int, dict[int, int]] = {}
        for kit in self.parts:
            for leaf, units in self.leaves(kit).items():
                found.setdefault(leaf, {})[kit] = units
        return found


NO_KITS = Kits()


def any_kits(connection: Connection) -> bool:
    """Whether there is a kit at all: where not, nobody pays for them."""
    return connection.execute(select(KitPart.kit_id).limit(1)).first() is not None


def kits_around(connection: Connection, products: Iterable[int]) -> Kits:
    """All kits that share a part with these products, or are one of them, with all that they are made of."""
    if not any_kits(connection):
        return NO_KITS
    rows = _walk(connection, set(products), down=True)
    below = {part for _, part, _ in rows} | set(products)
    rows |= _walk(connection, below, down=False)
    # A kit that was reached from below is told in full, else its number would miss its other parts.
    rows |= _walk(connection, {kit for kit, _, _ in rows}, down=True)
    found: dict[int, dict[int, int]] = {}
    for kit, part, units in sorted(rows):
        found.setdefault(kit, {})[part] = units
    return Kits(found)


def touched_by(connection: Connection, products: Iterable[int]) -> list[int]:
    """These products, their parts, and every kit that needs one of them: whose number may change with theirs."""
    wanted = list(dict.fromkeys(products))
    kits = kits_around(connection, wanted)
    if not kits:
        return wanted
    leaves = {leaf for product in wanted for leaf in kits.leaves(product)}
    uses = kits.uses()
    return list(
        dict.fromkeys([*wanted, *sorted(leaves), *(kit for leaf in sorted(leaves) for kit in uses.get(leaf, ()))])
    )


def refuse_cycle(connection: Connection, kit: int, parts: Sequence[int], names: Mapping[int, str]) -> None:
    """Raise ``UsageError`` where a part is made of the kit itself, directly or further down."""
    below = {part for _, part, _ in _walk(connection, set(parts), down=True)} | set(parts)
    if kit not in below:
        return
    through = next(
        part for part in parts if part == kit or kit in {p for _, p, _ in _walk(connection, {part}, down=True)}
    )
    if through == kit:
        raise UsageError(f"{names[kit]} cannot be a part of itself.", "Leave it out of its own parts.")
    raise UsageError(
        f"{names[through]} is made of {names[kit]}, so it cannot be a part of it.", "Mend one of the two kits first."
    )


def _walk(connection: Connection, start: set[int], *, down: bool) -> set[tuple[int, int, int]]:
    """The rows (kit, part, units) that are reached from these products, one statement a level and 400 products."""
    here, there = (KitPart.kit_id, KitPart.part_id) if down else (KitPart.part_id, KitPart.kit_id)
    rows: set[tuple[int, int, int]] = set()
    seen: set[int] = set()
    frontier = sorted(start)
    while frontier:
        seen.update(frontier)
        met: set[int] = set()
        for first in range(0, len(frontier), _CHUNK):
            found = select(KitPart.kit_id, KitPart.part_id, KitPart.units, there)
            for row in connection.execute(found.where(here.in_(frontier[first : first + _CHUNK]))):
                rows.add((row[0], row[1], row[2]))
                met.add(row[3])
        frontier = sorted(met - seen)
    return rows
