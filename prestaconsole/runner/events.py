"""What happens without a schedule: a change that touches a shop's numbers wakes its push (row B29). Imports changes."""

from datetime import datetime

from sqlalchemy import select

from prestaconsole.changes.marks import shops_to_push
from prestaconsole.database import Connection
from prestaconsole.model import FeedRun
from prestaconsole.runner.queue import active_key, request_if_open

PUSH = "export_stock"


def waiting(connection: Connection, now: datetime) -> list[int]:
    """Shops with something to send and no push at work or queued: changes made meanwhile are its next one's."""
    shops = shops_to_push(connection, now)
    if not shops:
        return []
    keys = {active_key(shop_id, PUSH, {}): shop_id for shop_id in shops}
    active = set(connection.execute(select(FeedRun.active_key).where(FeedRun.active_key.in_(keys))).scalars())
    return [shop_id for key, shop_id in keys.items() if key not in active]


def wake_pushes(connection: Connection, now: datetime) -> list[int]:
    """Queue a push for each such shop; many changes at once become one run with the last values."""
    shops = waiting(connection, now)
    for shop_id in shops:
        request_if_open(connection, shop_id=shop_id, feed=PUSH, actor="PrestaConsole", trigger="event", now=now)
    return shops
