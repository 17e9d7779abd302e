"""The Foreign writes pane: what others wrote is kept, overwritten or adopted, each with a reason."""

import pytest

from prestaconsole.console.dialogs.ask import NoteBox, ReasonBox, TypedBox
from prestaconsole.database import Database
from prestaconsole.errors import LockedError
from tests.console.driving import Driver, console
from tests.console.test_keys import reaches
from tests.console.world import foreign, make


@pytest.fixture
def edited(world: Database) -> Database:
    """Five figures that somebody else wrote, two of them decided."""
    world.write_now(foreign)
    return world


async def answer(driver: Driver, reason: str = "owner") -> None:
    """Type a reason into the box, and enter."""
    await driver.deaf_moment()
    await driver.press(*reason, "enter")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_each_figure_stands_with_what_was_expected_and_v_shows_decided_ones(
    edited: Database, size: tuple[int, int]
) -> None:
    async with console(edited, at="foreign", size=size) as driver:
        assert "3 figures, nobody decided" in driver.text()
        line = next(row for row in driver.rows() if row.startswith("> KAW-000003")).split("│")[0]
        assert line.split()[-5:] == ["6", "12", "3", "11:07", "OPEN"] or line.split()[-1] == "OPEN", line
        assert "by a push: expected 6" in " ".join(driver.text().replace("│", " ").split())
        assert all(len(row) <= size[0] for row in driver.rows())
        await driver.press("v")
        assert "5 figures, decided ones too" in driver.text() and len(driver.pane.view) == 5
        await driver.press("end", "z")
        assert driver.rows()[-1].startswith(" It is decided: keep, by Zofia.")


@pytest.mark.parametrize(
    ("key", "decision", "words"),
    [
        ("z", "keep", "the shop keeps 12, ours is 3"),
        ("s", "overwrite", "12 → 3 in the shop"),
        ("c", "adopt", "ours 3 → 12"),
    ],
)
@reaches("foreign.keep", "foreign.overwrite", "foreign.adopt")
async def test_a_decision_asks_for_a_reason_in_a_box_that_is_deaf_at_first(
    edited: Database, key: str, decision: str, words: str
) -> None:
    async with console(edited, at="foreign") as driver:
        await driver.press(key)
        assert "Allow changes in this console?" in driver.box_text()
        await driver.press("enter", *"xx")
        assert isinstance(driver.box, ReasonBox) and words in driver.box_text()
        await driver.deaf_moment()
        await driver.press("enter")
        assert driver.actions.asked == [], "without a reason nothing happens"
        await answer(driver)
        assert driver.actions.asked == [("foreign", [3], decision, "owner")]
        assert driver.rows()[-1].startswith(" 1 figure ")


async def test_marked_figures_are_decided_together_and_a_refusal_is_said(edited: Database) -> None:
    async with console(edited, at="foreign") as driver:
        await driver.allow()
        await driver.press("x", "x", "s")
        assert "Overwrite 2 figures in Sattlerei Böhm" in driver.box_text()
        driver.actions.refuse = LockedError("Foreign write 3 is decided: keep, by Łukasz.", "v shows what is open.")
        await answer(driver)
        assert "is decided: keep, by Łukasz" in driver.rows()[-1]
        await driver.press("s")
        await answer(driver)
        assert driver.actions.asked == [("foreign", [3, 2], "overwrite", "owner")]


async def test_more_than_twenty_at_once_want_the_shops_name(sqlite_database: Database) -> None:
    make(sqlite_database, listings=30, changes=0)
    sqlite_database.write_now(lambda c: foreign(c, 25, decided=0))
    async with console(sqlite_database, at="foreign") as driver:
        await driver.allow()
        await driver.press("X", "s")
        assert isinstance(driver.box, TypedBox) and "and 20 more" in driver.box_text()
        await driver.deaf_moment()
        await driver.press(*"tool", "enter", *"sattlerei-bohm", "enter")
        assert driver.actions.asked[0][2:] == ("overwrite", "tool") and len(driver.actions.asked[0][1]) == 25


@reaches("foreign.explain", "foreign.open")
async def test_e_and_enter_show_the_figure_among_what_is_not_ours(edited: Database) -> None:
    async with console(edited, at="foreign") as driver:
        await driver.press("e")
        assert isinstance(driver.box, NoteBox)
        assert "Not ours      11:07        6 → 12      seen by push  nobody decided" in driver.box_text()
        assert "Counted by    MAG-A" in driver.box_text()
        await driver.press("escape", "enter")
        assert isinstance(driver.box, NoteBox)


async def test_without_any_the_pane_says_so(world: Database) -> None:
    async with console(world, at="foreign") as driver:
        assert "Nobody else wrote stock" in driver.text()
