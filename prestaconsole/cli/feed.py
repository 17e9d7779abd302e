"""`prestaconsole feed`: run, schedule and watch the feeds of a shop."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from prestaconsole.cli.failures import EXIT_INTERRUPTED, Ended, run_status, tell_run_end
from prestaconsole.cli.options import Json, Limit, Shop
from prestaconsole.cli.output import print_json, print_rows, say, tell
from prestaconsole.cli.progress import LogLines, RunLines, count_words, log_line, print_line
from prestaconsole.cli.session import actor, opened, wait
from prestaconsole.errors import EXIT_DONE

if TYPE_CHECKING:
    from prestaconsole.operations.core import Core
    from prestaconsole.services.feeds import FeedRow, ScheduleShown
    from prestaconsole.services.runs import RunDetail

app = typer.Typer(help="Run, schedule and watch the feeds of a shop.", no_args_is_help=True)

Feed = Annotated[str, typer.Argument(help="Name of the feed; `feed list SHOP` shows them.")]
Run = Annotated[int, typer.Argument(help="Number of the run.")]


@app.command("list")
def list_(shop: Shop, as_json: Json = False) -> None:
    """List the feeds of a shop with schedule, state, and why one is locked."""
    from prestaconsole.services.feeds import list_feeds

    with opened() as core:
        rows = list_feeds(core, shop)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Feed", lambda row: row.feed),
            ("Schedule", lambda row: row.schedule if row.enabled else "off" if row.schedule else "–"),
            ("State", lambda row: row.state),
            ("Last good", lambda row: row.last_ok_at or "–"),
            ("Estimate", lambda row: row.estimate.words if row.estimate else ""),
            ("Next, or why not", _next),
        ],
        empty="",
    )


def _next(row: "FeedRow") -> Any:
    """What stands in the way, else what the run at hand waits for, else the next start."""
    if row.state == "queued" and row.phase:
        return row.phase
    return row.reason or row.next_due or ("plans only" if row.plans_only else "")


@app.command()
def run(
    shop: Shop,
    feed: Feed,
    plan: Annotated[
        bool, typer.Option("--plan", help="Make a plan and send nothing; import_stock: show it and set no level.")
    ] = False,
    waiting: Annotated[bool, typer.Option("--wait", help="Wait for its end; without a daemon it runs here.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; a second import_stock needs it.")] = "",
    known: Annotated[
        str, typer.Option("--known", metavar="keep|overwrite|sum", help="SKUs another shop has initialised.")
    ] = "",
    repair: Annotated[
        bool, typer.Option("--repair", help="stock_check in a live shop: send our figures where they differ.")
    ] = False,
    in_window: Annotated[
        bool, typer.Option("--in-window", help="Keep to the window of its schedule; without it a run begins at once.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a feed now; without --wait it is only queued. A locked feed ends with 3, a held plan with 4."""
    how = {"plan": plan, "reason": reason, "known": known, "repair": repair, "in_window": in_window}
    if repair and waiting:
        _repair(shop, feed, as_json=as_json, **how)
    else:
        run_and_print(shop, feed, waiting=waiting, as_json=as_json, **how)


def _repair(shop: str, feed: str, *, as_json: bool, **how: Any) -> None:
    """The check marks what differs; then the push takes what is marked, through gate and brake."""
    from prestaconsole.services import feeds

    with opened() as core:
        who = actor(core)
        check = push = wait(feeds.run_feed(core, shop, feed, actor=who, on_progress=RunLines(), **how))
        if check.state == "done" and check.counts.get("drift", 0):
            push = wait(
                feeds.run_feed(core, shop, "export_stock", actor=who, params={"marked": True}, on_progress=RunLines())
            )
    if as_json:
        print_json({"check": check, "push": push if push is not check else None})
        status = tell_run_end(push)
        if status != EXIT_DONE:
            raise Ended(status)
        return
    if push is not check:
        say(f"{check.feed} of {check.shop}: {check.state}, {count_words(check.counts)}.")
    print_run(push, as_json=False)


def run_and_print(shop: str, feed: str, *, waiting: bool, as_json: bool, **how: Any) -> None:
    """Queue a feed, wait where that was asked for, print how it ended, and end with the run's status."""
    from prestaconsole.services import feeds

    with opened() as core:
        tell_estimate(core, shop, feed)
        if not waiting:
            asked = feeds.request_feed(core, shop, feed, actor=actor(core), **how)
            found = feeds.run_of(core, asked)
        else:
            found = wait(feeds.run_feed(core, shop, feed, actor=actor(core), on_progress=RunLines(), **how))
        if waiting and how.get("plan") and feed == "import_stock" and found.state == "done":
            from prestaconsole.cli.stock_imports import print_preview

            print_preview(core, found, shop, str(how.get("known") or "keep"), as_json=as_json)
            return
    if waiting:
        print_run(found, as_json=as_json)
        return
    if as_json:
        print_json(found)
        return
    if asked.joined and found.state == "running":
        say(f"Run {found.run} of {feed} is at work in {found.shop}; it will run once more after.")
    else:
        waits = f": it {found.phase}" if found.phase and found.state == "queued" else ""
        say(f"{feed} of {found.shop} is queued as run {found.run}{waits}.")
    tell(f"`prestaconsole feed log {found.run} -f` follows it; a daemon or --wait does the work.")


def tell_estimate(core: "Core", shop: str, feed: str) -> None:
    """Say before a long run how long it will take; nothing where it is short or no request was measured."""
    from prestaconsole.services.estimates import WORTH_SAYING, estimate_feed

    takes = estimate_feed(core, shop, feed)
    if takes is not None and takes.seconds >= WORTH_SAYING:
        tell(f"{feed} takes {takes.words} (estimate: {takes.rows} rows, {takes.requests} requests).")


def print_run(run: "RunDetail", *, as_json: bool) -> None:
    """Print an ended run and end with its status."""
    status = tell_run_end(run)
    if as_json:
        print_json(run)
    else:
        words = count_words(run.counts) or "nothing to do"
        plan = f" Plan {run.changeset}." if run.changeset else ""
        say(f"{run.feed} of {run.shop}: {run.state}, {words}.{plan}")
    if status != EXIT_DONE:
        raise Ended(status)


@app.command("run-safe")
def run_safe(
    shop: Shop,
    waiting: Annotated[
        bool, typer.Option("--wait", help="It always waits; for scripts that say so.", hidden=True)
    ] = True,
    afresh: Annotated[
        bool, typer.Option("--all", help="Begin with the first step, also after an interrupted attempt.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run every reading feed in the order of their needs, each after the one before, and halt before what writes.

    After an attempt that failed or was interrupted it goes on at that step.
    """
    from prestaconsole.services.safe_steps import run_safe as run_steps

    with opened() as core:
        steps = wait(
            run_steps(
                core,
                shop,
                actor=actor(core),
                afresh=afresh,
                on_progress=RunLines(),
                started=lambda feed: tell(f"{feed} …"),
            )
        )
    for passed in steps.passed:
        tell(f"{passed.feed} ended well {passed.ended_at.astimezone():%H:%M}: not run again (--all begins anew).")
    if as_json:
        print_json(steps.ran)
    else:
        print_rows(steps.ran, _RUN_COLUMNS, empty="Nothing ran.")
    for step in steps.locked:
        tell(f"{step.feed} was left out. {step.reason} {step.unlock}".rstrip())
    status = max((run_status(one) for one in steps.ran), default=EXIT_DONE)
    if status != EXIT_DONE:
        tell_run_end(steps.ran[-1])
        tell(f"Stopped at {steps.ran[-1].feed}. `prestaconsole feed run-safe {shop}` goes on there.")
        raise Ended(status)
    tell("Halted here: what comes next a person starts.")
    for step in steps.halted:
        tell(f"{step.feed}: {step.reason or 'nothing locks it.'} {step.unlock}".rstrip())


@app.command()
def schedule(
    shop: Shop,
    feed: Feed,
    every: Annotated[
        str | None,
        typer.Argument(
            metavar="CRON|off",
            help="“every 5 min”, “daily 03:00 between 01:00 and 05:00”, a cron line, default, off. Without it: show.",
        ),
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", metavar="ZONE", help="Read it in this zone, not in the shop's: Europe/Paris.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Set when a feed runs, in the shop's zone; it takes effect at once. Without words it shows the schedule.

    “between 01:00 and 05:00” at the end is a window: runs start only inside, stop at their page when it shuts, and go
    on there in the next one.
    """
    from prestaconsole.services.feeds import schedule_feed, show_schedule

    with opened() as core:
        if every is None:
            shown = show_schedule(core, shop, feed)
        else:
            shown = schedule_feed(core, shop, feed, every, actor=actor(core), zone=zone)
    if as_json:
        print_json(shown)
    elif not shown.enabled:
        kept = f" It was {shown.schedule}; “default” or that brings it back." if shown.schedule else ""
        say(f"{shown.feed} of {shown.shop} has no schedule now.{kept}")
    else:
        _print_schedule(shown)


def _print_schedule(shown: "ScheduleShown") -> None:
    from prestaconsole.operations.shops import zone_of

    times = [moment.astimezone(zone_of(shown.zone)) for moment in shown.next_times]
    say(f"{shown.feed} of {shown.shop} runs {shown.schedule}.")
    say(f"  Reads  {shown.words}")
    say(f"  Next   {', '.join(f'{time:%a %d %b %H:%M:%S}' for time in times)} ({shown.zone})")
    for note in shown.notes:
        say(f"  Note   {note}")


@app.command()
def runs(
    shop: Annotated[str | None, typer.Argument(help="Only this shop.")] = None,
    feed: Annotated[str | None, typer.Option("--feed", help="Only this feed.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="queued, running, done, failed, cancelled, held.")
    ] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    from prestaconsole.services.runs import list_runs

    with opened() as core:
        rows = list_runs(core, shop=shop, feed=feed, state=state, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(rows, _RUN_COLUMNS, empty="Nothing ran here yet. `prestaconsole feed list SHOP` shows the feeds.")


_RUN_COLUMNS: list[tuple[str, Any]] = [
    ("Run", lambda row: row.run),
    ("Shop", lambda row: row.shop),
    ("Feed", lambda row: row.feed),
    ("State", lambda row: row.state),
    ("Started", lambda row: row.started_at or "–"),
    ("Rows", lambda row: row.done),
    ("Result", lambda row: row.error or _at_work(row) or count_words(row.counts)),
]


def _at_work(run: "RunDetail") -> str:
    """``62 %, 5.2/s, ends about 14:22`` of a run at work; empty where none of it is known."""
    if run.rate is None:
        return ""
    share = f"{min(100, 100 * run.done // run.total)} %, " if run.total else ""
    return f"{share}{run.rate:.1f}/s" + (f", ends about {run.ends_at.astimezone():%H:%M}" if run.ends_at else "")


@app.command()
def log(
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Show the log of a run; with -f until it ends, whichever process does it, and with its exit status.

    With -f and --json each line is a document of its own, and the run itself is the last.
    """
    from prestaconsole.services import runs as run_services

    with opened() as core:
        if follow:
            raise Ended(_follow(core, run, as_json=as_json))
        found = run_services.show_run(core, run)
        lines = run_services.run_log(core, run)
    if as_json:
        print_json(lines)
        return
    for line in lines:
        say(log_line(line))
    counted = f" ({count_words(found.counts)})" if found.counts else ""
    words = f"Run {found.run}, {found.feed} of {found.shop}: {found.state}{counted}. {found.error} {found.remedy}"
    tell(words.rstrip())


def _follow(core: "Core", run: int, *, as_json: bool) -> int:
    """Follow a log to the run's end; gives the exit status. Ctrl-C ends the following and not the run."""
    from prestaconsole.services import runs as run_services

    lines = LogLines(as_json=as_json)
    try:
        found = wait(run_services.follow(core, run, on_progress=lines))
    except KeyboardInterrupt:
        lines.end()
        tell(f"No longer followed. Run {run} goes on; `prestaconsole feed cancel {run}` would stop it.")
        return EXIT_INTERRUPTED
    if as_json:
        print_line(found)
    return tell_run_end(found)


@app.command()
def cancel(run: Run, as_json: Json = False) -> None:
    """Stop a run at its next page. What it had stored stays."""
    from prestaconsole.services.runs import cancel_run

    with opened() as core:
        found = cancel_run(core, run, actor=actor(core))
    if as_json:
        print_json(found)
    elif found.active:
        say(f"Run {found.run} stops at its next page.")
    else:
        say(f"Run {found.run} is {found.state}.")
