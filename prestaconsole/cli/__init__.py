"""The command line: a thin face over the services, one file a noun. May import everything to its right."""

import sys


def main() -> None:
    """The entry of ``prestaconsole``; ends the process with the exit status of DESIGN §10."""
    from prestaconsole.cli.app import run

    sys.exit(run(sys.argv[1:]))
