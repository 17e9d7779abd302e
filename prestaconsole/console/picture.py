"""A picture of the console for the README: the real app, drawn without a terminal. Imports the app."""

import asyncio
from pathlib import Path

from prestaconsole.console.run import CoreConsole
from prestaconsole.console.theme import Look
from prestaconsole.operations.core import Core

_WAIT_SECONDS = 0.2


async def export_picture(
    core: Core, path: Path, *, pane: str = "shops", shop: int | None = None, size: tuple[int, int] = (80, 24)
) -> None:
    """Write the SVG of one pane, of one shop or all, as it stands now; nothing is run and nothing changed."""
    app = CoreConsole(core, host_worker=False)
    app.look = Look("full")
    app._runs_here = lambda: True
    async with app.run_test(size=size) as pilot:
        await pilot.pause(_WAIT_SECONDS)
        await app.go(pane, shop)
        await pilot.pause(_WAIT_SECONDS)
        await asyncio.to_thread(path.write_text, app.export_screenshot(title="PrestaConsole"), "utf-8")
