"""The key given to a shop is found nowhere but in the vault, whatever goes wrong and wherever one looks."""

import asyncio
import base64
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import traceback
import weakref
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

import prestaconsole
from prestaconsole.console.catalogue import PANES
from prestaconsole.console.run import CoreConsole
from prestaconsole.console.screens.pane import Pane
from prestaconsole.database import upsert
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import FeedRun, FeedSchedule, FeedState, Shop, ShopMode
from prestaconsole.operations.shops import all_shops, find_shop
from prestaconsole.redaction import Secret
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from prestaconsole.webservice.client import ShopClient
from prestaconsole.webservice.endpoint import Endpoint
from prestaconsole.webservice.pacing import Pacer
from prestaconsole.webservice.probe import connect
from prestaconsole.webservice.query import Query
from tests.cli.conftest import Program, no_log_left_open, quick_environment
from tests.e2e.hostile import FACES, Hostile
from tests.support.databases import Makers

__all__ = ["no_log_left_open"]

# A failed TLS handshake (the connection test tries https too) leaves its socket to the collector, inside httpcore.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

KEY = "C4NARYQ7WX2MZK9TBV5HJL8DPR3FGS6N"
BASIC = base64.b64encode(f"{KEY}:".encode()).decode()
PERCENT = "".join(f"%{ord(letter):02x}" for letter in KEY)
PIECE = 14
FORMS = {
    "the key": (KEY.lower(), PIECE),
    "its Basic form": (BASIC.lower(), 20),
    "its percent form": (PERCENT, PIECE * 3),
    "its hexadecimal form": (KEY.encode().hex(), PIECE * 2),
}
NEEDLES = [
    (name, form[start : start + size].encode())
    for name, (form, size) in FORMS.items()
    for start in range(len(form) - size + 1)
]


def traces(content: bytes | str) -> list[str]:
    """Which forms of the key stand in a text or file, whole or in part, in capitals or not."""
    low = (content.encode("utf-8", "replace") if isinstance(content, str) else content).lower()
    found = {name: low.find(needle) for name, needle in NEEDLES if needle in low}
    return [f"{name}: …{low[max(0, at - 120) : at + 60]!r}…" for name, at in found.items()]


def folder_traces(folder: Path) -> list[str]:
    """The traces in every file of a folder, write-ahead logs included, and in the dump of every database."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    # All are read before any is opened as a database, which ends its write-ahead log.
    found = [f"{path.name}: {one}" for path in paths for one in traces(path.read_bytes())]
    for path in (path for path in paths if path.suffix == ".sqlite3"):
        with sqlite3.connect(path) as connection:
            dump = "\n".join(connection.iterdump())
        connection.close()
        assert "CREATE TABLE sealed_secret" in dump
        found += [f"dump of {path.name}: {one}" for one in traces(dump)]
    return found


def clean(folder: Path, *texts: str) -> None:
    """Nothing of the key in these texts nor anywhere in the folder."""
    assert [one for text in texts for one in traces(text)] == []
    assert folder_traces(folder) == []


@pytest.fixture(scope="module")
def hostile() -> Iterator[Hostile]:
    with Hostile() as server:
        yield server


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats come at once, and no shop rests because of what went wrong before."""
    monkeypatch.setattr("prestaconsole.webservice.transport._FIRST_PAUSE", 0.001)
    monkeypatch.setattr("prestaconsole.webservice.pacing._by_clock", weakref.WeakKeyDictionary())
    monkeypatch.setitem(Pacer.__init__.__kwdefaults__, "cool", 0.001)


@pytest.fixture
def program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database_makers: Makers
) -> Program:
    """The command line at log level debug, without patience, behind a proxy that is not there."""
    folder = tmp_path / "data"
    folder.mkdir()
    database_makers.sqlite(folder / "prestaconsole.sqlite3")
    quick_environment(monkeypatch, folder)
    monkeypatch.setenv("PRESTACONSOLE_LOG_LEVEL", "debug")
    monkeypatch.setenv("PRESTACONSOLE_REQUEST_TIMEOUT", "0.4")
    monkeypatch.setenv("PRESTACONSOLE_DAEMON_PORT", "0")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("prestaconsole.runner.endings.FIRST_WAIT", 0.001)
    return Program(folder, capsys, monkeypatch)


class Lookout:
    """Runs commands and looks at all they say."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.said: list[str] = []

    def __call__(self, *arguments: str, stdin: str = "") -> int:
        result = self.program(*arguments, stdin=stdin, code=None)
        found = traces(result.text)
        assert not found, (arguments, found)
        assert result.code in (0, 1, 2, 3, 4), (arguments, result.text)
        assert "A fault of PrestaConsole" not in result.text, (arguments, result.text)
        self.said.append(result.text)
        return result.code

    def both(self, *arguments: str, stdin: str = "") -> None:
        """The command as a person reads it, and as a script does."""
        self(*arguments, stdin=stdin)
        self(*arguments, "--json", stdin=stdin)


def open_all(program: Program, *, auth: str = "basic") -> None:
    """Let every feed run in every shop, as if all had gone well once."""
    with program.core() as core:
        now = core.clock.now()

        def work(connection: Any) -> None:
            connection.execute(update(Shop).values(mode=ShopMode.REHEARSAL, auth=auth))
            rows = [
                {"shop_id": shop.id, "feed": feed, "completed_at": now}
                for shop in all_shops(connection)
                for feed in FEEDS
            ]
            upsert(connection, FeedState, rows, key=["shop_id", "feed"])

        core.database.write_now(work)


def schedule_all(program: Program) -> None:
    """Every feed of every shop is due at once."""
    with program.core() as core:
        now = core.clock.now()
        row = {"every": "every 1 min", "zone": "UTC", "enabled": True, "version": 1, "updated_at": now}
        row |= {"next_due": now - timedelta(minutes=5), "updated_by": "test"}

        def work(connection: Any) -> None:
            rows = [row | {"shop_id": shop.id, "feed": feed} for shop in all_shops(connection) for feed in FEEDS]
            connection.execute(FeedSchedule.__table__.delete())
            connection.execute(insert(FeedSchedule), rows)

        core.database.write_now(work)


# -- that the search finds, and that the vault opens -----------------------------------------------------------


def test_the_search_finds_a_key_wherever_it_was_put(tmp_path: Path) -> None:
    for text in (KEY, KEY.lower(), f"x{KEY[:20]}", BASIC, f"Basic {BASIC[4:]}", PERCENT.upper(), KEY.encode().hex()):
        assert traces(f"before {text} after"), text
    assert not traces("C4NARYQ7WX2 MZK9TBV5HJL and what else there is")
    (tmp_path / "x.log").write_text(f"ws_key={KEY.lower()}", encoding="utf-8")
    assert folder_traces(tmp_path)


def test_the_vault_alone_gives_the_key_back(program: Program) -> None:
    with SandboxServer(SimulatedShop.generate(products=3, orders=2, key=KEY)) as server:
        program("shop", "add", "Wolle", "--url", server.url, "--key-stdin", stdin=KEY)
        with program.core() as core:
            shop = core.database.read_now(lambda c: find_shop(c, "wolle"))
            assert core.database.read_now(lambda c: core.key(c, shop)).reveal() == KEY
    assert program("secrets", "scan").code == 0
    clean(program.folder)
    with sqlite3.connect(program.folder / "prestaconsole.sqlite3") as connection:
        connection.execute("UPDATE shop SET last_error = ?", (f"… {KEY} …",))
    connection.close()
    assert folder_traces(program.folder)
    assert traces(program("secrets", "scan", code=1).text) == []


# -- what the webservice room raises ---------------------------------------------------------------------------


def told(error: BaseException) -> str:
    """All that a log, a screen or a crash report could show of an error, our frames with their variables."""
    texts = []
    current: BaseException | None = error
    while current is not None:
        texts += [str(current), repr(current), repr(current.args), repr(vars(current))]
        trace = traceback.TracebackException.from_exception(current, capture_locals=True)
        ours = [frame for frame in trace.stack if frame.filename.startswith(str(Path(prestaconsole.__file__).parent))]
        texts += [f"{frame.name} {frame.line} {frame.locals}" for frame in ours]
        current = current.__cause__ or current.__context__
    return "\n".join(texts)


@pytest.mark.parametrize("face", FACES)
async def test_no_error_holds_the_key_however_the_shop_fails(face: str, hostile: Hostile) -> None:
    texts, requests = [], len(hostile.seen)
    for auth in ("basic", "ws_key"):
        endpoint = Endpoint(hostile.url(face), Secret(KEY), auth=auth, timeout=0.4)  # type: ignore[arg-type]  # both words
        async with ShopClient(endpoint) as client:
            readings = [connect(endpoint), client.root(), client.one("products", 1)]
            readings.append(client.page(Query("orders", ("id", "reference"), limit=5)))
            for reading in readings:
                try:
                    texts.append(repr(await reading))
                except PrestaConsoleError as error:
                    texts += [told(error), getattr(error, "evidence", ""), repr(getattr(error, "messages", ""))]
        texts.append(repr(client) + repr(endpoint))
    assert any(seen.key == KEY for seen in hostile.seen[requests:])
    assert [one for text in texts for one in traces(text)] == []


# -- the command line, the database, the logs ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("auth", ["basic", "ws_key"])
def test_no_failure_of_a_shop_leaves_the_key_on_a_screen_in_a_log_or_in_the_database(
    auth: str, program: Program, hostile: Hostile
) -> None:
    look = Lookout(program)
    look("warehouse", "add", "W1")
    for number, face in enumerate(FACES):
        add = ["shop", "add", f"Shop {face}", "--code", face, "--url", hostile.url(face), "--key-stdin"]
        look(*add, *(["--json"] if number % 2 else []), stdin=KEY + "\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for code, url in (
            ("nowhere", "http://nowhere.invalid"),
            ("refused", f"http://127.0.0.1:{port}"),
            ("not-tls", hostile.url("html").replace("http://", "https://")),
        ):
            look("shop", "add", code, "--url", url, "--key-stdin", stdin=KEY)
    open_all(program, auth=auth)
    for number, face in enumerate(FACES):
        # Half of them as a person reads it, the other half as a script does.
        shown = ["--json"] if (number + (auth == "basic")) % 2 else []
        look("doctor", face, *shown)
        if auth == "basic":
            look("shop", "rotate-key", face, "--key-stdin", *shown, stdin=KEY)
        else:
            look("shop", "test", face, *shown)
        if face not in ("hang", "busy"):
            # A test that passed has found its own way in.
            open_all(program, auth=auth)
            look("feed", "run", face, "import_orders" if number % 2 else "analyse", "--wait", *shown)
    read_everything(look)
    assert look("secrets", "scan") == 0
    clean(program.folder, *look.said)


def read_everything(look: Lookout) -> None:
    """Every command that shows what is stored."""
    for command in (
        ("status",),
        ("shop", "list"),
        ("feed", "runs"),
        ("incident", "list"),
        ("order", "list"),
        ("product", "list"),
        ("change", "list"),
        ("db", "check"),
        ("secrets", "scan"),
    ):
        look.both(*command)
    with look.program.core() as core:
        shops = [shop.code for shop in core.database.read_now(all_shops)]
        runs = core.database.read_now(lambda c: list(c.execute(select(FeedRun.id)).scalars()))
    for code in shops[::4]:
        look.both("shop", "show", code)
        look("shop", "settings", code, "--json")
        look("feed", "list", code, "--json")
        look("listing", "list", code, "--json")
    for run in runs[::4]:
        look("feed", "log", str(run))
    for number in range(1, 12):
        look("incident", "show", str(number), "--json")


@pytest.mark.slow
def test_a_shop_behind_a_host_that_drops_the_header_and_breaks_in_every_way_leaves_no_key(program: Program) -> None:
    look = Lookout(program)
    shop = SimulatedShop.generate(products=8, orders=6, key=KEY, name=f"Wolle {KEY[:8]}")
    shop.faults.set("no-auth-header")
    shop.faults.hang = 1.0
    with SandboxServer(shop) as server:
        look("warehouse", "add", "W1")
        look("shop", "add", "Wolle", "--url", server.url, "--key-stdin", stdin=KEY)
        look("shop", "set", "wolle", "stock.warehouses=W1", "stock.import_to=W1", "email=owner@shop.example")
        look("feed", "run-safe", "wolle")
        look("feed", "run", "wolle", "import_stock", "--wait")
        for fault in ("http500", "php-warning", "html", "truncate", "reset", "timeout-before", "timeout-after", "429"):
            shop.faults.next(fault, 4)
            look("feed", "run", "wolle", "stock_check", "--wait", "--json")
            look("doctor", "wolle")
            shop.faults.clear()
            shop.faults.set("no-auth-header")
        shop.faults.set("redirect", 301)
        look("shop", "test", "wolle", "--json")
        shop.faults.redirect = None
        shop.webservice_enabled = False
        look("feed", "run", "wolle", "import_orders", "--wait")
        shop.webservice_enabled = True
        look("shop", "rotate-key", "wolle", "--key-stdin", "--json", stdin=KEY.lower())
        look("shop", "rotate-key", "wolle", "--key-stdin", stdin=KEY[:-1] + "O")
        assert any(KEY in exchange.query for exchange in shop.journal), "the key never went into an address"
    read_everything(look)
    shutil.copytree(program.folder, program.folder.parent / "copy")
    look("db", "backup", str(program.folder.parent / "copy" / "backup.sqlite3"))
    clean(program.folder.parent)


# -- fields ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_key_pasted_into_any_field_is_refused_and_not_shown_again(program: Program, tmp_path: Path) -> None:
    look = Lookout(program)
    stock = tmp_path / "data" / f"{KEY.lower()[:8]}.csv"
    with SandboxServer(SimulatedShop.generate(products=6, orders=4, key=KEY)) as server:
        look("warehouse", "add", "W1")
        look("shop", "add", "Wolle", "--url", server.url, "--key-stdin", stdin=KEY)
        look("shop", "set", "wolle", "stock.warehouses=W1", "stock.import_to=W1")
        look("feed", "run-safe", "wolle")
        stock.write_text(f"sku,quantity\n{KEY},4\n", encoding="utf-8")
        assert look("stock", "load", str(stock), "--warehouse", "W1") != 0
        stock.unlink()
        url = server.url
        refused: list[tuple[str, ...]] = [
            ("shop", "add", KEY, "--url", f"{url}/a"),
            ("shop", "add", "X", "--url", f"{url}/a", "--email", f"{KEY}@shop.example"),
            ("shop", "add", "X", "--url", f"{url}/a", "--code", KEY),
            ("shop", "add", "X", "--url", f"{url}/{KEY}"),
            ("shop", "add", "X", "--url", f"{url}/{KEY}/api"),
            ("shop", "add", "X", "--url", f"{url}/api/?ws_key={KEY}"),
            ("shop", "add", "X", "--url", f"{url.replace('//', f'//{KEY}@')}/a"),
            ("shop", "add", "X", "--url", f"{url.replace('//', f'//{KEY}:@')}/api"),
            ("shop", "add", "X", "--url", f"http://{KEY}/"),
            ("shop", "add", "X", "--url", f"https://{KEY}.example/"),
            ("shop", "set", "wolle", f"email={KEY}@shop.example"),
            ("shop", "set", "wolle", f"name={KEY}"),
            ("shop", "set", "wolle", f"name=Wolle {KEY}"),
            ("shop", "set", "wolle", f"colour={KEY}"),
            ("shop", "set", "wolle", f"key={KEY}"),
            ("shop", "set", "wolle", f"{KEY}=x"),
            ("shop", "set", "wolle", f"stock.warehouses={KEY}"),
            ("shop", "set", "wolle", f"orders.start={KEY}"),
            ("shop", "set", KEY),
            ("shop", "pause", "wolle", "--reason", f"because of {KEY}"),
            ("shop", "pause", "wolle", "--reason", "x", "--until", KEY),
            ("shop", "mode", "wolle", "rehearsal", "--waive", f"skus={KEY}"),
            ("shop", "mode", "wolle", "rehearsal", "--waive", f"{KEY}=x"),
            ("shop", "mode", "wolle", "frozen", "--reason", KEY),
            ("shop", "mode", "wolle", KEY),
            ("shop", "mode", "wolle", "live", "--confirm", KEY),
            ("shop", "show", KEY),
            ("feed", "run", "wolle", KEY),
            ("feed", "run", "wolle", "import_stock", "--reason", KEY),
            ("feed", "run", "wolle", "import_stock", "--known", KEY),
            ("feed", "schedule", "wolle", "import_orders", KEY),
            ("warehouse", "add", KEY),
            ("warehouse", "add", "W2", "--name", KEY),
            ("stock", "set", KEY, "4", "--warehouse", "W1", "--reason", "x"),
            ("stock", "set", "SKU-0001", "4", "--warehouse", "W1", "--reason", f"x {KEY}"),
            ("stock", "set", "SKU-0001", "4", "--warehouse", KEY, "--reason", "x"),
            ("stock", "set", "SKU-0001", KEY, "--warehouse", "W1", "--reason", "x"),
            ("stock", "load", f"/nowhere/{KEY}.csv", "--warehouse", "W1"),
            ("stock", "show", KEY),
            ("mapping", "set", "wolle", "order-state-in", KEY, "import"),
            ("mapping", "show", "wolle", KEY),
            ("mapping", "export", "wolle", f"/nowhere/{KEY}.csv"),
            ("mapping", "import", "wolle", f"/nowhere/{KEY}.csv"),
            ("changeset", "release", "1", "--confirm", "Wolle", "--reason", KEY),
            ("changeset", "drop", "1", "--reason", KEY),
            ("changeset", "list", "--state", KEY),
            ("changeset", "show", KEY),
            ("incident", "snooze", "1", KEY),
            ("order", "import", "wolle", "--since", KEY),
            ("db", "backup", f"/nowhere/{KEY}/x"),
            ("db", "restore", f"/nowhere/{KEY}/x"),
            (KEY,),
            ("shop", f"--{KEY}"),
        ]
        for command in refused:
            last = ["--key-stdin"] if command[:2] == ("shop", "add") else []
            assert look(*command, *last, stdin=KEY) != 0, command
        assert folder_traces(program.folder) == []
        os.environ["PRESTACONSOLE_ACTOR"] = KEY
        assert look("shop", "pause", "wolle", "--reason", "x") != 0
        os.environ["PRESTACONSOLE_ACTOR"] = "zofia"
    assert look("secrets", "scan") == 0
    clean(program.folder, *look.said)


# -- the daemon ------------------------------------------------------------------------------------------------

_QUICK = (
    "import sys; from prestaconsole.webservice import pacing, transport; from prestaconsole.runner import endings; "
    "transport._FIRST_PAUSE = pacing.Pacer.__init__.__kwdefaults__['cool'] = 0.001; endings.FIRST_WAIT = 0.3; "
    "from prestaconsole.cli.app import run; sys.exit(run(['daemon']))"
)


@pytest.mark.slow
def test_the_log_of_a_daemon_that_meets_every_failure_holds_no_key(
    program: Program, hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Lookout(program)
    for face in FACES:
        look("shop", "add", face, "--code", face, "--url", hostile.url(face), "--key-stdin", stdin=KEY)
    open_all(program, auth="ws_key")
    schedule_all(program)
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    log = program.folder.parent / "daemon.log"
    with log.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-X", "dev", "-c", _QUICK], stdout=stream, stderr=stream)
        try:
            end = time.monotonic() + 20
            while time.monotonic() < end and process.poll() is None and ended_runs(program) < len(FACES) * 2:
                time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            # A run that waits for a busy shop is cut off at the end of the drain, 30 s.
            assert process.wait(45) == 0, log.read_text(encoding="utf-8")[-3000:]
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(5)
    assert ended_runs(program) >= len(FACES)
    assert b"INFO" in log.read_bytes()
    clean(program.folder.parent)
    read_everything(look)


def ended_runs(program: Program) -> int:
    with program.core() as core:
        rows = select(FeedRun.id).where(FeedRun.attempt > 0)
        return len(core.database.read_now(lambda c: c.execute(rows).all()))


# -- the console -----------------------------------------------------------------------------------------------


def screen_text(app: CoreConsole) -> str:
    return "\n".join(strip.text for screen in app.screen_stack for strip in screen._compositor.render_strips())


@pytest.mark.slow
def test_no_screen_of_the_console_shows_the_key(program: Program, hostile: Hostile) -> None:
    look = Lookout(program)
    shown = ("wrong-key", "stripped-good", "data", "redirect-lower", "php-before", "version")
    for face in shown:
        look("shop", "add", face, "--code", face, "--url", hostile.url(face), "--key-stdin", stdin=KEY)
    open_all(program, auth="ws_key")
    for face in shown:
        for feed in ("analyse", "import_products", "import_orders"):
            look("feed", "run", face, feed, "--wait")
    texts = asyncio.run(walk(program, len(shown)))
    assert any("wrong-key" in text for text in texts)
    assert any("analyse" in text for text in texts)
    clean(program.folder, *texts)


async def walk(program: Program, shops: int) -> list[str]:
    """Every pane of every shop, what its explanation says, and a key typed as a reason."""
    texts = []
    with program.core() as core:
        app = CoreConsole(core, host_worker=False)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause(0.2)
            await pilot.press("W")
            for shop in range(1, shops + 1):
                for pane in PANES:
                    await app.go(pane, shop)
                    await pilot.pause(0.05)
                    texts.append(screen_text(app))
                    for key in ("e", "enter"):
                        await pilot.press(key)
                        await pilot.pause(0.05)
                        texts.append(screen_text(app))
                        while not isinstance(app.screen, Pane):
                            await pilot.press("escape")
            for reason in (KEY, f"because {KEY}"):
                try:
                    await app.actions.pause_shop("wrong-key", reason, None)
                except PrestaConsoleError as error:
                    app.answer(str(error))
                    texts.append(str(error))
                await pilot.pause(0.05)
                texts.append(screen_text(app))
    return texts
