"""The feed ``export_stock``: plan what the shop should show, pass the brake, send, read back (rows B29, B30, B41).

Outside live, and for a dry run, it only plans. With ``changeset`` in its params it sends that plan.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from prestaconsole.changes.apply import Applied, Applying, checkpoint_of, park, unfinished
from prestaconsole.changes.marks import any_marked, listing_ids
from prestaconsole.changes.plan import (
    PlanEnd,
    PlanPage,
    Scope,
    abandoned_plans,
    begin_plan,
    discard_rows,
    finish_plan,
    forget_empty,
    plan_page,
    still_planning,
)
from prestaconsole.changes.unexplained import report_unexplained
from prestaconsole.database import Connection
from prestaconsole.errors import UsageError
from prestaconsole.feeds.context import FeedContext, Outcome
from prestaconsole.model import ChangesetState, ShopMode
from prestaconsole.operations.pages import LogLine

_ROUNDS = 5
"""So often one run plans anew what was marked while it sent; what comes later wakes the next run."""


async def run(context: FeedContext) -> Outcome:
    """Plan, or plan and send, or send a given plan.

    Params: ``changeset`` sends that plan; ``skus`` or ``listings`` plan these, ``marked`` what waits, ``all`` the
    whole shop. Without any, an unattended run plans the marked listings, a person's and a dry run the whole shop.
    """
    return await _Export(context).run()


class _Export:
    def __init__(self, context: FeedContext) -> None:
        self.context = context
        self.shop = context.shop
        self.params: Mapping[str, Any] = context.run.params
        self.plans_only = context.run.plan_only or context.shop.mode is not ShopMode.LIVE
        self.cut_off: Mapping[str, Any] = context.run.checkpoint
        self.applying = Applying(context.core, context.shop, context.client, context.commit, context.run.id)

    async def run(self) -> Outcome:
        await self.applying.resolve()
        now = self.context.core.clock.now()
        await self.context.commit(lambda c: report_unexplained(c, self.shop, now))
        if self.plans_only:
            if self.shop.mode is not ShopMode.LIVE:
                await self.context.commit(lambda c: park(c, self.shop.id, f"the shop is in {self.shop.mode}."))
            return await self._plan_only()
        given = self.params.get("changeset")
        if given is not None:
            return _outcome(await self.applying.apply(int(given)))
        cut_off = await self.context.core.database.read(lambda c: unfinished(c, self.shop.id))
        ended = [await self.applying.apply(changeset_id) for changeset_id in cut_off]
        return await self._rounds(ended)

    async def _plan_only(self) -> Outcome:
        if self.params.get("changeset") is not None:
            raise UsageError(
                f"A plan cannot be sent while {self.shop.name} is in {self.shop.mode} or a dry run is asked for.",
                "Make a new plan once the shop is live.",
            )
        changeset_id, end = await self._plan(await self._scope(whole=True), clear_marks=False)
        words = f"plan {changeset_id} made: {_changes(end.rows)}, none sent" + (f". {end.words}" if end.words else "")
        return Outcome("done", complete=True, text=words, detail={"changeset": changeset_id, "rows": end.rows})

    async def _rounds(self, ended: list[Applied]) -> Outcome:
        """Plan and send; then what was marked meanwhile, until nothing is or a plan waits for a person."""
        person = self.context.run.trigger == "person"
        scope = await self._scope(whole=person)
        for _ in range(_ROUNDS):
            changeset_id, end = await self._plan(scope, clear_marks=True)
            if end.words:
                return Outcome("held", text=f"plan {changeset_id}: {end.words}", detail={"changeset": changeset_id})
            if end.state is not ChangesetState.PLANNED:
                break
            ended.append(await self.applying.apply(changeset_id))
            if ended[-1].state is ChangesetState.HELD or scope.kind == "listings":
                break
            scope = Scope("marked")
            if not await self.context.core.database.read(lambda c: any_marked(c, self.shop.id)):
                break
        return _outcome(*ended)

    async def _scope(self, *, whole: bool) -> Scope:
        words = [*self.params.get("skus", ()), *self.params.get("listings", ())]
        if words:
            ids, unknown = await self.context.core.database.read(lambda c: listing_ids(c, self.shop.id, words))
            if unknown:
                raise UsageError(
                    f"{self.shop.name} has no listing for {', '.join(unknown)}.",
                    f"`prestaconsole listing list {self.shop.code}` shows all.",
                )
            return Scope("listings", ids)
        marked = not self.params.get("all") and (self.params.get("marked") or not whole)
        return Scope("marked" if marked else "all")

    async def _plan(self, scope: Scope, *, clear_marks: bool) -> tuple[int, PlanEnd]:
        """Make one plan page by page; goes on at the run's checkpoint where it was cut."""
        await self._discard_abandoned()
        changeset_id, after = await self._begin()
        looked = 0
        while True:
            store = partial(
                plan_page,
                shop=self.shop,
                changeset_id=changeset_id,
                scope=scope,
                after=after,
                clear_marks=clear_marks,
            )
            # The page that is stored again after a cut finds its rows there already.
            mark = _planning(changeset_id, after)
            page: PlanPage = await self.context.commit(store, checkpoint=mark, done=looked, phase="planning")
            looked += page.looked
            if page.last is None:
                break
            after = page.last
        return changeset_id, await self._finish(changeset_id, scope)

    async def _begin(self) -> tuple[int, int]:
        run, checkpoint = self.context.run, self.cut_off
        self.cut_off = {}
        if checkpoint.get("phase") == "planning":
            cut_off = int(checkpoint["changeset"])
            if await self.context.core.database.read(lambda c: still_planning(c, cut_off)):
                return cut_off, int(checkpoint["after"])
        now = self.context.core.clock.now()

        def begin(connection: Connection) -> int:
            reason = str(self.params.get("reason", ""))
            return begin_plan(connection, self.shop, actor=run.actor, reason=reason, run_id=run.id, at=now)

        return await self.context.commit(begin), 0

    async def _finish(self, changeset_id: int, scope: Scope) -> PlanEnd:
        now = self.context.core.clock.now()
        end = await self.context.commit(
            partial(finish_plan, shop=self.shop, changeset_id=changeset_id, whole_shop=scope.kind == "all", at=now),
            checkpoint=checkpoint_of(changeset_id),
        )
        if not end.rows and not end.words and scope.kind == "marked":
            await self.context.commit(lambda c: forget_empty(c, changeset_id))
            return end
        line = LogLine(
            "warn" if end.words else "info", f"plan {changeset_id}: {_changes(end.rows)}. {end.words}".strip()
        )
        await self.context.commit(lambda c: None, counts={"planned": end.rows}, logs=[line])
        return end

    async def _discard_abandoned(self) -> None:
        run_id, now = self.context.run.id, self.context.core.clock.now()
        for changeset_id in await self.context.core.database.read(lambda c: abandoned_plans(c, self.shop.id, run_id)):
            store = partial(
                discard_rows, changeset_id=changeset_id, note="Its run ended before the plan was whole.", at=now
            )
            while await self.context.commit(store):
                pass


def _planning(changeset_id: int, after: int) -> dict[str, object]:
    return {"changeset": changeset_id, "phase": "planning", "after": after}


def _changes(rows: int) -> str:
    return "1 change" if rows == 1 else f"{rows} changes"


def _outcome(*ended: Applied) -> Outcome:
    words = "; ".join(f"plan {one.changeset_id}: {one.words}" for one in ended if one.words)
    held = any(one.state is ChangesetState.HELD for one in ended)
    detail = {"changeset": ended[-1].changeset_id} if ended else {}
    return Outcome("held" if held else "done", complete=True, text=words or "nothing to send", detail=detail)
