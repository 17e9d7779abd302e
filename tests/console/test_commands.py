"""The registry: no key with two meanings, every key keeps its idea, every command is reached by its key."""

import pytest

from prestaconsole.console.catalogue import COMMANDS, PANES, REGISTRY
from prestaconsole.console.commands import ALPHABET, EVERYWHERE, Command, CommandClashError, Registry
from prestaconsole.database import Database
from tests.console import test_foreign_keys, test_formula_keys
from tests.console.driving import console
from tests.console.test_keys import REACHED

#: Their tests note in ``REACHED`` which commands they press, as those of ``test_keys`` do.
PRESSED_IN = (test_foreign_keys, test_formula_keys)
#: Words of which one stands in the label or the help of every command on a key: the idea of SCREENS §3.
IDEAS = {
    "a": ("apply",), "c": ("change",), "d": ("dry run",), "e": ("explain",), "f": ("filter",), "l": ("log",),
    "m": ("map",), "n": ("new",),
    "o": ("import orders",), "p": ("pause", "resume"), "r": ("run",), "u": ("undo",), "v": ("view",),
    "x": ("mark",), "X": ("mark",), "y": ("copy",), "W": ("allow changes",),
    "s": ("sync",), "z": ("close", "snooze"), "q": ("leave",), "g": ("go",),
    "enter": ("open",), "escape": ("back",), "f1": ("help",), "f2": ("board",), "f6": ("stock",), "f7": ("feeds",),
    "f8": ("shop",), "f9": ("do",),
}  # fmt: skip


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.key], ids=lambda c: c.name)
def test_a_key_means_the_same_idea_on_every_screen(command: Command) -> None:
    assert command.key in ALPHABET
    text = f"{command.label} {command.help}".casefold()
    assert any(word in text for word in IDEAS[command.key]), (command.key, text)


@pytest.mark.parametrize("pane", PANES)
def test_no_key_does_two_things_in_one_pane(pane: str) -> None:
    keys = [key for command in REGISTRY.of(pane) for key in command.keys]
    assert len(keys) == len(set(keys))


def test_two_commands_on_one_key_are_refused_at_the_start() -> None:
    one = Command("one", "r", "Run", "Run.", "run", "feeds")
    two = Command("two", "r", "Rerun", "Run again.", "rerun", "feeds")
    with pytest.raises(CommandClashError, match="'r' in feeds: one and two"):
        Registry([one, two])
    Registry([one, Command("two", "r", "Rerun", "Run again.", "rerun", "stock")])


@pytest.mark.parametrize("key", ["j", "k", "7", "up", "tab", "ctrl+r", "b"])
def test_movement_digits_and_unlisted_keys_carry_no_command(key: str) -> None:
    with pytest.raises(CommandClashError):
        Registry([Command("one", key, "Run", "Run.", "run")])


def test_a_go_letter_leads_to_one_place() -> None:
    with pytest.raises(CommandClashError, match="Go letter"):
        Registry([Command("one", "", "A", "A.", "a", go="m"), Command("two", "", "B", "B.", "b", go="m")])


def test_help_sentences_are_sentences() -> None:
    for command in COMMANDS:
        assert command.help.endswith(".") and command.help[0].isupper() and "!" not in command.help


def test_the_palette_finds_commands_by_their_synonyms_and_puts_this_pane_first() -> None:
    assert REGISTRY.find("rollback", "stock")[0].name == "stock.undo"
    assert REGISTRY.find("resync", "shops")[0].name == "shops.import"
    assert REGISTRY.find("no such words", "shops") == []


def test_every_command_with_a_key_is_reached_by_a_test_that_presses_it() -> None:
    assert {command.name for command in COMMANDS} - set(REACHED) == set(), PRESSED_IN


@pytest.mark.parametrize("pane", PANES)
async def test_every_command_of_a_pane_has_something_that_does_it(world: Database, pane: str) -> None:
    async with console(world, at=pane) as driver:
        for command in REGISTRY.of(pane):
            assert hasattr(driver.pane, f"do_{command.action}") or hasattr(driver.app, f"do_{command.action}"), command


def test_bindings_carry_every_key_and_alias() -> None:
    keys = {binding.key for binding in REGISTRY.bindings(EVERYWHERE)}
    assert {"f1", "question_mark", "f9", "colon", "f", "slash", "x", "space", "W", "X", "escape"} <= keys
