"""The ways the webservice says no, and the words it uses (WEBSERVICE §1.3). Imports nothing of ours."""

from collections.abc import Iterable, Sequence


class Refusal(Exception):
    """An answer that is an error list; `errors` holds (code, message), a code may be missing."""

    def __init__(self, status: int, *errors: tuple[int | None, str], bad_query: bool = False) -> None:
        super().__init__(f"{status} {errors}")
        self.status = status
        self.errors: list[tuple[int | None, str]] = list(errors)
        self.bad_query = bad_query


class PlainAnswer(Exception):
    """An answer that is no error list: a redirect, a fatal PHP error, a bare 404.

    `webservice` tells whether the webservice's own headers go with it.
    """

    def __init__(
        self, status: int, body: str = "", headers: Iterable[tuple[str, str]] = (), *, webservice: bool = False
    ) -> None:
        super().__init__(f"{status} {body[:40]}")
        self.webservice = webservice
        self.status = status
        self.body = body
        self.headers = list(headers)


def fatal() -> PlainAnswer:
    """PHP gave up: status 500, nothing in the body (F2, F17)."""
    return PlainAnswer(500, "", [("content-type", "text/html; charset=utf-8")])


def did_you_mean(text: str, wanted: str, known: Sequence[str]) -> str:
    """The text, the nearest known word and the full list, as PrestaShop words it."""
    nearest = _nearest(wanted, known)
    listed = ", ".join(f'"{name}"' for name in known)
    hint = f' Did you mean: "{nearest}"?' if nearest else ""
    return f"{text}.{hint} The full list is: {listed}"


def _nearest(wanted: str, known: Sequence[str]) -> str:
    # PrestaShop takes the word of the smallest edit distance, the last among equals.
    best, distance = "", None
    for name in known:
        found = _distance(wanted, name)
        if distance is None or found <= distance:
            best, distance = name, found
    return best


def _distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
