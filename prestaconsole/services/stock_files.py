"""Stock files, CSV and XLSX, with the columns sku and quantity: how they are read, and what is wrong with a row.

Knows no database.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from prestaconsole.errors import UsageError
from prestaconsole.redaction import holds_key, redact
from prestaconsole.services.spreadsheets import cells_with_formulas, read_sheet

MOST_BYTES = 64 * 1024 * 1024
MOST_ROWS = 1_000_000
MOST_UNITS = 2_000_000_000
_MOST_DIGITS = 12
_MOST_SKU = 80
_HEADS = {"sku": "sku", "reference": "sku", "quantity": "quantity", "qty": "quantity"}
_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_NOT_TEXT = {chr(sign) for sign in range(32)} - set("\t\n\r\f")
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Table = Iterable[tuple[int, Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class FileRow:
    """One good row; ``line`` counts from 1 with the head."""

    line: int
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One row that cannot be loaded: which cell (``column`` is its head), what it says, why not, what to do."""

    line: int
    sku: str
    text: str
    column: str = "sku"
    value: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class StockFile:
    """A stock file as read; ``digest`` is the SHA-256 of its bytes."""

    name: str
    rows: tuple[FileRow, ...]
    problems: tuple[FileProblem, ...]
    digest: str = ""


def read_stock_file(path: Path) -> StockFile:
    """Read a stock file. Raises ``UsageError`` when it is absent, of another kind, without the columns or a row.

    CSV may be UTF-8, UTF-16 or Windows-1252, with ``,`` ``;`` or tab between the cells; of an XLSX file the first
    sheet counts. Further columns are passed over.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path.name} is larger than 64 MB.", "Split it, or leave out other columns.")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Check its name and rights.") from None
    name = redact(path.name)
    digest = hashlib.sha256(content).hexdigest()
    if content.startswith(b"PK\x03\x04"):
        file = _judge(name, read_sheet(name, content))
        return replace(_name_formulas(file, content), digest=digest)
    return replace(_judge(name, _csv(name, content)), digest=digest)


# -- CSV -------------------------------------------------------------------------------------------------------


def _csv(name: str, content: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    text = _decoded(name, content)
    head = text.lstrip("\r\n").split("\n", 1)[0]
    told = head.strip().lower()
    delimiter = max(",;\t", key=head.count)
    if told.startswith("sep=") and len(told) == 5:
        # Excel's own line: it names the separator and is no row.
        delimiter = told[4]
        text = text.replace(head, "", 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    start = 1
    try:
        for row in reader:
            yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{name}, line {start}: {error}.", "Look at the quotes of that line.") from None


def _decoded(name: str, content: bytes) -> str:
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise UsageError(f"{name} is an old Excel file (XLS).", "Save it as XLSX or as CSV UTF-8.")
    encoding = next((known for mark, known in _ENCODINGS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        # What is not UTF-8 comes from a Windows program; its own signs have five holes only.
        text = content.decode("cp1252", errors="replace") if encoding == "utf-8" else "\x00"
    if not _NOT_TEXT.isdisjoint(text):
        raise UsageError(f"{name} is neither CSV nor XLSX.", "Save it as CSV UTF-8 with the columns sku,quantity.")
    return text


# -- rows ------------------------------------------------------------------------------------------------------


def _judge(name: str, table: Table) -> StockFile:
    lines = ((line, row) for line, row in table if any(str(cell).strip() for cell in row if cell is not None))
    _, head = next(lines, (0, ()))
    sku_at, quantity_at = _columns(name, head)
    rows: list[FileRow] = []
    problems: list[FileProblem] = []
    seen: dict[str, int] = {}
    for line, cells in lines:
        if len(rows) + len(problems) >= MOST_ROWS:
            raise UsageError(f"{name} has more than {MOST_ROWS} rows.", "Split it.")
        sku = _text(cells, sku_at)
        cell = cells[quantity_at] if quantity_at < len(cells) else None
        wrong = _sku_trouble(sku, seen)
        if wrong is not None:
            known = redact(sku)[:200]
            problems.append(FileProblem(line, known[:_MOST_SKU], wrong[0], "sku", known, wrong[1]))
            continue
        units = _units(cell)
        if not isinstance(units, int):
            problems.append(FileProblem(line, sku, units[0], "quantity", redact(_shown(cell))[:200], units[1]))
            continue
        seen[sku] = line
        rows.append(FileRow(line, sku, units))
    if not rows and not problems:
        raise UsageError(f"{name} has no row below its head.", "An empty file changes nothing. Load the whole file.")
    return StockFile(name, tuple(rows), tuple(problems))


def _columns(name: str, head: Sequence[Any]) -> tuple[int, int]:
    places: dict[str, int] = {}
    for place, cell in enumerate(head):
        known = _HEADS.get(str(cell).strip().lower(), "")
        if known in places:
            raise UsageError(f"{name} has two columns for {known}.", f"Leave one column {known} in it.")
        if known:
            places[known] = place
    if len(places) < 2:
        raise UsageError(f"{name} has no columns sku and quantity.", "Its first line reads: sku,quantity.")
    return places["sku"], places["quantity"]


def _text(cells: Sequence[Any], place: int) -> str:
    found = cells[place] if place < len(cells) else None
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return "" if found is None else str(found).replace("\u00a0", " ").strip()


def _shown(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _sku_trouble(sku: str, seen: dict[str, int]) -> tuple[str, str] | None:
    if not sku:
        return "the SKU is empty", "Fill it in; of merged cells only the first row holds the text."
    if holds_key(sku):
        return "this looks like a webservice key; keys belong in the vault alone", "Take it out of the file."
    if len(sku) > _MOST_SKU:
        return f"the SKU is longer than {_MOST_SKU} characters", "Look whether the columns are in their places."
    if sku in seen:
        return f"the SKU stands in line {seen[sku]} already", "Leave one row of it, with the whole quantity."
    return None


def _units(cell: Any) -> int | tuple[str, str]:
    """The units of a quantity cell, or what is wrong with it and what to do."""
    if isinstance(cell, bool):
        return "the quantity is yes or no, not a number", "Write the units as a number."
    if isinstance(cell, datetime | date | time | timedelta):
        return "the quantity is a date", "Set the cell's format to number and write the units again."
    if isinstance(cell, float):
        cell = int(cell) if cell.is_integer() else repr(cell)
    text = str("" if cell is None else cell).strip()
    for blank in ("\u00a0", "\u202f", " ", "'"):
        text = text.replace(blank, "")
    if not text:
        return "the quantity is empty", "Write 0 where none is there, or leave the row out."
    digits = text[1:] if text[0] in "+-" else text
    if not (digits.isascii() and digits.isdigit()):
        return _no_number(digits)
    if text.startswith("-") and digits.strip("0"):
        return "the quantity is below zero", "A count is 0 or more; orders are taken off by themselves."
    if len(digits.lstrip("0")) > _MOST_DIGITS or int(digits) > MOST_UNITS:
        return f"the quantity is no number from 0 to {MOST_UNITS}", "Look whether the columns are in their places."
    return int(digits)


def _no_number(text: str) -> tuple[str, str]:
    if text.startswith("#"):
        return "the cell holds a spreadsheet's error", "Mend its formula, or write the units as a number."
    plain = text.replace(",", "").replace(".", "")
    if plain.isascii() and plain.isdigit():
        words = "the quantity has a decimal part, or a mark between thousands"
        return words, "Units are whole: write digits only, such as 12 or 12000."
    return f"the quantity is no whole number from 0 to {MOST_UNITS}", "Write digits only."


def _name_formulas(file: StockFile, content: bytes) -> StockFile:
    """An empty cell of a spreadsheet may be a formula that was never worked out: then say so."""
    empty = {problem.line for problem in file.problems if not problem.value}
    formulas = cells_with_formulas(content, empty) if empty else set()
    if not formulas:
        return file
    remedy = "Open and save the file in a spreadsheet program, or put the values in place of the formulas."
    problems = tuple(
        replace(problem, text="the cell holds a formula without its result", remedy=remedy)
        if problem.line in formulas and not problem.value
        else problem
        for problem in file.problems
    )
    return replace(file, problems=problems)


# -- the error file --------------------------------------------------------------------------------------------


def error_file_beside(path: Path) -> Path:
    """Where the problems of a file are written: ``count.csv`` → ``count.errors.csv``."""
    return path.with_name(f"{path.stem}.errors.csv")


def write_error_file(path: Path, problems: Sequence[FileProblem]) -> None:
    """Write what is wrong, a row each: line, column, sku, value, problem, what to do. Raises ``UsageError``.

    UTF-8 with a mark so that Excel reads it; no cell begins like a formula.
    """
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("line", "column", "sku", "value", "problem", "what to do"))
            for one in problems:
                cells = (one.column, one.sku, one.value, f"{one.text}.", one.remedy)
                writer.writerow((one.line, *map(_harmless, cells)))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", "Name another file.") from None


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text
