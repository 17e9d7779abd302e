"""The one base of every error a person may see: what happened, and what to do. Imports nothing of ours."""

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_LOCKED = 3
EXIT_HELD = 4


class PrestaConsoleError(Exception):
    """An error with a cause and a remedy in plain words.

    ``cause`` says what happened and why, ``remedy`` what a person can do about it; both are complete
    sentences that never hold a key. ``exit_status`` is what the command line ends with (DESIGN §10).
    """

    exit_status = EXIT_FAILED

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}".strip()


class UsageError(PrestaConsoleError):
    """What was asked for cannot be understood: a wrong name, number, file or setting."""

    exit_status = EXIT_USAGE


class NotFoundError(UsageError):
    """The named shop, order, run or other record is not in the database."""


class LockedError(PrestaConsoleError):
    """The gate, the mode, a pause or an unmet need locks this; the remedy says what unlocks it."""

    exit_status = EXIT_LOCKED


class HeldError(PrestaConsoleError):
    """A plan was made but waits for a person: held by the brake or for approval."""

    exit_status = EXIT_HELD
