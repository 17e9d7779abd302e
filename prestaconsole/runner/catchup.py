"""After a long stop: what fell due meanwhile is put in order, the orders first, spread, and counted. Imports feeds.

Times that were missed are one start a schedule (see ``schedules.tick``); here those starts are moved apart.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import AuditEvent, Shop, ShopMode
from prestaconsole.operations.audit import audit
from prestaconsole.runner.firing import share
from prestaconsole.runner.presence import last_sign_of_others
from prestaconsole.runner.schedules import ScheduleRecord, due_schedules, put_off

ACTION = "catch up"
LONG_STOP = timedelta(minutes=15)
_APART = timedelta(seconds=2)
_WITHIN = timedelta(minutes=30)
_TOLD = timedelta(hours=1)


@dataclass(frozen=True)
class CatchUp:
    """What was due after a stop of ``away``: how many feeds of how many shops, and how many of each feed."""

    away: timedelta
    feeds: int
    shops: int
    each: dict[str, int]
    over: timedelta

    @property
    def words(self) -> str:
        """``away for 2 d 4 h: 37 feeds of 14 shops are due, orders first, spread over 1 min``."""
        names = ", ".join(f"{number} {feed}" for feed, number in self.each.items())
        return (
            f"away for {length(self.away)}: {plural(self.feeds, 'feed')} of {plural(self.shops, 'shop')} "
            f"{'is' if self.feeds == 1 else 'are'} due ({names}), orders first, spread over {length(self.over)}"
        )


def catch_up(connection: Connection, now: datetime, *, owner: int, since: datetime | None) -> CatchUp | None:
    """Put what fell due while nobody was at work in order, by urgency and one after the other; None after a short stop.

    ``since`` is when this process itself last looked, None at its start. The ticks then start each in its turn.
    """
    if since is not None and now - since < LONG_STOP:
        return None
    signs = [moment for moment in (since, last_sign_of_others(connection, owner)) if moment is not None]
    if not signs or now - max(signs) < LONG_STOP:
        return None
    due = sorted(_due(connection, now), key=_urgency)
    apart = min(_APART, _WITHIN / max(len(due), 1))
    planned = [one for place, one in enumerate(due) if put_off(connection, one, now + apart * place)]
    if not planned:
        return None
    done = CatchUp(
        away=now - max(signs),
        feeds=len(planned),
        shops=len({schedule.shop_id for schedule in planned}),
        each=dict(Counter(schedule.feed for schedule in planned)),
        over=apart * (len(planned) - 1),
    )
    counts = {"feeds": done.feeds, "shops": done.shops, "each": done.each, "seconds": int(done.over.total_seconds())}
    audit(connection, actor="runner", action=ACTION, at=now, after=counts, reason=done.words[:300])
    return done


def _due(connection: Connection, now: datetime) -> list[ScheduleRecord]:
    """What is due and what its shop's mode does not lock."""
    modes = {row.id: ShopMode(row.mode) for row in connection.execute(select(Shop.id, Shop.mode))}
    due = due_schedules(connection, now)
    return [one for one in due if FEEDS[one.feed].modes[modes[one.shop_id]] != "locked"]


@dataclass(frozen=True)
class LastCatchUp:
    """A catch-up that goes on or is not long ago: when it began, and until when its last feed has started (UTC)."""

    at: datetime
    until: datetime
    words: str
    feeds: int
    shops: int


def last_catch_up(connection: Connection, now: datetime) -> LastCatchUp | None:
    """The last catch-up, until an hour after its last start."""
    latest = (
        select(AuditEvent.at, AuditEvent.after, AuditEvent.reason)
        .where(AuditEvent.shop_id.is_(None), AuditEvent.action == ACTION, AuditEvent.at > now - _TOLD - _WITHIN)
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )
    row = connection.execute(latest).one_or_none()
    if row is None:
        return None
    counts = row.after or {}
    until = row.at + timedelta(seconds=counts.get("seconds", 0))
    if now - until > _TOLD:
        return None
    return LastCatchUp(row.at, until, row.reason, counts.get("feeds", 0), counts.get("shops", 0))


def length(span: timedelta) -> str:
    """A stretch of time in its two largest parts: ``2 d 4 h``, ``35 min``, ``12 s``."""
    seconds = int(span.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number) or "0 s"


def plural(number: int, word: str) -> str:
    """``1 feed``, ``37 feeds``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _urgency(schedule: ScheduleRecord) -> tuple[int, datetime, float, int]:
    due = schedule.next_due
    assert due is not None
    return FEEDS[schedule.feed].priority, due, share(schedule.shop_id, schedule.feed), schedule.id
