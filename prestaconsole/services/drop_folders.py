"""Drop folders: stock files that others put there are loaded, each delivery once. May import operations, model.

A file that has stopped growing is claimed by moving it to ``working/`` under a name of its own; the move is atomic, so
of several daemons one has it. The load's row is named after that claim and knows the file's digest and how many rows
are booked (``StockLoad``), so what a killed process left is taken up there. Then it goes to ``done/`` or ``failed/``.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from sqlalchemy import Row, insert, select

from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.model import LoadState, StockLoad, Warehouse
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.drop_folder import DONE, FAILED, WORKING, error_file
from prestaconsole.operations.incidents import close_incident, detail_of, open_incident
from prestaconsole.redaction import redact
from prestaconsole.services.load_list import note_cut_off
from prestaconsole.services.stock_files import FileProblem, StockFile, read_stock_file, write_error_file
from prestaconsole.services.stock_loads import (
    LoadPlan,
    TakenOver,
    begin_load,
    book_rows,
    compare,
    end_load,
)

ACTOR = "PrestaConsole"
_KINDS = (".csv", ".txt", ".tsv", ".xlsx", ".xls")
_QUIET_SECONDS = 10.0
_ORPHAN_SECONDS = 60.0
_SHOWN = 5
_LONGEST_NAME = 150


@dataclass(frozen=True)
class Taken:
    """What became of one file: ``done``, ``failed`` or ``kept`` (stopped half way, or with another process)."""

    warehouse: str
    file: str
    state: str
    words: str


@dataclass(frozen=True)
class _Folder:
    warehouse_id: int
    code: str
    path: Path
    good_rows: bool


@dataclass(frozen=True)
class _Seen:
    """A file as it stood when it was first seen so."""

    size: int
    written: int
    number: int
    since: float


class FolderWatch:
    """One process's look at the folders; it remembers what it saw, to know what has stopped growing."""

    def __init__(
        self, core: Core, *, quiet_seconds: float = _QUIET_SECONDS, orphan_seconds: float = _ORPHAN_SECONDS
    ) -> None:
        self._core = core
        self._quiet, self._orphan = quiet_seconds, orphan_seconds
        self._seen: dict[Path, _Seen] = {}

    def look(self, stop: Callable[[], bool] = lambda: False) -> list[Taken]:
        """Load what lies ready in every folder; ``stop`` ends it between two parts, to be gone on with later.

        A file or folder in trouble becomes an incident. Raises ``DatabaseError`` alone.
        """
        taken: list[Taken] = []
        present: set[Path] = set()
        note_cut_off(self._core)
        for folder in self._core.database.read_now(_folders):
            try:
                ready = [*self._orphans(folder), *self._claimed(folder, present)]
            except OSError as error:
                _folder_trouble(self._core, folder, error.strerror or "unknown error")
                continue
            _close(self._core, _folder_key(folder))
            for path in ready:
                if stop():
                    return taken
                try:
                    taken.append(_Delivery(self._core, folder, path).take(stop))
                except OSError as error:
                    _folder_trouble(self._core, folder, error.strerror or "unknown error")
        self._seen = {path: seen for path, seen in self._seen.items() if path in present}
        return taken

    def _claimed(self, folder: _Folder, present: set[Path]) -> list[Path]:
        """The files that have stopped growing, moved to ``working/``; who loses the race for one passes on."""
        for name in (WORKING, DONE, FAILED):
            (folder.path / name).mkdir(exist_ok=True)
        found = []
        for entry in sorted(os.scandir(folder.path), key=lambda one: one.name):
            path = Path(entry.path)
            if not _may_be_taken(entry):
                continue
            present.add(path)
            if self._stands_still(path, entry):
                claim = folder.path / WORKING / _claim_name(path.name, self._core.clock.now())
                try:
                    path.rename(claim)
                except FileNotFoundError:
                    continue
                found.append(claim)
        return found

    def _stands_still(self, path: Path, entry: "os.DirEntry[str]") -> bool:
        about, now = entry.stat(follow_symlinks=False), self._core.clock.monotonic()
        shape = (about.st_size, about.st_mtime_ns, about.st_ino)
        seen = self._seen.get(path)
        if seen is None or (seen.size, seen.written, seen.number) != shape:
            self._seen[path] = seen = _Seen(*shape, now)
        return now - seen.since >= self._quiet

    def _orphans(self, folder: _Folder) -> list[Path]:
        """Files that a process claimed and did not finish, once it is silent for a while."""
        working = folder.path / WORKING
        if not working.is_dir():
            return []
        now = self._core.clock.now()
        found = []
        for path in sorted(working.iterdir()):
            if not stat.S_ISREG(path.lstat().st_mode):
                continue
            load = self._core.database.read_now(lambda c: _load_of(c, folder, path))  # noqa: B023
            touched = load.moved_at.timestamp() if load is not None else path.lstat().st_ctime
            if now.timestamp() - touched >= self._orphan:
                found.append(path)
        return found


def _may_be_taken(entry: "os.DirEntry[str]") -> bool:
    """A plain file of a kind that may hold stock; no link, nothing hidden, nothing that is still on its way."""
    if entry.name.startswith((".", "~")) or not entry.name.lower().endswith(_KINDS):
        return False
    return entry.is_file(follow_symlinks=False)


def _claim_name(name: str, now: datetime) -> str:
    path = Path(name)
    return f"{now:%Y%m%dT%H%M%S}-{token_hex(3)}-{path.stem[:_LONGEST_NAME]}{path.suffix}"


def _plain_name(claimed: Path) -> str:
    return redact(claimed.name.split("-", 2)[-1])


class _Delivery:
    """One claimed file on its way to ``done/`` or ``failed/``. Each step may be done again after a cut."""

    def __init__(self, core: Core, folder: _Folder, path: Path) -> None:
        self._core, self._folder, self._path = core, folder, path
        self._name = _plain_name(path)
        self._errors = error_file(folder.path, path.name)

    def take(self, stop: Callable[[], bool]) -> Taken:
        load = self._core.database.read_now(lambda c: _load_of(c, self._folder, self._path))
        if load is not None and load.state != LoadState.LOADING:
            # It was booked, or refused, and only the move was left to do.
            return self._moved(DONE if load.state == LoadState.DONE else FAILED, load.error)
        try:
            file = replace(read_stock_file(self._path), name=self._name)
        except UsageError as error:
            if not self._path.exists():
                return self._kept("another process has it")
            return self._refused(error.cause.replace(self._path.name, self._name), error.remedy, (), "")
        if load is not None and load.digest != file.digest:
            return self._refused("The file was changed while it was loaded.", "Put the whole file there again.", (), "")
        plan = self._core.database.read_now(lambda c: compare(c, file, self._folder.code)[0])
        if load is None:
            refused = self._judged(file, plan)
            if refused is not None:
                return refused
        return self._booked(file, plan, stop)

    def _judged(self, file: StockFile, plan: LoadPlan) -> Taken | None:
        """What becomes of it without booking a row, None where its rows are to be booked."""
        if plan.problems and not (self._folder.good_rows and len(plan.problems) < plan.rows):
            words = f"{len(plan.problems)} of its {plan.rows} rows cannot be loaded, so none was."
            remedy = f"{self._errors.name} names each. Mend them and drop the file again."
            return self._refused(words, remedy, plan.problems, file.digest)
        if plan.held:
            remedy = (
                f"Look at the file. If the warehouse really is empty: `prestaconsole stock load FILE "
                f"--warehouse {self._folder.code} --confirm {self._folder.code} --reason WHY`."
            )
            return self._refused(plan.held, remedy, (), file.digest)
        before = self._core.database.read_now(lambda c: _last_done(c, self._folder))
        if before is not None and before.digest == file.digest:
            load_id = begin_load(self._core, _claim(self._folder, self._path), file, plan, actor=ACTOR)
            words = f"the same bytes as load {before.id}, so nothing was booked"
            end_load(self._core, load_id, note=words)
            return self._moved(DONE, words)
        return None

    def _booked(self, file: StockFile, plan: LoadPlan, stop: Callable[[], bool]) -> Taken:
        load_id = begin_load(self._core, _claim(self._folder, self._path), file, plan, actor=ACTOR)
        try:
            if not book_rows(self._core, load_id, file.rows, actor=ACTOR, stop=stop):
                return self._kept("stopped, to be gone on with")
        except TakenOver:
            return self._kept("another process has it")
        if plan.problems:
            self._write_errors(plan.problems)
            words = f"{len(plan.problems)} of its {plan.rows} rows were left out; the others are loaded."
            remedy = f"{self._errors} names each. Mend them and drop these rows again."
            self._core.database.write_now(lambda c: self._incident(c, words, remedy, plan.problems))
        end_load(self._core, load_id)
        if not plan.problems:
            _close(self._core, _file_key(self._folder))
        return self._moved(DONE, f"{plan.rows - len(plan.problems)} rows, {len(plan.changes)} of them changed")

    def _refused(self, words: str, remedy: str, problems: tuple[FileProblem, ...], digest: str) -> Taken:
        """Error file first, then the row with audit and incident, then the move: each may be repeated."""
        self._write_errors(problems or (FileProblem(0, "", words.rstrip("."), "", "", remedy),))
        self._core.database.write_now(lambda c: self._note_refused(c, words, remedy, problems, digest))
        return self._moved(FAILED, words)

    def _note_refused(
        self, connection: Connection, words: str, remedy: str, problems: tuple[FileProblem, ...], digest: str
    ) -> None:
        now, claim = self._core.clock.now(), _claim(self._folder, self._path)
        if connection.execute(select(StockLoad.id).where(StockLoad.claim == claim)).first() is None:
            connection.execute(
                insert(StockLoad).values(
                    claim=claim,
                    warehouse_id=self._folder.warehouse_id,
                    file=self._name[:200],
                    digest=digest,
                    state=LoadState.FAILED,
                    refused=len(problems),
                    error=redact(words)[:400],
                    actor=ACTOR,
                    began_at=now,
                    moved_at=now,
                    ended_at=now,
                )
            )
        record = f"{self._name} into {self._folder.code}"[:120]
        audit(connection, actor=ACTOR, action="stock load refused", at=now, record=record, after={"why": redact(words)})
        self._incident(connection, words, remedy, problems)

    def _incident(self, connection: Connection, words: str, remedy: str, problems: tuple[FileProblem, ...]) -> None:
        evidence = [f"line {one.line}, {one.column}: {one.sku or '(empty)'}: {one.text}" for one in problems[:_SHOWN]]
        open_incident(
            connection,
            shop_id=None,
            cause_key=_file_key(self._folder),
            title=f"Stock file {self._name} for {self._folder.code}: {words}",
            remedy=remedy,
            at=self._core.clock.now(),
            evidence="\n".join(evidence),
        )

    def _write_errors(self, problems: tuple[FileProblem, ...]) -> None:
        try:
            write_error_file(self._errors, problems)
        except UsageError as error:
            cause, remedy = error.cause, error.remedy
            self._core.database.write_now(lambda c: self._incident(c, cause, remedy, problems))

    def _moved(self, place: str, words: str) -> Taken:
        try:
            self._path.rename(self._folder.path / place / self._path.name)
        except FileNotFoundError:
            return self._kept("another process has it")
        except OSError as error:
            # The rows are booked once all the same; the move is tried again at the next look.
            _folder_trouble(self._core, self._folder, error.strerror or "unknown error")
        return Taken(self._folder.code, self._name, place, words)

    def _kept(self, words: str) -> Taken:
        return Taken(self._folder.code, self._name, "kept", words)


# -- statements ------------------------------------------------------------------------------------------------


def _folders(connection: Connection) -> list[_Folder]:
    rows = select(Warehouse.id, Warehouse.code, Warehouse.folder, Warehouse.good_rows).where(Warehouse.folder != "")
    return [
        _Folder(row.id, row.code, Path(row.folder), row.good_rows)
        for row in connection.execute(rows.order_by(Warehouse.code))
    ]


def _claim(folder: _Folder, path: Path) -> str:
    return f"{folder.warehouse_id}/{path.name}"[-200:]


def _file_key(folder: _Folder) -> str:
    return f"stock file:{folder.code}"


def _load_of(connection: Connection, folder: _Folder, path: Path) -> Row[int, str, str, str, datetime] | None:
    load = StockLoad
    found = select(load.id, load.state, load.digest, load.error, load.moved_at)
    return connection.execute(found.where(load.claim == _claim(folder, path))).one_or_none()


def _last_done(connection: Connection, folder: _Folder) -> Row[int, str] | None:
    """The file that the levels of this warehouse follow: loading the same once more would undo what was sold since."""
    load = StockLoad
    found = select(load.id, load.digest).where(
        load.warehouse_id == folder.warehouse_id, load.state == LoadState.DONE, load.position > 0
    )
    return connection.execute(found.order_by(load.id.desc()).limit(1)).one_or_none()


def _folder_key(folder: _Folder) -> str:
    return f"drop folder:{folder.code}"


def _folder_trouble(core: Core, folder: _Folder, words: str) -> None:
    def work(connection: Connection) -> None:
        open_incident(
            connection,
            shop_id=None,
            cause_key=_folder_key(folder),
            title=f"The drop folder of {folder.code} cannot be used: {words}.",
            remedy=f"Mend {folder.path}: it must exist and be open to the daemon for reading and writing. "
            f"Or name another: `prestaconsole warehouse set {folder.code} folder=PATH`.",
            at=core.clock.now(),
        )

    core.database.write_now(work)


def _close(core: Core, key: str) -> None:
    """Close an incident where it is open; where none is, nothing is written."""
    if core.database.read_now(lambda c: detail_of(c, None, key)) is not None:
        core.database.write_now(lambda c: close_incident(c, shop_id=None, cause_key=key, by=ACTOR, at=core.clock.now()))
