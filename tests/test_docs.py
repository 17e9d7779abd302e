"""The pages say what the program does: commands, settings, feeds, modes and links named there exist."""

import re
from pathlib import Path

import pytest

from prestaconsole.cli.app import program
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import ShopMode
from prestaconsole.operations.shop_settings import SHOP_SETTINGS
from prestaconsole.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def _commands() -> set[str]:
    """Every command as it is typed, such as ``shop add``."""
    names: set[str] = set()

    def walk(command: object, words: tuple[str, ...]) -> None:
        names.add(" ".join(words))
        for name, below in getattr(command, "commands", {}).items():
            walk(below, (*words, name))

    walk(program(), ())
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_named_on_a_page_exists(page: Path) -> None:
    commands = _commands()
    first = {name.split()[0] for name in commands if name}
    for found in re.findall(r"prestaconsole ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)", page.read_text(encoding="utf-8")):
        words = found.split()
        if words[0] not in first:
            pytest.fail(f"{page.name} names `prestaconsole {found}`, which is no command.")
        group = any(name.startswith(f"{words[0]} ") for name in commands)
        assert not group or " ".join(words) in commands, f"{page.name}: prestaconsole {found}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_and_feed_named_on_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = {f"PRESTACONSOLE_{name.upper()}" for name in Settings.model_fields} | {"PRESTACONSOLE_SETTINGS"}
    assert set(re.findall(r"PRESTACONSOLE_[A-Z_]+[A-Z]", text)) <= known
    for name in re.findall(r"`((?:import|export|update|retry|confirm|publish)_[a-z]+)`", text):
        assert name in FEEDS, f"{page.name}: {name}"
    for name in re.findall(r"`?((?:orders|stock|brake|push|approval)\.[a-z_]+)", text):
        assert name in SHOP_SETTINGS, f"{page.name}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_mode_table_names_every_mode() -> None:
    page = (ROOT / "docs" / "account-manager.md").read_text(encoding="utf-8")
    assert all(f"| {mode.value} |" in page for mode in ShopMode)


def test_the_example_settings_are_named_where_the_sysadmin_looks() -> None:
    assert "settings.example.env" in (ROOT / "docs" / "sysadmin.md").read_text(encoding="utf-8")
