"""The first sheet of an XLSX file, row by row and within bounds. Imports openpyxl when it is needed."""

import io
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prestaconsole.errors import PrestaConsoleError, UsageError

if TYPE_CHECKING:
    from openpyxl import Workbook

_MOST_UNPACKED = 1024 * 1024 * 1024
_MOST_CELLS = 200
"""Columns that are looked at; what is further to the right is passed over."""


def read_sheet(name: str, content: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    """Line and cells of each row, formulas as the results that were saved with them. Raises ``UsageError``."""
    with _explained(name), _opened(name, content, results=True) as book:
        sheet: Any = book.worksheets[0]
        # What the file says of its size may be wrong, and then rows would be missing.
        sheet.reset_dimensions()
        yield from enumerate(sheet.iter_rows(values_only=True, max_col=_MOST_CELLS), start=1)


def cells_with_formulas(content: bytes, lines: set[int]) -> set[int]:
    """Which of these lines hold a formula somewhere."""
    found = set()
    with _opened("", content, results=False) as book:
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()
        rows = sheet.iter_rows(values_only=True, max_row=max(lines), max_col=_MOST_CELLS)
        for line, row in enumerate(rows, start=1):
            if line in lines and any(isinstance(cell, str) and cell.startswith("=") for cell in row):
                found.add(line)
    return found


@contextmanager
def _opened(name: str, content: bytes, *, results: bool) -> "Iterator[Workbook]":
    # Slow to import, and needed for this kind of file alone.
    from openpyxl import load_workbook

    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        if sum(one.file_size for one in packed.infolist()) > _MOST_UNPACKED:
            raise UsageError(f"{name} unpacks to more than 1 GB.", "Save it as CSV UTF-8.")
    # It warns of styles and rules that it does not know; they hold no quantity.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")
    book = load_workbook(io.BytesIO(content), read_only=True, data_only=results)
    try:
        yield book
    finally:
        book.close()


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except PrestaConsoleError:
        raise
    except Exception:
        # Damaged files break the parser in any way there is; which one helps nobody.
        raise UsageError(f"{name} is no XLSX file that can be read.", "Save it again, or as CSV UTF-8.") from None
