"""Orders come in once, each with a verdict: start, rules, watching, events, odd answers, and few requests."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, update

from prestaconsole.model import HoldState, Incident, Listing, Order, OrderLine, OrderStateRule, Shop, StockHold
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench

AWAITING, PAID, PREPARING, SHIPPED, CANCELED = 1, 2, 3, 4, 6


async def _ready(bench: Bench, simulated: SimulatedShop, **settings: str) -> ShopRecord:
    shop = bench.add_shop(simulated, **{"orders_start": "id:1", **settings})
    await bench.run_all(shop, "analyse", "import_products")
    return shop


def _order(bench: Bench, id_order: int) -> Any:
    return bench.rows(Order, Order.id_order == id_order)[0]


def _pair(bench: Bench, number: int = 0) -> tuple[int, int]:
    row = bench.rows(Listing, Listing.has_combinations.is_(False))[number]
    return row["id_product"], row["id_product_attribute"]


async def test_each_order_stands_once_however_often_it_is_read(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _ready(bench, simulated)
    for _ in range(3):
        await bench.run_all(shop, "import_orders")
    orders = bench.rows(Order)
    assert sorted(order["id_order"] for order in orders) == sorted(simulated.table("orders").ids())
    again = await bench.run(shop, "import_orders")
    assert "new" not in again.counts


async def test_a_hundred_new_orders_take_at_most_eight_requests(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _ready(bench, simulated)
    await bench.run_all(shop, "import_orders")
    for _ in range(100):
        simulated.place_order([(*_pair(bench), 1), (*_pair(bench, 3), 1)], state=PAID)
    simulated.journal.clear()
    ended = await bench.run(shop, "import_orders")
    assert ended.counts["new"] == 100
    assert len(simulated.journal) <= 8, [entry.path for entry in simulated.journal]
    simulated.journal.clear()
    await bench.run_all(shop, "import_orders")
    assert len(simulated.journal) <= 2, "a quiet poll"


async def test_a_hundred_orders_of_a_new_shop_take_at_most_eight_requests(bench: Bench) -> None:
    simulated = SimulatedShop.generate(version="8.2.1", products=20, orders=100, seed=5)
    shop = await _ready(bench, simulated)
    simulated.journal.clear()
    await bench.run_all(shop, "import_orders")
    assert len(bench.rows(Order)) == 100
    assert len(simulated.journal) <= 8, [entry.path for entry in simulated.journal]


async def test_from_an_id_on_older_shipped_orders_are_never_fetched_and_open_ones_only_held(
    bench: Bench, simulated: SimulatedShop
) -> None:
    pair = _first_pair(simulated)
    shipped = simulated.place_order([(*pair, 1)], state=SHIPPED)
    still_open = simulated.place_order([(*pair, 2)], state=PAID)
    start = simulated.place_order([(*pair, 1)], state=PAID)
    shop = await _ready(bench, simulated, orders_start=f"id:{start}")
    simulated.journal.clear()
    await bench.run_all(shop, "import_orders")
    stored = {order["id_order"]: order for order in bench.rows(Order)}
    assert shipped not in stored
    assert all(str(shipped) not in _details_asked(entry) for entry in simulated.journal)
    assert (stored[still_open]["verdict"], stored[start]["verdict"]) == ("skip", "import")
    assert "Older than the start" in stored[still_open]["reason"]
    held = bench.rows(StockHold, StockHold.order_id == stored[still_open]["id"])
    assert [(hold["quantity"], hold["state"]) for hold in held] == [(2, HoldState.OPEN)]


def _first_pair(simulated: SimulatedShop) -> tuple[int, int]:
    combinations = simulated.table("combinations")
    with_combinations = {int(simulated.row("combinations", n)["id_product"]) for n in combinations.ids()}
    return next((n, 0) for n in simulated.table("products").ids() if n not in with_combinations)


def _details_asked(entry: Any) -> list[str]:
    return entry.query.split("%5B")[-1].replace("%5D", "").split("%7C") if "order_details" in entry.path else []


async def test_days_back_counts_in_the_shops_zone_and_now_imports_only_what_comes(
    bench: Bench, simulated: SimulatedShop
) -> None:
    pair = _first_pair(simulated)
    old = simulated.place_order([(*pair, 1)], state=SHIPPED, when="2020-01-01 12:00:00")
    recent = simulated.place_order([(*pair, 1)], state=SHIPPED)
    shop = await _ready(bench, simulated, orders_start="days:1")
    await bench.run_all(shop, "import_orders")
    stored = {order["id_order"] for order in bench.rows(Order)}
    assert recent in stored
    assert old not in stored or simulated.row("orders", old)["date_add"] > "2021"
    other = SimulatedShop.generate(version="8.2.1", products=4, orders=6, seed=9)
    later = bench.add_shop(other, "later", orders_start="now")
    await bench.run_all(later, "analyse", "import_products", "import_orders")
    assert all(order["verdict"] == "skip" for order in bench.rows(Order, Order.shop_id == later.id))
    fresh = other.place_order([(*_first_pair(other), 1)], state=PAID)
    await bench.run_all(later, "import_orders")
    found = bench.rows(Order, Order.shop_id == later.id, Order.id_order == fresh)
    assert found[0]["verdict"] == "import"


async def test_a_pending_order_is_imported_once_it_is_paid_and_a_cancelled_one_is_not_asked_again(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = await _ready(bench, simulated)
    pending = simulated.place_order([(*_pair(bench), 1)], state=AWAITING)
    canceled = simulated.place_order([(*_pair(bench), 1)], state=CANCELED)
    await bench.run_all(shop, "import_orders")
    assert (_order(bench, pending)["verdict"], _order(bench, pending)["watched"]) == ("skip", True)
    assert (_order(bench, canceled)["verdict"], _order(bench, canceled)["watched"]) == ("skip", False)
    simulated.set_order_state(pending, PAID)
    simulated.journal.clear()
    await bench.run_all(shop, "retry_orders")
    assert _order(bench, pending)["verdict"] == "import"
    assert all(str(canceled) not in entry.query for entry in simulated.journal if entry.path.endswith("orders"))


async def test_a_watched_order_is_given_up_after_its_days_and_says_so(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _ready(bench, simulated)
    pending = simulated.place_order([(*_pair(bench), 1)], state=AWAITING)
    await bench.run_all(shop, "import_orders")
    long_ago = bench.core.clock.now() - timedelta(days=31)
    change = update(Order).where(Order.id_order == pending).values(first_seen_at=long_ago)
    bench.core.database.write_now(lambda c: c.execute(change))
    await bench.run_all(shop, "retry_orders")
    order = _order(bench, pending)
    assert (order["watched"], order["verdict"]) == (False, "skip")
    assert "Given up after 30 days" in order["reason"]


async def test_an_order_that_appears_in_steps_is_watched_until_it_is_whole(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = await _ready(bench, simulated)
    await bench.run_all(shop, "import_orders")
    id_order = simulated.place_order([(*_pair(bench), 3)], state=PAID, steps=True)
    await bench.run_all(shop, "import_orders")
    assert _order(bench, id_order)["verdict"] == "incomplete"
    while simulated.next_step(id_order):
        await bench.run_all(shop, "import_orders")
    await bench.run_all(shop, "import_orders")
    order = _order(bench, id_order)
    assert (order["verdict"], order["id_order_state"]) == ("import", PAID)
    held = bench.rows(StockHold, StockHold.order_id == order["id"])
    assert [(hold["quantity"], hold["state"]) for hold in held] == [(3, HoldState.OPEN)]


async def test_a_state_that_the_shop_invents_holds_its_orders_and_opens_one_incident(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = await _ready(bench, simulated)
    await bench.run_all(shop, "import_orders")
    state = dict(simulated.row("order_states", PAID))
    invented = simulated.table("order_states").insert({**state, "id": "77", "name": {"1": "Abholung", "2": "Retrait"}})
    number = invented if isinstance(invented, int) else 77
    orders = [simulated.place_order([(*_pair(bench), 1)], state=number) for _ in range(3)]
    await bench.run_all(shop, "import_orders")
    assert {_order(bench, id_order)["verdict"] for id_order in orders} == {"hold"}
    incidents = bench.rows(Incident, Incident.closed_at.is_(None))
    assert [(incident["cause_key"], incident["count"]) for incident in incidents] == [(f"order state:{number}", 3)]
    assert "mapping set" in incidents[0]["remedy"]
    _set_rule(bench, shop, number, "import")
    await bench.run_all(shop, "retry_orders")
    assert {_order(bench, id_order)["verdict"] for id_order in orders} == {"import"}
    assert not bench.rows(Incident, Incident.closed_at.is_(None))


def _set_rule(bench: Bench, shop: ShopRecord, state: int, action: str) -> None:
    values = {"shop_id": shop.id, "id_order_state": state, "action": action, "retry": False, "retry_days": 30}
    now = bench.core.clock.now()

    def store(connection: Any) -> None:
        where = (OrderStateRule.shop_id == shop.id, OrderStateRule.id_order_state == state)
        connection.execute(delete(OrderStateRule).where(*where))
        row = OrderStateRule(**values, suggested=False, updated_at=now, updated_by="tester")
        columns = {column.name: getattr(row, column.name) for column in OrderStateRule.__table__.columns}
        connection.execute(OrderStateRule.__table__.insert().values(**columns))

    bench.core.database.write_now(store)


async def test_a_line_without_a_known_sku_never_stops_its_order(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _ready(bench, simulated)
    id_order = simulated.place_order([(*_pair(bench), 1)], state=PAID)
    details = simulated.table("order_details")
    line = details.find("id_order", id_order)[0]
    line_id = int(line["id"]) if isinstance(line, dict) else int(line)
    details.update(line_id, {"product_reference": "", "product_id": "99999", "product_attribute_id": "0"})
    await bench.run_all(shop, "import_orders")
    order = _order(bench, id_order)
    assert order["verdict"] == "import"
    assert [(row["sku"], row["id_product"]) for row in bench.rows(OrderLine, OrderLine.order_id == order["id"])] == [
        ("", 99999)
    ]
    assert bench.rows(StockHold, StockHold.order_id == order["id"])[0]["product_id"] is None


async def test_another_reference_under_a_known_id_stops_the_shop(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _ready(bench, simulated)
    await bench.run_all(shop, "import_orders")
    newest = max(simulated.table("orders").ids())
    before = _order(bench, newest)
    simulated.table("orders").update(newest, {"reference": "OTHERSHOP"})
    ended = await bench.run(shop, "import_orders")
    assert ended.state == "failed"
    assert "restored, cloned or moved" in ended.remedy
    assert _order(bench, newest) == before
    paused = bench.rows(Shop)[0]
    assert (paused["paused_at"] is not None, paused["pause_reason"]) == (True, "identity changed")
    assert [incident["severity"] for incident in bench.rows(Incident, Incident.cause_key == "identity changed")] == [
        "STOP"
    ]


async def test_a_shop_whose_newest_order_is_older_than_ours_is_stopped(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _ready(bench, simulated)
    for _ in range(60):
        simulated.place_order([(*_pair(bench), 1)], state=PAID)
    await bench.run_all(shop, "import_orders")
    kept = sorted(simulated.table("orders").ids())
    for number in kept[5:]:
        simulated.table("orders").remove(number)
    ended = await bench.run(shop, "import_orders")
    assert ended.state == "failed"
    assert len(bench.rows(Order)) == len(kept), "nothing is lost"


async def test_a_damaged_order_is_seen_watched_and_read_again(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _ready(bench, simulated)
    good = simulated.place_order([(*_pair(bench), 1)], state=PAID)
    bad = simulated.place_order([(*_pair(bench), 1)], state=PAID)
    simulated.table("orders").update(bad, {"gift_message": "odd \x0b text"})
    await bench.run_all(shop, "import_orders")
    assert _order(bench, good)["verdict"] == "import"
    simulated.table("orders").update(bad, {"gift_message": "plain text"})
    await bench.run_all(shop, "import_orders")
    assert _order(bench, bad)["verdict"] == "import"


async def test_one_order_is_read_on_demand_whatever_the_start_is(bench: Bench, simulated: SimulatedShop) -> None:
    pair = _first_pair(simulated)
    old = simulated.place_order([(*pair, 1)], state=PAID)
    simulated.place_order([(*pair, 1)], state=PAID)
    shop = await _ready(bench, simulated, orders_start="now")
    await bench.run_all(shop, "import_orders")
    assert _order(bench, old)["verdict"] == "skip"
    await bench.run(shop, "import_orders", ids=[old])
    assert _order(bench, old)["verdict"] == "import"


async def test_an_order_edited_in_the_back_office_holds_what_it_now_has(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _ready(bench, simulated)
    id_order = simulated.place_order([(*_pair(bench), 1), (*_pair(bench, 3), 2)], state=PAID)
    await bench.run_all(shop, "import_orders")
    details = simulated.table("order_details")
    found = [int(line["id"]) if isinstance(line, dict) else int(line) for line in details.find("id_order", id_order)]
    details.remove(found[0])
    simulated.table("orders").update(id_order, {"date_upd": "2030-01-01 00:00:00"})
    await bench.run_all(shop, "import_orders")
    order = _order(bench, id_order)
    assert [row["id_order_detail"] for row in bench.rows(OrderLine, OrderLine.order_id == order["id"])] == found[1:]
    held = bench.rows(StockHold, StockHold.order_id == order["id"])
    assert [(hold["quantity"], hold["state"]) for hold in held] == [(2, HoldState.OPEN)]


async def test_a_poll_that_is_cut_goes_on_and_stores_nothing_twice(bench: Bench, simulated: SimulatedShop) -> None:
    shop = await _ready(bench, simulated)
    for _ in range(30):
        simulated.place_order([(*_pair(bench), 1)], state=PAID)
    simulated.faults.next("reset", 3, after=2)
    bench.patience = 2
    await bench.run(shop, "import_orders")
    bench.patience = 20
    simulated.faults.clear()
    await bench.run_all(shop, "import_orders")
    orders = bench.rows(Order)
    assert sorted(order["id_order"] for order in orders) == sorted(simulated.table("orders").ids())
    assert len(bench.rows(StockHold)) == len({hold["order_line_id"] for hold in bench.rows(StockHold)})
