"""Drop folders: each delivery is loaded once, whoever looks and whoever is killed; what cannot be is explained."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from prestaconsole.database import Database
from prestaconsole.errors import UsageError
from prestaconsole.model import AuditEvent, Incident, Product, StockLevel, StockLoad, StockMovement
from prestaconsole.services import stock, stock_loads, warehouses
from prestaconsole.services.drop_folders import FolderWatch
from tests.support.runs import START, FakeClock, make_core


class Yard:
    """Warehouse W1 with a drop folder, and ten products; files are taken as soon as two looks saw them the same."""

    def __init__(self, database: Database, folder: Path, rows: int = 10) -> None:
        self.database = database
        self.clock = FakeClock()
        self.core = make_core(database, folder, clock=self.clock)
        self.folder = folder / "drop"
        self.folder.mkdir()
        warehouses.add_warehouse(self.core, "W1", actor="zofia")
        warehouses.set_warehouse(self.core, "W1", {"folder": str(self.folder)}, actor="zofia")
        products = [{"sku": f"A-{n}", "created_at": START} for n in range(1, rows + 1)]
        database.write_now(lambda c: c.execute(insert(Product), products))
        self.watch = self.new_watch()

    def new_watch(self) -> FolderWatch:
        """Another daemon's look."""
        return FolderWatch(self.core, quiet_seconds=10, orphan_seconds=60)

    def drop(self, content: str, name: str = "count.csv") -> Path:
        path = self.folder / name
        path.write_text(content)
        return path

    def count(self, number: int, rows: int = 10, name: str = "count.csv") -> Path:
        return self.drop("sku,quantity\n" + "".join(f"A-{n},{number}\n" for n in range(1, rows + 1)), name)

    def look(self, watch: FolderWatch | None = None, stop: Callable[[], bool] = lambda: False) -> list[str]:
        """Two looks, half a minute apart."""
        watch = watch or self.watch
        watch.look(stop)
        self.clock.forward(30)
        return [taken.state for taken in watch.look(stop)]

    def levels(self) -> list[int]:
        statement = select(StockLevel.physical).order_by(StockLevel.product_id)
        return list(self.database.read_now(lambda c: c.execute(statement).scalars().all()))

    def rows(self, model: Any) -> list[Any]:
        statement = select(*model.__table__.columns).order_by(model.id)
        return list(self.database.read_now(lambda c: c.execute(statement).all()))

    def names(self, place: str) -> list[str]:
        """What lies in a place, without the claim's own prefix."""
        return sorted(path.name.split("-", 2)[-1] for path in (self.folder / place).iterdir())


@pytest.fixture
def yard(sqlite_database: Database, tmp_path: Path) -> Yard:
    return Yard(sqlite_database, tmp_path)


def test_a_dropped_file_is_loaded_once_and_moved_to_done(database: Database, tmp_path: Path) -> None:
    yard = Yard(database, tmp_path)
    yard.count(3)
    assert yard.look() == ["done"]
    assert yard.levels() == [3] * 10
    assert yard.names("done") == ["count.csv"]
    assert yard.look() == []
    (load,) = yard.rows(StockLoad)
    assert (load.state, load.position, load.changed, load.actor) == ("done", 10, 10, "PrestaConsole")
    assert [row.action for row in yard.rows(AuditEvent)][-1] == "stock load"
    assert yard.rows(Incident) == []


def test_a_file_that_still_grows_is_left_alone(yard: Yard) -> None:
    path = yard.count(3, rows=4)
    assert yard.watch.look() == []
    for more in range(5, 8):
        yard.clock.forward(30)
        with path.open("a") as out:
            out.write(f"A-{more},3\n")
        assert yard.watch.look() == [], "it grew since the last look"
    assert yard.levels() == []
    yard.clock.forward(5)
    assert yard.watch.look() == [], "it is not still for long enough"
    yard.clock.forward(5)
    assert [taken.state for taken in yard.watch.look()] == ["done"]
    assert yard.levels() == [3] * 7


def test_only_plain_files_that_may_hold_stock_are_taken(yard: Yard, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("sku,quantity\nA-1,5\n")
    (yard.folder / "link.csv").symlink_to(secret)
    (yard.folder / "folder.csv").mkdir()
    for name in (".hidden.csv", "~$count.xlsx", "count.csv.part", "readme.md"):
        yard.drop("sku,quantity\nA-1,5\n", name)
    assert yard.look() == []
    assert yard.levels() == []


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ("sku,quantity\nA-1,3\nNOPE,4\n", "1 of its 2 rows cannot be loaded", "no product has this SKU"),
        ("price,name\n1,2\n", "no columns sku and quantity", "Its first line reads"),
        ("", "no columns sku and quantity", "Its first line reads"),
        ("sku,quantity\n", "no row below its head", "Load the whole file"),
    ],
)
def test_a_file_that_cannot_be_loaded_goes_to_failed_with_an_error_file_and_an_incident(
    yard: Yard, content: str, words: str, said: str
) -> None:
    yard.drop(content)
    assert yard.look() == ["failed"]
    assert yard.names("failed") == ["count.csv", "count.errors.csv"]
    errors = next(path for path in (yard.folder / "failed").iterdir() if path.name.endswith("errors.csv"))
    assert said in errors.read_text(encoding="utf-8-sig")
    (incident,) = yard.rows(Incident)
    assert words in incident.title and "count.csv for W1" in incident.title
    assert yard.levels() == []
    assert yard.rows(StockLoad)[0].state == "failed"
    assert yard.rows(AuditEvent)[-1].action == "stock load refused"
    yard.count(3)
    yard.look()
    assert yard.rows(Incident)[0].closed_at is not None, "a good file ends it"


def test_a_warehouse_may_ask_for_the_good_rows(yard: Yard) -> None:
    warehouses.set_warehouse(yard.core, "W1", {"good_rows": "yes"}, actor="zofia")
    yard.drop("sku,quantity\nA-1,3\nNOPE,4\nA-2,5\n")
    assert yard.look() == ["done"]
    assert yard.levels() == [3, 5]
    assert yard.names("failed") == ["count.errors.csv"]
    assert "1 of its 3 rows were left out" in yard.rows(Incident)[0].title


def test_a_file_that_empties_the_warehouse_waits_for_a_person(yard: Yard) -> None:
    yard.count(3)
    yard.look()
    yard.count(0, name="broken.csv")
    assert yard.look() == ["failed"]
    assert yard.levels() == [3] * 10
    assert "10 of 10 SKUs in W1 would go to 0" in yard.rows(Incident)[0].title
    assert "--confirm W1" in yard.rows(Incident)[0].remedy


def test_a_file_that_is_not_in_the_folder_again_zeroes_nothing(yard: Yard) -> None:
    yard.count(3)
    yard.look()
    yard.count(4, rows=2)
    yard.look()
    assert yard.levels() == [4, 4, *[3] * 8]


def test_the_same_bytes_again_do_not_undo_what_was_sold_since(yard: Yard) -> None:
    yard.count(3)
    yard.look()
    stock.set_stock(yard.core, "A-1", 2, warehouse="W1", reason="sold", actor="zofia")
    yard.count(3, name="again.csv")
    assert yard.look() == ["done"]
    assert yard.levels()[0] == 2
    assert "the same bytes as load 1" in yard.rows(StockLoad)[-1].error
    yard.count(5)
    yard.look()
    yard.count(3)
    yard.look()
    assert yard.levels() == [3] * 10, "after another file the same is news again"


def test_two_daemons_take_a_file_once(yard: Yard) -> None:
    other = yard.new_watch()
    for number in range(4):
        yard.count(number + 1, name=f"count-{number}.csv")
    other.look()
    yard.watch.look()
    yard.clock.forward(30)
    states = [taken.state for watch in (yard.watch, other) for taken in watch.look()]
    assert states == ["done"] * 4
    assert yard.levels() == [4] * 10
    assert len(yard.rows(StockMovement)) == 40


@pytest.mark.parametrize("looks", [0, 1, 2])
def test_a_load_that_is_cut_off_is_gone_on_with_by_the_next_daemon(
    yard: Yard, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_loads, "_AT_ONCE", 4)
    yard.count(3)
    asked = iter([False] * (looks + 1) + [True] * 9)
    assert yard.look(stop=lambda: next(asked)) == ["kept"]
    assert yard.levels() == [3] * min(looks * 4, 10)
    if looks:
        stock.set_stock(yard.core, "A-1", 2, warehouse="W1", reason="sold meanwhile", actor="zofia")
    other = yard.new_watch()
    assert other.look() == [], "who claimed it may still be at work"
    (claimed,) = (yard.folder / "working").iterdir()
    yard.clock.forward(max(claimed.stat().st_ctime - yard.clock.now().timestamp(), 0) + 120)
    assert [taken.state for taken in FolderWatch(yard.core, orphan_seconds=60).look()] == ["done"]
    assert yard.levels() == [2 if looks else 3, *[3] * 9]
    assert yard.names("done") == ["count.csv"]
    assert len(yard.rows(StockMovement)) == 10 + (1 if looks else 0)


def test_a_claimed_file_that_changed_is_not_gone_on_with(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_loads, "_AT_ONCE", 4)
    yard.count(3)
    asked = iter([False, False, True])
    assert yard.look(stop=lambda: next(asked)) == ["kept"]
    (claimed,) = (yard.folder / "working").iterdir()
    claimed.write_text("sku,quantity\nA-1,9\n")
    yard.clock.forward(120)
    assert [taken.state for taken in yard.new_watch().look()] == ["failed"]
    assert yard.levels() == [3] * 4


def test_a_folder_that_is_gone_is_an_incident_until_it_is_back(yard: Yard) -> None:
    yard.folder.rename(yard.folder.with_name("away"))
    assert yard.look() == []
    (incident,) = yard.rows(Incident)
    assert "drop folder of W1 cannot be used" in incident.title
    yard.folder.with_name("away").rename(yard.folder)
    yard.watch.look()
    assert yard.rows(Incident)[0].closed_at is not None


def test_a_folder_is_one_warehouse_s_and_is_there(yard: Yard, tmp_path: Path) -> None:
    warehouses.add_warehouse(yard.core, "W2", actor="zofia")
    for typed, words in ((str(yard.folder), "folder of W1 already"), ("drop", "whole path"), ("/nowhere", "no folder")):
        with pytest.raises(UsageError, match=words):
            warehouses.set_warehouse(yard.core, "W2", {"folder": typed}, actor="zofia")
    warehouses.set_warehouse(yard.core, "W1", {"folder": ""}, actor="zofia")
    assert warehouses.set_warehouse(yard.core, "W2", {"folder": str(yard.folder)}, actor="zofia").folder


_KILLED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from prestaconsole.database import Database
    from prestaconsole.services import stock_loads
    from prestaconsole.services.drop_folders import FolderWatch
    from tests.support.runs import make_core
    stock_loads._AT_ONCE = 3
    after, database = int(sys.argv[3]), Database(sys.argv[1])
    core = make_core(database, Path(sys.argv[2]))
    commits = 0
    write_now = database.write_now
    def counted(work):
        global commits
        done = write_now(work)
        commits += 1
        if commits == after:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    database.write_now = counted
    rename = Path.rename
    def moved(path, target):
        done = rename(path, target)
        if after == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    Path.rename = moved
    FolderWatch(core, quiet_seconds=0, orphan_seconds=0).look()
    print("ended")
    database.close()
""")


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 3, 5, 6, 7])
def test_a_daemon_killed_after_any_commit_leaves_nothing_undone_or_done_twice(
    database_url: str, tmp_path: Path, open_database: Callable[[str], Database], after: int
) -> None:
    """SIGKILL after the claim (0), the load's row (1), each of its four parts (2–5), its end (6); 7 lives."""
    database = open_database(database_url)
    yard = Yard(database, tmp_path)
    yard.count(3)
    arguments = [sys.executable, "-c", _KILLED, database_url, str(tmp_path), str(after)]
    root = Path(__file__).parents[2]
    ended = subprocess.run(arguments, cwd=root, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == (0 if after == 7 else -9), ended.stderr
    watch = FolderWatch(make_core(database, tmp_path), quiet_seconds=0, orphan_seconds=0)
    watch.look()
    assert yard.levels() == [3] * 10
    assert len(yard.rows(StockMovement)) == 10
    assert yard.names("done") == ["count.csv"]
    assert [row.state for row in yard.rows(StockLoad)] == ["done"]
