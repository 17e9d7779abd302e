"""`prestaconsole foreign`: stock figures in a shop that somebody else wrote."""

from typing import Annotated

import typer

from prestaconsole.cli.options import InShop, Json, Limit
from prestaconsole.cli.output import print_json, print_rows, say
from prestaconsole.cli.session import actor, opened

app = typer.Typer(help="Stock figures that somebody else wrote in a shop.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="ID", help="Number in `foreign list`.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit.")]


@app.command("list")
def list_(
    shop: InShop = None,
    everything: Annotated[bool, typer.Option("--all", help="Show decided ones too.")] = False,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List figures that neither we nor the shop's orders explain."""
    from prestaconsole.services.foreign import list_foreign

    with opened() as core:
        rows = list_foreign(core, shop=shop, everything=everything, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("ID", lambda row: row.id),
            ("Shop", lambda row: row.shop),
            ("SKU", lambda row: row.sku or row.name),
            ("Seen", lambda row: row.seen_at),
            ("Expected", lambda row: row.expected),
            ("Shop's", lambda row: row.shows),
            ("Ours", lambda row: row.ours),
            ("State", lambda row: row.state),
        ],
        empty="Nobody else wrote stock.",
    )


@app.command()
def keep(number: Number, reason: Reason, as_json: Json = False) -> None:
    """Leave the shop's figure until ours changes next."""
    _decide(number, "keep", reason, as_json)


@app.command()
def overwrite(number: Number, reason: Reason, as_json: Json = False) -> None:
    """Let the next push write our figure, through gate and brake."""
    _decide(number, "overwrite", reason, as_json)


@app.command()
def adopt(number: Number, reason: Reason, as_json: Json = False) -> None:
    """Correct our stock so that it gives the shop's figure; other shops follow."""
    _decide(number, "adopt", reason, as_json)


def _decide(number: int, decision: str, reason: str, as_json: bool) -> None:
    from prestaconsole.services.foreign import decide

    with opened() as core:
        row = decide(core, number, decision, actor=actor(core), reason=reason)
    if as_json:
        print_json(row)
        return
    what = {
        "keep": f"The shop keeps {row.shows}.",
        "overwrite": "Ours goes out with the next push.",
        "adopt": f"Our stock gives {row.shows} now.",
    }
    say(f"{row.sku or row.name} in {row.shop}: {what[decision]}")
