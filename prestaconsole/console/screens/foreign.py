"""The Foreign writes pane (row B4): figures in shops that somebody else wrote, and what becomes of each."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from prestaconsole.console.catalogue import REGISTRY
from prestaconsole.console.dialogs.ask import NoteBox, ReasonBox, TypedBox, paragraphs
from prestaconsole.console.screens.explained import explanation_lines
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.text import clean, fit, number, plural, when
from prestaconsole.console.widgets.columns import Cell, Column
from prestaconsole.console.widgets.lines import Line, plain
from prestaconsole.operations.shops import load_shop
from prestaconsole.services.explain import explain_listings
from prestaconsole.services.views.foreign import FACETS, ForeignLine, ForeignQuery
from prestaconsole.services.views.rows import Ask, RowView

_ABNORMAL = 20
"""More figures than this at once want the shop's name typed."""
_SHOWN = 5
_VERBS: Mapping[str, str] = {"keep": "Keep", "overwrite": "Overwrite", "adopt": "Adopt"}
_PAST: Mapping[str, str] = {"keep": "kept", "overwrite": "overwritten", "adopt": "adopted", "settled": "settled"}
_EFFECTS: Mapping[str, str] = {
    "keep": "The shop keeps its figure until ours changes next. Our stock stays as it is.",
    "overwrite": "Our figure goes out with the next push, through gate and brake. Undo stays possible for 90 days.",
    "adopt": "Our stock is corrected in the ledger so that it gives the shop's figure; other shops follow.",
}


class ForeignPane(Pane):
    """What neither we nor the shop's orders explain, of one shop or all."""

    PANE, PLACE, TITLE_WORDS = "foreign", "", "Foreign writes"
    BINDINGS: ClassVar[list[Any]] = REGISTRY.bindings("foreign")
    HEAD_LINES = 1
    ABOUT = ("Stock figures that somebody else wrote in a shop: the back office, another tool.",)
    CANNOT_GO_WRONG = (
        "Nothing is overwritten until a person decides here. Each decision wants a reason, which stands in the audit. "
        "Ours goes out through gate and brake.",
    )
    WORDS = (
        ("expected", "what the shop's orders and our own writes explain"),
        ("keep", "leave the shop's figure until ours changes next"),
        ("overwrite", "let the next push write ours"),
        ("adopt", "correct our stock so that it gives the shop's figure"),
    )

    def make_view(self) -> RowView[ForeignLine]:
        return RowView(self.app.reader, ForeignQuery(), Ask(facet="open"))

    def columns(self) -> Sequence[Column]:
        all_shops = self.app.scope is None
        return (
            Column("SKU", 14, lambda row: row.sku or "–", cut="middle"),
            Column("Shop", 14, lambda row: row.shop, flexible=True)
            if all_shops
            else Column("Name", 14, lambda row: row.name, flexible=True),
            Column("Expected", 8, lambda row: row.expected, "right", "never"),
            Column("Shop's", 6, lambda row: number(row.shows), "right", "never"),
            Column("Ours", 6, lambda row: number(row.ours), "right", "never"),
            Column("Seen", 12, lambda row: when(row.seen_at, self.now())),
            Column("State", 11, _state),
        )  # fmt: skip

    def facet(self) -> str:
        return self.view.ask.facet

    async def reload(self) -> None:
        self.table.set_columns(self.columns())
        await super().reload()

    def head(self, width: int) -> list[Line]:
        rows = len(self.view)
        return [((f" {plural(rows, 'figure')}, {dict(FACETS)[self.facet()]}", ""), ("   v shows the others", "dim"))]

    def empty(self) -> str:
        if self.field.text:
            return "No SKU or name holds that. esc clears the filter."
        if self.facet() == "all":
            return "Nobody else ever wrote stock here, as far as pushes and checks saw."
        return "Nobody else wrote stock, or all of it is decided. v shows decided ones too, F6 the stock diffs."

    def copy_text(self, row: ForeignLine) -> str:
        return row.sku or row.name

    def detail(self, row: ForeignLine, width: int) -> tuple[str, list[Line], str]:
        now = self.now()
        seen = "a push" if row.seen_by == "push" else "the stock check"
        lines = [
            plain(f" {clean(row.name)}"),
            plain(
                f" Seen {when(row.seen_at, now)} by {seen}: expected {row.expected}, "
                f"the shop showed {number(row.shows)}."
            ),
        ]
        if row.carried:
            lines.append(plain(" Fewer than orders explain: the units are held until an order explains them.", "dim"))
        if row.decision:
            by = f" by {clean(row.decided_by)}" if row.decided_by else ""
            reason = f": {clean(row.reason)}" if row.reason else ""
            lines.append(plain(f" {_PAST[row.decision].capitalize()} {when(row.decided_at, now)}{by}{reason}", "dim"))
        else:
            lines.append(
                plain(
                    f" z keeps {number(row.shows)}, s writes our {number(row.ours)}, c takes it into our stock.", "dim"
                )
            )
        return f"{row.sku or row.name} · {clean(row.shop)}", lines, ""

    # Commands -------------------------------------------------------------------------------------------------

    async def do_view(self) -> None:
        """Open ones, or decided ones too; new rows first."""
        if not self.view.new:
            self.view.change(facet="open" if self.facet() == "all" else "all")
        await self.reload()
        self.app.answer(f"Shown: {dict(FACETS)[self.facet()]}.")

    async def do_keep(self) -> None:
        """Leave the shop's figure."""
        await self._decide("keep")

    async def do_overwrite(self) -> None:
        """Let the next push write ours."""
        await self._decide("overwrite")

    async def do_adopt(self) -> None:
        """Correct our stock by it."""
        await self._decide("adopt")

    async def _decide(self, decision: str) -> None:
        wanted = self.table.marked_or_cursor()
        rows = [row for row in (await self._rows(wanted)) if not row.decision]
        shops = {row.shop_id for row in rows}
        if not rows:
            self.app.answer("All of these are decided. v shows the open ones.")
            return
        if len(rows) > _ABNORMAL and len(shops) > 1:
            self.app.answer("So many at once only in one shop: F8, then enter on a shop.")
            return
        reason = await self.app.push_screen_wait(self._box(decision, rows))
        if reason is None:
            return
        refused = await self.app.actions.decide_foreign([row.id for row in rows], decision, reason)
        self.view.marks.clear()
        await self.reload()
        done = f"{plural(len(rows) - len(refused), 'figure')} {_PAST[decision]}."
        self.app.answer(f"{done} Refused: {refused[0]}" if refused else done)

    async def _rows(self, ids: Sequence[int]) -> list[ForeignLine]:
        query = ForeignQuery()
        found: dict[int, ForeignLine] = {}
        for start in range(0, len(ids), 500):
            found.update(await self.app.reader.read(partial(query.rows, ids=ids[start : start + 500])))
        return [found[identity] for identity in ids if identity in found]

    def _box(self, decision: str, rows: Sequence[ForeignLine]) -> ReasonBox | TypedBox:
        """The question of its weight: a reason, and for many at once the shop's name."""
        verb = _VERBS[decision]
        what = rows[0].sku or rows[0].name if len(rows) == 1 else f"{number(len(rows))} figures"
        lines = [_change(decision, row) for row in rows[:_SHOWN]]
        if len(rows) > _SHOWN:
            lines.append(plain(f"  and {number(len(rows) - _SHOWN)} more", "dim"))
        lines += paragraphs([_EFFECTS[decision]], ReasonBox.WIDTH)
        title = f"{verb} {what} in {rows[0].shop if len({row.shop_id for row in rows}) == 1 else 'several shops'}"
        if len(rows) > _ABNORMAL:
            return TypedBox(title, lines, verb, name=rows[0].shop, code=rows[0].shop_code)
        return ReasonBox(title, lines, verb)

    async def do_explain(self) -> None:
        """Every part of our number, the last writes, and this one among those that are not ours."""
        row = self.table.cursor_row
        if not isinstance(row, ForeignLine):
            return
        now = self.now()
        found = await self.app.reader.read(
            lambda c: explain_listings(c, load_shop(c, row.shop_id), [row.listing_id], now=now)
        )
        if found:
            title = f"Why {row.shop} shows {number(found[0].shop_shows)} of {row.sku or row.name}"
            await self.app.push_screen_wait(NoteBox(title, explanation_lines(found[0], now, self.size.height)))


def _change(decision: str, row: ForeignLine) -> Line:
    words = {
        "keep": f"the shop keeps {number(row.shows)}, ours is {number(row.ours)}",
        "overwrite": f"{number(row.shows)} → {number(row.ours)} in the shop",
        "adopt": f"ours {number(row.ours)} → {number(row.shows)}",
    }[decision]
    follow = f", {plural(row.others, 'other listing follows', 'other listings follow')}" if row.others else ""
    return (
        (f"  {fit(clean(row.sku or row.name), 20, cut='middle')}  ", ""),
        (words, "accent"),
        (follow if decision == "adopt" else "", "dim"),
    )


def _state(row: ForeignLine) -> Cell:
    return (_PAST[row.decision], "dim") if row.decision else ("OPEN", "act")
