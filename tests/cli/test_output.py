"""How rows, JSON and progress look, on a terminal and elsewhere."""

import io
import json
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from prestaconsole.cli import output
from prestaconsole.cli.progress import RunLines
from prestaconsole.runner.records import LogRecord
from prestaconsole.services.runs import Progress, RunDetail

AT = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
KEY = "ABCD1234ABCD1234ABCD1234ABCD1234"


@dataclass(frozen=True)
class Thing:
    name: str
    price: Decimal
    at: datetime


def detail(**changes: object) -> RunDetail:
    values: dict[str, object] = {
        "run": 7,
        "shop": "Wolle",
        "feed": "import_orders",
        "state": "running",
        "counts": {},
        "done": 0,
        "total": None,
        "phase": "",
        "plan": False,
        "again": False,
        "actor": "zofia",
        "trigger": "person",
        "attempt": 1,
        "created_at": AT,
        "due": AT,
        "started_at": AT,
        "ended_at": None,
        "error_kind": "",
        "error": "",
        "remedy": "",
        "changeset": None,
    }
    return RunDetail(**{**values, **changes})  # type: ignore[arg-type]  # a table of values


def test_amounts_keep_their_digits_and_times_are_utc(capsys: pytest.CaptureFixture[str]) -> None:
    local = AT.astimezone(timezone(timedelta(hours=2)))
    output.print_json([Thing("Žubr", Decimal("12.340000"), local), {"day": date(2026, 3, 2), "rows": (1, None)}])
    assert json.loads(capsys.readouterr().out) == [
        {"name": "Žubr", "price": "12.340000", "at": "2026-03-02T13:00:00Z"},
        {"day": "2026-03-02", "rows": [1, None]},
    ]


def test_nothing_key_shaped_leaves_on_either_stream(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"note": KEY})
    output.say(KEY)
    output.tell(KEY)
    out, err = capsys.readouterr()
    assert KEY not in out + err
    assert json.loads(out.rsplit("\n", 2)[0]) == {"note": "••••"}


def test_tables_line_up_with_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    columns: list[output.Column[tuple[str, int | None]]] = [
        ("Shop", lambda row: row[0]),
        ("Orders", lambda row: row[1]),
    ]
    output.print_rows([("Wolle", 7), ("Świece\nŁódź", None)], columns, empty="none")
    assert capsys.readouterr().out.splitlines() == ["Shop         Orders", "Wolle             7", "Świece Łódź       ?"]
    output.print_rows([], columns, empty="No shop yet.")
    assert capsys.readouterr() == ("", "No shop yet.\n")


def test_a_run_elsewhere_than_on_a_terminal_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = RunLines()
    line = LogRecord(1, AT, "info", "page 1: 100 orders")
    lines(Progress(detail(phase="reading"), ()))
    lines(Progress(detail(phase="reading", done=100, total=200), (line,)))
    lines(Progress(detail(state="done", counts={"new": 3}), ()))
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "import_orders run 7: reading"
    assert err[1].endswith("info page 1: 100 orders")
    assert err[2] == "import_orders run 7 done: 3 new"
    assert "\r" not in "".join(err)


def test_a_run_on_a_terminal_redraws_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    lines = RunLines()
    lines(Progress(detail(phase="reading", done=50, total=200), ()))
    lines(Progress(detail(phase="reading", done=100, total=200), ()))
    lines(Progress(detail(state="done"), ()))
    text = screen.getvalue()
    assert "[##########..........] 50 % reading 100 of 200" in text
    assert text.count("\n") == 1
    assert text.endswith("\rimport_orders run 7 done\n")
