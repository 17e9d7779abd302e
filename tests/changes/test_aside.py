"""A stock row that the shop refuses three times in the same way is left out of plans until somebody frees it."""

from prestaconsole.model import Change, Incident, ParkedRecord
from prestaconsole.operations import parking
from tests.changes.live import LiveShop


def incidents(live: LiveShop) -> dict[str, str]:
    return {row["cause_key"]: row["closed_by"] for row in live.bench.rows(Incident)}


async def test_a_row_that_is_refused_three_times_is_parked_and_planned_no_more(live: LiveShop) -> None:
    row = live.listings[4]
    live.sim.table("stock_availables").update(row["id_stock_available"], {"out_of_stock": "abc"})
    for turn in range(3):
        live.more(4, 5 + turn)
        await live.export()
    assert [one["failures"] for one in live.bench.rows(ParkedRecord)] == [3]
    assert set(incidents(live)) == {"stock not taken", "parked:listing"}
    before, puts = len(live.bench.rows(Change)), len(live.wire.puts)
    live.more(4, 9)
    live.more(5, 2)
    await live.export()
    assert len(live.bench.rows(Change)) == before + 1, "the other one alone"
    assert len(live.wire.puts) == puts + 1
    live.sim.table("stock_availables").update(row["id_stock_available"], {"out_of_stock": "2"})
    shop_id = live.shop.id
    at = live.bench.core.clock.now()
    live.bench.core.database.write_now(lambda c: parking.release(c, shop_id, "listing", by="Zofia", at=at))
    await live.export()
    assert live.bench.rows(ParkedRecord) == []
    assert incidents(live) == {"stock not taken": "cured", "parked:listing": "Zofia"}
