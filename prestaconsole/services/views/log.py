"""The live log: run logs of all shops or one, followed without missing a late commit. Imports the model."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import Connection

from prestaconsole.model.runs import FeedRun, FeedRunLog
from prestaconsole.model.shops import Shop
from prestaconsole.services.views.rows import Ask, RowView

#: Lines kept in memory; older ones stay in the database.
KEPT_LINES = 100_000
#: Ids looked at again behind the newest: transactions may commit in another order than they took their ids.
OVERLAP = 400
LEVELS: tuple[str, ...] = ("all", "info", "warn", "FAIL")


@dataclass(frozen=True)
class LogRow:
    """One line of a run's log."""

    id: int
    at: datetime
    level: str
    text: str
    shop_id: int
    shop: str
    feed: str
    run_id: int


class LogQuery:
    """Lines in the order they were written; ``facet`` is ``level`` or ``level:run``."""

    orders: Sequence[str] = ("time",)

    def ids(self, connection: Connection, ask: Ask) -> Iterable[int]:
        """The newest ``KEPT_LINES`` ids, oldest first."""
        newest = select(FeedRunLog.id).where(*_conditions(ask)).order_by(FeedRunLog.id.desc()).limit(KEPT_LINES)
        if ask.shop is not None or ask.words:
            newest = newest.join(FeedRun, FeedRun.id == FeedRunLog.run_id).join(Shop, Shop.id == FeedRun.shop_id)
        return reversed(connection.execute(newest).scalars().all())

    def since(self, connection: Connection, ask: Ask, after: int) -> list[int]:
        """Ids behind one, in order."""
        found = select(FeedRunLog.id).where(FeedRunLog.id > after, *_conditions(ask)).order_by(FeedRunLog.id)
        if ask.shop is not None or ask.words:
            found = found.join(FeedRun, FeedRun.id == FeedRunLog.run_id).join(Shop, Shop.id == FeedRun.shop_id)
        return list(connection.execute(found.limit(KEPT_LINES)).scalars())

    def rows(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, LogRow]:
        """The lines with their shop and feed."""
        found = connection.execute(
            select(
                FeedRunLog.id, FeedRunLog.at, FeedRunLog.level, FeedRunLog.text, FeedRun.shop_id,
                Shop.name.label("shop"), FeedRun.feed, FeedRunLog.run_id,
            )
            .join(FeedRun, FeedRun.id == FeedRunLog.run_id)
            .join(Shop, Shop.id == FeedRun.shop_id)
            .where(FeedRunLog.id.in_(ids))
        )  # fmt: skip
        return {row.id: LogRow(**row._mapping) for row in found}


def _conditions(ask: Ask) -> list[ColumnElement[bool]]:
    level, _, run = ask.facet.partition(":")
    conditions: list[ColumnElement[bool]] = []
    if level in ("warn", "FAIL"):
        conditions.append(FeedRunLog.level.in_(("warn", "FAIL") if level == "warn" else ("FAIL",)))
    elif level == "info":
        conditions.append(FeedRunLog.level.in_(("info", "warn", "FAIL")))
    if run:
        conditions.append(FeedRunLog.run_id == int(run))
    if ask.shop is not None:
        conditions.append(FeedRun.shop_id == ask.shop)
    for word in ask.words.split():
        like = f"%{word.replace('%', '')}%"
        conditions.append(FeedRunLog.text.ilike(like) | Shop.name.ilike(like) | FeedRun.feed.ilike(like))
    return conditions


class LogView(RowView[LogRow]):
    """A log that grows at its end. ``follow`` reads only what came, with an overlap for late commits."""

    async def follow(self) -> int:
        """Take the lines that came since; gives how many. Lines never change, so no row is read twice."""
        query, ask, known, mine = self.query, self.ask, self.ids, self._generation
        assert isinstance(query, LogQuery)
        after = max(0, known[-1] - OVERLAP) if known else 0
        recent = set(known[-2 * OVERLAP :])
        found = await self.reader.read(lambda connection: query.since(connection, ask, after))
        fresh = [i for i in found if i not in recent]
        if mine != self._generation or not fresh:
            return 0
        if known and fresh[0] < known[-1]:
            tail = sorted([*known[-2 * OVERLAP :], *fresh])
            self.ids = array("q", known[: -2 * OVERLAP]) + array("q", tail)
        else:
            self.ids = known + array("q", fresh)
        if len(self.ids) > KEPT_LINES:
            self.ids = self.ids[len(self.ids) - KEPT_LINES :]
        return len(fresh)
