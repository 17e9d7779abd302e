"""Before the first write of a day the shop is compared with the one we know."""

import pytest
from sqlalchemy import update

from prestaconsole.errors import LockedError
from prestaconsole.model import AuditEvent, Incident, Shop, ShopMode
from tests.changes.live import LiveShop


def forget_check(live: LiveShop) -> None:
    live.database.write_now(lambda c: c.execute(update(Shop).values(identity_checked_at=None)))


async def test_the_same_shop_is_asked_once_a_day(live: LiveShop) -> None:
    forget_check(live)
    live.more(0, 5)
    await live.export()
    checked = live.bench.rows(Shop)[0]["identity_checked_at"]
    assert checked is not None
    live.sim.journal.clear()
    live.more(0, 5)
    await live.export()
    assert live.bench.rows(Shop)[0]["identity_checked_at"] == checked
    assert not [one for one in live.sim.journal if one.path.rstrip("/").endswith("/api")]


async def test_another_shop_behind_the_address_is_stopped_before_any_write(live: LiveShop) -> None:
    forget_check(live)
    live.more(0, 5)
    first = min(live.sim.table("orders").ids())
    live.sim.table("orders").update(first, {"reference": "ANOTHER11"})
    with pytest.raises(LockedError, match="is not the shop we know"):
        await live.export()
    assert live.wire.puts == []
    shop = live.bench.rows(Shop)[0]
    assert (shop["pause_reason"], shop["paused_until"]) == ("identity changed", None)
    assert live.bench.rows(Incident)[0]["severity"] == "STOP"


async def test_a_shop_that_went_back_in_time_is_stopped(live: LiveShop) -> None:
    live.sell(0, 1)()
    await live.bench.run(live.shop, "import_orders")
    newest = max(live.sim.table("orders").ids())
    live.sim.table("orders").remove(newest)
    forget_check(live)
    live.more(0, 5)
    with pytest.raises(LockedError, match="its newest order is"):
        await live.export()
    assert live.wire.puts == []


async def test_a_changed_version_moves_the_shop_to_rehearsal(live: LiveShop) -> None:
    forget_check(live)
    live.more(0, 5)
    live.database.write_now(lambda c: c.execute(update(Shop).values(version="8.1.0")))
    with pytest.raises(LockedError, match=r"version is 8\.2\.1 now, it was 8\.1\.0"):
        await live.export()
    assert live.wire.puts == []
    assert live.bench.rows(Shop)[0]["mode"] == ShopMode.REHEARSAL
    assert live.bench.rows(Incident)[0]["cause_key"] == "moved to rehearsal"
    assert live.bench.rows(AuditEvent)[-1]["after"] == {"mode": "rehearsal"}


async def test_a_lost_right_moves_the_shop_to_rehearsal_at_the_day_s_check(live: LiveShop) -> None:
    forget_check(live)
    live.more(0, 5)
    take_put_away(live)
    with pytest.raises(LockedError, match="PUT on stock_availables"):
        await live.export()
    assert live.wire.puts == []
    assert live.bench.rows(Shop)[0]["mode"] == ShopMode.REHEARSAL


async def test_a_right_lost_in_the_middle_of_the_day_is_noticed_by_the_write(live: LiveShop) -> None:
    live.more(0, 5)
    take_put_away(live)
    with pytest.raises(LockedError, match="rehearsal now and nothing was sent"):
        await live.export()
    assert "sent" not in live.states()
    assert live.bench.rows(Shop)[0]["mode"] == ShopMode.REHEARSAL
    assert [row["cause_key"] for row in live.bench.rows(Incident)] == ["moved to rehearsal"]


def take_put_away(live: LiveShop) -> None:
    for text in list(live.sim.keys):
        live.sim.add_key(text, permissions={name: ["GET", "HEAD"] for name in RESOURCES})


RESOURCES = (
    *("stock_availables", "orders", "order_histories", "order_details", "customers", "addresses", "shops"),
    *("products", "combinations", "order_states", "carriers", "currencies", "configurations", "languages"),
)
