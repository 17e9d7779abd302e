"""Which incident a failed run belongs to, and which ones a good run cures: by cause, not by feed. Imports operations.

What keeps a whole shop from us is one incident however many feeds meet it (nightmare N19). Part of the transaction
that ends the run.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import select, update

from prestaconsole.database import Connection
from prestaconsole.model import FeedState, Incident
from prestaconsole.operations.incidents import close_incident, detail_of, open_incident, open_key

CONTACT = "contact"
"""The cause key of a shop that does not serve us, whatever its answer."""
SHOP_WIDE = frozenset(
    {
        "dns", "refused-connection", "certificate", "timeout", "cut-connection", "not-connected", "not-http",
        "no-key-received", "key-malformed", "key-unknown", "no-permissions", "key-not-for-shop", "ws-disabled",
        "redirected", "server-error", "unavailable", "too-many-requests", "html-answer", "api-not-found",
        "blocked-by-host", "circuit-open",
    }
)  # fmt: skip
"""Kinds of error that mean the shop as a whole does not serve us, unless it served another feed meanwhile."""
DECISIONS = frozenset({"locked", "held"})
"""The gate or the brake did its work: nothing has failed, and nobody needs to be told."""
_TOLD = frozenset({"identitychanged"})
"""The cause opened an incident of its own already, which says more."""


class Ended(Protocol):
    """What must be known of a run that failed or went well."""

    @property
    def id(self) -> int: ...
    @property
    def shop_id(self) -> int: ...
    @property
    def feed(self) -> str: ...
    @property
    def trigger(self) -> str: ...
    @property
    def started_at(self) -> datetime | None: ...


class Why(Protocol):
    """Why it failed, in words without secrets."""

    @property
    def kind(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    @property
    def evidence(self) -> str: ...


def report_failure(connection: Connection, run: Ended, why: Why, now: datetime) -> int | None:
    """Open or count up the incident of this failure; gives its id, or None where there is nothing to report.

    A gate that is shut and a plan that waits are no failures. What a person typed wrongly was told to that person.
    """
    if why.kind in DECISIONS | _TOLD or (why.kind == "usage" and run.trigger == "person"):
        return None
    if why.kind in SHOP_WIDE and not _serves_others(connection, run):
        return _report_contact(connection, run, why, now)
    return open_incident(
        connection,
        shop_id=run.shop_id,
        cause_key=_of_feed(run.feed, why.kind),
        title=why.cause,
        remedy=why.remedy,
        evidence=why.evidence,
        at=now,
        run_id=run.id,
        detail={"feeds": {run.feed: why.kind}},
    )


def report_success(connection: Connection, run: Ended, now: datetime) -> None:
    """Close what this run cures: its own failures, and the shop's silence."""
    by = f"run {run.id}"
    prefix = f"run:{run.feed}:"
    mine = select(Incident.cause_key).where(
        Incident.shop_id == run.shop_id,
        Incident.closed_at.is_(None),
        Incident.cause_key.startswith(prefix, autoescape=True),
    )
    for cause_key in connection.execute(mine).scalars().all():
        close_incident(connection, shop_id=run.shop_id, cause_key=cause_key, by=by, at=now)
    detail = detail_of(connection, run.shop_id, CONTACT)
    if detail is None:
        return
    feeds: Mapping[str, str] = detail.get("feeds", {})
    if (
        len(feeds) == 1
        and run.feed not in feeds
        and _becomes_its_own(connection, run.shop_id, *next(iter(feeds.items())))
    ):
        return
    close_incident(connection, shop_id=run.shop_id, cause_key=CONTACT, by=by, at=now)


def _report_contact(connection: Connection, run: Ended, why: Why, now: datetime) -> int:
    before: dict[str, Any] = detail_of(connection, run.shop_id, CONTACT) or {}
    feeds = {**before.get("feeds", {}), run.feed: why.kind}
    met = "\n".join(f"{feed}: {kind}" for feed, kind in feeds.items())
    return open_incident(
        connection,
        shop_id=run.shop_id,
        cause_key=CONTACT,
        title=why.cause,
        remedy=why.remedy,
        evidence=f"{met}\n{why.evidence}".strip(),
        severity="STOP",
        at=now,
        run_id=run.id,
        detail={"feeds": feeds},
    )


def _serves_others(connection: Connection, run: Ended) -> bool:
    """Whether another feed of the shop ended well since this run began to try: then the shop is not down."""
    if run.started_at is None:
        return False
    others = select(FeedState.feed).where(
        FeedState.shop_id == run.shop_id, FeedState.feed != run.feed, FeedState.last_ok_at > run.started_at
    )
    return connection.execute(others.limit(1)).first() is not None


def _becomes_its_own(connection: Connection, shop_id: int, feed: str, kind: str) -> bool:
    """The shop serves others, so the one feed that met this has a trouble of its own, which is still open.

    Without this an incident would be closed by one feed and opened by the other for ever. False where the feed has
    an incident of this kind already.
    """
    cause_key = _of_feed(feed, kind)
    if detail_of(connection, shop_id, cause_key) is not None:
        return False
    connection.execute(
        update(Incident)
        .where(Incident.open_key == open_key(shop_id, CONTACT))
        .values(cause_key=cause_key, open_key=open_key(shop_id, cause_key), severity="ACT")
    )
    return True


def _of_feed(feed: str, kind: str) -> str:
    return f"run:{feed}:{kind}"
