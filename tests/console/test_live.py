"""What changes under a person's eyes: other processes' commits, the daemon's silence, a busy database, new rows."""

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, update

from prestaconsole.console.dialogs.ask import TypedBox
from prestaconsole.database import Database, DatabaseError
from prestaconsole.model import FeedRun, FeedRunLog, Incident, Installation, Runner, Shop
from tests.console.driving import console
from tests.console.test_keys import at_feed
from tests.console.world import NOW, shop_row


def write(world: Database, statement: Any) -> None:
    """Another process commits."""
    world.write_now(lambda connection: connection.execute(statement))


async def test_a_runs_progress_and_counts_move_while_one_looks(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        await at_feed(driver, "import_products")
        write(world, update(FeedRun).where(FeedRun.id == 8810).values(done=5616, counts={"changed": 60, "skipped": 3}))
        await driver.until(lambda: "██████████░░ 90 %" in driver.text())
        assert "60 changed, 3 skipped" in driver.text()


async def test_the_header_counts_incidents_and_follows_a_pause(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        write(
            world,
            insert(Incident).values(shop_id=1, open_key="1:y", cause_key="y", title="x", opened_at=NOW, last_at=NOW),
        )
        await driver.until(lambda: "2 incidents" in driver.rows()[0])
        paused = {"paused_at": NOW, "paused_by": "Anaïs", "pause_reason": "upgrade"}
        write(world, update(Shop).where(Shop.id == 1).values(**paused))
        await driver.until(lambda: "PAUSED" in driver.rows()[0])


async def test_a_pause_of_everything_stands_in_the_header_and_locks_the_feeds(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        write(
            world,
            insert(Installation).values(
                id=1, paused_at=NOW, paused_until=NOW + timedelta(hours=2), paused_by="Anaïs", pause_reason="upgrade"
            ),
        )
        await driver.until(lambda: "ALL PAUSED to " in driver.rows()[0])
        await at_feed(driver, "import_orders")
        await driver.until(lambda: "Everything is paused until" in driver.text())


async def test_a_silent_daemon_is_said_on_every_screen_and_locks_what_it_would_do(world: Database) -> None:
    async with console(world, at="feeds") as driver:
        driver.clock.pass_by(55 * 60)
        driver.app._tick()
        await driver.allow()
        assert driver.rows()[1].rstrip() == (
            " STALE  The daemon last reported at 14:07, 55 min ago. This is how it was then."
        )
        assert "daemon STALE 55 min" in driver.rows()[0]
        await at_feed(driver, "import_orders")
        await driver.press("r")
        assert "No daemon has reported for 55 min" in driver.rows()[-1] and driver.actions.asked == []
        write(world, update(Runner).values(heartbeat=driver.clock.now()))
        await driver.until(lambda: "daemon ok" in driver.rows()[0] and "STALE" not in driver.text())


async def test_a_console_that_works_itself_says_so_and_locks_nothing(world: Database) -> None:
    async with console(world, at="feeds", runs_here=lambda: True) as driver:
        driver.clock.pass_by(55 * 60)
        driver.app._tick()
        await driver.allow()
        assert "runs here" in driver.rows()[0]
        assert driver.rows()[1].endswith("at 14:07, 55 min ago. This console took over.")
        await at_feed(driver, "import_orders")
        await driver.press("r")
        assert driver.actions.asked


async def test_new_rows_are_announced_and_come_with_v(world: Database) -> None:
    async with console(world) as driver:
        names = [row for row in driver.rows() if "LIVE" in row]
        driver.pane._look_at = 0.0
        write(world, insert(Shop).values(**shop_row(7, "aaa", "Aachener Laden")))
        await driver.until(lambda: "1 new, v enter sorts again" in driver.text())
        assert [row for row in driver.rows() if "LIVE" in row] == names, "no row moved"
        await driver.press("v")
        assert driver.rows()[2].strip().startswith("Shop") and "Aachener Laden" in driver.rows()[3]


async def test_a_busy_database_keeps_the_list_and_says_since_when(world: Database) -> None:
    async with console(world) as driver:
        shown = [row for row in driver.rows() if "LIVE" in row]
        real = driver.app.reader

        class Busy:
            """Fails each read."""

            is_sqlite = True

            async def read(self, fn: Any) -> Any:
                raise DatabaseError("The database was busy for 10 seconds.", "Try again.")

            def version(self) -> int:
                return -2

        driver.app.reader = driver.pane.view.reader = Busy()  # type: ignore[assignment]  # stands in for the database
        await driver.until(lambda: "not refreshed since 14:07: The database was busy" in driver.text())
        assert [row for row in driver.rows() if "LIVE" in row] == shown
        driver.app.reader = driver.pane.view.reader = real
        await driver.until(lambda: "not refreshed" not in driver.text())


async def test_a_paused_log_counts_what_came_and_repaints_nothing_else(world: Database) -> None:
    async with console(world, at="log") as driver:
        await driver.press("p")
        lines = driver.rows()[4:17]
        write(world, insert(FeedRunLog).values(run_id=8802, seq=99, at=NOW, level="info", text="page 99"))
        await driver.until(lambda: "PAUSED, 1 line since" in driver.text())
        assert driver.rows()[4:17] == lines
        await driver.press("p")
        assert "page 99" in driver.text() and "following" in driver.text()


async def test_ages_change_by_whole_minutes_without_a_commit(world: Database) -> None:
    async with console(world) as driver:
        assert "now" in next(row for row in driver.rows() if "Palarnia" in row)
        driver.clock.pass_by(11 * 60)
        driver.app._tick()
        await driver.settle()
        assert "12 min" in next(row for row in driver.rows() if "Palarnia" in row)


async def test_the_read_only_banner_goes_after_a_minute(world: Database) -> None:
    async with console(world) as driver:
        assert driver.rows()[1].startswith(" READ-ONLY  You are looking.")
        driver.clock.pass_by(61)
        write(world, update(Runner).values(heartbeat=driver.clock.now()))
        driver.app._tick()
        await driver.settle()
        assert "READ-ONLY" in driver.rows()[0] and "You are looking" not in driver.text()


def typed(name: str, code: str, text: str) -> bool:
    """Whether a typed text names a shop."""
    box = TypedBox("Freeze", [], "Freeze", name=name, code=code, reason=False)
    box._typed.set(text)
    return box.named


def test_a_name_is_matched_without_case_and_accents_or_by_its_code() -> None:
    assert typed("Sattlerei Böhm", "sattlerei", "SATTLEREI  bohm")
    assert typed("Świat Łódź Großø", "swiat", "swiat lodz grosso")
    assert typed("東京堂文具", "tokyodo", "Tokyodo") and typed("東京堂文具", "tokyodo", "東京堂文具")
    assert typed("Sattlerei Böhm", "sattlerei", "Sattlerei") is not False
    assert not typed("Sattlerei Böhm", "s-b", "Sattlerei") and not typed("Sattlerei Böhm", "s-b", "")


async def test_a_name_cannot_be_pasted_but_a_reason_can(world: Database) -> None:
    from textual import events

    async with console(world) as driver:
        box = TypedBox("Freeze", [], "Freeze", name="Sattlerei Böhm", code="s-b")
        driver.app.push_screen(box)
        await driver.settle()
        driver.clock.pass_by(0.4)
        box.post_message(events.Paste("Peak season"))
        await driver.settle()
        await driver.press("enter")
        box.post_message(events.Paste("Sattlerei Böhm"))
        await driver.settle()
        assert "Peak season" in driver.box_text() and "a paste is not taken" in driver.box_text()
        assert not box.whole


async def test_wide_roomy_and_narrow_layouts_follow_the_window(world: Database) -> None:
    async with console(world, size=(160, 40)) as driver:
        assert "Zone" in driver.rows()[2] and driver.rows()[3].index("│") == 121
        await driver.pilot.resize_terminal(80, 24)
        await driver.settle()
        assert "│" not in driver.text() and "Zone" not in driver.rows()[2]
