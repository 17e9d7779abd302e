"""The tree of commands, its map for newcomers, and the one place where errors become exit statuses."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any, cast

import typer
import typer.core
import typer.main

from prestaconsole.cli.failures import EXIT_INTERRUPTED, Ended, first_of, flush, tell_error, tell_fault
from prestaconsole.cli.output import say, tell
from prestaconsole.errors import EXIT_DONE, EXIT_USAGE, PrestaConsoleError

_PANELS = {
    "Start here": ("demo", "status", "doctor"),
    "Shops and their feeds": ("shop", "feed", "mapping"),
    "Orders, listings, stock": ("order", "listing", "product", "warehouse", "stock"),
    "What is written to shops": ("changeset", "change", "foreign"),
    "Keeping it running": ("pause", "resume", "incident", "alert", "daemon", "db", "secrets", "sandbox"),
}
"""The commands in the order in which a newcomer needs them, whether they are nouns or not."""

_PANEL_OF = {name: panel for panel, names in _PANELS.items() for name in names}
_FILE_OF = {"resume": "pause"}


@cache
def _command(name: str) -> Any:
    """One command or noun with its verbs, from the file of its name.

    Made when it is asked for: a start then costs what one of them costs, not what all twenty do.
    """
    module = import_module(f"prestaconsole.cli.{_FILE_OF.get(name, name)}")
    holder = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    if hasattr(module, "app"):
        holder.add_typer(module.app, name=name, rich_help_panel=_PANEL_OF[name])
    else:
        holder.command(name, rich_help_panel=_PANEL_OF[name])(getattr(module, name))
    return typer.main.get_group(holder).commands[name]


class _Commands(Mapping[str, Any]):
    """All of them by name."""

    def __getitem__(self, name: str) -> Any:
        if name not in _PANEL_OF:
            raise KeyError(name)
        return _command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_PANEL_OF)

    def __len__(self) -> int:
        return len(_PANEL_OF)


class _Map(typer.core.TyperGroup):
    """The program's commands, each made when it is needed."""

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)
        self.commands = cast(Any, _Commands())

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_PANEL_OF)


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


@cache
def program() -> Any:
    """The program as the parser holds it: a group of all commands."""
    return typer.main.get_command(app)


def open_console(*, read_only: bool) -> int:
    """Open the console over the core of this process. Raises ``PrestaConsoleError`` without a terminal."""
    from prestaconsole.cli.session import opened
    from prestaconsole.console.terminal import require_terminal

    require_terminal()
    # Thousands of classes are made until the first screen stands, and none is thrown away: looking for garbage
    # among them costs a seventh of the start. What was made by then stays, so it is never looked through again.
    gc.disable()
    try:
        with opened() as core:
            from prestaconsole.console.run import run_console

            gc.freeze()
            gc.enable()
            return run_console(core, read_only=read_only or core.settings.read_only)
    finally:
        gc.enable()


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
        status = program().main(list(arguments), prog_name="prestaconsole", standalone_mode=False)
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
