"""A record that comes damaged three times is parked: told once, left aside, back by itself when it is whole."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prestaconsole.database import Database
from prestaconsole.model import Incident, Listing, Order, ParkedRecord
from prestaconsole.sandbox import SimulatedShop
from prestaconsole.services.incidents import retry_incident
from tests.support.bench import Bench, make_bench

ODD = "a ]]> b"
"""Breaks the shop's XML; without the list in JSON there is no way round it."""


class WithoutJson:
    """The simulated shop's application, whose host answers no JSON."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if b"JSON" not in scope.get("query_string", b""):
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b""})


def without_json(bench: Bench) -> None:
    """What breaks the shop's XML cannot be repaired any more."""
    for url, shop in bench.simulated.items():
        bench.simulated[url] = SimpleNamespace(app=WithoutJson(shop.app))  # type: ignore[assignment]  # stands in


@pytest.fixture
def bench(sqlite_database: Database, tmp_path: Path) -> Bench:
    made = make_bench(sqlite_database, tmp_path)
    made.add_warehouse("W1")
    return made


def incidents(bench: Bench) -> list[Any]:
    return [(row["cause_key"], row["closed_by"]) for row in bench.rows(Incident)]


@pytest.mark.slow
async def test_a_damaged_order_is_parked_at_the_third_poll_and_asked_for_no_more(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = bench.add_shop(simulated, orders_start="id:1")
    without_json(bench)
    bad = max(simulated.table("orders").ids())
    simulated.table("orders").update(bad, {"gift_message": ODD})
    await bench.run_all(shop, "analyse", "import_products", "import_orders", "import_orders")
    assert [row["failures"] for row in bench.rows(ParkedRecord)] == [2] and incidents(bench) == []
    await bench.run_all(shop, "import_orders")
    assert incidents(bench) == [("parked:order", "")]
    title = bench.rows(Incident)[0]["title"]
    assert title == f"1 order parked after failing 3 times in the same way: order {bad}"
    ended = await bench.run(shop, "import_orders")
    assert "failed" not in ended.counts, "what is parked is told already"
    number = simulated.add_product(name="Cup", reference="CUP", price="10.000000", quantity=500)
    for _ in range(60):
        simulated.place_order([(number, 0, 1)], state=2)
    await bench.run_all(shop, "import_orders", "import_orders")
    simulated.journal.clear()
    await bench.run_all(shop, "import_orders", "retry_orders")
    assert not [one for one in simulated.journal if f"[{bad}]" in one.path], "it is out of sight of every poll"
    simulated.table("orders").update(bad, {"gift_message": "plain"})
    retry_incident(bench.core, bench.rows(Incident)[0]["id"], actor="Zofia")
    assert incidents(bench) == [("parked:order", "Zofia")]
    await bench.run(shop, "import_orders", ids=[bad])
    assert bench.rows(Order, Order.id_order == bad)[0]["verdict"] != "incomplete"
    assert bench.rows(ParkedRecord) == []


async def test_one_bad_product_does_not_keep_others_from_being_gone_for_ever(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = bench.add_shop(simulated)
    without_json(bench)
    await bench.run_all(shop, "analyse", "import_products")
    products = simulated.table("products")
    bad, deleted = products.ids()[:2]
    products.update(bad, {"reference": ODD})
    products.remove(deleted)

    def gone(number: int) -> bool:
        return any(row["gone_at"] is not None for row in bench.rows(Listing, Listing.id_product == number))

    for _ in range(3):
        await bench.run_all(shop, "import_products")
        assert not gone(deleted) and not gone(bad)
    assert incidents(bench) == [("parked:product", "")]
    ended = await bench.run(shop, "import_products")
    assert gone(deleted) and not gone(bad) and "failed" not in ended.counts
    products.update(bad, {"reference": "WHOLE"})
    await bench.run_all(shop, "import_products")
    assert incidents(bench) == [("parked:product", "cured")] and bench.rows(ParkedRecord) == []
