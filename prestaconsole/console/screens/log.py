"""The live log (SCREENS §5.24): run logs of all shops or one, followed, paused, filtered, by level."""

from collections.abc import Sequence
from typing import Any, ClassVar

from prestaconsole.console.catalogue import REGISTRY
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.text import clean, number, plural, when, wrap
from prestaconsole.console.widgets.columns import Cell, Column
from prestaconsole.console.widgets.lines import Line, plain
from prestaconsole.services.views.log import LEVELS, LogQuery, LogRow, LogView
from prestaconsole.services.views.rows import Ask

_MEANINGS = {"FAIL": "stop", "warn": "late", "info": ""}


class LogPane(Pane):
    """Lines as they are committed. ``facts`` is true while paused."""

    PANE, PLACE, TITLE_WORDS = "log", "", "Live log"
    BINDINGS: ClassVar[list[Any]] = REGISTRY.bindings("log")
    HEAD_LINES = 1
    ABOUT = ("What the feeds do, line by line, as each page is committed.",)
    CANNOT_GO_WRONG = ("Reading only. Keys and buyers' data never reach the log.",)
    WORDS = (("level", "all, info, warn or FAIL and worse"), ("follow", "the newest line stays in sight"))

    def __init__(self) -> None:
        super().__init__()
        self.facts = False
        self.level = "all"
        self.run = 0
        self._since = 0

    def make_view(self) -> LogView:
        return LogView(self.app.reader, LogQuery(), Ask())

    def columns(self) -> Sequence[Column]:
        return (
            Column("Time", 10, lambda row: f"{row.at.astimezone():%H:%M:%S}.{row.at.microsecond // 100_000}"),
            Column("", 4, lambda row: (row.level, _MEANINGS.get(row.level, ""))),
            *(() if self.app.scope is not None else (Column("Shop", 15, lambda row: row.shop),)),
            Column("What", 20, self._what, flexible=True),
        )

    @staticmethod
    def _what(row: LogRow) -> Cell:
        return f"{row.feed} {number(row.run_id)}: {row.text}"

    def facet(self) -> str:
        return f"{self.level}:{self.run or ''}".rstrip(":")

    def empty(self) -> str:
        if self.field.text or self.level != "all":
            return "No line like that. esc clears the filter, v shows all levels."
        return "Nothing ran here yet. F7 shows the feeds."

    def copy_text(self, row: LogRow) -> str:
        return f"{row.at.isoformat()} {row.level} {row.shop} {row.feed} {row.run_id}: {row.text}"

    def cursor_moved(self) -> None:
        row = self.table.cursor_row
        if isinstance(row, LogRow):
            self.app.last_shop = row.shop_id
        at_end = self.table.cursor >= len(self.view) - 1
        if not self.facts and not at_end:
            self._pause()
        elif self.facts and at_end:
            self.facts = False
            self.show_head()

    def _pause(self) -> None:
        self.facts, self._since = True, 0
        self.show_head()

    def head(self, width: int) -> list[Line]:
        state = f"PAUSED, {plural(self._since, 'line')} since" if self.facts else "following"
        words = f"   filter: {clean(self.field.text)}" if self.field.text else ""
        run = f"   run {number(self.run)}" if self.run else ""
        left = f" {state}   level {self.level}{run}{words}"
        right = f"{plural(len(self.view), 'line')} "
        return [((left, "late" if self.facts else ""), (" " * max(2, width - len(left) - len(right)) + right, "dim"))]

    def detail(self, row: LogRow, width: int) -> tuple[str, list[Line], str]:
        title = f"{when(row.at, self.now())} {row.feed} {number(row.run_id)} · {row.shop}"
        return title, [plain(f" {line}") for line in wrap(row.text, width - 2)], "enter shows this run alone"

    # Reading --------------------------------------------------------------------------------------------------

    async def reload(self) -> None:
        self.table.set_columns(self.columns())
        self.view.change(order="")
        await super().reload()
        if not self.facts:
            self._to_end()

    def _to_end(self) -> None:
        self.table.grown()
        self.table.move_to(len(self.view) - 1)
        self.show_head()

    async def live(self) -> None:
        """Take the lines that came; while paused only their count is repainted."""
        view = self.view
        if not view.loaded or not isinstance(view, LogView):
            return
        came = await view.follow()
        if not came:
            return
        if self.facts:
            self._since += came
            self.show_head()
            return
        self._to_end()

    # Commands -------------------------------------------------------------------------------------------------

    def do_follow(self) -> None:
        """Pause, or follow again."""
        if self.facts:
            self.facts = False
            self._to_end()
        else:
            self._pause()

    async def do_level(self) -> None:
        """The next level."""
        self.level = LEVELS[(LEVELS.index(self.level) + 1) % len(LEVELS)]
        await self.reload()
        self.app.answer(f"Level {self.level}.")

    async def do_open_run(self) -> None:
        """This line's run alone."""
        row: LogRow = self.table.cursor_row
        await self.show_run(row.run_id)

    async def show_run(self, run: int) -> None:
        """The log of one run, from its first line in sight to its last."""
        self.run, self.facts = run, False
        await self.reload()

    async def go_back(self) -> bool:
        if not self.run:
            return False
        self.run = 0
        await self.reload()
        return True
