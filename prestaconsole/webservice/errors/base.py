"""What all errors of this room have in common. May import errors and the menus of this room."""

from collections.abc import Sequence

from prestaconsole.errors import PrestaConsoleError
from prestaconsole.webservice.menus import for_version


class WebserviceError(PrestaConsoleError):
    """Any failed exchange with a shop. ``evidence`` is redacted and at most 2 kB.

    ``remedy`` names the menus of the PrestaShop ``version`` where that is known; ``proposed`` is another base to
    offer as the shop's address, '' as a rule.
    """

    kind = "webservice"
    retryable = False
    default_cause = "The shop's webservice did not answer as it should."
    default_remedy = "Run the doctor for this shop: it says what to change."

    def __init__(
        self,
        cause: str = "",
        remedy: str = "",
        *,
        code: int = 0,
        status: int = 0,
        evidence: str = "",
        messages: Sequence[str] = (),
        retry_after: float | None = None,
        version: str = "",
    ) -> None:
        super().__init__(cause or self.default_cause, for_version(remedy or self.default_remedy, version))
        self.code = code
        self.status = status
        self.evidence = evidence
        self.messages = tuple(messages)
        self.retry_after = retry_after
        self.proposed = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kind={self.kind!r}, code={self.code}, status={self.status}, {self.cause!r})"
