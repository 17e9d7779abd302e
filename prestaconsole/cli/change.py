"""`prestaconsole change`: the single values of plans."""

from typing import Annotated

import typer

from prestaconsole.cli.options import InShop, Json, Limit
from prestaconsole.cli.output import print_json, print_rows
from prestaconsole.cli.session import opened

app = typer.Typer(help="The single values of plans, before and after.", no_args_is_help=True)


@app.callback()
def change() -> None:
    """The single values of plans, before and after."""


@app.command("list")
def list_(
    shop: InShop = None,
    changeset: Annotated[int | None, typer.Option("--changeset", metavar="ID", help="Only this plan.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="planned, held, approved, sent, confirmed, …")] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List changes with their value before and after."""
    from prestaconsole.services.changesets import list_changes

    with opened() as core:
        rows = list_changes(core, shop=shop, changeset=changeset, state=state, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Plan", lambda row: row.changeset),
            ("Shop", lambda row: row.shop),
            ("SKU", lambda row: row.sku or row.record),
            ("Name", lambda row: row.name),
            ("Field", lambda row: row.field),
            ("Before", lambda row: row.before),
            ("After", lambda row: row.after),
            ("Read back", lambda row: row.observed if row.observed is not None else "–"),
            ("State", lambda row: row.state),
            ("Note", lambda row: row.note),
        ],
        empty="No change is there.",
    )
