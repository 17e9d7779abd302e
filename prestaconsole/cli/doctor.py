"""`prestaconsole doctor`: examines shops with reads only."""

from typing import Annotated

import typer

from prestaconsole.cli.failures import Ended
from prestaconsole.cli.options import Json
from prestaconsole.cli.output import print_json, say, tell
from prestaconsole.cli.session import actor, opened, wait
from prestaconsole.errors import EXIT_FAILED


def doctor(
    shop: Annotated[str | None, typer.Argument(help="Code, name or id of the shop; all without it.")] = None,
    as_json: Json = False,
) -> None:
    """Examine a shop: what is in order, what to watch, what to mend and how. Reads only; ends with 1 on a FIX."""
    from prestaconsole.services import doctor as services

    with opened() as core:
        if shop is not None:
            found = [wait(services.examine(core, shop, actor=actor(core)))]
        else:
            found = wait(services.examine_all(core, actor=actor(core)))
    if as_json:
        print_json(found[0] if shop is not None else found)
    elif not found:
        tell("No shop yet. `prestaconsole shop add NAME --url URL --key-stdin` connects one.")
    else:
        for one in found:
            counts = ", ".join(f"{sum(f.verdict == v for f in one.findings)} {v}" for v in ("FIX", "WARN", "ok"))
            say(f"{one.shop}: {len(one.findings)} probes, {counts}")
            for finding in one.findings:
                say(f"  {finding.verdict:<4}  {finding.name}: {finding.text}")
                if finding.verdict != "ok" and finding.remedy:
                    say(f"        {finding.remedy}")
    if not all(one.ok for one in found):
        raise Ended(EXIT_FAILED)
