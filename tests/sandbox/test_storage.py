"""The rows of a resource: sorted ids, indexes that follow changes, blanks for what was never set."""

import pytest

from prestaconsole.sandbox.schema import Field, load
from prestaconsole.sandbox.storage import Table
from prestaconsole.sandbox.values import decimals, kept


@pytest.fixture
def table() -> Table:
    return Table(load("8.2.1")["stock_availables"])


def test_ids_stay_sorted_and_are_not_given_twice(table: Table) -> None:
    for row_id in (5, 2, 9):
        table.insert({"id_product": "1"}, row_id)
    assert list(table.ids()) == [2, 5, 9]
    table.remove(9)
    assert table.insert({}) == 10
    assert list(table.ids()) == [2, 5, 10]
    assert list(table.ids_above(2)) == [5, 10]


def test_a_row_that_names_its_id_keeps_it(table: Table) -> None:
    assert table.insert({"id": "7", "quantity": "3"}) == 7
    assert table.row(7)["quantity"] == "3"


def test_an_index_follows_inserts_changes_and_deletions(table: Table) -> None:
    first = table.insert({"id_product": "1"})
    assert table.find("id_product", 1) == [first]
    second = table.insert({"id_product": "1"})
    assert table.find("id_product", 1) == [first, second]
    table.update(first, {"id_product": "2"})
    assert (table.find("id_product", 1), table.find("id_product", 2)) == ([second], [first])
    table.remove(second)
    assert table.find("id_product", 1) == []
    table.insert({"id_product": "3"}, first)
    assert (table.find("id_product", 2), table.find("id_product", 3)) == ([], [first])


def test_a_field_never_set_reads_as_its_blank(table: Table) -> None:
    row = table.row(table.insert({}))
    assert (row["quantity"], row["location"]) == ("0", "")
    with pytest.raises(KeyError):
        _ = row["nope"]


@pytest.mark.parametrize(
    ("field", "text", "stored"),
    [
        (Field("a", "int"), "2.9", "2"),
        (Field("a", "int"), "abc", "0"),
        (Field("a", "int"), None, "0"),
        (Field("a", "int", null=True), "", ""),
        (Field("a", "bool"), "yes", "1"),
        (Field("a", "float"), "1,5", "1.500000"),
        (Field("a", "float", decimals=3), "0.0005", "0.001"),
        (Field("a", "date"), None, "0000-00-00"),
        (Field("a", "datetime"), "", "0000-00-00 00:00:00"),
        (Field("a"), "x", "x"),
    ],
)
def test_texts_are_kept_as_the_database_gives_them_back(field: Field, text: str | None, stored: str) -> None:
    assert kept(field, text) == stored


def test_what_is_no_number_is_zero() -> None:
    assert decimals("abc", 2) == "0.00"
