"""Errors as a person reads them, and the exit status they end with (DESIGN §10). Imports errors and redaction."""

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from prestaconsole.cli.output import tell
from prestaconsole.errors import EXIT_DONE, EXIT_FAILED, EXIT_HELD, EXIT_LOCKED, PrestaConsoleError
from prestaconsole.redaction import redact

if TYPE_CHECKING:
    from prestaconsole.services.runs import RunDetail

EXIT_INTERRUPTED = 130
_log = logging.getLogger("prestaconsole.cli")


class Ended(Exception):
    """A command that is over with this exit status; everything was said already."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def tell_error(error: PrestaConsoleError) -> int:
    """Cause, then remedy, on stderr; gives the exit status."""
    tell(error.cause)
    if error.remedy:
        tell(error.remedy)
    return error.exit_status


def tell_fault(error: BaseException) -> int:
    """A fault of ours: one line without secrets, and where the log has the rest."""
    _log.error("A command ended with a fault.", exc_info=error)
    tell(f"A fault of PrestaConsole: {type(error).__name__}: {' '.join(redact(str(error)).split())[:300]}")
    where = _log_place()
    tell(f"The whole of it is in {where}; please report it." if where else "Please report it.")
    return EXIT_FAILED


def _log_place() -> str:
    places = [
        handler.baseFilename for handler in logging.getLogger().handlers if isinstance(handler, RotatingFileHandler)
    ]
    return places[0] if places else ""


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a person should see of several errors at once: one of ours before any other."""
    leaves = [first_of(error) if isinstance(error, BaseExceptionGroup) else error for error in group.exceptions]
    return next((error for error in leaves if isinstance(error, PrestaConsoleError)), leaves[0])


def run_status(run: "RunDetail") -> int:
    """The exit status of a run that was waited for."""
    if run.state == "held":
        return EXIT_HELD
    if run.state == "failed":
        return {"locked": EXIT_LOCKED, "held": EXIT_HELD}.get(run.error_kind, EXIT_FAILED)
    return EXIT_DONE if run.state == "done" else EXIT_FAILED


def tell_run_end(run: "RunDetail") -> int:
    """What went wrong with a run, or why it waits, on stderr; gives the exit status."""
    status = run_status(run)
    if run.state == "failed":
        tell(run.error or f"Run {run.run} failed.")
        if run.remedy:
            tell(run.remedy)
    elif run.state == "held":
        tell(run.error or f"Plan {run.changeset} is held.")
        tell(run.remedy or f"`prestaconsole changeset show {run.changeset}` shows it.")
    elif run.state == "cancelled":
        tell(f"Run {run.run} was cancelled; what it had stored stays.")
    return status


def flush() -> None:
    """Write out what is left; a reader that went away is nobody's error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
