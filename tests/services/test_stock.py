"""Stock in warehouses: holds laid on places, and files of any size."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from prestaconsole.database import Database
from prestaconsole.errors import UsageError
from prestaconsole.model import AuditEvent, Product, StockHold, StockMovement
from prestaconsole.services import shops, stock, stock_loads, warehouses
from prestaconsole.services.stock import _share_out
from tests.support.runs import add_shop, make_core

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@given(
    st.dictionaries(st.sampled_from("ABC"), st.integers(-5, 20), min_size=1), st.lists(st.integers(0, 30), max_size=4)
)
def test_holds_laid_on_warehouses_are_neither_lost_nor_counted_twice(levels: dict[str, int], units: list[int]) -> None:
    held = dict.fromkeys(levels, 0)
    for number in units:
        _share_out(number, sorted(levels), levels, held)
    assert sum(held.values()) == sum(units)
    assert all(number >= 0 for number in held.values())


def test_free_units_of_all_rows_add_up_to_what_is_offered(sqlite_database: Database, tmp_path: Path) -> None:
    core = make_core(sqlite_database, tmp_path)
    shop = add_shop(sqlite_database)
    for code in ("W1", "W2"):
        warehouses.add_warehouse(core, code, actor="zofia")
    shops.set_values(core, "wolle", {"stock.warehouses": "W1,W2"}, actor="zofia")
    hold = {"shop_id": shop.id, "id_product": 1, "id_product_attribute": 0, "product_id": 1, "quantity": 5}
    sqlite_database.write_now(lambda c: c.execute(insert(Product).values(sku="A-1", created_at=NOW)))
    sqlite_database.write_now(lambda c: c.execute(insert(StockHold).values(**hold, opened_at=NOW)))
    stock.set_stock(core, "A-1", 3, warehouse="W1", reason="count", actor="zofia")
    stock.set_stock(core, "A-1", 4, warehouse="W2", reason="count", actor="zofia")
    rows = stock.show_stock(core, "a-1")
    assert [(row.warehouse, row.physical, row.held, row.available) for row in rows] == [
        ("W1", 3, 3, 0),
        ("W2", 4, 2, 2),
    ]


def test_setting_stock_leaves_a_movement_and_an_audit_row(sqlite_database: Database, tmp_path: Path) -> None:
    core = make_core(sqlite_database, tmp_path)
    warehouses.add_warehouse(core, "W1", actor="zofia")
    sqlite_database.write_now(lambda c: c.execute(insert(Product).values(sku="A-1", created_at=NOW)))
    stock.set_stock(core, "A-1", 3, warehouse="W1", reason="count", actor="zofia")
    stock.set_stock(core, "A-1", 1, warehouse="W1", reason="broken", actor="łukasz")
    moves = sqlite_database.read_now(lambda c: c.execute(select(StockMovement.quantity, StockMovement.reason)).all())
    assert [tuple(move) for move in moves] == [(3, "count"), (-2, "broken")]
    events = sqlite_database.read_now(lambda c: c.execute(select(AuditEvent.actor, AuditEvent.before)).all())
    assert (events[-1].actor, events[-1].before) == ("łukasz", {"physical": 3})


def test_a_file_of_many_rows_is_loaded_whole(sqlite_database: Database, tmp_path: Path) -> None:
    core = make_core(sqlite_database, tmp_path)
    warehouses.add_warehouse(core, "W1", actor="zofia")
    products = [{"sku": f"A-{number}", "created_at": NOW} for number in range(2_300)]
    sqlite_database.write_now(lambda c: c.execute(insert(Product), products))
    file = tmp_path / "count.csv"
    file.write_text("sku,quantity\n" + "".join(f"A-{number},{number}\n" for number in range(2_300)))
    plan = stock_loads.plan_load(core, file, warehouse="W1")
    assert (plan.rows, len(plan.changes), plan.unchanged, plan.stored) == (2_300, 2_300, 0, False)
    assert stock_loads.load_stock(core, file, warehouse="W1", actor="zofia").stored
    counted = sqlite_database.read_now(lambda c: c.execute(select(func.sum(StockMovement.quantity))).scalar())
    assert counted == sum(range(2_300))
    again = stock_loads.load_stock(core, file, warehouse="W1", actor="zofia")
    assert (len(again.changes), again.unchanged) == (0, 2_300)


def test_a_sku_is_found_exactly_before_it_is_found_by_other_letters(sqlite_database: Database, tmp_path: Path) -> None:
    core = make_core(sqlite_database, tmp_path)
    sqlite_database.write_now(
        lambda c: c.execute(insert(Product), [{"sku": "ab", "created_at": NOW}, {"sku": "AB", "created_at": NOW}])
    )
    assert stock.show_stock(core, "AB") == []
    with pytest.raises(UsageError):
        stock.show_stock(core, "Ab")
