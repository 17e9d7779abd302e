"""A shop is asked no more than it bears, the urgent first, and left in peace when it is down."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from prestaconsole.clock import SystemClock
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.pacing import Pacer, shared, shop_state
from prestaconsole.webservice.query import Query
from prestaconsole.webservice.writer import ShopWriter
from tests.webservice.shops import FakeClock, endpoint, errors, stock_shop

QUERY = Query("stock_availables", ("quantity",), limit=5)
ROW = {"id": "1", "id_product": "101", "quantity": "5"}
Handler = Callable[[httpx.Request], httpx.Response]


def paced(handler: Handler, pacer: Pacer, clock: FakeClock, **changes: object) -> ShopClient:
    return ShopClient(endpoint(**changes), transport=httpx.MockTransport(handler), clock=clock, pacer=pacer)


class Down:
    """A shop that is down until it is told otherwise."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self.answer: httpx.Response | Exception | None = answer
        self.requests = 0
        self._shop = stock_shop(5)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or self._shop(request)


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.ConnectError("refused"), httpx.Response(200, html="<html>")]
)
async def test_a_shop_that_is_down_is_left_in_peace_and_asked_again_once(answer: httpx.Response | Exception) -> None:
    clock, shop = FakeClock(), Down(answer)
    pacer = Pacer(clock, threshold=3, cool=30)
    async with paced(shop, pacer, clock) as client:
        for _ in range(3):
            with pytest.raises(e.WebserviceError):
                await client.page(QUERY)
        assert pacer.state.breaker == "open"
        asked = shop.requests
        with pytest.raises(e.ShopResting) as caught:
            await client.page(QUERY)
        assert shop.requests == asked
        assert 0 < (caught.value.retry_after or 0) <= 30
        assert caught.value.retryable
        assert pacer.state.last_cause
        assert pacer.state.since is not None
        await clock.sleep(31)
        assert pacer.state.breaker == "half-open"
        with pytest.raises(e.WebserviceError) as second:
            await client.page(QUERY)
        assert not isinstance(second.value, e.ShopResting)
        assert shop.requests == asked + 1, "one trial, without repeats"
        assert pacer.state.breaker == "open"
        assert 31 < pacer.state.asks_again_in <= 60, "twice as long"
        await clock.sleep(61)
        shop.answer = None
        assert (await client.page(QUERY)).length == 5
        assert pacer.state.breaker == "closed"
        assert (pacer.state.failures, pacer.state.since) == (0, None)


async def test_a_person_who_asks_passes_the_open_breaker_and_closes_it() -> None:
    clock, shop = FakeClock(), Down(httpx.Response(500))
    pacer = Pacer(clock, threshold=1, cool=600)
    async with paced(shop, pacer, clock) as client:
        with pytest.raises(e.ServerError):
            await client.page(QUERY)
        with pytest.raises(e.ShopResting):
            await client.page(QUERY)
        shop.answer = None
        transport = httpx.MockTransport(shop)
        async with ShopClient(endpoint(), transport=transport, clock=clock, pacer=pacer, insist=True) as person:
            assert (await person.page(QUERY)).length == 5
        assert (await client.page(QUERY)).length == 5


async def test_a_write_while_the_breaker_is_open_was_not_sent() -> None:
    clock, shop = FakeClock(), Down(httpx.ConnectError("refused"))
    async with paced(shop, Pacer(clock, threshold=1), clock) as client:
        with pytest.raises(e.WebserviceError):
            await client.page(QUERY)
        asked = shop.requests
        with pytest.raises(e.NotSent) as caught:
            await ShopWriter(client).put("stock_availables", "stock_available", ROW)
    assert caught.value.kind == "circuit-open"
    assert caught.value.retry_after
    assert shop.requests == asked


async def test_a_no_of_the_shop_and_one_bad_record_never_open_the_breaker() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, threshold=2)
    async with paced(lambda request: errors(400, (35, "Unable to display this field")), pacer, clock) as client:
        for _ in range(5):
            with pytest.raises(e.BadRequest):
                await client.page(QUERY)
    assert pacer.state.breaker == "closed"
    shop = stock_shop(100)

    def answer(request: httpx.Request, ids: list[int]) -> httpx.Response | None:
        return httpx.Response(500) if 3 in ids and request.url.params["display"] != "[id]" else None

    shop.answer = answer
    async with paced(shop, pacer, clock) as client:
        page = await client.page(Query("stock_availables", ("quantity",), limit=100))
    assert [damage.id for damage in page.damaged] == [3]
    assert pacer.state.breaker == "closed"


@pytest.mark.parametrize("status", [429, 503])
async def test_everybody_waits_when_the_host_asks_one_of_us_to(status: int) -> None:
    clock = FakeClock()
    pacer = Pacer(clock)
    first = iter([httpx.Response(status, headers={"Retry-After": "20"})])
    shop = stock_shop(5)
    moments: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        moments.append(clock.monotonic())
        return next(first, None) or shop(request)

    began = clock.monotonic()
    async with paced(handler, pacer, clock) as one, paced(handler, pacer, clock) as other:
        assert (await one.page(QUERY)).length == 5
        assert (await other.page(QUERY)).length == 5
    assert moments[0] == began
    assert moments[1] >= began + 20


async def test_a_long_rest_refuses_the_others_at_once_with_its_end() -> None:
    clock = FakeClock()
    pacer = Pacer(clock)
    shop = Down(httpx.Response(429, headers={"Retry-After": "100000"}))
    async with paced(shop, pacer, clock) as client:
        with pytest.raises(e.TooManyRequests):
            await client.page(QUERY)
        with pytest.raises(e.ShopResting) as caught:
            await client.page(QUERY)
    assert shop.requests == 1
    assert 3500 < (caught.value.retry_after or 0) <= 3600, "an hour at most, whatever the host says"


async def test_requests_begin_no_faster_than_the_rate() -> None:
    clock, shop = FakeClock(), stock_shop(5)
    pacer = Pacer(clock, rate=2.0)
    began = clock.monotonic()
    async with paced(shop, pacer, clock) as client:
        for _ in range(5):
            await client.page(QUERY)
    assert clock.monotonic() - began == pytest.approx(2.0, abs=0.01)


async def test_no_more_requests_run_at_once_than_there_are_places_over_all_clients() -> None:
    clock = SystemClock()
    pacer = Pacer(clock, places=2)
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        async with pacer.place():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(work())
    assert most == 2
    assert (pacer.state.busy, pacer.state.waiting) == (0, 0)


async def test_an_order_poll_passes_a_long_read_that_waits_before_it() -> None:
    pacer = Pacer(SystemClock(), places=1)
    order: list[str] = []
    gate = asyncio.Event()

    async def ask(name: str, priority: int) -> None:
        async with pacer.place(priority):
            order.append(name)
            await gate.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(ask(f"product page {number}", 60))
        await asyncio.sleep(0.01)
        group.create_task(ask("order poll", 10))
        await asyncio.sleep(0.01)
        assert pacer.state.waiting == 4
        gate.set()
    assert order[:2] == ["product page 0", "order poll"]
    assert len(order) == 5


async def test_a_client_that_gives_up_waiting_holds_nobody_up() -> None:
    pacer = Pacer(SystemClock(), places=1)
    held = asyncio.Event()

    async def hold() -> None:
        async with pacer.place():
            await held.wait()

    async def ask() -> str:
        async with pacer.place():
            return "came through"

    async with asyncio.TaskGroup() as group:
        group.create_task(hold())
        await asyncio.sleep(0)
        impatient = group.create_task(ask())
        patient = group.create_task(ask())
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        held.set()
    assert impatient.cancelled()
    assert patient.result() == "came through"
    assert (pacer.state.busy, pacer.state.waiting) == (0, 0)


def test_a_pacer_serves_loops_of_several_threads() -> None:
    pacer = Pacer(SystemClock(), places=1)
    done: list[int] = []

    async def many(number: int) -> None:
        for _ in range(50):
            async with pacer.place():
                await asyncio.sleep(0)
        done.append(number)

    async def threads() -> None:
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, many(number)) for number in range(3)))

    asyncio.run(asyncio.wait_for(threads(), 30))
    assert sorted(done) == [0, 1, 2]


async def test_pauses_before_repeats_are_spread_over_their_whole_length() -> None:
    for chance, slept in ((0.0, []), (0.5, [0.25, 0.5]), (1.0, [0.5, 1.0])):
        clock, shop = FakeClock(), Down(httpx.Response(500))
        async with paced(shop, Pacer(clock, chance=lambda chance=chance: chance), clock) as client:
            with pytest.raises(e.ServerError):
                await client.root()
        assert clock.slept == slept
        assert shop.requests == 3


async def test_what_requests_cost_is_kept_for_estimates() -> None:
    clock, shop = FakeClock(), stock_shop(30)
    pacer = Pacer(clock)

    def slow(request: httpx.Request) -> httpx.Response:
        clock.moment += timedelta(seconds=2)
        return shop(request)

    async with paced(slow, pacer, clock) as client:
        assert pacer.estimate("stock_availables", 10) is None
        pages = [page async for page in client.pages("stock_availables", ("quantity",), page_size=10)]
    assert len(pages) == 3
    assert pacer.seconds_a_request() == {"stock_availables": pytest.approx(2.0)}
    estimate = pacer.estimate("stock_availables", 100)
    assert estimate is not None
    assert estimate.total_seconds() == pytest.approx(200, abs=1)


def test_clients_of_one_base_share_one_pacer_and_its_state_can_be_read() -> None:
    clock = FakeClock()
    assert shop_state("https://one.example", clock) is None
    pacer = shared("https://one.example", clock, places=3)
    assert shared("https://one.example", clock, places=1, rate=5.0) is pacer
    assert (pacer.places, pacer.rate) == (1, 5.0)
    assert shared("https://two.example", clock) is not pacer
    assert shared("https://one.example", FakeClock()) is not pacer
    assert shared("https://one.example") is shared("https://one.example", SystemClock())
    state = shop_state("https://one.example", clock)
    assert state is not None
    assert (state.breaker, state.busy, state.waiting) == ("closed", 0, 0)


async def test_pages_grow_while_the_shop_is_quick_and_shrink_while_it_is_slow() -> None:
    clock, shop = FakeClock(), stock_shop(3000)
    sizes: list[int] = []
    seconds = iter([0.1] * 4 + [20.0] * 2 + [5.0] * 2 + [0.1] * 40)

    def handler(request: httpx.Request) -> httpx.Response:
        sizes.append(int(request.url.params["limit"]))
        answer = shop(request)
        answer.headers["Execution-Time"] = str(next(seconds))
        return answer

    async with paced(handler, Pacer(clock), clock) as client:
        pages = client.pages("stock_availables", ("quantity",), page_size=100, largest=400)
        rows = [row.id async for page in pages for row in page.entities]
    assert rows == list(range(1, 3001))
    assert sizes[:9] == [100, 200, 400, 400, 400, 200, 100, 100, 100]
    assert max(sizes) == 400
    assert sizes[-1] > 100


async def test_a_size_that_was_too_much_is_not_tried_at_every_page() -> None:
    clock, shop = FakeClock(), stock_shop(2000)
    failures = 0

    def answer(request: httpx.Request, ids: list[int]) -> httpx.Response | None:
        nonlocal failures
        if int(request.url.params.get("limit", "0")) > 100:
            failures += 1
            return httpx.Response(504, html="<h1>Gateway Time-out</h1>")
        return None

    shop.answer = answer
    async with paced(shop, Pacer(clock), clock) as client:
        rows = [
            row.id
            async for page in client.pages("stock_availables", ("quantity",), page_size=200)
            for row in page.entities
        ]
    assert rows == list(range(1, 2001))
    assert failures <= 5
