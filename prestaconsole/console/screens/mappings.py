"""The Mappings pane (SCREENS §5.10), order states in: what is done with orders in each state of a shop."""

from collections.abc import Sequence
from typing import Any, ClassVar

from prestaconsole.console.catalogue import REGISTRY
from prestaconsole.console.dialogs.ask import DiffBox, NoteBox, paragraphs
from prestaconsole.console.dialogs.choose import Choice, ChoiceBox
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.text import NOTHING, clean, number, plural
from prestaconsole.console.widgets.columns import Cell, Column
from prestaconsole.console.widgets.lines import Line, plain
from prestaconsole.rules.order_state import ACTION_WORDS, ACTIONS
from prestaconsole.services.views.mappings import SHIFT, StateLine, StatesQuery
from prestaconsole.services.views.rows import Ask, RowView

Draft = tuple[str, bool]
_MEANING_OF = {
    "import": "the order is ours: its units are reserved, it is picked and shipped",
    "hold": "the order is ours, and waits until a person lets it go",
    "done": "kept as history: it was shipped before, nothing is reserved",
    "cancelled": "kept as cancelled: nothing is reserved",
    "skip": "seen and not imported; its units stay held while the shop deducts them",
}


class MappingsPane(Pane):
    """Order states of one shop. Every edit is a draft with ``*`` until ``a`` saves all."""

    PANE, PLACE, TITLE_WORDS = "mappings", "", "Mappings"
    BINDINGS: ClassVar[list[Any]] = REGISTRY.bindings("mappings")
    HEAD_LINES = 1
    ABOUT = ("The shop's order states, and what is done here with orders in each of them.",)
    CANNOT_GO_WRONG = (
        "Edits are drafts with * until a saves them; the box names each. A new state the shop invents holds its "
        "orders until it is mapped, none is lost.",
    )
    WORDS = (
        ("done", "import as history; the shop shipped it already"),
        ("retry", "such orders are looked at again until they change or grow old"),
        ("gives back", "the shop returns the units when an order comes into this state"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[int, Draft] = {}

    def make_view(self) -> RowView[StateLine]:
        return RowView(self.app.reader, StatesQuery(), Ask())

    def columns(self) -> Sequence[Column]:
        return (
            Column("Id", 4, lambda row: str(row.id), "right", "never"),
            Column("The shop says", 21, lambda row: row.name, flexible=True),
            Column("Flags", 18, _flags),
            Column("Do", 11, self._action),
            Column("Retry", 5, self._retry),
            Column("Used", 6, lambda row: number(row.orders), "right", "never"),
            Column("By", 7, _by),
        )

    def place(self) -> list[str]:
        shop = self.app.scope_shop
        return [shop.name, "Mappings"] if shop is not None else ["Mappings"]

    def head(self, width: int) -> list[Line]:
        unmapped = sum(1 for i in self.view.ids if (row := self.view.row(i)) is not None and not self._now_is(row)[0])
        tab = f"States in {number(unmapped)}" if unmapped else "States in"
        return [((" ", ""), (tab, "here"))]

    def empty(self) -> str:
        if self.app.scope is None:
            return "A mapping belongs to one shop. F8 shows the shops, enter chooses one."
        if self.field.text:
            return "No order state is called that. esc clears the filter."
        return "Nothing to map: the shop's order states were not read yet. F7, then r on analyse."

    def copy_text(self, row: StateLine) -> str:
        return row.name

    def scope_shop(self) -> int | None:
        if self.facts and self.view.ask.shop is not None and self.app.scope is None:
            return self.view.ask.shop
        return self.app.scope

    async def reload(self) -> None:
        self.facts = {identity: draft for identity, draft in self.facts.items() if identity // SHIFT == self.app.scope}
        await super().reload()

    # Cells ----------------------------------------------------------------------------------------------------

    def _key_of(self, row: StateLine) -> int:
        return (self.view.ask.shop or 0) * SHIFT + row.id

    def _now_is(self, row: StateLine) -> Draft:
        return self.facts.get(self._key_of(row), (row.action, row.retry))

    def _action(self, row: StateLine) -> Cell:
        action, _ = self._now_is(row)
        if self._key_of(row) in self.facts:
            return (f"{action} *", "accent")
        return (action, "dim" if row.deleted else "") if action else ("?", "act")

    def _retry(self, row: StateLine) -> Cell:
        action, retry = self._now_is(row)
        return NOTHING if not action else "yes" if retry else "no"

    def detail(self, row: StateLine, width: int) -> tuple[str, list[Line], str]:
        action, retry = self._now_is(row)
        suggested = ACTION_WORDS.get(row.suggestion, row.suggestion) + (", retry" if row.suggestion_retry else "")
        used = f"{plural(row.orders, 'order')} seen in it, {number(row.waiting)} held."
        lines = [
            plain(f" {_MEANING_OF.get(action, 'No rule yet: its orders are held until a person chooses')}."),
            plain(f" Flags suggest: {suggested}.  {used}"),
            plain(f" {_gives_back(row)}", "late" if row.gives_back and not row.gives_back_sure else "dim"),
        ]
        if retry and action not in ("hold", "skip"):
            lines.append(
                plain(f" Retry with {action}: such orders are looked at again though they are decided.", "late")
            )
        unsaved = f"{number(len(self.facts))} unsaved *" if self.facts else "saved"
        return f"{row.name} ({row.id})", lines, unsaved

    # Commands -------------------------------------------------------------------------------------------------

    def _set(self, identity: int, action: str, retry: bool) -> None:
        row = self.view.row(identity)
        if not isinstance(row, StateLine):
            return
        if (action, retry) == (row.action, row.retry):
            self.facts.pop(identity, None)
        else:
            self.facts[identity] = (action, retry)
        self.table.repaint(identity)

    def _after(self) -> None:
        self.show_head()
        self.show_detail()
        self.show_keys()

    async def do_choose(self) -> None:
        """One action for the row, or for all marked rows."""
        row: StateLine = self.table.cursor_row
        rows = self.table.marked_or_cursor()
        title = f"Orders in {row.name}" if len(rows) == 1 else f"Orders in {number(len(rows))} marked states"
        choices = [Choice(a, ACTION_WORDS[a], "as its flags suggest" if a == row.suggestion else "") for a in ACTIONS]
        chosen = await self.app.push_screen_wait(
            ChoiceBox(title, choices, chosen=self._now_is(row)[0] or row.suggestion)
        )
        if chosen is None:
            return
        for identity in rows:
            line = self.view.row(identity)
            if isinstance(line, StateLine):
                retry = (
                    line.suggestion_retry if chosen == line.suggestion else chosen in ("hold", "skip") and line.retry
                )
                self._set(identity, chosen, retry)
        self._after()

    def do_suggest(self) -> None:
        """Each row its own suggestion."""
        for identity in self.table.marked_or_cursor():
            row = self.view.row(identity)
            if isinstance(row, StateLine):
                self._set(identity, row.suggestion, row.suggestion_retry)
        self._after()

    def do_retry(self) -> None:
        """Turn the retry flag of the row, or of all marked rows."""
        for identity in self.table.marked_or_cursor():
            row = self.view.row(identity)
            if isinstance(row, StateLine):
                action, retry = self._now_is(row)
                self._set(identity, action or row.suggestion, not retry)
        self._after()

    def do_drop(self) -> None:
        """Take the row's draft back, or those of all marked rows."""
        dropped = [identity for identity in self.table.marked_or_cursor() if self.facts.pop(identity, None)]
        for identity in dropped:
            self.table.repaint(identity)
        self.app.answer(f"{plural(len(dropped), 'change')} dropped." if dropped else "Nothing unsaved on this row.")
        self._after()

    async def do_save(self) -> None:
        """Show what is saved, then save all or none."""
        shop = self.app.scope_shop
        if shop is None:
            return
        lines: list[Line] = []
        edits = []
        for identity, (action, retry) in self.facts.items():
            row = self.view.row(identity)
            if not isinstance(row, StateLine):
                continue
            edits.append({"state": row.id, "action": action, "retry": retry})
            before = f"{row.action or '?'}{', retry' if row.retry else ''}"
            after = f"{action}{', retry' if retry else ''}"
            lines.append((("  " + clean(row.name)[:40].ljust(42), ""), (f"{before} → {after}", "accent")))
        more = len(lines) - 10
        lines = lines[:10] + ([plain(f"  and {number(more)} more", "dim")] if more > 0 else [])
        lines += paragraphs(["Orders waiting in these states are looked at again with the new rules."], DiffBox.WIDTH)
        title = f"Save {plural(len(edits), 'rule')} of {shop.name}"
        if await self.app.push_screen_wait(DiffBox(title, lines, "Save")) is None:
            return
        await self.app.actions.set_order_states(shop.code, edits)
        self.facts.clear()
        await self.reload()
        self.app.answer(f"{plural(len(edits), 'rule')} of {shop.name} saved.")

    async def do_explain(self) -> None:
        """Flags, rule and suggestion in words."""
        row: StateLine = self.table.cursor_row
        texts = [
            f"The shop's state {row.id} is called “{row.name}”" + (f", of module {row.module}." if row.module else "."),
            f"Its flags: {', '.join(row.flags) or 'none'}. {_gives_back(row)}",
            f"From the flags alone the suggestion is: {ACTION_WORDS.get(row.suggestion, row.suggestion)}"
            + (", and look again later." if row.suggestion_retry else "."),
            f"In force: {ACTION_WORDS.get(row.action, 'no rule, its orders are held')}"
            + (f", {'suggested' if row.suggested else 'chosen'} by {row.by}." if row.action else "."),
        ]
        await self.app.push_screen_wait(NoteBox(f"Order state {row.name}", paragraphs(texts, NoteBox.WIDTH)))

    async def go_back(self) -> bool:
        """Unsaved rules are asked about before they are left."""
        if not self.facts or self.app.scope is None:
            return False
        words = [f"{plural(len(self.facts), 'rule')} of this shop are not saved."]
        box = DiffBox("Unsaved rules", paragraphs(words, DiffBox.WIDTH), "Save", {"u": "Drop"})
        pressed = await self.app.push_screen_wait(box)
        if pressed == "enter":
            await self.do_save()
        elif pressed == "u":
            self.facts.clear()
            return False
        return True


def _flags(row: StateLine) -> Cell:
    return (", ".join(row.flags) or NOTHING, "" if not row.deleted else "dim")


def _by(row: StateLine) -> Cell:
    return (NOTHING, "dim") if not row.action else ("flags", "dim") if row.suggested else row.by


def _gives_back(row: StateLine) -> str:
    if not row.gives_back:
        return "The shop keeps deducting the units of its orders."
    return "The shop gives the units back." if row.gives_back_sure else "The shop gives the units back, as it seems."
