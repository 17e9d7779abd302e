"""The gate: which shops may be written to, and what a permit is good for."""

from datetime import timedelta

import pytest

from prestaconsole.changes.gate import grace_seconds, permit, require_live
from prestaconsole.changes.sending import PermitExpired, put_stock_rows
from prestaconsole.errors import LockedError, NotFoundError
from prestaconsole.model import ShopMode
from tests.changes.live import LiveShop
from tests.changes.shelf import Shelf


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (ShopMode.DRAFT, "No shop is connected yet"),
        (ShopMode.SETUP, "Locked in setup: rehearsal makes plans, live sends them"),
        (ShopMode.REHEARSAL, "Rehearsal plans and sends nothing"),
        (ShopMode.FROZEN, "Frozen: reading goes on"),
    ],
)
def test_only_a_live_shop_is_written_to(quick_shelf: Shelf, mode: ShopMode, words: str) -> None:
    shelf = quick_shelf
    shop = shelf.add_shop(mode=mode)
    with pytest.raises(LockedError, match=words) as refusal:
        shelf.write(lambda c: require_live(c, shop.id))
    assert refusal.value.exit_status == 3
    assert "wolle" in refusal.value.remedy
    shelf.set_mode(shop, ShopMode.LIVE)
    shelf.write(lambda c: require_live(c, shop.id))


def test_a_shop_that_is_not_there_is_not_written_to(quick_shelf: Shelf) -> None:
    with pytest.raises(NotFoundError):
        quick_shelf.write(lambda c: require_live(c, 77))


def test_whoever_takes_over_waits_until_the_last_request_must_be_over(shelf: Shelf) -> None:
    shop = shelf.add_shop()
    given = shelf.write(lambda c: permit(c, shop.id, 5, now=shelf.now, time_out=60.0))
    assert given.start_by == shelf.now + timedelta(seconds=6)
    assert given.unsure_until == given.start_by + timedelta(seconds=60)
    assert grace_seconds(0.2) == 1.0


async def test_a_permit_that_ran_out_sends_nothing(live: LiveShop) -> None:
    at = live.clock.now()
    given = live.database.write_now(lambda c: permit(c, live.shop.id, 1, now=at, time_out=60.0))
    live.clock.skipped += 7
    async with live.client() as client:
        with pytest.raises(PermitExpired):
            await put_stock_rows(given, client, live.clock, [live.stock_row(0)], id_shop=None)
    assert live.wire.puts == []
