"""Stock files as people save them: encodings, separators, spreadsheets, and what is said of each bad cell."""

import csv
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.styles import Font

from prestaconsole.errors import UsageError
from prestaconsole.services.stock_files import FileProblem, read_stock_file, write_error_file

KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _file(folder: Path, content: bytes | str, name: str = "count.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _sheet(folder: Path, *rows: tuple[Any, ...], name: str = "count.xlsx") -> Path:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    path = folder / name
    book.save(path)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "sku,quantity\nKöln-1,5\n".encode(),
        "sku,quantity\nKöln-1,5\n".encode("utf-8-sig"),
        "sku;quantity\r\nKöln-1;5\r\n".encode("cp1252"),
        "sku\tquantity\nKöln-1\t5\n".encode("utf-16"),
        'quantity;note;"SKU"\n5;"two\nlines; one cell";"Köln-1"\n'.encode(),
        "\n\nReference,Qty\n,\nKöln-1, 5 \n\n".encode(),
        "sep=;\nsku;quantity\nKöln-1;5\n".encode(),
        "sku,quantity\nKöln-1,+5".encode(),
        "sku,quantity\nKöln-1,005\n".encode(),
    ],
)
def test_a_file_is_read_as_spreadsheets_and_suppliers_write_it(tmp_path: Path, content: bytes) -> None:
    file = read_stock_file(_file(tmp_path, content))
    assert [(row.sku, row.quantity) for row in file.rows] == [("Köln-1", 5)]
    assert not file.problems
    assert len(file.digest) == 64


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("12,5", "decimal part"),
        ("1.000", "mark between thousands"),
        ("12.0", "decimal part"),
        ("-3", "below zero"),
        ("2000000001", "from 0 to"),
        pytest.param("9" * 5000, "from 0 to", id="huge"),
        ("", "is empty"),
        ("many", "no whole number"),
        ("1e3", "no whole number"),
        ("٣", "no whole number"),
        ("#N/A", "spreadsheet's error"),
        ("--5", "no whole number"),
    ],
)
def test_a_quantity_that_is_no_count_is_refused_with_words(tmp_path: Path, cell: str, words: str) -> None:
    (problem,) = read_stock_file(_file(tmp_path, f"sku;quantity\nA-1;{cell}\n")).problems
    assert words in problem.text
    assert (problem.line, problem.column, problem.sku, problem.value) == (2, "quantity", "A-1", cell[:200])
    assert problem.remedy


@pytest.mark.parametrize(
    ("sku", "words"),
    [("", "SKU is empty"), (KEY, "webservice key"), ("x" * 81, "longer than 80"), ("A-0", "stands in line 2")],
)
def test_a_sku_that_cannot_be_one_is_refused_and_a_key_is_not_shown(tmp_path: Path, sku: str, words: str) -> None:
    (problem,) = read_stock_file(_file(tmp_path, f"sku,quantity\nA-0,1\n{sku},4\n")).problems
    assert words in problem.text
    assert KEY not in repr(problem)
    assert (problem.line, problem.column) == (3, "sku")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no columns sku and quantity"),
        (b"name,price\na,1\n", "no columns sku and quantity"),
        (b"sku,quantity\n", "no row below its head"),
        (b"sku,quantity,qty\na,1,2\n", "two columns for quantity"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel file"),
        (b"sku,quantity\n\x00\x01", "neither CSV nor XLSX"),
        (b"\xff\xfe\x00", "neither CSV nor XLSX"),
        (b"PK\x03\x04 but no workbook", "no XLSX file"),
        (b'sku,quantity\n"' + b"x" * 200_000, "Look at the quotes"),
    ],
)
def test_a_file_that_says_nothing_is_refused_whole(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_stock_file(_file(tmp_path, content))
    assert words in str(caught.value)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from([b"", b"sku,quantity\n", b"PK\x03\x04", b"sku;qty\nA;"]))
def test_no_bytes_break_the_reader(tmp_path: Path, tail: bytes, head: bytes) -> None:
    try:
        file = read_stock_file(_file(tmp_path, head + tail))
    except UsageError:
        return
    assert all(0 <= row.quantity <= 2_000_000_000 and row.sku for row in file.rows)


def test_spreadsheet_cells_are_what_they_show(tmp_path: Path) -> None:
    path = _sheet(
        tmp_path,
        ("SKU", "Shelf", "Quantity"),
        ("A-1", "3", 12),
        (1002, None, 13.0),
        (None, None, None),
        ("A-3", None, 12.5),
        ("A-4", None, date(2026, 3, 2)),
        ("A-5", None, datetime(2026, 3, 2, 4)),  # noqa: DTZ001 - a sheet knows no zone
        ("A-6", None, "=1+1"),
        ("A-7", None, True),
        ("A-8", None, None),
        ("A-9", None, "7"),
        ("A-10", None, -2),
    )
    file = read_stock_file(path)
    assert [(row.line, row.sku, row.quantity) for row in file.rows] == [(2, "A-1", 12), (3, "1002", 13), (11, "A-9", 7)]
    said = {problem.sku: problem.text for problem in file.problems}
    assert said == {
        "A-3": "the quantity has a decimal part, or a mark between thousands",
        "A-4": "the quantity is a date",
        "A-5": "the quantity is a date",
        "A-6": "the cell holds a formula without its result",
        "A-7": "the quantity is yes or no, not a number",
        "A-8": "the quantity is empty",
        "A-10": "the quantity is below zero",
    }


def test_merged_and_formatted_cells_hide_no_row(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (("sku", "quantity"), ("A-1", 3), (None, 4), ("A-3", 5)):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    sheet["A900"].font = Font(bold=True)
    book.save(tmp_path / "count.xlsx")
    file = read_stock_file(tmp_path / "count.xlsx")
    assert [(row.sku, row.quantity) for row in file.rows] == [("A-1", 3), ("A-3", 5)]
    assert "merged" in file.problems[0].remedy


def test_the_error_file_names_line_column_and_remedy_and_is_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "count.errors.csv"
    problems = [FileProblem(3, "=cmd()", "no product has this SKU", "sku", "=cmd()", "Take it out.")]
    write_error_file(path, problems)
    head, row = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
    assert head == ["line", "column", "sku", "value", "problem", "what to do"]
    assert row == ["3", "sku", "'=cmd()", "'=cmd()", "no product has this SKU.", "Take it out."]


@pytest.mark.slow
def test_a_hundred_thousand_rows_stay_in_memory_bounds(tmp_path: Path) -> None:
    import tracemalloc

    path = _file(tmp_path, "sku,quantity\n" + "".join(f"SKU-{n:06d},{n}\n" for n in range(100_000)))
    tracemalloc.start()
    file = read_stock_file(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(file.rows) == 100_000
    assert peak < 80 * 1024 * 1024
