"""What people type: names, codes, mails and moments."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from prestaconsole.errors import UsageError
from prestaconsole.services.typed import code_from, code_of, email_address, moment, one_line

NOW = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Sattlerei Böhm", "sattlerei-bohm"),
        ("Świece Łódź", "swiece-lodz"),
        ("Wolle & Garn Köln", "wolle-garn-koln"),
        ("Großhandel Øst", "grosshandel-ost"),
        ("東京堂文具", ""),
        ("  ", ""),
    ],
)
def test_a_code_is_made_of_a_name_in_plain_letters(name: str, code: str) -> None:
    assert code_from(name) == code


def test_a_line_is_one_line_without_control_signs() -> None:
    assert one_line("name", "  Cafe\u0301\n\t\x1b[2J Lu\u200be ", 40) == "Café [2J Lu e"
    with pytest.raises(UsageError, match="41 characters; 40 are the most"):
        one_line("name", "x" * 41, 40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", datetime(2026, 3, 2, 15, 0, tzinfo=UTC)),
        ("30 min", datetime(2026, 3, 2, 13, 30, tzinfo=UTC)),
        ("3d", datetime(2026, 3, 5, 13, 0, tzinfo=UTC)),
        ("16:00", datetime(2026, 3, 2, 15, 0, tzinfo=UTC)),
        ("8:00", datetime(2026, 3, 3, 7, 0, tzinfo=UTC)),
        ("2026-03-04", datetime(2026, 3, 3, 23, 0, tzinfo=UTC)),
        ("2026-03-04T10:00", datetime(2026, 3, 4, 9, 0, tzinfo=UTC)),
        ("2026-03-04T10:00Z", datetime(2026, 3, 4, 10, 0, tzinfo=UTC)),
    ],
)
def test_a_moment_ahead_is_read_in_the_shop_s_zone(text: str, expected: datetime) -> None:
    assert moment(text, now=NOW, zone=PARIS) == expected


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-02-30", "2001-01-01", "0h"])
def test_what_is_no_moment_ahead_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        moment(text, now=NOW, zone=PARIS)


@pytest.mark.parametrize("text", ["nobody", "a@b", "a b@c.de", "a@b.de,c@d.de", "<a@b.de>"])
def test_what_is_no_mail_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no e-mail address"):
        email_address(text)


@pytest.mark.parametrize("text", ["", "two words", "-x", "Köln", "x/y", "a,b"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        code_of("code", text)
