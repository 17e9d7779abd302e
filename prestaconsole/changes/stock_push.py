"""The stock push: the six steps of DESIGN §6, one body of rows after another. Imports operations."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, Unpack

from prestaconsole.changes.bodies import Marked, Sending, SentRow
from prestaconsole.changes.gate import grace_seconds
from prestaconsole.changes.marking import mark_sent, rows_to_read
from prestaconsole.changes.sending import PermitExpired, put_stock_rows
from prestaconsole.changes.settling import (
    Results,
    close_batch,
    confirm_equal,
    fail,
    follow_up,
    note_status,
    reopen,
    settle_rest,
)
from prestaconsole.changes.stock_rows import StockRow, read_rows
from prestaconsole.database import Connection
from prestaconsole.operations.core import Core
from prestaconsole.operations.pages import LogLine, PageCommit, PageNotes, RunStopped
from prestaconsole.webservice import errors as e
from prestaconsole.webservice.client import ShopClient

T = TypeVar("T")
Poll = Callable[[PageCommit], Awaitable[object]]

LOOKS = 3
"""How often a body is polled and read before a row outside its expectation is believed."""
TRIES = 3
"""How often one row may end unclear by itself before it is given up."""
_ABOUT_A_ROW = (
    *(e.RefusedValue, e.BadRequest, e.NotFound, e.StockManagedElsewhere, e.SaveFailed),
    *(e.MalformedBody, e.UnknownRefusal),
)
RIGHTS = (e.NoPermissionResource, e.NoPermissionMethod, e.NoRightsAtAll)


class PatientCommit:
    """Stores pages that tell what already happened in the shop, and keeps a stop for afterwards.

    A commit without a lease is stored before the stop is raised (see the runner), so only a lost run ends at once.
    """

    def __init__(self, commit: PageCommit) -> None:
        self._commit = commit
        self.stopped: RunStopped | None = None

    async def __call__(self, store: Callable[[Connection], T], **notes: Unpack[PageNotes]) -> T:
        """As ``PageCommit``; ``counts`` of a poll inside a push are not this run's and are left out by the caller."""
        kept: list[T] = []

        def storing(connection: Connection) -> T:
            kept[:] = [store(connection)]
            return kept[0]

        try:
            return await self._commit(storing, **notes)
        except RunStopped as stop:
            if stop.why == "lost" or not kept:
                raise
            self.stopped = stop
            return kept[0]

    def go_on(self) -> None:
        """Raise the stop that came meanwhile, if any."""
        if self.stopped is not None:
            raise self.stopped


class _Silent:
    """A commit for the poll inside a push: its pages are stored, its counts and progress are not the push's."""

    def __init__(self, commit: PageCommit) -> None:
        self._commit = commit

    async def __call__(self, store: Callable[[Connection], T], **notes: Unpack[PageNotes]) -> T:
        mine: PageNotes = {"logs": notes.get("logs", ())}
        if "lease_seconds" in notes:
            mine["lease_seconds"] = notes["lease_seconds"]
        return await self._commit(store, **mine)


@dataclass
class BodyResult:
    """What became of one body. ``again`` are lists of changes to send next, each a body of its own."""

    counts: dict[str, int] = field(default_factory=dict)
    again: list[list[int]] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    wiped: list[str] = field(default_factory=list)
    written: int = 0

    def add(self, counts: Mapping[str, int]) -> None:
        for name, number in counts.items():
            self.counts[name] = self.counts.get(name, 0) + number


@dataclass
class _Outcome:
    """How the request ended. ``written`` True: the shop says so; None: look. ``trouble`` stops the whole push."""

    status: str
    written: bool | None = None
    wait: bool = False
    error: e.WriteError | None = None
    trouble: e.WebserviceError | None = None

    @property
    def refusal(self) -> bool:
        """Whether PrestaShop itself named an error: sending the same again would meet the same."""
        return self.error is not None and (isinstance(self.error, e.Refused) or self.error.code > 0)


@dataclass
class StockPush:
    """Sends the rows of one changeset, body by body. ``poll`` polls the shop's orders with the commit it is given."""

    core: Core
    client: ShopClient
    commit: PageCommit
    sending: Sending
    poll: Poll
    report: Callable[[Connection, BodyResult], None]
    """Stores what a person must know of a body, in the transaction of its log lines."""
    tries: dict[int, int] = field(default_factory=dict)
    unclear: int = 0
    _polled: bool = False
    _seen: set[int] = field(default_factory=set)
    """Changes that came back from a request of several once already."""

    async def body(self, change_ids: Sequence[int], *, canary: bool = False) -> BodyResult:
        """Push these changes in one request and settle each.

        Raises ``LockedError`` when the gate is shut (nothing of the body was sent), ``SurpriseZeros``, ``RunStopped``,
        or the ``WebserviceError`` behind a trouble that is not about single rows; every row is settled or unsent then,
        unless the shop could not even be read.
        """
        marked = await self._marked(change_ids)
        result = BodyResult(dict(marked.counts), foreign=marked.foreign, failed=marked.failed)
        if marked.later:
            result.again.append(marked.later)
        if not marked.rows or marked.permit is None:
            await self._log(result, marked.carried)
            return result
        outcome = await self._send(marked)
        patient = PatientCommit(self.commit)
        if outcome.status == "not sent":
            await self._take_back(patient, marked)
            result.again.append([row.change_id for row in marked.rows])
        else:
            await self._settle(patient, marked, outcome, result, canary=canary)
        if outcome.trouble is not None:
            raise outcome.trouble
        patient.go_on()
        return result

    async def resolve(
        self, batch: int, rows: Sequence[SentRow], *, answered: bool, unsure_until: datetime | None
    ) -> Results:
        """Settle rows that a push before left sent: wait until the request must be over, read, decide (DESIGN §3)."""
        await self._wait_until(unsure_until)
        patient = PatientCommit(self.commit)
        status = "answered" if answered else "unknown: cut off"
        results = await self._read_back(patient, rows, True if answered else None, batch, status)
        result = BodyResult(dict(results.counts), foreign=results.foreign, failed=results.failed)
        unsent = f", {len(results.again)} were not written" if results.again else ""
        await self._log(result, [f"request {batch} had been cut off{unsent}", *results.carried], patient)
        patient.go_on()
        return results

    # -- steps 1 to 3 ------------------------------------------------------------------------------------------

    async def _marked(self, change_ids: Sequence[int]) -> Marked:
        lease = self.sending.write_timeout + 2 * grace_seconds(self.sending.write_timeout)
        for look in range(1, LOOKS + 1):
            if not self._polled or look > 1:
                await self._poll(self.commit)
            asked = await self.core.database.read(lambda c: rows_to_read(c, change_ids))
            fresh = await read_rows(self.client, asked.stock_rows, self.sending.contexts)
            if asked.stock_rows and not fresh:
                raise e.UnexpectedAnswer(
                    f"The shop's list shows none of {len(asked.stock_rows)} stock rows.",
                    "An empty answer proves nothing, so nothing was sent; analyse the shop and its key's rights.",
                )
            read_at = self.core.clock.now()
            last = look == LOOKS

            def store(connection: Connection) -> Marked | None:
                return mark_sent(
                    connection,
                    self.sending,
                    change_ids,
                    fresh,  # noqa: B023 - awaited at once
                    asked=asked,  # noqa: B023 - awaited at once
                    read_at=read_at,  # noqa: B023 - awaited at once
                    now=self.core.clock.now(),
                    last_look=last,  # noqa: B023 - awaited at once
                )

            self._polled = False
            marked = await self.commit(store, lease_seconds=lease)
            if marked is not None:
                self.sending.zeros |= marked.zeros
                return marked
        raise AssertionError("the last look always decides")

    async def _poll(self, commit: PageCommit) -> None:
        await self.poll(_Silent(commit))
        self._polled = True

    # -- step 4 ------------------------------------------------------------------------------------------------

    async def _send(self, marked: Marked) -> _Outcome:
        assert marked.permit is not None
        bodies = [row.row.body(row.after) for row in marked.rows if row.row is not None]
        try:
            await put_stock_rows(marked.permit, self.client, self.core.clock, bodies, id_shop=marked.context)
        except PermitExpired:
            return _Outcome("not sent")
        except e.NotSent as error:
            return _Outcome("not sent", trouble=error.reason)
        except e.Refused as error:
            about_a_row = isinstance(error.reason, _ABOUT_A_ROW)
            return _Outcome(f"refused: {error.kind}", error=error, trouble=None if about_a_row else error.reason)
        except e.UnknownOutcome as error:
            return _Outcome(f"unknown: {error.kind}", wait=not _is_over(error), error=error)
        return _Outcome("answered", written=True)

    async def _take_back(self, commit: PatientCommit, marked: Marked) -> None:
        ids = [row.change_id for row in marked.rows]

        def store(connection: Connection) -> None:
            reopen(connection, self.sending, ids)
            close_batch(connection, marked.batch_id, "not sent", self.core.clock.now())

        await commit(store)

    # -- steps 5 and 6 -----------------------------------------------------------------------------------------

    async def _settle(
        self, patient: PatientCommit, marked: Marked, outcome: _Outcome, result: BodyResult, *, canary: bool
    ) -> None:
        assert marked.permit is not None
        if outcome.wait:
            await self._wait_until(marked.permit.unsure_until)
        results = await self._read_back(
            patient, marked.rows, outcome.written, marked.batch_id, outcome.status, canary=canary
        )
        result.add(results.counts)
        result.foreign += results.foreign
        result.failed += results.failed
        result.wiped += results.wiped
        result.written = len(results.confirmed)
        try:
            if results.again:
                await self._again(patient, marked, outcome, results, result, canary=canary)
        finally:
            await self._log(result, marked.carried + results.carried, patient)

    async def _read_back(
        self,
        patient: PatientCommit,
        rows: Sequence[SentRow],
        written: bool | None,
        batch: int,
        status: str,
        *,
        canary: bool = False,
    ) -> Results:
        observed = await read_rows(self.client, [row.stock_row for row in rows], self.sending.contexts)
        if rows and not observed:
            raise e.UnexpectedAnswer("The shop's list shows none of the rows that were just written.")
        read_at = self.core.clock.now()
        notes = self._compare(rows, observed) if canary else {}

        # Each transaction makes its own results: one that lost a race on PostgreSQL is done again whole.
        def equal(connection: Connection) -> tuple[list[SentRow], Results]:
            # A takeover must know that the shop said yes: an unchanged row then means something else.
            note_status(connection, batch, status)
            found = Results(wiped=list(notes.values()))
            return confirm_equal(
                connection, self.sending, rows, observed, read_at=read_at, notes=notes, results=found
            ), found

        others, results = await patient(equal)
        await self._poll(patient)

        def rest(connection: Connection) -> Results:
            now, found = self.core.clock.now(), Results()
            settle_rest(
                connection, self.sending, others, observed, read_at=read_at, now=now, written=written, results=found
            )
            follow_up(connection, self.sending, results.confirmed | found.confirmed, found)
            close_batch(connection, batch, "confirmed" if written else status, now)
            return found

        results.add(await patient(rest))
        return results

    def _compare(self, rows: Sequence[SentRow], observed: Mapping[int, StockRow]) -> dict[int, str]:
        """The canary's fields but the quantity: what the shop changed besides (N11)."""
        found = {}
        for row in rows:
            seen = observed.get(row.stock_row)
            if row.row is not None and seen is not None and (changed := row.row.wiped(seen)):
                found[row.change_id] = f"stock row {row.stock_row}, {'; '.join(changed)}"
        return found

    async def _again(
        self,
        patient: PatientCommit,
        marked: Marked,
        outcome: _Outcome,
        results: Results,
        result: BodyResult,
        *,
        canary: bool,
    ) -> None:
        """Rows that were surely not written: in bodies that close in on the one at fault, alone at last."""
        order = [row.change_id for row in marked.rows]
        ids = sorted(results.again, key=order.index)
        if outcome.trouble is not None:
            return
        if len(marked.rows) > 1:
            repeated = self._seen.issuperset(ids)
            self._seen.update(ids)
            result.again[:0] = split(ids, some_written=len(ids) < len(order), halve=outcome.refusal or repeated)
            return
        one = ids[0]
        self.tries[one] = self.tries.get(one, 0) + 1
        if not outcome.refusal and self.tries[one] < TRIES:
            result.again.insert(0, [one])
            return
        if not outcome.refusal and outcome.error is not None:
            self.unclear += 1
            if canary or self.unclear >= TRIES:
                # Not this row: the shop as a whole is in trouble, and the run is tried again later.
                raise outcome.error.reason
        await self._give_up(patient, one, outcome, result)

    async def _give_up(self, patient: PatientCommit, change_id: int, outcome: _Outcome, result: BodyResult) -> None:
        error = outcome.error
        words = f"Not written: {' '.join(error.messages) or error.cause}" if error is not None else "Not written."
        called = await patient(lambda c: fail(c, change_id, words))
        result.add({"failed": 1})
        result.failed.append(f"{called}: {words}")

    async def _wait_until(self, moment: datetime | None) -> None:
        while moment is not None:
            left = (moment - self.core.clock.now()).total_seconds()
            if left <= 0:
                return
            await self.core.clock.sleep(left)

    async def _log(self, result: BodyResult, carried: Sequence[str], commit: PageCommit | None = None) -> None:
        parts = ", ".join(f"{number} {name}" for name, number in sorted(result.counts.items()))
        logs = [LogLine("info", f"stock rows: {parts}")] if parts else []
        logs += [LogLine("warn", words) for words in (*carried, *result.foreign)]
        logs += [LogLine("FAIL", words) for words in (*result.failed, *result.wiped)]
        if logs or result.counts:
            await (commit or self.commit)(lambda c: self.report(c, result), counts=result.counts, logs=logs)


def split(change_ids: Sequence[int], *, some_written: bool, halve: bool) -> list[list[int]]:
    """The bodies to try next after one was not taken whole.

    PrestaShop saves row by row (F40): where some were written, the first that was not is at fault. Where none was, the
    fault may be anywhere: halves close in on it.
    """
    ids = list(change_ids)
    if some_written:
        return [part for part in (ids[:1], ids[1:]) if part]
    if halve and len(ids) > 1:
        middle = len(ids) // 2
        return [ids[:middle], ids[middle:]]
    return [ids]


def _is_over(error: e.UnknownOutcome) -> bool:
    """Whether the shop's own script has ended: it gave an answer with a status of its own, be it a broken one.

    A gateway's 502 to 504, a time-out and a cut connection say nothing of the kind.
    """
    return error.status in {200, 201, 500} and not isinstance(error.reason, e.TimedOut | e.CutConnection)
