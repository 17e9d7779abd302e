"""Options that many commands share, so that one idea has one name and one help text."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON with stable names.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many rows; all without it.")]
InShop = Annotated[str | None, typer.Option("--shop", help="Only this shop: code, name or id.")]
Shop = Annotated[str, typer.Argument(help="Code, name or id of the shop.")]
Waiting = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for its end, or only queue it.")]
