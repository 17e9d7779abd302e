"""Every command by its key: what it asks, what it asks services for, what row 24 answers."""

from typing import Any

import pytest
from sqlalchemy import update

from prestaconsole.console.dialogs.ask import AskBox, DiffBox, NoteBox, TypedBox
from prestaconsole.console.dialogs.choose import ChoiceBox, PauseBox, WordsBox
from prestaconsole.console.dialogs.places import GoBox, HelpBox, PaletteBox
from prestaconsole.database import Database
from prestaconsole.errors import LockedError
from prestaconsole.model import Changeset, Shop
from tests.console.driving import Driver, console
from tests.console.world import NOW

#: Command → the test here that presses its key.
REACHED: dict[str, str] = {}


def reaches(*names: str) -> Any:
    """Note which commands a test reaches."""

    def note(test: Any) -> Any:
        REACHED.update(dict.fromkeys(names, test.__name__))
        return test

    return note


def set_plan(world: Database, **values: Any) -> None:
    """Change the plan 611."""
    world.write_now(lambda c: c.execute(update(Changeset).where(Changeset.id == 611).values(**values)))


def set_shop(world: Database, shop: int, **values: Any) -> None:
    """Change a shop."""
    world.write_now(lambda c: c.execute(update(Shop).where(Shop.id == shop).values(**values)))


async def at_shop(driver: Driver, name: str) -> None:
    """Put the cursor of the Shops pane on a shop."""
    await driver.until(lambda: driver.pane.table.cursor_row is not None)
    for _ in range(10):
        if driver.pane.table.cursor_row.name == name:
            return
        await driver.press("j")
    raise AssertionError(f"no {name}")


async def at_feed(driver: Driver, feed: str) -> None:
    """Put the cursor of the Feeds pane on a feed."""
    await driver.press("home")
    for _ in range(10):
        if driver.pane.table.cursor_row.feed == feed:
            return
        await driver.press("j")
    raise AssertionError(f"no {feed}")


@reaches("shops.open", "back")
async def test_enter_opens_a_shop_as_scope_and_esc_brings_all_back(world: Database) -> None:
    async with console(world) as driver:
        await at_shop(driver, "Sattlerei Böhm")
        await driver.press("enter")
        assert driver.pane.PANE == "feeds" and driver.rows()[0].startswith(" Sattlerei Böhm › Feeds")
        await driver.press("escape")
        assert driver.pane.PANE == "shops" and driver.pane.table.cursor_row.name == "Sattlerei Böhm"


@reaches("shops.pause")
async def test_p_enter_enter_pauses_a_shop_for_the_first_reason_and_an_hour(world: Database) -> None:
    async with console(world) as driver:
        await driver.allow()
        await at_shop(driver, "Sattlerei Böhm")
        await driver.press("p")
        assert isinstance(driver.box, PauseBox) and "Shop upgrade" in driver.box_text()
        await driver.deaf_moment()
        await driver.press("enter", "enter")
        (asked,) = driver.actions.asked
        assert asked[:3] == ("pause", "sattlerei-bohm", "Shop upgrade")
        assert (asked[3] - driver.clock.now()).total_seconds() == pytest.approx(3600, abs=5)
        assert "Sattlerei Böhm is paused" in driver.rows()[-1]


async def test_p_on_a_paused_shop_resumes_it(world: Database) -> None:
    async with console(world) as driver:
        await driver.allow()
        await at_shop(driver, "Jouets Lefèvre")
        assert "p Resume" in driver.rows()[-2]
        await driver.press("p", "enter")
        assert driver.actions.asked == [("resume", "jouets-lefevre")]


async def test_a_typed_reason_and_an_open_end_are_taken(world: Database) -> None:
    async with console(world) as driver:
        await driver.allow()
        await at_shop(driver, "Sattlerei Böhm")
        await driver.press("p")
        await driver.deaf_moment()
        await driver.press("left", "N", "e", "w", "enter", "left", "enter")
        assert driver.actions.asked == [("pause", "sattlerei-bohm", "New", None)]


@reaches("shops.import")
async def test_o_imports_orders_of_a_shop(world: Database) -> None:
    async with console(world) as driver:
        await driver.allow()
        await at_shop(driver, "Sattlerei Böhm")
        await driver.press("o")
        assert driver.actions.asked == [("feed", "sattlerei-bohm", "import_orders", False, "")]
        assert "import_orders of Sattlerei Böhm is run 8 812. l follows it." in driver.rows()[-1]


async def test_a_locked_key_stands_in_brackets_costs_nothing_and_says_why(world: Database) -> None:
    async with console(world) as driver:
        await driver.allow()
        await at_shop(driver, "東京堂文具")
        assert "(p) Pause  (o) Import" in driver.rows()[-2]
        await driver.press("p")
        assert driver.rows()[-1] == " A draft has no feeds yet."
        await driver.press("j")
        assert "F1 Help" in driver.rows()[-1]
        assert driver.actions.asked == []


@reaches("shops.explain", "shops.log")
async def test_e_explains_a_shop_and_l_shows_its_log(world: Database) -> None:
    async with console(world) as driver:
        await at_shop(driver, "Fleurs Moreau")
        await driver.press("e")
        assert isinstance(driver.box, NoteBox) and "The shop answers 500 since 13:15." in driver.box_text()
        await driver.press("escape", "l")
        assert driver.rows()[0].startswith(" Fleurs Moreau › Live log")
        assert "Nothing ran here yet." in driver.text()


@reaches("feeds.run")
async def test_r_runs_a_reading_feed_at_once_and_plans_a_writing_one(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        await driver.allow()
        await at_feed(driver, "import_orders")
        await driver.press("r")
        assert driver.actions.asked == [("feed", "sattlerei-bohm", "import_orders", False, "")]
        assert "import_orders is queued as run 8 812" in driver.rows()[-1]
        await at_feed(driver, "export_stock")
        await driver.press("r")
        assert isinstance(driver.box, DiffBox)
        await driver.deaf_moment()
        await driver.press("enter")
        assert driver.actions.asked[-1] == ("feed", "sattlerei-bohm", "export_stock", True, "")


@reaches("feeds.dry")
async def test_d_plans_a_writing_feed_without_asking_for_changes(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        await at_feed(driver, "export_stock")
        await driver.press("d")
        assert driver.actions.asked == [("feed", "sattlerei-bohm", "export_stock", True, "")]
        await at_feed(driver, "import_orders")
        await driver.press("d")
        assert driver.rows()[-1] == " import_orders only reads: r runs it."


async def test_a_second_import_of_stock_wants_a_reason_and_the_shops_name(world: Database) -> None:
    set_shop(world, 1, mode="setup")
    async with console(world, at="feeds") as driver:
        await driver.allow()
        await at_feed(driver, "import_stock")
        await driver.press("r")
        if not isinstance(driver.app.screen, TypedBox):
            # The gate wants a warehouse first; that lock is said, nothing is asked.
            assert "(r) Run" in driver.rows()[-2] and driver.actions.asked == []
            return
        await driver.deaf_moment()
        await driver.press(*"redo", "enter", *"sattlerei-bohm".replace("-", "-"), "enter")
        assert driver.actions.asked == [("feed", "sattlerei-bohm", "import_stock", False, "redo")]


@reaches("feeds.schedule", "feeds.undo")
async def test_c_reads_a_schedule_back_as_it_is_typed_and_u_takes_it_back(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        await driver.allow()
        await at_feed(driver, "import_orders")
        await driver.press("c")
        assert isinstance(driver.box, WordsBox) and "every 5 min_" in driver.box_text()
        await driver.press(*["backspace"] * 5, *"x")
        await driver.press("enter")
        assert isinstance(driver.app.screen, WordsBox) and driver.actions.asked == []
        await driver.press(*["backspace"] * 12, *"daily 03:00")
        assert "Next    Fri 03:00" in driver.box_text() and "Europe/Warsaw" in driver.box_text()
        await driver.press("enter")
        assert driver.actions.asked == [("schedule", "sattlerei-bohm", "import_orders", "daily 03:00")]
        await driver.press("u")
        assert driver.actions.asked[-1] == ("schedule", "sattlerei-bohm", "import_orders", "every 5 min")


@reaches("feeds.stop")
async def test_p_stops_a_running_feed_at_its_next_page(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        await driver.allow()
        await at_feed(driver, "import_products")
        await driver.press("p", "enter")
        assert driver.actions.asked == [("cancel", 8810)]
        await at_feed(driver, "import_orders")
        await driver.press("p")
        assert "import_orders does not run now." in driver.rows()[-1]


@reaches("feeds.explain")
async def test_e_on_a_locked_feed_says_what_unlocks_it(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        await at_feed(driver, "import_stock")
        await driver.press("e")
        text = driver.box_words()
        assert "Locked in live: the console owns the stock now; an import would overwrite it." in text
        assert "A correction goes through" in text


@reaches("feeds.open", "feeds.log")
async def test_enter_and_l_follow_the_log_of_the_last_run(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        await at_feed(driver, "stock_check")
        await driver.press("enter")
        assert "run 8 803" in driver.text() and driver.pane.PANE == "log"
        assert {row.run_id for i in driver.pane.view.ids if (row := driver.pane.view.row(i))} == {8803}
        await driver.press("f7")
        await at_feed(driver, "import_orders")
        await driver.press("l")
        assert "run 8 802" in driver.text()


@reaches("mappings.choose", "mappings.save")
async def test_a_rule_is_chosen_by_keyboard_marked_unsaved_and_saved_through_a_box(world: Database) -> None:
    async with console(world, at="mappings") as driver:
        await driver.allow()
        await driver.press("enter")
        assert isinstance(driver.box, ChoiceBox) and "as its flags suggest" in driver.box_text()
        await driver.press(*"hold", "enter")
        assert "hold *" in driver.text() and "1 unsaved *" in driver.text()
        await driver.press("a")
        assert "? → hold" in driver.box_text() and "Save 1 rule of Sattlerei Böhm" in driver.box_text()
        await driver.press("enter")
        assert driver.actions.asked == [], "the box is deaf at first"
        await driver.deaf_moment()
        await driver.press("enter")
        assert driver.actions.asked == [("states", "sattlerei-bohm", [{"state": 11, "action": "hold", "retry": False}])]


@reaches("mappings.suggest", "mappings.drop", "mappings.retry", "mappings.explain")
async def test_m_takes_suggestions_of_all_marked_rows_and_u_drops_them(world: Database) -> None:
    async with console(world, at="mappings") as driver:
        await driver.allow()
        await driver.press("X", "m")
        drafts = dict(driver.pane.facts)
        assert drafts, "marked rows take their own suggestion"
        await driver.press("u")
        assert driver.pane.facts == {}
        await driver.press("X", "home", "m", "c")
        assert "*" in driver.text()
        await driver.press("e")
        assert "From the flags alone the suggestion is" in driver.box_words()


async def test_leaving_unsaved_rules_asks(world: Database) -> None:
    async with console(world, at="mappings") as driver:
        await driver.allow()
        await driver.press("m", "escape")
        assert "1 rule of this shop are not saved." in driver.box_text()
        await driver.deaf_moment()
        await driver.press("u")
        assert driver.pane.PANE == "shops"


@reaches("stock.dry", "stock.apply")
async def test_d_plans_and_a_sends_through_a_box_that_is_deaf_at_first(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.press("d")
        assert driver.actions.asked == [("feed", "sattlerei-bohm", "export_stock", True, "")]
        await driver.allow()
        await driver.press("a", "enter")
        assert "Send 11 stock changes to Sattlerei Böhm" in driver.box_text() and len(driver.actions.asked) == 1
        await driver.deaf_moment()
        await driver.press("enter")
        assert driver.actions.asked[1:] == [("approve", 611), ("apply", 611)]


async def test_esc_in_the_box_sends_nothing(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.allow()
        await driver.press("a")
        await driver.deaf_moment()
        await driver.press("escape")
        assert driver.actions.asked == []


async def test_a_plan_of_a_rehearsal_cannot_be_sent(world: Database) -> None:
    set_shop(world, 1, mode="rehearsal")
    async with console(world, at="stock") as driver:
        await driver.allow()
        assert "(a) Apply" in driver.rows()[-2]
        await driver.press("a")
        assert driver.rows()[-1].startswith(" Rehearsal plans and sends nothing.")


BRAKE = {
    "tripped": True,
    "words": "1 204 SKUs would go to 0.",
    "rules": [
        {"rule": "going to zero", "limit": "5 % or 50", "plan": "1 204, 24 %", "tripped": True},
        {"rule": "changed at once", "limit": "60 %", "plan": "31 %", "tripped": False},
    ],
}


async def test_a_brake_is_released_only_by_reason_and_name(world: Database) -> None:
    set_plan(world, state="held", brake=BRAKE)
    async with console(world, at="stock") as driver:
        assert "BRAKE  Plan 611 is held" in driver.text() and "1 204, 24 % tripped" in driver.text()
        assert "a Release" in driver.rows()[-2] and "1 brake" in driver.rows()[0]
        await driver.allow()
        await driver.press("a")
        assert isinstance(driver.box, TypedBox)
        await driver.press("y", "enter")
        assert driver.actions.asked == []
        await driver.deaf_moment()
        await driver.press(*"empty", "enter", *"Sattler", "enter")
        assert "This is not Sattlerei Böhm." in driver.box_text() and driver.actions.asked == []
        await driver.press(*["backspace"] * 7, *"sattlerei", "space", *"BOHM")
        assert '"Sattlerei Böhm" is matched' in driver.box_text()
        await driver.press("enter")
        assert driver.actions.asked == [("release", 611, "sattlerei-bohm", "empty")]


async def test_rows_held_because_somebody_else_wrote_are_released_by_name_too(world: Database) -> None:
    words = "2 rows were written by somebody else meanwhile."
    set_plan(world, state="held", brake={"tripped": False}, approved_at=NOW, error=words)
    async with console(world, at="stock") as driver:
        await driver.allow()
        assert "HELD" in driver.text() and words in driver.text()
        await driver.press("a")
        assert isinstance(driver.box, TypedBox) and words in driver.box_words()


async def test_a_plan_made_in_rehearsal_is_not_sent_in_live(world: Database) -> None:
    set_plan(world, mode="rehearsal")
    async with console(world, at="stock") as driver:
        await driver.allow()
        await driver.press("a")
        assert "Plan 611 was made in rehearsal: it is for comparing." in driver.rows()[-1]


async def test_a_plan_may_be_approved_now_and_sent_later(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.allow()
        await driver.press("a")
        await driver.deaf_moment()
        await driver.press("o")
        assert driver.actions.asked == [("approve", 611)]


@reaches("stock.stop")
async def test_p_stops_a_plan_that_is_being_sent(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.allow()
        await driver.press("p")
        assert driver.rows()[-1] == " Nothing is being sent now."
        set_plan(world, state="applying", run_id=8812)
        await driver.until(lambda: "p Stop" in driver.rows()[-2])
        assert "░░░░░░░░░░░░ 0 %   0 ok, applying" in driver.text()
        await driver.press("p")
        assert driver.actions.asked == [("cancel", 8812)]


@reaches("stock.undo")
async def test_u_drops_a_waiting_plan_and_plans_the_way_back_of_a_sent_one(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.allow()
        await driver.press("u")
        assert "Drop plan 611" in driver.box_text()
        await driver.deaf_moment()
        await driver.press("enter")
        assert driver.actions.asked == [("drop", 611)]
        set_plan(world, state="done")
        await driver.until(lambda: "u Undo" in driver.rows()[-2])
        await driver.press("u")
        assert "Undo plan 611" in driver.box_text()
        await driver.deaf_moment()
        await driver.press("escape", "x", "u")
        await driver.deaf_moment()
        await driver.press("enter")
        assert driver.actions.asked[-1] == ("undo", 611, [1])
        assert "Plan 612 is the way back. a sends it. Not undone: KAW-000009" in driver.rows()[-1]


@reaches("stock.explain", "stock.open")
async def test_e_and_enter_show_every_part_of_a_number(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.press("e")
        assert "MAG-A" in driver.box_text() and "should show      4 shown" in driver.box_text()
        await driver.press("escape", "enter")
        assert "they differ" in driver.box_text()


@reaches("view")
async def test_v_walks_through_the_plan_those_to_zero_and_all_listings(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.press("v")
        assert "Shown: to zero." in driver.rows()[-1] and len(driver.pane.view) == 0
        await driver.press("v")
        assert len(driver.pane.view) == 12 and "KAW-000012" in driver.text()


@reaches("log.pause", "log.level", "log.open")
async def test_the_log_pauses_shows_levels_and_one_run(world: Database) -> None:
    async with console(world, at="log") as driver:
        await driver.press("p")
        assert "PAUSED" in driver.text() and "p Follow" in driver.rows()[-2]
        await driver.press("p", "v", "v")
        assert "level warn" in driver.text() and len(driver.pane.view) == 20
        await driver.press("v")
        assert "level FAIL" in driver.text() and len(driver.pane.view) == 10
        await driver.press("v", "enter")
        assert "run 8 80" in driver.text() and len(driver.pane.view) == 20
        await driver.press("escape")
        assert len(driver.pane.view) == 40


async def test_moving_up_pauses_the_log_and_end_follows_again(world: Database) -> None:
    async with console(world, at="log") as driver:
        await driver.press("k")
        assert "PAUSED" in driver.text()
        await driver.press("end")
        assert "following" in driver.text()


@reaches("mark", "mark.all")
async def test_x_marks_a_row_and_capital_x_all(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.press("x", "space")
        assert driver.pane.view.marks == set(driver.pane.view.ids[:2]) and "2 marked" in driver.text()
        await driver.press("X")
        assert len(driver.pane.view.marks) == 11
        await driver.press("X")
        assert driver.pane.view.marks == set()


@reaches("filter")
async def test_f_filters_as_one_types_and_esc_clears_it(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.press("f", *"kolumbia")
        await driver.until(lambda: len(driver.pane.view) == 2)
        assert "Filter  kolumbia_" in driver.rows()[-2]
        await driver.press("enter")
        assert "filter kolumbia: 2 rows" in driver.text()
        await driver.press("escape")
        await driver.until(lambda: len(driver.pane.view) == 11)
        assert driver.pane.PANE == "stock", "esc undoes one step only"


@reaches("copy")
async def test_y_copies_the_rows_code(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.press("j", "y")
        assert driver.app.clipboard == "KAW-000002"
        assert "KAW-000002 is in the clipboard." in driver.rows()[-1]


@reaches("help")
async def test_f1_and_question_mark_show_help_made_from_the_registry(world: Database) -> None:
    set_shop(world, 1, mode="rehearsal")
    async with console(world, at="stock") as driver:
        for key in ("f1", "question_mark"):
            await driver.press(key)
            assert isinstance(driver.box, HelpBox)
            text = driver.box_words()
            assert "What is this" in text and "What can I do" in text and "Dry run: make the plan anew" in text
            assert "(a) Rehearsal plans and sends nothing." in text
            await driver.press("escape")
        lines = [line for line in driver.rows() if line]
        assert lines


@reaches("board", "stock", "feeds", "shop", "go", "go.mappings", "go.log", "go.foreign")
async def test_every_place_has_its_key(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        for keys, pane in (
            (("f2",), "shops"), (("f7",), "feeds"), (("f6",), "stock"), (("f8",), "shops"), (("g", "m"), "mappings"),
            (("g", "l"), "log"), (("g", "f"), "feeds"), (("g", "t"), "stock"), (("g", "h"), "shops"),
            (("g", "e"), "foreign"),
        ):  # fmt: skip
            await driver.press(*keys)
            assert pane == driver.pane.PANE, keys
        await driver.press("g")
        assert isinstance(driver.box, GoBox)


async def test_keys_typed_behind_a_command_reach_the_box_it_opens(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        await driver.pilot.press("g", "m")
        await driver.until(lambda: driver.pane.PANE == "mappings")
        await driver.pilot.press("m", "enter", "j", "j")
        await driver.until(lambda: driver.pane.table.cursor == 2)
        assert driver.app.may_change and len(driver.pane.facts) == 1


async def test_f7_again_switches_between_all_shops_and_the_last_one(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        await driver.press("f7")
        assert driver.rows()[0].startswith(" Feeds · all shops") and "  Shop             Feed" in driver.text()
        assert driver.pane.view.row(driver.pane.view.ids[0]).state == "FAIL", "worst first"
        await driver.press("f7")
        assert driver.rows()[0].startswith(" Sattlerei Böhm › Feeds")


@reaches("do")
async def test_f9_does_any_command_by_words(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.press("f9")
        assert isinstance(driver.box, PaletteBox)
        await driver.press(*"formula")
        assert "Explain this number" in driver.box_text()
        await driver.press("enter")
        assert isinstance(driver.box, NoteBox)
        await driver.press("escape", "colon", *"cron", "enter")
        assert "Schedule is on Feeds: c there." in driver.rows()[-1]


@reaches("changes")
async def test_the_first_change_asks_and_then_does_what_was_pressed(world: Database) -> None:
    async with console(world) as driver:
        await at_shop(driver, "Sattlerei Böhm")
        await driver.press("o")
        assert isinstance(driver.box, AskBox) and "Allow changes in this console?" in driver.box_text()
        await driver.press("escape")
        assert driver.actions.asked == [] and "READ-ONLY" in driver.rows()[0]
        await driver.press("o", "enter")
        assert driver.actions.asked == [("feed", "sattlerei-bohm", "import_orders", False, "")]
        assert "READ-ONLY" not in driver.rows()[0]
        await driver.press("W")
        assert "READ-ONLY" in driver.rows()[0] and "Read-only. W allows changes." in driver.rows()[-1]


async def test_a_console_started_read_only_stays_so(world: Database) -> None:
    async with console(world, read_only=True) as driver:
        await at_shop(driver, "Sattlerei Böhm")
        await driver.press("W")
        assert "started read-only" in driver.rows()[-1]
        await driver.press("o")
        assert "started read-only" in driver.rows()[-1] and driver.actions.asked == []


async def test_30_idle_minutes_turn_a_console_read_only_again(world: Database) -> None:
    async with console(world) as driver:
        await driver.allow()
        driver.clock.pass_by(31 * 60)
        driver.app._tick()
        assert driver.app.read_only and "READ-ONLY" in driver.rows()[0]


@reaches("leave")
async def test_q_asks_and_says_what_stops(world: Database) -> None:
    async with console(world, runs_here=lambda: True) as driver:
        driver.clock.pass_by(3600)
        await driver.press("q")
        assert "stop with this console" in driver.box_text()
        await driver.press("escape")
        assert not driver.app._exit
        await driver.press("q", "enter")
        assert driver.app._exit and driver.app.return_code == 0


async def test_a_refusal_is_said_in_row_24_and_at_length_by_e(world: Database) -> None:
    async with console(world) as driver:
        await driver.allow()
        await at_shop(driver, "Sattlerei Böhm")
        driver.actions.refuse = LockedError(
            "Needs analyse first: it has never finished here.", "Run analyse, then this."
        )
        await driver.press("o")
        assert driver.rows()[-1].startswith(" Needs analyse first: it has never finished here. Run analyse")
        driver.actions.refuse = LockedError("x" * 60, "The remedy stands at the end of a long sentence.")
        await driver.press("o")
        await driver.press("e")
        assert "The remedy stands at the end of a long sentence." in driver.box_words()
