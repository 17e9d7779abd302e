"""How values look in a cell: cut where they may be cut, aligned by cells, foreign text made safe."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from prestaconsole.console.text import (
    age,
    bar,
    clean,
    fit,
    length,
    money,
    number,
    plural,
    shorten,
    signed,
    to_ascii,
    when,
    wrap,
)

NOW = datetime(2026, 11, 19, 14, 7, tzinfo=UTC)


def test_names_lose_their_end_codes_their_middle_numbers_nothing() -> None:
    assert shorten("Papelaria Conceição", 18) == "Papelaria Conceiç…"
    assert shorten("FLR-0001-0002-ROT", 10, "middle") == "FLR-0…-ROT"
    assert shorten("1 204 000", 4, "never") == "1 204 000"
    assert fit("東京堂文具", 6) == "東京… "
    assert fit("12", 5, "right") == "   12"


def test_foreign_text_loses_controls_directions_and_emoji_but_no_letter() -> None:
    assert clean("a\u202eb\tc\r\nd\x1b[31m") == "ab c  d[31m"
    assert clean("e\u0301") == "é"
    assert clean("Kubek 👨‍👩‍👧 Żubr") == "Kubek · Żubr"
    assert clean("Kubek 👍", signs=True) == "Kubek 👍"
    assert clean("O'Súilleabháin & Søn <b>") == "O'Súilleabháin & Søn <b>"


@given(st.text(max_size=40), st.integers(1, 30), st.sampled_from(["left", "right"]), st.sampled_from(["end", "middle"]))
def test_a_fitted_cell_always_has_its_width_and_one_line(text: str, width: int, align: str, cut: str) -> None:
    fitted = fit(text, width, align, cut)  # type: ignore[arg-type]  # drawn from the allowed words
    assert cell_len(fitted) == width
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in fitted)


@given(st.text(max_size=60), st.integers(2, 30))
def test_wrapped_lines_never_pass_their_width(text: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in wrap(text, width))


def test_numbers_money_and_differences() -> None:
    assert (number(1204000), number(0), number(None)) == ("1 204 000", "0", "?")
    assert (signed(16), signed(-1204), signed(0), signed(None)) == ("+16", "-1 204", "0", "?")
    assert money(Decimal("1284.5"), "PLN") == "1 284.50 PLN"
    assert (plural(1, "brake"), plural(12, "incident")) == ("1 brake", "12 incidents")


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (NOW - timedelta(minutes=5), "14:02"),
        (NOW - timedelta(days=2), "Tue 14:07"),
        (NOW - timedelta(days=20), "30 Oct 14:07"),
        (NOW - timedelta(days=730), "2024-11-19"),
        (None, "–"),
    ],
)
def test_times_are_as_short_as_they_may_be(moment: datetime | None, shown: str) -> None:
    assert when(moment, NOW, UTC) == shown


def test_ages_are_now_inside_the_limit_and_change_by_whole_minutes() -> None:
    assert age(NOW - timedelta(minutes=4, seconds=59), NOW) == "now"
    assert age(NOW - timedelta(minutes=12, seconds=59), NOW) == "12 min"
    assert age(NOW - timedelta(minutes=12), NOW, timedelta(minutes=15)) == "now"
    assert (age(NOW - timedelta(hours=3, minutes=50), NOW), age(NOW - timedelta(days=3), NOW)) == ("3 h", "3 d")
    assert length(timedelta(seconds=31)) == "31 s"


def test_a_bar_stands_only_where_the_total_is_known() -> None:
    assert bar(62, 100) == "███████░░░░░ 62 %"
    assert (bar(110, 100), bar(1204, None)) == ("████████████ 100 %", "1 204")


def test_without_utf8_our_signs_become_ascii() -> None:
    assert to_ascii("── 3 → 2 … ██░░ │ A › B") == "-- 3 > 2 ~ ##.. | A > B"
