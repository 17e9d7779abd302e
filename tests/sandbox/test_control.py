"""Faults switched while the shop is being served, by page and by command line, and what was counted."""

import re
from pathlib import Path

import httpx
import pytest

from prestaconsole.cli.sandbox import FAULTS
from prestaconsole.sandbox import DEFAULT_KEY, SandboxServer, SimulatedShop
from prestaconsole.sandbox.command import make, serve
from prestaconsole.sandbox.faults import NAMES, SHARES
from tests.sandbox.conftest import Client


def test_faults_are_switched_over_the_port_while_it_serves(shop: SimulatedShop) -> None:
    with SandboxServer(shop) as server, httpx.Client(auth=(DEFAULT_KEY, ""), timeout=5.0) as web:
        api, control = f"{server.url}/api/languages", f"{server.url}/sandbox"
        assert web.get(control).json()["faults"] == {}
        assert web.post(control, params={"http500": "1"}).json()["faults"] == {"http500": 1.0}
        assert web.get(api).status_code == 500
        assert web.post(control, params={"http500": "off"}).json()["faults"] == {}
        assert web.get(api).status_code == 200
        web.post(control, params={"html": "next:2", "mail-refused": ""})
        assert [web.get(api).headers["content-type"][:9] for _ in range(3)] == ["text/html", "text/html", "text/xml;"]
        assert web.post(control, params={"clear": ""}).json()["faults"] == {}
        told = web.get(control).json()
        assert told["requests"] == 5, "the page itself is in no journal"


def test_the_clock_another_shop_and_a_restored_backup_are_switched_while_it_serves(shop: SimulatedShop) -> None:
    last = shop.table("orders").ids()[-1]
    with SandboxServer(shop) as server, httpx.Client(auth=(DEFAULT_KEY, ""), timeout=5.0) as web:
        orders, control = f"{server.url}/api/orders?display=[id,reference]&sort=[id_ASC]", f"{server.url}/sandbox"
        own = web.get(orders)
        web.post(control, params={"clock": "7200"})
        moved = int(web.get(orders).headers["access-time"]) - int(own.headers["access-time"])
        assert moved == 7200
        web.post(control, params={"clock": "0", "other-shop": ""})
        assert web.get(orders).text != own.text
        web.post(control, params={"clear": ""})
        assert web.get(orders).text == own.text
        reference = shop.row("orders", last)["reference"]
        web.post(control, params={"id-reuse": "2"})
        assert f"<id><![CDATA[{last}]]></id>" not in web.get(orders).text
        assert web.get(control).json()["faults"] == {}, "a backup is restored once"
        assert [shop.sell(1), shop.sell(1)] == [last - 1, last]
        assert f"<id><![CDATA[{last}]]></id>" in web.get(orders).text
        assert shop.row("orders", last)["reference"] != reference, "another order under the old one's id"


async def test_what_is_wrong_is_said_and_changes_nothing(shop: SimulatedShop) -> None:
    transport = httpx.ASGITransport(app=shop.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as web:
        for wrong in ("nope=1", "http500=2", "http500=much", "latency=", "reset=next:some"):
            answer = await web.post(f"/sandbox?{wrong}")
            assert answer.status_code == 400, wrong
            assert answer.json()["error"]
        assert (await web.put("/sandbox")).status_code == 405
        assert (await web.get("/sandbox")).json()["faults"] == {}


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_is_explained_in_the_help_and_can_be_switched_on_and_off(name: str) -> None:
    assert re.search(rf"(?<![\w-]){name}(?![\w-])", FAULTS)
    shop = make(faults=[f"{name}=1" if name != "redirect" else "redirect=302"])
    assert name in shop.faults.state()
    shop.faults.set(name, "off")
    assert shop.faults.state() == {}
    if name in SHARES:
        shop.faults.set(name, "next:3")
        assert shop.faults.state() == {name: "next 3"}


def test_the_command_makes_awkward_orders_and_several_storefronts(tmp_path: Path) -> None:
    said: list[str] = []
    status = serve(port=0, products=6, orders=3, hard=True, storefronts=3, dump=tmp_path / "shop", say=said.append)
    assert status == 0, said
    again = SimulatedShop.load(tmp_path / "shop")
    assert again.storefronts is not None
    assert len(again.table("shops")) == 3
    assert len(again.table("orders")) > 3 + 8
    assert any(row.get("is_guest") == "1" for row in again.table("customers"))
    for options in ({"hard": True}, {"storefronts": 2}):
        refused: list[str] = []
        assert serve(port=0, load=tmp_path / "shop", say=refused.append, **options) == 2
        assert "leave" in refused[0]


def test_awkward_orders_follow_in_a_large_shop_too() -> None:
    shop = make(products=6000, orders=20, hard=True)
    references = [row["reference"] for row in shop.table("orders")]
    assert len(references) == 31
    assert len(set(references)) < len(references), "a split cart's orders share one"


async def test_the_shop_has_no_such_page_below_its_api(client: Client) -> None:
    assert (await client.get("sandbox")).codes == [27]
