"""Why a number is what it is: beside the sum stand orders, counts, rules, our writes and those that are not ours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, update

from prestaconsole.console.screens.explained import explanation_lines
from prestaconsole.console.widgets.lines import line_text
from prestaconsole.database import Connection, Database
from prestaconsole.model import (
    Change,
    ChangeBatch,
    ChangeKind,
    Changeset,
    ChangeState,
    ForeignWrite,
    Listing,
    Order,
    ProductFormula,
    ShopSetting,
    StockHold,
    StockMovement,
)
from prestaconsole.operations.shops import load_shop
from prestaconsole.rules.availability import Formula, Held, KitPiece, Level, available, free, kit_available
from prestaconsole.services.explain import Explanation, counted_by, explain_listings
from tests.console.world import NOW, foreign, make


def explained(database: Database, listing: int = 8) -> Explanation:
    """The number of one listing of the first shop."""
    return database.read_now(lambda c: explain_listings(c, load_shop(c, 1), [listing], now=NOW))[0]


def lines(explanation: Explanation, height: int = 24) -> list[str]:
    """As the box says it."""
    return [line_text(line) for line in explanation_lines(explanation, NOW, height)]


def hold(connection: Connection, orders: int, product: int = 8) -> None:
    """Orders that hold one unit each."""
    connection.execute(
        update(Order).where(Order.id <= orders).values(verdict="import", customer_name="Zoë Verhoeven", stage="")
    )
    connection.execute(update(Order).where(Order.id == 1).values(verdict="hold"))
    row: dict[str, Any] = {
        "shop_id": 1,
        "product_id": product,
        "id_product": product,
        "id_product_attribute": 0,
        "quantity": 1,
        "opened_at": NOW,
    }
    connection.execute(insert(StockHold), [{**row, "order_id": n} for n in range(1, orders + 1)])


@pytest.fixture
def shop(sqlite_database: Database) -> Database:
    """The console's small world."""
    make(sqlite_database, changes=0)
    return sqlite_database


def test_each_order_that_holds_stands_with_who_and_how_far_and_counts_with_when(shop: Database) -> None:
    def work(c: Connection) -> None:
        hold(c, 2)
        row = {"product_id": 8, "warehouse_id": 1, "kind": "correction", "quantity": 1, "physical": 8}
        c.execute(insert(StockMovement), [{**row, "actor": "Łukasz", "at": datetime(2026, 11, 17, 9, tzinfo=UTC)}])
        c.execute(
            insert(ProductFormula),
            [{"shop_id": 1, "product_id": 8, "cap": 5, "updated_at": NOW, "updated_by": "Zofia"}],
        )
        c.execute(
            insert(ShopSetting),
            [{"shop_id": 1, "name": "stock.buffer", "value": "2", "updated_at": NOW, "updated_by": "Zofia"}],
        )

    shop.write_now(work)
    one = explained(shop)
    assert one.should_show == 4 == sum(part.units for part in one.parts)
    text = lines(one)
    assert "     8   MAG-A                  counted 17 Nov by Łukasz" in text
    assert "   - 2   reserved               4 000    1   Zoë Verhoeven       held" in text
    assert "                                4 001    1   Zoë Verhoeven       reserved" in text
    assert "   - 2   buffer                 this shop's rule: 2 each" in text
    assert "     0   at most 5              not reached, this product's rule" in text
    assert "  Counted by    MAG-A, less reserved; less buffer" in text
    assert any(line.startswith("     4   should show      11 shown") for line in text)


def test_orders_that_do_not_fit_are_counted_in_one_line(shop: Database) -> None:
    shop.write_now(lambda c: hold(c, 18))
    text = lines(explained(shop))
    assert len(text) <= 22 and any("more orders hold" in line for line in text)
    assert len(lines(explained(shop), 40)) > len(text)


def written(connection: Connection, at: datetime) -> None:
    """A write of ours to the eighth listing, confirmed."""
    connection.execute(
        insert(Changeset),
        [{"id": 9, "shop_id": 1, "kind": ChangeKind.STOCK, "state": "done", "reason": "event", "actor": "x",
          "mode": "live", "rows": 1, "created_at": at}],
    )  # fmt: skip
    connection.execute(insert(ChangeBatch), [{"id": 5, "changeset_id": 9, "sent_at": at, "confirmed_at": at}])
    row: dict[str, Any] = {"changeset_id": 9, "batch_id": 5, "kind": ChangeKind.STOCK, "record": 8}
    connection.execute(insert(Change), [{**row, "before": "17", "after": "8", "state": ChangeState.CONFIRMED}])


@pytest.mark.parametrize(
    ("decision", "push", "words"),
    [
        ("", False, "nobody decided"),
        ("keep", False, "kept by Zofia"),
        ("adopt", False, "adopted into our stock by Zofia"),
        ("overwrite", False, "overwritten by Zofia, goes out with the next push"),
        ("overwrite", True, "put back 20 min later by us"),
        ("settled", False, "settled by itself"),
    ],
)
def test_what_is_not_ours_says_when_it_was_seen_and_what_became_of_it(
    shop: Database, decision: str, push: bool, words: str
) -> None:
    seen = NOW - timedelta(hours=8)

    def work(c: Connection) -> None:
        foreign(c, 8, decided=0)
        values = {"decision": decision, "decided_by": "Zofia", "decided_at": seen + timedelta(minutes=5)}
        c.execute(update(ForeignWrite).where(ForeignWrite.id == 8).values(**values))
        if push:
            written(c, seen + timedelta(minutes=20))

    shop.write_now(work)
    (met,) = explained(shop).foreign
    assert (met.at, met.seen_by, met.expected, met.shows, met.outcome) == (seen, "check", "11", 17, words)
    assert any(line.startswith("  Not ours      ") and "11 → 17" in line for line in lines(explained(shop)))


def test_a_difference_names_its_cause_or_an_unknown_write(shop: Database) -> None:
    assert explained(shop).verdict == "These parts give 8, the shop shows 11: an unknown write. d plans the repair."
    shop.write_now(lambda c: c.execute(update(Listing).where(Listing.id == 8).values(push_mark=2, planned_mark=1)))
    assert explained(shop).verdict == "These parts give 8, the shop shows 11: waits to be sent."
    shop.write_now(lambda c: c.execute(update(Listing).where(Listing.id == 8).values(quantity=8)))
    text = lines(explained(shop))
    assert any(line.endswith("they agree") for line in text)
    assert text[-1] == "  Nobody reserved any and nothing was written yet."


formulas = st.builds(
    Formula,
    mode=st.sampled_from(["sum", "rank", "share"]),
    reservations=st.booleans(),
    buffer=st.integers(0, 5),
    threshold=st.integers(0, 5),
    cap=st.none() | st.integers(0, 20),
)
levels = st.lists(
    st.builds(Level, st.sampled_from(["W1", "W2"]), st.none() | st.integers(-3, 30), st.integers(0, 100)), max_size=3
)
held = st.lists(st.builds(Held, st.just("order 1"), st.integers(0, 9), st.none(), st.booleans()), max_size=3)


@given(levels=levels, held=held, formula=formulas, stopped=st.booleans(), units=st.integers(1, 3))
def test_the_parts_add_up_and_what_counts_is_named_whenever_a_number_is_shown(
    levels: list[Level], held: list[Held], formula: Formula, stopped: bool, units: int
) -> None:
    plain = available(levels, held, formula, stop_selling=stopped)
    kit = kit_available([KitPiece("B", units, free(levels, held, formula))], formula, stop_selling=stopped)
    for one in (plain, kit):
        if one.shown is not None:
            assert sum(part.units for part in one.parts) == one.shown
            words = counted_by(one.parts)
            assert "W1" in words or "W2" in words
            assert ("kit part B" in words) == (one is kit)
