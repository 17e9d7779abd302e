"""`prestaconsole product`: products of the warehouse."""

from typing import Annotated

import typer

from prestaconsole.cli.options import Json, Limit
from prestaconsole.cli.output import print_facts, print_json, print_rows, say
from prestaconsole.cli.session import opened

app = typer.Typer(help="Products of the warehouse, with their listings in the shops.", no_args_is_help=True)


@app.command("list")
def list_(
    words: Annotated[str, typer.Option("--words", help="Words in SKU, name or EAN.")] = "",
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List products by SKU, those without one last."""
    from prestaconsole.services.listings import list_products

    with opened() as core:
        rows = list_products(core, words=words, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("SKU", lambda row: row.sku or f"#{row.id}"),
            ("Name", lambda row: row.name),
            ("EAN", lambda row: row.ean13),
            ("Listings", lambda row: row.listings),
            ("Physical", lambda row: row.physical),
            ("Held", lambda row: row.held),
        ],
        empty="No product yet. `prestaconsole feed run SHOP import_products --wait` reads them.",
    )


@app.command()
def show(
    sku: Annotated[str, typer.Argument(help="SKU, or #ID for a product without one.")], as_json: Json = False
) -> None:
    """Show one product with its listings and its stock."""
    from prestaconsole.services.listings import show_product

    with opened() as core:
        found = show_product(core, sku)
    product = found.product
    if as_json:
        base = {name: getattr(product, name) for name in product.__dataclass_fields__}
        print_json(base | {"listings": found.listings, "stock": found.stock})
        return
    print_facts([(name, getattr(product, name)) for name in product.__dataclass_fields__])
    for row in found.stock:
        say(f"  {row.warehouse}: {row.physical} there, {row.held} held, {row.available} free")
    for one in found.listings:
        say(f"  {one.shop} {one.id_product}-{one.id_product_attribute}: {one.quantity} shown, {one.price:.2f} net")
