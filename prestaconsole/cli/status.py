"""`prestaconsole status`: how everything stands, in a form that monitoring may ask for."""

from typing import TYPE_CHECKING

from prestaconsole.cli.failures import Ended
from prestaconsole.cli.options import Json
from prestaconsole.cli.output import print_json, print_rows, say, shown, tell
from prestaconsole.cli.session import opened
from prestaconsole.errors import EXIT_FAILED

if TYPE_CHECKING:
    from prestaconsole.services.status import DaemonStatus


def _daemon(daemon: "DaemonStatus") -> str:
    """How the daemon stands, in words (SCREENS §1)."""
    instead = f"; a console on {daemon.console} does the work" if daemon.console else ""
    silent = span(daemon.age_seconds or 0)
    good = shown(daemon.last_good_at)
    return {
        "ok": f"ok, on {daemon.host}, {daemon.age_seconds} s ago",
        "stale": f"STALE: no daemon has reported for {silent}, last good {good} on {daemon.host}{instead}",
        "stuck": f"STUCK: it reports from {daemon.host}, but has done nothing for {silent}, last good {good}{instead}",
        "none": f"none{instead or '; the console or --wait does the work'}",
    }[daemon.state]


def span(seconds: float) -> str:
    """A stretch of time in its largest whole unit: ``55 min``."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{int(seconds)} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def status(as_json: Json = False) -> None:
    """Say how everything stands; ends with 1 when something is late, or the daemon died or hangs."""
    from prestaconsole.services.status import status as read

    with opened() as core:
        found = read(core)
    if as_json:
        print_json(found)
    else:
        say(f"daemon {_daemon(found.daemon)}")
        if found.restored:
            say(f"RESTORED from {found.life.restored_from}: compare before thawing. {found.restored}")
        if found.paused.paused:
            pause = found.paused
            until = f"until {shown(pause.until)} " if pause.until else ""
            say(f"PAUSED everything, {until}by {pause.by}: {pause.reason}. `prestaconsole resume` resumes.")
        if found.catch_up is not None:
            caught = found.catch_up
            say(f"catch-up {shown(caught.at)}: {caught.words}, the last starts {shown(caught.until)}")
        backup = found.life.backed_up_at
        kept = f"{shown(backup)} to {found.life.backed_up_to}" if backup else "none yet: `prestaconsole db backup FILE`"
        say(f"backup {kept}")
        say(f"runs {found.running} at work, {found.queued} queued; {found.brakes} held, {found.incidents} incidents")
        print_rows(
            found.shops,
            [
                ("Need", lambda row: row.need),
                ("Shop", lambda row: row.shop),
                ("Mode", lambda row: row.mode.upper()),
                ("Orders", lambda row: row.orders_at or "–"),
                ("What comes first", lambda row: row.text or "–"),
            ],
            empty="No shop yet. `prestaconsole shop add NAME --url URL --key-stdin` connects one; `demo` shows two.",
        )
    if not found.ok:
        if found.daemon.state not in {"ok", "none"}:
            tell(f"The daemon is not at work: {_daemon(found.daemon)}.")
        for late in found.late:
            tell(f"{late.shop}: {late.text}.")
        tell("Start the daemon with `prestaconsole daemon`, or look at `prestaconsole feed runs`.")
        raise Ended(EXIT_FAILED)
