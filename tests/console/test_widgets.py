"""Columns, lines and the virtual table by themselves: what is cut, what is repainted, what is read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import pytest
from sqlalchemy.engine import Connection
from textual.app import App, ComposeResult
from textual.geometry import Region

from prestaconsole.console.theme import Look, detect, word_meaning
from prestaconsole.console.widgets.columns import Column, cells_of, heading, lay_out, row_line
from prestaconsole.console.widgets.furniture import header_line, rule
from prestaconsole.console.widgets.lines import Lines, changed_until, line_text, line_width, plain, strip_of, wrapped
from prestaconsole.console.widgets.virtual_table import VirtualTable
from prestaconsole.services.views.rows import BLOCK, Ask, RowView

T = TypeVar("T")
LOOK = Look("none")
COLUMNS = (
    Column("SKU", 10, lambda row: row[0], cut="middle"),
    Column("Name", 8, lambda row: row[1], flexible=True),
    Column("Units", 5, lambda row: row[2], "right", "never"),
    Column("Wide", 6, lambda row: "w", needs=60),
)


def test_flexible_columns_take_what_is_left_and_wide_ones_come_with_room() -> None:
    narrow, wide = lay_out(COLUMNS, 40), lay_out(COLUMNS, 60)
    assert [column.title for column in narrow.columns] == ["SKU", "Name", "Units"]
    assert narrow.widths == (10, 21, 5) and narrow.starts == (2, 13, 35)
    assert [column.title for column in wide.columns][-1] == "Wide"
    assert line_width(heading(wide)) == 60


def test_columns_that_do_not_fit_go_from_the_right() -> None:
    assert [column.title for column in lay_out(COLUMNS, 22).columns] == ["SKU", "Name"]


def test_a_number_that_needs_room_takes_it_from_the_name_beside_it() -> None:
    layout = lay_out(COLUMNS, 40)
    cells = cells_of(layout, ("SKU-0001-0002", "A name that is long enough", "1 204 000"))
    line = row_line(cells, cursor=False, marked=False, faded=False, width=40)
    assert line_width(line) == 40
    assert line_text(line).endswith("1 204 000") and "SKU-0…0002" in line_text(line)


@pytest.mark.parametrize(
    ("cursor", "marked", "head"), [(True, False, "> "), (True, True, ">*"), (False, True, "* "), (False, False, "  ")]
)
def test_cursor_and_mark_stand_in_front_of_a_row(cursor: bool, marked: bool, head: str) -> None:
    line = row_line((("a", ""),), cursor=cursor, marked=marked, faded=False, width=10)
    assert line_text(line).startswith(head + "a")


def test_the_cursor_row_is_one_style_whatever_its_cells_say() -> None:
    line = row_line((("a", "stop"), ("b", "late")), cursor=True, marked=False, faded=False, width=10)
    assert [meaning for _, meaning in line] == ["cursor"]


def test_only_the_cells_up_to_the_last_change_are_sent() -> None:
    old = strip_of(plain("Plan 611   41 up"), 40, LOOK)
    new = strip_of(plain("Plan 612   41 up"), 40, LOOK)
    assert changed_until(old, new) == 8
    assert changed_until(old, old) == 0
    assert changed_until(strip_of(plain("東京"), 10, LOOK), strip_of(plain("東京x"), 10, LOOK)) == 5


def test_header_and_rule_fill_their_row_and_names_give_way() -> None:
    right = [("LIVE", "mode.live"), ("daemon ok", "")]
    line = header_line(["A shop with a name that is much too long for one row of eighty", "Feeds"], right, 60)
    assert line_width(line) <= 60 and line_text(line).rstrip().endswith(["›", "Feeds", "LIVE", "daemon", "ok"][-1])
    assert "…" in line_text(line) and "› Feeds" in line_text(line)
    assert line_width(rule("KAW", 40, "2 marked")) == 40


def test_a_line_too_long_for_the_side_is_wrapped_in_its_meaning() -> None:
    lines = wrapped(plain(" one two three four", "late"), 12)
    assert [line_text(line) for line in lines] == [" one two", " three four"]
    assert {meaning for line in lines for _, meaning in line} == {"late"}


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"TERM": "xterm-256color"}, "full"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "full"),
        ({"TERM": "xterm"}, "sixteen"),
        ({"TERM": "linux"}, "sixteen"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "none"),
        ({"TERM": "dumb"}, "none"),
    ],
)
def test_the_look_follows_what_the_terminal_says(environ: dict[str, str], colours: str) -> None:
    assert detect(environ, "utf-8").colours == colours


def test_an_output_without_utf8_gets_ascii_signs() -> None:
    assert detect({"TERM": "xterm"}, "iso-8859-1").ascii_only
    strip = strip_of(plain("── 1 → 2 …"), 12, Look("none", True))
    assert strip.text == "-- 1 > 2 ~  "


def test_every_severity_word_has_a_meaning_and_an_attribute_without_colour() -> None:
    for word, meaning in (("FAIL 500", "stop"), ("HELD", "act"), ("PAUSE", "late"), ("ok", "")):
        assert word_meaning(word) == meaning
    assert str(Look("none").style("stop")) == "bold" and str(Look("none").style("late")) == "underline"
    assert Look("none").style("good") is None


class Numbers:
    """A list of numbers read in blocks; notes what was asked."""

    orders: Sequence[str] = ("up", "down")

    def __init__(self, count: int) -> None:
        self.count = count
        self.values: dict[int, str] = {}
        self.blocks: list[int] = []

    def ids(self, connection: Connection, ask: Ask) -> Iterable[int]:
        found = [i for i in range(1, self.count + 1) if ask.words in str(i)]
        return reversed(found) if ask.order == "down" else found

    def rows(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, Any]:
        self.blocks.append(len(ids))
        return {i: (f"SKU-{i}", f"Name {i}", self.values.get(i, str(i))) for i in ids}


class AtOnce:
    """A reader without a database."""

    async def read(self, fn: Callable[[Connection], T]) -> T:
        return fn(None)  # type: ignore[arg-type]  # the query above asks no connection

    def version(self) -> int:
        return 1


class TableApp(App[None]):
    """A table alone."""

    def __init__(self, query: Numbers) -> None:
        super().__init__()
        self.look = LOOK
        self.table = VirtualTable(RowView(AtOnce(), query), COLUMNS)
        self.painted: list[Region] = []

    def compose(self) -> ComposeResult:
        yield self.table

    async def on_mount(self) -> None:
        self.table.focus()
        await self.table.reload()


async def test_the_table_reads_blocks_around_what_is_visible_and_never_more() -> None:
    query = Numbers(100_000)
    async with TableApp(query).run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        table = pilot.app.query_one(VirtualTable)
        assert table.page == 20 and sum(query.blocks) <= 200 and max(query.blocks) <= BLOCK
        await pilot.press("end")
        await pilot.pause()
        assert table.cursor == 99_999 and table.cursor_row == ("SKU-100000", "Name 100000", "100000")
        await pilot.press("home", "pagedown", "j", "k", "down")
        await pilot.pause()
        assert table.cursor == 21 and max(query.blocks) <= BLOCK and sum(query.blocks) < 1000


async def test_a_live_cell_repaints_its_line_only_and_only_as_far_as_it_changed() -> None:
    query = Numbers(500)
    async with TableApp(query).run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        table = pilot.app.query_one(VirtualTable)
        painted: list[Region] = []
        table.refresh = lambda *regions, **more: painted.extend(regions)  # type: ignore[method-assign, assignment, return-value]  # a spy
        query.values[3] = "999"
        await table.live()
        assert painted == [Region(0, 2, 73, 1)]
        painted.clear()
        await table.live()
        assert painted == [], "what did not change is not painted"


async def test_the_cursor_stays_on_its_record_when_the_order_turns_round() -> None:
    async with TableApp(Numbers(500)).run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        table = pilot.app.query_one(VirtualTable)
        table.move_to(2)
        table.view.change(order="down")
        await table.reload()
        assert table.cursor_id == 3 and table.cursor == 497


async def test_new_rows_are_counted_and_move_nothing() -> None:
    query = Numbers(50)
    async with TableApp(query).run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        table = pilot.app.query_one(VirtualTable)
        query.count = 53
        await table.look_for_new()
        assert table.view.new == 3 and len(table.view) == 50
        await table.reload()
        assert table.view.new == 0 and len(table.view) == 53


async def test_an_empty_list_takes_its_first_rows_by_itself() -> None:
    query = Numbers(0)
    app = TableApp(query)
    app.table.empty = lambda: "Nothing here yet. r fills it."
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert "Nothing here yet. r fills it." in "".join(app.table.render_line(y).text for y in range(20))
        query.count = 2
        await app.table.look_for_new()
        assert len(app.table.view) == 2


async def test_lines_repaint_only_what_differs() -> None:
    class LinesApp(App[None]):
        def compose(self) -> ComposeResult:
            yield Lines(id="lines")

    async with LinesApp().run_test(size=(40, 5)) as pilot:
        lines = pilot.app.query_one(Lines)
        lines.show([plain("one"), plain("two")])
        await pilot.pause()
        painted: list[Region] = []
        lines.refresh = lambda *regions, **more: painted.extend(regions)  # type: ignore[method-assign, assignment, return-value]  # a spy
        lines.show([plain("one"), plain("twx")])
        assert painted == [Region(0, 1, 3, 1)]
        painted.clear()
        lines.show([plain("one"), plain("twx")])
        assert painted == []
