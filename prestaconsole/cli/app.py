"""The tree of commands, its map for newcomers, and the one place where errors become exit statuses."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
import typer.core

from prestaconsole.cli import (
    alert,
    change,
    changeset,
    daemon,
    db,
    demo,
    doctor,
    feed,
    foreign,
    incident,
    listing,
    mapping,
    order,
    pause,
    product,
    sandbox,
    secrets,
    shop,
    status,
    stock,
    warehouse,
)
from prestaconsole.cli.failures import EXIT_INTERRUPTED, Ended, first_of, flush, tell_error, tell_fault
from prestaconsole.cli.output import say, tell
from prestaconsole.errors import EXIT_DONE, EXIT_USAGE, PrestaConsoleError

START = "Start here"
SHOPS = "Shops and their feeds"
GOODS = "Orders, listings, stock"
WRITING = "What is written to shops"
KEEPING = "Keeping it running"

_ORDER = (
    *("demo", "status", "doctor"),
    *("shop", "feed", "mapping"),
    *("order", "listing", "product", "warehouse", "stock"),
    *("changeset", "change"),
    *("pause", "resume"),
    *("incident", "alert", "daemon", "db", "secrets", "sandbox"),
)


class _Map(typer.core.TyperGroup):
    """The commands in the order in which a newcomer needs them, whether they are nouns or not."""

    def list_commands(self, ctx: Any) -> list[str]:
        known = super().list_commands(ctx)
        return [name for name in _ORDER if name in known] + [name for name in known if name not in _ORDER]


app = typer.Typer(
    name="prestaconsole",
    cls=_Map,
    help="Keeps PrestaShop shops in step with a warehouse. Without a command it opens the console.",
    epilog=(
        "A first day: demo shows everything with shops that are not real. Then: warehouse add, shop add, "
        "feed run-safe, shop set stock.warehouses and stock.import_to, feed run import_stock, shop mode "
        "rehearsal, shop mode live. "
        "Nothing is written to a shop before it is live. Exit status: 0 done, 1 failed, 2 wrong use, 3 locked, 4 held."
    ),
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)

app.command("demo", rich_help_panel=START)(demo.demo)
app.command("status", rich_help_panel=START)(status.status)
app.command("doctor", rich_help_panel=START)(doctor.doctor)
app.add_typer(shop.app, name="shop", rich_help_panel=SHOPS)
app.add_typer(feed.app, name="feed", rich_help_panel=SHOPS)
app.add_typer(mapping.app, name="mapping", rich_help_panel=SHOPS)
app.add_typer(order.app, name="order", rich_help_panel=GOODS)
app.add_typer(listing.app, name="listing", rich_help_panel=GOODS)
app.add_typer(product.app, name="product", rich_help_panel=GOODS)
app.add_typer(warehouse.app, name="warehouse", rich_help_panel=GOODS)
app.add_typer(stock.app, name="stock", rich_help_panel=GOODS)
app.add_typer(changeset.app, name="changeset", rich_help_panel=WRITING)
app.add_typer(change.app, name="change", rich_help_panel=WRITING)
app.add_typer(foreign.app, name="foreign", rich_help_panel=WRITING)
app.command("pause", rich_help_panel=KEEPING)(pause.pause)
app.command("resume", rich_help_panel=KEEPING)(pause.resume)
app.add_typer(incident.app, name="incident", rich_help_panel=KEEPING)
app.add_typer(alert.app, name="alert", rich_help_panel=KEEPING)
app.command("daemon", rich_help_panel=KEEPING)(daemon.daemon)
app.add_typer(db.app, name="db", rich_help_panel=KEEPING)
app.add_typer(secrets.app, name="secrets", rich_help_panel=KEEPING)
app.command("sandbox", rich_help_panel=KEEPING)(sandbox.sandbox)


@app.callback(invoke_without_command=True)
def console(
    context: typer.Context,
    read_only: Annotated[bool, typer.Option("--read-only", help="Nothing can be changed in the console.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Say the version and end.")] = False,
) -> None:
    """Keep PrestaShop shops in step with a warehouse. Without a command it opens the console."""
    if version:
        from prestaconsole import __version__

        say(f"prestaconsole {__version__}")
        raise Ended(EXIT_DONE)
    if context.invoked_subcommand is None:
        raise Ended(open_console(read_only=read_only))


def open_console(*, read_only: bool) -> int:
    """Open the console over the core of this process. Raises ``PrestaConsoleError`` without a terminal."""
    from prestaconsole.cli.session import opened
    from prestaconsole.console.terminal import require_terminal

    require_terminal()
    with opened() as core:
        from prestaconsole.console import run_console

        return run_console(core, read_only=read_only or core.settings.read_only)


# Errors of the argument parser carry this base; Typer brings its own copy of it or uses Click's.
_ParserError = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def run(arguments: Sequence[str]) -> int:
    """Run one command; gives the exit status. Nothing but output and exit status leaves here."""
    try:
        return _run(arguments)
    finally:
        flush()


def _run(arguments: Sequence[str]) -> int:
    try:
        # Commands return nothing; a number is how the parser tells of --help and of Ctrl-C.
        status = typer.main.get_command(app).main(list(arguments), prog_name="prestaconsole", standalone_mode=False)
    except Ended as ended:
        return ended.status
    except BaseExceptionGroup as group:
        return _told(first_of(group))
    except BaseException as error:
        return _told(error)
    if status == EXIT_INTERRUPTED:
        return _told(KeyboardInterrupt())
    return status if isinstance(status, int) else EXIT_DONE


def _told(error: BaseException) -> int:
    if isinstance(error, PrestaConsoleError):
        return tell_error(error)
    if isinstance(error, typer.Exit):
        return int(getattr(error, "exit_code", EXIT_DONE))
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        tell("Stopped. What was stored stays; a run that was at work goes on where it stood.")
        return EXIT_INTERRUPTED
    if isinstance(error, _ParserError):
        return _wrong_use(error)
    if isinstance(error, BrokenPipeError):
        return EXIT_DONE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else EXIT_USAGE
    return tell_fault(error)


def _wrong_use(error: BaseException) -> int:
    """The parser's complaint in our manner: what is wrong, then what to do."""
    context = getattr(error, "ctx", None)
    message = str(getattr(error, "format_message", lambda: "")())
    if type(error).__name__ == "NoArgsIsHelpError" or not message:
        # A noun without a verb: its own map is the answer, and the parser has shown it.
        return EXIT_USAGE
    tell(message)
    command = context.command_path if context is not None else "prestaconsole"
    tell(f"`{command} --help` shows what it takes.")
    return EXIT_USAGE
