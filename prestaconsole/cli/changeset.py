"""`prestaconsole changeset`: plans, and what became of them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from prestaconsole.cli.failures import Ended, tell_run_end
from prestaconsole.cli.feed import print_run
from prestaconsole.cli.options import InShop, Json, Limit, Waiting
from prestaconsole.cli.output import print_facts, print_json, print_rows, say, tell
from prestaconsole.cli.progress import RunLines
from prestaconsole.cli.session import actor, opened, wait
from prestaconsole.errors import EXIT_DONE, EXIT_FAILED, EXIT_HELD

if TYPE_CHECKING:
    from prestaconsole.services.changesets import ChangesetRow

app = typer.Typer(
    help="Plans, and what became of them. Nothing is written to a shop any other way.", no_args_is_help=True
)

_SHOWN = 20
Plan = Annotated[int, typer.Argument(metavar="ID", help="Number of the plan.")]


@app.command("list")
def list_(
    shop: InShop = None,
    state: Annotated[str | None, typer.Option("--state", help="planned, held, approved, done, …")] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List plans, newest first."""
    from prestaconsole.services.changesets import list_changesets

    with opened() as core:
        rows = list_changesets(core, shop=shop, state=state, limit=limit)
    if as_json:
        print_json(rows)
        return
    columns: list[tuple[str, Any]] = [
        ("Plan", lambda row: row.id),
        ("Shop", lambda row: row.shop),
        ("Kind", lambda row: row.kind),
        ("State", lambda row: row.state),
        ("Rows", lambda row: row.rows),
        ("Made in", lambda row: row.mode),
        ("By", lambda row: row.actor),
        ("When", lambda row: row.created_at),
        ("Changes", lambda row: row.error or row.counts),
    ]
    print_rows(rows, columns, empty="No plan yet. `prestaconsole feed run SHOP export_stock --plan --wait` makes one.")


@app.command()
def show(changeset: Plan, as_json: Json = False) -> None:
    """Show one plan with its brake."""
    from prestaconsole.services.changesets import show_changeset

    with opened() as core:
        found = show_changeset(core, changeset)
    if as_json:
        print_json(found)
        return
    facts = [(name.replace("_", " "), getattr(found, name)) for name in found.__dataclass_fields__ if name != "brake"]
    print_facts(facts)
    for rule in found.brake.get("rules", ()):
        tripped = "tripped" if rule.get("tripped") else ""
        say(f"  brake  {rule.get('rule')}: limit {rule.get('limit')}, this plan {rule.get('plan')} {tripped}".rstrip())
    say(f"`prestaconsole change list --changeset {found.id}` lists its changes.")


@app.command()
def approve(changeset: Plan, as_json: Json = False) -> None:
    """Let a plan be sent that waits for approval."""
    from prestaconsole.services import changesets

    with opened() as core:
        found = changesets.approve(core, changeset, actor=actor(core))
    _told(found, as_json)


@app.command()
def release(
    changeset: Plan,
    confirm: Annotated[str, typer.Option("--confirm", metavar="SHOP", help="The shop's name or code, typed.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the audit.")],
    as_json: Json = False,
) -> None:
    """Let go a plan that the brake or a foreign write holds; a canary goes first."""
    from prestaconsole.services import changesets

    with opened() as core:
        found = changesets.release(core, changeset, confirm=confirm, reason=reason, actor=actor(core))
    _told(found, as_json)


@app.command()
def drop(
    changeset: Plan,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit.")] = "",
    as_json: Json = False,
) -> None:
    """Give a plan up: the shop keeps its numbers."""
    from prestaconsole.services import changesets

    with opened() as core:
        found = changesets.drop(core, changeset, reason=reason, actor=actor(core))
    _told(found, as_json)


@app.command()
def apply(changeset: Plan, waiting: Waiting = True, as_json: Json = False) -> None:
    """Send a plan to its shop, read back every row, and wait for the end. One that is done stays done."""
    from prestaconsole.services import changesets, feeds

    with opened() as core:
        found = changesets.show_changeset(core, changeset)
        if found.state == "done":
            tell(f"Plan {changeset} is done already; nothing was sent again.")
            _told(found, as_json)
            return
        if waiting:
            run = wait(changesets.apply(core, changeset, actor=actor(core), on_progress=RunLines()))
        else:
            run = feeds.run_of(core, changesets.request_apply(core, changeset, actor=actor(core)))
    if waiting:
        print_run(run, as_json=as_json)
    elif as_json:
        print_json(run)
    else:
        say(f"Plan {changeset} is queued to be sent as run {run.run}.")


@app.command()
def undo(
    changeset: Plan,
    plan: Annotated[bool, typer.Option("--plan", help="Only make the plan that writes back.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit.")] = "",
    as_json: Json = False,
) -> None:
    """Write back what stood before a plan; rows that the shop has changed since are refused and named."""
    from prestaconsole.services import changesets

    with opened() as core:
        made = changesets.plan_undo(core, changeset, reason=reason, actor=actor(core))
        row, run = made.changeset, None
        if not plan and row.state == "planned" and row.rows:
            run = wait(changesets.apply(core, row.id, actor=actor(core), on_progress=RunLines()))
            row = changesets.show_changeset(core, row.id)
        kept = changesets.list_changes(core, changeset=row.id, state="skipped", limit=_SHOWN)
    for one in kept:
        tell(f"{one.sku or one.name}: {one.note}")
    _told(row, as_json)
    if run is not None:
        status = tell_run_end(run)
    elif row.state == "held":
        tell(row.error)
        tell(f"`prestaconsole changeset show {row.id}` shows it; `changeset release {row.id}` lets it go.")
        status = EXIT_HELD
    else:
        status = EXIT_DONE
    if status == EXIT_DONE and kept:
        tell(f"{row.counts.get('skipped', 0)} rows were not undone; the shop keeps its values there.")
        status = EXIT_FAILED
    if status != EXIT_DONE:
        raise Ended(status)


def _told(found: "ChangesetRow", as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    say(f"Plan {found.id} of {found.shop} is {found.state}, {found.rows} rows.")
