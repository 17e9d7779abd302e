"""The Stock formula pane: steps edited as drafts, what they would change counted first, saved in the right weight."""

import pytest
from sqlalchemy import insert, select

from prestaconsole.console.dialogs.ask import DiffBox, NoteBox, TypedBox
from prestaconsole.console.dialogs.choose import WordsBox
from prestaconsole.console.screens.formula import FormulaPane
from prestaconsole.database import Database
from prestaconsole.model import ProductFormula
from prestaconsole.services.views.formula import count
from tests.console.driving import Driver, console
from tests.console.test_keys import reaches, set_shop
from tests.console.world import NOW


async def at_step(driver: Driver, label: str) -> None:
    """Put the cursor on a step, or on an exception."""
    await driver.press("home")
    for _ in range(20):
        if label in driver.pane.table.cursor_row.label:
            return
        await driver.press("j")
    raise AssertionError(f"no {label}\n{driver.text()}")


async def set_step(driver: Driver, label: str, text: str) -> None:
    """Type a step's value over what stands there."""
    await at_step(driver, label)
    await driver.press("enter")
    assert isinstance(driver.box, WordsBox)
    await driver.press(*["backspace"] * 6, *text, "enter")


def exception(world: Database, **steps: int) -> None:
    """A product with steps of its own."""
    row = {"shop_id": 1, "product_id": 4, "updated_at": NOW, "updated_by": "Zofia", **steps}
    world.write_now(lambda c: c.execute(insert(ProductFormula), [row]))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@reaches("stock.formula")
async def test_c_shows_every_step_its_setting_two_examples_and_the_sum(world: Database, size: tuple[int, int]) -> None:
    async with console(world, at="stock", size=size) as driver:
        await driver.press("j", "c")
        await driver.until(lambda: "KAW-000002" in driver.text())
        rows = [row.split("│")[0].rstrip() for row in driver.rows()]
        assert rows[0].startswith(" Sattlerei Böhm › Stock formula")
        assert any(row.endswith("KAW-000002 KAW-000003      all") for row in rows), driver.text()
        sums = {row[2:28].strip(): row.split()[-3:] for row in rows if row[2:28].strip()}
        assert sums["1 Warehouses"] == ["2", "3", "78"] == sums["Shop should show"]
        assert sums["Shop shows now"] == ["5", "6", "114"]
        assert all(len(row) <= size[0] for row in driver.rows())
        await driver.press("escape")
        assert driver.pane.PANE == "stock"


@reaches("formula.edit", "formula.save")
async def test_a_step_is_a_draft_that_is_counted_before_a_box_saves_it(world: Database) -> None:
    async with console(world, at="formula") as driver:
        await driver.allow()
        await set_step(driver, "show at most", "6")
        text = driver.text()
        assert "6 *" in text and "Unsaved: cap none → 6" in text
        assert "6 of 12 SKUs would change: 0 up, 6 down, 0 of them to zero (0.0 %)" in text
        assert "KAW-000012  12 → 6" in text and "Brake for going to zero: 5 % or 50 SKUs. Not tripped." in text
        assert driver.actions.asked == []
        await driver.press("a", "enter")
        assert isinstance(driver.box, DiffBox) and "6 of 12 SKUs would change" in driver.box_text()
        assert driver.actions.asked == [], "the box is deaf at first"
        await driver.deaf_moment()
        await driver.press("enter")
        assert driver.actions.asked == [("formula", "sattlerei-bohm", {"stock.cap": "6"})]
        assert "Saved. 6 listings change with the next plan" in driver.rows()[-1]


async def test_what_the_brake_would_hold_wants_the_shops_name(world: Database) -> None:
    async with console(world, at="formula") as driver:
        await driver.allow()
        await set_step(driver, "less buffer", "50")
        assert "Brake: going to zero: 12, 100 %, limit 5 % or 50" in driver.text()
        await driver.press("a")
        assert isinstance(driver.box, TypedBox)
        await driver.deaf_moment()
        await driver.press("enter")
        assert driver.actions.asked == []
        await driver.press(*"sattlerei-bohm", "enter")
        assert driver.actions.asked == [("formula", "sattlerei-bohm", {"stock.buffer": "50"})]


async def test_a_bad_value_is_refused_as_it_is_typed_and_choices_are_chosen(world: Database) -> None:
    async with console(world, at="formula") as driver:
        await driver.allow()
        await at_step(driver, "less buffer")
        await driver.press("enter", "x", "enter")
        assert isinstance(driver.app.screen, WordsBox) and "whole number from 0" in driver.box_words()
        await driver.press("escape")
        await at_step(driver, "counted as")
        await driver.press("enter", *"rank", "enter")
        assert driver.pane.facts == {"stock.mode": "rank"}


@reaches("formula.drop", "formula.dry", "formula.explain")
async def test_u_drops_a_draft_d_counts_and_e_explains_the_step(world: Database) -> None:
    async with console(world, at="formula") as driver:
        await driver.allow()
        await set_step(driver, "show at most", "5")
        assert driver.pane.facts == {"stock.cap": "5"}
        await driver.press("d")
        assert driver.rows()[-1] == " Counted; nothing is saved."
        await driver.press("u")
        assert driver.pane.facts == {} and "saved" in driver.text()
        await driver.press("e")
        assert isinstance(driver.box, NoteBox) and "The most that is ever shown" in driver.box_words()


@reaches("formula.new")
async def test_n_gives_one_product_steps_of_its_own_and_u_takes_them_back(world: Database) -> None:
    exception(world, cap=2)
    async with console(world, at="formula") as driver:
        await driver.allow()
        await driver.press("n", *"KAW-000008", "enter", *"buffer 3", "x")
        assert "is no step" in driver.box_words()
        await driver.press("backspace")
        assert "The shop should show 8 → 5, of 8 free." in driver.box_text()
        await driver.press("enter")
        await driver.deaf_moment()
        await driver.press("enter")
        steps = {"buffer": "3", "threshold": "", "cap": ""}
        assert driver.actions.asked == [("exception", "sattlerei-bohm", "KAW-000008", steps)]
        await at_step(driver, "KAW-000004")
        assert "KAW-000004 has steps of its own here: cap 2. Set by Zofia." in driver.text()
        await driver.press("u")
        assert "The shop should show 2 → 4" in driver.box_text()
        await driver.deaf_moment()
        await driver.press("enter")
        assert driver.actions.asked[-1][3] == {"buffer": "", "threshold": "", "cap": ""}


async def test_a_frozen_shop_keeps_its_formula_and_an_unsaved_one_is_asked_about(world: Database) -> None:
    async with console(world, at="formula") as driver:
        await driver.allow()
        await set_step(driver, "less buffer", "2")
        await driver.press("escape")
        assert "1 step is not saved." in driver.box_text()
        await driver.deaf_moment()
        await driver.press("u")
        assert driver.pane.PANE == "stock"
        set_shop(world, 1, mode="frozen")
        await driver.press("c")
        await driver.until(lambda: "(n) Exception" in driver.rows()[-2])
        await driver.press("n")
        assert driver.rows()[-1].startswith(" Frozen: reading goes on")
        assert isinstance(driver.pane, FormulaPane) and driver.actions.asked == []


def test_blocks_add_up_to_the_whole_shop(world: Database) -> None:
    exception(world, cap=2)
    drafts = {"stock.buffer": "1"}
    whole = world.read_now(lambda c: count(c, 1, drafts, range(1, 13), [3]))
    parts = world.read_now(lambda c: count(c, 1, drafts, range(1, 6), [3]) + count(c, 1, drafts, range(6, 13), [3]))
    assert whole == parts
    steps = sum(units for step, units in whole.by_step.items() if step not in ("should", "shows"))
    assert steps == whole.by_step["should"] and (whole.changed, whole.down) == (11, 11)
    assert world.read_now(lambda c: c.execute(select(ProductFormula.cap)).scalars().all()) == [2]
