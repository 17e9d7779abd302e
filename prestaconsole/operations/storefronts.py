"""The storefronts of an installation: which lists a listing, and which draw on one stock row (DESIGN §5, R49–R56).

A single shop has one, read without a context. Of several, each lists its products for itself, and a listing belongs to
the first that shows it. Storefronts whose group shares its stock draw on the rows of the group; the others have rows
of their own, which are never added up.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, select, tuple_, update

from prestaconsole.database import Connection
from prestaconsole.model import Listing, Storefront
from prestaconsole.webservice.entity import Entity

_CHUNK = 400

Pair = tuple[int, int]
"""id_product and id_product_attribute."""


@dataclass(frozen=True)
class Front:
    """One storefront. ``id_shop`` None: the only one. ``columns`` are id_shop and id_shop_group of its stock rows."""

    id_shop: int | None = None
    name: str = ""
    columns: tuple[int, int] | None = None


@dataclass(frozen=True)
class Fronts:
    """The active storefronts by number; one alone is ``single``."""

    all: tuple[Front, ...] = field(default=(Front(),))

    @property
    def single(self) -> bool:
        """Whether there is but one storefront, so that no context is needed."""
        return len(self.all) == 1

    @property
    def stocks(self) -> tuple[Front, ...]:
        """One storefront for each stock: together they show every row that is sold from."""
        return tuple({front.columns: front for front in reversed(self.all)}[one] for one in self._columns())

    def _columns(self) -> list[tuple[int, int] | None]:
        return list(dict.fromkeys(front.columns for front in self.all))

    def columns_of(self, id_shop: int) -> tuple[int, int] | None:
        """The stock columns of a storefront by its number; None where it is not known."""
        return next((front.columns for front in self.all if front.id_shop == id_shop), None)

    def members(self, front: Front) -> list[int]:
        """The storefronts that draw on the same rows."""
        return [one.id_shop for one in self.all if one.id_shop is not None and one.columns == front.columns]

    def before(self, front: Front) -> list[int]:
        """The storefronts that come first where several list a product."""
        found = []
        for one in self.all:
            if one == front:
                break
            found.append(one.id_shop or 0)
        return found


SINGLE = Fronts()


def load_fronts(connection: Connection, shop_id: int) -> Fronts:
    """The active storefronts of a shop as `analyse` last saw them."""
    front = Storefront
    rows = connection.execute(
        select(front.id_shop, front.id_shop_group, front.name, front.shares_stock)
        .where(front.shop_id == shop_id, front.active)
        .order_by(front.id_shop)
    ).all()
    if len(rows) < 2:
        return SINGLE
    return Fronts(
        tuple(
            Front(row.id_shop, row.name, (0, row.id_shop_group) if row.shares_stock else (row.id_shop, 0))
            for row in rows
        )
    )


def unlisted(
    connection: Connection,
    shop_id: int,
    fronts: Fronts,
    front: Front,
    entities: Sequence[Entity],
    pair_of: Callable[[Entity], Pair],
    began: datetime,
) -> tuple[list[Entity], int]:
    """What this storefront lists and none before it did in this reading; and how many of the rest have another stock.

    A listing that comes from a storefront with another stock forgets its row: the one that is read next is its own.
    """
    if fronts.single:
        return list(entities), 0
    homes = _homes(connection, shop_id, [pair_of(entity) for entity in entities], Listing.seen_at >= began)
    first = set(fronts.before(front))
    fresh = [entity for entity in entities if homes.get(pair_of(entity)) not in first]
    apart = sum(
        1
        for entity in entities
        if (home := homes.get(pair_of(entity))) in first and fronts.columns_of(home or 0) != front.columns
    )
    _forget_rows(connection, shop_id, fronts, front, [pair_of(entity) for entity in fresh])
    return fresh, apart


def rows_of(
    connection: Connection, shop_id: int, fronts: Fronts, front: Front, entities: Sequence[Entity]
) -> Sequence[Entity]:
    """The stock rows that the listings of this storefront are sold from.

    Rows of a storefront that a product has left stay in the shop, and those of another stock are another's.
    """
    if fronts.single:
        return entities
    own = [e for e in entities if e.damaged or (e.integer("id_shop"), e.integer("id_shop_group")) == front.columns]
    homes = _homes(connection, shop_id, [_pair(e) for e in own if not e.damaged])
    members = set(fronts.members(front))
    return [e for e in own if e.damaged or homes.get(_pair(e)) in members]


def same_stock(
    connection: Connection, shop_id: int, fronts: Fronts, pairs: Iterable[tuple[Pair, int]]
) -> dict[tuple[Pair, int], bool]:
    """Whether an order of a storefront lowers the row that we keep of a listing, by (pair, id_shop of the order)."""
    wanted = list(dict.fromkeys(pairs))
    if fronts.single:
        return dict.fromkeys(wanted, True)
    homes = _homes(connection, shop_id, [pair for pair, _ in wanted])
    found = {}
    for pair, id_shop in wanted:
        home, own = homes.get(pair, 0), fronts.columns_of(id_shop)
        found[pair, id_shop] = not home or own is None or fronts.columns_of(home) == own
    return found


def keep_listed(connection: Connection, shop_id: int, front: Front, now: datetime) -> None:
    """A storefront that the key may not read says nothing: what it listed is not gone."""
    mine = (Listing.shop_id == shop_id, Listing.id_shop == front.id_shop)
    connection.execute(update(Listing).where(*mine).values(seen_at=now))


# -- inside ----------------------------------------------------------------------------------------------------


def _pair(entity: Entity) -> Pair:
    return entity.integer("id_product"), entity.integer("id_product_attribute")


def _homes(
    connection: Connection, shop_id: int, pairs: Sequence[Pair], *where: ColumnElement[bool]
) -> Mapping[Pair, int]:
    found: dict[Pair, int] = {}
    key = tuple_(Listing.id_product, Listing.id_product_attribute)
    for start in range(0, len(pairs), _CHUNK):
        rows = select(Listing.id_product, Listing.id_product_attribute, Listing.id_shop).where(
            Listing.shop_id == shop_id, key.in_(pairs[start : start + _CHUNK]), *where
        )
        found |= {(row[0], row[1]): row[2] for row in connection.execute(rows)}
    return found


def _forget_rows(connection: Connection, shop_id: int, fronts: Fronts, front: Front, pairs: Sequence[Pair]) -> None:
    others = [one.id_shop for one in fronts.all if one.columns != front.columns]
    key = tuple_(Listing.id_product, Listing.id_product_attribute)
    blank = dict.fromkeys(("id_stock_available", "quantity", "expected_low", "expected_high", "expected_at"))
    for start in range(0, len(pairs), _CHUNK):
        mine = (Listing.shop_id == shop_id, Listing.id_shop.in_(others), key.in_(pairs[start : start + _CHUNK]))
        rows = connection.execute(select(Listing.id, Listing.product_id).where(*mine)).all()
        if rows:
            here = update(Listing).where(Listing.id.in_([row.id for row in rows]))
            connection.execute(here.values(**blank, depends_on_stock=False))
