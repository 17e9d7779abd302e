"""The two judgements of the stock push: a row before the write and after it. Pure; imports nothing of ours."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Look:
    """A row just read against what was expected. ``units`` is how far it lies outside, always positive."""

    kind: Literal["inside", "lower", "higher"]
    units: int = 0


@dataclass(frozen=True)
class Settled:
    """What a read-back says of a row that was sent (DESIGN §6 step 5).

    confirmed: it was written, orders explain any difference. again: it was not written, so it may be sent anew.
    kept: the shop said yes and kept the old number. higher: somebody else wrote. lower: ``units`` fewer than orders
    explain, with ``written`` telling whether our value is under it. ``low`` and ``high`` is what the row may show from
    now on.
    """

    kind: Literal["confirmed", "again", "kept", "higher", "lower"]
    low: int
    high: int
    units: int = 0
    written: bool = True


def look(fresh: int, low: int, high: int) -> Look:
    """Step 3: inside the expected range, below it by some units, or above it."""
    if fresh < low:
        return Look("lower", low - fresh)
    if fresh > high:
        return Look("higher", fresh - high)
    return Look("inside")


def settle(before: int, after: int, observed: int, low: int, high: int, *, written: bool | None) -> Settled:
    """Judge a sent row by what is read now.

    ``before`` stood there when it was sent, ``low`` and ``high`` is the same moved by all orders seen since, so their
    distance to ``before`` is what sales and give-backs did. What came before the write was covered by it, so each of
    them may or may not show below our value. ``written`` is True after an answer that says so, None where nobody knows.
    """
    down, up = low - before, high - before
    ours = (after + min(0, down), after + max(0, up))
    old = (low, high)
    if ours[0] <= observed <= ours[1]:
        return Settled("confirmed", *ours)
    if written:
        if observed == before:
            return Settled("kept", observed, observed, written=False)
        reference, under_ours = ours, True
    else:
        if old[0] <= observed <= old[1]:
            return Settled("again", *old, written=False)
        # Unseen sales only lower a row: it hangs below the nearest value that stood there.
        above = [(ours, True), (old, False)]
        reference, under_ours = min(
            (one for one in above if observed < one[0][0]), key=lambda one: one[0][0], default=(max(ours, old), True)
        )
    if observed > reference[1]:
        return Settled("higher", observed, observed, units=observed - reference[1], written=under_ours)
    spread = reference[1] - reference[0]
    return Settled("lower", observed - spread, observed, units=reference[0] - observed, written=under_ours)
