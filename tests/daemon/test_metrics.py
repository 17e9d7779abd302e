"""/metrics as a scraper reads it: parsed by real parsers, by the rules of both formats, with figures that are true."""

import asyncio
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from sqlalchemy import insert, update

from prestaconsole.daemon.figures import Reader
from prestaconsole.daemon.metrics import Metrics
from prestaconsole.database import Connection, Database, DatabaseUnavailable
from prestaconsole.model import (
    Change,
    ChangeKind,
    Changeset,
    ChangesetState,
    ChangeState,
    FeedRun,
    FeedSchedule,
    FeedState,
    Incident,
    Installation,
    Runner,
    RunState,
    Shop,
)
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.runner.signs import Health
from prestaconsole.runner.worker import Worker
from prestaconsole.webservice import errors
from prestaconsole.webservice.pacing import shared
from tests.support.runs import SHOP_KEY, START, FakeClock, add_shop, make_core

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
UNITS = ("_seconds", "_bytes", "_total", "_timestamp_seconds", "_info")
LABELS = {
    *("shop", "feed", "state", "mode", "method", "kind", "result", "severity", "host", "error_kind"),
    *("version", "python", "database"),
}


def metrics_of(core: Core, state: str = "working") -> Metrics:
    return Metrics(core, Worker(core, "daemon"), lambda: Health(state))  # type: ignore[arg-type]


async def scrape(metrics: Metrics) -> dict[str, Metric]:
    body, kind = await metrics.text()
    assert kind.startswith("text/plain; version=0.0.4")
    metrics._read_at = float("-inf")  # the next scrape of this test reads anew
    return {family.name: family for family in read_text(body.decode())}


def value(families: dict[str, Metric], name: str, **labels: str) -> float | None:
    """The sample of this name and these labels; None where there is none."""
    found = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) <= 1, (name, labels)
    return found[0] if found else None


def change(database: Database, *statements: Any) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    database.write_now(work)


def run_row(shop: ShopRecord, number: int, **values: Any) -> Any:
    row = {
        "shop_id": shop.id,
        "feed": "import_orders",
        "serial_key": f"{shop.id}:{number}",
        "active_key": f"{shop.id}:{number}",
        "due": START,
        "created_at": START,
        "actor": "Zofia",
        "state": RunState.QUEUED,
    }
    return insert(FeedRun).values(**{**row, **values})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def core(sqlite_database: Database, tmp_path: Path, clock: FakeClock) -> Core:
    return make_core(sqlite_database, tmp_path, clock=clock)


def fill(database: Database) -> ShopRecord:
    """A shop with a little of everything."""
    shop = add_shop(database, email="owner@shop.example")
    row = {"zone": "UTC", "updated_by": "Zofia", "updated_at": START, "enabled": True}
    change(
        database,
        insert(FeedSchedule).values(shop_id=shop.id, feed="import_orders", every="every 5 min", next_due=START, **row),
        insert(FeedState).values(shop_id=shop.id, feed="import_orders", last_ok_at=START - timedelta(minutes=20)),
        run_row(shop, 1, due=START - timedelta(seconds=90), error_kind="dns"),
        run_row(shop, 2, due=START + timedelta(seconds=90)),
        run_row(shop, 3, state=RunState.RUNNING, feed="stock_check"),
        run_row(shop, 4, feed="feed_of_the_future"),
        insert(Incident).values(cause_key="x", severity="ACT", title="Anna Kowalska", opened_at=START, last_at=START),
        insert(Changeset).values(
            shop_id=shop.id, kind=1, state="held", actor="Zofia", mode="live", reason="a secret", created_at=START
        ),
        insert(Runner).values(
            kind="daemon",
            host="box",
            pid=7,
            started_at=START,
            heartbeat=START - timedelta(seconds=4),
            progress_at=START - timedelta(seconds=9),
        ),
        Installation.__table__.delete(),
        insert(Installation).values(id=1, epoch=3, backed_up_at=START),
    )
    return shop


async def test_both_formats_are_read_by_real_parsers_and_keep_the_rules_of_naming(
    database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    core = make_core(database, tmp_path, clock=clock)
    fill(database)
    pacer = shared("https://wolle.example", clock)
    pacer.answered("GET", "orders", 0.2)
    pacer.ended(errors.TimedOut("slow"))
    metrics = metrics_of(core)
    await scrape(metrics)
    change(database, update(FeedRun).values(state=RunState.FAILED, error_kind="timeout"))
    families = await scrape(metrics)
    body, kind = await metrics.text(OPENMETRICS)
    assert kind.startswith("application/openmetrics-text")
    assert {family.name for family in read_openmetrics(body.decode())} >= {
        name.removesuffix("_total") for name in families
    } - {"prestaconsole_build_info"}
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for family in families.values():
        assert family.documentation.strip(), family.name
        if family.name.startswith("process_"):
            continue
        assert re.fullmatch(r"prestaconsole_[a-z][a-z_]*[a-z]", family.name)
        assert not re.search(r"_(minutes|hours|days|ms|milliseconds|kilobytes|percent)(_|$)", family.name)
        if re.search(r"_(age|duration|limit)(_|$)", family.name):
            assert family.name.endswith("_seconds"), family.name
        for sample in family.samples:
            assert set(sample.labels) <= LABELS, sample
            assert family.type != "counter" or sample.name.endswith("_total"), sample
            assert family.type == "counter" or not sample.name.endswith("_total"), sample
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in seen, key
            seen.add(key)


async def test_no_key_and_nothing_of_people_or_orders_leaves(core: Core) -> None:
    fill(core.database)
    body, _ = await metrics_of(core).text()
    text = body.decode()
    for secret in (SHOP_KEY, "Anna", "Kowalska", "Zofia", "owner@", "a secret", "https://"):
        assert secret not in text


async def test_ages_limits_and_lateness_are_those_of_status(core: Core, clock: FakeClock) -> None:
    fill(core.database)
    families = await scrape(metrics_of(core))
    mine = {"shop": "wolle", "feed": "import_orders"}
    assert value(families, "prestaconsole_feed_age_seconds", **mine) == 20 * 60
    assert value(families, "prestaconsole_feed_freshness_limit_seconds", **mine) == 15 * 60
    change(core.database, update(FeedState).values(last_ok_at=START))
    families = await scrape(metrics_of(core))
    assert value(families, "prestaconsole_feed_age_seconds", **mine) == 0
    assert value(families, "prestaconsole_feed_late", **mine) == 0


async def test_a_paused_shop_has_no_limit_and_leaves_the_queue_out(core: Core) -> None:
    fill(core.database)
    change(core.database, update(Shop).values(paused_at=START))
    families = await scrape(metrics_of(core))
    mine = {"shop": "wolle", "feed": "import_orders"}
    assert value(families, "prestaconsole_feed_freshness_limit_seconds", **mine) is None
    assert value(families, "prestaconsole_queue_oldest_due_seconds") == 0
    assert value(families, "prestaconsole_shop_paused", shop="wolle") == 1


async def test_queue_incidents_brake_daemon_and_backup_are_shown(core: Core) -> None:
    fill(core.database)
    families = await scrape(metrics_of(core))
    assert value(families, "prestaconsole_queue_due_runs") == 2
    assert value(families, "prestaconsole_queue_oldest_due_seconds") == 90
    runs = {"feed": "import_orders", "state": "queued"}
    assert value(families, "prestaconsole_runs_active", **runs, error_kind="dns") == 1
    assert value(families, "prestaconsole_runs_active", **runs, error_kind="none") == 1
    # A row cannot invent a label.
    assert value(families, "prestaconsole_runs_active", feed="other", state="queued", error_kind="none") == 1
    assert value(families, "prestaconsole_incidents_open", severity="ACT") == 1
    assert value(families, "prestaconsole_incidents_open", severity="STOP") == 0
    assert value(families, "prestaconsole_shop_held_plans", shop="wolle") == 1
    assert value(families, "prestaconsole_shop_brake_engaged", shop="wolle") == 1
    assert value(families, "prestaconsole_shop_mode", shop="wolle", mode="live") == 1
    assert value(families, "prestaconsole_shop_mode", shop="wolle", mode="setup") == 0
    assert value(families, "prestaconsole_daemon_heartbeat_age_seconds", host="box") == 4
    assert value(families, "prestaconsole_daemon_progress_age_seconds", host="box") == 9
    assert value(families, "prestaconsole_backup_last_success_timestamp_seconds") == START.timestamp()
    assert value(families, "prestaconsole_database_epoch") == 3


async def test_a_run_that_ends_counts_once_whatever_the_clock_does(core: Core, clock: FakeClock) -> None:
    shop = add_shop(core.database)
    change(core.database, run_row(shop, 1), run_row(shop, 2, state=RunState.DONE, active_key=None))
    metrics = metrics_of(core)
    done = {"feed": "import_orders", "state": "done", "error_kind": "none"}
    assert value(await scrape(metrics), "prestaconsole_runs_ended_total", **done) == 0
    ended = {"state": RunState.DONE, "ended_at": START - timedelta(days=1), "active_key": None}
    change(core.database, update(FeedRun).where(FeedRun.id == 1).values(**ended))
    change(core.database, run_row(shop, 3, state=RunState.FAILED, error_kind="dns", active_key=None))
    clock.forward(-3600)
    for _ in range(3):
        families = await scrape(metrics)
        assert value(families, "prestaconsole_runs_ended_total", **done) == 1
        failed = {"feed": "import_orders", "state": "failed", "error_kind": "dns"}
        assert value(families, "prestaconsole_runs_ended_total", **failed) == 1


def test_a_run_that_was_open_for_long_counts_when_it_ends_and_late_numbers_count_too(database: Database) -> None:
    shop, reader = add_shop(database), Reader()
    key = ("import_orders", "done", "none")

    def ended() -> int:
        return database.read_now(lambda c: reader.read(c, START)).ended.get(key, 0)

    change(database, run_row(shop, 1, id=1), run_row(shop, 2, id=5000, active_key="x"))
    assert ended() == 0
    change(database, update(FeedRun).where(FeedRun.id == 1).values(state=RunState.DONE, active_key=None))
    # A number that was given before the newest one, and committed after the look.
    change(database, run_row(shop, 3, id=4999, state=RunState.DONE, active_key=None))
    assert ended() == 2
    assert ended() == 2


def test_writes_count_as_they_are_confirmed_or_fail(database: Database) -> None:
    shop, reader = add_shop(database), Reader()

    def written() -> dict[tuple[str, str, str], int]:
        return dict(database.read_now(lambda c: reader.read(c, START)).written)

    def plan(number: int, state: ChangesetState) -> None:
        row = {"shop_id": shop.id, "kind": 1, "state": state, "actor": "Zofia", "mode": "live", "created_at": START}
        change(database, insert(Changeset).values(id=number, **row))
        rows = [
            {"changeset_id": number, "kind": ChangeKind.STOCK, "record": number * 100 + one, "after": "1", "state": 0}
            for one in range(10)
        ]
        change(database, insert(Change).values(rows))

    def confirm(number: int, upto: int, state: ChangeState = ChangeState.CONFIRMED) -> None:
        rows = update(Change).where(
            Change.changeset_id == number, Change.record < number * 100 + upto, Change.state == 0
        )
        change(database, rows.values(state=state))

    plan(1, ChangesetState.APPLYING)
    confirm(1, 4)
    assert written() == {}
    confirm(1, 6)
    assert written() == {("wolle", "stock", "confirmed"): 2}
    plan(2, ChangesetState.PLANNED)
    assert written() == {("wolle", "stock", "confirmed"): 2}
    confirm(2, 9)
    confirm(2, 10, ChangeState.FAILED)
    change(database, update(Changeset).where(Changeset.id == 2).values(state=ChangesetState.DONE))
    expected = {("wolle", "stock", "confirmed"): 11, ("wolle", "stock", "failed"): 1}
    assert written() == expected
    assert written() == expected
    confirm(1, 10)
    change(database, update(Changeset).values(state=ChangesetState.DONE))
    assert written() == {**expected, ("wolle", "stock", "confirmed"): 15}


async def test_requests_errors_and_the_breaker_of_a_shop_are_those_of_this_process(
    core: Core, clock: FakeClock
) -> None:
    add_shop(core.database)
    pacer = shared("https://wolle.example", clock)
    for method, resource, seconds in (("GET", "orders", 0.5), ("GET", "products", 0.25), ("PUT", "stock", 2.0)):
        pacer.answered(method, resource, seconds)
    shared("https://removed.example", clock).answered("GET", "orders", 1.0)
    for _ in range(4):
        pacer.ended(errors.TimedOut("slow"))
    families = await scrape(metrics_of(core))
    asked = "prestaconsole_shop_request_duration_seconds"
    assert value(families, f"{asked}_count", shop="wolle", method="GET") == 2
    assert value(families, f"{asked}_sum", shop="wolle", method="GET") == 0.75
    assert value(families, f"{asked}_sum", shop="wolle", method="PUT") == 2
    assert value(families, "prestaconsole_shop_errors_total", shop="wolle", kind="timeout") == 4
    assert value(families, "prestaconsole_shop_breaker_state", shop="wolle", state="open") == 1
    assert value(families, "prestaconsole_shop_breaker_state", shop="wolle", state="closed") == 0
    assert {sample.labels["shop"] for sample in families[asked].samples} == {"wolle"}


async def test_a_database_that_is_away_costs_its_figures_and_not_the_page(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_shop(core.database)
    metrics = metrics_of(core, "waiting")
    assert value(await scrape(metrics), "prestaconsole_database_up") == 1

    async def away(work: Callable[[Connection], Any], **how: Any) -> Any:
        raise DatabaseUnavailable("away", "")

    monkeypatch.setattr(core.database, "read", away)
    families = await scrape(metrics)
    assert value(families, "prestaconsole_database_up") == 0
    assert value(families, "prestaconsole_daemon_state", state="waiting") == 1
    assert "prestaconsole_shop_mode" not in families


async def test_a_database_that_never_answers_holds_one_question_and_no_loop(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked = threading.Event(), []

    async def silent(work: Callable[[Connection], Any], **how: Any) -> Any:
        asked.append(1)
        await asyncio.to_thread(release.wait)
        raise DatabaseUnavailable("away", "")

    monkeypatch.setattr(core.database, "read", silent)
    monkeypatch.setattr("prestaconsole.daemon.metrics._READ_WITHIN", 0.01)
    metrics = metrics_of(core)
    for _ in range(3):
        assert value(await scrape(metrics), "prestaconsole_database_up") == 0
    assert asked == [1]
    release.set()
    assert metrics._reading is not None
    assert await metrics._reading is None


async def test_labels_stay_few_with_many_shops_and_many_runs(core: Core) -> None:
    for number in range(20):
        shop = add_shop(core.database, f"shop{number}")
        change(core.database, *(run_row(shop, one, state=RunState.DONE, active_key=None) for one in range(5)))
    metrics = metrics_of(core)
    before = sum(len(family.samples) for family in (await scrape(metrics)).values())
    shop = add_shop(core.database, "more")
    change(core.database, *(run_row(shop, one, state=RunState.DONE, active_key=None) for one in range(50)))
    after = sum(len(family.samples) for family in (await scrape(metrics)).values())
    assert after - before <= 10
