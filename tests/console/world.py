"""A small world for the console's tests: a database with shops, states, listings, a plan, runs; actions that note."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert

from prestaconsole.console.actions import Actions
from prestaconsole.database import Connection, Database
from prestaconsole.errors import LockedError
from prestaconsole.model import (
    Change,
    ChangeKind,
    Changeset,
    FeedRun,
    FeedRunLog,
    FeedSchedule,
    FeedState,
    ForeignWrite,
    Incident,
    Listing,
    Order,
    OrderStateRule,
    Runner,
    Shop,
    ShopOrderState,
    ShopSetting,
    StockLevel,
    Warehouse,
)
from prestaconsole.model.catalogue import Product

NOW = datetime(2026, 11, 19, 14, 7, tzinfo=UTC)


class FixedClock:
    """A clock that moves when a test says so; the screen's own timers go on."""

    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        """Let time go on."""
        self.seconds += seconds
        self.moment += timedelta(seconds=seconds)


class NotedActions(Actions):
    """Notes what was asked for; ``refuse`` makes the next one fail."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.refuse: LockedError | None = None
        self.run = 8812

    def _note(self, *what: Any) -> None:
        if self.refuse is not None:
            error, self.refuse = self.refuse, None
            raise error
        self.asked.append(what)

    async def pause_shop(self, shop: str, reason: str, until: datetime | None) -> None:
        self._note("pause", shop, reason, until)

    async def resume_shop(self, shop: str) -> None:
        self._note("resume", shop)

    async def request_feed(self, shop: str, feed: str, *, plan: bool = False, reason: str = "") -> tuple[int, bool]:
        self._note("feed", shop, feed, plan, reason)
        return self.run, False

    async def cancel_run(self, run: int) -> None:
        self._note("cancel", run)

    async def schedule_feed(self, shop: str, feed: str, every: str) -> None:
        self._note("schedule", shop, feed, every)

    async def set_order_states(self, shop: str, edits: Sequence[Mapping[str, Any]]) -> None:
        self._note("states", shop, list(edits))

    async def approve(self, changeset: int) -> None:
        self._note("approve", changeset)

    async def apply(self, changeset: int) -> tuple[int, bool]:
        self._note("apply", changeset)
        return self.run, False

    async def release(self, changeset: int, confirm: str, reason: str) -> None:
        self._note("release", changeset, confirm, reason)

    async def drop(self, changeset: int) -> None:
        self._note("drop", changeset)

    async def undo(self, changeset: int, records: Sequence[int] = ()) -> tuple[int, Sequence[str]]:
        self._note("undo", changeset, list(records))
        return changeset + 1, ["KAW-000009: the shop's value is 5 now, the plan had written 7"][: len(records)]

    async def set_formula(self, shop: str, values: Mapping[str, str]) -> None:
        self._note("formula", shop, dict(values))

    async def set_exception(self, shop: str, sku: str, values: Mapping[str, str]) -> None:
        self._note("exception", shop, sku, dict(values))

    async def decide_foreign(self, foreign: Sequence[int], decision: str, reason: str) -> Sequence[str]:
        self._note("foreign", list(foreign), decision, reason)
        return []


def shop_row(id: int, code: str, name: str, mode: str = "live", **more: Any) -> dict[str, Any]:
    """One shop."""
    return {
        "id": id, "code": code, "name": name, "base_url": f"https://www.{code}.example", "mode": mode,
        "version": "8.2.1", "timezone": "Europe/Warsaw", "currency": "PLN", "health": "ok",
        "key_print": "7F3A-91C2", "key_set_at": NOW - timedelta(days=200),
        "last_good_at": NOW - timedelta(minutes=1), "created_at": NOW, "updated_at": NOW,
        "paused_at": None, "paused_until": None, "paused_by": "", "pause_reason": "", "last_error": "",
    } | more  # fmt: skip


def seed(connection: Connection, *, listings: int = 12, changes: int = 11) -> None:
    """Five shops; the first live with a plan of stock changes, order states, runs and a log."""
    shops = [
        shop_row(1, "sattlerei-bohm", "Sattlerei Böhm"),
        shop_row(2, "palarnia-zubr", "Palarnia Żubr", "rehearsal"),
        shop_row(3, "jouets-lefevre", "Jouets Lefèvre", paused_at=NOW - timedelta(minutes=21),
                 paused_until=NOW + timedelta(hours=2), paused_by="Anaïs", pause_reason="upgrade to 8.2.1"),
        shop_row(4, "fleurs-moreau", "Fleurs Moreau", health="down", last_error="The shop answers 500 since 13:15."),
        shop_row(5, "tokyodo", "東京堂文具", "draft", last_good_at=None, health="?", version=""),
        shop_row(6, "lodz", "Świece Łódź", "setup"),
    ]  # fmt: skip
    connection.execute(insert(Shop), shops)
    connection.execute(insert(Warehouse), [{"id": 1, "code": "MAG-A", "name": "Magazyn A", "created_at": NOW}])
    for shop in (1, 2):
        connection.execute(
            insert(ShopSetting),
            [{"shop_id": shop, "name": "stock.warehouses", "value": "MAG-A", "updated_at": NOW, "updated_by": "test"}],
        )
    _states(connection)
    _listings(connection, listings)
    _plan(connection, min(changes, listings))
    _feeds(connection)
    connection.execute(
        insert(Order),
        [
            {"shop_id": 1, "id_order": 4000 + n, "verdict": "import" if n % 4 else "hold", "verdict_at": NOW,
             "first_seen_at": NOW, "read_at": NOW, "id_order_state": 2 if n % 3 else 11,
             "date_add": NOW - timedelta(days=n)}
            for n in range(20)
        ],
    )  # fmt: skip
    connection.execute(
        insert(Incident),
        [{"shop_id": 1, "open_key": "1:x", "cause_key": "x", "title": "Carrier", "opened_at": NOW, "last_at": NOW}],
    )


def _states(connection: Connection) -> None:
    states = [
        (1, "En attente du chèque", False, False, False), (2, "Paiement accepté", True, False, True),
        (3, "En cours de préparation", True, False, True), (4, "Expédié", True, True, True),
        (5, "Livré", True, True, True), (6, "Annulé", False, False, False), (11, "Abholung", False, False, False),
    ]  # fmt: skip
    connection.execute(
        insert(ShopOrderState),
        [
            {"shop_id": 1, "id_order_state": i, "name": n, "paid": p, "shipped": s, "logable": lg,
             "gives_back": i == 6, "gives_back_source": "configuration"}
            for i, n, p, s, lg in states
        ],
    )  # fmt: skip
    connection.execute(
        insert(OrderStateRule),
        [
            {"shop_id": 1, "id_order_state": i, "action": a, "retry": r, "suggested": i != 3, "updated_at": NOW,
             "updated_by": "Zofia"}
            for i, a, r in ((1, "skip", True), (2, "import", False), (3, "hold", False), (4, "done", False),
                            (5, "done", False), (6, "cancelled", False))
        ],
    )  # fmt: skip


NAMES = (
    "Etiopia Sidamo 250 g",
    "Brazylia Santos 1 kg",
    "Kolumbia Huila 250 g",
    "Filtry V60, 100 szt.",
    "Kubek Żubr, czarny",
)


def _listings(connection: Connection, count: int) -> None:
    for start in range(1, count + 1, 5000):
        block = range(start, min(start + 5000, count + 1))
        connection.execute(
            insert(Product),
            [{"id": n, "sku": f"KAW-{n:06}", "name": NAMES[n % 5], "created_at": NOW} for n in block],
        )
        connection.execute(
            insert(Listing),
            [
                {"id": n, "shop_id": 1, "id_product": n, "product_id": n, "sku": f"KAW-{n:06}", "name": NAMES[n % 5],
                 "active": True, "price": Decimal(10), "seen_at": NOW, "id_stock_available": 1800 + n,
                 "quantity": n % 50 + 3, "quantity_read_at": NOW - timedelta(minutes=27)}
                for n in block
            ],
        )  # fmt: skip
        connection.execute(
            insert(StockLevel),
            [{"product_id": n, "warehouse_id": 1, "physical": n % 50, "updated_at": NOW} for n in block],
        )


def _plan(connection: Connection, count: int) -> None:
    if not count:
        return
    connection.execute(
        insert(Changeset),
        [{"id": 611, "shop_id": 1, "kind": ChangeKind.STOCK, "state": "planned", "reason": "event", "actor": "İpek",
          "mode": "live", "rows": count, "created_at": NOW - timedelta(minutes=27),
          "planned_at": NOW - timedelta(minutes=27), "brake": {"tripped": False, "words": "", "rules": []}}],
    )  # fmt: skip
    for start in range(1, count + 1, 5000):
        connection.execute(
            insert(Change),
            [
                {"changeset_id": 611, "kind": ChangeKind.STOCK, "record": n, "before": str(n % 50 + 3),
                 "after": str(n % 50), "state": 0}
                for n in range(start, min(start + 5000, count + 1))
            ],
        )  # fmt: skip


def _feeds(connection: Connection) -> None:
    runs = [
        _run(8801, "import_products", "done", counts={"listings": 12}, done=12, total=12),
        _run(8802, "import_orders", "done", counts={"import": 3, "hold": 2}, done=5),
        _run(8803, "stock_check", "failed", error="The shop answered 500 at page 2.", remedy="r goes on at row 400."),
        _run(8810, "import_products", "running", counts={"changed": 41}, done=3870, total=6240, phase="products",
             active_key="1:import_products", ended_at=None),
        _run(8811, "retry_orders", "queued", active_key="1:retry_orders", ended_at=None, started_at=None),
    ]  # fmt: skip
    connection.execute(insert(FeedRun), runs)
    connection.execute(
        insert(FeedState),
        [
            {"shop_id": 1, "feed": feed, "completed_at": NOW - timedelta(days=3), "last_ok_at": ok, "last_run_id": run}
            for feed, ok, run in (
                ("analyse", NOW - timedelta(hours=3), None),
                ("import_products", NOW - timedelta(minutes=22), 8801),
                ("import_orders", NOW - timedelta(minutes=2), 8802),
                ("stock_check", NOW - timedelta(hours=33), 8803),
                ("import_stock", NOW - timedelta(days=16), None),
            )
        ],
    )
    connection.execute(
        insert(FeedSchedule),
        [
            {"shop_id": 1, "feed": feed, "every": every, "zone": "Europe/Warsaw", "enabled": on,
             "next_due": NOW + timedelta(minutes=3), "updated_at": NOW, "updated_by": "Zofia"}
            for feed, every, on in (("import_orders", "every 5 min", True), ("import_products", "every 60 min", True),
                                    ("stock_check", "daily 04:30", True), ("analyse", "weekly Sun 02:00", False))
        ],
    )  # fmt: skip
    connection.execute(
        insert(FeedRunLog),
        [
            {"run_id": 8802 if n % 2 else 8803, "seq": n, "at": NOW - timedelta(seconds=60 - n),
             "level": ("info", "info", "warn", "FAIL")[n % 4], "text": f"page {n}: {n * 3} rows, order {4000 + n} held"}
            for n in range(40)
        ],
    )  # fmt: skip


def _run(id: int, feed: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id, "shop_id": 1, "feed": feed, "active_key": None, "serial_key": f"1:{feed}", "state": state,
        "due": NOW - timedelta(minutes=15), "attempt": 1, "actor": "Zofia", "created_at": NOW - timedelta(minutes=15),
        "started_at": NOW - timedelta(minutes=15), "ended_at": NOW - timedelta(minutes=13), "progress_at": NOW,
        "counts": {}, "done": 0, "total": None, "phase": "", "error": "", "remedy": "",
    } | more  # fmt: skip


def foreign(connection: Connection, count: int = 5, *, decided: int = 2) -> None:
    """Figures of the first listings that somebody else wrote, the last ``decided`` of them kept by Zofia."""
    connection.execute(
        insert(ForeignWrite),
        [
            {"id": n, "shop_id": 1, "listing_id": n, "seen_at": NOW - timedelta(hours=n),
             "seen_by": "push" if n % 2 else "check", "low": n + 3, "high": n + 3, "shows": n + 9, "ours": n}
            | ({"decision": "keep", "decided_by": "Zofia", "decided_at": NOW, "reason": "owner asked"}
               if n > count - decided else {"decision": "", "decided_by": "", "decided_at": None, "reason": ""})
            for n in range(1, count + 1)
        ],
    )  # fmt: skip


def daemon(connection: Connection, at: datetime = NOW) -> None:
    """A daemon that reported at a moment."""
    connection.execute(
        insert(Runner), [{"kind": "daemon", "host": "srv-2", "pid": 7, "started_at": at, "heartbeat": at}]
    )


def make(database: Database, **more: Any) -> None:
    """Fill a database."""
    database.write_now(lambda connection: seed(connection, **more))
    database.write_now(daemon)
