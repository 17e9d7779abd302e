"""How fast a run goes and when it will end: by what was seen of it, or by its own figures. Imports nothing of ours."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

_WINDOW = timedelta(seconds=30)
_KEPT = timedelta(seconds=60)
_FEWEST = 3
_AGREE = 0.2
_SHORTEST = 2.0
"""Seconds a run must have gone on before its average says anything."""


@dataclass
class Pace:
    """How fast a run goes that is being watched. An end is told only when the last 30 s, or the last three pages where
    pages take longer, agree within 20 % (SCREENS §5.8).
    """

    points: list[tuple[datetime, int]] = field(default_factory=list)

    def note(self, at: datetime, done: int) -> None:
        """A page was committed."""
        if self.points and done < self.points[-1][1]:
            self.points.clear()
        if not self.points or done != self.points[-1][1]:
            self.points.append((at, done))
        young = [point for point in self.points if at - point[0] <= _KEPT]
        self.points = young if len(young) >= _FEWEST else self.points[-_FEWEST:]

    def rate(self) -> float | None:
        """Rows a second of late, or None where the halves disagree or too little is known."""
        recent = [p for p in self.points if self.points[-1][0] - p[0] <= _WINDOW] if self.points else []
        if len(recent) < _FEWEST:
            recent = self.points[-_FEWEST:]
        if len(recent) < _FEWEST:
            return None
        middle = recent[len(recent) // 2]
        early, late = _speed(recent[0], middle), _speed(middle, recent[-1])
        if early is None or late is None or abs(early - late) > _AGREE * max(early, late):
            return None
        return _speed(recent[0], recent[-1])

    def ends(self, done: int, total: int | None, now: datetime) -> datetime | None:
        """When the run will end at this pace."""
        return end_at(self.rate(), done, total, now)


def average(done: int, started_at: datetime | None, progress_at: datetime | None) -> float | None:
    """Rows a second since the start, for one look at a run that nobody watched; None while too little is known."""
    if not done or started_at is None or progress_at is None:
        return None
    seconds = (progress_at - started_at).total_seconds()
    return done / seconds if seconds >= _SHORTEST else None


def end_at(rate: float | None, done: int, total: int | None, now: datetime) -> datetime | None:
    """When so many rows will be done at this rate; None where rate or total is not known."""
    if not rate or not total or done >= total:
        return None
    return now + timedelta(seconds=(total - done) / rate)


def _speed(first: tuple[datetime, int], last: tuple[datetime, int]) -> float | None:
    seconds = (last[0] - first[0]).total_seconds()
    return (last[1] - first[1]) / seconds if seconds > 0 else None
