"""The stock files that were taken in or refused, and those that were cut off. May import operations, model."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, select

from prestaconsole.database import Connection
from prestaconsole.model import LoadState, StockLoad, Warehouse
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import detail_of, open_incident
from prestaconsole.services.warehouses import find_warehouse

SILENT = timedelta(seconds=60)
"""A load that has booked nothing for so long was cut off: its process is gone."""
TYPED = "typed/"
"""How the claims of files begin that a person loads; the others came through a drop folder."""


@dataclass(frozen=True)
class LoadRow:
    """One stock file that was taken in, or refused.

    ``booked`` of its ``rows`` are; ``cut_off``: the process that loaded it is gone.
    """

    id: int
    at: datetime
    warehouse: str
    file: str
    state: str
    rows: int
    changed: int
    refused: int
    error: str
    actor: str
    booked: int = 0
    cut_off: bool = False


def list_loads(core: Core, *, warehouse: str | None = None, limit: int | None = None) -> list[LoadRow]:
    """The stock files that were taken in or refused, newest first."""

    def work(connection: Connection) -> list[LoadRow]:
        where = []
        if warehouse is not None:
            where.append(StockLoad.warehouse_id == find_warehouse(connection, warehouse)[0])
        return _loads(connection, core.clock.now(), *where, limit=limit)

    return core.database.read_now(work)


def _loads(
    connection: Connection, now: datetime, *where: ColumnElement[bool], limit: int | None = None
) -> list[LoadRow]:
    load = StockLoad
    statement = (
        select(*load.__table__.columns, Warehouse.code)
        .join(Warehouse, Warehouse.id == load.warehouse_id)
        .where(*where)
        .order_by(load.id.desc())
        .limit(limit)
    )
    return [
        LoadRow(
            id=row.id,
            at=row.began_at,
            warehouse=row.code,
            file=row.file,
            state=row.state,
            rows=row.rows,
            changed=row.changed,
            refused=row.refused,
            error=row.error,
            actor=row.actor,
            booked=min(row.position, row.rows),
            cut_off=row.state == LoadState.LOADING and row.claim.startswith(TYPED) and now - row.moved_at >= SILENT,
        )
        for row in connection.execute(statement)
    ]


def cut_off_key(load_id: int) -> str:
    """The cause of the incident that tells of a load that was cut off."""
    return f"stock load:{load_id}"


def note_cut_off(core: Core) -> None:
    """Open an incident for each load of a person's file that was cut off and lies half taken."""

    def look(connection: Connection) -> list[LoadRow]:
        rows = _loads(connection, core.clock.now(), StockLoad.state == LoadState.LOADING)
        cut = [row for row in rows if row.cut_off]
        return [row for row in cut if detail_of(connection, None, cut_off_key(row.id)) is None]

    def work(connection: Connection, row: LoadRow) -> None:
        open_incident(
            connection,
            shop_id=None,
            cause_key=cut_off_key(row.id),
            title=f"Loading {row.file} into {row.warehouse} was cut off after {row.booked} of {row.rows} rows.",
            remedy="Load the same file again in the same way: it goes on there. Another file for it ends this one.",
            at=core.clock.now(),
        )

    for row in core.database.read_now(look):
        core.database.write_now(partial(work, row=row))
