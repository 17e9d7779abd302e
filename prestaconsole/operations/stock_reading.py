"""Reading a shop's stock rows: all by id cursor, or some by id; a damaged or partial answer is never taken for none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from prestaconsole.clock import Clock
from prestaconsole.database import Connection
from prestaconsole.operations.ahead import Ahead
from prestaconsole.operations.listings import store_stock_rows
from prestaconsole.operations.pages import LogLine, PageCommit
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.operations.storefronts import SINGLE, Front, Fronts, load_fronts, rows_of
from prestaconsole.webservice.client import Page, ShopClient
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.errors import KeyNotForShop

T = TypeVar("T")

STOCK_FIELDS = (
    *("id_product", "id_product_attribute", "id_shop", "id_shop_group", "quantity", "depends_on_stock"),
    "out_of_stock",
)
PAGE = 1000


async def read_all_rows(
    shop: ShopRecord, client: ShopClient, commit: PageCommit, clock: Clock, *, expecting: bool, done: int = 0
) -> bool:
    """Read every stock row and note its quantity; says whether the reading was whole.

    Of several storefronts each stock is read for itself, and a listing takes the row of its own storefront.
    ``expecting``: the figure is also what the shop is expected to show until an order moves it. Else the next page is
    asked for while one is stored.
    """
    whole = True
    ahead = Ahead(client, ("stock_availables",), full=PAGE // 2)
    fronts = await read_fronts(shop, commit)
    pages = _each_stock(client, fronts, commit)

    async def fetch() -> tuple[tuple[Front, Page] | None, datetime]:
        found = await anext(pages, None)
        return found, clock.now()

    found, read_at = await fetch()
    while found is not None:
        front, page = found
        whole = whole and page.complete and not page.damaged and not page.warning
        done += page.length
        store = partial(
            _store, shop_id=shop.id, fronts=fronts, front=front, page=page, now=read_at, expecting=expecting
        )
        logs = [LogLine("warn", f"stock row {damage.id}: {damage.reason}") for damage in page.damaged]
        counts = {"seen": page.length, **({"failed": len(page.damaged)} if page.damaged else {})}
        total = await ahead.total("stock_availables", page, done)
        stored = commit(store, done=done, total=total, phase="reading stock", counts=counts, logs=logs)
        if expecting:
            # An order stored between the reading and its storing would be forgotten: keep the two close together.
            await stored
            found, read_at = await fetch()
        else:
            found, read_at = await _meanwhile(stored, fetch())
    return whole


async def read_fronts(shop: ShopRecord, commit: PageCommit) -> Fronts:
    """The storefronts to read, asked of the database only where `analyse` saw several."""
    if len(shop.capabilities.get("storefronts", ())) < 2:
        return SINGLE
    return await commit(lambda c: load_fronts(c, shop.id))


def unreadable(front: Front) -> LogLine:
    """What is said of a storefront that the key may not read."""
    return LogLine("warn", f"Storefront {front.id_shop} {front.name}: the key is not linked to it, so it is left out.")


async def _each_stock(client: ShopClient, fronts: Fronts, commit: PageCommit) -> AsyncIterator[tuple[Front, Page]]:
    for front in fronts.stocks:
        try:
            pages = client.pages("stock_availables", STOCK_FIELDS, page_size=PAGE, id_shop=front.id_shop)
            async for page in pages:
                yield front, page
        except KeyNotForShop:
            if fronts.single:
                raise
            await commit(lambda c: None, logs=[unreadable(front)])


def _store(
    connection: Connection, shop_id: int, fronts: Fronts, front: Front, page: Page, now: datetime, expecting: bool
) -> None:
    rows: Sequence[Entity] = rows_of(connection, shop_id, fronts, front, page.entities)
    store_stock_rows(connection, shop_id, rows, now, expecting=expecting)


async def _meanwhile(storing: Awaitable[object], fetching: Coroutine[Any, Any, T]) -> T:
    """Both at once; gives what was fetched. When storing fails, the fetching is given up."""
    try:
        async with asyncio.TaskGroup() as group:
            fetched = group.create_task(fetching)
            await storing
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return fetched.result()


async def read_rows(
    shop: ShopRecord, client: ShopClient, commit: PageCommit, clock: Clock, ids: Sequence[int], *, expecting: bool
) -> None:
    """Read these stock rows again."""
    found: list[Entity] = []
    for front in (await read_fronts(shop, commit)).stocks:
        missing = sorted(set(ids) - {row.id for row in found})
        if missing:
            found += await client.by_ids("stock_availables", STOCK_FIELDS, missing, id_shop=front.id_shop)
    await commit(lambda c: store_stock_rows(c, shop.id, found, clock.now(), expecting=expecting))
