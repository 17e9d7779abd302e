"""How each shop is asked just now, kept in the database so that every face sees it. Imports model, webservice pacing.

A worker's ``PaceKeeper`` tells what the pacers of its process hold; a reader works out from the moments stored what is
true now: an open breaker becomes half-open by time alone.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select

from prestaconsole.database import Connection, upsert
from prestaconsole.model import Shop, ShopPace
from prestaconsole.redaction import redact
from prestaconsole.webservice.pacing import Cost, Pacer, PacerState

Breaker = Literal["closed", "open", "half-open"]

BELIEVED = timedelta(seconds=60)
"""How long places and the line are believed: a process that asks tells more often, one that was killed never again."""
_SHOWN_REST = 1.0


@dataclass(frozen=True, kw_only=True)
class PaceRecord:
    """How a shop is asked, as true at the moment of reading.

    ``failures`` failed calls in a row; ``asks_again_in`` and ``resting`` are seconds, 0 where the shop may be asked;
    ``busy`` requests are at the shop and ``waiting`` stand in line; ``cost`` is seconds a request of late by
    ``GET resource``, ``seconds`` their mean over all ``requests`` that were measured.
    """

    breaker: Breaker
    failures: int
    since: datetime | None
    asks_again_at: datetime | None
    asks_again_in: float = field(compare=False)
    resting_until: datetime | None
    resting: float = field(compare=False)
    last_cause: str
    busy: int
    waiting: int
    requests: int
    seconds: float
    cost: Mapping[str, float]
    updated_at: datetime

    def at(self, now: datetime) -> "PaceRecord":
        """The same at another moment: what was open when it was read may be due for its trial by now."""
        left = _left(self.asks_again_at, now)
        return replace(
            self,
            breaker=_breaker(self.asks_again_at, left),
            asks_again_in=round(left, 1),
            resting=round(_left(self.resting_until, now), 1),
        )

    @property
    def down(self) -> bool:
        """Whether the breaker keeps requests back, or lets one trial through."""
        return self.breaker != "closed"

    @property
    def trouble(self) -> str:
        """What stands in the way of asking, without the moment it ends; empty where nothing does."""
        if self.down:
            return f"The shop failed {self.failures} times in a row ({self.last_cause.rstrip('.')})"
        return "The shop's host asked for a pause" if self.resting else ""

    @property
    def words(self) -> str:
        """``trouble`` with what comes next, such as ``…; asked again in 25 s.``; empty where all is well."""
        if not self.trouble:
            return ""
        if self.breaker == "half-open":
            return f"{self.trouble}; the next request is a trial."
        return f"{self.trouble}; asked again in {max(1, round(self.asks_again_in or self.resting))} s."

    @property
    def speed(self) -> str:
        """What a request takes and what is at work: ``0.21 s a request, 2 at work, 3 wait``; '' when unknown."""
        parts = []
        if self.requests:
            parts.append(f"{self.seconds:.2f} s a request")
        if self.busy:
            parts.append(f"{self.busy} at work")
        if self.waiting:
            parts.append(f"{self.waiting} wait")
        return ", ".join(parts)


def read_paces(connection: Connection, now: datetime, shop_ids: Iterable[int] | None = None) -> dict[int, PaceRecord]:
    """How these shops are asked (None: all), as it is at ``now``; a shop that nobody asked yet is left out."""
    statement = select(*ShopPace.__table__.columns)
    if shop_ids is not None:
        statement = statement.where(ShopPace.shop_id.in_(list(shop_ids)))
    return {row.shop_id: _record(row, now) for row in connection.execute(statement)}


def _record(row: Any, now: datetime) -> PaceRecord:
    left = _left(row.asks_again_at, now)
    told = now - row.updated_at <= BELIEVED
    requests = sum(int(cost["requests"]) for cost in row.cost.values())
    return PaceRecord(
        breaker=_breaker(row.asks_again_at, left),
        failures=row.failures,
        since=row.since,
        asks_again_at=row.asks_again_at,
        asks_again_in=round(left, 1),
        resting_until=row.resting_until,
        resting=round(_left(row.resting_until, now), 1),
        last_cause=row.last_cause,
        busy=row.busy if told else 0,
        waiting=row.waiting if told else 0,
        requests=requests,
        seconds=sum(cost["requests"] * cost["recent"] for cost in row.cost.values()) / max(1, requests),
        cost={name: float(cost["recent"]) for name, cost in sorted(row.cost.items())},
        updated_at=row.updated_at,
    )


def _breaker(asks_again_at: datetime | None, left: float) -> Breaker:
    return "closed" if asks_again_at is None else "open" if left > 0 else "half-open"


def _left(until: datetime | None, now: datetime) -> float:
    return max(0.0, (until - now).total_seconds()) if until is not None else 0.0


def shops_in_trouble(connection: Connection) -> set[int]:
    """The shops whose breaker is not closed."""
    return set(connection.execute(select(ShopPace.shop_id).where(ShopPace.asks_again_at.is_not(None))).scalars())


def seconds_a_request(connection: Connection, shop_id: int) -> dict[str, float]:
    """By resource, what a GET at this shop takes: as measured of late, else as `analyse` found it; {} when unknown."""
    row = connection.execute(
        select(Shop.capabilities, ShopPace.cost)
        .outerjoin(ShopPace, ShopPace.shop_id == Shop.id)
        .where(Shop.id == shop_id)
    ).one_or_none()
    if row is None:
        return {}
    found = {str(name): float(seconds) for name, seconds in (row.capabilities.get("cost") or {}).items()}
    for name, cost in (row.cost or {}).items():
        method, _, resource = name.partition(" ")
        if method == "GET":
            found[resource] = float(cost["recent"])
    return found


# -- telling -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What there is to tell of one shop. ``added`` counts requests by ``GET resource`` since the last telling."""

    shop_id: int
    state: PacerState
    cost: Mapping[str, Cost]
    added: Mapping[str, int]
    mark: tuple[object, ...]


def store_paces(connection: Connection, told: Iterable[Told], now: datetime) -> None:
    """Keep what a process tells of the shops it asks; the newest word stands. Costs of other requests stay."""
    by_shop = {one.shop_id: one for one in told}
    there = select(Shop.id, ShopPace.cost).outerjoin(ShopPace, ShopPace.shop_id == Shop.id)
    stored = connection.execute(there.where(Shop.id.in_(sorted(by_shop))).order_by(Shop.id)).all()
    rows = [_row(by_shop[row.id], row.cost or {}, now) for row in stored]  # a shop that was deleted has no row
    upsert(connection, ShopPace, rows, key=["shop_id"])


def _row(told: Told, cost: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    state, costs = told.state, dict(cost)
    for name, one in told.cost.items():
        before = costs.get(name, {}).get("requests", 0)
        costs[name] = {"requests": before + told.added.get(name, 0), "recent": round(one.recent, 4)}
    opened = state.breaker != "closed"
    return {
        "shop_id": told.shop_id,
        "failures": state.failures,
        "since": state.since,
        "asks_again_at": now + timedelta(seconds=state.asks_again_in) if opened else None,
        "resting_until": now + timedelta(seconds=state.resting) if state.resting >= _SHOWN_REST else None,
        "last_cause": redact(state.last_cause),
        "busy": state.busy,
        "waiting": state.waiting,
        "cost": costs,
        "updated_at": now,
    }


@dataclass
class _Watched:
    pacer: Pacer
    stop: Callable[[], None]
    mark: tuple[object, ...]
    requests: dict[str, int]


class PaceKeeper:
    """The pacers of the shops that this process asks, and what of them was told already.

    ``moved`` is set when a breaker opens or closes: that is told at once, all else with the next heartbeat.
    """

    def __init__(self) -> None:
        self.moved = asyncio.Event()
        self._watched: dict[int, _Watched] = {}

    def watch(self, shop_id: int, pacer: Pacer) -> None:
        """Tell of this pacer from now on; a shop has one. To be called in the loop that waits for ``moved``."""
        known = self._watched.get(shop_id)
        if known is not None and known.pacer is pacer:
            return
        if known is not None:
            known.stop()
        loop = asyncio.get_running_loop()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(self.moved.set)

        state = pacer.state
        quiet = not state.failures and not state.resting
        # What was measured before belongs to whoever watched then.
        before = {name: cost.requests for name, cost in pacer.cost().items()}
        self._watched[shop_id] = _Watched(pacer, pacer.listen(tell), pacer.mark if quiet else (), before)

    def due(self) -> list[Told]:
        """What changed since it was told; nothing where nothing was asked."""
        self.moved.clear()
        found = []
        for shop_id, one in self._watched.items():
            mark = one.pacer.mark
            if mark != one.mark:
                cost = one.pacer.cost()
                added = {name: each.requests - one.requests.get(name, 0) for name, each in cost.items()}
                found.append(Told(shop_id, one.pacer.state, cost, added, mark))
        return found

    def kept(self, told: Iterable[Told]) -> None:
        """These stand in the database now."""
        for each in told:
            one = self._watched.get(each.shop_id)
            if one is not None:
                one.mark = each.mark
                one.requests = {name: cost.requests for name, cost in each.cost.items()}

    def close(self) -> None:
        """Listen no longer."""
        for one in self._watched.values():
            one.stop()
        self._watched.clear()
