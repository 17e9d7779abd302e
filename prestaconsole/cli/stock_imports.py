"""The part of `prestaconsole stock` about imports of a shop's stock: the preview, the list, and taking one back."""

from typing import TYPE_CHECKING, Annotated

import typer

from prestaconsole.cli.options import InShop, Json, Limit
from prestaconsole.cli.output import plain, print_json, print_rows, say, tell
from prestaconsole.cli.session import actor, opened

if TYPE_CHECKING:
    from prestaconsole.operations.core import Core
    from prestaconsole.services.runs import RunDetail
    from prestaconsole.services.stock_imports import TakenBack

app = typer.Typer()
_SHOWN = 200
_NAMED = 20


@app.command()
def imports(shop: InShop = None, limit: Limit = None, as_json: Json = False) -> None:
    """List the imports of shops' stock, newest first, with the units before and after."""
    from prestaconsole.services.stock_imports import list_imports

    with opened() as core:
        rows = list_imports(core, shop=shop, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Run", lambda row: row.run),
            ("At", lambda row: row.at),
            ("Shop", lambda row: row.shop),
            ("Warehouse", lambda row: row.warehouse),
            ("Levels", lambda row: row.levels),
            ("Units before", lambda row: row.units_before),
            ("After", lambda row: row.units_after),
            ("Taken back", lambda row: row.taken_back),
            ("By", lambda row: row.actor),
            ("Reason", lambda row: row.reason),
        ],
        empty="No shop's stock was imported yet: `feed run SHOP import_stock --plan --wait` says what it would do.",
    )


@app.command("import-undo")
def import_undo(
    run: Annotated[int, typer.Argument(help="Number of the import's run; `stock imports` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the ledger.")] = "",
    plan: Annotated[bool, typer.Option("--plan", help="Say what would go back and store nothing.")] = False,
    confirm: Annotated[
        str, typer.Option("--confirm", help="The warehouse's code, where many SKUs go to zero and that is right.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Take an import of stock back: each level that nothing has moved since goes to what it was before."""
    from prestaconsole.services.stock_imports import take_back_import

    with opened() as core:
        found = take_back_import(core, run, actor=actor(core), reason=reason, plan=plan, confirm=confirm)
    if as_json:
        print_json(found)
        return
    _print_back(found)


def _print_back(found: "TakenBack") -> None:
    print_rows(
        found.lines[:_SHOWN],
        [
            ("SKU", lambda row: row.sku),
            ("Is" if not found.stored else "Was", lambda row: "–" if row.now is None else row.now),
            ("Goes to" if not found.stored else "Is", lambda row: "not counted" if row.back is None else row.back),
            ("", lambda row: f"stays, {row.why}" if row.why else ""),
        ],
        empty="",
    )
    if len(found.lines) > _SHOWN:
        tell(f"{len(found.lines) - _SHOWN} more are not shown; --json gives them all.")
    went, stay = ("went back", "stayed") if found.stored else ("would go back", "would stay")
    say(
        f"{found.back} levels in {found.warehouse} {went} ({found.units_before} units become {found.units_after}), "
        f"{found.stay} {stay}."
    )
    if found.held and not found.stored:
        tell(f"{found.held} It needs --confirm {found.warehouse}.")


def print_preview(core: "Core", run: "RunDetail", shop: str, known: str, *, as_json: bool) -> None:
    """Print what an import would do, by the figures that the run has just read."""
    from prestaconsole.services.stock_imports import preview_import

    found = preview_import(core, shop, known=known)
    if as_json:
        print_json({**plain(run), "preview": found})
        return
    print_rows(
        found.lines[:_SHOWN],
        [
            ("SKU", lambda row: row.sku),
            ("Level", lambda row: "–" if row.before is None else row.before),
            ("Becomes", lambda row: row.after),
            ("Shop shows", lambda row: row.shown),
            ("Held", lambda row: row.held),
            ("", lambda row: "kept: counted before" if row.kept else ""),
        ],
        empty="No level would change.",
    )
    if len(found.lines) > _SHOWN:
        tell(f"{len(found.lines) - _SHOWN} more are not shown; --json gives them all.")
    say(
        f"{found.skus} SKUs of {found.shop} into {found.warehouse}: {found.new} new, {found.raised} raised, "
        f"{found.lowered} lowered, {found.unchanged} the same, {found.kept} kept; "
        f"{found.units_before} units become {found.units_after}. No level was set."
    )
    if found.kept:
        tell("Kept SKUs were counted before: --known overwrite takes the shop's figure, --known sum adds it.")
    for why, names in found.left_out.items():
        more = " …" if len(names) > _NAMED else ""
        say(f"Left out, {why}: {len(names)} ({', '.join(names[:_NAMED])}{more})")
