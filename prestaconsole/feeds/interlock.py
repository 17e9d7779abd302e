"""Whether a feed may run in a shop now: mode, pause, needs and once-only, with the words of SCREENS §1."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.errors import LockedError
from prestaconsole.feeds.registry import FeedSpec, feed_spec
from prestaconsole.model import AuditEvent, FeedState, ShopMode
from prestaconsole.operations.pauses import pause_of_everything
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import ShopRecord


@dataclass(frozen=True)
class Permission:
    """``run``, ``plan`` (plans, sends nothing) or ``locked`` with the lock's name, reason and what unlocks it."""

    kind: Literal["run", "plan", "locked"]
    lock: str = ""
    reason: str = ""
    unlock: str = ""

    def require(self) -> "Permission":
        """Raise ``LockedError`` when locked, else give the permission back."""
        if self.kind == "locked":
            raise LockedError(self.reason, self.unlock)
        return self


_MODE_WORDS: dict[str, tuple[str, str]] = {
    "draft": (
        "No shop is connected yet: the key has not passed the doctor.",
        "`prestaconsole shop test {code}` tries the connection again.",
    ),
    "setup, writing feed": (
        "Locked in setup: rehearsal makes plans, live sends them.",
        "`prestaconsole shop mode {code} rehearsal` names the open points.",
    ),
    "setup, update_orders": (
        "Locked in setup: orders are updated only once the shop is in rehearsal.",
        "`prestaconsole shop mode {code} rehearsal` names the open points; import_orders reads new ones until then.",
    ),
    "live, import_stock": (
        "Locked in live: the console owns the stock now; an import would overwrite it.",
        "It stays so while the shop is live. A correction goes through `prestaconsole stock set` or `stock load`.",
    ),
    "frozen": (
        "Frozen{since}: reading goes on, nothing is imported over our own stock.",
        "`prestaconsole shop mode {code} live` thaws it.",
    ),
}


def permission(
    connection: Connection,
    shop: ShopRecord,
    feed: str,
    *,
    reason: str = "",
    unattended: bool = False,
    plan: bool = False,
) -> Permission:
    """What the mode, a pause, the needs and the once-only rule allow this feed now.

    ``reason`` is what a person typed for a second import of stock. ``unattended`` is true for schedules and events,
    which may never start a once-only feed. ``plan``: it only says what it would do, which needs no reason. Raises
    ``UsageError`` for an unknown feed.
    """
    spec = feed_spec(feed)
    allowance = spec.modes[shop.mode]
    if allowance == "locked":
        return _locked_by_mode(connection, shop, spec)
    if shop.all_paused and allowance != "plan":
        pause = pause_of_everything(connection)
        words = f"Everything is paused {pause.words}." if pause else "Everything is paused."
        return Permission("locked", "paused", words, "`prestaconsole resume` resumes.")
    if shop.paused and allowance != "plan":
        until = f" until {shop.paused_until:%Y-%m-%d %H:%M} UTC" if shop.paused_until else ""
        words = f"Paused{until} by {shop.paused_by or 'somebody'}: {shop.pause_reason or 'no reason given'}."
        return Permission("locked", "paused", words, f"`prestaconsole shop resume {shop.code}` resumes.")
    missing = _missing_need(connection, shop, spec.needs) if spec.needs else None
    if missing is not None:
        return missing
    if allowance in {"once", "typed"}:
        if plan and not unattended:
            return Permission("plan")
        return _once(connection, shop, feed, reason, unattended)
    return Permission("plan" if allowance == "plan" else "run")


def _locked_by_mode(connection: Connection, shop: ShopRecord, spec: FeedSpec) -> Permission:
    name = {
        ShopMode.DRAFT: "draft",
        ShopMode.SETUP: "setup, writing feed" if spec.writes else "setup, update_orders",
        ShopMode.REHEARSAL: "setup, writing feed",
        ShopMode.LIVE: "live, import_stock",
        ShopMode.FROZEN: "frozen",
    }[shop.mode]
    reason, unlock = _MODE_WORDS[name]
    since = _by_whom(connection, shop) if shop.mode is ShopMode.FROZEN else ""
    return Permission("locked", name, reason.format(since=since), unlock.format(code=shop.code))


def _by_whom(connection: Connection, shop: ShopRecord) -> str:
    """`` by Łukasz since 12 Nov: peak season``, where the audit knows who changed the mode."""
    changed = (
        select(AuditEvent.actor, AuditEvent.at, AuditEvent.reason)
        .where(AuditEvent.shop_id == shop.id, AuditEvent.action == "shop mode")
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )
    row = connection.execute(changed).one_or_none()
    if row is None:
        return ""
    return f" by {row.actor} since {row.at.day} {row.at:%b %Y}" + (f" ({row.reason})" if row.reason else "")


def _missing_need(connection: Connection, shop: ShopRecord, needs: tuple[str, ...]) -> Permission | None:
    completed = select(FeedState.feed).where(FeedState.shop_id == shop.id, FeedState.completed_at.is_not(None))
    complete = set(connection.execute(completed).scalars())
    for need in needs:
        if need == "warehouse":
            if not value(shop, "stock.import_to"):
                return Permission(
                    "locked",
                    "needs first",
                    "Needs a warehouse first: none is chosen to receive this shop's stock.",
                    f"`prestaconsole shop set {shop.code} stock.import_to=CODE stock.warehouses=CODE` chooses it.",
                )
        elif need not in complete:
            return Permission(
                "locked",
                "needs first",
                f"Needs {need} first: it has never finished here.",
                f"`prestaconsole feed run {shop.code} {need} --wait`, or `feed run-safe {shop.code}` for all in order.",
            )
    return None


def _once(connection: Connection, shop: ShopRecord, feed: str, reason: str, unattended: bool) -> Permission:
    if unattended:
        return Permission(
            "locked",
            "once",
            f"{feed} is never scheduled: a person runs it, once.",
            f"`prestaconsole feed run {shop.code} {feed}`.",
        )
    ran = connection.execute(
        select(FeedState.completed_at).where(FeedState.shop_id == shop.id, FeedState.feed == feed)
    ).scalar()
    was_live = shop.mode is ShopMode.REHEARSAL
    if (ran is not None or was_live) and not reason.strip():
        when = f"{feed} ran on {ran.day} {ran:%b %Y}." if ran else f"In rehearsal {feed} is out of the ordinary."
        return Permission(
            "locked",
            "once",
            f"{when} Another run overwrites our stock and needs a reason.",
            "Give it with --reason “…”.",
        )
    return Permission("run")
