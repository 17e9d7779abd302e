"""What our client costs over a bare httpx loop with the same requests, and bulk writes over single ones.

Run it: `python benchmarks/webservice.py [--rows 100000] [--writes 5000] [--rounds 3]`. A sandbox shop answers from a
process of its own over a port. Every measurement runs in a fresh process, so that its peak memory is its own, and the
bare loop reads the same pages and sends the same bodies in the same run: it is the limit that the ratios are against.
Ratios below 1 are noise. Prints only; no test decides by it.
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from prestaconsole.redaction import Secret
from prestaconsole.sandbox import DEFAULT_KEY
from prestaconsole.webservice import codec
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.query import Query, greater
from prestaconsole.webservice.writer import ShopWriter

RESOURCE, NODE = "stock_availables", "stock_available"
FIELDS = (
    *("id", "id_product", "id_product_attribute", "id_shop", "id_shop_group"),
    *("quantity", "depends_on_stock", "out_of_stock", "location"),
)
PAGE, BODY = 1000, 100
Rows = list[dict[str, str]]


def endpoint(url: str) -> Endpoint:
    return Endpoint(url, Secret(DEFAULT_KEY), timeout=120.0, write_timeout=120.0)


def page(after: int) -> Query:
    return Query(RESOURCE, FIELDS, {"id": greater(after)}, limit=PAGE)


def bodies(rows: Rows, size: int) -> list[Rows]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


# -- the parts, each in a process of its own -----------------------------------------------------------------------


async def read_ours(url: str, plan: dict[str, Any]) -> dict[str, Any]:
    rows, cursors, total = 0, [0], 0
    async with ShopClient(endpoint(url)) as client:
        async for one in client.pages(RESOURCE, FIELDS, page_size=PAGE):
            rows += one.length
            total += sum(entity.integer("quantity") for entity in one.entities)
            cursors.append(one.last_id)
            if rows >= plan["rows"]:
                break
    return {"rows": rows, "cursors": cursors[:-1], "units": total}


async def read_bare(url: str, plan: dict[str, Any]) -> dict[str, Any]:
    way = endpoint(url)
    size = 0
    async with httpx.AsyncClient(auth=(DEFAULT_KEY, ""), timeout=120.0, trust_env=False) as client:
        for after in plan["cursors"]:
            answer = await client.get(way.url(RESOURCE, page(after).parameters()))
            size += len(answer.content)
    return {"bytes": size}


async def write_ours(url: str, plan: dict[str, Any]) -> dict[str, Any]:
    async with ShopClient(endpoint(url)) as client:
        writer = ShopWriter(client)
        for rows in bodies(plan["change"], plan["body"]):
            if len(rows) == 1:
                await writer.put(RESOURCE, NODE, rows[0], id_shop=1)
            else:
                await writer.put_many(RESOURCE, NODE, rows, id_shop=1)
    return {"rows": len(plan["change"])}


async def write_bare(url: str, plan: dict[str, Any]) -> dict[str, Any]:
    way, headers = endpoint(url), {"Content-Type": "text/xml"}
    ready = [(rows, codec.body(NODE, rows)) for rows in bodies(plan["change"], plan["body"])]
    began = time.perf_counter()
    async with httpx.AsyncClient(auth=(DEFAULT_KEY, ""), timeout=120.0, trust_env=False) as client:
        for rows, body in ready:
            path = RESOURCE if len(rows) > 1 else f"{RESOURCE}/{rows[0]['id']}"
            (await client.put(way.url(path, "id_shop=1"), content=body, headers=headers)).raise_for_status()
    return {"rows": len(plan["change"]), "seconds": time.perf_counter() - began}


PARTS: dict[str, Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]] = {
    "read-ours": read_ours,
    "read-bare": read_bare,
    "write-ours": write_ours,
    "write-bare": write_bare,
}


def run_part(name: str, url: str, plan: Path) -> None:
    """One measurement: seconds and the process's own peak of memory, as JSON on standard output."""
    known = json.loads(plan.read_text())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found = asyncio.run(PARTS[name](url, known))  # type: ignore[arg-type]  # every part is a coroutine
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, **found, "peak_mb": peak / 1024, "grown_mb": (peak - before) / 1024}))


def part(name: str, url: str, plan: dict[str, Any], folder: Path) -> dict[str, Any]:
    file = folder / "plan.json"
    file.write_text(json.dumps(plan))
    command = [sys.executable, __file__, "--part", name, "--url", url, "--plan", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# -- the whole -----------------------------------------------------------------------------------------------------


@contextmanager
def sandbox(products: int) -> Iterator[str]:
    """A shop in a process of its own; its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "prestaconsole", "sandbox", "--port", str(port), "--orders", "1"]
    process = subprocess.Popen([*command, "--products", str(products)], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{url}/api/", auth=(DEFAULT_KEY, ""), trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


async def some_rows(url: str, count: int) -> Rows:
    """Rows to be written: combinations' and simple products' rows with another quantity."""
    found: Rows = []
    async with ShopClient(endpoint(url)) as client:
        async for one in client.pages(RESOURCE, FIELDS, page_size=PAGE):
            found += [{**row.raw(), "quantity": str(row.integer("quantity") + 1)} for row in one.entities]
            if len(found) >= count:
                break
    return found[:count]


def show(what: str, ours: list[dict[str, Any]], bare: list[dict[str, Any]], rows: int) -> float:
    ratios = [mine["seconds"] / theirs["seconds"] for mine, theirs in zip(ours, bare, strict=True)]
    mine, theirs = (statistics.median(one["seconds"] for one in some) for some in (ours, bare))
    peak, limit = (max(one["peak_mb"] for one in some) for some in (ours, bare))
    grown = max(one["grown_mb"] for one in ours)
    print(
        f"{what:<28} {rows:>7} rows  {mine:7.2f} s  bare {theirs:7.2f} s  ratio {statistics.median(ratios):5.2f}"
        f" ({min(ratios):.2f}–{max(ratios):.2f})  {rows / mine:>8,.0f} rows/s"
        f"  peak {peak:4.0f} MB (+{grown:.0f}), bare {limit:4.0f} MB"
    )
    return rows / mine


def measure(arguments: argparse.Namespace) -> None:
    """All parts, ours and bare in turn, so that a busy machine is busy for both."""
    # some 1.8 stock rows a product
    with sandbox(arguments.rows * 10 // 18 + 1) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan: dict[str, Any] = {"rows": arguments.rows}
        ours, bare = [], []
        for _ in range(arguments.rounds):
            ours.append(part("read-ours", url, plan, folder))
            plan["cursors"] = ours[-1]["cursors"]
            bare.append(part("read-bare", url, plan, folder))
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {arguments.rounds} rounds, medians")
        show(f"reading, pages of {PAGE}", ours, bare, ours[0]["rows"])
        rates = {}
        change = asyncio.run(some_rows(url, arguments.writes))
        for body, rows in ((BODY, change), (1, change[: max(1, arguments.writes // 10)])):
            plan = {"change": rows, "body": body}
            ours, bare = [], []
            for _ in range(arguments.rounds):
                ours.append(part("write-ours", url, plan, folder))
                bare.append(part("write-bare", url, plan, folder))
            rates[body] = show(f"writing, {body} a request", ours, bare, len(rows))
        print(f"bulk writes are {rates[BODY] / rates[1]:.1f} times as fast as single ones")


def main() -> None:
    parser = argparse.ArgumentParser(description="What the webservice client costs over a bare HTTP loop.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--writes", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        run_part(arguments.part, arguments.url, arguments.plan)
    else:
        measure(arguments)


if __name__ == "__main__":
    main()
