"""What stock work costs over the least it can cost: the check, the push, and a single change on its way to the shop.

Run it: `python benchmarks/stock.py [check] [push] [delay] [--rows 100000] [--changes 5000] [--singles 60]`. A sandbox
shop answers from a process of its own. Ours and each limit take turns in one run, so that a busy machine is busy for
all of them; every figure is a ratio of seconds, the median over the rounds. Prints only; no test decides by it.

check: every stock row read, stored and compared, against fetching and parsing the same pages with the faster parser.
push: changes planned and sent by the feed, against the same requests from a bare loop, the bulk PUTs alone, and
read-modify-write row by row; once as quick as the sandbox is, once with the time that PrestaShop takes to start.
delay: from a stock correction to the figure in the shop, with a daemon of its own process that has nothing else to do.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select
from stocked import (
    NODE,
    STOCK,
    WAREHOUSE,
    apart,
    bare_client,
    do,
    fill,
    machine,
    opened,
    peak_mb,
    ratio,
    read_pages,
    sandbox,
    set_latency,
)

from prestaconsole.database import Connection
from prestaconsole.model import Listing, MovementKind, StockLevel
from prestaconsole.operations.core import Core
from prestaconsole.operations.stock_ledger import find_warehouse, set_level
from prestaconsole.services.stock import set_stock
from prestaconsole.webservice import codec

START_MS = 12.0
"""What PrestaShop takes before it does anything: real shops took 72–96 single PUTs a second."""
BODY = 100


# -- check ---------------------------------------------------------------------------------------------------------


async def check_ours(folder: str, shop_id: int, **_: Any) -> dict[str, Any]:
    with opened(Path(folder)) as core:
        began, used = time.perf_counter(), time.process_time()
        ended = await do(core, shop_id, "stock_check")
        cost = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}
        return {**cost, "counts": dict(ended.counts)}


async def check_bare(url: str, **_: Any) -> dict[str, Any]:
    began, used = time.perf_counter(), time.process_time()
    await read_pages(url, keep=False)
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}


def check(given: argparse.Namespace) -> None:
    """The check at a tenth of the rows and at all of them: what it costs, and whether its memory grows."""
    for rows in (given.rows // 10, given.rows):
        with sandbox(rows) as url, tempfile.TemporaryDirectory() as folder:
            shop_id = apart(__file__, "fill", url=url, folder=folder)["shop_id"]
            ours, bare = [], []
            for _ in range(given.rounds):
                ours.append(apart(__file__, "check_ours", folder=folder, shop_id=shop_id))
                bare.append(apart(__file__, "check_bare", url=url))
        counts, seconds = ours[-1]["counts"], statistics.median(one["seconds"] for one in ours)
        print(f"check of {rows:,} rows: {counts['compared']:,} compared, {counts['drift']} differ")
        ratio("wall, over fetching and parsing", against(ours, bare), "≤ 1.5")
        ratio("CPU of the process, over the same", against(ours, bare, "cpu"), "no limit")
        peak, limit = (max(one["peak_mb"] for one in some) for some in (ours, bare))
        print(f"  {rows / seconds:,.0f} rows/s; peak {peak:.0f} MB, bare loop {limit:.0f} MB")


def against(ours: Sequence[dict[str, Any]], bare: Sequence[dict[str, Any]], what: str = "seconds") -> list[float]:
    return [mine[what] / theirs[what] for mine, theirs in zip(ours, bare, strict=True)]


# -- push ----------------------------------------------------------------------------------------------------------


@dataclass
class Recorder:
    """Notes the requests that the feed makes, in order."""

    requests: list[tuple[str, str]] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        plain = httpx.AsyncHTTPTransport.handle_async_request

        async def noting(transport: Any, request: httpx.Request) -> httpx.Response:
            self.requests.append((request.method, str(request.url)))
            return await plain(transport, request)

        httpx.AsyncHTTPTransport.handle_async_request = noting  # type: ignore[method-assign]
        try:
            yield
        finally:
            httpx.AsyncHTTPTransport.handle_async_request = plain  # type: ignore[method-assign]


async def push_ours(folder: str, shop_id: int, changes: int, **_: Any) -> dict[str, Any]:
    """Other levels for so many products, planned and sent; the plan's share is told too."""
    with opened(Path(folder)) as core:
        core.database.write_now(lambda c: raise_levels(c, core, changes))
        recorder = Recorder()
        async with recorder.listening():
            began = time.perf_counter()
            ended = await do(core, shop_id, "export_stock", trigger="event", marked=True)
            seconds = time.perf_counter() - began
    return {"seconds": seconds, "counts": dict(ended.counts), "requests": recorder.requests}


def raise_levels(connection: Connection, core: Core, changes: int) -> None:
    """One more of each of the first products that are sold by themselves."""
    warehouse = find_warehouse(connection, WAREHOUSE)
    sold = (
        select(StockLevel.product_id, StockLevel.physical)
        .join(Listing, Listing.product_id == StockLevel.product_id)
        .where(Listing.has_combinations.is_(False))
        .order_by(StockLevel.product_id)
        .limit(changes)
    )
    targets = [(product, warehouse, physical + 1) for product, physical in connection.execute(sold).all()]
    now = core.clock.now()
    set_level(connection, targets, kind=MovementKind.CORRECTION, actor="x", at=now, reason="benchmark")


async def push_same(requests: Sequence[Sequence[str]], **_: Any) -> dict[str, Any]:
    """The same reads and writes, one after the other: what is read is parsed, what is written is built from it."""
    rows: list[dict[str, Any]] = []
    began = time.perf_counter()
    async with bare_client() as client:
        for method, address in requests:
            if method == "PUT":
                await put(client, address, [{**row, "quantity": str(int(row["quantity"]) + 1)} for row in rows])
                continue
            answer = await client.get(address)
            if f"/{STOCK}?" in address:
                rows = [entity.raw() for entity in codec.read_list(answer.content, trusted=True)]
            elif "/api/?" not in address:
                codec.parse(answer.content)
    return {"seconds": time.perf_counter() - began}


async def put(client: httpx.AsyncClient, address: str, rows: Sequence[dict[str, Any]]) -> None:
    headers = {"Content-Type": "text/xml"}
    (await client.put(address, content=codec.body(NODE, rows), headers=headers)).raise_for_status()


async def push_puts(url: str, folder: str, changes: int, **_: Any) -> dict[str, Any]:
    """Bodies that stand ready, put one after the other: nothing is read, nothing is built."""
    rows = await some_rows(url, folder, changes)
    ready = [codec.body(NODE, rows[start : start + BODY]) for start in range(0, len(rows), BODY)]
    headers = {"Content-Type": "text/xml"}
    began = time.perf_counter()
    async with bare_client() as client:
        for body in ready:
            (await client.put(f"{url}/api/{STOCK}", content=body, headers=headers)).raise_for_status()
    return {"seconds": time.perf_counter() - began}


async def push_single(url: str, folder: str, changes: int, **_: Any) -> dict[str, Any]:
    """Read a row, change it, write it back, as common clients do: a sample of the rows."""
    ids = [row["id"] for row in await some_rows(url, folder, changes)]
    began = time.perf_counter()
    async with bare_client() as client:
        for one in ids:
            answer = await client.get(f"{url}/api/{STOCK}/{one}")
            row = codec.read_single(answer.content)[0].raw()
            await put(client, f"{url}/api/{STOCK}/{one}", [{**row, "quantity": str(int(row["quantity"]) + 1)}])
    return {"seconds": time.perf_counter() - began}


async def some_rows(url: str, folder: str, count: int) -> list[dict[str, Any]]:
    """The stock rows that the push writes, whole, each with another quantity."""
    with opened(Path(folder)) as core:
        ids = list(core.database.read_now(lambda c: c.execute(sold_rows(count)).scalars()))
    found: list[dict[str, Any]] = []
    async with bare_client() as client:
        for start in range(0, len(ids), BODY):
            asked = "|".join(str(one) for one in ids[start : start + BODY])
            answer = await client.get(f"{url}/api/{STOCK}?display=full&filter[id]=[{asked}]")
            found += [entity.raw() for entity in codec.read_list(answer.content, trusted=True)]
    return [{**row, "quantity": str(int(row["quantity"]) + 1)} for row in found]


def sold_rows(count: int) -> Any:
    sold = select(Listing.id_stock_available).where(Listing.has_combinations.is_(False))
    return sold.order_by(Listing.id).limit(count)


def push(given: argparse.Namespace) -> None:
    sample = max(10, given.changes // 20)
    for latency in (0.0, START_MS):
        # The writes of the loops are unknown to the database, so each round begins with one of its own.
        with sandbox(given.changes * 8 // 5) as url:
            set_latency(url, latency)
            taken: dict[str, list[dict[str, Any]]] = {name: [] for name in ("ours", "same", "puts", "single")}
            for _ in range(given.rounds):
                with tempfile.TemporaryDirectory() as folder:
                    known = {"url": url, "folder": folder, "changes": given.changes}
                    known["shop_id"] = apart(__file__, "fill", url=url, folder=folder)["shop_id"]
                    taken["ours"].append(apart(__file__, "push_ours", **known))
                    taken["same"].append(apart(__file__, "push_same", requests=taken["ours"][-1]["requests"]))
                    taken["puts"].append(apart(__file__, "push_puts", **known))
                    taken["single"].append(apart(__file__, "push_single", **{**known, "changes": sample}))
        show_push(given.changes, sample, latency, taken)


def show_push(changes: int, sample: int, latency: float, taken: dict[str, list[dict[str, Any]]]) -> None:
    ours = taken["ours"]
    confirmed = ours[-1]["counts"].get("confirmed", 0)
    seconds = statistics.median(one["seconds"] for one in ours)
    single = statistics.median(one["seconds"] for one in taken["single"])
    print(
        f"push of {changes:,} changes, {latency:.0f} ms an answer: {confirmed:,} confirmed with "
        f"{len(ours[-1]['requests'])} requests, {changes / seconds:,.0f} rows/s; one by one {sample / single:,.0f}"
    )
    ratio("rate, over the same requests bare", against(taken["same"], ours), "≥ 0.8")
    ratio("rate, over the bulk PUTs alone", against(taken["puts"], ours), "≥ 0.4")
    times = [one * changes / sample for one in against(taken["single"], ours)]
    ratio("rate, over read-modify-write row by row", times, "≥ 20")


# -- delay ---------------------------------------------------------------------------------------------------------


@contextmanager
def daemon(folder: str) -> Iterator[None]:
    """The daemon of this data folder, in a process of its own."""
    environment = {**os.environ, "PRESTACONSOLE_DATA_DIR": folder, "PRESTACONSOLE_DAEMON_PORT": "0"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", "prestaconsole", "daemon"], env=environment, **quiet)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def delay(given: argparse.Namespace) -> None:
    """Single corrections, one after the other: the shop is looked at until it shows each."""
    with sandbox(1_000) as url, tempfile.TemporaryDirectory() as folder:
        shop_id = apart(__file__, "fill", url=url, folder=folder)["shop_id"]
        for latency in (0.0, START_MS):
            set_latency(url, latency)
            with daemon(folder):
                found = apart(__file__, "changes", url=url, folder=folder, shop_id=shop_id, count=given.singles)
            waits, bare = sorted(found["waits"]), statistics.median(found["bare"])
            p50, p95 = statistics.median(waits), waits[min(len(waits) - 1, int(len(waits) * 0.95))]
            print(
                f"{len(waits)} single changes with an idle daemon, {latency:.0f} ms an answer: p50 {p50:.2f} s, "
                f"p95 {p95:.2f} s, wanted ≤ 5 s; a bare GET and PUT {bare * 1000:.0f} ms, so p50 is "
                f"{p50 / bare:.0f} times that",
                flush=True,
            )


async def changes(url: str, folder: str, count: int, **_: Any) -> dict[str, Any]:
    waits, bare = [], []
    with opened(Path(folder)) as core:
        rows = core.database.read_now(
            lambda c: c.execute(
                select(Listing.sku, Listing.id_stock_available, StockLevel.physical, Listing.quantity)
                .join(StockLevel, StockLevel.product_id == Listing.product_id)
                .where(Listing.has_combinations.is_(False), Listing.quantity > 0)
                .order_by(Listing.id)
                .limit(count + 1)
            ).all()
        )
        async with bare_client() as client:
            # The first is not counted: the daemon starts, looks at the shop's identity and sends a canary.
            for number, row in enumerate(rows):
                began = time.perf_counter()
                set_stock(core, row.sku, row.physical + 3, warehouse=WAREHOUSE, reason="benchmark", actor="x")
                await until_shown(client, f"{url}/api/{STOCK}/{row.id_stock_available}", row.quantity + 3)
                if number:
                    waits.append(time.perf_counter() - began)
                    bare.append(await bare_change(client, f"{url}/api/{STOCK}/{rows[0].id_stock_available}"))
                # Between the daemon's looks, wherever they fall, and not while the push before still reads back.
                await asyncio.sleep(1.0 + 0.25 * (number % 10) / 10)
    return {"waits": waits, "bare": bare}


async def until_shown(client: httpx.AsyncClient, address: str, quantity: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        answer = await client.get(address)
        if codec.read_single(answer.content)[0].integer("quantity") == quantity:
            return
        await asyncio.sleep(0.02)
    raise SystemExit(f"{address} never showed {quantity}")


async def bare_change(client: httpx.AsyncClient, address: str) -> float:
    """What a change costs that is read and written at once, its figure left as it is."""
    began = time.perf_counter()
    row = codec.read_single((await client.get(address)).content)[0].raw()
    await put(client, address, [row])
    return time.perf_counter() - began


# -- the whole -----------------------------------------------------------------------------------------------------


async def fill_part(url: str, folder: str, **_: Any) -> dict[str, Any]:
    with opened(Path(folder)) as core:
        return {"shop_id": await fill(core, url)}


PARTS = {"fill": fill_part, "changes": changes}
PARTS |= {part.__name__: part for part in (check_ours, check_bare, push_ours, push_same, push_puts, push_single)}
WHAT = {"check": check, "push": push, "delay": delay}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[*WHAT, []], help="what to measure; all where nothing is named")
    parser.add_argument("--rows", type=int, default=100_000, help="stock rows of the shop that is checked")
    parser.add_argument("--changes", type=int, default=5_000)
    parser.add_argument("--singles", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        found = asyncio.run(PARTS[given.part](**json.load(sys.stdin)))
        print(json.dumps({**found, "peak_mb": peak_mb()}))
        return
    print(machine(), flush=True)
    for name in given.what or WHAT:
        WHAT[name](given)
    print(machine(), flush=True)


if __name__ == "__main__":
    main()
