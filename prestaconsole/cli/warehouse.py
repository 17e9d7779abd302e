"""`prestaconsole warehouse`: places that keep stock."""

from typing import Annotated

import typer

from prestaconsole.cli.options import Json, Limit
from prestaconsole.cli.output import print_json, print_rows, say
from prestaconsole.cli.session import actor, opened
from prestaconsole.errors import UsageError

app = typer.Typer(help="Places that keep stock.", no_args_is_help=True)


@app.command()
def add(
    code: Annotated[str, typer.Argument(help="A short code, such as W1.")],
    name: Annotated[str, typer.Option("--name", help="What people call it.")] = "",
    as_json: Json = False,
) -> None:
    """Make a warehouse."""
    from prestaconsole.services.warehouses import add_warehouse

    with opened() as core:
        made = add_warehouse(core, code, name=name, actor=actor(core))
    if as_json:
        print_json(made)
        return
    say(f"Warehouse {made.code} is made. `shop set SHOP stock.warehouses={made.code}` offers its stock in a shop.")


@app.command("set")
def set_(
    code: Annotated[str, typer.Argument(help="Its code.")],
    values: Annotated[
        list[str],
        typer.Argument(metavar="FIELD=VALUE...", help="name, active=yes|no, folder=PATH, good_rows=yes|no."),
    ],
    as_json: Json = False,
) -> None:
    """Set fields of a warehouse: its name, on or off, the folder whose stock files are loaded."""
    from prestaconsole.services.warehouses import set_warehouse

    typed = {}
    for word in values:
        name, sign, text = word.partition("=")
        if not sign:
            raise UsageError(f"“{word}” sets nothing.", "Write FIELD=VALUE, such as folder=/srv/stock/w1.")
        typed[name] = text
    with opened() as core:
        row = set_warehouse(core, code, typed, actor=actor(core))
    if as_json:
        print_json(row)
        return
    state = "counts" if row.active else "is switched off and counts as empty"
    say(f"{row.code} {row.name}".strip() + f" {state}. Drop folder: {row.folder or 'none'}.")


@app.command("list")
def list_(limit: Limit = None, as_json: Json = False) -> None:
    """List warehouses with what they hold and which shops draw on them."""
    from prestaconsole.services.warehouses import list_warehouses

    with opened() as core:
        rows = list_warehouses(core, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Code", lambda row: row.code),
            ("Name", lambda row: row.name),
            ("Products", lambda row: row.products),
            ("Units", lambda row: row.units),
            ("Shops", lambda row: row.shops),
            ("Active", lambda row: row.active),
            ("Drop folder", lambda row: row.folder),
        ],
        empty="No warehouse yet. `prestaconsole warehouse add CODE` makes one.",
    )
