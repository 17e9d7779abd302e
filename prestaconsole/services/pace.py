"""How a shop is asked just now, wherever its feeds run. May import runner, operations."""

from prestaconsole.database import Connection
from prestaconsole.operations.core import Core
from prestaconsole.operations.pace import PaceRecord, read_paces
from prestaconsole.operations.shops import find_shop
from prestaconsole.runner.moments import moment_of

__all__ = ["PaceRecord", "shop_pace"]


def shop_pace(core: Core, shop: str) -> PaceRecord | None:
    """Breaker, rests, places and the cost of requests of one shop; None while nobody asked it. Asks no shop."""

    def work(connection: Connection) -> PaceRecord | None:
        found = find_shop(connection, shop).id
        return read_paces(connection, moment_of(core.clock)(connection), [found]).get(found)

    return core.database.read_now(work)
