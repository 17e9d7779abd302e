"""Reading a shop's stock rows: all by id cursor, or some by id; a damaged or partial answer is never taken for none."""

from collections.abc import Sequence
from functools import partial

from prestaconsole.clock import Clock
from prestaconsole.operations.ahead import Ahead
from prestaconsole.operations.listings import store_stock_rows
from prestaconsole.operations.pages import LogLine, PageCommit
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.webservice.client import ShopClient

STOCK_FIELDS = (
    *("id_product", "id_product_attribute", "id_shop", "id_shop_group", "quantity", "depends_on_stock"),
    "out_of_stock",
)
PAGE = 1000


async def read_all_rows(
    shop: ShopRecord, client: ShopClient, commit: PageCommit, clock: Clock, *, expecting: bool, done: int = 0
) -> bool:
    """Read every stock row and note its quantity; says whether the reading was whole.

    ``expecting``: the figure is also what the shop is expected to show until an order moves it.
    """
    whole = True
    ahead = Ahead(client, ("stock_availables",), full=PAGE // 2)
    async for page in client.pages("stock_availables", STOCK_FIELDS, page_size=PAGE):
        whole = whole and page.complete and not page.damaged and not page.warning
        done += page.length
        store = partial(store_stock_rows, shop_id=shop.id, entities=page.entities, now=clock.now(), expecting=expecting)
        logs = [LogLine("warn", f"stock row {damage.id}: {damage.reason}") for damage in page.damaged]
        counts = {"seen": page.length, **({"failed": len(page.damaged)} if page.damaged else {})}
        total = await ahead.total("stock_availables", page, done)
        await commit(store, done=done, total=total, phase="reading stock", counts=counts, logs=logs)
    return whole


async def read_rows(
    shop: ShopRecord, client: ShopClient, commit: PageCommit, clock: Clock, ids: Sequence[int], *, expecting: bool
) -> None:
    """Read these stock rows again."""
    found = await client.by_ids("stock_availables", STOCK_FIELDS, ids)
    await commit(lambda c: store_stock_rows(c, shop.id, found, clock.now(), expecting=expecting))
