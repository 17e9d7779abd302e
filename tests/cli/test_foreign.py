"""`prestaconsole foreign` and the repair of a stock check, as a person types them."""

from prestaconsole.model import ShopMode
from prestaconsole.sandbox import SimulatedShop
from tests.cli.conftest import Program
from tests.cli.test_changesets import put, simple_products


def test_a_repair_sends_our_figures_where_the_shop_differs(live: Program, simulated: SimulatedShop) -> None:
    numbers = simple_products(live)[:3]
    before = [simulated.quantity(number) for number in numbers]
    for number, quantity in zip(numbers, before, strict=True):
        simulated.set_quantity(number, 0, quantity + 3)
    report = live.json("feed", "run", "wolle", "stock_check", "--wait")
    assert report["counts"]["drift"] == 3
    assert simulated.writes == 0
    ended = live.json("feed", "run", "wolle", "stock_check", "--repair", "--wait")
    assert (ended["check"]["counts"]["drift"], ended["push"]["state"]) == (3, "done")
    assert [simulated.quantity(number) for number in numbers] == before
    assert live.json("feed", "run", "wolle", "stock_check", "--wait")["counts"]["drift"] == 0
    again = live.json("feed", "run", "wolle", "stock_check", "--repair", "--wait")
    assert again["push"] is None


def test_a_repair_is_refused_where_nothing_is_sent(live: Program, simulated: SimulatedShop) -> None:
    live("shop", "mode", "wolle", ShopMode.REHEARSAL)
    number = simple_products(live)[0]
    simulated.set_quantity(number, 0, 991)
    refused = live("feed", "run", "wolle", "stock_check", "--repair", "--wait", code=3)
    assert "nothing is repaired there" in refused.err
    assert "Only stock_check repairs" in live("feed", "run", "wolle", "import_orders", "--repair", code=2).err
    assert simulated.writes == 0


def test_a_foreign_figure_is_listed_and_decided(live: Program, simulated: SimulatedShop) -> None:
    number = simple_products(live)[0]
    simulated.set_quantity(number, 0, simulated.quantity(number) + 90)
    live("feed", "run", "wolle", "stock_check", "--wait")
    (row,) = live.json("foreign", "list", "--shop", "wolle")
    assert (row["sku"], row["shows"], row["state"]) == (f"SKU-{number:04}", simulated.quantity(number), "open")
    assert row["sku"] in live("foreign", "list").out
    live("foreign", "adopt", row["id"], code=2)
    adopted = live.json("foreign", "adopt", row["id"], "--reason", "counted in the shop")
    assert (adopted["state"], adopted["decided_by"]) == ("adopt", "zofia")
    assert live.json("foreign", "list") == []
    assert live.json("foreign", "list", "--all")[0]["state"] == "adopt"
    assert "is decided" in live("foreign", "keep", row["id"], "--reason", "x", code=2).err
    assert live.json("stock", "explain", row["sku"], "--shop", "wolle")["agrees"] is True
    put(live, (number, 3))
    live("feed", "run", "wolle", "export_stock", "--wait")
    assert simulated.quantity(number) == 3
