"""A request as the simulated shop sees it, its answer, and the journal entry of both. Imports nothing of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

MAXIMUM_REQUEST_LINE = 8190  # Apache's default (F19)


@dataclass(frozen=True)
class Request:
    """One request; header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def params(self) -> dict[str, str]:
        """The query's parameters as PHP reads them: the last of a name wins, `filter[id]` stays one name."""
        return dict(parse_qsl(self.query, keep_blank_values=True, encoding="utf-8", errors="replace"))

    @property
    def host(self) -> str:
        """The host the client addressed."""
        return self.headers.get("host", "127.0.0.1")

    def segments(self, params: Mapping[str, str], folder: str) -> list[str] | None:
        """The parts after /api/ (or of `url=` without rewriting); None where the path is not the webservice's."""
        path = unquote(self.path)
        if folder and path.startswith(folder):
            path = path[len(folder) :]
        if path == "/webservice/dispatcher.php":
            return params.get("url", "").split("/")
        if path == "/api" or path.startswith("/api/"):
            return path[5:].split("/")
        return None


@dataclass
class Answer:
    """What goes back to the client."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


@dataclass(frozen=True)
class Exchange:
    """One journal entry: what was asked, with which body, and the status that answered it."""

    method: str
    path: str
    query: str
    status: int
    body: bytes
    fault: str | None = None


@dataclass(frozen=True)
class Mail:
    """An e-mail the shop sent, or tried to send."""

    id_order: int
    template: str
