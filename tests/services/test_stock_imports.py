"""The import of a shop's stock: what it would do, told beforehand; and taken back without losing what came since."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from prestaconsole.database import Connection, Database, upsert
from prestaconsole.errors import HeldError, LockedError
from prestaconsole.model import FeedRunLog, FeedState, Listing, Product, ShopMode, StockLevel, StockMovement
from prestaconsole.operations import stock_import as operations
from prestaconsole.operations.invariants import broken
from prestaconsole.sandbox import SimulatedShop
from prestaconsole.services import stock_imports
from prestaconsole.services.feeds import request_feed
from prestaconsole.services.stock import set_stock
from prestaconsole.services.stock_imports import list_imports, preview_import, take_back_import
from tests.support.bench import make_bench

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RUN = 41


class Small:
    """A shop in setup that lists A-1 to A-5, ten units of each as read, into the warehouse W1."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.bench = make_bench(database, folder)
        self.core, self.warehouse = self.bench.core, self.bench.add_warehouse("W1")
        simulated = SimulatedShop.generate(version="8.2.1", products=1, orders=0, seed=1)
        self.shop = self.bench.add_shop(simulated, stock_warehouses="W1", stock_import_to="W1")
        self.products = [{"sku": f"A-{n}", "created_at": NOW} for n in range(1, 6)]
        database.write_now(
            lambda c: (c.execute(insert(Product), self.products), c.execute(insert(Listing), self._rows()))
        )

    def _rows(self) -> list[dict[str, Any]]:
        base = {"shop_id": self.shop.id, "seen_at": NOW, "quantity": 10, "expected_low": 10, "expected_high": 10}
        return [
            {**base, "id_product": n, "product_id": n, "sku": f"A-{n}", "id_stock_available": n} for n in range(1, 6)
        ]

    def write(self, *statements: Any) -> None:
        self.core.database.write_now(lambda c: [c.execute(one) for one in statements])

    def count(self, sku: str, units: int) -> None:
        set_stock(self.core, sku, units, warehouse="W1", reason="counted", actor="zofia")

    def take_in(self, known: operations.Known = "keep", run: int = RUN) -> None:
        """What the feed does once it has read the shop."""

        def work(c: Connection) -> None:
            products = operations.importable(c, self.shop.id, 0, 100)
            lines = operations.plan_lines(c, self.shop.id, self.warehouse, products, known)
            about = {"actor": "zofia", "reason": "first figure", "run_id": run, "at": NOW}
            operations.set_lines(c, self.shop.id, self.warehouse, lines, **about)
            state = {"shop_id": self.shop.id, "feed": "import_stock", "completed_at": NOW, "detail": {}}
            upsert(c, FeedState, [state], key=["shop_id", "feed"])

        self.core.database.write_now(work)

    def levels(self) -> dict[str, int]:
        return {f"A-{row['product_id']}": row["physical"] for row in self.bench.rows(StockLevel)}

    def completed(self) -> bool:
        return self.bench.rows(FeedState, FeedState.feed == "import_stock")[0]["completed_at"] is not None


@pytest.fixture
def small(sqlite_database: Database, tmp_path: Path) -> Small:
    return Small(sqlite_database, tmp_path)


async def test_a_plan_says_what_the_import_then_does_and_sets_nothing(
    sqlite_database: Database, tmp_path: Path
) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    bench.add_warehouse("W1")
    simulated = SimulatedShop.generate(version="8.2.1", products=4, orders=4, seed=3)
    shop = bench.add_shop(simulated, orders_start="id:1", stock_warehouses="W1", stock_import_to="W1")
    await bench.run_all(shop, "analyse", "import_products", "import_orders")
    ended = await bench.run(shop, "import_stock", plan_only=True)
    assert ended.state == "done", ended.error
    state = bench.rows(FeedState, FeedState.feed == "import_stock")[0]
    assert (bench.rows(StockLevel), state["completed_at"], state["last_ok_at"]) == ([], None, None)
    said = " ".join(row["text"] for row in bench.rows(FeedRunLog, FeedRunLog.run_id == ended.id))
    assert "No level was set" in said
    told = preview_import(bench.core, "demo")
    assert (told.new, told.kept, told.units_before) == (told.skus, 0, 0)
    assert any(line.held for line in told.lines)
    assert all(line.after == line.shown + line.held for line in told.lines)
    await bench.run_all(shop, "import_stock")
    names = {row["id"]: row["sku"] for row in bench.rows(Product)}
    levels = {names[row["product_id"]]: row["physical"] for row in bench.rows(StockLevel)}
    assert levels == {line.sku: line.after for line in told.lines}
    # Planning again needs no reason; importing again does.
    request_feed(bench.core, "demo", "import_stock", actor="zofia", plan=True)
    with pytest.raises(LockedError, match="needs a reason"):
        request_feed(bench.core, "demo", "import_stock", actor="zofia")
    assert preview_import(bench.core, "demo").unchanged == told.skus


def test_what_another_count_set_is_kept_and_what_asm_counts_is_left_out(small: Small) -> None:
    small.count("A-1", 777)
    small.write(update(Listing).where(Listing.sku == "A-2").values(depends_on_stock=True))
    told = preview_import(small.core, "demo")
    assert [(line.sku, line.before, line.after) for line in told.lines if line.kept] == [("A-1", 777, 777)]
    assert told.left_out == {"counted by PrestaShop's advanced stock management": ("A-2",)}
    assert (told.skus, told.new, told.kept, told.units_before, told.units_after) == (4, 3, 1, 777, 807)
    for known, units in (("sum", 817), ("overwrite", 40)):
        assert preview_import(small.core, "demo", known=known).units_after == units


def test_two_listings_of_one_product_set_one_level_however_often(small: Small) -> None:
    joined = update(Listing).where(Listing.sku == "A-2").values(product_id=1, linked_by="person", expected_low=7)
    small.write(joined)
    for run in (RUN, RUN + 1):
        small.take_in(run=run)
        assert small.levels() == {"A-1": 7, "A-3": 10, "A-4": 10, "A-5": 10}


def test_an_import_goes_back_but_for_what_moved_since(small: Small) -> None:
    small.count("A-1", 777)
    small.take_in("overwrite")
    small.count("A-2", 5)
    told = take_back_import(small.core, RUN, actor="zofia", plan=True)
    assert [(line.sku, line.now, line.back) for line in told.lines if line.why] == [("A-2", 5, 5)]
    assert "moved since: correction" in next(line.why for line in told.lines if line.why)

    done = take_back_import(small.core, RUN, actor="zofia", reason="wrong warehouse")
    assert (done.stored, done.back, done.stay) == (True, 4, 1)
    # Never counted is not zero: those levels are gone, and nothing is written for them.
    assert (small.levels(), small.completed()) == ({"A-1": 777, "A-2": 5}, False)
    back = small.bench.rows(StockMovement, StockMovement.run_id == RUN, StockMovement.kind == "correction")
    assert {row["reason"] for row in back} == {f"import {RUN} taken back: wrong warehouse"}
    assert [(row.levels, row.taken_back) for row in list_imports(small.core)] == [(5, 4)]
    with pytest.raises(LockedError, match="stay as they are"):
        take_back_import(small.core, RUN, actor="zofia", reason="again")
    # What was taken back is not this shop's any more: the count is kept again.
    assert [line.sku for line in preview_import(small.core, "demo").lines if line.kept] == ["A-1"]


def test_a_second_import_goes_back_to_the_first_where_its_zeros_are_confirmed(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.take_in()
    small.write(update(Listing).where(Listing.sku != "A-1").values(expected_low=0))
    small.take_in(run=RUN + 1)
    small.write(update(Listing).values(expected_low=9))
    small.take_in(run=RUN + 2)
    monkeypatch.setattr(stock_imports, "zeros_trip", lambda listings, to_zero, limits: to_zero >= 4)
    with pytest.raises(HeldError, match="4 of 5 SKUs in W1 would go to 0"):
        take_back_import(small.core, RUN + 2, actor="zofia", reason="wrong")
    take_back_import(small.core, RUN + 2, actor="zofia", reason="wrong", confirm="W1")
    assert small.levels() == {"A-1": 10, "A-2": 0, "A-3": 0, "A-4": 0, "A-5": 0}
    assert small.completed()


def test_it_does_not_go_back_under_a_live_shop(small: Small) -> None:
    small.take_in()
    small.bench.set_mode(small.shop, ShopMode.LIVE)
    with pytest.raises(LockedError, match="Locked in live"):
        take_back_import(small.core, RUN, actor="zofia", reason="wrong")
    assert small.levels() == {f"A-{n}": 10 for n in range(1, 6)}


def test_a_cut_between_two_parts_is_gone_on_with(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    small.take_in()
    monkeypatch.setattr(stock_imports, "_CHUNK", 3)
    real, parts = operations.take_back, list[int]()

    def cut(*args: Any, **named: Any) -> int:
        parts.append(1)
        if len(parts) == 2:
            raise KeyboardInterrupt
        return real(*args, **named)

    monkeypatch.setattr(operations, "take_back", cut)
    with pytest.raises(KeyboardInterrupt):
        take_back_import(small.core, RUN, actor="zofia", reason="wrong")
    assert list_imports(small.core)[0].taken_back == 3
    done = take_back_import(small.core, RUN, actor="zofia", reason="wrong")
    assert (small.levels(), done.back, small.completed()) == ({}, 2, False)
    assert small.core.database.read_now(lambda c: broken(c, NOW)) == []
