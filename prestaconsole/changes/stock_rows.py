"""Reading a shop's stock rows whole, each in a context that shows it. Imports the webservice's reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from prestaconsole.changes.sending import STOCK
from prestaconsole.database import Connection
from prestaconsole.model import Storefront
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.entity import Entity


@dataclass(frozen=True)
class StockRow:
    """A stock row as just read; ``columns`` are all of its fields as text, to be echoed byte for byte (R1, F37)."""

    id: int
    id_product: int
    id_product_attribute: int
    id_shop: int
    id_shop_group: int
    quantity: int
    depends_on_stock: bool
    columns: Mapping[str, str]
    damaged: bool = False

    def body(self, quantity: int) -> dict[str, str]:
        """The whole row with another quantity."""
        return {**self.columns, "quantity": str(quantity)}

    def wiped(self, other: "StockRow") -> list[str]:
        """Columns but the quantity that differ in ``other``, as ``location: 'A1' → ''``."""
        names = sorted((self.columns.keys() | other.columns.keys()) - {"quantity"})
        return [
            f"{name}: {self.columns.get(name)!r} → {other.columns.get(name)!r}"
            for name in names
            if self.columns.get(name) != other.columns.get(name)
        ]


@dataclass(frozen=True)
class Contexts:
    """The storefronts of an installation, as far as stock is concerned; one storefront needs no context at all.

    Rows are (shop, 0), or (0, group) where a group shares its stock: those are seen and written only in the context
    of one of the group's storefronts (R54, R56).
    """

    storefronts: tuple[tuple[int, int], ...] = ()

    @property
    def single(self) -> bool:
        return len(self.storefronts) <= 1

    def reading(self) -> Sequence[int | None]:
        """The contexts that together show every row."""
        return (None,) if self.single else tuple(shop for shop, _ in self.storefronts)

    def owner(self, row: StockRow) -> int | None:
        """The storefront in whose context the row is written; None in a single shop."""
        if self.single:
            return None
        if row.id_shop:
            return row.id_shop
        return next((shop for shop, group in self.storefronts if group == row.id_shop_group), None)


def load_contexts(connection: Connection, shop_id: int) -> Contexts:
    """The active storefronts of a shop, by id."""
    rows = connection.execute(
        select(Storefront.id_shop, Storefront.id_shop_group)
        .where(Storefront.shop_id == shop_id, Storefront.active)
        .order_by(Storefront.id_shop)
    )
    return Contexts(tuple((row.id_shop, row.id_shop_group) for row in rows))


async def read_rows(client: ShopClient, ids: Iterable[int], contexts: Contexts) -> dict[int, StockRow]:
    """The rows with these ids, through the list: a single read still shows rows that no list has (R1).

    An id that is not in the answer is not in the shop's list, in no context. Raises ``WebserviceError``.
    """
    missing = list(dict.fromkeys(ids))
    found: dict[int, StockRow] = {}
    for context in contexts.reading():
        if not missing:
            break
        for entity in await client.by_ids(STOCK, (), missing, id_shop=context):
            found[entity.id] = _row(entity)
        missing = [one for one in missing if one not in found]
    return found


def _row(entity: Entity) -> StockRow:
    columns = {**entity.texts(), "id": str(entity.id)}
    if entity.damaged or "quantity" not in columns:
        return StockRow(entity.id, 0, 0, 0, 0, 0, False, columns, damaged=True)
    return StockRow(
        entity.id,
        entity.integer("id_product"),
        entity.integer("id_product_attribute"),
        entity.integer("id_shop"),
        entity.integer("id_shop_group"),
        entity.integer("quantity"),
        entity.flag("depends_on_stock"),
        columns,
    )
