"""What an alert says, and what foreign words in it cannot do."""

from datetime import UTC, datetime, timedelta
from typing import Any

from prestaconsole.alerts.message import SHOWN, Item, Message

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def item(**changes: Any) -> Item:
    values: dict[str, Any] = {
        "kind": "opened",
        "incident": 12,
        "shop": "Wolle",
        "severity": "ACT",
        "title": "The key was refused (401).",
        "remedy": "Enter a new one.",
        "count": 1,
        "opened_at": NOW,
    }
    return Item(**{**values, **changes})


def message(*items: Item) -> Message:
    return Message(7, NOW, "host-1", items)


def test_one_thing_says_shop_cause_remedy_and_where_to_look() -> None:
    told = message(item())
    assert told.subject() == "[PrestaConsole] ACT Wolle: The key was refused (401)."
    assert told.text().splitlines() == [
        "ACT Wolle: The key was refused (401).",
        "Enter a new one.",
        "`prestaconsole incident show 12`",
    ]


def test_a_reminder_and_a_cure_say_so() -> None:
    reminder = item(kind="reminder", count=41, owner="Zofia")
    assert reminder.line() == (
        "STILL OPEN ACT Wolle: The key was refused (401). (41 times, since 2026-03-02 09:00 UTC, Zofia has it)"
    )
    cured = item(kind="cured", closed_by="run 9")
    assert cured.line() == "CURED ACT Wolle: The key was refused (401). (closed by run 9)"
    assert "Enter a new one" not in message(cured).text()
    often = item(kind="cured", closed_by="run 9", openings=14)
    assert often.line().endswith(" (closed by run 9, opened 14 times in 24 h)")
    assert item(openings=2).line().endswith(" (opened 2 times in 24 h)")


def test_many_things_are_a_digest_with_a_number_for_the_rest() -> None:
    told = message(*(item(incident=n, shop=f"Shop {n}", severity="LATE") for n in range(300)), item(severity="STOP"))
    assert told.kind == "digest" and told.severity == "STOP"
    assert told.subject() == "[PrestaConsole] STOP 301 incidents: 301 new"
    lines = told.text().splitlines()
    assert len(lines) == SHOWN + 2
    assert lines[-1].startswith(f"and {301 - SHOWN} more: ")


def test_a_digest_of_cures_is_no_alarm() -> None:
    told = message(item(kind="cured", severity="STOP"), item(severity="LATE"))
    assert told.severity == "LATE"
    assert told.subject() == "[PrestaConsole] LATE 2 incidents: 1 new, 1 cured"
    assert message(*[item(kind="cured", severity="STOP")] * 2).subject() == "[PrestaConsole] 2 incidents: 2 cured"


def test_foreign_words_break_no_line_and_call_no_room() -> None:
    nasty = item(shop="Böhm", title="State “<!channel> @here\r\nBcc: x@y.example” has no rule")
    told = message(nasty)
    assert "\n" not in told.subject() and "\r" not in told.subject()
    assert "<" not in told.text() and "@here" not in told.text()
    assert "x@y.example" in told.text(), "an address is no call"


def test_the_document_has_stable_names() -> None:
    document = message(item(closed_at=NOW + timedelta(minutes=1))).document()
    assert set(document) == {"text", "source", "kind", "severity", "number", "at", "host", "incidents"}
    assert document["at"] == "2026-03-02T09:00:00Z" and document["number"] == 7
    assert set(document["incidents"][0]) == {
        *(
            "id",
            "kind",
            "shop",
            "severity",
            "title",
            "remedy",
            "count",
            "openings",
            "opened_at",
            "owner",
            "closed_at",
            "closed_by",
        ),
    }
