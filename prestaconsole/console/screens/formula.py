"""The Stock formula pane (SCREENS §5.6): the steps of one shop, its exceptions, what other steps would change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from prestaconsole.console.catalogue import REGISTRY
from prestaconsole.console.dialogs.ask import DiffBox, NoteBox, TypedBox, paragraphs
from prestaconsole.console.dialogs.choose import Choice, ChoiceBox, Reading, WordsBox
from prestaconsole.console.screens.exceptions import ExceptionBoxes
from prestaconsole.console.text import clean, fit, number, plural, signed, when, wrap
from prestaconsole.console.widgets.columns import Cell, Column
from prestaconsole.console.widgets.lines import Line, plain
from prestaconsole.errors import UsageError
from prestaconsole.operations.shop_settings import SHOP_SETTINGS, parse_setting
from prestaconsole.rules.availability import MODES
from prestaconsole.rules.brake import BrakeLimits
from prestaconsole.services.views.formula import (
    Counted,
    Example,
    FormulaLine,
    FormulaQuery,
    brake_limits,
    count,
    is_abnormal,
    sold_listings,
    verdict,
)
from prestaconsole.services.views.rows import Ask, RowView

_BLOCK = 1000
"""Listings of one reading, so that a screen of another list is not kept waiting."""
_AT_ONCE = 5000
"""A shop of so many listings is counted after each edit; a larger one when asked."""
_CHOICES = {"stock.mode": MODES, "stock.reservations": ("yes", "no")}


@dataclass(frozen=True)
class Preview:
    """What was counted, for which drafts, when, and what the brake would let pass."""

    counted: Counted
    drafts: dict[str, str]
    at: datetime
    limits: BrakeLimits


class FormulaPane(ExceptionBoxes):
    """Every edit is a draft with ``*`` until ``a`` saves all. ``facts`` are the drafts: setting to typed text."""

    PANE, PLACE, TITLE_WORDS = "formula", "stock", "Stock formula"
    BINDINGS: ClassVar[list[Any]] = REGISTRY.bindings("formula")
    HEAD_LINES = 1
    ABOUT = ("How this shop's figures are made of our stock, step by step, and which products differ.",)
    CANNOT_GO_WRONG = (
        "Edits are drafts with * until a saves them; the box says how many listings change. Saving sends nothing: what "
        "changes is planned, and goes through gate and brake.",
    )
    WORDS = (
        ("buffer", "units kept back from every figure"),
        ("exception", "a product with steps of its own in this shop"),
        ("all", "the sum over every listing of the shop"),
    )

    def __init__(self) -> None:
        # The columns, asked for while the pane is made, look at it.
        self.preview: Preview | None = None
        super().__init__()
        self.facts: dict[str, str] = {}
        self.examples: list[int] = []

    def make_view(self) -> RowView[FormulaLine]:
        return RowView(self.app.reader, FormulaQuery(), Ask())

    def columns(self) -> Sequence[Column]:
        shown = [] if self.preview is None else list(self.preview.counted.examples.values())[:2]
        return (
            Column("Step", 26, lambda row: row.label),
            Column("Setting", 16, self._setting, flexible=True),
            *(
                Column(fit(one.sku or "–", 10, "right", "middle").strip(), 10, _of_example(one), "right", "never")
                for one in shown
            ),
            Column("all", 8, self._all, "right", "never"),
        )

    # Reading --------------------------------------------------------------------------------------------------

    def look_at(self, listings: Sequence[int]) -> None:
        """The listings last looked at: they are the examples."""
        self.examples = [*listings][:2]
        self.preview = None

    async def reload(self) -> None:
        if self.view.ask.shop != self.app.scope:
            self.facts, self.preview = {}, None
        await super().reload()
        if self.app.scope is not None and self.preview is None:
            await self.count(at_most=_AT_ONCE)

    async def count(self, at_most: int | None = None) -> bool:
        """Count every listing under the drafts; one shop of more than ``at_most`` is left for ``d``."""
        shop, drafts = self.app.scope, dict(self.facts)
        if shop is None:
            return False
        ids = await self.app.reader.read(lambda connection: sold_listings(connection, shop))
        if at_most is not None and len(ids) > at_most:
            return False
        examples = [one for one in self.examples if one in ids] or ids[:2]
        counted = Counted()
        for start in range(0, len(ids), _BLOCK):
            part = ids[start : start + _BLOCK]
            counted += await self.app.reader.read(
                partial(count, shop_id=shop, drafts=drafts, ids=part, examples=examples)
            )
        limits = await self.app.reader.read(lambda connection: brake_limits(connection, shop))
        if shop == self.app.scope:
            self.preview = Preview(counted, drafts, self.now(), limits)
            self.table.set_columns(self.columns())
            self._after()
        return True

    # Cells ----------------------------------------------------------------------------------------------------

    def _setting(self, row: FormulaLine) -> Cell:
        if row.setting in self.facts:
            return (f"{self.facts[row.setting] or row.default or 'none'} *", "accent")
        if row.product_id is not None:
            return row.text
        if not row.setting:
            return ("" if row.step in ("should", "shows") else "fixed", "dim")
        return (row.text or "none", "" if row.is_own else "dim")

    def _all(self, row: FormulaLine) -> Cell:
        if not row.step:
            return ""
        if self.preview is None:
            return "?"
        units = self.preview.counted.by_step.get(row.step, 0)
        return _units(row.step, units)

    def place(self) -> list[str]:
        shop = self.app.scope_shop
        return [shop.name, "Stock formula"] if shop is not None else ["Stock formula"]

    def empty(self) -> str:
        if self.app.scope is None:
            return "A formula belongs to one shop. F8 shows the shops, enter chooses one."
        return "No exception is called that. esc clears the filter."

    def head(self, width: int) -> list[Line]:
        if self.preview is None:
            return [plain(" Not counted: d counts every listing.", "dim")]
        listings = plural(self.preview.counted.listings, "listing")
        exceptions = max(0, len(self.view) - 12)
        return [
            (
                (f" {listings}, counted {when(self.preview.at, self.now())}", ""),
                (f"   {plural(exceptions, 'exception')}" if exceptions else "", "dim"),
            )
        ]

    def copy_text(self, row: FormulaLine) -> str:
        return row.label.strip() if row.product_id is not None else row.setting or row.label.strip()

    def detail(self, row: FormulaLine, width: int) -> tuple[str, list[Line], str]:
        if self.facts:
            stored = self._stored()
            changed = [
                f"{_short(name)} {stored.get(name) or 'none'} → {to or 'none'}" for name, to in self.facts.items()
            ]
            title = "Unsaved: " + ", ".join(changed)
            return title, self._effect(), "d counts again"
        if row.product_id is not None:
            words = f" {row.label} has steps of its own here: {row.text}. Set by {clean(row.by)}."
            return row.label, [plain(words), plain(" enter changes it, u gives it the shop's steps back.", "dim")], ""
        lines = [plain(f" {part}") for part in wrap(_meaning(row), max(20, width - 2))]
        return row.label.strip(), lines, "saved"

    def _effect(self) -> list[Line]:
        """What saving would change, as last counted."""
        preview = self.preview
        if preview is None or preview.drafts != self.facts:
            return [plain(" Not counted for these steps yet: d counts.", "late")]
        counted, zero = preview.counted, number(preview.counted.to_zero)
        share = f" ({100 * counted.to_zero / counted.listings:.1f} %)" if counted.listings else ""
        lines: list[Line] = [
            plain(
                f" {number(counted.changed)} of {plural(counted.listings, 'SKU')} would change: "
                f"{number(counted.up)} up, {number(counted.down)} down, {zero} of them to zero{share}"
            )
        ]
        if counted.largest:
            shown = "      ".join(f"{clean(sku)}  {number(a)} → {number(b)}" for sku, a, b in counted.largest)
            lines.append(plain(f" {shown}", "accent"))
        brake = verdict(counted, preview.limits)
        if brake.tripped:
            lines.append(plain(f" Brake: {brake.words}. It would hold the plan.", "act"))
        else:
            limit = f"{preview.limits.zero_share:.0%} or {number(preview.limits.zero_count)} SKUs".replace("%", " %")
            lines.append(plain(f" Brake for going to zero: {limit}. Not tripped.", "dim"))
        return lines

    def _stored(self) -> dict[str, str]:
        """The steps in force, by setting."""
        return {row.setting: row.text for i in self.view.ids if (row := self.view.row(i)) is not None}

    # Commands -------------------------------------------------------------------------------------------------

    def _after(self) -> None:
        for identity in self.view.ids:
            self.table.repaint(identity)
        self.show_head()
        self.show_detail()
        self.show_keys()

    async def do_edit(self) -> None:
        """Change the step under the cursor, or an exception."""
        row: FormulaLine = self.table.cursor_row
        if row.product_id is not None:
            await self.edit_exception(row.product_id)
            return
        standing = self.facts.get(row.setting, row.text)
        if row.setting in _CHOICES:
            choices = [Choice(one, one) for one in _CHOICES[row.setting]]
            typed = await self.app.push_screen_wait(ChoiceBox(_short(row.setting), choices, chosen=standing))
        else:
            box = WordsBox(
                row.label.strip(" 123456789"), "Now", standing, lambda text: _read(row.setting, text, row.default)
            )
            typed = await self.app.push_screen_wait(box)
        if typed is None:
            return
        if typed == row.text:
            self.facts.pop(row.setting, None)
        else:
            self.facts[row.setting] = typed
        if not await self.count(at_most=_AT_ONCE):
            self.app.answer("Not saved yet. d counts what it would change.")
        self._after()

    async def do_count(self) -> None:
        """Count what the drafts would change; nothing is saved."""
        await self.count()
        self.app.answer("Counted; nothing is saved." if self.facts else "Counted. Nothing is unsaved.")

    def do_drop_step(self) -> Any:
        """Take the draft of this step back, or drop an exception."""
        row: FormulaLine = self.table.cursor_row
        if row.product_id is not None:
            return self.drop_exception(row)
        return self._drop_draft(row)

    async def _drop_draft(self, row: FormulaLine) -> None:
        if self.facts.pop(row.setting, None) is None:
            self.app.answer("Nothing unsaved on this step.")
            return
        await self.count(at_most=_AT_ONCE)
        self._after()
        self.app.answer("Dropped. The step is as it was.")

    async def do_save(self) -> None:
        """Say what changes, then save all steps or none; the shop's name is typed where the brake would hold it."""
        shop = self.app.scope_shop
        if shop is None:
            return
        if self.preview is None or self.preview.drafts != self.facts:
            await self.count()
        assert self.preview is not None
        stored = self._stored()
        lines: list[Line] = [
            ((f"  {_short(name):<22}", ""), (f"{stored.get(name) or 'none'} → {text or 'none'}", "accent"))
            for name, text in self.facts.items()
        ]
        lines += [((" ", ""), *line) for line in self._effect()]
        lines += paragraphs(["Saving sends nothing: what changes is planned and goes the usual way."], DiffBox.WIDTH)
        title = f"Save {plural(len(self.facts), 'step')} of {shop.name}"
        if is_abnormal(self.preview.counted, self.preview.limits, self.facts):
            answer: str | None = await self.app.push_screen_wait(
                TypedBox(title, lines, "Save", name=shop.name, code=shop.code, reason=False)
            )
        else:
            answer = await self.app.push_screen_wait(DiffBox(title, lines, "Save"))
        if answer is None:
            return
        changed = self.preview.counted.changed
        await self.app.actions.set_formula(shop.code, dict(self.facts))
        self.facts.clear()
        self.preview = None
        await self.reload()
        self.app.answer(
            f"Saved. {plural(changed, 'listing changes', 'listings change')} with the next plan; F6 shows it."
        )

    async def do_explain(self) -> None:
        """The step in words."""
        row: FormulaLine = self.table.cursor_row
        texts = [_meaning(row)] if row.product_id is None else [f"{row.label} has its own: {row.text}."]
        texts.append(
            "The steps go in this order: warehouses, less reserved, (a kit's scarcest part), less buffer, below the "
            "threshold zero, at most the cap, stop selling. A step takes away or leaves alone, never adds."
        )
        await self.app.push_screen_wait(NoteBox(row.label.strip(), paragraphs(texts, NoteBox.WIDTH)))

    async def go_back(self) -> bool:
        """Unsaved steps are asked about; then back to the stock diffs."""
        if self.facts:
            words = [f"{plural(len(self.facts), 'step is', 'steps are')} not saved."]
            box = DiffBox("Unsaved steps", paragraphs(words, DiffBox.WIDTH), "Save", {"u": "Drop"})
            pressed = await self.app.push_screen_wait(box)
            if pressed == "enter":
                await self.do_save()
            if pressed != "u":
                return True
            self.facts.clear()
            self.preview = None
        await self.app.go("stock", self.app.scope)
        return True


def _of_example(one: Example) -> Any:
    def cell(row: FormulaLine) -> Cell:
        if row.step in ("should", "shows"):
            return number(one.should if row.step == "should" else one.shows)
        return _units(row.step, one.by_step.get(row.step, 0)) if row.step else ""

    return cell


def _units(step: str, units: int) -> str:
    if step in ("should", "shows", "warehouse"):
        return number(units)
    return signed(units) if units else "–"


def _short(name: str) -> str:
    return name.removeprefix("stock.")


def _meaning(row: FormulaLine) -> str:
    if not row.setting:
        fixed = {
            "kit": "A kit shows as many as its scarcest part makes.",
            "stop": "Products that are not sold for now show 0 in every shop: `prestaconsole stock stop`.",
            "should": "What every listing should show by these steps.",
            "shows": "What the shop showed when it was last read.",
        }
        return fixed[row.step]
    meaning = SHOP_SETTINGS[row.setting].meaning
    default = "its own" if row.is_own else "the default"
    return f"{meaning[0].upper()}{meaning[1:]}. In force: {row.text or 'none'}, {default}."


def _read(name: str, text: str, default: str) -> Reading:
    """How a typed step is understood."""
    try:
        parse_setting(name, text.strip() or default)
    except UsageError as error:
        return Reading(paragraphs([error.cause, error.remedy], WordsBox.WIDTH, "late"), False)
    said = SHOP_SETTINGS[name].meaning if text.strip() else f"empty: the default, {default or 'none'}"
    return Reading([plain(f"  {fit(clean(said), WordsBox.WIDTH - 6)}", "dim")], True)
