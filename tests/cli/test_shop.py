"""`prestaconsole shop`: connecting, steering, setting, and the way to live."""

import json

import pytest

from prestaconsole.sandbox import SandboxServer, SimulatedShop
from tests.cli.conftest import KEY, OTHER_KEY, Program, go_live

FIELDS = {"shop", "name", "code", "url", "email", "mode", "health", "version", "listings", "orders", "paused"}


def test_a_shop_whose_test_passes_starts_in_setup(cli: Program, server: SandboxServer) -> None:
    ended = cli("shop", "add", "Wolle & Garn Köln", "--url", f"{server.url}/admin123/", "--key-stdin", stdin=f"{KEY}\n")
    assert "mode setup" in ended.out
    (shop,) = cli.json("shop", "list")
    assert shop.keys() >= FIELDS
    assert (shop["shop"], shop["code"], shop["mode"]) == ("Wolle & Garn Köln", "wolle-garn-koln", "setup")
    assert shop["url"] == server.url
    assert shop["version"] == "8.2.1"


def test_a_shop_whose_test_fails_stays_a_draft_with_the_reason(cli: Program, server: SandboxServer) -> None:
    ended = cli("shop", "add", "Wolle", "--url", server.url, "--key-stdin", stdin=OTHER_KEY, code=1)
    assert "does not know this key" in ended.err
    shop = cli.json("shop", "show", "wolle")
    assert shop["mode"] == "draft"
    assert "does not know this key" in shop["last_error"]
    assert cli("feed", "run", "wolle", "analyse", code=3).err.startswith("No shop is connected yet")


def test_a_draft_moves_to_setup_once_its_test_passes(
    cli: Program, server: SandboxServer, simulated: SimulatedShop
) -> None:
    simulated.webservice_enabled = False
    cli("shop", "add", "Wolle", "--url", server.url, "--key-stdin", stdin=KEY, code=1)
    simulated.webservice_enabled = True
    assert cli.json("shop", "test", "wolle")["mode"] == "setup"


def test_adding_a_shop_gives_json_with_its_test(cli: Program, server: SandboxServer) -> None:
    ended = cli("shop", "add", "Wolle", "--url", server.url, "--key-stdin", "--json", stdin=KEY)
    assert ended.json["test"]["ok"] is True
    assert ended.json["mode"] == "setup"


def test_name_code_and_address_that_are_taken_are_refused(connected: Program, server: SandboxServer) -> None:
    again = ["--url", server.url, "--key-stdin"]
    elsewhere = ["--url", "https://shop.example", "--key-stdin"]
    assert "already here" in connected("shop", "add", "wólle", *elsewhere, stdin=KEY, code=2).err
    assert "already here" in connected("shop", "add", "Other", *elsewhere, "--code", "WOLLE", stdin=KEY, code=2).err
    assert "already here as Wolle" in connected("shop", "add", "Other", *again, stdin=KEY, code=2).err
    spelled = server.url.replace("http://", "HTTP://") + "/api/"
    third = connected("shop", "add", "Other", "--url", spelled, "--key-stdin", stdin=KEY, code=2)
    assert "already here as Wolle" in third.err
    assert len(connected.json("shop", "list")) == 1


def test_the_same_installation_under_another_address_stays_a_draft(read: Program, server: SandboxServer) -> None:
    other = server.url.replace("127.0.0.1", "localhost")
    ended = read("shop", "add", "Twin", "--url", other, "--key-stdin", stdin=KEY, code=1)
    assert "already here as Wolle" in ended.err
    assert read.json("shop", "show", "twin")["mode"] == "draft"


@pytest.mark.parametrize(
    "arguments",
    [
        ("shop", "add", f"Wolle {KEY}", "--url", "https://shop.example", "--key-stdin"),
        ("shop", "add", "Wolle", "--url", f"https://shop.example/?ws_key={KEY}", "--key-stdin"),
        ("shop", "add", "Wolle", "--url", f"https://{KEY}@shop.example/", "--key-stdin"),
        ("shop", "add", "Wolle", "--url", "https://shop.example", "--email", f"{KEY}@shop.example", "--key-stdin"),
        ("warehouse", "add", "W1", "--name", KEY),
    ],
)
def test_a_key_in_any_field_but_its_own_is_refused_and_kept_nowhere(cli: Program, arguments: tuple[str, ...]) -> None:
    ended = cli(*arguments, stdin=KEY, code=2)
    assert "key" in ended.err
    assert KEY not in ended.text
    assert cli.json("shop", "list") == []


def test_key_shaped_text_is_refused_in_reasons_and_settings(stocked: Program) -> None:
    for arguments in (
        ("shop", "pause", "wolle", "--reason", KEY),
        ("shop", "set", "wolle", f"name={KEY}"),
        ("shop", "set", "wolle", f"stock.warehouses={KEY}"),
        ("shop", "mode", "wolle", "rehearsal", "--waive", f"skus={KEY}"),
        ("stock", "set", "SKU-0001", 3, "--warehouse", "W1", "--reason", KEY),
        ("feed", "run", "wolle", "import_stock", "--reason", KEY),
    ):
        ended = stocked(*arguments, code=2)
        assert "looks like a webservice key" in ended.err
        assert KEY not in ended.text


def test_a_missing_key_is_asked_for_in_words(cli: Program) -> None:
    assert "The key is missing" in cli("shop", "add", "Wolle", "--url", "https://shop.example", code=2).err
    ended = cli("shop", "add", "Wolle", "--url", "https://shop.example", "--key-stdin", stdin="\n", code=2)
    assert "No key was given" in ended.err


def test_pause_stops_feeds_and_resume_starts_them(connected: Program) -> None:
    connected("shop", "pause", "wolle", "--reason", "upgrade", "--until", "2h")
    shop = connected.json("shop", "show", "wolle")
    assert (shop["paused"], shop["paused_by"], shop["pause_reason"]) == (True, "zofia", "upgrade")
    assert shop["paused_until"]
    ended = connected("feed", "run", "wolle", "analyse", code=3)
    assert ended.err.startswith("Paused until")
    connected("shop", "resume", "wolle")
    assert connected.json("shop", "show", "wolle")["paused"] is False
    connected("feed", "run", "wolle", "analyse", "--wait")


def test_a_pause_needs_a_reason_and_a_moment_ahead(connected: Program) -> None:
    assert "reason" in connected("shop", "pause", "wolle", "--reason", " ", code=2).err
    connected("shop", "pause", "wolle", "--reason", "x", "--until", "2001-01-01", code=2)
    connected("shop", "pause", "wolle", "--reason", "x", "--until", "soon", code=2)


def test_a_new_key_takes_over_only_when_it_works(
    connected: Program, simulated: SimulatedShop, server: SandboxServer
) -> None:
    before = connected.json("shop", "show", "wolle")["key_print"]
    ended = connected("shop", "rotate-key", "wolle", "--key-stdin", stdin=OTHER_KEY, code=1)
    assert "old one is still in use" in ended.err
    assert connected.json("shop", "show", "wolle")["key_print"] == before
    simulated.add_key(OTHER_KEY)
    done = connected("shop", "rotate-key", "wolle", "--key-stdin", "--json", stdin=OTHER_KEY).json
    assert done["key_print"] != before
    simulated.keys[KEY].active = False
    connected("shop", "test", "wolle")


def test_settings_are_set_all_or_none(connected: Program) -> None:
    connected("warehouse", "add", "W1")
    ended = connected("shop", "set", "wolle", "orders.start=id:500", "stock.warehouses=w1", "email=a@b.example")
    assert "stock.warehouses = W1" in ended.out
    bad = connected("shop", "set", "wolle", "stock.buffer=2", "orders.start=yesterday", code=2)
    assert "orders.start cannot be “yesterday”" in bad.err
    rows = {row["name"]: row for row in connected.json("shop", "settings", "wolle")}
    assert rows["orders.start"]["value"] == "id:500"
    assert rows["stock.buffer"] == {**rows["stock.buffer"], "value": "0", "own": False}
    connected("shop", "set", "wolle", "orders.start=")
    rows = {row["name"]: row for row in connected.json("shop", "settings", "wolle")}
    assert rows["orders.start"]["own"] is False


@pytest.mark.parametrize(
    "setting",
    [
        "nonsense=1",
        "stock.warehouses=NOWHERE",
        "email=nobody",
        "url=https://x.example",
        "orders.start",
        "colour=pinkish",
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_what_it_takes(connected: Program, setting: str) -> None:
    ended = connected("shop", "set", "wolle", setting, code=2)
    assert len(ended.err.splitlines()) == 2


# -- the way to live -----------------------------------------------------------------------------------------


def test_a_refused_mode_names_each_open_point_one_a_line(connected: Program) -> None:
    ended = connected("shop", "mode", "wolle", "rehearsal", code=3)
    lines = [line.split(" ", 2) for line in ended.err.splitlines() if " FIX " in line or " wait " in line]
    assert {line[0] for line in lines} >= {"analysis", "products-read", "orders-read", "warehouse", "stock-read"}
    assert all(line[1] in {"FIX", "wait"} and line[2] for line in lines)
    assert connected.json("shop", "show", "wolle")["mode"] == "setup"
    refused = connected.json("shop", "mode", "wolle", "live", code=3)
    assert {point["check"] for point in refused["open"]} > {line[0] for line in lines}


def test_what_nobody_can_waive_stays(connected: Program) -> None:
    ended = connected("shop", "mode", "wolle", "rehearsal", "--waive", "warehouse=in a hurry", code=3)
    assert "nobody can waive this point" in ended.err
    assert "no point" in connected("shop", "mode", "wolle", "live", "--waive", "mood=fine", code=2).err
    assert "CHECK=REASON" in connected("shop", "mode", "wolle", "live", "--waive", "email", code=2).err
    assert "has no reason" in connected("shop", "mode", "wolle", "live", "--waive", "email=", code=2).err


def test_the_way_to_live_with_the_name_typed_and_waivers_that_stay_in_sight(stocked: Program) -> None:
    go = ["shop", "mode", "wolle", "live", "--waive", "foreign-writes=one shop, one warehouse"]
    done = stocked("shop", "mode", "wolle", "rehearsal").out
    assert "Scheduled from now on" in done
    stocked("feed", "run", "wolle", "export_stock", "--wait")
    unnamed = stocked(*go, code=3)
    assert "name was not typed" in unnamed.err
    assert "is not Wolle" in stocked(*go, "--confirm", "Garn", code=3).err
    ended = stocked(*go, "--confirm", "WOLLE")
    assert "Waived: foreign-writes, by zofia: one shop, one warehouse" in ended.out
    shop = stocked.json("shop", "show", "wolle")
    assert shop["mode"] == "live"
    assert shop["went_live_at"]
    (waived,) = [point for point in shop["check_list"] if point["state"] == "waived"]
    assert (waived["check"], waived["waiver"], waived["waived_by"]) == (
        "foreign-writes",
        "one shop, one warehouse",
        "zofia",
    )


def test_ways_back_are_free_and_thawing_asks_for_the_name(stocked: Program) -> None:
    go_live(stocked)
    stocked("shop", "mode", "wolle", "frozen", "--reason", "peak season")
    assert "name was not typed" in stocked("shop", "mode", "wolle", "rehearsal", code=3).err
    stocked("shop", "mode", "wolle", "rehearsal", "--confirm", "wolle")
    stocked("shop", "mode", "wolle", "setup")
    assert "does not become a draft" in stocked("shop", "mode", "wolle", "draft", code=3).err
    assert "no mode" in stocked("shop", "mode", "wolle", "alive", code=2).err


def test_every_step_stands_in_the_audit(connected: Program) -> None:
    connected("shop", "pause", "wolle", "--reason", "upgrade")
    connected("shop", "set", "wolle", "email=a@b.example")
    from sqlalchemy import select

    from prestaconsole.model import AuditEvent

    with connected.core() as core:
        rows = core.database.read_now(
            lambda c: c.execute(select(AuditEvent.actor, AuditEvent.action, AuditEvent.after, AuditEvent.reason)).all()
        )
    assert [row.action for row in rows] == ["shop add", "shop test", "shop mode", "shop pause", "shop set"]
    assert {row.actor for row in rows} == {"zofia"}
    assert rows[3].reason == "upgrade"
    assert KEY not in json.dumps([row.after for row in rows])


def test_an_unknown_shop_names_those_there_are(connected: Program) -> None:
    for arguments in (("shop", "show", "garn"), ("feed", "list", "garn"), ("order", "list", "--shop", "garn")):
        ended = connected(*arguments, code=2)
        assert "No shop is called “garn”" in ended.err
        assert "wolle" in ended.err
