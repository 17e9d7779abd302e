"""The simulated shop: its rows, keys, clock, journal and faults, and what people do in it. Imports the sandbox only."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from prestaconsole.sandbox import behaviour, schema
from prestaconsole.sandbox.ancient import older
from prestaconsole.sandbox.behaviour import backups, orders, products, stock
from prestaconsole.sandbox.exchange import Exchange, Mail
from prestaconsole.sandbox.faults import Faults
from prestaconsole.sandbox.keys import DEFAULT_KEY, Key
from prestaconsole.sandbox.pictures import Picture
from prestaconsole.sandbox.storage import Row, Table
from prestaconsole.sandbox.storefronts import Storefronts
from prestaconsole.sandbox.versions import version as parse_version

if TYPE_CHECKING:
    from starlette.types import ASGIApp

Line = tuple[int, int, int]  # id_product, id_product_attribute, quantity


class SimulatedShop:
    """A PrestaShop that answers its webservice from memory.

    Made by `generate` or `load`. Everything a test or the demo does to it "in the back office" is a method here;
    all of them may be called from any thread while the shop is being served.
    """

    def __init__(
        self,
        *,
        version: str = "8.2.1",
        key: str | None = DEFAULT_KEY,
        zone: str = "Europe/Paris",
        name: str = "Sandbox",
        seed: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.version = parse_version(version)
        self.name = name
        self.seed = seed
        self.zone = ZoneInfo(zone)
        self.lock = threading.RLock()
        self.keys: dict[str, Key] = {}
        self.webservice_enabled = True
        self.strict_host: str | None = None
        self.folder = ""
        self.faults = Faults(seed=seed)
        self.journal: list[Exchange] = []
        self.journal_limit: int | None = None  # the older half goes when there are more
        self.mails: list[Mail] = []
        self.writes = 0
        self.hooks: Counter[str] = Counter()  # how often each of PrestaShop's hooks ran
        self.contexts = behaviour.Contexts()
        self.storefronts: Storefronts | None = None  # where several shops share the installation
        self.images: dict[int, list[int]] = {}
        self.last_image = 0
        self.restored = 0  # how often a backup was restored
        self.last_delivery: int | None = None  # the last delivery slip's number, once it was looked up
        self.pictures: dict[str, Picture] = {}  # those sent, by the id of a product's, else by their place
        self.pending: dict[int, list[Callable[[], None]]] = {}
        self._clock = clock
        self._app: ASGIApp | None = None
        self._another: SimulatedShop | None = None
        known = schema.load(self.version.schema)
        self.resources: dict[str, schema.Resource] = older(known) if self.version.generation == (1, 5) else dict(known)
        self.tables: dict[str, Table] = {entry: Table(found) for entry, found in self.resources.items()}
        if key is not None:
            self.add_key(key)

    @classmethod
    def generate(
        cls,
        *,
        version: str = "8.2.1",
        products: int = 40,
        orders: int = 30,
        seed: int = 1,
        key: str | None = DEFAULT_KEY,
        zone: str = "Europe/Paris",
        name: str = "Sandbox",
        currency: str = "EUR",
        domain: str = "127.0.0.1",
        without_sku: int = 0,
        duplicate_skus: int = 0,
        sku_prefix: str = "SKU",
        hard: bool = False,
        storefronts: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> "SimulatedShop":
        """A shop with so many products and complete orders of the last 60 days, the same each time for one seed.

        Every fifth product has combinations; quantities are already less every order neither cancelled nor in
        payment error. `without_sku` products have no reference, `duplicate_skus` share the one before them.
        With `hard` an order of each awkward kind follows: guests, a voucher, wrapping, a split cart and so on; with
        `storefronts` there are so many shops, all but the first sharing stock and customers in a group of their own.
        Beyond 5,000 of either the rows are worked out from their ids, and only what changes is kept: every fifth
        product has four sizes and every order two lines then. Several storefronts, missing and shared references
        take a shop that is kept whole, whatever its size.
        """
        from prestaconsole.sandbox import big
        from prestaconsole.sandbox import hard as more
        from prestaconsole.sandbox.generate import fill

        shop = cls(version=version, key=key, zone=zone, name=name, seed=seed, clock=clock)
        large = max(products, orders) > big.FROM and not without_sku and not duplicate_skus and storefronts < 2
        if large:
            big.fill(shop, products=products, orders=orders, currency=currency, domain=domain, sku_prefix=sku_prefix)
        else:
            fill(
                shop,
                products=products,
                orders=orders,
                currency=currency,
                domain=domain,
                without_sku=without_sku,
                duplicate_skus=duplicate_skus,
                sku_prefix=sku_prefix,
            )
        if hard:
            more.add_orders(shop)
        if storefronts > 1:
            more.add_storefronts(shop, storefronts)
        shop.mails.clear()
        shop.hooks.clear()
        return shop

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        key: str | None = None,
        version: str | None = None,
        zone: str | None = None,
        seed: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> "SimulatedShop":
        """The shop a dump folder holds (RESOURCE.xml.gz files), served with exactly the nodes the dump has.

        The given key is accepted, and the default key too. Version and zone are the dump's unless given.
        Raises FileNotFoundError or ValueError for a folder that holds no dump.
        """
        from prestaconsole.sandbox.dump import fill, read

        found = read(Path(folder))
        shop = cls(
            version=version or found.version,
            key=key,
            zone=zone or found.zone,
            name=found.name,
            seed=seed,
            clock=clock,
        )
        shop.keys.setdefault(DEFAULT_KEY, Key(DEFAULT_KEY))
        fill(shop, found)
        return shop

    def dump(self, folder: Path | str) -> None:
        """Write the shop as a dump folder that `load` reads."""
        from prestaconsole.sandbox.dump import dump

        with self.lock:
            dump(self, Path(folder))

    @property
    def app(self) -> "ASGIApp":
        """The shop as an ASGI application."""
        if self._app is None:
            from prestaconsole.sandbox.app import SandboxApp

            self._app = SandboxApp(self)
        return self._app

    def add_key(
        self,
        text: str,
        permissions: Mapping[str, Iterable[str]] | None = None,
        *,
        active: bool = True,
        shops: Iterable[int] | None = None,
    ) -> Key:
        """Make a webservice key; without `permissions` it may do everything, with an empty one nothing."""
        granted = (
            None
            if permissions is None
            else {name: frozenset(method.upper() for method in methods) for name, methods in permissions.items()}
        )
        key = Key(text, granted, active, None if shops is None else frozenset(shops))
        self.keys[text] = key
        return key

    def time(self) -> float:
        """Seconds since 1970 by the shop's clock."""
        return self._clock() + self.faults.clock

    def now(self) -> str:
        """The shop's wall clock as its rows hold it: local, without a zone (F22)."""
        return self.stamp(self.time())

    def stamp(self, seconds: float) -> str:
        """A moment as the shop's rows hold it."""
        return datetime.fromtimestamp(seconds, self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def table(self, resource: str) -> Table:
        """The rows of a resource. Raises KeyError where the version has no such resource."""
        return self.tables[resource]

    def row(self, resource: str, row_id: int) -> Row:
        """A copy of one row with every field's text (by language id where it is translated).

        Raises KeyError where there is none.
        """
        with self.lock:
            table = self.tables[resource]
            found = table.get(row_id)
            if found is None:
                raise KeyError(f"{resource} {row_id}")
            blank = dict.fromkeys(self.languages(), "")
            translated = {
                field.name: blank | (found.get(field.name) or {}) for field in table.resource.fields if field.lang
            }
            return {**table.blanks, **found, **translated}

    def configuration(self, name: str, default: str = "") -> str:
        """The value of a PS_… configuration."""
        table = self.tables["configurations"]
        for row_id in table.find("name", name):
            row = table.get(row_id)
            if row is not None:
                return table.value(row, "value")
        return default

    def languages(self) -> list[int]:
        """The ids of the active languages; 1 where none is kept."""
        table = self.tables["languages"]
        return [int(row["id"]) for row in table if table.value(row, "active") == "1"] or [1]

    def quantity(self, id_product: int, id_attribute: int = 0) -> int:
        """The stock row's quantity. Raises KeyError where the product has no such row."""
        with self.lock:
            return stock.quantity(self, id_product, id_attribute)

    def set_quantity(self, id_product: int, id_attribute: int, quantity: int) -> None:
        """Somebody else writes a quantity, as the back office or another program does."""
        with self.lock:
            stock.set_quantity(self, id_product, id_attribute, quantity)

    def add_product(
        self,
        *,
        name: str | Mapping[int, str],
        reference: str = "",
        price: str = "10.000000",
        quantity: int = 0,
        ean13: str = "",
        location: str = "",
        combinations: Sequence[Mapping[str, Any]] = (),
        **fields: Any,
    ) -> int:
        """Make a product with its stock rows and return its id.

        A combination may name reference, ean13, price (impact), quantity, location and option_values (ids);
        `fields` are further nodes of the product, such as active="0".
        """
        facts: dict[str, Any] = {"name": name, "reference": reference, "price": price, "quantity": quantity}
        facts |= {"ean13": ean13, "location": location, "combinations": combinations}
        with self.lock:
            return products.add(self, **facts, **fields)

    def place_order(
        self,
        lines: Sequence[Line],
        *,
        state: int = 2,
        steps: bool = False,
        id_customer: int | None = None,
        id_carrier: int | None = None,
        module: str = "ps_wirepayment",
        payment: str = "Bank wire",
        reference: str | None = None,
        when: str | None = None,
        deduct: bool = True,
    ) -> int:
        """A customer orders (id_product, id_product_attribute, quantity) each; returns the order's id.

        With `steps` only the order's row is there, with state 0 and no lines: `next_step` adds the rest. `when` is
        the shop's local time. `deduct` is False where the stock already counts the order; `id_carrier=0` is an
        order of virtual goods. Raises KeyError for an unknown product or combination.
        """
        with self.lock:
            return orders.place(
                self,
                lines,
                state=state,
                steps=steps,
                id_customer=id_customer,
                id_carrier=id_carrier,
                module=module,
                payment=payment,
                reference=reference,
                when=when,
                deduct=deduct,
            )

    def next_step(self, id_order: int) -> bool:
        """Let an order made with `steps=True` grow by its next part; False once it is complete."""
        with self.lock:
            return orders.next_step(self, id_order)

    def sell(self, id_product: int, id_attribute: int = 0, quantity: int = 1, *, state: int = 2) -> int:
        """One customer buys one thing; returns the order's id."""
        return self.place_order([(id_product, id_attribute, quantity)], state=state)

    def backup(self) -> dict[str, Table]:
        """All rows as they are now, for `restore`."""
        with self.lock:
            return {name: table.copy() for name, table in self.tables.items()}

    def restore(self, backup: Mapping[str, Table]) -> None:
        """Go back to a backup: what came after it is gone, and its ids are given again."""
        with self.lock:
            self.restored += 1
            self.tables = {name: table.copy() for name, table in backup.items()}
            self.pending.clear()

    def lose_orders(self, count: int) -> None:
        """The newest orders are gone with all that hangs on them, as after an old backup; their ids come again."""
        with self.lock:
            self.restored += 1
            backups.lose_orders(self, count)

    def another(self) -> "SimulatedShop":
        """The other shop that answers in this one's place under the fault of that name: same keys, other rows."""
        with self.lock:
            if self._another is None:
                seed, clock = self.seed + 7919, self._clock
                made = SimulatedShop.generate(
                    version=self.version.number, products=12, orders=8, seed=seed, name="Another shop", clock=clock
                )
                made.keys = self.keys
                self._another = made
            return self._another

    def set_order_state(self, id_order: int, id_state: int, *, mail: bool = True) -> int:
        """Change an order's state as the back office does; returns the history row's id."""
        with self.lock:
            return orders.change_state(self, id_order, id_state, mail=mail)
