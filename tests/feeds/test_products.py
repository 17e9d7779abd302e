"""Listings come in whole and find their product without guessing; a damaged answer never makes one gone."""

from sqlalchemy import update

from prestaconsole.model import Listing, Product, Shop, ShopFinding
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench


async def test_two_shops_list_one_product_by_its_sku(bench: Bench) -> None:
    first = bench.add_shop(SimulatedShop.generate(version="8.2.1", products=6, orders=0, seed=1), "one")
    second = bench.add_shop(SimulatedShop.generate(version="8.2.1", products=6, orders=0, seed=1), "two")
    for shop in (first, second):
        await bench.run_all(shop, "analyse", "import_products")
    linked = bench.rows(Listing, Listing.has_combinations.is_(False))
    assert {row["product_id"] for row in linked if row["shop_id"] == first.id} == {
        row["product_id"] for row in linked if row["shop_id"] == second.id
    }
    assert len(bench.rows(Product)) == len({row["sku"] for row in linked})


async def test_a_missing_or_repeated_sku_keeps_a_product_of_its_own_and_is_listed(bench: Bench) -> None:
    simulated = SimulatedShop.generate(version="8.2.1", products=10, orders=0, seed=2, without_sku=2, duplicate_skus=2)
    shop = bench.add_shop(simulated)
    await bench.run_all(shop, "analyse", "import_products")
    sellable = bench.rows(Listing, Listing.has_combinations.is_(False))
    times: dict[str, int] = {}
    for row in sellable:
        times[row["sku"]] = times.get(row["sku"], 0) + 1
    odd = [row for row in sellable if not row["sku"] or times[row["sku"]] > 1]
    assert odd
    assert len({row["product_id"] for row in odd}) == len(odd)
    assert {row["linked_by"] for row in odd} == {"own"}
    findings = {row["name"]: row["text"] for row in bench.rows(ShopFinding, ShopFinding.source == "products")}
    assert set(findings) == {"sku-missing", "sku-repeated"}


async def test_what_a_person_linked_stays_linked(bench: Bench, simulated: SimulatedShop) -> None:
    shop = bench.add_shop(simulated)
    await bench.run_all(shop, "analyse", "import_products")
    chosen, other = bench.rows(Listing, Listing.has_combinations.is_(False))[:2]
    change = update(Listing).where(Listing.id == chosen["id"])
    bench.core.database.write_now(
        lambda c: c.execute(change.values(product_id=other["product_id"], linked_by="person"))
    )
    await bench.run_all(shop, "import_products")
    after = bench.rows(Listing, Listing.id == chosen["id"])[0]
    assert (after["product_id"], after["linked_by"]) == (other["product_id"], "person")


async def test_a_deleted_product_is_gone_after_a_whole_reading_and_comes_back(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = bench.add_shop(simulated)
    await bench.run_all(shop, "analyse", "import_products")
    number = simulated.add_product(name="Vase", reference="VASE-1", price="4.000000", quantity=5)
    await bench.run_all(shop, "import_products")
    row = dict(simulated.row("products", number))
    simulated.table("products").remove(number)
    await bench.run_all(shop, "import_products")
    assert bench.rows(Listing, Listing.id_product == number)[0]["gone_at"] is not None
    simulated.table("products").insert(row)
    await bench.run_all(shop, "import_products")
    assert bench.rows(Listing, Listing.id_product == number)[0]["gone_at"] is None


async def test_a_damaged_page_makes_nothing_gone_and_the_others_come_through(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = bench.add_shop(simulated)
    await bench.run_all(shop, "analyse", "import_products")
    products = simulated.table("products")
    bad, renamed = products.ids()[:2]
    products.update(bad, {"reference": "odd \x0b reference"})
    products.update(renamed, {"reference": "NEW-REF"})
    ended = await bench.run(shop, "import_products")
    assert ended.state == "done"
    listings = {row["id_product"]: row for row in bench.rows(Listing, Listing.id_product_attribute == 0)}
    assert all(row["gone_at"] is None for row in listings.values())
    assert listings[renamed]["sku"] == "NEW-REF"


async def test_a_new_combination_turns_its_product_into_a_parent_that_is_not_sold(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = bench.add_shop(simulated)
    number = simulated.add_product(name="Cup", reference="CUP", price="10.000000", quantity=5)
    await bench.run_all(shop, "analyse", "import_products")
    assert not bench.rows(Listing, Listing.id_product == number)[0]["has_combinations"]
    twin = simulated.add_product(
        name="Plate",
        reference="PLATE",
        price="10.000000",
        combinations=[{"reference": "PLATE-S", "quantity": 3, "price": "1.500000"}],
    )
    await bench.run_all(shop, "import_products")
    parent, combination = bench.rows(Listing, Listing.id_product == twin)
    assert (parent["has_combinations"], combination["sku"], str(combination["price"])) == (True, "PLATE-S", "11.500000")
    assert combination["name"].startswith("Plate")


async def test_names_keep_accents_and_xml_characters(bench: Bench, simulated: SimulatedShop) -> None:
    shop = bench.add_shop(simulated)
    name = "Żółć & <Größe> „naïve” ]] 東京"
    number = simulated.add_product(name=name, reference="ODD&1", price="1.000000", quantity=1)
    await bench.run_all(shop, "analyse", "import_products")
    stored = bench.rows(Listing, Listing.id_product == number)[0]
    assert (stored["name"], stored["sku"]) == (name, "ODD&1")


async def test_another_shop_that_answers_fills_no_books_and_stops_the_shop(
    bench: Bench, simulated: SimulatedShop
) -> None:
    shop = bench.add_shop(simulated)
    await bench.run_all(shop, "analyse", "import_products")
    before = bench.rows(Listing)
    bench.simulated[shop.base_url] = SimulatedShop.generate(version="8.2.1", products=9, orders=12, seed=99)
    ended = await bench.run(shop, "import_products")
    assert (ended.state, "Another shop answers" in ended.error) == ("failed", True)
    assert bench.rows(Listing) == before
    stopped = bench.rows(Shop)[0]
    assert (stopped["paused_at"] is not None, stopped["pause_reason"]) == (True, "identity changed")
