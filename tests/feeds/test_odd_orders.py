"""An order that cannot be taken in keeps no other waiting: told, tried again, parked, freed when it is whole."""

from pathlib import Path

import pytest
from sqlalchemy import text

from prestaconsole.database import Database
from prestaconsole.model import Incident, Order, OrderLine, ParkedRecord
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench, make_bench

PAID = 2


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    made = make_bench(database, tmp_path)
    made.add_warehouse("W1")
    return made


def place(simulated: SimulatedShop) -> int:
    number = next(iter(simulated.table("products").ids()))
    return simulated.place_order([(number, 0, 1)], state=PAID)


def verdicts(bench: Bench) -> dict[int, str]:
    return {row["id_order"]: row["verdict"] for row in bench.rows(Order)}


@pytest.mark.parametrize(
    ("table", "field", "cause"),
    [
        ("orders", "total_paid", "The shop's field total_paid should hold a number"),
        ("orders", "id_carrier", "The shop's field id_carrier should hold"),
        ("orders", "total_wrapping_tax_incl", "The shop's field total_wrapping_tax_incl should hold a number"),
        ("order_details", "product_quantity", "The shop's field product_quantity should hold"),
    ],
)
async def test_a_figure_that_is_none_sets_one_order_aside_until_it_is_one(
    bench: Bench, simulated: SimulatedShop, table: str, field: str, cause: str
) -> None:
    shop = bench.add_shop(simulated, orders_start="id:1")
    bad, good = place(simulated), place(simulated)
    row = bad if table == "orders" else next(iter(simulated.table(table).find("id_order", bad)))
    row = int(row["id"]) if isinstance(row, dict) else int(row)
    before = dict(simulated.row(table, row))[field]
    simulated.table(table).update(row, {field: "many"})
    await bench.run_all(shop, "analyse", "import_products", "import_orders")
    assert verdicts(bench)[good] == "import" and verdicts(bench)[bad] == "incomplete"
    await bench.run_all(shop, "import_orders")
    [failing] = bench.rows(ParkedRecord)
    assert (failing["record"], failing["failures"]) == (str(bad), 2) and failing["cause"].startswith(cause)
    await bench.run_all(shop, "import_orders")
    assert [incident["cause_key"] for incident in bench.rows(Incident) if not incident["closed_at"]] == ["parked:order"]
    simulated.table(table).update(row, {field: before})
    await bench.run(shop, "import_orders", ids=[bad])
    assert verdicts(bench)[bad] == "import" and bench.rows(ParkedRecord) == []
    assert not [incident for incident in bench.rows(Incident) if not incident["closed_at"]]


async def test_a_known_order_whose_change_cannot_be_read_stays_as_it_was_and_is_tried_again(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = bench.add_shop(simulated, orders_start="id:1")
    bad = place(simulated)
    await bench.run_all(shop, "analyse", "import_products", "import_orders")
    whole = [row for row in bench.rows(Order) if row["id_order"] == bad]
    for _ in range(60):  # out of the ids that are read again anyway
        place(simulated)
    await bench.run_all(shop, "import_orders")
    total = dict(simulated.row("orders", bad))["total_products"]
    simulated.table("orders").update(bad, {"total_products": "?"})
    simulated.set_order_state(bad, 4)
    await bench.run_all(shop, "import_orders")
    assert [row for row in bench.rows(Order) if row["id_order"] == bad] == whole
    simulated.table("orders").update(bad, {"total_products": total})
    await bench.run_all(shop, "import_orders")
    assert [row["id_order_state"] for row in bench.rows(Order) if row["id_order"] == bad] == [4]
    assert bench.rows(ParkedRecord) == []


async def test_an_order_that_the_database_refuses_leaves_the_rest_of_its_page(
    bench: Bench, simulated: SimulatedShop, database: Database
) -> None:
    shop = bench.add_shop(simulated, orders_start="id:1")
    bad, good = place(simulated), place(simulated)
    for order in (bad, good):
        [line] = simulated.table("order_details").find("id_order", order)
        simulated.table("order_details").update(line, {"product_reference": "BAD" if order == bad else "GOOD"})
    await bench.run_all(shop, "analyse", "import_products")
    if database.is_sqlite:
        trigger = "BEFORE INSERT ON order_line WHEN NEW.sku = 'BAD' BEGIN SELECT RAISE(ABORT, 'sku refused'); END"
        database.write_now(lambda c: c.execute(text(f"CREATE TRIGGER refuse {trigger}")))
        drop = "DROP TRIGGER refuse"
    else:
        database.write_now(
            lambda c: c.execute(text("ALTER TABLE order_line ADD CONSTRAINT refuse CHECK (sku <> 'BAD') NOT VALID"))
        )
        drop = "ALTER TABLE order_line DROP CONSTRAINT refuse"
    try:
        await bench.run_all(shop, "import_orders")
    finally:
        database.write_now(lambda c: c.execute(text(drop)))
    assert verdicts(bench)[good] == "import" and verdicts(bench)[bad] == "incomplete"
    assert "BAD" not in {line["sku"] for line in bench.rows(OrderLine)}
    [failing] = bench.rows(ParkedRecord)
    assert failing["cause"].startswith("It cannot be stored: IntegrityError")
    await bench.run_all(shop, "import_orders")
    assert verdicts(bench)[bad] == "import" and bench.rows(ParkedRecord) == []
