"""The program as a whole: its map, wrong use, no terminal, faults of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prestaconsole import __version__
from prestaconsole.cli.app import run
from tests.cli.conftest import KEY, Program

NOUNS = {
    *("shop", "feed", "order", "listing", "product", "mapping", "warehouse", "stock", "changeset", "change"),
    *("incident", "status", "doctor", "secrets", "db", "daemon", "demo", "sandbox"),
}


def test_the_help_is_a_map_with_every_noun_and_the_first_steps(cli: Program) -> None:
    text = cli("--help").out
    assert all(f" {noun} " in text for noun in NOUNS)
    places = [text.index(panel) for panel in ("Start here", "Shops and their", "Orders, listings", "Keeping it")]
    assert places == sorted(places)
    assert "A first day" in text


def test_it_says_its_version(cli: Program) -> None:
    assert cli("--version").out == f"prestaconsole {__version__}\n"


def test_without_a_terminal_the_console_says_so_and_ends_with_2(cli: Program) -> None:
    ended = cli(code=2)
    assert "needs a terminal" in ended.err
    assert "prestaconsole status" in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "nonsense"),
        (["shop", "add"], "name"),
        (["shop", "add", "Wolle"], "--url"),
        (["shop", "list", "--sideways"], "--sideways"),
        (["feed", "log", "seven"], "'run'"),
        (["order", "import", "wolle", "--days", "-1"], "--days"),
    ],
)
def test_wrong_use_ends_with_2_and_points_to_the_help(cli: Program, arguments: list[str], words: str) -> None:
    ended = cli(*arguments, code=2)
    assert words.lower() in ended.err.lower()
    assert "--help` shows what it takes" in ended.err
    assert "Traceback" not in ended.text


def test_a_noun_alone_shows_its_verbs_once_and_ends_with_2(cli: Program) -> None:
    ended = cli("shop", code=2)
    assert ended.text.count("rotate-key") == 1


def test_every_command_has_help_that_can_be_shown(cli: Program) -> None:
    for noun in sorted(NOUNS):
        assert "Usage" in cli(noun, "--help").out


def test_a_fault_of_ours_is_one_line_without_secrets_and_names_the_log(
    cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError(f"it went wrong\nwith Authorization: Basic abcdefgh12345678 and {KEY}")

    monkeypatch.setattr("prestaconsole.services.shops.list_shops", broken)
    ended = cli("shop", "list", code=1)
    lines = ended.err.splitlines()
    assert lines[0].startswith("A fault of PrestaConsole: ValueError: it went wrong with")
    assert "prestaconsole.log" in lines[1]
    log = (cli.folder / "logs" / "prestaconsole.log").read_text()
    assert "ValueError" in log
    for text in (ended.text, log):
        assert KEY not in text
        assert "abcdefgh12345678" not in text


def test_a_reader_that_goes_away_is_no_error(cli: Program) -> None:
    done = subprocess.run(
        f"{sys.executable} -c 'from prestaconsole.cli import main; main()' --help | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_commands_and_the_core_load_no_textual(cli: Program, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from prestaconsole.cli.app import run\n"
        "import prestaconsole.cli.demonstration, prestaconsole.cli.manual\n"
        "assert run(['status']) == 0\n"
        "assert run(['shop', 'list']) == 0\n"
        "loaded = sorted(name for name in sys.modules if name.split('.')[0] == 'textual')\n"
        "assert not loaded, loaded\n"
    )
    environment = {**os.environ, "PRESTACONSOLE_DATA_DIR": str(cli.folder)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_status_asks_no_shop_and_so_loads_neither_http_nor_alembic(cli: Program) -> None:
    script = (
        "import sys\n"
        "from prestaconsole.cli.app import run\n"
        "assert run(['status']) == 0\n"
        "loaded = {'httpx', 'alembic', 'lxml', 'starlette', 'openpyxl', 'textual'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    environment = {**os.environ, "PRESTACONSOLE_DATA_DIR": str(cli.folder)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_entry_point_ends_the_process_with_the_status(cli: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from prestaconsole.cli import main

    monkeypatch.setattr(sys, "argv", ["prestaconsole", "shop", "show", "nobody"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


def test_a_run_that_is_broken_off_says_that_nothing_is_lost(
    cli: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("prestaconsole.services.shops.list_shops", stopped)
    assert run(["shop", "list"]) == 130
    assert "What was stored stays" in capsys.readouterr().err
