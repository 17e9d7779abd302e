"""PrestaShop's packs: which stock rows an order line of a pack lowers (FINDINGS-ORDERS R42). Imports the model.

A pack lowers its own row, the rows of its parts, or both; the shop's default says which where the pack does not.
Early versions have no such choice: there the pack's own row is taken.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from prestaconsole.database import Connection
from prestaconsole.model import Listing, PackPart
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.webservice.entity import Entity

OWN_ROW, PARTS, BOTH, AS_THE_SHOP = range(4)
_CHUNK = 400

Pair = tuple[int, int]
"""id_product and id_product_attribute."""


@dataclass(frozen=True)
class Goods:
    """A row that one sold unit lowers, by how many. ``with_parts``: it is a pack whose parts are lowered too."""

    id_product: int
    id_product_attribute: int
    units: int = 1
    with_parts: bool = False


def goods_of(connection: Connection, shop: ShopRecord, pairs: Iterable[Pair]) -> dict[int, list[Goods]]:
    """By id_product the rows that a sold pack lowers, where these are not its own row alone."""
    ids = sorted({product for product, _ in pairs})
    kinds: dict[int, int] = {}
    parts: dict[int, list[Goods]] = {}
    for start in range(0, len(ids), _CHUNK):
        rows = connection.execute(
            select(PackPart.id_product, PackPart.id_part, PackPart.id_part_attribute, PackPart.units)
            .add_columns(Listing.pack_stock_type)
            .join(
                Listing,
                (Listing.shop_id == PackPart.shop_id)
                & (Listing.id_product == PackPart.id_product)
                & (Listing.id_product_attribute == 0),
            )
            .where(PackPart.shop_id == shop.id, PackPart.id_product.in_(ids[start : start + _CHUNK]))
            .order_by(PackPart.id_product, PackPart.id_part, PackPart.id_part_attribute)
        )
        for row in rows:
            kinds[row.id_product] = row.pack_stock_type
            parts.setdefault(row.id_product, []).append(Goods(row.id_part, row.id_part_attribute, row.units))
    default = int(shop.capabilities.get("pack_stock_type") or OWN_ROW)
    found = {}
    for pack, kind in kinds.items():
        does = default if kind == AS_THE_SHOP else kind
        own = [Goods(pack, 0, 1, True)] if does == BOTH else []
        if does in (PARTS, BOTH):
            found[pack] = [*own, *parts[pack]]
    return found


def lowered_by(line: Pair, packs: Mapping[int, Sequence[Goods]]) -> Sequence[Goods]:
    """The rows that one unit of an order line lowers."""
    return packs.get(line[0]) or (Goods(*line),)


def store_packs(connection: Connection, shop_id: int, packs: Sequence[Entity]) -> None:
    """Store packs with their parts, whole: parts that are not named any more go."""
    ids = [pack.id for pack in packs]
    if not ids:
        return
    connection.execute(delete(PackPart).where(PackPart.shop_id == shop_id, PackPart.id_product.in_(ids)))
    rows = []
    for pack in packs:
        units: dict[Pair, int] = {}
        for part in pack.rows("product_bundle"):
            pair = (part.id, part.integer("id_product_attribute"))
            if part.id and part.id != pack.id:
                units[pair] = units.get(pair, 0) + max(part.integer("quantity"), 1)
        for (id_part, attribute), number in units.items():
            key = {"shop_id": shop_id, "id_product": pack.id, "id_part": id_part, "id_part_attribute": attribute}
            rows.append({**key, "units": number})
        mine = (Listing.shop_id == shop_id, Listing.id_product == pack.id, Listing.id_product_attribute == 0)
        connection.execute(update(Listing).where(*mine).values(pack_stock_type=pack.integer("pack_stock_type")))
    if rows:
        connection.execute(insert(PackPart), rows)


def forget_packs(connection: Connection, shop_id: int, kept: Iterable[int]) -> None:
    """What is no pack any more has no parts; ``kept`` are all packs of a whole reading."""
    known = set(connection.execute(select(PackPart.id_product).where(PackPart.shop_id == shop_id).distinct()).scalars())
    gone = sorted(known - set(kept))
    for start in range(0, len(gone), _CHUNK):
        part = gone[start : start + _CHUNK]
        connection.execute(delete(PackPart).where(PackPart.shop_id == shop_id, PackPart.id_product.in_(part)))
