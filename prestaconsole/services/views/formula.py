"""The stock formula of one shop: its steps, its exceptions, and what other steps would change. Imports operations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.engine import Connection

from prestaconsole.changes.brake import limits_of
from prestaconsole.model.catalogue import Listing, Product
from prestaconsole.model.formula import KitPart, ProductFormula
from prestaconsole.operations.availability import availability, formula_of
from prestaconsole.operations.shop_settings import SHOP_SETTINGS
from prestaconsole.operations.shops import ShopRecord, fold, load_shop
from prestaconsole.rules.availability import Formula, Free, Part, finish
from prestaconsole.rules.brake import BrakeLimits, BrakeVerdict, PlanShape, judge
from prestaconsole.services.views.rows import Ask

#: Step of a part → the setting that shapes it, what row it stands in; the order of the rule (FEATURES idea 10).
STEPS: tuple[tuple[int, str, str, str], ...] = (
    (1, "1 Warehouses", "stock.warehouses", "warehouse"),
    (2, "  counted as", "stock.mode", ""),
    (3, "  percentages", "stock.share", ""),
    (4, "  less, figures come late", "stock.lag", ""),
    (5, "2 less reserved", "stock.reservations", "held"),
    (6, "  a kit's scarcest part", "", "kit"),
    (7, "3 less buffer", "stock.buffer", "buffer"),
    (8, "4 below this, show 0", "stock.threshold", "threshold"),
    (9, "5 show at most", "stock.cap", "cap"),
    (10, "  stop selling", "", "stop"),
    (11, "Shop should show", "", "should"),
    (12, "Shop shows now", "", "shows"),
)
#: Exceptions stand under the steps; their rows are the product's id above this.
EXCEPTIONS = 1000
#: A row belongs to one shop: its id is the shop's, then the row's.
SHIFT = 1 << 32
_EXCEPTION_STEPS = ("buffer", "threshold", "cap")


@dataclass(frozen=True)
class FormulaLine:
    """A step of the shop (``setting`` empty: fixed), or an exception of one product (``product_id``, ``own``)."""

    id: int
    label: str
    setting: str = ""
    step: str = ""
    text: str = ""
    default: str = ""
    is_own: bool = False
    product_id: int | None = None
    own: Mapping[str, int] = field(default_factory=dict)
    by: str = ""


class FormulaQuery:
    """The steps in their fixed order, then the products that differ, by SKU."""

    orders: Sequence[str] = ("step",)

    def ids(self, connection: Connection, ask: Ask) -> Iterable[int]:
        """All rows of the shop asked for; a filter looks at exceptions only."""
        if ask.shop is None:
            return []
        words = fold(ask.words).split()
        rows = connection.execute(
            select(Product.id, Product.sku, Product.name)
            .join(ProductFormula, ProductFormula.product_id == Product.id)
            .where(ProductFormula.shop_id == ask.shop)
            .order_by(Product.sku, Product.id)
        )
        found = [EXCEPTIONS + r.id for r in rows if all(word in fold(f"{r.sku} {r.name}") for word in words)]
        shown = found if words else [*(identity for identity, *_ in STEPS), *found]
        return [ask.shop * SHIFT + identity for identity in shown]

    def rows(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, FormulaLine]:
        """These rows, as they are stored."""
        found: dict[int, FormulaLine] = {}
        for shop_id in {identity // SHIFT for identity in ids}:
            wanted = [identity % SHIFT for identity in ids if identity // SHIFT == shop_id]
            found.update({shop_id * SHIFT + line.id: line for line in _lines(connection, shop_id, wanted)})
        return found


def _lines(connection: Connection, shop_id: int, ids: Sequence[int]) -> Iterable[FormulaLine]:
    shop = load_shop(connection, shop_id)
    for step in STEPS:
        if step[0] in ids:
            yield _step(shop, *step)
    products = [identity - EXCEPTIONS for identity in ids if identity > EXCEPTIONS]
    own = ProductFormula
    rows = connection.execute(
        select(Product.id, Product.sku, own.buffer, own.threshold, own.cap, own.updated_by)
        .join(own, own.product_id == Product.id)
        .where(own.shop_id == shop_id, own.product_id.in_(products))
    )
    for row in rows:
        given = {step: getattr(row, step) for step in _EXCEPTION_STEPS if getattr(row, step) is not None}
        text = ", ".join(f"{step} {number}" for step, number in given.items())
        sku = row.sku or f"#{row.id}"
        yield FormulaLine(EXCEPTIONS + row.id, sku, text=text, product_id=row.id, own=given, by=row.updated_by)


def _step(shop: ShopRecord, identity: int, label: str, setting: str, step: str) -> FormulaLine:
    default = SHOP_SETTINGS[setting].default if setting else ""
    text = shop.settings.get(setting, default) if setting else ""
    return FormulaLine(identity, label, setting, step, text, default, setting in shop.settings)


# -- what other steps would change -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """One listing under the steps: units by step, what it should show, what the shop shows."""

    sku: str
    by_step: Mapping[str, int]
    should: int | None
    shows: int | None


@dataclass(frozen=True)
class Counted:
    """Listings counted under other steps: sums by step, how many figures differ from those in force, the largest.

    ``largest`` is SKU, figure in force, figure then. Two of them add up to one over both their listings.
    """

    listings: int = 0
    by_step: Mapping[str, int] = field(default_factory=dict)
    up: int = 0
    down: int = 0
    to_zero: int = 0
    largest: tuple[tuple[str, int, int], ...] = ()
    examples: Mapping[int, Example] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """How many listings would show another figure."""
        return self.up + self.down

    def __add__(self, other: "Counted") -> "Counted":
        steps = {*self.by_step, *other.by_step}
        largest = sorted((*self.largest, *other.largest), key=lambda one: -abs(one[2] - one[1]))
        return Counted(
            self.listings + other.listings,
            {step: self.by_step.get(step, 0) + other.by_step.get(step, 0) for step in steps},
            self.up + other.up,
            self.down + other.down,
            self.to_zero + other.to_zero,
            tuple(largest[:3]),
            {**self.examples, **other.examples},
        )


def sold_listings(connection: Connection, shop_id: int) -> list[int]:
    """Every listing of the shop that has a figure of its own, by id."""
    sold = (Listing.has_combinations.is_(False), Listing.gone_at.is_(None))
    found = connection.execute(select(Listing.id).where(Listing.shop_id == shop_id, *sold).order_by(Listing.id))
    return list(found.scalars())


def with_drafts(shop: ShopRecord, drafts: Mapping[str, str]) -> ShopRecord:
    """The shop as it would be with these settings; an empty text is the default."""
    kept = {name: text for name, text in shop.settings.items() if name not in drafts}
    return replace(shop, settings=kept | {name: text for name, text in drafts.items() if text})


def count(
    connection: Connection, shop_id: int, drafts: Mapping[str, str], ids: Sequence[int], examples: Sequence[int] = ()
) -> Counted:
    """Count some listings under the steps in force and under ``drafts``. Raises ``UsageError`` for a bad draft."""
    shop = load_shop(connection, shop_id)
    before = availability(connection, shop, ids)
    after = availability(connection, with_drafts(shop, drafts), ids) if drafts else before
    rows = connection.execute(select(Listing.id, Listing.sku, Listing.quantity).where(Listing.id.in_(ids)))
    sums: dict[str, int] = {}
    up = down = to_zero = 0
    moved: list[tuple[str, int, int]] = []
    shown: dict[int, Example] = {}
    for row in rows:
        number, old = after.get(row.id), before.get(row.id)
        if number is None:
            continue
        by_step = _by_step(number.parts)
        for step, units in (*by_step.items(), ("should", number.shown or 0), ("shows", row.quantity or 0)):
            sums[step] = sums.get(step, 0) + units
        if row.id in examples:
            shown[row.id] = Example(row.sku, by_step, number.shown, row.quantity)
        if old is not None and old.shown is not None and number.shown is not None and old.shown != number.shown:
            up, down = up + (number.shown > old.shown), down + (number.shown < old.shown)
            to_zero += number.shown == 0
            moved.append((row.sku, old.shown, number.shown))
    moved.sort(key=lambda one: -abs(one[2] - one[1]))
    return Counted(len(after), sums, up, down, to_zero, tuple(moved[:3]), shown)


def _by_step(parts: Sequence[Part]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        found[part.step] = found.get(part.step, 0) + part.units
    return found


def brake_limits(connection: Connection, shop_id: int) -> BrakeLimits:
    """What the shop's brake lets pass."""
    return limits_of(load_shop(connection, shop_id))


def verdict(counted: Counted, limits: BrakeLimits) -> BrakeVerdict:
    """What the brake would say of a plan of these changes."""
    return judge(PlanShape(counted.listings, counted.to_zero, counted.changed), limits)


def is_abnormal(counted: Counted, limits: BrakeLimits, drafts: Mapping[str, str]) -> bool:
    """Whether saving wants the shop's name: the brake would hold what follows, or no warehouse is left."""
    return verdict(counted, limits).tripped or drafts.get("stock.warehouses") == ""


# -- exceptions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProductInShop:
    """What an exception of one product is judged by: the shop's steps, those of its own, what is free of it."""

    product_id: int
    sku: str
    formula: Formula
    own: Mapping[str, int]
    free: Free
    stopped: bool

    def shown_with(self, own: Mapping[str, int]) -> int | None:
        """The figure with these steps of its own; a step that is not named is the shop's."""
        formula = replace(
            self.formula,
            buffer=own.get("buffer", self.formula.buffer),
            threshold=own.get("threshold", self.formula.threshold),
            cap=own.get("cap", self.formula.cap),
        )
        return finish(self.free, formula, stop_selling=self.stopped).shown


def product_in_shop(connection: Connection, shop_id: int, product_id: int) -> ProductInShop | None:
    """One product of a shop, or None where no listing of it is sold there."""
    shop = load_shop(connection, shop_id)
    sold = (Listing.has_combinations.is_(False), Listing.gone_at.is_(None))
    listing = connection.execute(
        select(Listing.id).where(Listing.shop_id == shop_id, Listing.product_id == product_id, *sold).limit(1)
    ).scalar()
    if listing is None:
        return None
    number = availability(connection, shop, [listing])[listing]
    free = [part for part in number.parts if part.step in ("warehouse", "held", "kit")]
    units = None if number.shown is None else sum(part.units for part in free)
    own = connection.execute(
        select(*(getattr(ProductFormula, step) for step in _EXCEPTION_STEPS)).where(
            ProductFormula.shop_id == shop_id, ProductFormula.product_id == product_id
        )
    ).one_or_none()
    given = {step: number for step, number in zip(_EXCEPTION_STEPS, own or (), strict=False) if number is not None}
    return ProductInShop(
        product_id, _sku(connection, product_id), formula_of(shop), given,
        Free(units, tuple(free), number.why_none), _stopped(connection, product_id),
    )  # fmt: skip


def _sku(connection: Connection, product_id: int) -> str:
    return connection.execute(select(Product.sku).where(Product.id == product_id)).scalar() or f"#{product_id}"


def _stopped(connection: Connection, product_id: int) -> bool:
    """Whether the product, or any part of the kit that it is, is not sold for now."""
    asked, seen = {product_id}, set[int]()
    while asked - seen:
        seen |= asked
        asked = set(connection.execute(select(KitPart.part_id).where(KitPart.kit_id.in_(asked))).scalars())
    found = select(Product.id).where(Product.id.in_(seen), Product.stop_selling).limit(1)
    return connection.execute(found).first() is not None
