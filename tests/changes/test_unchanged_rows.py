"""Stock rows that show what is known already are noted in one statement; what differs is stored row by row."""

from datetime import timedelta

import pytest

from prestaconsole.model import Listing
from prestaconsole.operations.listings import store_stock_rows
from prestaconsole.webservice.entity import Entity
from tests.changes.shelf import Shelf


def _row(shelf: Shelf, listing: int, **changes: str) -> Entity:
    found = shelf.rows(Listing, Listing.id == listing)[0]
    fields = {
        "id": str(found["id_stock_available"]),
        "id_product": str(found["id_product"]),
        "id_product_attribute": str(found["id_product_attribute"]),
        "quantity": str(found["quantity"]),
        "depends_on_stock": "0",
    }
    return Entity({**fields, **changes})


@pytest.mark.parametrize("expecting", [False, True])
def test_a_page_notes_what_it_showed_and_leaves_what_it_did_not(quick_shelf: Shelf, expecting: bool) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    same, other, absent, asm = shelf.add_listings(shop, 4, ours=5, shows=5)
    page = [_row(shelf, same), _row(shelf, other, quantity="3"), _row(shelf, asm, depends_on_stock="1")]
    before = shelf.rows(Listing, Listing.id == absent)[0]
    at = shelf.now + timedelta(seconds=9)
    stored = shelf.write(lambda c: store_stock_rows(c, shop.id, page, at, expecting))
    rows = {row["id"]: row for row in shelf.rows(Listing)}
    assert stored.rows == 3
    assert [rows[one]["quantity"] for one in (same, other, asm)] == [5, 3, 5]
    assert {rows[one]["quantity_read_at"] for one in (same, other, asm)} == {at}
    assert rows[asm]["depends_on_stock"]
    assert rows[absent] == before, "a row that the page did not show was not read"


def test_of_a_product_that_comes_twice_the_last_row_counts_each_time(quick_shelf: Shelf) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop()
    listing = shelf.add_listing(shop, 1, ours=5, shows=5)
    first = _row(shelf, listing)
    page = [first, _row(shelf, listing, id=str(first.id + 1), quantity="8")]
    for _ in range(2):
        shelf.write(lambda c: store_stock_rows(c, shop.id, page, shelf.now))
        row = shelf.rows(Listing, Listing.id == listing)[0]
        assert (row["id_stock_available"], row["quantity"]) == (first.id + 1, 8)
