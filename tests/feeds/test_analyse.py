"""What the analysis keeps of a shop, and what it says has changed since the last one."""

from sqlalchemy import select

from prestaconsole.model import Shop, ShopFinding
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench


def changed(bench: Bench) -> list[str]:
    rows = bench.rows(ShopFinding, (ShopFinding.source == "analyse") & (ShopFinding.name == "changed"))
    return [row["text"] for row in rows]


async def test_what_the_shop_can_do_is_stored(bench: Bench, simulated: SimulatedShop) -> None:
    shop = bench.add_shop(simulated)
    await bench.run_all(shop, "analyse")
    known = bench.core.database.read_now(lambda c: c.execute(select(Shop.capabilities)).scalar_one())
    assert known["version"] == simulated.version.number
    assert "location" in known["fields"]["stock_availables"]
    assert "quantity" in known["strip"]["products"]
    assert "stock_availables" in known["patch_resources"]
    assert known["single_display"] is True
    assert known["timezone"] == "Europe/Paris"
    assert known["languages"]
    assert known["cost"]["orders"] >= 0
    assert changed(bench) == []
    assert {exchange.method for exchange in simulated.journal} == {"GET"}


async def test_the_next_analysis_says_what_changed_and_the_one_after_is_silent(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = bench.add_shop(simulated)
    await bench.run_all(shop, "analyse")
    settings = simulated.table("configurations")
    settings.update(settings.find("name", "PS_TIMEZONE")[0], {"value": "America/St_Johns"})
    simulated.table("languages").insert({"name": "Suomi", "iso_code": "fi", "active": "1"})
    await bench.run_all(shop, "analyse")
    (text,) = changed(bench)
    assert "The time zone is America/St_Johns now, it was Europe/Paris." in text
    assert "Language new: fi." in text
    await bench.run_all(shop, "analyse")
    assert changed(bench) == []
