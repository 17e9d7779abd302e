"""Carries one request to a shop and its answer back: auth, retries, time-outs, counting. May import httpx.

Redirects are never followed, cookies never kept, and no error, log line or repr holds the key.
"""

import asyncio
import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import httpx

from prestaconsole.clock import Clock, SystemClock
from prestaconsole.redaction import MASK, Secret, redact
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.answers import Answer
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.pacing import LONGEST_WAIT, Pacer, shared
from prestaconsole.webservice.road import KeyInAddress, open_road, road_error

__all__ = ["Kinds", "Transport", "road_error", "without_key"]

Kinds = tuple[type[e.WebserviceError], ...]
TRIES = 3
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LARGEST_BODY = 64 * 1024 * 1024
_CONNECT_TIMEOUT = 10.0
_SHORTEST_KEY = 8
_WRITES_FIRST = 5


class Transport:
    """The road to one shop. ``requests`` counts every request made, repeats included.

    Over HTTP all clients of a base URL share one ``pacer``; a transport that was handed in has one of its own.
    ``insist`` passes an open breaker: a person asks what is wrong.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        pacer: Pacer | None = None,
        insist: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self.clock: Clock = clock or SystemClock()
        self.learned: dict[str, bool] = {}
        self.requests = 0
        self.seconds = 0.0
        self.version = ""
        self.clock_skew: float | None = None
        self.insist = insist
        if pacer is None and transport is not None:
            pacer = Pacer(clock, places=endpoint.concurrency, rate=endpoint.rate)
        self.pacer = pacer or shared(endpoint.base_url, clock, places=endpoint.concurrency, rate=endpoint.rate)
        self._http = open_road(endpoint, transport)

    def __repr__(self) -> str:
        return f"Transport({self.endpoint.base_url}, {self.requests} requests)"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def read(
        self,
        path: str,
        parameters: str = "",
        *,
        check: Callable[[Answer], None],
        hand_back: Kinds = (),
        method: str = "GET",
        counted: bool = True,
    ) -> Answer:
        """A GET or HEAD whose answer passes ``check``; repeated with growing pauses while the error is retryable.

        Raises the last ``WebserviceError``, those in ``hand_back`` at once. A Retry-After is honoured up to a
        minute; a longer one is left to the caller in the error's ``retry_after``. ``counted=False`` keeps a failure
        from the breaker: the search for one bad record fails on purpose.
        """
        if method not in {"GET", "HEAD"}:
            raise ValueError("Only reads are repeated.")
        for attempt in range(1, TRIES + 1):
            failure: e.WebserviceError
            try:
                answer = await self._exchange(method, path, parameters, timeout=self.endpoint.timeout)
                check(answer)
            except e.WebserviceError as error:
                failure = error
            else:
                self.pacer.ended(None)
                return answer
            if isinstance(failure, e.ShopResting):
                break
            trial = self.pacer.breaker == "half-open"
            pause = self._pause_after(failure, attempt)
            if not failure.retryable or isinstance(failure, hand_back) or attempt == TRIES or trial or pause is None:
                break
            if pause > 0:
                await self.clock.sleep(pause)
        if counted and not isinstance(failure, hand_back):
            self.pacer.ended(failure)
        raise failure

    async def once(self, address: str = "") -> Answer:
        """One GET, unjudged: of the API's root, or without the key of any other ``address`` of the shop."""
        if address and self.endpoint.auth != "none":
            raise ValueError("The key goes to the webservice alone.")
        return await self._exchange("GET", "", "", timeout=self.endpoint.timeout, address=address)

    def _pause_after(self, failure: e.WebserviceError, attempt: int) -> float | None:
        """Seconds before the next attempt, None where the host asks for longer than a read waits."""
        if failure.retry_after is None:
            return self.pacer.chance() * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1))
        if not isinstance(failure, e.TooManyRequests | e.Unavailable):
            return failure.retry_after if failure.retry_after <= LONGEST_WAIT else None
        self.pacer.rest(failure.retry_after)  # for everybody: the next request of each waits in the line
        return 0.0 if failure.retry_after <= LONGEST_WAIT else None

    async def send(
        self,
        method: str,
        path: str,
        parameters: str,
        body: bytes,
        *,
        kind: str = "text/xml; charset=utf-8",
        timeout: float | None = None,
        start_by: datetime | None = None,
    ) -> Answer:
        """One write, never repeated here. Raises ``NotConnected`` (nothing was sent) or another error of the road.

        Writes pass the reads that wait. One whose turn comes after ``start_by`` is not begun (``TooLate``): somebody
        may already have taken over and wait for its end (DESIGN §3).
        """
        if self.endpoint.ps_method and method in {"PUT", "PATCH", "DELETE"}:
            parameters = f"{parameters}&ps_method={method}" if parameters else f"ps_method={method}"
            method = "POST"
        limit = self.endpoint.write_timeout if timeout is None else timeout
        try:
            answer = await self._exchange(
                method, path, parameters, timeout=limit, body=body, kind=kind, start_by=start_by
            )
        except e.WebserviceError as error:
            self.pacer.ended(error)
            raise
        if answer.status in (429, 503) and answer.retry_after is not None:
            self.pacer.rest(answer.retry_after)
        # what a write's answer means is decided by the writer; that the shop's PHP answered at all counts here
        self.pacer.ended(e.ServerError() if answer.status >= 500 and not answer.from_prestashop else None)
        return answer

    async def _exchange(
        self,
        method: str,
        path: str,
        parameters: str,
        *,
        timeout: float,
        body: bytes | None = None,
        kind: str = "",
        address: str = "",
        start_by: datetime | None = None,
    ) -> Answer:
        endpoint = self.endpoint
        shown = address or endpoint.url(path, parameters)
        headers = {"Cache-Control": "no-cache"}
        if body is not None:
            headers["Content-Type"] = kind
        auth: httpx.Auth | None = None
        if endpoint.auth != "none":
            by_header = endpoint.auth == "basic"
            auth = httpx.BasicAuth(endpoint.key.reveal(), "") if by_header else KeyInAddress(endpoint.key)
        limits = httpx.Timeout(timeout, connect=min(_CONNECT_TIMEOUT, timeout))
        failure: e.WebserviceError | None = None
        urgency = endpoint.priority if body is None else min(endpoint.priority, _WRITES_FIRST)
        async with self.pacer.place(urgency, insist=self.insist):
            began, began_at = self.clock.monotonic(), self.clock.now()
            if start_by is not None and began_at > start_by:
                raise e.TooLate()
            self.requests += 1
            try:
                async with (
                    asyncio.timeout(timeout),
                    self._http.stream(
                        method, shown, content=body, headers=headers, auth=auth, timeout=limits
                    ) as response,
                ):
                    content = await _content(response)
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
                failure = road_error(error, proxy=bool(endpoint.proxy))
            seconds = self.clock.monotonic() - began
            self.seconds += seconds
            self.pacer.answered(method, path.partition("/")[0] or "api", seconds)
        # raised outside the handler, so that no context holds httpx's request with its address and headers
        if failure is None and content is None:
            failure = e.TooLarge()
        if failure is not None:
            failure.evidence = redact(f"{method} {shown[:600]} → no answer after {seconds:.1f} s")
            raise failure
        assert content is not None
        named = {name.lower(): _plain(value, endpoint.key) for name, value in response.headers.items()}
        clean = without_key(content, endpoint.key)
        if clean != content:
            named.pop("content-sha1", None)  # it counts what stood there before
        answer = Answer(method, redact(shown), response.status_code, named, clean, seconds)
        self._learn(answer, began_at)
        return answer

    def _learn(self, answer: Answer, began_at: datetime) -> None:
        self.version = answer.version or self.version
        if answer.server_time is not None:
            middle = began_at + timedelta(seconds=answer.seconds / 2)
            self.clock_skew = (answer.server_time - middle).total_seconds()


async def _content(response: httpx.Response) -> bytes | None:
    pieces: list[bytes] = []
    length = 0
    async for piece in response.aiter_bytes():
        pieces.append(piece)
        length += len(piece)
        if length > _LARGEST_BODY:
            return None
    return b"".join(pieces)


def without_key(content: bytes, key: Secret) -> bytes:
    """What a shop sent, less the key: some hosts hand back the request's header or address in their errors.

    Nothing behind this line can store or show what it never saw. Lower case counts too: hosts fold their addresses.
    """
    text = key.reveal()
    if len(text) < _SHORTEST_KEY:
        return content  # a typing error, whose letters stand in every text
    for form in (text, text.lower(), base64.b64encode(f"{text}:".encode()).decode()):
        content = content.replace(form.encode(), MASK.encode())
    return content


def _plain(value: str, key: Secret) -> str:
    return without_key(value.encode("utf-8", "replace"), key).decode("utf-8", "replace")
