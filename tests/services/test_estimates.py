"""A run's length is told beforehand from what requests cost at that shop, and while it is at work from its pages."""

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from prestaconsole.cli.progress import RunLines
from prestaconsole.database import Database
from prestaconsole.model import FeedRun, Listing, ShopPace
from prestaconsole.operations.shops import load_shop
from prestaconsole.sandbox import SimulatedShop
from prestaconsole.services import runs
from prestaconsole.services.estimates import Estimate, estimate_feed, estimates
from prestaconsole.services.feeds import list_feeds
from prestaconsole.services.order_preview import preview_orders
from prestaconsole.services.progress import Pace
from prestaconsole.webservice.query import Query
from tests.support.bench import make_bench
from tests.support.runs import START, FakeClock, add_shop, make_core


def _cost(database: Database, shop: int, **seconds: float) -> None:
    cost = {f"GET {name}": {"requests": 5, "recent": value} for name, value in seconds.items()}
    row = {"shop_id": shop, "cost": cost, "updated_at": START}
    database.write_now(lambda c: c.execute(insert(ShopPace).values(row)))


def _listings(database: Database, shop: int, products: int, combinations: int) -> None:
    rows = [{"id_product": n, "id_product_attribute": 0} for n in range(1, products + 1)]
    rows += [{"id_product": 1, "id_product_attribute": n} for n in range(1, combinations + 1)]
    kept = [
        {"shop_id": shop, "sku": "", "name": "x", "active": True, "price": Decimal(1), "seen_at": START, **r}
        for r in rows
    ]
    database.write_now(lambda c: c.execute(insert(Listing), kept))


def test_rows_by_page_times_the_cost_of_a_request(database: Database, tmp_path: Path) -> None:
    core, shop = make_core(database, tmp_path, clock=FakeClock()), add_shop(database).id
    _listings(database, shop, 1500, 1200)
    assert database.read_now(lambda c: estimates(c, load_shop(c, shop))) == {}, "no cost is known: nothing is said"
    _cost(database, shop, stock_availables=20.0, products=30.0)
    assert estimate_feed(core, "wolle", "stock_check") == Estimate(2700, 3, 60.0)
    assert estimate_feed(core, "wolle", "import_products") is None, "combinations were never measured"
    told = {row.feed: row.estimate for row in list_feeds(core, "wolle")}
    assert told["stock_check"] is not None and told["stock_check"].words == "about 60 s"
    assert told["import_products"] is None and told["analyse"] is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 s"), (44, "about 40 s"), (170, "about 3 min"), (7200, "about 2.0 h")],
)
def test_an_estimate_is_rounded_like_one(seconds: float, words: str) -> None:
    assert Estimate(1, 1, seconds).words == words


async def test_an_import_of_orders_is_counted_before_it_reads(sqlite_database: Database, tmp_path: Path) -> None:
    bench = make_bench(sqlite_database, tmp_path)
    simulated = SimulatedShop.generate(version="8.2.1", products=5, orders=60, seed=4)
    shop = bench.add_shop(simulated)
    whole = await preview_orders(bench.core, shop.code, days=365)
    assert whole is not None and (whole.orders, whole.estimate) == (60, None)
    assert whole.words == f"At most 60 orders, {whole.first} to {whole.last}."
    _cost(sqlite_database, shop.id, orders=20.0, order_details=20.0, customers=20.0, addresses=20.0)
    some = await preview_orders(bench.core, shop.code, from_id=whole.last - 9)
    assert some is not None and some.orders == 10
    assert some.words.endswith("; about 2 min (estimate).")
    none = await preview_orders(bench.core, shop.code, from_id=whole.last + 1)
    assert none is not None and none.words == "No order lies ahead."
    assert not simulated.writes
    simulated.faults.set("http500", 1)
    assert await preview_orders(bench.core, shop.code, days=5) is None, "the import says what is wrong"


async def test_a_long_reading_knows_about_how_much_lies_ahead(sqlite_database: Database, tmp_path: Path) -> None:
    from prestaconsole.operations.ahead import Ahead

    bench = make_bench(sqlite_database, tmp_path)
    shop = bench.add_shop(SimulatedShop.generate(version="8.2.1", products=40, orders=2, seed=4))
    async with bench.core.client(shop, bench.core.database.read_now(lambda c: bench.core.key(c, shop))) as client:
        page = await client.page(Query("products", ("id",), sort="id", limit=10))
        rows = (await client.page(Query("stock_availables", ("id",), sort="-id", limit=1))).last_id
        ahead = Ahead(client, ("products", "stock_availables"), full=10)
        assert await ahead.total("products", page, 10) == 40 + rows
        assert await Ahead(client, ("products",), full=11).total("products", page, 10) is None, "one page needs none"


def _running(database: Database, shop: int, **values: Any) -> int:
    run: Mapping[str, Any] = {
        "shop_id": shop, "feed": "stock_check", "serial_key": "1:stock_check", "state": "running", "actor": "x",
        "due": START, "created_at": START, "started_at": START, "progress_at": START + timedelta(seconds=50),
        "done": 500, "total": 2000, "counts": {}, "phase": "reading", **values,
    }  # fmt: skip
    made = database.write_now(lambda c: c.execute(insert(FeedRun).values(**run)).inserted_primary_key)
    assert made is not None
    return int(made[0])


def test_a_run_at_work_tells_rate_and_end(sqlite_database: Database, tmp_path: Path) -> None:
    core, shop = make_core(sqlite_database, tmp_path), add_shop(sqlite_database).id
    _running(sqlite_database, shop)
    _running(sqlite_database, shop, state="done", ended_at=START)
    ended, found = runs.list_runs(core)
    assert (found.rate, found.ends_at) == (10.0, START + timedelta(seconds=200))
    assert (ended.rate, ended.ends_at) == (None, None)


def test_pages_that_take_longer_than_half_a_minute_tell_an_end_after_three() -> None:
    pace = Pace()
    for number in range(4):
        pace.note(START + timedelta(seconds=45 * number), 90 * number)
    assert pace.rate() == 2.0
    assert pace.ends(270, 470, START) == START + timedelta(seconds=100)


def test_a_waiting_command_tells_progress_off_a_terminal_too(
    sqlite_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    core, shop = make_core(sqlite_database, tmp_path), add_shop(sqlite_database).id
    run = runs.show_run(core, _running(sqlite_database, shop))
    moments = iter([0.0, 0.0, 1.0, 2.0, 40.0, 40.0])
    lines = RunLines(lambda: next(moments))
    for _ in range(4):
        lines(runs.Progress(run, ()))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2, said
    assert "500 of 2000, 10.0/s, ends about " in said[0]


def test_the_json_of_a_feed_list_marks_the_estimate(sqlite_database: Database, tmp_path: Path) -> None:
    from prestaconsole.cli.output import plain

    core, shop = make_core(sqlite_database, tmp_path), add_shop(sqlite_database).id
    _listings(sqlite_database, shop, 2, 0)
    _cost(sqlite_database, shop, stock_availables=2.0)
    rows = json.loads(json.dumps(plain(list_feeds(core, "wolle"))))
    (line,) = [row for row in rows if row["feed"] == "stock_check"]
    assert line["estimate"] == {"rows": 2, "requests": 1, "seconds": 2.0}
