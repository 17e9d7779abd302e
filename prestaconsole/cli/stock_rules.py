"""The part of `prestaconsole stock` that says how single products count: exceptions, kits, stop selling."""

from typing import Annotated

import typer

from prestaconsole.cli.options import InShop, Json
from prestaconsole.cli.output import print_json, print_rows, say, tell
from prestaconsole.cli.session import actor, opened
from prestaconsole.errors import UsageError

app = typer.Typer()
_STEPS = ("buffer", "threshold", "cap")

Sku = Annotated[str, typer.Argument(help="SKU, or #ID for a product without one.")]


@app.command()
def formula(
    sku: Sku,
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STEP=NUMBER]...", help="buffer, threshold or cap; empty: the shop's."),
    ] = None,
    shop: Annotated[str, typer.Option("--shop", help="In this shop: code, name or id.")] = "",
    as_json: Json = False,
) -> None:
    """Show or set what differs for one product in a shop: `stock formula SKU --shop S cap=10 buffer=0`."""
    from prestaconsole.services.stock_rules import product_formula, set_product_formula

    if not shop:
        raise UsageError("The shop is missing.", "Name it: --shop CODE.")
    typed = {}
    for word in values or ():
        step, sign, number = word.partition("=")
        if not sign:
            raise UsageError(f"“{word}” is no step.", "Write STEP=NUMBER, such as cap=10; cap= takes it back.")
        typed[step] = number
    with opened() as core:
        if typed:
            row = set_product_formula(core, sku, shop, typed, actor=actor(core))
        else:
            row = product_formula(core, sku, shop)
    if as_json:
        print_json(row)
        return
    for step, units in (("buffer", row.buffer), ("threshold", row.threshold), ("cap", row.cap)):
        whose = "of its own" if step in row.own else "as the shop has it"
        say(f"{step:<10}{'no limit' if units is None else units!s:>10}  {whose}")


@app.command()
def exceptions(shop: InShop = None, as_json: Json = False) -> None:
    """List the products that differ from their shop's formula."""
    from prestaconsole.services.stock_rules import list_exceptions

    with opened() as core:
        rows = list_exceptions(core, shop)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Shop", lambda row: row.shop),
            ("SKU", lambda row: row.sku),
            *((step.title(), lambda row, step=step: getattr(row, step) if step in row.own else "–") for step in _STEPS),
        ],
        empty="Every product follows its shop's formula.",
    )


@app.command()
def kit(
    sku: Sku,
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="[PART=UNITS]...", help="What one kit is made of, all of it.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="It is no kit any more: its own count is used again.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the audit.")] = "",
    as_json: Json = False,
) -> None:
    """Show or say what a kit is made of; its number is what its scarcest part makes."""
    from prestaconsole.services.stock_rules import parts_typed, set_kit, show_kit

    if parts and none:
        raise UsageError("Parts and --none cannot go together.", "Name the parts, or say --none.")
    with opened() as core:
        if parts or none:
            rows = set_kit(core, sku, parts_typed(parts or ()), actor=actor(core), reason=reason)
        else:
            rows = show_kit(core, sku)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [("Part", lambda row: row.part), ("Units", lambda row: row.units), ("Name", lambda row: row.name)],
        empty=f"{sku} is no kit: it is counted itself.",
    )


@app.command()
def kits(as_json: Json = False) -> None:
    """List every kit with its parts."""
    from prestaconsole.services.stock_rules import list_kits

    with opened() as core:
        rows = list_kits(core)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Kit", lambda row: row.kit),
            ("Part", lambda row: row.part),
            ("Units", lambda row: row.units),
            ("Name", lambda row: row.name),
        ],
        empty="No kit yet. `prestaconsole stock kit SKU PART=UNITS …` makes one.",
    )


@app.command()
def stop(
    sku: Annotated[str, typer.Argument(help="SKU, or #ID; without one: what is stopped.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the audit.")] = "",
    as_json: Json = False,
) -> None:
    """Stop selling a product everywhere: zero in every shop, and of every kit that needs it, until it is resumed."""
    from prestaconsole.services.stock_rules import stop_selling, stopped_products

    with opened() as core:
        if not sku:
            skus = stopped_products(core)
            print_json(skus) if as_json else _say_stopped(skus)
            return
        done = stop_selling(core, sku, reason=reason, actor=actor(core))
    if as_json:
        print_json(done)
        return
    say(f"{done.sku} is stopped: {done.listings} listings in {done.shops} shops show 0 with the next push.")


def _say_stopped(skus: list[str]) -> None:
    for sku in skus:
        say(sku)
    if not skus:
        tell("Nothing is stopped: every product is sold as the formula says.")


@app.command()
def resume(
    sku: Sku,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the audit.")],
    as_json: Json = False,
) -> None:
    """Sell a product again; its numbers are what the formula says."""
    from prestaconsole.services.stock_rules import resume_selling

    with opened() as core:
        done = resume_selling(core, sku, reason=reason, actor=actor(core))
    if as_json:
        print_json(done)
        return
    say(
        f"{done.sku} is sold again: {done.listings} listings in {done.shops} shops get their number with the next push."
    )
