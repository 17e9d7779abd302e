"""`prestaconsole mapping`: the shop's words and ours."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from prestaconsole.cli.options import Json, Shop
from prestaconsole.cli.output import print_json, print_rows, say
from prestaconsole.cli.session import actor, opened
from prestaconsole.errors import UsageError

app = typer.Typer(help="What a shop's words mean for us.", no_args_is_help=True)

Kind = Annotated[str, typer.Argument(metavar="KIND", help="order-state-in: what is done with orders in a state.")]


@app.command()
def show(shop: Shop, kind: Kind = "order-state-in", as_json: Json = False) -> None:
    """Show a mapping with suggestions; what has no rule comes first."""
    from prestaconsole.services import mappings

    mappings.require_kind(kind)
    with opened() as core:
        rows = mappings.show_order_states(core, shop)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("State", lambda row: row.id_order_state),
            ("The shop says", lambda row: row.name),
            (
                "Flags",
                lambda row: [f for f in ("paid", "shipped", "delivery", "invoice", "deleted") if getattr(row, f)],
            ),
            ("Do", lambda row: row.action or f"? ({row.suggestion})"),
            ("Retry", lambda row: f"{row.retry_days} d" if row.retry else "no"),
            ("Gives back", lambda row: f"{'yes' if row.gives_back else 'no'} ({row.gives_back_source})"),
            ("Orders", lambda row: row.orders),
            ("By", lambda row: "suggested" if row.suggested else row.updated_by),
            ("Odd", lambda row: row.warnings),
        ],
        empty="Nothing to map: the shop was not analysed yet. `prestaconsole shop analyse SHOP` does it.",
    )


@app.command("set")
def set_(
    shop: Shop,
    kind: Kind,
    state: Annotated[str, typer.Argument(help="Number or name of the order state; all: each not yet decided on.")],
    action: Annotated[str | None, typer.Argument(help="import, hold, done, cancelled, skip, or suggested.")] = None,
    retry: Annotated[bool | None, typer.Option("--retry/--no-retry", help="Look again until it changes.")] = None,
    days: Annotated[int | None, typer.Option("--days", help="Give up looking after so many days.")] = None,
    gives_back: Annotated[
        str | None, typer.Option("--gives-back", metavar="yes|no", help="Whether the shop gives the stock back.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Set what is done with orders in a state."""
    from prestaconsole.services import mappings

    mappings.require_kind(kind)
    if gives_back not in {None, "yes", "no"}:
        raise UsageError("--gives-back takes yes or no.", "`mapping show` says what is suggested.")
    if action is None and retry is None and days is None and gives_back is None:
        raise UsageError("Nothing to set was given.", "Give an action, --retry, --days or --gives-back.")
    said = None if gives_back is None else gives_back == "yes"
    if state == "all":
        _set_all(shop, action, said, as_json, further=retry is not None or days is not None)
        return
    with opened() as core:
        row = mappings.set_order_state(
            core,
            shop,
            state,
            action=action,
            retry=retry,
            retry_days=days,
            gives_back=said,
            actor=actor(core),
        )
    if as_json:
        print_json(row)
        return
    again = f", looked at again for {row.retry_days} days" if row.retry else ""
    say(f"{row.name} ({row.id_order_state}): {row.action or 'no rule'}{again}.")
    for warning in row.warnings:
        say(warning)


def _set_all(shop: str, action: str | None, gives_back: bool | None, as_json: bool, *, further: bool) -> None:
    from prestaconsole.services.mappings import set_undecided

    if further:
        raise UsageError("--retry and --days are set for one state at a time.", "Name the state.")
    with opened() as core:
        rows = set_undecided(core, shop, action=action, gives_back=gives_back, actor=actor(core))
    if as_json:
        print_json(rows)
        return
    open_ones = sum(row.suggested or not row.action for row in rows)
    unsure = sum(row.gives_back_source == "suggested" for row in rows)
    say(f"{len(rows)} states, {open_ones} rules still suggested, {unsure} not confirmed as to giving stock back.")


@app.command()
def export(shop: Shop, file: Annotated[Path, typer.Argument(help="CSV file to write; - is standard output.")]) -> None:
    """Write the mappings of a shop to a CSV file."""
    from prestaconsole.services.mappings import export_csv

    with opened() as core:
        text = export_csv(core, shop)
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.", "Name another file.") from None
    say(f"{text.count(chr(10)) - 1} mappings are in {file}.")


@app.command("import")
def import_(shop: Shop, file: Annotated[Path, typer.Argument(help="CSV file to read; - is standard input.")]) -> None:
    """Take mappings from a CSV file, all or none."""
    from prestaconsole.services.mappings import import_csv

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{file} cannot be read: {why}.", "Check its name, or save it as CSV UTF-8.") from None
    with opened() as core:
        changed = import_csv(core, shop, text, actor=actor(core))
    say(f"{changed} rules differ from before.")
