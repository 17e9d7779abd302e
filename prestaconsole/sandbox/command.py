"""The body of `prestaconsole sandbox`: a simulated shop served until it is told to stop. Imports the sandbox only."""

import signal
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from prestaconsole.sandbox.control import CONTROL
from prestaconsole.sandbox.keys import DEFAULT_KEY
from prestaconsole.sandbox.server import Server, config
from prestaconsole.sandbox.shop import SimulatedShop


def serve(
    *,
    port: int,
    key: str | None = None,
    version: str | None = None,
    load: Path | None = None,
    products: int = 40,
    orders: int = 30,
    hard: bool = False,
    storefronts: int = 1,
    dump: Path | None = None,
    faults: Iterable[str] = (),
    say: Callable[[str], None] = print,
) -> int:
    """Serve http://127.0.0.1:PORT/ in the main thread until Ctrl-C or SIGTERM.

    Returns the exit status: 0, or 2 for wrong use. Serves the dump of `load`, or so many made-up products and
    orders, the same each time; nothing changes by itself. With `hard` an order of each awkward kind follows, with
    `storefronts` there are so many shops. With `dump` the shop is written to that folder and not served. `faults` are
    NAME, NAME=VALUE or NAME=next:COUNT.
    """
    try:
        shop = make(
            key=key,
            version=version,
            load=load,
            products=products,
            orders=orders,
            hard=hard,
            storefronts=storefronts,
            faults=faults,
        )
    except (ValueError, OSError) as error:
        say(f"{error}")
        return 2
    if dump is not None:
        shop.dump(dump)
        say(f"The shop was written to {dump}.")
        return 0
    try:
        listening = socket.create_server(("127.0.0.1", port), backlog=512)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each small answer waits 40 ms
    except OSError as error:
        say(f"Port {port} cannot be opened: {error.strerror}. Choose another one with --port.")
        return 2
    shop.journal_limit = 1000
    say(describe(shop, listening.getsockname()[1], key))
    # uvicorn stops at either signal and then raises it once more, which is to end nothing.
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(one, lambda *_: None) for one in signals]
    try:
        with listening:
            Server(config(shop)).run(sockets=[listening])
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)
    return 0


def make(
    *,
    key: str | None = None,
    version: str | None = None,
    load: Path | None = None,
    products: int = 40,
    orders: int = 30,
    hard: bool = False,
    storefronts: int = 1,
    faults: Iterable[str] = (),
) -> SimulatedShop:
    """The shop the options describe. Raises ValueError or OSError with a sentence for a person."""
    if key is not None and len(key) != 32:
        raise ValueError(f"A webservice key has 32 characters; the one given has {len(key)}.")
    if load is not None and (hard or storefronts > 1):
        raise ValueError("A dumped shop has the orders and storefronts it has: leave --hard and --storefronts out.")
    if load is not None:
        shop = SimulatedShop.load(load, key=key, version=version)
    else:
        shop = SimulatedShop.generate(
            version=version or "8.2.1",
            products=products,
            orders=orders,
            key=key or DEFAULT_KEY,
            hard=hard,
            storefronts=storefronts,
        )
    for fault in faults:
        name, equals, value = fault.partition("=")
        try:
            shop.faults.set(name, value if equals else None)
        except ValueError as error:
            raise ValueError(str(error)) from None
    return shop


def describe(shop: SimulatedShop, port: int, key: str | None) -> str:
    """What is said at the start: the address, the key and what the shop holds."""
    counts = ", ".join(f"{len(shop.table(name))} {name}" for name in ("products", "combinations", "orders"))
    lines = [f"PrestaShop {shop.version.number} «{shop.name}» at http://127.0.0.1:{port}/ with {counts}."]
    lines.append(f"Webservice key: {key or DEFAULT_KEY}")
    if shop.version.generation == (1, 5):
        lines.append("PrestaShop 1.5 is played from its source alone: no recording of a real shop proves it.")
    if shop.faults.state():
        lines.append("Faults: " + ", ".join(f"{name} {value}" for name, value in shop.faults.state().items()))
    lines.append(f"Faults are switched while it runs: curl -X POST 'http://127.0.0.1:{port}{CONTROL}?http500=0.2'")
    lines.append("Ctrl-C stops it.")
    return "\n".join(lines)
