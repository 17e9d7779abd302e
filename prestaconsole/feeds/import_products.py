"""The feed ``import_products``: products, combinations and stock rows as listings, linked by SKU without guessing.

Pages by id cursor with named fields; resumable at each page. Only a whole, undamaged reading makes a listing gone.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from prestaconsole.database import Connection
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.operations import listings, parking
from prestaconsole.operations.ahead import Ahead
from prestaconsole.operations.identity import require_same_shop
from prestaconsole.operations.order_reading import version_tuple
from prestaconsole.operations.packs import forget_packs, store_packs
from prestaconsole.operations.pages import LogLine
from prestaconsole.operations.stock_reading import STOCK_FIELDS, read_fronts, unreadable
from prestaconsole.operations.storefronts import SINGLE, Front, Fronts, keep_listed, rows_of, unlisted
from prestaconsole.webservice.client import Page
from prestaconsole.webservice.errors import KeyNotForShop
from prestaconsole.webservice.query import equals
from prestaconsole.webservice.repair import Damage

_PAGE = 1000
_NAMES = {"products": "product", "combinations": "combination", "stock_availables": "stock row"}
_PRODUCT_FIELDS = ("reference", "ean13", "active", "price", "cache_is_pack", "is_virtual", "name")
_COMBINATION_FIELDS = ("id_product", "reference", "ean13", "price", "product_option_values[id]")


@dataclass
class _Pass:
    """One full reading; ``began`` decides what was not seen in it. Each phase is read once for each storefront."""

    context: FeedContext
    began: datetime
    whole: bool
    done: int
    total: int | None
    phase: str
    after: int
    ahead: Ahead
    front: int = 0
    """Which storefront of the phase is being read, counted from 0."""
    apart: dict[str, int] = field(default_factory=dict)
    """By storefront: products that one before it lists as well, with a stock apart."""
    fronts: Fronts = SINGLE
    option_values: Mapping[int, str] = field(default_factory=dict)
    parked: frozenset[str] = frozenset()
    """Records that are known to fail: they are there, but say nothing."""

    def checkpoint(self, after: int) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "front": self.front,
            "after": after,
            "began": self.began.isoformat(),
            "whole": self.whole,
            "done": self.done,
            "apart": self.apart,
        }


_PHASES = ("products", "combinations", "stock rows", "linking")
_LISTS = {"products": "products", "combinations": "combinations", "stock rows": "stock_availables"}


async def run(context: FeedContext) -> Outcome:
    """Read all products, combinations and stock rows of the shop, then link listings to products."""
    saved = context.run.checkpoint
    began = datetime.fromisoformat(saved["began"]) if saved.get("began") else context.core.clock.now()
    reading = _Pass(
        context,
        began,
        bool(saved.get("whole", True)),
        int(saved.get("done", 0)),
        None,
        str(saved.get("phase", _PHASES[0])),
        int(saved.get("after", 0)),
        Ahead(context.client, tuple(_LISTS.values()), full=_PAGE // 2),
        int(saved.get("front", 0)),
        dict(saved.get("apart", {})),
    )
    if not saved:
        await require_same_shop(context.core, context.shop, context.client, context.commit)
    reading.parked = await context.core.database.read(
        lambda c: frozenset(parking.parked(c, context.shop.id, "product"))
    )
    reading.fronts = await read_fronts(context.shop, context.commit)
    for phase, step in zip(_PHASES, (_products, _combinations, _stock_rows), strict=False):
        if reading.phase == phase:
            await _phase(reading, step)
    return await _link(reading)


async def _phase(reading: _Pass, step: Callable[["_Pass", Front], Awaitable[None]]) -> None:
    """Read the phase in each storefront from where it stands, and make its end the start of the next."""
    context, phase = reading.context, reading.phase
    fronts = reading.fronts.stocks if phase == "stock rows" else reading.fronts.all
    if phase == "combinations":
        reading.option_values = await _option_values(context)
    refused = 0
    for front in fronts[reading.front :]:
        try:
            await step(reading, front)
        except KeyNotForShop:
            refused += 1
            if refused == len(fronts):
                raise
            kept = partial(keep_listed, shop_id=context.shop.id, front=front, now=context.core.clock.now())
            await context.commit(kept, logs=[unreadable(front)])
        reading.front, reading.after = reading.front + 1, 0
        await context.commit(lambda c: None, checkpoint=reading.checkpoint(0), phase=phase)
    if phase == "products" and version_tuple(context.shop.version) >= (1, 6, 1):
        await _packs(context, fronts)
    reading.phase, reading.front, reading.after = _PHASES[_PHASES.index(phase) + 1], 0, 0
    await context.commit(lambda c: None, checkpoint=reading.checkpoint(0), phase=reading.phase)


async def _products(reading: _Pass, front: Front) -> None:
    context = reading.context
    fields = _PRODUCT_FIELDS + (("product_type",) if version_tuple(context.shop.version) >= (1, 7, 8) else ())
    language = context.shop.id_language or None
    pages = context.client.pages(
        "products", fields, after=reading.after, page_size=_PAGE, language=language, id_shop=front.id_shop
    )
    shop_id, now = context.shop.id, context.core.clock.now

    def store(connection: Connection, page: Page) -> int:
        rows, apart = unlisted(
            connection, shop_id, reading.fronts, front, page.entities, lambda e: (e.id, 0), reading.began
        )
        listings.store_products(connection, shop_id, rows, now(), id_shop=front.id_shop or 0)
        return apart

    await _each(reading, front, pages, store)


async def _packs(context: FeedContext, fronts: Sequence[Front]) -> None:
    """Read what the packs are made of, and which rows one lowers. 1.6 does not tell a part's combination (R42)."""
    told = "id,id_product_attribute,quantity" if version_tuple(context.shop.version) >= (1, 7, 6) else "id,quantity"
    fields, only = ("pack_stock_type", f"product_bundle[{told}]"), {"cache_is_pack": equals(1)}
    shop_id, seen, whole = context.shop.id, set[int](), True
    for front in fronts:
        try:
            async for page in context.client.pages("products", fields, filters=only, id_shop=front.id_shop):
                fresh = [pack for pack in page.entities if pack.id not in seen]
                seen |= {pack.id for pack in fresh}
                whole = whole and page.complete and not page.damaged
                await context.commit(partial(store_packs, shop_id=shop_id, packs=fresh), phase="products")
        except KeyNotForShop:
            whole = False  # said where its products were read
    if whole:
        await context.commit(lambda c: forget_packs(c, shop_id, seen), phase="products")


async def _combinations(reading: _Pass, front: Front) -> None:
    context = reading.context
    pages = context.client.pages(
        "combinations", _COMBINATION_FIELDS, after=reading.after, page_size=_PAGE, id_shop=front.id_shop
    )
    shop_id, now = context.shop.id, context.core.clock.now

    def store(connection: Connection, page: Page) -> int:
        rows, _ = unlisted(
            connection,
            shop_id,
            reading.fronts,
            front,
            page.entities,
            lambda e: (e.integer("id_product"), e.id),
            reading.began,
        )
        listings.store_combinations(connection, shop_id, rows, reading.option_values, now(), id_shop=front.id_shop or 0)
        return 0

    await _each(reading, front, pages, store)


async def _option_values(context: FeedContext) -> dict[int, str]:
    language = context.shop.id_language or None
    pages = context.client.pages("product_option_values", ("name",), page_size=_PAGE, language=language)
    return {entity.id: entity.text("name") async for page in pages for entity in page.entities}


async def _stock_rows(reading: _Pass, front: Front) -> None:
    context = reading.context
    pages = context.client.pages(
        "stock_availables", STOCK_FIELDS, after=reading.after, page_size=_PAGE, id_shop=front.id_shop
    )
    shop_id, now = context.shop.id, context.core.clock.now

    def store(connection: Connection, page: Page) -> int:
        rows = rows_of(connection, shop_id, reading.fronts, front, page.entities)
        listings.store_stock_rows(connection, shop_id, rows, now())
        return 0

    await _each(reading, front, pages, store)


async def _each(
    reading: _Pass, front: Front, pages: AsyncIterator[Page], store: Callable[[Connection, Page], int]
) -> None:
    """Commit each page with its checkpoint."""
    phase = reading.phase
    async for page in pages:
        fresh = [damage for damage in page.damaged if _record(damage) not in reading.parked]
        if fresh or not page.complete:
            reading.whole = False
        reading.done += page.length
        reading.total = await reading.ahead.total(_LISTS[phase], page, reading.done)

        def keep(connection: Connection, page: Page = page) -> int:
            _note_ends(connection, reading, phase, page)
            return store(connection, page)

        apart = await reading.context.commit(
            keep,
            checkpoint=reading.checkpoint(page.last_id),
            done=reading.done,
            total=reading.total,
            phase=phase,
            counts={"seen": page.length, **({"failed": len(fresh)} if fresh else {})},
            logs=_page_words(phase, page, fresh),
        )
        if apart:
            reading.apart[str(front.id_shop)] = reading.apart.get(str(front.id_shop), 0) + apart


def _record(damage: Damage) -> str:
    return f"{damage.resource}:{damage.id}"


def _note_ends(connection: Connection, reading: _Pass, phase: str, page: Page) -> None:
    """Count what could not be read, forget what could; what is parked counts as seen, since the shop lists it."""
    context = reading.context
    shop_id, now = context.shop.id, context.core.clock.now()
    good = (
        f"{phase.replace('stock rows', 'stock_availables')}:{entity.id}"
        for entity in page.entities
        if not entity.damaged
    )
    parking.note_good(connection, shop_id, "product", good, at=now)
    failed = {
        _record(damage): parking.Failed(f"{_NAMES.get(damage.resource, damage.resource)} {damage.id}", damage.reason)
        for damage in page.damaged
    }
    aside = parking.note_failures(connection, shop_id, "product", failed, at=now, run_id=context.run.id)
    for damage in page.damaged:
        if _record(damage) in aside:
            listings.keep_seen(connection, shop_id, damage.resource, damage.id, now)


def _page_words(phase: str, page: Page, fresh: Sequence[Damage]) -> Sequence[LogLine]:
    lines = [LogLine("info", f"{phase}: {page.length} read, {page.seconds:.1f} s")] if page.length else []
    lines += [LogLine("warn", f"{damage.resource} {damage.id}: {damage.reason}") for damage in fresh]
    if not page.complete:
        lines.append(LogLine("warn", f"{phase}: the shop's answer has gaps; nothing is taken for gone"))
    return lines


def _apart_words(reading: _Pass) -> dict[str, str]:
    """The finding about products that several storefronts sell, each from a stock of its own."""
    names = {str(front.id_shop): f"{front.name} ({front.id_shop})" for front in reading.fronts.all}
    counted = ", ".join(f"{number} in {names.get(front, front)}" for front, number in reading.apart.items())
    if not counted:
        return {}
    text = "Products that an earlier storefront sells too, from a stock apart: only the earlier one's row is written"
    return {"several-stocks": f"{text}. {counted}."}


async def _link(reading: _Pass) -> Outcome:
    context = reading.context
    shop_id = context.shop.id
    now = context.core.clock.now()

    def link(connection: Connection) -> listings.Linked:
        notes = _apart_words(reading) | listings.held_by_asm(connection, shop_id)
        gone = listings.mark_gone(connection, shop_id, reading.began, now) if reading.whole else 0
        return listings.link(connection, shop_id, now=now, gone=gone, notes=notes)

    linked = await context.commit(link, phase="linking")
    words = (
        f"{linked.listings} listings, {linked.new} new, {linked.without_sku} without SKU, {linked.repeated} repeated"
    )
    counts = {"new": linked.new, "skipped": linked.without_sku + linked.repeated, "gone": linked.gone}
    counts = {name: number for name, number in counts.items() if number}
    await context.commit(
        lambda c: None, done=reading.done, total=reading.done, counts=counts, logs=[LogLine("info", words)]
    )
    return Outcome(complete=True, text=words)
