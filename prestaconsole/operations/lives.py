"""Which life of the database this is: when it was last backed up, and what it was restored from. Imports model."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from prestaconsole.database import Connection, upsert
from prestaconsole.model import Installation, Shop, ShopMode
from prestaconsole.operations.incidents import close_incident, open_incident

CAUSE = "restored"


@dataclass(frozen=True)
class Life:
    """``epoch`` counts restores from 1. ``restored_as_of`` is the last sign of life in the backup that was restored."""

    epoch: int = 1
    restored_at: datetime | None = None
    restored_from: str = ""
    restored_as_of: datetime | None = None
    backed_up_at: datetime | None = None
    backed_up_to: str = ""


_COLUMNS = [getattr(Installation, name) for name in Life.__dataclass_fields__]


def read_life(connection: Connection) -> Life:
    """The life that is lived now."""
    row = connection.execute(select(*_COLUMNS).where(Installation.id == 1)).one_or_none()
    return Life(*row) if row is not None else Life()


def note_backup(connection: Connection, file: str, at: datetime) -> None:
    """Keep when and where the last backup was written."""
    row = {"id": 1, "backed_up_at": at, "backed_up_to": file[-400:]}
    upsert(connection, Installation, [row], key=["id"])


def note_restore(connection: Connection, file: str, as_of: datetime | None, at: datetime) -> Life:
    """Begin the next life: what an earlier one had planned, queued or read is known by its lower epoch."""
    row = {
        "id": 1,
        "epoch": read_life(connection).epoch + 1,
        "restored_at": at,
        "restored_from": file[-200:],
        "restored_as_of": as_of,
        "backed_up_at": None,
        "backed_up_to": "",
    }
    upsert(connection, Installation, [row], key=["id"])
    return read_life(connection)


def awaits_reconcile(connection: Connection) -> bool:
    """Whether any shop is still frozen by a restore: it has not gone live since then."""
    restored_at = read_life(connection).restored_at
    if restored_at is None:
        return False
    frozen = select(func.count()).where(
        Shop.mode == ShopMode.FROZEN, or_(Shop.went_live_at.is_(None), Shop.went_live_at < restored_at)
    )
    return connection.execute(frozen).scalar_one() > 0


def begins_anew(connection: Connection, shop_id: int) -> bool:
    """Whether the database was restored and nothing went to the shop since, so that its own figures are the measure."""
    restored_at = read_life(connection).restored_at
    if restored_at is None:
        return False
    row = connection.execute(select(Shop.mode, Shop.went_live_at).where(Shop.id == shop_id)).one()
    return row.mode != ShopMode.LIVE and (row.went_live_at is None or row.went_live_at < restored_at)


def restored_as_of(connection: Connection) -> datetime | None:
    """From when the database is, while shops are frozen by a restore; None where none is."""
    life = read_life(connection)
    if life.restored_at is None or not awaits_reconcile(connection):
        return None
    return life.restored_as_of or life.restored_at


def restored_words(connection: Connection) -> str:
    """What is said while shops are frozen by a restore (SCREENS §5.29); '' where none is."""
    as_of = restored_as_of(connection)
    if as_of is None:
        return ""
    return f"This database is from {as_of:%a %Y-%m-%d %H:%M} UTC. Shops stay frozen until reconciled."


def tell_of_restore(connection: Connection, life: Life, at: datetime) -> None:
    """Open the incident that stays until the last shop was thawed, or nothing where none is frozen."""
    words = restored_words(connection)
    if words:
        open_incident(
            connection,
            shop_id=None,
            cause_key=CAUSE,
            title=f"Restored from {life.restored_from}: compare before thawing. {words}",
            remedy=(
                "For each shop `prestaconsole feed run SHOP stock_check --wait` reads what came since and compares; "
                "put right what differs, then `prestaconsole shop mode SHOP live --confirm SHOP`."
            ),
            at=at,
        )


def note_thaw(connection: Connection, by: str, at: datetime) -> None:
    """Close that incident when no shop is frozen by the restore any more."""
    if not awaits_reconcile(connection):
        close_incident(connection, shop_id=None, cause_key=CAUSE, by=by, at=at)
