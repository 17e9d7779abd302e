"""`prestaconsole incident`: what needs a person."""

from typing import Annotated

import typer

from prestaconsole.cli.options import InShop, Json, Limit
from prestaconsole.cli.output import print_facts, print_json, print_rows, say
from prestaconsole.cli.session import actor, opened

app = typer.Typer(help="What needs a person.", no_args_is_help=True)

Incident = Annotated[int, typer.Argument(help="Number of the incident.")]


@app.command("list")
def list_(
    shop: InShop = None,
    state: Annotated[str, typer.Option("--state", help="open, snoozed, closed or all.")] = "open",
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List incidents, the gravest first."""
    from prestaconsole.services.incidents import list_incidents

    with opened() as core:
        rows = list_incidents(core, shop=shop, state=state, limit=limit)
    if as_json:
        print_json(rows)
        return
    print_rows(
        rows,
        [
            ("Sev", lambda row: row.severity),
            ("No", lambda row: row.id),
            ("Shop", lambda row: row.shop),
            ("What", lambda row: row.title),
            ("Since", lambda row: row.opened_at),
            ("×", lambda row: row.count),
            ("Owner", lambda row: row.owner),
        ],
        empty="Nothing needs you.",
    )


@app.command()
def show(incident: Incident, as_json: Json = False) -> None:
    """Show one incident with its remedy and evidence."""
    from prestaconsole.services.incidents import show_incident

    with opened() as core:
        found = show_incident(core, incident)
    if as_json:
        print_json(found)
        return
    print_facts([(name.replace("_", " "), getattr(found, name)) for name in found.__dataclass_fields__])


@app.command()
def own(
    incident: Incident,
    give_back: Annotated[bool, typer.Option("--give-back", help="Let go of it again.")] = False,
    as_json: Json = False,
) -> None:
    """Take an incident, or give it back."""
    from prestaconsole.services.incidents import own_incident

    with opened() as core:
        found = own_incident(core, incident, give_back=give_back, actor=actor(core))
    if as_json:
        print_json(found)
        return
    say(f"Incident {found.id} is {'yours' if found.owner else 'free'}: {found.title}")


@app.command()
def snooze(
    incident: Incident,
    until: Annotated[str, typer.Option("--until", help="16:00, 30min, 2h, 3d or a date.")] = "2h",
    as_json: Json = False,
) -> None:
    """Leave an incident for a time."""
    from zoneinfo import ZoneInfo

    from prestaconsole.services.incidents import snooze_incident
    from prestaconsole.services.typed import moment

    with opened() as core:
        end = moment(until, now=core.clock.now(), zone=ZoneInfo("UTC"))
        found = snooze_incident(core, incident, end, actor=actor(core))
    if as_json:
        print_json(found)
        return
    say(f"Incident {found.id} sleeps until {end:%Y-%m-%d %H:%M} UTC.")


@app.command()
def retry(incident: Incident, as_json: Json = False) -> None:
    """Run the feeds that met the incident again; records that were parked are freed."""
    from prestaconsole.services import feeds
    from prestaconsole.services.incidents import retry_incident

    with opened() as core:
        done = retry_incident(core, incident, actor=actor(core))
        runs = [feeds.run_of(core, asked) for asked in done.runs]
    if as_json:
        print_json({"incident": done.incident, "freed": done.freed, "runs": runs})
        return
    if done.freed:
        say(f"{len(done.freed)} parked {'record is' if len(done.freed) == 1 else 'records are'} free again.")
    for run in runs:
        say(f"{run.feed} of {run.shop} is queued as run {run.run}.")


@app.command()
def close(
    incident: Incident,
    reason: Annotated[str, typer.Option("--reason", help="Why it needs nobody any more.")],
    as_json: Json = False,
) -> None:
    """Close an incident by hand; it opens anew when its cause comes again."""
    from prestaconsole.services.incidents import close_incident

    with opened() as core:
        found = close_incident(core, incident, reason=reason, actor=actor(core))
    if as_json:
        print_json(found)
        return
    say(f"Incident {found.id} is closed: {found.title}")
