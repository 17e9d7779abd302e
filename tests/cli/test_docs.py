"""The page of commands, the example of settings, and the words of the program agree with the program."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prestaconsole.cli import manual
from prestaconsole.cli.app import program
from prestaconsole.settings import example

ROOT = Path(__file__).parents[2]
LATER = {"order simulate", "order pick", "order ready", "order cancel", "order split", "shipment add", "shipment list"}
PROMISED = {
    *("demo", "sandbox", "daemon", "status", "doctor", "secrets scan"),
    *(f"db {verb}" for verb in ("upgrade", "check", "backup", "restore")),
    *(f"shop {verb}" for verb in ("add", "list", "show", "test", "analyse", "pause", "resume", "rotate-key")),
    *(f"shop {verb}" for verb in ("set", "settings", "mode")),
    *(f"feed {verb}" for verb in ("list", "run", "run-safe", "schedule", "runs", "log", "cancel")),
    *(f"order {verb}" for verb in ("list", "show", "import")),
    *("listing list", "listing show", "product list", "product show"),
    *(f"mapping {verb}" for verb in ("show", "set", "export", "import")),
    *("warehouse add", "warehouse list"),
    *(f"stock {verb}" for verb in ("set", "load", "show", "explain")),
    *(f"changeset {verb}" for verb in ("list", "show", "approve", "release", "apply", "undo")),
    *("change list", "incident list", "incident show", "incident own", "incident snooze", "incident retry"),
}


def commands(command: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command of the program that does something."""
    command = command or program()
    for name, child in getattr(command, "commands", {}).items():
        below = f"{path} {name}".strip()
        if getattr(child, "commands", None):
            yield from commands(child, below)
        else:
            yield below, child


def test_everything_promised_is_there_and_nothing_of_later_versions_pretends_to_be() -> None:
    there = {path for path, _ in commands()}
    assert there >= PROMISED
    assert not there & LATER


def test_the_page_of_commands_is_the_program_s_own() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert page == manual.page(), "run: python -m prestaconsole.cli.manual > docs/command-line.md"
    sections = {" ".join(line.split("`")[1].split()[1:]) for line in page.splitlines() if line.startswith("### ")}
    named = {re.split(r" [A-Z\[]", section)[0] for section in sections} - {"[OPTIONS]", ""}
    assert named == {path for path, _ in commands()}


def test_every_command_and_option_has_words() -> None:
    for path, command in commands():
        assert command.help, path
        for param in command.params:
            assert param.name == "help" or param.help, f"{path} {param.name}"


def test_every_list_and_show_takes_json() -> None:
    for path, command in commands():
        verb = path.split()[-1]
        if verb in {"list", "show", "runs", "settings", "status", "doctor", "run", "explain", "scan", "mode"}:
            assert any("--json" in param.opts for param in command.params), path


def test_the_example_of_settings_is_the_program_s_own() -> None:
    assert (ROOT / "settings.example.env").read_text(encoding="utf-8") == example()


def test_commands_named_in_our_own_words_exist() -> None:
    """A remedy that names a command nobody has is worse than none."""
    there = {path for path, _ in commands()}
    nouns = {path.split()[0] for path in there}
    wrong = []
    for folder in ("cli", "services", "feeds", "operations", "changes", "runner", "database"):
        for path in (ROOT / "prestaconsole" / folder).rglob("*.py"):
            for words in re.findall(
                r"`(?:prestaconsole )?([a-z]+(?: [a-z-]+)?)[^`]*`", path.read_text(encoding="utf-8")
            ):
                noun, _, verb = words.partition(" ")
                if noun in nouns and words not in there and noun not in there and verb:
                    wrong.append(f"{path.name}: {words}")
    assert wrong == []
