"""Looking for keys where none may be: database, logs, every file of the data folder. May import database, vault."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from prestaconsole.database import Connection
from prestaconsole.model import Base
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import all_shops
from prestaconsole.vault import VaultError

_KEY_SHAPED = re.compile(rb"(?<![A-Za-z0-9])[A-Z0-9]{32}(?![A-Za-z0-9])")
_CHUNK = 4 * 1024 * 1024
_OVERLAP = 256
_ROWS = 1_000


@dataclass(frozen=True)
class Hit:
    """A place where a key stands readably: ``known`` is a shop's own key, else it only has the shape of one."""

    place: str
    what: str
    known: bool


@dataclass(frozen=True)
class ScanReport:
    """What was looked through, and what was found. ``clean`` when nothing was."""

    tables: int
    values: int
    files: int
    keys: int
    hits: tuple[Hit, ...]
    unopened: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether no key was found anywhere."""
        return not self.hits


def scan(core: Core) -> ScanReport:
    """Look for every shop's key, its Basic form, and anything shaped like a key (rows X2, C9).

    Looks through each text of the database and each file of the data folder; the vault's sealed texts are no hit, since
    a key is not readable in them. The key itself is never part of the report.
    """
    needles, unopened = core.database.read_now(lambda connection: _needles(core, connection))
    report = core.database.read_now(lambda connection: _scan_tables(connection, needles))
    folder = core.settings.data_dir
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    hits = list(report.hits)
    for path in files:
        hits += _scan_file(path, path.relative_to(folder), needles, core.settings.key_file)
    return ScanReport(report.tables, report.values, len(files), len(unopened) + len(needles), tuple(hits), unopened)


Needles = dict[str, tuple[bytes, ...]]


def _needles(core: Core, connection: Connection) -> tuple[Needles, tuple[str, ...]]:
    """The forms of each shop's key, and the shops whose key does not open."""
    found: Needles = {}
    unopened = []
    for shop in all_shops(connection):
        try:
            key = core.key(connection, shop).reveal()
        except VaultError:
            unopened.append(shop.name)
            continue
        found[shop.name] = (key.encode(), base64.b64encode(f"{key}:".encode()))
    return found, tuple(unopened)


def _scan_tables(connection: Connection, needles: Needles) -> ScanReport:
    values, hits = 0, []
    tables = list(Base.metadata.sorted_tables)
    for table in tables:
        for place, text in _texts(connection, table):
            values += 1
            hits += _judge(place, text.encode(), needles)
    return ScanReport(len(tables), values, 0, 0, tuple(hits), ())


def _texts(connection: Connection, table: Table) -> Iterator[tuple[str, str]]:
    """Every text of a table, documents included, with its place in words."""
    result = connection.execution_options(yield_per=_ROWS).execute(select(table))
    keys = [column.name for column in table.primary_key]
    for row in result.mappings():
        where = f"{table.name} {'/'.join(str(row[key]) for key in keys)}"
        for name, content in row.items():
            if isinstance(content, str):
                yield f"{where} {name}", content
            elif isinstance(content, dict | list):
                for text in _strings(content):
                    yield f"{where} {name}", text


def _strings(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for name, inner in content.items():
            yield str(name)
            yield from _strings(inner)
    elif isinstance(content, list):
        for inner in content:
            yield from _strings(inner)


def _scan_file(path: Path, shown: Path, needles: Needles, key_file: Path) -> list[Hit]:
    """A file piece by piece; of a database only known keys count, since its pages hold bytes of every kind."""
    binary = ".sqlite3" in path.name or path == key_file
    found: dict[Hit, None] = {}
    try:
        with path.open("rb") as stream:
            tail = b""
            while chunk := stream.read(_CHUNK):
                for hit in _judge(f"file {shown}", tail + chunk, needles, shapes=not binary):
                    found[hit] = None
                tail = chunk[-_OVERLAP:]
    except OSError as error:
        return [Hit(f"file {shown}", f"cannot be read: {error.strerror}", known=False)]
    return list(found)


def _judge(place: str, text: bytes, needles: Needles, *, shapes: bool = True) -> list[Hit]:
    for shop, forms in needles.items():
        for form, name in zip(forms, ("the key", "the Basic form of the key"), strict=True):
            if form in text:
                return [Hit(place, f"{name} of {shop}", known=True)]
    if shapes and _KEY_SHAPED.search(text):
        return [Hit(place, "text shaped like a webservice key", known=False)]
    return []
