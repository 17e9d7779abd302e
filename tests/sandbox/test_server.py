"""The shop over a port, the command, and traffic."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import httpx
import pytest

from prestaconsole.sandbox import DEFAULT_KEY, SandboxServer, SimulatedShop, Traffic
from prestaconsole.sandbox.command import describe, make, serve
from tests.sandbox.conftest import NOON

REPOSITORY = Path(__file__).parents[2]


def test_a_served_shop_is_the_shop_in_hand(shop: SimulatedShop) -> None:
    with SandboxServer(shop) as server, httpx.Client(auth=(DEFAULT_KEY, "")) as web:
        address = f"{server.url}/api/stock_availables/1"
        before = web.get(address).text
        shop.set_quantity(1, 0, 4711)
        after = web.get(address).text
    assert "<![CDATA[4711]]>" in after
    assert "<![CDATA[4711]]>" not in before
    assert f'xlink:href="{server_url(address)}' in after


def server_url(address: str) -> str:
    return address.split("stock_availables")[0]


def test_two_servers_at_once() -> None:
    one, other = (SimulatedShop.generate(products=1, orders=0, name=name) for name in ("One", "Other"))
    with SandboxServer(one) as first, SandboxServer(other) as second:
        assert first.port != second.port
        for server, name in ((first, "One"), (second, "Other")):
            text = httpx.get(f"{server.url}/api/", auth=(DEFAULT_KEY, "")).text
            assert f'shopName="{name}"' in text


def test_a_server_can_be_started_again(shop: SimulatedShop) -> None:
    server = SandboxServer(shop)
    for _ in range(2):
        server.start()
        assert httpx.get(f"{server.url}/api/languages", auth=(DEFAULT_KEY, "")).status_code == 200
        server.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.url


def test_many_clients_write_and_the_back_office_too(shop: SimulatedShop) -> None:
    with SandboxServer(shop) as server:

        def write() -> None:
            with httpx.Client(auth=(DEFAULT_KEY, "")) as web:
                for _ in range(10):
                    nodes = "<order_history><id_order>1</id_order><id_order_state>3</id_order_state></order_history>"
                    answer = web.post(f"{server.url}/api/order_histories", content=f"<prestashop>{nodes}</prestashop>")
                    assert answer.status_code == 201

        before = len(shop.table("order_histories"))
        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            shop.sell(1)
        for thread in threads:
            thread.join()
    assert len(shop.table("order_histories")) == before + 50
    posts = [entry for entry in shop.journal if entry.method == "POST"]
    assert len(posts) == 40
    assert shop.writes == 40


def test_traffic_is_the_same_for_one_seed_and_keeps_the_sums() -> None:
    def run() -> list[str]:
        shop = SimulatedShop.generate(products=20, orders=10, seed=2, clock=lambda: NOON)
        traffic = Traffic(shop, seed=5)
        told = [traffic.tick() for _ in range(200)]
        for row in shop.table("combinations"):
            id_product = int(row["id_product"])
            others = shop.table("combinations").find("id_product", id_product)
            assert shop.quantity(id_product) == sum(shop.quantity(id_product, one) for one in others)
        assert len(shop.table("orders")) > 30
        return told

    assert run() == run()


def test_traffic_runs_beside_and_stops() -> None:
    shop = SimulatedShop.generate(products=20, orders=5)
    changed = threading.Event()
    place = shop.place_order

    def placed(*args: object, **wanted: object) -> int:
        changed.set()
        return place(*args, **wanted)  # type: ignore[arg-type]  # handed on as it came

    shop.place_order = placed  # type: ignore[method-assign]  # to see it called
    with Traffic(shop, every=0.001):
        assert changed.wait(5)
    assert threading.active_count() == 1 or not any(
        thread.name.startswith("traffic") for thread in threading.enumerate()
    )


def test_the_command_makes_what_its_options_say(tmp_path: Path) -> None:
    shop = make(products=7, orders=3, version="9", faults=["http500=0.5", "no-auth-header"])
    assert (len(shop.table("products")), len(shop.table("orders"))) == (7, 3)
    assert shop.version.number == "9.0.0"
    text = describe(shop, 8123, None)
    assert "http://127.0.0.1:8123/" in text
    assert DEFAULT_KEY in text
    assert "http500 0.5, no-auth-header" in text
    told: list[str] = []
    assert serve(port=0, products=3, orders=1, dump=tmp_path / "shop", say=told.append) == 0
    assert len(make(load=tmp_path / "shop").table("products")) == 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"key": "short"}, "32 characters"),
        ({"version": "7"}, "no PrestaShop version"),
        ({"faults": ["nope"]}, "no fault 'nope'"),
        ({"load": Path("/nowhere/at/all")}, "holds no dump"),
    ],
)
def test_wrong_use_of_the_command_is_said_and_is_status_2(options: dict[str, object], text: str) -> None:
    told: list[str] = []
    assert serve(port=0, say=told.append, **options) == 2  # type: ignore[arg-type]  # one of several options
    assert text in told[0]


def test_a_taken_port_is_said(shop: SimulatedShop) -> None:
    told: list[str] = []
    with SandboxServer(shop) as server:
        assert serve(port=server.port, products=1, orders=0, say=told.append) == 2
    assert "cannot be opened" in told[0]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_and_ends_on_a_signal(ending: signal.Signals) -> None:
    code = "import sys; from prestaconsole.sandbox.command import serve; "
    code += "sys.exit(serve(port=0, say=lambda text: print(text, flush=True)))"
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().split("http://", 1)[1].split("/", 1)[0]
        assert DEFAULT_KEY in process.stdout.readline()
        web = httpx.get(f"http://{address}/api/orders", auth=(DEFAULT_KEY, ""))
        assert web.status_code == 200
        process.send_signal(ending)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("fault", ["timeout-after", "timeout-before", "latency", "reset", "truncate"])
def test_a_server_that_stops_leaves_no_socket_of_a_hanging_request(
    shop: SimulatedShop, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop.faults.set(fault, 60_000 if fault == "latency" else 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with SandboxServer(shop) as server, socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(f"GET /api/languages?ws_key={DEFAULT_KEY} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
            raw.settimeout(0.1)
            with contextlib.suppress(OSError):
                raw.recv(100)
        gc.collect()
    assert [str(one.message) for one in caught if issubclass(one.category, ResourceWarning)] == []
    assert not caplog.records, "cutting it is nothing to tell of"
