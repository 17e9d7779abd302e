"""How a waiting command shows a run: one line redrawn on a terminal, plain lines elsewhere. Progress goes to stderr."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from prestaconsole.cli.output import on_terminal, plain, say, tell
from prestaconsole.redaction import redact

if TYPE_CHECKING:
    from prestaconsole.runner.records import LogRecord
    from prestaconsole.services.runs import Progress, RunDetail

COUNTED = ("seen", "new", "changed", "skipped", "held", "failed")
"""What every feed counts by the same words, in the order in which they are shown; a feed's own words follow."""

_BAR = 20
_TELL_SECONDS = 30.0
_ENDS = {
    "done": "done",
    "failed": "FAILED",
    "cancelled": "cancelled",
    "held": "HELD",
}


class RunLines:
    """A listener for runs: redrawn at each page on a terminal, elsewhere a line a phase and at most one in 30 s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._in_place = on_terminal()
        self._clock = clock
        self._told = clock()
        self._drawn = 0
        self._phase = ""

    def __call__(self, progress: "Progress") -> None:
        run = progress.run
        self._clear()
        for line in progress.lines:
            tell(f"{line.at.astimezone():%H:%M:%S} {line.level:<4} {line.text}")
        if not run.active:
            tell(f"{run.feed} run {run.run} {_ENDS.get(run.state, run.state)}{_counts(run)}")
        elif self._in_place:
            self._draw(_line(run))
        elif run.phase and (run.phase != self._phase or self._clock() - self._told >= _TELL_SECONDS):
            tell(f"{run.feed} run {run.run}: {run.phase}{_of(run)}{_pace(run)}")
            self._told = self._clock()
        self._phase = run.phase

    def end(self) -> None:
        """Leave a clean line behind, whatever stood there."""
        self._clear()
        sys.stderr.flush()

    def _draw(self, text: str) -> None:
        sys.stderr.write(redact(text))
        sys.stderr.flush()
        self._drawn = len(text)

    def _clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r" + " " * self._drawn + "\r")
            self._drawn = 0


class LogLines(RunLines):
    """A listener that follows a run's log: its lines on stdout as they are written, the rest as ``RunLines``."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def __call__(self, progress: "Progress") -> None:
        self._clear()
        for line in progress.lines:
            if self._as_json:
                print_line(line)
            else:
                say(log_line(line))
        # Who reads through a pipe wants the line now, not the buffer when it is full.
        sys.stdout.flush()
        super().__call__(replace(progress, lines=()))


def log_line(line: "LogRecord") -> str:
    """A line of a run's log as it is printed."""
    return f"{line.at.astimezone():%Y-%m-%d %H:%M:%S}  {line.level:<4}  {line.text}"


def print_line(value: object) -> None:
    """One JSON document in one line on stdout."""
    sys.stdout.write(redact(json.dumps(plain(value), ensure_ascii=False)) + "\n")
    sys.stdout.flush()


def count_words(counts: Mapping[str, int]) -> str:
    """``62 seen, 27 new``: what all feeds count first, in one order; what is zero is left out, unless all is."""
    order = [*(name for name in COUNTED if name in counts), *(name for name in counts if name not in COUNTED)]
    words = [f"{counts[name]} {name}" for name in order if counts[name]]
    return ", ".join(words or [f"0 {name}" for name in order])


def _line(run: "RunDetail") -> str:
    bar = ""
    if run.total:
        full = min(_BAR, _BAR * run.done // run.total)
        bar = f" [{'#' * full}{'.' * (_BAR - full)}] {min(100, 100 * run.done // run.total)} %"
    return f"{run.feed} run {run.run} {run.state}{bar} {run.phase}{_of(run)}{_pace(run)}"[:110]


def _of(run: "RunDetail") -> str:
    if not run.done:
        return ""
    return f" {run.done} of {run.total}" if run.total else f" {run.done}"


def _pace(run: "RunDetail") -> str:
    """Rows a second and the estimated end, where they are known."""
    rate = f", {run.rate:.1f}/s" if run.rate else ""
    return rate + (f", ends about {run.ends_at.astimezone():%H:%M:%S}" if run.ends_at else "")


def _counts(run: "RunDetail") -> str:
    words = count_words(run.counts)
    return f": {words}" if words else ""
