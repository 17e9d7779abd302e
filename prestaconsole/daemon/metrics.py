"""/metrics: figures of the database and of this process in Prometheus' words. Imports services and prometheus-client.

Labels are shops (by code), feeds, states, methods and kinds of error: sets that do not grow with time. No label and no
value holds a key, a name of a person or anything of an order.
"""

import asyncio
import logging
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from prestaconsole import __version__
from prestaconsole.daemon.figures import Figures, Reader
from prestaconsole.database import DatabaseError
from prestaconsole.feeds.registry import FEEDS
from prestaconsole.model import ShopMode
from prestaconsole.operations.core import Core
from prestaconsole.runner.moments import moment_of
from prestaconsole.runner.signs import Health
from prestaconsole.runner.worker import Worker
from prestaconsole.webservice.pacing import pacers

log = logging.getLogger(__name__)

_READ_WITHIN = 8.0
_FRESH = 2.0
_BREAKERS = ("closed", "open", "half-open")
_HEALTH = ("starting", "working", "waiting", "hung", "stopping")
_SEVERITIES = ("STOP", "ACT", "LATE", "WARN")
_ENDS = ("done", "failed", "cancelled", "held")


class Metrics:
    """Collects at each scrape. The database is read in a reader thread, one scrape at a time, within a limit.

    A database that does not answer costs its figures and not the page: ``prestaconsole_database_up`` is then 0.
    """

    def __init__(self, core: Core, worker: Worker, health: Callable[[], Health]) -> None:
        self._core = core
        self._worker = worker
        self._health = health
        self._reader = Reader()
        self._reading: asyncio.Task[Figures | None] | None = None
        self._read_at = float("-inf")
        self._latest: Figures | None = None
        self._took = 0.0
        self.log_lines_lost: Callable[[], int] = lambda: 0
        self.clock_jumps: Callable[[], int] = lambda: 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Now(self._families))
        ProcessCollector(registry=self._registry)

    async def begin(self) -> None:
        """Look once, so that what ends from now on is counted."""
        await self._figures()

    async def text(self, accept: str = "") -> tuple[bytes, str]:
        """The page and its content type, in the form that the scraper asks for."""
        self._latest = await self._figures()
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    async def _figures(self) -> Figures | None:
        if self._latest is not None and time.monotonic() - self._read_at < _FRESH:
            return self._latest
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read())
        try:
            return await asyncio.wait_for(asyncio.shield(self._reading), _READ_WITHIN)
        except TimeoutError:
            return None

    async def _read(self) -> Figures | None:
        moment = moment_of(self._core.clock)
        began = time.monotonic()
        try:
            found = await self._core.database.read(lambda c: self._reader.read(c, moment(c)))
        except (DatabaseError, SQLAlchemyError) as error:
            log.warning("The figures for /metrics could not be read. %s", error)
            return None
        self._read_at = time.monotonic()
        self._took = self._read_at - began
        return found

    # -- the families -----------------------------------------------------------------------------------------------

    def _families(self) -> Iterator[Metric]:
        yield from self._of_this_process()
        if self._latest is not None:
            yield from _of_feeds(self._latest)
            yield from _of_runs(self._latest)
            yield from _of_shops(self._latest)
            yield from _of_the_whole(self._latest)
            yield from self._of_requests({shop.base_url: shop.code for shop in self._latest.shops})

    def _of_this_process(self) -> Iterator[Metric]:
        database = "sqlite" if self._core.database.is_sqlite else "postgresql"
        yield InfoMetricFamily(
            "prestaconsole_build",
            "Version of the program, of Python, and the kind of database.",
            {"version": __version__, "python": platform.python_version(), "database": database},
        )
        up = float(self._latest is not None)
        yield _gauge("database_up", "1 where the database answered this scrape; its figures are missing where 0.", up)
        yield _gauge("database_read_seconds", "Time that reading the database for this page took.", self._took)
        state = self._health().state
        yield _states("daemon_state", "How the daemon stands: 1 at the state that holds.", "state", _HEALTH, state)
        age = self._worker.seconds_since_turn()
        yield _gauge("daemon_turn_age_seconds", "Time since schedules and queue were last looked at with success.", age)
        yield _gauge("daemon_runs", "Runs at work in this process.", len(self._worker.running))
        jumps = self.clock_jumps()
        yield _counter("clock_jumps", "Jumps of the clock by more than half a minute.", (), {(): jumps})
        lost = self.log_lines_lost()
        yield _counter("log_lines_lost", "Lines of the log that could not be written.", (), {(): lost})

    def _of_requests(self, codes: Mapping[str, str]) -> Iterator[Metric]:
        """What this process asked of the shops; another daemon or console has figures of its own."""
        asked = SummaryMetricFamily(
            "prestaconsole_shop_request_duration_seconds",
            "Requests of this process to a shop: how many, and their time in all.",
            labels=("shop", "method"),
        )
        errors: dict[Sequence[str], float] = {}
        breaker = _labelled("shop_breaker_state", "Circuit breaker of the shop: 1 at the state.", ("shop", "state"))
        waiting = _labelled("shop_requests_waiting", "Requests that wait for a place at the shop.", ("shop",))
        resting = _labelled("shop_resting_seconds", "Time until the shop may be asked again.", ("shop",))
        for base_url, pacer in sorted(pacers(self._core.clock).items()):
            shop = codes.get(base_url)
            if shop is None:
                continue
            sums: dict[str, tuple[int, float]] = {}
            for name, cost in pacer.cost().items():
                method = name.split(" ", 1)[0]
                number, seconds = sums.get(method, (0, 0.0))
                sums[method] = (number + cost.requests, seconds + cost.seconds)
            for method, (number, seconds) in sorted(sums.items()):
                asked.add_metric((shop, method), count_value=number, sum_value=seconds)
            errors |= {(shop, kind): number for kind, number in pacer.errors().items()}
            state = pacer.state
            for name in _BREAKERS:
                breaker.add_metric((shop, name), float(name == state.breaker))
            waiting.add_metric((shop,), state.waiting)
            resting.add_metric((shop,), max(state.resting, state.asks_again_in))
        yield from (asked, breaker, waiting, resting)
        yield _counter("shop_errors", "Calls to a shop that failed, by class of error.", ("shop", "kind"), errors)


def _of_feeds(figures: Figures) -> Iterator[Metric]:
    labels = ("shop", "feed")
    age = _labelled("feed_age_seconds", "Time since the feed last ended well, or was first scheduled.", labels)
    limit = _labelled("feed_freshness_limit_seconds", "Age from which the feed is late, where it is watched.", labels)
    late = _labelled("feed_late", "1 where the feed is late, as `prestaconsole status` counts it.", labels)
    for one in figures.feeds:
        age.add_metric((one.shop, one.feed), one.age)
        if one.limit is not None:
            limit.add_metric((one.shop, one.feed), one.limit)
        late.add_metric((one.shop, one.feed), float(one.late))
    yield from (age, limit, late)


def _of_runs(figures: Figures) -> Iterator[Metric]:
    labels = ("feed", "state", "error_kind")
    active = _labelled("runs_active", "Runs that are queued or at work; error_kind is that of their last try.", labels)
    for key, number in sorted(figures.runs.items()):
        active.add_metric(key, number)
    yield active
    # A counter that appears with its first event hides that event from rate().
    ended = {(feed, state, "none"): 0 for feed in FEEDS for state in _ENDS if state != "failed"} | dict(figures.ended)
    yield _counter("runs_ended", "Runs that ended since this daemon looked first, in any process.", labels, ended)
    yield _gauge("queue_due_runs", "Runs that are due and wait to be taken.", figures.due)
    words = "Waiting time of the oldest run that is due, shops that are paused left out."
    yield _gauge("queue_oldest_due_seconds", words, figures.oldest_due)


def _of_shops(figures: Figures) -> Iterator[Metric]:
    mode = _labelled("shop_mode", "Mode of the shop: 1 at the mode that holds.", ("shop", "mode"))
    paused = _labelled("shop_paused", "1 where the shop is paused.", ("shop",))
    held = _labelled("shop_held_plans", "Plans that the brake or a rule holds until a person decides.", ("shop",))
    engaged = _labelled("shop_brake_engaged", "1 where at least one plan of the shop is held.", ("shop",))
    for shop in figures.shops:
        for name in ShopMode:
            mode.add_metric((shop.code, name.value), float(shop.mode == name))
        paused.add_metric((shop.code,), float(shop.paused))
        number = figures.held.get(shop.id, 0)
        held.add_metric((shop.code,), number)
        engaged.add_metric((shop.code,), float(number > 0))
    yield from (mode, paused, held, engaged)
    words = "Changes that shops confirmed or that failed since this daemon looked first."
    yield _counter("shop_writes", words, ("shop", "kind", "result"), figures.written)


def _of_the_whole(figures: Figures) -> Iterator[Metric]:
    incidents = _labelled("incidents_open", "Incidents that are open.", ("severity",))
    for name in (*_SEVERITIES, *sorted(set(figures.incidents) - set(_SEVERITIES))):
        incidents.add_metric((name,), figures.incidents.get(name, 0))
    beat = _labelled("daemon_heartbeat_age_seconds", "Time since a daemon's last sign of life.", ("host",))
    progress = _labelled("daemon_progress_age_seconds", "Time since a daemon last looked at the queue.", ("host",))
    for one in figures.daemons:
        beat.add_metric((one.host,), one.heartbeat)
        if one.progress is not None:
            progress.add_metric((one.host,), one.progress)
    yield from (incidents, beat, progress)
    yield _gauge("paused", "1 while everything is paused.", float(figures.paused))
    yield _gauge("database_epoch", "How many lives the database has had; a restore begins another.", figures.epoch)
    last = figures.backed_up_at.timestamp() if figures.backed_up_at is not None else 0.0
    yield _gauge("backup_last_success_timestamp_seconds", "When the last backup was verified; 0 where never.", last)


# -- small parts ------------------------------------------------------------------------------------------------------


class _Now(Collector):
    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"prestaconsole_{name}", words, value=value)


def _labelled(name: str, words: str, labels: Sequence[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"prestaconsole_{name}", words, labels=labels)


def _states(name: str, words: str, label: str, known: Sequence[str], state: str) -> GaugeMetricFamily:
    family = _labelled(name, words, (label,))
    for one in known:
        family.add_metric((one,), float(one == state))
    return family


def _counter(name: str, words: str, labels: Sequence[str], values: Mapping[Any, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"prestaconsole_{name}", words, labels=labels)
    for key, number in sorted(values.items()):
        family.add_metric(key, number)
    return family
