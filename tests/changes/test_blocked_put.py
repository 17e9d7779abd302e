"""A host that lets no PUT through: the stock arrives all the same."""

from tests.changes.live import LiveShop


async def test_stock_travels_as_post_where_the_host_blocks_put(live: LiveShop) -> None:
    live.sim.faults.set("block-put")
    live.more(0, 5)
    live.sim.journal.clear()
    await live.export()
    sent = [(one.method, "ps_method=PUT" in one.query) for one in live.sim.journal if one.method in ("PUT", "POST")]
    assert sent[:2] == [("PUT", False), ("POST", True)]
    assert ("PUT", False) not in sent[2:]
    assert live.sim.writes > 0
