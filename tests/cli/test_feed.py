"""`prestaconsole feed`: run, wait, locks, schedules, logs."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from prestaconsole.runner.worker import Worker
from prestaconsole.sandbox import SandboxServer, SimulatedShop
from tests.cli.conftest import Program

RUN = {"run", "shop", "feed", "state", "counts", "changeset", "started_at", "ended_at", "error", "remedy"}


def test_a_feed_is_only_queued_without_wait(connected: Program) -> None:
    ended = connected("feed", "run", "wolle", "analyse")
    assert "queued as run 1" in ended.out
    (run,) = connected.json("feed", "runs", "wolle")
    assert run.keys() >= RUN
    assert (run["state"], run["actor"], run["trigger"]) == ("queued", "zofia", "person")
    joined = connected.json("feed", "run", "wolle", "analyse")
    assert joined["run"] == run["run"]


def test_wait_does_the_work_here_where_no_daemon_is(connected: Program, simulated: SimulatedShop) -> None:
    ended = connected("feed", "run", "wolle", "analyse", "--wait", "--json")
    assert ended.json["state"] == "done"
    assert ended.json["counts"]["seen"] > 0
    assert "analyse run 1 done" in ended.err
    assert {exchange.method for exchange in simulated.journal} <= {"GET", "HEAD"}


def test_wait_takes_up_what_was_queued_before(connected: Program) -> None:
    first = connected.json("feed", "run", "wolle", "analyse")
    assert connected.json("feed", "run", "wolle", "analyse", "--wait")["run"] == first["run"]


def test_stock_check_counts_compared_and_drift(stocked: Program, simulated: SimulatedShop) -> None:
    counts = stocked.json("feed", "run", "wolle", "stock_check", "--wait")["counts"]
    assert counts["drift"] == 0
    assert counts["compared"] > 0
    simulated.set_quantity(1, 0, simulated.quantity(1) + 5)
    ended = stocked("feed", "run", "wolle", "stock_check", "--wait", "--json")
    assert ended.json["counts"]["drift"] == 1


def test_a_locked_feed_ends_with_3_and_says_what_unlocks_it(connected: Program) -> None:
    for arguments, words in (
        (("import_products",), "Needs analyse first"),
        (("export_stock",), "Locked in setup"),
        (("export_stock", "--plan"), "Locked in setup"),
        (("export_stock", "--wait"), "Locked in setup"),
        (("import_stock",), "Needs import_products first"),
    ):
        ended = connected("feed", "run", "wolle", *arguments, code=3)
        assert words in ended.err
        assert len(ended.err.splitlines()) == 2
    assert connected.json("feed", "runs") == []


def test_import_stock_runs_once_and_again_only_with_a_reason(stocked: Program) -> None:
    ended = stocked("feed", "run", "wolle", "import_stock", "--wait", code=3)
    assert "import_stock ran on" in ended.err
    assert "--reason" in ended.err
    done = stocked.json("feed", "run", "wolle", "import_stock", "--wait", "--reason", "counted again")
    assert done["state"] == "done"


def test_options_that_do_not_belong_to_a_feed_are_refused(connected: Program) -> None:
    assert "only reads" in connected("feed", "run", "wolle", "analyse", "--plan", code=2).err
    assert "keep, overwrite or sum" in connected("feed", "run", "wolle", "analyse", "--known", "sum", code=2).err
    assert "keep, overwrite or sum" in connected("feed", "run", "wolle", "import_stock", "--known", "x", code=2).err
    assert "is no feed" in connected("feed", "run", "wolle", "import_everything", code=2).err


def test_a_failed_run_ends_with_1_and_cause_and_remedy(connected: Program, simulated: SimulatedShop) -> None:
    simulated.webservice_enabled = False
    ended = connected("feed", "run", "wolle", "analyse", "--wait", "--json", code=1)
    assert ended.json["state"] == "failed"
    assert "switched off" in ended.err
    assert "Enable PrestaShop's webservice" in ended.err


def test_run_safe_runs_the_reading_feeds_in_order(connected: Program, simulated: SimulatedShop) -> None:
    runs = connected.json("feed", "run-safe", "wolle")
    assert [run["feed"] for run in runs] == [
        *("analyse", "import_products", "import_orders", "retry_orders", "stock_check")
    ]
    assert {run["state"] for run in runs} == {"done"}
    assert simulated.writes == 0


def test_run_safe_stops_where_one_fails(connected: Program, simulated: SimulatedShop) -> None:
    connected("feed", "run", "wolle", "analyse", "--wait")
    simulated.webservice_enabled = False
    runs = connected.json("feed", "run-safe", "wolle", code=1)
    assert [(run["feed"], run["state"]) for run in runs] == [("analyse", "failed")]


def test_run_safe_goes_on_where_an_attempt_stopped_and_says_before_what_it_halts(
    connected: Program, simulated: SimulatedShop
) -> None:
    connected("feed", "run", "wolle", "analyse", "--wait")
    simulated.webservice_enabled = False
    connected("feed", "run", "wolle", "import_products", "--wait", code=1)
    simulated.webservice_enabled = True
    ended = connected("feed", "run-safe", "wolle", "--json")
    assert [run["feed"] for run in ended.json] == ["import_products", "import_orders", "retry_orders", "stock_check"]
    assert "analyse ended well" in ended.err and "--all begins anew" in ended.err
    assert "Halted here" in ended.err
    assert "import_stock: Needs a warehouse first" in ended.err
    assert "export_stock: Locked in setup" in ended.err
    assert "shop mode wolle rehearsal" in ended.err
    queued = connected.json("feed", "run", "wolle", "import_products")["run"]
    again = connected.json("feed", "run-safe", "wolle", "--all")
    assert [run["feed"] for run in again] == [
        *("analyse", "import_products", "import_orders", "retry_orders", "stock_check")
    ]
    assert again[1]["run"] == queued
    assert simulated.writes == 0


def test_a_window_is_set_read_back_and_not_in_the_way_of_a_person(connected: Program) -> None:
    ended = connected("feed", "schedule", "wolle", "analyse", "daily 03:00 between 01:00 and 05:00", "--zone", "UTC")
    assert "runs daily 03:00 between 01:00 and 05:00." in ended.out
    assert "Reads  At 03:00 every day, between 01:00 and 05:00, in UTC." in ended.out
    assert ended.out.count("03:00:00") == 5
    shown = connected.json("feed", "schedule", "wolle", "analyse")
    assert (shown["window"], shown["zone"], len(shown["next_times"])) == ("01:00-05:00", "UTC", 5)
    rows = {row["feed"]: row for row in connected.json("feed", "list", "wolle")}
    assert rows["analyse"]["schedule"] == "daily 03:00 between 01:00 and 05:00"
    assert connected.json("feed", "run", "wolle", "analyse", "--wait")["state"] == "done"
    assert "open all day" in connected("feed", "schedule", "wolle", "analyse", "hourly between 1 and 1", code=2).err
    assert "has no schedule now" in connected("feed", "schedule", "wolle", "import_orders", "off").out


def test_schedules_take_words_cron_and_off(connected: Program) -> None:
    ended = connected("feed", "schedule", "wolle", "analyse", "every 30 min")
    assert "every 30 min" in ended.out
    rows = {row["feed"]: row for row in connected.json("feed", "list", "wolle")}
    assert rows["analyse"]["schedule"] == "every 30 min"
    assert rows["analyse"]["next_due"]
    assert connected.json("feed", "schedule", "wolle", "analyse", "0 3 * * *")["schedule"] == "0 3 * * *"
    assert connected.json("feed", "schedule", "wolle", "analyse", "off")["enabled"] is False


def test_a_schedule_that_may_not_be_is_refused(connected: Program) -> None:
    assert "sometimes" in connected("feed", "schedule", "wolle", "analyse", "sometimes", code=2).err
    assert "never scheduled" in connected("feed", "schedule", "wolle", "import_stock", "daily 03:00", code=3).err
    assert "never scheduled" in connected("feed", "schedule", "wolle", "export_stock", "* * * * *", code=3).err


def test_the_list_says_why_a_feed_is_locked(connected: Program) -> None:
    rows = {row["feed"]: row for row in connected.json("feed", "list", "wolle")}
    assert rows["analyse"]["state"] == "never"
    assert rows["export_stock"]["state"] == "locked"
    assert "rehearsal" in rows["export_stock"]["reason"]
    assert rows["export_stock"]["unlock"]
    assert "locked" in connected("feed", "list", "wolle").out


def test_the_log_of_a_run_can_be_read_and_followed(read: Program) -> None:
    run = read.json("feed", "runs", "wolle", "--feed", "import_orders", "--limit", 1)[0]["run"]
    ended = read("feed", "log", run)
    assert "orders: 8 new" in ended.out
    lines = read.json("feed", "log", run)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    followed = read("feed", "log", run, "-f")
    assert followed.out == ended.out
    assert "\x1b" not in followed.out + followed.err
    assert "There is no run 999" in read("feed", "log", 999, code=2).err


def test_a_queued_run_can_be_cancelled_and_an_ended_one_not(connected: Program) -> None:
    run = connected.json("feed", "run", "wolle", "analyse")["run"]
    assert connected.json("feed", "cancel", run)["state"] == "cancelled"
    assert "ended already" in connected("feed", "cancel", run, code=2).err


@contextmanager
def daemon(program: Program) -> Iterator[None]:
    """A worker that counts as a daemon, in a thread of its own."""
    over = threading.Event()

    async def work() -> None:
        stop = asyncio.Event()
        with program.core() as core:
            async with asyncio.TaskGroup() as group:
                group.create_task(Worker(core, "daemon").run(stop))
                while not over.is_set():
                    await asyncio.sleep(0.02)
                stop.set()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_run_of_the_daemon_can_be_followed_and_waited_for(connected: Program) -> None:
    with daemon(connected):
        run = connected.json("feed", "run", "wolle", "analyse")["run"]
        followed = connected("feed", "log", run, "-f")
        waited = connected.json("feed", "run", "wolle", "import_products", "--wait")
        assert connected.json("status")["daemon"]["state"] == "ok"
    assert "analyse run 1 done" in followed.err
    assert waited["state"] == "done"


@pytest.mark.parametrize("state", ["queued", "done", "failed", "cancelled", "held", "running"])
def test_runs_can_be_filtered_by_state(connected: Program, state: str) -> None:
    connected("feed", "run", "wolle", "analyse")
    found = connected.json("feed", "runs", "--state", state)
    assert len(found) == (1 if state == "queued" else 0)


def test_a_state_that_is_none_is_refused(connected: Program) -> None:
    assert "States:" in connected("feed", "runs", "--state", "asleep", code=2).err


def test_two_shops_with_the_same_goods_are_told_apart_by_known(read: Program) -> None:
    read("feed", "run", "wolle", "import_stock", "--wait")
    second = SimulatedShop.generate(products=10, orders=0, seed=2, name="Second")
    with SandboxServer(second) as server:
        key = next(iter(second.keys))
        read("shop", "add", "Second", "--url", server.url, "--key-stdin", stdin=key)
        read("shop", "set", "second", "stock.warehouses=W1", "stock.import_to=W1")
        read("feed", "run-safe", "second")
        before = read.json("stock", "show", "SKU-0001")[0]["physical"]
        read("feed", "run", "second", "import_stock", "--wait", "--known", "sum")
        after = read.json("stock", "show", "SKU-0001")[0]["physical"]
    assert after == before + second.quantity(1)
