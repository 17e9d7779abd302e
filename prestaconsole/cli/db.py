"""`prestaconsole db`: looks after the database itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prestaconsole.cli.failures import Ended
from prestaconsole.cli.options import Json
from prestaconsole.cli.output import print_json, print_rows, say, tell
from prestaconsole.cli.session import actor, keep_log, opened
from prestaconsole.errors import EXIT_FAILED

if TYPE_CHECKING:
    from prestaconsole.operations.lives import Life
    from prestaconsole.settings import Settings

app = typer.Typer(help="Look after the database itself.", no_args_is_help=True)


def _settings() -> "Settings":
    from prestaconsole.settings import load_settings

    settings = load_settings()
    keep_log(settings)
    return settings


@app.command()
def upgrade(as_json: Json = False) -> None:
    """Make the database, or bring it to this program's version; an older SQLite file is kept beside it."""
    from prestaconsole.services.databases import upgrade_database

    report, kept = upgrade_database(_settings())
    if as_json:
        print_json({name: getattr(report, name) for name in report.__dataclass_fields__} | {"kept": kept})
        return
    if kept is not None:
        say(f"The database as it was before is kept as {kept}.")
    say(f"{report.kind} database {report.url} is at revision {report.revision}.")


@app.command()
def check(as_json: Json = False) -> None:
    """Look whether the database is whole, sound and of this version; changes nothing, ends with 1 when it is not."""
    from prestaconsole.services.databases import check_database

    report = check_database(_settings())
    if as_json:
        print_json(report)
    else:
        say(f"{report.kind} database {report.url}, revision {report.revision or 'none'}, {report.rows} rows.")
        say(f"{_megabytes(report.size)}, of which {_megabytes(report.free)} are free inside.")
        for line in _life_lines(report.life):
            say(line)
        for note in report.notes:
            say(f"Note: {note}.")
        if not report.problems:
            say("It is whole, sound and of this program's version.")
    if report.problems:
        for problem in report.problems:
            tell(f"{problem[:1].upper()}{problem[1:]}.")
        raise Ended(EXIT_FAILED)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write, not there yet; or a folder for a dated one.")],
    keep: Annotated[int | None, typer.Option(help="In a folder: how many dated backups stay, the newest.")] = None,
    as_json: Json = False,
) -> None:
    """Copy the database while it is in use, then open the copy and count it. The vault's key stays apart.

    PostgreSQL is copied with pg_dump, which must be installed here.
    """
    from prestaconsole.services.backups import backup_database

    settings = _settings()
    report = backup_database(settings, file, keep=keep)
    if as_json:
        print_json(report)
        return
    say(f"{report.file}: {report.rows} rows, {report.shops} shops, {report.size} bytes, opened and counted.")
    for gone in report.removed:
        say(f"Removed the older {gone}.")
    tell(
        f"The vault's key is not in it: keep {settings.key_file} in another place, or the shops' keys cannot be opened."
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File that `db backup` has written.")], as_json: Json = False
) -> None:
    """Put a backup where no database is yet. Every shop in it but drafts is frozen until a person has compared.

    What the backup had planned or queued is closed and never sent; orders since then are read by the next poll.
    """
    from prestaconsole.services.backups import restore_database

    settings = _settings()
    report = restore_database(settings, file, actor=settings.who)
    if as_json:
        print_json(report)
        return
    as_of = f"It is as of {report.as_of:%Y-%m-%d %H:%M} UTC." if report.as_of else ""
    say(f"{report.rows} rows of {report.shops} shops are back from {report.file}. {as_of}".strip())
    say(f"Closed, and never sent: {report.runs} runs, {report.plans} stock plans. Kept for you: {report.kept} changes.")
    if report.frozen:
        say(f"Frozen until they are compared: {', '.join(report.frozen)}.")
        say("For each: `feed run SHOP stock_check --wait` reads and compares, `shop mode SHOP live` thaws it.")
    if report.keyless:
        tell(f"The vault's key that opens the keys of these shops is not here: {', '.join(report.keyless)}.")
        tell(
            f"Put it back to {settings.key_file} before anything else is started, or enter each shop's key again with "
            "`prestaconsole shop rotate-key SHOP --key-stdin`."
        )


@app.command()
def prune(
    plan: Annotated[bool, typer.Option("--plan", help="Only count what would go.")] = False,
    vacuum: Annotated[bool, typer.Option("--vacuum", help="SQLite: give free room back; needs as much again.")] = False,
    as_json: Json = False,
) -> None:
    """Take away what is older than the settings keep it; the daemon does the same each night.

    Nothing goes that is still needed: what is open, can be undone, or is the last good state. Sums of stock stay.
    """
    from prestaconsole.services.retention import prune_database, prune_plan

    with opened() as core:
        lines = prune_plan(core) if plan else prune_database(core, actor=actor(core), vacuum=vacuum)
    if as_json:
        print_json(lines)
        return
    print_rows(
        lines,
        [
            ("What", lambda row: row.title),
            ("Kept", lambda row: f"{row.days} days" if row.days else "for ever"),
            ("Older than", lambda row: row.before or "–"),
            ("Rows that would go" if plan else "Rows gone", lambda row: row.rows),
        ],
        empty="",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


def _life_lines(life: "Life") -> list[str]:
    lines = []
    if life.backed_up_at is not None:
        lines.append(f"Last backup {life.backed_up_at:%Y-%m-%d %H:%M} UTC to {life.backed_up_to}.")
    else:
        lines.append("No backup of it was made yet.")
    if life.restored_at is not None:
        lines.append(f"Restored {life.restored_at:%Y-%m-%d %H:%M} UTC from {life.restored_from} (life {life.epoch}).")
    return lines
