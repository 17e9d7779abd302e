"""The body of the demo: simulated shops with traffic, connected, read, one of them taken live. Imports services."""

import asyncio
import random
import secrets
import string
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prestaconsole.cli.output import print_rows, say, tell
from prestaconsole.cli.session import keep_log
from prestaconsole.errors import EXIT_DONE, EXIT_FAILED, PrestaConsoleError
from prestaconsole.operations.core import Core, open_core
from prestaconsole.redaction import Secret
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from prestaconsole.services import (
    changesets,
    connections,
    feeds,
    golive,
    modes,
    orders,
    safe_steps,
    shops,
    stock,
    warehouses,
)
from prestaconsole.services.runs import RunDetail
from prestaconsole.services.status import status as read_status
from prestaconsole.settings import load_settings

ACTOR = "demo"
WAREHOUSE = "W1"
_NAMES = (
    "Sattlerei Böhm",
    "Papelaria Conceição",
    "Quesería Núñez",
    "Palarnia Żubr",
    "Fleurs Moreau",
    "Ceramiche Rossi",
    "Buchbinder Groß",
    "Jouets Lefèvre",
)
_VERSIONS = ("8.2.1", "1.7.8.11", "9.0.0", "1.6.1.24")
_ZONES = ("Europe/Berlin", "Europe/Lisbon", "Europe/Madrid", "Europe/Warsaw")
_CURRENCIES = ("EUR", "EUR", "EUR", "PLN")
_SECONDS_BETWEEN_ORDERS = (2.0, 6.0)
_GOODS = 4  # fewer than five never trip the brake, however small the shop
_WAIVED = "a demo shop: nobody else can write here"


@dataclass
class Demonstration:
    """A running demo: the core over its throw-away folder and the simulated shops by name."""

    core: Core
    servers: dict[str, SandboxServer]
    runs: list[RunDetail] = field(default_factory=list)

    @property
    def first(self) -> str:
        """The shop that is taken live."""
        return next(iter(self.servers))


class Traffic:
    """People who buy: orders arrive in steps, as in a real shop, until told to stop."""

    def __init__(self, simulated: list[SimulatedShop]) -> None:
        self._shops = simulated
        self._chance = random.Random(7)  # noqa: S311 - made-up buyers, not a secret
        self._things: dict[int, list[tuple[int, int]]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-traffic", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(self._chance.uniform(*_SECONDS_BETWEEN_ORDERS)):
            self.buy(self._chance.choice(self._shops))

    def buy(self, shop: SimulatedShop) -> None:
        """One buyer takes one or two pieces of something that is there; the order grows step by step."""
        things = self._things.setdefault(id(shop), _sellable(shop))
        product, attribute = self._chance.choice(things)
        if shop.quantity(product, attribute) < 2:
            return
        number = shop.place_order([(product, attribute, self._chance.choice((1, 1, 1, 2)))], steps=True)
        while shop.next_step(number) and not self._stop.wait(0.3):
            pass


def _sellable(shop: SimulatedShop) -> list[tuple[int, int]]:
    """What can be bought: combinations, and products that have none."""
    table = shop.table("stock_availables")
    pairs = [(int(table.value(row, "id_product")), int(table.value(row, "id_product_attribute"))) for row in table]
    parents = {product for product, attribute in pairs if attribute}
    return [(product, attribute) for product, attribute in pairs if attribute or product not in parents]


@contextmanager
def started(folder: Path, *, shops: int, products: int, orders: int) -> Iterator[Demonstration]:
    """Serve the simulated shops and open a core over an empty folder; all of it ends with the block."""
    settings = load_settings(data_dir=folder, database_url="", vault_key="", vault_key_file=None, actor=ACTOR)
    keep_log(settings)
    with ExitStack() as stack:
        servers: dict[str, SandboxServer] = {}
        core = open_core(settings)
        stack.callback(core.close)
        for number in range(shops):
            simulated = _simulated(number, products, orders)
            servers[_NAMES[number]] = stack.enter_context(SandboxServer(simulated))
        yield Demonstration(core, servers)


def _simulated(number: int, products: int, orders: int) -> SimulatedShop:
    key = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(32))
    kind = number % len(_VERSIONS)
    return SimulatedShop.generate(
        version=_VERSIONS[kind],
        products=products,
        orders=orders,
        seed=number + 1,
        key=key,
        name=_NAMES[number],
        zone=_ZONES[kind],
        currency=_CURRENCIES[kind],
        sku_prefix=f"{_NAMES[number][:3].upper()}",
    )


# -- the road ------------------------------------------------------------------------------------------------


async def prepare(demo: Demonstration) -> None:
    """Connect every shop and run its reading feeds; take the first one through its check-list to live."""
    core = demo.core
    warehouses.add_warehouse(core, WAREHOUSE, name="Main warehouse", actor=ACTOR)
    for name, server in demo.servers.items():
        tell(f"{name}: connecting, reading …")
        key = Secret(next(iter(server.shop.keys)))
        added = await connections.add_shop(
            core, name=name, url=server.url, key=key, email="owner@shop.example", actor=ACTOR
        )
        if not added.test.ok:
            raise PrestaConsoleError(added.test.cause, added.test.remedy)
        chosen = {"stock.warehouses": WAREHOUSE, "stock.import_to": WAREHOUSE}
        shops.set_values(core, name, chosen, actor=ACTOR)
        demo.runs += (await safe_steps.run_safe(core, name, actor=ACTOR)).ran
    await go_live(demo, demo.first)


async def go_live(demo: Demonstration, name: str) -> None:
    """Read the stock once, plan in rehearsal, waive what only time can show, open the gate."""
    core = demo.core
    tell(f"{name}: stock read once, rehearsal, check-list, live …")
    for feed in ("import_stock", "stock_check"):
        demo.runs.append(_well(await feeds.run_feed(core, name, feed, actor=ACTOR)))
    _move(core, name, "rehearsal", confirm="")
    demo.runs.append(_well(await feeds.run_feed(core, name, "export_stock", actor=ACTOR)))
    _move(core, name, "live", confirm=name)


def _move(core: Core, name: str, mode: str, *, confirm: str) -> None:
    """Waive the open points that may be waived in a demo, then change the mode."""
    points = golive.check_list(core, name, shops.parse_mode(mode)).open
    waive = {point.name: _WAIVED for point in points if point.waivable}
    modes.change_mode(core, name, mode, confirm=confirm, waive=waive, actor=ACTOR)


async def push_and_check(demo: Demonstration) -> None:
    """Goods arrive in the warehouse: the live shop gets its new numbers, and a check finds them there."""
    core, name = demo.core, demo.first
    tell(f"{name}: goods arrive, stock goes out …")
    for row in [row for row in stock_of(core, name) if row.physical >= 0][:_GOODS]:
        stock.set_stock(core, row.sku, row.physical + 3, warehouse=WAREHOUSE, reason="receipt WE-2291", actor=ACTOR)
    demo.runs.append(_well(await feeds.run_feed(core, name, "export_stock", actor=ACTOR)))
    demo.runs.append(_well(await feeds.run_feed(core, name, "import_orders", actor=ACTOR)))
    demo.runs.append(_well(await feeds.run_feed(core, name, "stock_check", actor=ACTOR)))


def stock_of(core: Core, name: str) -> list[stock.StockRow]:
    """The counted stock behind the listings of one shop."""
    from prestaconsole.services.listings import list_listings

    skus = list(dict.fromkeys(row.sku for row in list_listings(core, name) if row.sku))
    return [row for sku in skus[:20] for row in stock.show_stock(core, sku)]


def _well(run: RunDetail) -> RunDetail:
    if run.state != "done":
        raise PrestaConsoleError(f"{run.feed} of {run.shop} ended {run.state}. {run.error}", run.remedy)
    return run


# -- two ways to show it -------------------------------------------------------------------------------------


def run_headless(demo: Demonstration) -> int:
    """Walk the road once and sum it up on one screen; gives the exit status."""

    async def road() -> None:
        await prepare(demo)
        buyers = Traffic([server.shop for server in demo.servers.values()])
        for _ in range(3):
            buyers.buy(demo.servers[demo.first].shop)
        await push_and_check(demo)

    asyncio.run(road())
    return _sum_up(demo)


def _sum_up(demo: Demonstration) -> int:
    core = demo.core
    say("")
    print_rows(
        shops.list_shops(core),
        [
            ("Shop", lambda row: row.name),
            ("Mode", lambda row: row.mode.upper()),
            ("PrestaShop", lambda row: row.version),
            ("Listings", lambda row: row.listings),
            ("Orders", lambda row: row.orders),
            ("Incidents", lambda row: row.incidents),
        ],
        empty="",
    )
    say("")
    print_rows(
        demo.runs,
        [
            ("Shop", lambda row: row.shop),
            ("Feed", lambda row: row.feed),
            ("State", lambda row: row.state),
            ("Result", lambda row: row.counts),
        ],
        empty="",
    )
    last = demo.runs[-1]
    plans = changesets.list_changesets(core, shop=demo.first)
    sent = sum(plan.counts.get("confirmed", 0) for plan in plans)
    drift = last.counts.get("drift", 0)
    count = len(orders.list_orders(core))
    say("")
    say(f"{count} orders seen, each with a verdict; {sent} stock changes sent to {demo.first} and read back.")
    say(f"stock_check: {last.counts.get('compared', 0)} listings compared, {drift} differ.")
    quiet = all(server.shop.writes == 0 for name, server in demo.servers.items() if name != demo.first)
    say("The shops that are not live got no write." if quiet else "A shop that is not live was written to: a fault.")
    well = quiet and sent > 0 and drift == 0 and all(run.state == "done" for run in demo.runs)
    return EXIT_DONE if well else EXIT_FAILED


def run_in_console(demo: Demonstration) -> int:
    """Walk the road, then open the console on it while orders keep arriving; gives the exit status."""
    asyncio.run(prepare(demo))
    for name in demo.servers:
        feeds.schedule_feed(demo.core, name, "import_orders", "every 1 min", actor=ACTOR)
    traffic = Traffic([server.shop for server in demo.servers.values()])
    traffic.start()
    try:
        tell(f"{len(read_status(demo.core).shops)} shops are ready; the console opens.")
        from prestaconsole.console import run_console

        return run_console(demo.core)
    finally:
        traffic.stop()
