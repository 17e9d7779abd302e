"""The formula over a real database: bulk, single and by hand agree, parts add up; kits; what marks listings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from prestaconsole.database import Connection, Database
from prestaconsole.errors import UsageError
from prestaconsole.model import (
    AuditEvent,
    KitPart,
    Listing,
    MovementKind,
    Product,
    ProductFormula,
    Shop,
    ShopSetting,
    StockHold,
    StockLevel,
    Warehouse,
)
from prestaconsole.operations.availability import ListingAvailability, availability
from prestaconsole.operations.holds import _book_sales, _Sold
from prestaconsole.operations.kits import kits_around, touched_by
from prestaconsole.operations.shops import load_shop
from prestaconsole.operations.stock_ledger import Movement, move
from prestaconsole.services import explain, shops, stock, stock_rules, warehouses
from tests.support.runs import add_shop, make_core

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PRODUCTS = 5
KITS = 2

numbers = st.none() | st.integers(-5, 40)
worlds = st.fixed_dictionaries(
    {
        "levels": st.lists(st.tuples(numbers, numbers), min_size=PRODUCTS, max_size=PRODUCTS),
        "holds": st.lists(st.tuples(st.integers(1, PRODUCTS + KITS), st.integers(1, 2), st.integers(1, 9)), max_size=8),
        "kits": st.lists(
            st.dictionaries(st.integers(1, PRODUCTS), st.integers(1, 4), min_size=1, max_size=3),
            min_size=KITS,
            max_size=KITS,
        ),
        "nested": st.booleans(),
        "exceptions": st.dictionaries(
            st.integers(1, PRODUCTS + KITS), st.tuples(*[st.none() | st.integers(0, 12)] * 3), max_size=3
        ),
        "settings": st.fixed_dictionaries(
            {
                "stock.warehouses": st.sampled_from(["W1,W2", "W2,W1", "W1"]),
                "stock.mode": st.sampled_from(["sum", "rank", "share"]),
                "stock.lag": st.sampled_from(["", "W2:2"]),
                "stock.buffer": st.sampled_from(["0", "3"]),
                "stock.threshold": st.sampled_from(["0", "4"]),
                "stock.cap": st.sampled_from(["", "20"]),
            }
        ),
        "stopped": st.sets(st.integers(1, PRODUCTS), max_size=1),
    }
)


class _Undone(Exception):
    pass


@contextmanager
def _rolled_back(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        finally:
            connection.rollback()


def _fill(c: Connection, world: Mapping[str, Any]) -> None:
    for number, code in ((1, "W1"), (2, "W2")):
        c.execute(insert(Warehouse).values(id=number, code=code, name="", created_at=NOW))
    for number in (1, 2):
        shop = {"id": number, "code": f"s{number}", "name": f"S{number}", "base_url": f"https://s{number}.example"}
        c.execute(insert(Shop).values(**shop, mode="live", created_at=NOW, updated_at=NOW))
    rows = [(1, name, text) for name, text in world["settings"].items()] + [(2, "stock.warehouses", "W2")]
    values = [{"shop_id": s, "name": n, "value": v, "updated_at": NOW, "updated_by": "t"} for s, n, v in rows]
    c.execute(insert(ShopSetting), values)
    ids = range(1, PRODUCTS + KITS + 1)
    stopped = world["stopped"]
    c.execute(
        insert(Product), [{"id": n, "sku": f"P{n}", "stop_selling": n in stopped, "created_at": NOW} for n in ids]
    )
    c.execute(insert(Listing), [{"id": n, "shop_id": 1, "id_product": n, "product_id": n, "seen_at": NOW} for n in ids])
    for product, pair in enumerate(world["levels"], start=1):
        for warehouse, there in enumerate(pair, start=1):
            if there is not None:
                level = {"product_id": product, "warehouse_id": warehouse, "physical": there, "updated_at": NOW}
                c.execute(insert(StockLevel).values(**level))
    for number, parts in enumerate(world["kits"], start=PRODUCTS + 1):
        for part, units in parts.items():
            c.execute(insert(KitPart).values(kit_id=number, part_id=part, units=units))
    if world["nested"]:
        c.execute(insert(KitPart).values(kit_id=PRODUCTS + 2, part_id=PRODUCTS + 1, units=2))
    for product, shop_id, units in world["holds"]:
        hold = {"shop_id": shop_id, "id_product": product, "id_product_attribute": 0, "product_id": product}
        c.execute(insert(StockHold).values(**hold, quantity=units, opened_at=NOW))
    for product, (buffer, threshold, cap) in world["exceptions"].items():
        own = {"buffer": buffer, "threshold": threshold, "cap": cap, "updated_at": NOW, "updated_by": "t"}
        c.execute(insert(ProductFormula).values(shop_id=1, product_id=product, **own))


def _by_hand(world: Mapping[str, Any]) -> dict[int, int | None]:
    """The formula once more, product by product and the plainest way."""
    chosen = world["settings"]
    codes = chosen["stock.warehouses"].split(",")
    lag = 2 if chosen["stock.lag"] else 0
    kits = {PRODUCTS + 1 + n: dict(parts) for n, parts in enumerate(world["kits"])}
    if world["nested"]:
        for part, units in kits[PRODUCTS + 1].items():
            kits[PRODUCTS + 2][part] = kits[PRODUCTS + 2].get(part, 0) + 2 * units
    sharing = {1, 2} if "W2" in codes else {1}
    free: dict[int, int | None] = {}
    for product, pair in enumerate(world["levels"], start=1):
        held = sum(units for p, shop, units in world["holds"] if p == product and shop in sharing)
        for kit, parts in kits.items():
            in_kits = sum(units for p, shop, units in world["holds"] if p == kit and shop in sharing)
            held += in_kits * parts.get(product, 0)
        there = [pair[int(code[1]) - 1] for code in codes]
        if all(number is None for number in there):
            free[product] = None
            continue
        owed = -sum(min(number or 0, 0) for number in there)
        counted = 0
        for code, number in zip(codes, there, strict=True):
            offered = max((number or 0) - (lag if code == "W2" else 0), 0)
            if chosen["stock.mode"] == "rank" and counted > held + owed:
                break
            counted += offered
        free[product] = counted - held - owed
    for kit, parts in kits.items():
        made = [None if (f := free[part]) is None else f // units for part, units in parts.items()]
        free[kit] = None if None in made else min(number for number in made if number is not None)
    found: dict[int, int | None] = {}
    for product, left in free.items():
        if left is not None and left > 0:
            own = world["exceptions"].get(product, (None, None, None))
            buffer = int(chosen["stock.buffer"]) if own[0] is None else own[0]
            threshold = int(chosen["stock.threshold"]) if own[1] is None else own[1]
            cap = int(chosen["stock.cap"] or 10**9) if own[2] is None else own[2]
            left = max(left - buffer, 0)
            left = min(0 if left < threshold else left, cap)
            if world["stopped"] & {product, *kits.get(product, {})}:
                left = 0
        found[product] = left
    return found


def _numbers(found: Mapping[int, ListingAvailability]) -> dict[int, int | None]:
    return {listing: one.shown for listing, one in found.items()}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds)
def test_bulk_equals_single_equals_the_sum_by_hand_and_the_parts_add_up(
    sqlite_database: Database, world: Mapping[str, Any]
) -> None:
    with _rolled_back(sqlite_database) as c:
        _fill(c, world)
        shop = load_shop(c, 1)
        bulk = availability(c, shop)
        assert _numbers(bulk) == _by_hand(world)
        for listing, one in bulk.items():
            assert availability(c, shop, [listing])[listing] == one
            assert one.shown is None or sum(part.units for part in one.parts) == one.shown
        for one in explain.explain_listings(c, shop, [PRODUCTS, PRODUCTS + KITS]):
            assert one.should_show is None or sum(part.units for part in one.parts) == one.should_show


def test_kits_over_many_pages_on_both_databases(database: Database, tmp_path: Path) -> None:
    """More products than one statement takes, and a kit whose parts lie in another page."""
    ids = range(1, 902)
    shop = add_shop(database)

    def fill(c: Connection) -> None:
        c.execute(insert(Warehouse).values(id=1, code="W1", name="", created_at=NOW))
        setting = {"shop_id": shop.id, "name": "stock.warehouses", "value": "W1"}
        c.execute(insert(ShopSetting).values(**setting, updated_at=NOW, updated_by="t"))
        c.execute(insert(Product), [{"id": n, "sku": f"P{n}", "created_at": NOW} for n in ids])
        listings = [{"shop_id": shop.id, "id_product": n, "product_id": n, "seen_at": NOW} for n in ids]
        c.execute(insert(Listing), listings)
        rows = [{"product_id": n, "warehouse_id": 1, "physical": n, "updated_at": NOW} for n in ids if n > 1]
        c.execute(insert(StockLevel), rows)
        c.execute(insert(KitPart), [{"kit_id": 1, "part_id": n, "units": 2} for n in ids if n > 100])
        hold = {"shop_id": shop.id, "id_product": 1, "id_product_attribute": 0, "product_id": 1, "quantity": 3}
        c.execute(insert(StockHold).values(**hold, opened_at=NOW))

    database.write_now(fill)
    record = database.read_now(lambda c: load_shop(c, shop.id))
    found = database.read_now(lambda c: availability(c, record))
    by_product = {one.product_id: one.shown for one in found.values()}
    assert by_product[1] == (101 - 3 * 2) // 2
    assert by_product[50] == 50
    assert by_product[900] == 900 - 3 * 2


# -- kits ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 3)), max_size=9))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_no_kit_is_ever_made_of_itself(
    sqlite_database: Database, edges: list[tuple[int, int, int]]
) -> None:
    core = make_core(sqlite_database, Path("/nonexistent"))

    def wipe(c: Connection) -> None:
        for table in (KitPart, Product):
            c.execute(table.__table__.delete())  # type: ignore[attr-defined]  # a Table
        c.execute(insert(Product), [{"id": n, "sku": f"K{n}", "created_at": NOW} for n in range(1, 9)])

    sqlite_database.write_now(wipe)
    kits: dict[int, dict[str, int]] = {}
    for kit, part, units in edges:
        wanted = {**kits.get(kit, {}), f"K{part}": units}
        below, frontier = {part}, [part]
        while frontier:
            for name in kits.get(frontier.pop(), {}):
                number = int(name[1:])
                if number not in below:
                    below.add(number)
                    frontier.append(number)
        if kit in below:
            with pytest.raises(UsageError):
                stock_rules.set_kit(core, f"K{kit}", wanted, actor="zofia")
        else:
            stock_rules.set_kit(core, f"K{kit}", wanted, actor="zofia")
            kits[kit] = wanted
    found = sqlite_database.read_now(lambda c: kits_around(c, range(1, 9)))
    for kit in kits:
        assert kit not in found.leaves(kit)


@pytest.fixture
def world(sqlite_database: Database, tmp_path: Path) -> "World":
    return World(sqlite_database, tmp_path)


class World:
    """Two shops over W1 and W2, products A to D with ten units each in W1, all listed in both shops."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.core = make_core(database, folder)
        self.shops = {code: add_shop(database, code) for code in ("wolle", "garn")}
        for code in ("W1", "W2"):
            warehouses.add_warehouse(self.core, code, actor="zofia")
        for code in self.shops:
            shops.set_values(self.core, code, {"stock.warehouses": "W1"}, actor="zofia")
        self._numbers = count(1)
        for sku in "ABCD":
            self.add(sku)

    def add(self, sku: str) -> None:
        number = next(self._numbers)

        def work(c: Connection) -> None:
            c.execute(insert(Product).values(id=number, sku=sku, created_at=NOW))
            for shop in self.shops.values():
                listing = {"shop_id": shop.id, "id_product": number, "product_id": number, "sku": sku}
                c.execute(insert(Listing).values(**listing, seen_at=NOW))

        self.database.write_now(work)
        stock.set_stock(self.core, sku, 10, warehouse="W1", reason="count", actor="zofia")
        self.settle()

    def settle(self) -> None:
        """What was marked so far is planned."""
        self.database.write_now(lambda c: c.execute(update(Listing).values(planned_mark=Listing.push_mark)))

    def marked(self) -> set[str]:
        """``shop:sku`` of the listings that wait to be planned."""
        codes = {shop.id: code for code, shop in self.shops.items()}
        rows = self.database.read_now(
            lambda c: c.execute(
                select(Listing.shop_id, Listing.sku).where(Listing.push_mark > Listing.planned_mark)
            ).all()
        )
        return {f"{codes[row.shop_id]}:{row.sku}" for row in rows}

    def everywhere(self, skus: str) -> set[str]:
        return {f"{code}:{sku}" for code in self.shops for sku in skus}

    def shown(self, sku: str, shop: str = "wolle") -> int | None:
        return explain.explain_stock(self.core, sku, shop)[0].should_show

    def last_audit(self) -> Any:
        statement = select(*AuditEvent.__table__.columns).order_by(AuditEvent.id.desc()).limit(1)
        return self.database.read_now(lambda c: c.execute(statement).one())


def test_an_order_of_a_kit_holds_its_parts(database: Database, tmp_path: Path) -> None:
    world = World(database, tmp_path)
    stock_rules.set_kit(world.core, "D", {"A": 2, "B": 1}, actor="zofia")
    assert (world.shown("D"), world.shown("A"), world.shown("B")) == (5, 10, 10)
    hold = {"shop_id": world.shops["wolle"].id, "id_product": 4, "id_product_attribute": 0, "product_id": 4}
    world.database.write_now(lambda c: c.execute(insert(StockHold).values(**hold, quantity=2, opened_at=NOW)))
    assert (world.shown("D"), world.shown("A"), world.shown("B"), world.shown("C")) == (3, 6, 8, 10)
    assert [(row.held, row.available) for row in stock.show_stock(world.core, "A")] == [(4, 6)]
    assert [row.held for row in stock.show_stock(world.core, "D")] == [0]
    part = next(p for p in explain.explain_stock(world.core, "A", "wolle")[0].parts if p.step == "held")
    assert part.label.endswith("in D") and part.units == -4


def test_what_touches_a_part_marks_its_kits_and_what_touches_a_kit_marks_their_parts(world: World) -> None:
    stock_rules.set_kit(world.core, "C", {"B": 1}, actor="zofia")
    stock_rules.set_kit(world.core, "D", {"A": 2, "C": 1}, actor="zofia")
    assert world.marked() >= world.everywhere("ABCD")
    world.settle()
    stock.set_stock(world.core, "B", 3, warehouse="W1", reason="count", actor="zofia")
    assert world.marked() == world.everywhere("BCD")
    world.settle()
    assert set(world.database.read_now(lambda c: touched_by(c, [4]))) == {1, 2, 3, 4}
    assert world.shown("D") == 3
    stock_rules.set_kit(world.core, "D", {}, actor="zofia", reason="sold off")
    assert world.marked() == world.everywhere("ABCD")
    assert world.shown("D") == 10
    assert (world.last_audit().before, world.last_audit().after) == ({"A": 2, "C": 1}, {})


def test_a_kit_that_would_hold_itself_is_refused_in_words(world: World) -> None:
    stock_rules.set_kit(world.core, "C", {"B": 1}, actor="zofia")
    with pytest.raises(UsageError, match="C is made of B"):
        stock_rules.set_kit(world.core, "B", {"C": 1}, actor="zofia")
    with pytest.raises(UsageError, match="part of itself"):
        stock_rules.set_kit(world.core, "A", {"A": 1}, actor="zofia")
    with pytest.raises(UsageError, match="cannot be in a kit"):
        stock_rules.set_kit(world.core, "A", {"B": 0}, actor="zofia")


# -- settings and exceptions mark what they touch --------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"stock.buffer": "3"}, 7),
        ({"stock.threshold": "11"}, 0),
        ({"stock.cap": "4"}, 4),
        ({"stock.mode": "share", "stock.share": "w1:25"}, 2),
        ({"stock.mode": "share", "stock.share.W1": "80", "stock.lag.W1": "1"}, 7),
        ({"stock.reservations": "no"}, 10),
        ({"stock.mode": "rank"}, 10),
    ],
)
def test_a_rule_of_a_shop_marks_all_its_listings_and_no_other(world: World, values: dict[str, str], shown: int) -> None:
    shops.set_values(world.core, "wolle", values, actor="zofia")
    assert world.marked() == {f"wolle:{sku}" for sku in "ABCD"}
    assert (world.shown("A"), world.shown("A", "garn")) == (shown, 10)
    world.settle()
    shops.set_values(world.core, "wolle", values, actor="zofia")
    assert not world.marked(), "the same again changes nothing"
    shops.set_values(world.core, "wolle", {"brake.zero_count": "9"}, actor="zofia")
    assert not world.marked()


def test_a_change_of_rules_is_audited_with_before_and_after(world: World) -> None:
    shops.set_values(world.core, "wolle", {"stock.buffer": "3"}, actor="zofia")
    shops.set_values(world.core, "wolle", {"stock.buffer": "5"}, actor="łukasz")
    event = world.last_audit()
    assert (event.actor, event.before, event.after) == ("łukasz", {"stock.buffer": "3"}, {"stock.buffer": "5"})


def test_a_shop_that_leaves_a_warehouse_touches_those_that_stay(world: World) -> None:
    shops.set_values(world.core, "wolle", {"stock.warehouses": "W2"}, actor="zofia")
    assert world.marked() == world.everywhere("ABCD"), "its orders count against the other no more"
    assert world.shown("A") is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"stock.share": "W1:50"}, "they would do nothing"),
        ({"stock.mode": "share", "stock.share": "W9:50"}, "does not exist"),
        ({"stock.mode": "share", "stock.share": "W1:150"}, "from 0 to 100"),
        ({"stock.mode": "share", "stock.share": "W1:50,w1:60"}, "each once"),
        ({"stock.mode": "all"}, "one of sum, rank, share"),
        ({"stock.cap": "0"}, "from 1 to"),
        ({"stock.lag": "W1"}, "each once"),
    ],
)
def test_rules_that_cannot_stand_are_refused_whole(world: World, values: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        shops.set_values(world.core, "wolle", {"stock.buffer": "1", **values}, actor="zofia")
    assert world.shown("A") == 10
    assert not world.marked()


def test_shares_are_set_one_by_one(world: World) -> None:
    values = {"stock.mode": "share", "stock.share.W1": "80", "stock.share.w2": "50%"}
    shops.set_values(world.core, "wolle", {"stock.warehouses": "W1,W2"}, actor="zofia")
    assert shops.set_values(world.core, "wolle", values, actor="zofia")["stock.share"] == "W1:80,W2:50"
    assert (
        shops.set_values(world.core, "wolle", {"stock.share.w1": "70"}, actor="zofia")["stock.share"] == "W2:50,W1:70"
    )
    assert shops.set_values(world.core, "wolle", {"stock.share.W2": ""}, actor="zofia")["stock.share"] == "W1:70"


def test_an_exception_marks_one_product_in_one_shop_and_is_taken_back(world: World) -> None:
    shops.set_values(world.core, "wolle", {"stock.buffer": "3"}, actor="zofia")
    world.settle()
    row = stock_rules.set_product_formula(world.core, "A", "wolle", {"cap": "4", "buffer": "0"}, actor="zofia")
    assert (row.buffer, row.threshold, row.cap, row.own) == (0, 0, 4, ("buffer", "cap"))
    assert world.marked() == world.everywhere("A"), "by product: the other shop is looked at and left as it is"
    assert (world.shown("A"), world.shown("B"), world.shown("A", "garn")) == (4, 7, 10)
    assert world.last_audit().after == {"buffer": 0, "threshold": None, "cap": 4}
    stock_rules.set_product_formula(world.core, "A", "wolle", {"cap": "", "buffer": ""}, actor="zofia")
    assert world.shown("A") == 7
    assert stock_rules.list_exceptions(world.core) == []
    with pytest.raises(UsageError, match="no step"):
        stock_rules.set_product_formula(world.core, "A", "wolle", {"mode": "rank"}, actor="zofia")


def test_stop_selling_marks_every_listing_of_it_and_of_the_kits_that_need_it(world: World) -> None:
    stock_rules.set_kit(world.core, "D", {"A": 2}, actor="zofia")
    world.settle()
    done = stock_rules.stop_selling(world.core, "A", reason="recall", actor="zofia")
    assert (done.listings, done.shops) == (4, 2)
    assert world.marked() == world.everywhere("AD")
    assert (world.shown("A"), world.shown("D", "garn"), world.shown("B")) == (0, 0, 10)
    assert (world.last_audit().action, world.last_audit().reason) == ("stock stop", "recall")
    assert stock_rules.stopped_products(world.core) == ["A"]
    world.settle()
    stock_rules.resume_selling(world.core, "A", reason="checked", actor="zofia")
    assert world.marked() == world.everywhere("AD")
    assert world.shown("A") == 10
    with pytest.raises(UsageError, match="reason"):
        stock_rules.stop_selling(world.core, "A", reason=" ", actor="zofia")


def test_a_warehouse_that_is_switched_off_counts_as_empty_and_marks_its_shops(world: World) -> None:
    shops.set_values(world.core, "wolle", {"stock.warehouses": "W1,W2"}, actor="zofia")
    stock.set_stock(world.core, "A", 5, warehouse="W2", reason="count", actor="zofia")
    world.settle()
    assert world.shown("A") == 15
    warehouses.set_warehouse(world.core, "w2", {"active": "no"}, actor="zofia")
    assert world.marked() == {f"wolle:{sku}" for sku in "ABCD"}
    assert world.shown("A") == 10
    warehouses.set_warehouse(world.core, "W1", {"active": "no"}, actor="zofia")
    assert world.shown("A") is None
    assert world.shown("A", "garn") is None


def test_shipping_a_kit_takes_its_parts_out_once(world: World) -> None:
    stock_rules.set_kit(world.core, "D", {"A": 2, "B": 1}, actor="zofia")
    shop = world.database.read_now(lambda c: load_shop(c, world.shops["wolle"].id))
    sold = _Sold(4, 3, order_id=None, with_parts=False)
    world.database.write_now(lambda c: _book_sales(c, shop, [sold], now=NOW, run_id=None))
    assert [row.physical for sku in "ABD" for row in stock.show_stock(world.core, sku)] == [4, 7, 10]


def test_a_movement_marks_as_before_where_there_is_no_kit(world: World) -> None:
    moves = [Movement(1, 1, 2, MovementKind.RECEIPT)]
    world.database.write_now(lambda c: move(c, moves, actor="zofia", at=NOW))
    assert world.marked() == world.everywhere("A")
