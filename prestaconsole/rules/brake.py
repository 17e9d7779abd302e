"""Whether a plan is abnormal and must wait for a person (DESIGN §5, idea 2). Pure; standard library only."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

TENFOLD_UNITS = 1_000
FEW = 5
"""Fewer SKUs than this never trip a share: a sold last piece goes out at once in the smallest shop."""


@dataclass(frozen=True)
class BrakeLimits:
    """What a shop lets pass within an hour; shares are of its listings, from 0 to 1."""

    zero_share: Decimal = Decimal("0.05")
    zero_count: int = 50
    changed_share: Decimal = Decimal("0.60")
    tenfold_share: Decimal = Decimal("0.05")
    tenfold_count: int = 20
    source_share: Decimal = Decimal("0.95")
    """A plan of the whole shop needs at least this share of the source rows that the one before had."""


@dataclass(frozen=True)
class PlanShape:
    """A plan in numbers, counted together with what went to the shop in the hour before, each listing once.

    ``source_rows`` are listings with a confirmed figure, None where the plan did not look at the whole shop;
    ``source_before`` is that number of the plan before, None for the first. ``fall`` is the largest one in words.
    ``tenfold`` are figures that move to ten times or a tenth, by ``TENFOLD_UNITS`` or more: pieces taken for boxes.
    """

    listings: int
    to_zero: int
    changed: int
    source_rows: int | None = None
    source_before: int | None = None
    fall: str = ""
    tenfold: int = 0


@dataclass(frozen=True)
class RuleVerdict:
    """One line of the brake screen (SCREENS §5.12)."""

    rule: str
    limit: str
    plan: str
    tripped: bool = False


@dataclass(frozen=True)
class BrakeVerdict:
    """All lines; ``tripped`` as soon as one is."""

    rules: tuple[RuleVerdict, ...]

    @property
    def tripped(self) -> bool:
        return any(rule.tripped for rule in self.rules)

    @property
    def words(self) -> str:
        """What tripped, as one clause: ``1 204 SKUs would go to 0, 24 % of the shop``; '' when nothing did."""
        return "; ".join(f"{rule.rule}: {rule.plan}, limit {rule.limit}" for rule in self.rules if rule.tripped)


def judge(shape: PlanShape, limits: BrakeLimits) -> BrakeVerdict:
    """Hold the plan against the limits. A limit is still allowed itself: only what passes it trips."""
    return BrakeVerdict(
        (
            _to_zero(shape, limits),
            _changed(shape, limits),
            _tenfold(shape, limits),
            _source(shape, limits),
            RuleVerdict("largest fall", "–", shape.fall or "none"),
        )
    )


def zeros_trip(listings: int, to_zero: int, limits: BrakeLimits) -> bool:
    """Whether so many SKUs going to zero within an hour are abnormal for a shop of so many listings."""
    if to_zero < FEW:
        return False
    return to_zero > limits.zero_count or _above(to_zero, listings, limits.zero_share)


def _to_zero(shape: PlanShape, limits: BrakeLimits) -> RuleVerdict:
    return RuleVerdict(
        "going to zero",
        f"{_percent(limits.zero_share)} or {grouped(limits.zero_count)}",
        _counted(shape.to_zero, shape.listings),
        zeros_trip(shape.listings, shape.to_zero, limits),
    )


def _changed(shape: PlanShape, limits: BrakeLimits) -> RuleVerdict:
    return RuleVerdict(
        "changed at once",
        _percent(limits.changed_share),
        _counted(shape.changed, shape.listings),
        shape.changed >= FEW and _above(shape.changed, shape.listings, limits.changed_share),
    )


def _tenfold(shape: PlanShape, limits: BrakeLimits) -> RuleVerdict:
    tripped = shape.tenfold >= FEW and (
        shape.tenfold > limits.tenfold_count or _above(shape.tenfold, shape.listings, limits.tenfold_share)
    )
    return RuleVerdict(
        "tenfold moves",
        f"{_percent(limits.tenfold_share)} or {grouped(limits.tenfold_count)}",
        _counted(shape.tenfold, shape.listings),
        tripped,
    )


def _source(shape: PlanShape, limits: BrakeLimits) -> RuleVerdict:
    if shape.source_rows is None:
        return RuleVerdict("source rows", "–", "not the whole shop")
    if shape.source_before is None:
        empty = shape.source_rows == 0 and shape.listings > 0
        return RuleVerdict("source rows", "at least 1", grouped(shape.source_rows), empty)
    least = int(-(-Fraction(limits.source_share) * shape.source_before // 1))
    return RuleVerdict(
        "source rows",
        f"{grouped(least)} or more",
        f"{grouped(shape.source_rows)}, {grouped(shape.source_before)} before",
        shape.source_rows < least,
    )


def _above(part: int, whole: int, share: Decimal) -> bool:
    return Fraction(part) > Fraction(share) * whole


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"


def _counted(part: int, whole: int) -> str:
    return f"{grouped(part)}, {round(100 * part / whole)} %" if whole else grouped(part)


def grouped(number: int) -> str:
    """A count with its thousands apart, as every screen shows it: ``1 204``."""
    return f"{number:,}".replace(",", " ")
