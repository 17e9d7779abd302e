"""`prestaconsole demo` and `sandbox`: the whole road without a screen, on data that is thrown away."""

import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest

from prestaconsole.sandbox import DEFAULT_KEY
from tests.cli.conftest import Program

MAIN = [sys.executable, "-c", "from prestaconsole.cli import main; main()"]


@pytest.mark.slow
def test_the_headless_demo_walks_the_road_and_leaves_nothing(
    cli: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    ended = cli("demo", "--headless", "--products", 12, "--orders", 8)
    assert len(ended.out.splitlines()) <= 40
    for words in ("Sattlerei Böhm", "LIVE", "SETUP", "stock changes sent", "0 differ", "got no write"):
        assert words in ended.out
    for feed in ("analyse", "import_products", "import_orders", "import_stock", "export_stock", "stock_check"):
        assert feed in ended.out
    assert list(tmp_path.glob("prestaconsole-demo-*")) == []
    assert cli.json("shop", "list") == []


@pytest.mark.slow
def test_the_demo_keeps_its_data_where_a_folder_is_named(
    cli: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    cli("demo", "--headless", "--dir", folder, "--shops", 1, "--products", 6, "--orders", 4)
    monkeypatch.setenv("PRESTACONSOLE_DATA_DIR", str(folder))
    assert cli.json("shop", "list")[0]["mode"] == "live"
    assert cli.json("secrets", "scan")["clean"] is True
    assert "not empty" in cli("demo", "--headless", "--dir", folder, code=2).err


def test_the_demo_needs_a_terminal_unless_it_is_headless(cli: Program) -> None:
    assert "needs a terminal" in cli("demo", code=2).err


def test_the_sandbox_serves_what_was_asked_for_until_it_is_stopped() -> None:
    arguments = [
        "sandbox",
        "--port",
        "0",
        "--products",
        "7",
        "--orders",
        "5",
        "--version",
        "1.7",
        "--fault",
        "latency=1",
    ]
    with subprocess.Popen([*MAIN, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+/", first)
            assert found is not None, first
            answer = httpx.get(f"{found.group()}api/orders", auth=(DEFAULT_KEY, ""))
            assert answer.text.count("<order ") == 5
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=10)


@pytest.mark.parametrize(
    "arguments", [["--version", "4"], ["--key", "short"], ["--load", "/nowhere"], ["--fault", "gremlins"]]
)
def test_a_sandbox_that_cannot_be_says_so(cli: Program, arguments: list[str]) -> None:
    ended = cli("sandbox", "--port", 0, *arguments, code=2)
    assert len(ended.out.splitlines()) == 1
    assert "Traceback" not in ended.text


def test_a_sandbox_can_be_written_to_a_folder_and_served_from_it(cli: Program, tmp_path: Path) -> None:
    cli("sandbox", "--products", 3, "--orders", 2, "--dump", tmp_path / "shop")
    assert (tmp_path / "shop" / "orders.xml.gz").is_file()
