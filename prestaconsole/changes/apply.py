"""Applying a plan: gate, identity, takeover of what was left sent, canary, body after body, end. Imports operations."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import func, select, update

from prestaconsole.changes import identity
from prestaconsole.changes.aside import NOT_TAKEN, note_ends
from prestaconsole.changes.bodies import SENDABLE, Sending, SentRow, SurpriseZeros, load_sending
from prestaconsole.changes.brake import judge_again
from prestaconsole.changes.decide import CANARY_CAUSE, FOREIGN_CAUSE, WIPED_CAUSE, load_changeset, require_made_live
from prestaconsole.changes.gate import require_live
from prestaconsole.changes.journal import count_states
from prestaconsole.changes.marks import first_since_live
from prestaconsole.changes.plan import BRAKE_CAUSE
from prestaconsole.changes.stock_push import RIGHTS, BodyResult, Poll, StockPush
from prestaconsole.changes.stock_rows import load_contexts
from prestaconsole.changes.tables import ON_ITS_WAY
from prestaconsole.database import Connection
from prestaconsole.errors import HeldError, LockedError, UsageError
from prestaconsole.model import Change, ChangeBatch, Changeset, ChangesetState, ChangeState, Listing
from prestaconsole.operations.core import Core
from prestaconsole.operations.incidents import open_incident
from prestaconsole.operations.order_intake import poll_orders
from prestaconsole.operations.order_store import IdentityChanged
from prestaconsole.operations.pages import LogLine, PageCommit
from prestaconsole.operations.shop_settings import value
from prestaconsole.operations.shops import ShopRecord
from prestaconsole.webservice.client import ShopClient

_NAMED = 10
"""So many rows are named in an incident; the journal has all."""


@dataclass
class Applied:
    """How a plan ended: its state, the rows by how they ended, and words for the run."""

    changeset_id: int
    state: ChangesetState
    counts: dict[str, int] = field(default_factory=dict)
    words: str = ""


@dataclass
class Applying:
    """Applies plans of one shop for one run. ``poll`` may be given by tests; else the shop's orders are polled."""

    core: Core
    shop: ShopRecord
    client: ShopClient
    commit: PageCommit
    run_id: int
    poll: Poll | None = None

    async def apply(self, changeset_id: int) -> Applied:
        """Send a plan that the brake let pass, or that was approved or released; goes on where it was cut.

        Raises ``HeldError`` when it waits for a person, ``LockedError`` when the gate is shut, ``UsageError`` when
        there is nothing to send, and the ``WebserviceError`` of a shop in trouble; unsent rows stay for the next run.
        """
        now = self.core.clock.now()
        braked = await self.commit(partial(_begin, shop=self.shop, changeset_id=changeset_id, now=now))
        if braked:
            return await self._brake(changeset_id, f"{braked}, with all that went out since it was made.")
        try:
            notes = await identity.check_before_write(self.core, self.shop, self.client)
            if notes:
                lines = [LogLine("warn", f"noted: {note}") for note in notes]
                await self.commit(lambda c: None, logs=lines)
            await self.resolve()
            return await self._apply(changeset_id)
        except LockedError as error:
            words = error.cause
            await self.core.database.write(lambda c: _park(c, changeset_id, words))
            raise
        except IdentityChanged as error:
            changed, now = error, self.core.clock.now()
            await self.core.database.write(lambda c: identity.identity_changed(c, self.shop, changed, now))
            raise
        except RIGHTS as error:
            refused, now = error, self.core.clock.now()
            raise await self.core.database.write(
                lambda c: identity.lost_right(c, self.shop, refused.cause, refused.remedy, now)
            ) from None

    async def resolve(self) -> dict[str, int]:
        """Settle every row of this shop that an ended or killed push left sent; only reads, in any mode.

        Gives the rows by how they ended. What was not written waits to be sent again.
        """
        left = await self.core.database.read(lambda c: _left_sent(c, self.shop.id))
        counts: dict[str, int] = {}
        for batch in left:
            push = await self._push(batch.changeset_id)
            answered = batch.status.startswith("answered")
            results = await push.resolve(batch.id, batch.rows, answered=answered, unsure_until=batch.unsure_until)
            for name, number in results.counts.items():
                counts[name] = counts.get(name, 0) + number
        return counts

    # -- inside ------------------------------------------------------------------------------------------------

    async def _apply(self, changeset_id: int) -> Applied:
        push = await self._push(changeset_id)
        plan = await self.core.database.read(lambda c: load_changeset(c, changeset_id))
        size, waiting = int(value(self.shop, "push.batch")), deque[list[int]]()
        canary = bool(plan.canary)
        after = done = 0
        while True:
            limit = min(size, int(value(self.shop, "push.canary"))) if canary else size
            if not waiting:
                ids = await self.core.database.read(partial(_next, changeset_id=changeset_id, after=after, limit=limit))
                if not ids:
                    break
                waiting.append(ids)
                after = ids[-1]
            body = waiting.popleft()
            try:
                result = await push.body(body, canary=canary)
            except SurpriseZeros as surprise:
                words = f"{surprise.count} SKUs would go to 0 within the hour, more than when the plan was made."
                return await self._brake(changeset_id, words)
            done += len(body) - sum(len(part) for part in result.again)
            waiting.extendleft(reversed(result.again))
            mark = {**checkpoint_of(changeset_id), "done": done}
            await self.commit(lambda c: None, checkpoint=mark, done=done, total=max(plan.rows, done), phase="sending")
            if canary and (result.wiped or result.failed):
                held = await self._canary_failed(changeset_id, result)
                if held is not None:
                    return held
            canary = canary and not result.written
        return await self.commit(partial(self._end, changeset_id=changeset_id))

    def _end(self, connection: Connection, changeset_id: int) -> Applied:
        now = self.core.clock.now()
        note_ends(connection, self.shop.id, changeset_id, run_id=self.run_id, at=now)
        return _end(connection, changeset_id, now)

    async def _push(self, changeset_id: int) -> StockPush:
        write_timeout = self.client.endpoint.write_timeout

        def load(connection: Connection) -> Sending:
            contexts = load_contexts(connection, self.shop.id)
            return load_sending(
                connection,
                self.shop,
                changeset_id,
                run_id=self.run_id,
                write_timeout=write_timeout,
                contexts=contexts,
                now=self.core.clock.now(),
            )

        sending = await self.core.database.read(load)
        report = partial(self._report, changeset_id)
        return StockPush(self.core, self.client, self.commit, sending, self.poll or self._poll_orders, report)

    async def _poll_orders(self, commit: PageCommit) -> None:
        await poll_orders(self.core, self.shop, self.client, commit, run_id=self.run_id)

    def _report(self, changeset_id: int, connection: Connection, result: BodyResult) -> None:
        at, shop = self.core.clock.now(), self.shop
        if result.foreign:
            open_incident(
                connection,
                shop_id=shop.id,
                cause_key=FOREIGN_CAUSE,
                title=f"Somebody else wrote stock at {shop.name}: {_some(result.foreign)}",
                remedy=(
                    f"Plan {changeset_id} holds these rows. Release it to write our figures over theirs, drop it to "
                    "leave theirs; or decide one by one: `prestaconsole foreign list`, then keep, overwrite or adopt."
                ),
                evidence="\n".join(result.foreign),
                at=at,
                run_id=self.run_id,
                count=len(result.foreign),
            )
        if result.failed:
            open_incident(
                connection,
                shop_id=shop.id,
                cause_key=NOT_TAKEN,
                title=f"{shop.name} did not take stock: {_some(result.failed)}",
                remedy="The words of the shop are in the plan's rows; mend the cause, then send these SKUs again.",
                evidence="\n".join(result.failed),
                at=at,
                run_id=self.run_id,
                count=len(result.failed),
            )

    async def _brake(self, changeset_id: int, words: str) -> Applied:
        words = f"Held by the brake: {words}"
        return await self.commit(
            partial(self._hold, changeset_id=changeset_id, words=words, cause=BRAKE_CAUSE),
            logs=[LogLine("FAIL", words)],
        )

    async def _canary_failed(self, changeset_id: int, result: BodyResult) -> Applied | None:
        if result.wiped:
            words, cause = f"The canary changed more than the quantity: {_some(result.wiped)}", WIPED_CAUSE
        elif await self.core.database.read(partial(_next, changeset_id=changeset_id, after=0, limit=1)):
            words, cause = f"The canary was not taken: {_some(result.failed)}", CANARY_CAUSE
        else:
            return None
        return await self.commit(
            partial(self._hold, changeset_id=changeset_id, words=words, cause=cause), logs=[LogLine("FAIL", words)]
        )

    def _hold(self, connection: Connection, *, changeset_id: int, words: str, cause: str) -> Applied:
        """Stop in the middle: what was not sent is held, with an incident."""
        now = self.core.clock.now()
        rows = select(func.count()).select_from(Change).where(Change.changeset_id == changeset_id)
        left = int(connection.execute(rows.where(Change.state.in_(SENDABLE))).scalar_one())
        connection.execute(
            update(Change)
            .where(Change.changeset_id == changeset_id, Change.state.in_(SENDABLE))
            .values(state=ChangeState.HELD)
        )
        state = ChangesetState.HELD if left else ChangesetState.FAILED
        values = {"state": state, "error": words, "ended_at": None if left else now}
        connection.execute(update(Changeset).where(Changeset.id == changeset_id).values(**values))
        open_incident(
            connection,
            shop_id=self.shop.id,
            cause_key=cause,
            title=f"Plan {changeset_id} for {self.shop.name} was stopped. {words}",
            remedy=(
                f"{left} rows were not sent. Look at the shop, then release the plan with a reason or drop it: "
                f"`prestaconsole changeset release {changeset_id} --confirm {self.shop.code}`."
            ),
            severity="STOP",
            at=now,
            run_id=self.run_id,
        )
        return Applied(changeset_id, state, count_states(connection, [changeset_id]).get(changeset_id, {}), words)


def checkpoint_of(changeset_id: int) -> dict[str, object]:
    """What a run that sends this plan keeps, to go on with it after a cut."""
    return {"changeset": changeset_id, "phase": "sending"}


@dataclass(frozen=True)
class _LeftBatch:
    id: int
    changeset_id: int
    status: str
    unsure_until: datetime | None
    rows: tuple[SentRow, ...]


def unfinished(connection: Connection, shop_id: int) -> list[int]:
    """Plans of this shop that were being sent when their run ended, oldest first."""
    found = select(Changeset.id).where(Changeset.shop_id == shop_id, Changeset.state == ChangesetState.APPLYING)
    return list(connection.execute(found.order_by(Changeset.id)).scalars())


def park(connection: Connection, shop_id: int, words: str) -> int:
    """Give plans that were being sent back to their waiting state: the shop may not be written to now."""
    parked = unfinished(connection, shop_id)
    for changeset_id in parked:
        _park(connection, changeset_id, words)
    return len(parked)


# -- transactions ----------------------------------------------------------------------------------------------


def _begin(connection: Connection, shop: ShopRecord, changeset_id: int, now: datetime) -> str:
    """Take the plan up to be sent; gives why the brake holds it after all, or ''."""
    found = load_changeset(connection, changeset_id)
    if found.shop_id != shop.id:
        raise UsageError(f"Plan {changeset_id} belongs to another shop.", "`prestaconsole changeset list` shows them.")
    state = ChangesetState(found.state)
    if state is ChangesetState.HELD or (found.brake.get("tripped") and found.released_at is None):
        raise HeldError(
            found.error or f"Plan {changeset_id} is held.",
            f"`prestaconsole changeset release {changeset_id} --confirm {shop.code} --reason R` lets it go.",
        )
    if state not in {ChangesetState.PLANNED, ChangesetState.APPROVED, ChangesetState.APPLYING}:
        raise UsageError(f"Plan {changeset_id} is {state}: there is nothing to send.", "Make a new plan.")
    require_live(connection, shop.id)
    require_made_live(found)
    if state is ChangesetState.PLANNED and value(shop, "approval.needed"):
        raise HeldError(
            f"Plan {changeset_id} waits for approval.", f"`prestaconsole changeset approve {changeset_id}` gives it."
        )
    verdict = judge_again(connection, shop, changeset_id, now=now)
    if verdict is not None and verdict.tripped:
        return verdict.words
    canary = found.canary or first_since_live(connection, shop.id)
    values = {"state": ChangesetState.APPLYING, "canary": canary, "error": ""}
    connection.execute(update(Changeset).where(Changeset.id == changeset_id).values(**values))
    return ""


def _park(connection: Connection, changeset_id: int, words: str) -> None:
    approved = connection.execute(select(Changeset.approved_at).where(Changeset.id == changeset_id)).scalar()
    state = ChangesetState.APPROVED if approved is not None else ChangesetState.PLANNED
    connection.execute(
        update(Changeset)
        .where(Changeset.id == changeset_id, Changeset.state == ChangesetState.APPLYING)
        .values(state=state, error=f"Stopped: {words}")
    )


def _next(connection: Connection, changeset_id: int, after: int, limit: int) -> list[int]:
    found = (
        select(Change.id)
        .where(Change.changeset_id == changeset_id, Change.id > after, Change.state.in_(SENDABLE))
        .order_by(Change.id)
        .limit(limit)
    )
    return list(connection.execute(found).scalars())


def _left_sent(connection: Connection, shop_id: int) -> list[_LeftBatch]:
    rows = connection.execute(
        select(Change.id, Change.batch_id, Change.record, Change.before, Change.after, Change.changeset_id)
        .add_columns(ChangeBatch.status, ChangeBatch.unsure_until, Listing.id_stock_available)
        .join(Changeset, Changeset.id == Change.changeset_id)
        .join(ChangeBatch, ChangeBatch.id == Change.batch_id)
        .join(Listing, Listing.id == Change.record)
        .where(Changeset.shop_id == shop_id, ON_ITS_WAY)
        .order_by(Change.batch_id, Change.id)
    ).all()
    batches: dict[int, list[SentRow]] = {}
    facts = {}
    for row in rows:
        sent = SentRow(row.id, row.record, row.id_stock_available or 0, int(row.before), int(row.after), None, None)
        batches.setdefault(row.batch_id, []).append(sent)
        facts[row.batch_id] = row
    return [
        _LeftBatch(batch, facts[batch].changeset_id, facts[batch].status, facts[batch].unsure_until, tuple(sent))
        for batch, sent in batches.items()
    ]


def _end(connection: Connection, changeset_id: int, at: datetime) -> Applied:
    counts = count_states(connection, [changeset_id]).get(changeset_id, {})
    held = sum(counts.get(name, 0) for name in ("held", "planned", "approved"))
    failed, confirmed = counts.get("failed", 0), counts.get("confirmed", 0)
    words = _words(counts)
    if held:
        state = ChangesetState.HELD
    elif failed and not confirmed:
        state = ChangesetState.FAILED
    else:
        state = ChangesetState.DONE
    values = {"state": state, "ended_at": None if held else at, "error": words if held or failed else ""}
    connection.execute(update(Changeset).where(Changeset.id == changeset_id).values(**values))
    if state is ChangesetState.DONE:
        _note_undone(connection, changeset_id)
    return Applied(changeset_id, state, counts, words)


def _note_undone(connection: Connection, changeset_id: int) -> None:
    """A plan of which nothing confirmed is left is undone."""
    undoes = connection.execute(select(Changeset.undoes_id).where(Changeset.id == changeset_id)).scalar()
    if undoes is None:
        return
    standing = select(Change.id).where(Change.changeset_id == undoes, Change.state == ChangeState.CONFIRMED)
    if connection.execute(standing.limit(1)).first() is None:
        connection.execute(update(Changeset).where(Changeset.id == undoes).values(state=ChangesetState.UNDONE))


def _words(counts: dict[str, int]) -> str:
    names = ("confirmed", "failed", "held", "skipped")
    return ", ".join(f"{counts[name]} {name}" for name in names if counts.get(name)) or "nothing to send"


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return "; ".join(words[:_NAMED]) + more
