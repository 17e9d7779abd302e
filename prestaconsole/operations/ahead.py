"""How many rows a long reading has still before it, so that its progress has a total. May import webservice.

A shop does not count its rows; the highest id and how densely the ids read so far are taken tell about as much.
"""

from collections.abc import Sequence

from prestaconsole.webservice.client import Page, ShopClient
from prestaconsole.webservice.errors import WebserviceError
from prestaconsole.webservice.query import Context, Query


class Ahead:
    """The total of lists that are read one after the other by rising id; an estimate until the last page.

    Asks the shop once for the highest id of each list, and only when a page has ``full`` rows or more: what fits on
    one page needs no estimate.
    """

    def __init__(self, client: ShopClient, lists: Sequence[str], *, full: int, id_shop: Context = None) -> None:
        self._client, self._lists, self._full, self._id_shop = client, tuple(lists), full, id_shop
        self._highest: dict[str, int] | None = None
        self._rows = self._span = 0

    async def total(self, name: str, page: Page, done: int) -> int | None:
        """About how many rows there will be in all, after this page of the list ``name``; None while unknown."""
        if page.length:
            self._rows += page.length
            self._span += page.last_id - page.first_id + 1
        if self._highest is None:
            if page.length < self._full:
                return None
            self._highest = await self._ask(self._lists[self._lists.index(name) :])
        if not self._highest:
            return None
        coming = self._lists[self._lists.index(name) + 1 :]
        ids = max(0, self._highest.get(name, 0) - page.last_id) + sum(self._highest.get(each, 0) for each in coming)
        return done + round(ids * self._rows / max(1, self._span))

    async def _ask(self, names: Sequence[str]) -> dict[str, int]:
        found = {}
        for name in names:
            try:
                newest = await self._client.page(Query(name, ("id",), sort="-id", limit=1, id_shop=self._id_shop))
            except WebserviceError:
                return {}  # the reading itself meets what is wrong, if it matters
            found[name] = newest.last_id
        return found
