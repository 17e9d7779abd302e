"""The page docs/command-line.md, made from the tree of commands: `python -m prestaconsole.cli.manual`."""

import sys
from collections.abc import Iterator
from typing import Any

from prestaconsole.cli.app import program

_HEAD = """\
# The command line

This page is made from the program (`python -m prestaconsole.cli.manual > docs/command-line.md`); a test keeps
the two equal.

`prestaconsole` alone opens the console; without a terminal it says so and ends with 2. Everything a person can
do in the console can be done here, through the same gate.

## What scripts may rely on

* **Exit status**: 0 done (also a plan made where the mode only plans) · 1 failed · 2 wrong use · 3 locked by
  the gate · 4 held for approval.
* **Errors** go to stderr: the cause, then the remedy. Progress goes to stderr too: one line redrawn on a
  terminal, plain lines elsewhere.
* **`--json`** prints one document on stdout and nothing else there. Times are ISO in UTC, amounts are text with
  every digit the shop gave, `shop` is the shop's name. A list without `--limit` holds all rows.
* **`--wait`** waits for the end of a run, and does the work in this process where no daemon is alive. Without
  it a run is only queued. `order import`, `shop analyse`, `feed run-safe`, `changeset apply` and `changeset
  undo` always wait.
* **SHOP** is a code, a name (case and accents do not count) or an id.
* **Who acts** is `PRESTACONSOLE_ACTOR`, else the user of the system. Every change has its line in the audit.
* `PRESTACONSOLE_DATA_DIR` holds the embedded database, the vault's key file and logs;
  `PRESTACONSOLE_DATABASE_URL` names another database. `settings.example.env` lists every setting.
* **A stock file** is CSV (UTF-8) or XLSX with the columns `sku,quantity`. It is loaded whole or not at all;
  SKUs that are not in it stay as they are.
* **A refused `shop mode`** ends with 3 and names each open point of the check-list on stderr, one a line:
  `check-name FIX|wait text`.

Not here yet, and coming with later versions: shipments, picking and splitting orders, the simulator, mappings
of carriers, payments, categories and prices.

## Commands
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_commands(program(), "prestaconsole"))


def _commands(command: Any, path: str) -> Iterator[str]:
    """A section for the program itself and for each command that does something."""
    children = getattr(command, "commands", {})
    if not children or path == "prestaconsole":
        yield _section(command, path)
    for name in command.list_commands(None) if children else ():
        if not children[name].hidden:
            yield from _commands(children[name], f"{path} {name}")


def _section(command: Any, path: str) -> str:
    params = [param for param in command.params if param.name != "help" and not getattr(param, "hidden", False)]
    arguments = [param for param in params if param.param_type_name == "argument"]
    options = ["[OPTIONS]"] if len(params) > len(arguments) else []
    words = " ".join([path, *map(_argument, arguments), *options])
    lines = [f"\n### `{words}`\n", f"{' '.join((command.help or '').split())}\n"]
    rows = [f"* `{_names(param)}`{_needed(param)} – {_help(param)}" for param in params if _help(param)]
    return "\n".join([*lines, *rows]) + ("\n" if rows else "")


def _argument(param: Any) -> str:
    name = _metavar(param)
    return name if param.required else f"[{name}]"


def _names(param: Any) -> str:
    if param.param_type_name == "argument":
        return _metavar(param)
    names = ", ".join([*param.opts, *param.secondary_opts])
    return names if param.is_flag else f"{names} {_metavar(param)}"


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper().strip("_"))


def _needed(param: Any) -> str:
    return " (needed)" if param.required and param.param_type_name != "argument" else ""


def _help(param: Any) -> str:
    return " ".join((param.help or "").split())


if __name__ == "__main__":
    sys.stdout.write(page())
