"""Doors × modes × faults: no write outside live, none past a tripped brake, none unconfirmed called done.

Every door by which something may leave for a shop is a row of `DOORS`; a new one that is missing there fails here.
"""

import asyncio
import importlib
import inspect
import pkgutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import update

import prestaconsole
from prestaconsole import services
from prestaconsole.database import Database
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import (
    Change,
    Changeset,
    ChangesetState,
    ChangeState,
    FeedRun,
    FeedSchedule,
    Incident,
    RunState,
    Shop,
    ShopMode,
)
from prestaconsole.services import (
    changesets,
    feeds,
    foreign,
    incidents,
    modes,
    pauses,
    runs,
    shops,
    stock,
    stock_loads,
    stock_moves,
    stock_rules,
    warehouses,
)
from tests.changes.live import kill, time_out
from tests.e2e.doors import ACTOR, CODE, FOREIGN, House, Prepared, prepare
from tests.e2e.test_one_door import places_that
from tests.support.databases import Makers

Door = Callable[[House], object]
Fault = Callable[[House], None]

MAY_EMPTY = 4
"""So many SKUs of this small shop may go to zero within an hour without a person (DESIGN §5)."""


# -- the doors ----------------------------------------------------------------------------------------------------


def ask(feed: str, house: House, **how: Any) -> object:
    """Queue a feed."""
    return feeds.request_feed(house.core, CODE, feed, actor=ACTOR, **how)


def each_plan(work: Callable[[House, int], object], house: House) -> None:
    """Do it to every plan that there is; a refusal of one does not keep it from the next."""
    for row in house.bench.rows(Changeset):
        try:
            work(house, row["id"])
        except PrestaConsoleError:
            continue


def approve(house: House, plan: int) -> object:
    changesets.approve(house.core, plan, actor=ACTOR)
    return changesets.request_apply(house.core, plan, actor=ACTOR)


def release(house: House, plan: int) -> object:
    changesets.release(house.core, plan, confirm=CODE, reason="looked at", actor=ACTOR)
    return changesets.request_apply(house.core, plan, actor=ACTOR)


def undo(house: House, plan: int) -> object:
    made = changesets.plan_undo(house.core, plan, actor=ACTOR)
    return changesets.request_apply(house.core, made.changeset.id, actor=ACTOR)


def decide(decision: str, house: House) -> None:
    for number in house.foreign_ids():
        foreign.decide(house.core, number, decision, actor=ACTOR, reason="seen")


def schedule(house: House) -> None:
    """Every feed, by a schedule that is due."""
    for feed in FEEDS:
        try:
            feeds.schedule_feed(house.core, CODE, feed, "every 1 h", actor=ACTOR)
        except PrestaConsoleError:
            continue
    now = house.clock.now()
    house.database.write_now(lambda c: c.execute(update(FeedSchedule).values(next_due=now)))


def retry_all(house: House) -> None:
    for row in house.bench.rows(Incident, Incident.closed_at.is_(None)):
        try:
            incidents.retry_incident(house.core, row["id"], actor=ACTOR)
        except PrestaConsoleError:
            continue


def cancel_all(house: House) -> None:
    ask("export_stock", house, params={"all": True})
    for row in house.bench.rows(FeedRun, FeedRun.state.in_((RunState.QUEUED, RunState.RUNNING))):
        runs.cancel_run(house.core, row["id"], actor=ACTOR)


def empty_stock(house: House) -> None:
    for sku in house.prepared.skus:
        stock.set_stock(house.core, sku, 0, warehouse="W1", reason="gone", actor=ACTOR)


def load(house: House) -> None:
    file = Path(str(house.database.url.database)).with_name("stock.csv")
    rows = "".join(f"{sku},{20 + place}\n" for place, sku in enumerate(house.prepared.skus))
    file.write_text(f"sku,quantity\n{rows}", encoding="utf-8")
    stock_loads.load_stock(house.core, file, warehouse="W1", actor=ACTOR)


def transfer(house: House) -> None:
    warehouses.add_warehouse(house.core, "W2", actor=ACTOR)
    sku = house.prepared.skus[13]
    stock_moves.transfer_stock(house.core, sku, 3, source="W1", target="W2", actor=ACTOR)


def _sku(number: int, work: Callable[..., object], house: House, **how: Any) -> object:
    return work(house.core, house.prepared.skus[number], actor=ACTOR, **how)


DOORS: dict[str, Door] = {
    **{f"feeds.request_feed:{feed}": partial(ask, feed) for feed in FEEDS},
    "feeds.request_feed:a second import_stock": partial(ask, "import_stock", reason="again", known="overwrite"),
    "feeds.request_feed:by event": partial(ask, "export_stock", trigger="event"),
    "feeds.request_feed:by schedule": partial(ask, "export_stock", trigger="schedule"),
    "feeds.request_feed:everything": partial(ask, "export_stock", params={"all": True}),
    "feeds.request_feed:single SKUs": lambda house: ask(
        "export_stock", house, params={"skus": [house.prepared.skus[4]]}
    ),
    "feeds.request_feed:a dry run": partial(ask, "export_stock", plan=True),
    "feeds.request_feed:stock_check that repairs": partial(ask, "stock_check", repair=True),
    "feeds.schedule_feed": schedule,
    "changesets.request_apply": partial(
        each_plan, lambda house, plan: changesets.request_apply(house.core, plan, actor=ACTOR)
    ),
    "changesets.approve": partial(each_plan, approve),
    "changesets.release": partial(each_plan, release),
    "changesets.drop": partial(each_plan, lambda house, plan: changesets.drop(house.core, plan, actor=ACTOR)),
    "changesets.plan_undo": partial(each_plan, undo),
    "foreign.decide:keep": partial(decide, "keep"),
    "foreign.decide:overwrite": partial(decide, "overwrite"),
    "foreign.decide:adopt": partial(decide, "adopt"),
    "foreign.decide_many": lambda house: foreign.decide_many(
        house.core, house.foreign_ids(), "overwrite", actor=ACTOR, reason="seen"
    ),
    "incidents.retry_incident": retry_all,
    "runs.cancel_run": cancel_all,
    "modes.change_mode:live": lambda house: modes.change_mode(house.core, CODE, "live", confirm=CODE, actor=ACTOR),
    "modes.change_mode:frozen": lambda house: modes.change_mode(house.core, CODE, "frozen", actor=ACTOR),
    "modes.change_mode:setup": lambda house: modes.change_mode(house.core, CODE, "setup", actor=ACTOR),
    "shops.pause_shop": lambda house: shops.pause_shop(house.core, CODE, reason="upgrade", actor=ACTOR),
    "shops.resume_shop": lambda house: shops.resume_shop(house.core, CODE, actor=ACTOR),
    "pauses.pause_everything": lambda house: pauses.pause_everything(house.core, reason="move", actor=ACTOR),
    "pauses.resume_everything": lambda house: pauses.resume_everything(house.core, actor=ACTOR),
    "shops.set_values:no warehouse": lambda house: shops.set_values(
        house.core, CODE, {"stock.warehouses": ""}, actor=ACTOR
    ),
    "shops.set_values:everything kept back": lambda house: shops.set_values(
        house.core, CODE, {"stock.buffer": "1000"}, actor=ACTOR
    ),
    "stock.set_stock:nothing left": empty_stock,
    "stock_loads.load_stock": load,
    "stock_moves.receive_stock": partial(_sku, 13, stock_moves.receive_stock, units=4, warehouse="W1"),
    "stock_moves.return_stock": partial(_sku, 14, stock_moves.return_stock, units=1, warehouse="W1", reason="back"),
    "stock_moves.transfer_stock": transfer,
    "stock_rules.set_product_formula": lambda house: stock_rules.set_product_formula(
        house.core, house.prepared.skus[14], CODE, {"buffer": "5"}, actor=ACTOR
    ),
    "stock_rules.set_kit": lambda house: stock_rules.set_kit(
        house.core, house.prepared.skus[14], {house.prepared.skus[13]: 2}, actor=ACTOR
    ),
    "stock_rules.stop_selling": partial(_sku, 15, stock_rules.stop_selling, reason="recalled"),
    "stock_rules.resume_selling": partial(_sku, 15, stock_rules.resume_selling, reason="tested"),
    "warehouses.set_warehouse": lambda house: warehouses.set_warehouse(house.core, "W1", {"active": "no"}, actor=ACTOR),
}

BY_ANOTHER_DOOR = {
    "feeds.run_feed": "feeds.request_feed:export_stock",
    "changesets.apply": "changesets.request_apply",
    "safe_steps.run_safe": "feeds.request_feed:analyse",
    "orders.import_orders": "feeds.request_feed:import_orders",
    "stock_loads.begin_load": "stock_loads.load_stock",
    "stock_loads.book_rows": "stock_loads.load_stock",
}
"""These call the other and wait, or are a part of it."""

NO_DOOR = {
    "asks the shop, by GET alone (test_one_door)": {
        *("connections.add_shop", "connections.test_connection", "connections.rotate_key"),
        *("doctor.examine", "doctor.examine_all"),
    },
    "moves no stock and asks no shop": {
        *("alerts.test_alerts", "golive.waive", "golive.store_waivers", "golive.unwaive", "retention.prune_database"),
        *("incidents.own_incident", "incidents.snooze_incident", "incidents.close_incident"),
        *("mappings.set_order_state", "mappings.set_undecided", "mappings.set_order_states", "mappings.import_csv"),
        "warehouses.add_warehouse",
    },
    "refused while the shop is live, and begins in rehearsal": {"stock_imports.take_back_import"},
    "a database in another's place: every shop is frozen in it (tests/services/test_restoring.py)": {
        *("backups.restore_database", "restoring.begin_new_life"),
    },
}


def what_people_do() -> Iterator[str]:
    """Every public function of the services that takes an actor: what any face can do goes through one of them."""
    for module in pkgutil.walk_packages(services.__path__, "prestaconsole.services."):
        for name, found in vars(importlib.import_module(module.name)).items():
            mine = inspect.isfunction(found) and found.__module__ == module.name and not name.startswith("_")
            if mine and "actor" in inspect.signature(found).parameters:
                yield f"{module.name.removeprefix('prestaconsole.services.')}.{name}"


def test_every_door_is_known_here() -> None:
    done = set(what_people_do())
    known = {name.partition(":")[0] for name in DOORS} | set(BY_ANOTHER_DOOR) | set().union(*NO_DOOR.values())
    assert done - known == set(), "add it to DOORS, or to NO_DOOR with the reason why nothing can leave by it"
    assert known - done == set(), "this is no more"
    assert set(BY_ANOTHER_DOOR.values()) <= set(DOORS)


def test_no_face_passes_the_services_by() -> None:
    def reaches(node: Any) -> bool:
        import ast

        named = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        below = ("prestaconsole.changes", "prestaconsole.runner.queue", "prestaconsole.runner.execution")
        return named.startswith(below)

    faces = {name for name in places_that(reaches) if name.startswith(("cli/", "console/", "daemon/"))}
    assert faces == set()
    asking = {path for path in _sources() if "request_run(" in path.read_text(encoding="utf-8")}
    assert {path.name for path in asking} == {"feeds.py", "queue.py"}


def _sources() -> list[Path]:
    return sorted(Path(prestaconsole.__file__).parent.rglob("*.py"))


# -- the modes ----------------------------------------------------------------------------------------------------


def put_into(house: House, mode: str) -> None:
    """The shop in this mode, past every check-list and whatever it was in before."""
    pauses.resume_everything(house.core, actor=ACTOR)
    values: dict[str, Any] = {"mode": ShopMode.LIVE, "paused_at": None}
    if mode == "paused":
        values |= {"paused_at": house.clock.now(), "paused_by": "Anaïs", "pause_reason": "upgrade"}
    elif mode != "everything paused":
        values["mode"] = ShopMode(mode)
    house.database.write_now(lambda c: c.execute(update(Shop).values(**values)))
    if mode == "everything paused":
        pauses.pause_everything(house.core, reason="move", actor=ACTOR)


MODES = ["live", "draft", "setup", "rehearsal", "frozen", "paused", "everything paused"]


# -- the faults ---------------------------------------------------------------------------------------------------


def somebody_writes(house: House) -> None:
    """Another tool writes over the rows of the request that is under way."""
    for row, units in house.wire.puts[-1].rows.items():
        house.sim.table("stock_availables").update(row, {"quantity": str(max(units, 0) + FOREIGN)})


def refuse_rows(house: House) -> None:
    """PrestaShop refuses two rows for good, wherever in a body they stand."""
    for number in (4, 14):
        house.sim.table("stock_availables").update(house.stock_row(number), {"out_of_stock": "abc"})


def lie(house: House) -> None:
    house.wire.notebook.lies = 2


def cancel(house: House) -> None:
    house.database.write_now(
        lambda c: c.execute(update(FeedRun).where(FeedRun.state == RunState.RUNNING).values(cancel_requested=True))
    )


def before(hook: Callable[[], object], house: House) -> None:
    house.wire.before = [None, lambda: hook() and None]


def after(hook: Callable[[House], object], house: House) -> None:
    house.wire.after = [lambda: hook(house) and None]


FAULTS: dict[str, Fault] = {
    "none": lambda house: None,
    "time-out before the write": lambda house: setattr(house.wire, "before", [time_out, None, time_out]),
    "time-out after the write": lambda house: setattr(house.wire, "after", [time_out, None, time_out]),
    "nothing gets through": lambda house: setattr(house.wire, "before", [time_out] * 200),
    "500 although it was written": lambda house: setattr(house.wire, "answers", [httpx.Response(500)] * 2),
    "502 by the gateway": lambda house: setattr(house.wire, "answers", [httpx.Response(502)]),
    "a refused row": refuse_rows,
    "killed before the write": lambda house: setattr(house.wire, "before", [kill, None, kill]),
    "killed after the write": lambda house: setattr(house.wire, "after", [kill, None, kill]),
    "yes, and not stored": lie,
    "somebody writes before": lambda house: setattr(house.wire, "before", [partial(somebody_writes, house)]),
    "somebody writes after": lambda house: setattr(house.wire, "after", [partial(somebody_writes, house)]),
    "frozen under way": lambda house: setattr(house.wire, "after", [partial(put_into, house, "frozen")]),
    "everything paused under way": lambda house: setattr(
        house.wire, "before", [partial(put_into, house, "everything paused")]
    ),
    "cancelled under way": lambda house: setattr(house.wire, "after", [partial(cancel, house)]),
    "emptied under way": lambda house: setattr(house.wire, "after", [partial(empty_stock, house)]),
}


def mend(house: House) -> None:
    """The road is sound again."""
    for hooks in (house.wire.before, house.wire.after, house.wire.answers):
        hooks.clear()
    house.wire.notebook.lies = 0
    table = house.sim.table("stock_availables")
    for row in table:
        if table.value(row, "out_of_stock") == "abc":
            table.update(int(row["id"]), {"out_of_stock": "2"})


# -- what must hold -------------------------------------------------------------------------------------------------


def nothing_wrong_left(house: House) -> None:
    """No PUT outside live, past the brake, or of a row that was not marked; no zeros that nobody looked at."""
    for seen in house.wire.seen:
        assert seen.open, "a write outside live"
        assert seen.braked == (), "a write past a tripped brake"
        assert seen.unmarked == (), "a write that no change tells of"
    if house.clock.skipped < 3_600:
        emptied = set().union(*(seen.emptied for seen in house.wire.seen))
        assert len(emptied) <= MAY_EMPTY, "more zeros than the brake lets pass"


def nothing_unconfirmed_is_done(house: House, known: set[int]) -> None:
    """Whatever is called confirmed, the shop has really stored; a plan that is done holds nothing open."""
    for row in house.bench.rows(Change, Change.state.in_((ChangeState.CONFIRMED, ChangeState.UNDONE))):
        if row["id"] not in known:
            assert (house.kept[row["record"]], int(row["after"])) in house.wire.notebook.stored, dict(row)
    open_rows = {row["changeset_id"] for row in house.bench.rows(Change, Change.state < ChangeState.CONFIRMED)}
    for plan in house.bench.rows(Changeset):
        if plan["state"] in {ChangesetState.DONE, ChangesetState.FAILED, ChangesetState.UNDONE, ChangesetState.VOID}:
            assert plan["id"] not in open_rows, dict(plan)


def all_is_explained(house: House) -> None:
    """No row in doubt and no run at work; what was not written says why."""
    for row in house.bench.rows(Change, Change.state != ChangeState.CONFIRMED):
        assert row["state"] != ChangeState.SENT, dict(row)
        if row["state"] in {ChangeState.FAILED, ChangeState.SKIPPED}:
            assert row["note"], dict(row)
    for plan in house.bench.rows(Changeset, Changeset.state == ChangesetState.HELD):
        held = house.bench.rows(Change, Change.changeset_id == plan["id"], Change.state == ChangeState.HELD)
        assert plan["error"] or all(row["note"] for row in held), dict(plan)
    assert house.bench.rows(FeedRun, FeedRun.state == RunState.RUNNING) == []
    for run in house.bench.rows(FeedRun, FeedRun.state == RunState.FAILED):
        assert run["error_kind"] != "fault", run["error"]


async def live_through(house: House, mode: str, steps: list[tuple[str, str]], *, stays: bool) -> None:
    """Walk through the doors in this mode, each with its fault; then all is well again, and nothing is in doubt.

    Where the mode ``stays``, what one door made of it is put right before the next.
    """
    known = {row["id"] for row in house.bench.rows(Change, Change.state == ChangeState.CONFIRMED)}
    for row in house.bench.rows(Change, Change.state == ChangeState.SENT):
        house.wire.notebook.stored.add((house.kept[row["record"]], int(row["after"])))
    put_into(house, mode)
    for door, fault in steps:
        if stays:
            put_into(house, mode)
        FAULTS[fault](house)
        with suppress(PrestaConsoleError):
            DOORS[door](house)
        await house.work()
        mend(house)
        nothing_wrong_left(house)
        nothing_unconfirmed_is_done(house, known)
        house.rest()
    put_into(house, "live")
    await house.work()
    house.rest()
    with suppress(PrestaConsoleError):
        ask("export_stock", house, params={"marked": True})
    await house.work()
    nothing_wrong_left(house)
    nothing_unconfirmed_is_done(house, known)
    all_is_explained(house)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, database_makers: Makers) -> Prepared:
    """The shop with its plans, made once."""
    folder = tmp_path_factory.mktemp("prepared")
    database = Database(database_makers.sqlite(folder / "prestaconsole.sqlite3"))
    try:
        return asyncio.run(prepare(database, folder))
    finally:
        database.close()


def walk(prepared: Prepared, mode: str, steps: list[tuple[str, str]], *, stays: bool = False) -> House:
    """One life over a copy of the world."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "prestaconsole.sqlite3"
        file.write_bytes(prepared.file.read_bytes())
        database = Database(f"sqlite:///{file}")
        try:
            house = House(prepared, database, folder)
            asyncio.run(live_through(house, mode, steps, stays=stays))
            return house
        finally:
            database.close()


STEPS = st.lists(st.tuples(st.sampled_from(sorted(DOORS)), st.sampled_from(sorted(FAULTS))), min_size=1, max_size=3)
LIVES = st.one_of(st.just("live"), st.sampled_from(MODES))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(8))
def test_whatever_comes_nothing_leaves_that_may_not_and_nothing_stays_in_doubt(number: int, prepared: Prepared) -> None:
    @seed(number)
    @settings(max_examples=12, deadline=None, database=None, phases=[Phase.generate])
    @given(mode=LIVES, steps=STEPS)
    def lives(mode: str, steps: list[tuple[str, str]]) -> None:
        walk(prepared, mode, steps)

    lives()


@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_fault_meets_a_push_in_a_live_shop(fault: str, prepared: Prepared) -> None:
    house = walk(prepared, "live", [("feeds.request_feed:by event", fault)])
    assert house.wire.seen, "nothing was sent, so nothing was tested"


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_every_door_is_tried_in_every_mode(mode: str, prepared: Prepared) -> None:
    house = walk(prepared, mode, [(door, "none") for door in DOORS], stays=True)
    assert house.wire.seen or mode != "live", "nothing was sent, so nothing was tested"
