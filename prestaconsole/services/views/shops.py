"""The list of shops: mode, health, last good contact, listings, orders of 30 days. Imports model and operations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import func, select
from sqlalchemy.engine import Connection, Row

from prestaconsole.model.catalogue import Listing
from prestaconsole.model.changes import Change, Changeset, ChangeState
from prestaconsole.model.orders import Order
from prestaconsole.model.shops import Shop, ShopFinding, ShopMode
from prestaconsole.operations.pace import PaceRecord, read_paces, shops_in_trouble
from prestaconsole.operations.shops import fold
from prestaconsole.services.views.rows import Ask

_VERDICTS = {"FAIL": 3, "FIX": 2, "WARN": 1}


@dataclass(frozen=True)
class ShopLine:
    """One shop as the list, the header and the boxes show it."""

    id: int
    code: str
    name: str
    base_url: str
    mode: str
    health: str
    version: str
    zone: str
    currency: str
    last_good_at: datetime | None
    last_error_at: datetime | None
    last_error: str
    paused_at: datetime | None
    paused_until: datetime | None
    paused_by: str
    pause_reason: str
    key_print: str
    key_set_at: datetime | None
    listings: int
    orders: int
    doctor: str
    waiting: int
    pace: PaceRecord | None = None
    """How it is asked just now; None where nobody asked it yet, and in the header."""

    @property
    def paused(self) -> bool:
        """Whether its feeds are stopped for a time."""
        return self.paused_at is not None

    @property
    def state(self) -> str:
        """The word of the Health column."""
        if self.paused:
            return "PAUSE"
        if self.mode == ShopMode.DRAFT:
            return "–"
        if self.pace is not None and self.pace.trouble:
            return "DOWN" if self.pace.down else "SLOW"
        return {"down": "DOWN", "slow": "SLOW", "ok": "ok"}.get(self.health.lower(), self.health or "?")


class ShopsQuery:
    """Shops by name, or by need: down, slow, paused, then the rest."""

    orders: Sequence[str] = ("name", "need")
    _BY_NEED: ClassVar[dict[str, int]] = {"down": 0, "slow": 1}

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def ids(self, connection: Connection, ask: Ask) -> Iterable[int]:
        """Every shop whose name, code or address holds the words."""
        rows = connection.execute(
            select(Shop.id, Shop.name, Shop.code, Shop.base_url, Shop.health, Shop.paused_at)
        ).all()
        words = fold(ask.words).split()
        found = [r for r in rows if all(word in fold(f"{r.name} {r.code} {r.base_url}") for word in words)]
        if ask.order == "need":
            down = shops_in_trouble(connection)
            found.sort(key=lambda r: (self._need(r, down), fold(r.name)))
        else:
            found.sort(key=lambda r: fold(r.name))
        return [row.id for row in found]

    def _need(self, row: Any, down: set[int]) -> int:
        health = "down" if row.id in down and row.paused_at is None else row.health.lower()
        return self._BY_NEED.get(health, 2 + (row.paused_at is None))

    def rows(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, ShopLine]:
        """The lines of these shops with their counts."""
        shops = connection.execute(select(*_columns()).where(Shop.id.in_(ids))).all()
        listings = _count(
            connection,
            select(Listing.shop_id, func.count())
            .where(Listing.shop_id.in_(ids), Listing.gone_at.is_(None), Listing.has_combinations.is_(False))
            .group_by(Listing.shop_id),
        )
        since = self._now() - timedelta(days=30)
        orders = _count(
            connection,
            select(Order.shop_id, func.count())
            .where(Order.shop_id.in_(ids), Order.date_add >= since)
            .group_by(Order.shop_id),
        )
        waiting = _count(
            connection,
            select(Changeset.shop_id, func.count())
            .join(Change, Change.changeset_id == Changeset.id)
            .where(Changeset.shop_id.in_(ids), Change.state < ChangeState.CONFIRMED)
            .group_by(Changeset.shop_id),
        )
        doctor = _doctor(connection, ids)
        paces = read_paces(connection, self._now(), ids)
        return {
            row.id: _line(
                row, listings.get(row.id, 0), orders.get(row.id, 0), doctor.get(row.id, "not run"),
                waiting.get(row.id, 0), paces.get(row.id),
            )
            for row in shops
        }  # fmt: skip


def shop_line(connection: Connection, shop_id: int) -> ShopLine | None:
    """One shop without its counts, for the header and the locks: read at each look."""
    rows = connection.execute(select(*_columns()).where(Shop.id == shop_id)).all()
    return _line(rows[0], 0, 0, "", 0) if rows else None


def _columns() -> tuple[Any, ...]:
    return (
        Shop.id, Shop.code, Shop.name, Shop.base_url, Shop.mode, Shop.health, Shop.version,
        Shop.timezone.label("zone"), Shop.currency, Shop.last_good_at, Shop.last_error_at, Shop.last_error,
        Shop.paused_at, Shop.paused_until, Shop.paused_by, Shop.pause_reason, Shop.key_print, Shop.key_set_at,
    )  # fmt: skip


def _line(
    row: Row[Any], listings: int, orders: int, doctor: str, waiting: int, pace: PaceRecord | None = None
) -> ShopLine:
    return ShopLine(**row._mapping, listings=listings, orders=orders, doctor=doctor, waiting=waiting, pace=pace)


def _count(connection: Connection, statement: object) -> dict[int, int]:
    return {int(key): int(value) for key, value in connection.execute(statement)}  # type: ignore[call-overload]  # any select of two integers


def _doctor(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """The worst verdict of each shop with how many findings carry it; ``ok`` where all are."""
    worst: dict[int, tuple[int, str, int]] = {}
    for shop_id, verdict, count in connection.execute(
        select(ShopFinding.shop_id, ShopFinding.verdict, func.count())
        .where(ShopFinding.shop_id.in_(ids))
        .group_by(ShopFinding.shop_id, ShopFinding.verdict)
    ):
        weight = _VERDICTS.get(verdict, 0)
        worst[shop_id] = max(worst.get(shop_id, (0, "ok", 0)), (weight, verdict, count))
    return {shop_id: "ok" if weight == 0 else f"{count} {word}" for shop_id, (weight, word, count) in worst.items()}
