"""Retention by hand: what would go, and taking it away now. May import operations."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import OperationalError

from prestaconsole.database import Connection, DatabaseError
from prestaconsole.operations.audit import audit
from prestaconsole.operations.core import Core
from prestaconsole.operations.retention import RULES, Rule


@dataclass(frozen=True)
class PruneLine:
    """One kind of rows: kept for ``days`` (0: for ever), so all from before ``before`` went, or would go."""

    name: str
    title: str
    days: int
    before: datetime | None
    rows: int


def prune_plan(core: Core) -> list[PruneLine]:
    """What would go now. Changes nothing."""

    def work(connection: Connection) -> list[PruneLine]:
        now = core.clock.now()
        lines = []
        for rule in RULES:
            before = rule.before(core.settings, now)
            rows = rule.count(connection, before) if before is not None else 0
            lines.append(PruneLine(rule.name, rule.title, rule.days(core.settings), before, rows))
        return lines

    return core.database.read_now(work)


def prune_database(core: Core, *, actor: str, vacuum: bool = False) -> list[PruneLine]:
    """Take away what is older than it is kept, in small transactions beside other work, and audit the counts.

    ``vacuum`` gives a SQLite file's free room back to the disk. Raises ``DatabaseError`` when another process holds
    the database meanwhile.
    """
    now = core.clock.now()
    lines = [_prune(core, rule, now) for rule in RULES]
    after = {line.name: line.rows for line in lines if line.rows}
    core.database.write_now(lambda c: audit(c, actor=actor, action="db prune", at=now, after=after))
    if vacuum and core.database.is_sqlite:
        _vacuum(core)
    return lines


def _prune(core: Core, rule: Rule, now: datetime) -> PruneLine:
    before, rows = rule.before(core.settings, now), 0
    if before is not None:
        step = rule.steps(before)
        while (number := core.database.write_now(step)) is not None:
            rows += number
    return PruneLine(rule.name, rule.title, rule.days(core.settings), before, rows)


def _vacuum(core: Core) -> None:
    try:
        with core.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM")
    except OperationalError:
        raise DatabaseError(
            "The file could not be made smaller: another process works on it, or there is no room for a second one.",
            "Stop the daemon for a moment, or free as much room as the file takes; what was pruned stays pruned.",
        ) from None
