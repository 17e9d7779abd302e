"""How far each table of a shop was read, by id, and what each feed keeps for its next run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from prestaconsole.database import Connection, upsert
from prestaconsole.model import FeedState, ShopCursor

OVERLAP = 50
"""Every cursor reads the last ids again: rows commit out of order (DESIGN §6)."""


def cursor(connection: Connection, shop_id: int, name: str) -> int | None:
    """The last id read, or None when this table was never read."""
    found = select(ShopCursor.value).where(ShopCursor.shop_id == shop_id, ShopCursor.name == name)
    return connection.execute(found).scalar()


def moved_at(connection: Connection, shop_id: int, name: str) -> datetime | None:
    """When the cursor was last set."""
    found = select(ShopCursor.moved_at).where(ShopCursor.shop_id == shop_id, ShopCursor.name == name)
    return connection.execute(found).scalar()


def set_cursor(connection: Connection, shop_id: int, name: str, value: int, at: datetime) -> None:
    """Set the cursor, in the transaction that stores what it covers."""
    row = {"shop_id": shop_id, "name": name, "value": value, "moved_at": at}
    upsert(connection, ShopCursor, [row], key=["shop_id", "name"])


def feed_detail(connection: Connection, shop_id: int, feed: str) -> dict[str, Any]:
    """What a feed noted for its next run; empty before its first."""
    found = select(FeedState.detail).where(FeedState.shop_id == shop_id, FeedState.feed == feed)
    return dict(connection.execute(found).scalar() or {})


def note_feed_detail(connection: Connection, shop_id: int, feed: str, notes: Mapping[str, Any]) -> None:
    """Keep these notes for the feed's next run, over what it noted before under the same names."""
    row = {"shop_id": shop_id, "feed": feed, "detail": {**feed_detail(connection, shop_id, feed), **notes}}
    upsert(connection, FeedState, [row], key=["shop_id", "feed"])
