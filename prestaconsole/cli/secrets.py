"""`prestaconsole secrets`: looks for keys where none may be."""

import typer

from prestaconsole.cli.failures import Ended
from prestaconsole.cli.options import Json
from prestaconsole.cli.output import print_json, say, tell
from prestaconsole.cli.session import opened
from prestaconsole.errors import EXIT_FAILED

app = typer.Typer(help="Look for keys where none may be.", no_args_is_help=True)


@app.callback()
def secrets() -> None:
    """Look for keys where none may be."""


@app.command()
def scan(as_json: Json = False) -> None:
    """Look through database, logs and data folder for keys; ends with 1 when one stands readably."""
    from prestaconsole.services.secrets import scan as look

    with opened() as core:
        found = look(core)
    if as_json:
        print_json({"clean": found.clean, **{name: getattr(found, name) for name in found.__dataclass_fields__}})
    else:
        say(f"{found.values} texts of {found.tables} tables and {found.files} files, {found.keys} keys looked for.")
        for name in found.unopened:
            tell(f"The key of {name} does not open, so it could not be looked for.")
        if found.clean:
            say("No key stands anywhere readably.")
    if not found.clean:
        for hit in found.hits:
            tell(f"{hit.place}: {hit.what}.")
        tell("Make a new key in the shop, give it in with `shop rotate-key`, then delete these places.")
        raise Ended(EXIT_FAILED)
