"""Taking stock files in: the diff before, all rows or the good ones, complete counts, the brake on zeros, cut-offs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from prestaconsole.database import Database
from prestaconsole.errors import HeldError, UsageError
from prestaconsole.model import AuditEvent, Incident, MovementKind, Product, StockLevel, StockLoad, StockMovement
from prestaconsole.operations.invariants import broken
from prestaconsole.services import stock, stock_loads, stock_moves, warehouses
from prestaconsole.services.load_list import list_loads, note_cut_off
from prestaconsole.services.stock_files import read_stock_file
from prestaconsole.services.stock_loads import TakenOver, begin_load, book_rows, compare, load_stock
from tests.support.runs import FakeClock, make_core

NOW = datetime(2026, 3, 2, tzinfo=UTC)


class Shelves:
    """Warehouse W1 with ten units of each of ``count`` products, W2 without any."""

    def __init__(self, database: Database, folder: Path, count: int = 40) -> None:
        self.clock = FakeClock()
        self.database, self.folder, self.core = database, folder, make_core(database, folder, clock=self.clock)
        for code in ("W1", "W2"):
            warehouses.add_warehouse(self.core, code, actor="zofia")
        rows = [{"sku": f"A-{n}", "created_at": NOW} for n in range(1, count + 1)]
        database.write_now(lambda c: c.execute(insert(Product), rows))
        self.load({f"A-{n}": 10 for n in range(1, count + 1)})

    def file(self, quantities: dict[str, Any], name: str = "count.csv") -> Path:
        path = self.folder / name
        path.write_text("sku,quantity\n" + "".join(f"{sku},{number}\n" for sku, number in quantities.items()))
        return path

    def load(self, quantities: dict[str, Any], **asked: Any) -> stock_loads.LoadPlan:
        return load_stock(self.core, self.file(quantities), warehouse="W1", actor="zofia", **asked)

    def later(self, seconds: float) -> None:
        self.clock.forward(seconds)

    def levels(self, code: str = "W1") -> dict[str, int]:
        number = {"W1": 1, "W2": 2}[code]
        statement = select(Product.sku, StockLevel.physical).join(StockLevel, StockLevel.product_id == Product.id)
        rows = self.database.read_now(lambda c: c.execute(statement.where(StockLevel.warehouse_id == number)).all())
        return {row.sku or "": row.physical for row in rows}

    def rows(self, model: Any) -> list[Any]:
        statement = select(*model.__table__.columns).order_by(model.id)
        return list(self.database.read_now(lambda c: c.execute(statement).all()))


@pytest.fixture
def shelves(sqlite_database: Database, tmp_path: Path) -> Shelves:
    return Shelves(sqlite_database, tmp_path)


def test_rows_that_are_not_in_the_file_stay_and_the_ledger_names_the_load(shelves: Shelves) -> None:
    plan = shelves.load({"A-1": 3, "A-2": 10})
    assert (plan.rows, plan.unchanged, plan.stored, plan.to_zero) == (2, 1, True, 0)
    assert [(one.sku, one.before, one.after) for one in plan.changes] == [("A-1", 10, 3)]
    assert shelves.levels() == {**{f"A-{n}": 10 for n in range(1, 41)}, "A-1": 3}
    assert shelves.rows(StockMovement)[-1].reason == "file count.csv, load 2"
    load = shelves.rows(StockLoad)[-1]
    assert (load.state, load.rows, load.position, load.changed, len(load.digest)) == ("done", 2, 2, 1, 64)
    assert shelves.rows(AuditEvent)[-1].after == {"load": 2, "rows": 2, "changed": 1, "refused": 0, "to_zero": 0}


def test_one_bad_row_stores_nothing_unless_the_good_ones_are_asked_for(shelves: Shelves) -> None:
    bad = {"A-1": 3, "NOPE": 1, "A-2": "12,5".replace(",", "."), "A-3": 4}
    plan = shelves.load(bad)
    assert not plan.stored
    assert [(one.line, one.column) for one in plan.problems] == [(3, "sku"), (4, "quantity")]
    assert shelves.levels()["A-1"] == 10
    plan = shelves.load(bad, good_rows=True)
    assert (plan.stored, plan.rows, len(plan.changes), len(plan.problems)) == (True, 4, 2, 2)
    assert [shelves.levels()[sku] for sku in ("A-1", "A-2", "A-3")] == [3, 10, 4]
    assert not shelves.load({"NOPE": 1}, good_rows=True).stored


def test_a_complete_count_makes_the_absent_zero_and_many_zeros_need_a_word(shelves: Shelves) -> None:
    counted = {f"A-{n}": 10 for n in range(1, 38)}
    plan = shelves.load(counted, complete=True)
    assert plan.stored and plan.to_zero == 3, "three of forty are few"
    assert [one.sku for one in plan.changes if one.absent] == ["A-38", "A-39", "A-40"]
    assert shelves.levels()["A-40"] == 0
    with pytest.raises(HeldError) as caught:
        shelves.load({"A-1": 10}, complete=True)
    assert "36 of 37 SKUs in W1 would go to 0, 97 %" in str(caught.value)
    assert shelves.levels()["A-2"] == 10
    with pytest.raises(UsageError, match="reason"):
        shelves.load({"A-1": 10}, complete=True, confirm="W1")
    with pytest.raises(HeldError):
        shelves.load({"A-1": 10}, complete=True, confirm="W2", reason="wrong place")
    assert shelves.load({"A-1": 10}, complete=True, confirm="w1", reason="fire").stored
    assert sum(shelves.levels().values()) == 10
    assert shelves.rows(AuditEvent)[-1].reason == "fire"


def test_a_file_of_zeros_is_held_as_well(shelves: Shelves) -> None:
    zeros = {f"A-{n}": 0 for n in range(1, 41)}
    plan = stock_loads.plan_load(shelves.core, shelves.file(zeros), warehouse="W1")
    assert (plan.to_zero, plan.stocked) == (40, 40) and plan.held
    with pytest.raises(HeldError):
        shelves.load(zeros)
    assert sum(shelves.levels().values()) == 400


def test_an_empty_or_faulty_file_is_never_a_complete_count(shelves: Shelves) -> None:
    with pytest.raises(UsageError, match="no row"):
        shelves.load({}, complete=True)
    with pytest.raises(UsageError, match="no complete count"):
        shelves.load({"A-1": 1, "NOPE": 2}, complete=True, good_rows=True)
    assert sum(shelves.levels().values()) == 400


def test_a_load_that_was_cut_off_goes_on_where_it_stood_and_two_cannot_book_the_same(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelves = Shelves(database, tmp_path)
    monkeypatch.setattr(stock_loads, "_AT_ONCE", 4)
    file = read_stock_file(shelves.file({f"A-{n}": 3 for n in range(1, 11)}))
    plan = database.read_now(lambda c: compare(c, file, "W1")[0])
    load = begin_load(shelves.core, "one/claim", file, plan, actor="zofia")
    assert begin_load(shelves.core, "one/claim", file, plan, actor="zofia") == load
    looks = iter([False, True])
    assert not book_rows(shelves.core, load, file.rows, actor="zofia", stop=lambda: next(looks))
    assert [shelves.levels()[f"A-{n}"] for n in (1, 4, 5)] == [3, 3, 10]
    stock.set_stock(shelves.core, "A-1", 2, warehouse="W1", reason="sold meanwhile", actor="zofia")
    other = iter([False, True])

    def overtaken() -> bool:
        book_rows(shelves.core, load, file.rows, actor="zofia", stop=lambda: next(other))
        return False

    with pytest.raises(TakenOver):
        book_rows(shelves.core, load, file.rows, actor="zofia", stop=overtaken)
    assert book_rows(shelves.core, load, file.rows, actor="zofia")
    assert shelves.levels()["A-1"] == 2, "what was booked once is not booked again"
    assert [shelves.levels()[f"A-{n}"] for n in (5, 8, 9, 10)] == [3, 3, 3, 3]
    booked = [row for row in shelves.rows(StockMovement) if row.reason.endswith(f"load {load}")]
    assert len(booked) == 10
    assert database.read_now(lambda c: broken(c, NOW)) == []


def test_a_complete_count_that_was_killed_goes_on_and_is_told_of_until_then(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelves = Shelves(sqlite_database, tmp_path, count=12)
    monkeypatch.setattr(stock_loads, "_AT_ONCE", 2)
    real = stock_loads._set
    count = {f"A-{n}": 7 for n in range(1, 7)}
    # The process dies in the third part of the rows, then in the second of those that are not in the file.
    for parts, left in ((2, [7] * 4 + [10] * 8), (2, [7] * 6 + [0] * 2 + [10] * 4)):
        done: list[int] = []

        def dies(*given: Any, done: list[int] = done, parts: int = parts) -> None:
            if len(done) == parts:
                raise KeyboardInterrupt
            done.append(1)
            real(*given)

        monkeypatch.setattr(stock_loads, "_set", dies)
        with pytest.raises(KeyboardInterrupt):
            shelves.load(count, complete=True, confirm="W1", reason="counted")
        assert [shelves.levels()[f"A-{n}"] for n in range(1, 13)] == left
    stock.set_stock(shelves.core, "A-1", 6, warehouse="W1", reason="sold meanwhile", actor="zofia")
    note_cut_off(shelves.core)
    assert shelves.rows(Incident) == []
    shelves.later(120)
    for _ in range(2):
        note_cut_off(shelves.core)
    assert [row.title for row in shelves.rows(Incident)] == ["Loading count.csv into W1 was cut off after 6 of 6 rows."]
    assert [row.cut_off for row in list_loads(shelves.core)] == [True, False]
    monkeypatch.setattr(stock_loads, "_set", real)
    plan = shelves.load(count, complete=True, confirm="W1", reason="counted")
    assert plan.resumed_at == 6
    assert [shelves.levels()[f"A-{n}"] for n in range(1, 13)] == [6] + [7] * 5 + [0] * 6
    assert [row.closed_by for row in shelves.rows(Incident)] == ["cured"]
    assert [row.state for row in list_loads(shelves.core)] == ["done", "done"]


def test_another_file_ends_a_load_that_was_cut_off(shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_loads, "end_load", lambda *given: None)
    shelves.load({"A-1": 4})
    monkeypatch.undo()
    shelves.load({"A-2": 4})
    assert [row.state for row in list_loads(shelves.core)] == ["done", "loading", "done"]
    shelves.later(61)
    shelves.load({"A-2": 5})
    ended = list_loads(shelves.core)[2]
    assert (ended.state, ended.error) == ("failed", "Cut off after 1 of 1 rows; count.csv was loaded next.")


# -- movements ---------------------------------------------------------------------------------------------------


def test_goods_come_go_back_and_change_places_each_with_its_kind(database: Database, tmp_path: Path) -> None:
    shelves = Shelves(database, tmp_path, count=2)
    core = shelves.core
    stock_moves.receive_stock(core, "A-1", 5, warehouse="W1", reason="WE-2291", actor="zofia")
    stock_moves.return_stock(core, "a-1", 1, warehouse="w1", reason="unopened", actor="zofia")
    rows = stock_moves.transfer_stock(core, "A-1", 6, source="W1", target="W2", actor="zofia")
    assert [(row.warehouse, row.physical) for row in rows] == [("W1", 10), ("W2", 6)]
    moves = stock_moves.list_movements(core, "A-1")
    assert [(one.kind, one.warehouse, one.units, one.physical) for one in moves] == [
        (MovementKind.TRANSFER, "W2", 6, 6),
        (MovementKind.TRANSFER, "W1", -6, 10),
        (MovementKind.RETURN, "W1", 1, 16),
        (MovementKind.RECEIPT, "W1", 5, 15),
        (MovementKind.CORRECTION, "W1", 10, 10),
    ]
    assert [one.reason for one in stock_moves.list_movements(core, "A-1", warehouse="W2", limit=1)] == ["W1 to W2"]
    assert shelves.rows(AuditEvent)[-1].after == {"W1": 10, "W2": 6}
    assert database.read_now(lambda c: broken(c, NOW)) == []


def test_goods_that_are_not_there_cannot_leave(shelves: Shelves) -> None:
    core = shelves.core
    before = len(shelves.rows(StockMovement))
    with pytest.raises(UsageError, match="W1 has 10 of A-1"):
        stock_moves.transfer_stock(core, "A-1", 11, source="W1", target="W2", actor="zofia")
    with pytest.raises(UsageError, match="W2 has 0"):
        stock_moves.transfer_stock(core, "A-1", 1, source="W2", target="W1", actor="zofia")
    with pytest.raises(UsageError, match="both ends"):
        stock_moves.transfer_stock(core, "A-1", 1, source="W1", target="w1", actor="zofia")
    for units in (0, -3, 3_000_000_000):
        with pytest.raises(UsageError, match="cannot be moved"):
            stock_moves.receive_stock(core, "A-1", units, warehouse="W1", actor="zofia")
    with pytest.raises(UsageError, match="are the most"):
        stock_moves.receive_stock(core, "A-1", 2_000_000_000, warehouse="W1", actor="zofia")
    with pytest.raises(UsageError, match="reason"):
        stock_moves.return_stock(core, "A-1", 1, warehouse="W1", reason="", actor="zofia")
    assert len(shelves.rows(StockMovement)) == before


def test_loads_are_listed_with_what_became_of_them(shelves: Shelves) -> None:
    shelves.load({"A-1": 4})
    assert [(row.id, row.warehouse, row.state, row.changed) for row in list_loads(shelves.core, warehouse="W1")] == [
        (2, "W1", "done", 1),
        (1, "W1", "done", 40),
    ]
    assert list_loads(shelves.core, warehouse="W2") == []
