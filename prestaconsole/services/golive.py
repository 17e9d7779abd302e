"""The check-list between setup, rehearsal and live, and its waivers. May import services, operations, model."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, select

from prestaconsole.database import Connection, upsert
from prestaconsole.errors import LockedError, UsageError
from prestaconsole.model import FeedState, Shop, ShopMode, Waiver
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.shops import ShopRecord, find_shop
from prestaconsole.services.checks import CHECKS, Check, Facts
from prestaconsole.services.typed import one_line

State = Literal["ok", "FIX", "wait", "waived"]


@dataclass(frozen=True)
class Point:
    """One point. ``FIX`` waits for a person, ``wait`` for time or an earlier step; ``gate`` is the mode it guards."""

    name: str
    title: str
    state: State
    text: str
    remedy: str
    waivable: bool
    gate: ShopMode
    waiver: str = ""
    waived_by: str = ""


@dataclass(frozen=True)
class CheckList:
    """The points that stand before ``target``, in order."""

    shop: str
    code: str
    mode: ShopMode
    target: ShopMode
    points: tuple[Point, ...]

    @property
    def open(self) -> tuple[Point, ...]:
        """What still stands in the way."""
        return tuple(point for point in self.points if point.state in {"FIX", "wait"})

    @property
    def green(self) -> int:
        """How many points are ok or waived."""
        return len(self.points) - len(self.open)


def check_list(core: Core, shop: str, target: ShopMode | None = None) -> CheckList:
    """The check-list of a shop up to ``target``, by default the next mode. Asks no shop: run the doctor for that."""
    return core.database.read_now(lambda c: read_check_list(c, find_shop(c, shop), core.clock.now(), target))


def read_check_list(
    connection: Connection, shop: ShopRecord, now: datetime, target: ShopMode | None = None
) -> CheckList:
    """The check-list, inside a transaction."""
    if target is None:
        target = ShopMode.REHEARSAL if shop.mode in {ShopMode.DRAFT, ShopMode.SETUP} else ShopMode.LIVE
    row = connection.execute(select(*Shop.__table__.columns).where(Shop.id == shop.id)).one()
    states = connection.execute(select(*FeedState.__table__.columns).where(FeedState.shop_id == shop.id))
    facts = Facts(connection, shop, row, now, {state.feed: state for state in states})
    waivers = {
        waiver.check: waiver
        for waiver in connection.execute(
            select(Waiver.check, Waiver.reason, Waiver.actor).where(Waiver.shop_id == shop.id)
        )
    }
    points = [_point(check, facts, waivers.get(check.name)) for check in CHECKS if _stands_before(check, target, facts)]
    return CheckList(shop.name, shop.code, shop.mode, target, tuple(points))


def _stands_before(check: Check, target: ShopMode, facts: Facts) -> bool:
    if not check.applies(facts):
        return False
    if target is ShopMode.SETUP:
        return check.name == "connection"
    return target is ShopMode.LIVE or check.gate is ShopMode.REHEARSAL


def _point(check: Check, facts: Facts, waiver: Any) -> Point:
    state, text, remedy = check.look(facts)
    point = Point(check.name, check.title, state, text, remedy, check.waivable, check.gate)
    if state == "ok" or waiver is None or not check.waivable:
        return point
    return replace(point, state="waived", waiver=waiver.reason, waived_by=waiver.actor)


# -- waivers -------------------------------------------------------------------------------------------------


def waive(core: Core, shop: str, check: str, reason: str, *, actor: str) -> CheckList:
    """Waive a point with a reason that is shown ever after. See ``store_waivers`` for what is refused."""

    def work(connection: Connection) -> CheckList:
        record, now = find_shop(connection, shop), core.clock.now()
        store_waivers(connection, record, {check: reason}, actor=actor, now=now)
        return read_check_list(connection, record, now, ShopMode.LIVE)

    return core.database.write_now(work)


def store_waivers(
    connection: Connection, shop: ShopRecord, waivers: dict[str, str], *, actor: str, now: datetime
) -> None:
    """Store waivers of open points; one of a point that is green does nothing.

    Raises ``UsageError`` for an unknown point or an empty reason, ``LockedError`` for a point that nobody can waive.
    """
    points = {point.name: point for point in read_check_list(connection, shop, now, ShopMode.LIVE).points}
    for name, given in waivers.items():
        point = points.get(name)
        if point is None:
            raise UsageError(f"“{name}” is no point of the check-list.", f"Points: {', '.join(points)}.")
        reason = one_line("reason", given, 300)
        if not reason:
            raise UsageError(f"The waiver of {name} has no reason.", f"Give it as --waive {name}=REASON.")
        if point.state == "ok":
            continue
        if not point.waivable:
            raise LockedError(f"{point.title}: nobody can waive this point. {point.text}", point.remedy)
        row = {"shop_id": shop.id, "check": name, "reason": reason, "actor": actor, "at": now}
        upsert(connection, Waiver, [row], key=["shop_id", "check"])
        audit(
            connection, actor=actor, action="shop waive", at=now, shop_id=shop.id, record=name,
            before={"state": point.state, "text": point.text}, reason=reason,
        )  # fmt: skip


def unwaive(core: Core, shop: str, check: str, *, actor: str) -> CheckList:
    """Take a waiver back."""

    def work(connection: Connection) -> CheckList:
        record, now = find_shop(connection, shop), core.clock.now()
        gone = connection.execute(delete(Waiver).where(Waiver.shop_id == record.id, Waiver.check == check))
        if not gone.rowcount:
            raise UsageError(f"The point “{check}” was not waived.", "`prestaconsole shop show` lists the waivers.")
        audit(connection, actor=actor, action="shop unwaive", at=now, shop_id=record.id, record=check)
        return read_check_list(connection, record, now, ShopMode.LIVE)

    return core.database.write_now(work)
