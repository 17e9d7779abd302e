"""The gate: only a live, unpaused shop is written to, asked anew in every transaction that marks rows sent.

A permit is the gate's consent to one request, and `sending` takes nothing else. Imports operations.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from prestaconsole.database import Connection
from prestaconsole.errors import LockedError, NotFoundError
from prestaconsole.model import Shop, ShopMode
from prestaconsole.operations.pauses import pause_of_everything

_WORDS: dict[str, tuple[str, str]] = {
    ShopMode.DRAFT: (
        "No shop is connected yet: the key has not passed the doctor.",
        "`prestaconsole shop test {code}` tries the connection again.",
    ),
    ShopMode.SETUP: (
        "Locked in setup: rehearsal makes plans, live sends them.",
        "`prestaconsole shop mode {code} rehearsal` names the open points.",
    ),
    ShopMode.REHEARSAL: (
        "Rehearsal plans and sends nothing.",
        "`prestaconsole shop mode {code} live` names the open points of the check-list.",
    ),
    ShopMode.FROZEN: (
        "Frozen: reading goes on, nothing is written to the shop.",
        "`prestaconsole shop mode {code} live` thaws it.",
    ),
}


@dataclass(frozen=True)
class Permit:
    """Consent to one request: this shop, this batch, begun before ``start_by`` or not at all.

    Whoever takes over waits until ``unsure_until``, so the request must be over by then (DESIGN §3).
    """

    shop_id: int
    batch_id: int
    start_by: datetime
    unsure_until: datetime


def require_live(connection: Connection, shop_id: int) -> None:
    """Raise ``LockedError`` unless the shop is live and neither it nor everything is paused at this moment.

    The shop's row is held until the transaction ends, so a freeze either comes first and stops these rows, or waits
    for them to be marked (on SQLite the one writer does the same).
    """
    shop = connection.execute(
        select(Shop.code, Shop.mode, Shop.paused_at, Shop.paused_until, Shop.paused_by, Shop.pause_reason)
        .where(Shop.id == shop_id)
        .with_for_update(read=True)
    ).one_or_none()
    if shop is None:
        raise NotFoundError(f"No shop has the id {shop_id}.", "`prestaconsole shop list` shows all shops.")
    if shop.mode != ShopMode.LIVE:
        cause, remedy = _WORDS[shop.mode]
        raise LockedError(cause, remedy.format(code=shop.code))
    everything = pause_of_everything(connection, hold=True)
    if everything is not None:
        raise LockedError(f"Everything is paused {everything.words}.", "`prestaconsole resume` resumes.")
    if shop.paused_at is not None:
        until = f" until {shop.paused_until:%Y-%m-%d %H:%M} UTC" if shop.paused_until else ""
        raise LockedError(
            f"Paused{until} by {shop.paused_by or 'somebody'}: {shop.pause_reason or 'no reason given'}.",
            f"`prestaconsole shop resume {shop.code}` resumes.",
        )


def permit(connection: Connection, shop_id: int, batch_id: int, *, now: datetime, time_out: float) -> Permit:
    """Open the gate for one request of at most ``time_out`` seconds. Raises ``LockedError`` as ``require_live`` does.

    Call it in the fenced transaction that marks the batch sent. A request that has not begun a few seconds later must
    not begin at all: somebody may already wait for its end.
    """
    require_live(connection, shop_id)
    grace = grace_seconds(time_out)
    return Permit(shop_id, batch_id, now + timedelta(seconds=grace), now + timedelta(seconds=time_out + grace))


def grace_seconds(time_out: float) -> float:
    """How long after its mark a request may still begin: a tenth of its time-out, at least a second."""
    return max(1.0, time_out / 10)
