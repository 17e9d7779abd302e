"""Backups on both databases: whole, counted, private, never half there; and where they may go back to."""

import base64
import resource
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.engine import make_url

from prestaconsole.database import Database, DatabaseError, postgres_backup
from prestaconsole.database.migrations import head
from prestaconsole.database.whole_files import DiskFull, whole_file
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.model import AuditEvent, Shop, ShopMode
from prestaconsole.operations.core import Core, open_core
from prestaconsole.operations.lives import read_life
from prestaconsole.operations.secrets import store_key
from prestaconsole.redaction import Secret
from prestaconsole.services.backups import backup_database, restore_database
from prestaconsole.services.databases import check_database, upgrade_database
from prestaconsole.settings import Settings
from prestaconsole.vault import VaultError
from tests.support.databases import Makers
from tests.support.runs import SHOP_KEY, START, VAULT_KEY, FakeClock, add_shop, make_core

PASSWORD = "p4ss-word-of-postgres"


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    core = make_core(database, tmp_path, clock=FakeClock())
    for code, mode in (("wolle", ShopMode.LIVE), ("garn", ShopMode.SETUP), ("neu", ShopMode.DRAFT)):
        add_shop(database, code, mode=mode)
    return core


@pytest.fixture
def elsewhere(core: Core, database_makers: Makers, tmp_path: Path) -> Iterator[Settings]:
    """An empty place of the same kind, without the vault's key."""
    (tmp_path / "new").mkdir()
    if core.database.is_sqlite:
        url = f"sqlite:///{tmp_path / 'new' / 'prestaconsole.sqlite3'}"
    else:
        url = database_makers.postgres(empty=True)
    values = {"data_dir": tmp_path / "new", "database_url": url, "vault_key": ""}
    yield Settings(**{**core.settings.model_dump(), **values})
    database_makers.drop(url)


def test_a_backup_is_private_counted_noted_and_holds_no_key_in_any_form(core: Core, tmp_path: Path) -> None:
    report = backup_database(core.settings, tmp_path / "b", clock=FakeClock())
    assert (report.shops, report.size) == (3, (tmp_path / "b").stat().st_size)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    life = core.database.read_now(read_life)
    assert (life.backed_up_at, life.backed_up_to, life.epoch) == (START, str(tmp_path / "b"), 1)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    content = (tmp_path / "b").read_bytes()
    if not core.database.is_sqlite:
        content += _plain(tmp_path / "b")
        assert b"wolle.example" in content
    for secret in (VAULT_KEY, SHOP_KEY.encode()):
        for form in (secret, base64.b64encode(secret), secret.hex().encode(), secret.hex().upper().encode()):
            assert form not in content
    assert base64.b64encode(f"{SHOP_KEY}:".encode()) not in content


def _plain(file: Path) -> bytes:
    import subprocess

    return subprocess.run(["pg_restore", "-f", "-", file], check=True, capture_output=True).stdout


def test_a_backup_is_one_moment_though_others_write_all_the_time(core: Core, tmp_path: Path) -> None:
    """Two rows are written in each transaction: a copy between them would hold an odd number."""
    stop = threading.Event()

    def write() -> None:
        row = {"at": START, "actor": "x", "action": "y"}
        while not stop.is_set():
            core.database.write_now(lambda c: [c.execute(insert(AuditEvent).values(**row)) for _ in range(2)])

    before = _audits(core.database)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        reports = [backup_database(core.settings, tmp_path / f"b{number}") for number in range(3)]
    finally:
        stop.set()
        writer.join()
    assert [report.rows % 2 for report in reports[1:]] == [reports[1].rows % 2] * 2
    assert _audits(core.database) > before


def _audits(database: Database) -> int:
    return database.read_now(lambda c: c.execute(select(func.count()).select_from(AuditEvent)).scalar_one())


def test_what_came_back_is_frozen_and_usable_and_names_the_shops_whose_key_is_gone(
    core: Core, elsewhere: Settings, tmp_path: Path
) -> None:
    backup_database(core.settings, tmp_path / "b")
    report = restore_database(elsewhere, tmp_path / "b", actor="zofia", clock=FakeClock())
    assert (report.shops, report.epoch, report.frozen) == (3, 2, ("Garn", "Wolle"))
    assert report.keyless == ("Garn", "Neu", "Wolle")
    assert not elsewhere.key_file.exists(), "a restore makes no new key"
    assert check_database(elsewhere).problems == ()
    again = open_core(elsewhere)
    try:
        modes = again.database.read_now(lambda c: dict(c.execute(select(Shop.code, Shop.mode)).all()))
        assert modes == {"wolle": "frozen", "garn": "frozen", "neu": "draft"}
        with pytest.raises(VaultError, match="another vault key"):
            again.database.read_now(lambda c: again.key(c, _shop(c, "wolle")))
        shop = again.database.read_now(lambda c: _shop(c, "wolle"))
        again.database.write_now(lambda c: store_key(c, again.vault, shop.id, Secret(SHOP_KEY), START))
        assert again.database.read_now(lambda c: again.key(c, shop)).reveal() == SHOP_KEY
    finally:
        again.close()


def _shop(connection: Any, code: str) -> Any:
    from prestaconsole.operations.shops import find_shop

    return find_shop(connection, code)


def test_with_the_vaults_key_there_no_shop_is_named(core: Core, elsewhere: Settings, tmp_path: Path) -> None:
    backup_database(core.settings, tmp_path / "b")
    with_key = Settings(**{**elsewhere.model_dump(), "vault_key": base64.b64encode(VAULT_KEY).decode()})
    assert restore_database(with_key, tmp_path / "b", actor="x").keyless == ()


def test_a_restore_never_overwrites_and_a_backup_neither(core: Core, elsewhere: Settings, tmp_path: Path) -> None:
    backup_database(core.settings, tmp_path / "b")
    before = (tmp_path / "b").read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        backup_database(core.settings, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == before
    with pytest.raises(LockedError, match="never overwrites"):
        restore_database(core.settings, tmp_path / "b", actor="x")
    restore_database(elsewhere, tmp_path / "b", actor="x")
    with pytest.raises(LockedError, match="never overwrites"):
        restore_database(elsewhere, tmp_path / "b", actor="x")


def test_a_cut_backup_is_refused_and_the_place_stays_empty(core: Core, elsewhere: Settings, tmp_path: Path) -> None:
    backup_database(core.settings, tmp_path / "b")
    whole = (tmp_path / "b").read_bytes()
    for name, content in (("cut", whole[: len(whole) * 2 // 3]), ("text", b"hello"), ("none", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError):
            restore_database(elsewhere, tmp_path / name, actor="x")
    restore_database(elsewhere, tmp_path / "b", actor="x")


def test_a_full_disk_is_said_and_leaves_nothing_behind(core: Core, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with _files_up_to(20_000), pytest.raises(DiskFull, match="no room left"):
        backup_database(core.settings, tmp_path / "folder" / "b")
    assert list((tmp_path / "folder").iterdir()) == []
    assert core.database.read_now(read_life).backed_up_at is None


def test_a_full_disk_leaves_the_older_backups_of_a_folder(core: Core, tmp_path: Path) -> None:
    folder, clock = tmp_path / "nightly", FakeClock()
    folder.mkdir()
    backup_database(core.settings, folder, keep=1, clock=clock)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    clock.forward(86_400)
    with _files_up_to(20_000), pytest.raises(DiskFull, match="no room left"):
        backup_database(core.settings, folder, keep=1, clock=clock)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@contextmanager
def _files_up_to(size: int) -> Iterator[None]:
    """No process of this one may make a longer file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_keeps_the_newest_dated_backups_and_nothing_else_is_touched(core: Core, tmp_path: Path) -> None:
    folder, clock = tmp_path / "nightly", FakeClock()
    folder.mkdir()
    (folder / "prestaconsole-notes.txt").write_text("mine")
    for _ in range(3):
        report = backup_database(core.settings, folder, keep=2, clock=clock)
        clock.forward(86_400)
    assert len(report.removed) == 1
    names = sorted(path.name for path in folder.iterdir())
    ending = "sqlite3" if core.database.is_sqlite else "dump"
    assert names == [
        f"prestaconsole-20260303-090000.{ending}",
        f"prestaconsole-20260304-090000.{ending}",
        "prestaconsole-notes.txt",
    ]
    with pytest.raises(UsageError, match="no folder"):
        backup_database(core.settings, tmp_path / "b", keep=2)


# -- PostgreSQL alone ------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_the_password_goes_by_the_environment_and_no_setting_of_ours_goes_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PRESTACONSOLE_VAULT_KEY", "secret")
    url = make_url(f"postgresql+psycopg://me:{PASSWORD}@db.example:6432/it's?sslmode=require")
    address = postgres_backup._address(url)
    assert address == r"host='db.example' port='6432' dbname='it\'s' user='me' sslmode='require'"
    environment = postgres_backup._environment(url)
    assert environment["PGPASSWORD"] == PASSWORD
    assert not any(name.startswith("PRESTACONSOLE_") for name in environment)


@pytest.mark.postgres
def test_without_pg_dump_the_remedy_says_what_to_install(
    database_makers: Makers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_makers.postgres()
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UsageError, match="pg_dump is not installed") as refused:
        backup_database(Settings(data_dir=tmp_path, database_url=url), tmp_path / "b")
    assert "postgresql-client" in refused.value.remedy
    assert not (tmp_path / "b").exists()
    database_makers.drop(url)


@pytest.mark.postgres
def test_a_restore_that_fails_half_way_leaves_the_database_empty(
    database_makers: Makers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = database_makers.postgres(), database_makers.postgres(empty=True)
    backup_database(Settings(data_dir=tmp_path, database_url=source), tmp_path / "b")
    settings = Settings(data_dir=tmp_path, database_url=target)
    with monkeypatch.context() as broken:
        broken.setattr("prestaconsole.database.postgres_backup.UNFINISHED", "no such name")
        with pytest.raises(DatabaseError, match="nothing of it was kept"):
            restore_database(settings, tmp_path / "b", actor="x")
    assert restore_database(settings, tmp_path / "b", actor="x").epoch == 2
    for url in (source, target):
        database_makers.drop(url)


@pytest.mark.postgres
def test_a_backup_of_one_kind_does_not_go_into_the_other(database_makers: Makers, tmp_path: Path) -> None:
    source = database_makers.postgres()
    backup_database(Settings(data_dir=tmp_path, database_url=source), tmp_path / "dump")
    database_makers.sqlite(tmp_path / "prestaconsole.sqlite3")
    backup_database(Settings(data_dir=tmp_path), tmp_path / "copy")
    with pytest.raises(UsageError, match="a backup of SQLite, and this place is PostgreSQL"):
        restore_database(Settings(data_dir=tmp_path, database_url=source), tmp_path / "copy", actor="x")
    with pytest.raises(UsageError, match="a backup of PostgreSQL, and this place is SQLite"):
        restore_database(Settings(data_dir=tmp_path / "new"), tmp_path / "dump", actor="x")
    database_makers.drop(source)


# -- files and versions ----------------------------------------------------------------------------------------


def test_a_file_that_came_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    place = tmp_path / "b"
    with pytest.raises(UsageError, match="is there already"), whole_file(place) as draft:
        draft.write_text("ours")
        place.write_text("theirs")
    assert place.read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"), whole_file(tmp_path / "no" / "b"):
        pass


def test_an_upgrade_keeps_the_older_database_beside_it(database_makers: Makers, tmp_path: Path) -> None:
    path = tmp_path / "prestaconsole.sqlite3"
    database_makers.sqlite(path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE alembic_version SET version_num = '0001'")
        file.commit()
    if head() == "0001":
        pytest.skip("there is one revision only")
    report, kept = upgrade_database(Settings(data_dir=tmp_path), clock=FakeClock())
    assert report.revision == head()
    assert kept is not None and kept.name == f"prestaconsole.sqlite3.before-{head()}-20260302-090000"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
