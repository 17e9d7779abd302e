"""Which installation answers: first orders, shop names and a print of the key (DESIGN §5). Imports the reads."""

import hashlib
from dataclasses import dataclass

from prestaconsole.redaction import Secret
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.query import Query

FIRST_ORDERS = 5


@dataclass(frozen=True)
class Identity:
    """The fingerprint of an installation. ``first_orders`` are (id, reference, date_add as the shop wrote it)."""

    first_orders: tuple[tuple[int, str, str], ...]
    shop_names: tuple[str, ...]
    key_print: str
    orders_read: bool = True

    def differs(self, other: "Identity") -> list[str]:
        """What makes ``other`` another installation than this one; [] when it may be the same.

        Orders that only one of the two names are no proof while the shop has fewer than the print holds: new ones
        come. A rotated key and a new name are none either, they are only noted (DESIGN §5), and neither is a lost
        right to read orders: the lost right is a finding of its own.
        """
        if not other.orders_read:
            return []
        theirs = {id: (reference, date) for id, reference, date in other.first_orders}
        found = []
        for id, reference, date in self.first_orders:
            if id not in theirs:
                found.append(f"order {id} ({reference}) is not among its first orders any more")
            elif theirs[id] != (reference, date):
                found.append(f"order {id} is {theirs[id][0]} of {theirs[id][1]}, it was {reference} of {date}")
        return found

    def noted(self, other: "Identity") -> list[str]:
        """Changes that are worth a line and no more: another key, another name."""
        changes = [] if self.key_print == other.key_print else ["the key is another one"]
        if self.shop_names != other.shop_names:
            changes.append(f"the shop is called {', '.join(other.shop_names)}, it was {', '.join(self.shop_names)}")
        return changes


def key_print(key: Secret) -> str:
    """A short print of a key such as ``7F3A-91C2``: 32 bits of a hash, which give nothing of the key away."""
    digest = hashlib.sha256(b"prestaconsole key print\0" + key.reveal().encode()).hexdigest().upper()
    return f"{digest[:4]}-{digest[4:8]}"


async def read_identity(client: ShopClient) -> Identity:
    """Read the fingerprint: two or three requests. Orders of all storefronts where there are several (R49)."""
    root = await client.root()
    names: list[str] = [root.shop_name]
    several = False
    if root.may("GET", "shops"):
        shops = (await client.page(Query("shops", ("id", "name", "active"), limit=200))).entities
        names = [shop.text("name") for shop in shops] or names
        several = sum(shop.flag("active") for shop in shops) > 1
    orders: tuple[tuple[int, str, str], ...] = ()
    if root.may("GET", "orders"):
        query = Query("orders", ("id", "reference", "date_add"), limit=FIRST_ORDERS, id_shop="all" if several else None)
        page = await client.page(query)
        orders = tuple((order.id, order.text("reference"), order.text("date_add")) for order in page.entities)
    return Identity(orders, tuple(names), key_print(client.endpoint.key), root.may("GET", "orders"))
