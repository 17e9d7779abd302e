"""What was told already of a cause that comes and goes, so that it is told seldom. Imports the model.

People who were told that a cause is open believe so until they are told of its cure. The more often it opened within a
day, the longer a cure must hold before it is told; what opens again before that is nothing new to them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from prestaconsole.database import Connection
from prestaconsole.model import Alert, AlertState, Incident
from prestaconsole.operations.incidents import SEVERITIES

DAY = timedelta(days=1)
_TOLD_WITHIN = timedelta(days=30)
_FIRST_QUIET, _LONGEST_QUIET = timedelta(minutes=15), timedelta(hours=2)


def quiet(openings: int) -> timedelta:
    """How long a cure must hold before it is told, after so many openings in a day: 0, 15, 30, 60, then 120 minutes."""
    if openings < 2:
        return timedelta()
    return _LONGEST_QUIET if openings > 4 else _FIRST_QUIET * 2 ** (openings - 2)


@dataclass
class Story:
    """What became of one cause in one shop lately, and what a channel told of it."""

    cause: tuple[int | None, str]
    openings: int = 0
    """In the last 24 hours."""
    open: bool = False
    closed_at: datetime | None = None
    """The last time it was cured."""
    told_at: datetime | None = None
    """When anything was last told of it."""
    severity: str = ""
    """How grave the opening was that people know of, to which no cure was told yet; empty where there is none."""
    _seen: set[int] = field(default_factory=set)
    _standing: int = 0
    _cure: int = 0

    @property
    def quiet(self) -> timedelta:
        """How long its cure must hold."""
        return quiet(self.openings)

    def knows(self, severity: str, opened_at: datetime) -> bool:
        """Whether people believe it open anyway, as gravely as this, because it was not cured for long enough."""
        if not self.severity or SEVERITIES.index(severity) < SEVERITIES.index(self.severity):
            return False
        return self.closed_at is not None and opened_at - self.closed_at <= self.quiet

    def cure_holds(self, now: datetime) -> bool:
        """Whether it has been cured for long enough to say so."""
        return not self.open and self.closed_at is not None and now - self.closed_at >= self.quiet

    def add(self, row: Any, since: datetime) -> None:
        """Take in one incident of the cause with one of its alerts, if it has any."""
        if row.id not in self._seen:
            self._seen.add(row.id)
            self.openings += row.opened_at > since
            self.open = self.open or row.closed_at is None
            self.closed_at = max(filter(None, (self.closed_at, row.closed_at)), default=None)
        if row.state == AlertState.SENT:
            self.told_at = max(filter(None, (self.told_at, row.ended_at)), default=None)
        if row.kind == "opened" and row.state == AlertState.SENT and row.alert > self._standing:
            self._standing = row.alert
            self.severity = row.severity if row.alert > self._cure else ""
        if row.kind == "cured" and row.state in (AlertState.SENT, AlertState.WAITING) and row.alert > self._cure:
            self._cure = row.alert
            self.severity = self.severity if row.alert < self._standing else ""


def same_cause(one: Any, other: Any) -> ColumnElement[bool]:
    """Whether two incidents have one cause in one shop, or both in none."""
    return and_(other.cause_key == one.cause_key, other.shop_id.is_not_distinct_from(one.shop_id))


def openings(now: datetime) -> Any:
    """How often the cause of an incident opened in the last 24 hours, as a column beside ``Incident``'s."""
    other = aliased(Incident)
    often = select(func.count()).select_from(other).where(same_cause(Incident, other), other.opened_at > now - DAY)
    return often.correlate(Incident).scalar_subquery()


def stories(connection: Connection, channel: str, incidents: Iterable[int], now: datetime) -> dict[int, Story]:
    """The story behind each of these incidents, for this channel. One statement, none where there are no incidents."""
    asked = list(incidents)
    if not asked:
        return {}
    mine, since = aliased(Incident), now - DAY
    # What people were told stands until they are told otherwise, however often it came and went since.
    told = and_(Alert.state.in_((AlertState.SENT, AlertState.WAITING)), Alert.created_at > now - _TOLD_WITHIN)
    lately = or_(
        *(Incident.id == mine.id, Incident.closed_at.is_(None)),
        *(Incident.closed_at > since, Incident.opened_at > since, told),
    )
    columns = (
        *(mine.id.label("asked"), Incident.id, Incident.shop_id, Incident.cause_key, Incident.severity),
        *(Incident.opened_at, Incident.closed_at, Alert.id.label("alert"), Alert.kind, Alert.state, Alert.ended_at),
    )
    rows = connection.execute(
        select(*columns)
        .select_from(mine)
        .join(Incident, same_cause(mine, Incident))
        .outerjoin(Alert, and_(Alert.incident_id == Incident.id, Alert.channel == channel))
        .where(mine.id.in_(asked), lately)
        .order_by(Incident.id, Alert.id)
    )
    found: dict[int, Story] = {}
    for row in rows:
        found.setdefault(row.asked, Story((row.shop_id, row.cause_key))).add(row, since)
    return found
