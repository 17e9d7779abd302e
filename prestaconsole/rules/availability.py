"""The number a shop should show, from its parts in fixed order (FEATURES idea 10). Pure; standard library only.

The order of steps is: warehouses, less reserved, (for a kit: the part that makes the fewest), less buffer, below the
threshold zero, at most the cap, stop selling. A step takes away or leaves alone, never adds; none but open orders goes
below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mode = Literal["sum", "rank", "share"]
MODES: tuple[Mode, ...] = ("sum", "rank", "share")


@dataclass(frozen=True, slots=True)
class Level:
    """Units physically in one warehouse; ``physical`` is None where they were never counted.

    ``share`` is the percentage that counts in mode ``share``; ``lag`` are units that are left out because the
    warehouse's figure comes late; one that is ``off`` counts as empty.
    """

    warehouse: str
    physical: int | None
    share: int = 100
    lag: int = 0
    off: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Units that an open order, or something unexplained (``by_order`` False), holds back."""

    label: str
    units: int
    order_id: int | None = None
    by_order: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the explanation; all ``units`` of a result add up to its number. ``detail`` says what led to it."""

    step: str
    label: str
    units: int
    order_id: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Formula:
    """The steps as a shop, or one product in it, has them. ``cap`` None: no limit."""

    mode: Mode = "sum"
    reservations: bool = True
    buffer: int = 0
    threshold: int = 0
    cap: int | None = None


PLAIN = Formula()


@dataclass(frozen=True, slots=True)
class Free:
    """What is there less what is reserved, with its lines; ``units`` None while nothing was ever counted."""

    units: int | None
    parts: tuple[Part, ...]
    why_none: str = ""


@dataclass(frozen=True, slots=True)
class KitPiece:
    """One part of a kit: how many go into one, and what is free of it; one that is ``stopped`` stops the kit."""

    sku: str
    units: int
    free: Free
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Availability:
    """``shown`` is the number to show, or None while no warehouse has a confirmed figure: then nothing is written."""

    shown: int | None
    parts: tuple[Part, ...]
    why_none: str = ""


def available(
    levels: Sequence[Level], held: Sequence[Held], formula: Formula = PLAIN, *, stop_selling: bool = False
) -> Availability:
    """The number of a product that is sold as it is.

    "No rows" never means zero: without one confirmed level the result is None (DESIGN §5). Our own rules never go
    below zero, yet back-orders may: a shop that owes 22 units shows -22, and so do we (FINDINGS-ORDERS R43).
    """
    return finish(free(levels, held, formula), formula, stop_selling=stop_selling)


def kit_available(pieces: Sequence[KitPiece], formula: Formula = PLAIN, *, stop_selling: bool = False) -> Availability:
    """The number of a kit: as many as its scarcest part makes. Orders of the kit must stand in its parts' holds.

    None as soon as one part was never counted.
    """
    stopped = next((piece.sku for piece in pieces if piece.stopped), "")
    words = f"its part {stopped} is not sold for now" if stopped else "not sold anywhere for now"
    return finish(kit_free(pieces), formula, stop_selling=stop_selling or bool(stopped), stop_words=words)


# -- steps 1 and 2: warehouses, reserved ------------------------------------------------------------------------


def free(levels: Sequence[Level], held: Sequence[Held], formula: Formula = PLAIN) -> Free:
    """Steps 1 and 2: what the warehouses offer, less what is reserved."""
    if not levels:
        return Free(None, (), "No warehouse is chosen for this shop.")
    confirmed = [level for level in levels if level.physical is not None]
    if not confirmed:
        return Free(None, (), "Never counted in a warehouse of this shop.")
    if all(level.off for level in levels):
        return Free(None, (), "Every warehouse of this shop is switched off.")
    reserved = [hold for hold in held if hold.units and (formula.reservations or not hold.by_order)]
    units = sum(hold.units for hold in reserved)
    parts = _warehouses(confirmed, formula.mode, units)
    for hold in reserved:
        parts.append(Part("held", hold.label, -hold.units, hold.order_id))
    if not formula.reservations and (kept := sum(hold.units for hold in held if hold.by_order)):
        parts.append(Part("held", "open orders", 0, detail=f"{kept} reserved, not taken off by this shop's rule"))
    return Free(sum(part.units for part in parts), tuple(parts))


def _warehouses(levels: Sequence[Level], mode: Mode, reserved: int) -> list[Part]:
    """Step 1. By rank the warehouses count in their order until one has any left after what is reserved and owed."""
    parts = []
    counted = 0
    needed = reserved - sum(min(level.physical or 0, 0) for level in levels)
    for level in levels:
        there = level.physical or 0
        offered, detail = _offered(level, mode)
        if mode == "rank" and offered > 0 and counted > needed:
            offered, detail = 0, f"{there} there, not asked: one before it has some"
        counted += max(offered, 0)
        parts.append(Part("warehouse", level.warehouse, offered, None, detail))
    return parts


def _offered(level: Level, mode: Mode) -> tuple[int, str]:
    """What one warehouse adds. What it owes (below zero) counts in full, on or off, whatever its share."""
    there = level.physical or 0
    if there <= 0:
        return there, "switched off" if level.off else ""
    if level.off:
        return 0, f"{there} there, switched off"
    units, notes = there, ""
    if mode == "share" and level.share != 100:
        units, notes = units * level.share // 100, f"{level.share} %"
    if level.lag:
        units, notes = max(units - level.lag, 0), ", ".join(filter(None, (notes, f"less {level.lag} for its delay")))
    return units, f"{there} there, {notes}" if notes else ""


# -- kits -------------------------------------------------------------------------------------------------------


def kit_free(pieces: Sequence[KitPiece]) -> Free:
    """What the scarcest part makes, with that part's own lines; the others stand there with what they would make."""
    unknown = next((piece for piece in pieces if piece.free.units is None), None)
    if unknown is not None or not pieces:
        words = f"Part {unknown.sku}: {unknown.free.why_none}" if unknown is not None else "The kit has no parts."
        return Free(None, (), words)
    makes = [(piece.free.units or 0) // piece.units for piece in pieces]
    fewest = min(makes)
    scarce = pieces[makes.index(fewest)]
    there = scarce.free.units or 0
    parts = list(scarce.free.parts)
    parts.append(Part("kit", scarce.sku, fewest - there, None, f"{there} free, {scarce.units} in a kit: the fewest"))
    for piece, number in zip(pieces, makes, strict=True):
        if piece is not scarce:
            words = f"{piece.free.units} free, {piece.units} in a kit: enough for {number}"
            parts.append(Part("kit", piece.sku, 0, None, words))
    return Free(fewest, tuple(parts))


# -- steps 3 to 6: buffer, threshold, cap, stop -----------------------------------------------------------------


def finish(
    start: Free, formula: Formula, *, stop_selling: bool = False, stop_words: str = "not sold anywhere for now"
) -> Availability:
    """The steps after what is free. Each works on what the one before left, and only where that is above zero."""
    left = start.units
    if left is None:
        return Availability(None, (), start.why_none)
    parts = list(start.parts)

    def take(step: str, label: str, units: int, detail: str = "") -> None:
        nonlocal left
        assert left is not None
        parts.append(Part(step, label, -units, None, detail))
        left -= units

    if formula.buffer and left > 0:
        take("buffer", "kept back by the rule", min(formula.buffer, left), f"{formula.buffer} each")
    if formula.threshold:
        reached = 0 < left < formula.threshold
        take("threshold", f"below {formula.threshold} show 0", left if reached else 0, "" if reached else "not reached")
    if formula.cap is not None:
        over = max(left - max(formula.cap, 0), 0) if left > 0 else 0
        take("cap", f"at most {formula.cap}", over, "" if over else "not reached")
    if stop_selling and left > 0:
        take("stop", stop_words, left)
    return Availability(left, tuple(parts))
