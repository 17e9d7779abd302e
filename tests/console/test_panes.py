"""Each pane as a person sees it at 80×24 and at 120×40: its key facts, and that nothing is cut that must not be."""

import pytest

from prestaconsole.database import Database
from tests.console.driving import console

SIZES = [(80, 24), (120, 40)]


@pytest.mark.parametrize("size", SIZES)
async def test_shops_show_mode_health_last_contact_and_counts(world: Database, size: tuple[int, int]) -> None:
    async with console(world, size=size) as driver:
        text = driver.text()
        assert "  Shop               " in text
        lines = {line[2:16].strip(): line for line in driver.rows() if not line.startswith("──")}
        assert "REHEARSAL ok         now" in lines["Palarnia Żubr"]
        assert "LIVE      DOWN " in lines["Fleurs Moreau"]
        assert "PAUSE" in lines["Jouets Lefèvre"]
        assert lines["Sattlerei Böhm"].split("│")[0].split()[-5:] == ["8.2.1", "12", "20", "not", "run"]
        assert "DRAFT     –" in lines["東京堂文具"]
        assert "daemon ok  1 incident" in driver.rows()[0]
        assert driver.rows()[-1].startswith(" F1 Help F2 Board F6 Stock F7 Feeds F8 Shop F9 Do")


@pytest.mark.parametrize("size", SIZES)
async def test_feeds_show_schedule_state_progress_and_locks(world: Database, size: tuple[int, int]) -> None:
    async with console(world, size=size, at="feeds") as driver:
        lines = {line[2:19].strip(): line for line in driver.rows() if not line.startswith("──")}
        assert driver.rows()[0].startswith(" Sattlerei Böhm › Feeds")
        assert "LIVE  READ-ONLY  daemon ok" in driver.rows()[0]
        assert "every 60 min" in lines["import_products"] and "RUN    ███████░░░░░ 62 %" in lines["import_products"]
        assert "every 5 min       now ok     " in lines["import_orders"]
        assert "queued" in lines["retry_orders"]
        assert "FAIL   The shop answered 500" in lines["stock_check"]
        assert "switched off by Zofia" in lines["analyse"]
        assert "locked Locked in live" in lines["import_stock"]
        await driver.press("j")
        assert "Run 8 810 · 3 870 of 6 240" in driver.text()


@pytest.mark.parametrize("size", SIZES)
async def test_mappings_show_state_flags_action_and_retry(world: Database, size: tuple[int, int]) -> None:
    async with console(world, size=size, at="mappings") as driver:
        lines = {line[7:28].strip(): line for line in driver.rows() if not line.startswith("──")}
        assert "States in 1" in driver.text()
        assert "?" in lines["Abholung"]
        assert "paid, valid" in lines["Paiement accepté"] and "import      no" in lines["Paiement accepté"]
        assert "skip        yes" in lines["En attente du chèque"]
        assert driver.pane.table.cursor_row.name == "Abholung"


@pytest.mark.parametrize("size", SIZES)
async def test_stock_diffs_show_ours_shops_and_planned(world: Database, size: tuple[int, int]) -> None:
    async with console(world, size=size, at="stock") as driver:
        assert "Plan 611   11 changes: 0 up, 11 down, 0 to zero   brake ok" in driver.text()
        line = next(line for line in driver.rows() if "KAW-000004" in line)
        assert line.split("│")[0].split()[-5:] == ["4", "7", "4", "-3", "planned"]
        assert "stock row 1 801" in driver.text()


@pytest.mark.parametrize("size", SIZES)
async def test_the_live_log_follows_its_newest_line(world: Database, size: tuple[int, int]) -> None:
    async with console(world, size=size, at="log") as driver:
        assert "following   level all" in driver.text()
        assert driver.pane.table.cursor == 39
        assert "FAIL import_orders 8 802: page 39: 117 rows, order 4039 held" in driver.text()


async def test_a_wide_terminal_shows_the_strip_as_a_side(world: Database) -> None:
    async with console(world, size=(120, 40), at="stock") as driver:
        row = next(line for line in driver.rows() if "KAW-000001" in line and "│" in line)
        assert row.index("│") == 81
        assert not any(line.startswith("──") for line in driver.rows())


async def test_below_80_by_24_only_the_message_stands_and_growing_back_restores(world: Database) -> None:
    async with console(world, at="stock") as driver:
        await driver.press("j", "j")
        await driver.pilot.resize_terminal(72, 20)
        await driver.settle()
        assert "PrestaConsole needs 80 × 24. This window has 72 × 20." in driver.text()
        assert "KAW" not in driver.text()
        await driver.pilot.resize_terminal(80, 24)
        await driver.settle()
        assert "KAW-000003" in driver.text() and driver.pane.table.cursor == 2


async def test_an_empty_database_says_what_would_fill_it(sqlite_database: Database) -> None:
    async with console(sqlite_database) as driver:
        assert "No shop yet. prestaconsole shop add connects one" in driver.text()
        await driver.press("f7")
        assert "No feed yet" in driver.text()
        await driver.press("f6")
        assert "Stock diffs belong to one shop." in driver.text()


@pytest.mark.parametrize("pane", ["shops", "feeds", "mappings", "stock", "log"])
@pytest.mark.parametrize("size", SIZES)
async def test_no_line_is_longer_than_the_screen_and_the_furniture_stands(
    world: Database, pane: str, size: tuple[int, int]
) -> None:
    async with console(world, size=size, at=pane) as driver:
        strips = driver.pane._compositor.render_strips()
        assert [strip.cell_length for strip in strips] == [size[0]] * size[1]
        assert driver.rows()[-2].startswith(" ") and len(driver.rows()[-2]) <= size[0]
