"""Orders, listings, products and mappings as the command line shows them."""

from decimal import Decimal
from pathlib import Path

import pytest

from prestaconsole.sandbox import SandboxServer, SimulatedShop
from tests.cli.conftest import Program

ORDER = {"shop", "id_order", "reference", "verdict", "reason", "state", "total_paid", "currency", "lines"}
LISTING = {"shop", "id_product", "id_product_attribute", "sku", "name", "quantity", "price", "active"}


def test_orders_are_listed_with_verdict_lines_and_the_shop_s_own_figures(
    read: Program, simulated: SimulatedShop
) -> None:
    rows = read.json("order", "list", "--shop", "wolle")
    table = simulated.table("orders")
    assert sorted(row["id_order"] for row in rows) == list(table.ids())
    for row in rows:
        assert row.keys() >= ORDER
        theirs = simulated.row("orders", row["id_order"])
        assert row["shop"] == "Wolle"
        assert row["reference"] == theirs["reference"]
        assert row["state"] == int(theirs["current_state"])
        assert Decimal(row["total_paid"]) == Decimal(theirs["total_paid"])
        assert row["currency"] == "EUR"
        assert row["verdict"]
        assert row["reason"]
        sold = simulated.table("order_details").find("id_order", row["id_order"])
        assert [line["id_order_detail"] for line in row["lines"]] == sold
        assert all(line.keys() >= {"sku", "quantity", "id_product", "total_price_tax_incl"} for line in row["lines"])


def test_orders_can_be_filtered_by_state_verdict_and_number(read: Program) -> None:
    rows = read.json("order", "list")
    state = rows[0]["state"]
    assert {row["state"] for row in read.json("order", "list", "--state", state)} == {state}
    named = read.json("order", "list", "--shop", "wolle", "--state", rows[0]["state_name"].upper())
    assert {row["state"] for row in named} == {state}
    verdict = rows[0]["verdict"]
    assert {row["verdict"] for row in read.json("order", "list", "--verdict", verdict)} == {verdict}
    assert len(read.json("order", "list", "--limit", 2)) == 2
    assert "Known:" in read("order", "list", "--state", "Nowhere", code=2).err
    assert "Verdicts:" in read("order", "list", "--verdict", "maybe", code=2).err


def test_one_order_is_shown_whole(read: Program) -> None:
    first = read.json("order", "list")[0]
    for name in (first["id_order"], first["reference"], f"wolle:{first['id_order']}"):
        found = read.json("order", "show", name)
        assert found["id_order"] == first["id_order"]
        assert found["totals"]["total_paid"] == first["total_paid"]
        assert {address["kind"] for address in found["addresses"]} <= {"delivery", "invoice"}
    assert first["reference"] in read("order", "show", first["id_order"]).out
    assert "not in our books" in read("order", "show", "4182", code=2).err


def test_order_import_by_number_reads_just_that_order(connected: Program, simulated: SimulatedShop) -> None:
    connected("shop", "set", "wolle", "orders.start=now")
    connected("feed", "run-safe", "wolle")
    assert all(row["verdict"] == "skip" for row in connected.json("order", "list"))
    number = simulated.place_order([(1, 0, 1)], state=2)
    run = connected.json("order", "import", "wolle", "--id", number)
    assert run["state"] == "done"
    assert connected.json("order", "show", number)["verdict"] == "import"
    assert connected.json("shop", "settings", "wolle")[3]["value"] == "now"


@pytest.mark.parametrize(
    ("option", "start"), [(("--from-id", 5), "id:5"), (("--days", 30), "days:30"), (("--since", "2026-01-31"), "date:")]
)
def test_order_import_from_somewhere_sets_the_start_and_completes(
    connected: Program, option: tuple[object, ...], start: str
) -> None:
    connected("feed", "run", "wolle", "analyse", "--wait")
    connected("feed", "run", "wolle", "import_products", "--wait")
    assert connected.json("order", "import", "wolle", *option)["state"] == "done"
    settings = {row["name"]: row["value"] for row in connected.json("shop", "settings", "wolle")}
    assert settings["orders.start"].startswith(start)
    feeds = {row["feed"]: row for row in connected.json("feed", "list", "wolle")}
    assert feeds["import_orders"]["complete"] is True


def test_order_import_wants_exactly_one_way(connected: Program) -> None:
    assert "in one way" in connected("order", "import", "wolle", code=2).err
    assert "in one way" in connected("order", "import", "wolle", "--id", 3, "--days", 4, code=2).err
    assert "no day" in connected("order", "import", "wolle", "--since", "monday", code=2).err
    assert "Needs analyse first" in connected("order", "import", "wolle", "--days", 4, code=3).err
    assert connected.json("shop", "settings", "wolle")[3]["own"] is False


def test_listings_stand_by_their_combinations_only(read: Program, simulated: SimulatedShop) -> None:
    rows = read.json("listing", "list", "wolle")
    stock = simulated.table("stock_availables")
    pairs = {
        (int(stock.value(row, "id_product")), int(stock.value(row, "id_product_attribute"))): int(
            stock.value(row, "quantity")
        )
        for row in stock
    }
    parents = {product for product, attribute in pairs if attribute}
    sold = {pair: units for pair, units in pairs.items() if pair[1] or pair[0] not in parents}
    assert {(row["id_product"], row["id_product_attribute"]): row["quantity"] for row in rows} == sold
    for row in rows:
        assert row.keys() >= LISTING
        assert Decimal(row["price"]) > 0
        assert row["active"] is (simulated.row("products", row["id_product"])["active"] == "1")
    assert len(read.json("listing", "list", "wolle", "--limit", 3)) == 3
    assert [row["sku"] for row in read.json("listing", "list", "--words", "sku-0003")] == ["SKU-0003"]
    assert read.json("listing", "show", "SKU-0001")["id_product"] == 1
    assert read.json("listing", "show", "1-0", "--shop", "wolle")["sku"] == "SKU-0001"
    assert "No listing" in read("listing", "show", "NOPE", code=2).err


def test_products_show_listings_and_stock(stocked: Program) -> None:
    rows = stocked.json("product", "list")
    assert rows[0]["sku"] == "SKU-0001"
    found = stocked.json("product", "show", "sku-0001")
    assert found["listings"][0]["shop"] == "Wolle"
    assert found["stock"][0]["warehouse"] == "W1"
    assert stocked.json("product", "show", f"#{found['id']}")["sku"] == "SKU-0001"
    assert "No product has the SKU" in stocked("product", "show", "NOPE", code=2).err


# -- mappings ------------------------------------------------------------------------------------------------


def test_order_states_come_with_flags_and_suggestions(read: Program) -> None:
    rows = {row["id_order_state"]: row for row in read.json("mapping", "show", "wolle", "order-state-in")}
    assert rows[2]["paid"] is True
    assert (rows[2]["action"], rows[2]["suggested"], rows[2]["suggestion"]) == ("import", True, "import")
    assert rows[6]["gives_back"] is True
    assert rows[6]["gives_back_source"] == "configuration"
    assert sum(row["orders"] for row in rows.values()) == 8


def test_a_rule_is_set_by_number_or_name_and_is_a_person_s_from_then_on(read: Program) -> None:
    done = read.json("mapping", "set", "wolle", "order-state-in", "2", "hold", "--retry", "--days", 10)
    assert (done["action"], done["retry"], done["retry_days"], done["suggested"]) == ("hold", True, 10, False)
    assert done["updated_by"] == "zofia"
    read("mapping", "set", "wolle", "order-state-in", done["name"].upper(), "suggested")
    rows = {row["id_order_state"]: row for row in read.json("mapping", "show", "wolle", "order-state-in")}
    assert rows[2]["action"] == "import"


def test_a_rule_that_cannot_be_is_refused(read: Program) -> None:
    ask = ("mapping", "set", "wolle", "order-state-in")
    assert "no action" in read(*ask, "2", "perhaps", code=2).err
    assert "no order state" in read(*ask, "999", "skip", code=2).err
    assert "cannot be watched" in read(*ask, "2", "skip", "--days", 0, code=2).err
    assert "Nothing to set" in read(*ask, "2", code=2).err
    assert "own configuration" in read(*ask, "6", "--gives-back", "no", code=2).err
    assert "no kind" in read("mapping", "show", "wolle", "carrier", code=2).err


def test_mappings_travel_by_file_all_or_none(read: Program, tmp_path: Path) -> None:
    file = tmp_path / "rules.csv"
    read("mapping", "export", "wolle", file)
    text = file.read_text(encoding="utf-8")
    assert text.splitlines()[0] == "kind,id_order_state,name,action,retry,retry_days"
    assert "0 rules differ" in read("mapping", "import", "wolle", file).out
    line = next(line for line in text.splitlines() if line.startswith("order-state-in,2,"))
    file.write_text(text.replace(line, line.replace(",import,", ",hold,")), encoding="utf-8")
    assert "1 rules differ" in read("mapping", "import", "wolle", file).out
    file.write_text(text.replace(line, line.replace(",import,", ",dance,")), encoding="utf-8")
    bad = read("mapping", "import", "wolle", file, code=2)
    assert "dance" in bad.err
    rows = {row["id_order_state"]: row for row in read.json("mapping", "show", "wolle")}
    assert rows[2]["action"] == "hold"
    assert "cannot be read" in read("mapping", "import", "wolle", tmp_path / "none.csv", code=2).err
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    assert "no column" in read("mapping", "import", "wolle", file, code=2).err


def test_where_configurations_may_not_be_read_a_person_confirms_what_gives_back(
    cli: Program, simulated: SimulatedShop, server: SandboxServer
) -> None:
    key = "N0C0NF0N0C0NF0N0C0NF0N0C0NF0N0C0"
    rights = {name: ["GET", "PUT"] for name in simulated.resources if name != "configurations"}
    simulated.add_key(key, permissions=rights)
    cli("shop", "add", "Wolle", "--url", server.url, "--key-stdin", stdin=key)
    cli("warehouse", "add", "W1")
    cli("shop", "set", "wolle", "stock.warehouses=W1", "stock.import_to=W1")
    cli("feed", "run-safe", "wolle")
    locked = cli("feed", "run", "wolle", "import_stock", "--wait", code=3)
    assert "only suggested" in locked.err
    for state in ("6", "8"):
        cli("mapping", "set", "wolle", "order-state-in", state, "--gives-back", "yes")
    cli("feed", "run", "wolle", "import_stock", "--wait", code=3)
    cli("mapping", "set", "wolle", "order-state-in", "all", "--gives-back", "no")
    rows = {row["id_order_state"]: row for row in cli.json("mapping", "show", "wolle")}
    assert [number for number, row in sorted(rows.items()) if row["gives_back"]] == [6, 8]
    assert {row["gives_back_source"] for row in rows.values()} == {"person"}
    assert rows[2]["suggested"] is True
    cli("feed", "run", "wolle", "import_stock", "--wait")
    taken = cli.json("mapping", "set", "wolle", "order-state-in", "all", "suggested")
    assert not any(row["suggested"] for row in taken)
