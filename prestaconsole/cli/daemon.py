"""`prestaconsole daemon`: works schedules and runs without a screen."""

from prestaconsole.cli.failures import Ended
from prestaconsole.errors import EXIT_DONE


def daemon() -> None:
    """Work schedules and runs without a screen, until it is told to stop; health and metrics on its own port."""
    from prestaconsole.daemon import plug_streams, run_daemon
    from prestaconsole.operations.core import open_core
    from prestaconsole.settings import load_settings

    plug_streams()
    # It keeps its log on stderr, and looks at the database itself: one that is away is waited for, an old one refused.
    core = open_core(load_settings(), migrate=False)
    try:
        status = run_daemon(core, make=True)
    finally:
        core.close()
    if status != EXIT_DONE:
        raise Ended(status)
