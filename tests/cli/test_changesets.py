"""`prestaconsole changeset` and `change`: plans, brake, approval, undo; and that nothing else writes."""

from collections.abc import Callable

import pytest

from prestaconsole.sandbox import SimulatedShop
from tests.cli.conftest import Program

CHANGESET = {"id", "shop", "kind", "state", "rows"}
CHANGE = {"id", "changeset", "shop", "kind", "record", "field", "before", "after", "state"}


def put(cli: Program, *pairs: tuple[int, int]) -> None:
    """Set stock so that the shop should show these numbers."""
    for number, units in pairs:
        (row,) = cli.json("stock", "show", f"SKU-{number:04}")
        physical = units + row["held"]
        cli("stock", "set", row["sku"], physical, "--warehouse", "W1", "--reason", "count")


def simple_products(cli: Program) -> list[int]:
    """Products without combinations, by number."""
    return [row["id_product"] for row in cli.json("listing", "list", "wolle") if not row["id_product_attribute"]]


def test_stock_goes_out_as_a_plan_that_is_read_back(live: Program, simulated: SimulatedShop) -> None:
    number = simple_products(live)[0]
    before = simulated.quantity(number)
    put(live, (number, before + 4))
    run = live.json("feed", "run", "wolle", "export_stock", "--wait")
    assert run["state"] == "done"
    assert simulated.quantity(number) == before + 4
    plan = live.json("changeset", "show", run["changeset"])
    assert plan.keys() >= CHANGESET
    assert (plan["shop"], plan["kind"], plan["state"], plan["rows"]) == ("Wolle", "stock", "done", 1)
    assert live.json("changeset", "list", "--shop", "wolle")[0]["id"] == plan["id"]
    (change,) = live.json("change", "list", "--changeset", plan["id"])
    assert change.keys() >= CHANGE
    assert (change["field"], change["before"], change["after"], change["state"]) == (
        "quantity",
        before,
        before + 4,
        "confirmed",
    )
    assert "confirmed" in live("change", "list", "--shop", "wolle").out
    explained = live.json("stock", "explain", f"SKU-{number:04}", "--shop", "wolle")
    assert explained["agrees"] is True
    assert explained["writes"][0]["changeset"] == plan["id"]


def test_a_plan_alone_sends_nothing_and_apply_sends_it(live: Program, simulated: SimulatedShop) -> None:
    number = simple_products(live)[0]
    before = simulated.quantity(number)
    put(live, (number, before + 4))
    run = live.json("feed", "run", "wolle", "export_stock", "--plan", "--wait")
    assert simulated.writes == 0
    plan = live.json("changeset", "show", run["changeset"])
    assert (plan["state"], plan["rows"]) == ("planned", 1)
    assert "Waiting" in live("stock", "explain", f"SKU-{number:04}", "--shop", "wolle").out
    assert live.json("changeset", "apply", plan["id"])["state"] == "done"
    assert simulated.quantity(number) == before + 4
    assert "done already" in live("changeset", "apply", plan["id"]).err
    assert "done already" in live("changeset", "approve", plan["id"], code=2).err


def test_undo_writes_back_what_stood_before(live: Program, simulated: SimulatedShop) -> None:
    number = simple_products(live)[0]
    before = simulated.quantity(number)
    put(live, (number, before + 4))
    plan = live.json("feed", "run", "wolle", "export_stock", "--wait")["changeset"]
    undone = live.json("changeset", "undo", plan)
    assert undone["undoes"] == plan
    assert undone["state"] == "done"
    assert simulated.quantity(number) == before
    assert live.json("changeset", "show", plan)["state"] == "undone"
    assert "Nothing of plan" in live("changeset", "undo", plan, code=2).err


def test_undo_refuses_where_the_shop_has_moved_on(live: Program, simulated: SimulatedShop) -> None:
    number = simple_products(live)[0]
    put(live, (number, simulated.quantity(number) + 4))
    plan = live.json("feed", "run", "wolle", "export_stock", "--wait")["changeset"]
    simulated.set_quantity(number, 0, 991)
    live("feed", "run", "wolle", "stock_check", "--wait")
    ended = live("changeset", "undo", plan, code=1)
    assert simulated.quantity(number) == 991
    assert "Not undone" in ended.err


def test_the_brake_holds_a_plan_with_4_and_a_release_needs_name_and_reason(
    live: Program, simulated: SimulatedShop
) -> None:
    numbers = simple_products(live)[:6]
    put(live, *((number, 0) for number in numbers))
    ended = live("feed", "run", "wolle", "export_stock", "--wait", "--json", code=4)
    assert ended.json["state"] == "held"
    assert len(ended.err.splitlines()) > 1
    assert simulated.writes == 0
    plan = ended.json["changeset"]
    found = live.json("changeset", "show", plan)
    assert found["state"] == "held"
    assert any(rule["tripped"] for rule in found["brake"]["rules"])
    assert "tripped" in live("changeset", "show", plan).out
    status = live.json("status")
    assert status["brakes"] == 1
    assert status["shops"][0]["need"] == "STOP"
    assert live("changeset", "approve", plan, code=3).err
    runs = live.json("feed", "runs")
    assert "Held by the brake" in live("changeset", "apply", plan, code=4).err
    assert live.json("feed", "runs") == runs
    wrong = live("changeset", "release", plan, "--confirm", "Garn", "--reason", "empty", code=2)
    assert "This is not Wolle" in wrong.err
    live("changeset", "release", plan, "--confirm", "wolle", "--reason", " ", code=2)
    live("changeset", "release", plan, "--confirm", "wolle", code=2)
    assert simulated.writes == 0
    released = live.json("changeset", "release", plan, "--confirm", "WOLLE", "--reason", "the shelf is empty")
    assert (released["state"], released["released_by"]) == ("approved", "zofia")
    live("changeset", "apply", plan)
    assert {simulated.quantity(number) for number in numbers} == {0}


def test_a_held_plan_can_be_dropped(live: Program, simulated: SimulatedShop) -> None:
    put(live, *((number, 0) for number in simple_products(live)[:6]))
    plan = live.json("feed", "run", "wolle", "export_stock", "--wait", code=4)["changeset"]
    assert live.json("changeset", "drop", plan, "--reason", "a wrong file")["state"] == "void"
    assert simulated.writes == 0
    assert live.json("status")["brakes"] == 0


def test_where_approval_is_needed_a_plan_waits_with_4(live: Program, simulated: SimulatedShop) -> None:
    live("shop", "set", "wolle", "approval.needed=yes")
    number = simple_products(live)[0]
    put(live, (number, simulated.quantity(number) + 1))
    plan = live.json("feed", "run", "wolle", "export_stock", "--wait", code=4)["changeset"]
    assert "waits for approval" in live("changeset", "apply", plan, code=4).err
    assert simulated.writes == 0
    assert live.json("changeset", "approve", plan)["state"] == "approved"
    live("changeset", "apply", plan)
    assert simulated.writes == 1


def test_rehearsal_plans_and_ends_with_0_and_its_plan_is_never_sent(stocked: Program, simulated: SimulatedShop) -> None:
    stocked("shop", "mode", "wolle", "rehearsal")
    put(stocked, (simple_products(stocked)[0], 41))
    run = stocked.json("feed", "run", "wolle", "export_stock", "--wait")
    assert run["state"] == "done"
    plan = run["changeset"]
    assert stocked.json("changeset", "show", plan)["rows"] == 1
    assert "Rehearsal plans and sends nothing" in stocked("changeset", "apply", plan, code=3).err
    assert stocked("changeset", "approve", plan, code=3).err
    stocked(
        "shop", "mode", "wolle", "live", "--confirm", "wolle", "--waive", "foreign-writes=t", "--waive", "stock-check=t"
    )
    assert "made in rehearsal" in stocked("changeset", "apply", plan, code=3).err
    assert simulated.writes == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["setup", "rehearsal", "frozen", "paused"])
def test_in_no_mode_but_live_does_any_command_write_to_the_shop(
    live: Program, simulated: SimulatedShop, mode: str
) -> None:
    number = simple_products(live)[0]
    put(live, (number, simulated.quantity(number) + 9))
    plan = live.json("feed", "run", "wolle", "export_stock", "--plan", "--wait")["changeset"]
    if mode == "paused":
        live("shop", "pause", "wolle", "--reason", "test")
    else:
        live("shop", "mode", "wolle", mode)
    simulated.journal.clear()
    ask: list[Callable[[], object]] = [
        lambda: live("feed", "run", "wolle", "export_stock", "--wait", code=None),
        lambda: live("feed", "run", "wolle", "export_stock", "--plan", "--wait", code=None),
        lambda: live("changeset", "apply", plan, code=None),
        lambda: live("changeset", "undo", plan, code=None),
        lambda: live("changeset", "approve", plan, code=None),
        lambda: live("feed", "run-safe", "wolle", code=None),
        lambda: live("feed", "run", "wolle", "stock_check", "--wait", code=None),
        lambda: live("shop", "test", "wolle", code=None),
        lambda: live("doctor", "wolle", code=None),
    ]
    for one in ask:
        one()
    assert {exchange.method for exchange in simulated.journal} <= {"GET", "HEAD"}
    assert simulated.writes == 0


def test_states_and_numbers_that_are_none_are_refused(connected: Program) -> None:
    assert "States:" in connected("changeset", "list", "--state", "asleep", code=2).err
    assert "States:" in connected("change", "list", "--state", "asleep", code=2).err
    for verb in ("show", "approve", "apply", "undo", "drop"):
        assert "no plan 77" in connected("changeset", verb, 77, code=2).err
    assert "no plan 77" in connected("change", "list", "--changeset", 77, code=2).err
