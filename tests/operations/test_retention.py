"""What retention takes and what it never touches; the sums of the ledger stay through any history."""

import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from prestaconsole.database import Database, DatabaseUnavailable
from prestaconsole.model import (
    AuditEvent,
    Change,
    ChangeBatch,
    Changeset,
    FeedRun,
    FeedRunLog,
    FeedState,
    Incident,
    Installation,
    MovementKind,
    Product,
    StockLevel,
    StockLoad,
    StockMovement,
    Warehouse,
)
from prestaconsole.operations import retention
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import close_incident, open_incident
from prestaconsole.operations.stock_ledger import Movement, move
from prestaconsole.runner.housekeeping import Housekeeper, claim_night, last_night, note_disk
from prestaconsole.runner.moments import moment_of
from prestaconsole.services.databases import check_database
from prestaconsole.services.retention import prune_database, prune_plan
from tests.support.runs import START, FakeClock, add_shop, make_core

OLD = START - timedelta(days=1_000)


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    add_shop(database)
    return make_core(database, tmp_path, clock=FakeClock())


def do(core: Core, statement: Any) -> int:
    made = core.database.write_now(lambda c: c.execute(statement).inserted_primary_key)
    return int(made[0])


def ids(core: Core, model: Any) -> list[int]:
    return core.database.read_now(lambda c: list(c.execute(select(model.id).order_by(model.id)).scalars()))


def prune(core: Core) -> dict[str, int]:
    """Prune, and hold the plan to its word."""
    planned = {line.name: line.rows for line in prune_plan(core)}
    gone = {line.name: line.rows for line in prune_database(core, actor="zofia")}
    assert planned == gone
    return {name: rows for name, rows in gone.items() if rows}


def run(core: Core, ended: Any, *, state: str = "done", lines: int = 0, feed: str = "analyse") -> int:
    values = {"shop_id": 1, "feed": feed, "serial_key": "s", "actor": "x", "due": OLD, "created_at": OLD}
    number = do(core, insert(FeedRun).values(**values, state=state, ended_at=ended))
    rows = [{"run_id": number, "seq": seq, "at": ended or OLD, "level": "info", "text": "x"} for seq in range(lines)]
    if rows:
        core.database.write_now(lambda c: c.execute(insert(FeedRunLog), rows))
    return number


def test_old_logs_and_runs_go_but_the_last_good_the_active_and_the_troubled_stay(core: Core) -> None:
    gone = run(core, OLD, lines=3)
    troubled = run(core, OLD, state="failed", lines=2)
    last_good = run(core, OLD, lines=1)
    last = run(core, OLD, state="failed", lines=1)
    active = run(core, None, state="running", lines=1)
    young = run(core, START - timedelta(days=40), state="failed", lines=4, feed="import_orders")
    core.database.write_now(
        lambda c: open_incident(c, shop_id=1, cause_key="k", title="t", remedy="r", at=OLD, run_id=troubled)
    )
    do(core, insert(FeedState).values(shop_id=1, feed="analyse", last_run_id=last, detail={}))
    assert prune(core) == {"logs": 3 + 4, "runs": 1}
    assert ids(core, FeedRun) == [troubled, last_good, last, active, young]
    assert gone not in ids(core, FeedRun)
    assert len(ids(core, FeedRunLog)) == 2 + 1 + 1 + 1
    assert prune(core) == {}


def plan(core: Core, state: str = "done", *, ended: Any = OLD, rows: int = 3, sent: bool = True, **values: Any) -> int:
    known = {"shop_id": 1, "kind": 1, "actor": "x", "mode": "live", "created_at": OLD, "rows": rows}
    number = do(core, insert(Changeset).values(**known, state=state, ended_at=ended, brake={"words": "w"}, **values))
    batch = do(core, insert(ChangeBatch).values(changeset_id=number, sent_at=OLD if sent else None))
    first = {"changeset_id": number, "kind": 1, "field": 0, "before": "1", "after": "2", "batch_id": batch}
    states = [10] * (rows - 1) + [11] if state == "done" else [0] * rows
    changes = [first | {"record": number * 10_000 + row, "state": states[row]} for row in range(rows)]
    core.database.write_now(lambda c: c.execute(insert(Change), changes))
    return number


def test_of_an_old_plan_the_summary_stays_and_of_an_open_or_the_last_sent_one_every_row(core: Core) -> None:
    from prestaconsole.changes.journal import count_states

    old = plan(core, rows=1_203)
    being_undone = plan(core)
    held = plan(core, "held", ended=None, undoes_id=being_undone)
    young = plan(core, ended=START - timedelta(days=10))
    last_sent = plan(core)
    assert prune(core) == {"changes": 1_203}
    left = core.database.read_now(lambda c: set(c.execute(select(Change.changeset_id)).scalars()))
    assert left == {being_undone, held, young, last_sent}
    assert old in ids(core, Changeset)
    counted = core.database.read_now(lambda c: count_states(c, [old, young]))
    assert counted == {old: {"confirmed": 1_202, "failed": 1}, young: {"confirmed": 2, "failed": 1}}
    kept = core.database.read_now(lambda c: c.execute(select(Changeset.brake).where(Changeset.id == old)).scalar_one())
    assert kept["words"] == "w"


def test_no_transaction_takes_more_than_a_thousand_rows(core: Core) -> None:
    plan(core, rows=2_500)
    plan(core)
    run(core, OLD, lines=2_100)
    run(core, OLD)
    for rule in retention.RULES:
        before = rule.before(core.settings, core.clock.now())
        assert before is not None
        step = rule.steps(before)
        tables = (Change, ChangeBatch, FeedRun, FeedRunLog, StockMovement)
        while True:
            rows = sum(len(ids(core, table)) for table in tables)
            if core.database.write_now(step) is None:
                break
            assert rows - sum(len(ids(core, table)) for table in tables) <= retention.BATCH


def test_old_stock_files_go_with_their_error_files_but_the_last_of_each_warehouse_stays(
    core: Core, tmp_path: Path
) -> None:
    hall = do(core, insert(Warehouse).values(code="W1", created_at=OLD, folder=str(tmp_path / "drop")))
    failed = tmp_path / "drop" / "failed"
    failed.mkdir(parents=True)

    def load(claim: str, state: str, ended: Any, **values: Any) -> int:
        row = {"claim": claim, "warehouse_id": hall, "file": "f", "digest": "d", "state": state, "actor": "x"}
        return do(core, insert(StockLoad).values(**row, began_at=OLD, moved_at=OLD, ended_at=ended, **values))

    for name in ("old.errors.csv", "young.errors.csv", "old.csv"):
        (failed / name).write_text("x")
    load(f"{hall}/old.csv", "failed", OLD)
    load(f"{hall}/../../outside.csv", "failed", OLD)
    load("typed/1", "done", OLD, position=3)
    kept = [load("typed/2", "done", OLD, position=3), load("typed/3", "loading", None)]
    kept.append(load(f"{hall}/young.csv", "failed", START - timedelta(days=10)))
    assert prune(core) == {"loads": 3}
    assert ids(core, StockLoad) == kept
    assert sorted(path.name for path in failed.iterdir()) == ["old.csv", "young.errors.csv"]


def test_ledgers_of_any_history_keep_their_sums_their_imports_and_their_youth(core: Core, tmp_path: Path) -> None:
    dice = random.Random(4)
    made = [do(core, insert(Product).values(sku=f"P{number}", name="p", created_at=OLD)) for number in range(12)]
    halls = [do(core, insert(Warehouse).values(code=f"W{number}", created_at=OLD)) for number in range(2)]
    kinds = [MovementKind.SALE, MovementKind.CORRECTION, MovementKind.RECEIPT, MovementKind.IMPORT]
    moment = OLD
    for _ in range(600):
        moment += timedelta(days=2) * dice.random()
        units = dice.randint(-4, 6)
        one = Movement(dice.choice(made), dice.choice(halls), units, dice.choices(kinds, (9, 3, 3, 1))[0], 1)
        core.database.write_now(lambda c, one=one, at=moment: move(c, [one], actor="x", at=at))
    # One product that moves all the time: folded in parts.
    many = [Movement(made[0], halls[0], dice.randint(-3, 3), MovementKind.SALE) for _ in range(1_700)]
    core.database.write_now(lambda c: move(c, many, actor="x", at=OLD))
    before, levels, imports = _sums(core), _levels(core), _of_kind(core, MovementKind.IMPORT)
    young = core.database.read_now(lambda c: _young(c, core))
    gone = prune(core)
    assert gone["movements"] > 1_700
    assert _sums(core) == before == levels
    assert _of_kind(core, MovementKind.IMPORT) == imports
    assert core.database.read_now(lambda c: _young(c, core)) == young
    assert check_database(core.settings, clock=core.clock).problems == ()
    assert prune(core) == {}
    core.database.write_now(lambda c: c.execute(update(StockMovement).values(quantity=StockMovement.quantity + 1)))
    assert "the movements of a product add up" in check_database(core.settings, clock=core.clock).problems[0]


def _sums(core: Core) -> dict[tuple[int, int], int]:
    pair = (StockMovement.product_id, StockMovement.warehouse_id)
    rows = select(*pair, func.sum(StockMovement.quantity)).group_by(*pair)
    return core.database.read_now(lambda c: {(row[0], row[1]): int(row[2]) for row in c.execute(rows)})


def _levels(core: Core) -> dict[tuple[int, int], int]:
    rows = select(StockLevel.product_id, StockLevel.warehouse_id, StockLevel.physical)
    return core.database.read_now(lambda c: {(row[0], row[1]): row[2] for row in c.execute(rows)})


def _of_kind(core: Core, kind: MovementKind) -> list[tuple[Any, ...]]:
    rows = select(StockMovement.id, StockMovement.quantity, StockMovement.shop_id).where(StockMovement.kind == kind)
    return core.database.read_now(lambda c: [tuple(row) for row in c.execute(rows.order_by(StockMovement.id))])


def _young(connection: Any, core: Core) -> list[tuple[Any, ...]]:
    since = core.clock.now() - timedelta(days=core.settings.keep_movements_days)
    rows = select(*StockMovement.__table__.columns).where(StockMovement.at >= since).order_by(StockMovement.id)
    return [tuple(row) for row in connection.execute(rows)]


def test_the_evidence_of_closed_incidents_goes_and_the_audit_stays(core: Core) -> None:
    for cause, at in (("old", OLD), ("open", None), ("young", START)):
        core.database.write_now(
            lambda c, cause=cause: open_incident(
                c, shop_id=1, cause_key=cause, title="t", remedy="r", at=OLD, evidence=f"{cause} answer"
            )
        )
        if at:
            core.database.write_now(
                lambda c, cause=cause, at=at: close_incident(c, shop_id=1, cause_key=cause, by="x", at=at)
            )
    do(core, insert(AuditEvent).values(at=OLD, actor="x", action="y"))
    assert prune(core) == {"evidence": 1}
    rows = select(Incident.cause_key, Incident.evidence)
    assert dict(core.database.read_now(lambda c: c.execute(rows).all())) == {
        "old": "", "open": "open answer", "young": "young answer"
    }  # fmt: skip
    actions = core.database.read_now(lambda c: list(c.execute(select(AuditEvent.action)).scalars()))
    assert actions == ["y", "db prune"]


def test_zero_days_keep_for_ever(core: Core, tmp_path: Path) -> None:
    run(core, OLD, lines=1)
    run(core, OLD)
    never = {name: 0 for name in type(core.settings).model_fields if name.startswith("keep_")}
    for_ever = make_core(core.database, tmp_path, clock=FakeClock(), **never)
    assert {(line.days, line.before, line.rows) for line in prune_plan(for_ever)} == {(0, None, 0)}
    assert prune(for_ever) == {}


# -- while the disk is full ------------------------------------------------------------------------------------


@contextmanager
def full_disk(room: int = 1) -> Iterator[None]:
    """No file of this process may be longer than so many bytes, so the database can store nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def everything(core: Core) -> list[list[Any]]:
    """What the rules may take, row by row, and the audit."""
    tables = (Change, ChangeBatch, Changeset, FeedRun, FeedRunLog, Incident, StockMovement, AuditEvent, Installation)
    statements = [select(*table.__table__.columns).order_by(table.id) for table in tables]
    return core.database.read_now(lambda c: [[tuple(row) for row in c.execute(one)] for one in statements])


@pytest.fixture
def grown(sqlite_database: Database, tmp_path: Path) -> Core:
    """A database with something old of each kind, on a disk of this machine."""
    add_shop(sqlite_database)
    core = make_core(sqlite_database, tmp_path, clock=FakeClock())
    plan(core, rows=1_203)
    plan(core)
    run(core, OLD, lines=1_500)
    run(core, OLD)
    return core


def test_a_full_disk_leaves_all_as_it_was_and_says_so(grown: Core) -> None:
    before = everything(grown)
    with full_disk(), pytest.raises(DatabaseUnavailable, match=r"The disk of the database is full\.") as refused:
        prune_database(grown, actor="zofia")
    assert "Free space" in refused.value.remedy
    assert everything(grown) == before
    assert prune(grown) == {"logs": 1_500, "runs": 1, "changes": 1_203}


def test_a_disk_that_fills_up_half_way_costs_no_step_its_wholeness(grown: Core) -> None:
    before = everything(grown)
    log = Path(f"{grown.database.url.database}-wal")
    with full_disk(log.stat().st_size + 150_000), pytest.raises(DatabaseUnavailable, match="disk of the database"):
        prune_database(grown, actor="zofia")
    gone = len(before[4]) - len(everything(grown)[4])
    assert gone in (1_000, 1_500), "some steps went, each of them whole"
    assert check_database(grown.settings, clock=grown.clock).problems == ()
    assert prune(grown)["changes"] == 1_203


async def test_the_nights_retention_is_not_claimed_by_who_cannot_store_it(
    grown: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prestaconsole.runner.housekeeping.PAUSE", 0)
    monkeypatch.setattr("prestaconsole.runner.housekeeping.used_percent", lambda folder: 10)
    keeper = Housekeeper(grown, moment_of(grown.clock), lambda: False)
    before = everything(grown)
    with full_disk(), pytest.raises(DatabaseUnavailable, match="disk of the database"):
        await keeper.look()
    assert everything(grown) == before
    assert await keeper.look() == {"logs": 1_500, "runs": 1, "changes": 1_203}


# -- by itself, at night ---------------------------------------------------------------------------------------


async def test_one_process_prunes_once_a_night_and_the_others_leave_it(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prestaconsole.runner.housekeeping.PAUSE", 0)
    monkeypatch.setattr("prestaconsole.runner.housekeeping.used_percent", lambda folder: 10)
    keepers = [Housekeeper(core, moment_of(core.clock), lambda: False) for _ in range(2)]
    run(core, OLD, lines=2)
    run(core, OLD)
    assert [await keeper.look() for keeper in keepers] == [{"logs": 2, "runs": 1}, None]
    core.clock.forward(86_400)  # type: ignore[attr-defined]  # the test's own clock
    assert [await keeper.look() for keeper in keepers] == [{}, None]


def test_the_night_is_the_last_one_that_began_and_is_claimed_once(core: Core) -> None:
    assert last_night("", START) is None
    due = last_night("03:30", START)
    assert due is not None and timedelta() <= START - due < timedelta(days=1)
    assert (due.astimezone().hour, due.astimezone().minute) == (3, 30)
    claims = [core.database.write_now(lambda c: claim_night(c, due, START)) for _ in range(2)]
    assert claims == [True, False]
    assert core.database.read_now(lambda c: c.execute(select(Installation.epoch)).scalar_one()) == 1


async def test_a_full_disk_opens_one_incident_that_grows_graver_and_closes_by_itself(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = [79, 80, 85, 91, 99, 60]
    monkeypatch.setattr("prestaconsole.runner.housekeeping.used_percent", lambda folder: measured.pop(0))
    keeper, seen = Housekeeper(core, moment_of(core.clock), lambda: False), []
    while measured:
        await keeper.look()
        rows = core.database.read_now(
            lambda c: c.execute(select(Incident.severity, Incident.closed_at.is_(None)).order_by(Incident.id)).all()
        )
        seen.append([row[0] for row in rows if row[1]])
    assert seen == [[], ["ACT"], ["ACT"], ["STOP"], ["STOP"], []]
    assert len(ids(core, Incident)) == 1
    core.database.write_now(lambda c: note_disk(c, Path("/data"), 83, "ACT", START))
    (title,) = core.database.read_now(
        lambda c: list(c.execute(select(Incident.title).where(Incident.closed_at.is_(None))).scalars())
    )
    assert "/data is 83 % full" in title
