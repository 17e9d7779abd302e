"""An old backup brought back against a shop that moved on: nothing written, nothing twice, right after thaw (N15)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from prestaconsole.database import Database
from prestaconsole.model import (
    AuditEvent,
    Change,
    ChangeBatch,
    Changeset,
    ChangeState,
    FeedRun,
    FeedRunLog,
    Incident,
    Order,
    Runner,
    RunState,
    Shop,
    ShopMode,
    Waiver,
)
from prestaconsole.operations.availability import availability
from prestaconsole.operations.lives import read_life, restored_words
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner.queue import request_run
from prestaconsole.sandbox import SimulatedShop
from prestaconsole.services import golive, modes
from prestaconsole.services.backups import backup_database, restore_database
from prestaconsole.services.databases import check_database
from prestaconsole.services.status import status
from prestaconsole.services.stock import set_stock
from prestaconsole.settings import Settings
from tests.changes.live import LiveShop, make_live
from tests.support.bench import Bench, make_bench

TWO_DAYS = 2 * 86_400.0


async def test_a_backup_of_two_days_ago_writes_nothing_reads_the_gap_once_and_is_right_after_the_thaw(
    sqlite_database: Database, tmp_path: Path
) -> None:
    old = await make_live(sqlite_database, tmp_path, approval_needed="yes")
    busy = await _in_the_middle_of_work(old)
    file = tmp_path / "old.backup"
    backup_database(old.bench.core.settings, file, clock=old.clock)
    await _two_days_go_by(old, busy["plan"])
    written = old.sim.writes

    settings = Settings(**{**old.bench.core.settings.model_dump(), "data_dir": tmp_path / "new"})
    report = restore_database(settings, file, actor="zofia", clock=old.clock)
    assert (report.frozen, report.runs, report.plans, report.keyless) == (("Demo",), 2, 2, ())
    database = Database(settings.url)
    try:
        new, shop = _again(database, tmp_path / "new", old)
        _nothing_is_left_to_send(new, busy)
        assert "Shops stay frozen until reconciled" in status(new.core).restored
        assert check_database(settings).problems == ()
        _refuses_to_thaw(new)
        await _reading_goes_on(new, shop, old.sim)
        assert old.sim.writes == written
        await _thaw(new, shop, old)
    finally:
        database.close()


async def _in_the_middle_of_work(old: LiveShop) -> dict[str, int]:
    """A plan that waits for approval, one that is on its way, a run at work and one in the queue."""
    bench, shop, now = old.bench, old.shop, old.clock.now()
    old.more(0, 5)
    plan = (await bench.run(shop, "export_stock")).id
    (waiting,) = bench.rows(Changeset)
    plan = int(waiting["id"])

    def begin(connection: Any) -> dict[str, int]:
        sent = {"shop_id": shop.id, "kind": 1, "state": "applying", "actor": "x", "mode": "live", "created_at": now}
        applying = connection.execute(insert(Changeset).values(**sent, rows=1)).inserted_primary_key[0]
        batch = connection.execute(insert(ChangeBatch).values(changeset_id=applying, sent_at=now)).inserted_primary_key
        row = {"changeset_id": applying, "kind": 1, "record": old.listings[1]["id"], "before": "1", "after": "99"}
        connection.execute(insert(Change).values(**row, state=ChangeState.SENT, batch_id=batch[0]))
        values = {"shop_id": shop.id, "feed": "stock_check", "serial_key": "s", "actor": "x", "created_at": now}
        held = {"active_key": "a", "slot_key": f"{shop.id}:0", "owner": 1, "token": 3, "due": now}
        lease = now + timedelta(seconds=15)
        connection.execute(insert(FeedRun).values(**values, **held, state="running", lease_until=lease))
        connection.execute(
            insert(Runner).values(kind="daemon", host="old", pid=1, started_at=now, heartbeat=now, version="1")
        )
        request_run(connection, shop_id=shop.id, feed="export_stock", actor="x", trigger="person", now=now)
        waiver = {"shop_id": shop.id, "check": "stock-check", "reason": "r", "actor": "x", "at": now}
        connection.execute(insert(Waiver).values(**waiver))
        return {"plan": plan, "applying": int(applying)}

    return dict(bench.core.database.write_now(begin))


async def _two_days_go_by(old: LiveShop, plan: int) -> None:
    """The plan goes out, buyers order, one order is shipped, one cancelled; then the old database is lost."""
    bench, sim = old.bench, old.sim
    old.foreign(0, old.formula(0))()  # what the approved plan wrote
    old.clock.skipped += TWO_DAYS
    sold = [old.listings[number] for number in (0, 0, 2, 3, 4)]
    orders = [sim.sell(row["id_product"], row["id_product_attribute"], 1) for row in sold]
    sim.set_order_state(orders[2], 4)
    sim.set_order_state(orders[3], 6)
    assert bench.rows(Changeset, Changeset.id == plan)


def _again(database: Database, folder: Path, old: LiveShop) -> tuple[Bench, ShopRecord]:
    bench = make_bench(database, folder, clock=old.clock, write_timeout=60.0)
    bench.simulated.update(old.bench.simulated)
    return bench, bench.shop(old.shop)


def _nothing_is_left_to_send(new: Bench, busy: dict[str, int]) -> None:
    assert new.rows(FeedRun, FeedRun.state.in_(("queued", "running"))) == []
    ended = new.rows(FeedRun, FeedRun.error_kind == "restored")
    assert {(row["state"], row["active_key"], row["slot_key"], row["lease_until"]) for row in ended} == {
        (RunState.CANCELLED, None, None, None)
    }
    assert all("restored from old.backup" in row["error"] for row in ended)
    assert any("restored from old.backup" in row["text"] for row in new.rows(FeedRunLog))
    plans = {row["id"]: row["state"] for row in new.rows(Changeset)}
    assert (plans[busy["plan"]], plans[busy["applying"]]) == ("void", "failed")
    changes = new.rows(Change)
    assert {row["state"] for row in changes} == {ChangeState.SKIPPED, ChangeState.FAILED}
    assert all("restored from old.backup" in row["note"] for row in changes)
    assert [row for row in new.rows(Runner) if row["stopped_at"] is None] == []
    assert new.rows(Waiver, Waiver.check == "stock-check") == []
    life = new.core.database.read_now(read_life)
    assert (life.epoch, life.restored_from, life.backed_up_at) == (2, "old.backup", None)
    assert life.restored_at and life.restored_as_of and life.restored_at - life.restored_as_of > timedelta(days=1)
    assert [row["cause_key"] for row in new.rows(Incident, Incident.closed_at.is_(None))] == ["restored"]
    modes_changed = [row for row in new.rows(AuditEvent) if row["action"] == "shop mode"]
    assert (modes_changed[-1]["before"], modes_changed[-1]["after"]) == ({"mode": "live"}, {"mode": "frozen"})


def _refuses_to_thaw(new: Bench) -> None:
    points = {point.name: point for point in golive.check_list(new.core, "demo", ShopMode.LIVE).points}
    assert (points["restored"].state, points["restored"].waivable) == ("FIX", False)
    with pytest.raises(modes.ModeRefused) as refused:
        modes.change_mode(new.core, "demo", "live", actor="zofia", confirm="demo", waive={"email": "x", "skus": "x"})
    assert "restored" in {point.name for point in refused.value.open}


async def _reading_goes_on(new: Bench, shop: ShopRecord, sim: SimulatedShop) -> None:
    await new.run_all(shop, "import_orders", "stock_check", "import_orders")
    known = [row["id_order"] for row in new.rows(Order)]
    assert sorted(known) == sorted(sim.table("orders").ids())
    last = new.rows(FeedRun, FeedRun.feed == "stock_check", FeedRun.state == "done")[-1]
    assert last["counts"]["drift"] == 0 and last["counts"]["compared"] > 0
    plan = await new.run(shop, "export_stock")
    assert (plan.state, plan.plan_only) == ("done", True)


async def _thaw(new: Bench, shop: ShopRecord, old: LiveShop) -> None:
    from prestaconsole.feeds.enabled import by_resource, needed_rights

    def grant(connection: Any) -> None:
        wanted = by_resource(needed_rights(connection, new.shop(shop)))
        rights = {name: sorted(methods) for name, methods in wanted.items()}
        connection.execute(update(Shop).values(capabilities={"permissions": rights}))

    new.core.database.write_now(grant)
    waived = dict.fromkeys(("foreign-writes", "rehearsal-plan"), "test")
    modes.change_mode(new.core, "demo", "live", actor="zofia", confirm="demo", waive=waived)
    assert new.core.database.read_now(restored_words) == ""
    assert new.rows(Incident, Incident.closed_at.is_(None), Incident.cause_key == "restored") == []
    new.core.database.write_now(lambda c: _no_approval(c))
    before = old.sim.writes
    old.sell(5)()
    first = await new.run(new.shop(shop), "export_stock")
    assert (first.state, first.error) == ("done", "")
    assert old.sim.writes == before, "the shop was right already: an old number would be written here"
    set_stock(new.core, old.listings[6]["sku"], 77, warehouse="W1", reason="counted", actor="zofia")
    sent = await new.run(new.shop(shop), "export_stock")
    assert (sent.state, sent.error) == ("done", "")
    for listing in old.listings:
        shown = new.core.database.read_now(lambda c, one=listing: availability(c, new.shop(shop), [one["id"]]))
        assert shown[listing["id"]].shown == old.sim.quantity(listing["id_product"], listing["id_product_attribute"])
    check = await new.run(new.shop(shop), "stock_check")
    assert check.counts["drift"] == 0


def _no_approval(connection: Any) -> None:
    from prestaconsole.model import ShopSetting

    connection.execute(update(ShopSetting).where(ShopSetting.name == "approval.needed").values(value="no"))
