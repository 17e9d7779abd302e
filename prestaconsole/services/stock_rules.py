"""Rules of single products: exceptions from a shop's formula, parts of kits, stop selling. May import operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from prestaconsole.database import Connection, upsert
from prestaconsole.errors import UsageError
from prestaconsole.model import KitPart, Listing, Product, ProductFormula, Shop
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.kits import refuse_cycle, touched_by
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import find_shop
from prestaconsole.operations.stock_ledger import mark_listings
from prestaconsole.services.stock import find_product
from prestaconsole.services.typed import one_line

STEPS = ("buffer", "threshold", "cap")
_MOST = 1_000_000
_MOST_PARTS = 100


@dataclass(frozen=True)
class FormulaRow:
    """The steps of one product in one shop; ``own`` names those that differ from the shop's. ``cap`` None: no limit."""

    shop: str
    sku: str
    buffer: int
    threshold: int
    cap: int | None
    own: tuple[str, ...]


@dataclass(frozen=True)
class KitRow:
    """One part of a kit and its units in one kit."""

    kit: str
    part: str
    name: str
    units: int


@dataclass(frozen=True)
class Stopped:
    """Whether a product is sold, and how many listings that touches, in how many shops."""

    sku: str
    stopped: bool
    listings: int
    shops: int


# -- exceptions ------------------------------------------------------------------------------------------------


def product_formula(core: Core, sku: str, shop: str) -> FormulaRow:
    """The steps in force for a product in a shop. Raises ``NotFoundError``."""
    return core.database.read_now(lambda c: _formula(c, sku, shop))


def set_product_formula(core: Core, sku: str, shop: str, values: Mapping[str, str], *, actor: str) -> FormulaRow:
    """Set steps of a product in one shop, all or none; an empty text gives a step the shop's value back.

    Raises ``UsageError`` naming the step that does not take the text.
    """
    typed = {name.strip(): _step(name.strip(), text.strip()) for name, text in values.items()}

    def work(connection: Connection) -> FormulaRow:
        now = core.clock.now()
        record = find_shop(connection, shop)
        product_id, name = find_product(connection, sku)
        mine = (ProductFormula.shop_id == record.id) & (ProductFormula.product_id == product_id)
        columns = [getattr(ProductFormula, step) for step in STEPS]
        standing = connection.execute(select(*columns).where(mine)).one_or_none()
        before: dict[str, int | None] = dict(zip(STEPS, standing or (None, None, None), strict=True))
        after = {**before, **typed}
        if all(number is None for number in after.values()):
            connection.execute(delete(ProductFormula).where(mine))
        else:
            row = {"shop_id": record.id, "product_id": product_id, **after, "updated_at": now, "updated_by": actor}
            upsert(connection, ProductFormula, [row], key=["shop_id", "product_id"])
        if after != before:
            mark_listings(connection, [product_id], now)
        audit(
            connection,
            actor=actor,
            action="stock formula",
            at=now,
            shop_id=record.id,
            record=name,
            before=before,
            after=after,
        )
        return _formula(connection, sku, shop)

    return core.database.write_now(work)


def _step(name: str, text: str) -> int | None:
    if name not in STEPS:
        raise UsageError(f"“{name}” is no step of the formula.", f"Steps of a product: {', '.join(STEPS)}.")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST):
        raise UsageError(f"{name} cannot be “{text}”.", f"It takes a whole number from 0 to {_MOST}, or nothing.")
    return int(text)


def _formula(connection: Connection, sku: str, shop: str) -> FormulaRow:
    record = find_shop(connection, shop)
    product_id, name = find_product(connection, sku)
    own = connection.execute(
        select(*(getattr(ProductFormula, step) for step in STEPS)).where(
            ProductFormula.shop_id == record.id, ProductFormula.product_id == product_id
        )
    ).one_or_none()
    given = {step: number for step, number in zip(STEPS, own or (), strict=False) if number is not None}
    steps = {step: given.get(step, value(record, f"stock.{step}")) for step in STEPS}
    return FormulaRow(record.name, name, steps["buffer"], steps["threshold"], steps["cap"], tuple(given))


def list_exceptions(core: Core, shop: str | None = None) -> list[FormulaRow]:
    """Every product that differs from its shop's formula, in one shop or all."""

    def work(connection: Connection) -> list[FormulaRow]:
        statement = (
            select(Product.id, Product.sku, Shop.code)
            .join(ProductFormula, ProductFormula.product_id == Product.id)
            .join(Shop, Shop.id == ProductFormula.shop_id)
            .order_by(Shop.code, Product.sku, Product.id)
        )
        if shop is not None:
            statement = statement.where(Shop.id == find_shop(connection, shop).id)
        rows = connection.execute(statement).all()
        return [_formula(connection, row.sku or f"#{row.id}", row.code) for row in rows]

    return core.database.read_now(work)


# -- kits ------------------------------------------------------------------------------------------------------


def show_kit(core: Core, sku: str) -> list[KitRow]:
    """The parts of a kit by SKU; empty for a product that is kept as it is. Raises ``NotFoundError``."""

    def work(connection: Connection) -> list[KitRow]:
        product_id, name = find_product(connection, sku)
        return _parts_of(connection, product_id, name)

    return core.database.read_now(work)


def list_kits(core: Core) -> list[KitRow]:
    """Every kit with its parts."""

    def work(connection: Connection) -> list[KitRow]:
        kits = connection.execute(
            select(Product.id, Product.sku)
            .where(Product.id.in_(select(KitPart.kit_id)))
            .order_by(Product.sku, Product.id)
        ).all()
        return [row for kit in kits for row in _parts_of(connection, kit.id, kit.sku or f"#{kit.id}")]

    return core.database.read_now(work)


def set_kit(core: Core, sku: str, parts: Mapping[str, int], *, actor: str, reason: str = "") -> list[KitRow]:
    """Say what a kit is made of, in place of what stood there; without parts it is a plain product again.

    Raises ``UsageError`` for units below 1 and for a part that is made of the kit itself.
    """
    reason = one_line("reason", reason, 200)
    if len(parts) > _MOST_PARTS:
        raise UsageError(f"A kit of {len(parts)} parts is too large; {_MOST_PARTS} are the most.", "Split it.")

    def work(connection: Connection) -> list[KitRow]:
        now = core.clock.now()
        kit_id, name = find_product(connection, sku)
        wanted, names = _resolve(connection, parts)
        refuse_cycle(connection, kit_id, list(wanted), {**names, kit_id: name})
        before = {row.part: row.units for row in _parts_of(connection, kit_id, name)}
        touched = touched_by(connection, [kit_id])
        connection.execute(delete(KitPart).where(KitPart.kit_id == kit_id))
        if wanted:
            rows = [{"kit_id": kit_id, "part_id": part, "units": units} for part, units in wanted.items()]
            connection.execute(insert(KitPart), rows)
        mark_listings(connection, [*touched, kit_id], now)
        after = {names[part]: units for part, units in wanted.items()}
        audit(
            connection, actor=actor, action="stock kit", at=now, record=name, before=before, after=after, reason=reason
        )
        return _parts_of(connection, kit_id, name)

    return core.database.write_now(work)


def _resolve(connection: Connection, parts: Mapping[str, int]) -> tuple[dict[int, int], dict[int, str]]:
    wanted: dict[int, int] = {}
    names: dict[int, str] = {}
    for sku, units in parts.items():
        part_id, name = find_product(connection, sku)
        if not 1 <= units <= _MOST:
            raise UsageError(f"{units} of {name} cannot be in a kit.", f"Give a whole number from 1 to {_MOST}.")
        if part_id in wanted:
            raise UsageError(f"{name} is named twice.", "Name each part once, with all of its units.")
        wanted[part_id], names[part_id] = units, name
    return wanted, names


def _parts_of(connection: Connection, kit_id: int, name: str) -> list[KitRow]:
    rows = connection.execute(
        select(Product.id, Product.sku, Product.name, KitPart.units)
        .join(KitPart, KitPart.part_id == Product.id)
        .where(KitPart.kit_id == kit_id)
        .order_by(Product.sku, Product.id)
    )
    return [KitRow(name, row.sku or f"#{row.id}", row.name, row.units) for row in rows]


# -- stop selling ----------------------------------------------------------------------------------------------


def stop_selling(core: Core, sku: str, *, reason: str, actor: str) -> Stopped:
    """Show zero of a product in every shop, and of every kit that needs it, until it is resumed."""
    return _set_selling(core, sku, True, reason, actor)


def resume_selling(core: Core, sku: str, *, reason: str, actor: str) -> Stopped:
    """Let a product be sold again; its number is what the formula says."""
    return _set_selling(core, sku, False, reason, actor)


def _set_selling(core: Core, sku: str, stopped: bool, reason: str, actor: str) -> Stopped:
    reason = one_line("reason", reason, 200, needed=True)

    def work(connection: Connection) -> Stopped:
        now = core.clock.now()
        product_id, name = find_product(connection, sku)
        before = connection.execute(select(Product.stop_selling).where(Product.id == product_id)).scalar_one()
        connection.execute(update(Product).where(Product.id == product_id).values(stop_selling=stopped))
        if before != stopped:
            mark_listings(connection, [product_id], now)
        audit(
            connection,
            actor=actor,
            action="stock stop" if stopped else "stock resume",
            at=now,
            record=name,
            before={"stopped": before},
            after={"stopped": stopped},
            reason=reason,
        )
        shops = _shops_selling(connection, touched_by(connection, [product_id]))
        return Stopped(name, stopped, len(shops), len(set(shops)))

    return core.database.write_now(work)


def _shops_selling(connection: Connection, products: Sequence[int]) -> list[int]:
    sold = (Listing.gone_at.is_(None), Listing.has_combinations.is_(False))
    return list(
        connection.execute(select(Listing.shop_id).where(Listing.product_id.in_(products), *sold)).scalars().all()
    )


def stopped_products(core: Core) -> list[str]:
    """The SKUs that are not sold anywhere for now."""

    def work(connection: Connection) -> list[str]:
        rows = connection.execute(
            select(Product.id, Product.sku).where(Product.stop_selling).order_by(Product.sku, Product.id)
        )
        return [row.sku or f"#{row.id}" for row in rows]

    return core.database.read_now(work)


def parts_typed(words: Sequence[str]) -> dict[str, int]:
    """``A-1=2 B-2`` as {A-1: 2, B-2: 1}. Raises ``UsageError``."""
    found: dict[str, int] = {}
    for word in words:
        sku, sign, number = word.rpartition("=")
        if not sign:
            sku, number = word, "1"
        if not sku.strip() or not (number.isascii() and number.isdigit()):
            raise UsageError(f"“{word}” is no part.", "Write SKU=UNITS, such as A-1=2.")
        if sku.strip() in found:
            raise UsageError(f"{sku.strip()} is named twice.", "Name each part once, with all of its units.")
        found[sku.strip()] = int(number)
    return found
