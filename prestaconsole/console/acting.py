"""The console's actions, done: each is one function of services, run beside the screen's loop. Imports services.

They are imported by the first action that needs them, in its thread: no screen waits for what only a key does.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from prestaconsole.console.actions import Actions

if TYPE_CHECKING:
    from prestaconsole.operations.core import Core

T = TypeVar("T")


class ServiceActions(Actions):
    """The real ones: each runs its service in a thread, in the name of whoever sits here."""

    def __init__(self, core: "Core", *, queued: Callable[[], None] = lambda: None) -> None:
        self._core, self._actor, self._queued = core, core.settings.who, queued

    async def _do(self, work: Callable[[], T], *, queues: bool = False) -> T:
        """Do the work in a thread; ``queues`` where the worker has something new to look at after it."""
        done = await asyncio.to_thread(work)
        if queues:
            self._queued()
        return done

    async def pause_shop(self, shop: str, reason: str, until: datetime | None) -> None:
        def work() -> None:
            from prestaconsole.services import shops

            shops.pause_shop(self._core, shop, reason=reason, until=until, actor=self._actor)

        await self._do(work)

    async def resume_shop(self, shop: str) -> None:
        def work() -> None:
            from prestaconsole.services import shops

            shops.resume_shop(self._core, shop, actor=self._actor)

        await self._do(work, queues=True)

    async def request_feed(self, shop: str, feed: str, *, plan: bool = False, reason: str = "") -> tuple[int, bool]:
        def work() -> tuple[int, bool]:
            from prestaconsole.services import feeds

            asked = feeds.request_feed(self._core, shop, feed, actor=self._actor, plan=plan, reason=reason)
            return asked.run, asked.joined

        return await self._do(work, queues=True)

    async def cancel_run(self, run: int) -> None:
        def work() -> None:
            from prestaconsole.services import runs

            runs.cancel_run(self._core, run, actor=self._actor)

        await self._do(work)

    async def schedule_feed(self, shop: str, feed: str, every: str) -> None:
        def work() -> None:
            from prestaconsole.services import feeds

            feeds.schedule_feed(self._core, shop, feed, every, actor=self._actor)

        await self._do(work, queues=True)

    async def set_order_states(self, shop: str, edits: Sequence[Mapping[str, Any]]) -> None:
        def work() -> None:
            from prestaconsole.services import mappings

            asked = [
                mappings.StateEdit(id_order_state=edit["state"], action=edit["action"], retry=edit["retry"])
                for edit in edits
            ]
            mappings.set_order_states(self._core, shop, asked, actor=self._actor)

        await self._do(work, queues=True)

    async def approve(self, changeset: int) -> None:
        def work() -> None:
            from prestaconsole.services import changesets

            changesets.approve(self._core, changeset, actor=self._actor)

        await self._do(work)

    async def apply(self, changeset: int) -> tuple[int, bool]:
        def work() -> tuple[int, bool]:
            from prestaconsole.services import changesets

            asked = changesets.request_apply(self._core, changeset, actor=self._actor)
            return asked.run, asked.joined

        return await self._do(work, queues=True)

    async def release(self, changeset: int, confirm: str, reason: str) -> None:
        def work() -> None:
            from prestaconsole.services import changesets

            changesets.release(self._core, changeset, confirm=confirm, reason=reason, actor=self._actor)

        await self._do(work)

    async def drop(self, changeset: int) -> None:
        def work() -> None:
            from prestaconsole.services import changesets

            changesets.drop(self._core, changeset, actor=self._actor)

        await self._do(work)

    async def undo(self, changeset: int, records: Sequence[int] = ()) -> tuple[int, Sequence[str]]:
        def work() -> tuple[int, Sequence[str]]:
            from prestaconsole.services import changesets

            made = changesets.plan_undo(self._core, changeset, actor=self._actor, records=tuple(records))
            return made.changeset.id, [f"{sku}: {why}" for sku, why in made.refused]

        return await self._do(work)

    async def set_formula(self, shop: str, values: Mapping[str, str]) -> None:
        def work() -> None:
            from prestaconsole.services import shops

            shops.set_values(self._core, shop, values, actor=self._actor)

        await self._do(work, queues=True)

    async def set_exception(self, shop: str, sku: str, values: Mapping[str, str]) -> None:
        def work() -> None:
            from prestaconsole.services import stock_rules

            stock_rules.set_product_formula(self._core, sku, shop, values, actor=self._actor)

        await self._do(work, queues=True)

    async def decide_foreign(self, foreign: Sequence[int], decision: str, reason: str) -> Sequence[str]:
        def work() -> Sequence[str]:
            from prestaconsole.services.foreign import decide_many

            return decide_many(self._core, foreign, decision, actor=self._actor, reason=reason)

        return await self._do(work, queues=True)
