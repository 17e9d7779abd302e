"""The Shops pane (SCREENS §5.2): mode, health, last good contact, listings, orders of 30 days."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from prestaconsole.console.catalogue import REGISTRY
from prestaconsole.console.dialogs.ask import AskBox, NoteBox, paragraphs
from prestaconsole.console.dialogs.choose import PauseBox
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.text import NOTHING, age, clean, number, plural, when
from prestaconsole.console.theme import word_meaning
from prestaconsole.console.widgets.columns import Cell, Column
from prestaconsole.console.widgets.lines import Line, plain
from prestaconsole.services.views.rows import Ask, RowView
from prestaconsole.services.views.shops import ShopLine, ShopsQuery

REASONS = ("Shop upgrade", "Owner works on it", "Hoster down", "Trial")


def _word(text: str) -> Cell:
    return (text, word_meaning(text))


class ShopsPane(Pane):
    """All shops, one a row."""

    PANE, PLACE, TITLE_WORDS = "shops", "shop", "Shops"
    BINDINGS: ClassVar[list[Any]] = REGISTRY.bindings("shops")
    ABOUT = ("All shops: their mode, whether they answer, when they last did, what they hold.",)
    CANNOT_GO_WRONG = (
        "Nothing here writes to a shop. A pause stops feeds between two pages; what waits goes out after it.",
    )
    WORDS = (
        ("mode", "draft, setup, rehearsal, live, frozen: how far a shop may go"),
        ("pause", "stops a shop's feeds for a time; it is not a mode"),
        ("contact", "the last request the shop answered well"),
    )

    def make_view(self) -> RowView[ShopLine]:
        return RowView(self.app.reader, ShopsQuery(self.app.clock.now), Ask())

    def columns(self) -> Sequence[Column]:
        return (
            Column("Shop", 18, lambda shop: shop.name, flexible=True),
            Column("Mode", 9, lambda shop: _word(shop.mode.upper())),
            Column("Health", 6, lambda shop: _word(shop.state)),
            Column("Contact", 7, lambda shop: age(shop.last_good_at, self.now()), "right"),
            Column("Version", 8, lambda shop: shop.version or "?"),
            Column("Listings", 8, lambda shop: _count(shop, shop.listings), "right", "never"),
            Column("30 days", 7, lambda shop: _count(shop, shop.orders), "right", "never"),
            Column("Doctor", 7, lambda shop: _word_last(shop.doctor)),
            Column("Zone", 16, lambda shop: shop.zone or "?", needs=100),
            Column("Currency", 8, lambda shop: shop.currency or "?", needs=110),
        )  # fmt: skip

    def place(self) -> list[str]:
        shop = self.app.scope_shop
        return [shop.name, "Shop"] if shop is not None else ["Shops"]

    def scope_shop(self) -> int | None:
        return None

    def empty(self) -> str:
        if self.field.text:
            return "No shop is called that. esc clears the filter."
        return "No shop yet. prestaconsole shop add connects one; prestaconsole demo opens two that are not real."

    def cursor_moved(self) -> None:
        if self.table.cursor_id is not None:
            self.app.last_shop = self.table.cursor_id

    def copy_text(self, row: ShopLine) -> str:
        return row.name

    def detail(self, row: ShopLine, width: int) -> tuple[str, list[Line], str]:
        now = self.now()
        facts = " · ".join(part for part in (row.base_url, row.zone, row.currency) if part)
        lines = [plain(f" {clean(facts)}"), *self._condition(row)]
        if row.key_print:
            good = f", last good answer {when(row.last_good_at, now)}" if row.last_good_at else ""
            lines.append(plain(f" Key print {row.key_print}, set {when(row.key_set_at, now)}{good}.", "dim"))
            if row.pace is not None and row.pace.speed:
                lines.append(plain(f" Speed: {row.pace.speed}.", "dim"))
        else:
            lines.append(plain(" No key yet: prestaconsole shop rotate-key takes one.", "dim"))
        return row.name, lines, ""

    def _condition(self, row: ShopLine) -> list[Line]:
        now = self.now()
        lines: list[Line] = []
        if row.paused:
            until = f" to {when(row.paused_until, now)}" if row.paused_until else ""
            reason = clean(row.pause_reason)
            lines.append(
                plain(f" Paused {when(row.paused_at, now)}{until} by {clean(row.paused_by)}: {reason}.", "late")
            )
        elif row.mode != "draft" and (asked := self._asked_again(row)):
            lines.append(plain(f" {asked}", word_meaning(row.state)))
            if row.pace is not None and row.pace.since is not None:
                lines.append(
                    plain(f" Since {when(row.pace.since, now)}. Orders wait in the shop, none is lost.", "dim")
                )
        elif row.state == "DOWN" or (row.last_error and row.state not in ("ok", "–")):
            lines.append(plain(f" {clean(row.last_error)}", word_meaning(row.state)))
        else:
            said = "answers" if row.last_good_at else "was not reached yet"
            lines.append(plain(f" {clean(row.name)} {said}. Its code is {row.code}."))
        if row.waiting:
            lines.append(plain(f" {plural(row.waiting, 'stock change')} wait, nothing is lost."))
        return lines

    def _asked_again(self, row: ShopLine) -> str:
        """What keeps requests from the shop, and the moment it ends: a moment stays true while nothing is repainted."""
        pace = row.pace.at(self.now()) if row.pace is not None else None
        if pace is None or not pace.trouble:
            return ""
        if pace.breaker == "half-open":
            return clean(pace.words)
        until = pace.asks_again_at if pace.down else pace.resting_until
        return f"{clean(pace.trouble)}; asked again at {until.astimezone():%H:%M:%S}." if until else ""

    # Commands -------------------------------------------------------------------------------------------------

    async def do_open(self) -> None:
        """Take this shop as scope and show its feeds."""
        await self.app.go("feeds", self.table.cursor_id)

    async def do_log(self) -> None:
        """The live log of this shop."""
        await self.app.go("log", self.table.cursor_id)

    async def do_pause(self) -> None:
        """Pause with a reason and an end, or resume."""
        shop: ShopLine = self.table.cursor_row
        if shop.paused:
            waits = f"{plural(shop.waiting, 'waiting change')} go out within the brake." if shop.waiting else ""
            asked = AskBox(f"Resume {shop.name}", [f"Its feeds go on now. {waits}".strip()], "enter Resume  esc Leave")
            if await self.app.push_screen_wait(asked) is not None:
                await self.app.actions.resume_shop(shop.code)
                self.app.answer(f"{shop.name} goes on. p pauses it again.")
                await self.app.refresh_live()
            return
        now = self.now()
        local = now.astimezone()
        morning = (local + timedelta(days=1)).replace(hour=8, minute=0, second=0, microsecond=0)
        ends = {"hour": now + timedelta(hours=1), "four": now + timedelta(hours=4), "morning": morning, "": None}
        labels = (
            ("hour", f"1 h ({when(ends['hour'], now)})"),
            ("four", f"4 h ({when(ends['four'], now)})"),
            ("morning", "tomorrow 8:00"),
            ("", "I resume"),
        )
        words = "Its feeds stop at their next page; what waits goes out after."
        box = PauseBox(f"Pause {shop.name}", REASONS, labels, words)
        pause = await self.app.push_screen_wait(box)
        if pause is not None:
            await self.app.actions.pause_shop(shop.code, pause.reason, ends[pause.until])
            until = f" to {when(ends[pause.until], now)}" if ends[pause.until] else ""
            self.app.answer(f"{shop.name} is paused{until}. p resumes it.")
            await self.app.refresh_live()

    async def do_import_orders(self) -> None:
        """Queue import_orders."""
        shop: ShopLine = self.table.cursor_row
        run, joined = await self.app.actions.request_feed(shop.code, "import_orders")
        said = f"is at work as run {number(run)} and will run once more after" if joined else f"is run {number(run)}"
        self.app.answer(f"import_orders of {shop.name} {said}. l follows it.")

    async def do_explain(self) -> None:
        """All that is known of this shop's condition."""
        shop: ShopLine = self.table.cursor_row
        now = self.now()
        texts = [
            f"Mode {shop.mode}. Health {shop.state}. Doctor: {shop.doctor}.",
            f"Last good answer {when(shop.last_good_at, now)}, last error {when(shop.last_error_at, now)}.",
        ]
        if shop.last_error:
            texts.append(shop.last_error)
        lines = [*paragraphs(texts, NoteBox.WIDTH), *self._condition(shop)]
        await self.app.push_screen_wait(NoteBox(f"Why {shop.name} is {shop.state}", lines))


def _count(shop: ShopLine, count: int) -> str:
    return NOTHING if shop.mode == "draft" else number(count)


def _word_last(text: str) -> Cell:
    """A verdict whose word stands last: ``2 FIX``."""
    return (text, word_meaning(text.rsplit(" ", 1)[-1]))
