"""Changing a shop's mode, through the check-list (DESIGN §5). May import services, runner, feeds, operations, model."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update

from prestaconsole.database import Connection
from prestaconsole.errors import LockedError
from prestaconsole.model import Shop, ShopMode
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.lives import note_thaw
from prestaconsole.operations.shops import ShopRecord, find_shop, names_match
from prestaconsole.runner import schedules
from prestaconsole.services.golive import CheckList, Point, read_check_list, store_waivers
from prestaconsole.services.shops import parse_mode
from prestaconsole.services.typed import one_line


@dataclass(frozen=True)
class ModeChange:
    """A mode that was changed, with the points that were waived for it and the feeds that got their schedule."""

    shop: str
    before: str
    after: str
    waived: tuple[Point, ...]
    scheduled: tuple[str, ...]


class ModeRefused(LockedError):
    """The check-list or the typed name stands in the way; ``open`` holds the points."""

    def __init__(self, cause: str, remedy: str, points: tuple[Point, ...]) -> None:
        super().__init__(cause, remedy)
        self.open = points


def typed_name_needed(before: ShopMode, after: ShopMode) -> bool:
    """Opening the gate and thawing ask for the shop's name (SCREENS §1)."""
    return before is not after and (after is ShopMode.LIVE or before is ShopMode.FROZEN)


def change_mode(
    core: Core,
    shop: str,
    mode: str,
    *,
    actor: str,
    confirm: str = "",
    waive: Mapping[str, str] | None = None,
    reason: str = "",
) -> ModeChange:
    """Move a shop to another mode. Waivers are stored, and audited, even where other points still refuse.

    Raises ``ModeRefused`` with every open point, ``LockedError`` where no way leads there, ``UsageError`` for an
    unknown mode or point.
    """
    target = parse_mode(mode)
    reason = one_line("reason", reason, 200)
    if waive:
        _store(core, shop, dict(waive), actor)
    return core.database.write_now(lambda c: _change(core, c, shop, target, confirm, actor, reason))


def _store(core: Core, shop: str, waivers: dict[str, str], actor: str) -> None:
    def work(connection: Connection) -> None:
        store_waivers(connection, find_shop(connection, shop), waivers, actor=actor, now=core.clock.now())

    core.database.write_now(work)


def _change(
    core: Core, connection: Connection, shop: str, target: ShopMode, confirm: str, actor: str, reason: str
) -> ModeChange:
    record, now = find_shop(connection, shop), core.clock.now()
    before = record.mode
    if target is before:
        return ModeChange(record.name, before, target, (), ())
    if target is ShopMode.DRAFT:
        raise LockedError(
            f"{record.name} is connected: it does not become a draft again.",
            f"`prestaconsole shop pause {record.code}` stops its feeds, `shop mode {record.code} frozen` its writing.",
        )
    points = read_check_list(connection, record, now, target) if _guarded(before, target) else None
    _refuse(record, target, points, confirm)
    values: dict[str, Any] = {"mode": target, "updated_at": now}
    if target is ShopMode.LIVE:
        values["went_live_at"] = now
    connection.execute(update(Shop).where(Shop.id == record.id).values(values))
    waived = tuple(point for point in points.points if point.state == "waived") if points is not None else ()
    after = {"mode": target, "waived": {point.name: point.waiver for point in waived}}
    audit(
        connection, actor=actor, action="shop mode", at=now, shop_id=record.id, before={"mode": before}, after=after,
        reason=reason,
    )  # fmt: skip
    note_thaw(connection, actor, now)
    scheduled = _schedule_defaults(connection, find_shop(connection, str(record.code)), actor, now)
    return ModeChange(record.name, before, target, waived, scheduled)


def _guarded(before: ShopMode, target: ShopMode) -> bool:
    """Ways that open something ask the check-list; ways back, and into the cold, are always free."""
    if before is ShopMode.DRAFT or target is ShopMode.LIVE:
        return True
    return before is ShopMode.SETUP and target is ShopMode.REHEARSAL


def _refuse(shop: ShopRecord, target: ShopMode, points: CheckList | None, confirm: str) -> None:
    open_points = points.open if points is not None else ()
    unnamed = ""
    if typed_name_needed(shop.mode, target) and not names_match(shop, confirm):
        said = f"“{confirm}” is not {shop.name}" if confirm.strip() else "The shop's name was not typed"
        unnamed = f"{said}: give --confirm “{shop.name}”, or its code {shop.code}."
    if not open_points:
        if unnamed:
            raise ModeRefused(f"{shop.name} stays in {shop.mode}.", unnamed, ())
        return
    count = f"{len(open_points)} points are" if len(open_points) > 1 else "1 point is"
    remedy = "Each line says what mends it."
    if waivable := [point.name for point in open_points if point.waivable]:
        remedy += f" These may be waived with --waive CHECK=REASON: {', '.join(waivable)}."
    remedy = f"{remedy} {unnamed}".strip()
    raise ModeRefused(f"{shop.name} stays in {shop.mode}: {count} open before {target}.", remedy, open_points)


def _schedule_defaults(connection: Connection, shop: ShopRecord, actor: str, now: datetime) -> tuple[str, ...]:
    """From rehearsal on reading goes by itself: feeds that never had a schedule get their default (row B36)."""
    if shop.mode not in {ShopMode.REHEARSAL, ShopMode.LIVE}:
        return ()
    return tuple(schedules.install_defaults(connection, shop, actor, now))
