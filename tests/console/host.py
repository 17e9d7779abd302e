"""Starts the console on a database file, with actions that only note: `python -m tests.console.host FILE`."""

import sys

from prestaconsole.clock import SystemClock
from prestaconsole.console.app import ConsoleApp
from prestaconsole.console.start import start
from prestaconsole.database import Database
from prestaconsole.errors import PrestaConsoleError
from tests.console.world import NotedActions


def main() -> int:
    """Run it."""
    database = Database(f"sqlite:///{sys.argv[1]}")
    app = ConsoleApp(database, NotedActions(), SystemClock(), runs_here=lambda: True)
    try:
        return start(app)
    except PrestaConsoleError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    finally:
        database.close()


if __name__ == "__main__":
    sys.exit(main())
