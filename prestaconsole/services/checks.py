"""The points of the check-list, each a question to what is stored. May import feeds, operations, model."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, select

from prestaconsole.changes.decide import FOREIGN_CAUSE
from prestaconsole.changes.foreign import TURNS_CAUSE, last_seen
from prestaconsole.database import Connection
from prestaconsole.feeds.enabled import by_resource, needed_rights
from prestaconsole.model import (
    Changeset,
    ChangesetState,
    FeedRun,
    Incident,
    Listing,
    Order,
    OrderStateRule,
    RunState,
    ShopMode,
    ShopOrderState,
    Warehouse,
)
from prestaconsole.operations.lives import read_life
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.services.listings import skus_that_repeat

QUIET_HOURS = 24

Found = tuple[Literal["ok", "FIX", "wait"], str, str]


@dataclass(frozen=True)
class Check:
    """One point: ``gate`` is the mode it guards, ``look`` finds how it stands, why, and what mends it."""

    name: str
    title: str
    gate: ShopMode
    waivable: bool
    look: Callable[["Facts"], Found]
    applies: Callable[["Facts"], bool] = lambda facts: True


@dataclass(frozen=True)
class Facts:
    """What the points look at, read once."""

    connection: Connection
    shop: ShopRecord
    row: Any
    now: datetime
    states: dict[str, Any]

    def completed(self, feed: str) -> datetime | None:
        """When a feed first read everything."""
        state = self.states.get(feed)
        return state.completed_at if state is not None else None

    def count(self, statement: Any) -> int:
        """The number that a counting statement gives."""
        return int(self.connection.execute(statement).scalar() or 0)


def _connection(facts: Facts) -> Found:
    shop, row = facts.shop, facts.row
    again = f"`prestaconsole shop test {shop.code}` asks again."
    if shop.mode is ShopMode.DRAFT:
        return "FIX", row.last_error or "The connection was never tested.", again
    if row.health == "DOWN":
        return "FIX", row.last_error or "The shop did not answer last time.", again
    if row.last_good_at is None:
        return "FIX", "The shop has not answered yet.", again
    return "ok", f"answered {row.last_good_at:%Y-%m-%d %H:%M} UTC, PrestaShop {row.version or '?'}", ""


def _rights(facts: Facts) -> Found:
    granted = facts.shop.capabilities.get("permissions")
    if granted is None:
        return "FIX", "The key's rights were never read.", f"`prestaconsole shop test {facts.shop.code}` reads them."
    wanted = by_resource(needed_rights(facts.connection, facts.shop))
    missing = [
        f"{method} on {resource}"
        for resource, methods in sorted(wanted.items())
        for method in sorted(methods)
        if method not in granted.get(resource, ())
    ]
    if missing:
        menu = "In the shop open Advanced Parameters > Webservice > the key and tick them; then `shop test`."
        return "FIX", f"{len(missing)} missing: {', '.join(missing)}.", menu
    return "ok", f"all {sum(map(len, wanted.values()))} that the enabled feeds need", ""


def _identity(facts: Facts) -> Found:
    trouble = facts.connection.execute(
        select(Incident.title, Incident.remedy).where(
            Incident.shop_id == facts.shop.id, Incident.closed_at.is_(None), Incident.cause_key.like("identity%")
        )
    ).first()
    if trouble is not None:
        return "FIX", trouble.title, trouble.remedy
    if not facts.row.fingerprint:
        return (
            "FIX",
            "Its first orders were never noted.",
            f"`prestaconsole feed run {facts.shop.code} analyse --wait`.",
        )
    return "ok", "it is the shop it was", ""


def _finished(feed: str, words: Callable[[Facts], str]) -> Callable[[Facts], Found]:
    def look(facts: Facts) -> Found:
        if facts.completed(feed) is None:
            return "FIX", f"{feed} has never finished here.", f"`prestaconsole feed run-safe {facts.shop.code}`."
        return "ok", words(facts), ""

    return look


def _skus(facts: Facts) -> Found:
    if facts.completed("import_products") is None:
        return "wait", "No product was read yet.", f"`prestaconsole feed run-safe {facts.shop.code}`."
    repeated = skus_that_repeat(facts.connection, facts.shop.id)
    sold = (Listing.shop_id == facts.shop.id, Listing.gone_at.is_(None), Listing.has_combinations.is_(False))
    without = facts.count(select(func.count()).select_from(Listing).where(*sold, Listing.sku == ""))
    if not repeated and not without:
        return "ok", "every listing has a SKU of its own", ""
    parts = []
    if repeated:
        parts.append(f"{len(repeated)} SKUs repeat ({', '.join(repeated[:3])}{' …' if len(repeated) > 3 else ''})")
    if without:
        parts.append(f"{without} listings have none")
    return (
        "FIX",
        f"{'; '.join(parts)}.",
        "Give each its own reference in the shop; such listings keep a stock of their own.",
    )


def _state_rules(facts: Facts) -> Found:
    statement = (
        select(ShopOrderState.name)
        .outerjoin(
            OrderStateRule,
            (OrderStateRule.shop_id == ShopOrderState.shop_id)
            & (OrderStateRule.id_order_state == ShopOrderState.id_order_state),
        )
        .where(ShopOrderState.shop_id == facts.shop.id)
    )
    total = facts.count(select(func.count()).select_from(statement.subquery()))
    without = facts.connection.execute(statement.where(OrderStateRule.action.is_(None))).scalars().all()
    code = facts.shop.code
    if not total:
        return "FIX", "The shop's order states were never read.", f"`prestaconsole feed run {code} analyse --wait`."
    if without:
        return (
            "FIX",
            f"No rule for {', '.join(without)}.",
            f"`prestaconsole mapping set {code} order-state-in STATE ACTION`.",
        )
    return "ok", f"{total} order states have a rule", ""


def _gives_back(facts: Facts) -> Found:
    mine = ShopOrderState.shop_id == facts.shop.id
    states = facts.count(select(func.count()).select_from(ShopOrderState).where(mine))
    guessed = facts.count(
        select(func.count()).select_from(ShopOrderState).where(mine, ShopOrderState.gives_back_source == "suggested")
    )
    if states and not guessed:
        return "ok", "known which order states give the stock back", ""
    remedy = (
        f"`prestaconsole mapping set {facts.shop.code} order-state-in STATE --gives-back yes` for each that does, then "
        "the same with `all --gives-back no` for the rest."
    )
    return "FIX", "Which order states give the stock back is only guessed.", remedy


def _warehouse(facts: Facts) -> Found:
    offered, receives = value(facts.shop, "stock.warehouses"), value(facts.shop, "stock.import_to")
    code = facts.shop.code
    remedy = f"`prestaconsole shop set {code} stock.warehouses=CODE stock.import_to=CODE`."
    if not offered or not receives:
        return "FIX", "No warehouse is chosen to offer from and to receive the shop's stock.", remedy
    known = set(facts.connection.execute(select(Warehouse.code).where(Warehouse.active)).scalars())
    gone = sorted({*offered, receives} - known)
    if gone:
        return "FIX", f"There is no warehouse {', '.join(gone)}.", remedy
    if receives not in offered:
        return "FIX", f"{receives} receives the shop's stock, but is not offered there.", remedy
    return "ok", ", ".join(offered), ""


def _stock_read(facts: Facts) -> Found:
    at = facts.completed("import_stock")
    if at is None:
        return (
            "FIX",
            "import_stock has never finished here.",
            f"`prestaconsole feed run {facts.shop.code} import_stock --wait`.",
        )
    return "ok", f"read {at:%Y-%m-%d %H:%M} UTC", ""


def _email(facts: Facts) -> Found:
    if not facts.shop.email:
        return "FIX", "The owner's e-mail address is missing.", f"`prestaconsole shop set {facts.shop.code} email=…`."
    return "ok", facts.shop.email, ""


def _rehearsal_plan(facts: Facts) -> Found:
    code = facts.shop.code
    plan = facts.connection.execute(
        select(Changeset.id, Changeset.rows)
        .where(
            Changeset.shop_id == facts.shop.id,
            Changeset.mode.in_([ShopMode.REHEARSAL, ShopMode.LIVE]),
            Changeset.state.not_in([ChangesetState.PLANNING, ChangesetState.FAILED]),
        )
        .order_by(Changeset.id.desc())
    ).first()
    if plan is not None:
        return "ok", f"plan {plan.id} has {plan.rows} changes", ""
    # A plan without a single change stores none: shop and warehouse agree.
    agreed = select(FeedRun.id).where(
        FeedRun.shop_id == facts.shop.id, FeedRun.feed == "export_stock", FeedRun.state == RunState.DONE
    )
    if facts.connection.execute(agreed).first() is not None:
        return "ok", "the plan of the rehearsal has no change: shop and warehouse agree", ""
    if facts.shop.mode is ShopMode.SETUP:
        return "wait", "Plans begin in rehearsal.", f"`prestaconsole shop mode {code} rehearsal`."
    return (
        "FIX",
        "No plan was made in rehearsal yet.",
        f"`prestaconsole feed run {code} export_stock --wait` makes one.",
    )


def _stock_check(facts: Facts) -> Found:
    code = facts.shop.code
    run = facts.connection.execute(
        select(FeedRun.counts, FeedRun.ended_at)
        .where(FeedRun.shop_id == facts.shop.id, FeedRun.feed == "stock_check", FeedRun.state == RunState.DONE)
        .order_by(FeedRun.id.desc())
    ).first()
    since = facts.completed("import_stock")
    if run is None or since is None or run.ended_at < since:
        return (
            "wait",
            "stock_check has not run since the stock was read.",
            f"`prestaconsole feed run {code} stock_check --wait`.",
        )
    drift = int(run.counts.get("drift", 0))
    if drift:
        remedy = "`prestaconsole listing list` and `stock explain` show where; the first plan would change them."
        return "FIX", f"{drift} of {run.counts.get('compared', 0)} listings differ from the shop.", remedy
    return "ok", f"{run.counts.get('compared', 0)} compared, none differs", ""


def _was_restored(facts: Facts) -> bool:
    """Whether the shop has not gone live since this database was put back from a backup."""
    restored_at, live_at = read_life(facts.connection).restored_at, facts.row.went_live_at
    return restored_at is not None and facts.row.created_at < restored_at and (live_at is None or live_at < restored_at)


def _reconciled(facts: Facts) -> Found:
    life = read_life(facts.connection)
    runs = select(func.max(FeedRun.started_at)).where(
        FeedRun.shop_id == facts.shop.id, FeedRun.feed == "stock_check", FeedRun.state == RunState.DONE
    )
    compared: datetime | None = facts.connection.execute(runs).scalar()
    if life.restored_at is not None and (compared is None or compared < life.restored_at):
        return (
            "FIX",
            f"The database was restored from {life.restored_from}: nothing was compared since.",
            f"`prestaconsole feed run {facts.shop.code} stock_check --wait` reads what happened since and compares.",
        )
    return "ok", f"compared {compared:%Y-%m-%d %H:%M} UTC", ""


def _foreign_writes(facts: Facts) -> Found:
    causes = (FOREIGN_CAUSE, TURNS_CAUSE)
    trouble = facts.connection.execute(
        select(Incident.title, Incident.remedy).where(
            Incident.shop_id == facts.shop.id, Incident.closed_at.is_(None), Incident.cause_key.in_(causes)
        )
    ).first()
    if trouble is not None:
        return "FIX", trouble.title, trouble.remedy
    since = facts.completed("import_stock")
    if since is None:
        return "wait", "Counted from the day the stock was read.", "Read the stock first."
    met = last_seen(facts.connection, facts.shop.id)
    since = max(since, met) if met is not None else since
    quiet = facts.now - since
    if quiet < timedelta(hours=QUIET_HOURS):
        hours = int(quiet.total_seconds() // 3600)
        remedy = "Wait, with stock_check scheduled, or waive it where nobody else can write."
        return "wait", f"{QUIET_HOURS} hours without a write of others are asked for; {hours} h are seen.", remedy
    return "ok", f"none seen for {quiet.days} days" if quiet.days > 1 else f"none seen for {QUIET_HOURS} h", ""


def _orders(facts: Facts) -> str:
    total = facts.count(select(func.count()).select_from(Order).where(Order.shop_id == facts.shop.id))
    return f"{total} seen, each with a verdict"


def _products(facts: Facts) -> str:
    sold = (Listing.shop_id == facts.shop.id, Listing.gone_at.is_(None), Listing.has_combinations.is_(False))
    return f"{facts.count(select(func.count()).select_from(Listing).where(*sold))} listings"


def _analysed(facts: Facts) -> str:
    return f"PrestaShop {facts.shop.version or '?'}, {facts.shop.zone.key}, {facts.shop.currency or 'no currency'}"


_R, _L = ShopMode.REHEARSAL, ShopMode.LIVE
CHECKS: tuple[Check, ...] = (
    Check("connection", "Connection", _R, False, _connection),
    Check("rights", "Rights of the key", _R, False, _rights),
    Check("identity", "It is the shop it was", _R, False, _identity),
    Check("analysis", "Shop analysed", _R, True, _finished("analyse", _analysed)),
    Check("products-read", "Products read and linked", _R, True, _finished("import_products", _products)),
    Check("skus", "SKUs: one for each listing", _R, True, _skus),
    Check("state-rules", "Order states mapped", _R, True, _state_rules),
    Check("gives-back", "States that give stock back", _R, True, _gives_back),
    Check("orders-read", "Orders read, each with a verdict", _R, True, _finished("import_orders", _orders)),
    Check("warehouse", "Warehouse chosen", _R, False, _warehouse),
    Check("stock-read", "Stock read once", _R, False, _stock_read),
    Check("restored", "Compared since the restore", _L, False, _reconciled, _was_restored),
    Check("email", "Owner's e-mail address", _L, True, _email),
    Check("rehearsal-plan", "A plan of the rehearsal was made", _L, True, _rehearsal_plan),
    Check("stock-check", "Stock agrees with the shop", _L, True, _stock_check),
    Check("foreign-writes", "Nobody else writes stock", _L, True, _foreign_writes),
)
