"""The feed ``import_products``: products, combinations and stock rows as listings, linked by SKU without guessing.

Pages by id cursor with named fields; resumable at each page. Only a whole, undamaged reading makes a listing gone.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prestaconsole.database import Connection
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.operations import listings, parking
from prestaconsole.operations.ahead import Ahead
from prestaconsole.operations.identity import require_same_shop
from prestaconsole.operations.order_reading import version_tuple
from prestaconsole.operations.pages import LogLine
from prestaconsole.operations.stock_reading import STOCK_FIELDS
from prestaconsole.webservice.client import Page
from prestaconsole.webservice.repair import Damage

_PAGE = 1000
_NAMES = {"products": "product", "combinations": "combination", "stock_availables": "stock row"}
_PRODUCT_FIELDS = ("reference", "ean13", "active", "price", "cache_is_pack", "is_virtual", "name")
_COMBINATION_FIELDS = ("id_product", "reference", "ean13", "price", "product_option_values[id]")


@dataclass
class _Pass:
    """One full reading; ``began`` decides what was not seen in it."""

    context: FeedContext
    began: datetime
    whole: bool
    done: int
    total: int | None
    phase: str
    after: int
    ahead: Ahead
    option_values: Mapping[int, str] = field(default_factory=dict)
    parked: frozenset[str] = frozenset()
    """Records that are known to fail: they are there, but say nothing."""

    def checkpoint(self, phase: str, after: int) -> dict[str, Any]:
        return {
            "phase": phase,
            "after": after,
            "began": self.began.isoformat(),
            "whole": self.whole,
            "done": self.done,
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
    )
    if not saved:
        await require_same_shop(context.core, context.shop, context.client, context.commit)
    reading.parked = await context.core.database.read(
        lambda c: frozenset(parking.parked(c, context.shop.id, "product"))
    )
    steps = (_products, _combinations, _stock_rows)
    for phase, step in zip(_PHASES, steps, strict=False):
        if _PHASES.index(reading.phase) > _PHASES.index(phase):
            continue
        after = reading.after if reading.phase == phase else 0
        await step(reading, after)
    return await _link(reading)


async def _products(reading: _Pass, after: int) -> None:
    context = reading.context
    fields = _PRODUCT_FIELDS + (("product_type",) if version_tuple(context.shop.version) >= (1, 7, 8) else ())
    language = context.shop.id_language or None
    pages = context.client.pages("products", fields, after=after, page_size=_PAGE, language=language)
    shop_id, now = context.shop.id, context.core.clock.now
    await _each(
        reading,
        "products",
        pages,
        lambda c, page: listings.store_products(c, shop_id, page.entities, now()),
    )


async def _combinations(reading: _Pass, after: int) -> None:
    context = reading.context
    reading.option_values = await _option_values(context)
    pages = context.client.pages("combinations", _COMBINATION_FIELDS, after=after, page_size=_PAGE)
    shop_id, now = context.shop.id, context.core.clock.now
    await _each(
        reading,
        "combinations",
        pages,
        lambda c, page: listings.store_combinations(c, shop_id, page.entities, reading.option_values, now()),
    )


async def _option_values(context: FeedContext) -> dict[int, str]:
    language = context.shop.id_language or None
    pages = context.client.pages("product_option_values", ("name",), page_size=_PAGE, language=language)
    return {entity.id: entity.text("name") async for page in pages for entity in page.entities}


async def _stock_rows(reading: _Pass, after: int) -> None:
    context = reading.context
    pages = context.client.pages("stock_availables", STOCK_FIELDS, after=after, page_size=_PAGE)
    shop_id, now = context.shop.id, context.core.clock.now
    await _each(
        reading,
        "stock rows",
        pages,
        lambda c, page: listings.store_stock_rows(c, shop_id, page.entities, now()),
    )


async def _each(
    reading: _Pass, phase: str, pages: AsyncIterator[Page], store: Callable[[Connection, Page], listings.Stored]
) -> None:
    """Commit each page with its checkpoint, and the phase's end as the start of the next."""
    following = _PHASES[_PHASES.index(phase) + 1]
    async for page in pages:
        fresh = [damage for damage in page.damaged if _record(damage) not in reading.parked]
        if fresh or not page.complete:
            reading.whole = False
        reading.done += page.length
        reading.total = await reading.ahead.total(_LISTS[phase], page, reading.done)

        def keep(connection: Connection, page: Page = page) -> listings.Stored:
            _note_ends(connection, reading, phase, page)
            return store(connection, page)

        await reading.context.commit(
            keep,
            checkpoint=reading.checkpoint(phase, page.last_id),
            done=reading.done,
            total=reading.total,
            phase=phase,
            counts={"seen": page.length, **({"failed": len(fresh)} if fresh else {})},
            logs=_page_words(phase, page, fresh),
        )
    reading.phase, reading.after = following, 0
    await reading.context.commit(lambda c: None, checkpoint=reading.checkpoint(following, 0), phase=following)


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


async def _link(reading: _Pass) -> Outcome:
    context = reading.context
    shop_id = context.shop.id
    now = context.core.clock.now()

    def link(connection: Connection) -> listings.Linked:
        gone = listings.mark_gone(connection, shop_id, reading.began, now) if reading.whole else 0
        return listings.link(connection, shop_id, now=now, gone=gone)

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
