"""Only questions that PrestaShop understands leave the program."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest

from prestaconsole.webservice.query import (
    Filter,
    Price,
    Query,
    QueryError,
    begins_with,
    between,
    contains,
    ends_with,
    equals,
    greater,
    less,
    none_of,
    not_equal,
    one_of,
    shop_time,
)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (equals(5), "[5]"),
        (equals("SKU 1/é"), "[SKU 1/é]"),
        (not_equal(0), "![0]"),
        (one_of([1, 2, 3]), "[1|2|3]"),
        (between(1, 9), "[1,9]"),
        (between(date(2026, 1, 1), date(2026, 2, 1)), "[2026-01-01,2026-02-01]"),
        (greater(7), ">[7]"),
        (less(Decimal("1.50")), "<[1.50]"),
        (begins_with("SKU"), "[SKU]%"),
        (ends_with("01"), "%[01]"),
        (contains("oli"), "%[oli]%"),
        (greater("2026-11-21 10:00:00"), ">[2026-11-21 10:00:00]"),
        (equals(True), "[1]"),
    ],
)
def test_each_operator_has_one_notation(condition: Filter, text: str) -> None:
    assert condition.text == text


@pytest.mark.parametrize(
    "build",
    [
        lambda: equals("a|b"),
        lambda: equals("1,5"),
        lambda: equals("a[b"),
        lambda: equals("a]b"),
        lambda: equals(""),
        lambda: equals(" "),
        lambda: equals("a\x00b"),
        lambda: equals(datetime(2026, 1, 1, tzinfo=UTC)),
        lambda: one_of([]),
        lambda: one_of(["a", "b|c"]),
        lambda: between("a", "b"),
        lambda: greater("SKU"),
        lambda: contains("50%"),
        lambda: begins_with("a_b"),
        lambda: Query("Products"),
        lambda: Query("products?x=1"),
        lambda: Query("products", ("id]&limit=1",)),
        lambda: Query("products", ("price", "name; drop")),
        lambda: Query("orders", filters={"date_upd": greater("2026-01-01")}),
        lambda: Query("orders", sort="date_add"),
        lambda: Query("orders", limit=0),
        lambda: Query("orders", limit=-1),
        lambda: Query("orders", limit=5, sort=None),
        lambda: Query("orders", filters={"order_rows[id]": equals(1)}),
        lambda: Query("orders", language=-1),
        lambda: Query("orders", language=()),
        lambda: Query("orders", id_shop=0).parameters(),
        lambda: Query("orders", id_shop="1,2").parameters(),  # type: ignore[arg-type]  # what is wrong is the point
        lambda: shop_time(datetime(2026, 1, 1), ZoneInfo("Europe/Paris")),  # noqa: DTZ001 - a moment without a zone is the point
    ],
)
def test_what_prestashop_would_misread_raises_before_it_is_sent(build: object) -> None:
    with pytest.raises(QueryError):
        build()  # type: ignore[operator]  # one of many callables


def test_parameters_are_encoded_and_say_what_was_meant() -> None:
    query = Query(
        "orders",
        ("reference", "order_rows[id,product_id]"),
        {"id": greater(50), "date_upd": between("2026-01-01 00:00:00", "2026-02-01 00:00:00")},
        limit=100,
        id_shop="all",
        language=(1, 2),
        date=True,
    )
    rendered = query.parameters()
    assert not set("[]|> %") & set(
        rendered.replace("%5B", "")
        .replace("%5D", "")
        .replace("%7C", "")
        .replace("%3E", "")
        .replace("%20", "")
        .replace("%3A", "")
    )
    assert dict(parse_qsl(rendered)) == {
        "display": "[id,reference,order_rows[id,product_id]]",
        "filter[id]": ">[50]",
        "filter[date_upd]": "[2026-01-01 00:00:00,2026-02-01 00:00:00]",
        "sort": "[id_ASC]",
        "limit": "100",
        "date": "1",
        "language": "[1|2]",
        "id_shop": "all",
    }


def test_moments_are_compared_in_the_shops_own_time() -> None:
    summer = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    assert shop_time(summer, ZoneInfo("Europe/Paris")) == "2026-07-01 12:00:00"


def test_prices_are_asked_for_with_all_that_decides_them() -> None:
    price = Price("gross", quantity=5, country=8, currency=1, group=3, tax=True, decimals=2)
    asked = dict(parse_qsl(Query("products", ("reference",), prices=(price,), limit=5).parameters()))
    assert asked["display"] == "[id,reference,gross]"
    assert asked["price[gross][use_tax]"] == "1"
    assert asked["price[gross][country]"] == "8"
    assert asked["price[gross][quantity]"] == "5"
    assert "price[gross][state]" not in asked
    assert "gross" in Query("products", ("reference",), prices=(price,)).names[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Query("orders", prices=(Price("gross"),)),
        lambda: Query("products", ("reference",), prices=(Price("gross"), Price("gross"))),
        lambda: Query("products", ("price",), prices=(Price("price"),)),
        lambda: Query("products", prices=(Price("Gross price"),)),
        lambda: Query("products", prices=(Price("gross", quantity=0),)),
        lambda: Query("products", prices=(Price("gross", country=0),)),
        lambda: Query("products", prices=(Price("gross", decimals=12),)),
        lambda: Query("products", prices=(Price("gross", reduction=False, only_reduction=True),)),
        lambda: Query("stock_availables", filters={"date_upd": greater("2026-01-01")}, date=True),
        lambda: Query("order_carriers", filters={"date_upd": greater("2026-01-01")}, date=True),
        lambda: Query("combinations", sort="date_add", date=True),
        lambda: Query("products", filters={"name": equals("a"), "description": equals("b")}),
        lambda: Query("products", sort=(), limit=5),
        lambda: Query("products", sort=("id", "name desc")),
        lambda: Query("products", language=(1, 0)),
        lambda: none_of([]),
        lambda: none_of(["a|b"]),
    ],
)
def test_what_prestashop_would_misread_is_refused_before_it_is_sent(make: Callable[[], object]) -> None:
    with pytest.raises(QueryError) as caught:
        make()
    assert caught.value.cause.endswith(".")


def test_dates_sorts_and_languages_are_written_as_every_version_reads_them() -> None:
    query = Query("orders", ("id",), {"date_upd": greater("2026-01-01 10:00:00")}, sort=("date_upd", "-id"), date=True)
    asked = dict(parse_qsl(query.parameters()))
    assert asked["sort"] == "[date_upd_ASC,id_DESC]"
    assert asked["filter[date_upd]"] == ">[2026-01-01 10:00:00]"
    assert dict(parse_qsl(Query("products", language=(12,)).parameters()))["language"] == "12"
    assert dict(parse_qsl(Query("products", language=(1, 12)).parameters()))["language"] == "[1|12]"
    assert none_of([1, 2]).text == "![1|2]"
    assert Query("order_histories", filters={"date_add": greater("2026-01-01")}, date=True)
    assert Query("module_things", filters={"date_upd": greater("2026-01-01")}, date=True)
