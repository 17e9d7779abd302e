"""`prestaconsole alert`: whether people outside hear of incidents."""

import typer

from prestaconsole.cli.failures import Ended
from prestaconsole.cli.options import Json, Limit
from prestaconsole.cli.output import print_json, print_rows, say, tell
from prestaconsole.cli.session import actor, opened, wait
from prestaconsole.errors import EXIT_FAILED

app = typer.Typer(help="Telling people outside by webhook and mail.", no_args_is_help=True)


@app.command()
def test(as_json: Json = False) -> None:
    """Send a test message through every channel and say what happened; ends with 1 when one failed."""
    from prestaconsole.services.alerts import test_alerts

    with opened() as core:
        results = wait(test_alerts(core, actor=actor(core)))
    if as_json:
        print_json(results)
    for result in results:
        if result.ok and not as_json:
            say(f"{result.channel}: ok, {result.said}.")
        elif not result.ok:
            tell(f"{result.channel}: FAILED. {result.said} {result.remedy}".rstrip())
    if not all(result.ok for result in results):
        raise Ended(EXIT_FAILED)


@app.command()
def channels(as_json: Json = False) -> None:
    """Show how each channel stands: what waits, when the last message left, whether it fails."""
    from prestaconsole.services.alerts import list_channels

    with opened() as core:
        rows = list_channels(core)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Channel", lambda row: row.channel),
            ("Here", lambda row: row.set_up),
            ("Waiting", lambda row: row.waiting),
            ("Last sent", lambda row: row.last_sent_at or "–"),
            ("Failing since", lambda row: row.failing_since or "–"),
            ("Next", lambda row: row.not_before if row.waiting else "–"),
            ("Said", lambda row: row.last_error or "–"),
        ],
        empty="No channel is set up: PRESTACONSOLE_ALERT_WEBHOOK_URL or PRESTACONSOLE_ALERT_MAIL_TO does.",
    )


@app.command("list")
def list_(limit: Limit = 50, as_json: Json = False) -> None:
    """List what was told and what waits, newest first."""
    from prestaconsole.services.alerts import list_alerts

    with opened() as core:
        rows = list_alerts(core, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("No", lambda row: row.id),
            ("By", lambda row: row.channel),
            ("Told", lambda row: row.kind),
            ("State", lambda row: row.state),
            ("When", lambda row: row.at or row.created_at),
            ("Sev", lambda row: row.severity),
            ("Shop", lambda row: row.shop),
            ("Incident", lambda row: row.incident),
            ("What", lambda row: row.title),
        ],
        empty="Nothing was told yet.",
    )
