"""When a feed runs: cron, an interval or plain words, read in a zone with the clock-change rules of Debian's cron.

Pure but for the time-zone data; imports errors, zones and cronsim, which reads a line and knows the calendar. What the
nights of clock change do to it is decided here: cronsim alone loses half an hour where a zone shifts by that much.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from prestaconsole.errors import UsageError
from prestaconsole.runner.zones import first_showing, leap, wall_of

_WEEK = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_UNITS = {"min": 60, "h": 3600, "d": 86400}
_UNIT = r"(?P<unit>m|mins?|minutes?|h|hrs?|hours?|d|days?)"
_SHORTEST, _LONGEST = 60, 366 * 86400
_LONGEST_TEXT = 80
_DAY = timedelta(days=1)
_LONGEST_LEAP = timedelta(hours=3)
_EXAMPLES = "Try: every 5 min, daily 03:00, weekdays 6-20 every 10 min, weekly Sun 02:00, 0 3 * * *, or off."
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}

_DAY_WORDS = (
    r"(?P<days>daily|day|weekdays?|weekends?|weekly\s+[a-z]+|monthly\s+\d{1,2}|[a-z]{3,9}(?:\s*[,-]\s*[a-z]{3,9})*)"
)
_HOURS = r"(?:from\s+)?(?P<begin>\d{1,2})(?::00)?\s*(?:-|–|to)\s*(?P<end>\d{1,2})(?::00)?"
_EACH = rf"every\s+(?P<number>\d+)?\s*{_UNIT}"
_INTERVAL = re.compile(rf"(?:every\s+)?(?P<number>\d+)?\s*{_UNIT}")
_AT = re.compile(rf"(?:every\s+)?{_DAY_WORDS}\s+(?:at\s+)?(?P<hour>\d{{1,2}})(?::(?P<minute>\d{{2}}))?")
_WITHIN = re.compile(rf"(?:{_DAY_WORDS}\s+)?{_HOURS}\s+{_EACH}")
_WITHIN_TURNED = re.compile(rf"{_EACH}\s+(?:{_DAY_WORDS}\s+)?{_HOURS}")
_CRON = re.compile(r"\S+(?:\s+\S+){4}")


@dataclass(frozen=True)
class Timing:
    """Either ``cron`` (five fields) or ``seconds`` between runs; ``text`` is what a person reads and may type."""

    text: str
    cron: str = ""
    seconds: int = 0


def parse(text: str) -> Timing:
    """Read what a person typed. Raises ``UsageError`` with examples when it cannot be understood."""
    words = " ".join(text.strip().split())
    plain = words.lower()
    if not plain:
        raise _misread(text, "nothing was given")
    if len(words) > _LONGEST_TEXT:
        raise _misread(text, f"it is longer than {_LONGEST_TEXT} letters")
    if plain in _MACROS:
        return Timing(plain, cron=_MACROS[plain])
    if plain == "hourly":
        return _interval(1, "h", text)
    for pattern, read in ((_INTERVAL, _read_interval), (_AT, _read_at), (_WITHIN, _read_within)):
        found = pattern.fullmatch(plain)
        if found is not None:
            return read(found, text)
    turned = _WITHIN_TURNED.fullmatch(plain)
    if turned is not None:
        return _read_within(turned, text)
    if _CRON.fullmatch(words):
        _check_cron(words, text)
        return Timing(words, cron=words)
    raise _misread(text, "it is neither words we know, nor an interval, nor five fields of cron")


def next_after(timing: Timing, zone: ZoneInfo, after: datetime, due: datetime | None = None) -> datetime:
    """The first time after ``after`` (aware), in UTC. An interval keeps the beat of ``due``; missed times are one.

    Cron with a fixed hour and minute follows Debian: a time that a spring night skips comes right after the gap,
    one that an autumn night shows twice comes once. Cron with ``*`` goes by what the clock shows.
    """
    after = after.astimezone(UTC)
    if timing.seconds:
        step = timedelta(seconds=timing.seconds)
        base = due.astimezone(UTC) if due is not None else after
        return base + step * max((after - base) // step + 1, 1)
    try:
        return _shown_next(timing.cron, zone, after) if _by_the_wall(timing.cron) else _meant_next(timing, zone, after)
    except StopIteration:
        raise _misread(timing.text, "this day never comes") from None


def _by_the_wall(cron: str) -> bool:
    """Whether a line runs whenever the clock shows its time: with a star first in minute or hour."""
    minute, hour = cron.split()[:2]
    return minute.startswith("*") or hour.startswith("*")


def _shown_next(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    """The first moment after ``after`` at which the clock shows a time of the line, be it for the second time."""
    start, first = after.replace(microsecond=0), True
    while True:
        stop, wall = leap(zone, start, start + _DAY), wall_of(zone, start)
        coming = next(CronSim(cron, wall if first else wall - timedelta(seconds=1)))
        moment = start + (coming - wall)
        if moment < stop:
            return moment
        # What a leap shows once more is looked through again; long stretches without a match are not.
        start, first = max(stop, moment - _DAY) if stop - start == _DAY else stop, False


def _meant_next(timing: Timing, zone: ZoneInfo, after: datetime) -> datetime:
    """The first moment after ``after`` for a time of the line: once where it is shown twice, after a gap in the gap."""
    for wall in CronSim(timing.cron, wall_of(zone, after) - _LONGEST_LEAP):
        moment = first_showing(zone, wall)
        if moment > after:
            return moment
    raise StopIteration


# -- reading ----------------------------------------------------------------------------------------------------------


def _misread(text: str, why: str) -> UsageError:
    return UsageError(f"“{text.strip()}” cannot be read as a schedule: {why}.", _EXAMPLES)


def _unit(word: str) -> str:
    return {"m": "min", "h": "h", "d": "d"}[word[0]]


def _read_interval(found: re.Match[str], text: str) -> Timing:
    return _interval(int(found["number"] or 1), _unit(found["unit"]), text)


def _interval(number: int, unit: str, text: str) -> Timing:
    seconds = number * _UNITS[unit]
    if not _SHORTEST <= seconds <= _LONGEST:
        raise _misread(text, "an interval lies between one minute and a year")
    return Timing(f"every {number} {unit}", seconds=seconds)


def _read_at(found: re.Match[str], text: str) -> Timing:
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if hour > 23 or minute > 59:
        raise _misread(text, f"{hour}:{minute:02d} is no time of day")
    shown, day_of_month, weekday = _days(found["days"], text)
    cron = f"{minute} {hour} {day_of_month} * {weekday}"
    _check_cron(cron, text)
    return Timing(f"{shown} {hour:02d}:{minute:02d}", cron=cron)


def _read_within(found: re.Match[str], text: str) -> Timing:
    """Between two hours: the later one is the end, so `6-20 every 10 min` starts last at 19:50."""
    begin, end, number, unit = int(found["begin"]), int(found["end"]), int(found["number"] or 1), _unit(found["unit"])
    if begin > 23 or end > 24 or begin >= end:
        raise _misread(text, "the hours go from 0 to 24, the earlier one first")
    shown, day_of_month, weekday = _days(found["days"] or "daily", text)
    hours = f"{begin}-{end - 1}" if end - begin > 1 else str(begin)
    seconds = number * _UNITS[unit]
    if seconds < 3600 and 3600 % seconds == 0:
        minutes = f"*/{number}"
    elif seconds % 3600 == 0 and 0 < seconds // 3600 <= 12:
        minutes = "0"
        step = seconds // 3600
        hours = hours if step == 1 else ",".join(str(hour) for hour in range(begin, end, step))
    else:
        raise _misread(text, "within hours of the day the minutes must divide an hour: 5, 10, 15, 20, 30 or 60")
    cron = f"{minutes} {hours} {day_of_month} * {weekday}"
    _check_cron(cron, text)
    return Timing(f"{shown} {begin}-{end} every {number} {unit}", cron=cron)


def _days(words: str, text: str) -> tuple[str, str, str]:
    """The days as people write them, as day of month, and as weekday of cron."""
    if words in {"daily", "day"}:
        return "daily", "*", "*"
    if words.startswith("weekday"):
        return "weekdays", "*", "1-5"
    if words.startswith("weekend"):
        return "weekends", "*", "0,6"
    if words.startswith("monthly"):
        number = int(words.split()[1])
        if not 1 <= number <= 31:
            raise _misread(text, f"no month has a day {number}")
        return f"monthly {number}", str(number), "*"
    weekly = words.startswith("weekly")
    numbers: list[int] = []
    for part in re.split(r"\s*,\s*", words.removeprefix("weekly").strip()):
        ends = [_weekday(name, text) for name in re.split(r"\s*-\s*", part)]
        first, last = ends[0], ends[-1]
        numbers += [number % 7 for number in range(first, (last if last >= first else last + 7) + 1)]
    names = ",".join(_name(number) for number in dict.fromkeys(numbers))
    return (f"weekly {names}" if weekly else names), "*", ",".join(str(number) for number in sorted(set(numbers)))


def _weekday(name: str, text: str) -> int:
    for number, day in enumerate(_WEEK):
        if len(name) >= 3 and (day.startswith(name) or name == f"{day}s"):
            return number
    raise _misread(text, f"“{name}” is no day of the week")


def _name(number: int) -> str:
    return _WEEK[number][:3].capitalize()


def _check_cron(cron: str, text: str) -> None:
    try:
        next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise _misread(text, str(error).lower()) from None
    except StopIteration:
        raise _misread(text, "this day never comes") from None
