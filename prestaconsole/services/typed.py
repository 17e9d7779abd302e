"""Checks on what people type: names, codes, mails, reasons, moments. May import errors, redaction and operations."""

import re
import unicodedata
from datetime import datetime, timedelta, tzinfo

from prestaconsole.errors import LockedError, UsageError
from prestaconsole.operations.shops import ShopRecord, fold, names_match
from prestaconsole.redaction import refuse_key

_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s.,;<>\"]+")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SPAN = re.compile(r"(\d+)\s*(min|m|h|d)", re.IGNORECASE)
_MINUTES = {"min": 1, "m": 1, "h": 60, "d": 1440}


def one_line(field: str, text: str, limit: int, *, needed: bool = False) -> str:
    """A line of free text: NFC, without control characters or a key. Raises ``UsageError``."""
    plain = unicodedata.normalize("NFC", text)
    plain = " ".join("".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in plain).split())
    refuse_key(field, plain)
    if len(plain) > limit:
        raise UsageError(f"The {field} has {len(plain)} characters; {limit} are the most.", "Shorten it.")
    if needed and not plain:
        raise UsageError(f"The {field} is empty.", f"Give a {field}.")
    return plain


def email_address(text: str) -> str:
    """An e-mail address, or nothing. Raises ``UsageError``."""
    plain = one_line("e-mail address", text, 200)
    if plain and not _EMAIL.fullmatch(plain):
        raise UsageError(f"“{plain}” is no e-mail address.", "It looks like owner@shop.example.")
    return plain


def code_of(field: str, text: str) -> str:
    """A short code in plain letters, digits, dot, dash and underscore. Raises ``UsageError``."""
    plain = one_line(field, text, 40, needed=True)
    if not _CODE.fullmatch(plain):
        raise UsageError(
            f"“{plain}” cannot be a {field}.", "Use plain letters and digits, and . - _ inside, without blanks."
        )
    return plain


def code_from(name: str) -> str:
    """A code made of a name: ``Sattlerei Böhm`` becomes ``sattlerei-bohm``; empty where no plain letter is in it."""
    return re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-")[:40].strip("-")


def moment(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """A moment ahead, aware: ``16:00`` (in ``zone``), ``2 h``, ``3d``, or an ISO date with or without a time.

    Raises ``UsageError`` for another form or a moment that is past.
    """
    found = _moment(text.strip(), now, zone)
    if found is None:
        raise UsageError(f"“{text}” is no moment.", "Give 16:00, 2h, 3d, 2026-01-31 or 2026-01-31T16:00.")
    if found <= now:
        raise UsageError(f"{found.astimezone(zone):%Y-%m-%d %H:%M} is past.", "Give a moment ahead.")
    return found


def _moment(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now + timedelta(minutes=int(span.group(1)) * _MINUTES[span.group(2).lower()])
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})", text)
    if clock is not None and int(clock.group(1)) < 24 and int(clock.group(2)) < 60:
        here = now.astimezone(zone)
        found = here.replace(hour=int(clock.group(1)), minute=int(clock.group(2)), second=0, microsecond=0)
        return found if found > here else found + timedelta(days=1)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=zone) if found.tzinfo is None else found


def require_name(shop: ShopRecord, typed: str, deed: str) -> None:
    """Raise ``LockedError`` unless what was typed names the shop, in full or by code (SCREENS §1)."""
    if names_match(shop, typed):
        return
    what = f"“{typed}” is not {shop.name}" if typed.strip() else f"{deed} needs the shop's name typed"
    raise LockedError(f"{what}.", f"Give it with --confirm “{shop.name}”, or its code {shop.code}.")
