"""The feed table of FEATURES.md as data: defaults, modes, needs, rights. The run order is the order of this list."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal

from prestaconsole.errors import UsageError
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import ShopMode

Allowance = Literal["run", "plan", "locked", "once", "typed"]
"""plan: plans and sends nothing · once: once in a shop's life · typed: only with a typed reason."""

GET: frozenset[str] = frozenset({"GET"})


@dataclass(frozen=True)
class FeedSpec:
    """One feed. ``needs`` are feeds that must have completed, or ``warehouse``; lower ``priority`` goes first."""

    name: str
    title: str
    module: str
    modes: Mapping[ShopMode, Allowance]
    default_every: str = ""
    schedulable: bool = True
    safe: bool = True
    """Part of "run the safe steps in order": reads only, may run any number of times."""
    writes: bool = False
    needs: tuple[str, ...] = ()
    rights: Mapping[str, frozenset[str]] = field(default_factory=dict)
    priority: int = 50
    freshness_minutes: int = 0
    attempts: int = 5

    @property
    def run(self) -> Callable[[FeedContext], Awaitable[Outcome]]:
        """The feed's entry, ``run(context) -> Outcome`` of its module."""
        entry: Callable[[FeedContext], Awaitable[Outcome]] = import_module(self.module).run
        return entry


def _modes(setup: Allowance, rehearsal: Allowance, live: Allowance, frozen: Allowance) -> dict[ShopMode, Allowance]:
    return {
        ShopMode.DRAFT: "locked",
        ShopMode.SETUP: setup,
        ShopMode.REHEARSAL: rehearsal,
        ShopMode.LIVE: live,
        ShopMode.FROZEN: frozen,
    }


_READING = _modes("run", "run", "run", "run")

_ORDER_RIGHTS = {
    "orders": GET,
    "order_details": GET,
    "order_histories": GET,
    "customers": GET,
    "addresses": GET,
}

FEEDS: dict[str, FeedSpec] = {
    spec.name: spec
    for spec in (
        FeedSpec(
            "analyse",
            "Analyse the shop",
            "prestaconsole.feeds.analyse",
            _READING,
            default_every="weekly Sun 02:00",
            rights={
                "configurations": GET,
                "languages": GET,
                "currencies": GET,
                "order_states": GET,
                "carriers": GET,
                "shops": GET,
                "shop_groups": GET,
                "orders": GET,
                "products": GET,
                "combinations": GET,
            },
            priority=30,
        ),
        FeedSpec(
            "import_products",
            "Import products",
            "prestaconsole.feeds.import_products",
            _READING,
            default_every="every 60 min",
            needs=("analyse",),
            rights={"products": GET, "combinations": GET, "product_option_values": GET, "stock_availables": GET},
            priority=60,
            freshness_minutes=180,
        ),
        FeedSpec(
            "import_orders",
            "Import new orders",
            "prestaconsole.feeds.import_orders",
            _READING,
            default_every="every 5 min",
            needs=("analyse", "import_products"),
            rights=_ORDER_RIGHTS,
            priority=10,
            freshness_minutes=15,
        ),
        FeedSpec(
            "retry_orders",
            "Look again at watched orders",
            "prestaconsole.feeds.retry_orders",
            _READING,
            default_every="every 60 min",
            needs=("analyse", "import_products"),
            rights=_ORDER_RIGHTS,
            priority=20,
            freshness_minutes=180,
        ),
        FeedSpec(
            "update_orders",
            "Read changed orders again",
            "prestaconsole.feeds.update_orders",
            _modes("locked", "run", "run", "run"),
            default_every="every 30 min",
            safe=False,
            needs=("import_orders",),
            rights=_ORDER_RIGHTS,
            priority=20,
            freshness_minutes=120,
        ),
        FeedSpec(
            "reconcile_orders",
            "Compare all orders with the shop",
            "prestaconsole.feeds.reconcile_orders",
            _READING,
            default_every="daily 03:30",
            safe=False,
            needs=("import_orders",),
            rights=_ORDER_RIGHTS,
            priority=70,
            freshness_minutes=36 * 60,
        ),
        FeedSpec(
            "import_stock",
            "Import the shop's stock, once",
            "prestaconsole.feeds.import_stock",
            _modes("once", "typed", "locked", "locked"),
            schedulable=False,
            safe=False,
            needs=("import_products", "import_orders", "warehouse"),
            rights={"stock_availables": GET, **_ORDER_RIGHTS},
            priority=40,
        ),
        FeedSpec(
            "stock_check",
            "Compare stock with the shop",
            "prestaconsole.feeds.stock_check",
            _READING,
            default_every="daily 04:30",
            needs=("import_products",),
            rights={"stock_availables": GET, **_ORDER_RIGHTS},
            priority=50,
            freshness_minutes=36 * 60,
        ),
        FeedSpec(
            "export_stock",
            "Send stock to the shop",
            "prestaconsole.feeds.export_stock",
            _modes("locked", "plan", "run", "plan"),
            schedulable=False,
            safe=False,
            writes=True,
            needs=("import_products", "import_orders", "import_stock"),
            rights={"stock_availables": frozenset({"GET", "PUT"}), **_ORDER_RIGHTS},
            priority=30,
        ),
    )
}


def feed_spec(name: str) -> FeedSpec:
    """The feed of this name. Raises ``UsageError`` naming all feeds."""
    if name not in FEEDS:
        raise UsageError(f"“{name}” is no feed.", f"Feeds: {', '.join(FEEDS)}.")
    return FEEDS[name]
