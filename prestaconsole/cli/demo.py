"""`prestaconsole demo`: the whole road with simulated shops, on a database that is thrown away."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from prestaconsole.cli.failures import Ended
from prestaconsole.errors import EXIT_DONE, UsageError


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="No console: run everything once, sum up, end.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="D", help="Keep the data in this empty folder.")
    ] = None,
    shops: Annotated[int, typer.Option("--shops", min=1, max=8, help="Simulated shops.")] = 2,
    products: Annotated[int, typer.Option("--products", min=1, max=100_000, help="Products in each.")] = 40,
    orders: Annotated[int, typer.Option("--orders", min=1, max=20_000, help="Orders in each.")] = 30,
) -> None:
    """Show everything on shops that are not real and take orders while you watch; nothing of it stays."""
    from prestaconsole.cli import demonstration

    if not headless:
        from prestaconsole.console.terminal import require_terminal

        require_terminal()
    place = folder or Path(tempfile.mkdtemp(prefix="prestaconsole-demo-"))
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty.", "Name an empty folder, or leave --dir out.")
    with demonstration.started(place, shops=shops, products=products, orders=orders) as running:
        status = demonstration.run_headless(running) if headless else demonstration.run_in_console(running)
    if folder is None:
        # After a fault it stays: its log is what a report needs.
        shutil.rmtree(place, ignore_errors=True)
    if status != EXIT_DONE:
        raise Ended(status)
