"""The console's state: what it looks at, the live view, the furniture every screen shows."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from textual import events
from textual.app import App

from prestaconsole.clock import Clock
from prestaconsole.console.actions import Actions
from prestaconsole.console.screens.pane import Pane
from prestaconsole.console.text import length, when
from prestaconsole.console.theme import THEME, Look, detect
from prestaconsole.console.widgets.furniture import Furniture, furniture_spans
from prestaconsole.console.widgets.lines import Line, plain
from prestaconsole.errors import PrestaConsoleError
from prestaconsole.services.views.header import HeaderCounts, header_counts
from prestaconsole.services.views.rows import Reader
from prestaconsole.services.views.schedules import SchedulePreview, read_schedule
from prestaconsole.services.views.shops import ShopLine, shop_line

POLL_SECONDS = 0.25
TICK_SECONDS = 15.0
BANNER_SECONDS = 60.0
IDLE_MINUTES = 30.0
LONGEST_PAUSE = 1.0
WATCH_SECONDS = 2.0
SILENT_SECONDS = 15.0
"""Without an answer of the database for so long the screen says so; PostgreSQL is asked every ten at the latest."""
TOLD_HOURS = 24.0
"""For so long a console that does the work of a daemon that died says that it died."""
STALE_WORDS = "No daemon has reported for {}, last good {}. This console does no work: start prestaconsole daemon."
STUCK_WORDS = "The daemon has done nothing for {}, last good {}, though it reports. Restart prestaconsole daemon."


class ConsoleBase(App[int]):
    """A console without keys. ``reader`` is the database's reading half, ``actions`` everything keys can do."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    TITLE = "PrestaConsole"
    CSS = "* { scrollbar-size: 0 0; }"

    def __init__(
        self,
        reader: Reader,
        actions: Actions,
        clock: Clock,
        *,
        read_only: bool = False,
        read_schedule: Callable[[str, str, str, datetime, int], SchedulePreview] = read_schedule,
        runs_here: Callable[[], bool] = lambda: False,
        stale_after: float = 15.0,
        poll_seconds: float = POLL_SECONDS,
        look: Look | None = None,
    ) -> None:
        self.look = look or detect()
        # Known to be native ANSI before Textual chooses its colour filters, or NO_COLOR would send true-colour greys.
        super().__init__(ansi_color=True)
        self.register_theme(THEME)
        self.theme = THEME.name
        self.animation_level = "none"
        self.reader, self.actions, self.clock = reader, actions, clock
        self.read_schedule = read_schedule
        self.held_read_only = read_only
        self.may_change = False
        self.scope: int | None = None
        self.scope_shop: ShopLine | None = None
        self.last_shop: int | None = None
        self.counts = HeaderCounts()
        self.answer_text = ""
        self._runs_here = runs_here
        self._stale_after = timedelta(seconds=stale_after)
        self._poll_seconds = poll_seconds
        self._version = -1
        self._polling = False
        self._not_before = 0.0
        self._started = clock.monotonic()
        self._good_at = clock.now()
        self._answered = time.monotonic()
        self._watched: object = None
        self._last_key = clock.monotonic()
        self._pending = False
        self._typed_ahead: list[events.Key] = []

    # Start and the live view ----------------------------------------------------------------------------------

    async def on_mount(self) -> None:
        await self.read_header()
        self.set_interval(self._poll_seconds, self._poll)
        self.set_interval(TICK_SECONDS, self._tick)
        self.set_interval(WATCH_SECONDS, self._watch)

    @property
    def pane(self) -> Pane | None:
        """The pane of the present mode, whatever box lies over it."""
        for screen in self.screen_stack:
            if isinstance(screen, Pane):
                return screen
        return None

    async def _poll(self) -> None:
        """Look whether any process committed; a screen then reads its visible rows again."""
        if self._polling or time.monotonic() < self._not_before:
            return
        self._polling = True
        try:
            version = await self._read_version()
            asked = getattr(self.reader, "is_sqlite", True)
            if version != self._version:
                started = time.monotonic()
                await self.refresh_live()
                self._version, asked = version, True
                # A costly screen looks less often: at most a fifth of the time goes into looking.
                ended = time.monotonic()
                self._not_before = ended + min(LONGEST_PAUSE, 4 * (ended - started))
            if asked:
                self._good_at, self._answered = self.clock.now(), time.monotonic()
        except PrestaConsoleError as error:
            # Whatever was committed meanwhile is unknown: the first answer is followed by a reading.
            self._version, self._not_before = -1, time.monotonic() + LONGEST_PAUSE
            if self.pane is not None:
                self.pane.trouble = f"not refreshed since {self.since()}: {error.cause}"
                self.pane.show_detail()
        finally:
            self._polling = False

    async def _read_version(self) -> int:
        if getattr(self.reader, "is_sqlite", True):
            return self.reader.version()
        return await asyncio.to_thread(self.reader.version)

    async def refresh_live(self) -> None:
        """Read the header's counters and the visible rows anew."""
        await self.read_header()
        pane = self.pane
        if pane is not None and pane.alive:
            await pane.live()
            pane.show_header()

    async def read_header(self) -> None:
        """The counters of the scope, and its shop."""
        scope, now = self.scope, self.clock.now()
        found = await self.reader.read(
            lambda connection: (
                header_counts(connection, scope, now),
                None if scope is None else shop_line(connection, scope),
            )
        )
        # The scope may have become another one meanwhile: its own reading is under way.
        if scope == self.scope:
            self.counts, self.scope_shop = found

    def _tick(self) -> None:
        """Time went on: ages change by whole minutes, a banner ends, an idle console turns read-only."""
        if self.may_change and self.clock.monotonic() - self._last_key > IDLE_MINUTES * 60:
            self.may_change = False
        pane = self.pane
        if pane is not None and pane.alive:
            pane.table.tick()
            pane.show_header()
            pane.show_detail()

    def _watch(self) -> None:
        """Silence makes no event: look whether the daemon or the database has gone quiet meanwhile."""
        pane = self.pane
        if pane is None or not pane.alive:
            return
        shown = (self.banner(), furniture_spans(self.furniture(), self.clock.now()))
        if shown != self._watched:
            self._watched = shown
            pane.show_header()
            pane.show_keys()

    def since(self) -> str:
        """When the database last answered, as a message gives it."""
        return when(self._good_at, self.clock.now())

    @property
    def unreachable(self) -> bool:
        """Whether the database has not answered for a while, be it that it refuses or that it keeps silent."""
        return time.monotonic() - self._answered > SILENT_SECONDS

    # Furniture ------------------------------------------------------------------------------------------------

    @property
    def read_only(self) -> bool:
        """Whether changing keys ask, or are refused, now."""
        return self.held_read_only or not self.may_change

    def furniture(self) -> Furniture:
        """What the header's right end knows."""
        return Furniture(
            counts=self.counts,
            shop=self.scope_shop,
            read_only=self.read_only,
            runs_here=self._runs_here(),
            stale_after=self._stale_after,
            unreachable=self.unreachable,
        )

    def stale_words(self) -> str:
        """The lock of working keys while nobody does the work; empty where somebody does."""
        now = self.clock.now()
        if self._runs_here() or self.counts.daemon_alive(now, self._stale_after):
            return ""
        if self.counts.daemon_seen is None:
            return "Nobody does the work: no daemon runs. Start prestaconsole daemon."
        words = STUCK_WORDS if self.counts.daemon_stuck else STALE_WORDS
        return words.format(length(now - self.counts.daemon_seen), when(self.counts.daemon_seen, now))

    def banner(self) -> Line | None:
        """The worst thing to say in row 2, or None."""
        if self.unreachable:
            return self._reversed(
                f" NO DATABASE  It has not answered since {self.since()}.", " This is how it was then."
            )
        silent = self._silent_daemon()
        if silent is not None:
            return self._reversed(*silent)
        if self.counts.restored_as_of is not None:
            as_of = self.counts.restored_as_of.astimezone()
            when = f"{as_of:%a %H:%M}" if self.clock.now() - as_of < timedelta(days=6) else f"{as_of:%d %b}"
            words = f" RESTORED  This database is from {when}. Shops stay frozen until reconciled."
            return plain(words.ljust(self.size.width), "stale")
        if self.read_only and self.clock.monotonic() - self._started < BANNER_SECONDS:
            if self.held_read_only:
                return (
                    (" READ-ONLY", "bold"),
                    ("  You are looking. This console was started to read only.", ""),
                )
            return (
                (" READ-ONLY", "bold"),
                ("  You are looking. The first change asks; W allows changes now.", ""),
            )
        return None

    def _silent_daemon(self) -> tuple[str, str] | None:
        """What to say of a daemon that died or hangs; a console that took over says so for a day."""
        now, seen = self.clock.now(), self.counts.daemon_seen
        if seen is None or self.counts.daemon_alive(now, self._stale_after):
            return None
        if self._runs_here() and now - seen > timedelta(hours=TOLD_HOURS):
            return None
        # By whole minutes, so that a quiet screen stays quiet.
        passed = f"{length(now - seen)} ago" if now - seen >= timedelta(minutes=1) else "just now"
        good = when(seen, now)
        if self.counts.daemon_stuck:
            said = f" STALE  The daemon reports, but did nothing since {good}, {passed}."
        else:
            said = f" STALE  The daemon last reported at {good}, {passed}."
        return said, " This console took over." if self._runs_here() else " This is how it was then."

    def _reversed(self, said: str, more: str) -> Line:
        """A banner over the whole width; what does not fit is left out."""
        words = said + more if len(said + more) <= self.size.width else said
        return plain(words.ljust(self.size.width), "stale")

    def answer(self, text: str) -> None:
        """Say in row 24 what came of a key, until the next one; what does not fit opens with ``e``."""
        self.answer_text = text
        if self.pane is not None and self.pane.alive:
            self.pane.show_keys()
