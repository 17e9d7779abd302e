"""The command line as a test drives it: in this process, over a data folder of its own, against shops on real ports."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

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


@pytest.fixture
def simulated() -> SimulatedShop:
    """A small shop that is not real."""
    return SimulatedShop.generate(products=10, orders=8, key=KEY, name="Wolle & Garn")


@pytest.fixture
def server(simulated: SimulatedShop) -> Iterator[SandboxServer]:
    """The small shop on a port."""
    with SandboxServer(simulated) as running:
        yield running


@pytest.fixture
def connected(cli: Program, server: SandboxServer) -> Program:
    """A shop called Wolle, in setup."""
    cli("shop", "add", "Wolle", "--url", server.url, "--key-stdin", stdin=KEY + "\n")
    return cli


@pytest.fixture
def read(connected: Program) -> Program:
    """The shop with everything read and a warehouse chosen, stock not yet."""
    connected("warehouse", "add", "W1")
    connected("shop", "set", "wolle", "stock.warehouses=W1", "stock.import_to=W1", "email=owner@shop.example")
    connected("feed", "run-safe", "wolle")
    return connected


@pytest.fixture
def stocked(read: Program) -> Program:
    """The shop's stock is in W1."""
    read("feed", "run", "wolle", "import_stock", "--wait")
    read("feed", "run", "wolle", "stock_check", "--wait")
    return read


@pytest.fixture
def live(stocked: Program) -> Program:
    """The shop is live."""
    go_live(stocked)
    return stocked


def go_live(cli: Program) -> None:
    """From stocked to live, waiving what only time can show."""
    cli("shop", "mode", "wolle", "rehearsal", "--waive", "skus=test")
    cli("feed", "run", "wolle", "export_stock", "--wait")
    cli("shop", "mode", "wolle", "live", "--confirm", "Wolle", "--waive", "foreign-writes=test")
