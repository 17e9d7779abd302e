"""Which feeds are enabled in a shop, and so which rights its key needs (rows B9, A4). Imports the registry, model."""

from collections.abc import Mapping

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.feeds.registry import FEEDS, FeedSpec
from prestaconsole.model import FeedSchedule, FeedState, ShopMode
from prestaconsole.operations.shops import ShopRecord

_WAY = (ShopMode.SETUP, ShopMode.REHEARSAL, ShopMode.LIVE)


def enabled_feeds(connection: Connection, shop: ShopRecord) -> list[FeedSpec]:
    """The feeds that this shop's key must have rights for, in the order of the registry.

    A feed is enabled unless a person switched its schedule off, where the shop's mode lets it run by schedule, event or
    hand, or a later mode on the way to live does: the rights are ticked once, before the gate opens. What an enabled
    feed needs first is enabled too until it has completed here.
    """
    mine = FeedSchedule.shop_id == shop.id
    off = set(connection.execute(select(FeedSchedule.feed).where(mine, FeedSchedule.enabled.is_(False))).scalars())
    completed = select(FeedState.feed).where(FeedState.shop_id == shop.id, FeedState.completed_at.is_not(None))
    done = set(connection.execute(completed).scalars())
    modes = _ahead(shop.mode)
    found = {
        spec.name for spec in FEEDS.values() if spec.name not in off and any(spec.modes[m] != "locked" for m in modes)
    }
    waiting = list(found)
    while waiting:
        for need in FEEDS[waiting.pop()].needs:
            if need in FEEDS and need not in found and need not in done:
                found.add(need)
                waiting.append(need)
    return [spec for spec in FEEDS.values() if spec.name in found]


def _ahead(mode: ShopMode) -> tuple[ShopMode, ...]:
    """The mode and those that come after it; a frozen shop is thawed to live, a draft has all before it."""
    if mode is ShopMode.FROZEN:
        return (ShopMode.FROZEN, ShopMode.LIVE)
    return _WAY[_WAY.index(mode) :] if mode in _WAY else _WAY


def needed_rights(connection: Connection, shop: ShopRecord) -> dict[str, dict[str, frozenset[str]]]:
    """Feed → resource → methods, of the enabled feeds."""
    return {spec.name: dict(spec.rights) for spec in enabled_feeds(connection, shop)}


def by_resource(needs: Mapping[str, Mapping[str, frozenset[str]]]) -> dict[str, set[str]]:
    """Resource → methods that these feeds together need."""
    wanted: dict[str, set[str]] = {}
    for resources in needs.values():
        for resource, methods in resources.items():
            wanted.setdefault(resource, set()).update(methods)
    return wanted
