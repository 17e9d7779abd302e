"""A loaded dump is served byte for byte, and can be lived in."""

import gzip
import re
from pathlib import Path

import pytest

from prestaconsole.sandbox import DEFAULT_KEY, SimulatedShop
from tests.sandbox.conftest import Client
from tests.support.shared import PLAIN_DUMPS, RICH_DUMPS, dump_folder

ADDRESS = re.compile(rb"http://[^/]+/(shop\w/)?api/")
MULTISTORE = tuple(f"8.2.1-multistore{suffix}" for suffix in ("", "-all", "-group2", "-shop2", "-shop3"))


@pytest.mark.parametrize("name", [*PLAIN_DUMPS, *RICH_DUMPS, *MULTISTORE, "1.6.1.24-advanced-stock"])
async def test_every_resource_of_a_dump_is_served_as_it_was_read(name: str) -> None:
    folder = dump_folder(name)
    shop = SimulatedShop.load(folder)
    checked = 0
    for path in sorted(folder.glob("*.xml.gz")):
        resource = path.name.removesuffix(".xml.gz")
        recorded = gzip.decompress(path.read_bytes()).decode()
        address = re.search(r"http://([^/]+)/((?:shop\w/)?)api/", recorded)
        host = address[1] if address else "127.0.0.1"
        shop.folder = f"/{address[2].rstrip('/')}" if address and address[2] else ""
        special = {"api-root": "", "images-products": "images/products"}
        wanted = special.get(resource, f"{resource}?display=full&sort=[id_ASC]")
        answer = await Client(shop).get(wanted, host=host)
        assert answer.text == recorded, resource
        checked += 1
    assert checked >= 45


@pytest.mark.parametrize("name", PLAIN_DUMPS)
async def test_a_shop_that_was_loaded_and_dumped_loads_again_as_the_same(name: str, tmp_path: Path) -> None:
    first = SimulatedShop.load(dump_folder(name))
    first.dump(tmp_path)
    second = SimulatedShop.load(tmp_path)
    assert second.version == first.version
    for resource, table in first.tables.items():
        assert list(second.table(resource).ids()) == list(table.ids()), resource
        for row_id in table.ids():
            assert second.row(resource, row_id) == first.row(resource, row_id), (resource, row_id)


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=pytest.mark.slow) for name in (*RICH_DUMPS, *MULTISTORE[1:])),
        pytest.param("8.2.1-multistore", marks=pytest.mark.slow),
        "1.6.1.24-advanced-stock",
    ],
)
def test_every_dump_comes_through_dump_and_load_byte_for_byte(name: str, tmp_path: Path) -> None:
    """With the folders of the further storefronts, and with every resource of the dump, the empty ones too."""
    folder = dump_folder(name)
    first = SimulatedShop.load(folder)
    first.dump(tmp_path / "once" / "shop")
    second = SimulatedShop.load(tmp_path / "once" / "shop")
    second.dump(tmp_path / "twice" / "shop")
    assert (second.version, second.name, second.zone) == (first.version, first.name, first.zone)
    assert second.images == first.images
    assert (second.storefronts is None) == (first.storefronts is None) == (name != "8.2.1-multistore")
    once = {path.relative_to(tmp_path / "once"): path.read_bytes() for path in (tmp_path / "once").rglob("*.gz")}
    twice = {path.relative_to(tmp_path / "twice"): path.read_bytes() for path in (tmp_path / "twice").rglob("*.gz")}
    assert once == twice
    for path in folder.glob("*.xml.gz"):
        recorded, written = gzip.decompress(path.read_bytes()), gzip.decompress(once[Path("shop", path.name)])
        assert ADDRESS.sub(b"", written) == ADDRESS.sub(b"", recorded), path.name


async def test_a_loaded_shop_goes_on_living() -> None:
    shop = SimulatedShop.load(dump_folder("8.2.1"))
    before = shop.quantity(50)
    id_order = shop.sell(50, quantity=2)
    assert id_order == 208
    assert shop.quantity(50) == before - 2
    answer = await Client(shop).get(f"orders/{id_order}")
    assert answer.node("current_state") == "2"
    assert len(list(answer.tree.iter("order_row"))) == 1
    shop.set_order_state(id_order, 6)
    assert shop.quantity(50) == before


async def test_a_made_up_shop_survives_dump_and_load(shop: SimulatedShop, tmp_path: Path) -> None:
    shop.dump(tmp_path)
    again = SimulatedShop.load(tmp_path)
    for resource in ("products", "combinations", "stock_availables", "orders", "order_details", "customers"):
        one = await Client(shop).get(f"{resource}?display=full&sort=[id_ASC]")
        other = await Client(again).get(f"{resource}?display=full&sort=[id_ASC]")
        assert one.text == other.text, resource


async def test_a_loaded_shop_takes_the_given_key_and_the_default_one(shop: SimulatedShop, tmp_path: Path) -> None:
    shop.dump(tmp_path)
    mine = "MINE0000MINE0000MINE0000MINE0000"
    again = SimulatedShop.load(tmp_path, key=mine)
    for key in (mine, DEFAULT_KEY):
        assert (await Client(again, key).get("")).status == 200
    assert (await Client(again, "X" * 32).get("")).status == 401


def test_a_folder_without_a_dump_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no dump"):
        SimulatedShop.load(tmp_path)


def test_a_broken_dump_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "orders.xml.gz").write_bytes(gzip.compress(b"<prestashop><orders>"))
    with pytest.raises(ValueError, match=r"orders\.xml\.gz"):
        SimulatedShop.load(tmp_path)
