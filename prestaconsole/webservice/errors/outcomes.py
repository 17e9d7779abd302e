"""Outcomes of writes. Imports the base."""

from prestaconsole.webservice.errors.base import WebserviceError


class WriteError(WebserviceError):
    """A write that was not confirmed. ``reason`` is the error behind it; kind, code and evidence are its own."""

    def __init__(self, reason: WebserviceError, cause: str, remedy: str = "") -> None:
        super().__init__(
            cause,
            remedy or reason.remedy,
            code=reason.code,
            status=reason.status,
            evidence=reason.evidence,
            messages=reason.messages,
            retry_after=reason.retry_after,
        )
        self.reason = reason
        self.kind = reason.kind
        self.retryable = False


class Refused(WriteError):
    """The shop said no. A single record is unchanged; of a bulk body, rows before the refused one are written (F40)."""


class NotSent(Refused):
    """The request never left: nothing is changed, and it may simply be sent again later."""


class UnknownOutcome(WriteError):
    """Nobody knows whether it was written: read back before anything is repeated (FINDINGS F1, F2)."""
