"""What PrestaShop does beside storing a row: stock, order states, products. Imports the sandbox's storage only."""

from dataclasses import dataclass, field


@dataclass
class Contexts:
    """What one shop context sees: of stock rows the shop columns, of orders and customers the shops.

    `shop` is the shop whose values are shown: the one asked, or the default shop for a group and for all.
    """

    shop: int = 1
    group: int = 1
    stock: set[tuple[str, str]] = field(default_factory=lambda: {("1", "0")})
    orders: set[str] = field(default_factory=lambda: {"1"})
    customers: set[str] | None = None  # None: every customer
    kind: str = "shop"  # shop | group | all
    shops: tuple[int, ...] = (1,)
