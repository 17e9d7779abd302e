"""The command line as a test drives it: in this process, over a data folder of its own, against shops on real ports."""

import io
import json
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, cast

import pytest

from prestaconsole.cli.app import run
from prestaconsole.operations.core import Core, open_core
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from prestaconsole.settings import load_settings
from tests.support.databases import Makers

KEY = "K3Y0CANARY0K3Y0CANARY0K3Y0CANARY"
OTHER_KEY = "0THER0CANARY0THER0CANARY0THER0CA"


@dataclass(frozen=True)
class Result:
    """What one command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def text(self) -> str:
        return self.out + self.err


class Program:
    """``prestaconsole`` with its environment."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: object, stdin: str = "", code: int | None = 0) -> Result:
        """Run one command; ``code`` is the exit status it must end with, None for any."""
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        result = Result(status, out, err)
        if code is not None:
            assert status == code, f"{arguments} ended with {status}\n--- out\n{out}\n--- err\n{err}"
        return result

    def json(self, *arguments: object, code: int | None = 0) -> Any:
        """The document of a command with --json."""
        return self(*arguments, "--json", code=code).json

    @contextmanager
    def core(self) -> Iterator[Core]:
        """The core behind the commands, to look underneath."""
        core = open_core(load_settings())
        try:
            yield core
        finally:
            core.close()


def quick_environment(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A data folder of its own and short times; nothing of the person who runs the tests."""
    monkeypatch.setenv("PRESTACONSOLE_DATA_DIR", str(folder))
    monkeypatch.setenv("PRESTACONSOLE_ACTOR", "zofia")
    monkeypatch.setenv("PRESTACONSOLE_POLL_SECONDS", "0.02")
    monkeypatch.setenv("PRESTACONSOLE_REQUEST_TIMEOUT", "5")
    monkeypatch.delenv("PRESTACONSOLE_DATABASE_URL", raising=False)
    monkeypatch.delenv("PRESTACONSOLE_SETTINGS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder.parent / "config"))
    monkeypatch.setattr("prestaconsole.services.runs.LOOK_SECONDS", 0.02)


@pytest.fixture(autouse=True)
def no_log_left_open() -> Iterator[None]:
    """Each test has a log file of its own."""
    yield
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, RotatingFileHandler):
            root.removeHandler(handler)
            handler.close()


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database_makers: Makers
) -> Program:
    """The program over an empty, migrated database."""
    folder = tmp_path / "data"
    folder.mkdir()
    database_makers.sqlite(folder / "prestaconsole.sqlite3")
    quick_environment(monkeypatch, folder)
    return Program(folder, capsys, monkeypatch)


BEGAN = time.time()
"""Seconds since 1970 at which the rows of the small shop are made: each test gets the same ones."""


def small_shop() -> SimulatedShop:
    """A shop of ten products and eight orders that is not real: made at `BEGAN`, from then on by the real clock."""
    begun = False
    shop = SimulatedShop.generate(
        products=10, orders=8, key=KEY, name="Wolle & Garn", clock=lambda: time.time() if begun else BEGAN
    )
    begun = True
    return shop


@pytest.fixture
def simulated(small_port: "SmallPort") -> SimulatedShop:
    """The small shop, before anybody has written to it."""
    small_port.shop = small_shop()
    return small_port.shop


class SmallPort:
    """One port for the small shops of all tests, so that what is prepared for one test serves the next."""

    def __init__(self) -> None:
        self.shop = small_shop()

    @property
    def app(self) -> Callable[..., Awaitable[None]]:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await self.shop.app(scope, receive, send)

        return answer


@pytest.fixture(scope="session")
def small_port() -> SmallPort:
    return SmallPort()


@pytest.fixture(scope="session")
def small_server(small_port: SmallPort) -> Iterator[SandboxServer]:
    with SandboxServer(cast(SimulatedShop, small_port)) as running:
        yield running


@pytest.fixture
def server(simulated: SimulatedShop, small_server: SandboxServer) -> SandboxServer:
    """The small shop on a port."""
    return small_server


def connect(cli: Program, server: SandboxServer) -> None:
    """The small shop, added as Wolle, in setup."""
    cli("shop", "add", "Wolle", "--url", server.url, "--key-stdin", stdin=KEY + "\n")


def read_all(cli: Program, *_: SandboxServer) -> None:
    """Everything read and a warehouse chosen, stock not yet."""
    cli("warehouse", "add", "W1")
    cli("shop", "set", "wolle", "stock.warehouses=W1", "stock.import_to=W1", "email=owner@shop.example")
    cli("feed", "run-safe", "wolle")


def take_stock(cli: Program, *_: SandboxServer) -> None:
    """The shop's stock in W1."""
    cli("feed", "run", "wolle", "import_stock", "--wait")
    cli("feed", "run", "wolle", "stock_check", "--wait")


def go_live(cli: Program, *_: SandboxServer) -> None:
    """Live, waiving what only time can show."""
    cli("shop", "mode", "wolle", "rehearsal", "--waive", "skus=test")
    cli("feed", "run", "wolle", "export_stock", "--wait")
    cli("shop", "mode", "wolle", "live", "--confirm", "Wolle", "--waive", "foreign-writes=test")


STAGES: tuple[Callable[[Program, SandboxServer], None], ...] = (connect, read_all, take_stock, go_live)
"""The first steps with a shop. None of them writes to it, so the data folder alone holds all they leave."""


@pytest.fixture(scope="session")
def kept_stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data folder is kept as each stage left it in the first test that came there."""
    return tmp_path_factory.mktemp("stages")


@pytest.fixture
def reach(cli: Program, server: SandboxServer, kept_stages: Path) -> Callable[[int], Program]:
    """Bring the program so many stages far: from the furthest one kept, by its own commands from there on."""

    def go(wanted: int) -> Program:
        known = max((number for number in range(1, wanted + 1) if (kept_stages / str(number)).exists()), default=0)
        if known:
            shutil.rmtree(cli.folder)
            shutil.copytree(kept_stages / str(known), cli.folder)
        for number in range(known + 1, wanted + 1):
            STAGES[number - 1](cli, server)
            shutil.copytree(cli.folder, kept_stages / str(number))
        return cli

    return go


@pytest.fixture
def connected(reach: Callable[[int], Program]) -> Program:
    """A shop called Wolle, in setup."""
    return reach(1)


@pytest.fixture
def read(reach: Callable[[int], Program]) -> Program:
    """The shop with everything read and a warehouse chosen, stock not yet."""
    return reach(2)


@pytest.fixture
def stocked(reach: Callable[[int], Program]) -> Program:
    """The shop's stock is in W1."""
    return reach(3)


@pytest.fixture
def live(reach: Callable[[int], Program]) -> Program:
    """The shop is live."""
    return reach(4)
