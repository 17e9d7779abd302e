"""`prestaconsole stock`: what the warehouses have, and why a shop shows a number."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prestaconsole.cli.failures import Ended
from prestaconsole.cli.options import Json, Limit
from prestaconsole.cli.output import print_json, print_rows, say, tell
from prestaconsole.cli.session import actor, opened
from prestaconsole.cli.stock_imports import app as imports
from prestaconsole.cli.stock_rules import app as rules
from prestaconsole.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from prestaconsole.services.explain import Explanation
    from prestaconsole.services.stock import StockRow
    from prestaconsole.services.stock_loads import LoadPlan

app = typer.Typer(help="What the warehouses have, and why a shop shows a number.", no_args_is_help=True)

Sku = Annotated[str, typer.Argument(help="SKU, or #ID for a product without one.")]
InWarehouse = Annotated[str, typer.Option("--warehouse", help="Code of the warehouse.")]
Moved = Annotated[int, typer.Argument(metavar="QTY", help="How many units.")]
_SHOWN_PROBLEMS = 20
_SHOWN_CHANGES = 200


@app.command("set")
def set_(
    sku: Sku,
    quantity: Annotated[int, typer.Argument(metavar="QTY", help="Units that are physically there.")],
    warehouse: InWarehouse,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the ledger.")],
    as_json: Json = False,
) -> None:
    """Set what is physically there."""
    from prestaconsole.services.stock import set_stock

    with opened() as core:
        row = set_stock(core, sku, quantity, warehouse=warehouse, reason=reason, actor=actor(core))
    if as_json:
        print_json(row)
        return
    say(f"{row.sku} in {row.warehouse}: {row.physical} there, {row.held} held, {row.available} free.")


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX with the columns sku,quantity.")],
    warehouse: InWarehouse,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would change and store nothing.")] = False,
    complete: Annotated[
        bool, typer.Option("--complete", help="The file is the whole count: SKUs that are not in it have none.")
    ] = False,
    good_rows: Annotated[
        bool, typer.Option("--good-rows", help="Load the good rows of a file that has bad ones too.")
    ] = False,
    errors: Annotated[
        Path | None, typer.Option("--errors", help="Where the bad rows are written; FILE.errors.csv without it.")
    ] = None,
    confirm: Annotated[
        str, typer.Option("--confirm", help="The warehouse's code, where many SKUs go to zero and that is right.")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; needed with --confirm.")] = "",
    as_json: Json = False,
) -> None:
    """Load counted stock from a file, all rows or none; SKUs that are not in it stay as they are.

    A load that was cut off goes on when the same file is loaded again.
    """
    from prestaconsole.services.stock_loads import load_stock, plan_load

    with opened() as core:
        if plan:
            found = plan_load(core, file, warehouse=warehouse, complete=complete)
        else:
            found = load_stock(
                core,
                file,
                warehouse=warehouse,
                actor=actor(core),
                complete=complete,
                good_rows=good_rows,
                confirm=confirm,
                reason=reason,
            )
    if found.resumed_at:
        tell(f"An attempt before was cut off: its {found.resumed_at} rows stand, this one booked the rest.")
    if as_json:
        print_json(found)
    else:
        _print_load(found)
    if found.held and not found.stored:
        tell(f"{found.held} Loading it needs --confirm {found.warehouse} --reason WHY.")
    if found.problems:
        _end_problems(found, errors or file.with_name(f"{file.stem}.errors.csv"), asked=good_rows)


def _print_load(found: "LoadPlan") -> None:
    print_rows(
        found.changes[:_SHOWN_CHANGES],
        [
            ("SKU", lambda row: row.sku),
            ("Was", lambda row: row.before),
            ("Is", lambda row: row.after),
            ("+/-", lambda row: f"{row.after - (row.before or 0):+d}"),
            ("", lambda row: "not in the file" if row.absent else ""),
        ],
        empty="Nothing differs.",
    )
    if len(found.changes) > _SHOWN_CHANGES:
        tell(f"{len(found.changes) - _SHOWN_CHANGES} more are not shown; --json gives them all.")
    verb = "changed" if found.stored else "would change"
    absent = sum(change.absent for change in found.changes)
    say(
        f"{len(found.changes) - absent} of {found.rows} rows {verb} {found.warehouse}, {found.unchanged} are the same"
        + (f", {absent} that are not in the file go to 0" if absent else "")
        + (f"; {found.to_zero} of {found.stocked} stocked SKUs go to 0." if found.to_zero else ".")
    )


def _end_problems(found: "LoadPlan", errors: Path, *, asked: bool) -> None:
    from prestaconsole.services.stock_files import write_error_file

    for problem in found.problems[:_SHOWN_PROBLEMS]:
        said = f" “{problem.value}”" if problem.column == "quantity" and problem.value else ""
        tell(f"{found.file}, line {problem.line}: {problem.sku or '(empty)'}:{said} {problem.text}. {problem.remedy}")
    more = len(found.problems) - _SHOWN_PROBLEMS
    rest = f" ({more} more are not shown)" if more > 0 else ""
    try:
        write_error_file(errors, found.problems)
        written = f" {errors} names each of them."
    except UsageError as error:
        written = f" {error}"
    number = len(found.problems)
    if found.stored:
        tell(f"{number} rows were left out{rest}; the others are loaded.{written}")
        return
    what = "would be left out" if asked else "cannot be loaded"
    end = "" if asked else ", so nothing was stored. Mend them and load it again"
    tell(f"{number} rows {what}{rest}{end}.{written}")
    raise Ended(EXIT_FAILED)


@app.command()
def loads(
    warehouse: Annotated[str | None, typer.Option("--warehouse", help="Only of this warehouse.")] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List the stock files that were taken in or refused, newest first."""
    from prestaconsole.services.load_list import list_loads

    with opened() as core:
        rows = list_loads(core, warehouse=warehouse, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Load", lambda row: row.id),
            ("At", lambda row: row.at),
            ("Warehouse", lambda row: row.warehouse),
            ("File", lambda row: row.file),
            ("State", lambda row: f"cut off after {row.booked}" if row.cut_off else row.state),
            ("Rows", lambda row: row.rows),
            ("Changed", lambda row: row.changed),
            ("Refused", lambda row: row.refused),
            ("By", lambda row: row.actor),
            ("Why", lambda row: row.error),
        ],
        empty="No stock file was loaded yet. `stock load FILE --warehouse CODE --plan` looks at one.",
    )


@app.command()
def receive(
    sku: Sku,
    quantity: Moved,
    warehouse: InWarehouse,
    reason: Annotated[str, typer.Option("--reason", help="Delivery note, supplier; it stands in the ledger.")] = "",
    as_json: Json = False,
) -> None:
    """Book goods that came in."""
    from prestaconsole.services.stock_moves import receive_stock

    with opened() as core:
        rows = receive_stock(core, sku, quantity, warehouse=warehouse, reason=reason, actor=actor(core))
    _print_stock(rows, as_json)


@app.command("return")
def return_(
    sku: Sku,
    quantity: Moved,
    warehouse: InWarehouse,
    reason: Annotated[str, typer.Option("--reason", help="Order, state of the goods; it stands in the ledger.")],
    as_json: Json = False,
) -> None:
    """Book goods that a buyer sent back and that can be sold again."""
    from prestaconsole.services.stock_moves import return_stock

    with opened() as core:
        rows = return_stock(core, sku, quantity, warehouse=warehouse, reason=reason, actor=actor(core))
    _print_stock(rows, as_json)


@app.command()
def transfer(
    sku: Sku,
    quantity: Moved,
    source: Annotated[str, typer.Option("--from", help="Code of the warehouse they leave.")],
    target: Annotated[str, typer.Option("--to", help="Code of the warehouse they go to.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the ledger.")] = "",
    as_json: Json = False,
) -> None:
    """Carry goods from one warehouse to another, both movements or none."""
    from prestaconsole.services.stock_moves import transfer_stock

    with opened() as core:
        rows = transfer_stock(core, sku, quantity, source=source, target=target, reason=reason, actor=actor(core))
    _print_stock(rows, as_json)


@app.command()
def ledger(
    sku: Sku,
    warehouse: Annotated[str | None, typer.Option("--warehouse", help="Only of this warehouse.")] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Show every movement of a product, newest first."""
    from prestaconsole.services.stock_moves import list_movements

    with opened() as core:
        rows = list_movements(core, sku, warehouse=warehouse, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("At", lambda row: row.at),
            ("Kind", lambda row: row.kind),
            ("Warehouse", lambda row: row.warehouse),
            ("+/-", lambda row: f"{row.units:+d}"),
            ("There", lambda row: row.physical),
            ("Order", lambda row: f"{row.shop} {row.order}" if row.order else row.shop),
            ("By", lambda row: row.actor),
            ("Reason", lambda row: row.reason),
        ],
        empty=f"Nothing of {sku} ever moved.",
    )


@app.command()
def show(sku: Sku, as_json: Json = False) -> None:
    """Show what each warehouse has of a product."""
    from prestaconsole.services.stock import show_stock
    from prestaconsole.services.stock_rules import show_kit

    with opened() as core:
        rows, kit = show_stock(core, sku), show_kit(core, sku)
    _print_stock(rows, as_json, empty=f"{sku} was never counted. `stock set`, `stock load` or import_stock does it.")
    if kit and not as_json:
        parts = ", ".join(f"{row.units} of {row.part}" for row in kit)
        tell(f"It is a kit of {parts}: its number comes from them, and a count of its own is not used.")


def _print_stock(rows: "Sequence[StockRow]", as_json: bool, *, empty: str = "") -> None:
    if as_json:
        print_json(list(rows))
        return
    columns: list[tuple[str, Callable[[StockRow], Any]]] = [
        ("SKU", lambda row: row.sku),
        ("Warehouse", lambda row: row.warehouse),
        ("Physical", lambda row: row.physical),
        ("Held", lambda row: row.held),
        ("Available", lambda row: row.available),
    ]
    print_rows(rows, columns, empty=empty)
    if len(rows) > 1:
        there, held = sum(row.physical for row in rows), sum(row.held for row in rows)
        say(f"{there} there in {len(rows)} warehouses, {held} held, {there - held} free.")


@app.command()
def explain(
    sku: Sku,
    shop: Annotated[str, typer.Option("--shop", help="In this shop: code, name or id.")],
    as_json: Json = False,
) -> None:
    """Explain why a shop shows, or should show, this number: parts that add up, last writes, what is not ours."""
    from prestaconsole.services.explain import explain_stock

    with opened() as core:
        found = explain_stock(core, sku, shop)
    if as_json:
        print_json(found[0] if len(found) == 1 else found)
        return
    for one in found:
        _say_explanation(one)


def _say_explanation(one: "Explanation") -> None:
    """As the console's box says it, one fact a line."""
    say(f"Why {one.shop} shows {_number(one.shop_shows)} of {one.sku or '(no SKU)'}: {one.name}")
    for part in one.parts:
        beside = ", ".join(filter(None, (part.customer, part.detail)))
        say(f"  {part.units:>+8d}  {part.step:<10} {part.label}{f': {beside}' if beside else ''}")
    if one.should_show is None:
        say(f"  It is never written: {one.why_none}")
    else:
        says = "they agree" if one.agrees else "they differ"
        say(f"  {one.should_show:>8d}  should show; the shop's figure is {_number(one.shop_shows)}: {says}")
        if not one.agrees and one.verdict:
            say(f"  {one.verdict.replace(' d plans', ' `feed run SHOP export_stock --plan` plans')}")
    if one.counted_by:
        say(f"  Counted by  {one.counted_by}")
    for row in one.writes:
        say(
            f"  Written     {_moment(row.at)}  {_number(row.before)} → {row.after}  {row.state}, "
            f"plan {row.changeset} {row.reason}"
        )
    for seen in one.foreign:
        reason = f" ({seen.reason})" if seen.reason else ""
        say(
            f"  Not ours    {_moment(seen.at)}  {seen.expected} → {seen.shows}  seen by {seen.seen_by}: "
            f"{seen.outcome}{reason}"
        )
    for row in one.waiting:
        say(f"  Waiting     {_number(row.before)} → {row.after}  {row.state}, plan {row.changeset}")
    if not one.waiting:
        say("  Waiting     nothing")


def _moment(at: "datetime | None") -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if at else "–"


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


app.add_typer(imports)
app.add_typer(rules)
