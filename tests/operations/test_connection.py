"""The settings of a shop's connection reach the client; what a client learnt is kept."""

import dataclasses
from pathlib import Path

import pytest
from sqlalchemy import select

from prestaconsole.database import Database
from prestaconsole.errors import UsageError
from prestaconsole.model import AuditEvent, Shop
from prestaconsole.operations.shop_settings import parse_setting
from prestaconsole.operations.shops import ShopRecord, remember_ways
from prestaconsole.redaction import Secret
from prestaconsole.sandbox import SimulatedShop
from tests.support.bench import Bench, make_bench

KEY = Secret("CANARY7CANARY7CANARY7CANARY7ABCD")


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return make_bench(database, tmp_path)


def added(bench: Bench) -> ShopRecord:
    return bench.add_shop(SimulatedShop.generate(version="8.2.1", products=2, orders=1, seed=1))


def test_the_settings_of_the_connection_reach_the_client(bench: Bench, tmp_path: Path) -> None:
    shop = added(bench)
    plain = bench.core.endpoint(shop, KEY)
    assert (plain.proxy, plain.ca_file, plain.concurrency, plain.rate, plain.priority) == ("", "", 2, 0.0, 50)
    stored = {
        "connection.proxy": "socks5://127.0.0.1",
        "connection.ca": str(tmp_path / "gone.pem"),
        "connection.places": "1",
        "connection.rate": "2.5",
    }
    changed = bench.core.endpoint(dataclasses.replace(shop, settings=stored), KEY, 10)
    assert changed.proxy == "socks5://127.0.0.1:1080"
    assert changed.ca_file == stored["connection.ca"]
    assert (changed.concurrency, changed.rate, changed.priority) == (1, 2.5, 10)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("connection.proxy", "http://me:hunter2@proxy:3128"),
        ("connection.ca", "/nowhere/ca.pem"),
        ("connection.places", "0"),
        ("connection.rate", "-1"),
        ("connection.rate", "nan"),
    ],
)
def test_settings_that_cannot_work_are_refused_and_no_password_is_repeated(name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_setting(name, text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.remedy or name in str(caught.value)


def test_a_way_that_a_client_learnt_is_kept_once_and_audited(bench: Bench) -> None:
    shop = added(bench)
    now = bench.core.clock.now()
    for learned in ({}, {"ps_method": True}, {"ps_method": True}):
        bench.core.database.write_now(lambda c, learned=learned: remember_ways(c, shop.id, learned, now))
    assert bench.core.database.read_now(lambda c: c.execute(select(Shop.ps_method)).scalar_one()) is True
    assert [row["action"] for row in bench.rows(AuditEvent)].count("shop way") == 1
