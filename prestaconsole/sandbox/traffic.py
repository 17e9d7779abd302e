"""New orders and state changes that come while one watches, by seed. Imports the sandbox only."""

import random
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from prestaconsole.sandbox.behaviour import stock
from prestaconsole.sandbox.generate import payment_of, state_of

if TYPE_CHECKING:
    from prestaconsole.sandbox.shop import SimulatedShop

# What may follow a state, the likelier ones more than once.
_NEXT = {1: (2, 2, 6), 2: (3, 3, 4, 6), 3: (4,), 4: (5,), 10: (2, 2, 6), 11: (3, 4)}


class Traffic:
    """Customers and a merchant at work in a shop.

    `tick` does one thing; `start` (or `with`) does one about every `every` seconds in a thread until `stop`.
    """

    def __init__(self, shop: "SimulatedShop", *, seed: int = 1, every: float = 3.0) -> None:
        self.shop = shop
        self.every = every
        self._random = random.Random(f"traffic:{seed}:{shop.name}")  # noqa: S311 - chance, not a secret
        self._growing: list[int] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def tick(self) -> str:
        """Do the next thing and say what it was."""
        with self.shop.lock:
            if self._growing and self._random.random() < 0.8:
                return self._grow()
            if self._random.random() < 0.6:
                return self._order()
            return self._advance()

    def start(self) -> Self:
        """Begin; returns at once."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=f"traffic-{self.shop.name}", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End; returns when the thread has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stop.wait(self.every * self._random.uniform(0.5, 1.5)):
            self.tick()

    def _grow(self) -> str:
        id_order = self._growing[0]
        if not self.shop.next_step(id_order) or id_order not in self.shop.pending:
            self._growing.pop(0)
        return f"order {id_order} went on"

    def _order(self) -> str:
        lines = {}
        for _ in range(self._random.choice((1, 1, 2, 3))):
            goods = self._goods()
            if goods is not None:
                lines[goods] = self._random.choice((1, 1, 2))
        if not lines:
            return "nothing left to sell"
        state = self._random.choice((2, 2, 2, 10, 1, 11))
        module, payment = payment_of(self.shop, state)
        id_order = self.shop.place_order(
            [(*goods, count) for goods, count in lines.items()],
            state=state_of(self.shop, state),
            module=module,
            payment=payment,
            steps=True,
        )
        self._growing.append(id_order)
        return f"order {id_order} began"

    def _goods(self) -> tuple[int, int] | None:
        table = self.shop.tables["stock_availables"]
        ids = table.ids()
        for _ in range(20 if ids else 0):
            row = table.get(self._random.choice(ids))
            if row is None or not stock.visible(self.shop, row) or int(table.value(row, "quantity")) < 3:
                continue
            id_product = int(table.value(row, "id_product"))
            id_attribute = int(table.value(row, "id_product_attribute"))
            parent = id_attribute == 0 and self.shop.tables["combinations"].find("id_product", id_product)
            if not parent and id_product in self.shop.tables["products"]:
                return id_product, id_attribute
        return None

    def _advance(self) -> str:
        table = self.shop.tables["orders"]
        ids = list(table.ids()[-200:])
        self._random.shuffle(ids)
        for id_order in ids:
            row = table.get(id_order)
            state = int(table.value(row, "current_state") or 0) if row is not None else 0
            if state in _NEXT and id_order not in self._growing:
                new = self._random.choice(_NEXT[state])
                self.shop.set_order_state(id_order, new)
                return f"order {id_order} went to state {new}"
        return "no order to move on"
