"""`prestaconsole pause` and `resume`: all shops at once."""

from typing import Annotated

import typer

from prestaconsole.cli.options import Json
from prestaconsole.cli.output import print_json, say
from prestaconsole.cli.session import actor, opened


def pause(
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands wherever the pause is shown.")],
    until: Annotated[
        str | None, typer.Option("--until", help="16:00, 2h, 3d or a date; without it you resume.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Stop the feeds of all shops for a time: runs at work stop at their next page. Nothing is lost."""
    from prestaconsole.services.pauses import pause_everything
    from prestaconsole.services.typed import moment

    with opened() as core:
        zone = core.clock.now().astimezone().tzinfo
        end = moment(until, now=core.clock.now(), zone=zone) if until and zone else None
        found = pause_everything(core, reason=reason, until=end, actor=actor(core))
    if as_json:
        print_json(found)
        return
    words = f" until {end.astimezone():%Y-%m-%d %H:%M}" if end else ""
    say(f"Everything is paused{words}. `prestaconsole resume` resumes.")


def resume() -> None:
    """End the pause of all shops; a shop's own pause stays."""
    from prestaconsole.services.pauses import resume_everything
    from prestaconsole.services.shops import list_shops

    with opened() as core:
        stood = resume_everything(core, actor=actor(core))
        own = [shop.name for shop in list_shops(core) if shop.paused]
    say("The feeds of all shops go on." if stood else "Nothing was paused as a whole.")
    if own:
        say(f"Paused by themselves: {', '.join(own)}. `prestaconsole shop resume SHOP` resumes one.")
