"""The Feeds pane (SCREENS §5.8): schedule, age, state, next or why not; runs watched live."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from prestaconsole.console.catalogue import REGISTRY
from prestaconsole.console.dialogs.ask import AskBox, DiffBox, NoteBox, TypedBox, paragraphs
from prestaconsole.console.dialogs.choose import Reading, WordsBox
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.text import NOTHING, age, bar, clean, length, number, when, wrap
from prestaconsole.console.theme import word_meaning
from prestaconsole.console.widgets.columns import Cell, Column
from prestaconsole.console.widgets.lines import BLANK, Line, plain
from prestaconsole.operations.shops import zone_of
from prestaconsole.services.progress import Pace
from prestaconsole.services.views.feeds import FeedLine, FeedsQuery, RunLine
from prestaconsole.services.views.rows import Ask, RowView

_PACES_KEPT = 64


class FeedsPane(Pane):
    """The feeds of one shop, or of all, worst first."""

    PANE, PLACE, TITLE_WORDS = "feeds", "feeds", "Feeds"
    BINDINGS: ClassVar[list[Any]] = REGISTRY.bindings("feeds")
    ABOUT = ("Every feed: when it runs, how it ended, what it does now, and why it may not run.",)
    CANNOT_GO_WRONG = (
        "A reading feed changes nothing in the shop. A writing feed makes a plan first; the gate and the brake "
        "decide what of it may go out. A stopped run goes on at its page.",
    )
    WORDS = (
        ("feed", "a reading or writing job of a shop; a run is one execution"),
        ("queued", "waits for a free place; it starts by itself"),
        ("locked", "the mode, a pause or a missing first step forbids it"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._paces: dict[int, Pace] = {}
        self._before: dict[int, str] = {}

    def make_view(self) -> RowView[FeedLine]:
        return RowView(self.app.reader, FeedsQuery(), Ask())

    def columns(self) -> Sequence[Column]:
        one = self.app.scope is not None
        feed = Column("Feed", 17, lambda row: _dimmed(row, row.feed))
        shop = Column("Shop", 16, lambda row: _dimmed(row, row.shop))
        return (
            *((feed,) if one else (shop, feed)),
            Column("Schedule", 14, lambda row: _dimmed(row, _schedule(row))),
            Column("Age", 6, self._age, "right"),
            Column("State", 6, lambda row: (row.state, word_meaning(row.state))),
            Column("Next, or why not", 14, self._next, flexible=True),
        )

    def empty(self) -> str:
        if self.field.text:
            return "No feed is called that. esc clears the filter."
        return "No feed yet: no shop has passed the doctor. F8 shows the shops."

    def cursor_moved(self) -> None:
        row = self.table.cursor_row
        if isinstance(row, FeedLine):
            self.app.last_shop = row.shop_id

    def copy_text(self, row: FeedLine) -> str:
        return row.feed

    async def reload(self) -> None:
        self.table.set_columns(self.columns())
        await super().reload()

    # Cells ----------------------------------------------------------------------------------------------------

    def _age(self, row: FeedLine) -> Cell:
        if row.active is not None and row.active.at_work:
            return "run"
        limit = timedelta(minutes=max(5, row.freshness_minutes))
        text = age(row.last_ok_at, self.now(), limit)
        late = text not in ("now", NOTHING) and row.freshness_minutes and not row.lock
        return (text, "late" if late else ("dim" if row.lock else ""))

    def _next(self, row: FeedLine) -> Cell:
        now, run = self.now(), row.active
        if run is not None and run.at_work:
            if run.cancel_requested:
                return ("stops at the next page", "late")
            ends = self._pace(run).ends(run.done, run.total, now)
            return bar(run.done, run.total) + (f" ends {when(ends, now)}" if ends else "")
        if run is not None and row.lock == "paused":
            return (clean(row.reason), "dim")
        if run is not None and run.phase and run.due > now:
            return (clean(run.phase), "dim")
        if run is not None:
            return f"attempt {run.attempt + 1} at {when(run.due, now)}" if run.due > now else "waits for its turn"
        if row.lock:
            return (clean(row.reason), "dim")
        if row.state == "FAIL" and row.last is not None:
            return (clean(row.last.error), "stop")
        if row.state == "off":
            return (f"switched off by {clean(row.scheduled_by)}", "dim")
        if row.next_due is not None:
            return when(row.next_due, now)
        return ("plans only" if row.plans_only else "on event" if row.writes else "when you ask", "dim")

    def _pace(self, run: RunLine) -> Pace:
        if len(self._paces) > _PACES_KEPT:
            self._paces.clear()
        pace = self._paces.setdefault(run.id, Pace())
        if run.progress_at is not None:
            pace.note(run.progress_at, run.done)
        return pace

    def detail(self, row: FeedLine, width: int) -> tuple[str, list[Line], str]:
        lines: list[Line] = [plain(f" {row.title}. {self._rule_words(row)}")]
        run = row.active or row.last
        if row.lock:
            lines.append(plain(f" {clean(row.reason)}", "late"))
        if run is not None:
            lines += self._run_lines(run)
        elif not row.lock:
            lines.append(plain(" It never ran here. r runs it now.", "dim"))
        if row.estimate is not None and row.active is None and not row.lock:
            takes = f"{row.estimate.words} for {number(row.estimate.rows)} rows"
            lines.append(plain(f" A run takes {takes} (estimate).", "dim"))
        title = row.feed if self.app.scope is not None else f"{row.feed} · {row.shop}"
        return title, lines, ""

    def _rule_words(self, row: FeedLine) -> str:
        if row.writes:
            return "It writes to the shop, through a plan, the gate and the brake."
        return "It only reads." if row.schedulable else "It only reads, once in a shop's life."

    def _run_lines(self, run: RunLine) -> list[Line]:
        now = self.now()
        counts = ", ".join(f"{number(count)} {clean(name)}" for name, count in run.counts.items() if count)
        if run.at_work:
            rate = self._pace(run).rate()
            ends = self._pace(run).ends(run.done, run.total, now)
            parts = [
                f"{number(run.done)} of {number(run.total)}" if run.total else number(run.done),
                f"{rate:.1f}/s" if rate else "",
                f"ends {when(ends, now)}" if ends else "",
                clean(run.phase),
            ]
            said = " · ".join(part for part in parts if part)
            return [plain(f" Run {number(run.id)} · {said}"), plain(f" {counts or 'nothing counted yet'}", "dim")]
        if run.ended_at is None:
            said = f"{clean(run.phase)}. r runs it now." if run.phase and run.due > now else ""
            return [
                plain(f" Run {number(run.id)} waits since {when(run.created_at, now)}, asked by {clean(run.actor)}."),
                *([plain(f" It {said}", "dim")] if said else []),
            ]
        took = f", {length(run.ended_at - run.started_at)}" if run.started_at else ""
        lines = [plain(f" Run {number(run.id)} ended {when(run.ended_at, now)}, {run.state}{took}. {counts}")]
        if run.error:
            lines.append(plain(f" {clean(run.error)} {clean(run.remedy)}", "stop"))
        return lines

    # Commands -------------------------------------------------------------------------------------------------

    async def do_run(self) -> None:
        """Queue the feed. A writing one makes its plan, which Stock diffs sends; a second import wants the name."""
        row: FeedLine = self.table.cursor_row
        reason = ""
        if row.lock == "once" or (row.feed == "import_stock" and row.last_ok_at is not None):
            lines = paragraphs(
                [row.reason or "It ran before.", "Our stock is overwritten by the shop's."], TypedBox.WIDTH
            )
            box = TypedBox(f"Run {row.feed} again at {row.shop}", lines, "Run", name=row.shop, code=row.shop_code)
            typed = await self.app.push_screen_wait(box)
            if typed is None:
                return
            reason = typed
        elif row.writes and not row.plans_only:
            lines = paragraphs(
                [f"{row.feed} makes its plan for {row.shop}, and F6 shows it before anything is sent."], 76
            )
            if await self.app.push_screen_wait(DiffBox(f"Plan {row.feed}", lines, "Plan")) is None:
                return
        await self._request(row, plan=row.writes, reason=reason)

    async def do_dry_run(self) -> None:
        """Plan only."""
        await self._request(self.table.cursor_row, plan=True)

    async def _request(self, row: FeedLine, *, plan: bool, reason: str = "") -> None:
        run, joined = await self.app.actions.request_feed(row.shop_code, row.feed, plan=plan, reason=reason)
        if joined:
            self.app.answer(
                f"{row.feed} is at work as run {number(run)} and will run once more after. enter follows it."
            )
        else:
            self.app.answer(
                f"{row.feed} is queued as run {number(run)}. enter follows it{_where_the_plan_is(row, plan)}."
            )
        await self.app.refresh_live()

    async def do_stop(self) -> None:
        """Stop the run at its next page."""
        row: FeedLine = self.table.cursor_row
        run = row.active
        if run is None:
            return
        words = [
            f"Run {number(run.id)} of {row.feed} stops at its next page. What it read is kept; r goes on from there."
        ]
        if await self.app.push_screen_wait(AskBox(f"Stop {row.feed}", words, "enter Stop  esc Leave")) is not None:
            await self.app.actions.cancel_run(run.id)
            self.app.answer(f"{row.feed} stops at the next page. r goes on from there.")
            await self.app.refresh_live()

    async def do_schedule(self) -> None:
        """Change when it runs; the box reads the words back and shows the next five times."""
        row: FeedLine = self.table.cursor_row

        def read(text: str) -> Reading:
            return self._read_schedule(text, row)

        box = WordsBox(f"Schedule of {row.feed} · {row.shop}", "Every", row.schedule, read)
        every = await self.app.push_screen_wait(box)
        if every is None:
            return
        self._before[row.id] = row.schedule if row.enabled else "off"
        await self.app.actions.schedule_feed(row.shop_code, row.feed, every)
        self.app.answer(f"{row.feed} runs {every} from now on. u takes it back.")
        await self.app.refresh_live()

    def _read_schedule(self, text: str, row: FeedLine) -> Reading:
        preview = self.app.read_schedule(text, row.feed, row.zone, self.now(), row.shop_id)
        meaning = "" if preview.good else "late"
        reads = wrap(preview.words, WordsBox.WIDTH - 14)[:3]
        lines: list[Line] = [
            plain(f"  {'Reads' if not at else '     '}   {part}", meaning) for at, part in enumerate(reads)
        ]
        if preview.next_times:
            zone = zone_of(row.zone)
            times = [when(moment, self.now(), zone) for moment in preview.next_times]
            lines.append(plain("  Next    " + "   ".join(times[:3])))
            lines.append(plain("          " + "   ".join(times[3:5])))
        lines += [plain(f"  Note    {clean(note)}", "late") for note in preview.notes[:2]]
        lines += [BLANK, plain("  every 5 min · daily 3 between 1 and 5 · 0 3 * * * · off", "dim")]
        return Reading(lines, preview.good)

    async def do_undo(self) -> None:
        """Put the schedule back as it was before the last change here."""
        row: FeedLine = self.table.cursor_row
        before = self._before.pop(row.id, None)
        if before is None:
            self.app.answer(f"The schedule of {row.feed} was not changed in this console.")
            return
        await self.app.actions.schedule_feed(row.shop_code, row.feed, before or "default")
        self.app.answer(f"{row.feed} runs {before or 'by default'} again.")
        await self.app.refresh_live()

    async def do_explain(self) -> None:
        """What this feed is, and what unlocks it."""
        row: FeedLine = self.table.cursor_row
        texts = [f"{row.title}. {self._rule_words(row)}"]
        if row.lock:
            texts += [row.reason, row.unlock]
        elif row.plans_only:
            texts.append(f"In {row.mode} it makes a plan and sends nothing.")
        elif row.last is not None and row.last.error:
            texts += [row.last.error, row.last.remedy]
        else:
            texts.append("Nothing locks it: r runs it now.")
        lines = paragraphs([text for text in texts if text], NoteBox.WIDTH)
        await self.app.push_screen_wait(NoteBox(f"{row.feed} at {row.shop}", lines))

    async def do_log(self) -> None:
        """The log of the run at work, or of the last one."""
        row: FeedLine = self.table.cursor_row
        run = row.active or row.last
        if run is None:
            self.app.answer(f"{row.feed} never ran here. r runs it.")
            return
        await self.app.follow_run(run.id, row.shop_id)


def _where_the_plan_is(row: FeedLine, plan: bool) -> str:
    if not plan:
        return ""
    return ", F6 shows the plan" if row.writes else ": its log says what it would set"


def _schedule(row: FeedLine) -> str:
    if row.schedule and row.enabled:
        return row.schedule
    if row.schedule:
        return NOTHING
    return "on event" if row.writes else "never" if not row.schedulable else NOTHING


def _dimmed(row: FeedLine, text: str) -> Cell:
    return (text, "dim" if row.lock and row.active is None else "")
