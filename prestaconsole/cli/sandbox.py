"""`prestaconsole sandbox`: a simulated PrestaShop on a port of this machine."""

from pathlib import Path
from typing import Annotated

import typer

from prestaconsole.cli.failures import Ended
from prestaconsole.errors import EXIT_DONE

# Written here, for importing the sandbox would slow every other command down.
FAULTS = (
    "Of a share of the requests, from 0 to 1, or of the next N (NAME=next:N): http500, php-warning, html, truncate, "
    "reset, timeout-before, timeout-after, 429, other-shop (another installation answers). With a number: latency=MS, "
    "redirect=CODE, clock=SECONDS ahead, id-reuse=N (the newest N orders are lost once, as after an old backup, and "
    "their ids come again). On for all: no-auth-header, block-put, mail-refused, php-messages (PHP's notices unmasked)."
)


def sandbox(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 8088,
    key: Annotated[
        str | None, typer.Option("--key", help="Its webservice key, 32 characters; told at the start.")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", metavar="1.5|1.6|1.7|8|9", help="Its PrestaShop.")] = None,
    load: Annotated[Path | None, typer.Option("--load", metavar="FOLDER", help="Serve a dumped shop.")] = None,
    products: Annotated[int, typer.Option("--products", min=0, help="Made-up products.")] = 40,
    orders: Annotated[int, typer.Option("--orders", min=0, help="Made-up orders of the last 60 days.")] = 30,
    hard: Annotated[
        bool, typer.Option("--hard", help="Add an order of each awkward kind: guest, voucher, split cart and so on.")
    ] = False,
    storefronts: Annotated[
        int, typer.Option("--storefronts", min=1, max=9, help="Shops in the installation; all but one share stock.")
    ] = 1,
    dump: Annotated[Path | None, typer.Option("--dump", metavar="FOLDER", help="Write the shop there and end.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME[=VALUE]", help=f"A fault to switch on; may be repeated. {FAULTS}"),
    ] = None,
) -> None:
    """Serve a simulated shop on this machine, for trying things out; nothing in it changes by itself.

    While it runs, POST /sandbox?NAME=VALUE switches a fault, =off ends it, GET /sandbox shows what is on and counted.
    """
    from prestaconsole.sandbox.command import serve

    # Its key is made up and meant to be read, so it leaves without redaction.
    status = serve(
        port=port,
        key=key,
        version=version,
        load=load,
        products=products,
        orders=orders,
        hard=hard,
        storefronts=storefronts,
        dump=dump,
        faults=fault or (),
        say=lambda text: print(text, flush=True),  # noqa: T201 - as above: `say` would hide the key
    )
    if status != EXIT_DONE:
        raise Ended(status)
