"""The sizes a shop makes of every image, by version. Imports the storage only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prestaconsole.sandbox.storage import Row

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

_ALL = ("products", "categories", "manufacturers", "suppliers", "stores")
_GOODS = ("products",)
_BRANDS = ("products", "manufacturers", "suppliers")
Usual = tuple[str, int, int, tuple[str, ...]]
# Name, width, height and what has it, by the ids an installation gives (recorded for products, from source beyond).
_OLD: tuple[Usual, ...] = (
    ("cart_default", 80, 80, _GOODS),
    ("small_default", 98, 98, _BRANDS),
    ("medium_default", 125, 125, (*_BRANDS, "categories", "stores")),
    ("home_default", 250, 250, _GOODS),
    ("large_default", 458, 458, (*_BRANDS, "stores")),
    ("thickbox_default", 800, 800, _GOODS),
    ("category_default", 870, 217, ("categories",)),
    ("scene_default", 870, 270, ("scenes",)),
    ("m_scene_default", 161, 58, ("scenes",)),
)
_NEW: tuple[Usual, ...] = (
    ("cart_default", 125, 125, _GOODS),
    ("small_default", 98, 98, (*_BRANDS, "categories")),
    ("medium_default", 452, 452, _BRANDS),
    ("home_default", 250, 250, _GOODS),
    ("large_default", 800, 800, _BRANDS),
    ("category_default", 141, 180, ("categories",)),
    ("stores_default", 170, 115, ("stores",)),
)


@dataclass(frozen=True)
class ImageType:
    """One size, and the kinds of image that are made in it."""

    id: int
    name: str
    width: int
    height: int
    kinds: frozenset[str]


def types_of(shop: "SimulatedShop", kind: str) -> list[ImageType]:
    """The sizes that images of this kind have, by name."""
    table = shop.tables["image_types"]
    found = [
        ImageType(
            int(row["id"]),
            table.value(row, "name"),
            int(table.value(row, "width") or 0),
            int(table.value(row, "height") or 0),
            frozenset(other for other in _ALL if table.value(row, other) == "1"),
        )
        for row in table
    ]
    return sorted((entry for entry in found if kind in entry.kinds), key=lambda entry: entry.name)


def install(shop: "SimulatedShop", named: Iterable[str] = ()) -> None:
    """Give a shop that lists no sizes those of its version; ``named`` are those of products that a dump tells."""
    table = shop.tables["image_types"]
    usual = _OLD if shop.version.generation <= (1, 6) else _NEW
    if shop.version.generation >= (9, 0):
        usual = tuple(sorted(usual))
    told = set(named) - {entry[0] for entry in usual}
    for name, width, height, kinds in (*usual, *((name, 250, 250, _GOODS) for name in sorted(told))):
        row: Row = {"name": name, "width": str(width), "height": str(height)}
        table.insert(row | {kind: "1" for kind in kinds if kind in table.blanks})
