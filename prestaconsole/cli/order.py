"""`prestaconsole order`: orders as the shops gave them."""

from datetime import date
from typing import Annotated

import typer

from prestaconsole.cli.feed import print_run
from prestaconsole.cli.options import InShop, Json, Limit, Shop
from prestaconsole.cli.output import print_facts, print_json, print_rows, say, tell
from prestaconsole.cli.progress import RunLines
from prestaconsole.cli.session import actor, opened, wait
from prestaconsole.errors import UsageError

app = typer.Typer(help="Orders as the shops gave them, each with a verdict.", no_args_is_help=True)


@app.command("list")
def list_(
    shop: InShop = None,
    state: Annotated[str | None, typer.Option("--state", help="Only this order state: number or name.")] = None,
    verdict: Annotated[str | None, typer.Option("--verdict", help="import, hold, done, cancelled, skip, …")] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List every order id ever seen, skipped ones too, newest first."""
    from prestaconsole.services.orders import list_orders

    with opened() as core:
        rows = list_orders(core, shop=shop, state=state, verdict=verdict, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Shop", lambda row: row.shop),
            ("Order", lambda row: row.id_order),
            ("Reference", lambda row: row.reference),
            ("Placed", lambda row: row.date_add),
            ("Verdict", lambda row: row.verdict),
            ("State", lambda row: row.state_name or row.state),
            ("Total", lambda row: f"{row.total_paid:.2f} {row.currency}"),
            ("Lines", lambda row: len(row.lines)),
            ("Why", lambda row: row.reason),
        ],
        empty="No order was read yet. `prestaconsole feed run SHOP import_orders --wait` reads them.",
    )


@app.command()
def show(
    order: Annotated[str, typer.Argument(help="Number or reference; SHOP:NUMBER names both.")],
    shop: InShop = None,
    as_json: Json = False,
) -> None:
    """Show one order: verdict, lines, figures, addresses, and the shop's own log of its states."""
    from prestaconsole.services.orders import show_order

    with opened() as core:
        found = show_order(core, order, shop=shop)
    row = found.order
    if as_json:
        base = {name: getattr(row, name) for name in row.__dataclass_fields__}
        print_json(base | {"totals": found.totals, "addresses": found.addresses, "events": found.events})
        return
    print_facts(
        [
            ("Order", f"{row.shop}:{row.id_order} {row.reference}"),
            ("Placed", row.date_add),
            ("Verdict", f"{row.verdict}: {row.reason}"),
            ("State", f"{row.state} {row.state_name}"),
            ("Buyer", row.customer),
            ("Payment", row.payment),
            ("Shipped", row.shipped_at),
            ("Next look", row.next_look_at),
            *((name, f"{amount:.2f} {row.currency}") for name, amount in found.totals.items() if amount),
        ]
    )
    for line in row.lines:
        say(f"  {line.quantity} × {line.sku or '(no SKU)'} {line.name}  {line.total_price_tax_incl:.2f} {row.currency}")


@app.command("import")
def import_(
    shop: Shop,
    ids: Annotated[list[int] | None, typer.Option("--id", help="One order by its number; may be repeated.")] = None,
    from_id: Annotated[int | None, typer.Option("--from-id", min=1, help="All from this number on.")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="DATE", help="All since this day.")] = None,
    days: Annotated[int | None, typer.Option("--days", min=0, help="All of the last so many days.")] = None,
    as_json: Json = False,
) -> None:
    """Import orders by hand and wait. All but --id set orders.start and read from there, and first tell how many."""
    from prestaconsole.services.order_preview import preview_orders
    from prestaconsole.services.orders import import_orders

    try:
        day = date.fromisoformat(since) if since else None
    except ValueError:
        raise UsageError(f"“{since}” is no day.", "Write it as 2026-01-31.") from None
    with opened() as core:
        if sum(given is not None for given in (from_id, day, days)) == 1 and not ids:
            ahead = wait(preview_orders(core, shop, from_id=from_id, since=day, days=days))
            if ahead is not None:
                tell(ahead.words)
        found = wait(
            import_orders(
                core,
                shop,
                ids=ids or (),
                from_id=from_id,
                since=day,
                days=days,
                actor=actor(core),
                on_progress=RunLines(),
            )
        )
    print_run(found, as_json=as_json)
