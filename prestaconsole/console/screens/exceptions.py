"""Exceptions of single products from a shop's formula: the boxes that ask for them. Imports the pane and services."""

from collections.abc import Mapping

from prestaconsole.console.dialogs.ask import DiffBox, paragraphs
from prestaconsole.console.dialogs.choose import Reading, WordsBox
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.text import clean, number
from prestaconsole.console.widgets.lines import Line, plain
from prestaconsole.errors import UsageError
from prestaconsole.services.stock import find_product
from prestaconsole.services.views.formula import FormulaLine, ProductInShop, product_in_shop

_STEPS = ("buffer", "threshold", "cap")
_FORM = "buffer 3, threshold 2, cap 20; what is not named is the shop's"
_MOST = 1_000_000


class ExceptionBoxes(Pane):
    """The half of the formula pane that knows single products."""

    async def do_new(self) -> None:
        """Ask for a SKU, then for its own steps."""
        typed = await self.app.push_screen_wait(
            WordsBox("New exception", "SKU", "", lambda text: Reading([plain(f"  {_FORM}", "dim")], bool(text.strip())))
        )
        if typed is None:
            return
        product_id = await self.app.reader.read(lambda connection: find_product(connection, typed)[0])
        await self.edit_exception(product_id)

    async def edit_exception(self, product_id: int) -> None:
        """Ask for the steps of one product; the box says what the shop would show with them."""
        shop = self.app.scope_shop
        if shop is None:
            return
        known = await self.app.reader.read(lambda connection: product_in_shop(connection, shop.id, product_id))
        if known is None:
            self.app.answer(f"{shop.name} sells no such product. product list shows what it has.")
            return
        text = ", ".join(f"{step} {units}" for step, units in known.own.items())
        box = WordsBox(
            f"Steps of {known.sku} in {shop.name}", "Own", text, lambda typed: _reading(known, typed), "Next"
        )
        typed = await self.app.push_screen_wait(box)
        if typed is not None:
            await self._save_exception(known, parse_steps(typed))

    async def drop_exception(self, row: FormulaLine) -> None:
        """Give one product the shop's steps back."""
        shop = self.app.scope_shop
        if shop is None or row.product_id is None:
            return
        product_id = row.product_id
        known = await self.app.reader.read(lambda connection: product_in_shop(connection, shop.id, product_id))
        if known is None:
            await self.app.actions.set_exception(shop.code, row.label, dict.fromkeys(_STEPS, ""))
            await self.reload()
        else:
            await self._save_exception(known, {})

    async def _save_exception(self, known: ProductInShop, own: Mapping[str, int]) -> None:
        shop = self.app.scope_shop
        assert shop is not None
        if dict(own) == dict(known.own):
            self.app.answer("Nothing is changed.")
            return
        lines: list[Line] = []
        for step in _STEPS:
            before, after = known.own.get(step), own.get(step)
            if before != after:
                words = f"{_said(before)} → {_said(after)}"
                lines.append(((f"  {step:<12}", ""), (words, "accent")))
        lines += [_effect(known, own)]
        lines += paragraphs(["Saving sends nothing: what changes is planned and goes the usual way."], DiffBox.WIDTH)
        if await self.app.push_screen_wait(DiffBox(f"Save {known.sku} in {shop.name}", lines, "Save")) is None:
            return
        values = {step: str(own[step]) if step in own else "" for step in _STEPS}
        await self.app.actions.set_exception(shop.code, known.sku, values)
        await self.reload()
        self.app.answer(f"Saved: {known.sku} in {shop.name}. The next plan has it; F6 shows it.")


def parse_steps(text: str) -> dict[str, int]:
    """``buffer 3, cap 20`` as {buffer: 3, cap: 20}; empty text is no step. Raises ``UsageError``."""
    found: dict[str, int] = {}
    for one in filter(None, (part.strip() for part in text.replace("=", " ").split(","))):
        name, _, digits = one.partition(" ")
        digits = digits.strip()
        if name not in _STEPS or name in found or not (digits.isascii() and digits.isdigit() and int(digits) <= _MOST):
            raise UsageError(f"“{one}” is no step.", f"Write {_FORM}.")
        found[name] = int(digits)
    return found


def _reading(known: ProductInShop, text: str) -> Reading:
    try:
        own = parse_steps(text)
    except UsageError as error:
        return Reading(paragraphs([error.cause, error.remedy], WordsBox.WIDTH, "late"), False)
    return Reading([_effect(known, own)], True)


def _effect(known: ProductInShop, own: Mapping[str, int]) -> Line:
    before, after = known.shown_with(known.own), known.shown_with(own)
    if after is None:
        return plain(f"  It is never written: {clean(known.free.why_none)}", "late")
    return plain(f"  The shop should show {number(before)} → {number(after)}, of {number(known.free.units)} free.")


def _said(units: int | None) -> str:
    return "the shop's" if units is None else number(units)
