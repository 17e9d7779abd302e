"""`status`, `doctor`, `incident`, `secrets scan`, `db`: what a person looks at first, and after trouble."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update

from prestaconsole.clock import SystemClock
from prestaconsole.model import FeedRun, FeedSchedule, Runner, Shop
from prestaconsole.operations.incidents import open_incident
from prestaconsole.sandbox import SimulatedShop
from tests.cli.conftest import KEY, Program


def ago(**span: int) -> timedelta:
    return timedelta(**span)


# -- status --------------------------------------------------------------------------------------------------


def test_an_empty_installation_is_well_and_says_what_to_do(cli: Program) -> None:
    status = cli.json("status")
    assert status["ok"] is True
    assert status["daemon"]["state"] == "none"
    assert status["shops"] == []
    assert "shop add" in cli("status").err


def test_status_has_stable_names(connected: Program) -> None:
    status = connected.json("status")
    assert set(status) == {
        *("at", "ok", "daemon", "shops", "late", "brakes", "incidents", "queued", "running"),
        *("life", "restored", "paused", "catch_up"),
    }
    assert status["shops"][0].keys() >= {"shop", "code", "mode", "need", "health", "orders_at", "text"}


def test_a_late_feed_ends_status_with_1_and_names_it(read: Program) -> None:
    read("feed", "schedule", "wolle", "import_orders", "every 5 min")
    assert read.json("status")["ok"] is True
    with read.core() as core:
        core.database.write_now(
            lambda c: c.execute(text("UPDATE feed_state SET last_ok_at = '2026-01-01 00:00:00.000000'"))
        )
    ended = read("status", "--json", code=1)
    assert ended.json["ok"] is False
    assert [late["feed"] for late in ended.json["late"]] == ["import_orders"]
    assert ended.json["shops"][0]["need"] == "LATE"
    assert "import_orders is late" in ended.err
    read("shop", "pause", "wolle", "--reason", "upgrade")
    assert read.json("status")["shops"][0]["need"] == "PAUSE"


def test_a_run_that_nobody_takes_is_late(connected: Program) -> None:
    connected("feed", "run", "wolle", "analyse")
    assert connected.json("status")["queued"] == 1
    with connected.core() as core:
        long_ago = core.clock.now() - ago(hours=1)
        core.database.write_now(lambda c: c.execute(update(FeedRun).values(due=long_ago)))
    assert "nobody takes it" in connected("status", code=1).err


@pytest.mark.parametrize(("seconds", "state"), [(1, "ok"), (3000, "stale")])
def test_status_knows_a_daemon_by_its_last_sign_of_life(cli: Program, seconds: int, state: str) -> None:
    now = SystemClock().now()
    row = {"kind": "daemon", "host": "srv-1", "pid": 7, "started_at": now, "heartbeat": now - ago(seconds=seconds)}
    with cli.core() as core:
        core.database.write_now(lambda c: c.execute(insert(Runner).values(**row)))
    code = 0 if state == "ok" else 1
    assert cli.json("status", code=code)["daemon"]["state"] == state
    said = cli("status", code=code)
    assert "srv-1" in said.out
    assert code == 0 or "no daemon has reported for 50 min, last good " in said.err


# -- doctor --------------------------------------------------------------------------------------------------


def test_the_doctor_examines_with_reads_only(connected: Program, simulated: SimulatedShop) -> None:
    simulated.journal.clear()
    found = connected.json("doctor", "wolle")
    assert found["ok"] is True
    assert {row["verdict"] for row in found["findings"]} <= {"ok", "WARN", "FIX"}
    assert found["findings"][0].keys() >= {"name", "verdict", "text", "remedy"}
    assert {exchange.method for exchange in simulated.journal} <= {"GET", "HEAD"}
    assert [one["shop"] for one in connected.json("doctor")] == ["Wolle"]


def test_the_doctor_ends_with_1_and_says_what_to_mend(connected: Program, simulated: SimulatedShop) -> None:
    simulated.webservice_enabled = False
    ended = connected("doctor", "wolle", code=1)
    assert "FIX" in ended.out
    assert "switched off" in ended.out


def test_the_doctor_without_a_shop_says_so(cli: Program) -> None:
    assert "No shop yet" in cli("doctor").err


# -- incidents -----------------------------------------------------------------------------------------------


def test_incidents_are_taken_given_back_and_left_for_a_time(connected: Program) -> None:
    with connected.core() as core:
        now = core.clock.now()
        core.database.write_now(
            lambda c: open_incident(
                c, shop_id=1, cause_key="x", title="Carrier not mapped", remedy="Map it.", at=now - ago(hours=1)
            )
        )
        core.database.write_now(
            lambda c: open_incident(c, shop_id=1, cause_key="y", title="Stop", remedy="", at=now, severity="STOP")
        )
    rows = connected.json("incident", "list", "--shop", "wolle")
    assert [row["severity"] for row in rows] == ["STOP", "ACT"]
    assert rows[1].keys() >= {"id", "shop", "state", "title", "remedy", "count", "owner"}
    number = rows[1]["id"]
    assert connected.json("incident", "own", number)["owner"] == "zofia"
    assert connected.json("incident", "own", number, "--give-back")["owner"] == ""
    assert connected.json("incident", "snooze", number, "--until", "2h")["state"] == "snoozed"
    assert [row["id"] for row in connected.json("incident", "list", "--state", "snoozed")] == [number]
    assert len(connected.json("incident", "list")) == 1
    assert "Carrier not mapped" in connected("incident", "show", number).out
    assert "No run stands behind" in connected("incident", "retry", number, code=2).err
    assert "no incident 99" in connected("incident", "show", 99, code=2).err
    assert "States:" in connected("incident", "list", "--state", "gone", code=2).err


def test_an_incident_of_a_run_can_be_tried_again(connected: Program, simulated: SimulatedShop) -> None:
    simulated.webservice_enabled = False
    connected("feed", "run", "wolle", "analyse", "--wait", code=1)
    simulated.webservice_enabled = True
    (incident,) = connected.json("incident", "list")
    assert connected.json("incident", "retry", incident["id"])["runs"][0]["feed"] == "analyse"
    connected("feed", "run", "wolle", "analyse", "--wait")
    assert connected.json("incident", "list") == []


# -- secrets -------------------------------------------------------------------------------------------------


def test_the_scan_finds_a_key_wherever_it_was_put(connected: Program) -> None:
    assert connected.json("secrets", "scan")["clean"] is True
    (connected.folder / "notes.txt").write_text(f"the key is {KEY}\n")
    with connected.core() as core:
        core.database.write_now(lambda c: c.execute(update(Shop).values(pause_reason=f"key {KEY}")))
        core.database.write_now(lambda c: c.execute(update(Shop).values(fingerprint={"note": ["A" * 32]})))
    ended = connected("secrets", "scan", "--json", code=1)
    places = {hit["place"]: hit for hit in ended.json["hits"]}
    assert places["file notes.txt"]["known"] is True
    assert places["shop 1 pause_reason"]["known"] is True
    assert places["shop 1 fingerprint"]["known"] is False
    assert any(place.startswith("file prestaconsole.sqlite3") for place in places)
    assert KEY not in ended.text


# -- database ------------------------------------------------------------------------------------------------


def test_upgrade_makes_a_database_and_check_finds_it_whole(
    cli: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESTACONSOLE_DATA_DIR", str(tmp_path / "fresh"))
    assert "There is no database" in cli("db", "check", code=2).err
    made = cli.json("db", "upgrade")
    assert made["revision"] == made["needed"]
    assert cli.json("db", "check")["problems"] == []


def test_a_database_newer_than_the_program_is_refused_whole(connected: Program) -> None:
    path = connected.folder / "prestaconsole.sqlite3"
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.commit()
    for command in (("status",), ("db", "upgrade"), ("shop", "list")):
        ended = connected(*command, code=1)
        assert "newer than this program (revision 9999)" in ended.err
        assert "Install the newer PrestaConsole" in ended.err
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT name FROM shop").fetchall() == [("Wolle",)]


def test_a_damaged_database_is_named_as_such(cli: Program) -> None:
    (cli.folder / "prestaconsole.sqlite3").write_bytes(b"this is no database at all" * 100)
    ended = cli("status", code=1)
    assert "damaged or is not a database" in ended.err
    assert "db restore" in ended.err


def test_a_backup_is_verified_and_restored_into_an_empty_place_only(
    live: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup.sqlite3"
    ended = live("db", "backup", file)
    assert "opened and counted" in ended.out
    assert "vault's key is not in it" in ended.err
    assert "is there already" in live("db", "backup", file, code=2).err
    assert "never overwrites" in live("db", "restore", file, code=3).err
    monkeypatch.setenv("PRESTACONSOLE_DATA_DIR", str(tmp_path / "elsewhere"))
    restored = live("db", "restore", file)
    assert "Frozen until they are compared: Wolle" in restored.out
    assert "opens the keys of these shops is not here: Wolle" in restored.err
    assert "shop rotate-key" in restored.err
    shown = live("status")
    assert "RESTORED from backup.sqlite3: compare before thawing." in shown.out
    assert live.json("db", "check")["problems"] == []
    assert live.json("shop", "show", "wolle")["mode"] == "frozen"
    assert KEY.encode() not in file.read_bytes()


def test_a_file_that_is_no_backup_is_refused(cli: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTACONSOLE_DATA_DIR", str(tmp_path / "elsewhere"))
    (tmp_path / "text").write_text("hello")
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE song (id INTEGER)")
        other.commit()
    assert "cannot be read" in cli("db", "restore", tmp_path / "text", code=2).err
    assert "no database of PrestaConsole" in cli("db", "restore", tmp_path / "other", code=2).err
    assert "is not there" in cli("db", "restore", tmp_path / "none", code=2).err
    assert not (tmp_path / "elsewhere" / "prestaconsole.sqlite3").exists()


def test_a_postgresql_that_is_not_there_is_said_plainly(
    cli: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESTACONSOLE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert "cannot be reached" in cli("db", "backup", tmp_path / "b", code=1).err
    assert not (tmp_path / "b").exists()


def test_backups_in_a_folder_and_what_is_kept_are_shown(cli: Program, tmp_path: Path) -> None:
    assert "backup none yet" in cli("status").out
    report = cli.json("db", "backup", tmp_path, "--keep", "3")
    assert report["file"].startswith(str(tmp_path / "prestaconsole-"))
    assert f"to {report['file']}" in cli("status").out
    assert f"to {report['file']}" in cli("db", "check").out
    assert cli.json("db", "check")["life"]["epoch"] == 1
    planned = cli.json("db", "prune", "--plan")
    assert [(row["name"], row["days"], row["rows"]) for row in planned] == [
        ("logs", 30, 0), ("runs", 180, 0), ("changes", 90, 0), ("movements", 730, 0), ("loads", 180, 0),
        ("evidence", 180, 0),
    ]  # fmt: skip
    assert "Stock movements, folded" in cli("db", "prune", "--vacuum").out


def test_a_schedule_of_a_draft_is_never_late(cli: Program) -> None:
    with cli.core() as core:
        now = core.clock.now() - ago(days=3)
        shop = {"code": "d", "name": "D", "base_url": "https://d.example", "created_at": now, "updated_at": now}
        core.database.write_now(lambda c: c.execute(insert(Shop).values(**shop)))
        plan = {"shop_id": 1, "feed": "import_orders", "every": "every 5 min", "updated_at": now, "updated_by": "x"}
        core.database.write_now(lambda c: c.execute(insert(FeedSchedule).values(**plan)))
    assert cli.json("status")["ok"] is True
