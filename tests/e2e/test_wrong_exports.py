"""Nightmare N1 on 5,000 SKUs: stock that is wrong for the whole shop, by five roads, and the way back.

On each road every door that sends is knocked on: not one of them writes more than a canary. What a person then lets
go all the same, by typing the shop's name and a reason, is taken back by undo value for value.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from prestaconsole.model import Product, ShopMode, StockLevel, Warehouse
from prestaconsole.redaction import Secret
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from prestaconsole.services import connections, feeds, modes, shops
from tests.changes.live import _quantities
from tests.cli.conftest import Program, no_log_left_open, quick_environment
from tests.e2e.standing import ACTOR, CODE, KEY, NAME, VAULT_KEY, Standing, connect, feeds_run, opened, quantities_of
from tests.e2e.test_no_writes import work_until_idle

__all__ = ["no_log_left_open"]

pytestmark = pytest.mark.slow

PRODUCTS = 3_600
SKUS = 5_000
CANARY = 10
PATIENCE = 60.0
OTHER = "Garn"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """A live shop of 5,000 SKUs that was read in once; nothing was ever sent to it."""
    shop = SimulatedShop.generate(products=PRODUCTS, orders=20, key=KEY, name=NAME)
    with SandboxServer(shop) as server:
        world = Standing(tmp_path_factory.mktemp("large") / "data", server)
        with opened(world.folder) as core:
            asyncio.run(connect(core, server))
            modes.change_mode(core, CODE, "rehearsal", actor=ACTOR, waive={"skus": "test"})
            assert feeds_run(core, "export_stock").state == "done"
            waive = {"foreign-writes": "test"}
            modes.change_mode(core, CODE, "live", confirm=NAME, actor=ACTOR, waive=waive)
        world.quantities = quantities_of(shop)
        assert world.writes() == []
        yield world


@pytest.fixture
def world(large: Standing, tmp_path: Path) -> Iterator[Standing]:
    """The shop with a data folder of this test's own; its stock is put back afterwards, whatever came."""
    large.copy(tmp_path / "data", ShopMode.LIVE)
    yield large
    for pair in large.differing():
        large.shop.set_quantity(*pair, large.quantities[pair])


@pytest.fixture
def program(
    world: Standing, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Program:
    """The command line over the test's folder."""
    quick_environment(monkeypatch, tmp_path / "data")
    monkeypatch.setenv("PRESTACONSOLE_VAULT_KEY", VAULT_KEY)
    monkeypatch.setenv("PRESTACONSOLE_DAEMON_PORT", "0")
    return Program(tmp_path / "data", capsys, monkeypatch)


def stocked(program: Program) -> dict[str, int]:
    """What lies in W1, by SKU."""
    statement = (
        select(Product.sku, StockLevel.physical)
        .join(StockLevel, StockLevel.product_id == Product.id)
        .join(Warehouse, Warehouse.id == StockLevel.warehouse_id)
        .where(Warehouse.code == "W1", StockLevel.physical > 0, Product.sku.is_not(None))
    )
    with program.core() as core:
        return {row.sku: row.physical for row in core.database.read_now(lambda c: c.execute(statement).all())}


def write_file(path: Path, rows: Sequence[tuple[str, int]]) -> Path:
    """A stock file."""
    path.write_text("sku,quantity\n" + "".join(f"{sku},{units}\n" for sku, units in rows), encoding="utf-8")
    return path


# -- five roads on which our stock becomes wrong -----------------------------------------------------------------


def truncated_file(program: Program) -> None:
    """A whole count of which only the first part arrived."""
    rows = sorted(stocked(program).items())
    file = write_file(program.folder.parent / "count.csv", rows[: len(rows) // 10])
    whole = file.read_text(encoding="utf-8")
    load = ("stock", "load", file, "--warehouse", "W1", "--complete")
    file.write_text(whole[: whole.rindex(",") + 1], encoding="utf-8")
    program(*load, code=1)  # cut within a row
    file.write_text(whole, encoding="utf-8")
    assert "Nothing was stored" in program(*load, code=4).err
    assert stocked(program) == dict(rows)
    program(*load, "--confirm", "W1", "--reason", "the file came by night")


def unset_warehouse(program: Program) -> None:
    """No warehouse at all is refused; then one that nobody has put anything into, counted as empty."""
    skus = sorted(stocked(program))
    program("shop", "set", CODE, "stock.warehouses=")
    for how in ([], ["--plan"], ["--reason", "now"]):
        assert "No warehouse is chosen" in program("feed", "run", CODE, "export_stock", "--wait", *how, code=3).err
    program("warehouse", "add", "W2")
    program("shop", "set", CODE, "stock.warehouses=W2")
    held = program("feed", "run", CODE, "export_stock", "--wait", code=4)
    assert "source rows: 0" in held.text
    file = write_file(program.folder.parent / "empty.csv", [(sku, 0) for sku in skus])
    program("stock", "load", file, "--warehouse", "W2")


def everything_reserved(program: Program) -> None:
    """Another shop that sells from the same warehouse sold every unit of it."""
    shop = SimulatedShop.generate(products=PRODUCTS, orders=2, key=KEY, name=OTHER)
    with SandboxServer(shop) as server, program.core() as core:
        added = asyncio.run(
            connections.add_shop(core, name=OTHER, url=server.url, key=Secret(KEY), email="a@b.example", actor=ACTOR)
        )
        assert added.test.ok, added.test
        shops.set_values(core, "garn", {"stock.warehouses": "W1", "orders.start": "id:1"}, actor=ACTOR)
        feeds_of = ("analyse", "import_products", "import_orders")
        lines = [(*pair, 1_000) for pair in quantities_of(shop) if _sells(shop, pair)]
        for start in range(0, len(lines), 200):
            shop.place_order(lines[start : start + 200])
        for feed in feeds_of:
            ended = asyncio.run(feeds.run_feed(core, "garn", feed, actor=ACTOR))
            assert ended.state == "done", ended


def _sells(shop: SimulatedShop, pair: tuple[int, int]) -> bool:
    table = shop.table("stock_availables")
    return bool(pair[1]) or len(table.find("id_product", str(pair[0]))) == 1


def stock_check_repair(program: Program) -> None:
    """A rule that keeps everything back, and a check that is told to repair what differs from it."""
    program("shop", "set", CODE, "stock.buffer=100000")
    program("feed", "run", CODE, "stock_check", "--repair", "--wait", code=4)


def command_line(program: Program) -> None:
    """A file of noughts, confirmed and sent by hand."""
    rows = [(sku, 0) for sku in sorted(stocked(program))]
    load = ("stock", "load", write_file(program.folder.parent / "noughts.csv", rows), "--warehouse", "W1")
    program(*load, code=4)
    program(*load, "--confirm", "W1", "--reason", "sure")
    for how in ([], ["--reason", "now"]):
        program("feed", "run", CODE, "export_stock", "--wait", *how, code=4)


ROADS: list[Callable[[Program], None]] = [
    truncated_file,
    unset_warehouse,
    everything_reserved,
    stock_check_repair,
    command_line,
]


# -- what must hold on each ---------------------------------------------------------------------------------------


def knock(program: Program, world: Standing) -> int:
    """Every door that sends, tried while the brake holds; gives the plan of the whole shop that waits for a person."""
    asyncio.run(work_until_idle(program.folder, seconds=PATIENCE))
    with program.core() as core:
        for trigger, params in (("event", {"marked": True}), ("schedule", {}), ("person", {"all": True})):
            feeds.request_feed(core, CODE, "export_stock", actor=ACTOR, params=params, trigger=trigger)
            asyncio.run(work_until_idle(program.folder, seconds=PATIENCE))
    program("feed", "run", CODE, "stock_check", "--repair", "--wait", code=None)
    held = program.json("feed", "run", CODE, "export_stock", "--wait", code=4)
    plan = held["changeset"]
    program("changeset", "approve", plan, code=3)
    program("changeset", "apply", plan, code=4)
    program("changeset", "undo", plan, code=2)
    program("changeset", "release", plan, "--confirm", OTHER, "--reason", "now", code=2)
    program("changeset", "release", plan, "--confirm", NAME, "--reason", " ", code=2)
    dry = program.json("feed", "run", CODE, "export_stock", "--plan", "--wait", code=None)["changeset"]
    program("changeset", "apply", dry, code=4)
    return dry


def put_rows(world: Standing) -> list[int]:
    """How many rows each request wrote."""
    return [len(_quantities(one.body)) for one in world.writes()]


def let_go(program: Program, plan: int) -> None:
    """The typed release, and the sending."""
    program("changeset", "release", plan, "--confirm", NAME, "--reason", "I know what I do")
    program("changeset", "apply", plan)


@pytest.mark.parametrize("road", ROADS, ids=lambda road: str(road.__name__))
def test_a_wrong_export_of_the_whole_shop_stops_at_the_brake_and_is_undone_exactly(
    road: Callable[[Program], None], world: Standing, program: Program
) -> None:
    road(program)
    plan = knock(program, world)
    assert sum(put_rows(world)) <= CANARY
    assert len(world.differing()) <= CANARY

    shown = program.json("changeset", "show", plan)
    assert shown["state"] == "held"
    assert shown["rows"] > SKUS / 2
    assert {rule["rule"] for rule in shown["brake"]["rules"] if rule["tripped"]} >= {"going to zero"}
    stops = [one for one in program.json("incident", "list") if one["severity"] == "STOP"]
    assert any(f"Plan {plan} for {NAME} is held" in one["title"] for one in stops), stops

    world.shop.journal.clear()
    let_go(program, plan)
    sent = put_rows(world)
    assert sent[0] <= CANARY < sent[1], "a canary goes first"
    wrong = world.differing()
    assert len(wrong) > SKUS / 2, "without the brake this is what the shop would show"
    assert not any("held" in one["title"] for one in program.json("incident", "list") if one["severity"] == "STOP")

    undo = program.json("changeset", "undo", plan, code=None)
    if undo["state"] == "held":
        let_go(program, undo["id"])
    assert world.differing() == []
    assert program.json("changeset", "show", plan)["state"] == "undone"
    print(f"{road.__name__}: {shown['rows']} rows held, {len(wrong)} wrong after the release, {len(sent)} requests")


def test_the_shop_has_five_thousand_skus(large: Standing, program: Program) -> None:
    assert len({row["sku"] for row in program.json("listing", "list")}) >= SKUS
