"""`prestaconsole listing`: products and combinations as they live in the shops."""

from typing import Annotated

import typer

from prestaconsole.cli.options import InShop, Json, Limit
from prestaconsole.cli.output import print_facts, print_json, print_rows
from prestaconsole.cli.session import opened

app = typer.Typer(help="Products and combinations as they live in the shops.", no_args_is_help=True)


@app.command("list")
def list_(
    shop: Annotated[str | None, typer.Argument(help="Code, name or id of the shop; all without it.")] = None,
    words: Annotated[str, typer.Option("--words", help="Words in SKU, name or EAN.")] = "",
    gone: Annotated[bool, typer.Option("--gone", help="Those too that the shop has no longer.")] = False,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List listings; a product with combinations stands there by its combinations only."""
    from prestaconsole.services.listings import list_listings

    with opened() as core:
        rows = list_listings(core, shop, words=words, gone=gone, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Shop", lambda row: row.shop),
            ("Product", lambda row: row.id_product),
            ("Comb.", lambda row: row.id_product_attribute),
            ("SKU", lambda row: row.sku or "–"),
            ("Name", lambda row: row.name),
            ("Shop's", lambda row: row.quantity),
            ("Net price", lambda row: f"{row.price:.2f} {row.currency}"),
            ("Active", lambda row: row.active),
        ],
        empty="No listing yet. `prestaconsole feed run SHOP import_products --wait` reads them.",
    )


@app.command()
def show(
    listing: Annotated[str, typer.Argument(help="SKU, id_product or id_product-id_product_attribute.")],
    shop: InShop = None,
    as_json: Json = False,
) -> None:
    """Show one listing."""
    from prestaconsole.services.listings import show_listing

    with opened() as core:
        found = show_listing(core, listing, shop=shop)
    if as_json:
        print_json(found)
        return
    print_facts([(name.replace("_", " "), getattr(found, name)) for name in found.__dataclass_fields__])
