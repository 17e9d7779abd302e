"""Doctor and connection test over a simulated shop: missing and surplus rights of the enabled feeds, the breaker."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from prestaconsole.clock import SystemClock
from prestaconsole.database import Database
from prestaconsole.model import FeedSchedule, Shop, ShopPace
from prestaconsole.operations.core import Core
from prestaconsole.operations.secrets import store_key
from prestaconsole.redaction import Secret
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from prestaconsole.services import connections, doctor
from tests.support.runs import START, add_shop, feed, make_core

KEY = "RIGHTSRIGHTSRIGHTSRIGHTSRIGHTS12"
RIGHTS = {"suppliers": frozenset({"GET", "PUT"})}


@pytest.fixture
def core(sqlite_database: Database, tmp_path: Path) -> Core:
    return make_core(sqlite_database, tmp_path)


@pytest.mark.parametrize("version", ["8", "1.5"])
async def test_missing_and_surplus_follow_what_is_switched_on(core: Core, version: str) -> None:
    shop = SimulatedShop.generate(version=version, products=3, orders=2, seed=3)
    shop.add_key(KEY, permissions={name: ["GET"] for name in shop.resources} | {"stock_availables": ["GET", "PUT"]})
    database = core.database
    with SandboxServer(shop) as server:
        record = add_shop(database, base_url=server.url.rstrip("/"))
        database.write_now(lambda c: store_key(c, core.vault, record.id, Secret(KEY), START))
        with feed("suppliers", rights=RIGHTS):
            tested = await connections.test_connection(core, record.code, actor="zofia")
            assert tested.ok and tested.missing == ("PUT on suppliers",) and tested.surplus == ()
            assert "The key lacks PUT on suppliers, which suppliers needs." in tested.notes
            found = {one.name: one for one in (await doctor.examine(core, record.code, actor="zofia")).findings}
            assert found["Rights: PUT on suppliers"].verdict == found["Feed suppliers"].verdict == "FIX"
            assert found["Personal data"].verdict == "ok"
            for name in ("suppliers", "import_orders", "retry_orders", "stock_check"):
                row = {
                    "shop_id": record.id,
                    "feed": name,
                    "every": "",
                    "zone": "UTC",
                    "updated_at": START,
                    "updated_by": "x",
                }
                database.write_now(lambda c, row=row: c.execute(insert(FeedSchedule).values(**row, enabled=False)))
            found = {one.name: one for one in (await doctor.examine(core, record.code, actor="zofia")).findings}
            assert "Rights: PUT on suppliers" not in found and "Feed suppliers" not in found
            assert "suppliers" in found["Feeds that are off"].text
            assert (await connections.test_connection(core, record.code, actor="zofia")).missing == ()
    assert found["Version"].verdict == ("WARN" if version == "1.5" else "ok")
    assert ("unproven" in found["Version"].text) is (version == "1.5")


async def test_the_doctor_says_that_the_feeds_leave_the_shop_in_peace_and_asks_all_the_same(core: Core) -> None:
    shop, now = SimulatedShop.generate(version="8", products=3, orders=2, seed=3), SystemClock().now()
    shop.add_key(KEY, permissions={name: ["GET", "PUT", "DELETE"] for name in shop.resources})
    with SandboxServer(shop) as server:
        record = add_shop(core.database, base_url=server.url.rstrip("/"))
        core.database.write_now(lambda c: store_key(c, core.vault, record.id, Secret(KEY), START))
        row = {"shop_id": record.id, "failures": 4, "last_cause": "It broke down.", "updated_at": now, "cost": {}}
        until = now + timedelta(minutes=5)
        core.database.write_now(lambda c: c.execute(insert(ShopPace).values(**row, asks_again_at=until)))
        found = {one.name: one for one in (await doctor.examine(core, record.code, actor="zofia")).findings}
        assert found["Left in peace"].verdict == "WARN"
        assert found["Left in peace"].text.startswith(
            "The shop failed 4 times in a row (It broke down); asked again in"
        )
        assert found["Surplus rights"].verdict == "WARN" and "DELETE on" in found["Surplus rights"].text
        assert found["Orders"].verdict == "ok", "a person asks, so it was asked"
        core.database.write_now(lambda c: c.execute(update(ShopPace).values(asks_again_at=None, failures=0)))
        core.database.write_now(lambda c: c.execute(update(Shop).values(health="ok")))
        found = {one.name: one for one in (await doctor.examine(core, record.code, actor="zofia")).findings}
        assert found["Left in peace"].verdict == "ok"
