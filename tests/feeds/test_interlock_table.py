"""The table of modes and needs: one place, the registry; its picture in the handbook, and the words of each lock."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from prestaconsole.database import Database
from prestaconsole.feeds.interlock import permission
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import AuditEvent, FeedState, ShopMode, ShopSetting
from prestaconsole.operations.shops import load_shop
from prestaconsole.services.safe_steps import safe_feeds
from tests.support.runs import START, add_shop

PAGE = Path(__file__).parents[2] / "docs" / "sysadmin.md"
MODES = (ShopMode.SETUP, ShopMode.REHEARSAL, ShopMode.LIVE, ShopMode.FROZEN)
WORDS = {"run": "run", "plan": "plan only", "locked": "locked", "once": "once", "typed": "typed reason"}


def table() -> list[str]:
    """The table of the handbook as the registry would have it."""
    lines = ["| feed | default | setup | rehearsal | live | frozen | needs first |", "|---|---|---|---|---|---|---|"]
    for spec in FEEDS.values():
        default = spec.default_every or ("on event" if spec.writes else "never scheduled")
        cells = [spec.name, default, *(WORDS[spec.modes[mode]] for mode in MODES), ", ".join(spec.needs) or "–"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def test_the_handbook_shows_the_table_that_is_in_force() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "\n".join(table()) in page, "\n".join(table())


def test_the_order_of_the_registry_is_the_run_order() -> None:
    names = list(FEEDS)
    for spec in FEEDS.values():
        assert all(names.index(need) < names.index(spec.name) for need in spec.needs if need in FEEDS)


def test_no_safe_step_writes_or_takes_over_stock() -> None:
    assert not [name for name in safe_feeds() if FEEDS[name].writes]
    assert "import_stock" not in safe_feeds()


@pytest.mark.parametrize("mode", ShopMode)
@pytest.mark.parametrize("feed", list(FEEDS))
def test_every_lock_says_why_and_what_unlocks_it_in_this_shop(
    sqlite_database: Database, mode: ShopMode, feed: str
) -> None:
    shop = add_shop(sqlite_database, "wolle", mode=mode)
    allowed = sqlite_database.read_now(lambda c: permission(c, shop, feed))
    if allowed.kind == "locked":
        assert allowed.lock and allowed.reason.endswith(".") and allowed.unlock.endswith(".")
        assert "SHOP" not in allowed.unlock and "{" not in allowed.reason + allowed.unlock


def test_a_needed_feed_names_itself_and_the_command(sqlite_database: Database) -> None:
    shop = add_shop(sqlite_database, "wolle", mode=ShopMode.SETUP)
    found = sqlite_database.read_now(lambda c: permission(c, shop, "import_orders"))
    assert (found.lock, found.reason) == ("needs first", "Needs analyse first: it has never finished here.")
    assert "feed run wolle analyse --wait" in found.unlock and "feed run-safe wolle" in found.unlock


def test_a_second_import_of_stock_says_when_the_first_was(sqlite_database: Database) -> None:
    shop = add_shop(sqlite_database, "wolle", mode=ShopMode.SETUP)
    done = datetime(2026, 2, 3, 10, tzinfo=UTC)
    feeds = [need for need in FEEDS["import_stock"].needs if need in FEEDS]
    rows = [{"shop_id": shop.id, "feed": feed, "completed_at": done, "detail": {}} for feed in (*feeds, "import_stock")]
    chosen = {"name": "stock.import_to", "value": "W1", "updated_at": START, "updated_by": "x"}
    sqlite_database.write_now(lambda c: c.execute(insert(FeedState), rows))
    sqlite_database.write_now(lambda c: c.execute(insert(ShopSetting).values(shop_id=shop.id, **chosen)))
    found = sqlite_database.read_now(lambda c: permission(c, load_shop(c, shop.id), "import_stock"))
    assert found.lock == "once"
    assert found.reason.startswith("import_stock ran on 3 Feb 2026.")
    assert (
        sqlite_database.read_now(
            lambda c: permission(c, load_shop(c, shop.id), "import_stock", reason="counted again")
        ).kind
        == "run"
    )


def test_a_frozen_shop_says_who_froze_it_when_and_why(sqlite_database: Database) -> None:
    shop = add_shop(sqlite_database, "wolle", mode=ShopMode.FROZEN)
    event = {"at": START, "actor": "Łukasz", "action": "shop mode", "shop_id": shop.id, "reason": "peak season"}
    sqlite_database.write_now(lambda c: c.execute(insert(AuditEvent).values(**event)))
    found = sqlite_database.read_now(lambda c: permission(c, load_shop(c, shop.id), "import_stock"))
    assert found.reason.startswith("Frozen by Łukasz since 2 Mar 2026 (peak season): reading goes on")
    assert found.unlock == "`prestaconsole shop mode wolle live` thaws it."
