"""The Stock diffs pane (SCREENS §5.11, §5.12): ours, the shop's, the plan; dry run, approve, apply, release, undo."""

from collections.abc import Sequence
from typing import Any, ClassVar

from prestaconsole.console.catalogue import REGISTRY
from prestaconsole.console.dialogs.ask import DiffBox, NoteBox, TypedBox, paragraphs
from prestaconsole.console.screens.explained import explanation_lines
from prestaconsole.console.screens.formula import FormulaPane
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.text import bar, clean, fit, number, plural, signed, when, wrap
from prestaconsole.console.theme import word_meaning
from prestaconsole.console.widgets.columns import Cell, Column
from prestaconsole.console.widgets.lines import Line, plain
from prestaconsole.operations.shops import load_shop
from prestaconsole.services.explain import explain_listings
from prestaconsole.services.views.rows import Ask, RowView
from prestaconsole.services.views.stock import FACETS, PlanHead, StockLine, StockQuery, last_check, newest_plan

_BRAKE_RULES = 5


class StockPane(Pane):
    """The newest stock plan of one shop, or all its listings. ``facts`` is the plan's head."""

    PANE, PLACE, TITLE_WORDS = "stock", "stock", "Stock diffs"
    BINDINGS: ClassVar[list[Any]] = REGISTRY.bindings("stock")
    HEAD_LINES = 1
    ABOUT = ("Where our numbers and the shop's differ, and what would be sent.",)
    CANNOT_GO_WRONG = (
        "Nothing leaves without a box that asks. A zero needs a confirmed row. The brake holds plans of odd size. "
        "Each write is read back; undo for 90 days.",
    )
    WORDS = (
        ("plan", "changes not yet sent"),
        ("brake", "the rule that holds abnormal plans until a person releases them"),
        ("Ours", "what the stock formula says the shop should show"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.chosen = ""
        self.checked: tuple[int, Any] = (0, None)

    def make_view(self) -> RowView[StockLine]:
        return RowView(self.app.reader, StockQuery(), Ask())

    def columns(self) -> Sequence[Column]:
        return (
            Column("SKU", 15, lambda row: row.sku or "–", cut="middle"),
            Column("Name", 20, lambda row: row.name, flexible=True),
            Column("Ours", 6, lambda row: number(row.ours), "right", "never"),
            Column("Shop's", 6, lambda row: number(row.shown_shops), "right", "never"),
            Column("Plan", 6, lambda row: _known(row.after), "right", "never"),
            Column("+/-", 6, _difference, "right", "never"),
            Column("State", 10, _state),
            Column("Last written", 12, lambda row: _known(row.confirmed), "right", needs=108),
        )  # fmt: skip

    def place(self) -> list[str]:
        shop = self.app.scope_shop
        if shop is None:
            return ["Stock diffs"]
        return [shop.name, "Stock diffs"]

    async def read_facts(self) -> None:
        shop = self.app.scope
        if shop is None:
            self.facts = None
            return
        known = self.facts if isinstance(self.facts, PlanHead) and self.facts.shop_id == shop else None
        self.facts = await self.app.reader.read(lambda connection: newest_plan(connection, shop, known))

    async def reload(self) -> None:
        shop = self.app.scope
        self.facts = None
        self.checked = (
            (0, None) if shop is None else await self.app.reader.read(lambda connection: last_check(connection, shop))
        )
        await super().reload()

    def facet(self) -> str:
        plan: PlanHead | None = self.facts
        chosen = self.chosen or ("plan" if plan is not None and plan.rows else "all")
        return "all" if plan is None or chosen == "all" else f"{chosen}:{plan.id}"

    def empty(self) -> str:
        shop = self.app.scope_shop
        if shop is None:
            return "Stock diffs belong to one shop. F8 shows the shops, enter chooses one."
        if self.field.text:
            return "No SKU or name holds that. esc clears the filter."
        count, read_at = self.checked
        if not count:
            return f"{shop.name} has no listing yet: import_products fills this. F7 shows the feeds."
        read = f", read {when(read_at, self.now())}" if read_at else ""
        return f"No change is planned among {number(count)} listings{read}. v shows all of them, d makes a plan."

    def copy_text(self, row: StockLine) -> str:
        return row.sku or row.name

    # Head -----------------------------------------------------------------------------------------------------

    def head(self, width: int) -> list[Line]:
        plan: PlanHead | None = self.facts
        name = dict(FACETS)[self.view.ask.facet.partition(":")[0] or "all"]
        if plan is None:
            return [((" No plan yet", ""), (f"   {name}: {number(len(self.view))}   d makes one", "dim"))]
        now = self.now()
        if plan.braked:
            return self._brake_head(plan)
        if not plan.rows:
            made = when(plan.planned_at or plan.created_at, now)
            shown = f"   {name}: {number(len(self.view))}"
            return [
                ((f" Plan {number(plan.id)}   nothing to change, {made}, by {clean(plan.actor)}", ""), (shown, "dim"))
            ]
        if plan.state in ("applying", "done", "failed") and plan.rows:
            skipped = plan.settled - plan.confirmed - plan.failed
            line: Line = (
                (f" Plan {number(plan.id)}   ", ""),
                (bar(plan.settled, plan.rows), ""),
                (f"   {number(plan.confirmed)} ok", ""),
                (f", {number(skipped)} skipped" if skipped else "", ""),
                (f", {number(plan.failed)} FAIL" if plan.failed else "", "stop"),
                (f", {plan.state}", "dim"),
            )
            return [line]
        parts = f"{number(plan.up)} up, {number(plan.down)} down, {number(plan.zero)} to zero"
        counts = f"{plural(plan.rows, 'change')}: {parts}"
        brake: tuple[str, str] = ("HELD", "act") if plan.held else ("brake ok", "")
        state = "" if plan.state == "planned" else f"{plan.state}, "
        by = f"   {state}{when(plan.planned_at or plan.created_at, now)}, by {clean(plan.actor)}"
        return [((f" Plan {number(plan.id)}   {counts}   ", ""), brake, (by, "dim"))]

    def _brake_head(self, plan: PlanHead) -> list[Line]:
        """The brake's verdict as a table, tripped rules in its colour (SCREENS §5.12)."""
        since = when(plan.planned_at or plan.created_at, self.now())
        lines: list[Line] = [
            ((" BRAKE", "stop"), (f"  Plan {number(plan.id)} is held since {since}. Nothing of it was sent.", "")),
            plain(f"  {'Rule':<24}{'Limit':>14}  This plan", "dim"),
        ]
        for rule in list(plan.brake.get("rules") or [])[:_BRAKE_RULES]:
            tripped = bool(rule.get("tripped"))
            words = f"  {fit(str(rule.get('rule', '')), 24)}{fit(str(rule.get('limit', '')), 14, 'right')}  "
            value = clean(str(rule.get("plan", "")))
            lines.append(((words, ""), (value + (" tripped" if tripped else ""), "stop" if tripped else "")))
        return lines

    def detail(self, row: StockLine, width: int) -> tuple[str, list[Line], str]:
        plan: PlanHead | None = self.facts
        now = self.now()
        if plan is not None and plan.held:
            lines = self._held_lines(plan)
        else:
            lines = [self._numbers(row)]
            if row.note:
                lines.append(plain(f" {clean(row.note)}", word_meaning(row.state)))
            if row.confirmed_at is not None:
                lines.append(
                    plain(f" Last written {number(row.confirmed)}, {when(row.confirmed_at, now)}, confirmed", "dim")
                )
            if row.after is not None and row.ours is not None and row.ours != row.after and row.state != "ok":
                lines.append(plain(f" Our number is {number(row.ours)} now: d makes the plan anew.", "late"))
        lines.append(self._may_send())
        stock_row = f" · stock row {number(row.id_stock_available)}" if row.id_stock_available else ""
        title = f"{row.sku or row.name} · {row.id_product}-{row.id_product_attribute}{stock_row}"
        return title, lines, ""

    def _numbers(self, row: StockLine) -> Line:
        read = f", read {when(row.read_at, self.now())}" if row.read_at else ", never read"
        if row.after is None:
            ours = clean(row.why_none) if row.ours is None else f"Ours {number(row.ours)}."
            return plain(f" {ours} The shop shows {number(row.shops)}{read}. No change is planned.")
        return plain(
            f" The shop shows {number(row.shown_shops)}{read}; the plan writes {number(row.after)}. e shows every part"
        )

    def _held_lines(self, plan: PlanHead) -> list[Line]:
        lines = [plain(f" {part}") for part in wrap(held_words(plan), 76)[:2]]
        lines.append(plain(" a releases it with the shop's name, u drops it: the shop keeps its numbers.", "dim"))
        return lines

    def _may_send(self) -> Line:
        lock = REGISTRY["stock.apply"].locked(self.context()) if self.facts is not None else None
        return plain(f" {lock}" if lock else "", "dim")

    # Commands -------------------------------------------------------------------------------------------------

    async def do_view(self) -> None:
        """Differing, to zero, all listings; new rows first."""
        if not self.view.new:
            names = [name for name, _ in FACETS]
            present = self.view.ask.facet.partition(":")[0] or "all"
            self.chosen = names[(names.index(present) + 1) % len(names)] if self.facts is not None else "all"
        await self.reload()
        self.app.answer(f"Shown: {dict(FACETS)[self.view.ask.facet.partition(':')[0]]}.")

    async def do_dry_run(self) -> None:
        """Make the plan anew; nothing is sent."""
        shop = self.app.scope_shop
        if shop is None:
            return
        run, _ = await self.app.actions.request_feed(shop.code, "export_stock", plan=True)
        self.app.answer(f"The plan is being made: run {number(run)}. Nothing is sent.")
        await self.app.refresh_live()

    async def do_apply(self) -> None:
        """Walk the plan on: release a brake, approve, then send."""
        plan, shop = self.facts, self.app.scope_shop
        if not isinstance(plan, PlanHead) or shop is None:
            return
        if plan.held:
            await self._release(plan)
        else:
            await self._send(plan)
        await self.app.refresh_live()

    async def _release(self, plan: PlanHead) -> None:
        shop = self.app.scope_shop
        assert shop is not None
        texts = [
            held_words(plan),
            f"{plural(plan.zero, 'SKU')} will show 0 at once; buyers cannot order them." if plan.zero else "",
            "A canary of 10 rows goes first and is read back. Undo: u, within 90 days.",
        ]
        box = TypedBox(
            f"Release plan {number(plan.id)} for {shop.name}",
            paragraphs([text for text in texts if text], TypedBox.WIDTH),
            "Release",
            name=shop.name,
            code=shop.code,
        )
        reason = await self.app.push_screen_wait(box)
        if reason is not None:
            await self.app.actions.release(plan.id, shop.code, reason)
            self.app.answer(f"Plan {number(plan.id)} is released. a sends it.")

    async def _send(self, plan: PlanHead) -> None:
        shop = self.app.scope_shop
        assert shop is not None
        title = f"Send {plural(plan.rows, 'stock change')} to {shop.name}"
        letters = {"o": "Approve only"} if plan.state == "planned" else {}
        pressed = await self.app.push_screen_wait(DiffBox(title, self._summary(plan), "Send", letters))
        if pressed is None:
            return
        if plan.state == "planned":
            await self.app.actions.approve(plan.id)
        if pressed == "o":
            self.app.answer(f"Plan {number(plan.id)} is approved. a sends it.")
            return
        run, _ = await self.app.actions.apply(plan.id)
        self.app.answer(f"Plan {number(plan.id)} is being sent by run {number(run)}; each row is read back.")

    def _summary(self, plan: PlanHead) -> list[Line]:
        """Counts and the largest changes, as the box shows them."""
        texts = [f"{number(plan.up)} up, {number(plan.down)} down, {number(plan.zero)} to zero. Brake ok."]
        lines = paragraphs(texts, DiffBox.WIDTH)
        rows = [
            row for i in self.view.ids[:3] if isinstance(row := self.view.row(i), StockLine) and row.after is not None
        ]
        for row in rows:
            change = f"{number(row.before)} → {number(row.after)}"
            lines.append(
                (
                    ("  " + clean(row.sku or "–")[:20].ljust(22), ""),
                    (change.ljust(16), "accent"),
                    (clean(row.name)[:30], "dim"),
                )
            )
        return [*lines, plain("  Undo stays possible for 90 days.", "dim")]

    async def do_stop(self) -> None:
        """Stop the sending after its page."""
        plan = self.facts
        if isinstance(plan, PlanHead) and plan.run_id is not None:
            await self.app.actions.cancel_run(plan.run_id)
            self.app.answer(f"Plan {number(plan.id)} stops after the page at work. What was sent is read back.")

    async def do_undo(self) -> None:
        """Drop a plan that waits, or plan the way back of one that was sent."""
        plan = self.facts
        if not isinstance(plan, PlanHead):
            return
        marked = [self.view.row(identity) for identity in self.view.ids if identity in self.view.marks]
        records = [row.listing_id for row in marked if isinstance(row, StockLine)]
        if plan.waits:
            title, words, verb = f"Drop plan {number(plan.id)}", "The shop keeps its numbers; nothing was sent.", "Drop"
        else:
            title = f"Undo plan {number(plan.id)}"
            rows = plural(len(records) or plan.confirmed, "row")
            words = f"A new plan writes back the value before of {rows}; you send it with a."
            verb = "Plan the way back"
        if await self.app.push_screen_wait(DiffBox(title, paragraphs([words], DiffBox.WIDTH), verb)) is None:
            return
        if plan.waits:
            await self.app.actions.drop(plan.id)
            self.app.answer(f"Plan {number(plan.id)} is dropped.")
        else:
            new, refused = await self.app.actions.undo(plan.id, records)
            left = f" Not undone: {refused[0]}." if refused else ""
            self.app.answer(f"Plan {number(new)} is the way back. a sends it.{left}")
        await self.app.refresh_live()

    async def do_explain(self) -> None:
        """Every part of the number."""
        row, shop = self.table.cursor_row, self.app.scope_shop
        if not isinstance(row, StockLine) or shop is None:
            return
        now = self.now()
        found = await self.app.reader.read(
            lambda connection: explain_listings(connection, load_shop(connection, shop.id), [row.listing_id], now=now)
        )
        if not found:
            self.app.answer(f"{row.name or 'This listing'} has no product of its own yet: import_products links it.")
            return
        title = f"Why {shop.name} shows {number(row.shops)} of {row.sku or row.name}"
        await self.app.push_screen_wait(NoteBox(title, explanation_lines(found[0], now, self.size.height)))

    async def do_formula(self) -> None:
        """The steps behind these numbers, this row and the next one as examples."""
        shown = [self.view.row(identity) for identity in self.view.ids[self.table.cursor : self.table.cursor + 2]]
        await self.app.go("formula", self.app.scope)
        if isinstance(self.app.pane, FormulaPane):
            self.app.pane.look_at([row.listing_id for row in shown if isinstance(row, StockLine)])
            await self.app.pane.reload()


def held_words(plan: PlanHead) -> str:
    """Why it is held, in words: the brake's verdict, or what the sending met."""
    said = plan.error if plan.approved_at is not None else str(plan.brake.get("words") or "") or plan.error
    return clean(said or "Its size or shape is out of the ordinary.")


def _known(value: int | None) -> str:
    return "–" if value is None else number(value)


def _difference(row: StockLine) -> str:
    return "–" if row.difference is None else signed(row.difference)


def _state(row: StockLine) -> Cell:
    if row.state:
        return (row.state, word_meaning(row.state))
    if row.note:
        return clean(row.note)
    if row.after is not None:
        return "planned"
    return ("–", "dim") if row.difference is None else ("differs", "late") if row.difference else "ok"
