"""`prestaconsole warehouse` and `stock`: levels, files, explanations."""

from pathlib import Path

import pytest
from openpyxl import Workbook

from prestaconsole.sandbox import SimulatedShop
from tests.cli.conftest import Program


def test_warehouses_are_made_and_listed(cli: Program) -> None:
    cli("warehouse", "add", "W1", "--name", "Hauptlager Köln")
    (row,) = cli.json("warehouse", "list")
    assert (row["code"], row["name"], row["units"], row["shops"]) == ("W1", "Hauptlager Köln", 0, [])
    assert "already here" in cli("warehouse", "add", "w1", code=2).err
    assert "cannot be a code" in cli("warehouse", "add", "two words", code=2).err


def test_stock_is_shown_with_what_orders_hold(stocked: Program, simulated: SimulatedShop) -> None:
    number = simulated.place_order([(1, 0, 2)], state=2)
    stocked("feed", "run", "wolle", "import_orders", "--wait")
    (row,) = stocked.json("stock", "show", "SKU-0001")
    assert set(row) == {"sku", "warehouse", "physical", "held", "available"}
    assert row["available"] == row["physical"] - row["held"] == simulated.quantity(1)
    assert row["held"] >= 2
    shown = stocked.json("stock", "explain", "SKU-0001", "--shop", "wolle")
    assert shown["should_show"] == sum(part["units"] for part in shown["parts"]) == simulated.quantity(1)
    assert number in {part["id_order"] for part in shown["parts"]}


def test_stock_is_set_with_a_reason_and_explained(stocked: Program) -> None:
    done = stocked.json("stock", "set", "sku-0001", 77, "--warehouse", "w1", "--reason", "counted")
    assert (done["sku"], done["warehouse"], done["physical"]) == ("SKU-0001", "W1", 77)
    explained = stocked.json("stock", "explain", "SKU-0001", "--shop", "wolle")
    assert explained["should_show"] == done["available"]
    assert explained["agrees"] is False
    text = stocked("stock", "explain", "SKU-0001", "--shop", "wolle").out
    assert "they differ" in text
    assert "+77" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("NOPE", 3, "--warehouse", "W1", "--reason", "x"), "No product has the SKU"),
        (("SKU-0001", 3, "--warehouse", "W9", "--reason", "x"), "No warehouse is called"),
        (("SKU-0001", 3, "--warehouse", "W1", "--reason", ""), "reason is empty"),
        (("SKU-0001", 3_000_000_000, "--warehouse", "W1", "--reason", "x"), "cannot lie in a warehouse"),
    ],
)
def test_stock_that_cannot_be_set_says_why(read: Program, arguments: tuple[object, ...], words: str) -> None:
    assert words in read("stock", "set", *arguments, code=2).err


def test_a_file_is_planned_then_loaded(stocked: Program, tmp_path: Path) -> None:
    before = stocked.json("stock", "show", "SKU-0002")[0]["physical"]
    file = tmp_path / "count.csv"
    file.write_text(f"\ufeffSKU;Quantity\nSKU-0001;500\nSKU-0002;{before}\n\n", encoding="utf-8")
    plan = stocked.json("stock", "load", file, "--warehouse", "W1", "--plan")
    assert (plan["rows"], plan["unchanged"], plan["stored"]) == (2, 1, False)
    assert [change["after"] for change in plan["changes"]] == [500]
    assert stocked.json("stock", "show", "SKU-0001")[0]["physical"] != 500
    done = stocked.json("stock", "load", file, "--warehouse", "W1")
    assert done["stored"] is True
    assert stocked.json("stock", "show", "SKU-0001")[0]["physical"] == 500
    again = stocked("stock", "load", file, "--warehouse", "W1")
    assert "0 of 2 rows" in again.out


def test_an_xlsx_file_is_loaded(stocked: Program, tmp_path: Path) -> None:
    book = Workbook()
    assert book.active is not None
    for line in (("sku", "note", "quantity"), ("SKU-0001", "shelf 3", 12), ("SKU-0002", None, 13.0)):
        book.active.append(line)
    file = tmp_path / "count.xlsx"
    book.save(file)
    assert stocked.json("stock", "load", file, "--warehouse", "W1")["stored"] is True
    assert stocked.json("stock", "show", "SKU-0002")[0]["physical"] == 13


def test_a_file_with_one_bad_row_stores_nothing_and_names_each(stocked: Program, tmp_path: Path) -> None:
    file = tmp_path / "count.csv"
    file.write_text("sku,quantity\nSKU-0001,9\nNOPE,1\nSKU-0002,minus\n,4\nSKU-0001,3\n", encoding="utf-8")
    before = stocked.json("stock", "show", "SKU-0001")
    ended = stocked("stock", "load", file, "--warehouse", "W1", code=1)
    for words in ("line 3: NOPE", "line 4: SKU-0002", "line 5: (empty)", "line 6: SKU-0001: the SKU stands in line 2"):
        assert words in ended.err
    assert "nothing was stored" in ended.err
    errors = (tmp_path / "count.errors.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(errors) == 5 and errors[1].startswith("3,sku,NOPE,NOPE,no product has this SKU.,")
    assert stocked.json("stock", "show", "SKU-0001") == before
    stocked("stock", "load", file, "--warehouse", "W1", "--plan", code=1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name,price\na,1\n", "no columns sku and quantity"),
        (b"", "no columns sku and quantity"),
        (b"sku,quantity\n", "no row below its head"),
        (b"PK\x03\x04 but no workbook", "no XLSX file"),
        (b"sku,quantity\n\x00\x01", "neither CSV nor XLSX"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(read: Program, tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "count.csv"
    file.write_bytes(content)
    assert words in read("stock", "load", file, "--warehouse", "W1", code=2).err
    assert "cannot be read" in read("stock", "load", tmp_path / "none.csv", "--warehouse", "W1", code=2).err


def test_the_good_rows_are_loaded_when_asked_and_the_bad_ones_written_where_told(
    stocked: Program, tmp_path: Path
) -> None:
    file, errors = tmp_path / "count.csv", tmp_path / "bad.csv"
    file.write_bytes("sku;quantity\nSKU-0001;9\nKöln;1\n".encode("cp1252"))
    ended = stocked("stock", "load", file, "--warehouse", "W1", "--good-rows", "--errors", errors)
    assert "1 rows were left out" in ended.err and str(errors) in ended.err
    assert "Köln" in errors.read_text(encoding="utf-8-sig")
    assert stocked.json("stock", "show", "SKU-0001")[0]["physical"] == 9
    (load, *_) = stocked.json("stock", "loads")
    assert (load["file"], load["state"], load["refused"], load["actor"]) == ("count.csv", "done", 1, "zofia")


def test_a_complete_count_that_empties_the_warehouse_waits_for_a_word(stocked: Program, tmp_path: Path) -> None:
    file = tmp_path / "count.csv"
    file.write_text("sku,quantity\nSKU-0001,9\n", encoding="utf-8")
    arguments = ("stock", "load", file, "--warehouse", "W1", "--complete")
    plan = stocked(*arguments, "--plan")
    assert "not in the file" in plan.out and "--confirm W1" in plan.err
    assert "would go to 0" in stocked(*arguments, code=4).err
    stocked(*arguments, "--confirm", "W1", "--reason", "moved out")
    assert stocked.json("warehouse", "list")[0]["units"] == 9


def test_goods_move_by_command_and_stand_in_the_ledger(stocked: Program) -> None:
    stocked("warehouse", "add", "W2")
    before = stocked.json("stock", "show", "SKU-0001")[0]["physical"]
    stocked("stock", "receive", "SKU-0001", 5, "--warehouse", "W1", "--reason", "WE-2291")
    stocked("stock", "return", "SKU-0001", 1, "--warehouse", "W1", "--reason", "unopened")
    moved = stocked("stock", "transfer", "SKU-0001", 4, "--from", "W1", "--to", "W2")
    assert f"{before + 6} there in 2 warehouses" in moved.out
    rows = stocked.json("stock", "ledger", "SKU-0001", "--limit", 4)
    assert [row["kind"] for row in rows] == ["transfer", "transfer", "return", "receipt"]
    assert "WE-2291" in stocked("stock", "ledger", "SKU-0001").out
    assert (
        "so 9999 cannot leave it"
        in stocked("stock", "transfer", "SKU-0001", 9999, "--from", "W1", "--to", "W2", code=2).err
    )


def test_rules_exceptions_and_stops_are_set_and_explained(stocked: Program) -> None:
    stocked("stock", "set", "SKU-0001", 90, "--warehouse", "W1", "--reason", "count")
    stocked("shop", "set", "wolle", "stock.mode=share", "stock.share.W1=50", "stock.buffer=2", "stock.cap=30")
    shown = stocked.json("stock", "explain", "SKU-0001", "--shop", "wolle")
    assert shown["should_show"] == 30 == sum(part["units"] for part in shown["parts"])
    assert "50 %" in stocked("stock", "explain", "SKU-0001", "--shop", "wolle").out
    row = stocked.json("stock", "formula", "SKU-0001", "--shop", "wolle", "cap=10", "buffer=0")
    assert (row["cap"], row["buffer"], row["threshold"], row["own"]) == (10, 0, 0, ["buffer", "cap"])
    assert stocked.json("stock", "exceptions")[0]["sku"] == "SKU-0001"
    assert stocked.json("stock", "explain", "SKU-0001", "--shop", "wolle")["should_show"] == 10
    assert "listings in 1 shops show 0" in stocked("stock", "stop", "SKU-0001", "--reason", "recall").out
    assert stocked.json("stock", "stop") == ["SKU-0001"]
    assert stocked.json("stock", "explain", "SKU-0001", "--shop", "wolle")["should_show"] == 0
    stocked("stock", "resume", "SKU-0001", "--reason", "checked")
    stocked("stock", "formula", "SKU-0001", "--shop", "wolle", "cap=", "buffer=")
    assert stocked.json("stock", "exceptions") == []
    assert "no step" in stocked("stock", "formula", "SKU-0001", "--shop", "wolle", "mode=rank", code=2).err
    assert "shop is missing" in stocked("stock", "formula", "SKU-0001", code=2).err
    assert "reason is empty" in stocked("stock", "stop", "SKU-0001", code=2).err


def test_a_kit_is_typed_shown_and_explained(stocked: Program) -> None:
    for sku, units in (("SKU-0001", 40), ("SKU-0002", 90)):
        stocked("stock", "set", sku, units, "--warehouse", "W1", "--reason", "count")
    free = {sku: stocked.json("stock", "show", sku)[0]["available"] for sku in ("SKU-0001", "SKU-0002")}
    rows = stocked.json("stock", "kit", "SKU-0003", "SKU-0001=3", "SKU-0002")
    assert [(row["part"], row["units"]) for row in rows] == [("SKU-0001", 3), ("SKU-0002", 1)]
    shown = stocked.json("stock", "explain", "SKU-0003", "--shop", "wolle")
    held = stocked.json("stock", "show", "SKU-0001")[0]["held"] - (40 - free["SKU-0001"])
    assert shown["should_show"] == min((free["SKU-0001"] - held) // 3, free["SKU-0002"] - held // 3)
    assert sum(part["units"] for part in shown["parts"]) == shown["should_show"]
    assert "It is a kit of 3 of SKU-0001" in stocked("stock", "show", "SKU-0003").err
    assert "cannot be a part of it" in stocked("stock", "kit", "SKU-0001", "SKU-0003=1", code=2).err
    assert len(stocked.json("stock", "kits")) == 2
    stocked("stock", "kit", "SKU-0003", "--none")
    assert stocked.json("stock", "kits") == []


def test_a_warehouse_gets_a_drop_folder_and_is_switched_off(stocked: Program, tmp_path: Path) -> None:
    row = stocked.json("warehouse", "set", "W1", f"folder={tmp_path}", "name=Main")
    assert (row["folder"], row["name"]) == (str(tmp_path.resolve()), "Main")
    assert "switched off" in stocked("warehouse", "set", "w1", "active=no").out
    assert "switched off" in stocked("stock", "explain", "SKU-0001", "--shop", "wolle").out
    assert "no field" in stocked("warehouse", "set", "W1", "colour=red", code=2).err


def test_an_import_is_shown_before_it_is_done_and_taken_back(stocked: Program) -> None:
    (done,) = stocked.json("stock", "imports")
    assert (done["shop"], done["warehouse"], done["units_before"], done["taken_back"]) == ("wolle", "W1", 0, 0)
    stocked("stock", "set", "SKU-0001", 3, "--warehouse", "W1", "--reason", "counted")
    again = stocked("feed", "run", "wolle", "import_stock", "--plan", "--wait").out
    assert "SKU-0001" in again
    assert "0 new, 1 raised, 0 lowered" in again
    plan = stocked("stock", "import-undo", done["run"], "--plan").out
    assert "moved since: correction" in plan
    assert "not counted" in plan
    assert "reason" in stocked("stock", "import-undo", done["run"], code=2).err
    back = stocked.json("stock", "import-undo", done["run"], "--reason", "wrong warehouse")
    assert (back["stored"], back["stay"], back["units_after"]) == (True, 1, 0)
    assert stocked.json("stock", "show", "SKU-0002") == []
    assert "stay as they are" in stocked("stock", "import-undo", done["run"], "--reason", "again", code=3).err
