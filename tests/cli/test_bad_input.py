"""Bad input: a cause and a remedy on stderr, the right exit status, nothing lost. And the key leaves nowhere."""

import base64
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prestaconsole.sandbox import SandboxServer, SimulatedShop
from tests.cli.conftest import KEY, OTHER_KEY, Program

Trouble = Callable[[SimulatedShop], None]


def _no_rights(shop: SimulatedShop) -> None:
    shop.keys.clear()
    shop.add_key(KEY, permissions={"languages": ["GET"]})


def _disabled(shop: SimulatedShop) -> None:
    shop.webservice_enabled = False


def _fault(name: str, value: float | None = None) -> Trouble:
    return lambda shop: shop.faults.set(name, value)


TROUBLES: dict[str, tuple[Trouble, str]] = {
    "disabled": (_disabled, "switched off"),
    "html": (_fault("html"), "web page instead of data"),
    "cut": (_fault("reset"), "connection was cut"),
    "short": (_fault("truncate"), "cut in the middle"),
    "busy": (_fault("429"), "ask too often"),
    "broken": (_fault("http500"), "broke down"),
    "redirect": (_fault("redirect", 302), "redirects to"),
    "slow": (_fault("latency", 4000), "in time"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_shop_in_trouble_fails_its_test_with_cause_and_remedy_and_keeps_everything(
    connected: Program, simulated: SimulatedShop, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setenv("PRESTACONSOLE_REQUEST_TIMEOUT", "0.5")
    before = connected.json("shop", "show", "wolle")
    cause, words = TROUBLES[trouble]
    cause(simulated)
    ended = connected("shop", "test", "wolle", code=1)
    lines = ended.err.splitlines()
    assert words in lines[0]
    assert len(lines[1]) > 10
    after = connected.json("shop", "show", "wolle")
    assert (after["mode"], after["version"], after["key_print"]) == ("setup", "8.2.1", before["key_print"])
    assert words in after["last_error"]
    simulated.faults.clear()
    simulated.webservice_enabled = True
    connected("shop", "test", "wolle")
    assert connected.json("shop", "show", "wolle")["last_error"] == ""


def test_a_key_without_the_rights_names_them(cli: Program, simulated: SimulatedShop, server: SandboxServer) -> None:
    _no_rights(simulated)
    cli("shop", "add", "Wolle", "--url", server.url, "--key-stdin", stdin=KEY)
    ended = cli("shop", "mode", "wolle", "rehearsal", code=3)
    (line,) = [line for line in ended.err.splitlines() if line.startswith("rights FIX ")]
    assert "PUT on stock_availables" in line
    doctor = cli("doctor", "wolle", code=1)
    assert "Rights: GET on orders" in doctor.out
    failed = cli("feed", "run", "wolle", "analyse", "--wait", code=1)
    assert len(failed.err.splitlines()) >= 2


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("", 2, "No address was given"),
        ("ftp://shop.example", 2, "not by ftp"),
        ("https://shop example", 2, "blanks"),
        ("https://no-such-host.invalid", 1, "not known"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(cli: Program, url: str, code: int, words: str) -> None:
    ended = cli("shop", "add", "Wolle", "--url", url, "--key-stdin", stdin=KEY, code=code)
    assert words in ended.err
    assert len(cli.json("shop", "list")) == (1 if code == 1 else 0)


def test_a_closed_port_is_told_from_a_shop_that_refuses(cli: Program) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ended = cli("shop", "add", "Wolle", "--url", f"http://127.0.0.1:{port}", "--key-stdin", stdin=KEY, code=1)
    assert "refuses the connection" in ended.err


def test_settings_that_cannot_be_read_are_named(cli: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTACONSOLE_SETTINGS", str(tmp_path / "none.env"))
    assert "does not exist" in cli("status", code=2).err
    file = tmp_path / "settings.env"
    file.write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("PRESTACONSOLE_SETTINGS", str(file))
    assert "cannot be read" in cli("status", code=2).err
    file.write_text("PRESTACONSOLE_COLOUR=red\n")
    assert "PRESTACONSOLE_COLOUR is no setting" in cli("status", code=2).err
    file.write_text("PRESTACONSOLE_HEARTBEAT_SECONDS=often\n")
    ended = cli("status", code=2)
    assert "PRESTACONSOLE_HEARTBEAT_SECONDS" in ended.err
    assert "often" not in ended.err


def test_a_key_file_that_others_can_read_stops_everything(connected: Program) -> None:
    (connected.folder / "vault.key").chmod(0o644)
    ended = connected("shop", "list", code=1)
    assert "can be read by others" in ended.err
    assert "chmod 600" in ended.err


def test_without_the_vault_s_key_a_shop_asks_for_its_key_again(connected: Program, simulated: SimulatedShop) -> None:
    (connected.folder / "vault.key").unlink()
    ended = connected("shop", "test", "wolle", code=1)
    assert "sealed with another vault key" in ended.err
    assert "rotate-key" in ended.err
    connected("shop", "rotate-key", "wolle", "--key-stdin", stdin=KEY)
    connected("shop", "test", "wolle")


def test_a_data_folder_that_cannot_be_made_is_named(cli: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTACONSOLE_DATA_DIR", "/proc/nowhere")
    ended = cli("status", code=1)
    assert "/proc/nowhere" in ended.err
    assert "PRESTACONSOLE_DATA_DIR" in ended.err


def test_a_database_server_that_is_not_there_is_named_without_its_password(
    cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("PRESTACONSOLE_DATABASE_URL", "postgresql://kate:s3cret@127.0.0.1:1/none")
    ended = cli("status", code=1)
    assert "cannot be reached" in ended.err
    assert "s3cret" not in ended.text


# -- the canary ----------------------------------------------------------------------------------------------


def test_the_key_is_nowhere_but_in_the_vault_after_much_went_wrong(
    cli: Program, simulated: SimulatedShop, server: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESTACONSOLE_LOG_LEVEL", "debug")
    said = []

    def do(*arguments: object, stdin: str = "") -> None:
        said.append(cli(*arguments, stdin=stdin, code=None).text)

    simulated.faults.set("no-auth-header")
    do("shop", "add", "Wolle", "--url", server.url, "--key-stdin", "--json", stdin=KEY)
    do("warehouse", "add", "W1")
    do("shop", "set", "wolle", "stock.warehouses=W1", "stock.import_to=W1")
    do("feed", "run-safe", "wolle", "--json")
    simulated.faults.set("redirect", 302)
    do("feed", "run", "wolle", "analyse", "--wait", "--json")
    simulated.faults.clear()
    for trouble in ("disabled", "html", "redirect"):
        TROUBLES[trouble][0](simulated)
        do("shop", "test", "wolle", "--json")
        do("doctor", "wolle", "--json")
        simulated.faults.clear()
        simulated.webservice_enabled = True
    do("shop", "rotate-key", "wolle", "--key-stdin", stdin=OTHER_KEY)
    do("shop", "set", "wolle", f"name={KEY}", f"orders.start={KEY}")
    do("shop", "show", KEY)
    do("feed", "run", "wolle", KEY)
    do("order", "list", "--state", KEY)
    do("nonsense", KEY)
    do("shop", "pause", "wolle", "--reason", f"the key is {KEY}")
    for listing in (("shop", "show", "wolle"), ("incident", "list"), ("feed", "runs"), ("status",), ("shop", "list")):
        do(*listing, "--json")
    do("db", "backup", tmp_path / "backup.sqlite3")
    kept = [path for path in [*cli.folder.rglob("*"), tmp_path / "backup.sqlite3"] if path.is_file()]
    assert len(kept) >= 3
    texts = {str(path): path.read_bytes() for path in kept} | {f"said {n}": t.encode() for n, t in enumerate(said)}
    for secret in (KEY, OTHER_KEY):
        for form in (secret.encode(), base64.b64encode(f"{secret}:".encode()), base64.b64encode(secret.encode())[:40]):
            assert [name for name, text in texts.items() if form in text] == []
    assert cli.json("secrets", "scan")["clean"] is True


def test_no_key_is_on_the_command_line_or_in_the_environment_of_the_program(
    cli: Program, server: SandboxServer
) -> None:
    """The key comes in by standard input alone: a listing of processes must not show it."""
    script = "from prestaconsole.cli import main; main()"
    arguments = ["shop", "add", "Wolle", "--url", server.url, "--key-stdin"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        input=KEY,
        env={**os.environ, "PRESTACONSOLE_DATA_DIR": str(cli.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--key" not in cli("shop", "add", "--help").out.replace("--key-stdin", "")
