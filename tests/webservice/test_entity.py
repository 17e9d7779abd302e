"""A record's texts, numbers, languages and times."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from prestaconsole.webservice import codec
from prestaconsole.webservice.entity import Entity
from prestaconsole.webservice.errors import UnexpectedAnswer
from tests.webservice.shops import document

PARIS = ZoneInfo("Europe/Paris")
PRODUCT = document(
    "<product>\n<id><![CDATA[5]]></id><price><![CDATA[20.346581]]></price><quantity></quantity><active><![CDATA[1]]></active>"
    '<name><language id="1" xlink:href="x"><![CDATA[Étagère & "co" <b>]]></language><language id="2"></language></name>'
    "<date_add><![CDATA[2026-07-01 12:00:00]]></date_add><date_upd><![CDATA[0000-00-00 00:00:00]]></date_upd>"
    '<associations><categories nodeType="category"><category><id>2</id></category>'
    "<odd_name><id>3</id></odd_name></categories>"
    '<images nodeType="image" api="images"/></associations></product>'
)


@pytest.fixture
def product() -> Entity:
    return codec.read_single(PRODUCT)[0]


def test_texts_numbers_and_flags_come_as_what_they_are(product: Entity) -> None:
    assert product.id == 5
    assert product.amount("price") == Decimal("20.346581")
    assert product.integer("quantity") == 0
    assert product.amount("quantity") == 0
    assert product.flag("active")
    assert not product.flag("quantity")
    assert product.text("nowhere") == ""
    assert product.has("quantity")
    assert not product.has("nowhere")


def test_languages_and_rows_come_whole(product: Entity) -> None:
    assert product.languages("name") == {1: 'Étagère & "co" <b>', 2: ""}
    assert product.text("name") == 'Étagère & "co" <b>'
    assert product.languages("price") == {}
    assert [row.id for row in product.rows("categories")] == [2, 3]
    assert product.rows("images") == []
    assert product.has("images")
    assert not product.has("combinations")


def test_a_kept_record_comes_back_the_same(product: Entity) -> None:
    assert Entity(json.loads(json.dumps(product.raw()))) == product


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-01 12:00:00", datetime(2026, 7, 1, 10, 0, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 11, 30, 23, 0, tzinfo=UTC)),
        ("2026-10-25 02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-03-29 02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("0000-00-00 00:00:00", None),
        ("0000-00-00", None),
        ("", None),
        ("2026-02-30 00:00:00", None),
        ("0001-01-01 00:00:00", None),
        ("yesterday", None),
    ],
)
def test_shop_times_become_utc_and_never_fail(text: str, moment: datetime | None) -> None:
    assert Entity({"id": "1", "date_add": text}).local_time("date_add", PARIS) == moment


@pytest.mark.parametrize("text", ["abc", "NaN", "Infinity", "1_000", "1,5", "--1"])
def test_nonsense_is_never_read_as_an_amount(text: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        Entity({"id": "1", "price": text}).amount("price")


@pytest.mark.parametrize(("text", "number"), [("12.000000", 12), (" 7 ", 7), ("-22", -22), ("+5", 5)])
def test_whole_numbers_may_carry_zeros(text: str, number: int) -> None:
    assert Entity({"id": "1", "quantity": text}).integer("quantity") == number


def test_half_a_piece_is_not_a_whole_number() -> None:
    with pytest.raises(UnexpectedAnswer):
        Entity({"id": "1", "quantity": "2.5"}).integer("quantity")
